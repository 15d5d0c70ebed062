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

#define EXIT_RECORD                                                                                \
	"exit_reason:8:4 guest_rip:16:8 isa:24:4 info1:32:8 info2:40:8 intr_info:48:4 "            \
	"error_code:52:4 vcpu_id:56:4 requests:64:8"
#define EMULATE_RECORD "rip:8:8 csbase:16:4 len:20:1 insn:21:15 flags:36:1 failed:37:1"

static void set_tracepoint(struct kt_facts *facts, enum kt_tracepoint tp, const char *proto,
			   const char *record)
{
	strcpy(facts->tracepoints[tp].proto, proto);
	strcpy(facts->tracepoints[tp].record, record);
}

/* Root on a stock 6.12 with kvm_amd. */
static struct kt_facts good_host(void)
{
	struct kt_facts facts = {
		.kvm = KT_KVM_MODULE,
		.kvm_device = KT_YES,
		.vendor = "kvm_amd",
		.btf_vmlinux = KT_BTF_OK,
		.btf_kvm = KT_BTF_OK,
		.btf_vendor = KT_BTF_OK,
		.cap_bpf = KT_YES,
		.cap_perfmon = KT_YES,
		.cap_sys_admin = KT_YES,
		.perf_paranoid = "3",
		.lockdown = KT_LOCKDOWN_NONE,
		.init_pid_ns = KT_YES,
		.tracefs = KT_TRACEFS_OK,
		.map_ringbuf = KT_CAN,
		.map_queue = KT_CAN,
		.prog_tracing = KT_CAN,
		.members = { [KT_M_vcpu_svm__vmcb] = 8, [KT_M_vmcb_control_area__exit_code] = 4 },
		.cpus = 4,
	};

	set_tracepoint(&facts, KT_TP_kvm_exit, "v4", EXIT_RECORD);
	set_tracepoint(&facts, KT_TP_kvm_entry, "vb", "vcpu_id:8:4 rip:16:8 immediate_exit:24:1");
	set_tracepoint(&facts, KT_TP_kvm_inj_exception, "4b4b",
		       "exception:8:1 has_error:9:1 error_code:12:4 reinjected:16:1");
	set_tracepoint(&facts, KT_TP_kvm_page_fault, "v88",
		       "vcpu_id:8:4 guest_rip:16:8 fault_address:24:8 error_code:32:8");
	set_tracepoint(&facts, KT_TP_kvm_msr, "448b",
		       "write:8:4 ecx:12:4 data:16:8 exception:24:1");
	set_tracepoint(&facts, KT_TP_kvm_cr, "448", "rw:8:4 cr:12:4 val:16:8");
	set_tracepoint(&facts, KT_TP_kvm_emulate_insn, "vb", EMULATE_RECORD);
	set_tracepoint(&facts, KT_TP_kvm_async_pf_not_present, "88", "token:8:8 gva:16:8");
	return facts;
}

/* Without the types of any module: the tracepoints' arguments aren't known either. */
static struct kt_facts without_module_types(void)
{
	struct kt_facts facts = good_host();

	facts.btf_kvm = facts.btf_vendor = KT_BTF_ABSENT;
	memset(facts.members, 0, sizeof(facts.members));
	for (u32 i = 0; i < KT_TRACEPOINT_COUNT; i++)
		facts.tracepoints[i].proto[0] = '\0';
	return facts;
}

static bool loads(const struct kt_plan *plan, const char *program)
{
	int index = kt_program_find(program);

	if (index < 0)
		fail_msg("there is no program %s", program);
	return plan->programs >> index & 1;
}

static enum kt_status make(const struct kt_facts *facts, enum kt_view view, struct kt_plan *plan)
{
	struct kt_request request = { .view = view, .events = KT_ALL_EVENTS };

	return kt_plan_make(facts, &request, plan);
}

