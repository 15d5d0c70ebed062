/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * user/store: of a capture that was cut off or damaged, what is handed out is what was written, and
 * what is not is said to be missing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "test_store_files.h"

#define BLOCKS	   5
#define PER_BLOCK  6
#define EVENTS	   (BLOCKS * PER_BLOCK)
#define BLOCK_HEAD 64

/* All bytes of it, for rows are compared as such. */
static void exit_at(struct kt_row_exit *row, u32 i)
{
	memset(row, 0, sizeof(*row));
	row->head.ts = 1000 + i * 100;
	row->head.cpu = i % 3;
	row->head.tgid = 4711;
	row->head.tid = 4720 + i % 3;
	row->head.vcpu_id = i % 3;
	row->reason = 0x7c;
	row->isa = 2;
	row->rip = 0xffffffff81000000 + i % 5 * 4;
	row->info1 = i * 0x1234567ull;
	row->duration = 1500 + i * i;
}

/* A small file, and where its blocks end. */
static void write_small(struct file *file, size_t *ends)
{
	struct kt_row_exit row;
	u32 i;

	file_begin(file);
	kt_writer_add_fact(file->w, "kernel", "6.1.0", 5);
	kt_writer_add_clock(file->w, 900, 1700000000000000900);
	for (i = 0; i < EVENTS; i++) {
		exit_at(&row, i);
		assert_int_equal(kt_writer_add(file->w, KT_ROW_EXIT, &row), 0);
		if (i % PER_BLOCK == PER_BLOCK - 1) {
			assert_int_equal(kt_writer_flush(file->w), 0);
			*ends++ = kt_writer_stats(file->w).bytes;
		}
	}
	file_end(file);
}

struct seen {
	bool opened, intact;
	u32 events;
	struct kt_reader_stats stats;
};

/* Every event must be one that was written, and come after those before it. */
static struct seen read_all(const void *bytes, size_t n)
{
	struct kt_str why = {};
	struct seen seen = {};
	struct kt_event event;
	struct kt_reader *r;
	struct kt_row_exit want;
	u32 at = 0;

	if (kt_reader_open_memory(&r, bytes, n, &kt_kinds, &why)) {
		assert_true(why.len > 0);
		kt_str_free(&why);
		return seen;
	}
	while (kt_reader_next(r, &event) == 1) {
		assert_int_equal(event.kind, KT_ROW_EXIT);
		for (; at < EVENTS && event.ts != 1000 + at * 100; at++)
			;
		assert_true(at < EVENTS);
		exit_at(&want, at++);
		assert_memory_equal(event.row, &want, sizeof(want));
		seen.events++;
	}
	seen.opened = true;
	seen.intact = kt_reader_intact(r);
	seen.stats = *kt_reader_stats(r);
	kt_reader_close(r);
	return seen;
}

static void cut_at_every_byte(void **test)
{
	size_t ends[BLOCKS], n;
	struct file file;
	struct seen seen;
	u32 blocks = 0;

	(void)test;
	write_small(&file, ends);
	for (n = 0; n < file.n; n++) {
		u8 *part = malloc(n + !n);

		memcpy(part, file.bytes, n);
		seen = read_all(part, n);
		free(part);
		while (blocks < BLOCKS && n >= ends[blocks])
			blocks++;
		assert_int_equal(seen.events, blocks * PER_BLOCK);
		assert_false(seen.intact);
		if (!seen.opened)
			continue;
		assert_false(seen.stats.closed);
		assert_int_equal(seen.stats.gaps, 0);
		if (blocks && blocks < BLOCKS)
			assert_int_equal(seen.stats.tail_bytes, n - ends[blocks - 1]);
	}
	seen = read_all(file.bytes, file.n);
	assert_true(seen.intact);
	assert_int_equal(seen.events, EVENTS);
	file_free(&file);
}

static void every_flipped_bit_is_noticed(void **test)
{
	size_t ends[BLOCKS], bit, opened = 0;
	struct file file;
	struct seen seen;

	(void)test;
	write_small(&file, ends);
	for (bit = 0; bit < file.n * 8; bit++) {
		file.bytes[bit / 8] ^= (u8)(1 << bit % 8);
		seen = read_all(file.bytes, file.n);
		file.bytes[bit / 8] ^= (u8)(1 << bit % 8);
		if (seen.intact)
			fail_msg("bit %zu of byte %zu", bit % 8, bit / 8);
		opened += seen.opened;
		/* One block at most is lost by one bit, and what it had is known. */
		if (seen.opened) {
			assert_true(seen.events >= EVENTS - PER_BLOCK);
			assert_int_equal(seen.events + seen.stats.missing, EVENTS);
		}
	}
	/* All but those of the file's header and of the schema. */
	assert_true(opened > file.n * 8 / 4);
	file_free(&file);
}

