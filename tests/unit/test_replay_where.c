/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* user/replay/where.c: which events of a small capture meet a condition. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../user/replay/where.h"
#include "test_replay_files.h"

static struct file file;

/* Digits stand for the events, in the order of time. */
static int make(void **state)
{
	const struct kt_row_msr refused = { .head = head_at(5, 40, 0), .index = 0x1b, .failed = 1 };
	const struct kt_row_msr written = {
		.head = head_at(6, 40, 1), .index = 0xc0000080, .write = 1, .value = 0xd01
	};
	const struct kt_row_userspace_exit interrupted = { .head = head_at(7, 40, 0),
							   .reason = 8,
							   .error = -4 };
	const struct kt_row_userspace_exit shutdown = { .head = head_at(8, 40, 0), .reason = 8 };

	(void)state;
	file_begin(&file);
	add_exit(&file, head_at(1, 40, 0), SVM, 0x72, 1500);  /* 1: CPUID */
	add_exit(&file, head_at(2, 40, 1), SVM, 0x7b, 90000); /* 2: IOIO */
	add_exit(&file, head_at(3, 41, 0), VMX, 10, 700);     /* 3: CPUID */
	add_exception(&file, head_at(4, 40, 0), 13);	      /* 4: #GP after MSR */
	add_row(&file, KT_ROW_MSR, &refused);		      /* 5 */
	add_row(&file, KT_ROW_MSR, &written);		      /* 6 */
	add_row(&file, KT_ROW_USERSPACE_EXIT, &interrupted);  /* 7 */
	add_row(&file, KT_ROW_USERSPACE_EXIT, &shutdown);     /* 8 */
	/* 9: with VMX's flag bit for a failed entry */
	add_exit(&file, head_at(9, 41, 0), VMX, 0x80000021, 1);
	file_end(&file);
	return 0;
}

static int unmake(void **state)
{
	(void)state;
	file_free(&file);
	return 0;
}

static void check(const char *text, const char *expected)
{
	struct kt_reader *r = must_open(file.bytes, file.n);
	const struct kt_block *block;
	struct kt_where *where = NULL;
	struct kt_str why = {};
	char digits[10] = "";
	u32 n = 0;

	if (kt_where_parse(&where, kt_reader_schema(r), text, &why))
		fail_msg("%s: %s", text, why.data);
	assert_int_equal(kt_reader_next_block(r, &block), 1);
	for (u32 i = 0; i < block->count; i++)
		if (kt_where_matches(where, block, &block->groups[block->group[i]], i,
				     block->index[i]))
			digits[n++] = (char)('1' + i);
	if (strcmp(digits, expected))
		fail_msg("%s: %s, not %s", text, digits, expected);
	kt_where_free(where);
	kt_reader_close(r);
}

static void numbers(void **state)
{
	(void)state;
	check("duration == 1500", "1");
	check("duration != 1500", "239");
	check("duration < 1500", "39");
	check("duration <= 1500", "139");
	check("duration > 1500", "2");
	check("duration >= 0x5dc", "12");
	check("duration=1500", "1");
	check("info1 & 0", "");
	check("tgid == 41", "39");
	check("vcpu_id == 1", "26");
	check("ts >= 8", "89");
	check("value & 0x101", "6");
	check("value & 0x2fe", "");
	check("index == 0xc0000080", "6");
	/* signed: a number below 0 is none above 2^63 */
	check("error < 0", "7");
	check("error == -4", "7");
	check("error >= 0", "8");
	check("error > -5", "78");
}

static void names(void **state)
{
	(void)state;
	check("reason == CPUID", "13");
	check("reason == cpuid", "13");
	check("reason == IOIO", "2");
	check("reason == 0x7b", "2");
	check("reason == INVALID_STATE", "9");
	check("reason != CPUID", "29");
	/* of exits and of exits to user space */
	check("reason == SHUTDOWN", "78");
	check("userspace_exit.reason == shutdown and error == 0", "8");
	check("exit_reason == MSR", "4");
	check("vector == #GP", "4");
	check("vector == gp", "4");
	check("vector == 13", "4");
	check("index == IA32_APIC_BASE", "5");
	check("failed == true", "5");
	check("failed == no", "6");
	check("isa == vmx", "39");
	check("kind == msr", "56");
	check("kind != exit", "45678");
}

