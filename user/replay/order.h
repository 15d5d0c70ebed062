/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A capture's events in the order of time. Rows of exits come when these end, so events are held back
 * until KT_ORDER_AHEAD later ones are there; what comes later still is handed over when it does.
 */
#ifndef KT_REPLAY_ORDER_H
#define KT_REPLAY_ORDER_H

#include "replay.h"

#define KT_ORDER_AHEAD 65536u

enum kt_order_by {
	KT_ORDER_BY_TS,
	/* Exits: by their end, as they would have been counted live; those that did not end come last. */
	KT_ORDER_BY_END,
};

struct kt_order;

struct kt_order *kt_order_new(struct kt_replay *replay, enum kt_order_by by);
void kt_order_free(struct kt_order *o);

struct kt_ordered {
	struct kt_replay_event event;
	u64 when;		      /* what it is ordered by; ~0: it did not end */
	const struct kt_extra *extra; /* or NULL; not filled in by KT_ORDER_BY_END */
};
/* As kt_replay_next(). */
int kt_order_next(struct kt_order *o, struct kt_ordered *next);

#endif
