/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The payload of an EVENTS block: events collected and written as columns, and read from these. */
#ifndef KT_STORE_BLOCK_H
#define KT_STORE_BLOCK_H

#include "column.h"
#include "frame.h"
#include "order.h"
#include "schema.h"

#define KT_BLOCK_MAX_EVENTS KT_COL_ROWS
/* Values of all columns: what a reader takes 8 bytes each for. */
#define KT_BLOCK_MAX_CELLS (1u << 20)

/* ---- writing ---- */

/*
 * What a writer puts into a block: small enough for the caches, big enough for dictionaries to
 * pay.
 */
#define KT_BLOCK_EVENTS 8192
#define KT_BLOCK_ROWS	(1u << 20) /* bytes of their structs */
#define KT_BLOCK_PARTS	64

struct kt_block_info {
	u32 count; /* events */
	u64 first_ts, last_ts;
	struct kt_deflate_part parts[KT_BLOCK_PARTS]; /* of the payload, for kt_deflate() */
	u32 part_count;
};

/* Rows as they come, which become columns when there are enough of them. */
struct kt_block_builder {
	const struct kt_store_schema *schema;
	struct kt_block_encoder *encoder;
	u8 *rows, *next;	    /* where the next one goes */
	struct kt_event_ref *event; /* the last one there is */
	struct kt_event_ref *last;  /* so many are enough */
	bool disorder;		    /* an event is older than the one before */
	u16 row_size[KT_STORE_MAX_KINDS], row_room[KT_STORE_MAX_KINDS];
	u32 rows_of[KT_STORE_MAX_KINDS];
	struct kt_event_ref events[1 + KT_BLOCK_EVENTS]; /* the first one is none, and very old */
};

struct kt_block_builder *kt_block_builder_new(const struct kt_store_schema *schema);
void kt_block_builder_free(struct kt_block_builder *b);
/* Appends the payload of the events, 1 at least, in the order of time, and starts anew. */
void kt_block_encode(struct kt_block_builder *b, struct kt_str *payload,
		     struct kt_block_info *info);

static inline u32 kt_block_count(const struct kt_block_builder *b)
{
	return (u32)(b->event - b->events);
}

/*
 * memcpy() without a call, of KT_STORE_MIN_ROW bytes at least: 32 at once, the last ones with some
 * that were copied before.
 */
static inline void kt_copy_row(u8 *to, const u8 *from, size_t size)
{
	size_t i = 0;

	do {
		memcpy(to + i, from + i, 16);
		memcpy(to + i + 16, from + i + 16, 16);
		i += 32;
	} while (i + 32 <= size);
	memcpy(to + size - 32, from + size - 32, 16);
	memcpy(to + size - 16, from + size - 16, 16);
}

/*
 * Takes a copy of the row of a kind (1 .. schema->count-1). Returns false when the block is full
 * now: it must be encoded before the next one. Inline: this is done for each event.
 */
static inline bool kt_block_add(struct kt_block_builder *b, u32 kind, const void *row)
{
	struct kt_event_ref *event = b->event;
	size_t size = b->row_size[kind];
	u8 *to = b->next;
	u64 ts;

	memcpy(&ts, row, sizeof(ts)); /* it is a row's first field */
	if (__builtin_expect(ts < event->ts, 0))
		b->disorder = true;
	b->event = ++event;
	event->ts = ts;
	event->offset = (u32)(to - b->rows);
	event->kind = kind;
	b->rows_of[kind]++;
	b->next = to + b->row_room[kind];
	kt_copy_row(to, row, size);
	return event != b->last;
}

/* ---- reading ---- */

/* Events of one kind. */
struct kt_group {
	const struct kt_store_kind *kind; /* as the file has it */
	u32 rows;
	u32 map;		   /* index of the kind in the file's schema */
	const u64 *const *columns; /* of each field of the kind: rows values */
};

struct kt_block {
	u32 count;
	struct kt_group common; /* rows is count */
	struct kt_group *groups;
	u32 group_count;
	const u8 *group;  /* of each event, in the order of time: index in groups */
	const u32 *index; /* of each event: its row in the group */
	const u8 *bytes;  /* what KT_STORE_BYTES columns point into: offset << 8 | length */
	/* Memory, kept from block to block. */
	u64 *cells;
	const u64 **columns;
	void *events;
	size_t cells_size, columns_size, events_size, groups_size;
};

/*
 * Decodes a payload (KT_SLACK readable bytes behind it), which must stay while the block is used.
 * Returns false when it is malformed or has not count events.
 */
bool kt_block_decode(struct kt_block *b, const struct kt_file_schema *schema, const u8 *payload,
		     size_t n, u32 count);
void kt_block_fini(struct kt_block *b);

/*
 * p, of *have bytes, or, where these are too few, other memory, of want bytes: contents are lost.
 */
void *kt_room(void *p, size_t *have, size_t want);

#endif
