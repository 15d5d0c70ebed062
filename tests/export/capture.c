/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * capture FILE: writes the capture that tests/lanes/export.py has exported. Two VMs; on an AMD host,
 * and one event each of an Intel one; the exit of HLT comes after what happened while it lasted.
 */
#include "../../user/store/kinds.h"
#include "../../user/store/output.h"
#include "../../user/store/writer.h"

#include <stdio.h>
#include <stdlib.h>

#define VMX 1
#define SVM 2
#define SEC 1000000000ull
#define US  1000ull

/* vCPU 0 and 1 of win11, vCPU 1 of the other one; no vCPU. */
#define WIN0(at)                                                                                   \
	{                                                                                          \
		.ts = (at), .cpu = 2, .tgid = 4711, .tid = 4720, .vcpu_id = 0                      \
	}
#define WIN1(at)                                                                                   \
	{                                                                                          \
		.ts = (at), .cpu = 3, .tgid = 4711, .tid = 4721, .vcpu_id = 1                      \
	}
#define WEB1(at)                                                                                   \
	{                                                                                          \
		.ts = (at), .cpu = KT_ROW_NONE, .tgid = 5000, .tid = 5002, .vcpu_id = 1            \
	}

#define ADD(number, type, ...) add(w, number, &(struct kt_row_##type) { __VA_ARGS__ })

static void fail(const char *what)
{
	fprintf(stderr, "capture: %s\n", what);
	exit(1);
}

static void add(struct kt_writer *w, u32 kind, const void *row)
{
	if (kt_writer_add(w, kind, row))
		fail("cannot add an event");
}

static void add_fact(struct kt_writer *w, const char *name, const char *text)
{
	if (kt_writer_add_fact(w, name, text, strlen(text)))
		fail("cannot add a fact");
}

static void add_facts(struct kt_writer *w)
{
	add_fact(w, "vm.4711.77",
		 "{\"pid\":4711,\"start_time\":77,\"from_ns\":0,\"name\":\"win11\","
		 "\"manager\":\"libvirt\",\"vmm\":\"qemu\"}");
	add_fact(w, "vm.5000.88",
		 "{\"pid\":5000,\"start_time\":88,\"from_ns\":0,\"name\":\"web\\u001b[31m-1\","
		 "\"manager\":null,\"vmm\":\"firecracker\"}");
	if (kt_writer_add_clock(w, 1 * SEC, 1767225600 * SEC))
		fail("cannot add a clock");
}

static void add_cpuid_and_msr(struct kt_writer *w)
{
	const u64 at = 10 * SEC, rip = 0xfffff8024c1b2a10;

	ADD(KT_ROW_EXIT, exit, .head = WIN0(at), .reason = 0x72, .isa = SVM, .rip = rip,
	    .duration = 1500);
	ADD(KT_ROW_CPUID, cpuid, .head = WIN0(at + 500), .function = 0x40000000, .eax = 0x40000001,
	    .ebx = 0x4b4d564b, .ecx = 0x564b4d56, .edx = 0x4d, .found = 1);
	ADD(KT_ROW_EXIT, exit, .head = WIN0(at + 10 * US), .reason = 0x7c, .isa = SVM,
	    .rip = rip + 2, .duration = 5 * US);
	ADD(KT_ROW_MSR, msr, .head = WIN0(at + 12 * US), .index = 0xc0011020, .failed = 1);
	ADD(KT_ROW_EXCEPTION, exception, .head = WIN0(at + 14 * US), .vector = 13,
	    .flags = 1 | 16 | 32, .rip = rip + 2, .exit_reason = 0x7c, .exit_isa = SVM, .detail = 1,
	    .number = 0xc0011020);
	ADD(KT_ROW_EXCEPTION, exception, .head = WIN0(at + 14 * US + 1), .vector = 14,
	    .flags = 1 | 2 | 8 | 16, .error_code = 0x6, .address = 0x7ff612340000, .rip = rip + 9);
	ADD(KT_ROW_INJECT_IRQ, inject_irq, .head = WIN0(at + 14 * US + 2), .vector = 0xec);
}

