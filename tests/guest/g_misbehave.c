/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A guest for demonstrations: for some seconds it reads MSRs that do not exist, executes invalid opcodes,
 * asks CPUID and bangs a port, at a pace one can watch, and then dies of a triple fault.
 */
#include "lib/guest.h"

#define NSEC	 1000000000ull
#define PORT_OUT 0x510
#define RDMSR	 0x100
#define UD2	 0x180
#define LAST	 0x200

/* RDI rounds; each round is four acts, every one followed by a rest. At LAST there is no IDT any more. */
KT_GUEST_CODE(misbehave, "	mov	%rdi, %rbp\n"
			 "	mov	$0xdead, %ecx\n"
			 "	kt_at	0x100\n"
			 "1:	rdmsr\n"
			 "	kt_pace\n"
			 "	kt_site	1\n"
			 "	kt_at	0x180\n"
			 "	ud2\n"
			 "	kt_pace\n"
			 "	kt_site	0\n"
			 "	xor	%eax, %eax\n"
			 "	xor	%ecx, %ecx\n"
			 "	cpuid\n"
			 "	kt_pace\n"
			 "	mov	$0x510, %edx\n"
			 "	out	%al, %dx\n"
			 "	kt_pace\n"
			 "	mov	$0xdead, %ecx\n"
			 "	dec	%rbp\n"
			 "	jnz	1b\n"
			 "	lidt	KT_SH_IDTR(%r15)\n"
			 "	kt_at	0x200\n"
			 "	ud2\n"
			 "	kt_end\n");

static uint64_t seconds = 10, rate = 400;
static struct timespec due;

static void pace(struct kt_vcpu *v)
{
	(void)v;
	if (!due.tv_sec)
		clock_gettime(CLOCK_MONOTONIC, &due);
	kt_timespec_add(&due, NSEC / rate);
	kt_sleep_until(&due);
}

static void io(struct kt_vcpu *v, const struct kt_io *io)
{
	if (!io->write || io->address != PORT_OUT)
		kt_unexpected_io(v, io);
}

static void expect(struct kt_vcpu *v, uint64_t n, const struct kt_site *const site[3])
{
	kt_expect_exit(v, KT_EXIT_MSR_READ, n, KT_EXACT);
	kt_expect_exit(v, KT_EXIT_UD, n + 1, KT_EXACT);
	kt_expect_exit(v, KT_EXIT_CPUID, n, KT_EXACT);
	kt_expect_out(v, PORT_OUT, n);
	kt_expect_out(v, KT_PORT_PACE, 4 * n);
	kt_expect_exit(v, KT_EXIT_SHUTDOWN, 1, KT_EXACT);
	kt_expect_exception(v, site[0], n, KT_EXIT_MSR_READ, "msr=0xdead access=read");
	kt_expect_exception(v, site[1], n, KT_EXIT_UD, NULL);
	kt_expect_exception(v, site[2], 1, KT_EXIT_UD, NULL);
	kt_expect_user(v, KVM_EXIT_SHUTDOWN, 1);
}

int main(int argc, char **argv)
{
	struct kt_opts o = { .scenario = "misbehave", .n = 0, .n_max = 10000000 };
	const struct kt_extra extra[] = {
		{ "seconds", &seconds, 1, 86400, "how long, unless -n says how many rounds" },
		{ "rate", &rate, 4, 100000, "acts a second, four to a round" },
		{ 0 },
	};
	struct kt_vm_conf conf = {
		.vcpus = 1, .end_reason = KVM_EXIT_SHUTDOWN, .pace = pace, .io = io
	};
	struct kt_site *site[3];
	struct kt_vm *vm;
	struct kt_vcpu *v;

	kt_opts_parse(&o, argc, argv, extra);
	if (!o.n)
		o.n = seconds * rate / 4;
	o.timeout_s += o.n * 4 / rate;
	vm = kt_vm_new(&conf);
	kt_vm_load(vm, kt_guest_misbehave, kt_guest_misbehave_end);
	v = &vm->vcpu[0];
	v->iterations = o.n;
	site[0] = kt_vcpu_site(v, 0, RDMSR, RDMSR + 2, 13, 0, 0);
	site[1] = kt_vcpu_site(v, 1, UD2, UD2 + 2, 6, 0, 0);
	site[2] = kt_vcpu_site(v, 2, LAST, LAST + 2, 6, 0, 0);
	kt_run(&o, &vm, 1);
	site[2]->count = 1; /* nobody is left to count the one it dies of */

	kt_expect_begin(&o, &vm, 1);
	expect(v, o.n, (const struct kt_site *const *)site);
	return kt_expect_end(&o, &vm, 1);
}
