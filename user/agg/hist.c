/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "hist.h"

u64 kt_hist_low(u32 bucket, u32 sub_bits)
{
	u32 octave, step;

	if (bucket == 0)
		return 0;
	octave = (bucket - 1) >> sub_bits;
	step = (bucket - 1) & ((1u << sub_bits) - 1);
	return ((u64)((1u << sub_bits) + step) << (octave + KT_HIST_FIRST_SHIFT)) >> sub_bits;
}

u64 kt_hist_high(u32 bucket, u32 sub_bits)
{
	return bucket >= (u32)KT_HIST_BUCKETS(sub_bits) - 1 ? ~0ull
							    : kt_hist_low(bucket + 1, sub_bits);
}

u64 kt_hist_percentile(const u64 *buckets, u32 sub_bits, u64 total, u32 permille, u64 min, u64 max)
{
	u32 count = KT_HIST_BUCKETS(sub_bits);
	u64 wanted = (total / 1000) * permille + (total % 1000 * permille + 999) / 1000;
	u64 before = 0, value = max;

	if (!total)
		return 0;
	for (u32 i = 0; i < count; i++) {
		u64 low = kt_hist_low(i, sub_bits), high = kt_hist_high(i, sub_bits);

		if (before + buckets[i] < wanted) {
			before += buckets[i];
			continue;
		}
		if (high > max)
			high = max;
		if (low < min)
			low = min;
		value = low;
		if (high > low && buckets[i])
			value += (double)(high - low) * (wanted - before) / buckets[i];
		break;
	}
	return value < min ? min : value > max ? max : value;
}
