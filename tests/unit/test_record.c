/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* user/sink/record.c: JSON and CSV, byte for byte, and JSON that parses whatever goes in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../../user/sink/record.h"
#include "json_reader.h"

static void the_reader_is_strict(void **state)
{
	static const char *const good[] = {
		"{}",
		"{\"a\":1}",
		"{\"a\":[1,-2.5e+3,0.1],\"b\":{\"c\":null,\"d\":true}}",
		"{\"\\u00e4\\n\":\"\xc3\xa4\xf0\x9f\x98\x80\"}",
	};
	static const char *const bad[] = {
		"",
		"[]",
		"{",
		"{}x",
		"{\"a\"}",
		"{\"a\":}",
		"{\"a\":1,}",
		"{,}",
		"{a:1}",
		"{\"a\":01}",
		"{\"a\":1.}",
		"{\"a\":.5}",
		"{\"a\":+1}",
		"{\"a\":-}",
		"{\"a\":1e}",
		"{\"a\":nan}",
		"{\"a\":inf}",
		"{\"a\":[1 2]}",
		"{\"a\":[1,]}",
		"{\"a\":\"\n\"}",
		"{\"a\":\"\\x41\"}",
		"{\"a\":\"\\u12g4\"}",
		"{\"a\":\"\\\"}",
		"{\"a\":\"b}",
		"{\"a\":\"\xff\"}",
		"{\"a\":\"\xc0\xaf\"}",
		"{\"a\":\"\xed\xa0\x80\"}",
		"{\"a\":\"\xe2\x82\"}",
		"{\"a\":\"\xf4\x90\x80\x80\"}",
		"{\"a\":1\"b\":2}",
		"{\"a\":0x10}",
		"{\"a\":True}",
		"{\"a\":[}",
		"{\"a\":[1}}",
	};

	(void)state;
	for (size_t i = 0; i < KT_ARRAY_SIZE(good); i++)
		assert_true(is_json_object(good[i]));
	for (size_t i = 0; i < KT_ARRAY_SIZE(bad); i++) {
		if (is_json_object(bad[i]))
			fail_msg("taken for JSON: %s", bad[i]);
	}
}

/* ---- a record sink that writes to memory ---- */

struct sink {
	FILE *file, *stderr_file;
	int real_stderr;
	struct kt_out *out;
	struct kt_record *r;
	char written[16384], said[4096];
};

static void sink_open(struct sink *s, enum kt_format format, const char *main_type)
{
	char path[64];

	s->file = tmpfile();
	s->stderr_file = tmpfile();
	assert_non_null(s->file);
	assert_non_null(s->stderr_file);
	s->real_stderr = dup(STDERR_FILENO);
	dup2(fileno(s->stderr_file), STDERR_FILENO);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fileno(s->file));
	s->out = kt_out_open(path);
	s->r = kt_record_new(format, s->out, main_type);
}

static void read_back(FILE *file, char *text, size_t size)
{
	ssize_t n = pread(fileno(file), text, size - 1, 0);

	fclose(file);
	assert_true(n >= 0);
	text[n] = '\0';
}

static void sink_close(struct sink *s)
{
	kt_record_free(s->r);
	kt_out_close(s->out);
	dup2(s->real_stderr, STDERR_FILENO);
	close(s->real_stderr);
	read_back(s->file, s->written, sizeof(s->written));
	read_back(s->stderr_file, s->said, sizeof(s->said));
}

/* Every line must be an object. */
static void assert_json_lines(const struct sink *s)
{
	char *copy = strdup(s->written), *save = NULL;

	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (!is_json_object(line))
			fail_msg("not JSON: %s", line);
	}
	free(copy);
}

/* ---- what a command would write ---- */

static const char *const cause_names[] = { "exit", "code", NULL };

