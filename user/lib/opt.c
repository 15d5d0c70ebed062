/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "opt.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "near.h"

#define HELP_WIDTH     80
#define HELP_LABEL_MAX 30 /* options with a longer label have their help start on the next line */
#define MAX_TYPOS      2

struct parser {
	const struct kt_opt_group *groups;
	char *dst;
	int argc;
	char **argv;
	int next; /* index into argv of what is looked at next */
	struct kt_str *why;
};

/* An option as the user spelt it ("-p", "--pid"), for messages. */
struct spelling {
	const char *dashes;
	const char *name;
	size_t len;
};

/* Walks the options of all groups. */
struct cursor {
	const struct kt_opt_group *group;
	size_t at;
};

static const struct kt_opt *next_opt(struct cursor *c)
{
	for (; c->group->title; c->group++, c->at = 0) {
		if (c->at < c->group->count)
			return &c->group->opts[c->at++];
	}
	return NULL;
}

static const struct kt_opt *find_name(const struct kt_opt_group *groups, const char *name,
				      size_t len)
{
	struct cursor c = { groups, 0 };
	const struct kt_opt *opt;

	while ((opt = next_opt(&c))) {
		if (strlen(opt->name) == len && !memcmp(opt->name, name, len))
			return opt;
	}
	return NULL;
}

static const struct kt_opt *find_letter(const struct kt_opt_group *groups, char letter)
{
	struct cursor c = { groups, 0 };
	const struct kt_opt *opt;

	while ((opt = next_opt(&c))) {
		if (opt->letter && opt->letter == letter)
			return opt;
	}
	return NULL;
}

static bool takes_value(const struct kt_opt *opt)
{
	return opt->type != KT_OPT_FLAG && opt->type != KT_OPT_COUNT;
}

/* ---- messages ---- */

static void add_bytes_safe(struct kt_str *s, const char *bytes, size_t n)
{
	struct kt_str copy = { 0 };

	kt_str_add_n(&copy, bytes, n);
	kt_str_add_safe(s, copy.data);
	kt_str_free(&copy);
}

static void add_spelling(struct kt_str *s, const struct spelling *as)
{
	kt_str_add(s, as->dashes);
	add_bytes_safe(s, as->name, as->len);
}

/* A duration in the largest unit that needs no fraction. */
static void add_duration(struct kt_str *s, u64 ns)
{
	static const struct {
		u64 ns;
		const char *name;
	} units[] = {
		{ 3600 * KT_NSEC_PER_SEC, "h" },
		{ 60 * KT_NSEC_PER_SEC, "m" },
		{ KT_NSEC_PER_SEC, "s" },
		{ 1000000, "ms" },
	};

	for (size_t i = 0; i < KT_ARRAY_SIZE(units); i++) {
		if (ns % units[i].ns == 0) {
			kt_str_addf(s, "%llu%s", ns / units[i].ns, units[i].name);
			return;
		}
	}
	kt_str_addf(s, "%llu.%09llus", ns / KT_NSEC_PER_SEC, ns % KT_NSEC_PER_SEC);
}

static void add_number(struct kt_str *s, u64 value)
{
	kt_str_addf(s, "%llu", value);
}

/* "must be within 1..4194304", "must be at least 10ms" */
static void add_range(struct kt_str *s, u64 min, u64 max, void (*add)(struct kt_str *, u64))
{
	bool bounded = max != ULLONG_MAX;

	kt_str_add(s, bounded ? "must be within " : "must be at least ");
	add(s, min);
	if (bounded) {
		kt_str_add(s, "..");
		add(s, max);
	}
}

/* ---- suggestions ---- */

static size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* The only option that begins like this, else the nearest by spelling, else NULL. */
static const char *suggestion(const struct kt_opt_group *groups, const char *name, size_t len)
{
	struct cursor c = { groups, 0 };
	const struct kt_opt *opt;
	const char *prefixed = NULL, *nearest = NULL;
	size_t prefixed_count = 0, nearest_distance = MAX_TYPOS + 1;

	if (!len)
		return NULL;
	while ((opt = next_opt(&c))) {
		size_t opt_len = strlen(opt->name), distance;

		if (opt_len > KT_NEAR_MAX_LEN)
			continue;
		if (!strncmp(opt->name, name, len)) {
			prefixed = opt->name;
			prefixed_count++;
		}
		/* As many edits as letters would make any two short words alike. */
		distance = kt_near_distance(name, len, opt->name, opt_len);
		if (distance < nearest_distance && distance < min_size(len, opt_len)) {
			nearest = opt->name;
			nearest_distance = distance;
		}
	}
	return prefixed_count == 1 ? prefixed : nearest;
}

