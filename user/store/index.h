/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Where in a file a time is. However many blocks there are, the index has a few thousand entries:
 * when they are used up, each takes in its neighbour, and stands for twice as many blocks from
 * then on.
 */
#ifndef KT_STORE_INDEX_H
#define KT_STORE_INDEX_H

#include "bytes.h"

#define KT_INDEX_MAX   4096 /* even */
#define KT_INDEX_ENTRY 24   /* bytes in a file */

struct kt_index_entry {
	u64 offset;	       /* of the first block that it stands for */
	u64 first_ts, last_ts; /* earliest and latest event in these */
};

struct kt_index {
	u32 count;
	u32 stride; /* blocks that an entry stands for; 0: 1 */
	u32 filled; /* blocks that the last one has so far; 0: as many as it should */
	struct kt_index_entry entries[KT_INDEX_MAX];
};

void kt_index_reset(struct kt_index *x);
/* An EVENTS block, in the order in which they lie in the file. */
void kt_index_add(struct kt_index *x, u64 offset, u64 first_ts, u64 last_ts);
/*
 * Where to start to meet all events from ts on; fallback when that is the first block or unknown.
 */
u64 kt_index_find(const struct kt_index *x, u64 ts, u64 fallback);

void kt_index_put(const struct kt_index *x, struct kt_str *s);
/*
 * Reads count entries. False when they are not as they should be: between two offsets, ascending.
 */
bool kt_index_get(struct kt_index *x, struct kt_in *in, u32 count, u64 from, u64 end);

#endif
