/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <string.h>

#include "items.h"

static bool way_is(const struct kt_way *way, const char *name)
{
	return strcmp(way->name, name) == 0;
}

static void set(struct kt_str *text, const char *words)
{
	kt_str_reset(text);
	kt_str_add(text, words);
}

static void exit_reason(const struct kt_facts *facts, const struct kt_way *way,
			struct kt_str *source, struct kt_str *lack)
{
	(void)lack;
	if (!way_is(way, "btf"))
		set(source,
		    way_is(way, "raw-3arg") ? "first argument of kvm_exit" : "record of kvm_exit");
	else if (kt_facts_amd(facts))
		set(source, "exit_code in the VMCB, by struct vcpu_svm");
	else if (facts->members[KT_M_vcpu_vmx__vt])
		set(source, "vt.exit_reason in struct vcpu_vmx");
	else
		set(source, "exit_reason in struct vcpu_vmx");
}

static void exception_rip(const struct kt_facts *facts, const struct kt_way *way,
			  struct kt_str *source, struct kt_str *lack)
{
	(void)way, (void)lack;
	set(source, facts->members[KT_M_kvm_vcpu_arch__rip] ? "struct kvm_vcpu_arch, rip"
							    : "struct kvm_vcpu_arch, regs[16]");
	if (kt_facts_intel(facts))
		kt_str_add(source, "; where KVM has not read it, record of kvm_exit");
}

static void exception_address(const struct kt_facts *facts, const struct kt_way *way,
			      struct kt_str *source, struct kt_str *lack)
{
	(void)way, (void)lack;
	if (facts->members[KT_M_kvm_queued_exception__has_payload])
		kt_str_add(source, ", or the payload of the exception not yet delivered");
}

static void reinjected(const struct kt_facts *facts, const struct kt_way *way,
		       struct kt_str *source, struct kt_str *lack)
{
	(void)facts, (void)source;
	if (way_is(way, "raw-3arg"))
		kt_str_add(
			lack,
			"this kernel's kvm_inj_exception doesn't tell exceptions that are injected "
			"again: each counts as a new one (6.0, 5.15.78, 5.10.154 and later tell)");
}

/* There is no tracepoint to wait for. */
static void cause_exit(const struct kt_facts *facts, const struct kt_way *way,
		       struct kt_str *source, struct kt_str *lack)
{
	if (way_is(way, "vmcb"))
		set(source, "the VMCB, when the exception is injected");
	if (kt_facts_raise_exits(facts))
		return;
	kt_str_reset(source);
	kt_str_addf(lack,
		    "this host's KVM (%s) never raises kvm_exit: causes come from kvm_msr "
		    "and kvm_emulate_insn alone",
		    facts->vendor);
}

static void cause_msr(const struct kt_facts *facts, const struct kt_way *way, struct kt_str *source,
		      struct kt_str *lack)
{
	(void)facts;
	(void)lack;
	if (way_is(way, "vmcb"))
		set(source, "the guest's registers, when the exception is injected");
}

/* Those that a KVM never raises can be attached to all the same. */
static void recorded(const struct kt_facts *facts, const struct kt_way *way, struct kt_str *source,
		     struct kt_str *lack)
{
	if (way->part == KT_PART_TRACE_EXITS && way_is(way, "vmcb"))
		set(source, "the VMCB, by struct vcpu_svm");
	if (kt_facts_raise_exits(facts))
		return;
	kt_str_reset(source);
	kt_str_addf(lack, "this host's KVM (%s) never raises the tracepoint", facts->vendor);
}

static void fault_error_code(const struct kt_facts *facts, const struct kt_way *way,
			     struct kt_str *source, struct kt_str *lack)
{
	(void)facts, (void)lack;
	if (way_is(way, "raw-old"))
		set(source, "record of kvm_page_fault, its upper half from kvm_exit's");
}

static void fault_rip(const struct kt_facts *facts, const struct kt_way *way, struct kt_str *source,
		      struct kt_str *lack)
{
	(void)facts, (void)lack;
	if (way_is(way, "raw-old"))
		set(source, "record of kvm_exit");
}

static void fault_mmio(const struct kt_facts *facts, const struct kt_way *way,
		       struct kt_str *source, struct kt_str *lack)
{
	(void)way, (void)source;
	if (kt_facts_intel(facts))
		kt_str_add(lack,
			   "only the first access to a page: the others are EPT misconfigurations, "
			   "which kvm_page_fault doesn't report ('kvmtrace exits' counts them)");
}

