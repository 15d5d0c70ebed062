/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* user/store/convert_brief.c: short records, as the programs write them, as rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "../../user/store/convert_brief.h"

static const struct kt_vcpu vcpu = { .vcpu_id = 3, .tgid = 4711, .tid = 4720, .isa = 2 };

static void check_head(const struct kt_row_common *head, u64 ts, u32 cpu)
{
	assert_int_equal(head->ts, ts);
	assert_int_equal(head->cpu, cpu);
	assert_int_equal(head->tgid, 4711);
	assert_int_equal(head->tid, 4720);
	assert_int_equal(head->vcpu_id, 3);
}

/* What a row held before must not shine through. */
static u32 convert(union kt_brief_row *row, const void *brief)
{
	u32 kind;

	memset(row, 0xa5, sizeof(*row));
	kind = kt_row_of_brief(row, brief, 7, &vcpu);
	if (kind)
		check_head(&row->head, 1000, 7);
	return kind;
}

#define HEAD(kind, w)                                                                              \
	{                                                                                          \
		.ts = 1000, .kind_slot = KT_BRIEF(kind, 5), .word = (w)                            \
	}

/* ---- exits ---- */

static void short_exits(void **state)
{
	/* CPUID at 0x201100 took 512 ns; then one that no entry followed. */
	const u64 words[] = { 5000, 0x201100, 512,  0x72 | 7ull << 40, 0, 6000, 0x201102,
			      0,    0x7b,     0x510 };
	struct kt_row_exit row;

	(void)state;
	memset(&row, 0xa5, sizeof(row));
	assert_int_equal(kt_row_of_batched(&row, words, 10, &vcpu), 5);
	check_head(&row.head, 5000, 7);
	assert_int_equal(row.reason, 0x72);
	assert_int_equal(row.isa, 2);
	assert_int_equal(row.rip, 0x201100);
	assert_int_equal(row.info1, 0);
	assert_int_equal(row.info2, 0);
	assert_int_equal(row.intr_info, 0);
	assert_int_equal(row.error_code, 0);
	assert_int_equal(row.duration, 512);
	assert_int_equal(row.end, 0);
	assert_int_equal(kt_row_of_batched(&row, words + 5, 5, &vcpu), 5);
	assert_int_equal(row.reason, 0x7b);
	assert_int_equal(row.info1, 0x510);
	assert_int_equal(row.duration, 0);
	assert_int_equal(row.end, 1);
	assert_int_equal(kt_row_of_batched(&row, words + 10, 0, &vcpu), 0);
}

static void long_exits(void **state)
{
	/* NPF with its address; #PF being delivered, error code 6; junk without the valid bit. */
	u64 words[] = { 5000, 0x201100, 9, 0x400 | 1ull << 32, 0x100000006, 0xfee00300, 0 };
	struct kt_row_exit row;

	(void)state;
	assert_int_equal(kt_row_of_batched(&row, words, 7, &vcpu), 7);
	assert_int_equal(row.reason, 0x400);
	assert_int_equal(row.info1, 0x100000006);
	assert_int_equal(row.info2, 0xfee00300);
	assert_int_equal(row.intr_info, 0);
	words[6] = 0x680000b0eull;
	assert_int_equal(kt_row_of_batched(&row, words, 7, &vcpu), 7);
	assert_int_equal(row.intr_info, 0x80000b0e);
	assert_int_equal(row.error_code, 6);
	/* Bit 11 says whether there is an error code. */
	words[6] = 0x680000306ull;
	assert_int_equal(kt_row_of_batched(&row, words, 7, &vcpu), 7);
	assert_int_equal(row.intr_info, 0x80000306);
	assert_int_equal(row.error_code, 0);
	words[6] = 0x600000b0eull;
	assert_int_equal(kt_row_of_batched(&row, words, 7, &vcpu), 7);
	assert_int_equal(row.intr_info, 0);
	assert_int_equal(row.error_code, 0);
	/* Cut off. */
	assert_int_equal(kt_row_of_batched(&row, words, 6, &vcpu), 0);
	assert_int_equal(kt_row_of_batched(&row, words, 4, &vcpu), 0);
}

