// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * kvmtrace exceptions: kvm_inj_exception says vector and error code only. Here it is joined with the
 * vCPU, its registers, and what happened since the exit that led to it.
 */
#include "vendor.bpf.h"
#include "raw.bpf.h"

#define X86_REG_RAX 0
#define X86_REG_RCX 1
#define X86_REG_RDX 2
#define X86_REG_RIP 16 /* VCPU_REGS_RIP, the same in all kernels that have it in regs[] */
#define VECTOR_GP   13
#define VECTOR_PF   14

#define SVM_EXIT_MSR 0x7c

/*
 * Which exit this is; 0: the vCPU had none. Without a program on kvm_exit it is the guest's TSC when it was
 * left, which KVM notes before it handles the exit: unlike a count, no two vCPUs share it, should one get
 * the memory, and the slot, of one that has gone.
 */
static __always_inline u64 exit_number(const struct kt_last_exit *last, struct kt_vcpu_at vcpu)
{
	u64 left = kt_vcpu_read(vcpu, arch.last_guest_tsc);

	return cfg.exit_in_vmcb || !left ? left : last->number;
}

static __always_inline void forget(struct kt_last_exit *last)
{
	last->noted = 0;
	last->detail.flags = 0;
	last->async_pf = 0;
}

static __always_inline struct kt_vcpu *wanted_vcpu(bool raw)
{
	u32 slot;
	struct kt_vcpu *v = kt_vcpu_loaded(&slot, raw);

	return v && !v->muted ? v : NULL;
}

/* Where to note what happens to the current thread's vCPU on the way from its last exit. */
static __always_inline struct kt_last_exit *current_exit(bool raw)
{
	struct kt_vcpu *v = wanted_vcpu(raw);
	struct kt_last_exit *last;
	u64 number;

	if (!v)
		return NULL;
	last = &v->last;
	number = exit_number(last, kt_vcpu_at(v->vcpu));
	if (last->noted_at != number)
		forget(last);
	last->noted_at = number;
	last->noted = 1;
	return last;
}

/*
 * What happens on the way is noted by one function for each tracepoint. Each has two programs: on
 * BTF tracepoints, and, named …_r, for kernels without the types of the kvm module (5.10).
 */

static __always_inline void note_exit(struct kt_last_exit *last, const struct kt_raw_kvm_exit *ctx)
{
	last->number++;
	last->rip = ctx->guest_rip;
	last->exit.info1 = ctx->info1;
	last->exit.info2 = ctx->info2;
	last->exit.code = ctx->exit_reason;
	last->exit.isa = ctx->isa;
	last->exit.intr_info = ctx->intr_info;
	last->exit.error_code = ctx->error_code;
}

/*
 * The classic tracepoint, because only its record has RIP and qualification on VMX: BPF cannot
 * VMREAD. Returns 1: 0 would hide the event from perf and ftrace.
 */
SEC("?tp/kvm/kvm_exit")
int kt_exit_note(struct kt_raw_kvm_exit *ctx)
{
	struct kt_vcpu *v = wanted_vcpu(false);

	if (v)
		note_exit(&v->last, ctx);
	return 1;
}

SEC("?tp/kvm/kvm_exit")
int kt_exit_note_r(struct kt_raw_kvm_exit *ctx)
{
	struct kt_vcpu *v = wanted_vcpu(true);

	if (v)
		note_exit(&v->last, ctx);
	return 1;
}

#define MSR_FLAGS (KT_DETAIL_MSR | KT_DETAIL_MSR_WRITE)
#define CR_FLAGS  (KT_DETAIL_CR | KT_DETAIL_CR_WRITE)

static __always_inline void note_access(struct kt_exit_detail *d, u8 flags, u32 number, u64 value)
{
	d->number = number;
	d->value = value;
	d->flags = (d->flags & ~(MSR_FLAGS | CR_FLAGS)) | flags;
}

