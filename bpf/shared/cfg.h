/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What user space decides before the programs are loaded (.rodata), and the counters they keep. */
#ifndef KT_SHARED_CFG_H
#define KT_SHARED_CFG_H

#include "hist.h"
#include "types.h"

#define KT_NO_PID  0u
#define KT_NO_VCPU 0xffffffffu

/* Two vCPUs in one place of a cache take the slow path all the time: room makes that rare. */
#define KT_CACHE_BITS	14
#define KT_CACHE_PLACES (1u << KT_CACHE_BITS)

/* Exit reasons have a dense index each, so that a table can be indexed without a search:
 * the codes below 0x100 (all of VMX's basic reasons, nearly all of SVM's) as they are, SVM's 0x400
 * family behind them. Anything else (SVM_EXIT_ERR, VMX reasons with flag bits, codes of the future)
 * is odd: looked for in a short list that each vCPU has.
 */
#define KT_REASON_LOW	     0x100u
#define KT_REASON_SVM_HIGH   0x400u
#define KT_REASON_HIGH	     0x10u
#define KT_REASON_DENSE	     (KT_REASON_LOW + KT_REASON_HIGH)
#define KT_REASON_ODD	     16u
#define KT_REASONS	     (KT_REASON_DENSE + KT_REASON_ODD)
#define KT_REASON_WORDS	     ((KT_REASON_DENSE + 63) / 64)
#define KT_REASON_ODD_WANTED 8u /* for either ISA, how many --reason may name */

/* KT_REASON_DENSE: none, the code is odd. */
static inline __attribute__((always_inline)) u32 kt_reason_index(u32 code)
{
	if (code < KT_REASON_LOW)
		return code;
	if (code - KT_REASON_SVM_HIGH < KT_REASON_HIGH)
		return code - KT_REASON_SVM_HIGH + KT_REASON_LOW;
	return KT_REASON_DENSE;
}

/*
 * Numbers in vmlinux's BTF of the types that bpf/read.bpf.h takes memory for, all of them or zeros. In a
 * section of their own, .rodata.types: they depend on the kernel, not on what the user wants.
 */
struct kt_type_numbers {
	u32 kvm_vcpu, timespec64, itimerspec64, upid;
};

struct kt_cfg {
	u32 tgid;	   /* only this process, KT_NO_PID: all */
	u32 vcpu_id;	   /* only this vCPU, KT_NO_VCPU: all */
	u32 vectors;	   /* bit mask of exception vectors to report */
	bool reinjected;   /* report re-injected exceptions as well */
	bool regions;	   /* faults: add up by region instead of one record each */
	bool exit_in_vmcb; /* exceptions: no program on kvm_exit, SVM keeps the exit in memory */
	bool protected_guests; /* this host may run some whose registers are encrypted */
	bool no_kvm_types;     /* record: the current vCPU is found without them */
	bool exits_traced;     /* record: exits are among it */
	bool by_reason;	       /* only exits whose bit is set below */
	/* For either ISA, by dense index; [0] VMX, [1] SVM. Odd codes pass if odd[] lists them. */
	u64 reasons[2][KT_REASON_WORDS];
	u32 odd_reasons[2][KT_REASON_ODD_WANTED];
	u32 odd_reason_count[2];
	u8 buckets[KT_BUCKET_TABLE]; /* see hist.h */
};

/* Global counters, in .bss. Only rare events touch them, so that they may be shared and atomic. */
struct kt_counters {
	u64 exits_without_vcpu_slot; /* exits of vCPUs beyond the capacity */
	u64 exits_without_cell;	     /* exits for which no histogram was free */
	u64 faults_without_vcpu_slot;
	u64 events_without_vcpu_slot; /* record: of vCPUs beyond the capacity, exits excepted */
	u64 faults_without_region;    /* the table of regions was full */
	u64 slots_taken;
	u64 reinjected_hidden;
	u64 notices_lost;    /* notices to user space that found no room */
	u64 threads_unknown; /* events of threads that have no vCPU loaded */
};

/* What user space changes while the programs run, in .data. */
struct kt_control {
	u32 epoch; /* which interval this is: minima and maxima are kept per interval */
	/*
	 * All programs are attached, and none is about to be detached: record begins and ends at once, and an
	 * entry without an exit is not just one whose exit nobody saw yet, or any more.
	 */
	u32 attached;
};

#endif
