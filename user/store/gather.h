/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* From rows to columns: the loops that touch every byte of every event once, and hardly more. */
#ifndef KT_STORE_GATHER_H
#define KT_STORE_GATHER_H

#include "schema.h"

/* Rows of one kind in the order of time: each stride bytes behind the one before, or anywhere. */
struct kt_row_view {
	u32 n;
	u32 stride;
	const u8 *base;
	const u8 *const *at; /* NULL: stride holds */
};

static inline const u8 *kt_view_row(const struct kt_row_view *view, u32 i)
{
	return view->at ? view->at[i] : view->base + (size_t)i * view->stride;
}

/*
 * mask |= the bits in which rows differ from the first one. size: of a row, KT_STORE_MIN_ROW at
 * least.
 */
void kt_view_variation(const struct kt_row_view *view, u32 size, u8 *mask);
/* The values of a field; of KT_STORE_BYTES: their lengths. */
void kt_view_gather(const struct kt_row_view *view, const struct kt_store_field *f, u64 *values);

#endif
