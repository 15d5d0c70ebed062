/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* user/lib/memo.c: a text is found by its whole key, and only by that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../user/lib/memo.h"

static const char win11[] = "win11", again[] = "win11";

static bool holds(struct kt_memo *m, struct kt_memo_key key)
{
	return kt_memo_holds(kt_memo_slot(m, &key), &key);
}

static void keep(struct kt_memo *m, struct kt_memo_key key, const char *text)
{
	kt_memo_keep(m, &key, text, strlen(text));
}

static void the_whole_key_counts(void **state)
{
	const struct kt_memo_key key = { "abcdefgh", 8, win11, 7, 1 };
	static struct kt_memo memo;
	struct kt_memo_key other;

	(void)state;
	assert_false(holds(&memo, key));
	keep(&memo, key, "text");
	assert_true(holds(&memo, key));
	assert_string_equal(kt_memo_slot(&memo, &key)->text.data, "text");
	other = key;
	other.bytes = "abcdefgX";
	assert_false(holds(&memo, other));
	other = key;
	other.bytes = "abcdefghijklmnop";
	other.size = 16;
	assert_false(holds(&memo, other));
	/* A name is known by its place: this one may be changed without the other. */
	other = key;
	other.name = again;
	assert_false(holds(&memo, other));
	other = key;
	other.number = 8;
	assert_false(holds(&memo, other));
	kt_memo_fini(&memo);
}

/* Each bit, with any size and alignment. */
static void each_bit_counts(void **state)
{
	static struct kt_memo memo;
	char bytes[KT_MEMO_KEY_MAX + 8];

	(void)state;
	for (size_t size = 8; size <= KT_MEMO_KEY_MAX; size += 8) {
		struct kt_memo_key key = { bytes + size / 8 % 8, size, win11, 7, 1 };

		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (char)(i * 37 + size);
		keep(&memo, key, "text");
		for (size_t bit = 0; bit < 8 * size; bit++) {
			char *byte = bytes + size / 8 % 8 + bit / 8;

			assert_true(holds(&memo, key));
			*byte ^= 1 << bit % 8;
			assert_false(holds(&memo, key));
			*byte ^= 1 << bit % 8;
		}
	}
	kt_memo_fini(&memo);
}

static void an_empty_slot_holds_nothing(void **state)
{
	const struct kt_memo_key zeros = { "\0\0\0\0\0\0\0", 8, "", 0, 0 };
	static struct kt_memo memo;

	(void)state;
	assert_false(holds(&memo, zeros));
	keep(&memo, zeros, "text");
	assert_true(holds(&memo, zeros));
	kt_memo_fini(&memo);
	assert_false(holds(&memo, zeros));
}

static void the_last_text_stays(void **state)
{
	struct kt_memo_key first = { "abcdefghabcdefgh", 16, win11, 0, 5 };
	struct kt_memo_key second = { "ABCDEFGH", 8, again, 0, 5 };
	static struct kt_memo memo;

	(void)state;
	keep(&memo, first, "the text of the first, which is long");
	keep(&memo, second, "second");
	assert_false(holds(&memo, first));
	assert_true(holds(&memo, second));
	assert_string_equal(kt_memo_slot(&memo, &second)->text.data, "second");
	assert_int_equal(kt_memo_slot(&memo, &second)->text.len, 6);
	kt_memo_fini(&memo);
	assert_null(kt_memo_slot(&memo, &second)->text.data);
}

/* 8192 bytes are kept, of a longer one nothing; and whole blocks may be copied. */
static void long_texts(void **state)
{
	struct kt_memo_key key = { "abcdefgh", 8, win11, 0, 5 };
	static char text[8193], copy[8192 + 64];
	static struct kt_memo memo;

	(void)state;
	memset(text, 'x', sizeof(text));
	kt_memo_keep(&memo, &key, text, 8193);
	assert_false(holds(&memo, key));
	for (size_t n = 8192; n; n /= 2) {
		kt_memo_keep(&memo, &key, text, n);
		assert_true(holds(&memo, key));
		memset(copy, 0, sizeof(copy));
		kt_copy_blocks(copy, kt_memo_slot(&memo, &key)->text.data, n);
		assert_memory_equal(copy, text, n);
	}
	kt_memo_fini(&memo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_whole_key_counts),
		cmocka_unit_test(each_bit_counts),
		cmocka_unit_test(an_empty_slot_holds_nothing),
		cmocka_unit_test(the_last_text_stays),
		cmocka_unit_test(long_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
