/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Numbers to names: pure functions over data tables (decode/tables). An unknown number is never an
 * error: names are NULL then and formatters print the number. Names are spelled as the kernel's
 * UAPI headers, the Intel SDM and the AMD APM do, upper case: "EPT_VIOLATION", "NPF", "#GP",
 * "IA32_TSC_AUX".
 */
#ifndef KT_DECODE_H
#define KT_DECODE_H

#include "../lib/str.h"
#include "../lib/util.h"

/* The isa argument of kvm_exit (KVM_ISA_VMX, KVM_ISA_SVM); the set is open. */
enum kt_isa { KT_ISA_UNKNOWN = 0, KT_ISA_VMX = 1, KT_ISA_SVM = 2 };
const char *kt_isa_name(u32 isa); /* "vmx", "svm", else "unknown" */

/* ---- exit reasons (vmx.h, svm.h) ---- */
#define KT_VMX_FAILED_VMENTRY (1u << 31)
#define KT_VMX_ENCLAVE	      (1u << 27)
#define KT_VMX_BUS_LOCK	      (1u << 26)
/*
 * Name of the exit: VMX looks at the basic reason (low 16 bits) only. NULL when unknown. The
 * vendors call the same act differently (IO_INSTRUCTION and IOIO, EPT_VIOLATION and NPF); both
 * names stay.
 */
const char *kt_exit_name(u32 isa, u32 code);
/*
 * Appends the name, VMX flag bits split off ("INVALID_STATE|FAILED_VMENTRY", ascending, those
 * without a name as one "|0x…" last); "0x…", the whole code, when unknown.
 */
void kt_exit_add(struct kt_str *s, u32 isa, u32 code);
/* HLT, whatever the vendor calls it: the time of these is idleness, not work. */
bool kt_exit_is_halt(u32 isa, u32 code);
/*
 * --reason NAME: looks NAME up (any case; the kernel's spellings, such as "npf", "UD excp" or
 * "idle-halt", too) in both tables. Sets of *vmx and *svm what exists; returns 1 << KT_ISA_VMX or
 * 1 << KT_ISA_SVM or both or'ed, 0 when no table has it. A number, decimal or 0x…, is good for
 * both, known or not. What lands in *vmx is a basic reason: compare the low 16 bits of an exit's.
 */
u32 kt_exit_parse(const char *name, u32 *vmx, u32 *svm);
/* Appends up to max names near to a misspelt one, comma-separated; nothing when none is near. */
void kt_exit_suggest(struct kt_str *s, const char *name, unsigned int max);

/* ---- exits to user space (KVM_EXIT_*, kvm.h) ---- */
const char *kt_user_exit_name(u32 reason); /* "SHUTDOWN", "INTERNAL_ERROR", …; NULL */

/* ---- exceptions ---- */
const char *kt_vector_name(u32 vector); /* "#DE", "#GP", …; NULL */
bool kt_vector_has_error_code(u32 vector);
/* "13", "0xd", "GP", "#gp" to 0..31. Returns 0 or -EINVAL. "XF" is #XM, the APM's name for it. */
int kt_vector_parse(const char *text, u32 *vector);
/*
 * The bits that are set in an exception's error code, as names: #PF "present" "write" "user" "rsvd"
 * "fetch" …, as kt_pferr_names(); selector errors (#TS #NP #SS #GP) "ext" and "idt"/"gdt"/"ldt"
 * with "index=N", nothing for 0, which names no selector; #CP "near-ret" "endbranch" …; others
 * none. Each name is handed to add(ctx, name) and is good during that call only.
 */
typedef void (*kt_name_fn)(void *ctx, const char *name);
void kt_error_code_names(u32 vector, u32 error_code, kt_name_fn add, void *ctx);

/* ---- guest memory faults (kvm_page_fault's error_code) ---- */
/*
 * SVM nested page faults and shadow paging: PFERR_* bits, 64 bits wide. First "present" or
 * "not-present", then "read", "write" or "fetch", then "user" or "supervisor", then what else is
 * set ("rsvd", "guest-final" …); bits without a name come last as one "0x…".
 */
void kt_pferr_names(u64 error_code, kt_name_fn add, void *ctx);
/*
 * VMX EPT violations: the exit qualification. First "present" or "not-present" (no permission in
 * the entry), then the bits, "read" "write" "fetch" (of the access) "readable" "writable"
 * "executable" (of the entry) …, last "guest-final" or "guest-page": the same two words as SVM's,
 * for the access itself and for the walk of the guest's page tables.
 */
void kt_ept_names(u64 qualification, kt_name_fn add, void *ctx);
/* The one or the other: the exit says whether the error code is an EPT exit qualification. */
void kt_fault_names(u32 isa, u32 exit_code, u64 error_code, kt_name_fn add, void *ctx);
/* What kind of access it was, by the right table. */
enum kt_access { KT_ACCESS_READ, KT_ACCESS_WRITE, KT_ACCESS_FETCH, KT_ACCESS_COUNT };
enum kt_access kt_pferr_access(u64 error_code);
enum kt_access kt_ept_access(u64 qualification);
const char *kt_access_name(enum kt_access access); /* "read" "write" "fetch" */

/* ---- MSRs, ports, control registers ---- */
/* Appends the MSR's name; ranges are computed ("IA32_MC3_STATUS", "X2APIC_TPR"). False: unknown. */
bool kt_msr_add(struct kt_str *s, u32 index);
/* The MSR that kt_msr_add() calls so, in any case. */
bool kt_msr_parse(const char *name, u32 *index);
/* "PIC1 command", "serial COM1 data", "CMOS index", "PCI config address", …; NULL */
const char *kt_port_name(u16 port);

/* What an exit says of the access that caused it, unpacked from info1 (and info2). */
struct kt_io_access {
	u16 port;
	u8 size; /* bytes; 0: the exit does not say */
	bool in, string, rep;
};
/* True when the exit is an I/O instruction (VMX 30, SVM IOIO). */
bool kt_exit_io(u32 isa, u32 code, u64 info1, struct kt_io_access *io);
struct kt_cr_access {
	u8 cr, gpr; /* gpr: register number, 0xff when not known */
	bool write;
	const char *kind; /* "mov", "clts", "lmsw"; "": SVM does not say which */
};
/* True when the exit is a control-register access (VMX 28; SVM 0x00..0x1f, 0x65). */
bool kt_exit_cr(u32 isa, u32 code, u64 info1, struct kt_cr_access *cr);
/* True when the exit is an RDMSR or WRMSR (VMX 31, 32, 84, 85; SVM 0x7c). */
bool kt_exit_msr(u32 isa, u32 code, u64 info1, bool *write);
/*
 * True when the exit is a guest memory fault whose address is a GPA (EPT violation, misconfig,
 * NPF).
 */
bool kt_exit_is_gpa_fault(u32 isa, u32 code);

#endif
