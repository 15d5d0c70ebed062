/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Headers and payloads of blocks, byte by byte. */
#include "frame.h"

#include <errno.h>

#include "bytes.h"

/* As PNG's: shows files cut to 7 bits, with line ends translated, or typed to a terminal. */
static const u8 magic[8] = { 0x89, 'K', 'V', 'M', 'T', '\r', '\n', 0x1a };
static const u8 marker[4] = { 0xb7, 'K', 'T', 'b' };
static const u8 trailer_marker[4] = { 0xb7, 'K', 'T', 'e' };

/* Where things lie in a file header … */
#define FILE_MAJOR    8
#define FILE_MINOR    10
#define FILE_SIZE     12
#define FILE_TAG      16
#define FILE_FEATURES 20
#define FILE_CRC      28
/* … in a block's … */
#define FRAME_TAG	  4
#define FRAME_TYPE	  8
#define FRAME_COMPRESSION 10
#define FRAME_STORED	  12
#define FRAME_SIZE	  16
#define FRAME_COUNT	  20
#define FRAME_FIRST	  24
#define FRAME_LAST	  32
#define FRAME_PREVIOUS	  40
#define FRAME_BEFORE	  48
#define FRAME_CRC	  56
#define FRAME_HEADER_CRC  60
/* … and in the trailer. */
#define TRAILER_TAG    8
#define TRAILER_MARKER 12

/* Of a zstd frame of a raw block. */
#define RAW_HEADER 12
#define RAW_MAX	   (128u << 10)

void kt_put_file_header(u8 *p, u32 tag)
{
	memset(p, 0, KT_FILE_HEADER);
	memcpy(p, magic, sizeof(magic));
	kt_put_le16(p + FILE_MAJOR, KT_FORMAT_MAJOR);
	kt_put_le16(p + FILE_MINOR, KT_FORMAT_MINOR);
	kt_put_le32(p + FILE_SIZE, KT_FILE_HEADER);
	kt_put_le32(p + FILE_TAG, tag);
	kt_put_le32(p + FILE_CRC, kt_crc(p, FILE_CRC));
}

int kt_get_file_header(const u8 *p, struct kt_file_header *h)
{
	if (memcmp(p, magic, sizeof(magic)) != 0)
		return -EINVAL;
	if (kt_le32(p + FILE_CRC) != kt_crc(p, FILE_CRC))
		return -EBADMSG;
	h->major = kt_le16(p + FILE_MAJOR);
	h->minor = kt_le16(p + FILE_MINOR);
	h->size = kt_le32(p + FILE_SIZE);
	h->tag = kt_le32(p + FILE_TAG);
	if (h->major != KT_FORMAT_MAJOR || kt_le32(p + FILE_FEATURES))
		return -ENOTSUP;
	return h->size < KT_FILE_HEADER || h->size > KT_FILE_HEADER_MAX ? -EBADMSG : 0;
}

void kt_put_frame(u8 *p, const struct kt_frame *f, u32 tag)
{
	memset(p, 0, KT_FRAME_HEADER);
	memcpy(p, marker, sizeof(marker));
	kt_put_le32(p + FRAME_TAG, tag);
	kt_put_le16(p + FRAME_TYPE, f->type);
	p[FRAME_COMPRESSION] = f->compression;
	kt_put_le32(p + FRAME_STORED, f->stored);
	kt_put_le32(p + FRAME_SIZE, f->size);
	kt_put_le32(p + FRAME_COUNT, f->count);
	kt_put_le64(p + FRAME_FIRST, f->first_ts);
	kt_put_le64(p + FRAME_LAST, f->last_ts);
	kt_put_le64(p + FRAME_PREVIOUS, f->previous);
	kt_put_le64(p + FRAME_BEFORE, f->events_before);
	kt_put_le32(p + FRAME_CRC, f->crc);
	kt_put_le32(p + FRAME_HEADER_CRC, kt_crc(p, FRAME_HEADER_CRC));
}

bool kt_get_frame(const u8 *p, u32 tag, struct kt_frame *f)
{
	if (memcmp(p, marker, sizeof(marker)) != 0 || kt_le32(p + FRAME_TAG) != tag ||
	    kt_le32(p + FRAME_HEADER_CRC) != kt_crc(p, FRAME_HEADER_CRC))
		return false;
	f->type = kt_le16(p + FRAME_TYPE);
	f->compression = p[FRAME_COMPRESSION];
	f->stored = kt_le32(p + FRAME_STORED);
	f->size = kt_le32(p + FRAME_SIZE);
	f->count = kt_le32(p + FRAME_COUNT);
	f->first_ts = kt_le64(p + FRAME_FIRST);
	f->last_ts = kt_le64(p + FRAME_LAST);
	f->previous = kt_le64(p + FRAME_PREVIOUS);
	f->events_before = kt_le64(p + FRAME_BEFORE);
	f->crc = kt_le32(p + FRAME_CRC);
	return f->stored <= KT_MAX_PAYLOAD && f->size <= KT_MAX_PAYLOAD &&
	       f->first_ts <= f->last_ts && f->events_before + f->count >= f->events_before;
}

