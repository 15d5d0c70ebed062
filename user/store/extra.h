/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What a capture's event has that our structs don't: all of it where the kind is unknown to us,
 * fields that a later version added otherwise.
 */
#ifndef KT_STORE_EXTRA_H
#define KT_STORE_EXTRA_H

#include "kinds.h"

struct kt_block;
struct kt_group;
struct kt_reader;

struct kt_extra_field {
	const struct kt_store_field *field; /* as the file has it; good as long as the reader */
	u64 value;			    /* of KT_STORE_BYTES: their number */
	const u8 *bytes;
};

struct kt_extra {
	const struct kt_store_kind *kind; /* as the file has it */
	bool unknown;			  /* we don't have this kind */
	u32 count;
	struct kt_extra_field fields[];
};

/* Where in a block an event is. */
struct kt_extra_at {
	const struct kt_block *block;
	const struct kt_group *group;
	u32 at, index; /* as in struct kt_event */
};

/* malloced, with a copy of the bytes; NULL when our struct has it all. */
struct kt_extra *kt_extra_new(const struct kt_reader *r, const struct kt_extra_at *where);
/* What all events have, of one whose kind is unknown to us. */
void kt_extra_head(const struct kt_reader *r, const struct kt_extra_at *where,
		   struct kt_row_common *head);

#endif
