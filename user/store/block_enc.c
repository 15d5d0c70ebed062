/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Rows are collected as they come, and turned into columns when there are enough of them. */
#include "block.h"

#include <stdlib.h>

#define PART_BYTES 512 /* shorter columns share zstd's statistics with their neighbours */
#define NOISE_BITS 7
/* Wider values may have bytes in common. */
#define NOISE_BITS_MAX 15

struct event {
	u64 ts;
	u32 offset; /* of the row */
	u32 kind;
};

struct kt_block_builder {
	const struct kt_store_schema *schema;
	struct kt_column_encoder *columns;
	size_t ts_offset;
	u8 *rows;
	u32 used;   /* bytes of rows */
	u32 enough; /* with more, a row may no longer fit */
	u64 last_ts;
	u32 count;
	bool disorder; /* an event is older than the one before */
	struct event events[KT_BLOCK_EVENTS];
	const u8 *all[KT_BLOCK_EVENTS];	    /* rows in the order of time */
	const u8 *grouped[KT_BLOCK_EVENTS]; /* the same, kind after kind */
	struct kt_str heap;		    /* bytes of the column being made */
};

struct kt_block_builder *kt_block_builder_new(const struct kt_store_schema *schema)
{
	struct kt_block_builder *b = kt_alloc(sizeof(*b));
	size_t largest = 0;
	u32 i;

	b->schema = schema;
	b->columns = kt_column_encoder_new(KT_BLOCK_EVENTS);
	b->rows = kt_alloc(KT_BLOCK_ROWS);
	b->ts_offset = schema->kinds[0].fields[0].offset;
	for (i = 0; i < schema->count; i++) {
		if (kt_store_row_room(&schema->kinds[i]) > largest)
			largest = kt_store_row_room(&schema->kinds[i]);
	}
	b->enough = KT_BLOCK_ROWS - (u32)largest;
	return b;
}

void kt_block_builder_free(struct kt_block_builder *b)
{
	if (!b)
		return;
	kt_column_encoder_free(b->columns);
	kt_str_free(&b->heap);
	free(b->rows);
	free(b);
}

u32 kt_block_builder_count(const struct kt_block_builder *b)
{
	return b->count;
}

bool kt_block_add(struct kt_block_builder *b, u32 kind, const void *row)
{
	const struct kt_store_kind *k = &b->schema->kinds[kind];
	struct event *event = &b->events[b->count++];
	u32 used = b->used;
	u64 ts;

	memcpy(&ts, (const u8 *)row + b->ts_offset, sizeof(ts));
	b->disorder |= ts < b->last_ts;
	b->last_ts = ts;
	*event = (struct event) { ts, used, kind };
	b->used = used + (u32)kt_store_row_room(k);
	memcpy(b->rows + used, row, k->row_size);
	return b->count < KT_BLOCK_EVENTS && b->used <= b->enough;
}

/* ---- encoding ---- */

static int by_time(const void *a, const void *b)
{
	const struct event *x = a, *y = b;

	if (x->ts != y->ts)
		return x->ts < y->ts ? -1 : 1;
	/* Of the same moment: as they came. */
	return x->offset < y->offset ? -1 : 1;
}

#define GATHER(bits)                                                                               \
	for (i = 0; i < n; i++) {                                                                  \
		u##bits value;                                                                     \
                                                                                                   \
		memcpy(&value, rows[i] + offset, sizeof(value));                                   \
		values[i] = value;                                                                 \
	}

static void gather(const u8 *const *rows, u32 n, const struct kt_store_field *f, u64 *values)
{
	size_t offset = f->offset;
	u32 i;

	switch (kt_store_type_bits(f->type)) {
	case 64:
		GATHER(64);
		break;
	case 32:
		GATHER(32);
		break;
	case 16:
		GATHER(16);
		break;
	default: /* also the length of bytes */
		GATHER(8);
		break;
	}
}

