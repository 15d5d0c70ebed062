/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * #PF that KVM itself injects. With nested paging a guest's own page faults stay in the guest; here KVM's
 * instruction emulator runs into them. N times each:
 *  - MOVSB from MMIO (which makes KVM emulate) to an address the guest has not mapped,
 *  - MOVSB from MMIO to a page mapped read-only, with CR0.WP=1,
 *  - OUTSB from an address not mapped: string I/O is emulated before its operand is looked at.
 */
#include "lib/guest.h"

#define ABSENT	   0x100
#define READ_ONLY  0x200
#define OUTS	   0x300
#define GVA_WRITE  (KT_GVA_NONE + 0x123)
#define GVA_RDONLY (KT_GVA_RDONLY + 0x456)
#define GVA_READ   (KT_GVA_NONE + 0x789)

/* The first read makes KVM learn that there is MMIO, so that all later ones take the same way. */
KT_GUEST_CODE(pf, "	mov	%rdi, %rbp\n"
		  "	mov	$0xd0000000, %esi\n"
		  "	mov	(%rsi), %al\n"
		  "	mov	$0x555555123, %rdi\n"
		  "	kt_at	0x100\n"
		  "1:	movsb\n"
		  "	dec	%rbp\n"
		  "	jnz	1b\n"
		  "	mov	KT_SH_NOTE(%r15), %rbp\n"
		  "	mov	$0x60000456, %edi\n"
		  "	kt_site	1\n"
		  "	kt_at	0x200\n"
		  "1:	movsb\n"
		  "	dec	%rbp\n"
		  "	jnz	1b\n"
		  "	mov	KT_SH_NOTE(%r15), %rbp\n"
		  "	mov	$0x555555789, %rsi\n"
		  "	mov	$0x510, %edx\n"
		  "	kt_site	2\n"
		  "	kt_at	0x300\n"
		  "1:	outsb\n"
		  "	dec	%rbp\n"
		  "	jnz	1b\n"
		  "	kt_end\n");

static void io(struct kt_vcpu *v, const struct kt_io *io)
{
	if (!io->mmio || io->write || io->address != KT_GPA_MMIO || io->size != 1)
		kt_unexpected_io(v, io);
	*(uint8_t *)io->data = 0x5a;
}

int main(int argc, char **argv)
{
	const struct kt_io mmio = { .mmio = true, .address = KT_GPA_MMIO, .size = 1 };
	struct kt_opts o = { .scenario = "pf", .n = 50, .n_max = 1000000 };
	struct kt_vm_conf conf = { .vcpus = 1, .io = io };
	struct kt_site *absent, *read_only, *outs;
	struct kt_vm *vm;
	struct kt_vcpu *v;

	kt_opts_parse(&o, argc, argv, NULL);
	vm = kt_vm_new(&conf);
	kt_vm_load(vm, kt_guest_pf, kt_guest_pf_end);
	kt_vm_map_readonly(vm, KT_GVA_RDONLY);
	v = &vm->vcpu[0];
	v->iterations = v->sh->note = o.n;
	absent = kt_vcpu_site(v, 0, ABSENT, ABSENT + 1, 14, 0x2, GVA_WRITE);
	read_only = kt_vcpu_site(v, 1, READ_ONLY, READ_ONLY + 1, 14, 0x3, GVA_RDONLY);
	outs = kt_vcpu_site(v, 2, OUTS, OUTS + 1, 14, 0x0, GVA_READ);
	kt_run(&o, &vm, 1);

	kt_expect_begin(&o, &vm, 1);
	kt_expect_exit(v, KT_EXIT_MMIO, 2 * o.n, KT_MIN);
	kt_expect_exit(v, KT_EXIT_IO, o.n, KT_EXACT);
	kt_expect_out(v, KT_PORT_END, 1);
	kt_expect_io(v, &mmio, 2 * o.n + 1);
	kt_expect_exception(v, absent, o.n, KT_EXIT_MMIO, "access=write");
	kt_expect_exception(v, read_only, o.n, KT_EXIT_MMIO, "access=write");
	kt_expect_exception(v, outs, o.n, KT_EXIT_IO, "access=read");
	return kt_expect_end(&o, &vm, 1);
}
