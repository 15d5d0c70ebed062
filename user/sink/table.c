/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"

#define GAP 2

struct kt_table {
	const struct kt_table_column *columns;
	size_t count;
	char **cells;
	size_t cell_count;
};

struct kt_table *kt_table_new(const struct kt_table_column *columns, size_t count)
{
	struct kt_table *t = kt_alloc(sizeof(*t));

	t->columns = columns;
	t->count = count;
	return t;
}

void kt_table_free(struct kt_table *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->cell_count; i++)
		free(t->cells[i]);
	free(t->cells);
	free(t);
}

void kt_table_add(struct kt_table *t, const char *text)
{
	struct kt_str safe = {};

	kt_str_add_safe(&safe, text);
	t->cells = kt_grow(t->cells, t->cell_count, sizeof(*t->cells));
	t->cells[t->cell_count++] = safe.data ? safe.data : kt_strdup("");
}

void kt_table_addf(struct kt_table *t, const char *fmt, ...)
{
	char text[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	kt_table_add(t, text);
}

void kt_table_add_str(struct kt_table *t, struct kt_str *s)
{
	kt_table_add(t, s->data ? s->data : "");
	kt_str_reset(s);
}

/* Characters, not bytes: names may be UTF-8, and valid UTF-8 is all that kt_str_add_safe() leaves. */
static size_t text_width(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += (*text & 0xc0) != 0x80;
	return width;
}

static size_t column_width(const struct kt_table *t, size_t column)
{
	size_t width = text_width(t->columns[column].title);

	for (size_t i = column; i < t->cell_count; i += t->count) {
		size_t w = text_width(t->cells[i]);

		width = w > width ? w : width;
	}
	return width;
}

/* Sets the widths, 0 for columns that don't fit. */
static void choose_widths(const struct kt_table *t, size_t limit, size_t *widths)
{
	size_t total = 0;

	for (size_t i = 0; i < t->count; i++) {
		widths[i] = column_width(t, i);
		total += widths[i] + (i ? GAP : 0);
	}
	while (limit && total > limit) {
		size_t victim = t->count;

		for (size_t i = 0; i < t->count; i++) {
			u32 importance = t->columns[i].importance;

			if (!widths[i] || !importance)
				continue;
			if (victim == t->count || importance < t->columns[victim].importance)
				victim = i;
		}
		if (victim == t->count)
			break;
		total -= widths[victim] + GAP;
		widths[victim] = 0;
	}
}

static void add_line(const struct kt_table *t, const size_t *widths, char *const *cells,
		     struct kt_str *line)
{
	size_t blanks = 0;

	for (size_t i = 0; i < t->count; i++) {
		const char *text = cells ? cells[i] : t->columns[i].title;
		size_t pad = widths[i] ? widths[i] - text_width(text) : 0;

		if (!widths[i])
			continue;
		if (!t->columns[i].left)
			blanks += pad;
		for (; blanks; blanks--)
			kt_str_add_char(line, ' ');
		kt_str_add(line, text);
		blanks = GAP + (t->columns[i].left ? pad : 0);
	}
	kt_str_add_char(line, '\n');
}

void kt_table_print(const struct kt_table *t, struct kt_out *out)
{
	size_t *widths = kt_alloc(t->count * sizeof(*widths));
	struct kt_str text = {};

	choose_widths(t, kt_out_width(out), widths);
	if (kt_out_colour(out))
		kt_str_add(&text, "\033[1m");
	add_line(t, widths, NULL, &text);
	if (kt_out_colour(out)) {
		text.len--;
		kt_str_add(&text, "\033[0m\n");
	}
	for (size_t i = 0; i + t->count <= t->cell_count; i += t->count)
		add_line(t, widths, t->cells + i, &text);
	kt_out_write(out, text.data, text.len);
	kt_str_free(&text);
	free(widths);
}
