/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "str.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char kt_digit_pairs[] = "00010203040506070809101112131415161718192021222324"
			      "25262728293031323334353637383940414243444546474849"
			      "50515253545556575859606162636465666768697071727374"
			      "75767778798081828384858687888990919293949596979899";

char *kt_str_grow(struct kt_str *s, size_t n)
{
	size_t need = s->len + n + 1;

	if (need <= n)
		need = SIZE_MAX; /* the sum wrapped round; no allocator grants this */
	else if (need < 64)
		need = 64;
	else if (need < SIZE_MAX / 2)
		need += need / 2;
	s->data = kt_realloc(s->data, need);
	s->cap = need;
	return s->data + s->len;
}

/* Two moves that may overlap do for any length between their size and twice that. */
void kt_copy_bytes(char *to, const char *from, size_t n)
{
	u64 first, last;
	u32 head, tail;

	if (n > 16) {
		memcpy(to, from, n);
	} else if (n >= 8) {
		memcpy(&first, from, 8);
		memcpy(&last, from + n - 8, 8);
		memcpy(to, &first, 8);
		memcpy(to + n - 8, &last, 8);
	} else if (n >= 4) {
		memcpy(&head, from, 4);
		memcpy(&tail, from + n - 4, 4);
		memcpy(to, &head, 4);
		memcpy(to + n - 4, &tail, 4);
	} else if (n) {
		to[0] = from[0];
		to[n / 2] = from[n / 2];
		to[n - 1] = from[n - 1];
	}
}

void kt_str_free(struct kt_str *s)
{
	free(s->data);
	*s = (struct kt_str) { 0 };
}

void kt_str_vaddf(struct kt_str *s, const char *fmt, va_list args)
{
	va_list again;
	size_t room;
	int n;

	kt_str_room(s, 0);
	room = s->cap - s->len;
	va_copy(again, args);
	n = vsnprintf(s->data + s->len, room, fmt, args);
	if (n >= 0 && (size_t)n >= room) {
		kt_str_room(s, n);
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

/* Writes eight decimal digits, all at once: halves, quarters, then each byte of x becomes a digit. */
static void put_decimal8(char *p, u32 value)
{
	u64 x = value / 10000 | (u64)(value % 10000) << 32;
	u64 high = (x * 10486 >> 20) & 0x0000007f0000007f; /* / 100, exact below 10000 */

	x = high | (x - high * 100) << 16;
	high = (x * 103 >> 10) & 0x000f000f000f000f; /* / 10, exact below 100 */
	x = high | (x - high * 10) << 8;
	x += 0x3030303030303030;
	memcpy(p, &x, 8);
}

char *kt_put_decimal(char *p, u64 value, unsigned int n)
{
	char *end = p + n;
	u32 rest;

	for (; n > 8; n -= 8, value /= 100000000)
		put_decimal8(p + n - 8, (u32)(value % 100000000));
	rest = (u32)(value % 100000000);
	for (; n >= 2; n -= 2, rest /= 100)
		memcpy(p + n - 2, kt_digit_pairs + 2 * (rest % 100), 2);
	if (n)
		*p = '0' + (char)(rest % 10);
	return end;
}

char *kt_put_fraction(char *p, u32 ns)
{
	*p = '0' + (char)(ns / 100000000);
	put_decimal8(p + 1, ns % 100000000);
	return p + 9;
}

static unsigned int decimal_digits(u64 value)
{
	static const u64 powers[] = {
		0, /* 0 has a digit too */
		10,
		100,
		1000,
		10000,
		100000,
		1000000,
		10000000,
		100000000,
		1000000000,
		10000000000,
		100000000000,
		1000000000000,
		10000000000000,
		100000000000000,
		1000000000000000,
		10000000000000000,
		100000000000000000,
		1000000000000000000,
		10000000000000000000u,
	};
	unsigned int bits = 64 - __builtin_clzll(value | 1);
	unsigned int least = bits * 1233 >> 12; /* bits * log10(2) */

	return least + (value >= powers[least]);
}

char *kt_put_u64(char *p, u64 value)
{
	return kt_put_decimal(p, value, decimal_digits(value));
}

void kt_str_add_u64(struct kt_str *s, u64 value)
{
	kt_str_end(s, kt_put_u64(kt_str_room(s, KT_U64_LENGTH), value));
}

/* Writes eight hexadecimal digits, all at once: each byte of a u64 becomes one of them. */
static void put_hex8(char *p, u32 value)
{
	u64 x = __builtin_bswap32(value);
	u64 letters;

	x = (x | x << 16) & 0x0000ffff0000ffff;
	x = (x | x << 8) & 0x00ff00ff00ff00ff;
	x = (x >> 4 | x << 8) & 0x0f0f0f0f0f0f0f0f;
	letters = (x + 0x0606060606060606) >> 4 & 0x0101010101010101; /* 1 where the digit is > 9 */
	x += 0x3030303030303030 + letters * ('a' - '0' - 10);
	memcpy(p, &x, 8);
}

char *kt_put_hex(char *p, u64 value)
{
	unsigned int digits = (67 - __builtin_clzll(value | 1)) / 4;

	value <<= 64 - 4 * digits;
	memcpy(p, "0x", 2);
	put_hex8(p + 2, value >> 32);
	if (digits > 8)
		put_hex8(p + 10, (u32)value);
	return p + 2 + digits;
}

void kt_str_add_hex(struct kt_str *s, u64 value)
{
	kt_str_end(s, kt_put_hex(kt_str_room(s, KT_U64_LENGTH), value));
}

void kt_str_pad(struct kt_str *s, size_t from, size_t width)
{
	size_t columns = 0;

	for (size_t i = from; i < s->len; i++)
		columns += ((unsigned char)s->data[i] & 0xc0) != 0x80;
	if (columns >= width)
		return;
	kt_str_room(s, width - columns);
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
			kt_str_add_hex_byte(s, *p++);
		}
	}
}

