/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "str.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Makes room for n more bytes and the final NUL. */
static void reserve(struct kt_str *s, size_t n)
{
	size_t need = s->len + n + 1;

	if (need <= s->cap && need > n)
		return;
	if (need <= n)
		need = SIZE_MAX; /* the sum wrapped round; no allocator grants this */
	else if (need < 64)
		need = 64;
	else if (need < SIZE_MAX / 2)
		need += need / 2;
	s->data = kt_realloc(s->data, need);
	s->cap = need;
}

void kt_str_reset(struct kt_str *s)
{
	s->len = 0;
	if (s->data)
		s->data[0] = '\0';
}

void kt_str_free(struct kt_str *s)
{
	free(s->data);
	*s = (struct kt_str) { 0 };
}

void kt_str_add(struct kt_str *s, const char *text)
{
	kt_str_add_n(s, text, strlen(text));
}

void kt_str_add_n(struct kt_str *s, const char *bytes, size_t n)
{
	reserve(s, n);
	if (n)
		memcpy(s->data + s->len, bytes, n);
	s->len += n;
	s->data[s->len] = '\0';
}

void kt_str_add_char(struct kt_str *s, char c)
{
	reserve(s, 1);
	s->data[s->len++] = c;
	s->data[s->len] = '\0';
}

void kt_str_vaddf(struct kt_str *s, const char *fmt, va_list args)
{
	va_list again;
	size_t room;
	int n;

	reserve(s, 0);
	room = s->cap - s->len;
	va_copy(again, args);
	n = vsnprintf(s->data + s->len, room, fmt, args);
	if (n >= 0 && (size_t)n >= room) {
		reserve(s, n);
		n = vsnprintf(s->data + s->len, s->cap - s->len, fmt, again);
	}
	va_end(again);
	/* Below 0: the C library refuses (more than INT_MAX bytes). Then nothing is added. */
	if (n > 0)
		s->len += n;
	s->data[s->len] = '\0';
}

void kt_str_addf(struct kt_str *s, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	kt_str_vaddf(s, fmt, args);
	va_end(args);
}

void kt_str_add_u64(struct kt_str *s, u64 value)
{
	char digits[20];
	char *p = digits + sizeof(digits);

	do {
		*--p = '0' + value % 10;
		value /= 10;
	} while (value);
	kt_str_add_n(s, p, digits + sizeof(digits) - p);
}

void kt_str_add_hex(struct kt_str *s, u64 value)
{
	char digits[18];
	char *p = digits + sizeof(digits);

	do {
		*--p = "0123456789abcdef"[value & 0xf];
		value >>= 4;
	} while (value);
	*--p = 'x';
	*--p = '0';
	kt_str_add_n(s, p, digits + sizeof(digits) - p);
}

void kt_str_pad(struct kt_str *s, size_t from, size_t width)
{
	size_t columns = 0;

	for (size_t i = from; i < s->len; i++)
		columns += ((unsigned char)s->data[i] & 0xc0) != 0x80;
	if (columns >= width)
		return;
	reserve(s, width - columns);
	memset(s->data + s->len, ' ', width - columns);
	s->len += width - columns;
	s->data[s->len] = '\0';
}

/*
 * Length of the well-formed UTF-8 sequence a NUL-terminated text begins with, and its code point; 0
 * when it begins with none. The range of the second byte shuts out overlong forms, surrogates and
 * what lies above U+10FFFF (Unicode, table 3-7). Never looks past the NUL.
 */
static size_t decode_utf8(const unsigned char *p, u32 *code)
{
	static const struct {
		u8 first, last;	    /* lead bytes */
		u8 low, high;	    /* second byte */
		u8 length, payload; /* bits of the lead byte that count */
	} forms[] = {
		{ 0xc2, 0xdf, 0x80, 0xbf, 2, 0x1f }, { 0xe0, 0xe0, 0xa0, 0xbf, 3, 0x0f },
		{ 0xe1, 0xec, 0x80, 0xbf, 3, 0x0f }, { 0xed, 0xed, 0x80, 0x9f, 3, 0x0f },
		{ 0xee, 0xef, 0x80, 0xbf, 3, 0x0f }, { 0xf0, 0xf0, 0x90, 0xbf, 4, 0x07 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4, 0x07 }, { 0xf4, 0xf4, 0x80, 0x8f, 4, 0x07 },
	};
	size_t form = 0;

	if (p[0] < 0x80) {
		*code = p[0];
		return 1;
	}
	while (form < KT_ARRAY_SIZE(forms) && p[0] > forms[form].last)
		form++;
	if (form == KT_ARRAY_SIZE(forms) || p[0] < forms[form].first || p[1] < forms[form].low ||
	    p[1] > forms[form].high)
		return 0;
	*code = p[0] & forms[form].payload;
	for (size_t i = 1; i < forms[form].length; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (p[i] & 0x3f);
	}
	return forms[form].length;
}

