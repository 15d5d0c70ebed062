/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* user/live/{facts,plan,items}.c over the hosts of tests/facts: what is planned for each, and said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "../../user/live/items.h"
#include "../../user/live/plan.h"

#define FOLDER "tests/facts/"

static struct kt_facts read_facts(const char *name)
{
	struct kt_facts facts = {};
	struct kt_str why = {};
	char text[65536], path[256];
	size_t len;
	FILE *f;

	snprintf(path, sizeof(path), FOLDER "%s.facts", name);
	f = fopen(path, "r");
	if (!f)
		fail_msg("cannot open %s", path);
	len = fread(text, 1, sizeof(text), f);
	fclose(f);
	if (kt_facts_parse(&facts, text, len, &why))
		fail_msg("%s: %s", path, why.data);
	return facts;
}

/* Ways by part, in the order of enum kt_part; "-" for none; a status where the view is refused. */
/* e: of the exit and the MSR before an exception, which SVM still has at hand. */
#define ALL_BTF(e) "btf", "btf", { e, e, "btf", "btf", "btf" }, "btf", "btf"
#define ALL_RAW(e) e, "raw", { "raw", "raw", "raw", "raw", "raw" }, "raw", "raw"
#define NO(status) status, status, { "-", "-", "-", "-", "-" }, status, status

static const struct host {
	const char *name;
	const char *exits, *exceptions, *causes[5], *faults, *regions;
} hosts[] = {
	{ "debian-6.1-amd", ALL_BTF("vmcb") },
	{ "debian-6.12-amd", ALL_BTF("vmcb") },
	{ "debian-7.2-amd", ALL_BTF("vmcb") },
	{ "debian-6.1-intel", ALL_BTF("btf") },
	{ "debian-7.2-intel", ALL_BTF("btf") },
	{ "builtin-6.18-intel", ALL_BTF("btf") },
	/* No types of modules, the reason an argument of kvm_exit, two fields in kvm_page_fault. */
	{ "debian-5.10-amd",
	  "raw-3arg",
	  "raw",
	  { "raw", "raw", "raw", "raw", "raw" },
	  "raw-old",
	  "raw-old" },
	{ "ubuntu-5.15-intel",
	  "raw-3arg",
	  "raw-3arg",
	  { "btf", "btf", "btf", "btf", "btf" },
	  "raw-old",
	  "raw-old" },
	/* Nothing tells how many arguments kvm_exit has: the kernel will, by refusing. */
	{ "no-module-btf", ALL_RAW("raw-3arg") },
	{ "foreign-broken-btf", ALL_RAW("raw") },
	{ "unknown-vendor", "raw", "btf", { "btf", "btf", "btf", "btf", "btf" }, "raw", "raw" },
	{ "pvm-6.18",
	  "unsupported",
	  "btf",
	  { "btf", "btf", "btf", "btf", "btf" },
	  "unsupported",
	  "unsupported" },
	{ "no-tracefs", "btf", "btf", { "vmcb", "vmcb", "btf", "-", "btf" }, "unsupported", "btf" },
	{ "cap-bpf", "denied", "raw", { "-", "raw", "raw", "-", "raw" }, "denied", "denied" },
	{ "no-permission", NO("denied") },
	{ "no-btf", NO("unsupported") },
	{ "lockdown", NO("unsupported") },
	{ "no-kvm", NO("unsupported") },
	{ "no-vendor", NO("unsupported") },
};

static void check(const struct host *host, const struct kt_facts *facts, enum kt_view view,
		  enum kt_part part, const char *want)
{
	static const char *const words[] = {
		[KT_UNSUPPORTED] = "unsupported", [KT_DENIED] = "denied"
	};
	struct kt_request request = { .view = view };
	struct kt_plan plan;
	enum kt_status status = kt_plan_make(facts, &request, &plan);
	int way = kt_plan_way(&plan, part);
	const char *got = way < 0 ? "-" : kt_ways[way].name;

	if (status != KT_OK && !kt_parts[part].optional)
		got = words[status];
	if (strcmp(got, want) != 0)
		fail_msg("%s, view %d, part %d: %s, not %s (%s)", host->name, view, part, got, want,
			 plan.refusal.len ? plan.refusal.data : "");
	kt_plan_fini(&plan);
}

static void plans(void **state)
{
	(void)state;
	for (size_t i = 0; i < KT_ARRAY_SIZE(hosts); i++) {
		const struct host *h = &hosts[i];
		struct kt_facts facts = read_facts(h->name);

		check(h, &facts, KT_VIEW_EXITS, KT_PART_EXITS, h->exits);
		check(h, &facts, KT_VIEW_EXCEPTIONS, KT_PART_EXCEPTIONS, h->exceptions);
		for (u32 part = 0; part < KT_ARRAY_SIZE(h->causes); part++)
			check(h, &facts, KT_VIEW_EXCEPTIONS, KT_PART_CAUSE_EXIT + part,
			      h->causes[part]);
		check(h, &facts, KT_VIEW_FAULTS, KT_PART_FAULTS, h->faults);
		check(h, &facts, KT_VIEW_REGIONS, KT_PART_REGIONS, h->regions);
	}
}

