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
 * The exit reason, right at kvm_exit on every vendor: unlike RIP and qualification, which VMX reads
 * from the VMCS only when somebody asks, it is always in memory. A vendor whose structure this
 * kernel lacks costs nothing: the verifier removes the branch. SVM's exit_code grew to 64 bits in
 * d7507a94a072 (7.0); its low half is what the tracepoint reports, too.
 */
static __always_inline u32 kt_read_exit_code(struct kvm_vcpu *vcpu, u32 isa)
{
	u32 code = 0;

	if (isa == KVM_ISA_SVM) {
		if (bpf_core_type_exists(struct vcpu_svm)) {
			struct vcpu_svm *svm = (void *)vcpu;
			struct vmcb *vmcb = NULL;

			bpf_core_read(&vmcb, sizeof(vmcb), &svm->vmcb);
			bpf_core_read(&code, sizeof(code), &vmcb->control.exit_code);
		}
	} else if (isa == KVM_ISA_VMX) {
		if (bpf_core_type_exists(struct vcpu_vt___v616)) {
			struct vcpu_vmx___v616 *vmx = (void *)vcpu;

			bpf_core_read(&code, sizeof(code), &vmx->vt.exit_reason.full);
		} else if (bpf_core_type_exists(struct vcpu_vmx)) {
			struct vcpu_vmx *vmx = (void *)vcpu;

			bpf_core_read(&code, sizeof(code), &vmx->exit_reason.full);
		}
	}
	return code;
}

#endif
