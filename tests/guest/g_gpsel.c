/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Exceptions whose error code is a selector. MOV to DS from MMIO makes KVM's emulator load the segment:
 * N times a selector past the end of the GDT, #GP, then N times one whose descriptor is absent, #NP.
 */
#include "lib/guest.h"

#include <string.h>

#define LOAD_BEYOND 0x100
#define LOAD_ABSENT 0x200
#define GPA_BEYOND  (KT_GPA_MMIO + 0x10)
#define GPA_ABSENT  (KT_GPA_MMIO + 0x20)

KT_GUEST_CODE(gpsel, "	mov	%rdi, %rbp\n"
		     "	mov	$0xd0000000, %ebx\n"
		     "	mov	0x10(%rbx), %ax\n"
		     "	kt_at	0x100\n"
		     "1:	mov	0x10(%rbx), %ds\n"
		     "	dec	%rbp\n"
		     "	jnz	1b\n"
		     "	mov	%rdi, %rbp\n"
		     "	kt_site	1\n"
		     "	kt_at	0x200\n"
		     "1:	mov	0x20(%rbx), %ds\n"
		     "	dec	%rbp\n"
		     "	jnz	1b\n"
		     "	kt_end\n");

static void io(struct kt_vcpu *v, const struct kt_io *io)
{
	uint16_t selector = io->address == GPA_BEYOND ? KT_SEL_BEYOND : KT_SEL_ABSENT;

	if (!io->mmio || io->write || io->size != sizeof(selector) ||
	    (io->address != GPA_BEYOND && io->address != GPA_ABSENT))
		kt_unexpected_io(v, io);
	memcpy(io->data, &selector, sizeof(selector));
}

int main(int argc, char **argv)
{
	const struct kt_io beyond = { .mmio = true, .address = GPA_BEYOND, .size = 2 };
	const struct kt_io absent = { .mmio = true, .address = GPA_ABSENT, .size = 2 };
	struct kt_opts o = { .scenario = "gpsel", .n = 50, .n_max = 1000000 };
	struct kt_vm_conf conf = { .vcpus = 1, .io = io };
	struct kt_site *gp, *np;
	struct kt_vm *vm;
	struct kt_vcpu *v;

	kt_opts_parse(&o, argc, argv, NULL);
	vm = kt_vm_new(&conf);
	kt_vm_load(vm, kt_guest_gpsel, kt_guest_gpsel_end);
	v = &vm->vcpu[0];
	v->iterations = o.n;
	gp = kt_vcpu_site(v, 0, LOAD_BEYOND, LOAD_BEYOND + 3, 13, KT_SEL_BEYOND, 0);
	np = kt_vcpu_site(v, 1, LOAD_ABSENT, LOAD_ABSENT + 3, 11, KT_SEL_ABSENT, 0);
	kt_run(&o, &vm, 1);

	kt_expect_begin(&o, &vm, 1);
	kt_expect_exit(v, KT_EXIT_MMIO, 2 * o.n, KT_MIN);
	kt_expect_out(v, KT_PORT_END, 1);
	kt_expect_io(v, &beyond, o.n + 1);
	kt_expect_io(v, &absent, o.n);
	kt_expect_exception(v, gp, o.n, KT_EXIT_MMIO, NULL);
	kt_expect_exception(v, np, o.n, KT_EXIT_MMIO, NULL);
	return kt_expect_end(&o, &vm, 1);
}
