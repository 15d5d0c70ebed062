/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What events are made of. A capture carries this description of itself: a reader finds kinds and
 * fields by their names, so that captures of other versions stay readable. The program's own kinds
 * (kinds.h) are described in the same way, with the place of each field in the struct of a row.
 */
#ifndef KT_STORE_SCHEMA_H
#define KT_STORE_SCHEMA_H

#include "../lib/str.h"

enum kt_store_type {
	KT_STORE_U8 = 1,
	KT_STORE_U16,
	KT_STORE_U32,
	KT_STORE_U64,
	KT_STORE_S64,
	KT_STORE_BYTES, /* in a row: a u8, their number, and room for .size of them behind it */
};

/* How to show a value whose meaning one doesn't know; others than these: as KT_STORE_DEC. */
enum kt_store_base { KT_STORE_DEC = 0, KT_STORE_HEX = 1 };

#define KT_STORE_MAX_KINDS  255 /* with kind 0 */
#define KT_STORE_MAX_FIELDS 64	/* of a kind */
#define KT_STORE_MIN_ROW    32	/* bytes of a row's struct, kind 0 aside */
#define KT_STORE_MAX_ROW    4096

/* Texts are UTF-8 and shorter than 256 bytes; those of a file may hold anything but a NUL. */
struct kt_store_field {
	const char *name;
	const char *meaning; /* "exit-reason", "vector", …: how to decode it; "": a number */
	const char *unit;    /* "ns", "bytes"; "": none */
	const char *text;    /* for people */
	u8 type;	     /* enum kt_store_type */
	u8 base;	     /* enum kt_store_base */
	u8 size;	     /* KT_STORE_BYTES: how many at most */
	u16 offset;	     /* in the row's struct; 0 in a file's schema */
};

struct kt_store_kind {
	const char *name, *text;
	const struct kt_store_field *fields;
	u16 field_count;
	u16 number;   /* in the file; of our own kinds: its place in the array */
	u16 row_size; /* of the struct; 0 in a file's schema */
};

/*
 * kinds[0] describes what all events have in common. Its first field is "ts" (KT_STORE_U64, ns of
 * CLOCK_MONOTONIC), at offset 0; the struct of every other kind begins with its struct. A kind's own fields do
 * not repeat these.
 */
struct kt_store_schema {
	const struct kt_store_kind *kinds;
	u32 count;
};

/* Bytes from one row to the next, where any member may begin. */
static inline size_t kt_store_row_room(const struct kt_store_kind *kind)
{
	return (kind->row_size + 7u) & ~(size_t)7;
}

/* Bits of a value of this type; 0 for KT_STORE_BYTES and for unknown types. */
unsigned int kt_store_type_bits(u8 type);
/* Index of the field or kind of that name, -1 when there is none. */
int kt_store_find_field(const struct kt_store_kind *kind, const char *name);
int kt_store_find_kind(const struct kt_store_schema *schema, const char *name);

/* 0, or -EINVAL when limits, offsets, types or names don't fit: for schemas with rows. */
int kt_store_check_schema(const struct kt_store_schema *schema);

/* Appends the payload of a SCHEMA block (kvmtrace-capture(5)). */
void kt_store_put_schema(struct kt_str *s, const struct kt_store_schema *schema);

/*
 * A schema as read from a file. Kinds and fields keep the file's order; a kind's .number is what
 * the file's blocks call it.
 */
struct kt_file_schema {
	struct kt_store_schema schema;
	struct kt_store_kind *kinds;
	struct kt_store_field *fields; /* of all kinds */
	char *texts;
	s16 by_number[KT_STORE_MAX_KINDS + 1]; /* index of the kind, -1: none */
};

/* Returns 0 or -EBADMSG; *file is to be freed in either case and starts all zero. */
int kt_file_schema_parse(struct kt_file_schema *file, const void *payload, size_t n);
void kt_file_schema_fini(struct kt_file_schema *file);

/*
 * Which field of the file is which of ours. A field of ours is absent when the file has none of
 * that name, or one that ours cannot hold (bytes instead of a number, signed instead of unsigned,
 * more bits). kind -1: the file's kind is unknown to us.
 */
struct kt_store_map {
	s16 kind;		       /* index of our kind */
	u64 present;		       /* bit i: our field i is in the file */
	s8 field[KT_STORE_MAX_FIELDS]; /* our field i is the file's field[i], or -1 */
};

void kt_store_map(struct kt_store_map *map, const struct kt_store_kind *theirs,
		  const struct kt_store_schema *ours);

#endif
