/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What all programs share: configuration, counters, and the way from an event to its vCPU.
 *
 * Every vCPU met gets a slot: a small number, the index of all dense tables. Which slot an event
 * belongs to is found in this order:
 *   1. a direct-mapped cache: by the vCPU's address for tracepoints that name it (vcpu_cache), by the
 *      thread's number for those that don't (thread_cache). Nearly always right, and checked against
 *      the vCPU's own entry, so a stale slot does no harm;
 *   2. vcpu_slots, a hash table by the vCPU's address;
 *   3. a new slot.
 */
#ifndef KT_CORE_BPF_H
#define KT_CORE_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "raw.bpf.h"
#include "read.bpf.h"
#include "shared/event.h"

#define KVM_ISA_VMX 1
#define KVM_ISA_SVM 2

extern const volatile struct kt_cfg cfg;
extern struct kt_counters counters;
extern struct kt_control control;
/* Global arrays need no look-up. */
extern u32 vcpu_cache[KT_CACHE_PLACES];
extern u32 thread_cache[KT_CACHE_PLACES];

/* Declared here, defined in core.bpf.c: that takes a named type. */
struct kt_vcpus_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct kt_vcpu);
};
extern struct kt_vcpus_map vcpus SEC(".maps");

struct kt_ring_map {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
};

struct kt_rings_map {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, u32);
	__array(values, struct kt_ring_map);
};
extern struct kt_rings_map rings SEC(".maps");

struct kt_cpu_lost_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
};
extern struct kt_cpu_lost_map cpu_lost SEC(".maps");

/*
 * Slow paths: the slot of a vCPU, or of the vCPU that the current thread runs; 0 when there is none
 * (capacity, or not a vCPU thread). They remember the answer.
 */
u32 kt_slot_of_vcpu(u64 vcpu);
u32 kt_slot_of_thread(void);

#define kt_count(counter) __sync_fetch_and_add(&counters.counter, 1)

/*
 * Place of a vCPU in vcpu_cache. The verifier allows no arithmetic on a pointer into the kernel, but
 * the difference of two pointers is a number; it is hashed (Fibonacci: top bits of the product).
 */
static __always_inline u32 kt_cache_place(struct kvm_vcpu *vcpu)
{
	void *origin = vcpu_cache;
	u64 distance = (u64)vcpu;

	asm volatile("%0 -= %1" : "+r"(distance) : "r"(origin));
	return distance * 0x9e3779b97f4a7c15ull >> (64 - KT_CACHE_BITS);
}

/*
 * The vCPU of a tracepoint that names it. vcpu must have been checked for NULL. Returns NULL when no
 * slot is free; the caller counts that.
 *
 * The address alone doesn't identify a vCPU: its memory can be freed and be another's the next moment,
 * even another one's of the same thread. But a new vCPU has no exits yet when it enters for the first
 * time, so that is checked upon entry. No helper is called: each costs 15 to 20 instructions.
 */
static __always_inline struct kt_vcpu *kt_vcpu_get(struct kvm_vcpu *vcpu, u32 *slot, bool entering)
{
	u32 place = kt_cache_place(vcpu);
	struct kt_vcpu *v;

	*slot = vcpu_cache[place];
	v = bpf_map_lookup_elem(&vcpus, slot);
	if (v && v->vcpu == (u64)vcpu && (!entering || vcpu->stat.exits))
		return v;
	*slot = kt_slot_of_vcpu((u64)vcpu);
	vcpu_cache[place % KT_CACHE_PLACES] = *slot;
	if (!*slot)
		return NULL;
	return bpf_map_lookup_elem(&vcpus, slot);
}

/*
 * The vCPU that the current thread runs, for tracepoints that don't say: while a thread has a vCPU
 * loaded, KVM's preempt notifier, a part of the vCPU, is on the thread's list (vcpu_load()). NULL: the
 * thread runs none, or no slot is free.
 */
static __always_inline struct kt_vcpu *kt_vcpu_current(u32 *slot)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u32 tid = task->pid;
	struct kt_vcpu *v;

	*slot = thread_cache[tid % KT_CACHE_PLACES];
	v = bpf_map_lookup_elem(&vcpus, slot);
	if (v && v->node == (u64)task->preempt_notifiers.first && v->tgid == (u32)task->tgid &&
	    v->tid == tid)
		return v;
	*slot = kt_slot_of_thread();
	thread_cache[tid % KT_CACHE_PLACES] = *slot;
	if (!*slot)
		return NULL;
	return bpf_map_lookup_elem(&vcpus, slot);
}

/*
 * The same two without the types of the kvm module (5.10, or no permission to read them): the vCPU is
 * an address, and every look at memory is a helper call.
 */