static u64 state = 3;

static size_t noise(size_t below)
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (size_t)(state >> 33) % below;
}

static void harm(u8 *bytes, size_t n)
{
	size_t at = 32 + noise(n - 32), size = 1 + noise(200), from = noise(n);

	if (size > n - at)
		size = n - at;
	switch (noise(4)) {
	case 0: /* a hole, after power loss */
		memset(bytes + at, 0, size);
		break;
	case 1:
		while (size--)
			bytes[at + size] = (u8)noise(256);
		break;
	case 2: /* another part of the file: whole blocks at times */
		if (size > n - from)
			size = n - from;
		memmove(bytes + at, bytes + from, size);
		break;
	default:
		bytes[at] ^= (u8)(1 + noise(255));
		break;
	}
}

static void harm_of_all_sorts_is_noticed(void **test)
{
	size_t ends[BLOCKS];
	struct file file;
	struct seen seen;
	u32 i, times;
	u8 *bytes;

	(void)test;
	write_small(&file, ends);
	bytes = malloc(file.n);
	for (i = 0; i < 5000; i++) {
		memcpy(bytes, file.bytes, file.n);
		for (times = 1 + (u32)noise(4); times; times--)
			harm(bytes, file.n);
		seen = read_all(bytes, file.n);
		if (memcmp(bytes, file.bytes, file.n) != 0)
			assert_false(seen.intact);
		assert_true(seen.events <= EVENTS);
	}
	free(bytes);
	file_free(&file);
}

/* ---- all kinds ---- */

#define ALL_BLOCKS 3
#define ALL_EVENTS (ALL_BLOCKS * 400)

/* Rows of all kinds, noise but for their times, and what an undamaged file says they are. */
struct all {
	struct file file;
	u32 kinds[ALL_EVENTS];
	u8 rows[ALL_EVENTS][256];
};

static void write_all_kinds(struct all *all)
{
	u8 row[256];
	u32 i, j;

	file_begin(&all->file);
	kt_writer_add_fact(all->file.w, "kernel", "6.1.0", 5);
	for (i = 0; i < ALL_EVENTS; i++) {
		u32 kind = 1 + (u32)noise(KT_ROW_COUNT - 1);
		u64 ts = i;

		/* Some fields have few values, some any. */
		for (j = 0; j < sizeof(row); j++)
			row[j] = (u8)(j % 16 < 8 ? noise(2) : noise(256));
		memcpy(row, &ts, sizeof(ts));
		assert_int_equal(kt_writer_add(all->file.w, kind, row), 0);
		if (i % (ALL_EVENTS / ALL_BLOCKS) == ALL_EVENTS / ALL_BLOCKS - 1)
			assert_int_equal(kt_writer_flush(all->file.w), 0);
	}
	file_end(&all->file);
}

/* learn: takes what is read for right. Returns how many events there are; *intact: no warning. */
static u32 read_all_kinds(struct all *all, const u8 *bytes, size_t n, bool learn, bool *intact)
{
	struct kt_str why = {};
	struct kt_event event;
	struct kt_reader *r;
	u32 count = 0, next = 0;
	size_t size;

	*intact = false;
	if (kt_reader_open_memory(&r, bytes, n, &kt_kinds, &why)) {
		assert_true(why.len > 0);
		kt_str_free(&why);
		return 0;
	}
	for (; kt_reader_next(r, &event) == 1; count++) {
		assert_in_range(event.ts, next, ALL_EVENTS - 1);
		next = (u32)event.ts + 1;
		size = kt_kinds.kinds[event.kind].row_size;
		if (learn) {
			all->kinds[event.ts] = event.kind;
			memcpy(all->rows[event.ts], event.row, size);
		}
		assert_int_equal(event.kind, all->kinds[event.ts]);
		assert_memory_equal(event.row, all->rows[event.ts], size);
	}
	*intact = kt_reader_intact(r);
	if (count < ALL_EVENTS)
		assert_false(*intact);
	kt_reader_close(r);
	return count;
}

static struct all *all_kinds(void)
{
	struct all *all = calloc(1, sizeof(*all));
	bool intact;

