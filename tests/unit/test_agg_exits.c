/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* user/agg/exits.c: statistics against values worked out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "../../user/agg/exits.h"

#define EPOCH 7

/* What the kernel side keeps of these times; squares as given, because they may exceed 64 bits. */
static struct kt_cell cell_of(const u64 *ns, size_t n, u64 squares_hi, u64 squares_lo)
{
	struct kt_cell c = { .squares_hi = squares_hi, .squares_lo = squares_lo };
	u64 min = ~0ull, max = 0;

	for (size_t i = 0; i < n; i++) {
		c.total_ns += ns[i];
		c.buckets[kt_hist_bucket(ns[i], KT_EXIT_SUB_BITS)]++;
		min = ns[i] < min ? ns[i] : min;
		max = ns[i] > max ? ns[i] : max;
	}
	c.now = (struct kt_extremes) { .min = min, .span = max - min, .epoch = EPOCH };
	return c;
}

static void four_values(void **state)
{
	static const u64 ns[] = { 100, 200, 300, 400 };
	struct kt_cell c = cell_of(ns, 4, 0, 300000);
	struct kt_exit_stats s;

	(void)state;
	c.unpaired = 2;
	kt_exit_stats_from_cell(&s, &c, EPOCH);
	assert_int_equal(s.timed, 4);
	assert_int_equal(s.unpaired, 2);
	assert_int_equal(s.count, 6);
	assert_int_equal(s.total_ns, 1000);
	assert_int_equal(s.min_ns, 100);
	assert_int_equal(s.max_ns, 400);
	assert_int_equal(kt_exit_mean_ns(&s), 250);
	assert_int_equal(kt_exit_stddev_ns(&s), 112); /* sqrt(12500) = 111.80 */
	assert_in_range(kt_exit_percentile_ns(&s, 500), 175, 225);
	assert_in_range(kt_exit_percentile_ns(&s, 999), 350, 400);
}

/* 5 s and 7 s: their squares, 25e18 and 49e18, add up to 74e18, over 2^64. */
static void long_times(void **state)
{
	static const u64 ns[] = { 5000000000, 7000000000 };
	struct kt_cell c = cell_of(ns, 2, 4, 213023705161793536);
	struct kt_exit_stats s;

	(void)state;
	kt_exit_stats_from_cell(&s, &c, EPOCH);
	assert_int_equal(kt_exit_mean_ns(&s), 6000000000);
	assert_int_equal(kt_exit_stddev_ns(&s), 1000000000);
	assert_int_equal(s.min_ns, 5000000000);
	assert_int_equal(s.max_ns, 7000000000);
}

static void nothing(void **state)
{
	struct kt_cell c = {};
	struct kt_exit_stats s;

	(void)state;
	kt_exit_stats_from_cell(&s, &c, EPOCH);
	assert_int_equal(s.count, 0);
	assert_int_equal(kt_exit_mean_ns(&s), 0);
	assert_int_equal(kt_exit_stddev_ns(&s), 0);
	assert_int_equal(kt_exit_percentile_ns(&s, 990), 0);
	/* Exits that no entry followed have no time. */
	c.unpaired = 3;
	kt_exit_stats_from_cell(&s, &c, EPOCH);
	assert_int_equal(s.count, 3);
	assert_int_equal(s.timed, 0);
	assert_int_equal(kt_exit_mean_ns(&s), 0);
}

/* Equal times have no deviation, whatever is lost in rounding. */
static void no_deviation(void **state)
{
	static const u64 ns[] = { 123456789, 123456789, 123456789 };
	struct kt_cell c = cell_of(ns, 3, 0, 45724736250571563ull); /* 3 * 123456789^2 */
	struct kt_exit_stats s;

	(void)state;
	kt_exit_stats_from_cell(&s, &c, EPOCH);
	assert_int_equal(kt_exit_stddev_ns(&s), 0);
	assert_int_equal(kt_exit_percentile_ns(&s, 500), 123456789);
}

/* Extremes are of the interval that is read, also when the next one has begun. */
static void extremes_of_an_interval(void **state)
{
	static const u64 ns[] = { 1000, 3000 };
	struct kt_cell c = cell_of(ns, 2, 0, 10000000);
	struct kt_exit_stats s;

	(void)state;
	c.before = c.now;
	c.now = (struct kt_extremes) { .min = 50, .span = 1, .epoch = EPOCH + 1 };
	kt_exit_stats_from_cell(&s, &c, EPOCH);
	assert_int_equal(s.min_ns, 1000);
	assert_int_equal(s.max_ns, 3000);
	kt_exit_stats_from_cell(&s, &c, EPOCH + 1);
	assert_int_equal(s.min_ns, 50);
	assert_int_equal(s.max_ns, 51);
}

static struct kt_exit_stats stats_of(const u64 *ns, size_t n, u64 squares_lo)
{
	struct kt_cell c = cell_of(ns, n, 0, squares_lo);
	struct kt_exit_stats s;

