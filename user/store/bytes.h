/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The bytes of a capture, whatever the machine: little-endian integers and variable-length ones
 * (LEB128: seven bits a byte, lowest first, bit 7 set on all but the last). What is read comes from
 * a cursor that cannot leave its bytes: past their end it gives zeros and turns .bad.
 */
#ifndef KT_STORE_BYTES_H
#define KT_STORE_BYTES_H

#include <endian.h>

#include "../lib/str.h"

#define KT_VARINT_MAX 10 /* bytes of a u64 */

static inline u16 kt_le16(const u8 *p)
{
	u16 v;

	memcpy(&v, p, sizeof(v));
	return le16toh(v);
}

static inline u32 kt_le32(const u8 *p)
{
	u32 v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static inline u64 kt_le64(const u8 *p)
{
	u64 v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

static inline void kt_put_le16(u8 *p, u16 v)
{
	v = htole16(v);
	memcpy(p, &v, sizeof(v));
}

static inline void kt_put_le32(u8 *p, u32 v)
{
	v = htole32(v);
	memcpy(p, &v, sizeof(v));
}

static inline void kt_put_le64(u8 *p, u64 v)
{
	v = htole64(v);
	memcpy(p, &v, sizeof(v));
}

static inline u8 *kt_put_varint(u8 *p, u64 v)
{
	for (; v >= 0x80; v >>= 7)
		*p++ = (u8)(v | 0x80);
	*p++ = (u8)v;
	return p;
}

static inline void kt_add_u8(struct kt_str *s, u8 v)
{
	kt_str_add_char(s, (char)v);
}

static inline void kt_add_le16(struct kt_str *s, u16 v)
{
	u8 bytes[sizeof(v)];

	kt_put_le16(bytes, v);
	kt_str_add_n(s, (const char *)bytes, sizeof(bytes));
}

static inline void kt_add_le32(struct kt_str *s, u32 v)
{
	u8 bytes[sizeof(v)];

	kt_put_le32(bytes, v);
	kt_str_add_n(s, (const char *)bytes, sizeof(bytes));
}

static inline void kt_add_le64(struct kt_str *s, u64 v)
{
	u8 bytes[sizeof(v)];

	kt_put_le64(bytes, v);
	kt_str_add_n(s, (const char *)bytes, sizeof(bytes));
}

static inline void kt_add_varint(struct kt_str *s, u64 v)
{
	u8 bytes[KT_VARINT_MAX];

	kt_str_add_n(s, (const char *)bytes, (size_t)(kt_put_varint(bytes, v) - bytes));
}

/* ---- reading ---- */

struct kt_in {
	const u8 *p, *end;
	bool bad;
};

static inline struct kt_in kt_in(const void *bytes, size_t n)
{
	return (struct kt_in) { bytes, (const u8 *)bytes + n, false };
}

static inline size_t kt_in_left(const struct kt_in *in)
{
	return (size_t)(in->end - in->p);
}

/* The next n bytes; NULL, and the cursor is at its end, when there are not as many. */
static inline const u8 *kt_in_bytes(struct kt_in *in, size_t n)
{
	const u8 *p = in->p;

	if (n > kt_in_left(in)) {
		in->bad = true;
		in->p = in->end;
		return NULL;
	}
	in->p += n;
	return p;
}

static inline u8 kt_in_u8(struct kt_in *in)
{
	const u8 *p = kt_in_bytes(in, 1);

	return p ? *p : 0;
}

static inline u16 kt_in_le16(struct kt_in *in)
{
	const u8 *p = kt_in_bytes(in, 2);

	return p ? kt_le16(p) : 0;
}

static inline u32 kt_in_le32(struct kt_in *in)
{
	const u8 *p = kt_in_bytes(in, 4);

	return p ? kt_le32(p) : 0;
}

static inline u64 kt_in_le64(struct kt_in *in)
{
	const u8 *p = kt_in_bytes(in, 8);

	return p ? kt_le64(p) : 0;
}

static inline u64 kt_in_varint(struct kt_in *in)
{
	u64 v = 0;
	unsigned int shift;

	for (shift = 0; shift < 64; shift += 7) {
		u8 byte = kt_in_u8(in);

		v |= (u64)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return v;
	}
	in->bad = true;
	return 0;
}

#endif
