/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Numbers to bits, a chunk of them at a time. */
#ifndef KT_STORE_PACK_H
#define KT_STORE_PACK_H

#include "bytes.h"
#include "plan.h"

#define KT_PACK_CHUNK 64 /* a multiple of 8: a chunk ends with a byte */
/* Bytes that may be written behind the last one of the bits. */
#define KT_PACK_SLACK 16

/*
 * offsets[i]: how much more than base v[i] is (order 0), the difference of v[i] and v[i + 1] is
 * (1), the difference of that one and the next is (2); n + order values are read. Returns all
 * offsets or-ed.
 */
u64 kt_pack_offsets(const u64 *v, u32 n, unsigned int order, u64 base, u64 *offsets);
/*
 * Writes n numbers of so many bits (0 .. 64) each, kvmtrace-capture(5), "Columns". Returns the end:
 * numbers after the 8th, 16th, … begin with a byte.
 */
u8 *kt_pack(u8 *p, const u64 *v, u32 n, unsigned int bits);
/* The same of the indices of a dictionary, 1 .. 16 bits. */
u8 *kt_pack_indices(u8 *p, const u16 *v, u32 n, unsigned int bits);

#endif
