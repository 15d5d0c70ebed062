/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * user/store/column_{enc,dec}.c: columns come back as they were, coded in the way that suits
 * them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../../user/store/column.h"

#define ROWS 8192
/* The numbers in the file: kvmtrace-capture(5). */
#define CONST  0
#define PACKED 1
#define DELTA  2
#define DELTA2 3
#define DICT   4
#define MAP    5
#define SLACK  16

static u64 state;

static u64 noise(void)
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return state >> 11;
}

static u64 same(u32 i)
{
	return i * 0 + 0xffffffff81000000ull;
}

static u64 near(u32 i)
{
	return i * 0 + 1350 + noise() % 300;
}

static u64 near_with_outliers(u32 i)
{
	return i % 100 ? 1350 + noise() % 300 : noise();
}

static u64 time_of_events(u32 i)
{
	static u64 now;

	now = i ? now + 700 + noise() % 500 : 1234567890123ull;
	return now;
}

static u64 steady(u32 i)
{
	return 0xfffffffffffff000ull + i * 4096ull;
}

static u64 accelerating(u32 i)
{
	return 3ull * i * i + 1000000ull * i;
}

static u64 falling(u32 i)
{
	return 1ull << 40 | (ROWS - i) * 1000ull;
}

static u64 few(u32 i)
{
	static const u64 values[] = { 0x7c, ~0ull, 0xffffffff8104f2a0ull, 5, 0x7ff612345678ull };

	return values[i * 0 + noise() % 5];
}

static u64 two(u32 i)
{
	return i * 0 + (noise() & 1 ? 0xffff888000000000ull : 0);
}

static u64 hundreds(u32 i)
{
	return i * 0 + 0xffffffff81000000ull + noise() % 500 * 0x1237ull;
}

static u64 any(u32 i)
{
	return i * 0 + noise() * 0x9e3779b97f4a7c15ull;
}

static u64 around_zero(u32 i)
{
	return i * 0 + noise() % 100 - 50;
}

static u64 period_of_the_sample(u32 i)
{
	/* A column of ROWS is sampled about every 128 values. */
	return i % 128 ? noise() % 10 : 1ull << 50;
}

struct column {
	const char *name;
	u64 (*value)(u32 i);
	int encoding; /* -1: none is the only right one */
	double bytes; /* a row, at most */
};

static const struct column columns[] = {
	{ "same", same, CONST, 0.01 },
	{ "near", near, PACKED, 1.2 },
	{ "near with outliers", near_with_outliers, PACKED, 1.35 },
	{ "time", time_of_events, DELTA, 1.2 },
	{ "steady", steady, DELTA, 0.01 },
	{ "accelerating", accelerating, DELTA2, 0.01 },
	{ "falling", falling, DELTA, 0.01 },
	{ "few", few, DICT, 0.6 },
	{ "two", two, DICT, 0.2 },
	{ "hundreds", hundreds, -1, 3 },
	{ "any", any, PACKED, 8.1 },
	{ "around zero", around_zero, -1, 1.1 },
	{ "period", period_of_the_sample, -1, 2 },
};

