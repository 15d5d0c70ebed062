/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Exit reasons. Numbers from SDM volume 3 appendix C, APM volume 2 appendix C, and Linux 7.2 kvm.h.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "../../user/decode/decode.h"

#define VMX	1
#define SVM	2
#define VMX_BIT (1u << 1)
#define SVM_BIT (1u << 2)

static void assert_added(u32 isa, u32 code, const char *expected)
{
	struct kt_str s = { 0 };

	kt_exit_add(&s, isa, code);
	assert_string_equal(s.data, expected);
	kt_str_free(&s);
}

static void assert_suggests(const char *name, unsigned int max, const char *expected)
{
	struct kt_str s = { 0 };

	kt_str_add(&s, "<");
	kt_exit_suggest(&s, name, max);
	kt_str_add(&s, ">");
	assert_string_equal(s.data, expected);
	kt_str_free(&s);
}

static void test_isa_names(void **state)
{
	(void)state;
	assert_string_equal(kt_isa_name(0), "unknown");
	assert_string_equal(kt_isa_name(1), "vmx");
	assert_string_equal(kt_isa_name(2), "svm");
	assert_string_equal(kt_isa_name(3), "unknown");
	assert_string_equal(kt_isa_name(0xffffffff), "unknown");
}

struct expected {
	u32 code;
	const char *name;
};

static const struct expected vmx_expected[] = {
	{ 0, "EXCEPTION_NMI" },
	{ 1, "EXTERNAL_INTERRUPT" },
	{ 2, "TRIPLE_FAULT" },
	{ 3, "INIT_SIGNAL" },
	{ 4, "SIPI_SIGNAL" },
	{ 5, "IO_SMI" },
	{ 6, "OTHER_SMI" },
	{ 7, "INTERRUPT_WINDOW" },
	{ 8, "NMI_WINDOW" },
	{ 9, "TASK_SWITCH" },
	{ 10, "CPUID" },
	{ 11, "GETSEC" },
	{ 12, "HLT" },
	{ 13, "INVD" },
	{ 14, "INVLPG" },
	{ 15, "RDPMC" },
	{ 16, "RDTSC" },
	{ 17, "RSM" },
	{ 18, "VMCALL" },
	{ 19, "VMCLEAR" },
	{ 20, "VMLAUNCH" },
	{ 21, "VMPTRLD" },
	{ 22, "VMPTRST" },
	{ 23, "VMREAD" },
	{ 24, "VMRESUME" },
	{ 25, "VMWRITE" },
	{ 26, "VMOFF" },
	{ 27, "VMON" },
	{ 28, "CR_ACCESS" },
	{ 29, "DR_ACCESS" },
	{ 30, "IO_INSTRUCTION" },
	{ 31, "MSR_READ" },
	{ 32, "MSR_WRITE" },
	{ 33, "INVALID_STATE" },
	{ 34, "MSR_LOAD_FAIL" },
	{ 35, NULL },
	{ 36, "MWAIT_INSTRUCTION" },
	{ 37, "MONITOR_TRAP_FLAG" },
	{ 38, NULL },
	{ 39, "MONITOR_INSTRUCTION" },
	{ 40, "PAUSE_INSTRUCTION" },
	{ 41, "MCE_DURING_VMENTRY" },
	{ 42, NULL },
	{ 43, "TPR_BELOW_THRESHOLD" },
	{ 44, "APIC_ACCESS" },
	{ 45, "EOI_INDUCED" },
	{ 46, "GDTR_IDTR" },
	{ 47, "LDTR_TR" },
	{ 48, "EPT_VIOLATION" },
	{ 49, "EPT_MISCONFIG" },
	{ 50, "INVEPT" },
	{ 51, "RDTSCP" },
	{ 52, "PREEMPTION_TIMER" },
	{ 53, "INVVPID" },
	{ 54, "WBINVD" },
	{ 55, "XSETBV" },
	{ 56, "APIC_WRITE" },
	{ 57, "RDRAND" },
	{ 58, "INVPCID" },
	{ 59, "VMFUNC" },
	{ 60, "ENCLS" },
	{ 61, "RDSEED" },
	{ 62, "PML_FULL" },
	{ 63, "XSAVES" },
	{ 64, "XRSTORS" },
	{ 65, "PCONFIG" },
	{ 66, "SPP" },
	{ 67, "UMWAIT" },
	{ 68, "TPAUSE" },
	{ 69, "LOADIWKEY" },
	{ 70, "ENCLV" },
	{ 72, "ENQCMD_PASID" },
	{ 73, "ENQCMDS_PASID" },
	{ 74, "BUS_LOCK" },
	{ 75, "NOTIFY" },
	{ 76, "SEAMCALL" },
	{ 77, "TDCALL" },
	{ 78, "RDMSRLIST" },
	{ 79, "WRMSRLIST" },
	{ 80, "URDMSR" },
	{ 81, "UWRMSR" },
	{ 82, NULL },
	{ 83, NULL },
	{ 84, "MSR_READ_IMM" },
	{ 85, "MSR_WRITE_IMM" },
	{ 86, NULL },
	{ 0xffff, NULL },
};

