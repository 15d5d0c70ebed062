/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Columns to bytes. How to code one is guessed from a sample of its values, and kept for the next
 * blocks as long as it does; whatever was guessed, what comes out is right, at worst a little
 * longer.
 */
#include <stdlib.h>

#include "column.h"
#include "pack.h"

#define DICT_MAX	(1u << KT_COL_DICT_BITS)
#define SLOT_BITS	(KT_COL_DICT_BITS + 1)
#define SLOTS		(1u << SLOT_BITS)
#define NONE		0xffffu
#define DICTS		4   /* of a kind, that other columns are looked for to follow from */
#define ENTRY_BITS	32  /* of the 64 that a dictionary's entry takes, what zstd leaves */
#define PLAN_LASTS	16  /* blocks, before others are tried again */
#define MOST_EXCEPTIONS 250 /* of a thousand values */

struct dict {
	u8 field, bits;
	u32 entries;
	u16 *index; /* of each row */
	u16 *first; /* row that has it, of each entry */
};

struct kt_column_encoder {
	u32 n;
	u64 *values;
	u64 *entries; /* of the dictionary being made: DICT_MAX */
	/* Where its values are: all empty between two columns. */
	u64 *slot_value;
	u16 *slot_index;
	u16 *slots_taken;
	u32 limit; /* of its entries */
	u32 *odd;  /* rows that are exceptions */
	struct kt_str packed;
	u32 dict_count;
	struct dict dicts[DICTS + 1]; /* the last one is not kept */
};

static inline u32 slot_of(u64 value)
{
	return (u32)(value * 0x9e3779b97f4a7c15ull >> (64 - SLOT_BITS));
}

/* What an empty slot has: a value whose slot is another one, so that one look tells. */
static inline u64 empty(u32 slot)
{
	return slot == 0;
}

struct kt_column_encoder *kt_column_encoder_new(u32 rows)
{
	struct kt_column_encoder *e = kt_alloc(sizeof(*e));
	u32 i;

	e->values = kt_alloc(rows * sizeof(*e->values));
	e->odd = kt_alloc(rows * sizeof(*e->odd));
	e->entries = kt_alloc(DICT_MAX * sizeof(*e->entries));
	e->slot_value = kt_alloc(SLOTS * sizeof(*e->slot_value));
	e->slot_index = kt_alloc(SLOTS * sizeof(*e->slot_index));
	e->slots_taken = kt_alloc(DICT_MAX * sizeof(*e->slots_taken));
	for (i = 0; i < SLOTS; i++) {
		e->slot_value[i] = empty(i);
		e->slot_index[i] = NONE;
	}
	for (i = 0; i <= DICTS; i++) {
		e->dicts[i].index = kt_alloc(rows * sizeof(*e->dicts[i].index));
		e->dicts[i].first = kt_alloc(DICT_MAX * sizeof(*e->dicts[i].first));
	}
	return e;
}

void kt_column_encoder_free(struct kt_column_encoder *e)
{
	u32 i;

	if (!e)
		return;
	for (i = 0; i <= DICTS; i++) {
		free(e->dicts[i].index);
		free(e->dicts[i].first);
	}
	free(e->values);
	free(e->entries);
	free(e->slot_value);
	free(e->slot_index);
	free(e->slots_taken);
	free(e->odd);
	kt_str_free(&e->packed);
	free(e);
}

void kt_column_begin(struct kt_column_encoder *e, u32 n)
{
	e->n = n;
	e->dict_count = 0;
}

u64 *kt_column_values(struct kt_column_encoder *e)
{
	return e->values;
}

/* Returns where the column's data begin; end_column() fills in their size. */
static size_t begin_column(struct kt_str *out, enum kt_encoding encoding, unsigned int arg)
{
	kt_add_u8(out, (u8)encoding);
	kt_add_u8(out, (u8)arg);
	kt_add_le16(out, 0);
	kt_add_le32(out, 0);
	return out->len;
}

static void end_column(struct kt_str *out, size_t begin)
{
	kt_put_le32((u8 *)out->data + begin - 4, (u32)(out->len - begin));
}

void kt_column_constant(u64 value, struct kt_str *out)
{
	size_t begin = begin_column(out, KT_COL_CONST, 0);

	kt_add_varint(out, value);
	end_column(out, begin);
}

/* ---- numbers ---- */

