/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A histogram of durations as bars in the terminal. */
#ifndef KT_SINK_BARS_H
#define KT_SINK_BARS_H

#include "../lib/out.h"
#include "../lib/str.h"

/*
 * Appends a line for each bucket from the first that isn't empty to the last: its range, a bar, its
 * count. Neighbours are joined until at most KT_BARS_MAX lines are left.
 */
#define KT_BARS_MAX 24
void kt_str_add_bars(struct kt_str *s, const u64 *buckets, u32 sub_bits, unsigned int width);

#endif