static void vm_memory(const struct kt_facts *facts, const struct kt_way *way, struct kt_str *source,
		      struct kt_str *lack)
{
	(void)way;
	if (facts->members[KT_M_kvm__nr_memslot_pages] || facts->btf_vmlinux != KT_BTF_OK)
		return;
	kt_str_reset(source);
	kt_str_add(lack, "this kernel's KVM keeps no count of a VM's memory (later kernels' does)");
}

#define VM   "the process that runs the vCPU; its name from command line, cgroup or command"
#define VCPU "struct kvm_vcpu, vcpu_id"
#define LOADED                                                                                     \
	"struct kvm_vcpu, vcpu_id, of the vCPU that the thread has loaded "                        \
	"(task_struct.preempt_notifiers)"

static const struct kt_item items[] = {
	{ KT_VIEW_EXITS, "vm", KT_PART_EXITS, VM, NULL, NULL, false },
	{ KT_VIEW_EXITS, "vcpu", KT_PART_EXITS, VCPU, NULL, NULL, false },
	{ KT_VIEW_EXITS, "reason", KT_PART_EXITS, "", exit_reason, NULL, false },
	{ KT_VIEW_EXITS, "count", KT_PART_EXITS, "kvm_exit", NULL, NULL, false },
	{ KT_VIEW_EXITS, "time", KT_PART_EXITS, "from kvm_exit to the vCPU's next kvm_entry", NULL,
	  NULL, false },
	{ KT_VIEW_EXCEPTIONS, "vm", KT_PART_EXCEPTIONS, VM, NULL, NULL, false },
	{ KT_VIEW_EXCEPTIONS, "vcpu", KT_PART_EXCEPTIONS, LOADED, NULL, NULL, false },
	{ KT_VIEW_EXCEPTIONS, "vector", KT_PART_EXCEPTIONS, "kvm_inj_exception", NULL, NULL,
	  false },
	{ KT_VIEW_EXCEPTIONS, "error_code", KT_PART_EXCEPTIONS, "kvm_inj_exception", NULL, NULL,
	  false },
	{ KT_VIEW_EXCEPTIONS, "reinjected", KT_PART_EXCEPTIONS, "kvm_inj_exception", reinjected,
	  NULL, true },
	{ KT_VIEW_EXCEPTIONS, "rip", KT_PART_EXCEPTIONS, "", exception_rip, NULL, false },
	{ KT_VIEW_EXCEPTIONS, "address", KT_PART_EXCEPTIONS, "struct kvm_vcpu_arch, cr2",
	  exception_address, NULL, false },
	{ KT_VIEW_EXCEPTIONS, "cause.exit", KT_PART_CAUSE_EXIT, "record of kvm_exit", cause_exit,
	  "the exit before an exception is not shown", false },
	{ KT_VIEW_EXCEPTIONS, "cause.msr", KT_PART_CAUSE_MSR, "kvm_msr", cause_msr,
	  "the MSR of an exception is not shown", false },
	{ KT_VIEW_EXCEPTIONS, "cause.cr", KT_PART_CAUSE_CR, "kvm_cr", NULL,
	  "the control register of an exception is not shown", false },
	{ KT_VIEW_EXCEPTIONS, "cause.insn", KT_PART_CAUSE_INSN, "record of kvm_emulate_insn", NULL,
	  "the instruction that KVM emulated before an exception is not shown", false },
	{ KT_VIEW_EXCEPTIONS, "async_pf", KT_PART_ASYNC_PF, "kvm_async_pf_not_present", NULL,
	  "asynchronous page faults look like any #PF, and their token like an address", false },
	{ KT_VIEW_FAULTS, "vm", KT_PART_FAULTS, VM, NULL, NULL, false },
	{ KT_VIEW_FAULTS, "vcpu", KT_PART_FAULTS, LOADED, NULL, NULL, false },
	{ KT_VIEW_FAULTS, "address", KT_PART_FAULTS, "record of kvm_page_fault", NULL, NULL,
	  false },
	{ KT_VIEW_FAULTS, "error_code", KT_PART_FAULTS, "record of kvm_page_fault",
	  fault_error_code, NULL, false },
	{ KT_VIEW_FAULTS, "rip", KT_PART_FAULTS, "record of kvm_page_fault", fault_rip, NULL,
	  false },
	{ KT_VIEW_FAULTS, "duration", KT_PART_FAULTS, "from kvm_exit to the vCPU's next kvm_entry",
	  NULL, NULL, false },
	{ KT_VIEW_FAULTS, "mmio", KT_PART_FAULTS, "record of kvm_page_fault", fault_mmio, NULL,
	  false },
	{ KT_VIEW_REGIONS, "regions", KT_PART_REGIONS, "kvm_page_fault", NULL, NULL, false },
	{ KT_VIEW_RECORD, "exits", KT_PART_TRACE_EXITS, "record of kvm_exit", recorded,
	  "exits are not recorded", true },
	{ KT_VIEW_RECORD, "exceptions", KT_PART_EXCEPTIONS, "kvm_inj_exception", reinjected,
	  "exceptions are not recorded", true },
	{ KT_VIEW_RECORD, "faults", KT_PART_FAULTS, "record of kvm_page_fault", recorded,
	  "faults are not recorded", true },
	{ KT_VIEW_RECORD, "msr", KT_PART_TRACE_MSR, "kvm_msr", NULL, "not recorded", true },
	{ KT_VIEW_RECORD, "io", KT_PART_TRACE_PIO, "kvm_pio", NULL, "not recorded", true },
	{ KT_VIEW_RECORD, "mmio", KT_PART_TRACE_MMIO, "kvm_mmio", NULL, "not recorded", true },
	{ KT_VIEW_RECORD, "fast mmio", KT_PART_TRACE_FAST_MMIO, "kvm_fast_mmio", NULL,
	  "not recorded", true },
	{ KT_VIEW_RECORD, "cr", KT_PART_TRACE_CR, "kvm_cr", NULL, "not recorded", true },
	{ KT_VIEW_RECORD, "cpuid", KT_PART_TRACE_CPUID, "kvm_cpuid", NULL, "not recorded", true },
	{ KT_VIEW_RECORD, "hypercall", KT_PART_TRACE_HYPERCALL, "kvm_hypercall", NULL,
	  "not recorded", true },
	{ KT_VIEW_RECORD, "emulate", KT_PART_TRACE_EMULATE, "record of kvm_emulate_insn", NULL,
	  "not recorded", true },
	{ KT_VIEW_RECORD, "irq", KT_PART_TRACE_IRQ, "kvm_inj_virq", NULL, "not recorded", true },
	{ KT_VIEW_RECORD, "userspace", KT_PART_TRACE_USER,
	  "kvm_userspace_exit; struct kvm_run, of the vCPU that the thread had loaded", NULL,
	  "not recorded", true },
	{ KT_VIEW_RECORD, "wakeup", KT_PART_TRACE_WAKEUP, "kvm_vcpu_wakeup", NULL, "not recorded",
	  true },
	{ KT_VIEW_RECORD, "halt_poll", KT_PART_TRACE_HALT_POLL, "kvm_halt_poll_ns", NULL,
	  "not recorded", true },
	{ KT_VIEW_VCPUS, "vcpus", KT_PART_VCPUS, "open files named kvm-vcpu (BPF iterator)", NULL,
	  "vCPU threads are taken from /proc, by their names", false },
	{ KT_VIEW_VCPUS, "memory", KT_PART_VCPUS, "struct kvm, nr_memslot_pages", vm_memory,
	  "not shown", false },
};

