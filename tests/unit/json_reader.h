/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Tells whether a line is one compact JSON object: written from the grammar of RFC 8259, strict,
 * and sharing no code with what it judges. test_record.c tests it.
 */
#ifndef KT_TEST_JSON_READER_H
#define KT_TEST_JSON_READER_H

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static const char *json_value(const char *p, int depth);

static const char *json_word(const char *p, const char *word)
{
	size_t n = strlen(word);

	return strncmp(p, word, n) ? NULL : p + n;
}

static const char *json_digits(const char *p)
{
	const char *start = p;

	while (*p >= '0' && *p <= '9')
		p++;
	return p == start ? NULL : p;
}

static const char *json_number(const char *p)
{
	if (*p == '-')
		p++;
	p = *p == '0' ? p + 1 : json_digits(p);
	if (p && *p == '.')
		p = json_digits(p + 1);
	if (p && (*p == 'e' || *p == 'E')) {
		p++;
		if (*p == '+' || *p == '-')
			p++;
		p = json_digits(p);
	}
	return p;
}

/* Decodes first and judges afterwards: too long for its value, a surrogate, too high. */
static const char *utf8_char(const char *text)
{
	static const unsigned long least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *p = (const unsigned char *)text;
	int length = *p < 0x80 ? 1 : *p >> 5 == 6 ? 2 : *p >> 4 == 14 ? 3 : *p >> 3 == 30 ? 4 : 0;
	unsigned long code = length > 1 ? *p & (0xff >> (length + 1)) : *p;

	if (!length)
		return NULL;
	for (int i = 1; i < length; i++) {
		if (p[i] >> 6 != 2)
			return NULL;
		code = code * 64 + p[i] % 64;
	}
	if (code < least[length] || (code >= 0xd800 && code < 0xe000) || code > 0x10ffff)
		return NULL;
	return text + length;
}

/* What follows the backslash. */
static const char *json_escape(const char *p)
{
	if (*p && strchr("\"\\/bfnrt", *p))
		return p + 1;
	if (*p != 'u')
		return NULL;
	for (int i = 1; i <= 4; i++) {
		if (!isxdigit((unsigned char)p[i]))
			return NULL;
	}
	return p + 5;
}

static const char *json_string(const char *p)
{
	if (*p++ != '"')
		return NULL;
	while (p && *p != '"') {
		if ((unsigned char)*p < 0x20)
			return NULL;
		p = *p == '\\' ? json_escape(p + 1) : utf8_char(p);
	}
	return p ? p + 1 : NULL;
}

/* Array or object; members of an object have names. */
static const char *json_members(const char *p, char close, bool named, int depth)
{
	if (*p == close)
		return p + 1;
	for (;;) {
		if (named) {
			p = json_string(p);
			if (!p || *p++ != ':')
				return NULL;
		}
		p = json_value(p, depth + 1);
		if (!p || (*p != ',' && *p != close))
			return NULL;
		if (*p++ == close)
			return p;
	}
}

static const char *json_value(const char *p, int depth)
{
	if (depth > 50)
		return NULL;
	switch (*p) {
	case '{':
		return json_members(p + 1, '}', true, depth);
	case '[':
		return json_members(p + 1, ']', false, depth);
	case '"':
		return json_string(p);
	case 't':
		return json_word(p, "true");
	case 'f':
		return json_word(p, "false");
	case 'n':
		return json_word(p, "null");
	default:
		return json_number(p);
	}
}

static inline bool is_json_object(const char *line)
{
	const char *end = *line == '{' ? json_value(line, 0) : NULL;

	return end && *end == '\0';
}

#endif
