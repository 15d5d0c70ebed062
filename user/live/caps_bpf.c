/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Asks the kernel itself: the smallest map or program of a kind is made and closed at once. */
#include <errno.h>
#include <unistd.h>
#include <linux/bpf.h>

#include <bpf/bpf.h>

#include "caps_priv.h"

/* An answer by what a system call of bpf(2) gave; closes the file descriptor. */
static u32 answer(int fd)
{
	if (fd >= 0) {
		close(fd);
		return KT_CAN;
	}
	return errno == EPERM || errno == EACCES ? KT_DENIED_HERE : KT_CANNOT;
}

static u32 try_array_of_maps(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts);
	int inner = bpf_map_create(BPF_MAP_TYPE_ARRAY, NULL, sizeof(u32), sizeof(u32), 1, NULL);
	u32 can;

	if (inner < 0)
		return answer(inner);
	opts.inner_map_fd = inner;
	can = answer(bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, NULL, sizeof(u32), sizeof(u32), 1,
				    &opts));
	close(inner);
	return can;
}

/* r0 = 0; exit. target is a type of vmlinux, for tracing programs only. */
static u32 try_program(enum bpf_prog_type type, enum bpf_attach_type attach, u32 target)
{
	static const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = attach,
		    .attach_btf_id = target);

	if (type == BPF_PROG_TYPE_TRACING && !target)
		return KT_UNKNOWN;
	return answer(bpf_prog_load(type, NULL, "GPL", insns, KT_ARRAY_SIZE(insns), &opts));
}

void kt_caps_gather_bpf(struct kt_facts *facts, const struct kt_kernel_types *types)
{
	u32 iterator;

	facts->map_ringbuf = answer(
		bpf_map_create(BPF_MAP_TYPE_RINGBUF, NULL, 0, 0, sysconf(_SC_PAGESIZE), NULL));
	facts->map_queue =
		answer(bpf_map_create(BPF_MAP_TYPE_QUEUE, NULL, 0, sizeof(u32), 1, NULL));
	facts->map_array_of_maps = try_array_of_maps();
	facts->prog_tracing =
		try_program(BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, types->sched_switch);
	iterator = try_program(BPF_PROG_TYPE_TRACING, BPF_TRACE_ITER, types->task_file);
	if (facts->prog_tracing == KT_CAN)
		facts->prog_tracing = iterator;
	facts->prog_raw_tracepoint = try_program(BPF_PROG_TYPE_RAW_TRACEPOINT, 0, 0);
	facts->prog_tracepoint = try_program(BPF_PROG_TYPE_TRACEPOINT, 0, 0);
	facts->prog_fentry =
		try_program(BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY, types->fentry_test);
}