/* Code points that act on a terminal or a line reader instead of being shown. */
static bool is_unsafe(u32 code)
{
	static const struct {
		u32 first, last;
	} ranges[] = {
		{ 0x00, 0x1f },	    /* C0 controls */
		{ 0x7f, 0x9f },	    /* DEL, C1 controls */
		{ 0x061c, 0x061c }, /* bidirectional marks, … */
		{ 0x200e, 0x200f },
		{ 0x2028,
		  0x202e }, /* line and paragraph separator, … embeddings and overrides, … */
		{ 0x2066, 0x2069 }, /* … isolates */
	};

	for (size_t i = 0; i < KT_ARRAY_SIZE(ranges); i++) {
		if (code >= ranges[i].first && code <= ranges[i].last)
			return true;
	}
	return false;
}

static void add_hex_digits(struct kt_str *s, u32 value, int digits)
{
	while (digits-- > 0)
		kt_str_add_char(s, "0123456789abcdef"[value >> 4 * digits & 0xf]);
}

/* kt_str_add_safe(), doubling the byte quote (CSV's way to escape it) when it is not 0. */
static void add_safe(struct kt_str *s, const char *text, char quote)
{
	const unsigned char *p = (const unsigned char *)text;
	u32 code;

	while (*p) {
		const unsigned char *run = p;
		size_t n;

		while (*p >= 0x20 && *p < 0x7f && *p != quote)
			p++;
		kt_str_add_n(s, (const char *)run, p - run);
		if (!*p)
			break;
		n = decode_utf8(p, &code);
		if (n && !is_unsafe(code)) {
			if (*p == quote)
				kt_str_add_char(s, quote);
			kt_str_add_n(s, (const char *)p, n);
			p += n;
			continue;
		}
		for (n = n ? n : 1; n; n--) {
			kt_str_add(s, "\\x");
			add_hex_digits(s, *p++, 2);
		}
	}
}

void kt_str_add_safe(struct kt_str *s, const char *text)
{
	add_safe(s, text, '\0');
	kt_str_add_n(s, "", 0);
}

static void add_json_escape(struct kt_str *s, u32 code)
{
	static const char short_forms[] = "\"\"\\\\\bb\ff\nn\rr\tt";

	for (const char *p = short_forms; *p; p += 2) {
		if ((u32)*p == code) {
			kt_str_add_char(s, '\\');
			kt_str_add_char(s, p[1]);
			return;
		}
	}
	kt_str_add(s, "\\u");
	add_hex_digits(s, code, 4); /* every unsafe code point lies in the first plane */
}

void kt_str_add_json(struct kt_str *s, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	u32 code;

	kt_str_add_char(s, '"');
	while (*p) {
		const unsigned char *run = p;
		size_t n;

		while (*p >= 0x20 && *p < 0x7f && *p != '"' && *p != '\\')
			p++;
		kt_str_add_n(s, (const char *)run, p - run);
		if (!*p)
			break;
		n = decode_utf8(p, &code);
		if (!n)
			kt_str_add(s, "\xef\xbf\xbd");
		else if (code == '"' || code == '\\' || is_unsafe(code))
			add_json_escape(s, code);
		else
			kt_str_add_n(s, (const char *)p, n);
		p += n ? n : 1;
	}
	kt_str_add_char(s, '"');
}

void kt_str_add_csv(struct kt_str *s, const char *text)
{
	size_t n = strlen(text);
	/* RFC 4180 keeps outer blanks, but several readers trim them unless they are quoted. */
	bool quoted = n && (text[0] == ' ' || text[n - 1] == ' ' || strpbrk(text, ",\""));

	if (quoted)
		kt_str_add_char(s, '"');
	if (n && strchr("=+-@", text[0]))
		kt_str_add_char(s, '\'');
	add_safe(s, text, '"');
	kt_str_add_n(s, quoted ? "\"" : "", quoted);
}
