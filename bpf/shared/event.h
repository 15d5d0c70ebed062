/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the two sides hand each other: records on the rings, entries of the maps. */
#ifndef KT_SHARED_EVENT_H
#define KT_SHARED_EVENT_H

#include "cfg.h"
#include "hist.h"

#define KT_COMM_LEN 16
#define KT_INSN_LEN 15

/* ---- an exit, and what happens until the guest is entered again ---- */

/* The exit that is being handled, as kvm_exit's record gives it (same fields on every ISA). */
struct kt_exit_info {
	u64 info1, info2;
	u32 code;
	u32 isa;
	u32 intr_info;
	u32 error_code; /* of the event in intr_info */
};

/* What else was seen between that exit and now. */
struct kt_exit_detail {
	u64 value;  /* written to the MSR or CR */
	u32 number; /* of the MSR or CR */
	u8 flags;   /* KT_DETAIL_* */
	u8 insn_len;
	u8 insn[KT_INSN_LEN];
	u8 pad[3];
};

#define KT_DETAIL_MSR	      0x01 /* an access to an MSR that KVM refused: number, value valid */
#define KT_DETAIL_MSR_WRITE   0x02
#define KT_DETAIL_CR	      0x04 /* an access to a CR; never together with the above */
#define KT_DETAIL_CR_WRITE    0x08
#define KT_DETAIL_INSN	      0x40 /* kvm_emulate_insn, at the exception's RIP: insn valid */
#define KT_DETAIL_INSN_FAILED 0x80

/* Of a vCPU: what an exception that is injected now is put down to. */
struct kt_last_exit {
	u64 number; /* counts exits where a program on kvm_exit does; 0: none yet */
	/* The exit that .detail and what follows are of, and the one an exception was put down to. */
	u64 noted_at, used_at;
	u64 rip;
	struct kt_exit_info exit;
	struct kt_exit_detail detail;
	u64 insn_rip;
	u64 async_pf_token;
	u32 async_pf; /* .async_pf_token is valid */
	u32 noted;    /* .noted_at is valid, and there is something in .detail or .async_pf */
};

/* Of a vCPU: the fault that is being handled. */
struct kt_pending_fault {
	u64 ts; /* of the fault; unset with --hist, as is rip */
	u64 address;
	u64 error_code;
	u64 rip;
	u32 exit_code; /* valid if .isa is not 0 */
	u32 pending;
	u32 space; /* with --hist: KT_SPACE_* */
	u32 isa;   /* 0: the exit was not seen, and is not known */
};

/* ---- records of kvmtrace record, of which there may be a million a second ---- */

/* Their head. VM and thread are those of the slot, the CPU that of the ring. */
struct kt_brief {
	u64 ts;	       /* CLOCK_MONOTONIC, ns */
	u32 kind_slot; /* KT_BRIEF(); the lowest byte is where kt_head has its kind */
	u32 word;      /* by kind, as said below */
};

#define KT_BRIEF(kind, slot) ((slot) << 8 | (kind))
#define KT_BRIEF_KIND(b)     ((b)->kind_slot & 0xff)
#define KT_BRIEF_SLOT(b)     ((b)->kind_slot >> 8)
#define KT_BRIEF_SLOTS_MAX   (1u << 24)

/*
 * Exits of one vCPU, gathered in its entry and handed over some at a time. An exit takes five words, and
 * with KT_EXIT_LONG two more:
 *	when the guest was left, ns; RIP; duration, ns; reason, KT_EXIT_LONG, and the CPU; info1;
 *	info2; intr_info, and error_code in the upper half, as they are: valid or not
 * The last four are in the VMCB's order. A duration of 0: another exit came, without an entry that was seen.
 */
enum kt_exit_word {
	KT_EXIT_TS,
	KT_EXIT_RIP,
	KT_EXIT_DURATION,
	KT_EXIT_CODE,
	KT_EXIT_INFO1,
	KT_EXIT_WORDS,
	KT_EXIT_INFO2 = KT_EXIT_WORDS,
	KT_EXIT_EVENT,
	KT_EXIT_LONG_WORDS,
};

#define KT_EXIT_CPU_SHIFT 40
#define KT_EXIT_LONG	  (1ull << 32)
#define KT_BATCH_WORDS	  96

struct kt_exit_batch {
	struct kt_brief head; /* word: number of exits; ts: when it was handed over */
	u64 words[KT_BATCH_WORDS];
};

/* ---- vCPUs ---- */

/*
 * One entry for each vCPU seen. Only the thread that runs the vCPU writes it, user space reads it
 * (the map is mmapped) and writes .muted.
 */
