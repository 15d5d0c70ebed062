/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <time.h>

#include "clock.h"

u64 kt_monotonic_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * KT_NSEC_PER_SEC + t.tv_nsec;
}

s64 kt_realtime_offset_ns(void)
{
	struct timespec t;
	u64 before = kt_monotonic_ns();

	clock_gettime(CLOCK_REALTIME, &t);
	return (s64)(t.tv_sec * KT_NSEC_PER_SEC + t.tv_nsec) -
	       (s64)((before + kt_monotonic_ns()) / 2);
}
