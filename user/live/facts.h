/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Facts about a host, as plain data: gathered by caps.c or read from a file, decided upon by plan.c,
 * shown by doctor. The list is facts.def; here come the tables that have more than one column.
 */
#ifndef KT_LIVE_FACTS_H
#define KT_LIVE_FACTS_H

#include <stdio.h>

#include "../lib/str.h"
#include "../lib/util.h"

#define KT_FACT_TEXT  64
#define KT_PROTO_LEN  16
#define KT_RECORD_LEN 448

/* Order and spelling as kt_words_* in facts.c. 0 is what is not known. */
enum { KT_UNKNOWN };
enum kt_yes { KT_NO = 1, KT_YES };
enum kt_can { KT_CAN = 1, KT_CANNOT, KT_DENIED_HERE };
enum kt_isa_word { KT_CPU_NONE = 1, KT_CPU_VMX, KT_CPU_SVM };
enum kt_kvm_kind { KT_KVM_ABSENT = 1, KT_KVM_BUILTIN, KT_KVM_MODULE };
enum kt_btf_state { KT_BTF_ABSENT = 1, KT_BTF_OK, KT_BTF_BROKEN };
enum kt_lockdown { KT_LOCKDOWN_NONE = 1, KT_LOCKDOWN_INTEGRITY, KT_LOCKDOWN_CONFIDENTIALITY };
enum kt_tracefs_state { KT_TRACEFS_ABSENT = 1, KT_TRACEFS_OK, KT_TRACEFS_DENIED };

/* Tracepoints of group kvm that some program uses, or will. */
#define KT_TRACEPOINTS(X)                                                                          \
	X(kvm_exit)                                                                                \
	X(kvm_entry)                                                                               \
	X(kvm_inj_exception)                                                                       \
	X(kvm_page_fault)                                                                          \
	X(kvm_msr)                                                                                 \
	X(kvm_cr)                                                                                  \
	X(kvm_emulate_insn)                                                                        \
	X(kvm_async_pf_not_present)                                                                \
	X(kvm_userspace_exit)                                                                      \
	X(kvm_pio)                                                                                 \
	X(kvm_mmio)                                                                                \
	X(kvm_fast_mmio)                                                                           \
	X(kvm_hypercall)                                                                           \
	X(kvm_cpuid)                                                                               \
	X(kvm_inj_virq)                                                                            \
	X(kvm_vcpu_wakeup)                                                                         \
	X(kvm_halt_poll_ns)                                                                        \
	X(kvm_fpu)

#define KT_TRACEPOINT_ENUM(name) KT_TP_##name,
enum kt_tracepoint { KT_TRACEPOINTS(KT_TRACEPOINT_ENUM) KT_TRACEPOINT_COUNT };

struct kt_tracepoint_facts {
	/*
	 * Arguments by BTF's btf_trace_NAME, a letter each, the data pointer left out: v struct
	 * kvm_vcpu *, p any other pointer, b bool or 8 bits, 2, 4, 8 bytes of integer; "" when no types tell;
	 * "-" when the types have no such tracepoint.
	 */
	char proto[KT_PROTO_LEN];
	/*
	 * Fields by tracefs' format, without the common ones: "NAME:OFFSET:SIZE" separated by a
	 * space; "" when tracefs could not be asked; "-" when it has no such event.
	 */
	char record[KT_RECORD_LEN];
};

/* Members of kernel structures: where their types are known, the size in bytes, else 0. */
#define KT_MEMBERS(X)                                                                              \
	X(task_struct, preempt_notifiers)                                                          \
	X(kvm, nr_memslot_pages)                                                                   \
	X(kvm_vcpu, preempt_notifier)                                                              \
	X(kvm_vcpu_stat, exits)                                                                    \
	X(kvm_vcpu_stat, guest_mode)                                                               \
	X(kvm_vcpu_arch, regs)                                                                     \
	X(kvm_vcpu_arch, rip)                                                                      \
	X(kvm_vcpu_arch, regs_avail)                                                               \
	X(kvm_vcpu_arch, cr2)                                                                      \
	X(kvm_vcpu_arch, guest_state_protected)                                                    \
	X(kvm_queued_exception, nr)                                                                \
	X(kvm_queued_exception, vector)                                                            \
	X(kvm_queued_exception, has_payload)                                                       \
	X(kvm_queued_exception, payload)                                                           \
	X(vcpu_svm, vmcb)                                                                          \
	X(vcpu_svm, vmcb01)                                                                        \
	X(vmcb_control_area, exit_code)                                                            \
	X(vcpu_vmx, exit_reason)                                                                   \
	X(vcpu_vmx, vt)                                                                            \
	X(vcpu_vt, exit_reason)

#define KT_MEMBER_ENUM(type, member) KT_M_##type##__##member,
enum kt_member { KT_MEMBERS(KT_MEMBER_ENUM) KT_MEMBER_COUNT };

struct kt_facts {
#define KT_TEXT(member, key, meaning)	     char member[KT_FACT_TEXT];
#define KT_NUM(member, key, meaning)	     u64 member;
#define KT_WORD(member, words, key, meaning) u32 member;
#include "facts.def"
#undef KT_TEXT
#undef KT_NUM
#undef KT_WORD
	struct kt_tracepoint_facts tracepoints[KT_TRACEPOINT_COUNT];
	u32 members[KT_MEMBER_COUNT];
};

/* Is the vendor module kvm_amd, or kvm_intel? Neither, it may be another, or not known. */
bool kt_facts_amd(const struct kt_facts *facts);
bool kt_facts_intel(const struct kt_facts *facts);

/* "kvm_exit"; "kvm_vcpu_arch.rip". */
const char *kt_tracepoint_name(enum kt_tracepoint tracepoint);
const char *kt_member_name(enum kt_member member);

/*
 * Calls fn for each fact in the order of the file: scalar facts, tracepoints ("tracepoint.kvm_exit.proto",
 * "….record"), members ("member.kvm_vcpu_arch.rip"). value is text as it stands in a file. meaning is
 * NULL but for scalar facts.
 */
typedef void (*kt_fact_fn)(void *ctx, const char *key, const char *value, const char *meaning);
void kt_facts_each(const struct kt_facts *facts, kt_fact_fn fn, void *ctx);

/*
 * The file: a first line "kvmtrace facts 1", then "KEY = VALUE" lines; # begins a comment line. What a
 * file doesn't mention is unknown (0, ""); unknown keys are skipped. kt_facts_parse() takes the whole
 * text, which need not be terminated. Returns 0, or -EINVAL with a sentence in *error (to be freed by
 * kt_str_free()) that names the line.
 */
void kt_facts_format(const struct kt_facts *facts, struct kt_str *text);
int kt_facts_parse(struct kt_facts *facts, const char *text, size_t len, struct kt_str *error);

#endif