struct kt_vcpu {
	u64 vcpu;    /* struct kvm_vcpu *, to recognise it; 0: the slot is free */
	u64 node;    /* address of vcpu->preempt_notifier.link */
	u64 exit_ts; /* ns of the exit that is being handled, or one of KT_EXIT_* */
	u32 vcpu_id;
	u32 tgid, tid;
	u32 isa;
	u32 exit_code;
	u32 exit_index;		  /* dense index of exit_code */
	u32 muted;		  /* filtered out: leave it alone */
	u32 protected;		  /* its registers are encrypted (SEV-ES) */
	u64 vendor_state;	  /* see bpf/vendor.bpf.h */
	u64 exit_rip, exit_info1; /* faults without the types of the kvm module only */
	/* record */
	u64 batched_since; /* ns */
	u32 batched; /* words that .batch has; behind them is the exit that is being handled */
	bool unwanted_exit; /* the one that is being handled is one that --reason leaves out */
	struct kt_exit_batch batch;
	struct kt_last_exit last;
	struct kt_pending_fault fault;
	u64 unpaired_entries;
	char comm[KT_COMM_LEN]; /* of the thread group's leader */
	/* exits: the number of the histogram for each reason, KT_NO_CELL: none yet */
	u32 cells[KT_REASONS];
	u32 odd_codes[KT_REASON_ODD];
};

#define KT_EXIT_NONE	    0ull /* in the guest */
#define KT_EXIT_FRESH	    1ull /* nothing seen yet: the first entry has no exit before it */
#define KT_EXIT_FILTERED    2ull /* an exit that --reason doesn't want */
#define KT_EXIT_IS_TIME(ts) ((ts) > KT_EXIT_FILTERED)

/* ---- exits: one histogram for each vCPU and reason, taken from a pool when first needed ---- */

/* Minimum and maximum of one interval: min, and max - min. */
struct kt_extremes {
	u64 min, span;
	u32 epoch; /* kt_control.epoch in which they were taken; 0: never */
	u32 pad;
};

struct kt_cell {
	u32 slot; /* index of the vCPU, and of the reason there: tells user space whose it is */
	u32 index;
	u32 code;
	u32 isa;
	u64 unpaired; /* exits that no entry followed */
	u64 total_ns; /* of those that have a time; their number is the sum of the buckets */
	u64 squares_lo, squares_hi;	/* sum of the squared times, 128 bits */
	struct kt_extremes now, before; /* of this interval and of the last one that had an exit */
	u64 buckets[KT_EXIT_BUCKETS];
};

/*
 * Histograms 1 .. KT_CELLS-1 lie in an array, handed out from a queue. When they are used up, the
 * kernel makes one at a time in a hash table, under the number KT_CELLS + slot * KT_REASONS + index:
 * dearer to find, but memory is taken only as it is needed.
 */
#define KT_CELLS      4096
#define KT_MORE_CELLS 131072
#define KT_NO_CELL    0u

/* ---- faults --hist ---- */

struct kt_region_key {
	u64 region; /* address >> KT_REGION_SHIFT */
	u32 tgid;
	u32 space; /* KT_SPACE_* */
};

#define KT_REGION_SHIFT 21

#define KT_SPACE_NPT 0u /* a guest physical address, SVM's error code */
#define KT_SPACE_EPT 1u /* a guest physical address, VMX's exit qualification */
#define KT_SPACE_GVA 2u /* a guest virtual address and a #PF's error code: shadow paging */

/*
 * Faults are told apart by what matters of their error code. NPT, GVA: its five low bits (present, write,
 * user, reserved, fetch). EPT: read, write, fetch, and whether anything was permitted.
 */
#define KT_FAULT_CLASSES   32
#define KT_CLASS_PERMITTED 8u

/*
 * Each region has one place in an array, neighbours next to each other; the first that turns up there gets
 * it for good. Those that come too late are looked for in a hash table, which costs more.
 */
#define KT_NEAR_REGIONS 2048

static inline __attribute__((always_inline)) u32 kt_region_place(const struct kt_region_key *key)
{
	return (key->region + key->tgid * 0x9e3779b1u) % KT_NEAR_REGIONS;
}

struct kt_region {
	u64 total_ns;
	u64 classes[KT_FAULT_CLASSES];
	u64 buckets[KT_REGION_BUCKETS]; /* of those whose exit was seen to end */
};

struct kt_near_region {
	struct kt_region sums;
	struct kt_region_key key; /* .tgid 0: nobody's yet */
};

/* ---- records ---- */

