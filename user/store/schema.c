/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Schemas: checked, written to a file, read from one, and mapped to each other by names. */
#include "schema.h"

#include <errno.h>
#include <stdlib.h>

#include "bytes.h"

#define TEXT_MAX    255
#define KIND_TEXTS  2 /* texts of a kind's and a field's record */
#define FIELD_TEXTS 4

static const u8 type_bits[] = {
	[KT_STORE_U8] = 8,   [KT_STORE_U16] = 16, [KT_STORE_U32] = 32,
	[KT_STORE_U64] = 64, [KT_STORE_S64] = 64,
};

unsigned int kt_store_type_bits(u8 type)
{
	return type < KT_ARRAY_SIZE(type_bits) ? type_bits[type] : 0;
}

int kt_store_find_field(const struct kt_store_kind *kind, const char *name)
{
	u32 i;

	for (i = 0; i < kind->field_count; i++) {
		if (!strcmp(kind->fields[i].name, name))
			return (int)i;
	}
	return -1;
}

int kt_store_find_kind(const struct kt_store_schema *schema, const char *name)
{
	u32 i;

	for (i = 0; i < schema->count; i++) {
		if (!strcmp(schema->kinds[i].name, name))
			return (int)i;
	}
	return -1;
}

/* ---- a program's own ---- */

static bool text_fits(const char *text)
{
	return text && strlen(text) <= TEXT_MAX;
}

static bool field_fits(const struct kt_store_field *f, const struct kt_store_kind *kind)
{
	size_t size = f->type == KT_STORE_BYTES ? 1u + f->size : kt_store_type_bits(f->type) / 8;

	return size && f->offset + size <= kind->row_size && text_fits(f->name) && *f->name &&
	       text_fits(f->meaning) && text_fits(f->unit) && text_fits(f->text);
}

static bool kind_fits(const struct kt_store_kind *kind, u32 number)
{
	u32 i;

	if (kind->number != number || kind->field_count > KT_STORE_MAX_FIELDS ||
	    kind->row_size > KT_STORE_MAX_ROW || (number && kind->row_size < KT_STORE_MIN_ROW) ||
	    !text_fits(kind->name) || !*kind->name || !text_fits(kind->text))
		return false;
	for (i = 0; i < kind->field_count; i++) {
		if (!field_fits(&kind->fields[i], kind) ||
		    kt_store_find_field(kind, kind->fields[i].name) != (int)i)
			return false;
	}
	return true;
}

int kt_store_check_schema(const struct kt_store_schema *schema)
{
	const struct kt_store_kind *common = schema->kinds;
	u32 i;

	if (schema->count < 1 || schema->count > KT_STORE_MAX_KINDS || common->field_count < 1 ||
	    strcmp(common->fields[0].name, "ts") != 0 || common->fields[0].type != KT_STORE_U64 ||
	    common->fields[0].offset)
		return -EINVAL;
	for (i = 0; i < schema->count; i++) {
		if (!kind_fits(&schema->kinds[i], i) ||
		    schema->kinds[i].row_size < common->row_size ||
		    kt_store_find_kind(schema, schema->kinds[i].name) != (int)i)
			return -EINVAL;
	}
	return 0;
}

/* ---- to a file ---- */

static void put_text(struct kt_str *s, const char *text)
{
	size_t n = strlen(text);

	kt_add_u8(s, (u8)n);
	kt_str_add_n(s, text, n);
}

/* A record begins with the number of bytes that follow, so that later versions may append to it. */
static size_t begin_record(struct kt_str *s)
{
	kt_add_le16(s, 0);
	return s->len;
}

static void end_record(struct kt_str *s, size_t begin)
{
	kt_put_le16((u8 *)s->data + begin - 2, (u16)(s->len - begin));
}

static void put_field(struct kt_str *s, const struct kt_store_field *f)
{
	size_t begin = begin_record(s);

	kt_add_u8(s, f->type);
	kt_add_u8(s, f->base);
	kt_add_u8(s, f->size);
	put_text(s, f->name);
	put_text(s, f->meaning);
	put_text(s, f->unit);
	put_text(s, f->text);
	end_record(s, begin);
}

void kt_store_put_schema(struct kt_str *s, const struct kt_store_schema *schema)
{
	const struct kt_store_kind *kind;
	size_t begin;
	u32 i, j;

	kt_add_le16(s, (u16)schema->count);
	for (i = 0; i < schema->count; i++) {
		kind = &schema->kinds[i];
		begin = begin_record(s);
		kt_add_le16(s, kind->number);
		kt_add_le16(s, kind->field_count);
		put_text(s, kind->name);
		put_text(s, kind->text);
		end_record(s, begin);
		for (j = 0; j < kind->field_count; j++)
			put_field(s, &kind->fields[j]);
	}
}

/* ---- from a file ---- */

struct parser {
	struct kt_in in;
	struct kt_file_schema *file;
	char *text; /* where the next one goes */
	u32 fields; /* met so far */
};

