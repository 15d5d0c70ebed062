/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * How often something happened over time, for events that come in no order: counts in buckets of one
 * width, which doubles whenever the buckets become too many. Memory depends on the series only.
 */
#ifndef KT_EXPORT_RATES_H
#define KT_EXPORT_RATES_H

#include "../lib/util.h"

#define KT_RATES_BUCKETS 4096
#define KT_RATES_WIDTH	 100000000ull /* ns, at first */
#define KT_RATES_SERIES	 512	      /* more than these are not counted */

struct kt_rates {
	u64 width;
	u64 first, last;  /* buckets in use: times divided by width; first > last: none */
	u32 **series;	  /* counts from bucket first on; NULL: nothing yet */
	u32 series_count; /* room in series */
};

void kt_rates_init(struct kt_rates *r);
void kt_rates_fini(struct kt_rates *r);
/* kt_rates_count() where a bucket or the series is not there yet. */
void kt_rates_count_new(struct kt_rates *r, u32 series, u64 ts);

static inline void kt_rates_count(struct kt_rates *r, u32 series, u64 ts)
{
	u64 bucket = ts / r->width;

	if (bucket >= r->first && bucket <= r->last && series < r->series_count &&
	    r->series[series])
		r->series[series][bucket - r->first]++;
	else
		kt_rates_count_new(r, series, ts);
}

#endif
