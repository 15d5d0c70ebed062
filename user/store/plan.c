/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "plan.h"

#define OUTLIERS     4 /* of a sample, that may be left as exceptions */
#define OUTLIER_BITS 40

static void sort(u64 *v, u32 n)
{
	u32 i, j;
	u64 x;

	for (i = 1; i < n; i++) {
		x = v[i];
		for (j = i; j && (s64)v[j - 1] > (s64)x; j--)
			v[j] = v[j - 1];
		v[j] = x;
	}
}

/*
 * What packs n sorted values best: all of them, or all but a few at the ends. What the bits can say
 * beyond that goes to both sides, for values that the sample didn't have.
 */
static void best_range(struct kt_column_plan *best, const u64 *v, u32 n)
{
	u32 out, i, slack, bits, cost;
	u64 span, from;

	best->cost = ~0u;
	for (out = 0; out <= OUTLIERS && out < n; out = out ? out * 2 : 1) {
		span = ~0ull;
		from = 0;
		for (i = 0; i <= out; i++) {
			if (v[i + n - 1 - out] - v[i] <= span) {
				span = v[i + n - 1 - out] - v[i];
				from = v[i];
			}
		}
		bits = kt_bits_of(span);
		cost = bits * KT_PLAN_SAMPLE + out * OUTLIER_BITS;
		if (cost >= best->cost)
			continue;
		slack = bits < 32 ? (u32)(((1ull << bits) - 1 - span) / 2) : 0;
		best->base = from < slack ? 0 : from - slack;
		best->bits = (u8)bits;
		best->cost = cost;
	}
}

/* n values spread over the column, in a way that no period in it can fool. */
static u32 take_sample(const u64 *values, u32 n, unsigned int order, u64 *sample)
{
	u32 count, stride, i, noise = 1;

	n -= order;
	count = n < KT_PLAN_SAMPLE ? n : KT_PLAN_SAMPLE;
	stride = n / count;
	for (i = 0; i < count; i++) {
		noise = noise * 1664525u + 1013904223u;
		sample[i] = kt_difference(values + i * stride + (noise >> 16) % stride, order);
	}
	sort(sample, count);
	return count;
}

static u32 count_distinct(const u64 *sorted, u32 n)
{
	u32 distinct = 1, i;

	for (i = 1; i < n; i++)
		distinct += sorted[i] != sorted[i - 1];
	return distinct;
}

struct kt_column_plan kt_column_plan(const u64 *values, u32 n)
{
	struct kt_column_plan best = { .cost = ~0u }, next = {};
	u64 sample[KT_PLAN_SAMPLE];
	u32 count;

	for (next.order = 0; next.order < 3 && n > next.order; next.order++) {
		count = take_sample(values, n, next.order, sample);
		if (next.order == 0)
			next.distinct = count_distinct(sample, count);
		best_range(&next, sample, count);
		if (next.cost >= best.cost)
			break;
		best = next;
	}
	return best;
}
