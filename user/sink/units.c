/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <time.h>

#include "units.h"

#define CLOCK_LENGTH 9 /* "23:59:59." */

struct unit {
	const char *name;
	double size;
};

/* The largest unit that fits, with as many decimals as make three digits. */
static void add_scaled(struct kt_str *s, u64 value, const struct unit *units, size_t count)
{
	size_t i = count - 1;
	double scaled;

	/* 0.9995 rather than 1: what would print as "1000us" is written "1.00ms". */
	while (i > 0 && value < units[i].size * 0.9995)
		i--;
	scaled = value / units[i].size;
	if (i == 0 || scaled >= 99.95)
		kt_str_addf(s, "%.0f%s", scaled, units[i].name);
	else if (scaled >= 9.995)
		kt_str_addf(s, "%.1f%s", scaled, units[i].name);
	else
		kt_str_addf(s, "%.2f%s", scaled, units[i].name);
}

void kt_str_add_ns(struct kt_str *s, u64 ns)
{
	static const struct unit units[] = {
		{ "ns", 1 }, { "us", 1e3 }, { "ms", 1e6 }, { "s", 1e9 }
	};

	add_scaled(s, ns, units, KT_ARRAY_SIZE(units));
}

void kt_str_add_bytes(struct kt_str *s, u64 bytes)
{
	static const struct unit units[] = { { "B", 1 },
					     { "KiB", 1024.0 },
					     { "MiB", 1048576.0 },
					     { "GiB", 1073741824.0 },
					     { "TiB", 1099511627776.0 } };

	add_scaled(s, bytes, units, KT_ARRAY_SIZE(units));
}

void kt_str_add_share(struct kt_str *s, u64 part, u64 whole)
{
	if (whole)
		kt_str_addf(s, "%.1f%%", 100.0 * part / whole);
	else
		kt_str_add(s, "-");
}

void kt_str_add_clock(struct kt_str *s, u64 realtime_ns)
{
	static time_t cached;
	static char text[16];
	time_t seconds = realtime_ns / KT_NSEC_PER_SEC;
	u32 ns = realtime_ns % KT_NSEC_PER_SEC;
	struct tm tm;
	char *p;

	if (seconds != cached || !text[0]) {
		localtime_r(&seconds, &tm);
		strftime(text, sizeof(text), "%H:%M:%S.", &tm);
		cached = seconds;
	}
	p = kt_str_room(s, CLOCK_LENGTH + 9);
	memcpy(p, text, CLOCK_LENGTH);
	kt_str_end(s, kt_put_fraction(p + CLOCK_LENGTH, ns));
}

void kt_bits_add(void *ctx, const char *name)
{
	struct kt_bits *bits = ctx;

	kt_str_add_char(bits->s, bits->any ? ',' : '[');
	kt_str_add(bits->s, name);
	bits->any = true;
}

void kt_bits_end(struct kt_bits *bits)
{
	if (bits->any)
		kt_str_add_char(bits->s, ']');
}
