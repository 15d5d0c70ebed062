/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * user/store/{gather,order,pack,crc}.c: the loops between rows and bits, beside others that are as
 * simple as can be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../user/store/frame.h"
#include "../../user/store/gather.h"
#include "../../user/store/order.h"
#include "../../user/store/pack.h"

static u64 state;

static u64 noise(void)
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return state >> 20;
}

/* ---- pack.c ---- */

#define NUMBERS 140

static u64 bit_of(const u8 *p, size_t at)
{
	return p[at / 8] >> at % 8 & 1;
}

/* In memory of just the size that is promised, so that ASan sees who writes too far. */
static void check_pack(const u64 *v, u32 n, unsigned int bits)
{
	size_t size = ((size_t)n * bits + 7) / 8, i;
	u8 *p = malloc(size + KT_PACK_SLACK);
	unsigned int bit;

	memset(p, 0xff, size + KT_PACK_SLACK);
	assert_ptr_equal(kt_pack(p, v, n, bits), p + size);
	for (i = 0; i < n; i++) {
		for (bit = 0; bit < bits; bit++) {
			if (bit_of(p, i * bits + bit) != (v[i] >> bit & 1))
				fail_msg("%u numbers of %u bits: number %zu", n, bits, i);
		}
	}
	for (i *= bits; i < size * 8; i++)
		assert_int_equal(bit_of(p, i), 0);
	free(p);
}

static void numbers_become_bits(void **test)
{
	u64 v[NUMBERS];
	unsigned int bits;
	u32 n, i;

	(void)test;
	state = 1;
	for (bits = 0; bits <= 64; bits++) {
		for (i = 0; i < NUMBERS; i++) {
			v[i] = noise() << 32 ^ noise();
			v[i] = bits ? v[i] >> (64 - bits) : 0;
		}
		v[7] = bits ? ~0ull >> (64 - bits) : 0;
		for (n = 0; n <= NUMBERS; n++)
			check_pack(v, n, bits);
	}
}

static void indices_become_the_same_bits(void **test)
{
	u8 want[NUMBERS * 2 + KT_PACK_SLACK], have[NUMBERS * 2 + KT_PACK_SLACK];
	u64 v[NUMBERS];
	u16 index[NUMBERS];
	unsigned int bits;
	u32 n, i;

	(void)test;
	state = 2;
	for (bits = 1; bits <= 16; bits++) {
		for (n = 0; n <= NUMBERS; n++) {
			for (i = 0; i < n; i++)
				v[i] = index[i] = (u16)(noise() & ((1u << bits) - 1));
			kt_pack(want, v, n, bits);
			assert_ptr_equal(kt_pack_indices(have, index, n, bits),
					 have + (n * bits + 7) / 8);
			assert_memory_equal(have, want, (n * bits + 7) / 8);
		}
	}
}

static void offsets_are_what_is_left(void **test)
{
	static const u64 v[] = { 100, 103, 109, 118, 130, 145, 163 };
	static const u64 squares[] = { 97, 100, 106, 115, 127 };
	static const u64 steps[] = { 1, 4, 7, 10, 13 };
	u64 have[5];

	(void)test;
	assert_int_equal(kt_pack_offsets(v, 5, 0, 3, have), 97 | 100 | 106 | 115 | 127);
	assert_memory_equal(have, squares, sizeof(have));
	assert_int_equal(kt_pack_offsets(v, 5, 1, 2, have), 1 | 4 | 7 | 10 | 13);
	assert_memory_equal(have, steps, sizeof(have));
	assert_int_equal(kt_pack_offsets(v, 5, 2, 3, have), 0);
	assert_true(kt_pack_offsets(v, 4, 2, 4, have) == ~0ull);
	assert_true(have[3] == ~0ull);
	assert_int_equal(kt_pack_offsets(v, 1, 0, 100, have), 0);
}

/* ---- gather.c ---- */

#define ROWS 37

static const struct kt_store_field fields[] = {
	{ .type = KT_STORE_U64, .offset = 0 },	{ .type = KT_STORE_U32, .offset = 8 },
	{ .type = KT_STORE_U16, .offset = 12 }, { .type = KT_STORE_U8, .offset = 15 },
	{ .type = KT_STORE_S64, .offset = 24 }, { .type = KT_STORE_BYTES, .offset = 33 },
};
static const u32 widths[] = { 8, 4, 2, 1, 8, 1 };

static u64 number_at(const u8 *p, u32 bytes)
{
	u64 v = 0;

	while (bytes--)
		v = v << 8 | p[bytes];
	return v;
}

