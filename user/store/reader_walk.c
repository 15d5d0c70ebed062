/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * From block to block. Where one should be and is none, the next one is looked for; what lies
 * between is a gap. How many events it had follows from the next block, which says how many came
 * before it.
 */
#include "reader_priv.h"

#include <errno.h>
#include <unistd.h>

#define SEARCH (64u << 10) /* bytes looked at at once */

static bool fill_window(struct kt_reader *r, u64 offset, size_t n)
{
	struct kt_window *w = &r->window;
	ssize_t got;

	w->bytes = kt_room(w->bytes, &w->cap, n);
	w->offset = offset;
	for (w->n = 0; w->n < n; w->n += (size_t)got) {
		got = pread(r->fd, w->bytes + w->n, n - w->n, (off_t)(offset + w->n));
		if (got < 0 && errno == EINTR)
			got = 0;
		else if (got < 0)
			r->error = -errno;
		if (got < 0)
			return false;
		/* Somebody has cut the file. */
		if (!got)
			return false;
	}
	return true;
}

const u8 *kt_reader_view(struct kt_reader *r, u64 offset, size_t n)
{
	const struct kt_window *w = &r->window;
	size_t want = n > r->ahead ? n : r->ahead;

	if (offset > r->size || n > r->size - offset)
		return NULL;
	if (r->memory)
		return r->memory + offset;
	if (offset >= w->offset && offset - w->offset <= w->n && n <= w->n - (offset - w->offset))
		return w->bytes + (offset - w->offset);
	if (want > r->size - offset)
		want = (size_t)(r->size - offset);
	if (!fill_window(r, offset, want) && (r->error || w->n < n))
		return NULL;
	return w->bytes;
}

const u8 *kt_reader_payload(struct kt_reader *r, u64 offset, const struct kt_frame *f)
{
	const u8 *stored = kt_reader_view(r, offset + KT_FRAME_HEADER, f->stored);

	if (!stored)
		return NULL;
	r->payload = kt_room(r->payload, &r->payload_size, f->size + KT_SLACK);
	return kt_inflate(r->zstd, r->payload, stored, f) ? NULL : r->payload;
}

/* ---- gaps ---- */

static void close_gap(struct kt_reader *r, u64 to_ts)
{
	struct kt_reader_stats *s = &r->stats;

	if (r->gap_open && s->gaps == s->gap_count)
		s->gap[s->gap_count - 1].to_ts = to_ts;
	r->gap_open = false;
}

static void add_gap(struct kt_reader *r, const struct kt_gap *gap)
{
	struct kt_reader_stats *s = &r->stats;

	s->gaps++;
	s->gap_bytes += gap->bytes;
	s->missing += gap->events;
	if (s->gap_count < KT_READER_GAPS)
		s->gap[s->gap_count++] = *gap;
}

/* Events that the last gap must have had. */
static void add_missing(struct kt_reader *r, u64 events)
{
	struct kt_reader_stats *s = &r->stats;

	s->missing += events;
	if (s->gaps && s->gaps == s->gap_count)
		s->gap[s->gap_count - 1].events += events;
}

void kt_walk_bad(struct kt_reader *r, const struct kt_frame *f, u64 offset)
{
	struct kt_gap gap = { offset, KT_FRAME_HEADER + f->stored, f->first_ts, f->last_ts,
			      f->count };

	add_gap(r, &gap);
}

/* ---- blocks ---- */

void kt_walk_start(struct kt_reader *r, u64 offset)
{
	struct kt_reader_stats *s = &r->stats;

	r->at = offset;
	r->counting = offset == r->first;
	r->next_event = 0;
	r->last_ts = 0;
	r->gap_open = false;
	s->blocks = s->events = s->lost = s->skipped = 0;
	s->gaps = s->gap_bytes = s->missing = 0;
	s->gap_count = 0;
}

struct kt_walk_place kt_walk_place(const struct kt_reader *r)
{
	return (struct kt_walk_place) { r->at, r->next_event, r->last_ts, r->counting };
}

void kt_walk_back(struct kt_reader *r, const struct kt_walk_place *place)
{
	kt_walk_start(r, place->at);
	r->counting = place->counting;
	r->next_event = place->next_event;
	r->last_ts = place->last_ts;
}

/* What is left is no block, or not all of one. */
static int end_walk(struct kt_reader *r)
{
	if (r->error)
		return r->error;
	r->stats.tail_bytes = r->size - r->at;
	r->at = r->size;
	return 0;
}

/* Goes to the next block from here on: 1, or as end_walk(). */
static int find_block(struct kt_reader *r)
{
	struct kt_gap gap = { .offset = r->at, .from_ts = r->last_ts, .to_ts = ~0ull };
	u64 at = r->at + 1;
	const u8 *p;
	size_t n, found;

	for (; r->size - at >= KT_FRAME_HEADER; at += found) {
		n = r->size - at < SEARCH ? (size_t)(r->size - at) : SEARCH;
		p = kt_reader_view(r, at, n);
		if (!p)
			break;
		found = kt_find_frame(p, n, r->tag);
		if (found == n - KT_FRAME_HEADER + 1)
			continue;
		gap.bytes = at + found - r->at;
		r->at = at + found;
		r->gap_open = true;
		add_gap(r, &gap);
		return 1;
	}
	return end_walk(r);
}

/* Does the block continue what was read? Else it is another file's part, or one seen before. */
static bool continues(struct kt_reader *r, const struct kt_frame *f)
{
	if (r->counting && f->events_before < r->next_event)
		return false;
	if (r->counting && f->events_before > r->next_event)
		add_missing(r, f->events_before - r->next_event);
	r->counting = true;
	r->next_event = f->events_before + f->count;
	if (f->count)
		close_gap(r, f->first_ts);
	if (f->last_ts > r->last_ts && f->count)
		r->last_ts = f->last_ts;
	return true;
}

/* The trailer is all that may follow the END block. */
static void at_end(struct kt_reader *r)
{
	const u8 *p = kt_reader_view(r, r->at, KT_TRAILER);
	u64 offset;

	if (p && kt_get_trailer(p, r->tag, &offset) && r->size - r->at == KT_TRAILER)
		r->at = r->size;
	else
		end_walk(r);
}

int kt_walk_next(struct kt_reader *r, struct kt_frame *f, u64 *offset)
{
	const u8 *p;
	int found;

	for (;;) {
		if (r->at == r->size)
			return r->error;
		p = kt_reader_view(r, r->at, KT_FRAME_HEADER);
		if (!p)
			return end_walk(r);
		if (!kt_get_frame(p, r->tag, f)) {
			found = find_block(r);
			if (found <= 0)
				return found;
			continue;
		}
		if (f->stored > r->size - r->at - KT_FRAME_HEADER)
			return end_walk(r);
		*offset = r->at;
		r->at += KT_FRAME_HEADER + f->stored;
		if (!continues(r, f)) {
			kt_walk_bad(r, &(struct kt_frame) { .stored = f->stored }, *offset);
			continue;
		}
		if (f->type == KT_FRAME_END)
			at_end(r);
		return 1;
	}
}
