/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A capture's exits, added up one by one to the numbers that the kernel's programs would have had. */
#ifndef KT_AGG_EXIT_ROWS_H
#define KT_AGG_EXIT_ROWS_H

#include "../store/kinds.h"
#include "exits.h"

struct kt_exit_rows;

/* by: KT_BY_… */
struct kt_exit_rows *kt_exit_rows_new(struct kt_exit_agg *agg, u32 by);
void kt_exit_rows_free(struct kt_exit_rows *r);
/* vm: kt_vm_entry.id. Returns the group. */
struct kt_exit_group *kt_exit_rows_add(struct kt_exit_rows *r, const struct kt_row_exit *row,
				       u32 vm);
/* To be called after kt_exit_agg_fini(). */
void kt_exit_rows_forget(struct kt_exit_rows *r);

#endif
