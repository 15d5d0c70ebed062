/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "gather.h"

/* What SSE2 has, which every x86-64 does. */
typedef u64 lane __attribute__((vector_size(16)));
#define LANES 5 /* that are compared at once: registers are twice as many, and one */

static inline __attribute__((always_inline)) void vary_row(const u8 *p, u32 lanes,
							   const lane *first, lane *any)
{
	lane value;
	u32 j;

	for (j = 0; j < lanes; j++) {
		memcpy(&value, p + j * sizeof(lane), sizeof(lane));
		any[j] |= value ^ first[j];
	}
}

static inline __attribute__((always_inline)) void vary(const struct kt_row_view *view,
						       size_t offset, u32 lanes, u8 *mask)
{
	const u8 *p = kt_view_row(view, 0) + offset, *const *at = view->at;
	lane first[LANES], any[LANES];
	u32 i, j;

	for (j = 0; j < lanes; j++) {
		memcpy(&first[j], p + j * sizeof(lane), sizeof(lane));
		memcpy(&any[j], mask + offset + j * sizeof(lane), sizeof(lane));
	}
	if (at) {
		for (i = 1; i < view->n; i++)
			vary_row(at[i] + offset, lanes, first, any);
	} else {
		for (i = 1; i < view->n; i++) {
			p += view->stride;
			vary_row(p, lanes, first, any);
		}
	}
	for (j = 0; j < lanes; j++)
		memcpy(mask + offset + j * sizeof(lane), &any[j], sizeof(lane));
}

static void vary_lanes(const struct kt_row_view *view, size_t offset, u32 lanes, u8 *mask)
{
	switch (lanes) {
	case 1:
		vary(view, offset, 1, mask);
		break;
	case 2:
		vary(view, offset, 2, mask);
		break;
	case 3:
		vary(view, offset, 3, mask);
		break;
	case 4:
		vary(view, offset, 4, mask);
		break;
	default:
		vary(view, offset, LANES, mask);
	}
}

void kt_view_variation(const struct kt_row_view *view, u32 size, u8 *mask)
{
	u32 at, lanes;

	for (at = 0; at + sizeof(lane) <= size; at += lanes * sizeof(lane)) {
		lanes = (size - at) / sizeof(lane);
		lanes = lanes < LANES ? lanes : LANES;
		vary_lanes(view, at, lanes, mask);
	}
	/* The rest, and some bytes a second time. */
	if (at < size)
		vary(view, size - sizeof(lane), 1, mask);
}

/* The values of four rows at once. */
#define GATHER(bits)                                                                               \
	static inline u64 load##bits(const u8 *p)                                                  \
	{                                                                                          \
		u##bits value;                                                                     \
                                                                                                   \
		memcpy(&value, p, sizeof(value));                                                  \
		return value;                                                                      \
	}                                                                                          \
                                                                                                   \
	static void gather##bits(const struct kt_row_view *view, size_t offset, u64 *values)       \
	{                                                                                          \
		const u8 *p = kt_view_row(view, 0) + offset, *const *at = view->at;                \
		size_t stride = view->stride;                                                      \
		u64 *end = values + view->n;                                                       \
                                                                                                   \
		for (; !at && end - values >= 4; values += 4, p += stride * 4) {                   \
			values[0] = load##bits(p);                                                 \
			values[1] = load##bits(p + stride);                                        \
			values[2] = load##bits(p + stride * 2);                                    \
			values[3] = load##bits(p + stride * 3);                                    \
		}                                                                                  \
		for (; at && end - values >= 4; values += 4, at += 4) {                            \
			values[0] = load##bits(at[0] + offset);                                    \
			values[1] = load##bits(at[1] + offset);                                    \
			values[2] = load##bits(at[2] + offset);                                    \
			values[3] = load##bits(at[3] + offset);                                    \
		}                                                                                  \
		for (; values < end; p += stride)                                                  \
			*values++ = load##bits(at ? *at++ + offset : p);                           \
	}

GATHER(8)
GATHER(16)
GATHER(32)
GATHER(64)

void kt_view_gather(const struct kt_row_view *view, const struct kt_store_field *f, u64 *values)
{
	switch (kt_store_type_bits(f->type)) {
	case 64:
		gather64(view, f->offset, values);
		break;
	case 32:
		gather32(view, f->offset, values);
		break;
	case 16:
		gather16(view, f->offset, values);
		break;
	default:
		gather8(view, f->offset, values);
	}
}
