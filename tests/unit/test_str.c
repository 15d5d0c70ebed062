/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* user/lib/str.c: growth, numbers, padding, and text from outside made safe. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../user/lib/str.h"

struct pair {
	const char *in, *out;
};

static void check_pairs(const struct pair *pairs, size_t count,
			void (*add)(struct kt_str *, const char *))
{
	struct kt_str s = { 0 };

	for (size_t i = 0; i < count; i++) {
		kt_str_reset(&s);
		/* A copy of exact size: sanitisers see a read past the end. */
		char *in = strdup(pairs[i].in);

		add(&s, in);
		free(in);
		assert_string_equal(s.data, pairs[i].out);
		assert_int_equal(s.len, strlen(pairs[i].out));
	}
	kt_str_free(&s);
}

static void grows(void **state)
{
	struct kt_str s = { 0 };
	char number[16];
	size_t at = 0;

	(void)state;
	for (int i = 0; i < 20000; i++)
		kt_str_addf(&s, "%d,", i);
	for (int i = 0; i < 20000; i++) {
		int n = snprintf(number, sizeof(number), "%d,", i);

		assert_memory_equal(s.data + at, number, n);
		at += n;
	}
	assert_int_equal(s.len, at);
	assert_int_equal(s.data[at], 0);
	kt_str_free(&s);
	assert_null(s.data);
	assert_int_equal(s.len, 0);
	assert_int_equal(s.cap, 0);
}

static void is_terminated(void **state)
{
	struct kt_str s = { 0 };

	(void)state;
	kt_str_reset(&s);
	kt_str_add(&s, "");
	assert_string_equal(s.data, "");
	kt_str_add_n(&s, "abcdef", 3);
	assert_string_equal(s.data, "abc");
	kt_str_add_char(&s, '!');
	assert_string_equal(s.data, "abc!");
	kt_str_add_n(&s, NULL, 0);
	assert_string_equal(s.data, "abc!");
	kt_str_reset(&s);
	assert_string_equal(s.data, "");
	assert_true(s.cap > 0);
	kt_str_add_n(&s, "a\0b", 3);
	assert_int_equal(s.len, 3);
	assert_memory_equal(s.data, "a\0b", 4);
	kt_str_free(&s);

	kt_str_add_safe(&s, "");
	assert_string_equal(s.data, "");
	kt_str_free(&s);
	kt_str_add_csv(&s, "");
	assert_string_equal(s.data, "");
	kt_str_free(&s);
	kt_str_addf(&s, "%s", "");
	assert_string_equal(s.data, "");
	kt_str_free(&s);
}

/* Each length around the sizes at which memory grows: the NUL must always fit. */
static void fits_at_every_length(void **state)
{
	char text[301];

	(void)state;
	memset(text, 'x', 300);
	text[300] = '\0';
	for (size_t n = 0; n <= 300; n++) {
		struct kt_str added = { 0 }, formatted = { 0 }, padded = { 0 };

		kt_str_add(&added, text + 300 - n);
		assert_int_equal(strlen(added.data), n);
		kt_str_addf(&formatted, "%s", text + 300 - n);
		assert_string_equal(formatted.data, added.data);
		kt_str_add(&padded, "");
		kt_str_pad(&padded, 0, n);
		assert_int_equal(strlen(padded.data), n);
		kt_str_add_char(&padded, 'y');
		assert_int_equal(padded.data[n], 'y');
		kt_str_free(&added);
		kt_str_free(&formatted);
		kt_str_free(&padded);
	}
}

static void numbers(void **state)
{
	struct kt_str s = { 0 };

	(void)state;
	kt_str_add_u64(&s, 0);
	kt_str_add_char(&s, ' ');
	kt_str_add_u64(&s, 9);
	kt_str_add_char(&s, ' ');
	kt_str_add_u64(&s, 1234567890);
	kt_str_add_char(&s, ' ');
	kt_str_add_u64(&s, 18446744073709551615ull);
	assert_string_equal(s.data, "0 9 1234567890 18446744073709551615");
	kt_str_reset(&s);
	kt_str_add_hex(&s, 0);
	kt_str_add_char(&s, ' ');
	kt_str_add_hex(&s, 0x1f);
	kt_str_add_char(&s, ' ');
	kt_str_add_hex(&s, 0xfffff8024c1b2a10ull);
	assert_string_equal(s.data, "0x0 0x1f 0xfffff8024c1b2a10");
	kt_str_free(&s);
}

