// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * kvmtrace faults: each kvm_page_fault with the time its exit took; or, with --hist, added up in the
 * kernel by VM and 2 MiB region. The duration is known at the next entry, so a fault waits there.
 */
#include "vendor.bpf.h"
#include "raw.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, KT_NEAR_REGIONS);
	__type(key, u32);
	__type(value, struct kt_near_region);
} near_regions SEC(".maps");

/* Places that are taken: what makes taking one atomic. 5.10 has no other way. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, KT_NEAR_REGIONS);
	__type(key, u32);
	__type(value, u32);
} region_claims SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct kt_region_key);
	__type(value, struct kt_region);
} far_regions SEC(".maps");

/* A new region starts from these zeros: it is too large for the BPF stack. */
static const struct kt_region no_faults = {};

#define EPT_ACCESS    7ull
#define EPT_PERMITTED (7ull << 3) /* the entry allowed something, so it was present */

#define VMX_EPT_VIOLATION 48
#define SVM_NPF		  0x400
#define NPF_KIND	  (3ull << 32) /* every nested page fault says whether it hit a table */

/* The exit that a fault is handled in. That of a nested page fault needs no look into the VMCB. */
static __always_inline u32 exit_code_of(const struct kt_vcpu *v, u64 error_code)
{
	if (error_code & NPF_KIND)
		return SVM_NPF;
	return kt_read_exit_code_slow(v->vcpu, v->isa);
}

/* Under EPT and NPT the address is a GPA; with shadow paging the exit is the guest's own #PF: a GVA. */
static __always_inline u32 space_of(const struct kt_vcpu *v, u32 exit_code)
{
	if (exit_code == SVM_NPF)
		return KT_SPACE_NPT;
	return v->isa == KVM_ISA_VMX && (exit_code & 0xffff) == VMX_EPT_VIOLATION ? KT_SPACE_EPT
										  : KT_SPACE_GVA;
}

static __always_inline u32 class_of(const struct kt_pending_fault *f)
{
	u32 class = f->error_code;

	if (f->space == KT_SPACE_EPT)
		class = (class & EPT_ACCESS) | (class & EPT_PERMITTED ? KT_CLASS_PERMITTED : 0);
	return class % KT_FAULT_CLASSES;
}

/*
 * Of the fault's exit, as far as that is known now, not when the fault ends: the program on kvm_exit may
 * have been missed. Where the code is read from KVM's memory it takes only an earlier exit to know whose.
 */
static __always_inline u32 isa_of(const struct kt_vcpu *v, u64 error_code, bool noted)
{
	if (noted)
		return KT_EXIT_IS_TIME(v->exit_ts) ? v->isa : 0;
	return error_code & NPF_KIND ? KVM_ISA_SVM : v->isa;
}

static __always_inline void emit(const struct kt_vcpu *v, u64 duration)
{
	struct kt_fault *e = kt_reserve(sizeof(*e), KT_KIND_FAULT, v);
	const struct kt_pending_fault *f = &v->fault;

	if (!e)
		return;
	e->address = f->address;
	e->error_code = f->error_code;
	e->rip = f->rip;
	e->duration = duration;
	e->exit_code = f->exit_code;
	e->isa = f->isa;
	e->flags = f->isa ? KT_FAULT_EXIT : 0;
	e->pad = 0;
	kt_submit(e);
}

static __always_inline struct kt_region_key key_of(const struct kt_vcpu *v)
{
	return (struct kt_region_key) { .region = v->fault.address >> KT_REGION_SHIFT,
					.tgid = v->tgid,
					.space = v->fault.space };
}

static __always_inline bool is_region(const struct kt_near_region *near,
				      const struct kt_region_key *key)
{
	return near->key.tgid == key->tgid && near->key.region == key->region &&
	       near->key.space == key->space;
}

/* Takes the place of the pending fault's region, unless it is somebody's. */
static __noinline int claim_place(u32 slot)
{
	struct kt_vcpu *v = bpf_map_lookup_elem(&vcpus, &slot);
	struct kt_near_region *near;
	struct kt_region_key key;
	u32 place;

	if (!v)
		return 0;
	key = key_of(v);
	place = kt_region_place(&key);
	near = bpf_map_lookup_elem(&near_regions, &place);
	if (!near || bpf_map_update_elem(&region_claims, &place, &place, BPF_NOEXIST))
		return 0;
	near->key.region = key.region;
	near->key.space = key.space;
	barrier(); /* its process last: another vCPU may be reading */
	near->key.tgid = key.tgid;
	return 0;
}

static __always_inline struct kt_region *near_region(const struct kt_vcpu *v, u32 slot)
{
	struct kt_region_key key = key_of(v);
	u32 place = kt_region_place(&key);
	struct kt_near_region *near = bpf_map_lookup_elem(&near_regions, &place);

	if (near && !near->key.tgid)
		claim_place(slot);
	return near && is_region(near, &key) ? &near->sums : NULL;
}

