/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <string.h>

#include "programs.h"

#define KVM_TYPES (KT_NEEDS_KVM_TYPES)
#define REASON	  (KT_NEEDS_KVM_TYPES | KT_NEEDS_EXIT_REASON)

/* Records as bpf/raw.bpf.h declares them: hand-typed twins, compared with the kernel's own words. */
#define EXIT_RECORD                                                                                \
	"exit_reason:8:4 guest_rip:16:8 isa:24:4 info1:32:8 info2:40:8 intr_info:48:4 "            \
	"error_code:52:4 vcpu_id:56:4"
#define FAULT_RECORD	 "vcpu_id:8:4 guest_rip:16:8 fault_address:24:8 error_code:32:8"
#define OLD_FAULT_RECORD "fault_address:8:8 error_code:16:4"
#define EMULATE_RECORD	 "rip:8:8 csbase:16:4 len:20:1 insn:21:15 flags:36:1 failed:37:1"

/*
 * Classic programs on kvm_exit come before everything else: their record makes VMX read RIP and
 * qualification into its cache, where the programs behind find them. What feeds others comes before
 * what consumes (kvm_inj_exception last): they are detached the other way round, so that a consumer
 * never runs on half the facts.
 */
const struct kt_program kt_programs[] = {
	{ "kt_trace_exit_c", KT_ON_CLASSIC, KT_TP_kvm_exit, KVM_TYPES, NULL, EXIT_RECORD, NULL,
	  false },
	{ "kt_trace_exit_r", KT_ON_CLASSIC, KT_TP_kvm_exit, 0, NULL, EXIT_RECORD, NULL, false },
	{ "kt_exit_note", KT_ON_CLASSIC, KT_TP_kvm_exit, KVM_TYPES, NULL, EXIT_RECORD, NULL,
	  false },
	{ "kt_exit_note_r", KT_ON_CLASSIC, KT_TP_kvm_exit, 0, NULL, EXIT_RECORD, NULL, false },
	{ "kt_trace_entry", KT_ON_BTF, KT_TP_kvm_entry, KVM_TYPES, "v", NULL, NULL, true },
	{ "kt_trace_entry_r", KT_ON_RAW, KT_TP_kvm_entry, 0, "v", NULL, NULL, true },
	{ "kt_trace_exit", KT_ON_BTF, KT_TP_kvm_exit, REASON, "v4", NULL, NULL, false },
	{ "kt_exit_end", KT_ON_BTF, KT_TP_kvm_entry, KVM_TYPES, "v", NULL, NULL, false },
	{ "kt_exit_end_r", KT_ON_RAW, KT_TP_kvm_entry, 0, "v", NULL, NULL, false },
	{ "kt_exit_begin", KT_ON_BTF, KT_TP_kvm_exit, REASON, "v4", NULL, NULL, false },
	/* Until 5.15 the exit reason was the first of three arguments. */
	{ "kt_exit_begin_r3", KT_ON_RAW, KT_TP_kvm_exit, 0, "4v4", NULL, NULL, false },
	{ "kt_exit_begin_r", KT_ON_CLASSIC, KT_TP_kvm_exit, 0, NULL, EXIT_RECORD, NULL, false },
	{ "kt_fault_entry", KT_ON_BTF, KT_TP_kvm_entry, KVM_TYPES, "v", NULL, NULL, false },
	{ "kt_fault_entry_r", KT_ON_RAW, KT_TP_kvm_entry, 0, "v", NULL, NULL, false },
	{ "kt_fault_exit", KT_ON_BTF, KT_TP_kvm_exit, REASON, "v4", NULL, NULL, false },
	{ "kt_fault_exit_r", KT_ON_CLASSIC, KT_TP_kvm_exit, 0, NULL, EXIT_RECORD, NULL, false },
	{ "kt_fault", KT_ON_CLASSIC, KT_TP_kvm_page_fault, KVM_TYPES, NULL, FAULT_RECORD, NULL,
	  false },
	{ "kt_fault_region", KT_ON_BTF, KT_TP_kvm_page_fault, KVM_TYPES, "v88", NULL, NULL, false },
	{ "kt_fault_r", KT_ON_CLASSIC, KT_TP_kvm_page_fault, 0, NULL, FAULT_RECORD, NULL, false },
	{ "kt_fault_old", KT_ON_CLASSIC, KT_TP_kvm_page_fault, 0, NULL, OLD_FAULT_RECORD, "vcpu_id",
	  false },
	{ "kt_msr", KT_ON_BTF, KT_TP_kvm_msr, KVM_TYPES, "448b", NULL, NULL, false },
	{ "kt_msr_r", KT_ON_RAW, KT_TP_kvm_msr, 0, "448b", NULL, NULL, false },
	{ "kt_cr", KT_ON_BTF, KT_TP_kvm_cr, KVM_TYPES, "448", NULL, NULL, false },
	{ "kt_cr_r", KT_ON_RAW, KT_TP_kvm_cr, 0, "448", NULL, NULL, false },
	{ "kt_emulate", KT_ON_CLASSIC, KT_TP_kvm_emulate_insn, KVM_TYPES, NULL, EMULATE_RECORD,
	  NULL, false },
	{ "kt_emulate_r", KT_ON_CLASSIC, KT_TP_kvm_emulate_insn, 0, NULL, EMULATE_RECORD, NULL,
	  false },
	{ "kt_async_pf", KT_ON_BTF, KT_TP_kvm_async_pf_not_present, KVM_TYPES, "88", NULL, NULL,
	  false },
	{ "kt_async_pf_r", KT_ON_RAW, KT_TP_kvm_async_pf_not_present, 0, "88", NULL, NULL, false },
	{ "kt_inject", KT_ON_BTF, KT_TP_kvm_inj_exception, KVM_TYPES, "4b4b", NULL, NULL, false },
	{ "kt_inject_r", KT_ON_RAW, KT_TP_kvm_inj_exception, 0, "4b4b", "reinjected:16:1", NULL,
	  false },
	{ "kt_inject_r3", KT_ON_RAW, KT_TP_kvm_inj_exception, 0, "4b4", "exception:8:1",
	  "reinjected", false },
	{ "kt_trace_msr", KT_ON_RAW, KT_TP_kvm_msr, 0, "448b", NULL, NULL, false },
	{ "kt_trace_pio", KT_ON_RAW, KT_TP_kvm_pio, 0, "4444p", NULL, NULL, false },
	{ "kt_trace_mmio", KT_ON_RAW, KT_TP_kvm_mmio, 0, "448p", NULL, NULL, false },
	{ "kt_trace_fast_mmio", KT_ON_RAW, KT_TP_kvm_fast_mmio, 0, "8", NULL, NULL, false },
	{ "kt_trace_cr", KT_ON_RAW, KT_TP_kvm_cr, 0, "448", NULL, NULL, false },
	{ "kt_trace_cpuid", KT_ON_RAW, KT_TP_kvm_cpuid, 0, "448888bb", NULL, NULL, false },
	{ "kt_trace_hypercall", KT_ON_RAW, KT_TP_kvm_hypercall, 0, "88888", NULL, NULL, false },
	{ "kt_trace_emulate", KT_ON_CLASSIC, KT_TP_kvm_emulate_insn, 0, NULL, EMULATE_RECORD, NULL,
	  false },
	{ "kt_trace_irq", KT_ON_RAW, KT_TP_kvm_inj_virq, 0, "4bb", "soft:12:1 reinjected:13:1",
	  NULL, false },
	{ "kt_trace_irq1", KT_ON_RAW, KT_TP_kvm_inj_virq, 0, "4", "irq:8:4", "soft", false },
	{ "kt_trace_wakeup", KT_ON_RAW, KT_TP_kvm_vcpu_wakeup, 0, "8bb", NULL, NULL, false },
	{ "kt_trace_halt_poll", KT_ON_RAW, KT_TP_kvm_halt_poll_ns, 0, "b444", NULL, NULL, false },
	/* What notes the vCPU before what needs it; detached the other way round, no event is without. */
	{ "kt_trace_fpu", KT_ON_RAW, KT_TP_kvm_fpu, 0, "4", NULL, NULL, true },
	{ "kt_trace_user", KT_ON_RAW, KT_TP_kvm_userspace_exit, 0, "44", NULL, NULL, false },
	{ "kt_list_vcpus", KT_ON_FILES, -1, 0, NULL, NULL, NULL, true },
};
const u32 kt_program_count = KT_ARRAY_SIZE(kt_programs);
_Static_assert(KT_ARRAY_SIZE(kt_programs) <= KT_PROGRAMS_MAX, "one bit for each program");

