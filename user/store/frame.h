/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * How a capture is laid out: a file header, then blocks, each a header of fixed size and a payload,
 * then a trailer. kvmtrace-capture(5) has the tables. Every block is protected by checksums of its
 * own and carries the file's tag, so that it is recognised, and believed, wherever it is found.
 */
#ifndef KT_STORE_FRAME_H
#define KT_STORE_FRAME_H

#include <zstd.h>

#include "../lib/str.h"

#define KT_FORMAT_MAJOR 1 /* others cannot be read */
#define KT_FORMAT_MINOR 0 /* higher ones have more of what readers may skip */

#define KT_FILE_HEADER	   32
#define KT_FILE_HEADER_MAX 4096 /* a later version's */
#define KT_FRAME_HEADER	   64
#define KT_TRAILER	   16
/* Of a payload, stored and decoded: what a reader takes memory for. */
#define KT_MAX_PAYLOAD (8u << 20)

enum kt_frame_type {
	KT_FRAME_SCHEMA = 1,
	KT_FRAME_FACT,
	KT_FRAME_CLOCK,
	KT_FRAME_EVENTS,
	KT_FRAME_END,
};

enum kt_compression { KT_STORED_PLAIN = 0, KT_STORED_ZSTD = 1 };

struct kt_frame {
	u16 type;
	u8 compression;
	u32 stored;   /* bytes of the payload in the file */
	u32 size;     /* bytes of the payload decoded */
	u32 count;    /* events, clock references, entries of the index; else 1 */
	u64 first_ts; /* earliest and latest event; END: of the file */
	u64 last_ts;
	u64 previous; /* offset of the last block before this one that is not EVENTS; 0: none */
	u64 events_before; /* of all blocks before this one */
	u32 crc;	   /* of the payload as stored */
};

struct kt_file_header {
	u16 major, minor;
	u32 size; /* where the first block lies */
	u32 tag;
};

void kt_put_file_header(u8 *p, u32 tag);
/* Returns 0, -EINVAL (not a capture), -EBADMSG (damaged) or -ENOTSUP (of a later version). */
int kt_get_file_header(const u8 *p, struct kt_file_header *h);

void kt_put_frame(u8 *p, const struct kt_frame *f, u32 tag);
/* False when there is no block here: the whole header is checked. */
bool kt_get_frame(const u8 *p, u32 tag, struct kt_frame *f);
/* Offset of the first block's header in n bytes; n - KT_FRAME_HEADER + 1 (0 at least) for none. */
size_t kt_find_frame(const u8 *p, size_t n, u32 tag);

/* The trailer holds the offset of the END block. */
void kt_put_trailer(u8 *p, u64 end_offset, u32 tag);
bool kt_get_trailer(const u8 *p, u32 tag, u64 *end_offset);

/* CRC-32 as zlib has it (crc.c). */
u32 kt_crc(const void *bytes, size_t n);

/* A part of a payload, from the end of the one before on. */
struct kt_deflate_part {
	u32 end;
	bool noise; /* not worth compressing */
};

/*
 * Appends n bytes, compressed where that makes them fewer. parts: where what follows is unlike what
 * went before (zstd then starts anew with its statistics); the last one ends at n. None: one part.
 */
enum kt_compression kt_deflate(ZSTD_CCtx *zstd, struct kt_str *out, const void *bytes, u32 n,
			       const struct kt_deflate_part *parts, u32 part_count);
/*
 * Decodes a payload to buf (f->size bytes and KT_SLACK zeros, buf is as big). Returns 0, -EBADMSG
 * when the checksum is wrong or zstd doesn't understand it, -ENOTSUP for an unknown compression.
 */
#define KT_SLACK 16
int kt_inflate(ZSTD_DCtx *zstd, u8 *buf, const u8 *stored, const struct kt_frame *f);

#endif
