/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "exits.h"
#include "hist.h"

struct kt_exit_key kt_exit_key_cut(struct kt_exit_key key, u32 by)
{
	if (!(by & KT_BY_VM))
		key.vm = KT_ANY;
	if (!(by & KT_BY_VCPU))
		key.vcpu = KT_ANY;
	if (!(by & KT_BY_REASON) && !key.halt) {
		key.any_code = true;
		key.code = 0;
	}
	return key;
}

static bool same_key(const struct kt_exit_key *a, const struct kt_exit_key *b)
{
	return a->vm == b->vm && a->vcpu == b->vcpu && a->isa == b->isa && a->code == b->code &&
	       a->any_code == b->any_code && a->halt == b->halt;
}

static size_t hash_key(const struct kt_exit_key *k)
{
	u64 h = k->vm;

	h = h * 0x9e3779b97f4a7c15ull + k->vcpu;
	h = h * 0x9e3779b97f4a7c15ull + k->code;
	h = h * 0x9e3779b97f4a7c15ull + k->isa * 4 + k->any_code * 2 + k->halt;
	return h ^ h >> 29;
}

/* Where the key's group is noted, or the free place where it belongs. */
static u32 *find(struct kt_exit_agg *agg, const struct kt_exit_key *key)
{
	size_t i = hash_key(key) & (agg->index_size - 1);

	while (agg->index[i] && !same_key(&agg->groups[agg->index[i] - 1]->key, key))
		i = (i + 1) & (agg->index_size - 1);
	return &agg->index[i];
}

static void grow(struct kt_exit_agg *agg)
{
	agg->index_size = agg->index_size ? 2 * agg->index_size : 64;
	free(agg->index);
	agg->index = kt_alloc(agg->index_size * sizeof(*agg->index));
	agg->groups = kt_realloc(agg->groups, agg->index_size / 2 * sizeof(*agg->groups));
	for (size_t i = 0; i < agg->count; i++)
		*find(agg, &agg->groups[i]->key) = i + 1;
}

struct kt_exit_group *kt_exit_agg_group(struct kt_exit_agg *agg, const struct kt_exit_key *key)
{
	u32 *place;

	if (2 * (agg->count + 1) > agg->index_size)
		grow(agg);
	place = find(agg, key);
	if (!*place) {
		struct kt_exit_group *group = kt_alloc(sizeof(*group));

		group->key = *key;
		agg->groups[agg->count++] = group;
		*place = agg->count;
	}
	return agg->groups[*place - 1];
}

void kt_exit_agg_add(struct kt_exit_agg *agg, const struct kt_exit_key *key,
		     const struct kt_exit_stats *add)
{
	kt_exit_stats_merge(&kt_exit_agg_group(agg, key)->stats, add);
}

static int compare(const void *left, const void *right)
{
	const struct kt_exit_group *a = *(struct kt_exit_group *const *)left;
	const struct kt_exit_group *b = *(struct kt_exit_group *const *)right;

	if (a->key.halt != b->key.halt)
		return a->key.halt - b->key.halt;
	if (a->stats.total_ns != b->stats.total_ns)
		return a->stats.total_ns < b->stats.total_ns ? 1 : -1;
	if (a->stats.count != b->stats.count)
		return a->stats.count < b->stats.count ? 1 : -1;
	if (a->key.vm != b->key.vm)
		return a->key.vm > b->key.vm ? 1 : -1;
	if (a->key.vcpu != b->key.vcpu)
		return a->key.vcpu > b->key.vcpu ? 1 : -1;
	return (a->key.code > b->key.code) - (a->key.code < b->key.code);
}

void kt_exit_agg_sort(struct kt_exit_agg *agg)
{
	if (agg->count)
		qsort(agg->groups, agg->count, sizeof(*agg->groups), compare);
	if (agg->index_size)
		memset(agg->index, 0, agg->index_size * sizeof(*agg->index));
	for (size_t i = 0; i < agg->count; i++)
		*find(agg, &agg->groups[i]->key) = i + 1;
}

void kt_exit_agg_fini(struct kt_exit_agg *agg)
{
	for (size_t i = 0; i < agg->count; i++)
		free(agg->groups[i]);
	free(agg->groups);
	free(agg->index);
	memset(agg, 0, sizeof(*agg));
}

