/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "ctf.h"

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctf_lib.h"
#include "names.h"

/*
 * Streams that are enough for any capture of a host: as many vCPUs as were in an exit at the same time,
 * and one. They bound the descriptors that one made up can take.
 */
#define MAX_STREAMS 200
/* Events that wait to be written, of a stream and of all: an object each, of some kilobytes. */
#define MAX_PENDING	256
#define MAX_PENDING_ALL 4096

/* The context of every event: what all kinds have in common but for the time, and the name of the VM. */
#define FIRST_COMMON 1

struct stream {
	bt *stream;
	u64 last; /* the time of its last event */
	u32 pending;
};

struct kt_ctf {
	struct kt_ctf_lib lib;
	bt *writer, *clock, *stream_class, *event_class[KT_ROW_COUNT];
	bt *types[3][65]; /* by struct kt_store_field .base, signed last, and number of bits */
	bt *string;
	struct stream streams[MAX_STREAMS];
	u32 stream_count, pending;
	struct kt_str text;
	const char *error;
};

#define SIGNED 2

static void fail(struct kt_ctf *c, const char *error)
{
	if (!c->error)
		c->error = error;
}

/* For what the library refuses only when it has no memory, or no room on the disk. */
static void check(struct kt_ctf *c, bool ok)
{
	if (!ok)
		fail(c,
		     "the CTF writer library could not write (is there no room left on the disk?)");
}

/* ---- the metadata ---- */

static bt *type_of(struct kt_ctf *c, const struct kt_store_field *field)
{
	unsigned int bits = kt_store_type_bits(field->type);
	bool is_signed = field->type == KT_STORE_S64;
	bt **type = &c->types[is_signed ? SIGNED : field->base == KT_STORE_HEX][bits];

	if (field->type == KT_STORE_BYTES)
		return c->string;
	if (*type)
		return *type;
	*type = c->lib.field_type_integer_create(bits);
	if (is_signed)
		c->lib.field_type_integer_set_is_signed(*type, 1);
	else if (field->base == KT_STORE_HEX)
		c->lib.field_type_integer_set_base(*type, 16);
	return *type;
}

static void set_context(struct kt_ctf *c)
{
	const struct kt_store_kind *common = &kt_kinds.kinds[KT_ROW_COMMON];
	bt *context = c->lib.field_type_structure_create();

	for (u32 i = FIRST_COMMON; i < common->field_count; i++)
		check(c, !c->lib.field_type_structure_add_field(
				 context, type_of(c, &common->fields[i]), common->fields[i].name));
	check(c, !c->lib.field_type_structure_add_field(context, c->string, "vm"));
	check(c, !c->lib.stream_class_set_event_context_type(c->stream_class, context));
	c->lib.object_put_ref(context);
}

/* Its first field is what Perfetto and people call the event; the others are the kind's. */
static void add_class(struct kt_ctf *c, u32 kind)
{
	const struct kt_store_kind *k = &kt_kinds.kinds[kind];
	bt *class = c->lib.event_class_create(k->name);

	c->event_class[kind] = class;
	check(c, !c->lib.event_class_add_field(class, c->string, "name"));
	for (u32 i = 0; i < k->field_count; i++)
		check(c, !c->lib.event_class_add_field(class, type_of(c, &k->fields[i]),
						       k->fields[i].name));
	check(c, !c->lib.stream_class_add_event_class(c->stream_class, class));
}

static void set_clock(struct kt_ctf *c, const struct kt_clock *clock)
{
	s64 offset = clock ? (s64)(clock->realtime - clock->monotonic) : 0;
	s64 seconds = offset / (s64)KT_NSEC_PER_SEC, ns = offset % (s64)KT_NSEC_PER_SEC;

	if (ns < 0) {
		seconds--;
		ns += (s64)KT_NSEC_PER_SEC;
	}
	c->clock = c->lib.clock_create("monotonic");
	check(c, !c->lib.clock_set_description(c->clock, "CLOCK_MONOTONIC of the host"));
	check(c, !c->lib.clock_set_offset_s(c->clock, seconds));
	check(c, !c->lib.clock_set_offset(c->clock, ns));
	check(c, !c->lib.writer_add_clock(c->writer, c->clock));
	check(c, !c->lib.stream_class_set_clock(c->stream_class, c->clock));
}