static void put_bytes(struct kt_block_builder *b, const u8 *const *rows, u32 n,
		      const struct kt_store_field *f, struct kt_str *out)
{
	u64 *sizes = kt_column_values(b->columns);
	u32 i;

	kt_str_reset(&b->heap);
	for (i = 0; i < n; i++) {
		if (sizes[i] > f->size)
			sizes[i] = f->size;
		kt_str_add_n(&b->heap, (const char *)rows[i] + f->offset + 1, sizes[i]);
	}
	kt_column_encode_bytes(b->columns, b->heap.data, b->heap.len, out);
}

static u32 parts_end(const struct kt_block_info *info)
{
	return info->part_count ? info->parts[info->part_count - 1].end : 0;
}

/* Two are kept for the end. */
static void add_part(struct kt_block_info *info, u32 end, bool noise, u32 keep)
{
	if (end > parts_end(info) && info->part_count + keep < KT_BLOCK_PARTS)
		info->parts[info->part_count++] = (struct kt_part) { end, noise };
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

static void put_columns(struct kt_block_builder *b, const struct kt_store_kind *kind,
			const u8 *const *rows, u32 n, struct kt_str *out,
			struct kt_block_info *info)
{
	u32 from;
	u8 i;

	kt_column_begin(b->columns, n);
	for (i = 0; i < kind->field_count; i++) {
		from = (u32)out->len;
		gather(rows, n, &kind->fields[i], kt_column_values(b->columns));
		if (kind->fields[i].type == KT_STORE_BYTES)
			put_bytes(b, rows, n, &kind->fields[i], out);
		else
			kt_column_encode(b->columns, i, out);
		column_done(info, out, from);
	}
}

/* Sorts the rows by kinds; rows[kind] becomes how many there are. Returns how many kinds. */
static u32 group_rows(struct kt_block_builder *b, u32 *rows)
{
	u32 from[KT_STORE_MAX_KINDS], at = 0, groups = 0, i;

	memset(rows, 0, sizeof(*rows) * KT_STORE_MAX_KINDS);
	for (i = 0; i < b->count; i++) {
		b->all[i] = b->rows + b->events[i].offset;
		rows[b->events[i].kind]++;
	}
	for (i = 0; i < b->schema->count; i++) {
		from[i] = at;
		at += rows[i];
		groups += rows[i] != 0;
	}
	for (i = 0; i < b->count; i++)
		b->grouped[from[b->events[i].kind]++] = b->all[i];
	return groups;
}

static void put_group_table(struct kt_block_builder *b, const u32 *rows, u32 groups,
			    struct kt_str *out)
{
	u8 group[KT_STORE_MAX_KINDS];
	u64 *values = kt_column_values(b->columns);
	u8 met = 0;
	u32 i;

	kt_add_le32(out, b->count);
	kt_add_le16(out, (u16)groups);
	kt_add_le16(out, 0);
	for (i = 0; i < b->schema->count; i++) {
		if (!rows[i])
			continue;
		group[i] = met++;
		kt_add_le16(out, b->schema->kinds[i].number);
		kt_add_le16(out, 0);
		kt_add_le32(out, rows[i]);
	}
	for (i = 0; i < b->count; i++)
		values[i] = group[b->events[i].kind];
	kt_column_begin(b->columns, b->count);
	kt_column_encode(b->columns, 0, out);
}

void kt_block_encode(struct kt_block_builder *b, struct kt_str *payload, struct kt_block_info *info)
{
	u32 rows[KT_STORE_MAX_KINDS], groups, at = 0, from, i;

	if (b->disorder)
		qsort(b->events, b->count, sizeof(*b->events), by_time);
	info->count = b->count;
	info->first_ts = b->events[0].ts;
	info->last_ts = b->events[b->count - 1].ts;
	info->part_count = 0;
	groups = group_rows(b, rows);
	from = (u32)payload->len;
	put_group_table(b, rows, groups, payload);
	column_done(info, payload, from);
	put_columns(b, &b->schema->kinds[0], b->all, b->count, payload, info);
	for (i = 0; i < b->schema->count; i++) {
		if (rows[i])
			put_columns(b, &b->schema->kinds[i], b->grouped + at, rows[i], payload,
				    info);
		at += rows[i];
	}
	add_part(info, (u32)payload->len, false, 0);
	b->count = b->used = 0;
	b->last_ts = 0;
	b->disorder = false;
}
