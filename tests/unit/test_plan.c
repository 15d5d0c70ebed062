/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* user/live/plan.c: every host that is refused, and what is loaded where it is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "../../user/live/plan.h"

static const enum kt_view tracing[] = { KT_VIEW_EXITS, KT_VIEW_EXCEPTIONS, KT_VIEW_FAULTS,
					KT_VIEW_REGIONS };

/* Root on a stock kernel with kvm_amd. */
static struct kt_caps good_host(void)
{
	struct kt_caps caps = {
		.kvm = true,
		.kvm_is_module = true,
		.kvm_device = true,
		.vendor_amd = true,
		.btf_vmlinux = true,
		.btf_kvm = true,
		.btf_vendor = true,
		.cap_bpf = true,
		.cap_perfmon = true,
		.cap_sys_admin = true,
		.init_pid_ns = true,
		.tracefs = 3,
		.layouts = { [KT_LAYOUT_EXIT] = true,
			     [KT_LAYOUT_EMULATE_INSN] = true,
			     [KT_LAYOUT_PAGE_FAULT] = true,
			     [KT_LAYOUT_INJECT] = true },
		.cpus = 4,
	};

	return caps;
}

static bool loads(const struct kt_plan *plan, const char *program)
{
	for (size_t i = 0; i < kt_probe_count; i++)
		if (strcmp(kt_probes[i].program, program) == 0)
			return plan->probes >> i & 1;
	fail_msg("there is no program %s", program);
	return false;
}

static void assert_refused(const struct kt_caps *caps, enum kt_view view, enum kt_status status,
			   const char *words)
{
	struct kt_plan plan;

	assert_int_equal(kt_plan_make(caps, view, &plan), status);
	assert_non_null(plan.refusal.data);
	if (!strstr(plan.refusal.data, words))
		fail_msg("'%s' does not name '%s'", plan.refusal.data, words);
	/* One sentence. */
	assert_null(strchr(plan.refusal.data, '\n'));
	kt_plan_fini(&plan);
}

static void refused_everywhere(const struct kt_caps *caps, enum kt_status status, const char *words)
{
	for (size_t i = 0; i < KT_ARRAY_SIZE(tracing); i++)
		assert_refused(caps, tracing[i], status, words);
}

static void good_hosts(void **state)
{
	struct kt_caps caps = good_host();
	struct kt_plan plan;

	(void)state;
	for (int intel = 0; intel < 2; intel++) {
		caps.vendor_amd = !intel;
		caps.vendor_intel = intel;
		for (enum kt_view view = KT_VIEW_EXITS; view <= KT_VIEW_VCPUS; view++) {
			assert_int_equal(kt_plan_make(&caps, view, &plan), KT_OK);
			assert_int_not_equal(plan.probes, 0);
			assert_int_equal(plan.refusal.len, 0);
			assert_int_equal(plan.warnings.len, 0);
			kt_plan_fini(&plan);
		}
	}
}

static void no_permission(void **state)
{
	struct kt_caps caps = good_host();

	(void)state;
	caps.cap_bpf = false;
	refused_everywhere(&caps, KT_DENIED, "CAP_BPF");
	assert_refused(&caps, KT_VIEW_VCPUS, KT_DENIED, "root");
	caps = good_host();
	caps.cap_perfmon = false;
	refused_everywhere(&caps, KT_DENIED, "CAP_PERFMON");
	/* Said first, whatever else is missing: it may only look like that to who may not look. */
	caps.kvm = caps.kvm_device = caps.btf_kvm = caps.btf_vmlinux = false;
	refused_everywhere(&caps, KT_DENIED, "permission");
}

static struct kt_plan planned(const struct kt_caps *caps, enum kt_view view)
{
	struct kt_plan plan;

	assert_int_equal(kt_plan_make(caps, view, &plan), KT_OK);
	return plan;
}

