/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* user/sink/units.c: three significant digits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <time.h>

#include "../../user/sink/units.h"

struct row {
	u64 value;
	const char *text;
};

static void check(const struct row *rows, size_t count, void (*add)(struct kt_str *s, u64 value))
{
	struct kt_str s = {};

	for (size_t i = 0; i < count; i++) {
		kt_str_reset(&s);
		add(&s, rows[i].value);
		assert_string_equal(s.data, rows[i].text);
	}
	kt_str_free(&s);
}

static void durations(void **state)
{
	static const struct row rows[] = {
		{ 0, "0ns" },
		{ 1, "1ns" },
		{ 987, "987ns" },
		{ 999, "999ns" },
		{ 1000, "1.00us" },
		{ 1234, "1.23us" },
		{ 9990, "9.99us" },
		{ 12345, "12.3us" },
		{ 99900, "99.9us" },
		{ 99990, "100us" },
		{ 999000, "999us" },
		{ 999999, "1.00ms" },
		{ 45600000, "45.6ms" },
		{ 999999999, "1.00s" },
		{ 1000000000, "1.00s" },
		{ 120000000000, "120s" },
		{ 86400000000000, "86400s" },
		/* the last that are of one form, and the first of the next */
		{ 9994, "9.99us" },
		{ 9995, "10.0us" },
		{ 9996, "10.0us" },
		{ 1005, "1.00us" }, /* as a double below the middle … */
		{ 1015, "1.01us" },
		{ 1025, "1.02us" },
		{ 1035, "1.03us" },
		{ 1045, "1.04us" },
		{ 1125, "1.12us" }, /* … in it: to the even digit … */
		{ 1375, "1.38us" },
		{ 10250, "10.2us" },
		{ 10750, "10.8us" },
		{ 1115, "1.11us" },
		{ 1135, "1.14us" }, /* … above it */
		{ 99949, "99.9us" },
		{ 99950, "100us" },
		{ 100500, "100us" },
		{ 101500, "102us" },
		{ 999499, "999us" },
		{ 999500, "1.00ms" },
		{ 9994999, "9.99ms" },
		{ 9996000, "10.0ms" },
		{ 99949999, "99.9ms" },
		{ 99950000, "100ms" },
		{ 999499999, "999ms" },
		{ 999500000, "1.00s" },
		{ 9994999999, "9.99s" },
		{ 99949999999, "99.9s" },
		{ 9007199254740992, "9007199s" },
		{ 18446744073709551615ull, "18446744074s" },
	};

	(void)state;
	check(rows, KT_ARRAY_SIZE(rows), kt_str_add_ns);
}

static void sizes(void **state)
{
	static const struct row rows[] = {
		{ 0, "0B" },
		{ 512, "512B" },
		{ 1023, "1023B" },
		{ 1024, "1.00KiB" },
		{ 1536, "1.50KiB" },
		{ 4194304, "4.00MiB" },
		{ 1572864, "1.50MiB" },
		{ 68719476736, "64.0GiB" },
		{ 137438953472, "128GiB" },
		{ 1099511627776, "1.00TiB" },
	};

	(void)state;
	check(rows, KT_ARRAY_SIZE(rows), kt_str_add_bytes);
}

static void shares(void **state)
{
	static const struct {
		u64 part, whole;
		const char *text;
	} rows[] = {
		{ 0, 0, "-" },	     { 5, 0, "-" },	     { 0, 7, "0.0%" },
		{ 1, 3, "33.3%" },   { 2, 3, "66.7%" },	     { 7, 7, "100.0%" },
		{ 1, 2000, "0.1%" }, { 1, 1000000, "0.0%" }, { ~0ull, ~0ull, "100.0%" },
	};
	struct kt_str s = {};

	(void)state;
	for (size_t i = 0; i < KT_ARRAY_SIZE(rows); i++) {
		kt_str_reset(&s);
		kt_str_add_share(&s, rows[i].part, rows[i].whole);
		assert_string_equal(s.data, rows[i].text);
	}
	kt_str_free(&s);
}

static void clock_times(void **state)
{
	static const struct row rows[] = {
		{ 1769903999000000001, "23:59:59.000000001" },
		{ 1769904000000000000, "00:00:00.000000000" },
		{ 1769904000999999999, "00:00:00.999999999" },
		{ 1769904000120000000, "00:00:00.120000000" },
		{ 0, "00:00:00.000000000" },
		{ 1769903999000000002, "23:59:59.000000002" },
		/* one millisecond and second after and before the other */
		{ 1769903999001000000, "23:59:59.001000000" },
		{ 1769903999000999999, "23:59:59.000999999" },
		{ 1769903999999999999, "23:59:59.999999999" },
		{ 1769903998123456789, "23:59:58.123456789" },
		{ 1769903998123000000, "23:59:58.123000000" },
		{ 1769903999123456789, "23:59:59.123456789" },
		{ 999999, "00:00:00.000999999" },
		{ 1000000, "00:00:00.001000000" },
		{ 18446744073709551615ull, "23:34:33.709551615" },
		{ 5, "00:00:00.000000005" },
	};

	(void)state;
	setenv("TZ", "UTC0", 1);
	tzset();
	check(rows, KT_ARRAY_SIZE(rows), kt_str_add_clock);
}

/* A number of which all but six digits are known, up to 64 bytes of them. */
static void stems(void **state)
{
	char text[64], got[KT_STEM_SIZE + 1];
	struct kt_stem s = {};

	(void)state;
	assert_false(kt_stem_fits(&s, 0));
	kt_stem_set(&s, 0, "", 0);
	assert_true(kt_stem_fits(&s, 0));
	assert_true(kt_stem_fits(&s, 999999));
	assert_false(kt_stem_fits(&s, 1000000));
	kt_stem_set(&s, 123456789, "n=123", 5);
	assert_true(kt_stem_fits(&s, 123000000));
	assert_true(kt_stem_fits(&s, 123999999));
	assert_false(kt_stem_fits(&s, 122999999));
	assert_false(kt_stem_fits(&s, 124000000));
	kt_stem_set(&s, 18446744073709551615ull, "18446744073709", 14);
	assert_true(kt_stem_fits(&s, 18446744073709551615ull));
	assert_true(kt_stem_fits(&s, 18446744073709000000ull));
	assert_false(kt_stem_fits(&s, 0));
	assert_false(kt_stem_fits(&s, 5));
	kt_stem_set(&s, 123456789, "n=123", 5);
	*kt_put_stem(got, &s, 123004050) = '\0';
	assert_string_equal(got, "n=123004050");
	memset(text, '-', sizeof(text));
	kt_stem_set(&s, 42, text, 64);
	*kt_put_stem(got, &s, 42) = '\0';
	assert_string_equal(got, "--------------------------------"
				 "--------------------------------000042");
	kt_stem_set(&s, 42, text, 65);
	assert_false(kt_stem_fits(&s, 42));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations),   cmocka_unit_test(sizes), cmocka_unit_test(shares),
		cmocka_unit_test(clock_times), cmocka_unit_test(stems),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
