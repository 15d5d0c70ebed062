/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * MSR names: SDM volume 4 table 2-2, APM volume 2 appendix A, Linux 7.2 kvm_para.h, hvgdk_mini.h.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>
#include "../../user/decode/decode.h"

struct expected {
	u32 index;
	const char *name;
};

static void assert_all(const struct expected *list, size_t count)
{
	struct kt_str s = { 0 };

	for (size_t i = 0; i < count; i++) {
		kt_str_reset(&s);
		kt_str_add(&s, "=");
		if (kt_msr_add(&s, list[i].index) != (list[i].name != NULL))
			fail_msg("0x%x: %s", list[i].index, list[i].name ? "unknown" : s.data);
		assert_string_equal(s.data + 1, list[i].name ? list[i].name : "");
	}
	kt_str_free(&s);
}

static void test_intel(void **state)
{
	static const struct expected list[] = {
		{ 0x0, "IA32_P5_MC_ADDR" },
		{ 0x10, "IA32_TIME_STAMP_COUNTER" },
		{ 0x1b, "IA32_APIC_BASE" },
		{ 0x35, "MSR_CORE_THREAD_COUNT" },
		{ 0x3a, "IA32_FEATURE_CONTROL" },
		{ 0x3b, "IA32_TSC_ADJUST" },
		{ 0x48, "IA32_SPEC_CTRL" },
		{ 0x49, "IA32_PRED_CMD" },
		{ 0x79, "IA32_BIOS_UPDT_TRIG" },
		{ 0x8b, "IA32_BIOS_SIGN_ID" },
		{ 0xce, "MSR_PLATFORM_INFO" },
		{ 0xe7, "IA32_MPERF" },
		{ 0xfe, "IA32_MTRRCAP" },
		{ 0x10a, "IA32_ARCH_CAPABILITIES" },
		{ 0x122, "IA32_TSX_CTRL" },
		{ 0x174, "IA32_SYSENTER_CS" },
		{ 0x179, "IA32_MCG_CAP" },
		{ 0x198, "IA32_PERF_STATUS" },
		{ 0x199, "IA32_PERF_CTL" },
		{ 0x1a0, "IA32_MISC_ENABLE" },
		{ 0x1d9, "IA32_DEBUGCTL" },
		{ 0x250, "IA32_MTRR_FIX64K_00000" },
		{ 0x26f, "IA32_MTRR_FIX4K_F8000" },
		{ 0x277, "IA32_PAT" },
		{ 0x2ff, "IA32_MTRR_DEF_TYPE" },
		{ 0x345, "IA32_PERF_CAPABILITIES" },
		{ 0x38f, "IA32_PERF_GLOBAL_CTRL" },
		{ 0x480, "IA32_VMX_BASIC" },
		{ 0x491, "IA32_VMX_VMFUNC" },
		{ 0x570, "IA32_RTIT_CTL" },
		{ 0x606, "MSR_RAPL_POWER_UNIT" },
		{ 0x611, "MSR_PKG_ENERGY_STATUS" },
		{ 0x6a0, "IA32_U_CET" },
		{ 0x6e0, "IA32_TSC_DEADLINE" },
		{ 0xd90, "IA32_BNDCFGS" },
		{ 0xda0, "IA32_XSS" },
		{ 0xc0000080, "IA32_EFER" },
		{ 0xc0000081, "IA32_STAR" },
		{ 0xc0000082, "IA32_LSTAR" },
		{ 0xc0000084, "IA32_FMASK" },
		{ 0xc0000100, "IA32_FS_BASE" },
		{ 0xc0000102, "IA32_KERNEL_GS_BASE" },
		{ 0xc0000103, "IA32_TSC_AUX" },
	};

	(void)state;
	assert_all(list, KT_ARRAY_SIZE(list));
}