static int unknown_option(struct parser *p, const struct spelling *as, const char *hint)
{
	kt_str_add(p->why, "unknown option '");
	add_spelling(p->why, as);
	kt_str_add_char(p->why, '\'');
	if (hint)
		kt_str_addf(p->why, " (did you mean '--%s'?)", hint);
	return -EINVAL;
}

/* ---- values ---- */

/* Each stores a value, or appends the reason why not and returns an error. */

static int store_u32(const struct kt_opt *opt, void *dst, const char *text, struct kt_str *why)
{
	u64 max = opt->max && opt->max < UINT_MAX ? opt->max : UINT_MAX;
	u64 value;
	int err = kt_parse_u64(text, opt->min, max, &value);

	if (!err)
		*(u32 *)dst = value;
	else if (err == -ERANGE)
		add_range(why, opt->min, max, add_number);
	else
		kt_str_add(why, "not a number");
	return err;
}

static int store_duration(const struct kt_opt *opt, void *dst, const char *text, struct kt_str *why)
{
	u64 max = opt->max ? opt->max : ULLONG_MAX;
	u64 value;
	int err = kt_parse_duration(text, &value);

	if (!err && (value < opt->min || value > max)) {
		add_range(why, opt->min, max, add_duration);
		return -ERANGE;
	}
	if (!err)
		*(u64 *)dst = value;
	else if (err == -ERANGE)
		kt_str_add(why, "too long");
	else
		kt_str_add(why, "not a duration (seconds, or with a unit: 500ms, 2s, 5m, 1h)");
	return err;
}

static int store_string(const struct kt_opt *opt, void *dst, const char *text, struct kt_str *why)
{
	(void)opt;
	if (!*text) {
		kt_str_add(why, "must not be empty");
		return -EINVAL;
	}
	*(const char **)dst = text;
	return 0;
}

static int store_parsed(const struct kt_opt *opt, void *dst, const char *text, struct kt_str *why)
{
	size_t before = why->len;
	int err = opt->parse(dst, text, why);

	if (err && why->len == before)
		kt_str_add(why, "not a valid value");
	return err;
}

static int (*const store[])(const struct kt_opt *, void *, const char *, struct kt_str *) = {
	[KT_OPT_U32] = store_u32,
	[KT_OPT_DURATION] = store_duration,
	[KT_OPT_STRING] = store_string,
	[KT_OPT_PARSE] = store_parsed,
};

static void set_flag(struct parser *p, const struct kt_opt *opt)
{
	void *dst = p->dst + opt->offset;

	if (opt->type == KT_OPT_FLAG)
		*(bool *)dst = true;
	else if (*(int *)dst < INT_MAX)
		++*(int *)dst;
}

static int set_value(struct parser *p, const struct kt_opt *opt, const struct spelling *as,
		     const char *text)
{
	struct kt_str reason = { 0 };
	int err = store[opt->type](opt, p->dst + opt->offset, text, &reason);

	if (err) {
		add_spelling(p->why, as);
		kt_str_add_char(p->why, ' ');
		kt_str_add_safe(p->why, *text ? text : "''");
		kt_str_add(p->why, ": ");
		kt_str_add(p->why, reason.data);
	}
	kt_str_free(&reason);
	return err ? -EINVAL : 0;
}

/* ---- parsing ---- */

/* "-o --hist" is a forgotten value, not a file of that name; "-" and "-1" are values. */
static bool looks_like_option(const struct parser *p, const char *arg)
{
	return arg[0] == '-' && (arg[1] == '-' || (arg[1] && find_letter(p->groups, arg[1])));
}

/* Takes the next argument as the value. */
static int set_next(struct parser *p, const struct kt_opt *opt, const struct spelling *as)
{
	if (p->next < p->argc && !looks_like_option(p, p->argv[p->next]))
		return set_value(p, opt, as, p->argv[p->next++]);
	add_spelling(p->why, as);
	kt_str_addf(p->why, ": needs a value (%s)", opt->arg);
	if (p->next < p->argc) {
		kt_str_add(p->why, "; to give it '");
		kt_str_add_safe(p->why, p->argv[p->next]);
		kt_str_addf(p->why, "' write --%s=", opt->name);
		kt_str_add_safe(p->why, p->argv[p->next]);
	}
	return -EINVAL;
}

static int parse_long(struct parser *p, const char *name)
{
	const char *equals = strchr(name, '=');
	struct spelling as = { "--", name, equals ? (size_t)(equals - name) : strlen(name) };
	const struct kt_opt *opt = find_name(p->groups, as.name, as.len);

	if (!opt)
		return unknown_option(p, &as, suggestion(p->groups, as.name, as.len));
	if (takes_value(opt))
		return equals ? set_value(p, opt, &as, equals + 1) : set_next(p, opt, &as);
	if (equals) {
		add_spelling(p->why, &as);
		kt_str_add(p->why, ": takes no value");
		return -EINVAL;
	}
	set_flag(p, opt);
	return 0;
}

