/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What only the vendor modules' structures tell. vcpu is their first member (BUILD_BUG_ON in KVM). */
#ifndef KT_VENDOR_BPF_H
#define KT_VENDOR_BPF_H

#include "core.bpf.h"

/* 7172c753c26a ("KVM: VMX: Move common fields of struct vcpu_{vmx,tdx} to a struct"), 6.16. */
struct vcpu_vt___v616 {
	union vmx_exit_reason exit_reason;
} __attribute__((preserve_access_index));

struct vcpu_vmx___v616 {
	struct vcpu_vt___v616 vt;
} __attribute__((preserve_access_index));

/*
 * What kt_read_exit_code() wants to know of a vCPU beforehand: on SVM the address of vmcb01, the VMCB
 * that it has for life. Looked up once, it saves one of two reads of kernel memory an exit.
 */
static __always_inline u64 kt_vendor_state(struct kvm_vcpu *vcpu, u32 isa)
{
	u64 vmcb = 0;

	if (isa == KVM_ISA_SVM && bpf_core_field_exists(struct vcpu_svm, vmcb01)) {
		struct vcpu_svm *svm = (void *)vcpu;

		bpf_core_read(&vmcb, sizeof(vmcb), &svm->vmcb01.ptr);
	}
	return vmcb;
}

/* While L2 runs, the exit is noted in vmcb02. */
static __always_inline bool kt_in_guest_mode(struct kvm_vcpu *vcpu)
{
	if (bpf_core_field_exists(struct kvm_vcpu_stat, guest_mode))
		return vcpu->stat.guest_mode;
	return true;
}

static __always_inline u32 kt_read_svm_exit_code(struct kvm_vcpu *vcpu, u64 vmcb01)
{
	struct vcpu_svm *svm = (void *)vcpu;
	struct vmcb *vmcb = (void *)vmcb01;
	u32 code = 0;

	if (!vmcb || kt_in_guest_mode(vcpu))
		bpf_core_read(&vmcb, sizeof(vmcb), &svm->vmcb);
	bpf_core_read(&code, sizeof(code), &vmcb->control.exit_code);
	return code;
}

static __always_inline u32 kt_read_vmx_exit_code(struct kvm_vcpu *vcpu)
{
	u32 code = 0;

	if (bpf_core_type_exists(struct vcpu_vt___v616)) {
		struct vcpu_vmx___v616 *vmx = (void *)vcpu;

		bpf_core_read(&code, sizeof(code), &vmx->vt.exit_reason.full);
	} else if (bpf_core_type_exists(struct vcpu_vmx)) {
		struct vcpu_vmx *vmx = (void *)vcpu;

		bpf_core_read(&code, sizeof(code), &vmx->exit_reason.full);
	}
	return code;
}

/*
 * The exit reason, right at kvm_exit on every vendor: unlike RIP and qualification, which VMX reads
 * from the VMCS only when somebody asks, it is always in memory. A vendor whose structure this
 * kernel lacks costs nothing: the verifier removes the branch. SVM's exit_code grew to 64 bits in
 * d7507a94a072 (7.0); its low half is what the tracepoint reports, too.
 */
static __always_inline u32 kt_read_exit_code(struct kvm_vcpu *vcpu, struct kt_vcpu *v, u32 isa)
{
	if (v->isa != isa) {
		v->isa = isa;
		v->vendor_state = kt_vendor_state(vcpu, isa);
	}
	if (isa == KVM_ISA_SVM && bpf_core_type_exists(struct vcpu_svm))
		return kt_read_svm_exit_code(vcpu, v->vendor_state);
	if (isa == KVM_ISA_VMX)
		return kt_read_vmx_exit_code(vcpu);
	return 0;
}

#endif
