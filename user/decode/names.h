/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the files of decode/ share. A table is a list of X(value, name) lines in tables/. Dense ones
 * become arrays, indexed by the value, for the sake of names that are looked up for every event;
 * sparse ones the cases of a switch, which compilers search by halves. Either way a value that is
 * there twice does not build.
 */
#ifndef KT_DECODE_NAMES_H
#define KT_DECODE_NAMES_H

#include "../lib/util.h"

/* Of a VMX exit reason; above are flags (vmx_flag.def). */
#define VMX_BASIC_REASON 0xffffu

struct kt_name {
	u32 value;
	const char *name;
};

#define KT_NAME_AT(value, name) [value] = name,
#define KT_NAME_CASE(value, name)                                                                  \
	case value:                                                                                \
		return name;
#define KT_NAME_ENTRY(value, name) { value, name },

/* Without the locale's rules: in some of them I and i are different letters. */
static inline char kt_ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static inline bool kt_ascii_equal(const char *a, const char *b)
{
	while (*a && kt_ascii_lower(*a) == kt_ascii_lower(*b)) {
		a++;
		b++;
	}
	return *a == *b;
}

#endif