size_t kt_find_frame(const u8 *p, size_t n, u32 tag)
{
	size_t ends = n < KT_FRAME_HEADER ? 0 : n - KT_FRAME_HEADER + 1, at;
	struct kt_frame f;
	const u8 *found;

	for (at = 0; at < ends; at++) {
		found = memchr(p + at, marker[0], ends - at);
		if (!found)
			return ends;
		at = (size_t)(found - p);
		if (kt_get_frame(found, tag, &f))
			return at;
	}
	return ends;
}

void kt_put_trailer(u8 *p, u64 end_offset, u32 tag)
{
	kt_put_le64(p, end_offset);
	kt_put_le32(p + TRAILER_TAG, tag);
	memcpy(p + TRAILER_MARKER, trailer_marker, sizeof(trailer_marker));
}

bool kt_get_trailer(const u8 *p, u32 tag, u64 *end_offset)
{
	*end_offset = kt_le64(p);
	return kt_le32(p + TRAILER_TAG) == tag &&
	       !memcmp(p + TRAILER_MARKER, trailer_marker, sizeof(trailer_marker));
}

/* ---- compressing ---- */

struct deflater {
	ZSTD_CCtx *zstd;
	ZSTD_inBuffer in;
	ZSTD_outBuffer out;
	const struct kt_deflate_part *parts;
	u32 part_count;
};

/* Compresses up to end; false when it no longer fits, which is when it doesn't pay. */
static bool deflate_part(struct deflater *d, u32 end, ZSTD_EndDirective how)
{
	size_t left;

	d->in.size = end;
	do {
		left = ZSTD_compressStream2(d->zstd, &d->out, &d->in, how);
		if (ZSTD_isError(left) || (left && d->out.pos == d->out.size))
			return false;
	} while (left || d->in.pos < d->in.size);
	return true;
}

/* One frame of parts first to last, which are worth it. */
static bool deflate_parts(struct deflater *d, u32 first, u32 last)
{
	ZSTD_CCtx_reset(d->zstd, ZSTD_reset_session_only);
	if (ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(d->zstd, d->parts[last].end - d->in.pos)))
		return false;
	for (; first < last; first++) {
		if (!deflate_part(d, d->parts[first].end, ZSTD_e_flush))
			return false;
	}
	return deflate_part(d, d->parts[last].end, ZSTD_e_end);
}

/*
 * A zstd frame of one block that is not compressed, made by hand (RFC 8878, 3.1.1): zstd takes half
 * of its time to find out that noise is noise.
 */
static bool wrap_noise(struct deflater *d, u32 end)
{
	u32 n = end - (u32)d->in.pos;
	u8 *p = (u8 *)d->out.dst + d->out.pos;

	if (n > RAW_MAX || d->out.size - d->out.pos < RAW_HEADER + n)
		return false;
	kt_put_le32(p, ZSTD_MAGICNUMBER);
	p[4] = 0xa0; /* one segment; its size takes four bytes */
	kt_put_le32(p + 5, n);
	kt_put_le32(p + 9, n << 3 | 1); /* the last block, raw; these are three bytes */
	memcpy(p + RAW_HEADER, (const u8 *)d->in.src + d->in.pos, n);
	d->out.pos += RAW_HEADER + n;
	d->in.pos = end;
	return true;
}

static bool deflate_all(struct deflater *d)
{
	u32 first, last;

	for (first = 0; first < d->part_count; first = last + 1) {
		last = first;
		if (d->parts[first].noise) {
			if (!wrap_noise(d, d->parts[first].end))
				return false;
			continue;
		}
		while (last + 1 < d->part_count && !d->parts[last + 1].noise)
			last++;
		if (!deflate_parts(d, first, last))
			return false;
	}
	return true;
}

enum kt_compression kt_deflate(ZSTD_CCtx *zstd, struct kt_str *out, const void *bytes, u32 n,
			       const struct kt_deflate_part *parts, u32 part_count)
{
	const struct kt_deflate_part whole = { n, false };
	char *to = kt_str_room(out, n + 1);
	struct deflater d = { zstd, { bytes, 0, 0 }, { to, n, 0 }, parts, part_count };
	bool fits;

	if (!part_count) {
		d.parts = &whole;
		d.part_count = 1;
	}
	fits = deflate_all(&d) && d.out.pos < n;
	if (!fits) {
		memcpy(to, bytes, n);
		d.out.pos = n;
	}
	kt_str_end(out, to + d.out.pos);
	return fits ? KT_STORED_ZSTD : KT_STORED_PLAIN;
}

int kt_inflate(ZSTD_DCtx *zstd, u8 *buf, const u8 *stored, const struct kt_frame *f)
{
	size_t n = f->size;

	if (kt_crc(stored, f->stored) != f->crc)
		return -EBADMSG;
	if (f->compression == KT_STORED_ZSTD)
		n = ZSTD_decompressDCtx(zstd, buf, f->size, stored, f->stored);
	else if (f->compression == KT_STORED_PLAIN && f->stored == f->size)
		memcpy(buf, stored, f->size);
	else
		return f->compression == KT_STORED_PLAIN ? -EBADMSG : -ENOTSUP;
	if (ZSTD_isError(n) || n != f->size)
		return -EBADMSG;
	memset(buf + f->size, 0, KT_SLACK);
	return 0;
}
