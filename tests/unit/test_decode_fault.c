/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Guest memory faults. PFERR bits from Linux 7.2 kvm_host.h and APM volume 2, 15.25.6; EPT bits
 * from SDM volume 3, "Exit qualification for EPT violations". 0x100000004, 0x200000006 and 0x181
 * were seen on emulated hosts.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include "../../user/decode/decode.h"

static void collect(void *ctx, const char *name)
{
	struct kt_str *s = ctx;

	if (s->len)
		kt_str_add_char(s, ' ');
	kt_str_add(s, name);
}

static void assert_pferr(u64 error_code, const char *expected)
{
	struct kt_str s = { 0 };

	kt_pferr_names(error_code, collect, &s);
	assert_string_equal(s.data, expected);
	kt_str_free(&s);
}

static void assert_ept(u64 qualification, const char *expected)
{
	struct kt_str s = { 0 };

	kt_ept_names(qualification, collect, &s);
	assert_string_equal(s.data, expected);
	kt_str_free(&s);
}

static void test_pferr(void **state)
{
	(void)state;
	assert_pferr(0x100000004, "not-present read user guest-final");
	assert_pferr(0x200000006, "not-present write user guest-page");
	assert_pferr(0x100000014, "not-present fetch user guest-final");
	/* MMIO under NPT: present, reserved bit set. */
	assert_pferr(0x10000000f, "present write user rsvd guest-final");
	assert_pferr(0x180000007, "present write user rmp guest-final");
	assert_pferr(0x400000005, "present read user guest-enc");
	assert_pferr(0x800000005, "present read user guest-sizem");
	assert_pferr(0x1000000005, "present read user guest-vmpl");
	assert_pferr(0x1000000000000, "not-present read supervisor implicit");
	assert_pferr(0x2000000000002, "not-present write supervisor private");
	assert_pferr(0x7, "present write user");
	assert_pferr(0x8000000000000000, "not-present read supervisor 0x8000000000000000");
	assert_pferr(0x16, "not-present write fetch user");
}

static void test_pferr_every_bit(void **state)
{
	(void)state;
	assert_pferr(~0ull,
		     "present write fetch user rsvd pk shadow-stack hlat sgx rmp guest-final "
		     "guest-page guest-enc guest-sizem guest-vmpl implicit private "
		     "0xfffcffe07fff7f00");
}

static void test_ept(void **state)
{
	(void)state;
	assert_ept(0x181, "not-present read guest-final");
	assert_ept(0x182, "not-present write guest-final");
	assert_ept(0x184, "not-present fetch guest-final");
	/* Write to a read-only, executable page: dirty logging. */
	assert_ept(0x1aa, "present write readable executable guest-final");
	/* The walk of the guest's page tables, A and D bits in use: read and write. */
	assert_ept(0x083, "not-present read write guest-page");
	/* No linear address at all: a load of the PDPTEs. */
	assert_ept(0x001, "not-present read");
	assert_ept(0x1bb, "present read write readable writable executable guest-final");
	assert_ept(0x1c4, "present fetch user-executable guest-final");
	assert_ept(0x1181, "not-present read nmi-unblocking guest-final");
	assert_ept(0x2182, "not-present write shadow-stack guest-final");
	assert_ept(0x4182, "not-present write supervisor-shadow-stack guest-final");
	assert_ept(0x8181, "not-present read guest-paging-verification guest-final");
	assert_ept(0x10182, "not-present write asynchronous guest-final");
	assert_ept(0x100000181, "not-present read 0x100000000 guest-final");
}

static void test_ept_advanced_information(void **state)
{
	(void)state;
	assert_ept(0xf81, "not-present read gva-user gva-writable gva-nx guest-final");
	assert_ept(0x381, "not-present read gva-user guest-final");
	/* Bits 11:9 are undefined unless 7 and 8 are set, 8 means nothing without 7. */
	assert_ept(0xe81, "not-present read guest-page");
	assert_ept(0xe01, "not-present read");
	assert_ept(0xf01, "not-present read");
}

static void test_access(void **state)
{
	(void)state;
	assert_int_equal(kt_pferr_access(0x4), KT_ACCESS_READ);
	assert_int_equal(kt_pferr_access(0x100000006), KT_ACCESS_WRITE);
	assert_int_equal(kt_pferr_access(0x14), KT_ACCESS_FETCH);
	assert_int_equal(kt_pferr_access(0x0), KT_ACCESS_READ);
	assert_int_equal(kt_ept_access(0x181), KT_ACCESS_READ);
	assert_int_equal(kt_ept_access(0x182), KT_ACCESS_WRITE);
	assert_int_equal(kt_ept_access(0x083), KT_ACCESS_WRITE);
	assert_int_equal(kt_ept_access(0x184), KT_ACCESS_FETCH);
	/* Not the bits of the other format: 4 is PFERR's fetch, EPT's "entry is writable". */
	assert_int_equal(kt_ept_access(0x191), KT_ACCESS_READ);
	assert_int_equal(kt_pferr_access(0x5), KT_ACCESS_READ);
}

static void test_access_names(void **state)
{
	(void)state;
	assert_string_equal(kt_access_name(KT_ACCESS_READ), "read");
	assert_string_equal(kt_access_name(KT_ACCESS_WRITE), "write");
	assert_string_equal(kt_access_name(KT_ACCESS_FETCH), "fetch");
	assert_string_equal(kt_access_name((enum kt_access)3), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pferr),  cmocka_unit_test(test_pferr_every_bit),
		cmocka_unit_test(test_ept),    cmocka_unit_test(test_ept_advanced_information),
		cmocka_unit_test(test_access), cmocka_unit_test(test_access_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