static void assert_refused(const struct kt_facts *facts, enum kt_view view, enum kt_status status,
			   const char *words)
{
	struct kt_plan plan;

	assert_int_equal(make(facts, view, &plan), status);
	assert_non_null(plan.refusal.data);
	if (!strstr(plan.refusal.data, words))
		fail_msg("'%s' does not name '%s'", plan.refusal.data, words);
	/* One sentence. */
	assert_null(strchr(plan.refusal.data, '\n'));
	kt_plan_fini(&plan);
}

static void refused_everywhere(const struct kt_facts *facts, enum kt_status status,
			       const char *words)
{
	for (size_t i = 0; i < KT_ARRAY_SIZE(tracing); i++)
		assert_refused(facts, tracing[i], status, words);
}

static void become_intel(struct kt_facts *facts)
{
	strcpy(facts->vendor, "kvm_intel");
	memset(facts->members, 0, sizeof(facts->members));
	facts->members[KT_M_vcpu_vmx__exit_reason] = 4;
}

static void good_hosts(void **state)
{
	struct kt_facts facts = good_host();
	struct kt_plan plan;

	(void)state;
	for (int vendor = 0; vendor < 3; vendor++) {
		for (enum kt_view view = KT_VIEW_EXITS; view < KT_VIEW_COUNT; view++) {
			assert_int_equal(make(&facts, view, &plan), KT_OK);
			assert_int_not_equal(plan.programs, 0);
			assert_int_equal(plan.refusal.len, 0);
			assert_int_equal(plan.warnings.len, 0);
			assert_false(plan.preallocates);
			kt_plan_fini(&plan);
		}
		become_intel(&facts);
		if (vendor == 1) { /* 6.16 and later */
			facts.members[KT_M_vcpu_vmx__exit_reason] = 0;
			facts.members[KT_M_vcpu_vmx__vt] = 64;
			facts.members[KT_M_vcpu_vt__exit_reason] = 4;
		}
	}
}

static void no_permission(void **state)
{
	struct kt_facts facts = good_host();

	(void)state;
	facts.cap_bpf = KT_NO;
	refused_everywhere(&facts, KT_DENIED, "CAP_BPF");
	assert_refused(&facts, KT_VIEW_VCPUS, KT_DENIED, "root");
	facts = good_host();
	facts.cap_perfmon = KT_NO;
	refused_everywhere(&facts, KT_DENIED, "CAP_PERFMON");
	/* Said first, whatever else is missing: it may only look like that to who may not look. */
	facts.kvm = KT_KVM_ABSENT;
	facts.btf_vmlinux = KT_BTF_ABSENT;
	refused_everywhere(&facts, KT_DENIED, "permission");
}

static struct kt_plan planned(const struct kt_facts *facts, enum kt_view view)
{
	struct kt_plan plan;

	if (make(facts, view, &plan) != KT_OK)
		fail_msg("view %d: %s", view, plan.refusal.data);
	return plan;
}

/* The way of the only part that each of these views has. */
static const char *way_of(const struct kt_plan *plan, enum kt_part part)
{
	int way = kt_plan_way(plan, part);

	return way < 0 ? "none" : kt_ways[way].name;
}

/* Without the types of KVM's modules: other programs, and a word about it. */
static void assert_raw(const struct kt_facts *facts, enum kt_view view, const char *words)
{
	struct kt_plan plan = planned(facts, view);

	assert_non_null(plan.warnings.data);
	if (!strstr(plan.warnings.data, words))
		fail_msg("'%s' does not name '%s'", plan.warnings.data, words);
	for (u32 i = 0; i < kt_program_count; i++)
		if (plan.programs >> i & 1)
			assert_int_not_equal(kt_programs[i].kind, KT_ON_BTF);
	/* These views fill hash tables. */
	assert_int_equal(plan.preallocates, view == KT_VIEW_EXITS || view == KT_VIEW_REGIONS);
	kt_plan_fini(&plan);
}