/* Notes which of a chunk's offsets take more bits, and makes these zero. */
static u32 take_out(u64 *offsets, u32 n, unsigned int bits, u32 row, u32 *odd)
{
	u32 count = 0, i;

	for (i = 0; i < n; i++) {
		if (offsets[i] >> bits) {
			odd[count++] = row + i;
			offsets[i] = 0;
		}
	}
	return count;
}

/*
 * Packs n values; those out of range are noted in odd. Returns how many there are; more than max:
 * it is not worth going on.
 */
static u32 pack_values(struct kt_str *out, const u64 *v, u32 n, const struct kt_column_plan *plan,
		       u32 *odd, u32 max)
{
	u8 *p = (u8 *)kt_str_room(out, (size_t)n * plan->bits / 8 + KT_PACK_SLACK);
	u64 offsets[KT_PACK_CHUNK];
	u32 i, m, count = 0;

	for (i = 0; i < n; i += m) {
		m = n - i < KT_PACK_CHUNK ? n - i : KT_PACK_CHUNK;
		if (kt_pack_offsets(v + i, m, plan->order, plan->base, offsets) >> plan->bits) {
			count += take_out(offsets, m, plan->bits, i, odd + count);
			if (count > max)
				return count;
		}
		p = kt_pack(p, offsets, m, plan->bits);
	}
	kt_str_end(out, (char *)p);
	return count;
}

static void add_plain(struct kt_str *out, const u64 *v, u32 n, unsigned int order)
{
	u32 i;

	kt_add_varint(out, 0);
	kt_add_varint(out, 0);
	for (i = 0; i < n; i++)
		kt_add_le64(out, kt_difference(v + i, order));
}

static void add_exceptions(struct kt_column_encoder *e, const struct kt_column_plan *plan,
			   u32 count, struct kt_str *out)
{
	u32 from = 0, i;

	for (i = 0; i < count; i++) {
		kt_add_varint(out, e->odd[i] - from);
		kt_add_varint(out, kt_difference(e->values + e->odd[i], plan->order) - plan->base);
		from = e->odd[i] + 1;
	}
}

/* False: more than max values in a thousand are exceptions. Else *share is how many. */
static bool add_numbers(struct kt_column_encoder *e, const struct kt_column_plan *plan, u32 max,
			struct kt_str *out, u32 *share)
{
	u32 n = e->n - plan->order, count = 0;
	size_t begin;

	kt_str_reset(&e->packed);
	if (plan->bits < 64)
		count = pack_values(&e->packed, e->values, n, plan, e->odd, n * max / 1000 + 1);
	if (count > n * max / 1000 + 1)
		return false;
	begin = begin_column(out, KT_COL_PACKED + plan->order, plan->bits);
	if (plan->order > 0)
		kt_add_varint(out, e->values[0]);
	if (plan->order > 1)
		kt_add_varint(out, e->values[1] - e->values[0]);
	if (plan->bits < 64) {
		kt_add_varint(out, plan->base);
		kt_add_varint(out, count);
		kt_str_add_n(out, e->packed.data, e->packed.len);
		add_exceptions(e, plan, count, out);
	} else {
		add_plain(out, e->values, n, plan->order);
	}
	end_column(out, begin);
	*share = n ? count * 1000 / n : 0;
	return true;
}

/* ---- dictionaries ---- */

/* Index of a value that is not where it is looked for first; NONE: the dictionary is full. */
static __attribute__((noinline)) u32 add_value(struct kt_column_encoder *e, struct dict *d,
					       const u64 *value)
{
	u32 at = slot_of(*value);

	for (; e->slot_index[at] != NONE; at = (at + 1) % SLOTS) {
		if (e->slot_value[at] == *value)
			return e->slot_index[at];
	}
	if (d->entries == e->limit)
		return NONE;
	e->slot_value[at] = *value;
	e->slot_index[at] = (u16)d->entries;
	e->slots_taken[d->entries] = (u16)at;
	e->entries[d->entries] = *value;
	d->first[d->entries] = (u16)(value - e->values);
	return d->entries++;
}