/* An exception in the form DESIGN has it. */
static void put_exception(struct kt_record *r, const char *vm, bool error_code, bool cause)
{
	kt_record_begin(r, "exception");
	kt_record_time(r, "time", 1769903999000000001ull);
	kt_record_object(r, "vm");
	kt_record_u64(r, "pid", 4711);
	kt_record_str(r, "name", vm);
	kt_record_object_end(r);
	kt_record_u64(r, "vcpu", 0);
	kt_record_str(r, "name", "#GP");
	if (error_code)
		kt_record_hex(r, "error_code", 0x18);
	else
		kt_record_null(r, "error_code");
	kt_record_bool(r, "reinjected", false);
	if (cause) {
		kt_record_object(r, "cause");
		kt_record_str(r, "exit", "MSR");
		kt_record_hex(r, "code", 0x7c);
		kt_record_object_end(r);
	} else {
		kt_record_null_object(r, "cause", cause_names);
	}
	kt_record_end(r);
}

static void put_hist(struct kt_record *r)
{
	kt_record_array(r, "hist");
	for (int i = 1; i <= 2; i++) {
		kt_record_array(r, NULL);
		kt_record_u64(r, NULL, i * 1024);
		kt_record_u64(r, NULL, i * 2048);
		kt_record_s64(r, NULL, -i);
		kt_record_array_end(r);
	}
	kt_record_array_end(r);
}

static void put_access(struct kt_record *r)
{
	kt_record_array(r, "access");
	kt_record_str(r, NULL, "write");
	kt_record_str(r, NULL, "not-present");
	kt_record_array_end(r);
}

static void put_lost(struct kt_record *r)
{
	kt_record_begin(r, "lost");
	kt_record_u64(r, "events", 3);
	kt_record_object(r, "by");
	kt_record_str(r, "vm", "my \"vm\"\n=1");
	kt_record_str(r, "cause", "ringbuf");
	kt_record_str(r, "empty", "");
	kt_record_str(r, "bad", "\xff\x1b[m");
	kt_record_object_end(r);
	kt_record_str(r, "note", NULL);
	kt_record_hex(r, "mask", 0xf0);
	kt_record_real(r, "rate", 0.25);
	kt_record_bool(r, "strict", true);
	kt_record_null_object(r, "cause", cause_names);
	put_hist(r);
	kt_record_end(r);
}

/* ---- JSON ---- */

static void json_records(void **state)
{
	struct sink s;

	(void)state;
	sink_open(&s, KT_FORMAT_JSON, "exception");
	put_exception(s.r, "win11", true, true);
	put_exception(s.r, NULL, false, false);
	put_lost(s.r);
	sink_close(&s);
	assert_string_equal(
		s.written,
		"{\"type\":\"exception\",\"time\":\"2026-01-31T23:59:59.000000001Z\","
		"\"vm\":{\"pid\":4711,\"name\":\"win11\"},\"vcpu\":0,\"name\":\"#GP\","
		"\"error_code\":\"0x18\",\"reinjected\":false,"
		"\"cause\":{\"exit\":\"MSR\",\"code\":\"0x7c\"}}\n"
		"{\"type\":\"exception\",\"time\":\"2026-01-31T23:59:59.000000001Z\","
		"\"vm\":{\"pid\":4711,\"name\":null},\"vcpu\":0,\"name\":\"#GP\","
		"\"error_code\":null,\"reinjected\":false,\"cause\":null}\n"
		"{\"type\":\"lost\",\"events\":3,\"by\":{\"vm\":\"my \\\"vm\\\"\\n=1\","
		"\"cause\":\"ringbuf\",\"empty\":\"\",\"bad\":\"\xef\xbf\xbd\\u001b[m\"},"
		"\"note\":null,\"mask\":\"0xf0\",\"rate\":0.25,\"strict\":true,\"cause\":null,"
		"\"hist\":[[1024,2048,-1],[2048,4096,-2]]}\n");
	assert_string_equal(s.said, "");
	assert_json_lines(&s);
}