static const struct expected svm_expected[] = {
	{ 0x000, "READ_CR0" },
	{ 0x002, "READ_CR2" },
	{ 0x003, "READ_CR3" },
	{ 0x004, "READ_CR4" },
	{ 0x008, "READ_CR8" },
	{ 0x00f, "READ_CR15" },
	{ 0x010, "WRITE_CR0" },
	{ 0x013, "WRITE_CR3" },
	{ 0x014, "WRITE_CR4" },
	{ 0x018, "WRITE_CR8" },
	{ 0x01f, "WRITE_CR15" },
	{ 0x020, "READ_DR0" },
	{ 0x027, "READ_DR7" },
	{ 0x02f, "READ_DR15" },
	{ 0x030, "WRITE_DR0" },
	{ 0x037, "WRITE_DR7" },
	{ 0x03f, "WRITE_DR15" },
	{ 0x040, "EXCP_DE" },
	{ 0x041, "EXCP_DB" },
	{ 0x042, "EXCP_2" },
	{ 0x043, "EXCP_BP" },
	{ 0x046, "EXCP_UD" },
	{ 0x048, "EXCP_DF" },
	{ 0x049, "EXCP_9" },
	{ 0x04d, "EXCP_GP" },
	{ 0x04e, "EXCP_PF" },
	{ 0x051, "EXCP_AC" },
	{ 0x052, "EXCP_MC" },
	{ 0x053, "EXCP_XF" },
	{ 0x055, "EXCP_CP" },
	{ 0x05c, "EXCP_HV" },
	{ 0x05d, "EXCP_VC" },
	{ 0x05e, "EXCP_SX" },
	{ 0x05f, "EXCP_31" },
	{ 0x060, "INTR" },
	{ 0x061, "NMI" },
	{ 0x062, "SMI" },
	{ 0x063, "INIT" },
	{ 0x064, "VINTR" },
	{ 0x065, "CR0_SEL_WRITE" },
	{ 0x066, "IDTR_READ" },
	{ 0x069, "TR_READ" },
	{ 0x06d, "TR_WRITE" },
	{ 0x06e, "RDTSC" },
	{ 0x06f, "RDPMC" },
	{ 0x070, "PUSHF" },
	{ 0x071, "POPF" },
	{ 0x072, "CPUID" },
	{ 0x073, "RSM" },
	{ 0x074, "IRET" },
	{ 0x075, "SWINT" },
	{ 0x076, "INVD" },
	{ 0x077, "PAUSE" },
	{ 0x078, "HLT" },
	{ 0x079, "INVLPG" },
	{ 0x07a, "INVLPGA" },
	{ 0x07b, "IOIO" },
	{ 0x07c, "MSR" },
	{ 0x07d, "TASK_SWITCH" },
	{ 0x07e, "FERR_FREEZE" },
	{ 0x07f, "SHUTDOWN" },
	{ 0x080, "VMRUN" },
	{ 0x081, "VMMCALL" },
	{ 0x082, "VMLOAD" },
	{ 0x083, "VMSAVE" },
	{ 0x084, "STGI" },
	{ 0x085, "CLGI" },
	{ 0x086, "SKINIT" },
	{ 0x087, "RDTSCP" },
	{ 0x088, "ICEBP" },
	{ 0x089, "WBINVD" },
	{ 0x08a, "MONITOR" },
	{ 0x08b, "MWAIT" },
	{ 0x08c, "MWAIT_COND" },
	{ 0x08d, "XSETBV" },
	{ 0x08e, "RDPRU" },
	{ 0x08f, "EFER_WRITE_TRAP" },
	{ 0x090, "CR0_WRITE_TRAP" },
	{ 0x09f, "CR15_WRITE_TRAP" },
	{ 0x0a0, "INVLPGB" },
	{ 0x0a1, "INVLPGB_ILLEGAL" },
	{ 0x0a2, "INVPCID" },
	{ 0x0a3, "MCOMMIT" },
	{ 0x0a4, "TLBSYNC" },
	{ 0x0a5, "BUS_LOCK" },
	{ 0x0a6, "IDLE_HLT" },
	{ 0x0a7, NULL },
	{ 0x3ff, NULL },
	{ 0x400, "NPF" },
	{ 0x401, "AVIC_INCOMPLETE_IPI" },
	{ 0x402, "AVIC_UNACCELERATED_ACCESS" },
	{ 0x403, "VMGEXIT" },
	{ 0x404, NULL },
	{ 0x80000001, "VMGEXIT_MMIO_READ" },
	{ 0x80000010, "VMGEXIT_PSC" },
	{ 0x8000001a, "VMGEXIT_SAVIC" },
	{ 0x8000ffff, "VMGEXIT_UNSUPPORTED_EVENT" },
	{ 0xf0000000, "SW" },
	{ 0xfffffffc, "INVALID_PMC" },
	{ 0xfffffffd, "IDLE_REQUIRED" },
	{ 0xfffffffe, "BUSY" },
	{ 0xffffffff, "ERR" },
};

