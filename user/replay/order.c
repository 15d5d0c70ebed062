/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A few runs of events, each sorted, of which the earliest is taken; a run that is used up is filled
 * with those that come next in the file.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "order.h"

#define RUNS	   8
#define RUN_EVENTS (KT_ORDER_AHEAD / RUNS)

struct item {
	u64 when, number; /* in the file */
	u32 kind;
	u32 offset; /* of the row, in the run's rows */
	const struct kt_vm_entry *vm;
	struct kt_extra *extra;
};

struct run {
	struct item *items;
	u32 count, next;
	u8 *rows;
	size_t used, room;
};

struct kt_order {
	struct kt_replay *replay;
	enum kt_order_by by;
	struct run runs[RUNS];
	int end; /* what kt_replay_next() returned at the end; 1: not yet */
	u64 number;
};

struct kt_order *kt_order_new(struct kt_replay *replay, enum kt_order_by by)
{
	struct kt_order *o = kt_alloc(sizeof(*o));

	o->replay = replay;
	o->by = by;
	o->end = 1;
	return o;
}

static void clear(struct run *run)
{
	for (u32 i = 0; i < run->count; i++)
		free(run->items[i].extra);
	run->count = run->next = 0;
	run->used = 0;
}

void kt_order_free(struct kt_order *o)
{
	if (!o)
		return;
	for (u32 i = 0; i < RUNS; i++) {
		clear(&o->runs[i]);
		free(o->runs[i].items);
		free(o->runs[i].rows);
	}
	free(o);
}

static u64 when_of(const struct kt_order *o, const struct kt_replay_event *e)
{
	const struct kt_row_exit *exit = (const struct kt_row_exit *)e->head;

	if (o->by == KT_ORDER_BY_TS || e->kind != KT_ROW_EXIT)
		return e->head->ts;
	if (exit->end == KT_END_OPEN || exit->head.ts + exit->duration < exit->duration)
		return UINT64_MAX;
	return exit->head.ts + exit->duration;
}

static u32 keep_row(struct run *run, const struct kt_replay_event *e)
{
	size_t size = e->kind ? kt_store_row_room(&kt_kinds.kinds[e->kind])
			      : kt_store_row_room(&kt_kinds.kinds[KT_ROW_COMMON]);
	size_t offset = run->used;

	if (offset + size > run->room) {
		run->room = 2 * run->room + RUN_EVENTS * 64;
		run->rows = kt_realloc(run->rows, run->room);
	}
	memcpy(run->rows + offset, e->head,
	       e->kind ? kt_kinds.kinds[e->kind].row_size : sizeof(*e->head));
	run->used += size;
	return (u32)offset;
}

static int by_when(const void *left, const void *right)
{
	const struct item *a = left, *b = right;

	if (a->when != b->when)
		return a->when < b->when ? -1 : 1;
	return (a->number > b->number) - (a->number < b->number);
}

static void fill(struct kt_order *o, struct run *run)
{
	struct kt_replay_event e;
	bool sorted = true;

	clear(run);
	if (!run->items)
		run->items = kt_alloc(RUN_EVENTS * sizeof(*run->items));
	while (run->count < RUN_EVENTS) {
		struct item *item = &run->items[run->count];

		o->end = kt_replay_next(o->replay, &e);
		if (o->end != 1)
			break;
		*item = (struct item) { .when = when_of(o, &e),
					.number = o->number++,
					.kind = e.kind,
					.offset = keep_row(run, &e),
					.vm = e.vm };
		if (o->by == KT_ORDER_BY_TS)
			item->extra = kt_replay_extra(o->replay);
		sorted = sorted && (!run->count || item[-1].when <= item->when);
		run->count++;
	}
	if (!sorted)
		qsort(run->items, run->count, sizeof(*run->items), by_when);
}

static struct run *earliest(struct kt_order *o)
{
	struct run *best = NULL;

	for (struct run *run = o->runs; run < o->runs + RUNS; run++) {
		/* Only now: what was handed over last lies in it. */
		if (run->next == run->count && o->end == 1)
			fill(o, run);
		if (run->next < run->count &&
		    (!best || by_when(&run->items[run->next], &best->items[best->next]) < 0))
			best = run;
	}
	return best;
}

int kt_order_next(struct kt_order *o, struct kt_ordered *next)
{
	struct run *run = earliest(o);
	const struct item *item;

	if (!run)
		return o->end;
	item = &run->items[run->next++];
	next->event.kind = item->kind;
	next->event.head = (const struct kt_row_common *)(run->rows + item->offset);
	next->event.vm = item->vm;
	next->when = item->when;
	next->extra = item->extra;
	return 1;
}
