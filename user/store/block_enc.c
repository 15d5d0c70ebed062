/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Rows to columns. Most fields have one value in all events of a block, which one look at the rows
 * as a whole shows; only the others are gathered.
 */
#include "block.h"

#include <stdlib.h>

#include "gather.h"

#define PART_BYTES 512 /* shorter columns share zstd's statistics with their neighbours */
#define NOISE_BITS 7
/* Wider values may have bytes in common. */
#define NOISE_BITS_MAX 15

struct kt_block_encoder {
	struct kt_column_encoder *columns;
	struct kt_column_memo *memos[KT_STORE_MAX_KINDS]; /* of each kind's fields */
	struct kt_event_ref spare[2 * KT_BLOCK_EVENTS];
	const u8 *all[KT_BLOCK_EVENTS];	    /* rows in the order of time */
	const u8 *grouped[KT_BLOCK_EVENTS]; /* the same, kind after kind */
	u8 *vary[KT_STORE_MAX_KINDS];	    /* bits in which a kind's rows differ */
	struct kt_str heap;		    /* bytes of the column being made */
};

struct kt_block_builder *kt_block_builder_new(const struct kt_store_schema *schema)
{
	struct kt_block_builder *b = kt_alloc(sizeof(*b));
	size_t largest = 0, room;
	u32 i;

	b->schema = schema;
	b->encoder = kt_alloc(sizeof(*b->encoder));
	b->encoder->columns = kt_column_encoder_new(KT_BLOCK_EVENTS);
	for (i = 0; i < schema->count; i++) {
		const struct kt_store_kind *kind = &schema->kinds[i];

		b->encoder->memos[i] =
			kt_alloc((kind->field_count + 1u) * sizeof(struct kt_column_memo));
		b->encoder->vary[i] = kt_alloc(kind->row_size);
		b->row_size[i] = kind->row_size;
		b->row_room[i] = (u16)kt_store_row_room(kind);
		room = kt_store_row_room(kind);
		largest = room > largest ? room : largest;
	}
	b->rows = b->next = kt_alloc(KT_BLOCK_ROWS);
	b->event = b->events;
	b->last = b->events + (largest * KT_BLOCK_EVENTS > KT_BLOCK_ROWS ? KT_BLOCK_ROWS / largest
									 : KT_BLOCK_EVENTS);
	return b;
}

void kt_block_builder_free(struct kt_block_builder *b)
{
	u32 i;

	if (!b)
		return;
	for (i = 0; i < b->schema->count; i++) {
		free(b->encoder->memos[i]);
		free(b->encoder->vary[i]);
	}
	kt_column_encoder_free(b->encoder->columns);
	kt_str_free(&b->encoder->heap);
	free(b->encoder);
	free(b->rows);
	free(b);
}

/* ---- parts ---- */

static u32 parts_end(const struct kt_block_info *info)
{
	return info->part_count ? info->parts[info->part_count - 1].end : 0;
}

/* Two are kept for the end. */
static void add_part(struct kt_block_info *info, u32 end, bool noise, u32 keep)
{
	if (end > parts_end(info) && info->part_count + keep < KT_BLOCK_PARTS)
		info->parts[info->part_count++] = (struct kt_deflate_part) { end, noise };
}

/* So many bits of what has no few values, nor steps: there is nothing for zstd to find. */
static bool is_noise(const char *column)
{
	u8 encoding = (u8)column[0], bits = (u8)column[1];

	return encoding >= KT_COL_PACKED && encoding <= KT_COL_DELTA2 && bits >= NOISE_BITS &&
	       bits <= NOISE_BITS_MAX;
}

/* What is big is a part of its own. */
static void column_done(struct kt_block_info *info, const struct kt_str *out, u32 from)
{
	u32 to = (u32)out->len;

	if (to - from < PART_BYTES)
		return;
	add_part(info, from, false, 2);
	add_part(info, to, is_noise(out->data + from), 1);
}

/* ---- columns ---- */

static bool varies(const u8 *vary, const struct kt_store_field *f)
{
	u32 size = kt_store_type_bits(f->type) / 8, i;
	u8 any = 0;

	for (i = 0; i < size; i++)
		any |= vary[f->offset + i];
	return any;
}

static u64 value_of(const u8 *row, const struct kt_store_field *f)
{
	struct kt_row_view one = { .n = 1, .base = row };
	u64 value;

	kt_view_gather(&one, f, &value);
	return value;
}

static void put_bytes(struct kt_block_encoder *e, const struct kt_row_view *rows,
		      const struct kt_store_field *f, struct kt_column_memo *memo,
		      struct kt_str *out)
{
	u64 *sizes = kt_column_values(e->columns);
	u32 i;

	kt_str_reset(&e->heap);
	for (i = 0; i < rows->n; i++) {
		if (sizes[i] > f->size)
			sizes[i] = f->size;
		kt_str_add_n(&e->heap, (const char *)kt_view_row(rows, i) + f->offset + 1,
			     sizes[i]);
	}
	kt_column_encode_bytes(e->columns, memo, e->heap.data, e->heap.len, out);
}

static void put_columns(struct kt_block_encoder *e, const struct kt_store_kind *kind,
			const struct kt_row_view *rows, struct kt_str *out,
			struct kt_block_info *info)
{
	struct kt_column_memo *memo = e->memos[kind->number];
	u32 from;
	u8 i;

