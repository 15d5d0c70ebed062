/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * One thread makes a VM, runs it, and destroys it, N times: the kernel gives each vCPU the memory of the
 * one before, so that neither its address nor its thread tells them apart. The last one is kept, and runs
 * through kt_run() with the usual options. Each takes its #GP after as many exits as the others.
 */
#include "lib/guest.h"

#include <linux/kvm.h>

#define CPUIDS 20
#define RDMSR  0x100

KT_GUEST_CODE(recreate, "	mov	%rdi, %rbp\n"
			"	kt_cpuids	%rbp\n"
			"	mov	$0xdead, %ecx\n"
			"	kt_at	0x100\n"
			"	rdmsr\n"
			"	kt_end\n");

/* taken: exceptions of the guests before, to which this one adds its own. */
static struct kt_vm *make(struct kt_site **rdmsr, uint64_t taken)
{
	struct kt_vm_conf conf = { .vcpus = 1 };
	struct kt_vm *vm = kt_vm_new(&conf);

	kt_vm_load(vm, kt_guest_recreate, kt_guest_recreate_end);
	vm->vcpu[0].iterations = CPUIDS;
	*rdmsr = kt_vcpu_site(&vm->vcpu[0], 0, RDMSR, RDMSR + 2, 13, 0, 0);
	(*rdmsr)->count = taken;
	return vm;
}

int main(int argc, char **argv)
{
	struct kt_opts o = { .scenario = "recreate", .n = 200, .n_max = 100000 };
	struct kt_site *rdmsr;
	uint64_t taken = 0;
	struct kt_vm *vm;
	struct kt_vcpu *v;

	kt_opts_parse(&o, argc, argv, NULL);
	for (uint64_t i = 1; i < o.n; i++) {
		vm = make(&rdmsr, taken);
		kt_run_here(&vm->vcpu[0]);
		taken = rdmsr->count;
		kt_vm_free(vm);
	}
	vm = make(&rdmsr, taken);
	v = &vm->vcpu[0];
	kt_run(&o, &vm, 1);
	v->user[KVM_EXIT_IO] += o.n - 1;

	kt_expect_begin(&o, &vm, 1);
	kt_expect_former_vcpu(1, 0);
	kt_expect_exit(v, KT_EXIT_CPUID, o.n * CPUIDS, KT_EXACT);
	kt_expect_exit(v, KT_EXIT_MSR_READ, o.n, KT_EXACT);
	kt_expect_out(v, KT_PORT_END, o.n);
	kt_expect_exception(v, rdmsr, o.n, KT_EXIT_MSR_READ, "msr=0xdead access=read");
	return kt_expect_end(&o, &vm, 1);
}