/* kvmtrace record: of exits, faults, the exit before an exception, injected interrupts. */
#define RECORD_VMCB "vmcb", "btf", "vmcb", "raw"
#define RECORD_BTF  "btf", "btf", "btf", "raw"

static const struct recorded {
	const char *name;
	const char *exits, *faults, *cause, *irq;
} recorded[] = {
	{ "debian-6.1-amd", RECORD_VMCB },
	{ "debian-6.12-amd", RECORD_VMCB },
	{ "debian-7.2-amd", RECORD_VMCB },
	{ "debian-6.1-intel", RECORD_BTF },
	{ "debian-7.2-intel", RECORD_BTF },
	{ "builtin-6.18-intel", RECORD_BTF },
	{ "debian-5.10-amd", "raw", "raw-old", "raw", "raw-1arg" },
	{ "ubuntu-5.15-intel", "btf", "btf-old", "btf", "raw-1arg" },
	{ "no-module-btf", "raw", "raw", "raw", "raw" },
	{ "foreign-broken-btf", "raw", "raw", "raw", "raw" },
	{ "unknown-vendor", RECORD_BTF },
	{ "no-tracefs", "vmcb", "-", "vmcb", "raw" },
	/* All that is on raw tracepoints. */
	{ "cap-bpf", "-", "-", "-", "raw" },
};

static void plans_of_record(void **state)
{
	struct kt_request request = { .view = KT_VIEW_RECORD, .events = KT_ALL_EVENTS };

	(void)state;
	for (size_t i = 0; i < KT_ARRAY_SIZE(recorded); i++) {
		const struct recorded *h = &recorded[i];
		const struct {
			enum kt_part part;
			const char *way;
		} wanted[] = { { KT_PART_TRACE_EXITS, h->exits },
			       { KT_PART_FAULTS, h->faults },
			       { KT_PART_CAUSE_EXIT, h->cause },
			       { KT_PART_TRACE_IRQ, h->irq } };
		struct kt_facts facts = read_facts(h->name);
		struct kt_plan plan;

		assert_int_equal(kt_plan_make(&facts, &request, &plan), KT_OK);
		for (size_t j = 0; j < KT_ARRAY_SIZE(wanted); j++) {
			int way = kt_plan_way(&plan, wanted[j].part);
			const char *got = way < 0 ? "-" : kt_ways[way].name;

			if (strcmp(got, wanted[j].way) != 0)
				fail_msg("%s, part %d: %s, not %s", h->name, wanted[j].part, got,
					 wanted[j].way);
		}
		kt_plan_fini(&plan);
	}
}

/* What is not asked for is not loaded; exceptions alone bring no program for each exit. */
static void record_of_some_events(void **state)
{
	struct kt_request request = { .view = KT_VIEW_RECORD, .events = 1u << KT_CLASS_EXCEPTIONS };
	struct kt_facts facts = read_facts("debian-6.1-amd");
	struct kt_plan plan;

	(void)state;
	assert_int_equal(kt_plan_make(&facts, &request, &plan), KT_OK);
	assert_int_equal(kt_plan_way(&plan, KT_PART_TRACE_EXITS), -1);
	assert_int_equal(kt_plan_way(&plan, KT_PART_FAULTS), -1);
	assert_int_equal(kt_plan_way(&plan, KT_PART_TRACE_MSR), -1);
	assert_true(kt_plan_way(&plan, KT_PART_EXCEPTIONS) >= 0);
	kt_plan_fini(&plan);
	/* Faults without exits see to their end themselves. */
	request.events = 1u << KT_CLASS_FAULTS;
	assert_int_equal(kt_plan_make(&facts, &request, &plan), KT_OK);
	assert_true(plan.programs >> kt_program_find("kt_fault_entry") & 1);
	assert_false(plan.programs >> kt_program_find("kt_trace_entry") & 1);
	kt_plan_fini(&plan);
	request.events |= 1u << KT_CLASS_EXITS;
	assert_int_equal(kt_plan_make(&facts, &request, &plan), KT_OK);
	assert_false(plan.programs >> kt_program_find("kt_fault_entry") & 1);
	assert_true(plan.programs >> kt_program_find("kt_trace_entry") & 1);
	kt_plan_fini(&plan);
	/* Nothing that was asked for can be had. */
	facts = read_facts("no-tracefs");
	request.events = 1u << KT_CLASS_FAULTS;
	assert_int_equal(kt_plan_make(&facts, &request, &plan), KT_UNSUPPORTED);
	assert_non_null(strstr(plan.refusal.data, "tracefs"));
	kt_plan_fini(&plan);
}

