/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "gather.h"

/* What SSE2 has, which every x86-64 does. */
typedef u64 lane __attribute__((vector_size(16)));
#define LANES 5 /* that are compared at once: registers are twice as many, and one */

static inline __attribute__((always_inline)) void vary(const struct kt_row_view *view,
						       size_t offset, u32 lanes, u8 *mask)
{
	const u8 *p = kt_view_row(view, 0) + offset, *const *at = view->at;
	lane first[LANES], any[LANES] = {}, value;
	u32 i, j;

	for (j = 0; j < lanes; j++)
		memcpy(&first[j], p + j * sizeof(lane), sizeof(lane));
	for (i = view->n - 1; i; i--) {
		p = at ? *++at + offset : p + view->stride;
		for (j = 0; j < lanes; j++) {
			memcpy(&value, p + j * sizeof(lane), sizeof(lane));
			any[j] |= value ^ first[j];
		}
	}
	for (j = 0; j < lanes; j++) {
		memcpy(&value, mask + offset + j * sizeof(lane), sizeof(lane));
		value |= any[j];
		memcpy(mask + offset + j * sizeof(lane), &value, sizeof(lane));
	}
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

#define GATHER(bits)                                                                               \
	static void gather##bits(const struct kt_row_view *view, size_t offset, u64 *values)       \
	{                                                                                          \
		const u8 *p = view->base + offset;                                                 \
		u##bits value;                                                                     \
		u32 i;                                                                             \
                                                                                                   \
		if (view->at) {                                                                    \
			for (i = 0; i < view->n; i++) {                                            \
				memcpy(&value, view->at[i] + offset, sizeof(value));               \
				values[i] = value;                                                 \
			}                                                                          \
			return;                                                                    \
		}                                                                                  \
		for (i = 0; i < view->n; i++, p += view->stride) {                                 \
			memcpy(&value, p, sizeof(value));                                          \
			values[i] = value;                                                         \
		}                                                                                  \
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
