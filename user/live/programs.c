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
	{ "kt_exit_note", KT_ON_CLASSIC, KT_TP_kvm_exit, KVM_TYPES, NULL, EXIT_RECORD, NULL },
	{ "kt_exit_note_r", KT_ON_CLASSIC, KT_TP_kvm_exit, 0, NULL, EXIT_RECORD, NULL },
	{ "kt_exit_end", KT_ON_BTF, KT_TP_kvm_entry, KVM_TYPES, "v", NULL, NULL },
	{ "kt_exit_end_r", KT_ON_RAW, KT_TP_kvm_entry, 0, "v", NULL, NULL },
	{ "kt_exit_begin", KT_ON_BTF, KT_TP_kvm_exit, REASON, "v4", NULL, NULL },
	/* Until 5.15 the exit reason was the first of three arguments. */
	{ "kt_exit_begin_r3", KT_ON_RAW, KT_TP_kvm_exit, 0, "4v4", NULL, NULL },
	{ "kt_exit_begin_r", KT_ON_CLASSIC, KT_TP_kvm_exit, 0, NULL, EXIT_RECORD, NULL },
	{ "kt_fault_entry", KT_ON_BTF, KT_TP_kvm_entry, KVM_TYPES, "v", NULL, NULL },
	{ "kt_fault_entry_r", KT_ON_RAW, KT_TP_kvm_entry, 0, "v", NULL, NULL },
	{ "kt_fault_exit", KT_ON_BTF, KT_TP_kvm_exit, REASON, "v4", NULL, NULL },
	{ "kt_fault_exit_r", KT_ON_CLASSIC, KT_TP_kvm_exit, 0, NULL, EXIT_RECORD, NULL },
	{ "kt_fault", KT_ON_CLASSIC, KT_TP_kvm_page_fault, KVM_TYPES, NULL, FAULT_RECORD, NULL },
	{ "kt_fault_region", KT_ON_BTF, KT_TP_kvm_page_fault, KVM_TYPES, "v88", NULL, NULL },
	{ "kt_fault_r", KT_ON_CLASSIC, KT_TP_kvm_page_fault, 0, NULL, FAULT_RECORD, NULL },
	{ "kt_fault_old", KT_ON_CLASSIC, KT_TP_kvm_page_fault, 0, NULL, OLD_FAULT_RECORD,
	  "vcpu_id" },
	{ "kt_msr", KT_ON_BTF, KT_TP_kvm_msr, KVM_TYPES, "448b", NULL, NULL },
	{ "kt_msr_r", KT_ON_RAW, KT_TP_kvm_msr, 0, "448b", NULL, NULL },
	{ "kt_cr", KT_ON_BTF, KT_TP_kvm_cr, KVM_TYPES, "448", NULL, NULL },
	{ "kt_cr_r", KT_ON_RAW, KT_TP_kvm_cr, 0, "448", NULL, NULL },
	{ "kt_emulate", KT_ON_CLASSIC, KT_TP_kvm_emulate_insn, KVM_TYPES, NULL, EMULATE_RECORD,
	  NULL },
	{ "kt_emulate_r", KT_ON_CLASSIC, KT_TP_kvm_emulate_insn, 0, NULL, EMULATE_RECORD, NULL },
	{ "kt_async_pf", KT_ON_BTF, KT_TP_kvm_async_pf_not_present, KVM_TYPES, "88", NULL, NULL },
	{ "kt_async_pf_r", KT_ON_RAW, KT_TP_kvm_async_pf_not_present, 0, "88", NULL, NULL },
	{ "kt_inject", KT_ON_BTF, KT_TP_kvm_inj_exception, KVM_TYPES, "4b4b", NULL, NULL },
	{ "kt_inject_r", KT_ON_RAW, KT_TP_kvm_inj_exception, 0, "4b4b", "reinjected:16:1", NULL },
	{ "kt_inject_r3", KT_ON_RAW, KT_TP_kvm_inj_exception, 0, "4b4", "exception:8:1",
	  "reinjected" },
	{ "kt_list_vcpus", KT_ON_FILES, -1, 0, NULL, NULL, NULL },
};
const u32 kt_program_count = KT_ARRAY_SIZE(kt_programs);
_Static_assert(KT_ARRAY_SIZE(kt_programs) <= KT_PROGRAMS_MAX, "one bit for each program");

#define EXITS	   (1u << KT_VIEW_EXITS)
#define EXCEPTIONS (1u << KT_VIEW_EXCEPTIONS)
#define FAULTS	   (1u << KT_VIEW_FAULTS)
#define REGIONS	   (1u << KT_VIEW_REGIONS)
#define VCPUS	   (1u << KT_VIEW_VCPUS)

