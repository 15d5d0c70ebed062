/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * store FILE [EVENTS [VCPUS]]: writes a capture of a steady guest's exits to FILE and reads it
 * again; prints bytes and times an event, one "NAME VALUE" a line. The guest: each vCPU in turn
 * does one of seven things (a reason at a place), some more often than others; an exit takes 1.5
 * us, the guest runs for 2 us, both more or less, now and then much more.
 */
#include "../../user/store/kinds.h"
#include "../../user/store/reader.h"
#include "../../user/store/writer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MAX_VCPUS 64
#define START	  1234567890123ull
#define SVM	  2 /* KVM_ISA_SVM */

struct place {
	u32 reason;
	u64 rip, info1;
	unsigned int weight;
};

static const struct place places[] = {
	{ 0x7c, 0xffffffff8104f2a0, 1, 30 },	     { 0x72, 0xffffffff81060b1c, 0, 10 },
	{ 0x7b, 0xffffffff8150aa42, 0x3f80210, 12 }, { 0x7b, 0xffffffff8150aa73, 0x3f80220, 12 },
	{ 0x78, 0xffffffff81c04d0b, 0, 20 },	     { 0x60, 0xffffffff81c04d0b, 0, 6 },
	{ 0x400, 0x7ffe12345678, 0x100000006, 10 },
};

static u64 state = 88172645463325252ull;

static u64 noise(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static const struct place *some_place(void)
{
	unsigned int at = (unsigned int)(noise() % 100), i;

	for (i = 0; at >= places[i].weight; i++)
		at -= places[i].weight;
	return &places[i];
}

/* About as long, +- 10 %; one in 500 takes up to 40 times as long. */
static u64 jittered(u64 ns)
{
	u64 value = ns * 9 / 10 + noise() % (ns / 5 + 1);

	return noise() % 500 ? value : value * (2 + noise() % 39);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void fail(const char *what)
{
	fprintf(stderr, "store: %s\n", what);
	exit(1);
}

/* The next exit of the vCPU whose turn it is. */
static void next_exit(u64 *when, u32 vcpus, struct kt_row_exit *row)
{
	const struct place *place = some_place();
	u32 vcpu = 0, i;

	for (i = 1; i < vcpus; i++)
		vcpu = when[i] < when[vcpu] ? i : vcpu;
	*row = (struct kt_row_exit) { .head = { .ts = when[vcpu],
						.cpu = 2 + vcpu,
						.tgid = 4711,
						.tid = 4720 + vcpu,
						.vcpu_id = vcpu },
				      .reason = place->reason,
				      .isa = SVM,
				      .rip = place->rip,
				      .info1 = place->info1,
				      .duration = jittered(1500) };
	when[vcpu] += row->duration + jittered(2000);
}

static struct kt_row_exit *make(u64 count, u32 vcpus)
{
	struct kt_row_exit *rows = malloc(count * sizeof(*rows));
	u64 when[MAX_VCPUS], i;

	if (!rows)
		fail("no memory");
	for (i = 0; i < vcpus; i++)
		when[i] = START + noise() % 4000;
	for (i = 0; i < count; i++)
		next_exit(when, vcpus, &rows[i]);
	return rows;
}

static void encode(const char *path, const struct kt_row_exit *rows, u64 in_memory, u64 count)
{
	const struct kt_writer_options options = { .schema = &kt_kinds };
	struct kt_writer *w;
	double begin = seconds();
	u64 span = rows[in_memory - 1].head.ts - rows[0].head.ts + 1000, i;
	struct kt_row_exit row;

	if (kt_writer_open(&w, kt_store_create(path, false), &options))
		fail("cannot create the file");
	for (i = 0; i < count; i++) {
		row = rows[i % in_memory];
		row.head.ts += i / in_memory * span;
		kt_writer_add(w, KT_ROW_EXIT, &row);
	}
	kt_writer_flush(w);
	printf("bytes_an_event %.3f\n", (double)kt_writer_stats(w).bytes / (double)count);
	if (kt_writer_close(w))
		fail("cannot write the file");
	printf("encode_ns %.2f\n", (seconds() - begin) * 1e9 / (double)count);
}

static struct kt_reader *open_file(const char *path)
{
	struct kt_str why = {};
	struct kt_reader *r;

	if (kt_reader_open(&r, path, &kt_kinds, &why))
		fail(why.data);
	return r;
}

static void check(struct kt_reader *r, u64 events, u64 count, u64 sum, u64 expected)
{
	if (events != count || sum != expected || !kt_reader_intact(r))
		fail("what was read is not what was written");
	kt_reader_close(r);
}

static u64 decode_columns(const char *path, u64 count)
{
	struct kt_reader *r = open_file(path);
	const struct kt_block *block;
	u64 sum = 0, events = 0;
	u32 i;

	while (kt_reader_next_block(r, &block) == 1) {
		const struct kt_group *exits = &block->groups[0];
		const u64 *durations = exits->columns[kt_store_find_field(exits->kind, "duration")];

		for (i = 0; i < exits->rows; i++)
			sum += durations[i];
		events += block->count;
	}
	check(r, events, count, sum, sum);
	return sum;
}

static void decode_rows(const char *path, u64 count, u64 expected)
{
	struct kt_reader *r = open_file(path);
	const struct kt_block *block;
	u64 sum = 0, events = 0;
	u32 i;

	while (kt_reader_next_block(r, &block) == 1) {
		const void *const *rows = kt_reader_rows(r);

		for (i = 0; i < block->count; i++)
			sum += ((const struct kt_row_exit *)rows[i])->duration;
		events += block->count;
	}
	check(r, events, count, sum, expected);
}

static void decode_events(const char *path, u64 count, u64 expected)
{
	struct kt_reader *r = open_file(path);
	struct kt_event event;
	u64 sum = 0, events = 0;

	while (kt_reader_next(r, &event) == 1) {
		sum += ((const struct kt_row_exit *)event.row)->duration;
		events++;
	}
	check(r, events, count, sum, expected);
}

int main(int argc, char **argv)
{
	u64 count = argc > 2 ? strtoull(argv[2], NULL, 10) : 5000000;
	u64 vcpus = argc > 3 ? strtoull(argv[3], NULL, 10) : 4;
	u64 in_memory = count < 1000000 ? count : 1000000, sum;
	struct kt_row_exit *rows;
	double begin;

	if (argc < 2 || argc > 4 || !count || !vcpus || vcpus > MAX_VCPUS)
		fail("usage: store FILE [EVENTS [VCPUS]]");
	rows = make(in_memory, (u32)vcpus);
	encode(argv[1], rows, in_memory, count);
	free(rows);
	begin = seconds();
	sum = decode_columns(argv[1], count);
	printf("columns_ns %.2f\n", (seconds() - begin) * 1e9 / (double)count);
	begin = seconds();
	decode_rows(argv[1], count, sum);
	printf("rows_ns %.2f\n", (seconds() - begin) * 1e9 / (double)count);
	begin = seconds();
	decode_events(argv[1], count, sum);
	printf("events_ns %.2f\n", (seconds() - begin) * 1e9 / (double)count);
	return 0;
}
