/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* user/export/rates.c: nothing is lost, whatever the order, and however long it takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../user/export/rates.h"

#define MS 1000000ull

static u64 sum(const struct kt_rates *r, u32 series)
{
	u64 all = 0;

	for (u64 i = 0; i <= r->last - r->first; i++)
		all += r->series[series][i];
	return all;
}

static void buckets_of_100_ms(void **state)
{
	struct kt_rates r;

	(void)state;
	kt_rates_init(&r);
	kt_rates_count(&r, 1, 10050 * MS);
	kt_rates_count(&r, 1, 10099 * MS);
	kt_rates_count(&r, 1, 10300 * MS);
	kt_rates_count(&r, 0, 9900 * MS);
	assert_int_equal(r.width, 100 * MS);
	assert_int_equal(r.first, 99);
	assert_int_equal(r.last, 103);
	assert_int_equal(r.series[1][0], 0);
	assert_int_equal(r.series[1][1], 2);
	assert_int_equal(r.series[1][4], 1);
	assert_int_equal(r.series[0][0], 1);
	assert_int_equal(sum(&r, 0), 1);
	assert_int_equal(sum(&r, 1), 3);
	kt_rates_fini(&r);
}

static void wider_when_too_many(void **state)
{
	struct kt_rates r;

	(void)state;
	kt_rates_init(&r);
	for (u64 i = 0; i < 4096; i++)
		kt_rates_count(&r, 0, 50 * MS + i * 100 * MS);
	assert_int_equal(r.width, 100 * MS);
	assert_int_equal(r.last, 4095);
	kt_rates_count(&r, 0, 409600 * MS);
	assert_int_equal(r.width, 200 * MS);
	assert_int_equal(r.first, 0);
	assert_int_equal(r.last, 2048);
	assert_int_equal(r.series[0][0], 2);
	assert_int_equal(r.series[0][2047], 2);
	assert_int_equal(r.series[0][2048], 1);
	assert_int_equal(sum(&r, 0), 4097);
	kt_rates_fini(&r);
}

/* A capture may say anything. */
static void any_time_and_series(void **state)
{
	struct kt_rates r;

	(void)state;
	kt_rates_init(&r);
	kt_rates_count(&r, 0, 0x7fffffffffffffff);
	kt_rates_count(&r, 0, 0);
	kt_rates_count(&r, 0, ~0ull);
	kt_rates_count(&r, 511, 1);
	kt_rates_count(&r, 512, 1);
	kt_rates_count(&r, 0xffffffff, 1);
	assert_int_equal(sum(&r, 0), 3);
	assert_int_equal(sum(&r, 511), 1);
	assert_int_equal(r.series_count, 512);
	kt_rates_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buckets_of_100_ms),
		cmocka_unit_test(wider_when_too_many),
		cmocka_unit_test(any_time_and_series),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
