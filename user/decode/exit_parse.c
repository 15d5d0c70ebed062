/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Exit reasons, by name. Runs once per option, so it walks the tables. */
#include <string.h>
#include "decode.h"
#include "names.h"

#define NAME_MAX_LEN 40 /* longer input is no misspelt name */
#define SUGGEST_MAX  8

static const struct kt_name vmx_exits[] = {
#define X KT_NAME_ENTRY
#include "tables/vmx_exit.def"
#undef X
};

static const struct kt_name svm_exits[] = {
#define X KT_NAME_ENTRY
#include "tables/svm_exit.def"
#include "tables/svm_exit_high.def"
#undef X
};

static const struct kt_name svm_aliases[] = {
#define X KT_NAME_ENTRY
#include "tables/svm_alias.def"
#undef X
};

#define X(value, name)                                                                             \
	_Static_assert(sizeof(name) <= NAME_MAX_LEN + 1, "NAME_MAX_LEN is too small for " name);
#include "tables/vmx_exit.def"
#include "tables/svm_exit.def"
#include "tables/svm_exit_high.def"
#undef X

static bool find(const struct kt_name *table, size_t count, const char *name, u32 *value)
{
	for (size_t i = 0; i < count; i++) {
		if (kt_ascii_equal(table[i].name, name)) {
			*value = table[i].value;
			return true;
		}
	}
	return false;
}

u32 kt_exit_parse(const char *name, u32 *vmx, u32 *svm)
{
	u32 found = 0;
	u64 number;

	if (kt_parse_u64(name, 0, 0xffffffffu, &number) == 0) {
		*vmx = (u32)number & VMX_BASIC_REASON;
		*svm = (u32)number;
		return 1u << KT_ISA_VMX | 1u << KT_ISA_SVM;
	}
	if (find(vmx_exits, KT_ARRAY_SIZE(vmx_exits), name, vmx))
		found |= 1u << KT_ISA_VMX;
	if (find(svm_exits, KT_ARRAY_SIZE(svm_exits), name, svm) ||
	    find(svm_aliases, KT_ARRAY_SIZE(svm_aliases), name, svm))
		found |= 1u << KT_ISA_SVM;
	return found;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/*
 * How many letters one must change, add, drop or swap with their neighbour to get from a to b
 * (optimal string alignment). a has at most NAME_MAX_LEN bytes and is lower case.
 */
static size_t distance(const char *a, size_t len, const char *b)
{
	size_t rows[3][NAME_MAX_LEN + 1];
	size_t *before = rows[0], *above = rows[1], *row = rows[2], *spare;
	char last = 0;

	for (size_t i = 0; i <= len; i++)
		above[i] = i;
	for (; *b; b++) {
		char c = kt_ascii_lower(*b);

		row[0] = above[0] + 1;
		for (size_t i = 1; i <= len; i++) {
			row[i] = smaller(above[i], row[i - 1]) + 1;
			row[i] = smaller(row[i], above[i - 1] + (a[i - 1] != c));
			if (i > 1 && last && a[i - 1] == last && a[i - 2] == c)
				row[i] = smaller(row[i], before[i - 2] + 1);
		}
		last = c;
		spare = before;
		before = above;
		above = row;
		row = spare;
	}
	return above[len];
}

/* Does text begin with (or, at_end, end with) part as a whole word of an underscored name? */
static bool has_word(const char *text, size_t len, const char *part, size_t part_len, bool at_end)
{
	size_t at;

	if (part_len >= len)
		return false;
	at = at_end ? len - part_len : 0;
	return text[at_end ? at - 1 : part_len] == '_' && memcmp(text + at, part, part_len) == 0;
}

/* 0: not near; else the smaller the nearer. wanted is lower case. */
static size_t badness(const char *wanted, size_t len, const char *name)
{
	char lower[NAME_MAX_LEN + 1]; /* see the assertion above */
	size_t name_len = strlen(name), limit, d;

	for (size_t i = 0; i <= name_len; i++)
		lower[i] = kt_ascii_lower(name[i]);
	/* "ept" for EPT_VIOLATION, "violation", and "exit_reason_cpuid" for CPUID */
	if (has_word(lower, name_len, wanted, len, false) ||
	    has_word(lower, name_len, wanted, len, true) ||
	    has_word(wanted, len, lower, name_len, true))
		return 1;
	limit = len < 4 ? 1 : len < 9 ? 2 : 3;
	d = distance(wanted, len, name);
	if (d <= limit)
		return d + 1;
	return len >= 4 && strstr(lower, wanted) ? limit + 2 : 0;
}

struct suggestions {
	const char *names[SUGGEST_MAX];
	size_t badness[SUGGEST_MAX];
	size_t count, max;
};

/* Keeps the list sorted, nearest first, each name once. */
static void suggest(struct suggestions *s, const char *name, size_t bad)
{
	size_t at = s->count;

	for (size_t i = 0; i < s->count; i++) {
		if (strcmp(s->names[i], name) == 0)
			return;
	}
	while (at > 0 && s->badness[at - 1] > bad)
		at--;
	if (at == s->max)
		return;
	if (s->count < s->max)
		s->count++;
	for (size_t i = s->count - 1; i > at; i--) {
		s->names[i] = s->names[i - 1];
		s->badness[i] = s->badness[i - 1];
	}
	s->names[at] = name;
	s->badness[at] = bad;
}

static void suggest_from(struct suggestions *s, const struct kt_name *table, size_t count,
			 const char *wanted, size_t len)
{
	for (size_t i = 0; i < count; i++) {
		size_t bad = badness(wanted, len, table[i].name);

		if (bad)
			suggest(s, table[i].name, bad);
	}
}

void kt_exit_suggest(struct kt_str *s, const char *name, unsigned int max)
{
	struct suggestions list = { .max = smaller(max, SUGGEST_MAX) };
	char wanted[NAME_MAX_LEN + 1];
	size_t len = strnlen(name, NAME_MAX_LEN + 1);

	if (len == 0 || len > NAME_MAX_LEN)
		return;
	for (size_t i = 0; i <= len; i++)
		wanted[i] = kt_ascii_lower(name[i]);
	suggest_from(&list, vmx_exits, KT_ARRAY_SIZE(vmx_exits), wanted, len);
	suggest_from(&list, svm_exits, KT_ARRAY_SIZE(svm_exits), wanted, len);
	for (size_t i = 0; i < list.count; i++) {
		if (i)
			kt_str_add(s, ", ");
		kt_str_add(s, list.names[i]);
	}
}