static void unfinished_exits(void **state)
{
	struct kt_vcpu v = vcpu;
	const u64 words[] = { 8000, 0x1234, 77, 0x78 | 9ull << 40, 0, 0x5678, 0x80000306 };
	struct kt_row_exit row;

	(void)state;
	memcpy(v.batch.words + 5, words, sizeof(words));
	v.batched = 5;
	/* In the guest. */
	assert_false(kt_row_of_unfinished(&row, &v));
	v.exit_ts = 8000;
	assert_true(kt_row_of_unfinished(&row, &v));
	check_head(&row.head, 8000, 9);
	assert_int_equal(row.reason, 0x78);
	assert_int_equal(row.rip, 0x1234);
	assert_int_equal(row.info2, 0x5678);
	assert_int_equal(row.intr_info, 0x80000306);
	/* What lay there before is no duration. */
	assert_int_equal(row.duration, 0);
	assert_int_equal(row.end, 2);
	v.unwanted_exit = true;
	assert_false(kt_row_of_unfinished(&row, &v));
	v.unwanted_exit = false;
	v.batched = 0xffffffff;
	assert_false(kt_row_of_unfinished(&row, &v));
}

/* ---- what happens on the way ---- */

static void msr(void **state)
{
	struct kt_brief_msr b = { HEAD(KT_KIND_MSR, 0xc0000080), 0xd01, 1, 0 };
	union kt_brief_row row;

	(void)state;
	assert_int_equal(convert(&row, &b), KT_ROW_MSR);
	assert_int_equal(row.msr.index, 0xc0000080);
	assert_int_equal(row.msr.value, 0xd01);
	assert_int_equal(row.msr.write, 1);
	assert_int_equal(row.msr.failed, 0);
	b.flags = 2;
	convert(&row, &b);
	assert_int_equal(row.msr.write, 0);
	assert_int_equal(row.msr.failed, 1);
}

static void port(void **state)
{
	/* OUT to 0xf4 of two bytes, sixteen times. */
	struct kt_brief_pio b = { HEAD(KT_KIND_PIO, 0x010200f4), 16, 0xbeef };
	union kt_brief_row row;

	(void)state;
	assert_int_equal(convert(&row, &b), KT_ROW_PIO);
	assert_int_equal(row.pio.port, 0xf4);
	assert_int_equal(row.pio.size, 2);
	assert_int_equal(row.pio.write, 1);
	assert_int_equal(row.pio.count, 16);
	assert_int_equal(row.pio.value, 0xbeef);
	b.head.word = 0x0004ffff;
	convert(&row, &b);
	assert_int_equal(row.pio.port, 0xffff);
	assert_int_equal(row.pio.size, 4);
	assert_int_equal(row.pio.write, 0);
}

static void mmio(void **state)
{
	const struct kt_brief_mmio b = { HEAD(KT_KIND_MMIO, 0x00020004), 0xfee000b0, 0x1122 };
	const struct kt_brief_mmio fast = { HEAD(KT_KIND_MMIO, 0x00030000), 0xfeb00000, 0 };
	union kt_brief_row row;

	(void)state;
	assert_int_equal(convert(&row, &b), KT_ROW_MMIO);
	assert_int_equal(row.mmio.gpa, 0xfee000b0);
	assert_int_equal(row.mmio.value, 0x1122);
	assert_int_equal(row.mmio.size, 4);
	assert_int_equal(row.mmio.access, 2);
	convert(&row, &fast);
	assert_int_equal(row.mmio.access, 3);
	assert_int_equal(row.mmio.size, 0);
}