#define EXITS	   (1u << KT_VIEW_EXITS)
#define EXCEPTIONS (1u << KT_VIEW_EXCEPTIONS)
#define FAULTS	   (1u << KT_VIEW_FAULTS)
#define REGIONS	   (1u << KT_VIEW_REGIONS)
#define VCPUS	   (1u << KT_VIEW_VCPUS)
#define RECORD	   (1u << KT_VIEW_RECORD)

#define EVENTS(class) (1u << KT_CLASS_##class)

const struct kt_part_of_view kt_parts[KT_PART_COUNT] = {
	[KT_PART_TRACE_EXITS] = { RECORD, true, EVENTS(EXITS) },
	[KT_PART_EXITS] = { EXITS, false, 0 },
	[KT_PART_EXCEPTIONS] = { EXCEPTIONS | RECORD, false, EVENTS(EXCEPTIONS) },
	[KT_PART_CAUSE_EXIT] = { EXCEPTIONS | RECORD, true, EVENTS(EXCEPTIONS) },
	[KT_PART_CAUSE_MSR] = { EXCEPTIONS | RECORD, true, EVENTS(EXCEPTIONS) },
	[KT_PART_CAUSE_CR] = { EXCEPTIONS | RECORD, true, EVENTS(EXCEPTIONS) },
	[KT_PART_CAUSE_INSN] = { EXCEPTIONS | RECORD, true, EVENTS(EXCEPTIONS) },
	[KT_PART_ASYNC_PF] = { EXCEPTIONS | RECORD, true, EVENTS(EXCEPTIONS) },
	[KT_PART_FAULTS] = { FAULTS | RECORD, false, EVENTS(FAULTS) },
	[KT_PART_REGIONS] = { REGIONS, false, 0 },
	[KT_PART_TRACE_MSR] = { RECORD, true, EVENTS(MSR) },
	[KT_PART_TRACE_PIO] = { RECORD, true, EVENTS(IO) },
	[KT_PART_TRACE_MMIO] = { RECORD, true, EVENTS(MMIO) },
	[KT_PART_TRACE_FAST_MMIO] = { RECORD, true, EVENTS(MMIO) },
	[KT_PART_TRACE_CR] = { RECORD, true, EVENTS(CR) },
	[KT_PART_TRACE_CPUID] = { RECORD, true, EVENTS(CPUID) },
	[KT_PART_TRACE_HYPERCALL] = { RECORD, true, EVENTS(HYPERCALL) },
	[KT_PART_TRACE_EMULATE] = { RECORD, true, EVENTS(EMULATE) },
	[KT_PART_TRACE_IRQ] = { RECORD, true, EVENTS(IRQ) },
	[KT_PART_TRACE_USER] = { RECORD, true, EVENTS(USERSPACE) },
	[KT_PART_TRACE_WAKEUP] = { RECORD, true, EVENTS(HALT) },
	[KT_PART_TRACE_HALT_POLL] = { RECORD, true, EVENTS(HALT) },
	[KT_PART_VCPUS] = { EXITS | EXCEPTIONS | FAULTS | REGIONS | VCPUS | RECORD, false, 0 },
};

