/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A guest whose state the CPU refuses: N CPUIDs, then its user space sets CS.L and CS.D both, and the next
 * --fails M entries fail. That state is illegal on either vendor (SDM 3C 26.3.1.2, APM 2 15.5.1), and
 * KVM_SET_SREGS (kvm_is_valid_sregs(), 5.10 to 7.2) does not look at CS.D.
 */
#include "lib/guest.h"

#include <sys/ioctl.h>
#include <unistd.h>

#define UNRESTRICTED "/sys/module/kvm_intel/parameters/unrestricted_guest"
#define VMX_REASON   0x80000021ull
#define SVM_REASON   0xffffffffull

KT_GUEST_CODE(failentry, "	mov	%rdi, %rbp\n"
			 "	kt_cpuids	%rbp\n"
			 "	kt_pace\n"
			 "	kt_end\n");

static void spoil(struct kt_vcpu *v)
{
	struct kvm_sregs s;

	if (ioctl(v->fd, KVM_GET_SREGS, &s))
		kt_fail("KVM_GET_SREGS: %m");
	s.cs.l = s.cs.db = 1;
	if (ioctl(v->fd, KVM_SET_SREGS, &s))
		kt_fail("KVM_SET_SREGS: %m");
}

/*
 * A software KVM checks what it likes. On VMX without unrestricted guest KVM emulates a guest in such a
 * state instead of entering it.
 */
static const char *missing(void)
{
	char value = 0;
	FILE *f;

	if (kt_software_kvm())
		return "this KVM is a software one: no CPU checks its guests' state";
	f = fopen(UNRESTRICTED, "r");
	if (!f)
		return access("/sys/module/kvm_intel", F_OK) ? NULL : UNRESTRICTED " is missing";
	if (fread(&value, 1, 1, f) != 1)
		value = 0;
	fclose(f);
	return value == 'Y' || value == '1' ? NULL : "kvm_intel runs without unrestricted guest";
}

static void check_reason(const struct kt_vcpu *v)
{
	uint64_t reason = v->run->fail_entry.hardware_entry_failure_reason;

	/* SVM's is 32 or 64 bits wide. */
	if (reason != VMX_REASON && (uint32_t)reason != SVM_REASON)
		kt_fail("hardware_entry_failure_reason is 0x%llx", (unsigned long long)reason);
}

int main(int argc, char **argv)
{
	uint64_t fails = 1;
	struct kt_opts o = { .scenario = "failentry", .n = 10, .n_max = 100000000 };
	const struct kt_extra extra[] = {
		{ "fails", &fails, 1, 100000, "entries that fail" },
		{ 0 },
	};
	struct kt_vm_conf conf = {
		.vcpus = 1,
		.end_reason = KVM_EXIT_FAIL_ENTRY,
		.pace = spoil,
	};
	const char *why;
	struct kt_vm *vm;
	struct kt_vcpu *v;

	kt_opts_parse(&o, argc, argv, extra);
	why = missing();
	if (why) {
		fprintf(stderr, "g_failentry: cannot run here: %s\n", why);
		return 2;
	}
	conf.end_count = fails;
	vm = kt_vm_new(&conf);
	kt_vm_load(vm, kt_guest_failentry, kt_guest_failentry_end);
	v = &vm->vcpu[0];
	v->iterations = o.n;
	kt_run(&o, &vm, 1);
	check_reason(v);

	kt_expect_begin(&o, &vm, 1);
	kt_expect_exit(v, KT_EXIT_CPUID, o.n, KT_EXACT);
	kt_expect_out(v, KT_PORT_PACE, 1);
	kt_expect_exit(v, KT_EXIT_INVALID, fails, KT_EXACT);
	kt_expect_user(v, KVM_EXIT_FAIL_ENTRY, fails);
	return kt_expect_end(&o, &vm, 1);
}
