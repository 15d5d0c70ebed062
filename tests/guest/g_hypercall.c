/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * N hypercalls whose arguments nobody can guess from those before, but everybody can work out from the
 * first: a0 counts from 1, a1 is splitmix64's function of a0, a2 of a1, a3 of a2. So each of them can be
 * told from the others, none can go missing unnoticed, and they do not compress.
 */
#include "lib/guest.h"

#define VAPIC_POLL_IRQ 1 /* KVM_HC_VAPIC_POLL_IRQ, whose answer is 0 whatever the arguments */

/* RSI: 0 VMMCALL, 1 VMCALL: KVM patches the wrong one. Arguments are in RBX, RCX, RDX, RSI. */
KT_GUEST_CODE(hypercall, ".macro kt_mix from to shift factor\n"
			 "	mov	\\from, %rdi\n"
			 "	shr	$\\shift, %rdi\n"
			 "	xor	\\from, %rdi\n"
			 "	movabs	$\\factor, \\to\n"
			 "	imul	%rdi, \\to\n"
			 ".endm\n"
			 ".macro kt_splitmix from to\n"
			 "	movabs	$0x9e3779b97f4a7c15, \\to\n"
			 "	add	\\from, \\to\n"
			 "	kt_mix	\\to, \\to, 30, 0xbf58476d1ce4e5b9\n"
			 "	kt_mix	\\to, \\to, 27, 0x94d049bb133111eb\n"
			 "	mov	\\to, %rdi\n"
			 "	shr	$31, %rdi\n"
			 "	xor	%rdi, \\to\n"
			 ".endm\n"
			 "	mov	%rdi, %rbp\n"
			 "	mov	%rsi, %r8\n"
			 "	xor	%ebx, %ebx\n"
			 "1:	inc	%rbx\n"
			 "	kt_splitmix %rbx, %rcx\n"
			 "	kt_splitmix %rcx, %rdx\n"
			 "	kt_splitmix %rdx, %rsi\n"
			 "	mov	$1, %eax\n"
			 "	test	%r8, %r8\n"
			 "	jnz	2f\n"
			 "	vmmcall\n"
			 "	jmp	3f\n"
			 "2:	vmcall\n"
			 "3:	or	%rax, KT_SH_NOTE(%r15)\n"
			 "	dec	%rbp\n"
			 "	jnz	1b\n"
			 "	kt_end\n");

int main(int argc, char **argv)
{
	struct kt_opts o = { .scenario = "hypercall", .n = 100, .n_max = 1000000000 };
	struct kt_vm_conf conf = { .vcpus = 1 };
	struct kt_vm *vm;
	struct kt_vcpu *v;

	kt_opts_parse(&o, argc, argv, NULL);
	if (kt_software_kvm()) {
		fprintf(stderr, "g_hypercall: cannot run here: this KVM is a software one\n");
		return 2;
	}
	vm = kt_vm_new(&conf);
	kt_vm_load(vm, kt_guest_hypercall, kt_guest_hypercall_end);
	v = &vm->vcpu[0];
	v->iterations = o.n;
	v->arg = kt_vmx();
	kt_run(&o, &vm, 1);
	if (v->sh->note)
		kt_fail("a hypercall was answered 0x%llx", (unsigned long long)v->sh->note);

	kt_expect_begin(&o, &vm, 1);
	kt_expect_exit(v, KT_EXIT_HYPERCALL, o.n, KT_EXACT);
	kt_expect_hypercalls(v, VAPIC_POLL_IRQ, o.n);
	kt_expect_out(v, KT_PORT_END, 1);
	return kt_expect_end(&o, &vm, 1);
}
