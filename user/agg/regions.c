/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <stdlib.h>

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

u32 kt_region_space(u32 isa, u32 exit_code)
{
	if (!kt_exit_is_gpa_fault(isa, exit_code))
		return KT_SPACE_GVA;
	return isa == KT_ISA_VMX ? KT_SPACE_EPT : KT_SPACE_NPT;
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

void kt_region_sums_add_one(struct kt_region_sums *sums, u32 space, u64 error_code, u64 ns)
{
	kt_region_sums_add_fault(sums, space, error_code);
	if (!ns)
		return;
	sums->timed++;
	sums->total_ns += ns;
	sums->buckets[kt_hist_bucket(ns, KT_REGION_SUB_BITS)]++;
}

/* ---- index ---- */

struct kt_region_place {
	struct kt_region_key key;
	u32 vm;
	u32 number; /* 0: free */
};

static bool same_region(const struct kt_region_place *p, const struct kt_region_key *key, u32 vm)
{
	return p->key.region == key->region && p->key.space == key->space && p->vm == vm;
}

/* Where the region is, or the free place where it belongs. */
static struct kt_region_place *place_of(const struct kt_region_index *index,
					const struct kt_region_key *key, u32 vm)
{
	u64 h = (key->region * 4 + key->space) * 0x9e3779b97f4a7c15ull + vm;
	u32 i;

	h *= 0x9e3779b97f4a7c15ull;
	i = (u32)(h >> 32) & (index->room - 1);
	while (index->places[i].number && !same_region(&index->places[i], key, vm))
		i = (i + 1) & (index->room - 1);
	return &index->places[i];
}

static void grow(struct kt_region_index *index)
{
	struct kt_region_place *old = index->places;
	u32 room = index->room;

	index->room = room ? 2 * room : 256;
	index->places = kt_alloc(index->room * sizeof(*index->places));
	for (u32 i = 0; i < room; i++)
		if (old[i].number)
			*place_of(index, &old[i].key, old[i].vm) = old[i];
	free(old);
}

u32 kt_region_number(struct kt_region_index *index, const struct kt_region_key *key, u32 vm,
		     u32 max)
{
	struct kt_region_place *place;

	if (2 * (index->count + 1) > index->room)
		grow(index);
	place = place_of(index, key, vm);
	if (!place->number && index->count < max)
		*place = (struct kt_region_place) { *key, vm, ++index->count };
	return place->number;
}

void kt_region_index_fini(struct kt_region_index *index)
{
	free(index->places);
	*index = (struct kt_region_index) {};
}
