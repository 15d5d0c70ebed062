/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * N HLTs. By default there is no APIC: each HLT returns to user space, which wakes the guest with
 * KVM_INTERRUPT. With --timer-us the APIC is KVM's own and its timer, armed before each HLT, wakes the
 * guest: the vCPU sleeps within the kernel.
 */
#include "lib/guest.h"

#include <sys/ioctl.h>

#define TIMER_SETUP 3 /* MSR writes before the first HLT */

/*
 * RSI: 0, or what to load the timer with. STI keeps interrupts out for one more instruction: HLT is
 * always executed, even if the timer was faster. x2APIC: 80f SVR, 832 timer LVT, 83e divide, 838 count.
 */
KT_GUEST_CODE(hlt, "	mov	%rdi, %rbp\n"
		   "	xor	%edx, %edx\n"
		   "	test	%rsi, %rsi\n"
		   "	jz	1f\n"
		   "	mov	$0x80f, %ecx\n"
		   "	mov	$0x1ff, %eax\n"
		   "	wrmsr\n"
		   "	mov	$0x832, %ecx\n"
		   "	mov	$0x40, %eax\n"
		   "	wrmsr\n"
		   "	mov	$0x83e, %ecx\n"
		   "	mov	$0x0b, %eax\n"
		   "	wrmsr\n"
		   "	mov	$0x838, %ecx\n"
		   "1:	test	%rsi, %rsi\n"
		   "	jz	2f\n"
		   "	mov	%esi, %eax\n"
		   "	wrmsr\n"
		   "2:	sti\n"
		   "	hlt\n"
		   "	cli\n"
		   "	dec	%rbp\n"
		   "	jnz	1b\n"
		   "	kt_end\n");

static void halted(struct kt_vcpu *v)
{
	const struct kvm_interrupt irq = { .irq = KT_VEC_IRQ };

	if (ioctl(v->fd, KVM_INTERRUPT, &irq))
		kt_fail("KVM_INTERRUPT: %m");
}

int main(int argc, char **argv)
{
	uint64_t timer_us = 0;
	struct kt_opts o = { .scenario = "hlt", .n = 50, .n_max = 1000000 };
	const struct kt_extra extra[] = {
		{ "timer-us", &timer_us, 0, 1000000, "wake up by KVM's APIC timer" },
		{ 0 },
	};
	struct kt_vm_conf conf = { .vcpus = 1 };
	struct kt_vm *vm;
	struct kt_vcpu *v;

	kt_opts_parse(&o, argc, argv, extra);
	o.timeout_s += o.n * timer_us / 1000000;
	conf.irqchip = timer_us != 0;
	conf.halted = timer_us ? NULL : halted;
	vm = kt_vm_new(&conf);
	kt_vm_load(vm, kt_guest_hlt, kt_guest_hlt_end);
	v = &vm->vcpu[0];
	v->iterations = o.n;
	v->arg = timer_us * 1000; /* KVM's APIC bus runs at 1 GHz */
	kt_run(&o, &vm, 1);
	if (v->sh->irqs != o.n)
		kt_fail("the guest took %llu interrupts", (unsigned long long)v->sh->irqs);

	kt_expect_begin(&o, &vm, 1);
	kt_expect_exit(v, KT_EXIT_HLT, o.n, KT_EXACT);
	if (timer_us) {
		/* Hardware that virtualises the APIC spares the guest the exit at EOI. */
		kt_expect_exit(v, KT_EXIT_MSR_WRITE, TIMER_SETUP + o.n, KT_MIN);
		/* Some of the time passes between arming the timer and HLT. */
		kt_expect_exit_time(v, KT_EXIT_HLT, o.n * timer_us * 1000 / 2);
	} else {
		kt_expect_user(v, KVM_EXIT_HLT, o.n);
	}
	kt_expect_out(v, KT_PORT_END, 1);
	return kt_expect_end(&o, &vm, 1);
}