static const struct said {
	const char *host;
	enum kt_view view;
	const char *item;
	const char *source; /* how it begins; NULL: cannot be had */
	const char *lack;   /* words in it; NULL: nothing lacks */
} said[] = {
	{ "debian-6.1-amd", KT_VIEW_EXITS, "reason", "exit_code in the VMCB", NULL },
	{ "debian-6.1-intel", KT_VIEW_EXITS, "reason", "exit_reason in struct vcpu_vmx", NULL },
	{ "debian-7.2-intel", KT_VIEW_EXITS, "reason", "vt.exit_reason", NULL },
	{ "debian-7.2-intel", KT_VIEW_EXCEPTIONS, "rip", "struct kvm_vcpu_arch, rip; where", NULL },
	{ "builtin-6.18-intel", KT_VIEW_EXITS, "reason", "vt.exit_reason", NULL },
	{ "debian-5.10-amd", KT_VIEW_EXITS, "reason", "first argument of kvm_exit", NULL },
	{ "unknown-vendor", KT_VIEW_EXITS, "reason", "record of kvm_exit", NULL },
	{ "pvm-6.18", KT_VIEW_EXITS, "reason", NULL, "never raises kvm_exit" },
	{ "no-permission", KT_VIEW_EXITS, "count", NULL, "CAP_BPF and CAP_PERFMON" },
	{ "debian-6.12-amd", KT_VIEW_EXCEPTIONS, "rip", "struct kvm_vcpu_arch, regs[16]", NULL },
	{ "debian-7.2-amd", KT_VIEW_EXCEPTIONS, "rip", "struct kvm_vcpu_arch, rip", NULL },
	{ "debian-6.1-amd", KT_VIEW_EXCEPTIONS, "address",
	  "struct kvm_vcpu_arch, cr2, or the payload", NULL },
	{ "debian-6.1-amd", KT_VIEW_EXCEPTIONS, "reinjected", "kvm_inj_exception", NULL },
	{ "ubuntu-5.15-intel", KT_VIEW_EXCEPTIONS, "reinjected", "kvm_inj_exception", "5.15.78" },
	{ "pvm-6.18", KT_VIEW_EXCEPTIONS, "cause.exit", NULL, "kvm_msr and kvm_emulate_insn" },
	{ "pvm-6.18", KT_VIEW_EXCEPTIONS, "cause.msr", "kvm_msr", NULL },
	{ "no-tracefs", KT_VIEW_EXCEPTIONS, "cause.exit", "the VMCB", NULL },
	{ "no-tracefs", KT_VIEW_EXCEPTIONS, "cause.insn", NULL, "mount -t tracefs" },
	{ "cap-bpf", KT_VIEW_EXCEPTIONS, "cause.insn", NULL, "CAP_DAC_READ_SEARCH" },
	{ "debian-5.10-amd", KT_VIEW_FAULTS, "error_code",
	  "record of kvm_page_fault, its upper half", NULL },
	{ "debian-5.10-amd", KT_VIEW_FAULTS, "rip", "record of kvm_exit", NULL },
	{ "debian-7.2-amd", KT_VIEW_FAULTS, "rip", "record of kvm_page_fault", NULL },
	{ "debian-7.2-amd", KT_VIEW_FAULTS, "mmio", "record of kvm_page_fault", NULL },
	{ "builtin-6.18-intel", KT_VIEW_FAULTS, "mmio", "record of kvm_page_fault",
	  "EPT misconfigurations" },
	{ "debian-5.10-amd", KT_VIEW_VCPUS, "memory", NULL, "keeps no count" },
	{ "debian-6.1-amd", KT_VIEW_VCPUS, "memory", "struct kvm, nr_memslot_pages", NULL },
};

struct hearing {
	const struct said *want;
	int heard;
};

static void hear(void *ctx, const struct kt_item *item, const char *source, const char *lack)
{
	struct hearing *h = ctx;
	const struct said *want = h->want;

	assert_true(source || lack);
	if (strcmp(item->name, want->item) != 0)
		return;
	h->heard++;
	if (!want->source != !source ||
	    (source && strncmp(source, want->source, strlen(want->source)) != 0))
		fail_msg("%s, %s: from '%s'", want->host, item->name, source ? source : "nowhere");
	if (!want->lack != !lack || (lack && !strstr(lack, want->lack)))
		fail_msg("%s, %s: lacks '%s'", want->host, item->name, lack ? lack : "nothing");
}

static void items(void **state)
{
	(void)state;
	for (size_t i = 0; i < KT_ARRAY_SIZE(said); i++) {
		struct kt_facts facts = read_facts(said[i].host);
		struct kt_request request = { .view = said[i].view };
		struct hearing hearing = { .want = &said[i] };
		struct kt_plan plan;

		kt_plan_make(&facts, &request, &plan);
		kt_items_each(&facts, &plan, said[i].view, hear, &hearing);
		assert_int_equal(hearing.heard, 1);
		kt_plan_fini(&plan);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plans),
		cmocka_unit_test(plans_of_record),
		cmocka_unit_test(record_of_some_events),
		cmocka_unit_test(items),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