/* Without the types of KVM's modules: other programs, and a word about it. */
static void assert_raw(const struct kt_caps *caps, enum kt_view view, const char *words)
{
	struct kt_plan plan = planned(caps, view);

	assert_int_equal(plan.mode, KT_MODE_RAW);
	assert_non_null(plan.warnings.data);
	assert_non_null(strstr(plan.warnings.data, words));
	for (size_t i = 0; i < kt_probe_count; i++)
		if (plan.probes >> i & 1)
			assert_int_not_equal(kt_probes[i].kind, KT_PROBE_BTF);
	kt_plan_fini(&plan);
}

static void module_types_want_more(void **state)
{
	struct kt_caps caps = good_host();
	struct kt_plan plan;

	(void)state;
	caps.cap_sys_admin = false;
	for (size_t i = 0; i < KT_ARRAY_SIZE(tracing); i++)
		assert_raw(&caps, tracing[i], "CAP_SYS_ADMIN");
	caps.kvm_is_module = false;
	plan = planned(&caps, KT_VIEW_EXITS);
	assert_int_equal(plan.mode, KT_MODE_BTF);
	assert_int_equal(plan.warnings.len, 0);
	kt_plan_fini(&plan);
}

static void no_module_btf(void **state)
{
	struct kt_caps caps = good_host();
	struct kt_plan plan;

	(void)state;
	caps.btf_kvm = false;
	for (size_t i = 0; i < KT_ARRAY_SIZE(tracing); i++)
		assert_raw(&caps, tracing[i], "no BTF");
	/* Of the vendor module only exit reasons are read. */
	caps.btf_kvm = true;
	caps.btf_vendor = false;
	assert_raw(&caps, KT_VIEW_EXITS, "vendor module");
	plan = planned(&caps, KT_VIEW_EXCEPTIONS);
	assert_int_equal(plan.mode, KT_MODE_BTF);
	kt_plan_fini(&plan);
}

/* One program for each tracepoint, the one that knows its layout. */
static void old_layouts(void **state)
{
	struct kt_caps caps = good_host();
	struct kt_plan plan;

	(void)state;
	caps.btf_kvm = caps.btf_vendor = false;
	plan = planned(&caps, KT_VIEW_FAULTS);
	assert_true(loads(&plan, "kt_fault_r"));
	assert_false(loads(&plan, "kt_fault_old"));
	kt_plan_fini(&plan);
	caps.layouts[KT_LAYOUT_PAGE_FAULT] = caps.layouts[KT_LAYOUT_INJECT] = false;
	caps.layouts[KT_LAYOUT_PAGE_FAULT_OLD] = caps.layouts[KT_LAYOUT_INJECT_OLD] = true;
	plan = planned(&caps, KT_VIEW_FAULTS);
	assert_false(loads(&plan, "kt_fault_r"));
	assert_true(loads(&plan, "kt_fault_old"));
	kt_plan_fini(&plan);
	plan = planned(&caps, KT_VIEW_EXCEPTIONS);
	assert_false(loads(&plan, "kt_inject_r"));
	assert_true(loads(&plan, "kt_inject_r3"));
	kt_plan_fini(&plan);
	caps.layouts[KT_LAYOUT_PAGE_FAULT_OLD] = caps.layouts[KT_LAYOUT_INJECT_OLD] = false;
	assert_refused(&caps, KT_VIEW_FAULTS, KT_UNSUPPORTED, "kvm_page_fault");
	assert_refused(&caps, KT_VIEW_EXCEPTIONS, KT_UNSUPPORTED, "kvm_inj_exception");
}

static void no_kvm(void **state)
{
	struct kt_caps caps = good_host();

	(void)state;
	assert_false(kt_caps_lack_kvm(&caps));
	caps.kvm_device = caps.vendor_amd = false;
	refused_everywhere(&caps, KT_UNSUPPORTED, "/dev/kvm");
	assert_true(kt_caps_lack_kvm(&caps));
	caps.kvm = false;
	refused_everywhere(&caps, KT_UNSUPPORTED, "modprobe");
	refused_everywhere(&caps, KT_UNSUPPORTED, "--wait");
	assert_true(kt_caps_lack_kvm(&caps));
}

