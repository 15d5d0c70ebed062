/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * --where 'FIELD OP VALUE [and FIELD OP VALUE]...': which events are wanted.
 *
 *	FIELD	a field's name, of any kind that the capture describes, also KIND.FIELD; or "kind"
 *	OP	== (or =) != < <= > >=, and & (any of these bits is set)
 *	VALUE	a number, 0x… too, or a name where the field's meaning has names: exit reasons,
 *		vectors, MSRs, exits to user space, kinds, true and false; in quotes if need be
 *
 * An event whose kind lacks the field does not match.
 */
#ifndef KT_REPLAY_WHERE_H
#define KT_REPLAY_WHERE_H

#include "../store/block.h"

struct kt_where;

/* schema: of the capture; must stay. Returns 0, or -EINVAL and appends why not. */
int kt_where_parse(struct kt_where **where, const struct kt_store_schema *schema, const char *text,
		   struct kt_str *why);
void kt_where_free(struct kt_where *where);

/* The event at a place of a block, which is this row of its group. */
bool kt_where_matches(const struct kt_where *where, const struct kt_block *block,
		      const struct kt_group *group, u32 at, u32 row);

#endif
