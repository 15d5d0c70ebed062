/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * N rounds of the first --reasons of a list of instructions, each of which exits with a code of its own. On
 * SVM only. The list is longer than enum kt_exit: codes that are not in there are not stated.
 */
#include "lib/guest.h"

#include <string.h>

#define REASONS_MAX 31
#define PLAIN	    26 /* those before the ones that end in #UD */
#define SITE_FIRST  0x400
#define SITE_STEP   0x20

/*
 * RDI rounds, RSI reasons. Each block but the last of a round goes on with the next one. An access to a
 * debug register has KVM stop intercepting them until the next exit, hence the CPUID after each. KVM sets
 * EFER.SVME behind the guest's back: SVM's instructions are intercepted, then found not to be allowed.
 */
/* clang-format off */
KT_GUEST_CODE(reasons, ".macro next\n"
	"	dec	%r8\n"
	"	jz	9f\n"
	".endm\n"
	".macro read_dr nr\n"
	"	mov	%db\\nr, %rax\n"
	"	xor	%eax, %eax\n"
	"	cpuid\n"
	"	next\n"
	".endm\n"
	".macro write_dr nr, value\n"
	"	mov	$\\value, %eax\n"
	"	mov	%rax, %db\\nr\n"
	"	xor	%eax, %eax\n"
	"	cpuid\n"
	"	next\n"
	".endm\n"
	".macro bad nr, insn:vararg\n"
	"	kt_site	\\nr\n"
	"	kt_at	0x400+0x20*\\nr\n"
	"	\\insn\n"
	"	kt_at	0x408+0x20*\\nr\n"
	"	next\n"
	".endm\n"
	"1:	mov	%rsi, %r8\n"
	"	xor	%eax, %eax\n"
	"	cpuid\n"
	"	next\n"
	"	mov	$0x1b, %ecx\n"
	"	rdmsr\n"
	"	next\n"
	"	mov	%cr4, %rax\n"
	"	next\n"
	"	mov	%cr4, %rax\n"
	"	mov	%rax, %cr4\n"
	"	next\n"
	"	xor	%eax, %eax\n"
	"	mov	%rax, %cr8\n"
	"	next\n"
	"	wbinvd\n"
	"	next\n"
	"	mov	$1000, %eax\n"
	"	vmmcall\n"
	"	next\n"
	"	mov	$0x510, %edx\n"
	"	out	%al, %dx\n"
	"	next\n"
	"	mov	$0xd0000000, %eax\n"
	"	mov	(%rax), %eax\n"
	"	next\n"
	"	hlt\n"
	"	next\n"
	"	.irp	nr, 0, 1, 2, 3, 4, 5, 6, 7\n"
	"	read_dr	\\nr\n"
	"	.endr\n"
	"	.irp	nr, 0, 1, 2, 3\n"
	"	write_dr \\nr, 0\n"
	"	.endr\n"
	"	write_dr 4, 0xffff0ff0\n"
	"	write_dr 5, 0x400\n"
	"	write_dr 6, 0xffff0ff0\n"
	"	write_dr 7, 0x400\n"
	"	bad	0, ud2\n"
	"	bad	1, stgi\n"
	"	bad	2, clgi\n"
	"	bad	3, skinit\n"
	"	bad	4, invlpga %rax, %ecx\n"
	"9:	dec	%rdi\n"
	"	jnz	1b\n"
	"	kt_end\n");
/* clang-format on */

static void io(struct kt_vcpu *v, const struct kt_io *io)
{
	if (!io->mmio && io->write)
		return;
	if (!io->mmio || io->write)
		kt_unexpected_io(v, io);
	memset(io->data, 0, io->size);
}

/* HLT without an APIC: the guest goes on as if an interrupt had come. */
static void halted(struct kt_vcpu *v)
{
	(void)v;
}

static void state(const struct kt_opts *o, struct kt_vcpu *v, uint64_t reasons)
{
	const struct kt_io out = { .write = true, .address = 0x510, .size = 1 };
	const struct kt_io read = { .mmio = true, .address = KT_GPA_MMIO, .size = 4 };

	kt_expect_exit(v, KT_EXIT_CPUID, o->n, KT_MIN);
	if (reasons >= 2)
		kt_expect_exit(v, KT_EXIT_MSR_READ, o->n, KT_EXACT);
	if (reasons >= 4)
		kt_expect_exit(v, KT_EXIT_CR4_WRITE, o->n, KT_EXACT);
	if (reasons >= 8)
		kt_expect_io(v, &out, o->n);
	if (reasons >= 9)
		kt_expect_io(v, &read, o->n);
	if (reasons >= 10) {
		kt_expect_exit(v, KT_EXIT_HLT, o->n, KT_EXACT);
		kt_expect_user(v, KVM_EXIT_HLT, o->n);
	}
	for (uint64_t i = PLAIN; i < reasons; i++)
		kt_expect_exception(v, &v->sh->site[i - PLAIN], o->n,
				    i == PLAIN ? KT_EXIT_UD : KT_EXIT_NONE, NULL);
	if (reasons > PLAIN)
		kt_expect_exit(v, KT_EXIT_UD, o->n, KT_EXACT);
	kt_expect_out(v, KT_PORT_END, 1);
}

int main(int argc, char **argv)
{
	uint64_t reasons = 16;
	struct kt_opts o = { .scenario = "reasons", .n = 100, .n_max = 1000000 };
	const struct kt_extra extra[] = {
		{ "reasons", &reasons, 1, REASONS_MAX, "how many of the list" },
		{ 0 },
	};
	struct kt_vm_conf conf = { .vcpus = 1, .io = io, .halted = halted };
	struct kt_vm *vm;
	struct kt_vcpu *v;

	kt_opts_parse(&o, argc, argv, extra);
	if (kt_software_kvm()) {
		fputs("reasons: needs a KVM on SVM\n", stderr);
		return 2;
	}
	vm = kt_vm_new(&conf);
	kt_vm_load(vm, kt_guest_reasons, kt_guest_reasons_end);
	v = &vm->vcpu[0];
	v->iterations = o.n;
	v->arg = reasons;
	for (int i = 0; i < REASONS_MAX - PLAIN; i++)
		kt_vcpu_site(v, i, SITE_FIRST + SITE_STEP * (uint64_t)i,
			     SITE_FIRST + SITE_STEP * (uint64_t)i + 8, 6, 0, 0);
	kt_run(&o, &vm, 1);

	kt_expect_begin(&o, &vm, 1);
	state(&o, v, reasons);
	return kt_expect_end(&o, &vm, 1);
}
