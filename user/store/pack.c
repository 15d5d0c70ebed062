/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "pack.h"

#define NARROW 15 /* bits of eight numbers that two words have room for, and half a byte */

/* ---- offsets ---- */

/* What SSE2 has, which every x86-64 does. */
typedef u64 lane __attribute__((vector_size(16)));

static inline __attribute__((always_inline)) lane load(const u64 *p)
{
	lane v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline __attribute__((always_inline)) u64 offsets_of(const u64 *v, u32 n, unsigned int order,
							    u64 base, u64 *offsets)
{
	const lane from = { base, base };
	const u64 *end = v + (n & ~1u);
	lane any = {}, value;

	for (; v < end; v += 2, offsets += 2) {
		value = order == 0 ? load(v) - from : load(v + 1) - load(v) - from;
		if (order == 2)
			value = load(v + 2) - load(v + 1) - load(v + 1) + load(v) - from;
		any |= value;
		memcpy(offsets, &value, sizeof(value));
	}
	if (n & 1) {
		*offsets = kt_difference(v, order) - base;
		return any[0] | any[1] | *offsets;
	}
	return any[0] | any[1];
}

u64 kt_pack_offsets(const u64 *v, u32 n, unsigned int order, u64 base, u64 *offsets)
{
	switch (order) {
	case 0:
		return offsets_of(v, n, 0, base, offsets);
	case 1:
		return offsets_of(v, n, 1, base, offsets);
	default:
		return offsets_of(v, n, 2, base, offsets);
	}
}

/* ---- bits ---- */

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

/* The first of four comes lowest. */
#define FOUR(v, bits) (((((u64)(v)[3] << (bits) | (v)[2]) << (bits) | (v)[1]) << (bits)) | (v)[0])

/*
 * 8 numbers take as many bytes as each of them bits. They are put together as two words of four;
 * the second one begins with a byte, or in the middle of one.
 */
#define PACK_NARROW(name, type)                                                                    \
	static inline __attribute__((always_inline)) u8 *name(u8 *p, const type *v, u32 n,         \
							      unsigned int bits, bool odd)         \
	{                                                                                          \
		size_t second = bits / 2;                                                          \
		u64 low, high;                                                                     \
                                                                                                   \
		for (; n >= 8; n -= 8, v += 8, p += bits) {                                        \
			low = FOUR(v, bits);                                                       \
			high = FOUR(v + 4, bits);                                                  \
			kt_put_le64(p, low);                                                       \
			if (odd)                                                                   \
				high = high << 4 | low >> second * 8;                              \
			kt_put_le64(p + second, high);                                             \
		}                                                                                  \
		return p;                                                                          \
	}

PACK_NARROW(pack_narrow, u64)
PACK_NARROW(pack_narrow_indices, u16)

u8 *kt_pack(u8 *p, const u64 *v, u32 n, unsigned int bits)
{
	struct packer to;
	u32 i = 0;

	if (!bits)
		return p;
	if (bits <= NARROW) {
		i = n & ~7u;
		p = bits & 1 ? pack_narrow(p, v, n, bits, true) : pack_narrow(p, v, n, bits, false);
	}
	for (to = (struct packer) { .p = p }; i < n; i++)
		pack(&to, v[i], bits);
	return pack_end(&to);
}

u8 *kt_pack_indices(u8 *p, const u16 *v, u32 n, unsigned int bits)
{
	struct packer to;
	u32 i = 0;

	if (bits <= NARROW) {
		i = n & ~7u;
		p = bits & 1 ? pack_narrow_indices(p, v, n, bits, true)
			     : pack_narrow_indices(p, v, n, bits, false);
	}
	for (to = (struct packer) { .p = p }; i < n; i++)
		pack(&to, v[i], bits);
	return pack_end(&to);
}
