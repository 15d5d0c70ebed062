/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "record.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/log.h"
#include "../lib/str.h"
#include "units.h"

#define MAX_DEPTH     16
#define SECOND_LENGTH 20 /* "2026-01-31T23:59:59." */

/* What becomes of the record that is being built. */
enum style {
	STYLE_JSON,
	STYLE_ROW,  /* csv, main type */
	STYLE_NOTE, /* csv, any other type: a message */
};

struct kt_record {
	enum kt_format format;
	enum style style;
	struct kt_out *out;
	const char *main_type;
	struct kt_str opening; /* json: what a record of the main type begins with */
	struct kt_str line;    /* the record so far */
	bool follows;	       /* something stands before at this level: a separator is due */

	unsigned int depth;	    /* open objects and arrays */
	unsigned int array_depth;   /* not json: those from the outermost array on */
	size_t path_len[MAX_DEPTH]; /* not json: length of path outside of each open object */
	struct kt_str path;	    /* not json: names of the open objects, a dot after each */
	struct kt_str cell;	    /* not json: the array so far */
	bool cell_has_text;	    /* its elements are not only numbers */

	struct kt_str scratch; /* kt_record_scratch() */

	struct kt_memo memo;
	struct kt_stem time, ts; /* what an event begins with, and how that goes on */
	size_t keep_from;	 /* where on the line begins what kt_record_keep() keeps */
	struct {
		size_t from, to; /* on the line */
	} holes[KT_RECORD_HOLES];
	unsigned int hole_count;

	struct kt_str header; /* csv: column names, from the first row */
	unsigned int columns; /* csv: how many */
	unsigned int fields;  /* of this row so far */

	u64 second; /* that second_text spells; the latter is empty at first */
	char second_text[SECOND_LENGTH];
};

struct kt_record *kt_record_new(enum kt_format format, struct kt_out *out, const char *main_type)
{
	struct kt_record *r = kt_alloc(sizeof(*r));

	r->format = format;
	r->out = out;
	r->main_type = main_type;
	return r;
}

void kt_record_free(struct kt_record *r)
{
	if (!r)
		return;
	kt_str_free(&r->opening);
	kt_str_free(&r->line);
	kt_str_free(&r->path);
	kt_str_free(&r->cell);
	kt_str_free(&r->header);
	kt_str_free(&r->scratch);
	kt_memo_fini(&r->memo);
	free(r);
}

bool kt_record_nests(const struct kt_record *r)
{
	return r->format == KT_FORMAT_JSON;
}

struct kt_str *kt_record_scratch(struct kt_record *r)
{
	kt_str_reset(&r->scratch);
	return &r->scratch;
}

void kt_record_begin(struct kt_record *r, const char *type)
{
	bool main = !strcmp(type, r->main_type);

	kt_str_reset(&r->line);
	r->follows = false;
	r->fields = 0;
	if (r->format == KT_FORMAT_JSON && main && r->opening.len) {
		r->style = STYLE_JSON;
		r->follows = true;
		kt_str_add_n(&r->line, r->opening.data, r->opening.len);
	} else if (r->format == KT_FORMAT_JSON) {
		r->style = STYLE_JSON;
		kt_str_add_char(&r->line, '{');
		kt_record_str(r, "type", type);
		if (main)
			kt_str_add_n(&r->opening, r->line.data, r->line.len);
	} else if (main) {
		r->style = STYLE_ROW;
	} else {
		r->style = STYLE_NOTE;
		kt_str_add(&r->line, type);
		kt_str_add_char(&r->line, ':');
	}
}

static void end_row(struct kt_record *r)
{
	if (!r->columns) {
		r->columns = r->fields;
		kt_str_add_char(&r->header, '\n');
		kt_out_write(r->out, r->header.data, r->header.len);
	}
	/* Rows under the wrong column names would be a lie that nobody notices. */
	assert(r->fields == r->columns);
	kt_str_add_char(&r->line, '\n');
	kt_out_write(r->out, r->line.data, r->line.len);
}

void kt_record_end(struct kt_record *r)
{
	assert(r->depth == 0);
	switch (r->style) {
	case STYLE_JSON:
		kt_str_add(&r->line, "}\n");
		kt_out_write(r->out, r->line.data, r->line.len);
		break;
	case STYLE_ROW:
		end_row(r);
		break;
	case STYLE_NOTE:
		kt_note("%s", r->line.data);
		break;
	}
}

