/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Memory the guest touches for the first time: N pages 4 KiB apart read, N written, N pages 2 MiB apart
 * read, N written. The slot's memory is small pages this process never touched, so that each of the 4 N
 * addresses faults exactly once.
 */
#include "lib/guest.h"

#define SMALL  0x1000ull
#define LARGE  0x200000ull
#define OFFSET 0x38
#define PHASES 4
#define N_MAX  100

/* RDI pages. The last phase goes on where the one before it ended. */
KT_GUEST_CODE(npf, "	mov	$0x40000038, %ebx\n"
		   "	mov	%rdi, %rbp\n"
		   "	kt_at	0x100\n"
		   "1:	mov	(%rbx), %al\n"
		   "	add	$0x1000, %rbx\n"
		   "	dec	%rbp\n"
		   "	jnz	1b\n"
		   "	mov	$0x40200038, %ebx\n"
		   "	mov	%rdi, %rbp\n"
		   "	kt_at	0x200\n"
		   "1:	mov	%al, (%rbx)\n"
		   "	add	$0x1000, %rbx\n"
		   "	dec	%rbp\n"
		   "	jnz	1b\n"
		   "	mov	$0x40400038, %ebx\n"
		   "	mov	%rdi, %rbp\n"
		   "	kt_at	0x300\n"
		   "1:	mov	(%rbx), %al\n"
		   "	add	$0x200000, %rbx\n"
		   "	dec	%rbp\n"
		   "	jnz	1b\n"
		   "	mov	%rdi, %rbp\n"
		   "	kt_at	0x400\n"
		   "1:	mov	%al, (%rbx)\n"
		   "	add	$0x200000, %rbx\n"
		   "	dec	%rbp\n"
		   "	jnz	1b\n"
		   "	kt_end\n");

static void expect(struct kt_vcpu *v, uint64_t n)
{
	const struct {
		uint64_t rip, start, stride;
		bool write;
	} phase[PHASES] = {
		{ 0x201100, KT_GPA_FRESH, SMALL, false },
		{ 0x201200, KT_GPA_FRESH + LARGE, SMALL, true },
		{ 0x201300, KT_GPA_FRESH + 2 * LARGE, LARGE, false },
		{ 0x201400, KT_GPA_FRESH + (2 + n) * LARGE, LARGE, true },
	};

	for (int i = 0; i < PHASES; i++)
		for (uint64_t j = 0; j < n; j++)
			kt_expect_fault(v, phase[i].start + j * phase[i].stride + OFFSET,
					phase[i].write, phase[i].rip);
}

int main(int argc, char **argv)
{
	struct kt_opts o = { .scenario = "npf", .n = 8, .n_max = N_MAX };
	struct kt_vm_conf conf = { .vcpus = 1 };
	struct kt_vm *vm;
	struct kt_vcpu *v;

	kt_opts_parse(&o, argc, argv, NULL);
	vm = kt_vm_new(&conf);
	kt_vm_load(vm, kt_guest_npf, kt_guest_npf_end);
	kt_vm_add_memory(vm, 1, KT_GPA_FRESH, (2 + 2 * o.n) * LARGE);
	v = &vm->vcpu[0];
	v->iterations = o.n;
	kt_run(&o, &vm, 1);

	kt_expect_begin(&o, &vm, 1);
	expect(v, o.n);
	kt_expect_exit(v, KT_EXIT_NESTED_PAGE, PHASES * o.n, KT_MIN);
	kt_expect_out(v, KT_PORT_END, 1);
	return kt_expect_end(&o, &vm, 1);
}
