/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* user/store/convert.c: a record is the same when it has been a row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../../user/store/convert.h"

/* A #GP by WRMSR on AMD. No member has another one's value. */
static const struct kt_exception gp = {
	.head = { .ts = 1001, .kind = 1, .cpu = 3, .tgid = 4711, .tid = 4720, .vcpu_id = 1 },
	.rip = 0x201100,
	.address = 0x40000000,
	.error_code = 0x10,
	.vector = 13,
	.flags = 0x33,
	.exit = { .info1 = 0x101, .info2 = 0x102, .code = 0x7c, .isa = 2, .intr_info = 0x80000b0e },
	.detail = { .value = 0x1122334455667788,
		    .number = 0xc0011020,
		    .flags = 0x43,
		    .insn_len = 2,
		    .insn = { 0x0f, 0x30 } },
};

static const struct kt_fault npf = {
	.head = { .ts = 1002, .kind = 2, .cpu = 0, .tgid = 4711, .tid = 4721, .vcpu_id = 2 },
	.address = 0xd0000000,
	.error_code = 0x100000007,
	.rip = 0x7ff61a2b3c4d,
	.duration = 3141,
	.exit_code = 0x400,
	.isa = 2,
	.flags = 1,
};

static void an_exception_comes_back(void **test)
{
	struct kt_row_exception row;
	struct kt_exception back;

	(void)test;
	memset(&row, 0xff, sizeof(row));
	memset(&back, 0xff, sizeof(back));
	kt_row_of_exception(&row, &gp);
	assert_int_equal(row.head.ts, 1001);
	assert_int_equal(row.head.cpu, 3);
	assert_int_equal(row.head.tgid, 4711);
	assert_int_equal(row.head.tid, 4720);
	assert_int_equal(row.head.vcpu_id, 1);
	assert_int_equal(row.vector, 13);
	assert_int_equal(row.flags, 0x33);
	assert_int_equal(row.error_code, 0x10);
	assert_int_equal(row.address, 0x40000000);
	assert_int_equal(row.rip, 0x201100);
	assert_int_equal(row.exit_reason, 0x7c);
	assert_int_equal(row.exit_isa, 2);
	assert_int_equal(row.exit_info1, 0x101);
	assert_int_equal(row.exit_info2, 0x102);
	assert_int_equal(row.exit_intr_info, 0x80000b0e);
	assert_int_equal(row.detail, 0x43);
	assert_int_equal(row.number, 0xc0011020);
	assert_int_equal(row.value, 0x1122334455667788);
	assert_int_equal(row.insn.size, 2);
	assert_int_equal(row.insn.bytes[0], 0x0f);
	assert_int_equal(row.insn.bytes[1], 0x30);
	assert_int_equal(row.insn.bytes[2], 0);
	kt_exception_of_row(&back, &row);
	assert_memory_equal(&back, &gp, sizeof(gp));
}

/* Each flag takes what it vouches for with it; what the record has there is left from before. */
static void what_is_not_valid_is_zero(void **test)
{
	struct kt_exception e = gp;
	struct kt_row_exception row;

	(void)test;
	e.flags = 0x20; /* the exit only */
	e.detail.flags = 0x40;
	kt_row_of_exception(&row, &e);
	assert_int_equal(row.error_code, 0);
	assert_int_equal(row.address, 0);
	assert_int_equal(row.rip, 0);
	assert_int_equal(row.exit_reason, 0x7c);
	assert_int_equal(row.number, 0);
	assert_int_equal(row.value, 0);
	assert_int_equal(row.insn.size, 2);
	e.flags = 0x13; /* all but the exit */
	e.detail.flags = 0x04;
	kt_row_of_exception(&row, &e);
	assert_int_equal(row.error_code, 0x10);
	assert_int_equal(row.address, 0x40000000);
	assert_int_equal(row.rip, 0x201100);
	assert_int_equal(row.exit_reason, 0);
	assert_int_equal(row.exit_isa, 0);
	assert_int_equal(row.exit_info1, 0);
	assert_int_equal(row.exit_info2, 0);
	assert_int_equal(row.exit_intr_info, 0);
	assert_int_equal(row.number, 0xc0011020);
	assert_int_equal(row.insn.size, 0);
	assert_int_equal(row.insn.bytes[0], 0);
}

static void lengths_are_not_believed(void **test)
{
	static const u8 longest[15] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
	struct kt_row_exception row = { .insn = { .size = 255 } };
	struct kt_exception e = gp;

	(void)test;
	memcpy(row.insn.bytes, longest, sizeof(longest));
	kt_exception_of_row(&e, &row);
	assert_int_equal(e.detail.insn_len, 15);
	assert_memory_equal(e.detail.insn, longest, 15);
	assert_int_equal(e.detail.pad[0], 0);
	e.detail.insn_len = 200;
	e.detail.flags = 0x40;
	kt_row_of_exception(&row, &e);
	assert_int_equal(row.insn.size, 15);
	assert_memory_equal(row.insn.bytes, longest, 15);
}

static void a_fault_comes_back(void **test)
{
	struct kt_row_fault row;
	struct kt_fault back;

	(void)test;
	memset(&row, 0xff, sizeof(row));
	memset(&back, 0xff, sizeof(back));
	kt_row_of_fault(&row, &npf);
	assert_int_equal(row.head.ts, 1002);
	assert_int_equal(row.head.cpu, 0);
	assert_int_equal(row.head.tid, 4721);
	assert_int_equal(row.head.vcpu_id, 2);
	assert_int_equal(row.address, 0xd0000000);
	assert_int_equal(row.error_code, 0x100000007);
	assert_int_equal(row.rip, 0x7ff61a2b3c4d);
	assert_int_equal(row.duration, 3141);
	assert_int_equal(row.exit_reason, 0x400);
	assert_int_equal(row.exit_isa, 2);
	assert_int_equal(row.flags, 1);
	kt_fault_of_row(&back, &row);
	assert_memory_equal(&back, &npf, sizeof(npf));
}

static void a_fault_without_its_exit_has_none(void **test)
{
	struct kt_fault f = npf;
	struct kt_row_fault row;

	(void)test;
	f.flags = 0;
	kt_row_of_fault(&row, &f);
	assert_int_equal(row.exit_reason, 0);
	assert_int_equal(row.exit_isa, 0);
	assert_int_equal(row.flags, 0);
	assert_int_equal(row.duration, 3141);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_exception_comes_back),
		cmocka_unit_test(what_is_not_valid_is_zero),
		cmocka_unit_test(lengths_are_not_believed),
		cmocka_unit_test(a_fault_comes_back),
		cmocka_unit_test(a_fault_without_its_exit_has_none),
	};

	return cmocka_run_group_tests_name("store_convert", tests, NULL, NULL);
}
