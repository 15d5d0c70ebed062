/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* JSON of a capture's facts: made of bytes that may be anything, and read from hostile files. */
#ifndef KT_EVENT_JSON_H
#define KT_EVENT_JSON_H

#include <jansson.h>

#include "../lib/util.h"

/*
 * A longer fact is none of ours. It bounds what a hostile one takes: "[[],[],…" becomes sixty times
 * its size in memory.
 */
#define KT_JSON_FACT_MAX (256u << 10)

/* A string; each byte that is not part of valid UTF-8 becomes U+FFFD. */
json_t *kt_json_text(const char *text);
/*
 * A member that is lossless whatever the bytes: where they are not valid UTF-8, a second member, whose
 * name has "_hex" behind it, has them two digits each.
 */
void kt_json_set_bytes(json_t *object, const char *name, const char *bytes);
/* What such a member said; malloced. NULL when it isn't there; *err -EBADMSG when it's something else. */
char *kt_json_get_bytes(const json_t *object, const char *name, int *err);

/* Numbers beyond 63 bits, which JSON's readers rarely take, become the largest. */
void kt_json_set_u64(json_t *object, const char *name, u64 value);
/* Fallback when it isn't there; *err -EBADMSG when it is no number of 0…max. */
u64 kt_json_get_u64(const json_t *object, const char *name, u64 max, u64 fallback, int *err);

/* In one line of ASCII, malloced; frees the value. */
char *kt_json_dump(json_t *value);
/* An object, to be given to json_decref(), or NULL: no JSON, no object, too long, a NUL in a string. */
json_t *kt_json_load(const char *text, size_t n);

#endif
