/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* N UD2 instructions: an exception KVM intercepts, tries to emulate, and hands back. */
#include "lib/guest.h"

#define UD2 0x100

KT_GUEST_CODE(ud, "	mov	%rdi, %rbp\n"
		  "	kt_at	0x100\n"
		  "1:	ud2\n"
		  "	dec	%rbp\n"
		  "	jnz	1b\n"
		  "	kt_end\n");

int main(int argc, char **argv)
{
	struct kt_opts o = { .scenario = "ud", .n = 50, .n_max = 10000000 };
	struct kt_vm_conf conf = { .vcpus = 1 };
	struct kt_site *site;
	struct kt_vm *vm;
	struct kt_vcpu *v;

	kt_opts_parse(&o, argc, argv, NULL);
	vm = kt_vm_new(&conf);
	kt_vm_load(vm, kt_guest_ud, kt_guest_ud_end);
	v = &vm->vcpu[0];
	v->iterations = o.n;
	site = kt_vcpu_site(v, 0, UD2, UD2 + 2, 6, 0, 0);
	kt_run(&o, &vm, 1);

	kt_expect_begin(&o, &vm, 1);
	kt_expect_exit(v, KT_EXIT_UD, o.n, KT_EXACT);
	kt_expect_out(v, KT_PORT_END, 1);
	kt_expect_exception(v, site, o.n, KT_EXIT_UD, NULL);
	return kt_expect_end(&o, &vm, 1);
}
