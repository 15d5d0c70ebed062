/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What the kernel added up of the faults in one 2 MiB region, in a reader's terms. */
#ifndef KT_AGG_REGIONS_H
#define KT_AGG_REGIONS_H

#include "../../bpf/shared/event.h"
#include "../decode/decode.h"

/* Nothing but numbers of 64 bits, to be added up. */
struct kt_region_sums {
	u64 count; /* of faults */
	u64 timed; /* of those whose exit was seen to end */
	u64 total_ns;
	u64 access[KT_ACCESS_COUNT]; /* read, write, fetch */
	u64 present; /* of these, faults on a translation that was present: permissions */
	u64 mmio;    /* reserved-bit faults: emulated MMIO (SVM) */
	u64 buckets[KT_REGION_BUCKETS];
};

/* space: KT_SPACE_*. */
void kt_region_sums(struct kt_region_sums *sums, u32 space, const struct kt_region *region);
void kt_region_sums_add(struct kt_region_sums *to, const struct kt_region_sums *from);
/* One fault without a time. */
void kt_region_sums_add_fault(struct kt_region_sums *sums, u32 space, u64 error_code);

#endif