static void assert_names(u32 isa, const struct expected *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *name = kt_exit_name(isa, list[i].code);

		if (!list[i].name)
			assert_null(name);
		else if (!name)
			fail_msg("0x%x has no name, not %s", list[i].code, list[i].name);
		else
			assert_string_equal(name, list[i].name);
	}
}

static void test_vmx_names(void **state)
{
	(void)state;
	assert_names(VMX, vmx_expected, KT_ARRAY_SIZE(vmx_expected));
	/* Only the basic reason counts. */
	assert_string_equal(kt_exit_name(VMX, 0x80000021), "INVALID_STATE");
	assert_string_equal(kt_exit_name(VMX, 0x0400000c), "HLT");
	assert_null(kt_exit_name(VMX, 0x400));
}

static void test_svm_names(void **state)
{
	(void)state;
	assert_names(SVM, svm_expected, KT_ARRAY_SIZE(svm_expected));
	/* No flags there: the whole code counts. */
	assert_null(kt_exit_name(SVM, 0x80000072));
}

static void test_other_isa_has_no_names(void **state)
{
	(void)state;
	assert_null(kt_exit_name(0, 10));
	assert_null(kt_exit_name(3, 0x72));
	assert_added(0, 10, "0xa");
	assert_added(77, 0xffffffff, "0xffffffff");
}

static void test_add(void **state)
{
	(void)state;
	assert_added(VMX, 48, "EPT_VIOLATION");
	assert_added(VMX, 0x80000021, "INVALID_STATE|FAILED_VMENTRY");
	assert_added(VMX, 0x80000022, "MSR_LOAD_FAIL|FAILED_VMENTRY");
	assert_added(VMX, 0x04000030, "EPT_VIOLATION|BUS_LOCK");
	assert_added(VMX, 0x08000001, "EXTERNAL_INTERRUPT|ENCLAVE");
	assert_added(VMX, 0x0c000001, "EXTERNAL_INTERRUPT|BUS_LOCK|ENCLAVE");
	assert_added(VMX, 0x10000006, "OTHER_SMI|PENDING_MTF");
	assert_added(VMX, 0x20000006, "OTHER_SMI|VMX_ROOT");
	assert_added(VMX, 0x4001000c, "HLT|0x40010000");
	assert_added(VMX, 0xc000000c, "HLT|FAILED_VMENTRY|0x40000000");
	/* Without a name nothing is split off: 0xdead is what KVM reports for a failed VMLAUNCH. */
	assert_added(VMX, 0xdead, "0xdead");
	assert_added(VMX, 0x80000023, "0x80000023");
	assert_added(SVM, 0x400, "NPF");
	assert_added(SVM, 0xffffffff, "ERR");
	assert_added(SVM, 0x123, "0x123");
}

static void test_halt(void **state)
{
	(void)state;
	assert_true(kt_exit_is_halt(VMX, 12));
	assert_true(kt_exit_is_halt(VMX, 0x0400000c));
	assert_true(kt_exit_is_halt(SVM, 0x78));
	assert_true(kt_exit_is_halt(SVM, 0xa6));
	assert_false(kt_exit_is_halt(VMX, 0x78));
	assert_false(kt_exit_is_halt(SVM, 12));
	assert_false(kt_exit_is_halt(VMX, 40));
	assert_false(kt_exit_is_halt(SVM, 0x77));
	assert_false(kt_exit_is_halt(0, 12));
	assert_false(kt_exit_is_halt(SVM, 0x80000078));
}

