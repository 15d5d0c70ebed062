/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * zlib's tables take four instructions a byte, with every byte that is written and read. Where the
 * CPU multiplies without carry (Westmere, Bulldozer, and all since), a third of one will do: 64
 * bytes are replaced by four that are congruent to them, modulo CRC-32's polynomial, when they are
 * moved on by as much (Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ
 * Instruction", Intel 2009). zlib has what is left.
 */
#include <wmmintrin.h>
#include <zlib.h>

#include "frame.h"

#define FOLD 64 /* bytes, four lanes of 16 */

/* x^n modulo the polynomial, both with their bits in reverse, for lanes that are n bits apart. */
#define X_544 0x154442bd4 /* 4 * 128 + 32 */
#define X_480 0x1c6e41596 /* 4 * 128 - 32 */
#define X_160 0x1751997d0 /* 128 + 32 */
#define X_96  0x0ccaa009e /* 128 - 32 */

#define FOLDING __attribute__((target("pclmul")))

static FOLDING inline __m128i load(const u8 *p)
{
	return _mm_loadu_si128((const __m128i *)p);
}

/* Moves a lane on, and adds what is there. */
static FOLDING inline __m128i fold(__m128i lane, __m128i by, __m128i there)
{
	return _mm_xor_si128(_mm_xor_si128(_mm_clmulepi64_si128(lane, by, 0x00),
					   _mm_clmulepi64_si128(lane, by, 0x11)),
			     there);
}

/* n: FOLD at least. */
static FOLDING u32 crc_folded(const u8 *p, size_t n)
{
	const __m128i far = _mm_set_epi64x(X_480, X_544), near = _mm_set_epi64x(X_96, X_160);
	__m128i a = load(p), b = load(p + 16), c = load(p + 32), d = load(p + 48);
	u8 rest[16];

	/* The initial value. */
	a = _mm_xor_si128(a, _mm_cvtsi32_si128(-1));
	for (p += FOLD, n -= FOLD; n >= FOLD; p += FOLD, n -= FOLD) {
		a = fold(a, far, load(p));
		b = fold(b, far, load(p + 16));
		c = fold(c, far, load(p + 32));
		d = fold(d, far, load(p + 48));
	}
	a = fold(fold(fold(a, near, b), near, c), near, d);
	for (; n >= 16; p += 16, n -= 16)
		a = fold(a, near, load(p));
	_mm_storeu_si128((__m128i *)rest, a);
	/* zlib inverts what it begins with: this is 0. */
	return (u32)crc32_z(crc32_z(0xffffffff, rest, sizeof(rest)), p, n);
}

u32 kt_crc(const void *bytes, size_t n)
{
	if (n >= FOLD && __builtin_cpu_supports("pclmul"))
		return crc_folded(bytes, n);
	return (u32)crc32_z(0, bytes, n);
}
