/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Aligned text tables. On a terminal too narrow for all columns the least important ones are left out. */
#ifndef KT_SINK_TABLE_H
#define KT_SINK_TABLE_H

#include "../lib/out.h"
#include "../lib/str.h"

struct kt_table_column {
	const char *title;
	bool left;		 /* aligned left; numbers go right */
	unsigned int importance; /* 0: never left out; else the lowest goes first */
};

struct kt_table;

/* The columns are kept by reference. */
struct kt_table *kt_table_new(const struct kt_table_column *columns, size_t count);
void kt_table_free(struct kt_table *t);
/* Cells in the order of the columns, row by row; text is made safe for a terminal. */
void kt_table_add(struct kt_table *t, const char *text);
void kt_table_addf(struct kt_table *t, const char *fmt, ...) KT_PRINTF(2, 3);
/* Takes what was built in s and empties it. */
void kt_table_add_str(struct kt_table *t, struct kt_str *s);
void kt_table_print(const struct kt_table *t, struct kt_out *out);

#endif