static struct kt_in next_record(struct parser *p)
{
	u16 n = kt_in_le16(&p->in);
	const u8 *bytes = kt_in_bytes(&p->in, n);
	struct kt_in record = kt_in(bytes ? bytes : p->in.end, bytes ? n : 0);

	record.bad = p->in.bad;
	return record;
}

static const char *next_text(struct parser *p, struct kt_in *record)
{
	u8 n = kt_in_u8(record);
	const u8 *bytes = kt_in_bytes(record, n);
	char *text = p->text;

	if (!bytes || memchr(bytes, 0, n)) {
		record->bad = true;
		return "";
	}
	memcpy(text, bytes, n);
	text[n] = '\0';
	p->text += n + 1;
	return text;
}

static bool parse_field(struct parser *p, struct kt_store_field *f)
{
	struct kt_in record = next_record(p);

	f->type = kt_in_u8(&record);
	f->base = kt_in_u8(&record);
	f->size = kt_in_u8(&record);
	f->name = next_text(p, &record);
	f->meaning = next_text(p, &record);
	f->unit = next_text(p, &record);
	f->text = next_text(p, &record);
	return !record.bad && (kt_store_type_bits(f->type) || f->type == KT_STORE_BYTES);
}

static bool parse_kind(struct parser *p, u32 index)
{
	struct kt_store_kind *kind = &p->file->kinds[index];
	struct kt_store_field *fields = p->file->fields + p->fields;
	struct kt_in record = next_record(p);
	u32 i;

	kind->number = kt_in_le16(&record);
	kind->field_count = kt_in_le16(&record);
	kind->name = next_text(p, &record);
	kind->text = next_text(p, &record);
	kind->fields = fields;
	if (record.bad || kind->number > KT_STORE_MAX_KINDS ||
	    p->file->by_number[kind->number] != -1 || kind->field_count > KT_STORE_MAX_FIELDS ||
	    kt_store_find_kind(&p->file->schema, kind->name) != -1)
		return false;
	for (i = 0; i < kind->field_count; i++) {
		if (!parse_field(p, &fields[i]))
			return false;
	}
	for (i = 0; i < kind->field_count; i++) {
		if (kt_store_find_field(kind, fields[i].name) != (int)i)
			return false;
	}
	p->file->by_number[kind->number] = (s16)index;
	p->fields += kind->field_count;
	p->file->schema.count++;
	return true;
}

int kt_file_schema_parse(struct kt_file_schema *file, const void *payload, size_t n)
{
	struct parser p = { .in = kt_in(payload, n), .file = file };
	const struct kt_store_kind *common;
	u32 count, i;

	memset(file->by_number, 0xff, sizeof(file->by_number));
	count = kt_in_le16(&p.in);
	if (p.in.bad || count < 1 || count > KT_STORE_MAX_KINDS)
		return -EBADMSG;
	file->kinds = kt_alloc(count * sizeof(*file->kinds));
	/* A field takes 9 bytes at least, a text one more than its characters: as it does here. */
	file->fields = kt_alloc((n / 9 + KT_STORE_MAX_FIELDS) * sizeof(*file->fields));
	file->texts = p.text = kt_alloc(n);
	file->schema.kinds = file->kinds;
	for (i = 0; i < count; i++) {
		if (!parse_kind(&p, i))
			return -EBADMSG;
	}
	common = &file->kinds[0];
	if (common->number != 0 || common->field_count < 1 ||
	    strcmp(common->fields[0].name, "ts") != 0 || common->fields[0].type != KT_STORE_U64)
		return -EBADMSG;
	return 0;
}

void kt_file_schema_fini(struct kt_file_schema *file)
{
	free(file->kinds);
	free(file->fields);
	free(file->texts);
	memset(file, 0, sizeof(*file));
}

/* ---- one to the other ---- */

static bool holds(const struct kt_store_field *ours, const struct kt_store_field *theirs)
{
	if (ours->type == KT_STORE_BYTES || theirs->type == KT_STORE_BYTES)
		return ours->type == theirs->type && ours->size >= theirs->size;
	if (ours->type == KT_STORE_S64 || theirs->type == KT_STORE_S64)
		return ours->type == theirs->type;
	return kt_store_type_bits(ours->type) >= kt_store_type_bits(theirs->type);
}

void kt_store_map(struct kt_store_map *map, const struct kt_store_kind *theirs,
		  const struct kt_store_schema *ours)
{
	const struct kt_store_kind *kind;
	int i, at;

	memset(map, 0, sizeof(*map));
	memset(map->field, 0xff, sizeof(map->field));
	/* Kind 0, what all events have, is the same by its number. */
	map->kind = theirs->number ? (s16)kt_store_find_kind(ours, theirs->name) : 0;
	if (theirs->number && map->kind <= 0) {
		map->kind = -1;
		return;
	}
	kind = &ours->kinds[map->kind];
	for (i = 0; i < kind->field_count; i++) {
		at = kt_store_find_field(theirs, kind->fields[i].name);
		if (at < 0 || !holds(&kind->fields[i], &theirs->fields[at]))
			continue;
		map->field[i] = (s8)at;
		map->present |= 1ull << i;
	}
}
