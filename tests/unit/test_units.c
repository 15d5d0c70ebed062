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
	};

	(void)state;
	setenv("TZ", "UTC0", 1);
	tzset();
	check(rows, KT_ARRAY_SIZE(rows), kt_str_add_clock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations),
		cmocka_unit_test(sizes),
		cmocka_unit_test(shares),
		cmocka_unit_test(clock_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
