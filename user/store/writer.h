/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Writes a capture. What has been handed over is in the file from the next flush on, and stays
 * readable whatever happens then; memory taken does not depend on the length of the file.
 *
 * Functions that return int: 0 or a negative errno. The first error of a write stays: nothing is
 * written from then on, the file ends with the last complete block, every call returns that
 * error, and events are counted in .dropped.
 */
#ifndef KT_STORE_WRITER_H
#define KT_STORE_WRITER_H

#include "schema.h"

/* Bytes of a fact's text, and of all facts together. */
#define KT_STORE_MAX_FACT  (4u << 20)
#define KT_STORE_MAX_FACTS (16u << 20)
#define KT_STORE_MAX_NAME  255

struct kt_writer;

struct kt_writer_options {
	const struct kt_store_schema *schema; /* must stay until the writer is closed */
	int level;			      /* of zstd; 0: 1, the quickest that is worth it */
	bool sync; /* every flush waits until the disk has it (fdatasync) */
	u32 tag;   /* tells this file's blocks from others'; 0: at random */
};

struct kt_writer_stats {
	u64 bytes;   /* in the file */
	u64 events;  /* in the file's complete blocks */
	u64 pending; /* events that wait for their block to be full */
	u64 dropped; /* events that an error kept out of the files, pending ones among them */
	u64 largest; /* bytes of the longest block of events so far, of all files */
	u64 closing; /* bytes that closing would add now, besides pending events */
};

/* A writer that has no file yet, and drops events. NULL: the schema is wrong. */
struct kt_writer *kt_writer_new(const struct kt_writer_options *options);
/*
 * Begins a capture in fd, which the writer owns from now on, also when this fails: an empty file,
 * or anything that can be written to. Once for each writer. -EEXIST: the file is not empty.
 */
int kt_writer_begin(struct kt_writer *w, int fd);
/* Both; on an error there is no writer. -EINVAL: the schema is wrong. */
int kt_writer_open(struct kt_writer **writer, int fd, const struct kt_writer_options *options);

/*
 * Adds an event: a row of the kind (its place in the schema, not 0). Events should come in the
 * order of time; the readers of a block get them so in any case.
 */
int kt_writer_add(struct kt_writer *w, u32 kind, const void *row);
/*
 * Events were lost between two times on a CPU (KT_ROW_NONE: not known which): an event of the kind
 * "lost", if the schema has it (-EINVAL), with the fields "from", "count" and "cause" (KT_LOST_…),
 * at to_ts.
 */
int kt_writer_add_lost(struct kt_writer *w, u32 cpu, u64 from_ts, u64 to_ts, u64 count, u8 cause);
/* The same moment, in ns of CLOCK_MONOTONIC and of CLOCK_REALTIME. */
int kt_writer_add_clock(struct kt_writer *w, u64 monotonic, u64 realtime);
/*
 * Text (or JSON, or anything) about the host, under a name: the last one of a name counts.
 * -EINVAL: the name is empty, or too long, -E2BIG: the text is, or all facts together are;
 * nothing else comes of these.
 */
int kt_writer_add_fact(struct kt_writer *w, const char *name, const void *text, size_t n);

/* Ends the block: at latest every second, so that a kill costs no more than that. */
int kt_writer_flush(struct kt_writer *w);

/*
 * Ends this file and goes on in another (as kt_writer_open()), which gets the schema, all facts,
 * and the last clock reference. Pending events go to the old one. Returns the error of the old
 * file, if it had one; the new one starts without. -EINVAL and -EEXIST: the new one is not
 * usable; that stays.
 */
int kt_writer_rotate(struct kt_writer *w, int fd);

/* Flushes, writes the index, closes. Returns the first error of this file; w is gone. */
int kt_writer_close(struct kt_writer *w);

int kt_writer_error(const struct kt_writer *w);
struct kt_writer_stats kt_writer_stats(const struct kt_writer *w);
u64 kt_writer_bytes(const struct kt_writer *w); /* .bytes alone, which is cheap */

#endif
