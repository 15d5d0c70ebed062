/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Ports, and accesses unpacked from an exit. Bits: SDM volume 3, "Exit qualification for I/O
 * instructions" and "… for control-register accesses"; APM volume 2, 15.10.2 (IOIO) and 15.33
 * (decode assists).
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>
#include "../../user/decode/decode.h"

#define VMX 1
#define SVM 2

static void assert_port(u16 port, const char *expected)
{
	const char *name = kt_port_name(port);

	if (!expected)
		assert_null(name);
	else if (!name)
		fail_msg("port 0x%x has no name", port);
	else
		assert_string_equal(name, expected);
}

static void test_ports(void **state)
{
	(void)state;
	assert_port(0x0000, "DMA1 channel");
	assert_port(0x0020, "PIC1 command");
	assert_port(0x0021, "PIC1 data");
	assert_port(0x0040, "PIT channel 0");
	assert_port(0x0043, "PIT command");
	assert_port(0x0060, "keyboard data");
	assert_port(0x0061, "system control B");
	assert_port(0x0064, "keyboard command");
	assert_port(0x0070, "CMOS index");
	assert_port(0x0071, "CMOS data");
	assert_port(0x0080, "POST code");
	assert_port(0x0092, "system control A");
	assert_port(0x00a0, "PIC2 command");
	assert_port(0x00b2, "APM control");
	assert_port(0x00e9, "Bochs debug console");
	assert_port(0x01f0, "IDE primary data");
	assert_port(0x02f8, "serial COM2 data");
	assert_port(0x03d4, "VGA CRTC index");
	assert_port(0x03f8, "serial COM1 data");
	assert_port(0x03fd, "serial COM1 registers");
	assert_port(0x0402, "SeaBIOS debug console");
	assert_port(0x0505, "pvpanic");
	assert_port(0x0510, "fw_cfg selector");
	assert_port(0x0608, "ACPI PM timer");
	assert_port(0x0cf8, "PCI config address");
	assert_port(0x0cf9, "reset control");
	assert_port(0x0cfc, "PCI config data");
	assert_port(0x0cff, "PCI config data");
	assert_port(0x5658, "VMware backdoor");
	assert_port(0xb008, "ACPI PM timer");
	assert_port(0xb13f, "SMBus");
}

static void test_unknown_ports(void **state)
{
	(void)state;
	assert_port(0x0010, NULL);
	assert_port(0x0022, NULL);
	assert_port(0x0506, NULL);
	assert_port(0x0d00, NULL);
	assert_port(0xb140, NULL);
	assert_port(0xffff, NULL);
}

/* The lookup halves the table: it must ascend. */
static void test_ports_ascend(void **state)
{
	static const struct {
		u32 first, last;
		const char *name;
	} ports[] = {
#define X(first, last, name) { first, last, name },
#include "../../user/decode/tables/port.def"
#undef X
	};

	(void)state;
	assert_true(KT_ARRAY_SIZE(ports) >= 80);
	for (size_t i = 0; i < KT_ARRAY_SIZE(ports); i++) {
		assert_true(ports[i].first <= ports[i].last);
		assert_true(ports[i].last <= 0xffff);
		if (i)
			assert_true(ports[i].first > ports[i - 1].last);
	}
}

static void assert_io(u32 isa, u32 code, u64 info1, struct kt_io_access expected)
{
	struct kt_io_access io;

	memset(&io, 0xa5, sizeof(io));
	assert_true(kt_exit_io(isa, code, info1, &io));
	assert_int_equal(io.port, expected.port);
	assert_int_equal(io.size, expected.size);
	assert_int_equal(io.in, expected.in);
	assert_int_equal(io.string, expected.string);
	assert_int_equal(io.rep, expected.rep);
}

