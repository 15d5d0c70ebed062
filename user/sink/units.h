/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Numbers as people read them. */
#ifndef KT_SINK_UNITS_H
#define KT_SINK_UNITS_H

#include "../lib/str.h"

/* Three significant digits: "987ns", "1.23us", "45.6ms", "120s". */
void kt_str_add_ns(struct kt_str *s, u64 ns);
/* Likewise: "512B", "1.50MiB", "64.0GiB". */
void kt_str_add_bytes(struct kt_str *s, u64 bytes);
/* part of whole: "12.3%"; "-" when whole is 0. */
void kt_str_add_share(struct kt_str *s, u64 part, u64 whole);

/*
 * What numbers have in common that differ in their last six digits only: a text, and behind it these
 * digits are to follow. Of most events' times only they are spelt.
 */
struct kt_stem {
	u64 from;  /* the first of these numbers */
	u32 count; /* of them: a million, or 0 at first */
	u32 len;
	char text[64];
};

static inline bool kt_stem_fits(const struct kt_stem *s, u64 value)
{
	return value - s->from < s->count;
}

/* Writes at most KT_STEM_SIZE bytes, six of them value's; returns their end. */
#define KT_STEM_SIZE (sizeof(((struct kt_stem *)0)->text) + 6)
static inline char *kt_put_stem(char *p, const struct kt_stem *s, u64 value)
{
	memcpy(p, s->text, sizeof(s->text));
	return kt_put_six(p + s->len, (u32)(value - s->from));
}

/* text: what stands before the last six digits of value. Too long a one fits no number. */
void kt_stem_set(struct kt_stem *s, u64 value, const char *text, size_t len);

/* Local time of day with nanoseconds, "23:59:59.000000001", of a CLOCK_REALTIME ns. */
#define KT_CLOCK_LENGTH 18
void kt_str_add_clock(struct kt_str *s, u64 realtime_ns);

/* That of the time spelt last, "23:59:59.000", is at hand for times that fit. */
extern struct kt_stem kt_clock;
void kt_clock_turn(u64 realtime_ns); /* makes this one fit */

static inline bool kt_clock_fits(u64 realtime_ns)
{
	return __builtin_expect(kt_stem_fits(&kt_clock, realtime_ns), 1);
}

/* Writes the KT_CLOCK_LENGTH bytes of a time that fits; returns their end. */
static inline char *kt_put_clock(char *p, u64 realtime_ns)
{
	u32 below = (u32)(realtime_ns - kt_clock.from);

	memcpy(p, kt_clock.text, 16);
	return kt_put_six(p + KT_CLOCK_LENGTH - 6, below);
}

/* The names of bits that are set: "[present,write]", nothing when there are none. */
struct kt_bits {
	struct kt_str *s;
	bool any;
};
void kt_bits_add(void *bits, const char *name); /* a kt_name_fn */
void kt_bits_end(struct kt_bits *bits);

#endif
