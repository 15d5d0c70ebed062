/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * small FILE: writes the capture that tests/unit/test_store_versions.c knows by heart. For a new
 * version of the format there is a new one; captures of released versions are never written anew:
 *	make build/tests/store/small && build/tests/store/small tests/store/v1-small.kvmtrace
 */
#include <stdio.h>

#include "../../user/store/kinds.h"
#include "../../user/store/output.h"
#include "../../user/store/writer.h"

#define EXITS 40

static const char kernel[] = "Linux 6.1.0-26-amd64";
static const char vms[] = "[{\"pid\":4711,\"name\":\"win11\"}]";

static void add_exits(struct kt_writer *w)
{
	u32 i;

	for (i = 0; i < EXITS; i++) {
		bool io = i % 4 == 3;

		kt_writer_add(
			w, KT_ROW_EXIT,
			&(struct kt_row_exit) { .head = { .ts = 2000000000 + i * 3500 + i % 7 * 10,
							  .cpu = 2 + i % 2,
							  .tgid = 4711,
							  .tid = 4720 + i % 2,
							  .vcpu_id = i % 2 },
						.reason = io ? 0x7b : 0x72,
						.isa = 2,
						.rip = io ? 0xffffffff8150aa42 : 0xffffffff81060b1c,
						.info1 = io ? 0x3f80210 : 0,
						.duration = i == 20   ? 1234567
							    : i == 39 ? 0
								      : 1400 + i * 5,
						.end = i == 39 });
	}
}

static void add_others(struct kt_writer *w)
{
	const struct kt_row_exception exception = {
		.head = { 2000150000, 3, 4711, 4721, 1 },
		.vector = 13,
		.flags = 0x31,
		.rip = 0x201100,
		.exit_reason = 0x7c,
		.exit_isa = 2,
		.detail = 1,
		.number = 0xdead,
		.insn = { 2, { 0x0f, 0x32 } },
	};
	const struct kt_row_fault fault = {
		.head = { 2000160000, 2, 4711, 4720, 0 },
		.address = 0xd0000000,
		.error_code = 0x100000006,
		.rip = 0x7ff61a2b3c4d,
		.duration = 3141,
		.exit_reason = 0x400,
		.exit_isa = 2,
		.flags = 1,
	};
	const struct kt_row_userspace_exit user = {
		.head = { 2600000100, 2, 4711, 4720, 0 },
		.reason = 17,
		.error = -4,
		.suberror = 1,
		.ndata = 2,
		.data0 = 0x11,
		.data1 = ~0ull,
		.insn = { 15, { 0xf0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14 } },
	};

	kt_writer_add(w, KT_ROW_EXCEPTION, &exception);
	kt_writer_add(w, KT_ROW_FAULT, &fault);
	kt_writer_flush(w);
	kt_writer_add_clock(w, 2500000000, 1795381201500000123);
	kt_writer_add_lost(w, 3, 2000160000, 2600000000, 77, 1);
	kt_writer_add(w, KT_ROW_USERSPACE_EXIT, &user);
}

int main(int argc, char **argv)
{
	const struct kt_writer_options options = { .schema = &kt_kinds, .tag = 0x20261122 };
	struct kt_writer *w;

	if (argc != 2 || kt_writer_open(&w, kt_store_create(argv[1], false), &options)) {
		fprintf(stderr, "usage: small FILE\n");
		return 1;
	}
	kt_writer_add_fact(w, "kernel", kernel, sizeof(kernel) - 1);
	kt_writer_add_fact(w, "vms.json", vms, sizeof(vms) - 1);
	kt_writer_add_clock(w, 1000000000, 1795381200000000000);
	add_exits(w);
	add_others(w);
	return kt_writer_close(w) != 0;
}