/* False: the dictionary is full. */
static inline __attribute__((always_inline)) bool index_value(struct kt_column_encoder *e,
							      struct dict *d, const u64 *slot_value,
							      const u16 *slot_index,
							      const u64 *value, u16 *index)
{
	u64 at = slot_of(*value);
	u32 added;

	if (__builtin_expect(slot_value[at] == *value, 1)) {
		*index = slot_index[at];
		return true;
	}
	added = add_value(e, d, value);
	*index = (u16)added;
	return added != NONE;
}

static bool index_values(struct kt_column_encoder *e, struct dict *d)
{
	const u64 *slot_value = e->slot_value, *v = e->values, *end = v + e->n;
	const u16 *slot_index = e->slot_index;
	u16 *index = d->index;

	for (; end - v >= 4; v += 4, index += 4) {
		if (!index_value(e, d, slot_value, slot_index, v, index) ||
		    !index_value(e, d, slot_value, slot_index, v + 1, index + 1) ||
		    !index_value(e, d, slot_value, slot_index, v + 2, index + 2) ||
		    !index_value(e, d, slot_value, slot_index, v + 3, index + 3))
			return false;
	}
	for (; v < end; v++, index++) {
		if (!index_value(e, d, slot_value, slot_index, v, index))
			return false;
	}
	return true;
}

/* For numbers up to max. Narrow ones fill whole bytes, in which zstd sees what repeats. */
static u8 small_bits(u64 max)
{
	unsigned int bits = kt_bits_of(max);

	return (u8)(bits <= 2 ? bits : bits <= 4 ? 4 : bits <= 8 ? 8 : bits);
}

/* False when there are too many to be worth it. */
static bool make_dict(struct kt_column_encoder *e, struct dict *d, u32 limit)
{
	bool made;
	u32 i;

	d->entries = 0;
	e->limit = limit < DICT_MAX ? limit : DICT_MAX;
	made = index_values(e, d);
	for (i = 0; i < d->entries; i++) {
		e->slot_value[e->slots_taken[i]] = empty(e->slots_taken[i]);
		e->slot_index[e->slots_taken[i]] = NONE;
	}
	/* Where all are the same, there is one bit, too. */
	d->bits = d->entries > 1 ? small_bits(d->entries - 1) : 1;
	return made;
}

static void add_entries(struct kt_str *out, const u64 *entries, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++)
		kt_add_le64(out, entries[i]);
}

static void add_dict(struct kt_column_encoder *e, const struct dict *d, struct kt_str *out)
{
	size_t begin = begin_column(out, KT_COL_DICT, d->bits);
	u8 *p;

	kt_add_varint(out, d->entries);
	add_entries(out, e->entries, d->entries);
	p = (u8 *)kt_str_room(out, (size_t)e->n * d->bits / 8 + KT_PACK_SLACK);
	kt_str_end(out, (char *)kt_pack_indices(p, d->index, e->n, d->bits));
	end_column(out, begin);
}

/* Does this column follow from d's? Fills e->entries with what it is for each of d's values. */
static bool follows(struct kt_column_encoder *e, const struct dict *d)
{
	const u64 *v = e->values, *end = v + e->n, *entries = e->entries;
	const u16 *index = d->index;
	u64 differ = 0;
	u32 i;

	for (i = 0; i < d->entries; i++)
		e->entries[i] = v[d->first[i]];
	for (; end - v >= 8 && !differ; v += 8, index += 8) {
		differ = (entries[index[0]] ^ v[0]) | (entries[index[1]] ^ v[1]) |
			 (entries[index[2]] ^ v[2]) | (entries[index[3]] ^ v[3]) |
			 (entries[index[4]] ^ v[4]) | (entries[index[5]] ^ v[5]) |
			 (entries[index[6]] ^ v[6]) | (entries[index[7]] ^ v[7]);
	}
	for (; v < end && !differ; v++, index++)
		differ = entries[*index] ^ *v;
	return !differ;
}

static bool add_map(struct kt_column_encoder *e, const struct dict *d, struct kt_str *out)
{
	size_t begin;

	/* Big ones cost more than what they save. */
	if (d->entries > e->n / 16 + 2 || !follows(e, d))
		return false;
	begin = begin_column(out, KT_COL_MAP, d->field);
	add_entries(out, e->entries, d->entries);
	end_column(out, begin);
	return true;
}

/* ---- a column ---- */

/* Each like the one before it. */
static bool all_same(const u64 *v, u32 n)
{
	return !memcmp(v, v + 1, (n - 1) * sizeof(*v));
}