static void assert_parsed(const char *name, u32 mask, u32 vmx, u32 svm)
{
	u32 got_vmx = 0x11111111, got_svm = 0x22222222;
	u32 got = kt_exit_parse(name, &got_vmx, &got_svm);

	if (got != mask)
		fail_msg("\"%s\": mask %u, not %u", name, got, mask);
	assert_int_equal(got_vmx, mask & VMX_BIT ? vmx : 0x11111111);
	assert_int_equal(got_svm, mask & SVM_BIT ? svm : 0x22222222);
}

static void test_parse_names(void **state)
{
	(void)state;
	assert_parsed("CPUID", VMX_BIT | SVM_BIT, 10, 0x72);
	assert_parsed("cpuid", VMX_BIT | SVM_BIT, 10, 0x72);
	assert_parsed("HlT", VMX_BIT | SVM_BIT, 12, 0x78);
	assert_parsed("BUS_LOCK", VMX_BIT | SVM_BIT, 74, 0xa5);
	assert_parsed("EPT_VIOLATION", VMX_BIT, 48, 0);
	assert_parsed("io_instruction", VMX_BIT, 30, 0);
	assert_parsed("EXCEPTION_NMI", VMX_BIT, 0, 0);
	assert_parsed("NPF", SVM_BIT, 0, 0x400);
	assert_parsed("IOIO", SVM_BIT, 0, 0x7b);
	assert_parsed("MSR", SVM_BIT, 0, 0x7c);
	assert_parsed("excp_gp", SVM_BIT, 0, 0x4d);
	assert_parsed("EXCP_XM", SVM_BIT, 0, 0x53);
	assert_parsed("ERR", SVM_BIT, 0, 0xffffffff);
}

static void test_parse_kernel_spellings(void **state)
{
	(void)state;
	assert_parsed("npf", SVM_BIT, 0, 0x400);
	assert_parsed("UD excp", SVM_BIT, 0, 0x46);
	assert_parsed("ud EXCP", SVM_BIT, 0, 0x46);
	assert_parsed("XF excp", SVM_BIT, 0, 0x53);
	assert_parsed("read_cr0", SVM_BIT, 0, 0x00);
	assert_parsed("read_rt", SVM_BIT, 0, 0x69);
	assert_parsed("write_rt", SVM_BIT, 0, 0x6d);
	assert_parsed("read_idtr", SVM_BIT, 0, 0x66);
	assert_parsed("interrupt", SVM_BIT, 0, 0x60);
	assert_parsed("io", SVM_BIT, 0, 0x7b);
	assert_parsed("hypercall", SVM_BIT, 0, 0x81);
	assert_parsed("write_efer_trap", SVM_BIT, 0, 0x8f);
	assert_parsed("write_cr4_trap", SVM_BIT, 0, 0x94);
	assert_parsed("buslock", SVM_BIT, 0, 0xa5);
	assert_parsed("idle-halt", SVM_BIT, 0, 0xa6);
	assert_parsed("vmgexit_page_state_change", SVM_BIT, 0, 0x80000010);
	assert_parsed("vmgexit_hypervisor_feature", SVM_BIT, 0, 0x8000fffd);
	assert_parsed("invalid_guest_state", SVM_BIT, 0, 0xffffffff);
}

static void test_parse_numbers(void **state)
{
	(void)state;
	assert_parsed("48", VMX_BIT | SVM_BIT, 48, 48);
	assert_parsed("0", VMX_BIT | SVM_BIT, 0, 0);
	assert_parsed("0x400", VMX_BIT | SVM_BIT, 0x400, 0x400);
	assert_parsed("0x1234", VMX_BIT | SVM_BIT, 0x1234, 0x1234);
	assert_parsed("0x80000021", VMX_BIT | SVM_BIT, 0x21, 0x80000021);
	assert_parsed("4294967295", VMX_BIT | SVM_BIT, 0xffff, 0xffffffff);
	assert_parsed("4294967296", 0, 0, 0);
	assert_parsed("-1", 0, 0, 0);
	assert_parsed("48x", 0, 0, 0);
	assert_parsed("0x", 0, 0, 0);
}

static void test_parse_refuses(void **state)
{
	static char longest[100001];

	(void)state;
	assert_parsed("", 0, 0, 0);
	assert_parsed(" CPUID", 0, 0, 0);
	assert_parsed("CPUID ", 0, 0, 0);
	assert_parsed("CPUI", 0, 0, 0);
	assert_parsed("EXIT_REASON_CPUID", 0, 0, 0);
	assert_parsed("SVM_EXIT_NPF", 0, 0, 0);
	assert_parsed("HLT,CPUID", 0, 0, 0);
	assert_parsed("INVALID_STATE|FAILED_VMENTRY", 0, 0, 0);
	assert_parsed("\xff\xfe\x01", 0, 0, 0);
	memset(longest, 'A', sizeof(longest) - 1);
	assert_parsed(longest, 0, 0, 0);
}

