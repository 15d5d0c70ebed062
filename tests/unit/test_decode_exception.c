/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Vectors and error codes, from SDM volume 3, "Interrupt and exception handling". */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <errno.h>
#include <cmocka.h>
#include "../../user/decode/decode.h"

static void collect(void *ctx, const char *name)
{
	struct kt_str *s = ctx;

	if (s->len)
		kt_str_add_char(s, ' ');
	kt_str_add(s, name);
}

static void assert_names(u32 vector, u32 error_code, const char *expected)
{
	struct kt_str s = { 0 };

	kt_error_code_names(vector, error_code, collect, &s);
	assert_string_equal(s.data ? s.data : "", expected);
	kt_str_free(&s);
}

static const char *const names[32] = {
	[0] = "#DE",  [1] = "#DB",  [2] = "NMI",  [3] = "#BP",	[4] = "#OF",  [5] = "#BR",
	[6] = "#UD",  [7] = "#NM",  [8] = "#DF",  [10] = "#TS", [11] = "#NP", [12] = "#SS",
	[13] = "#GP", [14] = "#PF", [16] = "#MF", [17] = "#AC", [18] = "#MC", [19] = "#XM",
	[20] = "#VE", [21] = "#CP", [28] = "#HV", [29] = "#VC", [30] = "#SX",
};

static void test_vector_names(void **state)
{
	(void)state;
	for (u32 i = 0; i < 32; i++) {
		if (names[i])
			assert_string_equal(kt_vector_name(i), names[i]);
		else
			assert_null(kt_vector_name(i));
	}
	assert_null(kt_vector_name(32));
	assert_null(kt_vector_name(0x80));
	assert_null(kt_vector_name(0xffffffff));
}

static void test_has_error_code(void **state)
{
	/* #DF #TS #NP #SS #GP #PF #AC #CP #VC #SX */
	const u32 with = 1u << 8 | 1u << 10 | 1u << 11 | 1u << 12 | 1u << 13 | 1u << 14 | 1u << 17 |
			 1u << 21 | 1u << 29 | 1u << 30;

	(void)state;
	for (u32 i = 0; i < 32; i++)
		assert_int_equal(kt_vector_has_error_code(i), with >> i & 1);
	assert_false(kt_vector_has_error_code(32));
	assert_false(kt_vector_has_error_code(0xffffffff));
}

static void assert_parsed(const char *text, u32 expected)
{
	u32 vector = 99;

	assert_int_equal(kt_vector_parse(text, &vector), 0);
	assert_int_equal(vector, expected);
}

static void assert_refused(const char *text)
{
	u32 vector = 99;

	assert_int_equal(kt_vector_parse(text, &vector), -EINVAL);
	assert_int_equal(vector, 99);
}

static void test_vector_parse(void **state)
{
	(void)state;
	assert_parsed("13", 13);
	assert_parsed("0xd", 13);
	assert_parsed("GP", 13);
	assert_parsed("#gp", 13);
	assert_parsed("#Gp", 13);
	assert_parsed("0", 0);
	assert_parsed("31", 31);
	assert_parsed("0x1f", 31);
	assert_parsed("15", 15);
	assert_parsed("de", 0);
	assert_parsed("DF", 8);
	assert_parsed("#PF", 14);
	assert_parsed("XM", 19);
	assert_parsed("#XF", 19);
	assert_parsed("nmi", 2);
	assert_parsed("SX", 30);
}

static void test_vector_parse_refuses(void **state)
{
	(void)state;
	assert_refused("");
	assert_refused("#");
	assert_refused("##GP");
	assert_refused("32");
	assert_refused("0x20");
	assert_refused("-1");
	assert_refused("13 ");
	assert_refused("GPF");
	assert_refused("G");
	assert_refused("#13");
	assert_refused("99999999999999999999999");
	assert_refused("\xff\x01");
}

static void test_page_fault(void **state)
{
	(void)state;
	assert_names(14, 0x0, "not-present read supervisor");
	assert_names(14, 0x2, "not-present write supervisor");
	assert_names(14, 0x4, "not-present read user");
	assert_names(14, 0x6, "not-present write user");
	assert_names(14, 0x7, "present write user");
	assert_names(14, 0x10, "not-present fetch supervisor");
	assert_names(14, 0x15, "present fetch user");
	assert_names(14, 0x9, "present read supervisor rsvd");
	assert_names(14, 0x25, "present read user pk");
	assert_names(14, 0x47, "present write user shadow-stack");
	assert_names(14, 0x85, "present read user hlat");
	assert_names(14, 0x8007, "present write user sgx");
	assert_names(14, 0x80000007, "present write user rmp");
	assert_names(14, 0x10001, "present read supervisor 0x10000");
}

static void test_selector(void **state)
{
	(void)state;
	/* A null selector, or none: nothing to say. */
	assert_names(13, 0x0, "");
	assert_names(13, 0x1, "ext");
	/* INT 0x2c from a guest whose IDT forbids it: IDT bit, vector times 8. */
	assert_names(13, 0x162, "idt index=44");
	assert_names(13, 0x103, "ext idt index=32");
	assert_names(13, 0x2, "idt index=0");
	assert_names(10, 0x40, "gdt index=8");
	assert_names(11, 0x0c, "ldt index=1");
	assert_names(12, 0xfff8, "gdt index=8191");
	assert_names(12, 0x4, "ldt index=0");
}

static void test_control_protection(void **state)
{
	(void)state;
	assert_names(21, 1, "near-ret");
	assert_names(21, 2, "far-ret-iret");
	assert_names(21, 3, "endbranch");
	assert_names(21, 4, "rstorssp");
	assert_names(21, 5, "setssbsy");
	assert_names(21, 0x8003, "endbranch enclave");
	assert_names(21, 6, "0x6");
}

static void test_others_have_none(void **state)
{
	(void)state;
	assert_names(8, 0, "");
	assert_names(17, 0, "");
	assert_names(6, 0x7, "");
	assert_names(29, 0x72, "");
	assert_names(32, 0xffffffff, "");
	assert_names(0xffffffff, 0xffffffff, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vector_names),
		cmocka_unit_test(test_has_error_code),
		cmocka_unit_test(test_vector_parse),
		cmocka_unit_test(test_vector_parse_refuses),
		cmocka_unit_test(test_page_fault),
		cmocka_unit_test(test_selector),
		cmocka_unit_test(test_control_protection),
		cmocka_unit_test(test_others_have_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