static void registers(void **state)
{
	const struct kt_brief_cr cr = { HEAD(KT_KIND_CR, 0x104), 0x3506f0 };
	const struct kt_brief_cpuid cpuid = { HEAD(KT_KIND_CPUID, 0x40000000), 7, 1, 2, 3, 4, 2 };
	const struct kt_brief_hypercall call = { HEAD(KT_KIND_HYPERCALL, 0), 5, { 6, 7, 8, 9 } };
	union kt_brief_row row;

	(void)state;
	assert_int_equal(convert(&row, &cr), KT_ROW_CR);
	assert_int_equal(row.cr.cr, 4);
	assert_int_equal(row.cr.write, 1);
	assert_int_equal(row.cr.value, 0x3506f0);
	assert_int_equal(convert(&row, &cpuid), KT_ROW_CPUID);
	assert_int_equal(row.cpuid.function, 0x40000000);
	assert_int_equal(row.cpuid.index, 7);
	assert_int_equal(row.cpuid.eax, 1);
	assert_int_equal(row.cpuid.ebx, 2);
	assert_int_equal(row.cpuid.ecx, 3);
	assert_int_equal(row.cpuid.edx, 4);
	assert_int_equal(row.cpuid.found, 0);
	assert_int_equal(row.cpuid.used_max_basic, 1);
	assert_int_equal(convert(&row, &call), KT_ROW_HYPERCALL);
	assert_int_equal(row.hypercall.nr, 5);
	assert_int_equal(row.hypercall.a0, 6);
	assert_int_equal(row.hypercall.a3, 9);
}

static void emulation(void **state)
{
	struct kt_brief_emulate b = { .head = HEAD(KT_KIND_EMULATE, 0xffff0000),
				      .rip = 0xfff0,
				      .insn = { 0x0f, 0x32, 0x90 },
				      .insn_len = 2,
				      .flags = 3,
				      .failed = 1 };
	static const u8 insn[15] = { 0x0f, 0x32 };
	union kt_brief_row row;

	(void)state;
	assert_int_equal(convert(&row, &b), KT_ROW_EMULATE);
	assert_int_equal(row.emulate.rip, 0xfff0);
	assert_int_equal(row.emulate.csbase, 0xffff0000);
	assert_int_equal(row.emulate.flags, 3);
	assert_int_equal(row.emulate.failed, 1);
	assert_int_equal(row.emulate.insn.size, 2);
	/* Bytes behind the instruction are not the guest's business to tell. */
	assert_memory_equal(row.emulate.insn.bytes, insn, 15);
	b.insn_len = 255;
	convert(&row, &b);
	assert_int_equal(row.emulate.insn.size, 15);
}

static void interrupts(void **state)
{
	const struct kt_brief_irq b = { HEAD(KT_KIND_INJECT_IRQ, 0x2ec) };
	const struct kt_brief_wakeup w = { HEAD(KT_KIND_WAKEUP, 1), 123456 };
	const struct kt_brief_halt_poll h = { HEAD(KT_KIND_HALT_POLL, 1), 20000, 10000 };
	union kt_brief_row row;

	(void)state;
	assert_int_equal(convert(&row, &b), KT_ROW_INJECT_IRQ);
	assert_int_equal(row.inject_irq.vector, 0xec);
	assert_int_equal(row.inject_irq.soft, 0);
	assert_int_equal(row.inject_irq.reinjected, 1);
	assert_int_equal(convert(&row, &w), KT_ROW_WAKEUP);
	assert_int_equal(row.wakeup.duration, 123456);
	assert_int_equal(row.wakeup.waited, 1);
	assert_int_equal(row.wakeup.valid, 0);
	assert_int_equal(convert(&row, &h), KT_ROW_HALT_POLL);
	assert_int_equal(row.halt_poll.poll_new, 20000);
	assert_int_equal(row.halt_poll.poll_old, 10000);
	assert_int_equal(row.halt_poll.grow, 1);
}

/* ---- returns to user space: struct kvm_run of linux/kvm.h from offset 32 on ---- */

static void plain_user_exit(void **state)
{
	const struct kt_brief_user b = { HEAD(KT_KIND_USERSPACE_EXIT, 10), -4, 0 };
	union kt_brief_row row;

	(void)state;
	assert_int_equal(convert(&row, &b), KT_ROW_USERSPACE_EXIT);
	assert_int_equal(row.userspace_exit.reason, 10);
	assert_int_equal(row.userspace_exit.error, -4);
	assert_int_equal(row.userspace_exit.suberror, 0);
	assert_int_equal(row.userspace_exit.ndata, 0);
	assert_int_equal(row.userspace_exit.data4, 0);
	assert_int_equal(row.userspace_exit.insn.size, 0);
}

