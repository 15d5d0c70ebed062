/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Control register writes that KVM intercepts and refuses: N times CR4 with reserved bit 15 set, and with
 * --xsetbv 1 N times XCR0 without its x87 bit. Each one ends in #GP(0). XSETBV has to be asked for: QEMU's
 * emulation of SVM (7.2) does not intercept it, so there KVM never learns of it.
 */
#include "lib/guest.h"

#define MOV_CR4	    0x100
#define XSETBV	    0x200
#define CR4_OSXSAVE 0x40000

/* RSI: whether to try XSETBV. CR4 is not read: that could be an exit, too. */
KT_GUEST_CODE(cr, "	mov	%rdi, %rbp\n"
		  "	mov	$0x8020, %eax\n"
		  "	kt_at	0x100\n"
		  "1:	mov	%rax, %cr4\n"
		  "	dec	%rbp\n"
		  "	jnz	1b\n"
		  "	test	%rsi, %rsi\n"
		  "	jz	2f\n"
		  "	mov	%rdi, %rbp\n"
		  "	xor	%ecx, %ecx\n"
		  "	xor	%eax, %eax\n"
		  "	xor	%edx, %edx\n"
		  "	kt_site	1\n"
		  "	kt_at	0x200\n"
		  "1:	xsetbv\n"
		  "	dec	%rbp\n"
		  "	jnz	1b\n"
		  "2:	kt_end\n");

int main(int argc, char **argv)
{
	uint64_t xsetbv = 0;
	struct kt_opts o = { .scenario = "cr", .n = 50, .n_max = 1000000 };
	const struct kt_extra extra[] = {
		{ "xsetbv", &xsetbv, 0, 1, "whether to try XSETBV, too" },
		{ 0 },
	};
	struct kt_vm_conf conf = { .vcpus = 1 };
	struct kt_site *cr4, *xcr0;
	struct kt_vm *vm;
	struct kt_vcpu *v;

	kt_opts_parse(&o, argc, argv, extra);
	if (xsetbv && !kt_cpuid_has_xsave())
		kt_fail("no XSAVE on this host");
	conf.cr4 = xsetbv ? CR4_OSXSAVE : 0;
	vm = kt_vm_new(&conf);
	kt_vm_load(vm, kt_guest_cr, kt_guest_cr_end);
	v = &vm->vcpu[0];
	v->iterations = o.n;
	v->arg = xsetbv;
	cr4 = kt_vcpu_site(v, 0, MOV_CR4, MOV_CR4 + 3, 13, 0, 0);
	xcr0 = kt_vcpu_site(v, 1, XSETBV, XSETBV + 3, 13, 0, 0);
	kt_run(&o, &vm, 1);

	kt_expect_begin(&o, &vm, 1);
	kt_expect_exit(v, KT_EXIT_CR4_WRITE, o.n, KT_EXACT);
	kt_expect_exception(v, cr4, o.n, KT_EXIT_CR4_WRITE, "cr=4 access=write");
	if (xsetbv) {
		kt_expect_exit(v, KT_EXIT_XSETBV, o.n, KT_EXACT);
		kt_expect_exception(v, xcr0, o.n, KT_EXIT_XSETBV, "xcr=0 access=write");
	}
	kt_expect_out(v, KT_PORT_END, 1);
	return kt_expect_end(&o, &vm, 1);
}
