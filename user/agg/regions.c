/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "regions.h"

#define PFERR_PRESENT  (1u << 0)
#define PFERR_RESERVED (1u << 3)

#define EPT_ACCESS    7u
#define EPT_PERMITTED (7u << 3)

static void add_class(struct kt_region_sums *sums, u32 space, u32 class, u64 count)
{
	bool ept = space == KT_SPACE_EPT;
	u32 present = ept ? KT_CLASS_PERMITTED : PFERR_PRESENT;

	sums->count += count;
	sums->access[ept ? kt_ept_access(class & EPT_ACCESS) : kt_pferr_access(class)] += count;
	if (!ept && class & PFERR_RESERVED)
		sums->mmio += count;
	else if (class & present)
		sums->present += count;
}

void kt_region_sums(struct kt_region_sums *sums, u32 space, const struct kt_region *region)
{
	*sums = (struct kt_region_sums) { .total_ns = region->total_ns };
	for (u32 i = 0; i < KT_FAULT_CLASSES; i++)
		add_class(sums, space, i, region->classes[i]);
	for (u32 i = 0; i < KT_REGION_BUCKETS; i++) {
		sums->buckets[i] = region->buckets[i];
		sums->timed += region->buckets[i];
	}
}

void kt_region_sums_add(struct kt_region_sums *to, const struct kt_region_sums *from)
{
	_Static_assert(sizeof(*to) % sizeof(u64) == 0, "nothing but numbers");
	for (size_t i = 0; i < sizeof(*to) / sizeof(u64); i++)
		((u64 *)to)[i] += ((const u64 *)from)[i];
}

void kt_region_sums_add_fault(struct kt_region_sums *sums, u32 space, u64 error_code)
{
	u32 class = error_code;

	if (space == KT_SPACE_EPT)
		class = (class & EPT_ACCESS) | (class & EPT_PERMITTED ? KT_CLASS_PERMITTED : 0);
	add_class(sums, space, class % KT_FAULT_CLASSES, 1);
}
