/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Short records (struct kt_brief) as rows of a capture. */
#ifndef KT_STORE_CONVERT_BRIEF_H
#define KT_STORE_CONVERT_BRIEF_H

#include "../../bpf/shared/event.h"
#include "kinds.h"

/* Room for a row of any kind that a short record can be. */
union kt_brief_row {
	struct kt_row_common head;
	struct kt_row_msr msr;
	struct kt_row_pio pio;
	struct kt_row_mmio mmio;
	struct kt_row_cr cr;
	struct kt_row_cpuid cpuid;
	struct kt_row_hypercall hypercall;
	struct kt_row_emulate emulate;
	struct kt_row_inject_irq inject_irq;
	struct kt_row_userspace_exit userspace_exit;
	struct kt_row_halt_poll halt_poll;
	struct kt_row_wakeup wakeup;
};

/*
 * Fills in the row of a record that came from that CPU's ring and is of that vCPU. Returns its kind
 * (enum kt_row), 0 when the record's is not known.
 */
u32 kt_row_of_brief(union kt_brief_row *row, const struct kt_brief *brief, u32 cpu,
		    const struct kt_vcpu *v);

/*
 * Fills in the row of the first exit of a batch, of which left words are left. Returns how many of them
 * it took, 0 when it is not there as a whole.
 */
u32 kt_row_of_batched(struct kt_row_exit *row, const u64 *words, u32 left, const struct kt_vcpu *v);

/* The exit that a vCPU is in the middle of; false: none, or one that is not to be recorded. */
bool kt_row_of_unfinished(struct kt_row_exit *row, const struct kt_vcpu *v);

#endif