static __always_inline struct kt_region *far_region(const struct kt_vcpu *v)
{
	struct kt_region_key key = key_of(v);
	struct kt_region *r = bpf_map_lookup_elem(&far_regions, &key);

	if (r)
		return r;
	bpf_map_update_elem(&far_regions, &key, &no_faults, BPF_NOEXIST);
	return bpf_map_lookup_elem(&far_regions, &key);
}

/* Several vCPUs of a VM may fault in one region at a time, hence atomic. */
static __always_inline void aggregate(struct kt_vcpu *v, u32 slot, u64 ns)
{
	struct kt_region *r = near_region(v, slot);
	u32 bucket;

	if (!r)
		r = far_region(v);
	if (!r) {
		kt_count(faults_without_region);
		return;
	}
	__sync_fetch_and_add(&r->classes[class_of(&v->fault)], 1);
	if (!ns)
		return;
	__sync_fetch_and_add(&r->total_ns, ns);
	bucket = kt_region_bucket(cfg.buckets, ns);
	barrier_var(bucket); /* or clang checks one copy and uses another */
	if (bucket < KT_REGION_BUCKETS)
		__sync_fetch_and_add(&r->buckets[bucket], 1);
}

/* Ends the pending fault, if there is one. ns 0: the entry was not seen. */
static __always_inline void finish(struct kt_vcpu *v, u32 slot, u64 ns)
{
	if (!v->fault.pending)
		return;
	v->fault.pending = 0;
	if (cfg.regions)
		aggregate(v, slot, ns);
	else
		emit(v, ns);
}

/* An exit without an entry before: an earlier fault will not see its end. */
static __noinline int finish_untimed(u32 slot)
{
	struct kt_vcpu *v = bpf_map_lookup_elem(&vcpus, &slot);

	if (v)
		finish(v, slot, 0);
	return 0;
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
	if (v->fault.pending)
		finish_untimed(slot);
	v->isa = isa;
	v->exit_ts = bpf_ktime_get_ns();
	return 0;
}

/* False: no slot was free, or the vCPU is filtered out. */
static __always_inline bool can_begin(struct kt_vcpu *v, u32 slot, u32 vcpu_id)
{
	if (!v) {
		if (kt_wanted(bpf_get_current_pid_tgid() >> 32, vcpu_id))
			kt_count(faults_without_vcpu_slot);
		return false;
	}
	if (v->muted)
		return false;
	if (v->fault.pending)
		finish_untimed(slot);
	return true;
}

/* The guest goes on. */
static __always_inline int end_fault(struct kt_vcpu *v, u32 slot)
{
	u64 begin;

	if (!v || v->muted)
		return 0;
	begin = v->exit_ts;
	v->exit_ts = KT_EXIT_NONE;
	if (v->fault.pending)
		finish(v, slot, KT_EXIT_IS_TIME(begin) ? bpf_ktime_get_ns() - begin : 0);
	return 0;
}

static __always_inline void begin_fault(struct kt_raw_kvm_page_fault *ctx, bool raw)
{
	struct kt_pending_fault *f;
	struct kt_vcpu *v;
	u32 slot;

	v = kt_vcpu_loaded(&slot, raw);
	if (!can_begin(v, slot, ctx->vcpu_id))
		return;
	f = &v->fault;
	f->ts = bpf_ktime_get_ns();
	f->address = ctx->fault_address;
	f->error_code = ctx->error_code;
	f->rip = ctx->guest_rip;
	f->exit_code = raw ? v->exit_code : exit_code_of(v, f->error_code);
	f->isa = isa_of(v, f->error_code, raw);
	f->space = space_of(v, f->exit_code);
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
	if (!can_begin(v, slot, vcpu->vcpu_id))
		return 0;
	f = &v->fault;
	f->address = address;
	f->error_code = error_code;
	f->exit_code = exit_code_of(v, error_code);
	f->isa = isa_of(v, error_code, false);
	f->space = space_of(v, f->exit_code);
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
	if (v->fault.pending)
		finish_untimed(slot);
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
	if (!can_begin(v, slot, KT_NO_VCPU))
		return 1;
	f = &v->fault;
	f->ts = bpf_ktime_get_ns();
	f->address = ctx->fault_address;
	f->error_code = ctx->error_code;
	if ((u32)v->exit_info1 == ctx->error_code)
		f->error_code = v->exit_info1;
	f->rip = v->exit_rip;
	f->exit_code = v->exit_code;
	f->isa = isa_of(v, f->error_code, true);
	f->space = space_of(v, f->exit_code);
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
