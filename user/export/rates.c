/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "rates.h"

#include <stdlib.h>
#include <string.h>

void kt_rates_init(struct kt_rates *r)
{
	*r = (struct kt_rates) { .width = KT_RATES_WIDTH, .first = 1 };
}

void kt_rates_fini(struct kt_rates *r)
{
	for (u32 i = 0; i < r->series_count; i++)
		free(r->series[i]);
	free(r->series);
}

static void double_width(struct kt_rates *r)
{
	u64 first = r->first / 2, count = r->last - r->first + 1;

	for (u32 s = 0; s < r->series_count; s++) {
		u32 *counts = r->series[s], merged[KT_RATES_BUCKETS] = {};

		if (!counts)
			continue;
		for (u64 i = 0; i < count; i++)
			merged[(r->first + i) / 2 - first] += counts[i];
		memcpy(counts, merged, sizeof(merged));
	}
	r->width *= 2;
	r->first = first;
	r->last /= 2;
}

/* Makes the buckets begin at first, which is before where they begin. */
static void begin_at(struct kt_rates *r, u64 first)
{
	u64 count = r->last - r->first + 1, by = r->first - first;

	for (u32 s = 0; s < r->series_count; s++) {
		if (!r->series[s])
			continue;
		memmove(r->series[s] + by, r->series[s], count * sizeof(u32));
		memset(r->series[s], 0, by * sizeof(u32));
	}
	r->first = first;
}

static void add_bucket(struct kt_rates *r, u64 ts)
{
	u64 bucket;

	if (r->first > r->last) {
		r->first = r->last = ts / r->width;
		return;
	}
	for (;;) {
		bucket = ts / r->width;
		if ((bucket > r->last ? bucket : r->last) -
			    (bucket < r->first ? bucket : r->first) <
		    KT_RATES_BUCKETS)
			break;
		double_width(r);
	}
	if (bucket < r->first)
		begin_at(r, bucket);
	else if (bucket > r->last)
		r->last = bucket;
}

static void add_series(struct kt_rates *r, u32 series)
{
	u32 count = r->series_count;

	if (series >= count) {
		r->series = kt_realloc(r->series, (series + 1) * sizeof(*r->series));
		memset(r->series + count, 0, (series + 1 - count) * sizeof(*r->series));
		r->series_count = series + 1;
	}
	if (!r->series[series])
		r->series[series] = kt_alloc(KT_RATES_BUCKETS * sizeof(u32));
}

void kt_rates_count_new(struct kt_rates *r, u32 series, u64 ts)
{
	u64 bucket = ts / r->width;

	if (series >= KT_RATES_SERIES)
		return;
	if (bucket < r->first || bucket > r->last)
		add_bucket(r, ts);
	add_series(r, series);
	r->series[series][ts / r->width - r->first]++;
}
