/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * One field's values of all events of a kind in a block. Each column is coded by itself, in the way
 * of these that suits it best; what differs little is left as few bits, what repeats as indices of
 * a dictionary, which zstd then finds easy. kvmtrace-capture(5) says what lies where.
 */
#ifndef KT_STORE_COLUMN_H
#define KT_STORE_COLUMN_H

#include "bytes.h"
#include "plan.h"

enum kt_encoding {
	KT_COL_CONST = 0, /* all the same */
	KT_COL_PACKED,	  /* offsets from a base, so many bits each, with exceptions */
	KT_COL_DELTA,	  /* the first one, then differences, packed */
	KT_COL_DELTA2, /* the first one, the first difference, then differences of these, packed */
	KT_COL_DICT,   /* the distinct values, then indices */
	KT_COL_MAP,    /* a value for each entry of another field's KT_COL_DICT */
	KT_COL_BYTES,  /* lengths, a column of their own, then the bytes */
};

#define KT_COL_HEADER	 8
#define KT_COL_DICT_BITS 12	/* of an index, at most */
#define KT_COL_ROWS	 65536u /* at most */

/* ---- writing ---- */

struct kt_column_encoder;
/* rows: how many a column has at most (KT_COL_ROWS at most). */
struct kt_column_encoder *kt_column_encoder_new(u32 rows);
void kt_column_encoder_free(struct kt_column_encoder *e);

/* How a field's column was coded in the last block, which is tried first. Begins as zeros. */
struct kt_column_memo {
	u8 encoding;	/* enum kt_encoding; differences: KT_COL_PACKED */
	u8 from;	/* KT_COL_MAP: the other field */
	u8 lasts;	/* blocks, before others are tried again */
	u32 entries;	/* KT_COL_DICT */
	u32 exceptions; /* of a thousand values */
	struct kt_column_plan plan;
};

/* The fields of another kind follow: their columns have n rows (1 at least). */
void kt_column_begin(struct kt_column_encoder *e, u32 n);
/* Where the n values of the next column go. */
u64 *kt_column_values(struct kt_column_encoder *e);
/* Appends the column of these values. field: its place in the kind, which others refer to. */
void kt_column_encode(struct kt_column_encoder *e, struct kt_column_memo *memo, u8 field,
		      struct kt_str *out);
/* The same where the values are lengths: bytes holds what they count, n_bytes in all. */
void kt_column_encode_bytes(struct kt_column_encoder *e, struct kt_column_memo *memo,
			    const char *bytes, size_t n_bytes, struct kt_str *out);
/* The same where none is higher than max, and dictionaries are not worth a thought. */
void kt_column_encode_small(struct kt_column_encoder *e, u64 max, struct kt_str *out);
/* Appends the column of a value that all have. */
void kt_column_constant(u64 value, struct kt_str *out);

/* ---- reading ---- */

/* What is left of a KT_COL_DICT for the columns that refer to it. */
struct kt_column_ref {
	const u8 *packed; /* NULL: not one */
	u32 entries;
	u8 bits;
};

/*
 * Decodes the next column at in, of n values (1 .. KT_COL_ROWS). refs[0..field-1] are the kind's
 * earlier columns, refs[field] is set. False when it is malformed. KT_SLACK bytes must be readable
 * behind in->end.
 */
bool kt_column_decode(struct kt_in *in, u32 n, struct kt_column_ref *refs, u8 field, u64 *values);
/*
 * The same for bytes: values become offset << 8 | length; offsets count from base, which lies at
 * or before in->p, less than 4 GiB.
 */
bool kt_column_decode_bytes(struct kt_in *in, u32 n, const u8 *base, u64 *values);

#endif
