/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* kinds.def as tables. */
#include "kinds.h"

/* clang-format off: braces that macros open and close */
#define COMMON(number, kind, about) static const struct kt_store_field kind##_fields[] = {
#define KIND(number, kind, about)   COMMON(number, kind, about)
#define INT(kind, of_type, field, of_base, means, in_unit, about)                                  \
	{ .name = #field,                                                                          \
	  .meaning = means,                                                                        \
	  .unit = in_unit,                                                                         \
	  .text = about,                                                                           \
	  .type = KT_STORE_##of_type,                                                              \
	  .base = KT_STORE_##of_base,                                                              \
	  .offset = offsetof(struct kt_row_##kind, field) },
#define BYTES(kind, max, field, means, about)                                                      \
	{ .name = #field,                                                                          \
	  .meaning = means,                                                                        \
	  .unit = "",                                                                              \
	  .text = about,                                                                           \
	  .type = KT_STORE_BYTES,                                                                  \
	  .base = KT_STORE_HEX,                                                                    \
	  .size = max,                                                                             \
	  .offset = offsetof(struct kt_row_##kind, field) },
#define END(kind)                                                                                  \
	}                                                                                          \
	;
#include "kinds.def"
#undef COMMON
#undef KIND
#undef INT
#undef BYTES
#undef END

#define COMMON(place, kind, about)                                                                 \
	[KT_ROW_##place] = { .name = #kind,                                                        \
			     .text = about,                                                        \
			     .number = KT_ROW_##place,                                             \
			     .row_size = sizeof(struct kt_row_##kind),                             \
			     .fields = kind##_fields,                                              \
			     .field_count = KT_ARRAY_SIZE(kind##_fields) },
#define KIND(place, kind, about) COMMON(place, kind, about)
#define INT(kind, of_type, field, of_base, means, in_unit, about)
#define BYTES(kind, max, field, means, about)
#define END(kind)
static const struct kt_store_kind kinds[KT_ROW_COUNT] = {
#include "kinds.def"
};
/* clang-format on */

const struct kt_store_schema kt_kinds = { kinds, KT_ROW_COUNT };
