/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The kinds of events that kvmtrace knows, as kinds.def lists them: a number and a struct for each,
 * and their description.
 *
 *	enum kt_row		KT_ROW_COMMON = 0, KT_ROW_EXIT, … KT_ROW_LOST, KT_ROW_COUNT
 *	struct kt_row_common	{ u64 ts; u32 cpu, tgid, tid, vcpu_id; }
 *	struct kt_row_exit	{ struct kt_row_common head; u32 reason; … }
 */
#ifndef KT_STORE_KINDS_H
#define KT_STORE_KINDS_H

#include "schema.h"

/* cpu, vcpu_id: not known. */
#define KT_ROW_NONE 0xffffffffu

/* What exit.end says. */
enum { KT_END_ENTERED = 0, KT_END_NO_ENTRY = 1, KT_END_OPEN = 2 };
/* What lost.cause says. */
enum { KT_LOST_BUFFER = 0, KT_LOST_MISSED = 1, KT_LOST_VCPUS = 2 };

#define KT_ROW_TYPE_U8	u8
#define KT_ROW_TYPE_U16 u16
#define KT_ROW_TYPE_U32 u32
#define KT_ROW_TYPE_U64 u64
#define KT_ROW_TYPE_S64 s64

/* clang-format off: braces that macros open and close */
#define COMMON(number, kind, text) KT_ROW_##number,
#define KIND(number, kind, text)   KT_ROW_##number,
#define INT(kind, type, name, base, meaning, unit, text)
#define BYTES(kind, max, name, meaning, text)
#define END(kind)
enum kt_row {
#include "kinds.def"
	KT_ROW_COUNT
};
#undef COMMON
#undef KIND
#undef INT
#undef BYTES
#undef END

#define COMMON(number, kind, text) struct kt_row_##kind {
#define KIND(number, kind, text)                                                                   \
	struct kt_row_##kind {                                                                     \
		struct kt_row_common head;
#define INT(kind, type, name, base, meaning, unit, text) KT_ROW_TYPE_##type name;
#define BYTES(kind, max, name, meaning, text)                                                      \
	struct {                                                                                   \
		u8 size, bytes[max];                                                               \
	} name;
#define END(kind)                                                                                  \
	}                                                                                          \
	;
#include "kinds.def"
#undef COMMON
#undef KIND
#undef INT
#undef BYTES
#undef END
/* clang-format on */

extern const struct kt_store_schema kt_kinds;

#endif