static void several(void **state)
{
	(void)state;
	check("kind == exit and duration > 1000 and isa == svm", "12");
	check("kind==exit&&duration>1000", "12");
	check("  kind == exit  &&  vcpu_id == 1\t", "2");
	check("reason == 'CPUID' and tgid == \"40\"", "1");
	check("kind == msr and duration > 0", "");
	check("exit.reason & 0x1", "29");
}

static void refuse(const char *text, const char *word)
{
	struct kt_reader *r = must_open(file.bytes, file.n);
	struct kt_where *where = NULL;
	struct kt_str why = {};

	if (kt_where_parse(&where, kt_reader_schema(r), text, &why) != -EINVAL)
		fail_msg("%s: taken", text);
	if (!why.data || !strstr(why.data, word))
		fail_msg("%s: '%s' does not say '%s'", text, why.data, word);
	assert_null(strpbrk(why.data, "\033\n"));
	kt_str_free(&why);
	kt_reader_close(r);
}

static void mistakes(void **state)
{
	char *text = malloc(200000);

	(void)state;
	refuse("", "FIELD OP VALUE");
	refuse("   ", "FIELD OP VALUE");
	refuse("duration", "FIELD OP VALUE");
	refuse("duration 5", "FIELD OP VALUE");
	refuse("duration ==", "FIELD OP VALUE");
	refuse("duration == 5 and", "FIELD OP VALUE");
	refuse("duration == 5 or vector == 1", "FIELD OP VALUE");
	refuse("duration == 5 vector == 1", "FIELD OP VALUE");
	refuse("duration == 5&", "FIELD OP VALUE");
	refuse("duration == '5", "FIELD OP VALUE");
	refuse("== 5", "FIELD OP VALUE");
	refuse("durration > 5", "duration");
	refuse("reasn == CPUID", "did you mean reason");
	refuse("msr.duration > 5", "msr.duration");
	refuse("insn == 0f0b", "insn"); /* bytes are no number */
	refuse("reason == NOSUCHREASON", "NOSUCHREASON");
	refuse("reason > CPUID", "CPUID"); /* names have no order */
	refuse("duration == -1", "-1");
	refuse("duration == 18446744073709551616", "18446744073709551616");
	refuse("kind == nosuch", "nosuch");
	refuse("kind > exit", "exit");
	refuse("\033[31m == 1", "\\x1b[31m");
	memset(text, 'x', 199999);
	text[199999] = '\0';
	refuse(text, "too long");
	text[0] = '\0';
	for (u32 i = 0; i < 17; i++)
		strcat(text, i ? " and ts > 0" : "ts > 0");
	refuse(text, "more than 16");
	free(text);
}

/* Whatever it is, it is taken or refused. */
static void nonsense(void **state)
{
	static const char *const parts[] = { "kind", "==",     " ", "reason", "&",
					     "&&",   "and",    "'", "\"",     "5",
					     ".",    "CPUID",  "<", "=",      "!",
					     "\xff", "vector", "-", "0x",     "msr" };
	struct kt_reader *r = must_open(file.bytes, file.n);
	u64 seed = 88172645463325252ull;

	(void)state;
	for (u32 round = 0; round < 20000; round++) {
		struct kt_where *where = NULL;
		struct kt_str text = {}, why = {};

		kt_str_add(&text, "");
		for (u32 i = 0; i < 1 + round % 9; i++) {
			seed = seed * 6364136223846793005ull + 1442695040888963407ull;
			kt_str_add(&text, parts[(seed >> 33) % KT_ARRAY_SIZE(parts)]);
		}
		if (kt_where_parse(&where, kt_reader_schema(r), text.data, &why))
			assert_true(why.len > 0);
		else
			kt_where_free(where);
		kt_str_free(&text);
		kt_str_free(&why);
	}
	kt_reader_close(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),  cmocka_unit_test(names),	cmocka_unit_test(several),
		cmocka_unit_test(mistakes), cmocka_unit_test(nonsense),
	};

	return cmocka_run_group_tests(tests, make, unmake);
}
