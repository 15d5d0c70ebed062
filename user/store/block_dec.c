/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Columns of a block. Sizes are agreed on before memory is taken, values checked before they are
 * used.
 */
#include "block.h"

#include <stdlib.h>

struct decoder {
	struct kt_block *b;
	const struct kt_file_schema *schema;
	struct kt_in in;
	u64 *cell;	    /* where the next column goes */
	const u64 **column; /* where it is noted */
};

void *kt_room(void *p, size_t *have, size_t want)
{
	if (want <= *have)
		return p;
	free(p);
	*have = want;
	return kt_alloc(want);
}

static bool read_groups(struct decoder *d, u32 count)
{
	struct kt_block *b = d->b;
	bool seen[KT_STORE_MAX_KINDS + 1] = {};
	u64 rows = 0;
	u32 i, number;

	b->count = kt_in_le32(&d->in);
	b->group_count = kt_in_le16(&d->in);
	kt_in_le16(&d->in);
	if (b->count != count || !count || count > KT_BLOCK_MAX_EVENTS || !b->group_count ||
	    b->group_count > KT_STORE_MAX_KINDS)
		return false;
	b->groups = kt_room(b->groups, &b->groups_size, b->group_count * sizeof(*b->groups));
	for (i = 0; i < b->group_count; i++) {
		number = kt_in_le16(&d->in);
		kt_in_le16(&d->in);
		b->groups[i].rows = kt_in_le32(&d->in);
		rows += b->groups[i].rows;
		if (d->in.bad || !b->groups[i].rows || number < 1 || number > KT_STORE_MAX_KINDS ||
		    d->schema->by_number[number] < 0 || seen[number])
			return false;
		seen[number] = true;
		b->groups[i].map = (u32)d->schema->by_number[number];
		b->groups[i].kind = &d->schema->kinds[b->groups[i].map];
	}
	return rows == count;
}

static bool take_memory(struct decoder *d)
{
	struct kt_block *b = d->b;
	u64 cells = (u64)b->count * (1u + b->common.kind->field_count);
	size_t columns = b->common.kind->field_count;
	u32 i;

	for (i = 0; i < b->group_count; i++) {
		cells += (u64)b->groups[i].rows * b->groups[i].kind->field_count;
		columns += b->groups[i].kind->field_count;
	}
	if (cells > KT_BLOCK_MAX_CELLS)
		return false;
	b->cells = kt_room(b->cells, &b->cells_size, cells * sizeof(*b->cells));
	b->columns = kt_room(b->columns, &b->columns_size, columns * sizeof(*b->columns));
	b->events = kt_room(b->events, &b->events_size, b->count * (sizeof(u32) + sizeof(u8)));
	d->cell = b->cells;
	d->column = b->columns;
	return true;
}

/* Which kind each event is of. */
static bool read_kinds(struct decoder *d)
{
	struct kt_column_ref none;
	struct kt_block *b = d->b;
	u32 met[KT_STORE_MAX_KINDS] = {};
	u32 *index = b->events;
	u8 *group = (u8 *)(index + b->count);
	u32 i;

	if (!kt_column_decode(&d->in, b->count, &none, 0, d->cell))
		return false;
	for (i = 0; i < b->count; i++) {
		if (d->cell[i] >= b->group_count)
			return false;
		group[i] = (u8)d->cell[i];
		index[i] = met[group[i]]++;
	}
	for (i = 0; i < b->group_count; i++) {
		if (met[i] != b->groups[i].rows)
			return false;
	}
	b->group = group;
	b->index = index;
	return true;
}

static bool fits(const u64 *values, u32 n, unsigned int bits)
{
	u64 any = 0;
	u32 i;

	for (i = 0; i < n; i++)
		any |= values[i];
	return bits >= 64 || !(any >> bits);
}

static bool sizes_fit(const u64 *values, u32 n, u8 max)
{
	u32 i;

	for (i = 0; i < n; i++) {
		if ((values[i] & 0xff) > max)
			return false;
	}
	return true;
}

static bool read_column(struct decoder *d, const struct kt_store_field *f, u8 field, u32 n,
			struct kt_column_ref *refs)
{
	if (f->type == KT_STORE_BYTES) {
		refs[field] = (struct kt_column_ref) {};
		return kt_column_decode_bytes(&d->in, n, d->b->bytes, d->cell) &&
		       sizes_fit(d->cell, n, f->size);
	}
	return kt_column_decode(&d->in, n, refs, field, d->cell) &&
	       fits(d->cell, n, kt_store_type_bits(f->type));
}

static bool read_columns(struct decoder *d, struct kt_group *group)
{
	struct kt_column_ref refs[KT_STORE_MAX_FIELDS];
	u8 i;

	group->columns = d->column;
	for (i = 0; i < group->kind->field_count; i++) {
		if (!read_column(d, &group->kind->fields[i], i, group->rows, refs))
			return false;
		*d->column++ = d->cell;
		d->cell += group->rows;
	}
	return true;
}

static bool ascends(const u64 *ts, u32 n)
{
	bool disorder = false;
	u32 i;

	for (i = 1; i < n; i++)
		disorder |= ts[i] < ts[i - 1];
	return !disorder;
}

bool kt_block_decode(struct kt_block *b, const struct kt_file_schema *schema, const u8 *payload,
		     size_t n, u32 count)
{
	struct decoder d = { .b = b, .schema = schema, .in = kt_in(payload, n) };
	u32 i;

	b->bytes = payload;
	b->common.map = (u32)schema->by_number[0];
	b->common.kind = &schema->kinds[b->common.map];
	if (!read_groups(&d, count) || !take_memory(&d) || !read_kinds(&d))
		return false;
	d.cell += b->count;
	b->common.rows = b->count;
	if (!read_columns(&d, &b->common) || !ascends(b->common.columns[0], b->count))
		return false;
	for (i = 0; i < b->group_count; i++) {
		if (!read_columns(&d, &b->groups[i]))
			return false;
	}
	return true;
}

void kt_block_fini(struct kt_block *b)
{
	free(b->cells);
	free(b->columns);
	free(b->events);
	free(b->groups);
	memset(b, 0, sizeof(*b));
}