static __always_inline struct kt_vcpu *kt_vcpu_get_raw(u64 vcpu, u32 *slot, bool entering)
{
	u32 place = vcpu * 0x9e3779b97f4a7c15ull >> (64 - KT_CACHE_BITS);
	struct kt_vcpu *v;

	*slot = vcpu_cache[place];
	v = bpf_map_lookup_elem(&vcpus, slot);
	if (v && v->vcpu == vcpu && (!entering || kt_vcpu_read(kt_vcpu_at(vcpu), stat.exits)))
		return v;
	*slot = kt_slot_of_vcpu(vcpu);
	vcpu_cache[place % KT_CACHE_PLACES] = *slot;
	if (!*slot)
		return NULL;
	return bpf_map_lookup_elem(&vcpus, slot);
}

static __always_inline struct kt_vcpu *kt_vcpu_current_raw(u32 *slot)
{
	u64 node = kt_u64_of(task_struct, bpf_get_current_task(), preempt_notifiers.first);
	u64 pid_tgid = bpf_get_current_pid_tgid();
	u32 place = (u32)pid_tgid % KT_CACHE_PLACES;
	struct kt_vcpu *v;

	*slot = thread_cache[place];
	v = bpf_map_lookup_elem(&vcpus, slot);
	if (v && v->node == node && v->tgid == pid_tgid >> 32 && v->tid == (u32)pid_tgid)
		return v;
	*slot = kt_slot_of_thread();
	thread_cache[place] = *slot;
	if (!*slot)
		return NULL;
	return bpf_map_lookup_elem(&vcpus, slot);
}

/* raw: as kt_vcpu_current_raw() finds it. */
static __always_inline struct kt_vcpu *kt_vcpu_loaded(u32 *slot, bool raw)
{
	return raw ? kt_vcpu_current_raw(slot) : kt_vcpu_current(slot);
}

/*
 * For those that may meet a vCPU before its first entry is seen, which gives it a slot of its own: the slot
 * that was found may be that of a vCPU which was at its address before. With this one's id it does no harm.
 */
static __always_inline struct kt_vcpu *kt_vcpu_checked(struct kt_vcpu *v, u32 *slot)
{
	/* All vCPUs of a process are muted alike, unless one of them is asked for. */
	if (!v || (cfg.vcpu_id == KT_NO_VCPU && v->muted))
		return v;
	if (v->vcpu_id == (u32)kt_vcpu_read(kt_vcpu_at(v->vcpu), vcpu_id))
		return v;
	*slot = kt_slot_of_thread();
	return *slot ? bpf_map_lookup_elem(&vcpus, slot) : NULL;
}

#define VMX_BUS_LOCK (1u << 26)
#define VMX_ENCLAVE  (1u << 27)

/* Without VMX's flags that come with any reason; a failed entry's bit 31 stays: another thing. */
static __always_inline u32 kt_plain_reason(u32 isa, u32 code)
{
	return isa == KVM_ISA_VMX ? code & ~(VMX_BUS_LOCK | VMX_ENCLAVE) : code;
}

/* --pid and --vcpu. */
static __always_inline bool kt_wanted(u32 tgid, u32 vcpu_id)
{
	return (cfg.tgid == KT_NO_PID || cfg.tgid == tgid) &&
	       (cfg.vcpu_id == KT_NO_VCPU || cfg.vcpu_id == vcpu_id);
}

/* Room in this CPU's ring; NULL and counted as lost when it is full. Hand it over with kt_submit(). */
static __always_inline void *kt_room(u32 size, u32 cpu)
{
	void *ring = bpf_map_lookup_elem(&rings, &cpu);
	void *room = ring ? bpf_ringbuf_reserve(ring, size, 0) : NULL;
	u64 *lost;

	if (!room) {
		lost = bpf_map_lookup_elem(&cpu_lost, &cpu);
		if (lost)
			__sync_fetch_and_add(lost, 1);
	}
	return room;
}

/* Room for a record, header filled in. v is the vCPU that the current thread runs, or NULL. */
static __always_inline void *kt_reserve(u32 size, u32 kind, const struct kt_vcpu *v)
{
	u32 cpu = bpf_get_smp_processor_id();
	struct kt_head *head = kt_room(size, cpu);
	u64 pid_tgid;

	if (!head)
		return NULL;
	head->ts = bpf_ktime_get_ns();
	head->kind = kind;
	head->cpu = cpu;
	head->pad = 0;
	if (v) {
		head->tgid = v->tgid;
		head->tid = v->tid;
		head->vcpu_id = v->vcpu_id;
	} else {
		pid_tgid = bpf_get_current_pid_tgid();
		head->tgid = pid_tgid >> 32;
		head->tid = pid_tgid;
		head->vcpu_id = KT_NO_VCPU;
	}
	return head;
}

/*
 * The kernel wakes the reader only when it had caught up, that is for the first record after a
 * pause; the reader then waits a little and takes all that has come. So a storm costs few wake-ups.
 */
#define kt_submit(record) bpf_ringbuf_submit(record, 0)

#endif
