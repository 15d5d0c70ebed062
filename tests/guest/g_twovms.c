/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Two processes with a VM each, running at the same time: N CPUIDs and no exception in the first, M #GP in
 * the second, its child. With --name NAME they are NAME-a and NAME-b. Both print their own expectations.
 */
#include "lib/guest.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define RDMSR	  0x100
#define STEP_NS	  1000000
#define STEPS_SEC 1000

/* RSI: what to do, 0 CPUID, 1 RDMSR. */
KT_GUEST_CODE(twovms, "	mov	%rdi, %rbp\n"
		      "	test	%rsi, %rsi\n"
		      "	jz	2f\n"
		      "	mov	$0xdead, %ecx\n"
		      "	kt_at	0x100\n"
		      "1:	rdmsr\n"
		      "	dec	%rbp\n"
		      "	jnz	1b\n"
		      "	kt_end\n"
		      "2:	kt_cpuids	%rbp\n"
		      "	kt_end\n");

/* Neither goes on before both are there, or time is up. */
static void meet(const struct kt_opts *o, atomic_int *present, int count)
{
	struct timespec t;

	atomic_fetch_add(present, 1);
	clock_gettime(CLOCK_MONOTONIC, &t);
	for (uint64_t i = 0; atomic_load(present) < count; i++) {
		if (i == STEPS_SEC * o->timeout_s)
			kt_fail("the other VM did not appear");
		kt_timespec_add(&t, STEP_NS);
		kt_sleep_until(&t);
	}
}

static int run(const struct kt_opts *o, atomic_int *present, uint64_t n, bool second)
{
	struct kt_vm_conf conf = { .vcpus = 1 };
	struct kt_vm *vm = kt_vm_new(&conf);
	struct kt_vcpu *v = &vm->vcpu[0];
	struct kt_site *site;

	kt_vm_load(vm, kt_guest_twovms, kt_guest_twovms_end);
	v->iterations = n;
	v->arg = second;
	site = kt_vcpu_site(v, 0, RDMSR, RDMSR + 2, 13, 0, 0);
	meet(o, present, 2);
	kt_run(o, &vm, 1);
	meet(o, present, 4);

	kt_expect_begin(o, &vm, 1);
	if (second) {
		kt_expect_exit(v, KT_EXIT_MSR_READ, n, KT_EXACT);
		kt_expect_exception(v, site, n, KT_EXIT_MSR_READ, "msr=0xdead access=read");
	} else {
		kt_expect_exit(v, KT_EXIT_CPUID, n, KT_EXACT);
	}
	kt_expect_out(v, KT_PORT_END, 1);
	return kt_expect_end(o, &vm, 1);
}

int main(int argc, char **argv)
{
	uint64_t m = 500;
	struct kt_opts o = {
		.scenario = "twovms", .n = 1000, .n_max = 1000000, .name_suffix = "-a"
	};
	const struct kt_extra extra[] = {
		{ "second", &m, 1, 1000000, "#GP in the second VM" },
		{ 0 },
	};
	atomic_int *present;
	int status, result;
	pid_t child;

	kt_opts_parse(&o, argc, argv, extra);
	present = mmap(NULL, sizeof(*present), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	if (present == MAP_FAILED)
		kt_fail("mmap: %m");
	child = fork();
	if (child < 0)
		kt_fail("fork: %m");
	if (!child) {
		kt_opts_rename(&o, 'b');
		return run(&o, present, m, true);
	}
	result = run(&o, present, o.n, false);
	if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status))
		kt_fail("the second VM failed");
	return result;
}
