/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* user/store: finding a time, what a file says of the host and of clocks, and files as such. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <fcntl.h>
#include <cmocka.h>

#include "test_store_files.h"

/* ---- time ---- */

static void seeking_meets_all_from_there_on(void **test)
{
	struct kt_row_msr row = {};
	struct kt_event event;
	struct kt_reader *r;
	struct file file;
	u64 ts;
	u32 i;

	(void)test;
	file_begin(&file);
	/* 10,000 blocks, more than the index has entries. */
	for (i = 0; i < 10000; i++) {
		row.head.ts = 1000 + i * 10ull;
		kt_writer_add(file.w, KT_ROW_MSR, &row);
		row.head.ts += 5;
		kt_writer_add(file.w, KT_ROW_MSR, &row);
		assert_int_equal(kt_writer_flush(file.w), 0);
	}
	file_end(&file);
	r = must_open(file.bytes, file.n);
	for (ts = 0; ts < 101000; ts += 997) {
		assert_int_equal(kt_reader_seek(r, ts), 0);
		assert_int_equal(kt_reader_next(r, &event), 1);
		/* The block's first event: at most 9 ns before what was asked for. */
		assert_int_equal(event.ts, ts < 1000 ? 1000 : (ts + 4) / 10 * 10);
	}
	assert_int_equal(kt_reader_seek(r, 101000), 0);
	assert_int_equal(kt_reader_next(r, &event), 0);
	assert_true(kt_reader_intact(r));
	kt_reader_close(r);
	file_free(&file);
}

static void wall_clock_follows_the_last_reference(void **test)
{
	struct kt_reader *r;
	struct file file;
	u64 wall;
	u32 count;

	(void)test;
	file_begin(&file);
	kt_writer_add_clock(file.w, 1000, 1700000000000001000);
	kt_writer_add_clock(file.w, 2000, 1700000000000005000);
	file_end(&file);
	r = must_open(file.bytes, file.n);
	assert_int_equal(kt_reader_clocks(r, &count)[1].realtime, 1700000000000005000);
	assert_int_equal(count, 2);
	assert_true(kt_reader_realtime(r, 1999, &wall));
	assert_int_equal(wall, 1700000000000001999);
	assert_true(kt_reader_realtime(r, 2001, &wall));
	assert_int_equal(wall, 1700000000000005001);
	assert_true(kt_reader_realtime(r, 999, &wall));
	assert_int_equal(wall, 1700000000000000999);
	kt_reader_close(r);
	file_free(&file);
}

static void any_number_of_clocks_is_taken(void **test)
{
	const struct kt_clock *clocks;
	struct kt_reader *r;
	struct file file;
	u32 count, i;

	(void)test;
	file_begin(&file);
	for (i = 0; i < 10000; i++)
		assert_int_equal(kt_writer_add_clock(file.w, i, i + 5000), 0);
	file_end(&file);
	r = must_open(file.bytes, file.n);
	clocks = kt_reader_clocks(r, &count);
	assert_in_range(count, 2048, 4096);
	for (i = 0; i < count; i++)
		assert_int_equal(clocks[i].realtime, clocks[i].monotonic + 5000);
	assert_true(kt_reader_intact(r));
	kt_reader_close(r);
	file_free(&file);
}

/* ---- facts ---- */

static void facts_come_back(void **test)
{
	static const char binary[] = { 'a', 0, 'b', '\n' };
	const struct kt_fact *facts;
	struct kt_reader *r;
	struct file file;
	u32 count;

	(void)test;
	file_begin(&file);
	assert_int_equal(kt_writer_add_fact(file.w, "kernel", "6.1", 3), 0);
	assert_int_equal(kt_writer_add_fact(file.w, "vms", "[]", 2), 0);
	assert_int_equal(kt_writer_add_fact(file.w, "empty", NULL, 0), 0);
	assert_int_equal(kt_writer_add_fact(file.w, "kernel", binary, 4), 0);
	assert_int_equal(kt_writer_add_fact(file.w, "", "x", 1), -EINVAL);
	file_end(&file);
	r = must_open(file.bytes, file.n);
	facts = kt_reader_facts(r, &count);
	assert_int_equal(count, 3);
	assert_string_equal(facts[0].name, "vms");
	assert_string_equal(facts[0].text, "[]");
	assert_string_equal(facts[1].name, "empty");
	assert_int_equal(facts[1].n, 0);
	assert_string_equal(facts[2].name, "kernel");
	assert_int_equal(facts[2].n, 4);
	assert_memory_equal(facts[2].text, binary, 4);
	assert_ptr_equal(kt_reader_fact(r, "vms"), &facts[0]);
	assert_null(kt_reader_fact(r, "vm"));
	kt_reader_close(r);
	file_free(&file);
}

static void big_facts_have_a_bound(void **test)
{
	char *text = malloc((4 << 20) + 1);
	struct kt_reader *r;
	struct file file;

	(void)test;
	memset(text, 'x', (4 << 20) + 1);
	file_begin(&file);
	assert_int_equal(kt_writer_add_fact(file.w, "a", text, (4 << 20) + 1), -E2BIG);
	assert_int_equal(kt_writer_add_fact(file.w, "a", text, 4 << 20), 0);
	assert_int_equal(kt_writer_add_fact(file.w, "b", text, 4 << 20), 0);
	assert_int_equal(kt_writer_add_fact(file.w, "c", text, 4 << 20), 0);
	assert_int_equal(kt_writer_add_fact(file.w, "d", text, 4 << 20), 0);
	assert_int_equal(kt_writer_add_fact(file.w, "e", text, 1), -E2BIG);
	assert_int_equal(kt_writer_add_fact(file.w, "d", text, 7), 0);
	assert_int_equal(kt_writer_add_fact(file.w, "e", text, 1), 0);
	file_end(&file);
	r = must_open(file.bytes, file.n);
	assert_int_equal(kt_reader_fact(r, "a")->n, 4 << 20);
	assert_int_equal(kt_reader_fact(r, "d")->n, 7);
	assert_int_equal(kt_reader_fact(r, "e")->n, 1);
	assert_true(kt_reader_intact(r));
	kt_reader_close(r);
	file_free(&file);
	free(text);
}