/* Notes the column's name while the first row is built. */
static void add_column(struct kt_record *r, const char *name)
{
	struct kt_str full = { 0 };

	r->fields++;
	if (r->columns)
		return;
	kt_str_add_n(&full, r->path.data, r->path.len);
	kt_str_add(&full, name);
	if (r->header.len)
		kt_str_add_char(&r->header, ',');
	kt_str_add_csv(&r->header, full.data);
	kt_str_free(&full);
}

/* Separator and name; returns where the value itself goes. */
static struct kt_str *begin_value(struct kt_record *r, const char *name)
{
	bool follows = r->follows;

	r->follows = true;
	if (r->style == STYLE_JSON) {
		if (name)
			kt_str_add_json_name(&r->line, follows, name);
		else if (follows)
			kt_str_add_char(&r->line, ',');
	} else if (r->array_depth) {
		if (follows)
			kt_str_add_char(&r->cell, r->array_depth == 1 ? ' ' : ':');
		return &r->cell;
	} else if (r->style == STYLE_ROW) {
		if (follows)
			kt_str_add_char(&r->line, ',');
		add_column(r, name);
	} else {
		kt_str_add_char(&r->line, ' ');
		kt_str_add_n(&r->line, r->path.data, r->path.len);
		kt_str_add(&r->line, name);
		kt_str_add_char(&r->line, '=');
	}
	return &r->line;
}

void kt_record_u64(struct kt_record *r, const char *name, u64 value)
{
	kt_str_add_u64(begin_value(r, name), value);
}

void kt_record_s64(struct kt_record *r, const char *name, s64 value)
{
	struct kt_str *s = begin_value(r, name);

	if (value < 0)
		kt_str_add_char(s, '-');
	kt_str_add_u64(s, value < 0 ? -(u64)value : (u64)value);
}

void kt_record_real(struct kt_record *r, const char *name, double value)
{
	struct kt_str *s;
	char digits[40];
	bool in_point = false;

	if (!isfinite(value)) {
		kt_record_null(r, name);
		return;
	}
	/* The short form where that reads back as the same number: 0.1, not 0.10000000000000001. */
	snprintf(digits, sizeof(digits), "%.15g", value);
	if (strtod(digits, NULL) != value)
		snprintf(digits, sizeof(digits), "%.17g", value);
	s = begin_value(r, name);
	/* What is neither digit nor exponent is the locale's decimal point. */
	for (const char *p = digits; *p; p++) {
		bool point = !strchr("0123456789+-e", *p);

		if (!point)
			kt_str_add_char(s, *p);
		else if (!in_point)
			kt_str_add_char(s, '.');
		in_point = point;
	}
}

void kt_record_hex(struct kt_record *r, const char *name, u64 value)
{
	struct kt_str *s = begin_value(r, name);

	if (r->style == STYLE_JSON)
		kt_str_add_char(s, '"');
	kt_str_add_hex(s, value);
	if (r->style == STYLE_JSON)
		kt_str_add_char(s, '"');
}

/* A value in a message: quoted where its end would not be seen otherwise. */
static void add_word(struct kt_str *s, const char *text)
{
	if (!*text || strpbrk(text, " \"="))
		kt_str_add_json(s, text);
	else
		kt_str_add_safe(s, text);
}

void kt_record_str(struct kt_record *r, const char *name, const char *value)
{
	struct kt_str *s;

	if (!value) {
		kt_record_null(r, name);
		return;
	}
	s = begin_value(r, name);
	if (r->style == STYLE_JSON) {
		kt_str_add_json(s, value);
	} else if (r->array_depth) {
		kt_str_add(s, value);
		r->cell_has_text = true;
	} else if (r->style == STYLE_ROW) {
		kt_str_add_csv(s, value);
	} else {
		add_word(s, value);
	}
}

void kt_record_bool(struct kt_record *r, const char *name, bool value)
{
	struct kt_str *s = begin_value(r, name);

	if (value)
		kt_str_add(s, "true");
	else
		kt_str_add(s, "false");
}

void kt_record_null(struct kt_record *r, const char *name)
{
	struct kt_str *s = begin_value(r, name);

	if (r->style != STYLE_ROW)
		kt_str_add(s, "null");
}