/* Every length, and each way a digit may lie: against printf(). */
static void numbers_agree_with_the_library(void **state)
{
	u64 seed = 88172645463325252ull;
	struct kt_str s = { 0 };
	char want[64], got[24];

	(void)state;
	for (u64 i = 0; i < 200000; i++) {
		u64 value = i < 20000 ? i : seed >> (i % 64);

		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		kt_str_reset(&s);
		kt_str_add_u64(&s, value);
		kt_str_add_hex(&s, value);
		kt_str_add_hex_byte(&s, (u8)value);
		snprintf(want, sizeof(want), "%llu0x%llx%02x", value, value,
			 (unsigned int)(value & 0xff));
		assert_string_equal(s.data, want);
		assert_int_equal(s.len, strlen(want));
		*kt_put_six(got, value % 1000000) = '\0';
		snprintf(want, sizeof(want), "%06llu", value % 1000000);
		assert_string_equal(got, want);
		*kt_put_decimal(got, value % 1000000000, 9) = '\0';
		snprintf(want, sizeof(want), "%09llu", value % 1000000000);
		assert_string_equal(got, want);
	}
	for (u64 power = 1; power <= 1000000000000000000ull; power *= 10) {
		kt_str_reset(&s);
		kt_str_add_u64(&s, power - 1);
		kt_str_add_u64(&s, power);
		snprintf(want, sizeof(want), "%llu%llu", power - 1, power);
		assert_string_equal(s.data, want);
	}
	kt_str_free(&s);
}

/* Never more than n, rounded up to 64. */
static void copies_blocks(void **state)
{
	(void)state;
	for (size_t n = 0; n <= 200; n++) {
		size_t whole = (n + 63) / 64 * 64;
		char *from = malloc(whole + 1), *to = malloc(whole + 1);

		for (size_t i = 0; i < whole; i++) {
			from[i] = (char)(i + n);
			to[i] = '?';
		}
		kt_copy_blocks(to, from, n);
		assert_memory_equal(to, from, n);
		free(from);
		free(to);
	}
}

/* Sources and destinations of exact size: sanitisers see what goes past either. */
static void copies_every_length(void **state)
{
	(void)state;
	for (size_t n = 1; n <= 40; n++) {
		char *from = malloc(n), *to = malloc(n);

		for (size_t i = 0; i < n; i++) {
			from[i] = (char)('A' + i);
			to[i] = '.';
		}
		kt_copy_bytes(to, from, n);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(to[i], 'A' + i);
		free(from);
		free(to);
	}
	kt_copy_bytes(NULL, NULL, 0);
}

static void pads(void **state)
{
	struct kt_str s = { 0 };

	(void)state;
	kt_str_add(&s, "ab");
	kt_str_pad(&s, 0, 5);
	kt_str_add(&s, "cd");
	kt_str_pad(&s, 5, 4);
	assert_string_equal(s.data, "ab   cd  ");
	assert_int_equal(s.len, 9);
	kt_str_pad(&s, 5, 2);
	assert_int_equal(s.len, 9);
	kt_str_reset(&s);
	kt_str_add(&s, "12 \xc2\xb5s"); /* U+00B5: one column, two bytes */
	kt_str_pad(&s, 0, 7);
	kt_str_add_char(&s, '|');
	assert_string_equal(s.data, "12 \xc2\xb5s  |");
	kt_str_free(&s);
}

static void safe_text(void **state)
{
	static const struct pair pairs[] = {
		{ "win11 (test) ~", "win11 (test) ~" },
		{ "", "" },
		{ "a\tb\nc\rd", "a\\x09b\\x0ac\\x0dd" },
		{ "\x01\x1f \x7f", "\\x01\\x1f \\x7f" },
		{ "\x1b[31mred", "\\x1b[31mred" },
		{ "\\x41\\", "\\x41\\" },
		{ "\"quoted\"", "\"quoted\"" },
		/* valid UTF-8 of 2, 3 and 4 bytes, first and last of each form */
		{ "\xc2\xa0 \xc3\xa4 \xdf\xbf", "\xc2\xa0 \xc3\xa4 \xdf\xbf" },
		{ "\xe0\xa0\x80 \xe2\x82\xac \xed\x9f\xbf",
		  "\xe0\xa0\x80 \xe2\x82\xac \xed\x9f\xbf" },
		{ "\xee\x80\x80 \xef\xbf\xbf", "\xee\x80\x80 \xef\xbf\xbf" },
		{ "\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf", "\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf" },
		/* C1 controls: U+009B is CSI */
		{ "\xc2\x80\xc2\x9b\xc2\x9f", "\\xc2\\x80\\xc2\\x9b\\xc2\\x9f" },
		/* U+2028 line separator, U+202E right-to-left override, U+2066 isolate, U+061C */
		{ "\xe2\x80\xa8", "\\xe2\\x80\\xa8" },
		{ "\xe2\x80\xae", "\\xe2\\x80\\xae" },
		{ "\xe2\x81\xa6", "\\xe2\\x81\\xa6" },
		{ "\xd8\x9c\xe2\x80\x8f", "\\xd8\\x9c\\xe2\\x80\\x8f" },
		/* U+2027, U+202F, U+2065 and U+206A are their harmless neighbours */
		{ "\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa",
		  "\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa" },
		/* stray continuation, lead bytes cut off by the end and by ASCII */
		{ "\x80z\xbf", "\\x80z\\xbf" },
		{ "\xc3", "\\xc3" },
		{ "\xe2\x82", "\\xe2\\x82" },
		{ "\xf0\x9f\x98", "\\xf0\\x9f\\x98" },
		{ "\xe2\x82z", "\\xe2\\x82z" },
		{ "\xe2\x82\xc3\xa4", "\\xe2\\x82\xc3\xa4" },
		{ "\xe2\xe2\x82\xac", "\\xe2\xe2\x82\xac" },
		/* overlong / and NUL */
		{ "\xc0\xaf", "\\xc0\\xaf" },
		{ "\xc1\xbf", "\\xc1\\xbf" },
		{ "\xe0\x80\xaf", "\\xe0\\x80\\xaf" },
		{ "\xe0\x9f\xbf", "\\xe0\\x9f\\xbf" },
		{ "\xf0\x80\x80\xaf", "\\xf0\\x80\\x80\\xaf" },
		{ "\xf0\x8f\xbf\xbf", "\\xf0\\x8f\\xbf\\xbf" },
		{ "\xc0\x80", "\\xc0\\x80" },
		/* surrogates U+D800 and U+DFFF */
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },
		{ "\xed\xbf\xbf", "\\xed\\xbf\\xbf" },
		/* above U+10FFFF, and bytes that never occur */
		{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" },
		{ "\xf5\x80\x80\x80", "\\xf5\\x80\\x80\\x80" },
		{ "\xfe\xff", "\\xfe\\xff" },
	};

	(void)state;
	check_pairs(pairs, KT_ARRAY_SIZE(pairs), kt_str_add_safe);
}