static void json_shapes(void **state)
{
	struct sink s;

	(void)state;
	sink_open(&s, KT_FORMAT_JSON, "x");
	kt_record_begin(s.r, "x");
	kt_record_end(s.r);
	kt_record_begin(s.r, "x");
	kt_record_object(s.r, "empty");
	kt_record_object_end(s.r);
	kt_record_array(s.r, "none");
	kt_record_array_end(s.r);
	kt_record_array(s.r, "mixed");
	kt_record_array(s.r, NULL);
	kt_record_array_end(s.r);
	kt_record_object(s.r, NULL);
	kt_record_null(s.r, "a\"b");
	kt_record_object_end(s.r);
	kt_record_null(s.r, NULL);
	kt_record_bool(s.r, NULL, true);
	kt_record_null_object(s.r, NULL, cause_names);
	kt_record_array_end(s.r);
	put_access(s.r);
	kt_record_end(s.r);
	sink_close(&s);
	assert_string_equal(s.written, "{\"type\":\"x\"}\n"
				       "{\"type\":\"x\",\"empty\":{},\"none\":[],"
				       "\"mixed\":[[],{\"a\\\"b\":null},null,true,null],"
				       "\"access\":[\"write\",\"not-present\"]}\n");
	assert_json_lines(&s);
}

static void json_numbers(void **state)
{
	struct sink s;

	(void)state;
	sink_open(&s, KT_FORMAT_JSON, "x");
	kt_record_begin(s.r, "x");
	kt_record_u64(s.r, "u", 18446744073709551615ull);
	kt_record_s64(s.r, "s", LLONG_MIN);
	kt_record_s64(s.r, "t", 9223372036854775807);
	kt_record_hex(s.r, "h", 18446744073709551615ull);
	kt_record_array(s.r, "r");
	kt_record_real(s.r, NULL, 0.1);
	kt_record_real(s.r, NULL, 1.0 / 3);
	kt_record_real(s.r, NULL, -2.5);
	kt_record_real(s.r, NULL, 1e300);
	kt_record_real(s.r, NULL, 12345678);
	kt_record_real(s.r, NULL, 0);
	kt_record_real(s.r, NULL, NAN);
	kt_record_real(s.r, NULL, INFINITY);
	kt_record_real(s.r, NULL, -INFINITY);
	kt_record_real(s.r, NULL, DBL_MAX);
	kt_record_real(s.r, NULL, 5e-324);
	kt_record_array_end(s.r);
	kt_record_end(s.r);
	sink_close(&s);
	assert_string_equal(s.written,
			    "{\"type\":\"x\",\"u\":18446744073709551615,"
			    "\"s\":-9223372036854775808,\"t\":9223372036854775807,"
			    "\"h\":\"0xffffffffffffffff\","
			    "\"r\":[0.1,0.33333333333333331,-2.5,1e+300,12345678,0,null,null,null,"
			    "1.7976931348623157e+308,4.94065645841247e-324]}\n");
	assert_json_lines(&s);
}

/* Names of every byte, pair by pair, and of random bytes that are nearly UTF-8. */
static void put_hostile_names(struct kt_record *r, unsigned int *seed)
{
	static const unsigned char likely[] = { 0x22, 0x5c, 0x0a, 0x2c, 0x3d, 0xc2, 0xe0, 0xe2,
						0xed, 0xf0, 0xf4, 0x80, 0x9f, 0xa0, 0xbf, 0x41 };
	char name[24];
	size_t n = rand_r(seed) % (sizeof(name) - 1);

	for (size_t i = 0; i < n; i++) {
		int random = rand_r(seed);

		name[i] = random & 0x100 ? random & 0xff : likely[random & 0xf];
	}
	name[n] = '\0';
	kt_record_begin(r, "x");
	kt_record_u64(r, "before", 1);
	kt_record_str(r, "name", name);
	kt_record_u64(r, "after", 2);
	kt_record_end(r);
}

static void json_survives_hostile_names(void **state)
{
	unsigned int seed = 1;
	struct sink s;

	(void)state;
	for (int round = 0; round < 200; round++) {
		size_t lines = 0;

		sink_open(&s, KT_FORMAT_JSON, "x");
		for (int i = 0; i < 50; i++)
			put_hostile_names(s.r, &seed);
		sink_close(&s);
		for (const char *p = s.written; (p = strchr(p, '\n')); p++)
			lines++;
		assert_int_equal(lines, 50);
		assert_json_lines(&s);
	}
}

/* ---- CSV ---- */

