/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Field after field is spread over the rows, a few hundred rows at a time: as many as stay in the
 * first-level cache.
 */
#include "rows.h"

#include <stdlib.h>

#define CHUNK 256

/* Rows of one group, from one on. */
struct target {
	const struct kt_group *group;
	const struct kt_store_map *map;
	const struct kt_store_kind *kind; /* ours */
	u8 *rows;
	size_t stride;
};

#define SPREAD(bits)                                                                               \
	for (i = 0; i < n; i++, p += stride) {                                                     \
		u##bits value = (u##bits)values[i];                                                \
                                                                                                   \
		memcpy(p, &value, sizeof(value));                                                  \
	}

static void spread(const struct kt_store_field *f, const u64 *values, u32 n, const u8 *bytes, u8 *p,
		   size_t stride)
{
	u32 i;

	switch (kt_store_type_bits(f->type)) {
	case 64:
		SPREAD(64);
		break;
	case 32:
		SPREAD(32);
		break;
	case 16:
		SPREAD(16);
		break;
	case 8:
		SPREAD(8);
		break;
	default:
		for (i = 0; i < n; i++, p += stride) {
			p[0] = (u8)values[i];
			memcpy(p + 1, bytes + (values[i] >> 8), p[0]);
		}
	}
}

static void fill_group(const struct target *t, const u8 *bytes)
{
	u32 from, n, i, fields = t->kind->field_count;

	for (from = 0; from < t->group->rows; from += CHUNK) {
		u8 *rows = t->rows + from * t->stride;

		n = t->group->rows - from < CHUNK ? t->group->rows - from : CHUNK;
		memset(rows, 0, n * t->stride);
		for (i = 0; i < fields; i++) {
			if (t->map->field[i] < 0)
				continue;
			spread(&t->kind->fields[i], t->group->columns[t->map->field[i]] + from, n,
			       bytes, rows + t->kind->fields[i].offset, t->stride);
		}
	}
}

#define SPREAD_OUT(bits)                                                                           \
	for (i = from; i < to; i++) {                                                              \
		u##bits value = (u##bits)values[i];                                                \
                                                                                                   \
		if (rows[i])                                                                       \
			memcpy((u8 *)rows[i] + offset, &value, sizeof(value));                     \
	}

/* What all events have, whatever kind's rows theirs lie among. */
static void spread_out(const struct kt_store_field *f, const u64 *values, u32 from, u32 to,
		       const u8 *bytes, const void **rows)
{
	size_t offset = f->offset;
	u32 i;

	switch (kt_store_type_bits(f->type)) {
	case 64:
		SPREAD_OUT(64);
		break;
	case 32:
		SPREAD_OUT(32);
		break;
	case 16:
		SPREAD_OUT(16);
		break;
	case 8:
		SPREAD_OUT(8);
		break;
	default:
		for (i = from; i < to; i++) {
			if (rows[i])
				spread(f, values + i, 1, bytes, (u8 *)rows[i] + offset, 0);
		}
	}
}

static void fill_common(const struct kt_block *block, const struct kt_store_map *map,
			const struct kt_store_kind *kind, const void **rows)
{
	u32 from, to, i;

	for (from = 0; from < block->count; from = to) {
		to = block->count - from < CHUNK ? block->count : from + CHUNK;
		for (i = 0; i < kind->field_count; i++) {
			if (map->field[i] >= 0)
				spread_out(&kind->fields[i], block->common.columns[map->field[i]],
					   from, to, block->bytes, rows);
		}
	}
}

void kt_rows_fill(struct kt_rows *rows, const struct kt_block *block,
		  const struct kt_store_map *maps, const struct kt_store_schema *ours)
{
	struct target targets[KT_STORE_MAX_KINDS] = {};
	size_t size = 0;
	u32 i;

	for (i = 0; i < block->group_count; i++) {
		struct target *t = &targets[i];

		t->group = &block->groups[i];
		t->map = &maps[t->group->map];
		if (t->map->kind < 0)
			continue;
		t->kind = &ours->kinds[t->map->kind];
		t->stride = kt_store_row_room(t->kind);
		size += t->stride * t->group->rows;
	}
	rows->memory = kt_room(rows->memory, &rows->memory_size, size);
	rows->rows = kt_room(rows->rows, &rows->rows_size, block->count * sizeof(*rows->rows));
	for (size = 0, i = 0; i < block->group_count; i++) {
		if (!targets[i].kind)
			continue;
		targets[i].rows = rows->memory + size;
		size += targets[i].stride * targets[i].group->rows;
		fill_group(&targets[i], block->bytes);
	}
	for (i = 0; i < block->count; i++) {
		const struct target *t = &targets[block->group[i]];

		rows->rows[i] = t->kind ? t->rows + block->index[i] * t->stride : NULL;
	}
	fill_common(block, &maps[block->common.map], &ours->kinds[0], rows->rows);
}

void kt_rows_fini(struct kt_rows *rows)
{
	free(rows->memory);
	free(rows->rows);
	memset(rows, 0, sizeof(*rows));
}
