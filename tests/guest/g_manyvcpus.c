/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * More vCPU threads than a tracer may have thought of, N CPUIDs each; over several VMs in this one process
 * where KVM's limit for a VM demands it.
 */
#include "lib/guest.h"

#include <stdlib.h>
#include <sys/resource.h>

#define VCPUS_MAX 4096
#define FDS_SPARE 64

KT_GUEST_CODE(manyvcpus, "	kt_cpuids	%rdi\n"
			 "	kt_end\n");

static uint64_t per_vm_limit(void)
{
	uint64_t limit = (uint64_t)kt_kvm_cap(KVM_CAP_MAX_VCPUS);
	uint64_t ids = (uint64_t)kt_kvm_cap(KVM_CAP_MAX_VCPU_ID);

	if (ids && ids < limit)
		limit = ids;
	if (!limit)
		kt_fail("KVM_CAP_MAX_VCPUS is 0");
	return limit;
}

static void allow_fds(uint64_t count)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r))
		kt_fail("getrlimit: %m");
	if (r.rlim_cur >= count)
		return;
	r.rlim_cur = count;
	if (r.rlim_max < count)
		r.rlim_max = count;
	if (setrlimit(RLIMIT_NOFILE, &r))
		kt_fail("setrlimit to %llu files: %m", (unsigned long long)count);
}

static struct kt_vm *create(uint64_t vcpus, uint64_t n)
{
	struct kt_vm_conf conf = { .vcpus = (int)vcpus };
	struct kt_vm *vm = kt_vm_new(&conf);

	kt_vm_load(vm, kt_guest_manyvcpus, kt_guest_manyvcpus_end);
	for (uint64_t i = 0; i < vcpus; i++)
		vm->vcpu[i].iterations = n;
	return vm;
}

int main(int argc, char **argv)
{
	uint64_t vcpus = 300, per_vm = per_vm_limit();
	struct kt_opts o = { .scenario = "manyvcpus", .n = 3, .n_max = 1000000 };
	const struct kt_extra extra[] = {
		{ "vcpus", &vcpus, 1, VCPUS_MAX, "virtual CPUs in all" },
		{ "per-vm", &per_vm, 1, per_vm, "virtual CPUs in one VM" },
		{ 0 },
	};
	struct kt_vm **vms;
	int count = 0, status;

	kt_opts_parse(&o, argc, argv, extra);
	allow_fds(2 * vcpus + FDS_SPARE);
	vms = calloc(vcpus, sizeof(struct kt_vm *));
	if (!vms)
		kt_fail("out of memory");
	for (uint64_t left = vcpus; left; left -= (uint64_t)vms[count++]->conf.vcpus)
		vms[count] = create(left < per_vm ? left : per_vm, o.n);
	kt_run(&o, vms, count);

	kt_expect_begin(&o, vms, count);
	for (int i = 0; i < count; i++) {
		for (int j = 0; j < vms[i]->conf.vcpus; j++) {
			kt_expect_exit(&vms[i]->vcpu[j], KT_EXIT_CPUID, o.n, KT_EXACT);
			kt_expect_out(&vms[i]->vcpu[j], KT_PORT_END, 1);
		}
	}
	status = kt_expect_end(&o, vms, count);
	free(vms);
	return status;
}
