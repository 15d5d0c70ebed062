/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* N CPUID instructions: the exit that KVM handles fastest and that no host avoids. */
#include "lib/guest.h"

KT_GUEST_CODE(cpuid, "	mov	%rdi, %rbp\n"
		     "	kt_cpuids	%rbp\n"
		     "	kt_end\n");

int main(int argc, char **argv)
{
	struct kt_opts o = { .scenario = "cpuid", .n = 1000, .n_max = 100000000 };
	struct kt_vm_conf conf = { .vcpus = 1 };
	struct kt_vm *vm;
	struct kt_vcpu *v;

	kt_opts_parse(&o, argc, argv, NULL);
	vm = kt_vm_new(&conf);
	kt_vm_load(vm, kt_guest_cpuid, kt_guest_cpuid_end);
	v = &vm->vcpu[0];
	v->iterations = o.n;
	kt_run(&o, &vm, 1);

	kt_expect_begin(&o, &vm, 1);
	kt_expect_exit(v, KT_EXIT_CPUID, o.n, KT_EXACT);
	kt_expect_out(v, KT_PORT_END, 1);
	return kt_expect_end(&o, &vm, 1);
}