const struct kt_part_of_view kt_parts[KT_PART_COUNT] = {
	[KT_PART_EXITS] = { EXITS, false },
	[KT_PART_EXCEPTIONS] = { EXCEPTIONS, false },
	[KT_PART_CAUSE_EXIT] = { EXCEPTIONS, true },
	[KT_PART_CAUSE_MSR] = { EXCEPTIONS, true },
	[KT_PART_CAUSE_CR] = { EXCEPTIONS, true },
	[KT_PART_CAUSE_INSN] = { EXCEPTIONS, true },
	[KT_PART_ASYNC_PF] = { EXCEPTIONS, true },
	[KT_PART_FAULTS] = { FAULTS, false },
	[KT_PART_REGIONS] = { REGIONS, false },
	[KT_PART_VCPUS] = { EXITS | EXCEPTIONS | FAULTS | REGIONS | VCPUS, false },
};

const struct kt_way kt_ways[] = {
	{ KT_PART_EXITS, "btf", 0, { "kt_exit_end", "kt_exit_begin" } },
	{ KT_PART_EXITS, "raw-3arg", 0, { "kt_exit_end_r", "kt_exit_begin_r3" } },
	{ KT_PART_EXITS, "raw", 0, { "kt_exit_end_r", "kt_exit_begin_r" } },
	{ KT_PART_EXCEPTIONS, "btf", 0, { "kt_inject" } },
	{ KT_PART_EXCEPTIONS, "raw", 0, { "kt_inject_r" } },
	{ KT_PART_EXCEPTIONS, "raw-3arg", 0, { "kt_inject_r3" } },
	/* On SVM the exit is still in memory when an exception is injected. */
	{ KT_PART_CAUSE_EXIT, "vmcb", KT_NEEDS_VMCB, { "kt_inject" } },
	{ KT_PART_CAUSE_EXIT, "btf", 0, { "kt_exit_note" } },
	{ KT_PART_CAUSE_EXIT, "raw", 0, { "kt_exit_note_r" } },
	/* Likewise which MSR it was is still in the guest's registers. */
	{ KT_PART_CAUSE_MSR, "vmcb", KT_NEEDS_VMCB, { "kt_inject" } },
	{ KT_PART_CAUSE_MSR, "btf", 0, { "kt_msr" } },
	{ KT_PART_CAUSE_MSR, "raw", 0, { "kt_msr_r" } },
	{ KT_PART_CAUSE_CR, "btf", 0, { "kt_cr" } },
	{ KT_PART_CAUSE_CR, "raw", 0, { "kt_cr_r" } },
	{ KT_PART_CAUSE_INSN, "btf", 0, { "kt_emulate" } },
	{ KT_PART_CAUSE_INSN, "raw", 0, { "kt_emulate_r" } },
	{ KT_PART_ASYNC_PF, "btf", 0, { "kt_async_pf" } },
	{ KT_PART_ASYNC_PF, "raw", 0, { "kt_async_pf_r" } },
	{ KT_PART_FAULTS, "btf", 0, { "kt_fault_entry", "kt_fault_exit", "kt_fault" } },
	{ KT_PART_FAULTS, "raw", 0, { "kt_fault_entry_r", "kt_fault_exit_r", "kt_fault_r" } },
	{ KT_PART_FAULTS, "raw-old", 0, { "kt_fault_entry_r", "kt_fault_exit_r", "kt_fault_old" } },
	{ KT_PART_REGIONS, "btf", 0, { "kt_fault_entry", "kt_fault_exit", "kt_fault_region" } },
	{ KT_PART_REGIONS, "raw", 0, { "kt_fault_entry_r", "kt_fault_exit_r", "kt_fault_r" } },
	{ KT_PART_REGIONS,
	  "raw-old",
	  0,
	  { "kt_fault_entry_r", "kt_fault_exit_r", "kt_fault_old" } },
	{ KT_PART_VCPUS, "files", 0, { "kt_list_vcpus" } },
};
const u32 kt_way_count = KT_ARRAY_SIZE(kt_ways);
_Static_assert(KT_ARRAY_SIZE(kt_ways) <= KT_WAYS_MAX, "one bit for each way");

int kt_program_find(const char *name)
{
	for (u32 i = 0; i < kt_program_count; i++)
		if (strcmp(kt_programs[i].name, name) == 0)
			return i;
	return -1;
}