	kt_exit_stats_from_cell(&s, &c, EPOCH);
	return s;
}

static void merging(void **state)
{
	static const u64 a[] = { 100, 300 }, b[] = { 50, 7000 };
	struct kt_exit_stats sum = {}, x = stats_of(a, 2, 100000), y = stats_of(b, 2, 49002500);
	struct kt_exit_stats untimed = { .count = 5, .unpaired = 4, .min_ns = 0, .max_ns = 0 };

	(void)state;
	kt_exit_stats_merge(&sum, &untimed);
	assert_int_equal(sum.timed, 0);
	kt_exit_stats_merge(&sum, &x);
	kt_exit_stats_merge(&sum, &y);
	kt_exit_stats_merge(&sum, &untimed);
	assert_int_equal(sum.count, 14);
	assert_int_equal(sum.timed, 4);
	assert_int_equal(sum.unpaired, 8);
	assert_int_equal(sum.total_ns, 7450);
	assert_int_equal(sum.min_ns, 50);
	assert_int_equal(sum.max_ns, 7000);
	assert_int_equal(sum.squares_lo, 49102500);
	assert_int_equal(sum.buckets[0], 1); /* 50 */
	assert_int_equal(kt_exit_mean_ns(&sum), 1862);
	assert_int_equal(kt_exit_stddev_ns(&sum), 2968); /* sqrt(12275625 - 1862.5^2) = 2967.6 */
}

static void carry_and_borrow(void **state)
{
	struct kt_exit_stats sum = { .squares_hi = 1, .squares_lo = ~0ull };
	struct kt_exit_stats one = { .squares_hi = 2, .squares_lo = 1 };

	(void)state;
	kt_exit_stats_merge(&sum, &one);
	assert_int_equal(sum.squares_hi, 4);
	assert_int_equal(sum.squares_lo, 0);
	kt_exit_stats_sub(&sum, &one);
	assert_int_equal(sum.squares_hi, 1);
	assert_true(sum.squares_lo == ~0ull);
}

static void subtracting(void **state)
{
	static const u64 all[] = { 100, 300, 800, 800 }, first[] = { 100, 300 };
	struct kt_exit_stats now = stats_of(all, 4, 1380000), before = stats_of(first, 2, 100000);

	(void)state;
	now.unpaired = 5;
	now.count += 5;
	before.unpaired = 2;
	before.count += 2;
	kt_exit_stats_sub(&now, &before);
	assert_int_equal(now.count, 5);
	assert_int_equal(now.timed, 2);
	assert_int_equal(now.unpaired, 3);
	assert_int_equal(now.total_ns, 1600);
	assert_int_equal(now.squares_lo, 1280000);
	assert_int_equal(kt_exit_mean_ns(&now), 800);
	assert_int_equal(kt_exit_stddev_ns(&now), 0);
	assert_int_equal(now.buckets[kt_hist_bucket(100, 3)], 0);
	assert_int_equal(now.buckets[kt_hist_bucket(800, 3)], 2);
}

static void unchanged(void **state)
{
	struct kt_cell cell = { .slot = 1, .unpaired = 4, .total_ns = 100 };
	struct kt_exit_stats before;

	(void)state;
	cell.buckets[0] = 7;
	kt_exit_stats_from_cell(&before, &cell, 1);
	assert_true(kt_exit_cell_unchanged(&cell, &before));
	cell.unpaired = 5;
	assert_false(kt_exit_cell_unchanged(&cell, &before));
	cell.unpaired = 4;
	/* An exit that took no time at all is one, too. */
	cell.buckets[0] = 8;
	assert_false(kt_exit_cell_unchanged(&cell, &before));
	cell.buckets[0] = 7;
	cell.buckets[KT_EXIT_BUCKETS - 1] = 1;
	assert_false(kt_exit_cell_unchanged(&cell, &before));
	cell.buckets[KT_EXIT_BUCKETS - 1] = 0;
	assert_true(kt_exit_cell_unchanged(&cell, &before));
}

/* ---- groups ---- */

static const struct kt_exit_key cpuid = { .vm = 3, .vcpu = 5, .isa = 2, .code = 0x72 };
static const struct kt_exit_key failed = { .vm = 3, .vcpu = 5, .isa = 2, .code = 0xffffffff };
static const struct kt_exit_key hlt = { .vm = 3, .vcpu = 5, .isa = 2, .code = 0x78, .halt = true };

