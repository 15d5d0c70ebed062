/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Moments of a capture as people name them: --from and --to. */
#ifndef KT_REPLAY_WHEN_H
#define KT_REPLAY_WHEN_H

#include "../lib/str.h"

struct kt_clock;

/* CLOCK_MONOTONIC and CLOCK_REALTIME side by side, and how far the capture goes. */
struct kt_when_scale {
	const struct kt_clock *clocks; /* ascending */
	u32 clock_count;
	u64 begin, end; /* CLOCK_MONOTONIC ns; end ~0: not known */
};

/*
 * CLOCK_MONOTONIC ns of a moment:
 *	2.5, 500ms, 2m			after the capture's beginning
 *	14:03, 14:03:22.5		local time, on a day of the capture
 *	2026-01-31T23:59:59.5Z		RFC 3339; also with a blank for the T, +01:00 for the Z, or
 *					neither: local time
 * Returns 0, or -EINVAL and appends why not.
 */
int kt_when_parse(const struct kt_when_scale *scale, const char *text, u64 *ts, struct kt_str *why);

/* CLOCK_REALTIME less CLOCK_MONOTONIC at a time, and the times around it that share this. */
struct kt_when_offset {
	s64 ns;
	u64 from, until;
};
struct kt_when_offset kt_when_offset(const struct kt_when_scale *scale, u64 ts);

#endif