static bool is_empty(const char *path, struct kt_str *why)
{
	DIR *directory;
	unsigned int entries = 0;

	if (mkdir(path, 0700) == 0)
		return true;
	directory = errno == EEXIST ? opendir(path) : NULL;
	if (!directory) {
		kt_str_add(why, strerror(errno));
		return false;
	}
	while (entries < 3 && readdir(directory))
		entries++;
	closedir(directory);
	if (entries > 2) /* . and .. */
		kt_str_add(why, "there is such a directory, and it is not empty");
	return entries <= 2;
}

static bool begin(struct kt_ctf *c, const char *path, const struct kt_clock *clock,
		  struct kt_str *why)
{
	if (!kt_ctf_lib_load(&c->lib, why) || !is_empty(path, why))
		return false;
	c->writer = c->lib.writer_create(path);
	if (!c->writer) {
		kt_str_add(why, "the CTF writer library cannot write there");
		return false;
	}
	c->lib.writer_add_environment_field(c->writer, "tracer_name", "kvmtrace");
	c->stream_class = c->lib.stream_class_create("kvmtrace");
	c->string = c->lib.field_type_string_create();
	set_clock(c, clock);
	set_context(c);
	for (u32 kind = 1; kind < KT_ROW_COUNT; kind++)
		add_class(c, kind);
	if (c->error)
		kt_str_add(why, c->error);
	return !c->error;
}

struct kt_ctf *kt_ctf_new(const char *path, const struct kt_clock *clock, struct kt_str *why)
{
	struct kt_ctf *c = kt_alloc(sizeof(*c));
	struct kt_str ignored = {};

	if (begin(c, path, clock, why))
		return c;
	fail(c, "");
	kt_ctf_close(c, &ignored);
	kt_str_free(&ignored);
	return NULL;
}

/* ---- events ---- */

static void flush(struct kt_ctf *c, struct stream *s)
{
	if (!s->pending)
		return;
	c->pending -= s->pending;
	s->pending = 0;
	check(c, !c->lib.stream_flush(s->stream));
}

/* The first stream in which the event is the youngest. Their last times descend. */
static struct stream *stream_for(struct kt_ctf *c, u64 ts)
{
	struct stream *s = c->streams, *end = s + c->stream_count;

	while (s < end && s->last > ts)
		s++;
	if (s < end)
		return s;
	if (c->stream_count == MAX_STREAMS) {
		fail(c, "the capture's events are in no order of time");
		return NULL;
	}
	s->stream = c->lib.writer_create_stream(c->writer, c->stream_class);
	check(c, s->stream);
	if (!s->stream)
		return NULL;
	c->stream_count++;
	return s;
}

static void set_text(struct kt_ctf *c, bt *structure, u32 index, const char *text)
{
	bt *field = c->lib.field_structure_get_field_by_index(structure, index);

	check(c, field && !c->lib.field_string_set_value(field, text));
	c->lib.object_put_ref(field);
}

static void set_bytes(struct kt_ctf *c, bt *structure, u32 index, const u8 *bytes)
{
	kt_str_reset(&c->text);
	kt_str_add(&c->text, "");
	for (u32 i = 1; i <= bytes[0]; i++) {
		if (i > 1)
			kt_str_add_char(&c->text, ' ');
		kt_str_add_hex_byte(&c->text, bytes[i]);
	}
	set_text(c, structure, index, c->text.data);
}

static void set_number(struct kt_ctf *c, bt *structure, u32 index,
		       const struct kt_store_field *field, const void *at)
{
	bt *target = c->lib.field_structure_get_field_by_index(structure, index);
	u64 value = 0;

	memcpy(&value, at, kt_store_type_bits(field->type) / 8); /* x86: the low bytes come first */
	if (field->type == KT_STORE_S64)
		check(c, target && !c->lib.field_integer_signed_set_value(target, (s64)value));
	else
		check(c, target && !c->lib.field_integer_unsigned_set_value(target, value));
	c->lib.object_put_ref(target);
}

