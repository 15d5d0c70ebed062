/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Shared by the files of the reader; no one else's. */
#ifndef KT_STORE_READER_PRIV_H
#define KT_STORE_READER_PRIV_H

#include "frame.h"
#include "index.h"
#include "reader.h"
#include "rows.h"

#define KT_READER_FACTS	 256 /* names */
#define KT_READER_TEXT	 (16u << 20)
#define KT_READER_CLOCKS 4096 /* even */
/* What is read at once when the file is read through. */
#define KT_READER_AHEAD (256u << 10)

struct kt_window {
	u8 *bytes;
	size_t cap, n;
	u64 offset;
};

struct kt_fact_at {
	struct kt_fact fact;
	u64 offset; /* of its block: the last one of a name counts */
};

struct kt_reader {
	/* The file: a descriptor, or memory when memory is set. */
	int fd;
	const u8 *memory;
	u64 size;
	size_t ahead;
	struct kt_window window;
	int error; /* of pread() */

	u32 tag;
	u64 first; /* offset of the first block */
	struct kt_file_schema schema;
	struct kt_store_map maps[KT_STORE_MAX_KINDS];
	const struct kt_store_schema *ours;
	struct kt_index index;
	ZSTD_DCtx *zstd;
	u8 *payload;
	size_t payload_size;

	struct kt_fact_at facts[KT_READER_FACTS];
	struct kt_fact fact_list[KT_READER_FACTS];
	u32 fact_count;
	size_t fact_bytes;
	struct kt_clock clocks[KT_READER_CLOCKS];
	u32 clock_count;

	/* Where the walk through the blocks is. */
	u64 at;
	bool counting;	/* next_event is known */
	u64 next_event; /* what the next block should have in events_before */
	u64 last_ts;
	bool gap_open; /* the last gap's end is not yet known */
	struct kt_reader_stats stats;

	struct kt_block block;
	u32 event; /* in the block: the next one for kt_reader_next() */
	struct kt_rows rows;
	bool rows_filled;
	int lost_kind, lost_count; /* in the file's schema */
};

/* n bytes of the file, good until the next call; NULL: they are not there, or .error. */
const u8 *kt_reader_view(struct kt_reader *r, u64 offset, size_t n);
/* The payload of a block at offset, decoded; NULL when it is damaged. */
const u8 *kt_reader_payload(struct kt_reader *r, u64 offset, const struct kt_frame *f);

/* ---- walking ---- */
void kt_walk_start(struct kt_reader *r, u64 offset);
/* The next block in the file, of any type: 1, 0 at the end, negative errno. */
int kt_walk_next(struct kt_reader *r, struct kt_frame *f, u64 *offset);
/* Where the walk is, and back to there: what was met since then counts no more. */
struct kt_walk_place {
	u64 at, next_event, last_ts;
	bool counting;
};
struct kt_walk_place kt_walk_place(const struct kt_reader *r);
void kt_walk_back(struct kt_reader *r, const struct kt_walk_place *place);
/* Its payload is damaged. */
void kt_walk_bad(struct kt_reader *r, const struct kt_frame *f, u64 offset);

/* ---- what is said about host and file ---- */
/* Facts, clocks, index: by the file's end, or else by a walk. Returns 0 or a negative errno. */
int kt_reader_load(struct kt_reader *r);
void kt_reader_forget(struct kt_reader *r);

#endif
