/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * capture story|few|regions FILE: writes a capture whose numbers tests/lanes/reports.py knows.
 *
 *	story	ten seconds of a guest that goes wrong, with all that a capture has
 *	few	exceptions only, one of a VM with a hostile name; not closed
 *	regions	faults in 50,000 regions of 2 MiB, and exceptions of 20,000 causes
 */
#include "../../bpf/shared/event.h"
#include "../../user/store/output.h"
#include "../../user/store/kinds.h"
#include "../../user/store/writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND	   1000000000ull
#define BEGIN	   (1000 * SECOND)
#define BEGIN_WALL (1769868200 * SECOND) /* 2026-01-31T14:03:20Z */
#define SVM	   2
#define CPUID	   0x72
#define IOIO	   0x7b
#define MSR	   0x7c
#define HLT	   0x78
#define NPF	   0x400

static struct kt_writer *writer;

static void fail(const char *what)
{
	fprintf(stderr, "capture: %s\n", what);
	exit(1);
}

static void add(u32 kind, const void *row)
{
	if (kt_writer_add(writer, kind, row))
		fail("cannot add an event");
}

static void fact(const char *name, const char *text)
{
	if (kt_writer_add_fact(writer, name, text, strlen(text)))
		fail("cannot add a fact");
}

static struct kt_row_common at(u64 ns, u32 vcpu)
{
	return (struct kt_row_common) {
		.ts = BEGIN + ns, .cpu = 2 + vcpu, .tgid = 4711, .tid = 4720 + vcpu, .vcpu_id = vcpu
	};
}

static void add_exit(u64 ns, u32 vcpu, u32 reason, u64 duration, u8 end)
{
	const struct kt_row_exit row = { .head = at(ns, vcpu),
					 .reason = reason,
					 .isa = SVM,
					 .rip = 0x1000,
					 .duration = duration,
					 .end = end };

	add(KT_ROW_EXIT, &row);
}

static void add_fault(u64 ns, u64 address, u64 error_code, u64 duration)
{
	const struct kt_row_fault row = { .head = at(ns, 0),
					  .address = address,
					  .error_code = error_code,
					  .rip = 0x2000,
					  .duration = duration,
					  .exit_reason = NPF,
					  .exit_isa = SVM,
					  .flags = KT_FAULT_EXIT };

	add(KT_ROW_FAULT, &row);
}

static void add_gp(u64 ns, u32 msr)
{
	const struct kt_row_exception row = { .head = at(ns, 0),
					      .vector = 13,
					      .flags = KT_EXC_ERROR_CODE | KT_EXC_RIP | KT_EXC_EXIT,
					      .rip = 0x201100,
					      .exit_reason = MSR,
					      .exit_isa = SVM,
					      .detail = KT_DETAIL_MSR,
					      .number = msr };

	add(KT_ROW_EXCEPTION, &row);
}

static void begin(const char *events)
{
	char about[200];

	if (kt_writer_add_clock(writer, BEGIN, BEGIN_WALL))
		fail("cannot add a clock");
	snprintf(about, sizeof(about), "{\"version\":\"0.1.0\",\"events\":[%s]}", events);
	fact("kvmtrace", about);
}

static void story(void)
{
	const struct kt_row_exception again = { .head = at(3500000000, 1),
						.vector = 14,
						.flags = KT_EXC_REINJECTED };
	const struct kt_row_msr msr = { .head = at(3000000000, 0), .index = 0xdead, .failed = 1 };
	const struct kt_row_emulate emulate = {
		.head = at(9000000000, 1), .rip = 0x7000, .failed = 1, .insn = { 2, { 0x0f, 0xae } }
	};
	const struct kt_row_userspace_exit user = { .head = at(9100000000, 1),
						    .reason = 17,
						    .suberror = 1 };

	begin("\"exits\",\"exceptions\",\"faults\",\"msr\",\"emulate\",\"userspace\"");
	fact("host", "{\"kernel\":{\"release\":\"6.1.0-26-amd64\"},\"cpu\":{\"model_name\":\"AMD "
		     "EPYC 7763\",\"online\":64}}");
	fact("vm.4711.5", "{\"pid\":4711,\"start_time\":5,\"from_ns\":1000000000000,\"name\":"
			  "\"win11\",\"manager\":null,\"vmm\":\"qemu\"}");
	add_exit(1000000000, 0, CPUID, 100, 0);
	add_exit(1000001000, 0, CPUID, 200, 0);
	add_exit(1000002000, 0, CPUID, 300, 0);
	add_exit(1000003000, 0, CPUID, 400, 0);
	add_fault(1100000000, 0xd0000000, 0x100000006, 100);
	add_fault(1200000000, 0xd01fffff, 0x100000004, 300);
	add_fault(1300000000, 0xd0200000, 0x100000006, 0);
	add(KT_ROW_MSR, &msr);
	add_gp(3000000100, 0xdead);
	add_gp(3000001000, 0xdead);
	add_gp(3000002000, 0x10);
	/* It began at 2 s, and comes when it ended. */
	add_exit(2000000000, 1, HLT, 1200000000, 0);
	add(KT_ROW_EXCEPTION, &again);
	add_exit(3600000000, 1, IOIO, 0, 1);
	if (kt_writer_add_lost(writer, 2, BEGIN + 3700000000, BEGIN + 3800000000, 12,
			       KT_LOST_BUFFER))
		fail("cannot add a loss");
	add_exit(4000000000, 0, MSR, 5000000000, 0);
	add(KT_ROW_EMULATE, &emulate);
	add(KT_ROW_USERSPACE_EXIT, &user);
	add_exit(9900000000, 0, CPUID, 0, 2);
	fact("end", "{\"begin_ns\":1000000000000,\"end_ns\":1010000000000,\"unpaired_entries\":3,"
		    "\"threads_unknown\":2}");
}

static void few(void)
{
	begin("\"exceptions\"");
	fact("vm.4711.5", "{\"pid\":4711,\"start_time\":5,\"from_ns\":0,\"name\":\"\\u001b[31mred"
			  "\\n\",\"manager\":null,\"vmm\":\"qemu\"}");
	add_gp(1000000000, 0xdead);
	add_gp(2000000000, 0xdead);
}

static void regions(void)
{
	begin("\"exits\",\"exceptions\",\"faults\"");
	for (u32 i = 0; i < 20000; i++)
		add_gp(i, 0x50000000 + i);
	for (u64 i = 0; i < 50000; i++)
		add_fault(20000 + i, i << KT_REGION_SHIFT, 0x100000006, 1000 + i);
}

int main(int argc, char **argv)
{
	const struct kt_writer_options options = { .schema = &kt_kinds };

	if (argc != 3)
		fail("usage: capture story|few|regions FILE");
	if (kt_writer_open(&writer, kt_store_create(argv[2], false), &options))
		fail("cannot create the file");
	if (!strcmp(argv[1], "story"))
		story();
	else if (!strcmp(argv[1], "few"))
		few();
	else if (!strcmp(argv[1], "regions"))
		regions();
	else
		fail("no such capture");
	/* As after kill -9. */
	if (!strcmp(argv[1], "few"))
		return kt_writer_flush(writer) ? 1 : 0;
	return kt_writer_close(writer) ? 1 : 0;
}
