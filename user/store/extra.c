/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "extra.h"
#include "reader.h"

#include <stdlib.h>

/* Fields of the file's kind that none of ours is. */
static u64 lacking(const struct kt_store_map *map, const struct kt_store_kind *theirs)
{
	u64 fields = theirs->field_count < 64 ? (1ull << theirs->field_count) - 1 : ~0ull;

	for (u32 i = 0; i < KT_STORE_MAX_FIELDS; i++)
		if (map->present >> i & 1)
			fields &= ~(1ull << map->field[i]);
	return fields;
}

static size_t count(u64 fields)
{
	return (size_t)__builtin_popcountll(fields);
}

/* Adds the fields of a group's row; p is where bytes go, the end of them is returned. */
static u8 *add(struct kt_extra *extra, const struct kt_block *block, const struct kt_group *group,
	       u32 row, u64 fields, u8 *p)
{
	for (u32 i = 0; i < group->kind->field_count; i++) {
		struct kt_extra_field *f = &extra->fields[extra->count];
		u64 value = group->columns[i][row];

		if (!(fields >> i & 1))
			continue;
		extra->count++;
		*f = (struct kt_extra_field) { &group->kind->fields[i], value, NULL };
		if (f->field->type != KT_STORE_BYTES)
			continue;
		f->value = value & 0xff;
		f->bytes = p;
		memcpy(p, block->bytes + (value >> 8), f->value);
		p += f->value;
	}
	return p;
}

static size_t bytes_of(const struct kt_group *group, u32 row, u64 fields)
{
	size_t size = 0;

	for (u32 i = 0; i < group->kind->field_count; i++)
		if (fields >> i & 1 && group->kind->fields[i].type == KT_STORE_BYTES)
			size += group->columns[i][row] & 0xff;
	return size;
}

struct kt_extra *kt_extra_new(const struct kt_reader *r, const struct kt_extra_at *where)
{
	const struct kt_group *common = &where->block->common, *group = where->group;
	const struct kt_store_map *map = kt_reader_map(r, group->map);
	u64 shared = lacking(kt_reader_map(r, common->map), common->kind);
	u64 own = map->kind < 0 ? ~0ull : lacking(map, group->kind);
	size_t n, size;
	struct kt_extra *extra;
	u8 *p;

	if (group->kind->field_count < 64)
		own &= (1ull << group->kind->field_count) - 1;
	if (map->kind >= 0 && !(shared | own))
		return NULL;
	n = count(shared) + count(own);
	size = bytes_of(common, where->at, shared) + bytes_of(group, where->index, own);
	extra = kt_alloc(sizeof(*extra) + n * sizeof(extra->fields[0]) + size);
	extra->kind = group->kind;
	extra->unknown = map->kind < 0;
	p = (u8 *)&extra->fields[n];
	p = add(extra, where->block, common, where->at, shared, p);
	add(extra, where->block, group, where->index, own, p);
	return extra;
}

void kt_extra_head(const struct kt_reader *r, const struct kt_extra_at *where,
		   struct kt_row_common *head)
{
	const struct kt_group *common = &where->block->common;
	const struct kt_store_map *map = kt_reader_map(r, common->map);
	const struct kt_store_kind *ours = &kt_kinds.kinds[KT_ROW_COMMON];

	*head = (struct kt_row_common) {};
	for (u32 i = 0; i < ours->field_count; i++) {
		const struct kt_store_field *f = &ours->fields[i];
		u64 value = map->field[i] < 0 ? 0 : common->columns[map->field[i]][where->at];
		u32 narrow = (u32)value;

		if (kt_store_type_bits(f->type) == 64)
			memcpy((u8 *)head + f->offset, &value, sizeof(value));
		else
			memcpy((u8 *)head + f->offset, &narrow, sizeof(narrow));
	}
}
