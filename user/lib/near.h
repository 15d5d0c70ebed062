/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Words that may have been meant. */
#ifndef KT_LIB_NEAR_H
#define KT_LIB_NEAR_H

#include "util.h"

#define KT_NEAR_MAX_LEN 40 /* longer words are never compared */

/* Edits that turn one word into the other; two neighbours swapped are one edit. */
size_t kt_near_distance(const char *a, size_t a_len, const char *b, size_t b_len);

#endif