static void no_btf(void **state)
{
	struct kt_caps caps = good_host();

	(void)state;
	caps.btf_vmlinux = caps.btf_kvm = caps.btf_vendor = false;
	refused_everywhere(&caps, KT_UNSUPPORTED, "CONFIG_DEBUG_INFO_BTF=y");
}

static void locked_down(void **state)
{
	struct kt_caps caps = good_host();

	(void)state;
	caps.lockdown_confidentiality = true;
	refused_everywhere(&caps, KT_UNSUPPORTED, "lockdown=integrity");
}

static void foreign_pid_namespace(void **state)
{
	struct kt_caps caps = good_host();

	(void)state;
	caps.init_pid_ns = false;
	refused_everywhere(&caps, KT_UNSUPPORTED, "--pid=host");
}

/* A KVM that never raises kvm_exit has exceptions all the same. */
static void other_vendor(void **state)
{
	struct kt_caps caps = good_host();
	struct kt_plan plan;

	(void)state;
	caps.vendor_amd = false;
	strcpy(caps.vendor_other, "kvm_pvm");
	assert_refused(&caps, KT_VIEW_EXITS, KT_UNSUPPORTED, "kvm_pvm");
	assert_refused(&caps, KT_VIEW_FAULTS, KT_UNSUPPORTED, "never raises kvm_exit");
	assert_refused(&caps, KT_VIEW_REGIONS, KT_UNSUPPORTED, "kvmtrace exceptions");
	assert_int_equal(kt_plan_make(&caps, KT_VIEW_EXCEPTIONS, &plan), KT_OK);
	assert_true(loads(&plan, "kt_inject"));
	assert_non_null(strstr(plan.warnings.data, "kvm_pvm"));
	kt_plan_fini(&plan);
	assert_int_equal(kt_plan_make(&caps, KT_VIEW_VCPUS, &plan), KT_OK);
	kt_plan_fini(&plan);
	/* Beside a vendor that does, another does not matter. */
	caps.vendor_intel = true;
	assert_int_equal(kt_plan_make(&caps, KT_VIEW_EXITS, &plan), KT_OK);
	kt_plan_fini(&plan);
}

/* Exceptions do without classic tracepoints, and say so; fault records cannot. */
static void without_layouts(void **state)
{
	struct kt_caps caps = good_host();
	struct kt_plan plan;

	(void)state;
	memset(caps.layouts, 0, sizeof(caps.layouts));
	assert_refused(&caps, KT_VIEW_FAULTS, KT_UNSUPPORTED, "kvm_page_fault");
	assert_int_equal(kt_plan_make(&caps, KT_VIEW_EXCEPTIONS, &plan), KT_OK);
	assert_false(loads(&plan, "kt_exit_note"));
	assert_false(loads(&plan, "kt_emulate"));
	assert_true(loads(&plan, "kt_inject"));
	assert_true(loads(&plan, "kt_msr"));
	assert_non_null(strstr(plan.warnings.data, "kvm_exit"));
	assert_non_null(strstr(plan.warnings.data, "kvm_emulate_insn"));
	kt_plan_fini(&plan);
	assert_int_equal(kt_plan_make(&caps, KT_VIEW_EXITS, &plan), KT_OK);
	assert_int_equal(plan.warnings.len, 0);
	kt_plan_fini(&plan);
}

static void without_tracefs(void **state)
{
	struct kt_caps caps = good_host();
	struct kt_plan plan;

	(void)state;
	memset(caps.layouts, 0, sizeof(caps.layouts));
	caps.tracefs = -ENOENT;
	assert_refused(&caps, KT_VIEW_FAULTS, KT_UNSUPPORTED, "mount -t tracefs");
	caps.tracefs = -EACCES;
	assert_refused(&caps, KT_VIEW_FAULTS, KT_DENIED, "permission");
	assert_int_equal(kt_plan_make(&caps, KT_VIEW_EXCEPTIONS, &plan), KT_OK);
	assert_non_null(strstr(plan.warnings.data, "trace file system"));
	kt_plan_fini(&plan);
}