static void csv_records(void **state)
{
	struct sink s;

	(void)state;
	sink_open(&s, KT_FORMAT_CSV, "exception");
	put_lost(s.r);
	put_exception(s.r, "win11", true, true);
	put_exception(s.r, "=cmd|' /C calc'!A0", false, false);
	put_exception(s.r, "a,\"b\"\n", false, true);
	put_exception(s.r, NULL, true, false);
	sink_close(&s);
	assert_string_equal(
		s.written,
		"time,vm.pid,vm.name,vcpu,name,error_code,reinjected,cause.exit,cause.code\n"
		"2026-01-31T23:59:59.000000001Z,4711,win11,0,#GP,0x18,false,MSR,0x7c\n"
		"2026-01-31T23:59:59.000000001Z,4711,'=cmd|' /C calc'!A0,0,#GP,,false,,\n"
		"2026-01-31T23:59:59.000000001Z,4711,\"a,\"\"b\"\"\\x0a\",0,#GP,,false,MSR,0x7c\n"
		"2026-01-31T23:59:59.000000001Z,4711,,0,#GP,0x18,false,,\n");
	assert_string_equal(
		s.said, "kvmtrace: lost: events=3 by.vm=\"my \\\"vm\\\"\\n=1\" by.cause=ringbuf "
			"by.empty=\"\" by.bad=\\xff\\x1b[m note=null mask=0xf0 rate=0.25 "
			"strict=true cause=null hist=\"1024:2048:-1 2048:4096:-2\"\n");
}

static void put_arrays(struct kt_record *r)
{
	kt_record_begin(r, "x");
	kt_record_null(r, "first");
	put_hist(r);
	put_access(r);
	kt_record_array(r, "none");
	kt_record_array_end(r);
	kt_record_array(r, "negative");
	kt_record_s64(r, NULL, -5);
	kt_record_real(r, NULL, -0.5);
	kt_record_array_end(r);
	kt_record_array(r, "hostile");
	kt_record_str(r, NULL, "=1");
	kt_record_str(r, NULL, "a,b");
	kt_record_array_end(r);
	kt_record_array(r, "objects");
	kt_record_object(r, NULL);
	kt_record_u64(r, "lo", 1);
	kt_record_hex(r, "hi", 2);
	kt_record_object_end(r);
	kt_record_object(r, NULL);
	kt_record_bool(r, "lo", true);
	kt_record_null_object(r, "hi", cause_names);
	kt_record_object_end(r);
	kt_record_array_end(r);
	kt_record_object(r, "a");
	kt_record_object(r, "b");
	kt_record_s64(r, "c", -1);
	kt_record_object_end(r);
	kt_record_str(r, "d", "-1");
	kt_record_object_end(r);
	kt_record_real(r, "last", NAN);
	kt_record_end(r);
}

static void csv_arrays_are_one_field(void **state)
{
	struct sink s;

	(void)state;
	sink_open(&s, KT_FORMAT_CSV, "x");
	put_arrays(s.r);
	put_arrays(s.r);
	sink_close(&s);
	assert_string_equal(s.written,
			    "first,hist,access,none,negative,hostile,objects,a.b.c,a.d,last\n"
			    ",1024:2048:-1 2048:4096:-2,write not-present,,-5 -0.5,\"'=1 a,b\","
			    "1:0x2 true:,-1,'-1,\n"
			    ",1024:2048:-1 2048:4096:-2,write not-present,,-5 -0.5,\"'=1 a,b\","
			    "1:0x2 true:,-1,'-1,\n");
}

/* Fields of one row by RFC 4180's grammar, -1 when it breaks it; *field receives number 1. */
static int csv_fields(const char *p, const char *end, char *field)
{
	int count = 0;

	for (;;) {
		bool quoted = p < end && *p == '"';

		for (p += quoted; p < end && (quoted || *p != ','); p++) {
			if (*p == '"' && (!quoted || p + 1 == end || p[1] != '"'))
				break;
			p += *p == '"';
			if (count == 1)
				*field++ = *p;
		}
		if (quoted && (p == end || *p++ != '"'))
			return -1;
		count++;
		if (p == end) {
			*field = '\0';
			return count;
		}
		if (*p++ != ',')
			return -1;
	}
}

