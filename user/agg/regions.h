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

/* The KT_SPACE_* of a fault's address, by the exit that it came with. */
u32 kt_region_space(u32 isa, u32 exit_code);
/* space: KT_SPACE_*. */
void kt_region_sums(struct kt_region_sums *sums, u32 space, const struct kt_region *region);
void kt_region_sums_add(struct kt_region_sums *to, const struct kt_region_sums *from);
/* One fault without a time. */
void kt_region_sums_add_fault(struct kt_region_sums *sums, u32 space, u64 error_code);
/* One that took so long; 0: not known. The sums are those that the kernel's programs would have had. */
void kt_region_sums_add_one(struct kt_region_sums *sums, u32 space, u64 error_code, u64 ns);

/*
 * Numbers of regions, given in the order in which they turn up: 1, 2, 3 …; an index into what a user
 * keeps of each. Zero-initialise to start.
 */
struct kt_region_index {
	struct kt_region_place *places; /* hash table */
	u32 count, room;
};

/* The number of a VM's region; 0 when there are max of them and it is none of these. */
u32 kt_region_number(struct kt_region_index *index, const struct kt_region_key *key, u32 vm,
		     u32 max);
void kt_region_index_fini(struct kt_region_index *index);

#endif