/* Rows of a size that differ in few bits, one behind the other or in another order. */
static void check_rows(u32 size, bool elsewhere, u32 n)
{
	const u8 *at[ROWS];
	u8 *rows = calloc(n, size), *mask = calloc(1, size), *want = calloc(1, size);
	struct kt_row_view view = { .n = n, .stride = size, .base = rows };
	u64 values[ROWS];
	u32 i, j;

	for (i = 0; i < n; i++) {
		rows[i * size + noise() % size] = (u8)(1 << noise() % 8);
		at[i] = rows + (n - 1 - i) * size;
	}
	if (elsewhere)
		view = (struct kt_row_view) { .n = n, .at = at };
	mask[3] = want[3] = 0x80; /* from another group */
	for (i = 0; i < n; i++) {
		for (j = 0; j < size; j++)
			want[j] |= kt_view_row(&view, i)[j] ^ kt_view_row(&view, 0)[j];
	}
	kt_view_variation(&view, size, mask);
	assert_memory_equal(mask, want, size);
	for (j = 0; j < KT_ARRAY_SIZE(fields) && fields[j].offset + widths[j] <= size; j++) {
		kt_view_gather(&view, &fields[j], values);
		for (i = 0; i < n; i++)
			assert_true(values[i] ==
				    number_at(kt_view_row(&view, i) + fields[j].offset, widths[j]));
	}
	free(rows);
	free(mask);
	free(want);
}

static void rows_become_columns(void **test)
{
	u32 size, n;

	(void)test;
	state = 3;
	for (size = 32; size <= 240; size++) {
		for (n = 1; n <= ROWS; n += 1 + n / 5) {
			check_rows(size, false, n);
			check_rows(size, true, n);
		}
	}
}

/* ---- order.c ---- */

#define EVENTS 500

static int by_time(const void *a, const void *b)
{
	const struct kt_event_ref *x = a, *y = b;

	if (x->ts != y->ts)
		return x->ts < y->ts ? -1 : 1;
	return x->offset < y->offset ? -1 : 1;
}

static u64 as_it_should(u32 i)
{
	return 1000 + i * 10ull;
}

static u64 backwards(u32 i)
{
	return 1000000 - i;
}

static u64 by_chance(u32 i)
{
	return i * 0 + noise() % 200;
}

static u64 some_late(u32 i)
{
	return 100000 + i * 10ull - (noise() % 20 ? 0 : noise() % 5000);
}

static u64 many_late(u32 i)
{
	return 100000 + i * 10ull - (noise() % 2 ? 0 : noise() % 5000);
}

static u64 one_of_the_future(u32 i)
{
	return i == 3 ? ~0ull : i * 10ull;
}

static u64 by_turns(u32 i)
{
	return i % 100 * 50 + i / 100;
}

static u64 cpu_after_cpu(u32 i)
{
	return i % 128 / 16 * 3 + i / 128 * 1000 + i % 16 * 60;
}

static void events_come_in_order(void **test)
{
	static u64 (*const times[])(u32) = { as_it_should, backwards,	 by_chance,
					     some_late,	   many_late,	 one_of_the_future,
					     by_turns,	   cpu_after_cpu };
	struct kt_event_ref *events, *spare, want[EVENTS];
	u32 n, i, j;

	(void)test;
	state = 4;
	for (i = 0; i < KT_ARRAY_SIZE(times); i++) {
		for (n = 0; n <= EVENTS; n += 1 + n / 8) {
			events = calloc(n + !n, sizeof(*events));
			spare = calloc(2 * n + !n, sizeof(*spare));
			for (j = 0; j < n; j++)
				events[j] = (struct kt_event_ref) { times[i](j), j * 80, j };
			memcpy(want, events, n * sizeof(*want));
			qsort(want, n, sizeof(*want), by_time);
			kt_order_events(events, n, spare);
			assert_memory_equal(events, want, n * sizeof(*want));
			free(events);
			free(spare);
		}
	}
}

/* ---- crc.c ---- */

static u32 crc_by_bits(const u8 *p, size_t n)
{
	u32 crc = 0xffffffff, bit;

	while (n--) {
		crc ^= *p++;
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

static void checksums_are_zlibs(void **test)
{
	static const char digits[] = "123456789";
	u8 *p;
	size_t n, i;

	(void)test;
	/* The check value of CRC-32/ISO-HDLC. */
	assert_int_equal(kt_crc(digits, 9), 0xcbf43926);
	state = 5;
	for (n = 0; n < 700; n++) {
		p = malloc(n + !n);
		for (i = 0; i < n; i++)
			p[i] = (u8)noise();
		assert_int_equal(kt_crc(p, n), crc_by_bits(p, n));
		free(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_become_bits),
		cmocka_unit_test(indices_become_the_same_bits),
		cmocka_unit_test(offsets_are_what_is_left),
		cmocka_unit_test(rows_become_columns),
		cmocka_unit_test(events_come_in_order),
		cmocka_unit_test(checksums_are_zlibs),
	};

	return cmocka_run_group_tests_name("store_rows", tests, NULL, NULL);
}