	write_all_kinds(all);
	assert_int_equal(read_all_kinds(all, all->file.bytes, all->file.n, true, &intact),
			 ALL_EVENTS);
	assert_true(intact);
	return all;
}

static void of_all_kinds_a_prefix_is_left(void **test)
{
	struct all *all = all_kinds();
	u32 count, before = 0;
	bool intact;
	size_t n;
	u8 *part;

	(void)test;
	/* Each byte of the first block and of the end, others by leaps. */
	for (n = 0; n<all->file.n; n += n> 4096 && n < all->file.n - 512 ? 41 : 1) {
		part = malloc(n + !n);
		memcpy(part, all->file.bytes, n);
		count = read_all_kinds(all, part, n, false, &intact);
		free(part);
		assert_false(intact);
		assert_int_equal(count % (ALL_EVENTS / ALL_BLOCKS), 0);
		assert_true(count >= before);
		before = count;
	}
	assert_int_equal(before, ALL_EVENTS);
	file_free(&all->file);
	free(all);
}

static void of_all_kinds_no_bit_may_flip(void **test)
{
	struct all *all = all_kinds();
	u8 *bytes = malloc(all->file.n);
	u32 i, flips, read = 0;
	bool intact;
	size_t bit;

	(void)test;
	state = 6;
	for (i = 0; i < 1000; i++) {
		memcpy(bytes, all->file.bytes, all->file.n);
		for (flips = i % 4 ? 1 : 1 + (u32)noise(16); flips; flips--) {
			bit = noise(all->file.n * 8);
			bytes[bit / 8] ^= (u8)(1 << bit % 8);
		}
		if (!memcmp(bytes, all->file.bytes, all->file.n))
			continue;
		read += read_all_kinds(all, bytes, all->file.n, false, &intact) > 0;
		assert_false(intact);
	}
	/* The file's header and the schema, without which nothing is read, are a tenth of it. */
	assert_in_range(read, 600, 999);
	free(bytes);
	file_free(&all->file);
	free(all);
}

/* ---- what is said of it ---- */

static void a_gap_is_described(void **test)
{
	size_t ends[BLOCKS];
	struct file file;
	struct seen seen;

	(void)test;
	write_small(&file, ends);
	/* The second block's payload, and the fourth block's header. */
	file.bytes[ends[0] + BLOCK_HEAD + 5] ^= 0x10;
	file.bytes[ends[2] + 5] ^= 0x10;
	seen = read_all(file.bytes, file.n);
	assert_int_equal(seen.events, EVENTS - 2 * PER_BLOCK);
	assert_true(seen.stats.closed);
	assert_int_equal(seen.stats.total, EVENTS);
	assert_int_equal(seen.stats.tail_bytes, 0);
	assert_int_equal(seen.stats.gaps, 2);
	assert_int_equal(seen.stats.missing, 2 * PER_BLOCK);
	assert_int_equal(seen.stats.gap[0].offset, ends[0]);
	assert_int_equal(seen.stats.gap[0].bytes, ends[1] - ends[0]);
	assert_int_equal(seen.stats.gap[0].from_ts, 1600);
	assert_int_equal(seen.stats.gap[0].to_ts, 2100);
	assert_int_equal(seen.stats.gap[0].events, 6);
	assert_int_equal(seen.stats.gap[1].offset, ends[2]);
	assert_int_equal(seen.stats.gap[1].bytes, ends[3] - ends[2]);
	assert_int_equal(seen.stats.gap[1].from_ts, 2700);
	assert_int_equal(seen.stats.gap[1].to_ts, 3400);
	assert_int_equal(seen.stats.gap[1].events, 6);
	assert_int_equal(seen.stats.gap_bytes, ends[1] - ends[0] + ends[3] - ends[2]);
	file_free(&file);
}

static void facts_survive_without_the_end(void **test)
{
	size_t ends[BLOCKS];
	struct kt_event event;
	struct kt_reader *r;
	struct file file;
	u32 count;

	(void)test;
	write_small(&file, ends);
	r = must_open(file.bytes, ends[3]);
	assert_false(kt_reader_stats(r)->closed);
	assert_string_equal(kt_reader_fact(r, "kernel")->text, "6.1.0");
	assert_int_equal(kt_reader_clocks(r, &count)[0].realtime, 1700000000000000900);
	/* The index is made anew: the fourth block begins at 2800. */
	assert_int_equal(kt_reader_seek(r, 3000), 0);
	assert_int_equal(kt_reader_next(r, &event), 1);
	assert_int_equal(event.ts, 2800);
	kt_reader_close(r);
	file_free(&file);
}

