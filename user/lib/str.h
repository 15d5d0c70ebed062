/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Growable string. Always NUL-terminated once anything was appended, be it an empty text;
 * zero-initialise to start. What is appended must not point into the string itself.
 */
#ifndef KT_LIB_STR_H
#define KT_LIB_STR_H

#include <stdarg.h>
#include <string.h>

#include "util.h"

struct kt_str {
	char *data;
	size_t len, cap;
};

void kt_str_free(struct kt_str *s);

#define KT_COPY_BLOCK 64

extern const char kt_digit_pairs[]; /* "000102…99" */

char *kt_str_grow(struct kt_str *s, size_t n);		  /* kt_str_room(), no room left */
void kt_copy_bytes(char *to, const char *from, size_t n); /* memcpy(), quicker for a few bytes */

/*
 * What follows is inline: these few instructions, times twenty to each event, are most of what
 * printing it costs, and literals need neither strlen() nor a call to memcpy().
 */

/* Where n more bytes and a NUL may be written; kt_str_end() then says how far that went. */
static inline char *kt_str_room(struct kt_str *s, size_t n)
{
	/* No sum that could wrap round; also false while nothing is allocated. */
	if (__builtin_expect(n < s->cap - s->len, 1))
		return s->data + s->len;
	return kt_str_grow(s, n);
}

/* Empties, keeps the memory. */
static inline void kt_str_reset(struct kt_str *s)
{
	s->len = 0;
	if (s->data)
		s->data[0] = '\0';
}

static inline void kt_str_end(struct kt_str *s, char *end)
{
	*end = '\0';
	s->len = (size_t)(end - s->data);
}

static inline void kt_str_add_n(struct kt_str *s, const char *bytes, size_t n)
{
	char *p = kt_str_room(s, n);

	if (!__builtin_constant_p(n))
		kt_copy_bytes(p, bytes, n);
	else if (n)
		memcpy(p, bytes, n);
	kt_str_end(s, p + n);
}

/*
 * Copies n bytes and up to a block more, which both sides must have room for: then no length needs a
 * case of its own.
 */
static inline void kt_copy_blocks(char *to, const char *from, size_t n)
{
	typedef char piece __attribute__((vector_size(16)));
	piece a, b, c, d;

	_Static_assert(KT_COPY_BLOCK == 4 * sizeof(piece), "four of them");
	for (const char *end = to + n; to < end; to += KT_COPY_BLOCK, from += KT_COPY_BLOCK) {
		memcpy(&a, from, sizeof(a));
		memcpy(&b, from + 16, sizeof(b));
		memcpy(&c, from + 32, sizeof(c));
		memcpy(&d, from + 48, sizeof(d));
		memcpy(to, &a, sizeof(a));
		memcpy(to + 16, &b, sizeof(b));
		memcpy(to + 32, &c, sizeof(c));
		memcpy(to + 48, &d, sizeof(d));
	}
}

static inline void kt_str_add(struct kt_str *s, const char *text)
{
	kt_str_add_n(s, text, strlen(text));
}

static inline void kt_str_add_char(struct kt_str *s, char c)
{
	char *p = kt_str_room(s, 1);

	*p = c;
	kt_str_end(s, p + 1);
}

void kt_str_addf(struct kt_str *s, const char *fmt, ...) KT_PRINTF(2, 3);
void kt_str_vaddf(struct kt_str *s, const char *fmt, va_list args) KT_PRINTF(2, 0);
void kt_str_add_u64(struct kt_str *s, u64 value);     /* decimal, without printf's cost */
void kt_str_add_hex(struct kt_str *s, u64 value);     /* 0x…, lower case, no padding */
void kt_str_add_hex_byte(struct kt_str *s, u8 value); /* two digits */
/* kt_str_add_u64() and kt_str_add_hex() to where KT_U64_LENGTH bytes may be; they return the end. */
#define KT_U64_LENGTH 20
char *kt_put_u64(char *p, u64 value);
char *kt_put_hex(char *p, u64 value);
/* Writes the nine decimals of a number of ns below a second; returns their end. */
char *kt_put_fraction(char *p, u32 ns);
/* Writes the six decimals of a number below a million; returns their end. */
static inline char *kt_put_six(char *p, u32 value)
{
	/* value / 10000 as a fixed point number, exact enough for three pairs of digits */
	u64 x = value * 429497ull;

	memcpy(p, kt_digit_pairs + 2 * (x >> 32), 2);
	x = (u32)x * 100ull;
	memcpy(p + 2, kt_digit_pairs + 2 * (x >> 32), 2);
	x = (u32)x * 100ull;
	memcpy(p + 4, kt_digit_pairs + 2 * (x >> 32), 2);
	return p + 6;
}
/* Writes value's last n decimal digits, with leading zeros and without a NUL; returns their end. */
char *kt_put_decimal(char *p, u64 value, unsigned int n);
/*
 * Appends blanks until what stands from offset from on is width columns wide. A code point counts
 * as one column ("µs" is two), so that columns line up; wider text is left as it is.
 */
void kt_str_pad(struct kt_str *s, size_t from, size_t width);

/*
 * Appends text that came from outside (VM names, command lines) so that it can harm neither a
 * terminal nor a line-based reader: the bytes of control characters (C0 with tab and newline,
 * DEL, C1), of line separators and bidirectional controls (U+2028, U+202E, …) and of invalid
 * UTF-8 become \xNN. Backslashes stay as they are.
 */
void kt_str_add_safe(struct kt_str *s, const char *text);
/*
 * Appends a quoted JSON string. Each byte that is not part of valid UTF-8 becomes U+FFFD;
 * everything else survives, with what kt_str_add_safe() holds to be harmful in its \uNNNN form.
 */
void kt_str_add_json(struct kt_str *s, const char *text);
/* The same and a colon; a comma before it when another member stands there already. */
void kt_str_add_json_name(struct kt_str *s, bool follows, const char *name);
/*
 * Appends a CSV field, made safe as kt_str_add_safe() does. It is quoted as RFC 4180 says when it
 * holds a comma or a quote or has a blank at either end. A field that begins with = + - or @ gets
 * a leading apostrophe, so that a spreadsheet takes a hostile VM name as text and does not run
 * it; not for numbers, which are appended as they are.
 */
void kt_str_add_csv(struct kt_str *s, const char *text);

#endif
