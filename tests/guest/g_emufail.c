/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A guest that KVM gives up: it has MMIO read by an instruction that KVM's emulator does not know.
 * KVM_RUN returns KVM_EXIT_INTERNAL_ERROR, suberror KVM_INTERNAL_ERROR_EMULATION; from 5.15 on with the
 * bytes of the instruction. N CPUIDs come before.
 */
#include "lib/guest.h"

#include <string.h>

#define POPCNT 0x100
/* POPCNT (RSI), EAX, and OUT AL, 0xf4 */
static const uint8_t insn[] = { 0xf3, 0x0f, 0xb8, 0x06, 0xe6, 0xf4 };

KT_GUEST_CODE(emufail, "	mov	%rdi, %rbp\n"
		       "	kt_cpuids	%rbp\n"
		       "	mov	$0xd0000000, %esi\n"
		       "	jmp	1f\n"
		       "	kt_at	0x100\n"
		       "1:	popcnt	(%rsi), %eax\n"
		       "	kt_end\n");

static void check(const struct kt_vcpu *v)
{
	const struct kvm_run *run = v->run;

	if (run->internal.suberror != KVM_INTERNAL_ERROR_EMULATION)
		kt_fail("suberror is %u", run->internal.suberror);
	if (run->emulation_failure.ndata &&
	    run->emulation_failure.flags & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES &&
	    (run->emulation_failure.insn_size < sizeof(insn) ||
	     memcmp(run->emulation_failure.insn_bytes, insn, sizeof(insn))))
		kt_fail("the bytes of the instruction are others");
}

int main(int argc, char **argv)
{
	struct kt_opts o = { .scenario = "emufail", .n = 10, .n_max = 100000000 };
	struct kt_vm_conf conf = { .vcpus = 1, .end_reason = KVM_EXIT_INTERNAL_ERROR };
	struct kt_vm *vm;
	struct kt_vcpu *v;

	kt_opts_parse(&o, argc, argv, NULL);
	if (kt_software_kvm()) {
		fprintf(stderr, "g_emufail: cannot run here: this KVM is a software one\n");
		return 2;
	}
	vm = kt_vm_new(&conf);
	kt_vm_load(vm, kt_guest_emufail, kt_guest_emufail_end);
	v = &vm->vcpu[0];
	v->iterations = o.n;
	kt_run(&o, &vm, 1);
	check(v);

	kt_expect_begin(&o, &vm, 1);
	kt_expect_exit(v, KT_EXIT_CPUID, o.n, KT_EXACT);
	kt_expect_exit(v, KT_EXIT_NESTED_PAGE, 1, KT_MIN);
	kt_expect_user(v, KVM_EXIT_INTERNAL_ERROR, 1);
	return kt_expect_end(&o, &vm, 1);
}