static void internal_error(void **state)
{
	/* suberror 1 (EMULATION), ndata 4, flags 1, insn_size 3, the bytes. */
	struct kt_brief_user_long b = { .exit.head = HEAD(KT_KIND_USERSPACE_EXIT_LONG, 17),
					.run = { 1, 0, 0, 0, 4, 0, 0, 0,    1,	  0,
						 0, 0, 0, 0, 0, 0, 3, 0xf3, 0x0f, 0xa7 } };
	/* suberror 3 (DELIVERY_EV), ndata 5: 0x11 … 0x15. */
	const u64 delivery[6] = { 3 | 5ull << 32, 0x11, 0x12, 0x13, 0x14, 0x15 };
	static const u8 insn[3] = { 0xf3, 0x0f, 0xa7 };
	union kt_brief_row row;

	(void)state;
	assert_int_equal(convert(&row, &b), KT_ROW_USERSPACE_EXIT);
	assert_int_equal(row.userspace_exit.reason, 17);
	assert_int_equal(row.userspace_exit.suberror, 1);
	assert_int_equal(row.userspace_exit.insn.size, 3);
	assert_memory_equal(row.userspace_exit.insn.bytes, insn, 3);
	memcpy(b.run, delivery, sizeof(delivery));
	convert(&row, &b);
	assert_int_equal(row.userspace_exit.suberror, 3);
	assert_int_equal(row.userspace_exit.ndata, 5);
	assert_int_equal(row.userspace_exit.data0, 0x11);
	assert_int_equal(row.userspace_exit.data4, 0x15);
	assert_int_equal(row.userspace_exit.insn.size, 0);
	/* A number of data that no kernel would say. */
	memset(b.run + 4, 0xff, 4);
	convert(&row, &b);
	assert_int_equal(row.userspace_exit.ndata, 5);
}

static void other_user_exits(void **state)
{
	struct kt_brief_user_long b = { .exit.head = HEAD(KT_KIND_USERSPACE_EXIT_LONG, 24) };
	/* System event: type 3 (CRASH), ndata 1: 0x55. */
	const u64 crash[2] = { 3 | 1ull << 32, 0x55 };
	/* Entry failed: hardware's reason, CPU 6, and four bytes that are not its. */
	const u64 failed[2] = { 0x80000021, 6 | 0xdeadull << 32 };
	union kt_brief_row row;

	(void)state;
	memcpy(b.run, crash, sizeof(crash));
	convert(&row, &b);
	assert_int_equal(row.userspace_exit.suberror, 3);
	assert_int_equal(row.userspace_exit.ndata, 1);
	assert_int_equal(row.userspace_exit.data0, 0x55);
	b.exit.head.word = 9;
	memcpy(b.run, failed, sizeof(failed));
	convert(&row, &b);
	assert_int_equal(row.userspace_exit.suberror, 0);
	assert_int_equal(row.userspace_exit.ndata, 2);
	assert_int_equal(row.userspace_exit.data0, 0x80000021);
	assert_int_equal(row.userspace_exit.data1, 6);
	/* SHUTDOWN comes without data: what lies there is of an earlier exit. */
	b.exit.head.word = 8;
	convert(&row, &b);
	assert_int_equal(row.userspace_exit.ndata, 0);
	assert_int_equal(row.userspace_exit.data0, 0);
	/* MEMORY_FAULT: flags, gpa, size. One of the future: all that fits. */
	b.exit.head.word = 39;
	convert(&row, &b);
	assert_int_equal(row.userspace_exit.ndata, 3);
	b.exit.head.word = 200;
	convert(&row, &b);
	assert_int_equal(row.userspace_exit.ndata, 5);
}

static void unknown_kinds(void **state)
{
	const struct kt_brief b = HEAD(200, 0), none = HEAD(0, 0);
	const struct kt_brief exception = HEAD(KT_KIND_EXCEPTION, 0);
	union kt_brief_row row;

	(void)state;
	assert_int_equal(convert(&row, &b), 0);
	assert_int_equal(convert(&row, &none), 0);
	assert_int_equal(convert(&row, &exception), 0);
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(short_exits),
		TEST(long_exits),
		TEST(unfinished_exits),
		TEST(msr),
		TEST(port),
		TEST(mmio),
		TEST(registers),
		TEST(emulation),
		TEST(interrupts),
		TEST(plain_user_exit),
		TEST(internal_error),
		TEST(other_user_exits),
		TEST(unknown_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
