/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Walks through whatever is called a capture, in every way the reader has (libFuzzer; README.md
 * says how to build and run this). Checksums are mended first, half of the time, for else hardly
 * an input got past them: the first byte decides, the capture follows it.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "../../user/store/frame.h"
#include "../../user/store/kinds.h"
#include "../../user/store/reader.h"

#define HEADER	   64
#define FILE_CRC   28
#define STORED	   12
#define CRC	   56
#define HEADER_CRC 60

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put32(uint8_t *p, uint32_t v)
{
	int i;

	for (i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

static uint32_t get32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Gives every header, where one looks like it, the right tag and checksums. */
static void mend(uint8_t *p, size_t n)
{
	size_t at, stored;

	if (n < KT_FILE_HEADER)
		return;
	put32(p + FILE_CRC, (uint32_t)crc32(0, p, FILE_CRC));
	for (at = KT_FILE_HEADER; n - at >= HEADER; at++) {
		if (memcmp(p + at, "\xb7KTb", 4) != 0)
			continue;
		memcpy(p + at + 4, p + 16, 4);
		stored = get32(p + at + STORED);
		if (stored <= n - at - HEADER)
			put32(p + at + CRC, (uint32_t)crc32(0, p + at + HEADER, (uInt)stored));
		put32(p + at + HEADER_CRC, (uint32_t)crc32(0, p + at, HEADER_CRC));
	}
}

/* Reads every byte that a pointer was given to. */
static uint64_t touch(const void *bytes, size_t n)
{
	const uint8_t *p = bytes;
	uint64_t sum = 0;

	while (n--)
		sum += *p++;
	return sum;
}

static uint64_t read_group(const struct kt_block *block, const struct kt_group *group)
{
	uint64_t sum = 0;
	u32 i, j;

	for (i = 0; i < group->kind->field_count; i++) {
		const u64 *column = group->columns[i];

		sum += touch(column, group->rows * sizeof(*column));
		for (j = 0; j < group->rows && group->kind->fields[i].type == KT_STORE_BYTES; j++)
			sum += touch(block->bytes + (column[j] >> 8), column[j] & 0xff);
	}
	return sum;
}

static uint64_t read_blocks(struct kt_reader *r)
{
	const struct kt_block *block;
	const void *const *rows;
	uint64_t sum = 0;
	u32 i;

	while (kt_reader_next_block(r, &block) == 1) {
		sum += read_group(block, &block->common);
		for (i = 0; i < block->group_count; i++)
			sum += read_group(block, &block->groups[i]);
		rows = kt_reader_rows(r);
		for (i = 0; i < block->count; i++) {
			const struct kt_group *group = &block->groups[block->group[i]];
			int kind = kt_reader_map(r, group->map)->kind;

			if (rows[i])
				sum += touch(rows[i], kt_kinds.kinds[kind].row_size);
		}
	}
	return sum;
}

static uint64_t read_facts(struct kt_reader *r)
{
	const struct kt_store_schema *schema = kt_reader_schema(r);
	const struct kt_fact *facts;
	const struct kt_clock *clocks;
	uint64_t sum = 0;
	u32 count, i, j;

	facts = kt_reader_facts(r, &count);
	for (i = 0; i < count; i++)
		sum += touch(facts[i].name, strlen(facts[i].name) + 1) +
		       touch(facts[i].text, facts[i].n + 1);
	clocks = kt_reader_clocks(r, &count);
	sum += touch(clocks, count * sizeof(*clocks));
	for (i = 0; i < schema->count; i++) {
		for (j = 0; j < schema->kinds[i].field_count; j++)
			sum += strlen(schema->kinds[i].fields[j].name) +
			       strlen(schema->kinds[i].fields[j].meaning) +
			       strlen(schema->kinds[i].fields[j].unit) +
			       strlen(schema->kinds[i].fields[j].text);
	}
	return sum;
}

static void walk(const uint8_t *bytes, size_t n)
{
	volatile uint64_t sink;
	struct kt_str why = {};
	struct kt_event event;
	struct kt_reader *r;
	u64 wall;

	if (kt_reader_open_memory(&r, bytes, n, &kt_kinds, &why)) {
		/* An error always says why. */
		if (!why.len)
			abort();
		kt_str_free(&why);
		return;
	}
	sink = read_facts(r);
	sink = read_blocks(r);
	kt_reader_seek(r, kt_reader_stats(r)->events);
	if (kt_reader_next(r, &event) == 1)
		kt_reader_realtime(r, event.ts, &wall);
	kt_reader_seek(r, 0);
	if (kt_reader_next(r, &event) == 1 && kt_reader_next(r, &event) == 1)
		sink = event.ts;
	(void)sink;
	kt_reader_close(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *bytes;

	if (!size)
		return 0;
	/* A copy of the very size, for ASan. */
	bytes = malloc(size - 1 + (size == 1));
	if (!bytes)
		return 0;
	memcpy(bytes, data + 1, size - 1);
	if (data[0] & 1)
		mend(bytes, size - 1);
	walk(bytes, size - 1);
	free(bytes);
	return 0;
}
