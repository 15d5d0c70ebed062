/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * An exit is recorded when it ends: a long one comes after many that are younger. Those few are
 * picked out, put in order by themselves, and merged with all others, which are in order already.
 * Where they are not so few, CPU after CPU may have come: runs are merged with their neighbours,
 * until there is one.
 */
#include "order.h"

#include <string.h>

/* Moves what is older than one before it to late; the rest closes up. Returns how many these are. */
static u32 pick_late(struct kt_event_ref *events, u32 n, struct kt_event_ref *late)
{
	const struct kt_event_ref *from, *end = events + n, *late_begin = late;
	struct kt_event_ref *kept = events;
	u64 last = 0;

	for (from = events; from < end; from++) {
		if (__builtin_expect(from->ts < last, 0)) {
			*late++ = *from;
		} else {
			last = from->ts;
			*kept++ = *from;
		}
	}
	return (u32)(late - late_begin);
}

/*
 * From the end on, where there is room behind those that were kept. Of the same time, those came
 * before the late ones.
 */
static void merge_late(struct kt_event_ref *events, u32 kept, const struct kt_event_ref *late,
		       u32 count)
{
	struct kt_event_ref *from = events + kept, *to = from + count;

	while (count--) {
		u64 ts = late[count].ts;

		for (; from > events && from[-1].ts > ts; *--to = *--from)
			;
		*--to = late[count];
	}
}

/* How many from the first one on are in order. */
static u32 run_length(const struct kt_event_ref *events, u32 n)
{
	u32 i;

	for (i = 1; i < n && events[i].ts >= events[i - 1].ts; i++)
		;
	return i < n ? i : n;
}

/* Merges each run with the one behind it. Returns how many there are then. */
static u32 merge_runs(const struct kt_event_ref *from, u32 n, struct kt_event_ref *to)
{
	const struct kt_event_ref *a, *b, *a_end, *b_end, *end = from + n;
	u32 runs;

	for (runs = 0, a = from; a < end; a = b_end, runs++) {
		b = a_end = a + run_length(a, (u32)(end - a));
		b_end = b + run_length(b, (u32)(end - b));
		while (a < a_end && b < b_end)
			*to++ = b->ts < a->ts ? *b++ : *a++;
		while (a < a_end)
			*to++ = *a++;
		while (b < b_end)
			*to++ = *b++;
	}
	return runs;
}

static void sort_runs(struct kt_event_ref *events, u32 n, struct kt_event_ref *spare)
{
	while (merge_runs(events, n, spare) > 1) {
		if (merge_runs(spare, n, events) <= 1)
			return;
	}
	memcpy(events, spare, n * sizeof(*events));
}

void kt_order_events(struct kt_event_ref *events, u32 n, struct kt_event_ref *spare)
{
	u32 late = pick_late(events, n, spare);

	if (!late)
		return;
	/* Each time fewer are left: late ones of late ones. */
	if (late <= n / 4)
		kt_order_events(spare, late, spare + late);
	else
		sort_runs(spare, late, spare + late);
	merge_late(events, n - late, spare, late);
}