void kt_record_null_object(struct kt_record *r, const char *name, const char *const *names)
{
	if (r->style != STYLE_ROW || r->array_depth) {
		kt_record_null(r, name);
		return;
	}
	kt_record_object(r, name);
	for (; *names; names++)
		kt_record_null(r, *names);
	kt_record_object_end(r);
}

void kt_record_object(struct kt_record *r, const char *name)
{
	assert(r->depth < MAX_DEPTH);
	if (r->style == STYLE_JSON) {
		kt_str_add_char(begin_value(r, name), '{');
		r->follows = false;
	} else if (r->array_depth) {
		kt_record_array(r, NULL);
		return;
	} else {
		r->path_len[r->depth] = r->path.len;
		kt_str_add(&r->path, name);
		kt_str_add_char(&r->path, '.');
	}
	r->depth++;
}

void kt_record_object_end(struct kt_record *r)
{
	assert(r->depth > 0);
	if (r->style != STYLE_JSON && r->array_depth) {
		kt_record_array_end(r);
		return;
	}
	r->depth--;
	if (r->style == STYLE_JSON)
		kt_str_add_char(&r->line, '}');
	else
		r->path.len = r->path_len[r->depth];
	r->follows = true;
}

void kt_record_array(struct kt_record *r, const char *name)
{
	struct kt_str *s = begin_value(r, name);

	assert(r->depth < MAX_DEPTH);
	r->depth++;
	r->follows = false;
	if (r->style == STYLE_JSON) {
		kt_str_add_char(s, '[');
	} else if (r->array_depth++ == 0) {
		kt_str_reset(&r->cell);
		kt_str_add(&r->cell, "");
		r->cell_has_text = false;
	}
}

void kt_record_array_end(struct kt_record *r)
{
	assert(r->depth > 0);
	r->depth--;
	r->follows = true;
	if (r->style == STYLE_JSON)
		kt_str_add_char(&r->line, ']');
	else if (--r->array_depth > 0)
		return;
	else if (r->style == STYLE_NOTE)
		add_word(&r->line, r->cell.data);
	else if (r->cell_has_text)
		kt_str_add_csv(&r->line, r->cell.data);
	else
		kt_str_add_n(&r->line, r->cell.data, r->cell.len);
}

/*
 * Date of a day counted from 1970-01-01. Years are taken to begin in March, so that the leap day
 * ends them: then any five months have 153 days, and 400 years have 146097.
 */
static char *put_date(char *p, u64 day)
{
	u64 since_0000_03_01 = day + 719468;
	u64 era = since_0000_03_01 / 146097;
	u64 day_of_era = since_0000_03_01 % 146097;
	u64 year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	u64 day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	u64 month = (5 * day_of_year + 2) / 153; /* 0: March */
	u64 day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
	u64 year = era * 400 + year_of_era + (month >= 10);

	p = kt_put_decimal(p, year, 4);
	*p++ = '-';
	p = kt_put_decimal(p, month < 10 ? month + 3 : month - 9, 2);
	*p++ = '-';
	return kt_put_decimal(p, day_of_month, 2);
}

/* Most events share their second with the one before: only the fraction is spelt anew. */
static void spell_second(struct kt_record *r, u64 second)
{
	unsigned int of_day = second % 86400;
	char *p = put_date(r->second_text, second / 86400);

	*p++ = 'T';
	p = kt_put_decimal(p, of_day / 3600, 2);
	*p++ = ':';
	p = kt_put_decimal(p, of_day / 60 % 60, 2);
	*p++ = ':';
	p = kt_put_decimal(p, of_day % 60, 2);
	*p = '.';
	r->second = second;
}

void kt_record_time(struct kt_record *r, const char *name, u64 realtime_ns)
{
	u64 second = realtime_ns / KT_NSEC_PER_SEC;
	bool quoted = r->style == STYLE_JSON;
	struct kt_str *s = begin_value(r, name);
	char *p = kt_str_room(s, SECOND_LENGTH + sizeof("\"123456789Z\""));

	if (r->second != second || !r->second_text[0])
		spell_second(r, second);
	*p = '"';
	p += quoted;
	memcpy(p, r->second_text, SECOND_LENGTH);
	p = kt_put_fraction(p + SECOND_LENGTH, realtime_ns % KT_NSEC_PER_SEC);
	p[0] = 'Z';
	p[1] = '"';
	kt_str_end(s, p + 1 + quoted);
}

