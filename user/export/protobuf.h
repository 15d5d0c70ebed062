/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Writes messages in the wire format of Protocol Buffers, one field after the other. Numbers take as
 * few bytes as they can; a message inside a message is opened, gets its fields, and is closed.
 */
#ifndef KT_EXPORT_PROTOBUF_H
#define KT_EXPORT_PROTOBUF_H

#include <string.h>

#include "../lib/util.h"

/* Zero-initialise to start. */
struct kt_pb {
	u8 *data;
	size_t len, cap;
};

enum kt_pb_wire { KT_PB_VARINT = 0, KT_PB_FIXED64 = 1, KT_PB_LENGTH = 2 };

#define KT_PB_VARINT_MAX 10

void kt_pb_free(struct kt_pb *pb);
void kt_pb_grow(struct kt_pb *pb, size_t n); /* room for n more bytes, where there is none */
/* What was opened at has turned out longer than its one byte of length can say. */
void kt_pb_lengthen(struct kt_pb *pb, size_t at);

static inline void kt_pb_reset(struct kt_pb *pb)
{
	pb->len = 0;
}

static inline void kt_pb_reserve(struct kt_pb *pb, size_t n)
{
	if (__builtin_expect(n > pb->cap - pb->len, 0))
		kt_pb_grow(pb, n);
}

static inline u8 *kt_pb_put_varint(u8 *p, u64 value)
{
	for (; value > 0x7f; value >>= 7)
		*p++ = (u8)(value | 0x80);
	*p++ = (u8)value;
	return p;
}

static inline void kt_pb_tag_and_varint(struct kt_pb *pb, u32 field, enum kt_pb_wire wire,
					u64 value)
{
	u8 *p;

	kt_pb_reserve(pb, 2 * KT_PB_VARINT_MAX);
	p = kt_pb_put_varint(pb->data + pb->len, (u64)field << 3 | wire);
	p = kt_pb_put_varint(p, value);
	pb->len = (size_t)(p - pb->data);
}

/* uint32, uint64, bool, enums; int64 by its two's complement. */
static inline void kt_pb_u64(struct kt_pb *pb, u32 field, u64 value)
{
	kt_pb_tag_and_varint(pb, field, KT_PB_VARINT, value);
}

/* bytes, string (which should be UTF-8), and messages that are there already. */
static inline void kt_pb_bytes(struct kt_pb *pb, u32 field, const void *bytes, size_t n)
{
	kt_pb_tag_and_varint(pb, field, KT_PB_LENGTH, n);
	kt_pb_reserve(pb, n);
	if (n)
		memcpy(pb->data + pb->len, bytes, n);
	pb->len += n;
}

static inline void kt_pb_text(struct kt_pb *pb, u32 field, const char *text)
{
	kt_pb_bytes(pb, field, text, strlen(text));
}

void kt_pb_double(struct kt_pb *pb, u32 field, double value);

/* Begins a message; kt_pb_close() gets what this returns, innermost first. */
static inline size_t kt_pb_open(struct kt_pb *pb, u32 field)
{
	kt_pb_tag_and_varint(pb, field, KT_PB_LENGTH, 0);
	return pb->len;
}

static inline void kt_pb_close(struct kt_pb *pb, size_t at)
{
	size_t n = pb->len - at;

	if (__builtin_expect(n <= 0x7f, 1))
		pb->data[at - 1] = (u8)n;
	else
		kt_pb_lengthen(pb, at);
}

#endif
