/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * N #GP, at full speed or --rate a second: what a tracer does not report it must have counted as lost.
 * A paced guest works in bursts of a millisecond and exits to user space after each one.
 */
#include "lib/guest.h"

#define NSEC	     1000000000ull
#define BURSTS_A_SEC 1000
#define RDMSR	     0x100

/* RSI: events a burst, 0 for no bursts. */
KT_GUEST_CODE(storm, "	mov	%rdi, %rbp\n"
		     "	mov	%rsi, %rbx\n"
		     "	mov	$0xdead, %ecx\n"
		     "	kt_at	0x100\n"
		     "1:	rdmsr\n"
		     "	dec	%rbx\n"
		     "	jz	2f\n"
		     "	dec	%rbp\n"
		     "	jnz	1b\n"
		     "	jmp	3f\n"
		     "2:	kt_pace\n"
		     "	mov	%rsi, %rbx\n"
		     "	dec	%rbp\n"
		     "	jnz	1b\n"
		     "3:	kt_end\n");

static uint64_t rate, burst;
static struct timespec due;

static void pace(struct kt_vcpu *v)
{
	(void)v;
	if (!due.tv_sec)
		clock_gettime(CLOCK_MONOTONIC, &due);
	kt_timespec_add(&due, burst * NSEC / rate);
	kt_sleep_until(&due);
}

int main(int argc, char **argv)
{
	struct kt_opts o = { .scenario = "storm", .n = 100000, .n_max = 100000000 };
	const struct kt_extra extra[] = {
		{ "rate", &rate, 0, 10000000, "events a second, 0 for full speed" },
		{ 0 },
	};
	struct kt_vm_conf conf = { .vcpus = 1, .pace = pace };
	struct kt_site *site;
	struct kt_vm *vm;
	struct kt_vcpu *v;

	kt_opts_parse(&o, argc, argv, extra);
	if (rate) {
		burst = rate < BURSTS_A_SEC ? 1 : rate / BURSTS_A_SEC;
		o.timeout_s += o.n / rate;
	}
	vm = kt_vm_new(&conf);
	kt_vm_load(vm, kt_guest_storm, kt_guest_storm_end);
	v = &vm->vcpu[0];
	v->iterations = o.n;
	v->arg = burst;
	site = kt_vcpu_site(v, 0, RDMSR, RDMSR + 2, 13, 0, 0);
	kt_run(&o, &vm, 1);

	kt_expect_begin(&o, &vm, 1);
	kt_expect_exit(v, KT_EXIT_MSR_READ, o.n, KT_EXACT);
	kt_expect_out(v, KT_PORT_END, 1);
	kt_expect_out(v, KT_PORT_PACE, burst ? o.n / burst : 0);
	kt_expect_exception(v, site, o.n, KT_EXIT_MSR_READ, "msr=0xdead access=read");
	return kt_expect_end(&o, &vm, 1);
}
