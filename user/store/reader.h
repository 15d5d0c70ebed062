/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Reads a capture: complete, cut off, or damaged. Whole blocks are skipped where something is
 * wrong, and counted: what is handed out is what was written. Memory taken does not depend on the
 * file's length.
 *
 * Events come a block at a time, as columns (quick, generic: all that the file has), as rows in
 * this program's structs (kinds.h), or one by one. Those of a block are in the order of time; a
 * block may begin a little before the last one's end.
 */
#ifndef KT_STORE_READER_H
#define KT_STORE_READER_H

#include "block.h"

struct kt_reader;

/*
 * Opens a capture and reads what it says about itself. ours: the kinds that rows are wanted of;
 * must stay. Returns 0, or a negative errno and appends a sentence to why that follows the file's
 * name and a colon: -EINVAL (not a capture, not a regular file), -ENOTSUP (of a later version),
 * -EBADMSG (damaged so that nothing can be read), or what open(2) or pread(2) said. A descriptor
 * is owned by the reader from now on, also after an error; memory must stay.
 */
int kt_reader_open(struct kt_reader **reader, const char *path, const struct kt_store_schema *ours,
		   struct kt_str *why);
int kt_reader_open_fd(struct kt_reader **reader, int fd, const struct kt_store_schema *ours,
		      struct kt_str *why);
int kt_reader_open_memory(struct kt_reader **reader, const void *bytes, size_t n,
			  const struct kt_store_schema *ours, struct kt_str *why);
void kt_reader_close(struct kt_reader *r);

/* ---- what the file says about itself ---- */

/* All kinds, known to us or not. */
const struct kt_store_schema *kt_reader_schema(const struct kt_reader *r);
/* How a kind of the file (struct kt_group .map) maps to ours. */
const struct kt_store_map *kt_reader_map(const struct kt_reader *r, u32 map);

struct kt_fact {
	const char *name;
	const char *text; /* n bytes, and a NUL behind them */
	size_t n;
};
/* In the order in which they were written; of those of one name, the last. */
const struct kt_fact *kt_reader_facts(const struct kt_reader *r, u32 *count);
const struct kt_fact *kt_reader_fact(const struct kt_reader *r, const char *name); /* or NULL */

/* The same moment, in ns of CLOCK_MONOTONIC and of CLOCK_REALTIME. */
struct kt_clock {
	u64 monotonic, realtime;
};
/* Ascending; of more than 4096, some are left out. */
const struct kt_clock *kt_reader_clocks(const struct kt_reader *r, u32 *count);
/* CLOCK_REALTIME at ts, by the last reference before it, else the first one; false without any. */
bool kt_reader_realtime(const struct kt_reader *r, u64 ts, u64 *realtime);

/* ---- events ---- */

/*
 * The next block that has events: 1, 0 at the end, or a negative errno (the file can no longer be
 * read). It is good until the next call for r.
 */
int kt_reader_next_block(struct kt_reader *r, const struct kt_block **block);
/*
 * The rows of that block, one for each event, in our structs: kind is kt_reader_map()->kind of
 * its group. NULL where the kind is unknown to us. Fields that the file doesn't have are 0 (see
 * .present of the map). As good as the block.
 */
const void *const *kt_reader_rows(struct kt_reader *r);

struct kt_event {
	u32 kind;	 /* ours; 0: unknown to us */
	const void *row; /* its struct; NULL: unknown to us */
	u64 ts;
	const struct kt_block *block; /* where it lies, for what our struct doesn't have … */
	const struct kt_group *group;
	u32 at;	   /* … its place among the events of the block */
	u32 index; /* … and in the group */
};
/* The next event: as kt_reader_next_block(), in which's stead it is called. */
int kt_reader_next(struct kt_reader *r, struct kt_event *event);

/*
 * Goes to where one meets every event from ts on, and some from before it. 0: to the start.
 * Returns 0 or a negative errno.
 */
int kt_reader_seek(struct kt_reader *r, u64 ts);

/* ---- what is missing ---- */

/* A place in the file that could not be read. */
struct kt_gap {
	u64 offset, bytes;
	u64 from_ts, to_ts; /* events between these are missing; to_ts ~0: nothing came after it */
	u64 events;	    /* so many; 0 when not known */
};

#define KT_READER_GAPS 64

struct kt_reader_stats {
	u64 size;	/* of the file, in bytes */
	bool closed;	/* its end is there: nothing is missing behind what was read */
	u64 total;	/* events written, when closed */
	u64 total_lost; /* … and events said to be lost before that */
	u64 tail_bytes; /* at the end: the beginning of a block, or what is no block */
	u64 bad_facts;	/* blocks about the host, or of clocks, that are damaged or too many */
	/* Since the opening, or the last seek: */
	u64 blocks, events; /* read */
	u64 lost;	    /* events that were lost before they could be written, as read */
	u64 skipped;	    /* blocks of unknown types, which a later version may have */
	u64 gaps, gap_bytes;
	u64 missing; /* events that were in the gaps, as far as is known */
	/* The first of the gaps. */
	u32 gap_count;
	struct kt_gap gap[KT_READER_GAPS];
};

const struct kt_reader_stats *kt_reader_stats(const struct kt_reader *r);
/* Nothing is missing of what has been read so far, nor at the end. */
bool kt_reader_intact(const struct kt_reader *r);

#endif
