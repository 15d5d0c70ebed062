/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * store FILE [EVENTS [VCPUS [GUEST]]]: writes a capture of a guest's exits to FILE and reads it
 * again; prints bytes and times an event, one "NAME VALUE" a line. Guests:
 *	mixed	each vCPU in turn does one of seven things (a reason at a place), some more often
 *		than others; an exit takes 1.5 us, the guest runs for 2 us, both more or less, now and
 *		then much more
 *	cpuid	CPUID in a loop, at three places
 *	late	as mixed, but exits are known when they end: a long one comes after younger ones
 *	kinds	as mixed, with events of other kinds between them
 * Instructions an event: valgrind --tool=callgrind --toggle-collect=kt_writer_add (README.md).
 */
#include "../../user/store/kinds.h"
#include "../../user/store/output.h"
#include "../../user/store/reader.h"
#include "../../user/store/writer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_VCPUS 64
#define START	  1234567890123ull
#define SVM	  2 /* KVM_ISA_SVM */

struct place {
	u32 reason;
	u64 rip, info1;
	unsigned int weight;
};

static const struct place mixed[] = {
	{ 0x7c, 0xffffffff8104f2a0, 1, 30 },	     { 0x72, 0xffffffff81060b1c, 0, 10 },
	{ 0x7b, 0xffffffff8150aa42, 0x3f80210, 12 }, { 0x7b, 0xffffffff8150aa73, 0x3f80220, 12 },
	{ 0x78, 0xffffffff81c04d0b, 0, 20 },	     { 0x60, 0xffffffff81c04d0b, 0, 6 },
	{ 0x400, 0x7ffe12345678, 0x100000006, 10 },
};

static const struct place cpuid[] = {
	{ 0x72, 0x401136, 0, 40 },
	{ 0x72, 0x401151, 0, 40 },
	{ 0x72, 0xffffffff81060b1c, 0, 20 },
};

static const struct place *places = mixed;
static unsigned int long_ones = 500; /* one in so many takes long */
static bool late, other_kinds;

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

