/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What event.c says of each kind. */
#ifndef KT_SINK_EVENT_WORDS_H
#define KT_SINK_EVENT_WORDS_H

#include "../event/vm_table.h"
#include "../lib/str.h"
#include "../store/kinds.h"

/* Appends them, each with a blank before it. kind: not 0. */
void kt_event_words(struct kt_str *s, u32 kind, const struct kt_row_common *row,
		    const struct kt_vm_entry *vm);

#endif
