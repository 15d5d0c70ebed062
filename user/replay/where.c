/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../decode/decode.h"
#include "../lib/near.h"
#include "where.h"

#define MAX_TEXT  4096
#define MAX_TERMS 16
#define MAX_NEAR  5

enum op { OP_EQUAL, OP_UNEQUAL, OP_LESS, OP_LESS_EQUAL, OP_MORE, OP_MORE_EQUAL, OP_BITS };

static const struct {
	const char *text;
	enum op op;
} ops[] = {
	/* what another begins with comes after it */
	{ "==", OP_EQUAL }, { "!=", OP_UNEQUAL }, { "<=", OP_LESS_EQUAL }, { ">=", OP_MORE_EQUAL },
	{ "=", OP_EQUAL },  { "<", OP_LESS },	  { ">", OP_MORE },	   { "&", OP_BITS },
};

/* What a term asks of the events of one kind. */
struct probe {
	bool valid;  /* the kind has the field, and the value is one for it */
	bool always; /* "kind == …": true of all */
	bool shared; /* among the fields that all events have */
	bool is_signed;
	u8 column;
	/* An exit reason given by name is another number on each ISA: that column says which it is. */
	bool by_isa;
	u8 isa_column;
	u32 found; /* as kt_exit_parse() */
	u64 value, vmx;
};

struct term {
	enum op op;
	struct probe probes[KT_STORE_MAX_KINDS]; /* by index of the kind in the schema */
};

struct kt_where {
	struct term *terms;
	u32 count;
};

/* A term's text, cut up. */
struct words {
	char *kind; /* "" when the field stands alone */
	char *field, *value;
	enum op op;
};

/* ---- values ---- */

/* Each: does text name a value? */
static bool name_vector(const char *text, struct probe *p)
{
	u32 vector;
	bool found = !kt_vector_parse(text, &vector);

	p->value = vector;
	return found;
}

static bool name_msr(const char *text, struct probe *p)
{
	u32 index = 0;
	bool found = kt_msr_parse(text, &index);

	p->value = index;
	return found;
}

static bool name_bool(const char *text, struct probe *p)
{
	p->value = !strcmp(text, "true") || !strcmp(text, "yes");
	return p->value || !strcmp(text, "false") || !strcmp(text, "no");
}

static bool name_isa(const char *text, struct probe *p)
{
	for (p->value = KT_ISA_VMX; p->value <= KT_ISA_SVM; p->value++)
		if (!strcmp(kt_isa_name((u32)p->value), text))
			return true;
	return false;
}

static bool name_user_exit(const char *text, struct probe *p)
{
	for (p->value = 0; p->value < 256; p->value++) {
		const char *name = kt_user_exit_name((u32)p->value);

		if (name && !strcasecmp(name, text))
			return true;
	}
	return false;
}

static bool name_reason(const char *text, struct probe *p)
{
	u32 vmx = 0, svm = 0;

	p->found = kt_exit_parse(text, &vmx, &svm);
	p->vmx = vmx;
	p->value = svm;
	p->by_isa = true;
	return p->found;
}

static const struct {
	const char *meaning;
	bool (*parse)(const char *text, struct probe *p);
} names[] = {
	{ "vector", name_vector },
	{ "msr", name_msr },
	{ "bool", name_bool },
	{ "isa", name_isa },
	{ "userspace-reason", name_user_exit },
	{ "exit-reason", name_reason },
};

static bool parse_name(const struct kt_store_field *f, const char *text, struct probe *p)
{
	for (size_t i = 0; i < KT_ARRAY_SIZE(names); i++)
		if (!strcmp(names[i].meaning, f->meaning))
			return names[i].parse(text, p);
	return false;
}

static bool parse_value(const struct kt_store_field *f, const char *text, struct probe *p)
{
	if (!kt_parse_u64(text, 0, ~0ull, &p->value))
		return true;
	if (text[0] == '-' && p->is_signed && !kt_parse_u64(text + 1, 0, ~0ull >> 1, &p->value)) {
		p->value = -p->value;
		return true;
	}
	return parse_name(f, text, p);
}

/* ---- fields ---- */

static int field_of(const struct kt_store_kind *kind, const char *name)
{
	int at = kt_store_find_field(kind, name);

	return at >= 0 && kind->fields[at].type != KT_STORE_BYTES ? at : -1;
}

static int isa_field_of(const struct kt_store_kind *kind)
{
	for (u32 i = 0; i < kind->field_count; i++)
		if (!strcmp(kind->fields[i].meaning, "isa") &&
		    kind->fields[i].type != KT_STORE_BYTES)
			return (int)i;
	return -1;
}