/* ---- files ---- */

static void each_file_of_a_rotation_is_complete(void **test)
{
	struct file first, second;
	struct kt_row_msr row = { .head = { .ts = 10 } };
	struct kt_event event;
	struct kt_reader *r;
	u32 count;

	(void)test;
	file_begin(&first);
	kt_writer_add_fact(first.w, "kernel", "6.1", 3);
	kt_writer_add_clock(first.w, 1, 101);
	kt_writer_add_clock(first.w, 2, 202);
	kt_writer_add(first.w, KT_ROW_MSR, &row);
	second = (struct file) {};
	assert_int_equal(kt_writer_rotate(first.w, nameless(&second)), 0);
	second.w = first.w;
	assert_int_equal(kt_writer_stats(second.w).events, 0);
	row.head.ts = 20;
	kt_writer_add(second.w, KT_ROW_MSR, &row);
	file_load(&first);
	file_end(&second);

	r = must_open(first.bytes, first.n);
	assert_int_equal(kt_reader_next(r, &event), 1);
	assert_int_equal(event.ts, 10);
	assert_int_equal(kt_reader_next(r, &event), 0);
	assert_true(kt_reader_intact(r));
	kt_reader_close(r);
	r = must_open(second.bytes, second.n);
	assert_string_equal(kt_reader_fact(r, "kernel")->text, "6.1");
	assert_int_equal(kt_reader_clocks(r, &count)[0].realtime, 202);
	assert_int_equal(count, 1);
	assert_int_equal(kt_reader_next(r, &event), 1);
	assert_int_equal(event.ts, 20);
	assert_int_equal(kt_reader_next(r, &event), 0);
	assert_true(kt_reader_intact(r));
	kt_reader_close(r);
	file_free(&first);
	file_free(&second);
}

static u64 number_at(const struct file *file, u64 at, u32 bytes)
{
	u64 v = 0;

	assert_true(at + bytes <= file->n);
	while (bytes--)
		v = v << 8 | file->bytes[at + bytes];
	return v;
}

/* Through offset 40 of their headers, as kvmtrace-capture(5) says: END, CLOCK, FACT, SCHEMA. */
static void the_end_leads_to_all_but_events(void **test)
{
	static const u32 types[] = { 5, 3, 2, 1 };
	struct kt_row_msr row = { .head = { .ts = 10 } };
	struct file file;
	u64 at;
	u32 i;

	(void)test;
	file_begin(&file);
	kt_writer_add_fact(file.w, "kernel", "6.1", 3);
	kt_writer_add(file.w, KT_ROW_MSR, &row);
	kt_writer_flush(file.w);
	kt_writer_add_clock(file.w, 1, 101);
	kt_writer_add(file.w, KT_ROW_MSR, &row);
	file_end(&file);
	at = number_at(&file, file.n - 16, 8);
	for (i = 0; i < KT_ARRAY_SIZE(types); i++) {
		assert_int_equal(number_at(&file, at + 8, 2), types[i]);
		at = number_at(&file, at + 40, 8);
	}
	assert_int_equal(at, 0);
	file_free(&file);
}

static void files_by_name(void **test)
{
	const struct kt_writer_options options = { .schema = &kt_kinds, .sync = true };
	char folder[] = "/tmp/kvmtrace-store-XXXXXX", path[64];
	struct kt_str why = {};
	struct kt_writer *w;
	struct kt_reader *r;
	struct kt_row_msr row = {};
	struct stat st;

	(void)test;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/capture", folder);
	assert_int_equal(kt_writer_open(&w, kt_store_create(path, true), &options), 0);
	assert_int_equal(kt_writer_add(w, KT_ROW_MSR, &row), 0);
	assert_int_equal(kt_writer_stats(w).pending, 1);
	assert_int_equal(kt_writer_flush(w), 0);
	assert_int_equal(kt_writer_stats(w).pending, 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_size, kt_writer_stats(w).bytes);
	assert_int_equal(kt_writer_close(w), 0);
	assert_int_equal(kt_store_create(path, true), -EEXIST);
	/* Not a byte of a capture is overwritten by accident. */
	assert_int_equal(kt_writer_open(&w, open(path, O_WRONLY), &options), -EEXIST);
	assert_int_equal(kt_reader_open(&r, path, &kt_kinds, &why), 0);
	kt_reader_close(r);
	assert_int_equal(kt_reader_open(&r, folder, &kt_kinds, &why), -EINVAL);
	assert_string_equal(why.data, "not a regular file");
	assert_int_equal(unlink(path), 0);
	kt_str_reset(&why);
	assert_int_equal(kt_reader_open(&r, path, &kt_kinds, &why), -ENOENT);
	assert_string_equal(why.data, "No such file or directory");
	kt_str_free(&why);
	assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seeking_meets_all_from_there_on),
		cmocka_unit_test(wall_clock_follows_the_last_reference),
		cmocka_unit_test(any_number_of_clocks_is_taken),
		cmocka_unit_test(facts_come_back),
		cmocka_unit_test(big_facts_have_a_bound),
		cmocka_unit_test(each_file_of_a_rotation_is_complete),
		cmocka_unit_test(the_end_leads_to_all_but_events),
		cmocka_unit_test(files_by_name),
	};

	return cmocka_run_group_tests_name("store_file", tests, NULL, NULL);
}
