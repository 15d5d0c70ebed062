/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Columns of a block as rows in the structs of our own kinds. */
#ifndef KT_STORE_ROWS_H
#define KT_STORE_ROWS_H

#include "block.h"

struct kt_rows {
	u8 *memory;
	const void **rows; /* of each event of the block; NULL: of an unknown kind */
	size_t memory_size, rows_size;
};

/* maps: of the file's kinds to ours. */
void kt_rows_fill(struct kt_rows *rows, const struct kt_block *block,
		  const struct kt_store_map *maps, const struct kt_store_schema *ours);
void kt_rows_fini(struct kt_rows *rows);

#endif
