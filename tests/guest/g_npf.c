/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Memory the guest touches for the first time: N pages 4 KiB apart read, N written, N pages 2 MiB apart
 * read, N written. With --more 1, N pages 2 MiB apart that hold code are called, then the first N pages,
 * which have only been read, are written. The slot's memory is small pages which this process never
 * touched, but for those of code, so that each address faults exactly once.
 */
#include "lib/guest.h"

#define SMALL  0x1000ull
#define LARGE  0x200000ull
#define OFFSET 0x38
#define PHASES 6
#define FEWER  4 /* without --more */
#define CALLS  4 /* the phase that calls */
#define RET    0xc3
#define N_MAX  100

/* RDI pages, RSI --more. Phases 4 and 5 go on where the one before them ended. */
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
		   "	test	%rsi, %rsi\n"
		   "	jz	2f\n"
		   "	mov	%rdi, %rbp\n"
		   "1:	call	*%rbx\n"
		   "	add	$0x200000, %rbx\n"
		   "	dec	%rbp\n"
		   "	jnz	1b\n"
		   "	mov	$0x40000038, %ebx\n"
		   "	mov	%rdi, %rbp\n"
		   "	kt_at	0x500\n"
		   "1:	mov	%al, (%rbx)\n"
		   "	add	$0x1000, %rbx\n"
		   "	dec	%rbp\n"
		   "	jnz	1b\n"
		   "2:	kt_end\n");

static void expect(struct kt_vcpu *v, uint64_t n, int phases)
{
	const struct {
		uint64_t start, stride;
		struct kt_fault fault;
	} phase[PHASES] = {
		{ 0, SMALL, { .rip = 0x201100 } },
		{ LARGE, SMALL, { .rip = 0x201200, .access = KT_WRITE } },
		{ 2 * LARGE, LARGE, { .rip = 0x201300 } },
		{ (2 + n) * LARGE, LARGE, { .rip = 0x201400, .access = KT_WRITE } },
		{ (2 + 2 * n) * LARGE, LARGE, { .access = KT_FETCH } },
		{ 0, SMALL, { .rip = 0x201500, .access = KT_WRITE, .readonly = true } },
	};

	for (int i = 0; i < phases; i++) {
		for (uint64_t j = 0; j < n; j++) {
			struct kt_fault f = phase[i].fault;

			f.gpa = KT_GPA_FRESH + phase[i].start + j * phase[i].stride + OFFSET;
			if (i == CALLS)
				f.rip = f.gpa;
			kt_expect_fault(v, &f);
		}
	}
}

int main(int argc, char **argv)
{
	uint64_t more = 0;
	struct kt_opts o = { .scenario = "npf", .n = 8, .n_max = N_MAX };
	const struct kt_extra extra[] = {
		{ "more", &more, 0, 1, "whether to fetch, and to write what has been read, too" },
		{ 0 },
	};
	struct kt_vm_conf conf = { .vcpus = 1 };
	int phases;
	uint8_t *fresh;
	struct kt_vm *vm;
	struct kt_vcpu *v;

	kt_opts_parse(&o, argc, argv, extra);
	phases = more ? PHASES : FEWER;
	vm = kt_vm_new(&conf);
	kt_vm_load(vm, kt_guest_npf, kt_guest_npf_end);
	fresh = kt_vm_add_memory(vm, 1, KT_GPA_FRESH, (2 + 3 * o.n) * LARGE);
	for (uint64_t i = 0; more && i < o.n; i++)
		fresh[(2 + 2 * o.n + i) * LARGE + OFFSET] = RET;
	v = &vm->vcpu[0];
	v->iterations = o.n;
	v->arg = more;
	kt_run(&o, &vm, 1);

	kt_expect_begin(&o, &vm, 1);
	expect(v, o.n, phases);
	kt_expect_exit(v, KT_EXIT_NESTED_PAGE, (uint64_t)phases * o.n, KT_MIN);
	kt_expect_out(v, KT_PORT_END, 1);
	return kt_expect_end(&o, &vm, 1);
}