#define VMCB_OF_CHOSEN (KT_NEEDS_VMCB | KT_NEEDS_CHOSEN)

const struct kt_way kt_ways[] = {
	/* On SVM all is in memory; VMX's is in the record only, for which KVM asks the VMCS. */
	{ KT_PART_TRACE_EXITS, "vmcb", KT_NEEDS_VMCB, { "kt_trace_entry", "kt_trace_exit" }, 0 },
	{ KT_PART_TRACE_EXITS, "btf", 0, { "kt_trace_entry", "kt_trace_exit_c" }, 0 },
	{ KT_PART_TRACE_EXITS, "raw", 0, { "kt_trace_entry_r", "kt_trace_exit_r" }, 0 },
	{ KT_PART_EXITS, "btf", 0, { "kt_exit_end", "kt_exit_begin" }, 0 },
	{ KT_PART_EXITS, "raw-3arg", 0, { "kt_exit_end_r", "kt_exit_begin_r3" }, 0 },
	{ KT_PART_EXITS, "raw", 0, { "kt_exit_end_r", "kt_exit_begin_r" }, 0 },
	{ KT_PART_EXCEPTIONS, "btf", 0, { "kt_inject" }, 0 },
	{ KT_PART_EXCEPTIONS, "raw", 0, { "kt_inject_r" }, 0 },
	{ KT_PART_EXCEPTIONS, "raw-3arg", 0, { "kt_inject_r3" }, 0 },
	/* On SVM the exit is still in memory when an exception is injected. */
	{ KT_PART_CAUSE_EXIT, "vmcb", VMCB_OF_CHOSEN, { "kt_inject" }, 0 },
	/* What records exits notes them for this as well. */
	{ KT_PART_CAUSE_EXIT, "btf", KT_NEEDS_CHOSEN, { "kt_trace_exit_c" }, RECORD },
	{ KT_PART_CAUSE_EXIT, "raw", KT_NEEDS_CHOSEN, { "kt_trace_exit_r" }, RECORD },
	{ KT_PART_CAUSE_EXIT, "btf", 0, { "kt_exit_note" }, 0 },
	{ KT_PART_CAUSE_EXIT, "raw", 0, { "kt_exit_note_r" }, 0 },
	/* Likewise which MSR it was is still in the guest's registers. */
	{ KT_PART_CAUSE_MSR, "vmcb", VMCB_OF_CHOSEN, { "kt_inject" }, 0 },
	{ KT_PART_CAUSE_MSR, "btf", 0, { "kt_msr" }, 0 },
	{ KT_PART_CAUSE_MSR, "raw", 0, { "kt_msr_r" }, 0 },
	{ KT_PART_CAUSE_CR, "btf", 0, { "kt_cr" }, 0 },
	{ KT_PART_CAUSE_CR, "raw", 0, { "kt_cr_r" }, 0 },
	{ KT_PART_CAUSE_INSN, "btf", 0, { "kt_emulate" }, 0 },
	{ KT_PART_CAUSE_INSN, "raw", 0, { "kt_emulate_r" }, 0 },
	{ KT_PART_ASYNC_PF, "btf", 0, { "kt_async_pf" }, 0 },
	{ KT_PART_ASYNC_PF, "raw", 0, { "kt_async_pf_r" }, 0 },
	/* What records exits ends their faults as well. */
	{ KT_PART_FAULTS, "btf", KT_NEEDS_CHOSEN, { "kt_trace_entry", "kt_fault" }, RECORD },
	{ KT_PART_FAULTS,
	  "btf-old",
	  KT_NEEDS_CHOSEN,
	  { "kt_trace_entry", "kt_fault_old" },
	  RECORD },
	{ KT_PART_FAULTS, "raw", KT_NEEDS_CHOSEN, { "kt_trace_entry_r", "kt_fault_r" }, RECORD },
	{ KT_PART_FAULTS,
	  "raw-old",
	  KT_NEEDS_CHOSEN,
	  { "kt_trace_entry_r", "kt_fault_old" },
	  RECORD },
	{ KT_PART_FAULTS,
	  "btf",
	  KT_NEEDS_ENTRIES,
	  { "kt_fault_entry", "kt_fault_exit", "kt_fault" },
	  0 },
	{ KT_PART_FAULTS,
	  "raw",
	  KT_NEEDS_ENTRIES,
	  { "kt_fault_entry_r", "kt_fault_exit_r", "kt_fault_r" },
	  0 },
	{ KT_PART_FAULTS,
	  "raw-old",
	  KT_NEEDS_ENTRIES,
	  { "kt_fault_entry_r", "kt_fault_exit_r", "kt_fault_old" },
	  0 },
	{ KT_PART_REGIONS, "btf", 0, { "kt_fault_entry", "kt_fault_exit", "kt_fault_region" }, 0 },
	{ KT_PART_REGIONS, "raw", 0, { "kt_fault_entry_r", "kt_fault_exit_r", "kt_fault_r" }, 0 },
	{ KT_PART_REGIONS,
	  "raw-old",
	  0,
	  { "kt_fault_entry_r", "kt_fault_exit_r", "kt_fault_old" },
	  0 },
	{ KT_PART_TRACE_MSR, "raw", 0, { "kt_trace_msr" }, 0 },
	{ KT_PART_TRACE_PIO, "raw", 0, { "kt_trace_pio" }, 0 },
	{ KT_PART_TRACE_MMIO, "raw", 0, { "kt_trace_mmio" }, 0 },
	{ KT_PART_TRACE_FAST_MMIO, "raw", 0, { "kt_trace_fast_mmio" }, 0 },
	{ KT_PART_TRACE_CR, "raw", 0, { "kt_trace_cr" }, 0 },
	{ KT_PART_TRACE_CPUID, "raw", 0, { "kt_trace_cpuid" }, 0 },
	{ KT_PART_TRACE_HYPERCALL, "raw", 0, { "kt_trace_hypercall" }, 0 },
	{ KT_PART_TRACE_EMULATE, "raw", 0, { "kt_trace_emulate" }, 0 },
	{ KT_PART_TRACE_IRQ, "raw", 0, { "kt_trace_irq" }, 0 },
	{ KT_PART_TRACE_IRQ, "raw-1arg", 0, { "kt_trace_irq1" }, 0 },
	{ KT_PART_TRACE_USER, "raw", 0, { "kt_trace_fpu", "kt_trace_user" }, 0 },
	{ KT_PART_TRACE_WAKEUP, "raw", 0, { "kt_trace_wakeup" }, 0 },
	{ KT_PART_TRACE_HALT_POLL, "raw", 0, { "kt_trace_halt_poll" }, 0 },
	{ KT_PART_VCPUS, "files", 0, { "kt_list_vcpus" }, 0 },
};
const u32 kt_way_count = KT_ARRAY_SIZE(kt_ways);
_Static_assert(KT_ARRAY_SIZE(kt_ways) <= KT_WAYS_MAX, "one bit for each way");

static const struct {
	const char *name, *text;
} classes[KT_EVENT_CLASS_COUNT] = {
#define CLASS(number, name, text) [KT_CLASS_##number] = { name, text },
	KT_EVENT_CLASSES(CLASS)
#undef CLASS
};

const char *kt_event_class_name(enum kt_event_class class)
{
	return classes[class].name;
}

const char *kt_event_class_text(enum kt_event_class class)
{
	return classes[class].text;
}

int kt_program_find(const char *name)
{
	for (u32 i = 0; i < kt_program_count; i++)
		if (strcmp(kt_programs[i].name, name) == 0)
			return i;
	return -1;
}
