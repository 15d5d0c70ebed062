/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * user/store/reader*.c: captures that somebody made up, checksums and all. Bytes are typed after
 * kvmtrace-capture(5); the first of each table is right, so that the others are refused for their
 * fault.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <zlib.h>
#include <cmocka.h>

#include "test_store_files.h"

#define SCHEMA 1
#define FACT   2
#define CLOCK  3
#define EVENTS 4
#define END    5

struct made {
	u8 bytes[200000];
	size_t n;
};

static void put(struct made *m, size_t at, u64 value, unsigned int bytes)
{
	while (bytes--) {
		m->bytes[at++] = (u8)value;
		value >>= 8;
	}
}

static void add_file_header(struct made *m)
{
	m->n = 32;
	memset(m->bytes, 0, 32);
	memcpy(m->bytes, "\x89KVMT\r\n\x1a\1\0\0\0\x20\0\0\0", 16);
	put(m, 16, 0xabcdef01, 4);
	put(m, 28, crc32(0, m->bytes, 28), 4);
}

struct head {
	u32 type, compression, stored, size, count;
	u64 first, last, previous, before;
};

/* Returns where the block begins. */
static size_t add_block(struct made *m, struct head h, const void *payload)
{
	size_t at = m->n;

	assert_true(at + 64 + h.stored <= sizeof(m->bytes));
	memcpy(m->bytes + at, "\xb7KTb", 4);
	put(m, at + 4, 0xabcdef01, 4);
	put(m, at + 8, h.type, 2);
	put(m, at + 10, h.compression, 2);
	put(m, at + 12, h.stored, 4);
	put(m, at + 16, h.size, 4);
	put(m, at + 20, h.count, 4);
	put(m, at + 24, h.first, 8);
	put(m, at + 32, h.last, 8);
	put(m, at + 40, h.previous, 8);
	put(m, at + 48, h.before, 8);
	put(m, at + 56, crc32(0, payload, h.stored), 4);
	put(m, at + 60, crc32(0, m->bytes + at, 60), 4);
	memcpy(m->bytes + at + 64, payload, h.stored);
	m->n += 64 + h.stored;
	return at;
}

/* Kind 0 has ts; kind 1, "a", a u8 "x"; kind 2, "b", up to 3 bytes "y". */
static const char schema[] = "\3\0"
			     "\7\0\0\0\1\0\1c\0"
			     "\11\0\4\0\0\2ts\0\0\0"
			     "\7\0\1\0\1\0\1a\0"
			     "\10\0\1\0\0\1x\0\0\0"
			     "\7\0\2\0\1\0\1b\0"
			     "\10\0\6\1\3\1y\0\0\0";

static void begin(struct made *m)
{
	add_file_header(m);
	add_block(m,
		  (struct head) { SCHEMA, 0, sizeof(schema) - 1, sizeof(schema) - 1, .count = 0 },
		  schema);
}

static struct kt_reader *open_made(const struct made *m)
{
	static u8 *exact;

	/* Of the very size, so that ASan sees who reads too far. */
	free(exact);
	exact = malloc(m->n);
	memcpy(exact, m->bytes, m->n);
	return must_open(exact, m->n);
}

/* ---- events ---- */

struct payload {
	const char *name;
	bool fits;
	u32 count, n;
	u8 bytes[128];
};

/* These bytes, and how many they are. */
#define P(...)                                                                                     \
	sizeof((u8[]) { __VA_ARGS__ }),                                                            \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}
#define COUNT(n)		    n, 0, 0, 0
#define GROUPS(n)		    n, 0, 0, 0
#define GROUP(kind, rows)	    kind, 0, 0, 0, rows, 0, 0, 0
#define COLUMN(encoding, arg, size) encoding, arg, 0, 0, size, 0, 0, 0
#define CONST(value)		    COLUMN(0, 0, 1), value
/* 5, then 7: ts of two events. */
#define TIMES COLUMN(2, 0, 4), 5, 2, 0, 0
/* Group 0, then group 1. */
#define A_THEN_B COLUMN(1, 1, 3), 0, 0, 2
/* Lengths, all the same, and the bytes. */
#define TEXT(length, size) COLUMN(6, 0, size), COLUMN(0, 0, 1), length

