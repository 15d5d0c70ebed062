/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "event.h"

#include "../decode/decode.h"
#include "../store/extra.h"
#include "event_words.h"
#include "units.h"

static const char *kind_name(u32 kind, const struct kt_extra *extra)
{
	if (kind)
		return kt_kinds.kinds[kind].name;
	return extra ? extra->kind->name : "?";
}

static void add_extra_value(struct kt_str *s, const struct kt_extra_field *f)
{
	if (f->field->type == KT_STORE_BYTES) {
		for (u64 i = 0; i < f->value; i++)
			kt_str_add_hex_byte(s, f->bytes[i]);
	} else if (f->field->base == KT_STORE_HEX) {
		kt_str_add_hex(s, f->value);
	} else if (f->field->type == KT_STORE_S64 && f->value >> 63) {
		kt_str_add_char(s, '-');
		kt_str_add_u64(s, -f->value);
	} else {
		kt_str_add_u64(s, f->value);
	}
}

static void add_extra(struct kt_str *s, const struct kt_extra *extra)
{
	for (u32 i = 0; extra && i < extra->count; i++) {
		kt_str_add_char(s, ' ');
		kt_str_add_safe(s, extra->fields[i].field->name);
		kt_str_add_char(s, '=');
		add_extra_value(s, &extra->fields[i]);
	}
}

static void add_details(struct kt_str *s, u32 kind, const struct kt_row_common *row,
			const struct kt_extra *extra, const struct kt_vm_entry *vm)
{
	if (kind)
		kt_event_words(s, kind, row, vm);
	add_extra(s, extra);
}

static void add_id(struct kt_str *s, const char *what, u32 id)
{
	kt_str_add(s, what);
	if (id == KT_ROW_NONE)
		kt_str_add_char(s, '?');
	else
		kt_str_add_u64(s, id);
}

/* ---- text ---- */

void kt_event_text_all(struct kt_str *s, u32 kind, const struct kt_row_common *row,
		       const struct kt_extra *extra, const struct kt_vm_entry *vm, u64 realtime_ns)
{
	kt_str_add_clock(s, realtime_ns);
	/* What is lost is no VM's. */
	if (kind != KT_ROW_LOST) {
		kt_str_add_char(s, ' ');
		kt_str_add_safe(s, vm->name);
		add_id(s, " vcpu", row->vcpu_id);
	}
	add_id(s, " cpu", row->cpu);
	kt_str_add_char(s, ' ');
	kt_str_add_safe(s, kind_name(kind, extra));
	add_details(s, kind, row, extra, vm);
	kt_str_add_char(s, '\n');
}

void kt_event_text(struct kt_str *s, u32 kind, const struct kt_row_common *row,
		   const struct kt_vm_entry *vm, u64 realtime_ns)
{
	kt_event_text_all(s, kind, row, NULL, vm, realtime_ns);
}

/* ---- records ---- */

static bool name_reason(struct kt_str *s, u32 isa, u64 value)
{
	kt_exit_add(s, isa, (u32)value);
	return true;
}

static bool name_text(struct kt_str *s, const char *name)
{
	if (name)
		kt_str_add(s, name);
	return name;
}

static bool name_vector(struct kt_str *s, u32 isa, u64 value)
{
	(void)isa;
	return name_text(s, kt_vector_name((u32)value));
}

static bool name_msr(struct kt_str *s, u32 isa, u64 value)
{
	(void)isa;
	return kt_msr_add(s, (u32)value);
}

static bool name_port(struct kt_str *s, u32 isa, u64 value)
{
	(void)isa;
	return name_text(s, kt_port_name((u16)value));
}

static bool name_isa(struct kt_str *s, u32 isa, u64 value)
{
	(void)isa;
	return name_text(s, kt_isa_name((u32)value));
}

static bool name_user_exit(struct kt_str *s, u32 isa, u64 value)
{
	(void)isa;
	return name_text(s, kt_user_exit_name((u32)value));
}

/* What a field's meaning has names for. */
static const struct {
	const char *meaning;
	bool (*name)(struct kt_str *s, u32 isa, u64 value);
} names[] = {
	{ "exit-reason", name_reason },
	{ "vector", name_vector },
	{ "msr", name_msr },
	{ "port", name_port },
	{ "isa", name_isa },
	{ "userspace-reason", name_user_exit },
};

static u64 value_at(const struct kt_store_field *f, const void *row)
{
	u64 value = 0;

	/* As in the file, on a little-endian machine. */
	memcpy(&value, (const u8 *)row + f->offset, kt_store_type_bits(f->type) / 8);
	return value;
}