/* Why a part cannot be had: what stands against its last, least demanding way. */
static const char *why_missing(const struct kt_plan *plan, enum kt_part part)
{
	const char *why = "";

	if (plan->refusal.len)
		return plan->refusal.data;
	for (u32 i = 0; i < kt_way_count; i++)
		if (kt_ways[i].part == part && plan->why_not[i].len)
			why = plan->why_not[i].data;
	return why;
}

static void describe(const struct kt_facts *facts, const struct kt_plan *plan,
		     const struct kt_item *item, struct kt_str *source, struct kt_str *lack)
{
	int way = kt_plan_way(plan, item->part);

	kt_str_reset(source);
	kt_str_reset(lack);
	if (way >= 0) {
		kt_str_add(source, item->source);
		if (item->refine)
			item->refine(facts, &kt_ways[way], source, lack);
		return;
	}
	kt_str_add(lack, why_missing(plan, item->part));
	if (item->loss)
		kt_str_addf(lack, ": %s", item->loss);
}

static bool is_of(const struct kt_item *item, const struct kt_plan *plan, enum kt_view view)
{
	if (item->view != view)
		return false;
	return view != KT_VIEW_RECORD || kt_parts[item->part].events & plan->events;
}

void kt_items_each(const struct kt_facts *facts, const struct kt_plan *plan, enum kt_view view,
		   kt_item_fn fn, void *ctx)
{
	struct kt_str source = {}, lack = {};

	for (size_t i = 0; i < KT_ARRAY_SIZE(items); i++) {
		if (!is_of(&items[i], plan, view))
			continue;
		describe(facts, plan, &items[i], &source, &lack);
		fn(ctx, &items[i], source.len ? source.data : NULL, lack.len ? lack.data : NULL);
	}
	kt_str_free(&source);
	kt_str_free(&lack);
}
