/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What an event is called where a few words are all there is room for: "MSR", "#GP", "OUT 0x3f8". */
#ifndef KT_EXPORT_NAMES_H
#define KT_EXPORT_NAMES_H

#include "../lib/str.h"
#include "../store/kinds.h"

/* Tells the names apart: events of one key have one name. Not 0. */
u64 kt_export_name_key(u32 kind, const struct kt_row_common *row);
void kt_export_name(struct kt_str *s, u32 kind, const struct kt_row_common *row);

#endif
