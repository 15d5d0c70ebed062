// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * kvmtrace exceptions: kvm_inj_exception says vector and error code only. Here it is joined with the
 * vCPU, its registers, and what happened since the exit that led to it.
 */
#include "vendor.bpf.h"
#include "raw.bpf.h"

struct last_exit {
	struct kt_exit_info exit;
	struct kt_exit_detail detail;
	u32 valid; /* .exit was filled in */
	u32 used;  /* an exception was already put down to it */
	/* Without a program on kvm_exit: the vCPU's count of exits when .detail was noted, or used. */
	u64 noted_at, used_at;
};

/* By slot. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct last_exit);
} last_exits SEC(".maps");

#define X86_REG_RIP 16 /* VCPU_REGS_RIP, the same in all kernels that have it in regs[] */
#define VECTOR_PF   14

/* What is left of earlier exits goes, when no program on kvm_exit does that. */
static __always_inline void renew(struct last_exit *last, u64 exits)
{
	if (last->noted_at == exits)
		return;
	last->noted_at = exits;
	last->detail.flags = 0;
	last->detail.async_pf = 0;
}

/* The memory of what happened to the current thread's vCPU since its last exit. */
static __always_inline struct last_exit *current_exit(bool raw)
{
	struct last_exit *last;
	struct kvm_vcpu *vcpu;
	struct kt_vcpu *v;
	u32 slot;

	v = raw ? kt_vcpu_current_raw(&slot) : kt_vcpu_current(&slot);
	if (!v || v->muted)
		return NULL;
	last = bpf_map_lookup_elem(&last_exits, &slot);
	vcpu = (struct kvm_vcpu *)v->vcpu;
	if (last && cfg.exit_in_vmcb)
		renew(last, BPF_CORE_READ(vcpu, stat.exits));
	return last;
}

/*
 * What happens on the way is noted by one function for each tracepoint. Each has two programs: on
 * BTF tracepoints, and, named …_r, for kernels without the types of the kvm module (5.10).
 */

static __always_inline int note_exit(struct kt_raw_kvm_exit *ctx, bool raw)
{
	struct last_exit *last = current_exit(raw);

	if (!last)
		return 1;
	last->exit.rip = ctx->guest_rip;
	last->exit.info1 = ctx->info1;
	last->exit.info2 = ctx->info2;
	last->exit.code = ctx->exit_reason;
	last->exit.isa = ctx->isa;
	last->exit.intr_info = ctx->intr_info;
	last->exit.error_code = ctx->error_code;
	last->detail.flags = 0;
	last->detail.async_pf = 0;
	last->used = 0;
	last->valid = 1;
	return 1;
}

/*
 * The classic tracepoint, because only its record has RIP and qualification on VMX: BPF cannot
 * VMREAD. Returns 1: 0 would hide the event from perf and ftrace.
 */
SEC("?tp/kvm/kvm_exit")
int kt_exit_note(struct kt_raw_kvm_exit *ctx)
{
	note_exit(ctx, false);
	return 1;
}

SEC("?tp/kvm/kvm_exit")
int kt_exit_note_r(struct kt_raw_kvm_exit *ctx)
{
	note_exit(ctx, true);
	return 1;
}

static __always_inline int note_msr(bool write, u32 index, u64 value, bool exception, bool raw)
{
	struct last_exit *last;

	if (!exception)
		return 0;
	last = current_exit(raw);
	if (!last)
		return 0;
	last->detail.msr = index;
	last->detail.msr_value = value;
	last->detail.flags |= KT_DETAIL_MSR;
	if (write)
		last->detail.flags |= KT_DETAIL_MSR_WRITE;
	else
		last->detail.flags &= ~KT_DETAIL_MSR_WRITE;
	return 0;
}

SEC("?tp_btf/kvm_msr")
int BPF_PROG(kt_msr, unsigned int write, u32 index, u64 value, bool exception)
{
	return note_msr(write, index, value, exception, false);
}

SEC("?raw_tp/kvm_msr")
int kt_msr_r(struct kt_raw_args *ctx)
{
	return note_msr(ctx->args[0], ctx->args[1], ctx->args[2], (u8)ctx->args[3], true);
}

static __always_inline int note_cr(bool write, u32 number, u64 value, bool raw)
{
	struct last_exit *last = current_exit(raw);

	if (!last)
		return 0;
	last->detail.cr = number;
	last->detail.cr_value = value;
	last->detail.flags |= KT_DETAIL_CR;
	if (write)
		last->detail.flags |= KT_DETAIL_CR_WRITE;
	else
		last->detail.flags &= ~KT_DETAIL_CR_WRITE;
	return 0;
}

SEC("?tp_btf/kvm_cr")
int BPF_PROG(kt_cr, unsigned int write, unsigned int number, unsigned long value)
{
	return note_cr(write, number, value, false);
}

