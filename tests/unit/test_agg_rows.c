/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* user/agg/exit_rows.c, and faults one by one: the sums that the kernel's programs would have had. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../user/agg/exit_rows.h"
#include "../../user/agg/regions.h"

#define SVM 2

static const struct kt_row_exit cpuid = { .head = { .tgid = 7, .vcpu_id = 1 },
					  .reason = 0x72,
					  .isa = SVM };

static struct kt_exit_group *add(struct kt_exit_rows *rows, struct kt_row_exit row, u64 duration,
				 u8 end)
{
	row.duration = duration;
	row.end = end;
	return kt_exit_rows_add(rows, &row, 3);
}

static void times(void **state)
{
	struct kt_exit_agg agg = {};
	struct kt_exit_rows *rows = kt_exit_rows_new(&agg, KT_BY_VM | KT_BY_REASON);
	struct kt_exit_stats *s = &add(rows, cpuid, 400, KT_END_ENTERED)->stats;

	(void)state;
	add(rows, cpuid, 100, KT_END_ENTERED);
	add(rows, cpuid, 300, KT_END_ENTERED);
	add(rows, cpuid, 200, KT_END_ENTERED);
	add(rows, cpuid, 0, KT_END_NO_ENTRY);
	add(rows, cpuid, 0, KT_END_OPEN);
	assert_int_equal(s->count, 6);
	assert_int_equal(s->timed, 4);
	assert_int_equal(s->unpaired, 1);
	assert_int_equal(s->total_ns, 1000);
	assert_int_equal(s->min_ns, 100);
	assert_int_equal(s->max_ns, 400);
	assert_int_equal(s->squares_lo, 300000);
	assert_int_equal(s->squares_hi, 0);
	assert_int_equal(kt_exit_stddev_ns(s), 112); /* sqrt(12500) = 111.80 */
	/* 96 … 104 ns is the 6th bucket: one below 64, then eighths of 64: 64 72 80 88 96 */
	assert_int_equal(s->buckets[5], 1);
	kt_exit_rows_free(rows);
	kt_exit_agg_fini(&agg);
}

/* The programs square ns / 65536 from 2^32 ns on, and no more than 2^32 - 1 of these. */
static void long_times(void **state)
{
	struct kt_exit_stats s = {};

	(void)state;
	kt_exit_stats_add_one(&s, 4294967295); /* exact: (2^32 - 1)^2 = 2^64 - 2^33 + 1 */
	assert_true(s.squares_lo == 18446744065119617025ull);
	assert_int_equal(s.squares_hi, 0);
	/* 5 s: 76293 * 65536 = 4999938048; 76293^2 = 5820621849 = 1 * 2^32 + 1525654553 */
	s = (struct kt_exit_stats) {};
	kt_exit_stats_add_one(&s, 5000000000);
	assert_int_equal(s.squares_hi, 1);
	assert_true(s.squares_lo == 1525654553ull << 32);
	assert_int_equal(s.min_ns, 5000000000);
	/* Over three days: (2^32 - 1)^2 * 2^32 */
	s = (struct kt_exit_stats) {};
	kt_exit_stats_add_one(&s, ~0ull);
	assert_int_equal(s.squares_hi, 0xfffffffe);
	assert_int_equal(s.squares_lo, 0x100000000);
}

static void carry(void **state)
{
	struct kt_exit_stats s = {};

	(void)state;
	kt_exit_stats_add_one(&s, 4294967295);
	kt_exit_stats_add_one(&s, 4294967295);
	/* 2 * (2^64 - 2^33 + 1) = 2^64 + (2^64 - 2^34 + 2) */
	assert_int_equal(s.squares_hi, 1);
	assert_true(s.squares_lo == 18446744056529682434ull);
}

/* Each key has its group; what falls to one place of the cache does not mix. */
static void groups(void **state)
{
	struct kt_exit_agg agg = {};
	struct kt_exit_rows *rows = kt_exit_rows_new(&agg, KT_BY_REASON | KT_BY_VCPU);

	(void)state;
	for (u32 round = 0; round < 2; round++)
		for (u32 vcpu = 0; vcpu < 100; vcpu++)
			for (u32 reason = 0; reason < 100; reason++) {
				struct kt_row_exit row = { .head.vcpu_id = vcpu,
							   .reason = reason,
							   .isa = SVM,
							   .duration = vcpu * 100 + reason };
				struct kt_exit_group *g = kt_exit_rows_add(rows, &row, 9);

				assert_int_equal(g->key.vcpu, vcpu);
				assert_int_equal(g->key.code, reason);
				assert_true(g->key.vm == KT_ANY);
				assert_int_equal(g->stats.count, round + 1);
			}
	assert_int_equal(agg.count, 10000);
	kt_exit_agg_fini(&agg);
	kt_exit_rows_forget(rows);
	assert_int_equal(add(rows, cpuid, 1, KT_END_ENTERED)->stats.count, 1);
	assert_int_equal(agg.count, 1);
	kt_exit_rows_free(rows);
	kt_exit_agg_fini(&agg);
}

static void one_fault(void **state)
{
	struct kt_region_sums s = {};

	(void)state;
	/* a write to what isn't there, 100 ns: 96 … 112 is the 3rd of its octave's quarters */
	kt_region_sums_add_one(&s, KT_SPACE_NPT, 0x100000006, 100);
	kt_region_sums_add_one(&s, KT_SPACE_NPT, 0x5, 0); /* a read of what is there, no time */
	assert_int_equal(s.count, 2);
	assert_int_equal(s.timed, 1);
	assert_int_equal(s.total_ns, 100);
	assert_int_equal(s.buckets[3], 1);
	assert_int_equal(s.access[0], 1);
	assert_int_equal(s.access[1], 1);
	assert_int_equal(s.present, 1);
}

static void region_numbers(void **state)
{
	struct kt_region_index index = {};
	struct kt_region_key key = { .tgid = 7 };

	(void)state;
	for (u32 round = 0; round < 2; round++)
		for (u32 i = 0; i < 1000; i++) {
			key.region = i / 2;
			key.space = i % 2;
			assert_int_equal(kt_region_number(&index, &key, 1, 1000), i + 1);
		}
	/* It is full: of others, none; of those that are there, the same. */
	assert_int_equal(kt_region_number(&index, &key, 2, 1000), 0);
	assert_int_equal(kt_region_number(&index, &key, 1, 1000), 1000);
	kt_region_index_fini(&index);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times),     cmocka_unit_test(long_times),
		cmocka_unit_test(carry),     cmocka_unit_test(groups),
		cmocka_unit_test(one_fault), cmocka_unit_test(region_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
