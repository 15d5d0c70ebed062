// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Programs right and wrong on every host: selftest.py knows what verify has to say of each. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile bool setting = false;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1000000);
	__type(key, u32);
	__type(value, u64);
} table SEC(".maps");

/* No kernel has this field. */
struct task_struct___kt {
	int kt_no_such_field;
} __attribute__((preserve_access_index));

static __always_inline u64 *find(void)
{
	u32 key = 0;

	return bpf_map_lookup_elem(&table, &key);
}

SEC("raw_tp/sched_switch")
int good(void *ctx)
{
	u64 *value = find();

	return value ? *value : 0;
}

SEC("tp_btf/sched_switch")
int good_btf(void *ctx)
{
	return 0;
}

SEC("raw_tp/sched_switch")
int unchecked(void *ctx)
{
	return *find();
}

/* Wrong under a setting that is not the one in the object. */
SEC("raw_tp/sched_switch")
int setting_unchecked(void *ctx)
{
	return setting ? *find() : 0;
}

SEC("raw_tp/sched_switch")
int no_field(void *ctx)
{
	struct task_struct___kt *task = (void *)bpf_get_current_task();

	return BPF_CORE_READ(task, kt_no_such_field);
}

SEC("raw_tp/sched_switch")
int no_helper(void *ctx)
{
	static long (*helper)(void) = (void *)9999;

	return helper();
}

SEC("tp_btf/kvm_no_such_event")
int no_event(void *ctx)
{
	return 0;
}
