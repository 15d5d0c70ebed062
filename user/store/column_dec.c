/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Columns from bytes. Lengths are checked before the loops, which are then free of checks. */
#include "column.h"

#define WIDE 56 /* more bits may lie in nine bytes */

struct column {
	struct kt_in in; /* its data */
	u8 encoding, arg;
	u32 n;
	u64 *values;
};

static inline u64 mask_of(unsigned int bits)
{
	return bits < 64 ? (1ull << bits) - 1 : ~0ull;
}

/* bits 1..WIDE, from a bit of p on; reads eight bytes. */
static inline u64 bits_at(const u8 *p, size_t bit, u64 mask)
{
	return (kt_le64(p + bit / 8) >> (bit % 8)) & mask;
}

static u64 wide_bits_at(const u8 *p, size_t bit, u64 mask)
{
	u64 v;

	p += bit / 8;
	v = kt_le64(p);
	bit %= 8;
	return (bit ? v >> bit | (u64)p[8] << (64 - bit) : v) & mask;
}

static const u8 *packed_bytes(struct kt_in *in, u32 n, unsigned int bits)
{
	return bits <= 64 ? kt_in_bytes(in, ((size_t)n * bits + 7) / 8) : NULL;
}

static void unpack(const u8 *p, u32 n, unsigned int bits, u64 base, u64 *values)
{
	u64 mask = mask_of(bits);
	u32 i;

	if (!bits) {
		for (i = 0; i < n; i++)
			values[i] = base;
	} else if (bits <= WIDE) {
		for (i = 0; i < n; i++)
			values[i] = base + bits_at(p, (size_t)i * bits, mask);
	} else {
		for (i = 0; i < n; i++)
			values[i] = base + wide_bits_at(p, (size_t)i * bits, mask);
	}
}

static bool decode_packed(struct column *c, u32 n, u64 *values)
{
	u64 base = kt_in_varint(&c->in), exceptions = kt_in_varint(&c->in), at = 0;
	const u8 *p = packed_bytes(&c->in, n, c->arg);

	if (c->in.bad || !p || exceptions > n)
		return false;
	unpack(p, n, c->arg, base, values);
	for (; exceptions; exceptions--) {
		u64 gap = kt_in_varint(&c->in);

		if (gap >= n - at)
			return false;
		at += gap;
		values[at++] = base + kt_in_varint(&c->in);
	}
	return !c->in.bad;
}

static bool decode_const(struct column *c)
{
	u64 v = kt_in_varint(&c->in);
	u32 i;

	for (i = 0; i < c->n; i++)
		c->values[i] = v;
	return !c->in.bad;
}

static bool decode_delta(struct column *c)
{
	u64 v = kt_in_varint(&c->in);
	u32 i;

	if (!decode_packed(c, c->n - 1, c->values + 1))
		return false;
	c->values[0] = v;
	for (i = 1; i < c->n; i++)
		c->values[i] = v += c->values[i];
	return true;
}

static bool decode_delta2(struct column *c)
{
	u64 v = kt_in_varint(&c->in), d = kt_in_varint(&c->in);
	u32 i;

	if (c->n < 2 || !decode_packed(c, c->n - 2, c->values + 2))
		return false;
	c->values[0] = v;
	c->values[1] = v += d;
	for (i = 2; i < c->n; i++) {
		d += c->values[i];
		c->values[i] = v += d;
	}
	return true;
}

/* The value of each index; those there are none for, up to what the bits can say, are 0. */
static bool read_table(struct kt_in *in, u32 entries, unsigned int bits, u64 *table)
{
	const u8 *p = kt_in_bytes(in, (size_t)entries * 8);
	u32 i;

	if (!p)
		return false;
	for (i = 0; i < entries; i++)
		table[i] = kt_le64(p + (size_t)i * 8);
	memset(table + entries, 0, ((1u << bits) - entries) * sizeof(*table));
	return true;
}

/* Returns the highest index. */
static u64 look_up(const struct kt_column_ref *ref, const u64 *table, u32 n, u64 *values)
{
	u64 mask = mask_of(ref->bits), max = 0, index;
	u32 i;

	for (i = 0; i < n; i++) {
		index = bits_at(ref->packed, (size_t)i * ref->bits, mask);
		max = index > max ? index : max;
		values[i] = table[index];
	}
	return max;
}

static bool decode_dict(struct column *c, struct kt_column_ref *ref)
{
	u64 table[1 << KT_COL_DICT_BITS], entries = kt_in_varint(&c->in);
	struct kt_column_ref dict = { .bits = c->arg, .entries = (u32)entries };

	if (dict.bits < 1 || dict.bits > KT_COL_DICT_BITS || entries > 1u << dict.bits ||
	    !read_table(&c->in, dict.entries, dict.bits, table))
		return false;
	dict.packed = packed_bytes(&c->in, c->n, dict.bits);
	if (!dict.packed || look_up(&dict, table, c->n, c->values) >= entries)
		return false;
	*ref = dict;
	return true;
}

static bool decode_map(struct column *c, const struct kt_column_ref *ref)
{
	u64 table[1 << KT_COL_DICT_BITS];

	if (!ref || !ref->packed || !read_table(&c->in, ref->entries, ref->bits, table))
		return false;
	look_up(ref, table, c->n, c->values);
	return true;
}

static bool open_column(struct kt_in *in, u32 n, u64 *values, struct column *c)
{
	const u8 *data;
	u32 size;

	c->encoding = kt_in_u8(in);
	c->arg = kt_in_u8(in);
	kt_in_le16(in);
	size = kt_in_le32(in);
	data = kt_in_bytes(in, size);
	if (!data)
		return false;
	c->in = kt_in(data, size);
	c->n = n;
	c->values = values;
	return true;
}

bool kt_column_decode(struct kt_in *in, u32 n, struct kt_column_ref *refs, u8 field, u64 *values)
{
	struct column c;

	refs[field] = (struct kt_column_ref) {};
	if (!open_column(in, n, values, &c))
		return false;
	switch (c.encoding) {
	case KT_COL_CONST:
		return decode_const(&c);
	case KT_COL_PACKED:
		return decode_packed(&c, n, values);
	case KT_COL_DELTA:
		return decode_delta(&c);
	case KT_COL_DELTA2:
		return decode_delta2(&c);
	case KT_COL_DICT:
		return decode_dict(&c, &refs[field]);
	case KT_COL_MAP:
		return decode_map(&c, c.arg < field ? &refs[c.arg] : NULL);
	default:
		return false;
	}
}

bool kt_column_decode_bytes(struct kt_in *in, u32 n, const u8 *base, u64 *values)
{
	struct kt_column_ref none;
	struct column c;
	u64 offset, end;
	u32 i;

	if (!open_column(in, n, values, &c) || c.encoding != KT_COL_BYTES ||
	    !kt_column_decode(&c.in, n, &none, 0, values))
		return false;
	offset = (u64)(c.in.p - base);
	end = (u64)(c.in.end - base);
	for (i = 0; i < n; i++) {
		u64 size = values[i];

		if (size > 255 || size > end - offset)
			return false;
		values[i] = offset << 8 | size;
		offset += size;
	}
	return offset == end;
}
