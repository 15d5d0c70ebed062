/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "near.h"

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

size_t kt_near_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t rows[3][KT_NEAR_MAX_LEN + 1];
	size_t *above2 = rows[0], *above = rows[1], *row = rows[2];

	if (a_len > KT_NEAR_MAX_LEN || b_len > KT_NEAR_MAX_LEN)
		return KT_NEAR_MAX_LEN + 1;
	for (size_t j = 0; j <= b_len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t *oldest = above2;

		above2 = above;
		above = row;
		row = oldest;
		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			size_t best = above[j - 1] + (a[i - 1] != b[j - 1]);

			best = smaller(best, smaller(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				best = smaller(best, above2[j - 2] + 1);
			row[j] = best;
		}
	}
	return row[b_len];
}