void kt_record_begin_event(struct kt_record *r, u64 realtime_ns, u64 ts)
{
	const size_t digits = 6;
	size_t time_end;

	kt_record_begin(r, r->main_type);
	kt_record_time(r, "time", realtime_ns);
	time_end = r->line.len - (r->style == STYLE_JSON ? strlen("Z\"") : strlen("Z"));
	kt_stem_set(&r->time, realtime_ns, r->line.data, time_end - digits);
	kt_record_u64(r, "ts_ns", ts);
	r->keep_from = r->line.len;
	r->hole_count = 0;
	r->ts.count = 0;
	/* Smaller ones have no leading zeros. */
	if (ts >= 1000000)
		kt_stem_set(&r->ts, ts, r->line.data + time_end, r->line.len - time_end - digits);
}

static char *put_number(char *p, struct kt_record_number number)
{
	return number.hex ? kt_put_hex(p, number.value) : kt_put_u64(p, number.value);
}

void kt_record_number(struct kt_record *r, const char *name, struct kt_record_number number)
{
	struct kt_str *s = begin_value(r, name);
	char *p = kt_str_room(s, KT_U64_LENGTH + strlen("\"\""));
	bool quoted = number.hex && r->style == STYLE_JSON;
	unsigned int hole = r->hole_count++;

	assert(hole < KT_RECORD_HOLES && s == &r->line);
	*p = '"';
	p += quoted;
	r->holes[hole].from = p - s->data;
	p = put_number(p, number);
	r->holes[hole].to = p - s->data;
	*p = '"';
	kt_str_end(s, p + quoted);
}

void kt_record_keep(struct kt_record *r, const struct kt_memo_key *key)
{
	struct kt_str *kept = kt_record_scratch(r);
	size_t at[KT_RECORD_HOLES], from = r->keep_from;
	struct kt_memo_slot *slot;

	for (unsigned int i = 0; i < r->hole_count; i++) {
		kt_str_add_n(kept, r->line.data + from, r->holes[i].from - from);
		at[i] = kept->len;
		from = r->holes[i].to;
	}
	kt_str_add_n(kept, r->line.data + from, r->line.len - from);
	slot = kt_memo_keep(&r->memo, key, kept->data, kept->len);
	for (unsigned int i = 0; slot && i < r->hole_count; i++)
		slot->holes[i] = at[i];
}

struct kt_memo *kt_record_memo(struct kt_record *r)
{
	return &r->memo;
}

static inline char *put_kept(char *p, const struct kt_memo_slot *slot,
			     const struct kt_record_number *numbers, unsigned int count)
{
	const struct kt_str *kept = &slot->text;
	size_t from = 0;

	for (unsigned int i = 0; i < count; i++) {
		size_t n = slot->holes[i] - from;

		kt_copy_blocks(p, kept->data + from, n);
		p += n;
		from += n;
		p = put_number(p, numbers[i]);
	}
	kt_copy_blocks(p, kept->data + from, kept->len - from);
	return p + kept->len - from;
}

/* Not inline: kt_record_repeat() would save and restore for it what this needs. */
__attribute__((noinline)) static void repeat_at(struct kt_record *r,
						const struct kt_memo_slot *slot, u64 realtime_ns,
						u64 ts, const struct kt_record_number *numbers,
						unsigned int count, size_t room)
{
	char *p;

	kt_record_begin_event(r, realtime_ns, ts);
	p = kt_str_room(&r->line, room + KT_COPY_BLOCK);
	kt_str_end(&r->line, put_kept(p, slot, numbers, count));
	kt_out_write(r->out, r->line.data, r->line.len);
}

void kt_record_repeat(struct kt_record *r, const struct kt_memo_slot *slot, u64 realtime_ns, u64 ts,
		      const struct kt_record_number *numbers, unsigned int count)
{
	size_t room = slot->text.len + KT_RECORD_HOLES * KT_U64_LENGTH;
	char *p;

	if (!kt_stem_fits(&r->time, realtime_ns) || !kt_stem_fits(&r->ts, ts)) {
		repeat_at(r, slot, realtime_ns, ts, numbers, count, room);
		return;
	}
	kt_out_reserve(r->out, 2 * KT_STEM_SIZE + room);
	p = kt_put_stem(kt_out_room(r->out), &r->time, realtime_ns);
	p = kt_put_stem(p, &r->ts, ts);
	kt_out_commit(r->out, put_kept(p, slot, numbers, count));
}