SEC("?raw_tp/kvm_cr")
int kt_cr_r(struct kt_raw_args *ctx)
{
	return note_cr(ctx->args[0], ctx->args[1], ctx->args[2], true);
}

static __always_inline void note_emulation(struct kt_raw_kvm_emulate_insn *ctx, bool raw)
{
	struct last_exit *last = current_exit(raw);
	u8 len = ctx->len;

	if (!last)
		return;
	last->detail.insn_len = len > KT_INSN_LEN ? KT_INSN_LEN : len;
	last->detail.insn_rip = ctx->csbase + ctx->rip;
	bpf_probe_read_kernel(last->detail.insn, sizeof(last->detail.insn), ctx->insn);
	last->detail.flags |= KT_DETAIL_INSN;
	if (ctx->failed)
		last->detail.flags |= KT_DETAIL_INSN_FAILED;
	else
		last->detail.flags &= ~KT_DETAIL_INSN_FAILED;
}

SEC("?tp/kvm/kvm_emulate_insn")
int kt_emulate(struct kt_raw_kvm_emulate_insn *ctx)
{
	note_emulation(ctx, false);
	return 1;
}

SEC("?tp/kvm/kvm_emulate_insn")
int kt_emulate_r(struct kt_raw_kvm_emulate_insn *ctx)
{
	note_emulation(ctx, true);
	return 1;
}

/* "Page not present" reaches the guest as a #PF whose CR2 is this token, not an address. */
static __always_inline int note_async_pf(u64 token, bool raw)
{
	struct last_exit *last = current_exit(raw);

	if (!last)
		return 0;
	last->detail.async_pf_token = token;
	last->detail.async_pf = 1;
	return 0;
}

SEC("?tp_btf/kvm_async_pf_not_present")
int BPF_PROG(kt_async_pf, u64 token, u64 gva)
{
	return note_async_pf(token, false);
}

SEC("?raw_tp/kvm_async_pf_not_present")
int kt_async_pf_r(struct kt_raw_args *ctx)
{
	return note_async_pf(ctx->args[0], true);
}

/*
 * The address of a #PF. Some kernels move it into CR2 when the exception is queued, others (6.12.115,
 * 7.2) in the vendor's inject function, after the tracepoint: until then it is the payload.
 */
static __always_inline u64 fault_address(struct kvm_vcpu *vcpu)
{
	if (BPF_CORE_READ(vcpu, arch.exception.has_payload))
		return BPF_CORE_READ(vcpu, arch.exception.payload);
	return BPF_CORE_READ(vcpu, arch.cr2);
}

/* 7.2: RIP has left regs[], and the masks of registers are bitmaps. */
struct kvm_vcpu_arch___v72 {
	unsigned long rip;
	unsigned long regs_avail[1];
} __attribute__((preserve_access_index));

struct kvm_vcpu___v72 {
	struct kvm_vcpu_arch___v72 arch;
} __attribute__((preserve_access_index));

/* RIP as KVM knows it now, if it does: VMX reads it from the VMCS only on demand. */
static __always_inline bool read_rip(struct kvm_vcpu *vcpu, u64 *rip)
{
	struct kvm_vcpu___v72 *v72 = (void *)vcpu;
	u64 available;

	if (bpf_core_field_exists(v72->arch.rip)) {
		available = BPF_CORE_READ(v72, arch.regs_avail[0]);
		*rip = BPF_CORE_READ(v72, arch.rip);
	} else {
		available = BPF_CORE_READ(vcpu, arch.regs_avail);
		*rip = BPF_CORE_READ(vcpu, arch.regs[X86_REG_RIP]);
	}
	return available >> X86_REG_RIP & 1;
}

static __always_inline void add_registers(struct kt_exception *e, struct kvm_vcpu *vcpu,
					  const struct last_exit *last)
{
	u64 rip = 0;

	if (bpf_core_field_exists(vcpu->arch.guest_state_protected) &&
	    BPF_CORE_READ(vcpu, arch.guest_state_protected)) {
		e->flags |= KT_EXC_PROTECTED;
		return;
	}
	if (read_rip(vcpu, &rip)) {
		e->rip = rip;
		e->flags |= KT_EXC_RIP;
	} else if (last->valid) {
		e->rip = last->exit.rip;
		e->flags |= KT_EXC_RIP;
	}
	if (e->vector != VECTOR_PF)
		return;
	e->address = fault_address(vcpu);
	e->flags |= KT_EXC_ADDRESS;
	if (last->detail.async_pf && last->detail.async_pf_token == e->address)
		e->flags |= KT_EXC_ASYNC_PF;
}

/* What is joined is used up: the next exception without an exit between must not inherit it. */
static __always_inline void use_up(struct last_exit *last, bool reinjected, u64 exits)
{
	last->detail.flags = 0;
	last->detail.async_pf = 0;
	if (reinjected)
		return;
	last->used = 1;
	last->used_at = exits;
}