static void json_strings(void **state)
{
	static const struct pair pairs[] = {
		{ "", "\"\"" },
		{ "win11", "\"win11\"" },
		{ "say \"hi\" \\ /", "\"say \\\"hi\\\" \\\\ /\"" },
		{ "\b\f\n\r\t", "\"\\b\\f\\n\\r\\t\"" },
		{ "\x01\x1f\x1b", "\"\\u0001\\u001f\\u001b\"" },
		{ "\x7f\xc2\x9b", "\"\\u007f\\u009b\"" },
		{ "\xe2\x80\xa8\xe2\x80\xae", "\"\\u2028\\u202e\"" },
		{ "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80",
		  "\"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80\"" },
		{ "\xff", "\"\xef\xbf\xbd\"" },
		{ "a\xc0\xaf"
		  "b",
		  "\"a\xef\xbf\xbd\xef\xbf\xbd"
		  "b\"" },
		{ "\xe2\x82", "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "\xe2\x82\"", "\"\xef\xbf\xbd\xef\xbf\xbd\\\"\"" },
		{ "\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "\xf4\x90\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
	};

	(void)state;
	check_pairs(pairs, KT_ARRAY_SIZE(pairs), kt_str_add_json);
}

static void csv_fields(void **state)
{
	static const struct pair pairs[] = {
		{ "", "" },
		{ "plain text", "plain text" },
		{ "a,b", "\"a,b\"" },
		{ "say \"hi\"", "\"say \"\"hi\"\"\"" },
		{ "\"", "\"\"\"\"" },
		{ " lead", "\" lead\"" },
		{ "trail ", "\"trail \"" },
		{ " ", "\" \"" },
		{ "two\nlines\r", "two\\x0alines\\x0d" },
		{ "\xff,\x1b", "\"\\xff,\\x1b\"" },
		{ "=1+1", "'=1+1" },
		{ "+1", "'+1" },
		{ "-1", "'-1" },
		{ "@SUM(A1)", "'@SUM(A1)" },
		{ "=cmd|' /C calc'!A0,\"x\"", "\"'=cmd|' /C calc'!A0,\"\"x\"\"\"" },
		{ "a=b", "a=b" },
		{ "'quoted", "'quoted" },
		{ "0xdead", "0xdead" },
		{ "\t=1", "\\x09=1" },
		{ "\xc3\xa4", "\xc3\xa4" },
	};

	(void)state;
	check_pairs(pairs, KT_ARRAY_SIZE(pairs), kt_str_add_csv);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows),
		cmocka_unit_test(is_terminated),
		cmocka_unit_test(fits_at_every_length),
		cmocka_unit_test(numbers),
		cmocka_unit_test(numbers_agree_with_the_library),
		cmocka_unit_test(copies_every_length),
		cmocka_unit_test(copies_blocks),
		cmocka_unit_test(pads),
		cmocka_unit_test(safe_text),
		cmocka_unit_test(json_strings),
		cmocka_unit_test(csv_fields),
	};

	return cmocka_run_group_tests_name("str", tests, NULL, NULL);
}
