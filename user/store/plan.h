/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* How to pack a column, guessed from a sample of its values. */
#ifndef KT_STORE_PLAN_H
#define KT_STORE_PLAN_H

#include "../lib/util.h"

#define KT_PLAN_SAMPLE 64

struct kt_column_plan {
	u8 order; /* 0: the values, 1: differences, 2: differences of these */
	/* These lie from base on, below base + 2^bits. */
	u8 bits;
	u64 base;
	u32 cost;     /* of KT_PLAN_SAMPLE values, in bits */
	u32 distinct; /* values in the sample */
};

/* n: 1 at least. */
struct kt_column_plan kt_column_plan(const u64 *values, u32 n);

static inline unsigned int kt_bits_of(u64 v)
{
	return v ? 64 - (unsigned int)__builtin_clzll(v) : 0;
}

/* Of the value at v and those that follow it. */
static inline u64 kt_difference(const u64 *v, unsigned int order)
{
	return order == 0 ? v[0] : order == 1 ? v[1] - v[0] : v[2] - 2 * v[1] + v[0];
}

#endif
