/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <stdlib.h>
#include <string.h>

#include "../decode/decode.h"
#include "exit_rows.h"

#define PLACE_BITS 12

/* The group of what fell to this place last: looking a group up costs ten times as much. */
struct place {
	struct kt_exit_group *group; /* NULL: empty */
	u32 vm, vcpu, code, isa;
};

struct kt_exit_rows {
	struct kt_exit_agg *agg;
	u32 by;
	struct place places[1 << PLACE_BITS];
};

struct kt_exit_rows *kt_exit_rows_new(struct kt_exit_agg *agg, u32 by)
{
	struct kt_exit_rows *r = kt_alloc(sizeof(*r));

	r->agg = agg;
	r->by = by;
	return r;
}

void kt_exit_rows_free(struct kt_exit_rows *r)
{
	free(r);
}

void kt_exit_rows_forget(struct kt_exit_rows *r)
{
	memset(r->places, 0, sizeof(r->places));
}

static inline struct place *place_of(struct kt_exit_rows *r, const struct kt_row_exit *row, u32 vm)
{
	u64 hash = row->reason + ((u64)row->isa << 12) + ((u64)row->head.vcpu_id << 20) +
		   ((u64)vm << 40);

	return &r->places[hash * 0x9e3779b97f4a7c15ull >> (64 - PLACE_BITS)];
}

/* Not inline: kt_exit_rows_add() would save and restore for it what this needs. */
static __attribute__((noinline)) void find_group(struct kt_exit_rows *r, struct place *p,
						 const struct kt_row_exit *row, u32 vm)
{
	struct kt_exit_key key = {
		.vm = vm,
		.vcpu = row->head.vcpu_id,
		.isa = row->isa,
		.code = row->reason,
		.halt = kt_exit_is_halt(row->isa, row->reason),
	};

	key = kt_exit_key_cut(key, r->by);
	*p = (struct place) { kt_exit_agg_group(r->agg, &key), vm, row->head.vcpu_id, row->reason,
			      row->isa };
}

struct kt_exit_group *kt_exit_rows_add(struct kt_exit_rows *r, const struct kt_row_exit *row,
				       u32 vm)
{
	struct place *p = place_of(r, row, vm);
	struct kt_exit_stats *stats;

	if (!p->group || p->code != row->reason || p->vcpu != row->head.vcpu_id || p->vm != vm ||
	    p->isa != row->isa)
		find_group(r, p, row, vm);
	stats = &p->group->stats;
	if (row->end == KT_END_ENTERED) {
		kt_exit_stats_add_one(stats, row->duration);
	} else {
		stats->count++;
		stats->unpaired += row->end == KT_END_NO_ENTRY;
	}
	return p->group;
}
