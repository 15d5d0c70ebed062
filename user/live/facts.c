/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "facts.h"

#define FIRST_LINE "kvmtrace facts 1"
#define MAX_SIZE   (256 * 1024)
#define FACT_SHOWN 64 /* bytes of a wrong value */

/* The values are the enums of facts.h. */
static const char *const words_yes[] = { "?", "no", "yes", NULL };
static const char *const words_can[] = { "?", "yes", "no", "denied", NULL };
static const char *const words_isa[] = { "?", "none", "vmx", "svm", NULL };
static const char *const words_kvm[] = { "?", "absent", "built-in", "module", NULL };
static const char *const words_btf[] = { "?", "absent", "ok", "broken", NULL };
static const char *const words_lockdown[] = { "?", "none", "integrity", "confidentiality", NULL };
static const char *const words_tracefs[] = { "?", "absent", "ok", "denied", NULL };

enum fact_type { FACT_TEXT, FACT_NUMBER, FACT_WORD };

struct fact {
	const char *key, *meaning;
	enum fact_type type;
	size_t offset;
	size_t size;		  /* of a text, with its NUL; of a number 4 or 8 */
	const char *const *words; /* of a word, up to NULL */
};

#define ROW(key, meaning, type, member, words)                                                     \
	{ key,                                                                                     \
	  meaning,                                                                                 \
	  type,                                                                                    \
	  offsetof(struct kt_facts, member),                                                       \
	  sizeof(((struct kt_facts *)0)->member),                                                  \
	  words },