static const struct payload payloads[] = {
	{ "right", true, 2,
	  P(COUNT(2), GROUPS(2), GROUP(1, 1), GROUP(2, 1), A_THEN_B, TIMES, CONST(9), TEXT(2, 11),
	    'h', 'i') },
	{ "another count", false, 3,
	  P(COUNT(2), GROUPS(2), GROUP(1, 1), GROUP(2, 1), A_THEN_B, TIMES, CONST(9), TEXT(2, 11),
	    'h', 'i') },
	{ "more events than rows", false, 3,
	  P(COUNT(3), GROUPS(2), GROUP(1, 1), GROUP(2, 1), A_THEN_B, TIMES, CONST(9), TEXT(2, 11),
	    'h') },
	{ "a kind twice", false, 2,
	  P(COUNT(2), GROUPS(2), GROUP(1, 1), GROUP(1, 1), A_THEN_B, TIMES, CONST(9), CONST(9)) },
	{ "kind 0", false, 2,
	  P(COUNT(2), GROUPS(2), GROUP(0, 1), GROUP(1, 1), A_THEN_B, TIMES, CONST(9), CONST(9)) },
	{ "a kind that is not described", false, 2,
	  P(COUNT(2), GROUPS(2), GROUP(3, 1), GROUP(1, 1), A_THEN_B, TIMES, CONST(9)) },
	{ "a kind of no events", false, 2,
	  P(COUNT(2), GROUPS(2), GROUP(1, 2), GROUP(2, 0), A_THEN_B, TIMES, CONST(9), TEXT(2, 11),
	    'h', 'i') },
	{ "rows that wrap round", false, 2,
	  P(COUNT(2), GROUPS(2), 1, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 255, 255, 255, 255, A_THEN_B,
	    TIMES) },
	{ "no groups", false, 2, P(COUNT(2), GROUPS(0), A_THEN_B, TIMES) },
	{ "more groups than there are", false, 2,
	  P(COUNT(2), 255, 255, 0, 0, GROUP(1, 1), GROUP(2, 1), A_THEN_B, TIMES) },
	{ "not as many of a kind as said", false, 2,
	  P(COUNT(2), GROUPS(2), GROUP(1, 1), GROUP(2, 1), CONST(0), TIMES, CONST(9), TEXT(2, 11),
	    'h', 'i') },
	{ "a group that is not there", false, 2,
	  P(COUNT(2), GROUPS(2), GROUP(1, 1), GROUP(2, 1), COLUMN(1, 2, 3), 0, 0, 8, TIMES,
	    CONST(9), TEXT(2, 11), 'h', 'i') },
	{ "times 5, 6, 7", true, 3,
	  P(COUNT(3), GROUPS(1), GROUP(1, 3), CONST(0), COLUMN(1, 3, 4), 5, 0, 0x88, 0, CONST(9)) },
	{ "times 5, 9, 7", false, 3,
	  P(COUNT(3), GROUPS(1), GROUP(1, 3), CONST(0), COLUMN(1, 3, 4), 5, 0, 0xa0, 0, CONST(9)) },
	{ "other times than the header's", false, 2,
	  P(COUNT(2), GROUPS(2), GROUP(1, 1), GROUP(2, 1), A_THEN_B, COLUMN(2, 0, 4), 5, 3, 0, 0,
	    CONST(9), TEXT(2, 11), 'h') },
	{ "the first one is not the header's", false, 2,
	  P(COUNT(2), GROUPS(2), GROUP(1, 1), GROUP(2, 1), A_THEN_B, COLUMN(2, 0, 4), 6, 1, 0, 0,
	    CONST(9), TEXT(2, 11), 'h', 'i') },
	{ "a u8 of 300", false, 2,
	  P(COUNT(2), GROUPS(2), GROUP(1, 1), GROUP(2, 1), A_THEN_B, TIMES, COLUMN(0, 0, 2), 0xac,
	    2, TEXT(2, 11), 'h', 'i') },
	{ "more bytes than the field has", false, 2,
	  P(COUNT(2), GROUPS(2), GROUP(1, 1), GROUP(2, 1), A_THEN_B, TIMES, CONST(9), TEXT(4, 13),
	    'h', 'i', 'h', 'i') },
	{ "more bytes than there are", false, 2,
	  P(COUNT(2), GROUPS(2), GROUP(1, 1), GROUP(2, 1), A_THEN_B, TIMES, CONST(9), TEXT(3, 11),
	    'h', 'i') },
	{ "less bytes than there are", false, 2,
	  P(COUNT(2), GROUPS(2), GROUP(1, 1), GROUP(2, 1), A_THEN_B, TIMES, CONST(9), TEXT(1, 11),
	    'h', 'i') },
	{ "bytes that are numbers", false, 2,
	  P(COUNT(2), GROUPS(2), GROUP(1, 1), GROUP(2, 1), A_THEN_B, TIMES, CONST(9), CONST(9)) },
	{ "without its last byte", false, 2,
	  P(COUNT(2), GROUPS(2), GROUP(1, 1), GROUP(2, 1), A_THEN_B, TIMES, CONST(9), TEXT(2, 11),
	    'h') },
	{ "no events", false, 0, P(COUNT(0), GROUPS(0)) },
	{ "nothing", false, 2, 0, {} },
};