static void test_vmx_io(void **state)
{
	(void)state;
	/* out %al,$0x10 as an emulated Intel host showed it: immediate (bit 6), one byte */
	assert_io(VMX, 30, 0x100040, (struct kt_io_access) { .port = 0x10, .size = 1 });
	assert_io(VMX, 30, 0x03f80000, (struct kt_io_access) { .port = 0x3f8, .size = 1 });
	assert_io(VMX, 30, 0x06080001 | 8,
		  (struct kt_io_access) { .port = 0x608, .size = 2, .in = true });
	assert_io(VMX, 30, 0x0cfc0003, (struct kt_io_access) { .port = 0xcfc, .size = 4 });
	/* rep insw from the disk */
	assert_io(VMX, 30, 0x01f00039,
		  (struct kt_io_access) {
			  .port = 0x1f0, .size = 2, .in = true, .string = true, .rep = true });
	assert_io(VMX, 30, 0x00e90010,
		  (struct kt_io_access) { .port = 0xe9, .size = 1, .string = true });
	assert_io(VMX, 30, 0xffff0002, (struct kt_io_access) { .port = 0xffff, .size = 0 });
	assert_io(VMX, 0x0400001e, 0x00800000, (struct kt_io_access) { .port = 0x80, .size = 1 });
}

static void test_svm_io(void **state)
{
	(void)state;
	/* SZ8 bit 4, SZ16 bit 5, SZ32 bit 6; A32 bit 8, A64 bit 9; segment 12:10 */
	assert_io(SVM, 0x7b, 0x03f80210, (struct kt_io_access) { .port = 0x3f8, .size = 1 });
	assert_io(SVM, 0x7b, 0x06080141,
		  (struct kt_io_access) { .port = 0x608, .size = 4, .in = true });
	assert_io(SVM, 0x7b, 0x01f0022d,
		  (struct kt_io_access) {
			  .port = 0x1f0, .size = 2, .in = true, .string = true, .rep = true });
	assert_io(SVM, 0x7b, 0x00e90e14,
		  (struct kt_io_access) { .port = 0xe9, .size = 1, .string = true });
	assert_io(SVM, 0x7b, 0x00800000, (struct kt_io_access) { .port = 0x80, .size = 0 });
	assert_io(SVM, 0x7b, 0x00800030, (struct kt_io_access) { .port = 0x80, .size = 0 });
}

static void test_not_io(void **state)
{
	struct kt_io_access io;

	(void)state;
	assert_false(kt_exit_io(VMX, 0x7b, 0, &io));
	assert_false(kt_exit_io(SVM, 30, 0, &io));
	assert_false(kt_exit_io(SVM, 0x8000007b, 0, &io));
	assert_false(kt_exit_io(0, 30, 0, &io));
	assert_false(kt_exit_io(VMX, 31, 0, &io));
}

static void assert_cr(u32 isa, u32 code, u64 info1, struct kt_cr_access expected)
{
	struct kt_cr_access cr;

	memset(&cr, 0xa5, sizeof(cr));
	assert_true(kt_exit_cr(isa, code, info1, &cr));
	assert_int_equal(cr.cr, expected.cr);
	assert_int_equal(cr.gpr, expected.gpr);
	assert_int_equal(cr.write, expected.write);
	assert_string_equal(cr.kind, expected.kind);
}

static void test_vmx_cr(void **state)
{
	(void)state;
	assert_cr(VMX, 28, 0x000, (struct kt_cr_access) { 0, 0, true, "mov" });
	assert_cr(VMX, 28, 0x303, (struct kt_cr_access) { 3, 3, true, "mov" });
	assert_cr(VMX, 28, 0xf14, (struct kt_cr_access) { 4, 15, false, "mov" });
	assert_cr(VMX, 28, 0x018, (struct kt_cr_access) { 8, 0, false, "mov" });
	assert_cr(VMX, 28, 0x020, (struct kt_cr_access) { 0, 0xff, true, "clts" });
	/* LMSW: source operand in 31:16 */
	assert_cr(VMX, 28, 0x00110030, (struct kt_cr_access) { 0, 0xff, true, "lmsw" });
}