/* Blocks begin at 1000, 1600, 2200, 2800 and 3400. Damage that may have had events from there on counts. */
static void seeking_passes_over_no_damage(void **test)
{
	static const struct {
		u32 damaged;
		u64 ts, blocks, gaps;
	} cases[] = {
		{ 1, 0, 4, 1 },	   { 1, 1500, 4, 1 }, { 1, 1700, 3, 1 }, { 1, 2900, 2, 0 },
		{ 4, 3500, 0, 1 }, { 4, 3300, 1, 1 }, { 4, 0, 4, 1 },
	};
	size_t ends[BLOCKS], i;

	(void)test;
	for (i = 0; i < KT_ARRAY_SIZE(cases); i++) {
		const struct kt_block *block;
		struct kt_reader *r;
		struct file file;
		u64 blocks = 0;

		write_small(&file, ends);
		file.bytes[ends[cases[i].damaged - 1] + 5] ^= 0x10; /* in the block's header */
		r = must_open(file.bytes, file.n);
		assert_int_equal(kt_reader_seek(r, cases[i].ts), 0);
		while (kt_reader_next_block(r, &block) == 1)
			blocks++;
		if (blocks != cases[i].blocks || kt_reader_stats(r)->gaps != cases[i].gaps)
			fail_msg("block %u, from %llu: %llu blocks, %llu gaps", cases[i].damaged,
				 cases[i].ts, blocks, kt_reader_stats(r)->gaps);
		/* How many events those were, is told from the start only. */
		if (!cases[i].ts)
			assert_int_equal(kt_reader_stats(r)->missing, PER_BLOCK);
		kt_reader_close(r);
		file_free(&file);
	}
}

static void other_files_blocks_are_not_taken(void **test)
{
	struct kt_writer_options options = { .schema = &kt_kinds, .tag = TAG + 1 };
	struct kt_row_exit row;
	size_t ends[BLOCKS];
	struct file file, other = {};
	struct seen seen;
	u8 *bytes;

	(void)test;
	write_small(&file, ends);
	assert_int_equal(kt_writer_open(&other.w, nameless(&other), &options), 0);
	exit_at(&row, 0);
	kt_writer_add(other.w, KT_ROW_EXIT, &row);
	file_end(&other);
	/* What power loss may leave: old blocks of another capture behind the new ones. */
	bytes = malloc(ends[1] + other.n);
	memcpy(bytes, file.bytes, ends[1]);
	memcpy(bytes + ends[1], other.bytes, other.n);
	seen = read_all(bytes, ends[1] + other.n);
	assert_int_equal(seen.events, 2 * PER_BLOCK);
	assert_int_equal(seen.stats.tail_bytes, other.n);
	assert_false(seen.stats.closed);
	free(bytes);
	file_free(&file);
	file_free(&other);
}

static void blocks_seen_before_are_not_taken_again(void **test)
{
	size_t ends[BLOCKS], size;
	struct file file;
	struct seen seen;
	u8 *bytes;

	(void)test;
	write_small(&file, ends);
	size = ends[1] - ends[0];
	bytes = malloc(file.n + size);
	memcpy(bytes, file.bytes, ends[1]);
	memcpy(bytes + ends[1], file.bytes + ends[0], size);
	memcpy(bytes + ends[1] + size, file.bytes + ends[1], file.n - ends[1]);
	seen = read_all(bytes, file.n + size);
	assert_int_equal(seen.events, EVENTS);
	assert_int_equal(seen.stats.gaps, 1);
	assert_false(seen.intact);
	free(bytes);
	file_free(&file);
}

/* ---- disks ---- */

