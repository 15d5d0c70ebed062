/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Several vCPUs in one VM, each with a count of its own: vCPU i executes (i + 1) N CPUIDs. */
#include "lib/guest.h"

KT_GUEST_CODE(smp, "	kt_cpuids	%rdi\n"
		   "	kt_end\n");

int main(int argc, char **argv)
{
	uint64_t vcpus = 4;
	struct kt_opts o = { .scenario = "smp", .n = 1000, .n_max = 1000000 };
	const struct kt_extra extra[] = {
		{ "vcpus", &vcpus, 1, 64, "virtual CPUs" },
		{ 0 },
	};
	struct kt_vm_conf conf = { 0 };
	struct kt_vm *vm;

	kt_opts_parse(&o, argc, argv, extra);
	conf.vcpus = (int)vcpus;
	vm = kt_vm_new(&conf);
	kt_vm_load(vm, kt_guest_smp, kt_guest_smp_end);
	for (uint64_t i = 0; i < vcpus; i++)
		vm->vcpu[i].iterations = (i + 1) * o.n;
	kt_run(&o, &vm, 1);

	kt_expect_begin(&o, &vm, 1);
	for (uint64_t i = 0; i < vcpus; i++) {
		kt_expect_exit(&vm->vcpu[i], KT_EXIT_CPUID, (i + 1) * o.n, KT_EXACT);
		kt_expect_out(&vm->vcpu[i], KT_PORT_END, 1);
	}
	return kt_expect_end(&o, &vm, 1);
}