static void module_types_want_more(void **state)
{
	struct kt_facts facts = good_host();
	struct kt_plan plan;

	(void)state;
	facts.cap_sys_admin = KT_NO;
	strcpy(facts.perf_paranoid, "2");
	for (size_t i = 0; i < KT_ARRAY_SIZE(tracing); i++)
		assert_raw(&facts, tracing[i], "CAP_SYS_ADMIN");
	/* Debian's own level keeps the others from perf, and so from classic tracepoints. */
	strcpy(facts.perf_paranoid, "3");
	assert_refused(&facts, KT_VIEW_EXITS, KT_DENIED, "perf_event_paranoid");
	facts.kvm = KT_KVM_BUILTIN;
	plan = planned(&facts, KT_VIEW_EXITS);
	assert_string_equal(way_of(&plan, KT_PART_EXITS), "btf");
	assert_int_equal(plan.warnings.len, 0);
	kt_plan_fini(&plan);
}

static void no_module_btf(void **state)
{
	struct kt_facts facts = without_module_types();
	struct kt_plan plan;

	(void)state;
	for (size_t i = 0; i < KT_ARRAY_SIZE(tracing); i++)
		assert_raw(&facts, tracing[i], "no BTF");
	/* Of the vendor module only exit reasons are read. */
	facts = good_host();
	facts.btf_vendor = KT_BTF_ABSENT;
	memset(facts.members, 0, sizeof(facts.members));
	assert_raw(&facts, KT_VIEW_EXITS, "vendor module");
	plan = planned(&facts, KT_VIEW_EXCEPTIONS);
	assert_string_equal(way_of(&plan, KT_PART_EXCEPTIONS), "btf");
	kt_plan_fini(&plan);
	facts = good_host();
	strcpy(facts.btf_broken, "nvidia");
	for (size_t i = 0; i < KT_ARRAY_SIZE(tracing); i++)
		assert_raw(&facts, tracing[i], "nvidia");
	facts = good_host();
	facts.btf_kvm = KT_BTF_BROKEN;
	assert_raw(&facts, KT_VIEW_EXITS, "does not parse");
}

/* What no BTF tells, the record does: which arguments a raw tracepoint has. */
static void old_layouts(void **state)
{
	struct kt_facts facts = without_module_types();
	struct kt_plan plan;

	(void)state;
	plan = planned(&facts, KT_VIEW_FAULTS);
	assert_string_equal(way_of(&plan, KT_PART_FAULTS), "raw");
	kt_plan_fini(&plan);
	set_tracepoint(&facts, KT_TP_kvm_page_fault, "", "fault_address:8:8 error_code:16:4");
	set_tracepoint(&facts, KT_TP_kvm_inj_exception, "",
		       "exception:8:1 has_error:9:1 error_code:12:4");
	plan = planned(&facts, KT_VIEW_FAULTS);
	assert_string_equal(way_of(&plan, KT_PART_FAULTS), "raw-old");
	assert_true(loads(&plan, "kt_fault_old"));
	assert_false(loads(&plan, "kt_fault_r"));
	kt_plan_fini(&plan);
	plan = planned(&facts, KT_VIEW_EXCEPTIONS);
	assert_string_equal(way_of(&plan, KT_PART_EXCEPTIONS), "raw-3arg");
	kt_plan_fini(&plan);
	set_tracepoint(&facts, KT_TP_kvm_page_fault, "", "fault_address:16:8 error_code:24:4");
	set_tracepoint(&facts, KT_TP_kvm_inj_exception, "", "-");
	assert_refused(&facts, KT_VIEW_FAULTS, KT_UNSUPPORTED, "kvm_page_fault");
	assert_refused(&facts, KT_VIEW_EXCEPTIONS, KT_UNSUPPORTED, "kvm_inj_exception");
}

