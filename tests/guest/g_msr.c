/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* N reads, then N writes of an MSR that does not exist: each one ends in #GP(0). */
#include "lib/guest.h"

#define RDMSR 0x100
#define WRMSR 0x200

KT_GUEST_CODE(msr, "	mov	%rdi, %rbp\n"
		   "	mov	$0xdead, %ecx\n"
		   "	kt_at	0x100\n"
		   "1:	rdmsr\n"
		   "	dec	%rbp\n"
		   "	jnz	1b\n"
		   "	mov	%rdi, %rbp\n"
		   "	mov	$0x55667788, %eax\n"
		   "	mov	$0x11223344, %edx\n"
		   "	kt_site	1\n"
		   "	kt_at	0x200\n"
		   "1:	wrmsr\n"
		   "	dec	%rbp\n"
		   "	jnz	1b\n"
		   "	kt_end\n");

int main(int argc, char **argv)
{
	struct kt_opts o = { .scenario = "msr", .n = 50, .n_max = 10000000 };
	struct kt_vm_conf conf = { .vcpus = 1 };
	struct kt_site *rd, *wr;
	struct kt_vm *vm;
	struct kt_vcpu *v;

	kt_opts_parse(&o, argc, argv, NULL);
	vm = kt_vm_new(&conf);
	kt_vm_load(vm, kt_guest_msr, kt_guest_msr_end);
	v = &vm->vcpu[0];
	v->iterations = o.n;
	rd = kt_vcpu_site(v, 0, RDMSR, RDMSR + 2, 13, 0, 0);
	wr = kt_vcpu_site(v, 1, WRMSR, WRMSR + 2, 13, 0, 0);
	kt_run(&o, &vm, 1);

	kt_expect_begin(&o, &vm, 1);
	kt_expect_exit(v, KT_EXIT_MSR_READ, o.n, KT_EXACT);
	kt_expect_exit(v, KT_EXIT_MSR_WRITE, o.n, KT_EXACT);
	kt_expect_out(v, KT_PORT_END, 1);
	kt_expect_exception(v, rd, o.n, KT_EXIT_MSR_READ, "msr=0xdead access=read");
	kt_expect_exception(v, wr, o.n, KT_EXIT_MSR_WRITE,
			    "msr=0xdead access=write value=0x1122334455667788");
	return kt_expect_end(&o, &vm, 1);
}
