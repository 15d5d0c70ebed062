/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Allocation that ends the program when memory is exhausted, lists, and strict number parsing. */
#include "util.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* kt_err() builds its line in allocated memory: the message that there is none goes past it. */
static _Noreturn void out_of_memory(void)
{
	static const char text[] = "kvmtrace: error: out of memory\n";
	ssize_t written = write(STDERR_FILENO, text, sizeof(text) - 1);

	(void)written;
	exit(KT_FAILED);
}

void *kt_alloc(size_t size)
{
	/*
	 * Room for nothing is still a pointer of its own: callers need not tell it from
	 * exhaustion.
	 */
	void *p = calloc(1, size ? size : 1);

	if (!p)
		out_of_memory();
	return p;
}

void *kt_realloc(void *p, size_t size)
{
	void *moved = realloc(p, size ? size : 1);

	if (!moved)
		out_of_memory();
	return moved;
}

char *kt_strdup(const char *s)
{
	size_t size = strlen(s) + 1;

	return memcpy(kt_alloc(size), s, size);
}

void *kt_grow(void *array, size_t count, size_t size)
{
	if (count & (count - 1))
		return array;
	return kt_realloc(array, (count ? 2 * count : 1) * size);
}

void *kt_grow_to(void *array, size_t *count, size_t index, size_t size)
{
	size_t before = *count;

	if (index < before)
		return array;
	*count = 2 * index + 8;
	array = kt_realloc(array, *count * size);
	memset((char *)array + before * size, 0, (*count - before) * size);
	return array;
}

bool kt_list_has(const char *list, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = list; at && *at; at += strcspn(at, ","), at += *at == ',')
		if (strcspn(at, ",") == len && strncmp(at, name, len) == 0)
			return true;
	return false;
}

static unsigned int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return UINT_MAX;
}

/*
 * Reads the digits s begins with; *end is where they stop, s itself when there are none. On
 * overflow it reads on, so that trailing garbage is told from a number that is merely too big.
 */
static int read_digits(const char *s, unsigned int base, u64 *value, const char **end)
{
	u64 sum = 0;
	int err = 0;

	for (; digit_value(*s) < base; s++) {
		if (__builtin_mul_overflow(sum, base, &sum) ||
		    __builtin_add_overflow(sum, digit_value(*s), &sum))
			err = -ERANGE;
	}
	*value = sum;
	*end = s;
	return err;
}

int kt_parse_u64(const char *s, u64 min, u64 max, u64 *out)
{
	unsigned int base = 10;
	const char *end;
	u64 value;
	int err;

	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
		base = 16;
		s += 2;
	}
	err = read_digits(s, base, &value, &end);
	if (end == s || *end)
		return -EINVAL;
	if (err || value < min || value > max)
		return -ERANGE;
	*out = value;
	return 0;
}

static const struct {
	const char *name;
	u64 ns;
} duration_units[] = {
	{ "", KT_NSEC_PER_SEC },	 { "ms", 1000000 },
	{ "s", KT_NSEC_PER_SEC },	 { "m", 60 * KT_NSEC_PER_SEC },
	{ "h", 3600 * KT_NSEC_PER_SEC },
};

static u64 unit_ns(const char *name)
{
	for (size_t i = 0; i < KT_ARRAY_SIZE(duration_units); i++) {
		if (!strcmp(name, duration_units[i].name))
			return duration_units[i].ns;
	}
	return 0;
}

int kt_parse_duration(const char *s, u64 *ns)
{
	u64 whole, billionths = 0, unit, sum;
	const char *end;
	int err;

	err = read_digits(s, 10, &whole, &end);
	if (end == s)
		return -EINVAL;
	if (*end == '.') {
		u64 weight = KT_NSEC_PER_SEC / 10;
		const char *fraction = end + 1;

		/*
		 * weight ends at 0: what follows the ninth digit must be digits, and adds
		 * nothing.
		 */
		for (end = fraction; digit_value(*end) < 10; end++, weight /= 10)
			billionths += digit_value(*end) * weight;
		if (end == fraction)
			return -EINVAL;
	}
	unit = unit_ns(end);
	if (!unit)
		return -EINVAL;
	/* Every unit is a multiple of 1e6 ns: split so, the fraction of an hour fits 64 bits. */
	if (err || __builtin_mul_overflow(whole, unit, &sum) ||
	    __builtin_add_overflow(sum, billionths * (unit / 1000000) / 1000, &sum))
		return -ERANGE;
	*ns = sum;
	return 0;
}