static __always_inline void add_cause(struct kt_exception *e, struct last_exit *last)
{
	__builtin_memcpy(&e->exit, &last->exit, sizeof(e->exit));
	__builtin_memcpy(&e->detail, &last->detail, sizeof(e->detail));
	if (last->valid && !last->used)
		e->flags |= KT_EXC_EXIT;
}

/*
 * SVM leaves the exit in the VMCB until the guest is entered again. So it is read there, when an
 * exception is injected, and exits without one cost nothing.
 */
static __always_inline void add_exit_of_vmcb(struct kt_exception *e, u64 vcpu,
					     struct last_exit *last, u64 exits)
{
	struct kt_exit_info *x = &e->exit;

	__builtin_memcpy(&e->detail, &last->detail, sizeof(e->detail));
	if (!exits || last->used_at == exits || !kt_read_vmcb_exit(vcpu, x))
		return;
	x->rip = e->rip;
	x->isa = KVM_ISA_SVM;
	e->flags |= KT_EXC_EXIT;
}

static __always_inline void join(struct kt_exception *e, const struct kt_vcpu *v, u32 slot,
				 bool raw)
{
	struct kvm_vcpu *vcpu = (struct kvm_vcpu *)v->vcpu;
	struct last_exit *last = bpf_map_lookup_elem(&last_exits, &slot);
	u64 exits;

	if (!last)
		return;
	/* The slot may be that of a vCPU which was here before. */
	e->head.vcpu_id = BPF_CORE_READ(vcpu, vcpu_id);
	exits = BPF_CORE_READ(vcpu, stat.exits);
	if (!exits)
		last->valid = 0;
	if (cfg.exit_in_vmcb)
		renew(last, exits);
	add_registers(e, vcpu, last);
	if (!raw && cfg.exit_in_vmcb)
		add_exit_of_vmcb(e, v->vcpu, last, exits);
	else
		add_cause(e, last);
	use_up(last, e->flags & KT_EXC_REINJECTED, exits);
}

/* The record found no room: the next exception must not get this one's cause. */
static __always_inline void lose(const struct kt_vcpu *v, u32 slot, bool reinjected)
{
	struct last_exit *last = bpf_map_lookup_elem(&last_exits, &slot);
	struct kvm_vcpu *vcpu = (struct kvm_vcpu *)v->vcpu;
	u64 exits = 0;

	if (cfg.exit_in_vmcb)
		exits = BPF_CORE_READ(vcpu, stat.exits);
	if (last)
		use_up(last, reinjected, exits);
}

static __always_inline int inject(u32 vector, bool has_error, u32 error_code, bool reinjected,
				  bool raw)
{
	struct kt_exception *e;
	struct kt_vcpu *v;
	u32 slot;

	if (vector < 32 && !(cfg.vectors >> vector & 1))
		return 0;
	v = raw ? kt_vcpu_current_raw(&slot) : kt_vcpu_current(&slot);
	if (v && v->muted)
		return 0;
	if (!v && !kt_wanted(bpf_get_current_pid_tgid() >> 32, KT_NO_VCPU))
		return 0;
	if (reinjected && !cfg.reinjected) {
		kt_count(reinjected_hidden);
		return 0;
	}
	e = kt_reserve(sizeof(*e), KT_KIND_EXCEPTION, v);
	if (!e) {
		if (v)
			lose(v, slot, reinjected);
		return 0;
	}
	e->rip = 0;
	e->address = 0;
	e->error_code = has_error ? error_code : 0;
	e->vector = vector;
	e->flags = (has_error ? KT_EXC_ERROR_CODE : 0) | (reinjected ? KT_EXC_REINJECTED : 0);
	e->pad = 0;
	e->exit = (struct kt_exit_info) {};
	e->detail = (struct kt_exit_detail) {};
	if (v)
		join(e, v, slot, raw);
	kt_submit(e);
	return 0;
}

SEC("?tp_btf/kvm_inj_exception")
int BPF_PROG(kt_inject, unsigned int vector, bool has_error, u32 error_code, bool reinjected)
{
	return inject(vector, has_error, error_code, reinjected, false);
}

SEC("?raw_tp/kvm_inj_exception")
int kt_inject_r(struct kt_raw_args *ctx)
{
	return inject(ctx->args[0], (u8)ctx->args[1], ctx->args[2], (u8)ctx->args[3], true);
}

/* Before a61d7c5432ac (6.0, 5.15.78, 5.10.154) the tracepoint didn't tell re-injections. */
SEC("?raw_tp/kvm_inj_exception")
int kt_inject_r3(struct kt_raw_args *ctx)
{
	return inject(ctx->args[0], (u8)ctx->args[1], ctx->args[2], false, true);
}
