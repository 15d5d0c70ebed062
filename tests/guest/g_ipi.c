/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A token goes round N times: each of the vCPUs sleeps in HLT until an interrupt comes, then sends one to
 * the next, through KVM's own APIC in x2APIC mode.
 */
#include "lib/guest.h"

#include <string.h>
#include <sys/ioctl.h>

#define APIC_SVR    0xf0 /* in the page of KVM_SET_LAPIC */
#define SVR_ENABLED 0x1ff

/*
 * RSI: bits 63:32 the APIC ID of the next vCPU, bit 0 whether this one begins. MSR 830 is x2APIC's ICR;
 * 4040: fixed delivery of vector 0x40, level asserted (SDM 3A 11.6.1). Interrupts are only on for HLT: STI
 * keeps them out for one more instruction, so HLT is always executed.
 */
KT_GUEST_CODE(ipi, "	mov	%rdi, %rbp\n"
		   "	mov	%rsi, %rbx\n"
		   "	shr	$32, %rbx\n"
		   "	test	$1, %sil\n"
		   "	jnz	2f\n"
		   "1:	sti\n"
		   "	hlt\n"
		   "	cli\n"
		   "	mov	$0x830, %ecx\n"
		   "	mov	$0x4040, %eax\n"
		   "	mov	%ebx, %edx\n"
		   "	wrmsr\n"
		   "	dec	%rbp\n"
		   "	jnz	1b\n"
		   "	kt_end\n"
		   "2:	mov	$0x830, %ecx\n"
		   "	mov	$0x4040, %eax\n"
		   "	mov	%ebx, %edx\n"
		   "	wrmsr\n"
		   "	sti\n"
		   "	hlt\n"
		   "	cli\n"
		   "	dec	%rbp\n"
		   "	jnz	2b\n"
		   "	kt_end\n");

/* Ready for interrupts before anybody sends one; with an APIC in KVM all but vCPU 0 await a SIPI. */
static void wake(struct kt_vcpu *v)
{
	struct kvm_mp_state runnable = { .mp_state = KVM_MP_STATE_RUNNABLE };
	struct kvm_lapic_state apic;
	uint32_t svr = SVR_ENABLED;

	if (ioctl(v->fd, KVM_GET_LAPIC, &apic))
		kt_fail("KVM_GET_LAPIC: %m");
	memcpy(apic.regs + APIC_SVR, &svr, sizeof(svr));
	if (ioctl(v->fd, KVM_SET_LAPIC, &apic))
		kt_fail("KVM_SET_LAPIC: %m");
	if (ioctl(v->fd, KVM_SET_MP_STATE, &runnable))
		kt_fail("KVM_SET_MP_STATE: %m");
}

int main(int argc, char **argv)
{
	uint64_t vcpus = 4;
	struct kt_opts o = { .scenario = "ipi", .n = 100, .n_max = 1000000 };
	const struct kt_extra extra[] = {
		{ "vcpus", &vcpus, 2, 64, "virtual CPUs" },
		{ 0 },
	};
	struct kt_vm_conf conf = { .irqchip = true };
	struct kt_vm *vm;

	kt_opts_parse(&o, argc, argv, extra);
	conf.vcpus = (int)vcpus;
	vm = kt_vm_new(&conf);
	kt_vm_load(vm, kt_guest_ipi, kt_guest_ipi_end);
	for (uint64_t i = 0; i < vcpus; i++) {
		vm->vcpu[i].iterations = o.n;
		vm->vcpu[i].arg = (i + 1) % vcpus << 32 | (i == 0);
		wake(&vm->vcpu[i]);
	}
	kt_run(&o, &vm, 1);

	kt_expect_begin(&o, &vm, 1);
	for (uint64_t i = 0; i < vcpus; i++) {
		struct kt_vcpu *v = &vm->vcpu[i];

		/* Emulated SVM delivers one twice now and then (EXITINTINFO), so a token may double. */
		if (v->sh->irqs < o.n)
			kt_fail("vcpu %d took %llu interrupts", v->id,
				(unsigned long long)v->sh->irqs);
		kt_expect_exit(v, KT_EXIT_HLT, o.n, KT_EXACT);
		/* Hardware that virtualises the APIC spares the guest these exits. */
		kt_expect_exit(v, KT_EXIT_MSR_WRITE, 0, KT_MIN);
		kt_expect_out(v, KT_PORT_END, 1);
	}
	return kt_expect_end(&o, &vm, 1);
}
