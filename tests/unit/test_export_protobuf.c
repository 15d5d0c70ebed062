/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* user/export/protobuf.c: bytes typed from Protocol Buffers' description of its encoding. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../user/export/protobuf.h"

#define assert_bytes(pb, ...)                                                                      \
	do {                                                                                       \
		const u8 expected[] = { __VA_ARGS__ };                                             \
                                                                                                   \
		assert_int_equal((pb).len, sizeof(expected));                                      \
		assert_memory_equal((pb).data, expected, sizeof(expected));                        \
	} while (0)

static void numbers(void **state)
{
	struct kt_pb pb = {};

	(void)state;
	kt_pb_u64(&pb, 1, 0);
	kt_pb_u64(&pb, 1, 127);
	kt_pb_u64(&pb, 1, 150);
	assert_bytes(pb, 0x08, 0x00, 0x08, 0x7f, 0x08, 0x96, 0x01);
	kt_pb_reset(&pb);
	kt_pb_u64(&pb, 15, 16384);
	kt_pb_u64(&pb, 16, 1);
	kt_pb_u64(&pb, 60, 3);
	assert_bytes(pb, 0x78, 0x80, 0x80, 0x01, 0x80, 0x01, 0x01, 0xe0, 0x03, 0x03);
	kt_pb_reset(&pb);
	kt_pb_u64(&pb, 4, ~0ull);
	assert_bytes(pb, 0x20, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01);
	kt_pb_reset(&pb);
	kt_pb_double(&pb, 44, 1.5);
	assert_bytes(pb, 0xe1, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xf8, 0x3f);
	kt_pb_free(&pb);
}

static void texts(void **state)
{
	struct kt_pb pb = {};

	(void)state;
	kt_pb_text(&pb, 2, "testing");
	kt_pb_bytes(&pb, 3, NULL, 0);
	assert_bytes(pb, 0x12, 0x07, 't', 'e', 's', 't', 'i', 'n', 'g', 0x1a, 0x00);
	kt_pb_free(&pb);
}

static void messages(void **state)
{
	struct kt_pb pb = {};
	size_t outer, inner;

	(void)state;
	outer = kt_pb_open(&pb, 3);
	inner = kt_pb_open(&pb, 4);
	kt_pb_u64(&pb, 1, 150);
	kt_pb_close(&pb, inner);
	inner = kt_pb_open(&pb, 5);
	kt_pb_close(&pb, inner);
	kt_pb_close(&pb, outer);
	assert_bytes(pb, 0x1a, 0x07, 0x22, 0x03, 0x08, 0x96, 0x01, 0x2a, 0x00);
	kt_pb_free(&pb);
}

/* 127 bytes are the most that one byte of length says, 16383 the most of two. */
static void a_message_of(size_t n, const u8 *head, size_t head_size)
{
	struct kt_pb pb = {};
	size_t message = kt_pb_open(&pb, 1), i;

	for (i = 0; i < n / 2; i++)
		kt_pb_u64(&pb, 1, i % 128);
	if (n % 2) {
		kt_pb_reserve(&pb, 1);
		pb.data[pb.len++] = 0x55;
	}
	kt_pb_close(&pb, message);
	assert_int_equal(pb.len, head_size + n);
	assert_memory_equal(pb.data, head, head_size);
	for (i = 0; i < n / 2; i++) {
		assert_int_equal(pb.data[head_size + 2 * i], 0x08);
		assert_int_equal(pb.data[head_size + 2 * i + 1], i % 128);
	}
	assert_true(n % 2 == 0 || pb.data[pb.len - 1] == 0x55);
	kt_pb_free(&pb);
}

static void long_messages(void **state)
{
	(void)state;
	a_message_of(127, (const u8[]) { 0x0a, 0x7f }, 2);
	a_message_of(128, (const u8[]) { 0x0a, 0x80, 0x01 }, 3);
	a_message_of(16383, (const u8[]) { 0x0a, 0xff, 0x7f }, 3);
	a_message_of(16384, (const u8[]) { 0x0a, 0x80, 0x80, 0x01 }, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),
		cmocka_unit_test(texts),
		cmocka_unit_test(messages),
		cmocka_unit_test(long_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
