// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* The shared maps, and the slow paths from an event to its vCPU's slot. */
#include "core.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile struct kt_cfg cfg = {};
const volatile struct kt_type_numbers types SEC(".rodata.types") = {};
struct kt_counters counters = {};
/* Not 0, or it would not be in .data: user space sets it. */
struct kt_control control = { .epoch = 1 };
u32 vcpu_cache[KT_CACHE_PLACES] = {};
u32 thread_cache[KT_CACHE_PLACES] = {};

struct kt_vcpus_map vcpus SEC(".maps");
struct kt_rings_map rings SEC(".maps");
struct kt_cpu_lost_map cpu_lost SEC(".maps");

/* struct kvm_vcpu * to slot. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, u64);
	__type(value, u32);
} vcpu_slots SEC(".maps");

/* Slots nobody has; user space fills it, and gives back those of VMs that have gone. Never 0. */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 1);
	__type(value, u32);
} free_slots SEC(".maps");

/* Notices to user space: a new vCPU. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} notices SEC(".maps");

static __noinline int notify(u32 slot)
{
	struct kt_vcpu *v = bpf_map_lookup_elem(&vcpus, &slot);
	struct kt_notice *notice;

	if (!v)
		return 0;
	notice = bpf_ringbuf_reserve(&notices, sizeof(*notice), 0);
	if (!notice) {
		kt_count(notices_lost);
		return 0;
	}
	notice->head.ts = bpf_ktime_get_ns();
	notice->head.kind = KT_KIND_VCPU;
	notice->head.cpu = bpf_get_smp_processor_id();
	notice->head.tgid = v->tgid;
	notice->head.tid = v->tid;
	notice->head.vcpu_id = v->vcpu_id;
	notice->head.pad = 0;
	notice->slot = slot;
	notice->pad = 0;
	__builtin_memcpy(notice->comm, v->comm, sizeof(notice->comm));
	bpf_ringbuf_submit(notice, BPF_RB_FORCE_WAKEUP);
	return 0;
}

static __noinline u32 new_slot(u64 vcpu, u32 vcpu_id)
{
	u64 pid_tgid = bpf_get_current_pid_tgid();
	struct task_struct *task, *leader;
	struct kt_vcpu *v;
	u32 slot = 0;

	if (bpf_map_pop_elem(&free_slots, &slot))
		return 0;
	v = bpf_map_lookup_elem(&vcpus, &slot);
	if (!v)
		return 0;
	kt_count(slots_taken);
	v->exit_ts = KT_EXIT_FRESH;
	v->vcpu_id = vcpu_id;
	v->tgid = pid_tgid >> 32;
	v->tid = pid_tgid;
	v->muted = !kt_wanted(v->tgid, vcpu_id);
	v->isa = 0;
	v->last = (struct kt_last_exit) {};
	v->fault = (struct kt_pending_fault) {};
	task = (struct task_struct *)bpf_get_current_task();
	leader = BPF_CORE_READ(task, group_leader);
	bpf_core_read_str(v->comm, sizeof(v->comm), &leader->comm);
	v->node = vcpu + bpf_core_field_offset(struct kvm_vcpu, preempt_notifier.link);
	v->vcpu = vcpu;
	bpf_map_update_elem(&vcpu_slots, &vcpu, &slot, BPF_ANY);
	/* Or this thread's events would be those of a vCPU that it had at the same address before. */
	thread_cache[(u32)pid_tgid % KT_CACHE_PLACES] = slot;
	/* Also of those filtered out: user space must learn when their process ends. */
	notify(slot);
	return slot;
}

/* The slot that this vCPU has, or a new one. */
__hidden u32 kt_slot_of_vcpu(u64 address)
{
	struct kvm_vcpu *vcpu = (struct kvm_vcpu *)address;
	u32 vcpu_id = BPF_CORE_READ(vcpu, vcpu_id);
	u64 pid_tgid = bpf_get_current_pid_tgid();
	u32 *known = bpf_map_lookup_elem(&vcpu_slots, &address);
	bool fresh = !BPF_CORE_READ(vcpu, stat.exits);
	struct kt_vcpu *v;
	u32 slot;

	if (known) {
		slot = *known;
		v = bpf_map_lookup_elem(&vcpus, &slot);
		/*
		 * A vCPU without exits is a new one, unless it has just got its slot. (Or somebody
		 * wrote 0 to debugfs kvm/exits: then it goes on in a second slot, which does no harm.)
		 */
		if (v && v->vcpu == address && v->vcpu_id == vcpu_id && v->tgid == pid_tgid >> 32 &&
		    (!fresh || !v->isa)) {
			v->tid = pid_tgid; /* another thread may have taken it over */
			return slot;
		}
	}
	return new_slot(address, vcpu_id);
}

__hidden u32 kt_slot_of_thread(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	u64 node = (u64)BPF_CORE_READ(task, preempt_notifiers.first);

	if (!node) {
		kt_count(threads_unknown);
		return 0;
	}
	return kt_slot_of_vcpu(node -
			       bpf_core_field_offset(struct kvm_vcpu, preempt_notifier.link));
}