static void made_up_events_are_refused(void **test)
{
	static struct made m;
	const struct kt_block *block;
	struct kt_reader *r;
	size_t i;

	(void)test;
	for (i = 0; i < KT_ARRAY_SIZE(payloads); i++) {
		const struct payload *p = &payloads[i];

		begin(&m);
		add_block(&m, (struct head) { EVENTS, 0, p->n, p->n, p->count, 5, 7, 32, 0 },
			  p->bytes);
		r = open_made(&m);
		if (kt_reader_next_block(r, &block) != p->fits)
			fail_msg("%s: %s", p->name, p->fits ? "refused" : "taken");
		assert_int_equal(kt_reader_stats(r)->gaps, !p->fits);
		kt_reader_close(r);
	}
}

/* A block of 65,536 events in 100 bytes is taken; memory is bounded by what a block may have. */
static void huge_counts_are_bounded(void **test)
{
	static const u8 full[] = { 0, 0, 1, 0, GROUPS(1), 1,	    0,	      0,
				   0, 0, 0, 1, 0,	  CONST(0), CONST(5), CONST(9) };
	static const u8 over[] = { 1, 0, 1, 0, GROUPS(1), 1,	    0,	      0,
				   0, 1, 0, 1, 0,	  CONST(0), CONST(5), CONST(9) };
	static const u8 huge[] = { 255, 255, 255, 255, GROUPS(1), 1,	    0,	      0,
				   0,	255, 255, 255, 255,	  CONST(0), CONST(5), CONST(9) };
	const struct kt_block *block;
	static struct made m;
	struct kt_reader *r;

	(void)test;
	begin(&m);
	add_block(&m, (struct head) { EVENTS, 0, sizeof(full), sizeof(full), 65536, 5, 5, 32, 0 },
		  full);
	add_block(&m,
		  (struct head) { EVENTS, 0, sizeof(over), sizeof(over), 65537, 5, 5, 32, 65536 },
		  over);
	add_block(&m,
		  (struct head) { EVENTS, 0, sizeof(huge), sizeof(huge), 0xffffffff, 5, 5, 32,
				  131073 },
		  huge);
	r = open_made(&m);
	assert_int_equal(kt_reader_next_block(r, &block), 1);
	assert_int_equal(block->count, 65536);
	assert_int_equal(block->groups[0].columns[0][65535], 9);
	assert_int_equal(kt_reader_next_block(r, &block), 0);
	assert_int_equal(kt_reader_stats(r)->gaps, 2);
	assert_int_equal(kt_reader_stats(r)->missing, 65537 + 0xffffffffull);
	kt_reader_close(r);
}