#define KT_TEXT(member, key, meaning)	     ROW(key, meaning, FACT_TEXT, member, NULL)
#define KT_NUM(member, key, meaning)	     ROW(key, meaning, FACT_NUMBER, member, NULL)
#define KT_WORD(member, words, key, meaning) ROW(key, meaning, FACT_WORD, member, words_##words)
#define TRACEPOINT(name)                                                                           \
	ROW("tracepoint." #name ".proto", NULL, FACT_TEXT, tracepoints[KT_TP_##name].proto, NULL)  \
	ROW("tracepoint." #name ".record", NULL, FACT_TEXT, tracepoints[KT_TP_##name].record, NULL)
#define MEMBER(type, member)                                                                       \
	ROW("member." #type "." #member, NULL, FACT_NUMBER, members[KT_M_##type##__##member], NULL)

static const struct fact all_facts[] = {
#include "facts.def"
	KT_TRACEPOINTS(TRACEPOINT) KT_MEMBERS(MEMBER)
};

#define FACT_COUNT KT_ARRAY_SIZE(all_facts)

bool kt_facts_amd(const struct kt_facts *facts)
{
	return strcmp(facts->vendor, "kvm_amd") == 0;
}

bool kt_facts_intel(const struct kt_facts *facts)
{
	return strcmp(facts->vendor, "kvm_intel") == 0;
}

const char *kt_tracepoint_name(enum kt_tracepoint tracepoint)
{
#define NAME(name) #name,
	static const char *const names[] = { KT_TRACEPOINTS(NAME) };

	return names[tracepoint];
}

const char *kt_member_name(enum kt_member member)
{
#define MEMBER_NAME(type, member) #type "." #member,
	static const char *const names[] = { KT_MEMBERS(MEMBER_NAME) };

	return names[member];
}

static void add_value(const struct kt_facts *facts, const struct fact *fact, struct kt_str *text)
{
	const void *place = (const char *)facts + fact->offset;

	if (fact->type == FACT_TEXT)
		kt_str_add_safe(text, place);
	else if (fact->type == FACT_WORD)
		kt_str_add(text, fact->words[*(const u32 *)place]);
	else if (fact->size == sizeof(u32))
		kt_str_add_u64(text, *(const u32 *)place);
	else
		kt_str_add_u64(text, *(const u64 *)place);
}

void kt_facts_each(const struct kt_facts *facts, kt_fact_fn fn, void *ctx)
{
	struct kt_str value = { 0 };

	for (size_t i = 0; i < FACT_COUNT; i++) {
		kt_str_reset(&value);
		add_value(facts, &all_facts[i], &value);
		fn(ctx, all_facts[i].key, value.data, all_facts[i].meaning);
	}
	kt_str_free(&value);
}

static void add_line(void *ctx, const char *key, const char *value, const char *meaning)
{
	(void)meaning;
	kt_str_addf(ctx, "%s =%s%s\n", key, value[0] ? " " : "", value);
}

void kt_facts_format(const struct kt_facts *facts, struct kt_str *text)
{
	kt_str_add(text, FIRST_LINE "\n");
	kt_facts_each(facts, add_line, text);
}

struct parser {
	struct kt_facts *facts;
	struct kt_str *error;
	u32 line;
	bool seen[FACT_COUNT];
};

/* "line 7: ", and what is wrong there follows. */
static struct kt_str *complain(struct parser *p)
{
	kt_str_addf(p->error, "line %u: ", p->line);
	return p->error;
}

static int bad_value(struct parser *p, const struct fact *fact, const char *value)
{
	char shown[FACT_SHOWN + 1];

	snprintf(shown, sizeof(shown), "%s", value);
	kt_str_addf(complain(p), "%s = ", fact->key);
	kt_str_add_safe(p->error, shown);
	if (fact->type != FACT_WORD) {
		kt_str_add(p->error, " is no number, or too big a one");
		return -EINVAL;
	}
	kt_str_add(p->error, " is none of");
	for (const char *const *word = fact->words; *word; word++)
		kt_str_addf(p->error, " %s", *word);
	return -EINVAL;
}

static int set_text(struct parser *p, const struct fact *fact, char *place, const char *value)
{
	size_t len = strlen(value);

	if (len >= fact->size) {
		kt_str_addf(complain(p), "the value of %s is longer than %zu bytes", fact->key,
			    fact->size - 1);
		return -EINVAL;
	}
	memcpy(place, value, len + 1);
	return 0;
}

static int set_word(struct parser *p, const struct fact *fact, u32 *place, const char *value)
{
	for (u32 i = 0; fact->words[i]; i++) {
		if (strcmp(fact->words[i], value) == 0) {
			*place = i;
			return 0;
		}
	}
	return bad_value(p, fact, value);
}

static int set_value(struct parser *p, const struct fact *fact, const char *value)
{
	u64 max = fact->size == sizeof(u32) ? UINT32_MAX : UINT64_MAX, number;
	void *place = (char *)p->facts + fact->offset;

	if (fact->type == FACT_TEXT)
		return set_text(p, fact, place, value);
	if (fact->type == FACT_WORD)
		return set_word(p, fact, place, value);
	if (kt_parse_u64(value, 0, max, &number))
		return bad_value(p, fact, value);
	if (fact->size == sizeof(u32))
		*(u32 *)place = number;
	else
		*(u64 *)place = number;
	return 0;
}

/* Cuts blanks off both ends. */
static char *trimmed(char *text)
{
	size_t len;

	text += strspn(text, " \t");
	len = strlen(text);
	while (len && (text[len - 1] == ' ' || text[len - 1] == '\t'))
		len--;
	text[len] = '\0';
	return text;
}

static int parse_pair(struct parser *p, const char *key, const char *value)
{
	for (size_t i = 0; i < FACT_COUNT; i++) {
		if (strcmp(all_facts[i].key, key) != 0)
			continue;
		if (p->seen[i]) {
			kt_str_addf(complain(p), "%s was given before", key);
			return -EINVAL;
		}
		p->seen[i] = true;
		return set_value(p, &all_facts[i], value);
	}
	return 0;
}

/* The first line says what the file is; of the others, some are blank or comments. */
static int parse_line(struct parser *p, char *line)
{
	char *equals, *key;

	if (p->line == 1 && strcmp(line, FIRST_LINE) != 0) {
		kt_str_add(complain(p), "not \"" FIRST_LINE "\", so these are no facts that this "
					"kvmtrace can read");
		return -EINVAL;
	}
	line = trimmed(line);
	if (p->line == 1 || !line[0] || line[0] == '#')
		return 0;
	equals = strchr(line, '=');
	if (equals)
		*equals = '\0';
	key = trimmed(line);
	if (!equals || !key[0] || strpbrk(key, " \t")) {
		kt_str_add(complain(p), "not of the form KEY = VALUE");
		return -EINVAL;
	}
	return parse_pair(p, key, trimmed(equals + 1));
}

/* Bytes that no file of facts has, and that a terminal might obey when they are shown. */
static bool has_control(const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (((unsigned char)line[i] < ' ' && line[i] != '\t') || line[i] == 0x7f)
			return true;
	}
	return false;
}

static int parse_lines(struct parser *p, const char *text, size_t len)
{
	const char *end = text + len, *newline;
	struct kt_str line = { 0 };
	int err = 0;

	do {
		newline = text < end ? memchr(text, '\n', end - text) : NULL;
		len = (newline ? newline : end) - text;
		p->line++;
		kt_str_reset(&line);
		kt_str_add_n(&line, text, len);
		if (has_control(text, len)) {
			kt_str_add(complain(p), "holds a control character");
			err = -EINVAL;
		} else {
			err = parse_line(p, line.data);
		}
		text += len + !!newline;
	} while (!err && newline);
	kt_str_free(&line);
	return err;
}

int kt_facts_parse(struct kt_facts *facts, const char *text, size_t len, struct kt_str *error)
{
	struct parser p = { .facts = facts, .error = error };

	memset(facts, 0, sizeof(*facts));
	if (len > MAX_SIZE) {
		kt_str_addf(error, "it is larger than %d KiB", MAX_SIZE / 1024);
		return -EINVAL;
	}
	return parse_lines(&p, text, len);
}
