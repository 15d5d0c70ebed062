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
/* Local time of day with nanoseconds, "23:59:59.000000001", of a CLOCK_REALTIME ns. */
void kt_str_add_clock(struct kt_str *s, u64 realtime_ns);

/* The names of bits that are set: "[present,write]", nothing when there are none. */
struct kt_bits {
	struct kt_str *s;
	bool any;
};
void kt_bits_add(void *bits, const char *name); /* a kt_name_fn */
void kt_bits_end(struct kt_bits *bits);

#endif
