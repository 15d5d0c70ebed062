/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* bpf/shared/hist.h and user/agg/hist.c: where a duration lands, and what is read from there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "../../user/agg/hist.h"

#define END (~0ull)

static const struct {
	u64 ns, low, high;
	u32 sub_bits, bucket;
} places[] = {
	{ 0, 0, 64, 3, 0 },
	{ 1, 0, 64, 3, 0 },
	{ 63, 0, 64, 3, 0 },
	{ 64, 64, 72, 3, 1 },
	{ 71, 64, 72, 3, 1 },
	{ 72, 72, 80, 3, 2 },
	{ 127, 120, 128, 3, 8 },
	{ 128, 128, 144, 3, 9 },
	{ 143, 128, 144, 3, 9 },
	{ 144, 144, 160, 3, 10 },
	{ 1000, 960, 1024, 3, 32 },
	{ 1023, 960, 1024, 3, 32 },
	{ 1024, 1024, 1152, 3, 33 },
	{ 12345, 12288, 13312, 3, 61 },
	{ 10000000000, 9663676416, 10737418240, 3, 218 },
	{ 17179869183, 16106127360, 17179869184, 3, 224 },
	{ 17179869184, 17179869184, END, 3, 225 },
	{ 1000000000000000000, 17179869184, END, 3, 225 },
	{ END, 17179869184, END, 3, 225 },
	{ 63, 0, 64, 2, 0 },
	{ 64, 64, 80, 2, 1 },
	{ 79, 64, 80, 2, 1 },
	{ 80, 80, 96, 2, 2 },
	{ 127, 112, 128, 2, 4 },
	{ 128, 128, 160, 2, 5 },
	{ 1000, 896, 1024, 2, 16 },
	{ 12345, 12288, 14336, 2, 31 },
	{ 10000000000, 8589934592, 10737418240, 2, 109 },
	{ 17179869183, 15032385536, 17179869184, 2, 112 },
	{ 17179869184, 17179869184, END, 2, 113 },
};

static void known_places(void **state)
{
	(void)state;
	for (size_t i = 0; i < KT_ARRAY_SIZE(places); i++) {
		u32 bucket = kt_hist_bucket(places[i].ns, places[i].sub_bits);

		assert_int_equal(bucket, places[i].bucket);
		assert_int_equal(kt_hist_low(bucket, places[i].sub_bits), places[i].low);
		assert_int_equal(kt_hist_high(bucket, places[i].sub_bits), places[i].high);
	}
}

static void sizes(void **state)
{
	(void)state;
	assert_int_equal(KT_EXIT_SUB_BITS, 3);
	assert_int_equal(KT_EXIT_BUCKETS, 226);
	assert_int_equal(KT_REGION_SUB_BITS, 2);
	assert_int_equal(KT_REGION_BUCKETS, 114);
}

/* No gap, no overlap, none wider than promised: 12.5 % or 25 % of where it begins. */
static void buckets_are_seamless(void **state)
{
	(void)state;
	for (u32 bits = 2; bits <= 3; bits++) {
		u32 last = bits == 3 ? 225 : 113;

		for (u32 b = 0; b < last; b++) {
			u64 low = kt_hist_low(b, bits), high = kt_hist_high(b, bits);

			assert_true(low < high);
			assert_int_equal(high, kt_hist_low(b + 1, bits));
			assert_int_equal(kt_hist_bucket(low, bits), b);
			assert_int_equal(kt_hist_bucket(high - 1, bits), b);
			assert_int_equal(kt_hist_bucket(high, bits), b + 1);
			if (b)
				assert_true((high - low) * (bits == 3 ? 8 : 4) <= low);
		}
	}
}

static void any_value_is_inside(void **state)
{
	u64 v = 1;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		u64 ns;
		u32 b;

		v = v * 6364136223846793005ull + 1442695040888963407ull;
		ns = v >> (v >> 58); /* all magnitudes */
		b = kt_hist_bucket(ns, 3);
		assert_true(b <= 225);
		assert_true(kt_hist_low(b, 3) <= ns);
		assert_true(ns < kt_hist_high(b, 3) || b == 225);
	}
}

/* ---- percentiles, against a sorted list ---- */

static int compare(const void *a, const void *b)
{
	const u64 *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void check(u64 *values, size_t n, u32 permille)
{
	u64 buckets[226] = {}, exact, got;
	size_t rank = (n * permille + 999) / 1000;

	for (size_t i = 0; i < n; i++)
		buckets[kt_hist_bucket(values[i], 3)]++;
	qsort(values, n, sizeof(*values), compare);
	exact = values[(rank ? rank : 1) - 1];
	got = kt_hist_percentile(buckets, 3, n, permille, values[0], values[n - 1]);
	if (got > exact + exact / 8 + 64 || got + got / 8 + 64 < exact)
		fail_msg("p%u of %zu values: %llu, exactly %llu", permille, n, got, exact);
	assert_true(got >= values[0] && got <= values[n - 1]);
}

static void percentiles_are_near(void **state)
{
	static const u32 permilles[] = { 1, 10, 500, 900, 990, 999, 1000 };
	static u64 values[5000];
	u64 v = 7;

	(void)state;
	for (size_t p = 0; p < KT_ARRAY_SIZE(permilles); p++) {
		for (size_t i = 0; i < 1000; i++)
			values[i] = (i + 1) * 1000;
		check(values, 1000, permilles[p]);
		for (size_t i = 0; i < 5000; i++) {
			v = v * 6364136223846793005ull + 1442695040888963407ull;
			values[i] = 100 + (v >> (34 + (v >> 60)));
		}
		check(values, 5000, permilles[p]);
		for (size_t i = 0; i < 100; i++)
			values[i] = i == 99 ? 3000000000 : 2000;
		check(values, 100, permilles[p]);
		values[0] = 123456;
		check(values, 1, permilles[p]);
	}
}

static void percentiles_of_few(void **state)
{
	u64 buckets[226] = {};

	(void)state;
	assert_int_equal(kt_hist_percentile(buckets, 3, 0, 500, 0, 0), 0);
	/* All in one bucket, [960, 1024): the extremes bound it. */
	buckets[32] = 100;
	assert_int_equal(kt_hist_percentile(buckets, 3, 100, 500, 1000, 1000), 1000);
	assert_in_range(kt_hist_percentile(buckets, 3, 100, 990, 970, 980), 979, 980);
	/* 17.2 s and more, which has no upper end. */
	buckets[32] = 0;
	buckets[225] = 2;
	assert_true(kt_hist_percentile(buckets, 3, 2, 500, 20000000000, 30000000000) >=
		    20000000000);
	assert_int_equal(kt_hist_percentile(buckets, 3, 2, 1000, 20000000000, 30000000000),
			 30000000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_places),		cmocka_unit_test(sizes),
		cmocka_unit_test(buckets_are_seamless), cmocka_unit_test(any_value_is_inside),
		cmocka_unit_test(percentiles_are_near), cmocka_unit_test(percentiles_of_few),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
