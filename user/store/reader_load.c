/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the file says about itself besides events. A file that was closed has an index at its end,
 * and its other blocks form a chain that begins there; otherwise all blocks' headers are read
 * once.
 */
#include "reader_priv.h"

#include <errno.h>
#include <stdlib.h>

#define END_FIXED 12 /* bytes of an END payload before the index */

/* ---- facts and clocks ---- */

static void fact_free(struct kt_reader *r, struct kt_fact_at *at)
{
	r->fact_bytes -= at->fact.n;
	free((char *)at->fact.name);
	free((char *)at->fact.text);
}

static struct kt_fact_at *place_of(struct kt_reader *r, const u8 *name, size_t n, u64 offset)
{
	u32 i;

	for (i = 0; i < r->fact_count; i++) {
		const char *have = r->facts[i].fact.name;

		if (strlen(have) == n && !memcmp(have, name, n)) {
			if (r->facts[i].offset > offset)
				return NULL;
			fact_free(r, &r->facts[i]);
			return &r->facts[i];
		}
	}
	if (r->fact_count == KT_READER_FACTS) {
		r->stats.bad_facts++;
		return NULL;
	}
	return &r->facts[r->fact_count++];
}

static char *copy_text(const u8 *bytes, size_t n)
{
	char *text = kt_alloc(n + 1);

	memcpy(text, bytes, n);
	return text;
}

static bool add_fact(struct kt_reader *r, struct kt_in in, u64 offset)
{
	size_t name_size = kt_in_u8(&in), n;
	const u8 *name = kt_in_bytes(&in, name_size);
	struct kt_fact_at *place;

	if (!name || !name_size || memchr(name, 0, name_size))
		return false;
	n = kt_in_left(&in);
	if (n > KT_READER_TEXT - r->fact_bytes)
		return false;
	place = place_of(r, name, name_size, offset);
	if (!place)
		return true;
	place->offset = offset;
	place->fact.name = copy_text(name, name_size);
	place->fact.text = copy_text(in.p, n);
	place->fact.n = n;
	r->fact_bytes += n;
	return true;
}

static bool add_clocks(struct kt_reader *r, struct kt_in in)
{
	u32 i;

	while (kt_in_left(&in)) {
		if (r->clock_count == KT_READER_CLOCKS) {
			r->clock_count /= 2;
			for (i = 0; i < r->clock_count; i++)
				r->clocks[i] = r->clocks[2 * i];
		}
		r->clocks[r->clock_count].monotonic = kt_in_le64(&in);
		r->clocks[r->clock_count].realtime = kt_in_le64(&in);
		if (in.bad)
			return false;
		r->clock_count++;
	}
	return true;
}

static bool load_block(struct kt_reader *r, u64 offset, const struct kt_frame *f)
{
	const u8 *payload;

	if (f->type != KT_FRAME_FACT && f->type != KT_FRAME_CLOCK)
		return true;
	payload = kt_reader_payload(r, offset, f);
	if (!payload)
		return false;
	return f->type == KT_FRAME_FACT ? add_fact(r, kt_in(payload, f->size), offset)
					: add_clocks(r, kt_in(payload, f->size));
}

static int by_offset(const void *a, const void *b)
{
	const struct kt_fact_at *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static int by_monotonic(const void *a, const void *b)
{
	const struct kt_clock *x = a, *y = b;

	return x->monotonic < y->monotonic ? -1 : x->monotonic > y->monotonic;
}

static void put_in_order(struct kt_reader *r)
{
	u32 i;

	qsort(r->facts, r->fact_count, sizeof(*r->facts), by_offset);
	for (i = 0; i < r->fact_count; i++)
		r->fact_list[i] = r->facts[i].fact;
	qsort(r->clocks, r->clock_count, sizeof(*r->clocks), by_monotonic);
}

void kt_reader_forget(struct kt_reader *r)
{
	u32 i;

	for (i = 0; i < r->fact_count; i++)
		fact_free(r, &r->facts[i]);
	r->fact_count = r->clock_count = 0;
	r->stats.bad_facts = 0;
}

/* ---- by the file's end ---- */

static bool block_at(struct kt_reader *r, u64 offset, u64 end, struct kt_frame *f)
{
	const u8 *p;

	if (offset < r->first || end - r->first < KT_FRAME_HEADER || offset > end - KT_FRAME_HEADER)
		return false;
	p = kt_reader_view(r, offset, KT_FRAME_HEADER);
	return p && kt_get_frame(p, r->tag, f) && f->stored <= end - offset - KT_FRAME_HEADER;
}

static bool load_end(struct kt_reader *r, struct kt_frame *f, u64 *offset)
{
	const u8 *p;
	struct kt_in in;
	u64 lost;

	if (r->size - r->first < KT_TRAILER)
		return false;
	p = kt_reader_view(r, r->size - KT_TRAILER, KT_TRAILER);
	if (!p || !kt_get_trailer(p, r->tag, offset) ||
	    !block_at(r, *offset, r->size - KT_TRAILER, f) || f->type != KT_FRAME_END ||
	    *offset + KT_FRAME_HEADER + f->stored != r->size - KT_TRAILER)
		return false;
	p = kt_reader_payload(r, *offset, f);
	if (!p || f->size < END_FIXED)
		return false;
	in = kt_in(p, f->size);
	lost = kt_in_le64(&in);
	if (!kt_index_get(&r->index, &in, kt_in_le32(&in), r->first, *offset))
		return false;
	r->stats.closed = true;
	r->stats.total = f->events_before;
	r->stats.total_lost = lost;
	return true;
}

/* From the END block backwards. Blocks do not overlap: that ends it, whatever they say. */
static bool load_chain(struct kt_reader *r, const struct kt_frame *end, u64 end_offset)
{
	u64 at = end->previous, limit = end_offset;
	struct kt_frame f;

	for (; at; limit = at, at = f.previous) {
		if (!block_at(r, at, limit, &f) || !load_block(r, at, &f))
			return false;
	}
	return limit == r->first;
}

/* ---- by looking at all blocks ---- */

static int load_all(struct kt_reader *r)
{
	struct kt_frame f;
	u64 offset;
	int err;

	kt_reader_forget(r);
	if (!r->stats.closed)
		kt_index_reset(&r->index);
	kt_walk_start(r, r->first);
	while ((err = kt_walk_next(r, &f, &offset)) == 1) {
		if (f.type == KT_FRAME_EVENTS && !r->stats.closed)
			kt_index_add(&r->index, offset, f.first_ts, f.last_ts);
		if (!load_block(r, offset, &f))
			r->stats.bad_facts++;
	}
	return err;
}

int kt_reader_load(struct kt_reader *r)
{
	struct kt_frame end;
	u64 offset;
	int err = 0;

	r->ahead = 0;
	if (!load_end(r, &end, &offset) || !load_chain(r, &end, offset))
		err = r->error ? r->error : load_all(r);
	put_in_order(r);
	r->ahead = KT_READER_AHEAD;
	kt_walk_start(r, r->first);
	return err;
}