static void test_svm_cr(void **state)
{
	(void)state;
	assert_cr(SVM, 0x00, 0x8000000000000003, (struct kt_cr_access) { 0, 3, false, "mov" });
	assert_cr(SVM, 0x10, 0x8000000000000000, (struct kt_cr_access) { 0, 0, true, "mov" });
	assert_cr(SVM, 0x14, 0x800000000000000f, (struct kt_cr_access) { 4, 15, true, "mov" });
	assert_cr(SVM, 0x65, 0x8000000000000001, (struct kt_cr_access) { 0, 1, true, "mov" });
	/* No decode assist: only for CR0 can it be anything but MOV. */
	assert_cr(SVM, 0x10, 0x5, (struct kt_cr_access) { 0, 0xff, true, "" });
	assert_cr(SVM, 0x65, 0, (struct kt_cr_access) { 0, 0xff, true, "" });
	assert_cr(SVM, 0x03, 0, (struct kt_cr_access) { 3, 0xff, false, "mov" });
	assert_cr(SVM, 0x18, 0, (struct kt_cr_access) { 8, 0xff, true, "mov" });
	assert_cr(SVM, 0x1f, 0, (struct kt_cr_access) { 15, 0xff, true, "mov" });
}

static void test_not_cr(void **state)
{
	struct kt_cr_access cr;

	(void)state;
	assert_false(kt_exit_cr(SVM, 0x20, 0, &cr));
	assert_false(kt_exit_cr(SVM, 0x64, 0, &cr));
	assert_false(kt_exit_cr(SVM, 0x66, 0, &cr));
	assert_false(kt_exit_cr(SVM, 0x90, 0, &cr));
	assert_false(kt_exit_cr(VMX, 0x10, 0, &cr));
	assert_false(kt_exit_cr(VMX, 29, 0, &cr));
	assert_false(kt_exit_cr(0, 28, 0, &cr));
}

static void assert_msr(u32 isa, u32 code, u64 info1, bool expected)
{
	bool write = !expected;

	assert_true(kt_exit_msr(isa, code, info1, &write));
	assert_int_equal(write, expected);
}

static void test_msr(void **state)
{
	bool write;

	(void)state;
	assert_msr(VMX, 31, 0, false);
	assert_msr(VMX, 31, 1, false);
	assert_msr(VMX, 32, 0, true);
	assert_msr(VMX, 84, 0, false);
	assert_msr(VMX, 85, 0, true);
	assert_msr(SVM, 0x7c, 0, false);
	assert_msr(SVM, 0x7c, 1, true);
	assert_false(kt_exit_msr(VMX, 0x7c, 0, &write));
	assert_false(kt_exit_msr(VMX, 30, 0, &write));
	assert_false(kt_exit_msr(VMX, 78, 0, &write));
	assert_false(kt_exit_msr(SVM, 31, 0, &write));
	assert_false(kt_exit_msr(SVM, 0x7b, 1, &write));
	assert_false(kt_exit_msr(0, 31, 0, &write));
}

static void test_gpa_fault(void **state)
{
	(void)state;
	assert_true(kt_exit_is_gpa_fault(VMX, 48));
	assert_true(kt_exit_is_gpa_fault(VMX, 49));
	assert_true(kt_exit_is_gpa_fault(VMX, 0x04000030));
	assert_true(kt_exit_is_gpa_fault(SVM, 0x400));
	assert_false(kt_exit_is_gpa_fault(VMX, 0));
	assert_false(kt_exit_is_gpa_fault(VMX, 50));
	assert_false(kt_exit_is_gpa_fault(VMX, 0x400));
	assert_false(kt_exit_is_gpa_fault(SVM, 48));
	assert_false(kt_exit_is_gpa_fault(SVM, 0x4e));
	assert_false(kt_exit_is_gpa_fault(SVM, 0x401));
	assert_false(kt_exit_is_gpa_fault(0, 48));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ports),	     cmocka_unit_test(test_unknown_ports),
		cmocka_unit_test(test_ports_ascend), cmocka_unit_test(test_vmx_io),
		cmocka_unit_test(test_svm_io),	     cmocka_unit_test(test_not_io),
		cmocka_unit_test(test_vmx_cr),	     cmocka_unit_test(test_svm_cr),
		cmocka_unit_test(test_not_cr),	     cmocka_unit_test(test_msr),
		cmocka_unit_test(test_gpa_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