static void cutting(void **state)
{
	struct kt_exit_key k = kt_exit_key_cut(cpuid, KT_BY_REASON | KT_BY_VM | KT_BY_VCPU);

	(void)state;
	assert_memory_equal(&k, &cpuid, sizeof(k));
	k = kt_exit_key_cut(cpuid, KT_BY_REASON);
	assert_int_equal(k.vm, KT_ANY);
	assert_int_equal(k.vcpu, KT_ANY);
	assert_int_equal(k.code, 0x72);
	k = kt_exit_key_cut(cpuid, KT_BY_VM);
	assert_int_equal(k.vm, 3);
	assert_true(k.any_code);
	/* SVM_EXIT_ERR is a reason as any other, and no word for "all of them". */
	k = kt_exit_key_cut(failed, KT_BY_REASON);
	assert_int_equal(k.code, 0xffffffff);
	assert_false(k.any_code);
	k = kt_exit_key_cut(failed, KT_BY_VM);
	assert_true(k.any_code);
	/* Idleness stays apart from work. */
	k = kt_exit_key_cut(hlt, KT_BY_VCPU);
	assert_int_equal(k.vm, KT_ANY);
	assert_int_equal(k.vcpu, 5);
	assert_int_equal(k.code, 0x78);
	assert_true(k.halt);
}

static void add(struct kt_exit_agg *agg, const struct kt_exit_key *key, u64 count, u64 ns)
{
	struct kt_exit_stats s = {
		.count = count, .timed = count, .total_ns = ns, .min_ns = 1, .max_ns = ns
	};

	kt_exit_agg_add(agg, key, &s);
}

static void sorting(void **state)
{
	static const struct {
		struct kt_exit_key key;
		u64 count, ns;
	} rows[] = {
		/* In the order that is expected. */
		{ { .vm = 9, .code = 1 }, 1, 5000 },
		{ { .vm = 1, .code = 2 }, 9, 4000 },
		{ { .vm = 1, .code = 3 }, 8, 4000 },
		{ { .vm = 1, .code = 9 }, 2, 30 },
		{ { .vm = 2, .code = 4 }, 2, 30 },
		{ { .vm = 2, .vcpu = 1, .code = 3 }, 2, 30 },
		{ { .vm = 2, .vcpu = 1, .code = 5 }, 2, 30 },
		{ { .vm = 4, .code = 0x78, .halt = true }, 1, 9000000 },
		{ { .vm = 3, .code = 0x78, .halt = true }, 1, 10 },
	};
	static const size_t shuffled[] = { 4, 7, 0, 6, 8, 2, 5, 1, 3 };
	struct kt_exit_agg agg = {};

	(void)state;
	for (size_t i = 0; i < KT_ARRAY_SIZE(shuffled); i++)
		add(&agg, &rows[shuffled[i]].key, rows[shuffled[i]].count, rows[shuffled[i]].ns);
	kt_exit_agg_sort(&agg);
	assert_int_equal(agg.count, KT_ARRAY_SIZE(rows));
	for (size_t i = 0; i < agg.count; i++)
		assert_memory_equal(&agg.groups[i]->key, &rows[i].key, sizeof(rows[i].key));
	/* Groups are found again after it. */
	add(&agg, &rows[0].key, 1, 1);
	assert_int_equal(agg.count, KT_ARRAY_SIZE(rows));
	assert_int_equal(agg.groups[0]->stats.total_ns, 5001);
	kt_exit_agg_fini(&agg);
	assert_int_equal(agg.count, 0);
}

static void many_groups(void **state)
{
	struct kt_exit_agg agg = {};
	u64 total = 0;

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (u32 i = 0; i < 20000; i++) {
			struct kt_exit_key key = {
				.vm = i % 10, .vcpu = i / 10, .isa = 1 + i % 2, .code = i % 65
			};

			add(&agg, &key, 1, i);
		}
	}
	assert_int_equal(agg.count, 20000);
	for (size_t i = 0; i < agg.count; i++) {
		assert_int_equal(agg.groups[i]->stats.count, 2);
		total += agg.groups[i]->stats.total_ns;
	}
	assert_int_equal(total, 399980000); /* 2 (0 + 1 + … + 19999) */
	kt_exit_agg_sort(&agg);
	for (size_t i = 1; i < agg.count; i++)
		assert_true(agg.groups[i - 1]->stats.total_ns >= agg.groups[i]->stats.total_ns);
	kt_exit_agg_fini(&agg);
}

static void no_groups(void **state)
{
	struct kt_exit_agg agg = {};

	(void)state;
	kt_exit_agg_sort(&agg);
	kt_exit_agg_fini(&agg);
	assert_int_equal(agg.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(four_values),
		cmocka_unit_test(long_times),
		cmocka_unit_test(nothing),
		cmocka_unit_test(no_deviation),
		cmocka_unit_test(extremes_of_an_interval),
		cmocka_unit_test(merging),
		cmocka_unit_test(carry_and_borrow),
		cmocka_unit_test(subtracting),
		cmocka_unit_test(unchanged),
		cmocka_unit_test(cutting),
		cmocka_unit_test(sorting),
		cmocka_unit_test(many_groups),
		cmocka_unit_test(no_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
