/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Growable string. Always NUL-terminated once anything was appended, be it an empty text;
 * zero-initialise to start. What is appended must not point into the string itself.
 */
#ifndef KT_LIB_STR_H
#define KT_LIB_STR_H

#include <stdarg.h>

#include "util.h"

struct kt_str {
	char *data;
	size_t len, cap;
};

void kt_str_reset(struct kt_str *s); /* empties, keeps the memory */
void kt_str_free(struct kt_str *s);
void kt_str_add(struct kt_str *s, const char *text);
void kt_str_add_n(struct kt_str *s, const char *bytes, size_t n);
void kt_str_add_char(struct kt_str *s, char c);
void kt_str_addf(struct kt_str *s, const char *fmt, ...) KT_PRINTF(2, 3);
void kt_str_vaddf(struct kt_str *s, const char *fmt, va_list args) KT_PRINTF(2, 0);
void kt_str_add_u64(struct kt_str *s, u64 value); /* decimal, without printf's cost */
void kt_str_add_hex(struct kt_str *s, u64 value); /* 0x…, lower case, no padding */
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
/*
 * Appends a CSV field, made safe as kt_str_add_safe() does. It is quoted as RFC 4180 says when it
 * holds a comma or a quote or has a blank at either end. A field that begins with = + - or @ gets
 * a leading apostrophe, so that a spreadsheet takes a hostile VM name as text and does not run
 * it; not for numbers, which are appended as they are.
 */
void kt_str_add_csv(struct kt_str *s, const char *text);

#endif