/* What each view needs, and nothing that costs others. */
static void programs(void **state)
{
	static const struct {
		enum kt_view view;
		const char *program;
		bool loaded;
	} rows[] = {
		{ KT_VIEW_EXITS, "kt_exit_begin", true },
		{ KT_VIEW_EXITS, "kt_exit_end", true },
		{ KT_VIEW_EXITS, "kt_inject", false },
		{ KT_VIEW_EXITS, "kt_exit_note", false },
		{ KT_VIEW_EXITS, "kt_fault", false },
		{ KT_VIEW_EXCEPTIONS, "kt_exit_note", true },
		{ KT_VIEW_EXCEPTIONS, "kt_msr", true },
		{ KT_VIEW_EXCEPTIONS, "kt_cr", true },
		{ KT_VIEW_EXCEPTIONS, "kt_emulate", true },
		{ KT_VIEW_EXCEPTIONS, "kt_async_pf", true },
		{ KT_VIEW_EXCEPTIONS, "kt_inject", true },
		{ KT_VIEW_EXCEPTIONS, "kt_exit_begin", false },
		{ KT_VIEW_EXCEPTIONS, "kt_fault", false },
		{ KT_VIEW_FAULTS, "kt_fault", true },
		{ KT_VIEW_FAULTS, "kt_fault_region", false },
		{ KT_VIEW_FAULTS, "kt_inject", false },
		{ KT_VIEW_REGIONS, "kt_fault_region", true },
		{ KT_VIEW_REGIONS, "kt_fault", false },
		{ KT_VIEW_VCPUS, "kt_list_vcpus", true },
		{ KT_VIEW_VCPUS, "kt_exit_begin", false },
		{ KT_VIEW_VCPUS, "kt_inject", false },
	};
	struct kt_caps caps = good_host();
	struct kt_plan plan;

	(void)state;
	for (size_t i = 0; i < KT_ARRAY_SIZE(rows); i++) {
		assert_int_equal(kt_plan_make(&caps, rows[i].view, &plan), KT_OK);
		if (loads(&plan, rows[i].program) != rows[i].loaded)
			fail_msg("view %d: %s", rows[i].view, rows[i].program);
		kt_plan_fini(&plan);
	}
}

static void maps(void **state)
{
	struct kt_caps caps = good_host();
	struct kt_plan plan;

	(void)state;
	kt_plan_make(&caps, KT_VIEW_EXITS, &plan);
	assert_true(plan.uses_slots && plan.uses_cells);
	assert_false(plan.uses_rings || plan.uses_regions || plan.uses_pending);
	kt_plan_fini(&plan);
	kt_plan_make(&caps, KT_VIEW_EXCEPTIONS, &plan);
	assert_true(plan.uses_slots && plan.uses_rings && plan.uses_last_exits);
	assert_false(plan.uses_cells || plan.uses_regions || plan.uses_pending);
	kt_plan_fini(&plan);
	kt_plan_make(&caps, KT_VIEW_REGIONS, &plan);
	assert_true(plan.uses_regions && plan.uses_pending);
	assert_false(plan.uses_rings || plan.uses_cells);
	kt_plan_fini(&plan);
	kt_plan_make(&caps, KT_VIEW_VCPUS, &plan);
	assert_false(plan.uses_slots || plan.uses_rings || plan.uses_cells || plan.uses_regions);
	kt_plan_fini(&plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_hosts),
		cmocka_unit_test(no_permission),
		cmocka_unit_test(module_types_want_more),
		cmocka_unit_test(no_module_btf),
		cmocka_unit_test(old_layouts),
		cmocka_unit_test(no_kvm),
		cmocka_unit_test(no_btf),
		cmocka_unit_test(locked_down),
		cmocka_unit_test(foreign_pid_namespace),
		cmocka_unit_test(other_vendor),
		cmocka_unit_test(without_layouts),
		cmocka_unit_test(without_tracefs),
		cmocka_unit_test(programs),
		cmocka_unit_test(maps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