/* A kind of so many fields, all u8, and 65,536 events of it. */
static int read_wide(u32 fields)
{
	static const u8 head[] = {
		0, 0, 1, 0, GROUPS(1), 1, 0, 0, 0, 0, 0, 1, 0, CONST(0), CONST(5)
	};
	static const u8 column[] = { CONST(9) };
	static struct made m, text, payload;
	const struct kt_block *block;
	struct kt_reader *r;
	u32 i, found;

	/* Without its kinds a and b. */
	memcpy(text.bytes, schema, 22);
	text.bytes[0] = 2;
	memcpy(text.bytes + 22, "\7\0\1\0?\0\1w\0", 9);
	text.bytes[26] = (u8)fields;
	text.n = 31;
	memcpy(payload.bytes, head, sizeof(head));
	payload.n = sizeof(head);
	for (i = 0; i < fields; i++) {
		memcpy(text.bytes + text.n, "\10\0\1\0\0\1?\0\0\0", 10);
		text.bytes[text.n + 6] = (u8)('A' + i);
		text.n += 10;
		memcpy(payload.bytes + payload.n, column, sizeof(column));
		payload.n += sizeof(column);
	}
	add_file_header(&m);
	add_block(&m, (struct head) { SCHEMA, 0, (u32)text.n, (u32)text.n, .count = 0 },
		  text.bytes);
	add_block(&m,
		  (struct head) { EVENTS, 0, (u32)payload.n, (u32)payload.n, 65536, 5, 5, 32, 0 },
		  payload.bytes);
	r = open_made(&m);
	found = (u32)kt_reader_next_block(r, &block);
	kt_reader_close(r);
	return (int)found;
}

static void values_of_a_block_have_a_number(void **test)
{
	(void)test;
	/* With the groups and ts: 16 times 65,536 is what there may be. */
	assert_int_equal(read_wide(14), 1);
	assert_int_equal(read_wide(15), 0);
}

/* ---- payloads ---- */

static void payloads_are_checked_before_they_are_decoded(void **test)
{
	static const u8 zstd[] = { 0x28, 0xb5, 0x2f, 0xfd, 0x20, 5,   0x29,
				   0,	 0,    'h',  'e',  'l',	 'l', 'o' };
	const struct head heads[] = {
		{ EVENTS, 1, sizeof(zstd), 5, 1, 5, 5, 32, 0 },	    /* zstd, but no events */
		{ EVENTS, 1, sizeof(zstd), 4, 1, 5, 5, 32, 1 },	    /* less room than it takes */
		{ EVENTS, 1, sizeof(zstd), 6, 1, 5, 5, 32, 2 },	    /* more */
		{ EVENTS, 1, sizeof(zstd) - 1, 5, 1, 5, 5, 32, 3 }, /* cut off */
		{ EVENTS, 0, sizeof(zstd), 5, 1, 5, 5, 32, 4 },	    /* plain, of another size */
		{ EVENTS, 2, sizeof(zstd), 5, 1, 5, 5, 32, 5 },	    /* compressed who knows how */
		{ EVENTS, 1, 0, 0, 1, 5, 5, 32, 6 },
	};
	const struct kt_block *block;
	static struct made m;
	struct kt_reader *r;
	size_t i;

	(void)test;
	begin(&m);
	for (i = 0; i < KT_ARRAY_SIZE(heads); i++)
		add_block(&m, heads[i], zstd);
	r = open_made(&m);
	assert_int_equal(kt_reader_next_block(r, &block), 0);
	assert_int_equal(kt_reader_stats(r)->gaps, 7);
	kt_reader_close(r);
}