/* With types, but of before 5.16: the exit reason is an argument. */
static void three_arguments(void **state)
{
	struct kt_facts facts = good_host();
	struct kt_plan plan;

	(void)state;
	strcpy(facts.tracepoints[KT_TP_kvm_exit].proto, "4v4");
	plan = planned(&facts, KT_VIEW_EXITS);
	assert_string_equal(way_of(&plan, KT_PART_EXITS), "raw-3arg");
	assert_non_null(strstr(plan.warnings.data, "other arguments"));
	kt_plan_fini(&plan);
	plan = planned(&facts, KT_VIEW_FAULTS);
	assert_string_equal(way_of(&plan, KT_PART_FAULTS), "raw");
	kt_plan_fini(&plan);
	strcpy(facts.tracepoints[KT_TP_kvm_inj_exception].proto, "4b4");
	plan = planned(&facts, KT_VIEW_EXCEPTIONS);
	assert_string_equal(way_of(&plan, KT_PART_EXCEPTIONS), "raw-3arg");
	kt_plan_fini(&plan);
	/* A prototype that nobody has seen yet; the record is as ever. */
	strcpy(facts.tracepoints[KT_TP_kvm_exit].proto, "p4");
	plan = planned(&facts, KT_VIEW_EXITS);
	assert_string_equal(way_of(&plan, KT_PART_EXITS), "raw");
	kt_plan_fini(&plan);
	strcpy(facts.tracepoints[KT_TP_kvm_entry].proto, "p");
	assert_refused(&facts, KT_VIEW_EXITS, KT_UNSUPPORTED, "kvm:kvm_entry has other arguments");
}

static void kernel_refuses(void **state)
{
	struct kt_facts facts = good_host();
	struct kt_request request = { .view = KT_VIEW_EXITS };
	struct kt_plan plan;

	(void)state;
	request.refused[kt_program_find("kt_exit_begin")] = "R1 invalid mem access";
	assert_int_equal(kt_plan_make(&facts, &request, &plan), KT_OK);
	assert_string_equal(way_of(&plan, KT_PART_EXITS), "raw");
	assert_non_null(strstr(plan.warnings.data, "R1 invalid mem access"));
	kt_plan_fini(&plan);
	request.refused[kt_program_find("kt_exit_begin_r")] = "no\x1b[31m way";
	assert_int_equal(kt_plan_make(&facts, &request, &plan), KT_UNSUPPORTED);
	assert_non_null(strstr(plan.refusal.data, "no\\x1b[31m way"));
	kt_plan_fini(&plan);
}

static void chosen_ways(void **state)
{
	struct kt_facts facts = good_host();
	struct kt_request request = { .view = KT_VIEW_EXCEPTIONS, .ways = "raw" };
	struct kt_plan plan;

	(void)state;
	assert_int_equal(kt_plan_make(&facts, &request, &plan), KT_OK);
	for (u32 part = KT_PART_EXCEPTIONS; part <= KT_PART_ASYNC_PF; part++)
		assert_string_equal(way_of(&plan, part), "raw");
	assert_string_equal(plan.warnings.data, "ruled out by KVMTRACE_WAYS: raw and classic "
						"tracepoints are used, which cost more\n");
	kt_plan_fini(&plan);
	request.view = KT_VIEW_FAULTS;
	request.ways = "nonsense,raw-old";
	assert_int_equal(kt_plan_make(&facts, &request, &plan), KT_UNSUPPORTED);
	assert_non_null(strstr(plan.refusal.data, "kvm_page_fault"));
	kt_plan_fini(&plan);
}

static void no_kvm(void **state)
{
	struct kt_facts facts = good_host();

	(void)state;
	assert_false(kt_facts_lack_kvm(&facts));
	facts.kvm_device = KT_NO;
	facts.vendor[0] = '\0';
	refused_everywhere(&facts, KT_UNSUPPORTED, "/dev/kvm");
	assert_true(kt_facts_lack_kvm(&facts));
	facts.kvm = KT_KVM_ABSENT;
	refused_everywhere(&facts, KT_UNSUPPORTED, "modprobe");
	refused_everywhere(&facts, KT_UNSUPPORTED, "--wait");
	assert_true(kt_facts_lack_kvm(&facts));
}

