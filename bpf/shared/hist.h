/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Log-linear histogram of durations: each power of two is cut into 2^sub_bits equal buckets, so that
 * a bucket is at most 1/2^sub_bits of its lower bound wide. Bucket 0 holds everything below 64 ns, the
 * last one everything from 2^34 ns (17.2 s).
 *
 *   exits   3 sub-bits: 12.5 % wide, 226 buckets
 *   faults  2 sub-bits: 25 % wide, 114 buckets (there is one for each 2 MiB region)
 */
#ifndef KT_SHARED_HIST_H
#define KT_SHARED_HIST_H

#include "types.h"

#define KT_HIST_FIRST_SHIFT	  6
#define KT_HIST_LAST_SHIFT	  34
#define KT_HIST_BUCKETS(sub_bits) (((KT_HIST_LAST_SHIFT - KT_HIST_FIRST_SHIFT) << (sub_bits)) + 2)

#define KT_EXIT_SUB_BITS   3
#define KT_EXIT_BUCKETS	   KT_HIST_BUCKETS(KT_EXIT_SUB_BITS)
#define KT_REGION_SUB_BITS 2
#define KT_REGION_BUCKETS  KT_HIST_BUCKETS(KT_REGION_SUB_BITS)

/* Bucket of a duration. BPF has no instruction that finds the highest bit: five comparisons do. */
static inline __attribute__((always_inline)) u32 kt_hist_bucket(u64 ns, u32 sub_bits)
{
	u32 octave = 0;
	u32 v;

	if (ns < (1ull << KT_HIST_FIRST_SHIFT))
		return 0;
	if (ns >= (1ull << KT_HIST_LAST_SHIFT))
		return KT_HIST_BUCKETS(sub_bits) - 1;
	v = ns >> KT_HIST_FIRST_SHIFT; /* 1 .. 2^28 - 1 */
	if (v >= 1u << 16) {
		v >>= 16;
		octave += 16;
	}
	if (v >= 1u << 8) {
		v >>= 8;
		octave += 8;
	}
	if (v >= 1u << 4) {
		v >>= 4;
		octave += 4;
	}
	if (v >= 1u << 2) {
		v >>= 2;
		octave += 2;
	}
	octave += v >> 1;
	v = (u32)(ns >> (octave + KT_HIST_FIRST_SHIFT - sub_bits)) & ((1u << sub_bits) - 1);
	return (octave << sub_bits) + v + 1;
}

/*
 * The same by a table: bucket of each 8 * i ns, below KT_BUCKET_TABLE_NS. No bucket is narrower than 8 ns.
 * What is up to 256 times longer finds its place there too, eight octaves further up.
 */
#define KT_BUCKET_TABLE_NS 16384u
#define KT_BUCKET_TABLE	   (KT_BUCKET_TABLE_NS / 8)

static inline __attribute__((always_inline)) u32 kt_exit_bucket(const volatile u8 *table, u64 ns)
{
	if (ns < KT_BUCKET_TABLE_NS)
		return table[ns / 8];
	if (ns < (u64)KT_BUCKET_TABLE_NS << 8)
		return table[(ns >> 8) / 8] + (8u << KT_EXIT_SUB_BITS);
	return kt_hist_bucket(ns, KT_EXIT_SUB_BITS);
}

/* Two neighbours of an exit's histogram are one of a fault's. */
static inline __attribute__((always_inline)) u32 kt_region_bucket(const volatile u8 *table, u64 ns)
{
	_Static_assert(KT_EXIT_SUB_BITS == KT_REGION_SUB_BITS + 1, "half as wide");
	return (kt_exit_bucket(table, ns) + 1) / 2;
}

#endif
