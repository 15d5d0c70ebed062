/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef KT_LIB_UTIL_H
#define KT_LIB_UTIL_H

#include <stddef.h>
#include "../../bpf/shared/types.h"

#define KT_ARRAY_SIZE(a)     (sizeof(a) / sizeof((a)[0]))
#define KT_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define KT_NSEC_PER_SEC	     1000000000ull

/* Exit status of kvmtrace; part of the command line's contract (man page, "EXIT STATUS"). */
enum kt_status {
	KT_OK = 0,
	KT_FAILED = 1,
	KT_USAGE = 2,	    /* the command line is wrong */
	KT_UNSUPPORTED = 3, /* the kernel or host lacks what is needed */
	KT_DENIED = 4,	    /* no permission */
	KT_LOST = 5,	    /* events were lost and --strict was given */
};

/* Allocation that cannot fail: on exhaustion they log and end the program with KT_FAILED. */
void *kt_alloc(size_t size); /* zeroed */
void *kt_realloc(void *p, size_t size);
char *kt_strdup(const char *s);
/*
 * Room for one more element of an array that doubles: call it before each is added, with their number
 * so far. NULL is an array of none.
 */
void *kt_grow(void *array, size_t count, size_t size);
/*
 * Room for the element with this index, in an array of *count that are indexed by a number such as a
 * VM's id. When it has to grow, what is new is zeroed and *count set anew: more than was asked for.
 */
void *kt_grow_to(void *array, size_t *count, size_t index, size_t size);

/* Is name among those of a list, "a,b,c"? NULL: an empty one. */
bool kt_list_has(const char *list, const char *name);

/*
 * Strict number parsing: the whole string, no sign, no blanks; decimal (leading zeros too: there
 * is no octal) or 0x hexadecimal. Returns 0, -EINVAL (not a number, trailing garbage, empty) or
 * -ERANGE (outside min..max, or beyond 64 bits); *out is set on success only.
 */
int kt_parse_u64(const char *s, u64 min, u64 max, u64 *out);
/*
 * Seconds, or a number with a unit (ms, s, m, h), either with an optional fraction ("2", "0.5",
 * "1.5h"), to nanoseconds; digits after the ninth decimal do not count. Returns 0, -EINVAL or
 * -ERANGE (beyond 64 bits); *ns is set on success only.
 */
int kt_parse_duration(const char *s, u64 *ns);

#endif
