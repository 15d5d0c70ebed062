/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A sweep over fresh memory: a write to each 4 KiB page of --mib MiB, in order. Every page faults once.
 * With so many of them no line is printed for each.
 */
#include "lib/guest.h"

#define PAGE	  0x1000ull
#define MIB	  0x100000ull
#define MIB_MAX	  512 /* up to KT_GVA_RDONLY */
#define PAGES_MIB (MIB / PAGE)

KT_GUEST_CODE(sweep, "	mov	$0x40000000, %ebx\n"
		     "	kt_at	0x100\n"
		     "1:	mov	%rbx, (%rbx)\n"
		     "	add	$0x1000, %rbx\n"
		     "	dec	%rdi\n"
		     "	jnz	1b\n"
		     "	kt_end\n");

/* Each page holds its own address. */
static void check(const uint8_t *fresh, uint64_t pages)
{
	for (uint64_t i = 0; i < pages; i++) {
		uint64_t found = *(const uint64_t *)(fresh + i * PAGE);

		if (found != KT_GPA_FRESH + i * PAGE)
			kt_fail("page %llu holds 0x%llx", (unsigned long long)i,
				(unsigned long long)found);
	}
}

int main(int argc, char **argv)
{
	uint64_t mib = 8;
	struct kt_opts o = { .scenario = "sweep", .n = 1, .n_max = 1 };
	const struct kt_extra extra[] = {
		{ "mib", &mib, 1, MIB_MAX, "memory to write to, in MiB" },
		{ 0 },
	};
	struct kt_vm_conf conf = { .vcpus = 1 };
	uint8_t *fresh;
	struct kt_vm *vm;
	struct kt_vcpu *v;

	kt_opts_parse(&o, argc, argv, extra);
	vm = kt_vm_new(&conf);
	kt_vm_load(vm, kt_guest_sweep, kt_guest_sweep_end);
	fresh = kt_vm_add_memory(vm, 1, KT_GPA_FRESH, mib * MIB);
	v = &vm->vcpu[0];
	v->iterations = mib * PAGES_MIB;
	kt_run(&o, &vm, 1);
	check(fresh, mib * PAGES_MIB);

	kt_expect_begin(&o, &vm, 1);
	kt_expect_exit(v, KT_EXIT_NESTED_PAGE, mib * PAGES_MIB, KT_MIN);
	kt_expect_out(v, KT_PORT_END, 1);
	return kt_expect_end(&o, &vm, 1);
}
