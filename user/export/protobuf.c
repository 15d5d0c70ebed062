/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "protobuf.h"

#include <stdlib.h>

void kt_pb_free(struct kt_pb *pb)
{
	free(pb->data);
	*pb = (struct kt_pb) {};
}

void kt_pb_grow(struct kt_pb *pb, size_t n)
{
	size_t cap = pb->cap ? pb->cap : 256;

	while (cap - pb->len < n)
		cap *= 2;
	pb->data = kt_realloc(pb->data, cap);
	pb->cap = cap;
}

void kt_pb_lengthen(struct kt_pb *pb, size_t at)
{
	u8 length[KT_PB_VARINT_MAX];
	size_t n = pb->len - at, more = (size_t)(kt_pb_put_varint(length, n) - length) - 1;

	kt_pb_reserve(pb, more);
	memmove(pb->data + at + more, pb->data + at, n);
	memcpy(pb->data + at - 1, length, more + 1);
	pb->len += more;
}

void kt_pb_double(struct kt_pb *pb, u32 field, double value)
{
	u64 bits;
	u8 *p;

	memcpy(&bits, &value, sizeof(bits));
	kt_pb_reserve(pb, KT_PB_VARINT_MAX + sizeof(bits));
	p = kt_pb_put_varint(pb->data + pb->len, (u64)field << 3 | KT_PB_FIXED64);
	for (unsigned int i = 0; i < sizeof(bits); i++)
		*p++ = (u8)(bits >> 8 * i);
	pb->len = (size_t)(p - pb->data);
}