static void test_intel_rows(void **state)
{
	static const struct expected list[] = {
		{ 0x40, "MSR_LASTBRANCH_0_FROM_IP" },
		{ 0x67, "MSR_LASTBRANCH_7_TO_IP" },
		{ 0x8c, "IA32_SGXLEPUBKEYHASH0" },
		{ 0xc1, "IA32_PMC0" },
		{ 0xc8, "IA32_PMC7" },
		{ 0x186, "IA32_PERFEVTSEL0" },
		{ 0x189, "IA32_PERFEVTSEL3" },
		{ 0x200, "IA32_MTRR_PHYSBASE0" },
		{ 0x201, "IA32_MTRR_PHYSMASK0" },
		{ 0x20e, "IA32_MTRR_PHYSBASE7" },
		{ 0x213, "IA32_MTRR_PHYSMASK9" },
		{ 0x280, "IA32_MC0_CTL2" },
		{ 0x29f, "IA32_MC31_CTL2" },
		{ 0x309, "IA32_FIXED_CTR0" },
		{ 0x400, "IA32_MC0_CTL" },
		{ 0x40d, "IA32_MC3_STATUS" },
		{ 0x412, "IA32_MC4_ADDR" },
		{ 0x47f, "IA32_MC31_MISC" },
		{ 0x4c1, "IA32_A_PMC0" },
		{ 0x581, "IA32_RTIT_ADDR0_B" },
		{ 0x680, "MSR_LASTBRANCH_0_FROM_IP" },
		{ 0x6df, "MSR_LASTBRANCH_31_TO_IP" },
		{ 0xc90, "IA32_L3_MASK_0" },
		{ 0xca0, "MSR_RMID_SNC_CONFIG" },
		{ 0xd10, "IA32_L2_MASK_0" },
		{ 0xdc0, "MSR_LBR_INFO_0" },
		{ 0x121f, "IA32_LBR_31_INFO" },
		{ 0x1500, "IA32_LBR_0_FROM_IP" },
		{ 0x1905, "IA32_PMC_GP1_CFG_A" },
		{ 0x1987, "IA32_PMC_FX1_CFG_C" },
	};

	(void)state;
	assert_all(list, KT_ARRAY_SIZE(list));
}

static void test_x2apic(void **state)
{
	static const struct expected list[] = {
		{ 0x802, "X2APIC_APICID" },
		{ 0x803, "X2APIC_VERSION" },
		{ 0x808, "X2APIC_TPR" },
		{ 0x80a, "X2APIC_PPR" },
		{ 0x80b, "X2APIC_EOI" },
		{ 0x80d, "X2APIC_LDR" },
		{ 0x80f, "X2APIC_SIVR" },
		{ 0x810, "X2APIC_ISR0" },
		{ 0x817, "X2APIC_ISR7" },
		{ 0x818, "X2APIC_TMR0" },
		{ 0x820, "X2APIC_IRR0" },
		{ 0x827, "X2APIC_IRR7" },
		{ 0x828, "X2APIC_ESR" },
		{ 0x82f, "X2APIC_LVT_CMCI" },
		{ 0x830, "X2APIC_ICR" },
		{ 0x832, "X2APIC_LVT_TIMER" },
		{ 0x835, "X2APIC_LVT_LINT0" },
		{ 0x837, "X2APIC_LVT_ERROR" },
		{ 0x838, "X2APIC_INIT_COUNT" },
		{ 0x839, "X2APIC_CUR_COUNT" },
		{ 0x83e, "X2APIC_DIV_CONF" },
		{ 0x83f, "X2APIC_SELF_IPI" },
		{ 0x800, NULL },
		{ 0x829, NULL },
	};

	(void)state;
	assert_all(list, KT_ARRAY_SIZE(list));
}

static void test_amd(void **state)
{
	static const struct expected list[] = {
		{ 0xc0000104, "TSC_RATIO" },
		{ 0xc0000300, "PERF_CNTR_GLOBAL_STATUS" },
		{ 0xc0000408, "MC4_MISC1" },
		{ 0xc0002000, "SMCA_MC0_CTL" },
		{ 0xc0002011, "SMCA_MC1_STATUS" },
		{ 0xc0002006, "SMCA_MC0_SYND" },
		{ 0xc0002028, "SMCA_MC2_DESTAT" },
		{ 0xc00023ff, "SMCA_MC63_SYND2" },
		{ 0xc0002007, NULL },
		{ 0xc0010000, "PERFEVTSEL0" },
		{ 0xc0010007, "PERFCTR3" },
		{ 0xc0010010, "SYSCFG" },
		{ 0xc0010015, "HWCR" },
		{ 0xc0010016, "IORR_BASE0" },
		{ 0xc0010019, "IORR_MASK1" },
		{ 0xc001001a, "TOP_MEM" },
		{ 0xc001001d, "TOP_MEM2" },
		{ 0xc0010044, "MC0_CTL_MASK" },
		{ 0xc0010064, "PSTATE_DEF0" },
		{ 0xc001006b, "PSTATE_DEF7" },
		{ 0xc0010111, "SMM_BASE" },
		{ 0xc0010114, "VM_CR" },
		{ 0xc0010117, "VM_HSAVE_PA" },
		{ 0xc001011f, "VIRT_SPEC_CTRL" },
		{ 0xc0010130, "GHCB" },
		{ 0xc0010131, "SEV_STATUS" },
		{ 0xc0010200, "PERF_CTL0" },
		{ 0xc001020b, "PERF_CTR5" },
		{ 0xc0010241, "NB_PERF_CTR0" },
		{ 0xc0010299, "RAPL_PWR_UNIT" },
		{ 0xc0010402, "SMCA_MC2_CTL_MASK" },
		{ 0xc0011020, "LS_CFG" },
		{ 0xc0011029, "DE_CFG" },
		{ 0xc0011033, "IBS_OP_CTL" },
	};

	(void)state;
	assert_all(list, KT_ARRAY_SIZE(list));
}