/* The header's checksum is right, but no block may be as big, or end before it begins. */
static void impossible_headers_are_none(void **test)
{
	static const struct head heads[] = {
		{ EVENTS, 0, 8, (8 << 20) + 1, 1, 5, 5, 32, 0 },
		{ EVENTS, 0, 8, 8, 1, 6, 5, 32, 0 },
		{ EVENTS, 0, 8, 8, 1, 5, 5, 32, ~0ull },
	};
	const struct kt_block *block;
	static struct made m;
	struct kt_reader *r;
	size_t i;

	(void)test;
	for (i = 0; i < KT_ARRAY_SIZE(heads); i++) {
		begin(&m);
		add_block(&m, heads[i], "\1\0\0\0\0\0\0\0");
		r = open_made(&m);
		assert_int_equal(kt_reader_stats(r)->tail_bytes, 72);
		assert_int_equal(kt_reader_next_block(r, &block), 0);
		kt_reader_close(r);
	}
}

static void blocks_of_unknown_types_are_skipped(void **test)
{
	static const u8 one[] = { COUNT(1), GROUPS(1), GROUP(1, 1), CONST(0), CONST(5), CONST(9) };
	const struct kt_block *block;
	static struct made m;
	struct kt_reader *r;

	(void)test;
	begin(&m);
	add_block(&m, (struct head) { 77, 9, 4, 4000, .count = 0 }, "what");
	add_block(&m, (struct head) { EVENTS, 0, sizeof(one), sizeof(one), 1, 5, 5, 96, 0 }, one);
	r = open_made(&m);
	assert_int_equal(kt_reader_next_block(r, &block), 1);
	assert_int_equal(block->groups[0].columns[0][0], 9);
	assert_int_equal(kt_reader_stats(r)->skipped, 1);
	assert_int_equal(kt_reader_stats(r)->gaps, 0);
	kt_reader_close(r);
}

/* ---- the end ---- */

static void add_trailer(struct made *m, u64 end)
{
	put(m, m->n, end, 8);
	put(m, m->n + 8, 0xabcdef01, 4);
	memcpy(m->bytes + m->n + 12, "\xb7KTe", 4);
	m->n += 16;
}

struct ending {
	const char *name;
	u64 previous; /* of the END block: what the chain begins with */
	u64 fact_previous;
	u64 trailer; /* 0: the right one */
	u32 entries;
	u64 offset; /* of the index's entry */
	bool closed;
};

#define FACT_AT	 (32 + 64 + sizeof(schema) - 1)
#define FACT_END (FACT_AT + 64 + 5)

static const struct ending endings[] = {
	{ "right", FACT_AT, 32, 0, 1, FACT_AT, true },
	{ "a chain of one block", FACT_AT, FACT_AT, 0, 1, FACT_AT, true },
	{ "a chain that goes forward", FACT_AT, FACT_END, 0, 1, FACT_AT, true },
	{ "a chain to the end itself", FACT_END, 32, 0, 1, FACT_AT, true },
	{ "a chain into a block", FACT_AT + 64, 32, 0, 1, FACT_AT, true },
	{ "a chain to nowhere", ~0ull, 32, 0, 1, FACT_AT, true },
	{ "a chain into the header", 8, 32, 0, 1, FACT_AT, true },
	{ "an end at the beginning", FACT_AT, 32, 32, 1, FACT_AT, false },
	{ "an end behind the file", FACT_AT, 32, 1 << 30, 1, FACT_AT, false },
	{ "an end nowhere", FACT_AT, 32, ~0ull, 1, FACT_AT, false },
	{ "an entry behind the file", FACT_AT, 32, 0, 1, 1 << 30, false },
	{ "an entry before the file", FACT_AT, 32, 0, 1, 0, false },
	{ "more entries than there are", FACT_AT, 32, 0, 2, FACT_AT, false },
	{ "entries without end", FACT_AT, 32, 0, ~0u, FACT_AT, false },
};

