/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Events into the order of time, which they nearly have. */
#ifndef KT_STORE_ORDER_H
#define KT_STORE_ORDER_H

#include "../lib/util.h"

struct kt_event_ref {
	u64 ts;
	u32 offset; /* of the row, from the first one */
	u32 kind;
};

/* Those of the same time stay as they are. spare: room for twice as many. */
void kt_order_events(struct kt_event_ref *events, u32 n, struct kt_event_ref *spare);

#endif
