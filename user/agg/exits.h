/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Exit statistics, grouped by what the user asked for. Knows no BPF: cells come as plain numbers. */
#ifndef KT_AGG_EXITS_H
#define KT_AGG_EXITS_H

#include "../../bpf/shared/event.h"
#include "../lib/util.h"

#define KT_BY_REASON 0x1u
#define KT_BY_VM     0x2u
#define KT_BY_VCPU   0x4u

#define KT_ANY 0xffffffffu

struct kt_exit_key {
	u32 vm;	  /* kt_vm_entry.id, or KT_ANY when not grouped by VM */
	u32 vcpu; /* KT_ANY likewise */
	u32 isa;
	u32 code;      /* exit reason: any number may be one, SVM_EXIT_ERR is 0xffffffff */
	bool any_code; /* not grouped by reason; code is 0 */
	bool halt;     /* HLT: always a group of its own, its time is idleness */
};

struct kt_exit_stats {
	u64 count; /* exits; timed ones, those no entry followed, and those still being handled */
	u64 timed; /* exits whose handling time is known */
	u64 unpaired;
	u64 total_ns, min_ns, max_ns;
	u64 squares_lo, squares_hi;
	u64 buckets[KT_EXIT_BUCKETS];
};

struct kt_exit_group {
	struct kt_exit_key key;
	struct kt_exit_stats stats;
};

struct kt_exit_agg {
	struct kt_exit_group **groups;
	size_t count;
	u32 *index; /* hash table over groups: position + 1, 0 free */
	size_t index_size;
};

/* Cuts a full key down to what --by names. */
struct kt_exit_key kt_exit_key_cut(struct kt_exit_key key, u32 by);

/* The group of a key, made when it is new; it stays where it is until kt_exit_agg_fini(). */
struct kt_exit_group *kt_exit_agg_group(struct kt_exit_agg *agg, const struct kt_exit_key *key);
/* Sums up; min and max are ignored when add->timed is 0. */
void kt_exit_agg_add(struct kt_exit_agg *agg, const struct kt_exit_key *key,
		     const struct kt_exit_stats *add);
/* By time, most first; halts last. */
void kt_exit_agg_sort(struct kt_exit_agg *agg);
void kt_exit_agg_fini(struct kt_exit_agg *agg);

/* now - before; min and max are now's (they are kept per interval already). */
void kt_exit_stats_sub(struct kt_exit_stats *now, const struct kt_exit_stats *before);
void kt_exit_stats_merge(struct kt_exit_stats *sum, const struct kt_exit_stats *add);
/* From a kernel cell; minima and maxima as of that epoch. */
void kt_exit_stats_from_cell(struct kt_exit_stats *s, const struct kt_cell *cell, u32 epoch);
/* One exit that took so long: the sums are those that the kernel's programs would have had. */
void kt_exit_stats_add_one(struct kt_exit_stats *s, u64 ns);

/* Has the cell counted no exit since these were taken from it? */
bool kt_exit_cell_unchanged(const struct kt_cell *cell, const struct kt_exit_stats *before);

u64 kt_exit_mean_ns(const struct kt_exit_stats *s);
/* Standard deviation of the population, ns. */
u64 kt_exit_stddev_ns(const struct kt_exit_stats *s);
u64 kt_exit_percentile_ns(const struct kt_exit_stats *s, u32 permille);

#endif