static void ends_are_not_believed(void **test)
{
	const struct kt_block *block;
	static struct made m, index;
	struct kt_reader *r;
	size_t i, at;

	(void)test;
	for (i = 0; i < KT_ARRAY_SIZE(endings); i++) {
		const struct ending *e = &endings[i];

		begin(&m);
		add_block(&m, (struct head) { FACT, 0, 5, 5, .previous = e->fact_previous },
			  "\3abcd");
		put(&index, 0, 0, 8);
		put(&index, 8, e->entries, 4);
		put(&index, 12, e->offset, 8);
		put(&index, 20, 5, 8);
		put(&index, 28, 7, 8);
		at = add_block(&m, (struct head) { END, 0, 36, 36, .previous = e->previous },
			       index.bytes);
		add_trailer(&m, e->trailer ? e->trailer : at);
		r = open_made(&m);
		if (kt_reader_stats(r)->closed != e->closed)
			fail_msg("%s: %s", e->name, e->closed ? "not closed" : "closed");
		/* Whatever the chain says. */
		assert_string_equal(kt_reader_fact(r, "abc")->text, "d");
		assert_int_equal(kt_reader_seek(r, 6), 0);
		assert_int_equal(kt_reader_next_block(r, &block), 0);
		kt_reader_close(r);
	}
}

/* ---- about the host ---- */

static void wrong_facts_and_clocks_are_left_out(void **test)
{
	const struct kt_clock *clocks;
	static struct made m;
	struct kt_reader *r;
	u32 count;

	(void)test;
	begin(&m);
	add_block(&m, (struct head) { FACT, 0, 5, 5, .count = 0 }, "\5abcd");
	add_block(&m, (struct head) { FACT, 0, 5, 5, .count = 0 }, "\0abcd");
	add_block(&m, (struct head) { FACT, 0, 5, 5, .count = 0 }, "\3a\0cd");
	add_block(&m, (struct head) { FACT, 0, 0, 0, .count = 0 }, "");
	add_block(&m, (struct head) { CLOCK, 0, 17, 17, .count = 0 },
		  "\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\3");
	r = open_made(&m);
	assert_int_equal(kt_reader_stats(r)->bad_facts, 5);
	kt_reader_facts(r, &count);
	assert_int_equal(count, 0);
	clocks = kt_reader_clocks(r, &count);
	assert_int_equal(count, 1);
	assert_int_equal(clocks[0].realtime, 2);
	kt_reader_close(r);
}

static void facts_have_a_number(void **test)
{
	static struct made m;
	struct kt_reader *r;
	u32 count, i;
	u8 fact[5] = { 3, 'a' };

	(void)test;
	begin(&m);
	for (i = 0; i < 300; i++) {
		fact[2] = (u8)(1 + i % 200);
		fact[3] = (u8)(1 + i / 200);
		add_block(&m, (struct head) { FACT, 0, 5, 5, .count = 0 }, fact);
	}
	r = open_made(&m);
	kt_reader_facts(r, &count);
	assert_int_equal(count, 256);
	assert_int_equal(kt_reader_stats(r)->bad_facts, 44);
	kt_reader_close(r);
}

/* ---- schemas ---- */

struct made_schema {
	const char *name;
	bool fits;
	u32 n;
	char bytes[64];
};

#define COMMON "\7\0\0\0\1\0\1c\0\11\0\4\0\0\2ts\0\0\0"

