// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * kvmtrace faults: each kvm_page_fault with the time its exit took; or, with --hist, added up in the
 * kernel by VM and 2 MiB region. The duration is known at the next entry, so a fault waits there.
 */
#include "vendor.bpf.h"
#include "raw.bpf.h"

/* By slot: the fault that is being handled. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct kt_pending_fault);
} pending_faults SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct kt_region_key);
	__type(value, struct kt_region);
} regions SEC(".maps");

/* A new region starts from these zeros: it is too large for the BPF stack. */
static const struct kt_region no_faults = {};

#define PFERR_PRESENT  (1ull << 0)
#define PFERR_WRITE    (1ull << 1)
#define PFERR_RESERVED (1ull << 3)
#define PFERR_FETCH    (1ull << 4)
#define EPT_WRITE      (1ull << 1)
#define EPT_FETCH      (1ull << 2)
#define EPT_PERMITTED  (7ull << 3) /* the entry allowed something, so it was present */

#define VMX_EPT_VIOLATION 48
#define SVM_NPF		  0x400

/* Under EPT and NPT the address is a GPA; with shadow paging the exit is the guest's own #PF: a GVA. */
static __always_inline bool is_gpa(const struct kt_vcpu *v)
{
	return v->isa == KVM_ISA_VMX ? (v->exit_code & 0xffff) == VMX_EPT_VIOLATION
				     : v->exit_code == SVM_NPF;
}

static __always_inline void emit(struct kt_pending_fault *f, const struct kt_vcpu *v, u64 duration)
{
	struct kt_fault *e = kt_reserve(sizeof(*e), KT_KIND_FAULT, v);

	f->pending = 0;
	if (!e)
		return;
	e->address = f->address;
	e->error_code = f->error_code;
	e->rip = f->rip;
	e->duration = duration;
	e->exit_code = v->exit_code;
	e->isa = v->isa;
	e->flags = v->isa ? KT_FAULT_EXIT : 0;
	e->pad = 0;
	kt_submit(e);
}

static __always_inline void add_access(struct kt_region *r, u32 isa, bool gpa, u64 error_code)
{
	bool ept = isa == KVM_ISA_VMX && gpa;
	u64 fetch = ept ? EPT_FETCH : PFERR_FETCH;
	u64 write = ept ? EPT_WRITE : PFERR_WRITE;
	u64 present = ept ? EPT_PERMITTED : PFERR_PRESENT;

	if (error_code & fetch)
		__sync_fetch_and_add(&r->access[2], 1);
	else if (error_code & write)
		__sync_fetch_and_add(&r->access[1], 1);
	else
		__sync_fetch_and_add(&r->access[0], 1);
	if (!ept && error_code & PFERR_RESERVED)
		__sync_fetch_and_add(&r->mmio, 1);
	else if (error_code & present)
		__sync_fetch_and_add(&r->present, 1);
}

/* Several vCPUs of a VM may fault in one region at a time, hence atomic. */
static __always_inline void aggregate(struct kt_pending_fault *f, const struct kt_vcpu *v, u64 ns)
{
	struct kt_region_key key = {
		.region = f->address >> KT_REGION_SHIFT,
		.tgid = v->tgid,
		.gva = !is_gpa(v),
	};
	struct kt_region *r = bpf_map_lookup_elem(&regions, &key);
	u32 bucket;

	f->pending = 0;
	if (!r) {
		bpf_map_update_elem(&regions, &key, &no_faults, BPF_NOEXIST);
		r = bpf_map_lookup_elem(&regions, &key);
		if (!r) {
			kt_count(faults_without_region);
			return;
		}
	}
	__sync_fetch_and_add(&r->count, 1);
	add_access(r, v->isa, !key.gva, f->error_code);
	if (!ns)
		return;
	__sync_fetch_and_add(&r->timed, 1);
	__sync_fetch_and_add(&r->total_ns, ns);
	bucket = kt_hist_bucket(ns, KT_REGION_SUB_BITS);
	barrier_var(bucket); /* or clang checks one copy and uses another */
	if (bucket < KT_REGION_BUCKETS)
		__sync_fetch_and_add(&r->buckets[bucket], 1);
}

/* Ends the pending fault, if there is one. ns 0: the entry was not seen. */
static __always_inline void finish(u32 slot, const struct kt_vcpu *v, u64 ns)
{
	struct kt_pending_fault *f = bpf_map_lookup_elem(&pending_faults, &slot);

	if (!f || !f->pending)
		return;
	if (cfg.regions)
		aggregate(f, v, ns);
	else
		emit(f, v, ns);
}

SEC("?tp_btf/kvm_exit")
int BPF_PROG(kt_fault_exit, struct kvm_vcpu *vcpu, u32 isa)
{
	struct kt_vcpu *v;
	u32 slot;

	if (!vcpu)
		return 0;
	v = kt_vcpu_get(vcpu, &slot, false);
	if (!v || v->muted)
		return 0;
	finish(slot, v, 0);
	v->exit_code = kt_read_exit_code(vcpu, v, isa);
	v->exit_ts = bpf_ktime_get_ns();
	return 0;
}