static void a_full_disk_leaves_what_was_complete(void **test)
{
	const struct rlimit small = { 20000, RLIM_INFINITY };
	struct rlimit before;
	struct kt_row_msr row = {};
	struct file file, next = {};
	struct kt_writer_stats stats;
	struct kt_reader *r;
	struct kt_event event;
	u32 i, errors = 0, events = 0;
	int err;

	(void)test;
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	setrlimit(RLIMIT_FSIZE, &small);
	file_begin(&file);
	for (i = 0; i < 3000; i++) {
		row.head.ts = i;
		row.value = (u64)noise(1u << 31) << 32 | noise(1u << 31);
		errors += kt_writer_add(file.w, KT_ROW_MSR, &row) != 0;
		if (i % 100 == 99)
			err = kt_writer_flush(file.w);
	}
	assert_int_equal(err, -EFBIG);
	assert_int_equal(kt_writer_error(file.w), -EFBIG);
	stats = kt_writer_stats(file.w);
	assert_int_equal(stats.events + stats.dropped, 3000);
	assert_in_range(stats.events, 1000, 2900);
	assert_int_equal(errors, stats.dropped - 100);
	setrlimit(RLIMIT_FSIZE, &before);

	/* Another file may do better. */
	assert_int_equal(kt_writer_rotate(file.w, nameless(&next)), -EFBIG);
	assert_int_equal(kt_writer_error(file.w), 0);
	next.w = file.w;
	assert_int_equal(kt_writer_add(next.w, KT_ROW_MSR, &row), 0);
	file_end(&next);
	assert_true(kt_reader_open_memory(&r, next.bytes, next.n, &kt_kinds, NULL) == 0);
	assert_int_equal(kt_reader_next(r, &event), 1);
	kt_reader_close(r);

	file_load(&file);
	assert_int_equal(file.n, stats.bytes);
	r = must_open(file.bytes, file.n);
	for (; kt_reader_next(r, &event) == 1; events++)
		assert_int_equal(event.ts, events);
	assert_int_equal(events, stats.events);
	assert_int_equal(kt_reader_stats(r)->tail_bytes, 0);
	assert_false(kt_reader_stats(r)->closed);
	kt_reader_close(r);
	file_free(&file);
	file_free(&next);
}

static void nowhere_to_write_is_said_at_once(void **test)
{
	const struct kt_writer_options options = { .schema = &kt_kinds };
	struct kt_writer *w = NULL;

	(void)test;
	assert_int_equal(kt_writer_open(&w, open("/dev/full", O_WRONLY), &options), -ENOSPC);
	assert_int_equal(kt_writer_open(&w, open("/dev/null", O_RDONLY), &options), -EBADF);
	assert_null(w);
}

static _Noreturn void write_until_killed(int fd, int says)
{
	const struct kt_writer_options options = { .schema = &kt_kinds };
	struct kt_row_msr row = {};
	struct kt_writer *w;
	u64 i;

	if (kt_writer_open(&w, fd, &options))
		_exit(1);
	for (i = 0; i < 100000000; i++) {
		row.head.ts = i;
		kt_writer_add(w, KT_ROW_MSR, &row);
		if (i % 1000 == 999) {
			kt_writer_flush(w);
			if (write(says, &i, sizeof(i)) != sizeof(i))
				_exit(1);
		}
	}
	_exit(0);
}

static void a_kill_leaves_what_was_flushed(void **test)
{
	struct file file = {};
	struct kt_event event;
	struct kt_reader *r;
	u64 flushed = 0, events = 0;
	int says[2], fd = nameless(&file), round;
	pid_t child;

	(void)test;
	assert_int_equal(pipe(says), 0);
	child = fork();
	if (!child)
		write_until_killed(fd, says[1]);
	close(fd);
	close(says[1]);
	for (round = 0; round < 300; round++)
		assert_int_equal(read(says[0], &flushed, sizeof(flushed)), sizeof(flushed));
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	while (read(says[0], &flushed, sizeof(flushed)) == sizeof(flushed))
		;
	close(says[0]);
	file_load(&file);
	r = must_open(file.bytes, file.n);
	for (; kt_reader_next(r, &event) == 1; events++)
		assert_int_equal(event.ts, events);
	assert_true(events > flushed);
	assert_false(kt_reader_stats(r)->closed);
	assert_int_equal(kt_reader_stats(r)->gaps, 0);
	kt_reader_close(r);
	file_free(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cut_at_every_byte),
		cmocka_unit_test(every_flipped_bit_is_noticed),
		cmocka_unit_test(harm_of_all_sorts_is_noticed),
		cmocka_unit_test(of_all_kinds_a_prefix_is_left),
		cmocka_unit_test(of_all_kinds_no_bit_may_flip),
		cmocka_unit_test(a_gap_is_described),
		cmocka_unit_test(facts_survive_without_the_end),
		cmocka_unit_test(seeking_passes_over_no_damage),
		cmocka_unit_test(other_files_blocks_are_not_taken),
		cmocka_unit_test(blocks_seen_before_are_not_taken_again),
		cmocka_unit_test(a_full_disk_leaves_what_was_complete),
		cmocka_unit_test(nowhere_to_write_is_said_at_once),
		cmocka_unit_test(a_kill_leaves_what_was_flushed),
	};

	return cmocka_run_group_tests_name("store_damage", tests, NULL, NULL);
}
