/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <math.h>
#include <time.h>

#include "units.h"

#define SECOND_LENGTH 9 /* "23:59:59." */

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

/*
 * Whether the quotient value / step, of which low is the part below the point, is to be rounded up as
 * printf() does. In the middle it goes by what value / size is as a double, and if that is in the middle
 * too, to the even digit.
 */
static bool rounds_up(u64 value, u64 size, u64 step)
{
	u64 low = value % step;
	double excess;

	if (2 * low != step)
		return 2 * low > step;
	excess = fma((double)value / size, size, -(double)value);
	return excess > 0 || (excess == 0 && value / step % 2);
}

/* What add_scaled() would write, without printf(): there is one with each fault. */
void kt_str_add_ns(struct kt_str *s, u64 ns)
{
	static const struct unit units[] = {
		{ "ns", 1 }, { "us", 1e3 }, { "ms", 1e6 }, { "s", 1e9 }
	};
	unsigned int unit = (ns > 999) + (ns >= 999500) + (ns >= 999500000);
	u64 size = (u64)units[unit].size;
	unsigned int decimals = !unit ? 0 : (ns < 99950 * size / 1000) + (ns < 9995 * size / 1000);
	u64 one = decimals == 2 ? 100 : decimals ? 10 : 1, digits;

	if (ns >= 1ull << 53) { /* not each of these is a double */
		add_scaled(s, ns, units, KT_ARRAY_SIZE(units));
		return;
	}
	digits = ns / (size / one) + rounds_up(ns, size, size / one);
	kt_str_add_u64(s, digits / one);
	if (decimals) {
		kt_str_add_char(s, '.');
		kt_str_end(s, kt_put_decimal(kt_str_room(s, 2), digits % one, decimals));
	}
	kt_str_add(s, units[unit].name);
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

#define STEM_COUNT 1000000

struct kt_stem kt_clock;

void kt_stem_set(struct kt_stem *s, u64 value, const char *text, size_t len)
{
	s->count = 0;
	if (len > sizeof(s->text))
		return;
	s->from = value - value % STEM_COUNT;
	/* Behind the largest number comes 0, which has another. */
	s->count = ~s->from < STEM_COUNT ? ~s->from + 1 : STEM_COUNT;
	s->len = len;
	memcpy(s->text, text, len);
}

void kt_clock_turn(u64 realtime_ns)
{
	static time_t cached;
	static char text[16];
	time_t seconds = realtime_ns / KT_NSEC_PER_SEC;
	struct tm tm;

	if (kt_clock_fits(realtime_ns))
		return;
	if (seconds != cached || !text[0]) {
		localtime_r(&seconds, &tm);
		strftime(text, sizeof(text), "%H:%M:%S.", &tm);
		cached = seconds;
	}
	kt_put_decimal(text + SECOND_LENGTH, realtime_ns % KT_NSEC_PER_SEC / STEM_COUNT, 3);
	kt_stem_set(&kt_clock, realtime_ns, text, KT_CLOCK_LENGTH - 6);
}

void kt_str_add_clock(struct kt_str *s, u64 realtime_ns)
{
	kt_clock_turn(realtime_ns);
	kt_str_end(s, kt_put_clock(kt_str_room(s, KT_CLOCK_LENGTH), realtime_ns));
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