static void csv_survives_hostile_names(void **state)
{
	unsigned int seed = 1;
	struct sink s;

	(void)state;
	for (int round = 0; round < 200; round++) {
		size_t lines = 0;

		sink_open(&s, KT_FORMAT_CSV, "x");
		for (int i = 0; i < 50; i++)
			put_hostile_names(s.r, &seed);
		sink_close(&s);
		for (char *p = s.written, *end; (end = strchr(p, '\n')); p = end + 1, lines++) {
			char field[256];

			assert_int_equal(csv_fields(p, end, field), 3);
			assert_null(strpbrk(field, "\r\x1b\x07"));
			assert_true(!field[0] || !strchr("=+-@", field[0]));
		}
		assert_int_equal(lines, 51);
	}
}

static void csv_without_rows_is_empty(void **state)
{
	struct sink s;

	(void)state;
	sink_open(&s, KT_FORMAT_CSV, "x");
	kt_record_begin(s.r, "summary");
	kt_record_end(s.r);
	sink_close(&s);
	assert_string_equal(s.written, "");
	assert_string_equal(s.said, "kvmtrace: summary:\n");
}

/* ---- time ---- */

static void time_is_rfc3339(void **state)
{
	static const struct {
		u64 ns;
		const char *row;
	} cases[] = {
		{ 0, "1970-01-01T00:00:00.000000000Z\n" },
		{ 999999999, "1970-01-01T00:00:00.999999999Z\n" },
		{ 86399000000001, "1970-01-01T23:59:59.000000001Z\n" },
		{ 951782400000000000, "2000-02-29T00:00:00.000000000Z\n" },
		{ 1709164800123456789, "2024-02-29T00:00:00.123456789Z\n" },
		{ 1735689599500000000, "2024-12-31T23:59:59.500000000Z\n" },
		{ 4107542399999999999, "2100-02-28T23:59:59.999999999Z\n" },
		{ 4107542400000000000, "2100-03-01T00:00:00.000000000Z\n" },
		{ 18446744073709551615ull, "2554-07-21T23:34:33.709551615Z\n" },
		{ 1, "1970-01-01T00:00:00.000000001Z\n" }, /* backwards, too */
	};
	char expected[1024] = "time\n";
	struct sink s;

	(void)state;
	sink_open(&s, KT_FORMAT_CSV, "x");
	for (size_t i = 0; i < KT_ARRAY_SIZE(cases); i++) {
		kt_record_begin(s.r, "x");
		kt_record_time(s.r, "time", cases[i].ns);
		kt_record_end(s.r);
		strcat(expected, cases[i].row);
	}
	sink_close(&s);
	assert_string_equal(s.written, expected);
}

/* Every day of the range against the C library's calendar. */
static void dates_agree_with_the_library(void **state)
{
	char expected[16384], *at;
	time_t day = 0;

	(void)state;
	while (day < 213503) {
		struct sink s;

		at = stpcpy(expected, "t\n");
		sink_open(&s, KT_FORMAT_CSV, "x");
		for (int i = 0; i < 500 && day < 213503; i++, day++) {
			time_t second = day * 86400 + day % 86400;
			struct tm tm;

			gmtime_r(&second, &tm);
			at += strftime(at, 64, "%Y-%m-%dT%H:%M:%S.000000000Z\n", &tm);
			kt_record_begin(s.r, "x");
			kt_record_time(s.r, "t", second * 1000000000ull);
			kt_record_end(s.r);
		}
		sink_close(&s);
		assert_string_equal(s.written, expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_reader_is_strict),
		cmocka_unit_test(json_records),
		cmocka_unit_test(json_shapes),
		cmocka_unit_test(json_numbers),
		cmocka_unit_test(json_survives_hostile_names),
		cmocka_unit_test(csv_records),
		cmocka_unit_test(csv_arrays_are_one_field),
		cmocka_unit_test(csv_survives_hostile_names),
		cmocka_unit_test(csv_without_rows_is_empty),
		cmocka_unit_test(time_is_rfc3339),
		cmocka_unit_test(dates_agree_with_the_library),
	};

	return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