/* Returns whether the kind has the field. */
static bool set_probe(struct probe *p, const struct kt_store_schema *schema, u32 kind,
		      const struct words *w)
{
	const struct kt_store_kind *k = &schema->kinds[kind], *common = &schema->kinds[0];
	const struct kt_store_field *f;
	int at, isa;

	for (u32 i = 0; i < schema->count; i++)
		if (!schema->kinds[i].number)
			common = &schema->kinds[i];
	if (*w->kind && strcmp(w->kind, k->name))
		return false;
	at = field_of(k, w->field);
	p->shared = at < 0;
	if (p->shared) {
		k = common;
		at = field_of(k, w->field);
	}
	if (at < 0)
		return false;
	f = &k->fields[at];
	p->column = (u8)at;
	p->is_signed = f->type == KT_STORE_S64;
	p->valid = parse_value(f, w->value, p);
	isa = p->by_isa ? isa_field_of(k) : -1;
	p->isa_column = (u8)isa;
	if (p->by_isa && (isa < 0 || w->op > OP_UNEQUAL))
		p->valid = false;
	return true;
}

static bool set_kind_probes(struct term *t, const struct kt_store_schema *schema,
			    const struct words *w)
{
	bool any = false;

	for (u32 i = 0; i < schema->count; i++) {
		bool same = !strcmp(schema->kinds[i].name, w->value);

		t->probes[i].valid = t->probes[i].always = same == (w->op == OP_EQUAL);
		any |= same;
	}
	return any && w->op <= OP_UNEQUAL;
}

/* ---- what is wrong ---- */

/* How far a field's name is from what was written; 0: too far to be meant. */
static size_t nearness(const char *name, const char *wanted)
{
	size_t d = kt_near_distance(name, strlen(name), wanted, strlen(wanted));

	if (d <= 2 && d < strlen(wanted))
		return d + 1;
	return strlen(wanted) >= 3 && (strstr(name, wanted) || strstr(wanted, name)) ? 4 : 0;
}

static bool named_before(const char *const *list, u32 count, const char *name)
{
	while (count--)
		if (!strcmp(list[count], name))
			return true;
	return false;
}

static void add_near_names(const struct kt_store_schema *schema, const char *wanted,
			   struct kt_str *why)
{
	const char *list[MAX_NEAR];
	u32 count = 0;

	for (size_t distance = 1; distance <= 4; distance++)
		for (u32 i = 0; i < schema->count; i++)
			for (u32 j = 0; j < schema->kinds[i].field_count; j++) {
				const char *name = schema->kinds[i].fields[j].name;

				if (count < MAX_NEAR && nearness(name, wanted) == distance &&
				    !named_before(list, count, name))
					list[count++] = name;
			}
	for (u32 i = 0; i < count; i++) {
		kt_str_add(why, i ? ", " : "; did you mean ");
		kt_str_add_safe(why, list[i]);
	}
	if (count)
		kt_str_add_char(why, '?');
}

static int no_such_field(const struct kt_store_schema *schema, const struct words *w,
			 struct kt_str *why)
{
	kt_str_add(why, "no event has a number called '");
	if (*w->kind) {
		kt_str_add_safe(why, w->kind);
		kt_str_add_char(why, '.');
	}
	kt_str_add_safe(why, w->field);
	kt_str_add_char(why, '\'');
	add_near_names(schema, w->field, why);
	return -EINVAL;
}

static int no_such_value(const struct words *w, struct kt_str *why)
{
	kt_str_add(why, "'");
	kt_str_add_safe(why, w->value);
	kt_str_add(why, "' is no value to compare '");
	kt_str_add_safe(why, w->field);
	kt_str_add(why, "' with in this way");
	return -EINVAL;
}

/* ---- parsing ---- */

static int set_term(struct term *t, const struct kt_store_schema *schema, const struct words *w,
		    struct kt_str *why)
{
	bool known = false, valid = false;

	t->op = w->op;
	if (!strcmp(w->field, "kind") && !*w->kind)
		return set_kind_probes(t, schema, w) ? 0 : no_such_value(w, why);
	for (u32 i = 0; i < schema->count; i++) {
		if (!schema->kinds[i].number)
			continue; /* what all have is no kind of its own */
		known |= set_probe(&t->probes[i], schema, i, w);
		valid |= t->probes[i].valid;
	}
	if (!known)
		return no_such_field(schema, w, why);
	return valid ? 0 : no_such_value(w, why);
}

static void skip_blanks(char **p)
{
	*p += strspn(*p, " \t\n");
}

/* Cuts off what consists of these, or what is in quotes; returns it, with a NUL behind. */
static char *cut_value(char **p, char *end_was)
{
	char *word = *p;

	*end_was = 0;
	if (*word == '"' || *word == '\'') {
		char *close = strchr(word + 1, *word);

		if (!close)
			return NULL;
		*close = '\0';
		*p = close + 1;
		return word + 1;
	}
	*p += strcspn(*p, " \t\n&");
	*end_was = **p;
	**p = '\0';
	if (*end_was)
		(*p)++;
	return *word ? word : NULL;
}