void kt_exit_stats_sub(struct kt_exit_stats *now, const struct kt_exit_stats *before)
{
	now->squares_hi -= before->squares_hi + (now->squares_lo < before->squares_lo);
	now->squares_lo -= before->squares_lo;
	now->count -= before->count;
	now->timed -= before->timed;
	now->unpaired -= before->unpaired;
	now->total_ns -= before->total_ns;
	for (size_t i = 0; i < KT_EXIT_BUCKETS; i++)
		now->buckets[i] -= before->buckets[i];
}

void kt_exit_stats_merge(struct kt_exit_stats *sum, const struct kt_exit_stats *add)
{
	if (add->timed) {
		if (!sum->timed || add->min_ns < sum->min_ns)
			sum->min_ns = add->min_ns;
		if (!sum->timed || add->max_ns > sum->max_ns)
			sum->max_ns = add->max_ns;
	}
	sum->count += add->count;
	sum->timed += add->timed;
	sum->unpaired += add->unpaired;
	sum->total_ns += add->total_ns;
	sum->squares_lo += add->squares_lo;
	sum->squares_hi += add->squares_hi + (sum->squares_lo < add->squares_lo);
	for (size_t i = 0; i < KT_EXIT_BUCKETS; i++)
		sum->buckets[i] += add->buckets[i];
}

/* What the buckets say when the exact extremes are of another interval. */
static void extremes_from_buckets(struct kt_exit_stats *s)
{
	for (u32 i = 0; i < KT_EXIT_BUCKETS; i++) {
		if (!s->buckets[i])
			continue;
		if (!s->min_ns)
			s->min_ns = kt_hist_low(i, KT_EXIT_SUB_BITS);
		s->max_ns = kt_hist_low(i, KT_EXIT_SUB_BITS);
	}
}

void kt_exit_stats_from_cell(struct kt_exit_stats *s, const struct kt_cell *cell, u32 epoch)
{
	const struct kt_extremes *e = cell->now.epoch == epoch ? &cell->now : &cell->before;

	memset(s, 0, sizeof(*s));
	memcpy(s->buckets, cell->buckets, sizeof(s->buckets));
	for (size_t i = 0; i < KT_EXIT_BUCKETS; i++)
		s->timed += cell->buckets[i];
	s->unpaired = cell->unpaired;
	s->count = s->timed + s->unpaired;
	s->total_ns = cell->total_ns;
	s->squares_lo = cell->squares_lo;
	s->squares_hi = cell->squares_hi;
	if (e->epoch == epoch) {
		s->min_ns = e->min;
		s->max_ns = e->min + e->span;
	} else if (s->timed) {
		extremes_from_buckets(s);
	}
}

/* As bpf/exits.bpf.c does it: times from 2^32 ns (4.3 s) lose 16 low bits. */
static void add_square(struct kt_exit_stats *s, u64 ns)
{
	u64 lo = ns * ns, scaled = ns >> 16;

	if (ns >> 32) {
		if (scaled >> 32)
			scaled = (1ull << 32) - 1; /* over 3 days */
		lo = scaled * scaled;
		s->squares_hi += lo >> 32;
		lo <<= 32;
	}
	s->squares_lo += lo;
	s->squares_hi += s->squares_lo < lo;
}

void kt_exit_stats_add_one(struct kt_exit_stats *s, u64 ns)
{
	if (!s->timed || ns < s->min_ns)
		s->min_ns = ns;
	if (!s->timed || ns > s->max_ns)
		s->max_ns = ns;
	s->count++;
	s->timed++;
	s->total_ns += ns;
	add_square(s, ns);
	s->buckets[kt_hist_bucket(ns, KT_EXIT_SUB_BITS)]++;
}

bool kt_exit_cell_unchanged(const struct kt_cell *cell, const struct kt_exit_stats *before)
{
	return cell->unpaired == before->unpaired &&
	       memcmp(cell->buckets, before->buckets, sizeof(cell->buckets)) == 0;
}

u64 kt_exit_mean_ns(const struct kt_exit_stats *s)
{
	return s->timed ? s->total_ns / s->timed : 0;
}

u64 kt_exit_stddev_ns(const struct kt_exit_stats *s)
{
	long double n = s->timed, mean, variance;

	if (!s->timed)
		return 0;
	mean = s->total_ns / n;
	variance = (s->squares_hi * 18446744073709551616.0L + s->squares_lo) / n - mean * mean;
	return variance > 0 ? sqrtl(variance) + 0.5L : 0;
}

u64 kt_exit_percentile_ns(const struct kt_exit_stats *s, u32 permille)
{
	return kt_hist_percentile(s->buckets, KT_EXIT_SUB_BITS, s->timed, permille, s->min_ns,
				  s->max_ns);
}