/*
 * Where a fault that begins waits for the end of its exit. An earlier one that is still there will not
 * see it. NULL: no slot was free, or the vCPU is filtered out.
 */
static __always_inline struct kt_pending_fault *new_fault(struct kt_vcpu *v, u32 slot, u32 vcpu_id)
{
	if (!v) {
		if (kt_wanted(bpf_get_current_pid_tgid() >> 32, vcpu_id))
			kt_count(faults_without_vcpu_slot);
		return NULL;
	}
	if (v->muted)
		return NULL;
	finish(slot, v, 0);
	return bpf_map_lookup_elem(&pending_faults, &slot);
}

/* The guest goes on. */
static __always_inline int end_fault(struct kt_vcpu *v, u32 slot)
{
	u64 begin;

	if (!v || v->muted)
		return 0;
	begin = v->exit_ts;
	v->exit_ts = KT_EXIT_NONE;
	finish(slot, v, KT_EXIT_IS_TIME(begin) ? bpf_ktime_get_ns() - begin : 0);
	return 0;
}

static __always_inline void begin_fault(struct kt_raw_kvm_page_fault *ctx, bool raw)
{
	struct kt_pending_fault *f;
	struct kt_vcpu *v;
	u32 slot;

	v = raw ? kt_vcpu_current_raw(&slot) : kt_vcpu_current(&slot);
	f = new_fault(v, slot, ctx->vcpu_id);
	if (!f)
		return;
	f->ts = bpf_ktime_get_ns();
	f->address = ctx->fault_address;
	f->error_code = ctx->error_code;
	f->rip = ctx->guest_rip;
	f->pending = 1;
}

/* Classic, for RIP: on VMX its record's guest_rip is read from the VMCS. Returns 1 for perf's sake. */
SEC("?tp/kvm/kvm_page_fault")
int kt_fault(struct kt_raw_kvm_page_fault *ctx)
{
	begin_fault(ctx, false);
	return 1;
}

/* For --hist, which shows no RIP. */
SEC("?tp_btf/kvm_page_fault")
int BPF_PROG(kt_fault_region, struct kvm_vcpu *vcpu, u64 address, u64 error_code)
{
	struct kt_pending_fault *f;
	struct kt_vcpu *v;
	u32 slot;

	if (!vcpu)
		return 0;
	v = kt_vcpu_get(vcpu, &slot, false);
	f = new_fault(v, slot, vcpu->vcpu_id);
	if (!f)
		return 0;
	f->address = address;
	f->error_code = error_code;
	f->pending = 1;
	return 0;
}

SEC("?tp_btf/kvm_entry")
int BPF_PROG(kt_fault_entry, struct kvm_vcpu *vcpu)
{
	struct kt_vcpu *v;
	u32 slot;

	if (!vcpu)
		return 0;
	v = kt_vcpu_get(vcpu, &slot, true);
	return end_fault(v, slot);
}

/* ---- without the types of the kvm modules ---- */

SEC("?tp/kvm/kvm_exit")
int kt_fault_exit_r(struct kt_raw_kvm_exit *ctx)
{
	struct kt_vcpu *v;
	u32 slot;

	v = kt_vcpu_current_raw(&slot);
	if (!v || v->muted)
		return 1;
	finish(slot, v, 0);
	v->isa = ctx->isa;
	v->exit_code = kt_plain_reason(ctx->isa, ctx->exit_reason);
	v->exit_rip = ctx->guest_rip;
	v->exit_info1 = ctx->info1;
	v->exit_ts = bpf_ktime_get_ns();
	return 1;
}

SEC("?tp/kvm/kvm_page_fault")
int kt_fault_r(struct kt_raw_kvm_page_fault *ctx)
{
	begin_fault(ctx, true);
	return 1;
}

/* The record lacks RIP, and half of the error code on SVM: both were in the exit's. */
SEC("?tp/kvm/kvm_page_fault")
int kt_fault_old(struct kt_raw_kvm_page_fault_old *ctx)
{
	struct kt_pending_fault *f;
	struct kt_vcpu *v;
	u32 slot;

	v = kt_vcpu_current_raw(&slot);
	f = new_fault(v, slot, KT_NO_VCPU);
	if (!f)
		return 1;
	f->ts = bpf_ktime_get_ns();
	f->address = ctx->fault_address;
	f->error_code = ctx->error_code;
	if ((u32)v->exit_info1 == ctx->error_code)
		f->error_code = v->exit_info1;
	f->rip = v->exit_rip;
	f->pending = 1;
	return 1;
}

SEC("?raw_tp/kvm_entry")
int kt_fault_entry_r(struct kt_raw_args *ctx)
{
	struct kt_vcpu *v;
	u32 slot;

	v = kt_vcpu_get_raw(ctx->args[0], &slot, true);
	return end_fault(v, slot);
}
