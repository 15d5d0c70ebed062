/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The name of a place in a guest's code, where the user gave its symbols. */
#ifndef KT_SINK_SYMBOL_H
#define KT_SINK_SYMBOL_H

#include "../event/symbols.h"
#include "record.h"

void kt_str_add_known_symbol(struct kt_str *s, const struct kt_symbols *symbols, u64 address);
void kt_record_known_symbol(struct kt_record *r, const struct kt_symbols *symbols, bool valid,
			    u64 address);

/* Appends " (native_write_msr+0x5)"; nothing when that isn't known, or symbols is NULL. */
static inline void kt_str_add_symbol(struct kt_str *s, const struct kt_symbols *symbols,
				     u64 address)
{
	if (symbols)
		kt_str_add_known_symbol(s, symbols, address);
}

/*
 * "symbol":"native_write_msr+0x5", null when that isn't known or the address isn't valid. No member at
 * all when symbols is NULL: then it is of every VM (kt_symbols_of()), so that csv has the same columns.
 */
static inline void kt_record_symbol(struct kt_record *r, const struct kt_symbols *symbols,
				    bool valid, u64 address)
{
	if (symbols)
		kt_record_known_symbol(r, symbols, valid, address);
}

#endif