enum kt_kind {
	KT_KIND_EXCEPTION = 1,
	KT_KIND_FAULT,
	KT_KIND_VCPU, /* notice: a vCPU was met for the first time */
	/* From here on: struct kt_brief. */
	KT_KIND_EXITS,
	KT_KIND_MSR,
	KT_KIND_PIO,
	KT_KIND_MMIO,
	KT_KIND_CR,
	KT_KIND_CPUID,
	KT_KIND_HYPERCALL,
	KT_KIND_EMULATE,
	KT_KIND_INJECT_IRQ,
	KT_KIND_USERSPACE_EXIT,
	KT_KIND_USERSPACE_EXIT_LONG,
	KT_KIND_HALT_POLL,
	KT_KIND_WAKEUP,
};

struct kt_head {
	u64 ts; /* CLOCK_MONOTONIC, ns */
	u32 kind;
	u32 cpu;
	u32 tgid, tid; /* the vCPU's thread */
	u32 vcpu_id;   /* KT_NO_VCPU: not known */
	u32 pad;
};

struct kt_exception {
	struct kt_head head;
	u64 rip;
	u64 address; /* CR2 of a #PF, or the token of an async page fault */
	u32 error_code;
	u8 vector;
	u8 flags; /* KT_EXC_* */
	u16 pad;
	struct kt_exit_info exit;     /* zeros without KT_EXC_EXIT */
	struct kt_exit_detail detail; /* .flags says what is valid */
};

#define KT_EXC_ERROR_CODE 0x01
#define KT_EXC_ADDRESS	  0x02
#define KT_EXC_ASYNC_PF	  0x04
#define KT_EXC_REINJECTED 0x08
#define KT_EXC_RIP	  0x10
#define KT_EXC_EXIT	  0x20 /* .exit is valid */
#define KT_EXC_PROTECTED  0x40 /* the guest's state is encrypted: no registers */

struct kt_fault {
	struct kt_head head;
	u64 address;
	u64 error_code;
	u64 rip;
	u64 duration; /* ns from the exit to the next entry; 0: not known */
	u32 exit_code;
	u32 isa;
	u32 flags; /* KT_FAULT_* */
	u32 pad;
};

#define KT_FAULT_EXIT 0x01 /* exit_code, isa valid */

struct kt_notice {
	struct kt_head head;
	u32 slot;
	u32 pad;
	char comm[KT_COMM_LEN];
};

/* ---- records of kvmtrace record: what happens on the way ---- */

struct kt_brief_msr {
	struct kt_brief head; /* word: index of the MSR */
	u64 value;
	u32 flags; /* 1: write, 2: refused */
	u32 pad;
};

struct kt_brief_pio {
	struct kt_brief head; /* word: port, size << 16, 1 << 24 for OUT */
	u32 count;
	u32 value; /* of the first item */
};

struct kt_brief_mmio {
	struct kt_brief head; /* word: size, access << 16 */
	u64 gpa, value;
};

#define KT_MMIO_FAST 3u /* the access of kvm_fast_mmio, which has no value and no size */

struct kt_brief_cr {
	struct kt_brief head; /* word: number, 1 << 8 for a write */
	u64 value;
};

struct kt_brief_cpuid {
	struct kt_brief head; /* word: leaf */
	u32 index;
	u32 eax, ebx, ecx, edx;
	u32 flags; /* 1: found, 2: the highest basic leaf's answer */
};

struct kt_brief_hypercall {
	struct kt_brief head; /* word: unused */
	u64 nr, args[4];
};

struct kt_brief_emulate {
	struct kt_brief head; /* word: base of the code segment */
	u64 rip;
	u8 insn[KT_INSN_LEN];
	u8 insn_len;
	u8 flags, failed;
	u8 pad[6];
};

struct kt_brief_irq {
	struct kt_brief head; /* word: vector, 1 << 8 for software's, 1 << 9 for a re-injection */
};

#define KT_RUN_BYTES 48 /* of what struct kvm_run has for a reason, from offset 32 on */

struct kt_brief_user {
	struct kt_brief head; /* word: KVM_EXIT_* */
	s32 error;
	u32 pad;
};

struct kt_brief_user_long {
	struct kt_brief_user exit;
	u8 run[KT_RUN_BYTES];
};

struct kt_brief_halt_poll {
	struct kt_brief head;	/* word: 1: grows */
	u32 poll_new, poll_old; /* ns */
};

struct kt_brief_wakeup {
	struct kt_brief head; /* word: 1: waited, 2: polling was right */
	u64 duration;	      /* ns */
};

/* One vCPU as the task_file iterator finds it. */
struct kt_vcpu_found {
	u64 vcpu, kvm;	   /* addresses */
	u64 memslot_pages; /* guest memory, 4 KiB pages; 0: not known */
	u32 tgid, tid;
	u32 vcpu_id;
	u32 pad;
};

#endif
