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
static __always_inline u64 kt_vendor_state(struct kvm_vcpu *vcpu, u32 isa)
{
	u64 vmcb = 0;

	if (isa == KVM_ISA_SVM && bpf_core_field_exists(struct vcpu_svm, vmcb01) &&
	    bpf_core_field_exists(struct kvm_vcpu_stat, guest_mode)) {
		struct vcpu_svm *svm = (void *)vcpu;

		bpf_core_read(&vmcb, sizeof(vmcb), &svm->vmcb01.ptr);
	}
	return vmcb;
}

/*
 * 6.2 and later: any address can be read without a helper, as a structure of vmlinux. It need not be
 * the right one: the VMCB's is in a module, so a pid's number stands for any u32.
 */
#ifdef KT_FAST_READ
extern void *bpf_rdonly_cast(const void *obj, u32 btf_id) __ksym __weak;
#endif

static __always_inline u32 kt_read_u32(u64 address)
{
	u32 value = 0;

#ifdef KT_FAST_READ
	if (bpf_rdonly_cast)
		return ((struct upid *)bpf_rdonly_cast((void *)address,
						       bpf_core_type_id_kernel(struct upid)))
			->nr;
#endif
	bpf_probe_read_kernel(&value, sizeof(value), (void *)address);
	return value;
}

static __always_inline u32 kt_read_vmcb_exit_code(u64 address)
{
	if (!bpf_core_type_exists(struct vmcb))
		return 0;
	return kt_read_u32(address + bpf_core_field_offset(struct vmcb, control.exit_code));
}

/*
 * The exit code as each vendor keeps it, without any short cut. Inlined although it is cold: libbpf
 * resolves the types of a function of its own for every program, and these only CAP_SYS_ADMIN can.
 */
static __always_inline u32 kt_read_exit_code_slow(u64 vcpu, u32 isa)
{
	u64 vmcb = 0;
	u32 code = 0;

	if (isa == KVM_ISA_SVM && bpf_core_type_exists(struct vcpu_svm)) {
		bpf_core_read(&vmcb, sizeof(vmcb), &((struct vcpu_svm *)vcpu)->vmcb);
		code = kt_read_vmcb_exit_code(vmcb);
	} else if (isa == KVM_ISA_VMX && bpf_core_type_exists(struct vcpu_vt___v616)) {
		bpf_core_read(&code, sizeof(code),
			      &((struct vcpu_vmx___v616 *)vcpu)->vt.exit_reason.full);
	} else if (isa == KVM_ISA_VMX && bpf_core_type_exists(struct vcpu_vmx)) {
		bpf_core_read(&code, sizeof(code), &((struct vcpu_vmx *)vcpu)->exit_reason.full);
	}
	return kt_plain_reason(isa, code);
}

/*
 * The exit reason, right at kvm_exit on every vendor: unlike RIP and qualification, which VMX reads
 * from the VMCS only when somebody asks, it is always in memory. While L2 runs the exit is noted in
 * vmcb02. SVM's exit_code grew to 64 bits in d7507a94a072 (7.0); its low half is what the tracepoint
 * reports, too.
 */
static __always_inline u32 kt_read_exit_code(struct kvm_vcpu *vcpu, struct kt_vcpu *v, u32 isa)
{
	if (v->isa != isa) {
		v->isa = isa;
		v->vendor_state = kt_vendor_state(vcpu, isa);
	}
	if (v->vendor_state && bpf_core_field_exists(struct kvm_vcpu_stat, guest_mode) &&
	    !vcpu->stat.guest_mode)
		return kt_read_vmcb_exit_code(v->vendor_state);
	return kt_read_exit_code_slow((u64)vcpu, isa);
}

/* As the APM lays it out, volume 2, table B-1, from offset 0x70 on. */
struct kt_vmcb_exit {
	u64 code;
	u64 info1, info2;
	u32 int_info, int_info_error;
};

#define kt_vmcb_offset(field)                                                                      \
	(bpf_core_field_offset(struct vmcb_control_area, field) -                                  \
	 bpf_core_field_offset(struct vmcb_control_area, exit_code))

/*
 * What a VMCB tells of the last exit, as kvm_exit's record has it, in one read of memory. False: not on
 * this host.
 */
static __always_inline bool kt_read_vmcb_exit(u64 vcpu, struct kt_exit_info *x)
{
	struct kt_vmcb_exit exit = {};
	u64 vmcb = 0;

	if (!bpf_core_type_exists(struct vcpu_svm) || !bpf_core_type_exists(struct vmcb))
		return false;
	if (kt_vmcb_offset(exit_info_1) != offsetof(struct kt_vmcb_exit, info1) ||
	    kt_vmcb_offset(exit_info_2) != offsetof(struct kt_vmcb_exit, info2) ||
	    kt_vmcb_offset(exit_int_info) != offsetof(struct kt_vmcb_exit, int_info) ||
	    kt_vmcb_offset(exit_int_info_err) != offsetof(struct kt_vmcb_exit, int_info_error))
		return false;
	bpf_core_read(&vmcb, sizeof(vmcb), &((struct vcpu_svm *)vcpu)->vmcb);
	bpf_probe_read_kernel(
		&exit, sizeof(exit),
		(void *)(vmcb + bpf_core_field_offset(struct vmcb, control.exit_code)));
	x->code = exit.code;
	x->info1 = exit.info1;
	x->info2 = exit.info2;
	x->intr_info = exit.int_info;
	x->error_code = exit.int_info_error;
	return true;
}

#endif