static void no_btf(void **state)
{
	struct kt_facts facts = without_module_types();

	(void)state;
	facts.btf_vmlinux = KT_BTF_ABSENT;
	refused_everywhere(&facts, KT_UNSUPPORTED, "CONFIG_DEBUG_INFO_BTF=y");
	facts.btf_vmlinux = KT_BTF_BROKEN;
	refused_everywhere(&facts, KT_UNSUPPORTED, "does not parse");
}

static void locked_down(void **state)
{
	struct kt_facts facts = good_host();

	(void)state;
	facts.lockdown = KT_LOCKDOWN_CONFIDENTIALITY;
	refused_everywhere(&facts, KT_UNSUPPORTED, "lockdown=integrity");
}

static void foreign_pid_namespace(void **state)
{
	struct kt_facts facts = good_host();

	(void)state;
	facts.init_pid_ns = KT_NO;
	refused_everywhere(&facts, KT_UNSUPPORTED, "--pid=host");
}

static void no_ring_buffers(void **state)
{
	struct kt_facts facts = good_host();

	(void)state;
	facts.map_ringbuf = KT_CANNOT;
	refused_everywhere(&facts, KT_UNSUPPORTED, "ring buffers");
}

/* A KVM that never raises kvm_exit has exceptions all the same. */
static void silent_vendor(void **state)
{
	struct kt_facts facts = good_host();
	struct kt_plan plan;

	(void)state;
	strcpy(facts.vendor, "kvm_pvm");
	memset(facts.members, 0, sizeof(facts.members));
	assert_refused(&facts, KT_VIEW_EXITS, KT_UNSUPPORTED, "kvm_pvm");
	assert_refused(&facts, KT_VIEW_FAULTS, KT_UNSUPPORTED, "never raises kvm_exit");
	assert_refused(&facts, KT_VIEW_REGIONS, KT_UNSUPPORTED, "kvmtrace exceptions");
	plan = planned(&facts, KT_VIEW_EXCEPTIONS);
	assert_true(loads(&plan, "kt_inject"));
	kt_plan_fini(&plan);
	plan = planned(&facts, KT_VIEW_VCPUS);
	kt_plan_fini(&plan);
}

/* One that nobody has met yet is given a try, with a word. */
static void unknown_vendor(void **state)
{
	struct kt_facts facts = good_host();
	struct kt_plan plan;

	(void)state;
	strcpy(facts.vendor, "kvm_zhaoxin");
	memset(facts.members, 0, sizeof(facts.members));
	plan = planned(&facts, KT_VIEW_EXITS);
	assert_string_equal(way_of(&plan, KT_PART_EXITS), "raw");
	assert_non_null(strstr(plan.warnings.data, "doesn't know"));
	assert_non_null(strstr(plan.warnings.data, "kvm_zhaoxin"));
	kt_plan_fini(&plan);
}

/* Exceptions do without classic tracepoints; fault records cannot. */
static void without_records(void **state)
{
	struct kt_facts facts = good_host();
	struct kt_plan plan;

	(void)state;
	for (u32 i = 0; i < KT_TRACEPOINT_COUNT; i++)
		strcpy(facts.tracepoints[i].record, "fresh:8:4");
	assert_refused(&facts, KT_VIEW_FAULTS, KT_UNSUPPORTED, "has a layout");
	plan = planned(&facts, KT_VIEW_EXCEPTIONS);
	assert_false(loads(&plan, "kt_exit_note"));
	assert_false(loads(&plan, "kt_emulate"));
	assert_true(loads(&plan, "kt_inject"));
	assert_true(loads(&plan, "kt_cr"));
	kt_plan_fini(&plan);
	plan = planned(&facts, KT_VIEW_EXITS);
	assert_int_equal(plan.warnings.len, 0);
	kt_plan_fini(&plan);
}