static void test_suggest(void **state)
{
	static char longest[100001];

	(void)state;
	assert_suggests("CPUDI", 3, "<CPUID>");
	assert_suggests("cpu_id", 3, "<CPUID>");
	/* Swapped neighbours are one slip, not two. */
	assert_suggests("HTL", 3, "<HLT>");
	/* Nearest first. */
	assert_suggests("INVLPGAA", 3, "<INVLPGA, INVLPG, INVLPGB>");
	assert_suggests("INVLPGAA", 1, "<INVLPGA>");
	assert_suggests("EPT_VIOLATON", 3, "<EPT_VIOLATION>");
	assert_suggests("ept", 3, "<EPT_VIOLATION, EPT_MISCONFIG>");
	assert_suggests("EXIT_REASON_EPT_VIOLATION", 3, "<EPT_VIOLATION>");
	assert_suggests("SVM_EXIT_NPF", 3, "<NPF>");
	assert_suggests("HLTT", 1, "<HLT>");
	assert_suggests("violation", 2, "<EPT_VIOLATION>");
	assert_suggests("ept", 1, "<EPT_VIOLATION>");
	assert_suggests("ept", 0, "<>");
	assert_suggests("", 3, "<>");
	assert_suggests("KMODE_EXCEPTION_NOT_HANDLED", 3, "<>");
	assert_suggests("zzzzzzzz", 3, "<>");
	assert_suggests("\x1b[2J\xff", 3, "<>");
	memset(longest, 'E', sizeof(longest) - 1);
	assert_suggests(longest, 3, "<>");
	longest[41] = '\0';
	assert_suggests(longest, 3, "<>");
	longest[40] = '\0';
	assert_suggests(longest, 3, "<>");
}

static void test_suggest_many(void **state)
{
	struct kt_str s = { 0 };
	unsigned int commas = 0;

	(void)state;
	kt_exit_suggest(&s, "excp", 0xffffffff);
	for (const char *p = s.data; *p; p++)
		commas += *p == ',';
	assert_in_range(commas, 1, 15);
	kt_str_free(&s);
}

static const char *const user_exits[] = {
	"UNKNOWN",
	"EXCEPTION",
	"IO",
	"HYPERCALL",
	"DEBUG",
	"HLT",
	"MMIO",
	"IRQ_WINDOW_OPEN",
	"SHUTDOWN",
	"FAIL_ENTRY",
	"INTR",
	"SET_TPR",
	"TPR_ACCESS",
	"S390_SIEIC",
	"S390_RESET",
	"DCR",
	"NMI",
	"INTERNAL_ERROR",
	"OSI",
	"PAPR_HCALL",
	"S390_UCONTROL",
	"WATCHDOG",
	"S390_TSCH",
	"EPR",
	"SYSTEM_EVENT",
	"S390_STSI",
	"IOAPIC_EOI",
	"HYPERV",
	"ARM_NISV",
	"X86_RDMSR",
	"X86_WRMSR",
	"DIRTY_RING_FULL",
	"AP_RESET_HOLD",
	"X86_BUS_LOCK",
	"XEN",
	"RISCV_SBI",
	"RISCV_CSR",
	"NOTIFY",
	"LOONGARCH_IOCSR",
	"MEMORY_FAULT",
	"TDX",
	"ARM_SEA",
	"ARM_LDST64B",
	"SNP_REQ_CERTS",
};

static void test_user_exits(void **state)
{
	(void)state;
	for (u32 i = 0; i < 44; i++)
		assert_string_equal(kt_user_exit_name(i), user_exits[i]);
	assert_null(kt_user_exit_name(44));
	assert_null(kt_user_exit_name(0xffffffff));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_isa_names),     cmocka_unit_test(test_vmx_names),
		cmocka_unit_test(test_svm_names),     cmocka_unit_test(test_other_isa_has_no_names),
		cmocka_unit_test(test_add),	      cmocka_unit_test(test_halt),
		cmocka_unit_test(test_parse_names),   cmocka_unit_test(test_parse_kernel_spellings),
		cmocka_unit_test(test_parse_numbers), cmocka_unit_test(test_parse_refuses),
		cmocka_unit_test(test_suggest),	      cmocka_unit_test(test_suggest_many),
		cmocka_unit_test(test_user_exits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
