/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Columns to bytes. How to code one is guessed from a sample of its values; whatever was guessed,
 * what comes out is right, at worst a little longer.
 */
#include <stdlib.h>

#include "column.h"

#define SAMPLE	     64
#define DICT_MAX     (1u << KT_COL_DICT_BITS)
#define SLOT_BITS    (KT_COL_DICT_BITS + 1)
#define DICTS	     4	/* of a kind, that other columns are looked for to follow from */
#define OUTLIERS     4	/* of a sample, that may be left as exceptions */
#define ENTRY_BITS   32 /* of the 64 that a dictionary's entry takes, what zstd leaves */
#define OUTLIER_BITS 40

struct dict {
	u8 field, bits;
	u32 entries;
	u16 *index; /* of each row */
};

struct slot {
	u64 value;
	u32 epoch; /* of the column that it was filled for */
	u16 index;
};

struct kt_column_encoder {
	u32 n;
	u64 *values;
	u64 *entries; /* of the dictionary being made: DICT_MAX */
	struct slot *slots;
	u32 *odd; /* rows that are exceptions */
	struct kt_str packed;
	u32 epoch;
	u32 dict_count;
	struct dict dicts[DICTS + 1]; /* the last one is not kept */
};

struct kt_column_encoder *kt_column_encoder_new(u32 rows)
{
	struct kt_column_encoder *e = kt_alloc(sizeof(*e));
	u32 i;

	e->values = kt_alloc(rows * sizeof(*e->values));
	e->odd = kt_alloc(rows * sizeof(*e->odd));
	e->entries = kt_alloc(DICT_MAX * sizeof(*e->entries));
	e->slots = kt_alloc((1u << SLOT_BITS) * sizeof(*e->slots));
	for (i = 0; i <= DICTS; i++)
		e->dicts[i].index = kt_alloc(rows * sizeof(*e->dicts[i].index));
	return e;
}