static void without_tracefs(void **state)
{
	struct kt_facts facts = good_host();
	struct kt_plan plan;

	(void)state;
	for (u32 i = 0; i < KT_TRACEPOINT_COUNT; i++)
		facts.tracepoints[i].record[0] = '\0';
	facts.tracefs = KT_TRACEFS_ABSENT;
	assert_refused(&facts, KT_VIEW_FAULTS, KT_UNSUPPORTED, "mount -t tracefs");
	facts.tracefs = KT_TRACEFS_DENIED;
	assert_refused(&facts, KT_VIEW_FAULTS, KT_DENIED, "permission");
	plan = planned(&facts, KT_VIEW_EXCEPTIONS);
	assert_string_equal(way_of(&plan, KT_PART_CAUSE_EXIT), "vmcb");
	assert_true(plan.exit_in_vmcb);
	kt_plan_fini(&plan);
	become_intel(&facts);
	plan = planned(&facts, KT_VIEW_EXCEPTIONS);
	assert_string_equal(way_of(&plan, KT_PART_CAUSE_EXIT), "none");
	assert_false(plan.exit_in_vmcb);
	kt_plan_fini(&plan);
}

/* A field's name or place that only begins alike is another. */
static void similar_fields(void **state)
{
	static const char *const records[] = {
		"vcpu_id:8:4 guest_rip:16:8 fault_address:24:8 error_code:32:80",
		"vcpu_id:8:4 guest_rip:16:8 fault_address:24:8 error_code:32",
		"vcpu_id:8:4 guest_rip:16:8 fault_address:24:8 xerror_code:32:8",
		"vcpu_id:8:4",
	};
	struct kt_facts facts = good_host();

	(void)state;
	for (size_t i = 0; i < KT_ARRAY_SIZE(records); i++) {
		strcpy(facts.tracepoints[KT_TP_kvm_page_fault].record, records[i]);
		assert_refused(&facts, KT_VIEW_FAULTS, KT_UNSUPPORTED, "kvm_page_fault");
	}
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
		{ KT_VIEW_EXCEPTIONS, "kt_exit_note", false }, /* the VMCB has it */
		{ KT_VIEW_EXCEPTIONS, "kt_msr", false },       /* the registers have it */
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
	struct kt_facts facts = good_host();
	struct kt_plan plan;

	(void)state;
	for (size_t i = 0; i < KT_ARRAY_SIZE(rows); i++) {
		assert_int_equal(make(&facts, rows[i].view, &plan), KT_OK);
		if (loads(&plan, rows[i].program) != rows[i].loaded)
			fail_msg("view %d: %s", rows[i].view, rows[i].program);
		kt_plan_fini(&plan);
	}
}

static void maps(void **state)
{
	struct kt_facts facts = good_host();
	struct kt_plan plan;

	(void)state;
	make(&facts, KT_VIEW_EXITS, &plan);
	assert_true(plan.uses_slots && plan.uses_cells);
	assert_false(plan.uses_rings || plan.uses_regions);
	kt_plan_fini(&plan);
	make(&facts, KT_VIEW_EXCEPTIONS, &plan);
	assert_true(plan.uses_slots && plan.uses_rings);
	assert_false(plan.uses_cells || plan.uses_regions);
	kt_plan_fini(&plan);
	make(&facts, KT_VIEW_REGIONS, &plan);
	assert_true(plan.uses_regions);
	assert_false(plan.uses_rings || plan.uses_cells);
	kt_plan_fini(&plan);
	make(&facts, KT_VIEW_VCPUS, &plan);
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
		cmocka_unit_test(three_arguments),
		cmocka_unit_test(kernel_refuses),
		cmocka_unit_test(chosen_ways),
		cmocka_unit_test(no_kvm),
		cmocka_unit_test(no_btf),
		cmocka_unit_test(locked_down),
		cmocka_unit_test(foreign_pid_namespace),
		cmocka_unit_test(no_ring_buffers),
		cmocka_unit_test(silent_vendor),
		cmocka_unit_test(unknown_vendor),
		cmocka_unit_test(without_records),
		cmocka_unit_test(without_tracefs),
		cmocka_unit_test(similar_fields),
		cmocka_unit_test(programs),
		cmocka_unit_test(maps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