/* Of an exit reason, which ISA's it is. */
static u32 isa_of(const struct kt_store_kind *kind, const void *row)
{
	for (u32 i = 0; i < kind->field_count; i++)
		if (!strcmp(kind->fields[i].meaning, "isa"))
			return (u32)value_at(&kind->fields[i], row);
	return KT_ISA_UNKNOWN;
}

static void record_name(struct kt_record *r, const struct kt_store_kind *kind,
			const struct kt_store_field *f, const void *row)
{
	struct kt_str *name = kt_record_scratch(r), field = {};

	for (size_t i = 0; i < KT_ARRAY_SIZE(names); i++) {
		if (strcmp(names[i].meaning, f->meaning))
			continue;
		kt_str_addf(&field, "%s_name", f->name);
		if (names[i].name(name, isa_of(kind, row), value_at(f, row)))
			kt_record_str(r, field.data, name->data);
		else
			kt_record_null(r, field.data);
		kt_str_free(&field);
		return;
	}
}

static void record_bytes(struct kt_record *r, const char *name, const u8 *bytes, u64 size)
{
	struct kt_str *text = kt_record_scratch(r);

	kt_str_add(text, "");
	for (u64 i = 0; i < size; i++)
		kt_str_add_hex_byte(text, bytes[i]);
	kt_record_str(r, name, text->data);
}

static void record_value(struct kt_record *r, const struct kt_store_field *f, u64 value)
{
	if (f->base == KT_STORE_HEX)
		kt_record_hex(r, f->name, value);
	else if (f->type == KT_STORE_S64)
		kt_record_s64(r, f->name, (s64)value);
	else
		kt_record_u64(r, f->name, value);
}

static void record_fields(struct kt_record *r, u32 kind, const struct kt_row_common *row,
			  const struct kt_extra *extra)
{
	const struct kt_store_kind *k = &kt_kinds.kinds[kind];

	kt_record_object(r, "fields");
	for (u32 i = 0; kind && i < k->field_count; i++) {
		const struct kt_store_field *f = &k->fields[i];
		const u8 *at = (const u8 *)row + f->offset;

		if (f->type == KT_STORE_BYTES) {
			record_bytes(r, f->name, at + 1, *at < f->size ? *at : f->size);
			continue;
		}
		record_value(r, f, value_at(f, row));
		record_name(r, k, f, row);
	}
	for (u32 i = 0; extra && i < extra->count; i++) {
		const struct kt_extra_field *f = &extra->fields[i];

		if (f->field->type == KT_STORE_BYTES)
			record_bytes(r, f->field->name, f->bytes, f->value);
		else
			record_value(r, f->field, f->value);
	}
	kt_record_object_end(r);
}

static void record_id(struct kt_record *r, const char *name, u32 id)
{
	if (id == KT_ROW_NONE)
		kt_record_null(r, name);
	else
		kt_record_u64(r, name, id);
}

void kt_event_record_all(struct kt_record *r, u32 kind, const struct kt_row_common *row,
			 const struct kt_extra *extra, const struct kt_vm_entry *vm,
			 u64 realtime_ns)
{
	static const char *const vm_fields[] = { "pid", "name", NULL };
	bool lost = kind == KT_ROW_LOST;
	struct kt_str *details;

	kt_record_begin_event(r, realtime_ns, row->ts);
	if (lost) {
		kt_record_null_object(r, "vm", vm_fields);
	} else {
		kt_record_object(r, "vm");
		kt_record_u64(r, "pid", vm->pid);
		kt_record_str(r, "name", vm->name);
		kt_record_object_end(r);
	}
	record_id(r, "vcpu", lost ? KT_ROW_NONE : row->vcpu_id);
	record_id(r, "cpu", row->cpu);
	record_id(r, "tid", lost ? KT_ROW_NONE : row->tid);
	kt_record_str(r, "kind", kind_name(kind, extra));
	details = kt_record_scratch(r);
	add_details(details, kind, row, extra, vm);
	/* Without the blank it begins with. */
	kt_record_str(r, "details", details->len ? details->data + 1 : "");
	if (kt_record_nests(r))
		record_fields(r, kind, row, extra);
	kt_record_end(r);
}

void kt_event_record(struct kt_record *r, u32 kind, const struct kt_row_common *row,
		     const struct kt_vm_entry *vm, u64 realtime_ns)
{
	kt_event_record_all(r, kind, row, NULL, vm, realtime_ns);
}
