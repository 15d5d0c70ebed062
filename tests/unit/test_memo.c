/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* user/lib/memo.c: a text is found by its whole key, and only by that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../user/lib/memo.h"

static bool holds(struct kt_memo *m, struct kt_memo_key key)
{
	return kt_memo_holds(kt_memo_slot(m, &key), &key);
}

static void keep(struct kt_memo *m, struct kt_memo_key key, const char *text)
{
	kt_memo_keep(kt_memo_slot(m, &key), &key, text, strlen(text));
}

static void the_whole_key_counts(void **state)
{
	const struct kt_memo_key key = { "abcd", 4, "win11", 7, 1 };
	struct kt_memo_key other;
	struct kt_memo memo = {};

	(void)state;
	assert_false(holds(&memo, key));
	keep(&memo, key, "text");
	assert_true(holds(&memo, key));
	assert_string_equal(kt_memo_slot(&memo, &key)->text.data, "text");
	other = key;
	other.bytes = "abce";
	assert_false(holds(&memo, other));
	other = key;
	other.size = 3;
	assert_false(holds(&memo, other));
	other = key;
	other.name = "win1";
	assert_false(holds(&memo, other));
	other = key;
	other.number = 8;
	assert_false(holds(&memo, other));
	kt_memo_fini(&memo);
}

static void an_empty_slot_holds_nothing(void **state)
{
	struct kt_memo memo = {};

	(void)state;
	assert_false(holds(&memo, (struct kt_memo_key) { "\0", 1, "", 0, 0 }));
	kt_memo_fini(&memo);
}

static void the_last_text_stays(void **state)
{
	struct kt_memo_key key = { "abcd", 4, "a long name, longer than the next", 0, 5 };
	struct kt_memo memo = {};

	(void)state;
	keep(&memo, key, "the text of the first, which is long");
	keep(&memo, (struct kt_memo_key) { "xy", 2, "b", 0, 5 }, "second");
	assert_false(holds(&memo, key));
	key = (struct kt_memo_key) { "xy", 2, "b", 0, 5 };
	assert_true(holds(&memo, key));
	assert_string_equal(kt_memo_slot(&memo, &key)->text.data, "second");
	assert_int_equal(kt_memo_slot(&memo, &key)->text.len, 6);
	kt_memo_fini(&memo);
	assert_null(kt_memo_slot(&memo, &key)->text.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_whole_key_counts),
		cmocka_unit_test(an_empty_slot_holds_nothing),
		cmocka_unit_test(the_last_text_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
