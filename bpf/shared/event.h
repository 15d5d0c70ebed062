/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the two sides hand each other: records on the rings, entries of the maps. */
#ifndef KT_SHARED_EVENT_H
#define KT_SHARED_EVENT_H

#include "cfg.h"
#include "hist.h"

#define KT_COMM_LEN 16
#define KT_INSN_LEN 15

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
	u32 exit_index; /* dense index of exit_code */
	u32 muted;	/* filtered out: leave it alone */
	u32 pad;
	u64 vendor_state;	  /* see bpf/vendor.bpf.h */
	u64 exit_rip, exit_info1; /* faults without the types of the kvm module only */
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
#define KT_CELLS      1024
#define KT_MORE_CELLS 131072
#define KT_NO_CELL    0u

/* ---- faults --hist ---- */

struct kt_region_key {
	u64 region; /* address >> KT_REGION_SHIFT */
	u32 tgid;
	u32 gva; /* 1: a guest virtual address (shadow paging), 0: a guest physical one */
};

#define KT_REGION_SHIFT 21

struct kt_region {
	u64 count; /* of faults */
	u64 timed; /* of those whose exit was seen to end */
	u64 total_ns;
	u64 access[3]; /* read, write, fetch */
	u64 present;   /* of these, faults on a translation that was present: permissions */
	u64 mmio;      /* reserved-bit faults: emulated MMIO (SVM) */
	u32 buckets[KT_REGION_BUCKETS];
};

struct kt_pending_fault {
	u64 ts; /* of the fault; unset with --hist, as is rip */
	u64 address;
	u64 error_code;
	u64 rip;
	u32 pending;
	u32 pad;
};

/* ---- records ---- */

enum kt_kind {
	KT_KIND_EXCEPTION = 1,
	KT_KIND_FAULT,
	KT_KIND_VCPU, /* notice: a vCPU was met for the first time */
};

struct kt_head {
	u64 ts; /* CLOCK_MONOTONIC, ns */
	u32 kind;
	u32 cpu;
	u32 tgid, tid; /* the vCPU's thread */
	u32 vcpu_id;   /* KT_NO_VCPU: not known */
	u32 pad;
};

/* The exit that is being handled, as kvm_exit's record gives it (same fields on every ISA). */
struct kt_exit_info {
	u64 rip;
	u64 info1, info2;
	u32 code;
	u32 isa;
	u32 intr_info;
	u32 error_code;
};

/* What else was seen between that exit and now. */
struct kt_exit_detail {
	u64 msr_value;
	u64 cr_value;
	u64 insn_rip;
	u64 async_pf_token;
	u32 msr;
	u8 cr;
	u8 flags;    /* KT_DETAIL_* */
	u8 async_pf; /* async_pf_token valid */
	u8 insn_len;
	u8 insn[KT_INSN_LEN];
	u8 pad[1];
};

#define KT_DETAIL_MSR	      0x01 /* kvm_msr with exception=1: msr, msr_value valid */
#define KT_DETAIL_MSR_WRITE   0x02
#define KT_DETAIL_CR	      0x04
#define KT_DETAIL_CR_WRITE    0x08
#define KT_DETAIL_INSN	      0x40 /* kvm_emulate_insn: insn_rip, insn valid */
#define KT_DETAIL_INSN_FAILED 0x80

struct kt_exception {
	struct kt_head head;
	u64 rip;
	u64 address; /* CR2 of a #PF, or the token of an async page fault */
	u32 error_code;
	u8 vector;
	u8 flags; /* KT_EXC_* */
	u16 pad;
	struct kt_exit_info exit;
	struct kt_exit_detail detail;
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

/* One vCPU as the task_file iterator finds it. */
struct kt_vcpu_found {
	u64 vcpu, kvm;	   /* addresses */
	u64 memslot_pages; /* guest memory, 4 KiB pages; 0: not known */
	u32 tgid, tid;
	u32 vcpu_id;
	u32 pad;
};

#endif