	kt_column_begin(e->columns, rows->n);
	for (i = 0; i < kind->field_count; i++) {
		const struct kt_store_field *f = &kind->fields[i];

		if (f->type != KT_STORE_BYTES && !varies(e->vary[kind->number], f)) {
			kt_column_constant(value_of(kt_view_row(rows, 0), f), out);
			continue;
		}
		from = (u32)out->len;
		kt_view_gather(rows, f, kt_column_values(e->columns));
		if (f->type == KT_STORE_BYTES)
			put_bytes(e, rows, f, &memo[i], out);
		else
			kt_column_encode(e->columns, &memo[i], i, out);
		column_done(info, out, from);
	}
}

/* ---- groups ---- */

struct groups {
	u32 count;
	u32 kind[KT_STORE_MAX_KINDS]; /* of each group */
	struct kt_row_view rows[KT_STORE_MAX_KINDS];
	struct kt_row_view all;
};

/* All rows are of one kind, and in order: they lie as they should. */
static void one_group(const struct kt_block_builder *b, struct groups *g)
{
	u32 n = kt_block_count(b), stride = n > 1 ? b->events[2].offset : 0;

	g->all = (struct kt_row_view) { .n = n, .stride = stride, .base = b->rows };
	g->rows[0] = g->all;
}

/* They are of one kind, but not in order. */
static void order_group(const struct kt_block_builder *b, struct groups *g)
{
	const struct kt_event_ref *event;
	const u8 **at = b->encoder->all;

	for (event = b->events + 1; event <= b->event; event++)
		*at++ = b->rows + event->offset;
	g->all = (struct kt_row_view) { .n = kt_block_count(b), .at = b->encoder->all };
	g->rows[0] = g->all;
}

static void more_groups(const struct kt_block_builder *b, struct groups *g)
{
	const u8 **next[KT_STORE_MAX_KINDS], **all = b->encoder->all, **at = b->encoder->grouped;
	const struct kt_event_ref *event;
	u32 i;

	for (i = 0; i < g->count; i++) {
		g->rows[i] = (struct kt_row_view) { .n = b->rows_of[g->kind[i]], .at = at };
		next[g->kind[i]] = at;
		at += g->rows[i].n;
	}
	for (event = b->events + 1; event <= b->event; event++) {
		*all++ = b->rows + event->offset;
		*next[event->kind]++ = b->rows + event->offset;
	}
	g->all = (struct kt_row_view) { .n = kt_block_count(b), .at = b->encoder->all };
}

static void find_groups(const struct kt_block_builder *b, struct groups *g)
{
	u32 i;

	g->count = 0;
	for (i = 0; i < b->schema->count; i++) {
		if (b->rows_of[i])
			g->kind[g->count++] = i;
	}
	if (g->count == 1 && !b->disorder)
		one_group(b, g);
	else if (g->count == 1)
		order_group(b, g);
	else
		more_groups(b, g);
}

static void put_group_table(const struct kt_block_builder *b, const struct groups *g,
			    struct kt_str *out)
{
	struct kt_column_encoder *columns = b->encoder->columns;
	u8 group[KT_STORE_MAX_KINDS];
	u64 *values = kt_column_values(columns);
	u32 n = kt_block_count(b), i;

	kt_add_le32(out, n);
	kt_add_le16(out, (u16)g->count);
	kt_add_le16(out, 0);
	for (i = 0; i < g->count; i++) {
		group[g->kind[i]] = (u8)i;
		kt_add_le16(out, b->schema->kinds[g->kind[i]].number);
		kt_add_le16(out, 0);
		kt_add_le32(out, g->rows[i].n);
	}
	if (g->count == 1) {
		kt_column_constant(0, out);
		return;
	}
	for (i = 0; i < n; i++)
		values[i] = group[b->events[i + 1].kind];
	kt_column_begin(columns, n);
	kt_column_encode_small(columns, g->count - 1, out);
}

/* In what the rows differ, kind by kind; and all, which differ from group to group, too. */
static void find_variation(struct kt_block_encoder *e, const struct kt_store_schema *schema,
			   const struct groups *g)
{
	const u8 *first = kt_view_row(&g->rows[0], 0), *other;
	u32 size = schema->kinds[0].row_size, i, at;
	u8 *vary;

	memset(e->vary[0], 0, size);
	for (i = 0; i < g->count; i++) {
		vary = e->vary[g->kind[i]];
		memset(vary, 0, schema->kinds[g->kind[i]].row_size);
		kt_view_variation(&g->rows[i], schema->kinds[g->kind[i]].row_size, vary);
		other = kt_view_row(&g->rows[i], 0);
		for (at = 0; at < size; at++)
			e->vary[0][at] |= vary[at] | (first[at] ^ other[at]);
	}
}

void kt_block_encode(struct kt_block_builder *b, struct kt_str *payload, struct kt_block_info *info)
{
	struct groups groups;
	u32 from = (u32)payload->len, i;

	if (b->disorder)
		kt_order_events(b->events + 1, kt_block_count(b), b->encoder->spare);
	info->count = kt_block_count(b);
	info->first_ts = b->events[1].ts;
	info->last_ts = b->event->ts;
	info->part_count = 0;
	find_groups(b, &groups);
	put_group_table(b, &groups, payload);
	column_done(info, payload, from);
	find_variation(b->encoder, b->schema, &groups);
	put_columns(b->encoder, &b->schema->kinds[0], &groups.all, payload, info);
	for (i = 0; i < groups.count; i++)
		put_columns(b->encoder, &b->schema->kinds[groups.kind[i]], &groups.rows[i], payload,
			    info);
	add_part(info, (u32)payload->len, false, 0);
	memset(b->rows_of, 0, sizeof(b->rows_of));
	b->event = b->events;
	b->next = b->rows;
	b->disorder = false;
}
