/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The index of a file by time, of bounded size. */
#include "index.h"

void kt_index_reset(struct kt_index *x)
{
	x->count = x->filled = 0;
	x->stride = 1;
}

static void take_in(struct kt_index_entry *entry, u64 first_ts, u64 last_ts)
{
	if (first_ts < entry->first_ts)
		entry->first_ts = first_ts;
	if (last_ts > entry->last_ts)
		entry->last_ts = last_ts;
}

static void halve(struct kt_index *x)
{
	u32 i;

	for (i = 0; i < KT_INDEX_MAX / 2; i++) {
		const struct kt_index_entry *second = &x->entries[2 * i + 1];

		x->entries[i] = x->entries[2 * i];
		take_in(&x->entries[i], second->first_ts, second->last_ts);
	}
	x->count = KT_INDEX_MAX / 2;
	x->stride *= 2;
}

void kt_index_add(struct kt_index *x, u64 offset, u64 first_ts, u64 last_ts)
{
	if (x->filled) {
		take_in(&x->entries[x->count - 1], first_ts, last_ts);
	} else {
		if (x->count == KT_INDEX_MAX)
			halve(x);
		x->entries[x->count++] = (struct kt_index_entry) { offset, first_ts, last_ts };
	}
	x->filled = (x->filled + 1) % x->stride;
}

/*
 * Events of neighbouring blocks may overlap in time a little, so last_ts need not ascend: the first
 * block that reaches ts is looked for from the front.
 */
u64 kt_index_find(const struct kt_index *x, u64 ts, u64 fallback)
{
	u32 i;

	for (i = 0; i < x->count; i++) {
		if (x->entries[i].last_ts >= ts)
			return i ? x->entries[i].offset : fallback;
	}
	return x->count ? x->entries[x->count - 1].offset : fallback;
}

void kt_index_put(const struct kt_index *x, struct kt_str *s)
{
	u32 i;

	for (i = 0; i < x->count; i++) {
		kt_add_le64(s, x->entries[i].offset);
		kt_add_le64(s, x->entries[i].first_ts);
		kt_add_le64(s, x->entries[i].last_ts);
	}
}

bool kt_index_get(struct kt_index *x, struct kt_in *in, u32 count, u64 from, u64 end)
{
	u32 i;

	kt_index_reset(x);
	if (count > KT_INDEX_MAX)
		return false;
	for (i = 0; i < count; i++) {
		struct kt_index_entry *entry = &x->entries[i];

		entry->offset = kt_in_le64(in);
		entry->first_ts = kt_in_le64(in);
		entry->last_ts = kt_in_le64(in);
		if (in->bad || entry->offset < from || entry->offset >= end ||
		    entry->first_ts > entry->last_ts)
			return false;
		from = entry->offset + 1;
	}
	x->count = count;
	return true;
}