static void add_io(struct kt_writer *w)
{
	const u64 at = 10 * SEC + 100 * US, rip = 0xffffffff8150aa42;

	ADD(KT_ROW_EXIT, exit, .head = WIN1(at), .reason = 0x7b, .isa = SVM, .rip = rip,
	    .info1 = 0x03f80010, .info2 = rip + 1, .duration = 20 * US);
	ADD(KT_ROW_PIO, pio, .head = WIN1(at + 2 * US), .port = 0x3f8, .write = 1, .size = 1,
	    .count = 1, .value = 0x41);
	ADD(KT_ROW_USERSPACE_EXIT, userspace_exit, .head = WIN1(at + 3 * US), .reason = 2);
	ADD(KT_ROW_USERSPACE_EXIT, userspace_exit, .head = WIN1(at + 4 * US), .reason = 2,
	    .error = -4);
	ADD(KT_ROW_EXIT, exit, .head = WIN1(at + 30 * US), .reason = 0x400, .isa = SVM,
	    .rip = rip + 8, .info1 = 0x100000006, .info2 = 0xfee000b0, .duration = 9 * US);
	ADD(KT_ROW_FAULT, fault, .head = WIN1(at + 31 * US), .address = 0xfee000b0,
	    .error_code = 0x100000006, .rip = rip + 8, .duration = 9 * US, .exit_reason = 0x400,
	    .exit_isa = SVM, .flags = 1);
	ADD(KT_ROW_EMULATE, emulate, .head = WIN1(at + 32 * US), .rip = rip + 8,
	    .insn = { .size = 3, .bytes = { 0x89, 0x04, 0x25 } });
	ADD(KT_ROW_MMIO, mmio, .head = WIN1(at + 33 * US), .gpa = 0xfee000b0, .size = 4,
	    .access = 2);
	ADD(KT_ROW_CR, cr, .head = WIN1(at + 34 * US), .cr = 8, .write = 1, .value = 0xf);
	ADD(KT_ROW_HYPERCALL, hypercall, .head = WIN1(at + 35 * US), .nr = 5, .a0 = 1);
	ADD(KT_ROW_HALT_POLL, halt_poll, .head = WIN1(at + 36 * US), .poll_new = 20000,
	    .poll_old = 10000, .grow = 1);
}

static void add_other_vm(struct kt_writer *w)
{
	const u64 at = 10 * SEC + 500 * 1000 * US;

	ADD(KT_ROW_EXIT, exit, .head = WEB1(at), .reason = 48, .isa = VMX, .rip = 0x1000,
	    .info1 = 0x182, .duration = 3 * US);
	ADD(KT_ROW_EXIT, exit, .head = WEB1(at + 10 * US), .reason = 30, .isa = VMX, .rip = 0x1003,
	    .info1 = 0x00600048, .duration = 3 * US);
	ADD(KT_ROW_EXIT, exit, .head = WEB1(at + 20 * US), .reason = 0x80000021, .isa = VMX,
	    .rip = 0x1004, .end = KT_END_NO_ENTRY);
	ADD(KT_ROW_EXIT, exit,
	    .head = { .ts = at + 30 * US,
		      .cpu = KT_ROW_NONE,
		      .tgid = 5000,
		      .tid = 5003,
		      .vcpu_id = 2 },
	    .reason = 12, .isa = VMX, .rip = 0x1005, .end = KT_END_OPEN);
	if (kt_writer_add_lost(w, 3, at, at + 100 * 1000 * US, 7, KT_LOST_BUFFER))
		fail("cannot add what was lost");
}

/* Exits are written when they are over: this one began before the ones above. */
static void add_halt(struct kt_writer *w)
{
	const u64 at = 10 * SEC + 200 * US;

	ADD(KT_ROW_EXIT, exit, .head = WIN0(at), .reason = 0x78, .isa = SVM,
	    .rip = 0xfffff8024c1b3000, .duration = 2 * SEC);
	ADD(KT_ROW_WAKEUP, wakeup, .head = WIN0(at + 2 * SEC - 5 * US),
	    .duration = 2 * SEC - 9 * US, .waited = 1, .valid = 1);
}

int main(int argc, char **argv)
{
	const struct kt_writer_options options = { .schema = &kt_kinds };
	struct kt_writer *w;

	if (argc != 2)
		fail("usage: capture FILE");
	if (kt_writer_open(&w, kt_store_create(argv[1], false), &options))
		fail("cannot create the file");
	add_facts(w);
	add_cpuid_and_msr(w);
	add_io(w);
	add_other_vm(w);
	if (kt_writer_flush(w))
		fail("cannot write the file");
	add_halt(w);
	if (kt_writer_close(w))
		fail("cannot write the file");
	return 0;
}