/* "-v", "-vv", "-p12", "-vp 12": letters up to the first that takes a value, which is the rest. */
static int parse_letters(struct parser *p, const char *letters)
{
	for (const char *at = letters; *at; at++) {
		const struct kt_opt *opt = find_letter(p->groups, *at);
		struct spelling as = { "-", at, 1 };

		if (!opt) {
			/* "-hist" for "--hist". */
			opt = find_name(p->groups, letters, strlen(letters));
			if (at == letters)
				as.len = strlen(letters);
			return unknown_option(p, &as, opt ? opt->name : NULL);
		}
		if (takes_value(opt))
			return at[1] ? set_value(p, opt, &as, at + 1) : set_next(p, opt, &as);
		set_flag(p, opt);
	}
	return 0;
}

int kt_opt_parse(const struct kt_opt_group *groups, void *dst, int argc, char **argv,
		 int *positional, struct kt_str *why)
{
	struct parser p = {
		.groups = groups,
		.dst = dst,
		.argc = argc,
		.argv = argv,
		.next = 1,
		.why = why,
	};
	bool options_end = false;
	int count = 0, err = 0;

	while (!err && p.next < argc) {
		char *arg = argv[p.next++];

		if (options_end || arg[0] != '-' || !arg[1])
			argv[1 + count++] = arg; /* a slot that was already looked at */
		else if (!strcmp(arg, "--"))
			options_end = true;
		else if (arg[1] == '-')
			err = parse_long(&p, arg + 2);
		else
			err = parse_letters(&p, arg + 1);
	}
	if (1 + count < argc)
		argv[1 + count] = NULL;
	*positional = count;
	return err;
}

/* ---- help ---- */

/* "  -p, --pid PID" */
static void add_label(const struct kt_opt *opt, struct kt_str *out)
{
	if (opt->letter)
		kt_str_addf(out, "  -%c, --%s", opt->letter, opt->name);
	else
		kt_str_addf(out, "      --%s", opt->name);
	if (opt->arg)
		kt_str_addf(out, " %s", opt->arg);
}

/*
 * How many bytes of the text go on a line of so many columns: up to its newline or the last blank
 * that fits; a word too long for any line goes whole.
 */
static size_t line_length(const char *text, size_t columns)
{
	size_t used = 0, last_blank = 0, i;

	for (i = 0; text[i] && text[i] != '\n'; i++) {
		if (((unsigned char)text[i] & 0xc0) == 0x80)
			continue; /* UTF-8 continuation: no column of its own */
		if (text[i] == ' ' && i)
			last_blank = i;
		if (used >= columns && last_blank)
			return last_blank;
		used++;
	}
	return i;
}

static void add_wrapped(const char *text, size_t line_start, size_t indent, struct kt_str *out)
{
	for (;;) {
		size_t n = line_length(text, HELP_WIDTH - indent);

		if (n)
			kt_str_pad(out, line_start, indent);
		kt_str_add_n(out, text, n);
		kt_str_add_char(out, '\n');
		text += n;
		if (!*text)
			return;
		text += 1; /* the newline or blank it was cut at */
		line_start = out->len;
	}
}

static size_t help_column(const struct kt_opt_group *groups)
{
	struct cursor c = { groups, 0 };
	const struct kt_opt *opt;
	struct kt_str label = { 0 };
	size_t widest = 0;

	while ((opt = next_opt(&c))) {
		kt_str_reset(&label);
		add_label(opt, &label);
		if (label.len > widest && label.len <= HELP_LABEL_MAX)
			widest = label.len;
	}
	kt_str_free(&label);
	return widest + 2;
}

void kt_opt_help(const struct kt_opt_group *groups, struct kt_str *out)
{
	size_t column = help_column(groups);

	for (const struct kt_opt_group *group = groups; group->title; group++) {
		if (group != groups && group->title[0])
			kt_str_add_char(out, '\n');
		if (group->title[0])
			kt_str_addf(out, "%s:\n", group->title);
		for (size_t i = 0; i < group->count; i++) {
			size_t line_start = out->len;

			add_label(&group->opts[i], out);
			if (out->len - line_start > HELP_LABEL_MAX) {
				kt_str_add_char(out, '\n');
				line_start = out->len;
			}
			add_wrapped(group->opts[i].help, line_start, column, out);
		}
	}
}
