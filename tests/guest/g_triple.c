/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A guest without an IDT meets an exception: triple fault. --vector says which one: 6 (UD2) and 13 (RDMSR)
 * are injected by KVM, 0 (division) the CPU delivers, unseen by the host unless KVM does without hardware.
 */
#include "lib/guest.h"

#define DIV   0x80
#define UD2   0x100
#define RDMSR 0x200

KT_GUEST_CODE(triple, "	lidt	KT_SH_IDTR(%r15)\n"
		      "	mov	$0xdead, %ecx\n"
		      "	xor	%eax, %eax\n"
		      "	xor	%edx, %edx\n"
		      "	cmp	$6, %rsi\n"
		      "	je	1f\n"
		      "	cmp	$13, %rsi\n"
		      "	je	2f\n"
		      "	kt_at	0x80\n"
		      "	div	%eax\n"
		      "	kt_at	0x100\n"
		      "1:	ud2\n"
		      "	kt_at	0x200\n"
		      "2:	rdmsr\n"
		      "	kt_end\n");

int main(int argc, char **argv)
{
	uint64_t vector = 6;
	struct kt_opts o = { .scenario = "triple", .n = 1, .n_max = 1 };
	const struct kt_extra extra[] = {
		{ "vector", &vector, 0, 13, "the exception it dies of: 0, 6 or 13" },
		{ 0 },
	};
	struct kt_vm_conf conf = { .vcpus = 1, .end_reason = KVM_EXIT_SHUTDOWN };
	struct kt_site *site;
	struct kt_vm *vm;
	struct kt_vcpu *v;

	kt_opts_parse(&o, argc, argv, extra);
	if (vector != 0 && vector != 6 && vector != 13) {
		fprintf(stderr, "g_triple: --vector is 0, 6 or 13\n");
		return 2;
	}
	vm = kt_vm_new(&conf);
	kt_vm_load(vm, kt_guest_triple, kt_guest_triple_end);
	v = &vm->vcpu[0];
	v->arg = vector;
	site = kt_vcpu_site(v, 0, vector == 13 ? RDMSR : vector ? UD2 : DIV, 0, vector, 0, 0);
	kt_run(&o, &vm, 1);
	site->count = 1; /* nobody is left to count the one it dies of */

	kt_expect_begin(&o, &vm, 1);
	if (vector == 6) {
		kt_expect_exit(v, KT_EXIT_UD, 1, KT_EXACT);
		kt_expect_exception(v, site, 1, KT_EXIT_UD, NULL);
	} else if (vector == 13) {
		kt_expect_exit(v, KT_EXIT_MSR_READ, 1, KT_EXACT);
		kt_expect_exception(v, site, 1, KT_EXIT_MSR_READ, "msr=0xdead access=read");
	} else if (kt_software_kvm()) {
		kt_expect_exception(v, site, 1, KT_EXIT_NONE, NULL);
	}
	kt_expect_exit(v, KT_EXIT_SHUTDOWN, 1, KT_EXACT);
	kt_expect_user(v, KVM_EXIT_SHUTDOWN, 1);
	return kt_expect_end(&o, &vm, 1);
}