/* Encodes n values and checks that they come back. Returns the bytes the column took. */
static size_t round_trip(struct kt_column_encoder *e, struct kt_column_memo *memo,
			 const struct column *c, u32 n, u8 *encoding)
{
	u64 *want = malloc(n * sizeof(*want)), *have = malloc(n * sizeof(*have));
	struct kt_column_ref refs[1];
	struct kt_str out = {};
	struct kt_in in;
	size_t size;
	u32 i;

	for (i = 0; i < n; i++)
		want[i] = c->value(i);
	kt_column_begin(e, n);
	memcpy(kt_column_values(e), want, n * sizeof(*want));
	kt_column_encode(e, memo, 0, &out);
	size = out.len;
	*encoding = (u8)out.data[0];
	kt_str_add_n(&out, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", SLACK);
	in = kt_in(out.data, size);
	assert_true(kt_column_decode(&in, n, refs, 0, have));
	assert_int_equal(kt_in_left(&in), 0);
	assert_memory_equal(want, have, n * sizeof(*want));
	kt_str_free(&out);
	free(want);
	free(have);
	return size;
}

static void each_is_coded_as_suits_it(void **test)
{
	struct kt_column_encoder *e = kt_column_encoder_new(ROWS);
	struct kt_column_memo memo;
	u8 encoding;
	size_t size, i;

	(void)test;
	state = 1;
	for (i = 0; i < KT_ARRAY_SIZE(columns); i++) {
		const struct column *c = &columns[i];

		memo = (struct kt_column_memo) {};
		size = round_trip(e, &memo, c, ROWS, &encoding);
		if ((c->encoding >= 0 && encoding != c->encoding) || (double)size > c->bytes * ROWS)
			fail_msg("%s: encoding %u, %zu bytes", c->name, encoding, size);
	}
	kt_column_encoder_free(e);
}

static void every_length_comes_back(void **test)
{
	struct kt_column_encoder *e = kt_column_encoder_new(300);
	struct kt_column_memo memo;
	size_t i;
	u8 encoding;
	u32 n;

	(void)test;
	state = 2;
	for (n = 1; n <= 300; n++) {
		for (i = 0; i < KT_ARRAY_SIZE(columns); i++) {
			memo = (struct kt_column_memo) {};
			round_trip(e, &memo, &columns[i], n, &encoding);
		}
	}
	kt_column_encoder_free(e);
}

/* One memo for columns as unlike each other as can be; now and then it has time to be right. */
static void a_column_may_change_its_ways(void **test)
{
	struct kt_column_encoder *e = kt_column_encoder_new(ROWS);
	struct kt_column_memo memo = {};
	const struct column *c;
	u32 i, n, times;
	u8 encoding;

	(void)test;
	state = 5;
	for (i = 0; i < 1000; i++) {
		c = &columns[noise() % KT_ARRAY_SIZE(columns)];
		for (times = noise() % 4 ? 1 : 20; times; times--) {
			n = noise() % 3 ? 1 + (u32)noise() % 20 : 1 + (u32)noise() % 900;
			round_trip(e, &memo, c, n, &encoding);
		}
	}
	/* What was right for the last block is no burden for long. */
	for (i = 0; i < KT_ARRAY_SIZE(columns); i++) {
		size_t size = 0;

		for (times = 0; times < 20; times++)
			size = round_trip(e, &memo, &columns[i], ROWS, &encoding);
		if ((double)size > columns[i].bytes * ROWS)
			fail_msg("%s: %zu bytes", columns[i].name, size);
	}
	kt_column_encoder_free(e);
}

static unsigned int width;

static u64 of_width(u32 i)
{
	return i * 0 + (noise() << 32 ^ noise()) % (width < 64 ? 1ull << width : ~0ull);
}

static void every_width_comes_back(void **test)
{
	struct kt_column_encoder *e = kt_column_encoder_new(1000);
	const struct column c = { "width", of_width, -1, 0 };
	struct kt_column_memo memo;
	u8 encoding;

	(void)test;
	state = 3;
	for (width = 1; width <= 64; width++) {
		memo = (struct kt_column_memo) {};
		assert_true(round_trip(e, &memo, &c, 1000, &encoding) <=
			    KT_COL_HEADER + 30 + 1000 * (width + 7u) / 8);
	}
	kt_column_encoder_free(e);
}

/* Columns 0 (a dictionary), 1 and 2 of a kind: 1 follows from 0, 2 does but for one value. */
static void what_follows_is_left_out(void **test)
{
	struct kt_column_encoder *e = kt_column_encoder_new(ROWS);
	u64 want[3][ROWS], have[ROWS];
	struct kt_column_memo memos[3] = {};
	struct kt_column_ref refs[3];
	struct kt_str out = {};
	size_t begin[4];
	struct kt_in in;
	u32 i;
	u8 field;

	(void)test;
	state = 4;
	for (i = 0; i < ROWS; i++) {
		want[0][i] = 4720 + noise() % 4;
		want[1][i] = want[0][i] - 4720;
		want[2][i] = want[0][i] * 3;
	}
	want[2][ROWS - 1]++;
	kt_column_begin(e, ROWS);
	for (field = 0; field < 3; field++) {
		begin[field] = out.len;
		memcpy(kt_column_values(e), want[field], sizeof(want[field]));
		kt_column_encode(e, &memos[field], field, &out);
	}
	begin[3] = out.len;
	assert_int_equal(out.data[begin[0]], DICT);
	assert_int_equal(out.data[begin[1]], MAP);
	assert_int_equal(out.data[begin[1] + 1], 0);
	assert_int_equal(begin[2] - begin[1], 8 + 4 * 8);
	assert_int_not_equal(out.data[begin[2]], MAP);
	kt_str_add_n(&out, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", SLACK);
	in = kt_in(out.data, begin[3]);
	for (field = 0; field < 3; field++) {
		assert_true(kt_column_decode(&in, ROWS, refs, field, have));
		assert_memory_equal(have, want[field], sizeof(have));
	}
	kt_str_free(&out);
	kt_column_encoder_free(e);
}

/* Bytes typed by hand, after kvmtrace-capture(5): 4 values of each encoding. */
struct typed {
	const char *name;
	u8 n, bytes[64];
	bool fits;
	u64 values[4];
};

#define HEADER(encoding, arg, size) encoding, arg, 0, 0, size, 0, 0, 0

static const struct typed typed[] = {
	{ "const", 10, { HEADER(CONST, 0, 2), 0xac, 0x02 }, true, { 300, 300, 300, 300 } },
	{ "const without its end", 9, { HEADER(CONST, 0, 1), 0x80 }, false, {} },
	{ "a number of 11 bytes",
	  19,
	  { HEADER(CONST, 0, 11), 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 1 },
	  false,
	  {} },
	/* 4 bits: 1 2 3 f. */
	{ "packed", 12, { HEADER(PACKED, 4, 4), 10, 0, 0x21, 0xf3 }, true, { 11, 12, 13, 25 } },
	/* 3 bits: 1, 2, 0, 7; the third is 100 above the base. */
	{ "an exception",
	  14,
	  { HEADER(PACKED, 3, 6), 5, 1, 0x11, 0x0e, 2, 100 },
	  true,
	  { 6, 7, 105, 12 } },
	{ "two exceptions",
	  15,
	  { HEADER(PACKED, 0, 7), 5, 2, 0, 100, 2, 0xc8, 0x01 },
	  true,
	  { 105, 5, 5, 205 } },
	{ "an exception behind the end", 13, { HEADER(PACKED, 0, 5), 5, 1, 4, 100, 0 }, false, {} },
	{ "the second one, too", 14, { HEADER(PACKED, 0, 6), 5, 2, 3, 1, 0, 1 }, false, {} },
	{ "more exceptions than values", 10, { HEADER(PACKED, 0, 2), 5, 5 }, false, {} },
	{ "too few bits", 11, { HEADER(PACKED, 4, 3), 10, 0, 0x21 }, false, {} },
	{ "65 bits",
	  44,
	  { HEADER(PACKED, 65, 36),
	    10,
	    0,
	    1,
	    1,
	    1,
	    1,
	    1,
	    1,
	    1,
	    1,
	    1,
	    1,
	    1,
	    1,
	    1,
	    1,
	    1,
	    1,
	    1,
	    1,
	    1,
	    1,
	    1,
	    1,
	    1,
	    1,
	    1,
	    1,
	    1,
	    1,
	    1,
	    1,
	    1,
	    1,
	    1,
	    1 },
	  false,
	  {} },
	/* From 1000, by 2 + 1, 2 + 0, 2 + 3. */
	{ "delta",
	  13,
	  { HEADER(DELTA, 2, 5), 0xe8, 0x07, 2, 0, 0x31 },
	  true,
	  { 1000, 1003, 1005, 1010 } },
	/* From 10 by 5, then by 5 + 1, then by 6 + 1. */
	{ "delta of deltas", 12, { HEADER(DELTA2, 0, 4), 10, 5, 1, 0 }, true, { 10, 15, 21, 28 } },
	/* Of 7 and 9: 9 7 7 9. */
	{ "dictionary",
	  26,
	  { HEADER(DICT, 1, 18), 2, 7, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0x09 },
	  true,
	  { 9, 7, 7, 9 } },
	{ "index behind the dictionary",
	  26,
	  { HEADER(DICT, 2, 18), 2, 7, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0x81 },
	  false,
	  {} },
	{ "more entries than indices",
	  34,
	  { HEADER(DICT, 1, 26),
	    3,
	    7,
	    0,
	    0,
	    0,
	    0,
	    0,
	    0,
	    0,
	    9,
	    0,
	    0,
	    0,
	    0,
	    0,
	    0,
	    0,
	    1,
	    0,
	    0,
	    0,
	    0,
	    0,
	    0,
	    0,
	    0x09 },
	  false,
	  {} },
	{ "no entries", 10, { HEADER(DICT, 1, 2), 0, 0 }, false, {} },
	{ "index of 13 bits", 24, { HEADER(DICT, 13, 16), 1 }, false, {} },
	{ "follows from itself", 16, { HEADER(MAP, 0, 8), 1 }, false, {} },
	{ "bytes where numbers should be", 12, { HEADER(6, 0, 4) }, false, {} },
	{ "unknown encoding", 8, { HEADER(7, 0, 0) }, false, {} },
	{ "longer than there is", 10, { HEADER(CONST, 0, 3), 0xac, 0x02 }, false, {} },
	{ "half a header", 5, { CONST, 0, 0, 0, 1 }, false, {} },
};

static void typed_bytes_are_understood(void **test)
{
	struct kt_column_ref refs[1];
	u64 have[4];
	size_t i;
	u8 *bytes;

	(void)test;
	for (i = 0; i < KT_ARRAY_SIZE(typed); i++) {
		const struct typed *t = &typed[i];
		struct kt_in in;

		bytes = calloc(1, t->n + SLACK);
		memcpy(bytes, t->bytes, t->n);
		in = kt_in(bytes, t->n);
		if (kt_column_decode(&in, 4, refs, 0, have) != t->fits)
			fail_msg("%s: %s", t->name, t->fits ? "refused" : "taken");
		if (t->fits && memcmp(have, t->values, sizeof(have)) != 0)
			fail_msg("%s: wrong values", t->name);
		free(bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_coded_as_suits_it),
		cmocka_unit_test(every_length_comes_back),
		cmocka_unit_test(a_column_may_change_its_ways),
		cmocka_unit_test(every_width_comes_back),
		cmocka_unit_test(what_follows_is_left_out),
		cmocka_unit_test(typed_bytes_are_understood),
	};

	return cmocka_run_group_tests_name("store_column", tests, NULL, NULL);
}
