/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What only the vendor modules' structures tell. vcpu is their first member (BUILD_BUG_ON in KVM). */
#ifndef KT_VENDOR_BPF_H
#define KT_VENDOR_BPF_H

#include "core.bpf.h"

#ifndef offsetof
#define offsetof(type, member) __builtin_offsetof(type, member)
#endif

/* 7172c753c26a ("KVM: VMX: Move common fields of struct vcpu_{vmx,tdx} to a struct"), 6.16. */
struct vcpu_vt___v616 {
	union vmx_exit_reason exit_reason;
} __attribute__((preserve_access_index));

struct vcpu_vmx___v616 {
	struct vcpu_vt___v616 vt;
} __attribute__((preserve_access_index));

/*
 * On SVM the address of vmcb01, the VMCB that a vCPU has for life: looked up once, it saves one of two
 * reads of kernel memory an exit. 0 where there is no such thing.
 */
static __always_inline u64 kt_vendor_state(u64 vcpu, u32 isa)
{
	if (isa == KVM_ISA_SVM && bpf_core_field_exists(struct vcpu_svm, vmcb01) &&
	    bpf_core_field_exists(struct kvm_vcpu_stat, guest_mode))
		return kt_u64_of(vcpu_svm, vcpu, vmcb01.ptr);
	return 0;
}

static __always_inline u32 kt_read_vmcb_exit_code(u64 address)
{
	if (!bpf_core_type_exists(struct vmcb))
		return 0;
	return kt_u32_of(vmcb, address, control.exit_code);
}

/*
 * The exit code as each vendor keeps it, without any short cut. Inlined although it is cold: libbpf
 * resolves the types of a function of its own for every program, and these only CAP_SYS_ADMIN can.
 */
static __always_inline u32 kt_read_exit_code_slow(u64 vcpu, u32 isa)
{
	u32 code = 0;

	if (isa == KVM_ISA_SVM && bpf_core_type_exists(struct vcpu_svm))
		code = kt_read_vmcb_exit_code(kt_u64_of(vcpu_svm, vcpu, vmcb));
	else if (isa == KVM_ISA_VMX && bpf_core_type_exists(struct vcpu_vt___v616))
		code = kt_u32_of(vcpu_vmx___v616, vcpu, vt.exit_reason.full);
	else if (isa == KVM_ISA_VMX && bpf_core_type_exists(struct vcpu_vmx))
		code = kt_u32_of(vcpu_vmx, vcpu, exit_reason.full);
	return kt_plain_reason(isa, code);
}

/*
 * The exit reason, right at kvm_exit on every vendor: unlike RIP and qualification, which VMX reads
 * from the VMCS only when somebody asks, it is always in memory. While L2 runs the exit is noted in
 * vmcb02. SVM's exit_code grew to 64 bits in d7507a94a072 (7.0); its low half is what the tracepoint
 * reports, too.
 */
static __always_inline u32 kt_read_exit_code(struct kvm_vcpu *vcpu, const struct kt_vcpu *v)
{
	if (v->vendor_state && bpf_core_field_exists(struct kvm_vcpu_stat, guest_mode) &&
	    !vcpu->stat.guest_mode)
		return kt_read_vmcb_exit_code(v->vendor_state);
	return kt_read_exit_code_slow((u64)vcpu, v->isa);
}

/* At kvm_exit, which says which ISA it is. */
static __always_inline void kt_set_isa(struct kt_vcpu *v, u32 isa)
{
	if (v->isa == isa)
		return;
	v->isa = isa;
	v->vendor_state = kt_vendor_state(v->vcpu, isa);
}

/* The VMCB's words from offset 0x70 on, as the APM lays them out: volume 2, table B-1. */
struct kt_vmcb_exit {
	u64 code;
	u64 info1, info2;
	u64 int_info; /* upper half: its error code */
};

/* Where a vCPU's current VMCB is. While L2 runs it is vmcb02; else, mostly, known already. */
static __always_inline u64 kt_vmcb_of(struct kvm_vcpu *vcpu, const struct kt_vcpu *v)
{
	if (v->vendor_state && bpf_core_field_exists(struct kvm_vcpu_stat, guest_mode) &&
	    !vcpu->stat.guest_mode)
		return v->vendor_state;
	if (!bpf_core_type_exists(struct vcpu_svm))
		return 0;
	return kt_u64_of(vcpu_svm, (u64)vcpu, vmcb);
}

static __always_inline void kt_read_vmcb_words(u64 vmcb, struct kt_vmcb_exit *exit)
{
	u64 at = vmcb + kt_offset(vmcb, control.exit_code);

	if (kt_can_cast()) {
		const struct itimerspec64 *words = kt_cast(itimerspec64, at);

		exit->code = words->it_interval.tv_sec;
		exit->info1 = words->it_interval.tv_nsec;
		exit->info2 = words->it_value.tv_sec;
		exit->int_info = words->it_value.tv_nsec;
	} else { /* all in one call */
		bpf_probe_read_kernel(exit, sizeof(*exit), (void *)at);
	}
}

/* What a VMCB tells of the last exit, as kvm_exit's record has it. False: not on this host. */
static __always_inline bool kt_read_vmcb_exit(u64 vcpu, struct kt_exit_info *x)
{
	struct kt_vmcb_exit exit;

	if (!bpf_core_type_exists(struct vcpu_svm) || !bpf_core_type_exists(struct vmcb))
		return false;
	kt_read_vmcb_words(kt_u64_of(vcpu_svm, vcpu, vmcb), &exit);
	x->code = exit.code;
	x->info1 = exit.info1;
	x->info2 = exit.info2;
	x->intr_info = exit.int_info;
	x->error_code = exit.int_info >> 32;
	x->isa = KVM_ISA_SVM;
	return true;
}

#endif