static void set_fields(struct kt_ctf *c, bt *structure, u32 index, const struct kt_store_kind *kind,
		       u32 from, const void *row)
{
	for (u32 i = from; i < kind->field_count; i++, index++) {
		const struct kt_store_field *field = &kind->fields[i];
		const u8 *at = (const u8 *)row + field->offset;

		if (field->type == KT_STORE_BYTES)
			set_bytes(c, structure, index, at);
		else
			set_number(c, structure, index, field, at);
	}
}

static void fill(struct kt_ctf *c, bt *event, u32 kind, const struct kt_row_common *row,
		 const struct kt_vm_entry *vm)
{
	const struct kt_store_kind *common = &kt_kinds.kinds[KT_ROW_COMMON];
	bt *context = c->lib.event_get_stream_event_context(event);
	bt *payload = c->lib.event_get_payload_field(event);

	set_fields(c, context, 0, common, FIRST_COMMON, row);
	kt_str_reset(&c->text);
	kt_str_add_safe(&c->text, vm ? vm->name : "");
	set_text(c, context, common->field_count - FIRST_COMMON, c->text.data);
	kt_str_reset(&c->text);
	kt_export_name(&c->text, kind, row);
	set_text(c, payload, 0, c->text.data);
	set_fields(c, payload, 1, &kt_kinds.kinds[kind], 0, row);
	c->lib.object_put_ref(context);
	c->lib.object_put_ref(payload);
}

void kt_ctf_event(struct kt_ctf *c, u32 kind, const struct kt_row_common *row,
		  const struct kt_vm_entry *vm)
{
	const u64 ts = row->ts < INT64_MAX ? row->ts : INT64_MAX;
	struct stream *s = c->error ? NULL : stream_for(c, ts);
	bt *event;

	if (!s)
		return;
	if (kind == KT_ROW_LOST)
		flush(c, s);
	event = c->lib.event_create(c->event_class[kind]);
	check(c, event);
	if (!event)
		return;
	fill(c, event, kind, row, kind == KT_ROW_LOST ? NULL : vm);
	/* An event gets the clock's time as it is appended. */
	check(c, !c->lib.clock_set_time(c->clock, (s64)ts));
	check(c, !c->lib.stream_append_event(s->stream, event));
	c->lib.object_put_ref(event);
	if (kind == KT_ROW_LOST)
		c->lib.stream_append_discarded_events(s->stream,
						      ((const struct kt_row_lost *)row)->count);
	s->last = ts;
	s->pending++;
	c->pending++;
	/* Readers tell of loss between the ends of two packets. */
	if (s->pending >= MAX_PENDING || kind == KT_ROW_LOST)
		flush(c, s);
	for (u32 i = 0; c->pending >= MAX_PENDING_ALL && i < c->stream_count; i++)
		flush(c, &c->streams[i]);
}

const char *kt_ctf_error(const struct kt_ctf *c)
{
	return c->error;
}

bool kt_ctf_close(struct kt_ctf *c, struct kt_str *why)
{
	const struct kt_ctf_lib *lib = &c->lib;
	bool ok;

	for (u32 i = 0; i < c->stream_count; i++) {
		if (!c->error)
			flush(c, &c->streams[i]);
		lib->object_put_ref(c->streams[i].stream);
	}
	if (c->writer) {
		for (u32 kind = 1; kind < KT_ROW_COUNT; kind++)
			lib->object_put_ref(c->event_class[kind]);
		for (u32 i = 0; i < sizeof(c->types) / sizeof(bt *); i++)
			lib->object_put_ref((&c->types[0][0])[i]);
		lib->object_put_ref(c->string);
		lib->object_put_ref(c->stream_class);
		lib->object_put_ref(c->clock);
		lib->object_put_ref(c->writer);
	}
	ok = !c->error;
	if (!ok)
		kt_str_add(why, c->error);
	kt_ctf_lib_unload(&c->lib);
	kt_str_free(&c->text);
	free(c);
	return ok;
}