static bool cut_op(char **p, enum op *op)
{
	for (size_t i = 0; i < KT_ARRAY_SIZE(ops); i++) {
		size_t n = strlen(ops[i].text);

		if (strncmp(*p, ops[i].text, n))
			continue;
		*op = ops[i].op;
		*p += n;
		return true;
	}
	return false;
}

/* "and" or "&&"; the first & may have ended the value. */
static bool cut_and(char **p, char end_was)
{
	skip_blanks(p);
	if (end_was == '&')
		return *(*p)++ == '&';
	if (!strncmp(*p, "&&", 2)) {
		*p += 2;
		return true;
	}
	if (strncmp(*p, "and", 3) || !strchr(" \t\n", (*p)[3]) || !(*p)[3])
		return false;
	*p += 3;
	return true;
}

/* A name's end is where the operator begins; that is read before the NUL is put there. */
static bool cut_words(char **p, struct words *w, char *end_was)
{
	static char none[] = "";
	char *end;

	skip_blanks(p);
	w->kind = none;
	w->field = *p;
	*p += strcspn(*p, " \t\n=!<>&\"'");
	end = *p;
	if (end == w->field)
		return false;
	skip_blanks(p);
	if (!cut_op(p, &w->op))
		return false;
	*end = '\0';
	end = strchr(w->field, '.');
	if (end) {
		*end = '\0';
		w->kind = w->field;
		w->field = end + 1;
	}
	skip_blanks(p);
	w->value = cut_value(p, end_was);
	return w->value;
}

static int syntax(struct kt_str *why)
{
	kt_str_add(why,
		   "not of the form 'FIELD OP VALUE [and ...]', OP being == != < <= > >= or &");
	return -EINVAL;
}

static int parse_terms(struct kt_where *w, const struct kt_store_schema *schema, char *p,
		       struct kt_str *why)
{
	struct words words;
	char end_was;
	int err;

	for (;;) {
		if (w->count == MAX_TERMS) {
			kt_str_addf(why, "more than %d conditions", MAX_TERMS);
			return -EINVAL;
		}
		if (!cut_words(&p, &words, &end_was))
			return syntax(why);
		err = set_term(&w->terms[w->count++], schema, &words, why);
		if (err)
			return err;
		skip_blanks(&p);
		if (!*p && end_was != '&')
			return 0;
		if (!cut_and(&p, end_was))
			return syntax(why);
	}
}

int kt_where_parse(struct kt_where **where, const struct kt_store_schema *schema, const char *text,
		   struct kt_str *why)
{
	struct kt_where *w;
	char *copy;
	int err;

	if (strlen(text) > MAX_TEXT) {
		kt_str_add(why, "too long");
		return -EINVAL;
	}
	w = kt_alloc(sizeof(*w));
	w->terms = kt_alloc(MAX_TERMS * sizeof(*w->terms));
	copy = kt_strdup(text);
	err = parse_terms(w, schema, copy, why);
	free(copy);
	if (err)
		kt_where_free(w);
	else
		*where = w;
	return err;
}

void kt_where_free(struct kt_where *where)
{
	if (!where)
		return;
	free(where->terms);
	free(where);
}

/* ---- matching ---- */

static bool compare(enum op op, u64 value, u64 with, bool is_signed)
{
	const u64 sign = is_signed ? 1ull << 63 : 0; /* shifts the order of signed ones to ours */
	u64 a = value ^ sign, b = with ^ sign;

	switch (op) {
	case OP_EQUAL:
		return a == b;
	case OP_UNEQUAL:
		return a != b;
	case OP_LESS:
		return a < b;
	case OP_LESS_EQUAL:
		return a <= b;
	case OP_MORE:
		return a > b;
	case OP_MORE_EQUAL:
		return a >= b;
	case OP_BITS:
		return value & with;
	}
	return false;
}

static bool is_reason(const struct probe *p, u64 isa, u64 reason)
{
	if (isa >= 32 || !(p->found >> isa & 1))
		return false;
	return isa == KT_ISA_VMX ? (reason & 0xffff) == p->vmx : reason == p->value;
}

bool kt_where_matches(const struct kt_where *where, const struct kt_block *block,
		      const struct kt_group *group, u32 at, u32 row)
{
	for (u32 i = 0; i < where->count; i++) {
		const struct term *t = &where->terms[i];
		const struct probe *p = &t->probes[group->map];
		const struct kt_group *from = p->shared ? &block->common : group;
		u32 place = p->shared ? at : row;

		if (!p->valid)
			return false;
		if (p->always)
			continue;
		if (p->by_isa) {
			if (is_reason(p, from->columns[p->isa_column][place],
				      from->columns[p->column][place]) != (t->op == OP_EQUAL))
				return false;
		} else if (!compare(t->op, from->columns[p->column][place], p->value,
				    p->is_signed)) {
			return false;
		}
	}
	return true;
}