static void dict_done(struct kt_column_encoder *e, struct dict *d, u8 field, struct kt_str *out)
{
	add_dict(e, d, out);
	d->field = field;
	if (d != &e->dicts[DICTS])
		e->dict_count++;
}

/* As the column of the last block. False when that doesn't suit any more. */
static bool encode_again(struct kt_column_encoder *e, struct kt_column_memo *memo, u8 field,
			 struct dict *d, struct kt_str *out)
{
	u32 i, exceptions;

	switch (memo->encoding) {
	case KT_COL_MAP:
		for (i = 0; i < e->dict_count; i++) {
			if (e->dicts[i].field == memo->from)
				return add_map(e, &e->dicts[i], out);
		}
		return false;
	case KT_COL_DICT:
		if (!make_dict(e, d, memo->entries * 2 + 2) || d->entries > e->n / 4 + 2)
			return false;
		dict_done(e, d, field, out);
		return true;
	default:
		return e->n > memo->plan.order &&
		       add_numbers(e, &memo->plan, memo->exceptions * 2 + 8, out, &exceptions);
	}
}

static bool find_map(struct kt_column_encoder *e, struct kt_column_memo *memo, struct kt_str *out)
{
	u32 i;

	for (i = 0; i < e->dict_count; i++) {
		if (add_map(e, &e->dicts[i], out)) {
			memo->encoding = KT_COL_MAP;
			memo->from = e->dicts[i].field;
			return true;
		}
	}
	return false;
}

/* Is it worth it? One bit is little for values of which zstd sees where they repeat. */
static bool dict_pays(const struct kt_column_encoder *e, const struct kt_column_plan *plan,
		      const struct dict *d)
{
	u64 packed = (u64)plan->cost * e->n / KT_PLAN_SAMPLE;

	return (u64)(d->bits - 1) * e->n + (u64)d->entries * ENTRY_BITS <= packed;
}

static void encode_anew(struct kt_column_encoder *e, struct kt_column_memo *memo, u8 field,
			struct dict *d, struct kt_str *out)
{
	struct kt_column_plan plan = kt_column_plan(e->values, e->n);

	if (plan.distinct <= KT_PLAN_SAMPLE * 3 / 4 && make_dict(e, d, e->n / 4 + 2) &&
	    dict_pays(e, &plan, d)) {
		memo->encoding = KT_COL_DICT;
		memo->entries = d->entries;
		dict_done(e, d, field, out);
		return;
	}
	memo->encoding = KT_COL_PACKED;
	memo->plan = plan;
	if (add_numbers(e, &plan, MOST_EXCEPTIONS, out, &memo->exceptions))
		return;
	/* The sample was not like the rest. */
	memo->plan = (struct kt_column_plan) { .bits = 64 };
	add_numbers(e, &memo->plan, 0, out, &memo->exceptions);
}

/* alone: refers to no other column, and none to it. */
static void encode(struct kt_column_encoder *e, struct kt_column_memo *memo, u8 field, bool alone,
		   struct kt_str *out)
{
	struct dict *d = &e->dicts[alone ? DICTS : e->dict_count];

	if (all_same(e->values, e->n)) {
		kt_column_constant(e->values[0], out);
		return;
	}
	if (memo->lasts && encode_again(e, memo, field, d, out)) {
		memo->lasts--;
		return;
	}
	memo->lasts = PLAN_LASTS;
	if (alone || !find_map(e, memo, out))
		encode_anew(e, memo, field, d, out);
}

void kt_column_encode(struct kt_column_encoder *e, struct kt_column_memo *memo, u8 field,
		      struct kt_str *out)
{
	encode(e, memo, field, false, out);
}

void kt_column_encode_small(struct kt_column_encoder *e, u64 max, struct kt_str *out)
{
	const struct kt_column_plan plan = { .bits = small_bits(max) };
	u32 exceptions;

	add_numbers(e, &plan, 0, out, &exceptions);
}

void kt_column_encode_bytes(struct kt_column_encoder *e, struct kt_column_memo *memo,
			    const char *bytes, size_t n_bytes, struct kt_str *out)
{
	size_t begin = begin_column(out, KT_COL_BYTES, 0);

	encode(e, memo, 0, true, out);
	kt_str_add_n(out, bytes, n_bytes);
	end_column(out, begin);
}