static void test_paravirtual(void **state)
{
	static const struct expected list[] = {
		{ 0x11, "MSR_KVM_WALL_CLOCK" },
		{ 0x12, "MSR_KVM_SYSTEM_TIME" },
		{ 0x4b564d00, "MSR_KVM_WALL_CLOCK_NEW" },
		{ 0x4b564d01, "MSR_KVM_SYSTEM_TIME_NEW" },
		{ 0x4b564d02, "MSR_KVM_ASYNC_PF_EN" },
		{ 0x4b564d03, "MSR_KVM_STEAL_TIME" },
		{ 0x4b564d04, "MSR_KVM_PV_EOI_EN" },
		{ 0x4b564d05, "MSR_KVM_POLL_CONTROL" },
		{ 0x4b564d06, "MSR_KVM_ASYNC_PF_INT" },
		{ 0x4b564d07, "MSR_KVM_ASYNC_PF_ACK" },
		{ 0x4b564d08, "MSR_KVM_MIGRATION_CONTROL" },
		{ 0x4b564d09, NULL },
		{ 0x40000000, "HV_X64_MSR_GUEST_OS_ID" },
		{ 0x40000001, "HV_X64_MSR_HYPERCALL" },
		{ 0x40000020, "HV_X64_MSR_TIME_REF_COUNT" },
		{ 0x40000021, "HV_X64_MSR_REFERENCE_TSC" },
		{ 0x40000070, "HV_X64_MSR_EOI" },
		{ 0x40000073, "HV_X64_MSR_VP_ASSIST_PAGE" },
		{ 0x40000090, "HV_X64_MSR_SINT0" },
		{ 0x4000009f, "HV_X64_MSR_SINT15" },
		{ 0x400000b0, "HV_X64_MSR_STIMER0_CONFIG" },
		{ 0x400000b7, "HV_X64_MSR_STIMER3_COUNT" },
		{ 0x40000100, "HV_X64_MSR_CRASH_P0" },
		{ 0x40000104, "HV_X64_MSR_CRASH_P4" },
		{ 0x40000105, "HV_X64_MSR_CRASH_CTL" },
	};

	(void)state;
	assert_all(list, KT_ARRAY_SIZE(list));
}

static void test_unknown(void **state)
{
	static const struct expected list[] = {
		{ 0x2, NULL },	      { 0x214, NULL },	    { 0x1981, NULL },
		{ 0xdead, NULL },     { 0x7fffffff, NULL }, { 0xc0002400, NULL },
		{ 0xc0010880, NULL }, { 0xffffffff, NULL }, { 0x4b564cff, NULL },
	};

	(void)state;
	assert_all(list, KT_ARRAY_SIZE(list));
}

/* The lookup halves the rows: they must ascend, and each must name as many as a group has. */
static void test_rows_ascend(void **state)
{
	static const struct {
		u32 first, groups, step;
		const char *names[16];
	} rows[] = {
#define X(first, groups, step, ...) { first, groups, step, { __VA_ARGS__ } },
#include "../../user/decode/tables/msr_range.def"
#undef X
	};
	u64 next = 0;

	(void)state;
	for (size_t i = 0; i < KT_ARRAY_SIZE(rows); i++) {
		assert_in_range(rows[i].step, 1, 16);
		assert_true(rows[i].groups > 0);
		for (u32 n = 0; n < 16; n++)
			assert_int_equal(rows[i].names[n] != NULL, n < rows[i].step);
		assert_true(rows[i].first >= next);
		next = (u64)rows[i].first + (u64)rows[i].groups * rows[i].step;
		assert_true(next <= 0x100000000);
	}
}

static void test_known_ones_are_well_formed(void **state)
{
	static const u32 starts[] = { 0, 0x40000000, 0x4b564d00, 0xc0000000, 0xc0010000 };
	struct kt_str s = { 0 };
	unsigned int known = 0;

	(void)state;
	for (size_t i = 0; i < KT_ARRAY_SIZE(starts); i++) {
		for (u32 n = 0; n < 0x3000; n++) {
			kt_str_reset(&s);
			if (!kt_msr_add(&s, starts[i] + n))
				continue;
			known++;
			assert_in_range(s.len, 3, 40);
			assert_int_equal(strspn(s.data, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789"),
					 s.len);
		}
	}
	assert_true(known > 1000);
	kt_str_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_intel),
		cmocka_unit_test(test_intel_rows),
		cmocka_unit_test(test_x2apic),
		cmocka_unit_test(test_amd),
		cmocka_unit_test(test_paravirtual),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_rows_ascend),
		cmocka_unit_test(test_known_ones_are_well_formed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