static __always_inline int note_msr(bool write, u32 index, u64 value, bool exception, bool raw)
{
	struct kt_last_exit *last;

	if (!exception)
		return 0;
	last = current_exit(raw);
	if (last)
		note_access(&last->detail, write ? MSR_FLAGS : KT_DETAIL_MSR, index, value);
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
	struct kt_last_exit *last = current_exit(raw);

	if (last)
		note_access(&last->detail, write ? CR_FLAGS : KT_DETAIL_CR, number, value);
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
	struct kt_last_exit *last = current_exit(raw);
	u8 len = ctx->len;

	if (!last)
		return;
	last->detail.insn_len = len > KT_INSN_LEN ? KT_INSN_LEN : len;
	last->insn_rip = ctx->csbase + ctx->rip;
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
	struct kt_last_exit *last = current_exit(raw);

	if (!last)
		return 0;
	last->async_pf_token = token;
	last->async_pf = 1;
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
static __always_inline u64 fault_address(struct kt_vcpu_at vcpu)
{
	return kt_vcpu_read(vcpu, arch.exception.has_payload)
		       ? kt_vcpu_read(vcpu, arch.exception.payload)
		       : kt_vcpu_read(vcpu, arch.cr2);
}

/* 7.2: RIP has left regs[], and the masks of registers are bitmaps. */
struct kvm_vcpu_arch___v72 {
	unsigned long rip;
	unsigned long regs_avail[1];
} __attribute__((preserve_access_index));

struct kvm_vcpu___v72 {
	struct kvm_vcpu_arch___v72 arch;
} __attribute__((preserve_access_index));

#define read_v72(vcpu, member)                                                                     \
	({                                                                                         \
		u64 kt_value =                                                                     \
			kt_can_cast()                                                              \
				? kt_cast_as(kvm_vcpu___v72, kvm_vcpu, (vcpu).address)->member     \
				: kt_probe_u64((vcpu).address +                                    \
					       kt_offset(kvm_vcpu___v72, member));                 \
                                                                                                   \
		barrier_var(kt_value);                                                             \
		kt_value;                                                                          \
	})

/* RIP as KVM knows it now. */
static __always_inline u64 read_rip(struct kt_vcpu_at vcpu)
{
	if (bpf_core_field_exists(struct kvm_vcpu___v72, arch.rip))
		return read_v72(vcpu, arch.rip);
	return kt_vcpu_read(vcpu, arch.regs[X86_REG_RIP]);
}

/* Whether it does: VMX reads RIP from the VMCS only on demand. */
static __always_inline bool rip_is_known(struct kt_vcpu_at vcpu)
{
	u64 available;

	if (cfg.exit_in_vmcb)
		return true;
	if (bpf_core_field_exists(struct kvm_vcpu___v72, arch.rip))
		available = read_v72(vcpu, arch.regs_avail[0]);
	else
		available = kt_vcpu_read(vcpu, arch.regs_avail);
	return available >> X86_REG_RIP & 1;
}

/* Returns flags. */
static __always_inline u8 add_registers(struct kt_exception *e, struct kt_vcpu_at vcpu, u32 vector,
					const struct kt_last_exit *last, u64 number)
{
	u8 flags = 0;

	if (rip_is_known(vcpu)) {
		e->rip = read_rip(vcpu);
		flags = KT_EXC_RIP;
	} else if (number) {
		e->rip = last->rip;
		flags = KT_EXC_RIP;
	}
	if (vector != VECTOR_PF)
		return flags;
	e->address = fault_address(vcpu);
	return flags | KT_EXC_ADDRESS;
}

/*
 * SVM leaves the exit in the VMCB until the guest is entered again. So it is read there, when an
 * exception is injected, and exits without one cost nothing.
 */
static __always_inline u8 add_exit(struct kt_exception *e, u64 vcpu,
				   const struct kt_last_exit *last, bool raw)
{
	if (raw || !cfg.exit_in_vmcb)
		e->exit = last->exit;
	else if (!kt_read_vmcb_exit(vcpu, &e->exit))
		return 0;
	return KT_EXC_EXIT;
}

/* An MSR access that was refused: KVM changes no register of the guest then. */
static __always_inline void add_msr(struct kt_exit_detail *d, struct kt_vcpu_at vcpu, bool write)
{
	d->number = kt_vcpu_read(vcpu, arch.regs[X86_REG_RCX]);
	d->flags |= KT_DETAIL_MSR;
	if (!write)
		return;
	d->value = kt_vcpu_read(vcpu, arch.regs[X86_REG_RDX]) << 32 |
		   (u32)kt_vcpu_read(vcpu, arch.regs[X86_REG_RAX]);
	d->flags |= KT_DETAIL_MSR_WRITE;
}

/* RDMSR is 0f 32, WRMSR 0f 30, whatever prefixes come before. */
static __always_inline bool is_msr_insn(const struct kt_exit_detail *d, bool *write)
{
	u32 first = d->insn_len - 2u, second;

	if (!(d->flags & KT_DETAIL_INSN) || first > KT_INSN_LEN - 2)
		return false;
	barrier_var(first); /* or clang checks one copy and uses another */
	second = first + 1;
	first &= 0xf;
	second &= 0xf;
	*write = d->insn[second] == 0x30;
	return d->insn[first] == 0x0f && (*write || d->insn[second] == 0x32);
}

/* Adds what was noted since the exit; returns flags. */
static __always_inline u8 add_noted(struct kt_exception *e, u8 flags,
				    const struct kt_last_exit *last)
{
	e->detail = last->detail;
	/* An instruction emulated for another reason, before, is not the cause. */
	if (flags & KT_EXC_RIP && last->insn_rip != e->rip)
		e->detail.flags &= ~(KT_DETAIL_INSN | KT_DETAIL_INSN_FAILED);
	if (flags & KT_EXC_ADDRESS && last->async_pf && last->async_pf_token == e->address)
		return KT_EXC_ASYNC_PF;
	return 0;
}

static __always_inline void add_msr_of_vmcb(struct kt_exception *e, struct kt_vcpu_at vcpu)
{
	bool write;

	if (e->exit.code == SVM_EXIT_MSR)
		add_msr(&e->detail, vcpu, e->exit.info1 & 1);
	else if (is_msr_insn(&e->detail, &write))
		add_msr(&e->detail, vcpu, write);
}

/* What was joined is used up: the next exception without an exit between is not its doing. */
static __always_inline void use_up(struct kt_last_exit *last, bool reinjected, u64 number)
{
	if (last->noted)
		forget(last);
	if (!reinjected)
		last->used_at = number;
}

/* Returns flags. */
static __always_inline u8 join(struct kt_exception *e, struct kt_vcpu *v, u32 vector,
			       bool reinjected, bool raw)
{
	struct kt_vcpu_at vcpu = kt_vcpu_at(v->vcpu);
	struct kt_last_exit *last = &v->last;
	u64 number = exit_number(last, vcpu);
	u8 flags;

	if (cfg.protected_guests &&
	    bpf_core_field_exists(struct kvm_vcpu, arch.guest_state_protected) &&
	    kt_vcpu_read(vcpu, arch.guest_state_protected))
		flags = KT_EXC_PROTECTED;
	else
		flags = add_registers(e, vcpu, vector, last, number);
	if (number && number != last->used_at)
		flags |= add_exit(e, vcpu.address, last, raw);
	if (last->noted && last->noted_at == number)
		flags |= add_noted(e, flags, last);
	if (!raw && cfg.exit_in_vmcb && vector == VECTOR_GP && flags & KT_EXC_EXIT)
		add_msr_of_vmcb(e, vcpu);
	use_up(last, reinjected, number);
	return flags;
}

/* The record found no room: the next exception must not get this one's cause. */
static __always_inline void lose(struct kt_vcpu *v, bool reinjected)
{
	use_up(&v->last, reinjected, exit_number(&v->last, kt_vcpu_at(v->vcpu)));
}

static __always_inline int inject(u32 vector, bool has_error, u32 error_code, bool reinjected,
				  bool raw)
{
	struct kt_exception *e;
	struct kt_vcpu *v;
	u8 flags = 0;
	u32 slot;

	if (vector < 32 && !(cfg.vectors >> vector & 1))
		return 0;
	v = kt_vcpu_checked(kt_vcpu_loaded(&slot, raw), &slot);
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
			lose(v, reinjected);
		return 0;
	}
	__builtin_memset(&e->rip, 0, sizeof(*e) - offsetof(struct kt_exception, rip));
	if (has_error) {
		e->error_code = error_code;
		flags |= KT_EXC_ERROR_CODE;
	}
	if (reinjected)
		flags |= KT_EXC_REINJECTED;
	if (v)
		flags |= join(e, v, vector, reinjected, raw);
	e->vector = vector;
	e->flags = flags;
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