/* About as long, +- 10 %; one in long_ones takes up to 40 times as long. */
static u64 jittered(u64 ns)
{
	u64 value = ns * 9 / 10 + noise() % (ns / 5 + 1);

	return noise() % long_ones ? value : value * (2 + noise() % 39);
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

static int by_end(const void *a, const void *b)
{
	const struct kt_row_exit *x = a, *y = b;
	u64 x_end = x->head.ts + x->duration, y_end = y->head.ts + y->duration;

	return x_end < y_end ? -1 : x_end > y_end;
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
	if (late)
		qsort(rows, count, sizeof(*rows), by_end);
	return rows;
}

/* What KVM did for that exit. Returns how many events these are. */
static u64 add_others(struct kt_writer *w, const struct kt_row_exit *e)
{
	struct kt_row_msr msr = { e->head, 0x6e0, e->head.ts * 3, 1, 0 };
	struct kt_row_pio pio = { e->head, (u16)(e->info1 >> 16), 1, 1, 1, (u8)e->head.ts };
	struct kt_row_userspace_exit user = {
		.head = e->head, .reason = 2, .ndata = 1, .data0 = e->info1
	};

	switch (e->reason) {
	case 0x7c:
		kt_writer_add(w, KT_ROW_MSR, &msr);
		return 1;
	case 0x7b:
		kt_writer_add(w, KT_ROW_PIO, &pio);
		kt_writer_add(w, KT_ROW_USERSPACE_EXIT, &user);
		return 2;
	default:
		return 0;
	}
}

struct written {
	u64 events;
	u64 sum; /* of the exits' durations */
};

static struct written encode(const char *path, const struct kt_row_exit *rows, u64 in_memory,
			     u64 count)
{
	const struct kt_writer_options options = { .schema = &kt_kinds };
	struct kt_writer *w;
	struct written written = { .events = count };
	double begin = seconds();
	u64 span = rows[in_memory - 1].head.ts - rows[0].head.ts + 100000, i;
	struct kt_row_exit row;

	if (kt_writer_open(&w, kt_store_create(path, false), &options))
		fail("cannot create the file");
	for (i = 0; i < count; i++) {
		row = rows[i % in_memory];
		row.head.ts += i / in_memory * span;
		kt_writer_add(w, KT_ROW_EXIT, &row);
		written.sum += row.duration;
		if (other_kinds)
			written.events += add_others(w, &row);
	}
	kt_writer_flush(w);
	printf("bytes_an_event %.3f\n", (double)kt_writer_stats(w).bytes / (double)written.events);
	if (kt_writer_close(w))
		fail("cannot write the file");
	printf("encode_ns %.2f\n", (seconds() - begin) * 1e9 / (double)written.events);
	return written;
}

static struct kt_reader *open_file(const char *path)
{
	struct kt_str why = {};
	struct kt_reader *r;

	if (kt_reader_open(&r, path, &kt_kinds, &why))
		fail(why.data);
	return r;
}

static void check(struct kt_reader *r, struct written read, struct written written)
{
	if (read.events != written.events || read.sum != written.sum || !kt_reader_intact(r))
		fail("what was read is not what was written");
	kt_reader_close(r);
}

static u64 column_sum(const struct kt_group *group)
{
	const u64 *durations = group->columns[kt_store_find_field(group->kind, "duration")];
	u64 sum = 0;
	u32 i;

	for (i = 0; i < group->rows; i++)
		sum += durations[i];
	return sum;
}

static void decode_columns(const char *path, struct written written)
{
	struct kt_reader *r = open_file(path);
	const struct kt_block *block;
	struct written have = {};
	u32 i;

	while (kt_reader_next_block(r, &block) == 1) {
		for (i = 0; i < block->group_count; i++) {
			if (!strcmp(block->groups[i].kind->name, "exit"))
				have.sum += column_sum(&block->groups[i]);
		}
		have.events += block->count;
	}
	check(r, have, written);
}

static void decode_rows(const char *path, struct written written)
{
	struct kt_reader *r = open_file(path);
	const struct kt_block *block;
	struct written have = {};
	u32 i;

	while (kt_reader_next_block(r, &block) == 1) {
		const void *const *rows = kt_reader_rows(r);

		for (i = 0; i < block->count; i++) {
			if (block->groups[block->group[i]].kind->number == KT_ROW_EXIT)
				have.sum += ((const struct kt_row_exit *)rows[i])->duration;
		}
		have.events += block->count;
	}
	check(r, have, written);
}

static void decode_events(const char *path, struct written written)
{
	struct kt_reader *r = open_file(path);
	struct written have = {};
	struct kt_event event;

	while (kt_reader_next(r, &event) == 1) {
		if (event.kind == KT_ROW_EXIT)
			have.sum += ((const struct kt_row_exit *)event.row)->duration;
		have.events++;
	}
	check(r, have, written);
}

static void timed(const char *name, void (*decode)(const char *, struct written), const char *path,
		  struct written written)
{
	double begin = seconds();

	decode(path, written);
	printf("%s %.2f\n", name, (seconds() - begin) * 1e9 / (double)written.events);
}

static void choose_guest(const char *name)
{
	if (!strcmp(name, "cpuid")) {
		places = cpuid;
		long_ones = ~0u;
	} else if (!strcmp(name, "late")) {
		late = true;
	} else if (!strcmp(name, "kinds")) {
		other_kinds = true;
	} else if (strcmp(name, "mixed") != 0) {
		fail("guests are mixed, cpuid, late and kinds");
	}
}

int main(int argc, char **argv)
{
	u64 count = argc > 2 ? strtoull(argv[2], NULL, 10) : 5000000;
	u64 vcpus = argc > 3 ? strtoull(argv[3], NULL, 10) : 4;
	u64 in_memory = count < 1000000 ? count : 1000000;
	struct kt_row_exit *rows;
	struct written written;

	if (argc < 2 || argc > 5 || !count || !vcpus || vcpus > MAX_VCPUS)
		fail("usage: store FILE [EVENTS [VCPUS [GUEST]]]");
	if (argc > 4)
		choose_guest(argv[4]);
	rows = make(in_memory, (u32)vcpus);
	written = encode(argv[1], rows, in_memory, count);
	free(rows);
	timed("columns_ns", decode_columns, argv[1], written);
	timed("rows_ns", decode_rows, argv[1], written);
	timed("events_ns", decode_events, argv[1], written);
	return 0;
}
