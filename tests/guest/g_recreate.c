/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * One thread makes a VM, runs it, and destroys it, N times: the kernel gives each vCPU the memory of the
 * one before, so that neither its address nor its thread tells them apart. The last one is kept, and runs
 * through kt_run() with the usual options.
 */
#include "lib/guest.h"

#include <linux/kvm.h>

#define CPUIDS 20

KT_GUEST_CODE(recreate, "	mov	%rdi, %rbp\n"
			"	kt_cpuids	%rbp\n"
			"	kt_end\n");

static struct kt_vm *make(void)
{
	struct kt_vm_conf conf = { .vcpus = 1 };
	struct kt_vm *vm = kt_vm_new(&conf);

	kt_vm_load(vm, kt_guest_recreate, kt_guest_recreate_end);
	vm->vcpu[0].iterations = CPUIDS;
	return vm;
}

int main(int argc, char **argv)
{
	struct kt_opts o = { .scenario = "recreate", .n = 200, .n_max = 100000 };
	struct kt_vm *vm;
	struct kt_vcpu *v;

	kt_opts_parse(&o, argc, argv, NULL);
	for (uint64_t i = 1; i < o.n; i++) {
		vm = make();
		kt_run_here(&vm->vcpu[0]);
		kt_vm_free(vm);
	}
	vm = make();
	v = &vm->vcpu[0];
	kt_run(&o, &vm, 1);
	v->user[KVM_EXIT_IO] += o.n - 1;

	kt_expect_begin(&o, &vm, 1);
	kt_expect_exit(v, KT_EXIT_CPUID, o.n * CPUIDS, KT_EXACT);
	kt_expect_out(v, KT_PORT_END, o.n);
	return kt_expect_end(&o, &vm, 1);
}
