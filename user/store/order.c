/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * An exit is recorded when it ends: a long one comes after many that are younger. Those few are
 * picked out, put in order by themselves, and merged with all others, which are in order already.
 */
#include "order.h"

#include <stdlib.h>
#include <string.h>

/* Of the same moment: as they came. */
static inline bool before(const struct kt_event_ref *x, const struct kt_event_ref *y)
{
	return x->ts < y->ts || (x->ts == y->ts && x->offset < y->offset);
}

static int compare(const void *a, const void *b)
{
	return before(a, b) ? -1 : 1;
}

/*
 * Moves what is older than one before it to late; the rest closes up. Returns how many these are.
 */
static u32 pick_late(struct kt_event_ref *events, u32 n, struct kt_event_ref *late)
{
	u32 kept = 0, count = 0, i;
	u64 last = 0;

	for (i = 0; i < n; i++) {
		if (events[i].ts < last) {
			late[count++] = events[i];
		} else {
			last = events[i].ts;
			events[kept++] = events[i];
		}
	}
	return count;
}

/* From the end on, where there is room behind those that were kept. */
static void merge(struct kt_event_ref *events, u32 kept, const struct kt_event_ref *late, u32 count)
{
	struct kt_event_ref *to = events + kept + count;

	while (count) {
		if (kept && before(&late[count - 1], &events[kept - 1]))
			*--to = events[--kept];
		else
			*--to = late[--count];
	}
}

void kt_order_events(struct kt_event_ref *events, u32 n, struct kt_event_ref *spare)
{
	u32 late = pick_late(events, n, spare);

	if (!late)
		return;
	/* Each time half of them at most are left: late ones of late ones. */
	if (late <= n / 2)
		kt_order_events(spare, late, spare + late);
	else
		qsort(spare, late, sizeof(*spare), compare);
	merge(events, n - late, spare, late);
}
