/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Reading log-linear histograms (bpf/shared/hist.h says how they are filled). */
#ifndef KT_AGG_HIST_H
#define KT_AGG_HIST_H

#include "../../bpf/shared/hist.h"
#include "../lib/util.h"

/* A bucket holds durations of low <= ns < high. The last one has no upper end: ~0. */
u64 kt_hist_low(u32 bucket, u32 sub_bits);
u64 kt_hist_high(u32 bucket, u32 sub_bits);

/*
 * The duration below which permille of the total lie, interpolated in its bucket and kept within
 * [min, max]: off by at most the bucket's width (12.5 % with 3 sub-bits). 0 when total is 0.
 */
u64 kt_hist_percentile(const u64 *buckets, u32 sub_bits, u64 total, u32 permille, u64 min, u64 max);

#endif