static const struct made_schema schemas[] = {
	{ "right", true, 22, "\1\0" COMMON },
	{ "with more in a record", true, 24, "\1\0\7\0\0\0\1\0\1c\0\13\0\4\0\0\2ts\0\0\0??" },
	{ "no kinds", false, 2, "\0\0" },
	{ "more kinds than there are", false, 22, "\2\0" COMMON },
	{ "more kinds than there may be", false, 22, "\0\1" COMMON },
	{ "more fields than there are", false, 22, "\1\0\7\0\0\0\2\0\1c\0\11\0\4\0\0\2ts\0\0\0" },
	{ "more fields than there may be", false, 22,
	  "\1\0\7\0\0\0\x41\0\1c\0\11\0\4\0\0\2ts\0\0\0" },
	{ "a kind twice", false, 31, "\2\0" COMMON "\7\0\0\0\0\0\1d\0" },
	{ "a name twice", false, 31, "\2\0" COMMON "\7\0\1\0\0\0\1c\0" },
	{ "kind 300", false, 31, "\2\0" COMMON "\7\0\x2c\1\0\0\1d\0" },
	{ "without ts", false, 22, "\1\0\7\0\0\0\1\0\1c\0\11\0\4\0\0\2tt\0\0\0" },
	{ "ts of 32 bits", false, 22, "\1\0\7\0\0\0\1\0\1c\0\12\0\3\0\0\2ts\0\0\0" },
	{ "not kind 0 first", false, 22, "\1\0\7\0\1\0\1\0\1c\0\11\0\4\0\0\2ts\0\0\0" },
	{ "an unknown type", false, 32,
	  "\1\0\7\0\0\0\2\0\1c\0\11\0\4\0\0\2ts\0\0\0\10\0\7\0\0\1x\0\0\0" },
	{ "a field twice", false, 33,
	  "\1\0\7\0\0\0\2\0\1c\0\11\0\4\0\0\2ts\0\0\0\11\0\4\0\0\2ts\0\0\0" },
	{ "a text longer than its record", false, 22,
	  "\1\0\7\0\0\0\1\0\1c\0\11\0\4\0\0\2ts\0\0\1" },
	{ "a NUL in a text", false, 22, "\1\0\7\0\0\0\1\0\1\0\0\11\0\4\0\0\2t\0\0\0\0" },
	{ "a record longer than the rest", false, 22,
	  "\1\0\7\0\0\0\1\0\1c\0\12\0\4\0\0\2ts\0\0\0" },
	{ "nothing", false, 0, "" },
};

static void made_up_schemas_are_refused(void **test)
{
	struct kt_str why = {};
	struct kt_reader *r;
	static struct made m;
	size_t i;
	int err;

	(void)test;
	for (i = 0; i < KT_ARRAY_SIZE(schemas); i++) {
		const struct made_schema *s = &schemas[i];

		add_file_header(&m);
		add_block(&m, (struct head) { SCHEMA, 0, s->n, s->n, .count = 0 }, s->bytes);
		err = kt_reader_open_memory(&r, m.bytes, m.n, &kt_kinds, &why);
		if (err != (s->fits ? 0 : -EBADMSG))
			fail_msg("%s: %d", s->name, err);
		if (!err)
			kt_reader_close(r);
	}
	kt_str_free(&why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(made_up_events_are_refused),
		cmocka_unit_test(huge_counts_are_bounded),
		cmocka_unit_test(values_of_a_block_have_a_number),
		cmocka_unit_test(payloads_are_checked_before_they_are_decoded),
		cmocka_unit_test(impossible_headers_are_none),
		cmocka_unit_test(blocks_of_unknown_types_are_skipped),
		cmocka_unit_test(ends_are_not_believed),
		cmocka_unit_test(wrong_facts_and_clocks_are_left_out),
		cmocka_unit_test(facts_have_a_number),
		cmocka_unit_test(made_up_schemas_are_refused),
	};

	return cmocka_run_group_tests_name("store_hostile", tests, NULL, NULL);
}
