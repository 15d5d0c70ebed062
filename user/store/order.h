/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Events into the order of time, which they nearly have. */
#ifndef KT_STORE_ORDER_H
#define KT_STORE_ORDER_H

#include "../lib/util.h"

struct kt_event_ref {
	u64 ts;
	u32 offset; /* ascends in the order in which they came */
	u32 kind;
};

/* spare: room for n more. */
void kt_order_events(struct kt_event_ref *events, u32 n, struct kt_event_ref *spare);

#endif