void kt_column_encoder_free(struct kt_column_encoder *e)
{
	u32 i;

	if (!e)
		return;
	for (i = 0; i <= DICTS; i++)
		free(e->dicts[i].index);
	free(e->values);
	free(e->entries);
	free(e->slots);
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

/* ---- which way ---- */

/* Values from base on, below base + 2^bits. */
struct range {
	u64 base;
	unsigned int bits;
	unsigned int cost; /* of SAMPLE values, in bits */
};

struct plan {
	unsigned int order; /* 0: the values, 1: differences, 2: differences of these */
	struct range range;
	u32 distinct; /* values in the sample */
};

static unsigned int bits_of(u64 v)
{
	return v ? 64 - (unsigned int)__builtin_clzll(v) : 0;
}

static void sort(u64 *v, u32 n)
{
	u32 i, j;
	u64 x;

	for (i = 1; i < n; i++) {
		x = v[i];
		for (j = i; j && (s64)v[j - 1] > (s64)x; j--)
			v[j] = v[j - 1];
		v[j] = x;
	}
}

/*
 * What packs n sorted values best: all of them, or all but a few at the ends. What the bits can say
 * beyond that goes to both sides, for values that the sample didn't have.
 */
static struct range best_range(const u64 *v, u32 n)
{
	struct range best = { .cost = ~0u }, r;
	u32 out, i, slack;
	u64 span, from;

	for (out = 0; out <= OUTLIERS && out < n; out = out ? out * 2 : 1) {
		span = ~0ull;
		from = 0;
		for (i = 0; i <= out; i++) {
			if (v[i + n - 1 - out] - v[i] <= span) {
				span = v[i + n - 1 - out] - v[i];
				from = v[i];
			}
		}
		r.bits = bits_of(span);
		slack = r.bits < 32 ? (u32)(((1ull << r.bits) - 1 - span) / 2) : 0;
		r.base = from < slack ? 0 : from - slack;
		r.cost = r.bits * SAMPLE + out * OUTLIER_BITS;
		if (r.cost < best.cost)
			best = r;
	}
	return best;
}

/* n values spread over the column, in a way that no period in it can fool. */
static u32 take_sample(const struct kt_column_encoder *e, unsigned int order, u64 *sample)
{
	u32 n = e->n - order, count = n < SAMPLE ? n : SAMPLE, stride = n / count, i, at;
	u32 noise = 1;
	const u64 *v;

	for (i = 0; i < count; i++) {
		noise = noise * 1664525u + 1013904223u;
		at = i * stride + (noise >> 16) % stride;
		v = e->values + at;
		sample[i] = order == 0 ? v[0] : order == 1 ? v[1] - v[0] : v[2] - 2 * v[1] + v[0];
	}
	sort(sample, count);
	return count;
}

static struct plan make_plan(const struct kt_column_encoder *e)
{
	struct plan plan = {};
	struct range range;
	u64 sample[SAMPLE];
	u32 count, i;
	unsigned int order;

	for (order = 0; order < 3 && e->n > order; order++) {
		count = take_sample(e, order, sample);
		range = best_range(sample, count);
		if (order == 0) {
			for (plan.distinct = 1, i = 1; i < count; i++)
				plan.distinct += sample[i] != sample[i - 1];
		}
		if (order == 0 || range.cost < plan.range.cost) {
			plan.order = order;
			plan.range = range;
		} else {
			break;
		}
	}
	return plan;
}

/* ---- packing ---- */

struct packer {
	u8 *p;
	u64 bits;
	unsigned int n; /* bits in there, below 64 */
};

static inline void pack(struct packer *to, u64 v, unsigned int bits)
{
	to->bits |= v << to->n;
	to->n += bits;
	if (to->n < 64)
		return;
	kt_put_le64(to->p, to->bits);
	to->p += 8;
	to->n -= 64;
	to->bits = to->n ? v >> (bits - to->n) : 0;
}

static u8 *pack_end(struct packer *to)
{
	kt_put_le64(to->p, to->bits);
	return to->p + (to->n + 7) / 8;
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

/*
 * Packs n values; those out of range are noted in odd, as long as there is room for max of them.
 * Returns how many there are.
 */
static u32 pack_values(struct kt_str *out, const u64 *v, u32 n, const struct range *r, u32 *odd,
		       u32 max)
{
	u8 *room = (u8 *)kt_str_room(out, ((size_t)n * r->bits + 7) / 8 + 8);
	struct packer to = { .p = room };
	u32 i, count = 0;
	u64 offset;

	for (i = 0; i < n; i++) {
		offset = v[i] - r->base;
		if (offset >> r->bits) {
			if (count == max)
				return max + 1;
			odd[count++] = i;
			offset = 0;
		}
		pack(&to, offset, r->bits);
	}
	kt_str_end(out, (char *)pack_end(&to));
	return count;
}

static void add_plain(struct kt_str *out, const u64 *v, u32 n)
{
	u32 i;

	kt_add_varint(out, 0);
	kt_add_varint(out, 0);
	for (i = 0; i < n; i++)
		kt_add_le64(out, v[i]);
}

/* Appends n values; arg is where the byte is that says how many bits each takes. */
static void add_packed(struct kt_column_encoder *e, struct kt_str *out, size_t arg, const u64 *v,
		       u32 n, const struct range *r)
{
	u32 max = n / 4, count = max + 1, from = 0, i;

	kt_str_reset(&e->packed);
	if (r->bits < 64)
		count = pack_values(&e->packed, v, n, r, e->odd, max);
	out->data[arg] = (char)(count > max ? 64 : r->bits);
	/* More than that: the sample was not like the rest. */
	if (count > max) {
		add_plain(out, v, n);
		return;
	}
	kt_add_varint(out, r->base);
	kt_add_varint(out, count);
	kt_str_add_n(out, e->packed.data, e->packed.len);
	for (i = 0; i < count; i++) {
		kt_add_varint(out, e->odd[i] - from);
		kt_add_varint(out, v[e->odd[i]] - r->base);
		from = e->odd[i] + 1;
	}
}

/* Destroys the values. */
static void add_numbers(struct kt_column_encoder *e, const struct plan *plan, struct kt_str *out)
{
	size_t begin = begin_column(out, KT_COL_PACKED + plan->order, 0);
	unsigned int order;
	u64 *v = e->values;
	u32 i;

	for (order = 0; order < plan->order; order++) {
		for (i = e->n - 1; i > order; i--)
			v[i] -= v[i - 1];
		kt_add_varint(out, v[order]);
	}
	add_packed(e, out, begin - KT_COL_HEADER + 1, v + order, e->n - order, &plan->range);
	end_column(out, begin);
}

/* ---- dictionaries ---- */

/* Index of the value, which is given one if need be. DICT_MAX: the dictionary is full. */
static u32 index_of(struct kt_column_encoder *e, struct dict *d, u64 value)
{
	u32 at = (u32)(value * 0x9e3779b97f4a7c15ull >> (64 - SLOT_BITS));

	for (;; at = (at + 1) & ((1u << SLOT_BITS) - 1)) {
		struct slot *slot = &e->slots[at];

		if (slot->epoch != e->epoch) {
			if (d->entries == DICT_MAX)
				return DICT_MAX;
			*slot = (struct slot) { value, e->epoch, (u16)d->entries };
			e->entries[d->entries] = value;
			return d->entries++;
		}
		if (slot->value == value)
			return slot->index;
	}
}

/* Narrow indices fill whole bytes, in which zstd sees what repeats. */
static u8 index_bits(u32 entries)
{
	unsigned int bits = bits_of(entries - 1);

	return (u8)(bits <= 2 ? bits : bits <= 4 ? 4 : bits <= 8 ? 8 : bits);
}

/* False when there are too many to be worth it. */
static bool make_dict(struct kt_column_encoder *e, const struct plan *plan, struct dict *d)
{
	u64 packed = (u64)plan->range.cost * e->n / SAMPLE;
	u32 limit = e->n / 4 < DICT_MAX ? e->n / 4 + 2 : DICT_MAX, i, index;

	d->entries = 0;
	e->epoch++;
	for (i = 0; i < e->n; i++) {
		index = index_of(e, d, e->values[i]);
		if (index >= limit)
			return false;
		d->index[i] = (u16)index;
	}
	d->bits = index_bits(d->entries);
	/* One bit is little for values of which zstd sees where they repeat. */
	return (u64)(d->bits - 1) * e->n + (u64)d->entries * ENTRY_BITS <= packed;
}

static void add_entries(struct kt_str *out, const u64 *entries, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++)
		kt_add_le64(out, entries[i]);
}

/* Indices that fill bytes: per of them in each. */
static inline __attribute__((always_inline)) u8 *pack_bytes(u8 *p, const u16 *index, u32 n, u32 per)
{
	unsigned int bits = 8 / per, byte;
	u32 i, j;

	for (i = 0; i + per <= n; i += per) {
		for (j = 0, byte = 0; j < per; j++)
			byte |= (unsigned int)index[i + j] << j * bits;
		*p++ = (u8)byte;
	}
	for (j = 0, byte = 0; i + j < n; j++)
		byte |= (unsigned int)index[i + j] << j * bits;
	if (i < n)
		*p++ = (u8)byte;
	return p;
}

static u8 *pack_indices(u8 *p, const struct dict *d, u32 n)
{
	struct packer to = { .p = p };
	u32 i;

	switch (d->bits) {
	case 1:
		return pack_bytes(p, d->index, n, 8);
	case 2:
		return pack_bytes(p, d->index, n, 4);
	case 4:
		return pack_bytes(p, d->index, n, 2);
	case 8:
		return pack_bytes(p, d->index, n, 1);
	}
	for (i = 0; i < n; i++)
		pack(&to, d->index[i], d->bits);
	return pack_end(&to);
}

static void add_dict(struct kt_column_encoder *e, const struct dict *d, struct kt_str *out)
{
	size_t begin = begin_column(out, KT_COL_DICT, d->bits);
	u8 *p;

	kt_add_varint(out, d->entries);
	add_entries(out, e->entries, d->entries);
	p = (u8 *)kt_str_room(out, ((size_t)e->n * d->bits + 7) / 8 + 8);
	kt_str_end(out, (char *)pack_indices(p, d, e->n));
	end_column(out, begin);
}

/* Does this column follow from d's? Fills e->entries with what it is for each of d's values. */
static bool follows(struct kt_column_encoder *e, const struct dict *d)
{
	u32 i, seen = 0;

	/* Indices were given in the order in which they are first met. */
	for (i = 0; i < e->n; i++) {
		if (d->index[i] == seen)
			e->entries[seen++] = e->values[i];
		else if (e->entries[d->index[i]] != e->values[i])
			return false;
	}
	return true;
}

static bool add_map(struct kt_column_encoder *e, struct kt_str *out)
{
	const struct dict *d;
	size_t begin;
	u32 i;

	for (i = 0; i < e->dict_count; i++) {
		d = &e->dicts[i];
		/* Big ones cost more than what they save. */
		if (d->entries > e->n / 16 + 2 || !follows(e, d))
			continue;
		begin = begin_column(out, KT_COL_MAP, d->field);
		add_entries(out, e->entries, d->entries);
		end_column(out, begin);
		return true;
	}
	return false;
}

/* ---- a column ---- */

/* Each like the one before it. */
static bool all_same(const u64 *v, u32 n)
{
	return !memcmp(v, v + 1, (n - 1) * sizeof(*v));
}

/* alone: refers to no other column, and none to it. */
static void encode(struct kt_column_encoder *e, u8 field, struct kt_str *out, bool alone)
{
	struct dict *d = &e->dicts[alone ? DICTS : e->dict_count];
	struct plan plan;
	size_t begin;

	if (all_same(e->values, e->n)) {
		begin = begin_column(out, KT_COL_CONST, 0);
		kt_add_varint(out, e->values[0]);
		end_column(out, begin);
		return;
	}
	if (!alone && add_map(e, out))
		return;
	plan = make_plan(e);
	if (plan.distinct > SAMPLE * 3 / 4 || !make_dict(e, &plan, d)) {
		add_numbers(e, &plan, out);
		return;
	}
	add_dict(e, d, out);
	d->field = field;
	if (!alone && e->dict_count < DICTS)
		e->dict_count++;
}

void kt_column_encode(struct kt_column_encoder *e, u8 field, struct kt_str *out)
{
	encode(e, field, out, false);
}

void kt_column_encode_bytes(struct kt_column_encoder *e, const char *bytes, size_t n_bytes,
			    struct kt_str *out)
{
	size_t begin = begin_column(out, KT_COL_BYTES, 0);

	encode(e, 0, out, true);
	kt_str_add_n(out, bytes, n_bytes);
	end_column(out, begin);
}
