/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * format text|json storm|scattered COUNT: renders a stream of exceptions, like those of the guests in
 * tests/guest, as "kvmtrace exceptions" does, and prints how long that took: "COUNT NS". With COUNT known,
 * callgrind's instructions can be divided by it. In a storm the same few events come again and again; those
 * that are scattered all differ.
 */
#include "../../user/lib/out.h"
#include "../../user/sink/exception.h"
#include "../../user/sink/record.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SVM	     2 /* KVM_ISA_SVM, as kvm_exit has it */
#define ROUND	     65536
#define RIP_STEP     0x137
#define ADDRESS_STEP 0x1008
#define STEP_NS	     7001
#define START_NS     1700000000123456789ull
#define EXIT_NPF     0x400
#define EXIT_MSR     0x7c
#define EXIT_UD	     0x46
#define EXIT_IOIO    0x7b
#define KNOWN	     (KT_EXC_RIP | KT_EXC_EXIT)
#define WITH_ERROR   (KNOWN | KT_EXC_ERROR_CODE)

/* An RDMSR of an unknown MSR, a WRMSR of one that has a name, UD2, a #PF of the emulator. */
static const struct kt_exception kinds[] = {
	{ .rip = 0x201100,
	  .vector = 13,
	  .flags = WITH_ERROR,
	  .exit = { .code = EXIT_MSR, .isa = SVM },
	  .detail = { .number = 0xdead, .flags = KT_DETAIL_MSR } },
	{ .rip = 0xffffffff8104f2a0,
	  .vector = 13,
	  .flags = WITH_ERROR,
	  .exit = { .code = EXIT_MSR, .isa = SVM, .info1 = 1 },
	  .detail = { .number = 0xc0000080,
		      .value = 0x1122334455667788,
		      .flags = KT_DETAIL_MSR | KT_DETAIL_MSR_WRITE } },
	{ .rip = 0x7ff61a2b3c4d,
	  .vector = 6,
	  .flags = KNOWN,
	  .exit = { .code = EXIT_UD, .isa = SVM },
	  .detail = { .insn_len = 2, .insn = { 0x0f, 0x0b }, .flags = KT_DETAIL_INSN } },
	{ .rip = 0x201100,
	  .address = 0x555555123,
	  .error_code = 0x2,
	  .vector = 14,
	  .flags = WITH_ERROR | KT_EXC_ADDRESS,
	  .exit = { .code = EXIT_NPF, .isa = SVM, .info2 = 0xd0000000 },
	  .detail = { .insn_len = 1, .insn = { 0xa4 }, .flags = KT_DETAIL_INSN } },
};

static struct kt_exception stream[ROUND];

/* Everywhere in the guest: no two events alike, whatever is remembered of former ones. */
static void scatter(struct kt_exception *e, uint64_t i)
{
	e->rip += i * RIP_STEP;
	e->detail.value += i;
	if (e->flags & KT_EXC_ADDRESS)
		e->address += i * ADDRESS_STEP;
}

/* Mostly #GP, and now and then one of the others. */
static void make_stream(bool scattered)
{
	for (size_t i = 0; i < ROUND; i++) {
		stream[i] = kinds[i % 8 < 5 ? 0 : i % 8 - 4];
		stream[i].head = (struct kt_head) { .kind = KT_KIND_EXCEPTION,
						    .tgid = 4242,
						    .tid = 4244 + (uint32_t)(i % 4),
						    .vcpu_id = (uint32_t)(i % 4) };
		if (scattered)
			scatter(&stream[i], i);
	}
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static void text(struct kt_out *out, const struct kt_vm_entry *vm, uint64_t count)
{
	struct kt_exception_lines *lines = kt_exception_lines_new(out);

	for (uint64_t i = 0; i < count; i++)
		kt_exception_line(lines, &stream[i % ROUND], vm, START_NS + i * STEP_NS);
	kt_exception_lines_free(lines);
}

static void json(struct kt_out *out, const struct kt_vm_entry *vm, uint64_t count)
{
	struct kt_record *r = kt_record_new(KT_FORMAT_JSON, out, "exception");

	for (uint64_t i = 0; i < count; i++) {
		stream[i % ROUND].head.ts = i * STEP_NS;
		kt_exception_record(r, &stream[i % ROUND], vm, START_NS + i * STEP_NS);
	}
	kt_record_free(r);
}

int main(int argc, char **argv)
{
	const struct kt_vm_entry vm = { .pid = 4242, .name = "win11", .manager = "libvirt" };
	bool as_json = argc == 4 && !strcmp(argv[1], "json");
	bool scattered = argc == 4 && !strcmp(argv[2], "scattered");
	struct kt_out *out = kt_out_open("/dev/null");
	uint64_t count, begin;

	if (!out || argc != 4 || (!as_json && strcmp(argv[1], "text")) ||
	    (!scattered && strcmp(argv[2], "storm"))) {
		fputs("usage: format text|json storm|scattered COUNT\n", stderr);
		return 2;
	}
	count = strtoull(argv[3], NULL, 10);
	make_stream(scattered);
	begin = now();
	if (as_json)
		json(out, &vm, count);
	else
		text(out, &vm, count);
	kt_out_flush(out);
	printf("%" PRIu64 " %" PRIu64 "\n", count, now() - begin);
	return kt_out_close(out) == KT_OK ? 0 : 1;
}