void kt_str_add_hex_byte(struct kt_str *s, u8 value)
{
	add_hex_digits(s, value, 2);
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

/* How many of the bytes that text begins with JSON takes as they are. */
static size_t plain_in_json(const unsigned char *text)
{
	static const bool plain[256] = {
		[0x20 ... '"' - 1] = true,
		['"' + 1 ... '\\' - 1] = true,
		['\\' + 1 ... 0x7e] = true,
	};
	size_t n = 0;

	while (plain[text[n]])
		n++;
	return n;
}

void kt_str_add_json_name(struct kt_str *s, bool follows, const char *name)
{
	size_t n = plain_in_json((const unsigned char *)name);
	char *p = kt_str_room(s, n + strlen(",\"\":"));

	*p = ',';
	p += follows;
	/* In one go, for names are more than half of what a record consists of. */
	if (!name[n]) {
		*p = '"';
		kt_copy_bytes(p + 1, name, n);
		memcpy(p + 1 + n, "\":", 2);
		kt_str_end(s, p + n + 3);
	} else {
		kt_str_end(s, p);
		kt_str_add_json(s, name);
		kt_str_add_char(s, ':');
	}
}

void kt_str_add_json(struct kt_str *s, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t run = plain_in_json(p);
	char *to = kt_str_room(s, 1 + run);
	u32 code;

	*to = '"';
	kt_copy_bytes(to + 1, text, run);
	kt_str_end(s, to + 1 + run);
	for (p += run; *p; p += run) {
		size_t n = decode_utf8(p, &code);

		if (!n)
			kt_str_add(s, "\xef\xbf\xbd");
		else if (code == '"' || code == '\\' || is_unsafe(code))
			add_json_escape(s, code);
		else
			kt_str_add_n(s, (const char *)p, n);
		p += n ? n : 1;
		run = plain_in_json(p);
		kt_str_add_n(s, (const char *)p, run);
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
