/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* user/replay/when.c: moments as people name them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "../../user/replay/when.h"
#include "../../user/store/reader.h"

#define S 1000000000ull

/* 2026-01-31T23:59:50Z, date -u -d … +%s; two seconds later somebody sets the clock an hour on. */
#define BEGIN_WALL (1769903990 * S)
static const struct kt_clock clocks[] = {
	{ 1000 * S, BEGIN_WALL },
	{ 1002 * S, BEGIN_WALL + 3602 * S },
};
static const struct kt_when_scale scale = { clocks, 1, 1000 * S, 1030 * S };
static const struct kt_when_scale turned = { clocks, 2, 1000 * S, 1030 * S };
static const struct kt_when_scale without = { NULL, 0, 1000 * S, 1030 * S };

static u64 parse(const struct kt_when_scale *of, const char *text)
{
	struct kt_str why = {};
	u64 ts = 0;

	if (kt_when_parse(of, text, &ts, &why))
		fail_msg("%s: %s", text, why.data);
	return ts;
}

static void from_the_start(void **state)
{
	(void)state;
	assert_true(parse(&scale, "0") == 1000 * S);
	assert_true(parse(&scale, "2.5") == 1002 * S + S / 2);
	assert_true(parse(&scale, "500ms") == 1000 * S + S / 2);
	assert_true(parse(&without, "1m") == 1060 * S);
	assert_true(parse(&scale, "18446744073") == ~0ull); /* no wrapping round */
}

static void moments(void **state)
{
	(void)state;
	assert_true(parse(&scale, "2026-01-31T23:59:52.5Z") == 1002 * S + S / 2);
	assert_true(parse(&scale, "2026-01-31 23:59:52.5z") == 1002 * S + S / 2);
	assert_true(parse(&scale, "2026-02-01T00:59:52+01:00") == 1002 * S);
	assert_true(parse(&scale, "2026-01-31T14:29:52-0930") == 1002 * S);
	assert_true(parse(&scale, "2026-01-31T23:59:52.123456789999Z") == 1002 * S + 123456789);
	assert_true(parse(&scale, "1970-01-01T00:00:00Z") == 0); /* before the host was there */
	/* local time */
	assert_true(parse(&scale, "2026-02-01T01:59:52") == 1002 * S);
}

static void times_of_day(void **state)
{
	(void)state;
	assert_true(parse(&scale, "01:59:52.25") == 1002 * S + S / 4);
	assert_true(parse(&scale, "1:59:50") == 1000 * S);
	/* a moment before it began is that */
	assert_true(parse(&scale, "01:59") == 950 * S);
	assert_true(parse(&scale, "2:00") == 1010 * S);
}

/* It begins at 23:59:50 and ends at 00:00:20. */
static void midnight(void **state)
{
	(void)state;
	setenv("TZ", "UTC0", 1);
	tzset();
	assert_true(parse(&scale, "23:59:55") == 1005 * S);
	assert_true(parse(&scale, "00:00:05") == 1015 * S);
	/* past the end: that of the first day, long before it began */
	assert_true(parse(&scale, "00:00:21") == 0);
	setenv("TZ", "TST-2", 1);
	tzset();
}

static void clock_that_was_set(void **state)
{
	struct kt_when_offset offset;

	(void)state;
	assert_true(parse(&turned, "2026-01-31T23:59:51Z") == 1001 * S);
	assert_true(parse(&turned, "2026-02-01T00:59:55Z") == 1005 * S);
	offset = kt_when_offset(&turned, 1001 * S);
	assert_true(offset.ns == (s64)(BEGIN_WALL - 1000 * S));
	assert_true(offset.from == 0 && offset.until == 1002 * S);
	offset = kt_when_offset(&turned, 1002 * S);
	assert_true(offset.ns == (s64)(BEGIN_WALL - 1000 * S + 3600 * S));
	assert_true(offset.from == 1002 * S && offset.until == ~0ull);
	offset = kt_when_offset(&without, 5);
	assert_true(offset.ns == 0 && offset.from == 0 && offset.until == ~0ull);
}

static void mistakes(void **state)
{
	static const char *const texts[] = {
		"",
		"x",
		"14:",
		"14:3",
		"25:00",
		"14:60",
		"14:03:61",
		"14:03:22.",
		"14:03:22x",
		"2026-01-31",
		"2026-01-31T",
		"2026-13-01T00:00:00Z",
		"2026-01-31T23:59:52+1",
		"-1",
		"2026-01-31T23:59:52ZZ",
		"\033[31m",
		"999999999999999999999",
	};

	(void)state;
	for (size_t i = 0; i < KT_ARRAY_SIZE(texts); i++) {
		struct kt_str why = {};
		u64 ts;

		if (kt_when_parse(&scale, texts[i], &ts, &why) != -EINVAL)
			fail_msg("%s: taken", texts[i]);
		assert_null(strchr(why.data, '\033'));
		kt_str_free(&why);
		if (kt_when_parse(&without, "14:03:22", &ts, &why) != -EINVAL)
			fail_msg("a time without a clock");
		assert_non_null(strstr(why.data, "no wall clock"));
		kt_str_free(&why);
	}
}

static int set_zone(void **state)
{
	(void)state;
	setenv("TZ", "TST-2", 1); /* two hours east of Greenwich, without daylight saving */
	tzset();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(from_the_start),     cmocka_unit_test(moments),
		cmocka_unit_test(times_of_day),	      cmocka_unit_test(midnight),
		cmocka_unit_test(clock_that_was_set), cmocka_unit_test(mistakes),
	};

	return cmocka_run_group_tests(tests, set_zone, NULL);
}
