/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "symbol.h"

void kt_str_add_known_symbol(struct kt_str *s, const struct kt_symbols *symbols, u64 address)
{
	size_t before = s->len;

	kt_str_add(s, " (");
	if (kt_symbols_add(s, symbols, address))
		kt_str_add_char(s, ')');
	else
		kt_str_end(s, s->data + before);
}

void kt_record_known_symbol(struct kt_record *r, const struct kt_symbols *symbols, bool valid,
			    u64 address)
{
	struct kt_str *text = kt_record_scratch(r);

	kt_record_str(r, "symbol",
		      valid && kt_symbols_add(text, symbols, address) ? text->data : NULL);
}
