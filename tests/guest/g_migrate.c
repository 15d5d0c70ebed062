/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * vCPU threads that leave for another host CPU while an exit is being handled. Each of the N port writes
 * sleeps in user space for a known time, so an exit's handling time is known from below wherever it ends.
 */
#include "lib/guest.h"

#include <sched.h>
#include <stdlib.h>

#define PORT_OUT  0x510
#define VCPUS_MAX 64

KT_GUEST_CODE(migrate, "	mov	$0x510, %edx\n"
		       "1:	out	%al, %dx\n"
		       "	dec	%rdi\n"
		       "	jnz	1b\n"
		       "	kt_end\n");

static uint64_t sleep_us = 2000;
static cpu_set_t allowed;
static uint64_t moves[VCPUS_MAX];

/* The next CPU after the current one that this process may use; the same one if it is the only one. */
static void move_on(struct kt_vcpu *v)
{
	int from = sched_getcpu(), to = from;
	cpu_set_t one;

	do
		to = (to + 1) % CPU_SETSIZE;
	while (!CPU_ISSET(to, &allowed));
	CPU_ZERO(&one);
	CPU_SET(to, &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		kt_fail("sched_setaffinity: %m");
	moves[v->id] += sched_getcpu() != from;
}

static void io(struct kt_vcpu *v, const struct kt_io *io)
{
	struct timespec t;

	if (!io->write || io->address != PORT_OUT)
		kt_unexpected_io(v, io);
	clock_gettime(CLOCK_MONOTONIC, &t);
	kt_timespec_add(&t, sleep_us * 1000);
	move_on(v);
	kt_sleep_until(&t);
}

int main(int argc, char **argv)
{
	uint64_t vcpus = 4;
	struct kt_opts o = { .scenario = "migrate", .n = 50, .n_max = 100000 };
	const struct kt_extra extra[] = {
		{ "vcpus", &vcpus, 1, VCPUS_MAX, "virtual CPUs" },
		{ "sleep-us", &sleep_us, 1, 1000000, "how long user space takes for an exit" },
		{ 0 },
	};
	struct kt_vm_conf conf = { .io = io };
	struct kt_vm *vm;

	kt_opts_parse(&o, argc, argv, extra);
	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		kt_fail("sched_getaffinity: %m");
	conf.vcpus = (int)vcpus;
	o.timeout_s += o.n * sleep_us / 1000000;
	vm = kt_vm_new(&conf);
	kt_vm_load(vm, kt_guest_migrate, kt_guest_migrate_end);
	for (uint64_t i = 0; i < vcpus; i++)
		vm->vcpu[i].iterations = o.n;
	kt_run(&o, &vm, 1);

	kt_expect_begin(&o, &vm, 1);
	for (uint64_t i = 0; i < vcpus; i++) {
		if (CPU_COUNT(&allowed) > 1 && moves[i] != o.n)
			kt_fail("vcpu %d moved %llu times", (int)i, (unsigned long long)moves[i]);
		kt_expect_out(&vm->vcpu[i], PORT_OUT, o.n);
		kt_expect_out(&vm->vcpu[i], KT_PORT_END, 1);
		kt_expect_exit_time(&vm->vcpu[i], KT_EXIT_IO, o.n * sleep_us * 1000);
	}
	return kt_expect_end(&o, &vm, 1);
}
