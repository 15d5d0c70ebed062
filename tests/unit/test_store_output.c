/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* user/store: the files that captures go to, and what of them is left alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <fcntl.h>
#include <cmocka.h>

#include "test_store_files.h"

/* What every capture begins with: kvmtrace-capture(5). */
#define CAPTURE "\x89KVMT\r\n\x1a and more of what a capture has"

static char folder[] = "/tmp/kvmtrace-output-XXXXXX";

static const char *in(const char *name)
{
	static char path[2][128];
	static int next;

	next = !next;
	snprintf(path[next], sizeof(path[next]), "%s/%s", folder, name);
	return path[next];
}

static void put(const char *name, const char *text, mode_t mode)
{
	int fd = open(in(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void assert_holds(const char *name, const char *text)
{
	char have[256] = {};
	int fd = open(in(name), O_RDONLY);

	assert_true(fd >= 0);
	assert_true(read(fd, have, sizeof(have) - 1) >= 0);
	assert_string_equal(have, text);
	close(fd);
}

static mode_t mode_of(const char *name)
{
	struct stat st;

	assert_int_equal(lstat(in(name), &st), 0);
	return st.st_mode;
}

static void assert_refused(const char *name, u32 files, int err, const char *words)
{
	struct kt_str why = {};
	bool created;

	assert_int_equal(kt_output_open(in(name), files, &created, &why), err);
	assert_false(created);
	assert_non_null(strstr(why.data, words));
	kt_str_free(&why);
}

static int taken(const char *name, u32 files, bool new)
{
	struct kt_str why = {};
	bool created;
	int fd = kt_output_open(in(name), files, &created, &why);

	assert_true(fd >= 0);
	assert_int_equal(created, new);
	assert_int_equal(why.len, 0);
	kt_str_free(&why);
	return fd;
}

static void a_new_file_is_for_its_owner(void **test)
{
	int fd = taken("new", 1, true);

	(void)test;
	assert_int_equal(mode_of("new"), S_IFREG | 0600);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
}

static void a_capture_stays_until_the_next_one_begins(void **test)
{
	int fd;

	(void)test;
	put("old", CAPTURE, 0666);
	fd = taken("old", 1, false);
	assert_holds("old", CAPTURE);
	assert_int_equal(mode_of("old"), S_IFREG | 0666);
	assert_int_equal(kt_output_empty(fd), 0);
	assert_holds("old", "");
	assert_int_equal(mode_of("old"), S_IFREG | 0600);
	close(fd);
	/* Empty, it is anybody's. */
	close(taken("old", 1, false));
}

static void other_files_are_left_alone(void **test)
{
	(void)test;
	put("text", "dear diary", 0600);
	put("short", "\x89KVM", 0600);
	assert_refused("text", 1, -EEXIST, "no capture");
	assert_refused("short", 1, -EEXIST, "no capture");
	assert_int_equal(kt_store_create(in("text"), false), -EEXIST);
	assert_int_equal(kt_store_create(in("text"), true), -EEXIST);
	assert_holds("text", "dear diary");
	assert_refused("", 1, -EISDIR, "directory");
	assert_refused("none/there", 1, -ENOENT, "No such file");
}

/* Its owner could read what is recorded. */
static void files_of_others_are_left_alone(void **test)
{
	(void)test;
	if (geteuid())
		skip();
	put("theirs", CAPTURE, 0666);
	assert_int_equal(chown(in("theirs"), 4711, 4711), 0);
	assert_refused("theirs", 1, -EPERM, "another user");
	assert_int_equal(truncate(in("theirs"), 0), 0);
	assert_refused("theirs", 1, -EPERM, "another user");
	assert_int_equal(unlink(in("theirs")), 0);
}

static void links_and_devices_are_followed(void **test)
{
	int fd;

	(void)test;
	assert_int_equal(symlink("beyond", in("link")), 0);
	close(taken("link", 1, false));
	assert_int_equal(mode_of("beyond"), S_IFREG | 0600);
	put("beyond", "text", 0600);
	assert_refused("link", 1, -EEXIST, "no capture");
	assert_int_equal(symlink("/dev/null", in("device")), 0);
	fd = taken("device", 1, false);
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_WRONLY);
	assert_int_equal(kt_output_empty(fd), 0);
	close(fd);
}

static void only_regular_files_rotate(void **test)
{
	(void)test;
	put("plain", CAPTURE, 0600);
	assert_int_equal(symlink("plain", in("to-plain")), 0);
	assert_int_equal(mkfifo(in("fifo"), 0600), 0);
	assert_int_equal(symlink("/dev/null", in("to-null")), 0);
	assert_int_equal(symlink("nothing", in("to-nothing")), 0);
	assert_refused("to-plain", 2, -EINVAL, "only regular files");
	assert_refused("fifo", 2, -EINVAL, "only regular files");
	assert_refused("to-null", 2, -EINVAL, "only regular files");
	assert_refused("to-nothing", 2, -EINVAL, "only regular files");
	assert_int_equal(access(in("nothing"), F_OK), -1);
	close(taken("plain", 2, false));
	assert_holds("plain", CAPTURE);
}

static void rotation_overwrites_captures_only(void **test)
{
	(void)test;
	put("r.1", CAPTURE, 0600);
	put("r.2", "dear diary", 0600);
	put("r.3", CAPTURE, 0600);
	/* The names are r and r.1, then r.2 too. */
	close(taken("r", 2, true));
	assert_refused("r", 3, -EEXIST, "/r.2");
	assert_refused("r", 10000, -EEXIST, "no capture");
	assert_int_equal(unlink(in("r.2")), 0);
	assert_int_equal(symlink("r.1", in("r.2")), 0);
	assert_refused("r", 4, -EINVAL, "/r.2");
	assert_int_equal(unlink(in("r.2")), 0);
	close(taken("r", 4, false));
}

static void names_shift(void **test)
{
	(void)test;
	put("s", "newest", 0600);
	put("s.1", "older", 0600);
	put("s.2", "oldest", 0600);
	put("s.3", "beyond", 0600);
	assert_int_equal(kt_output_shift(in("s"), 3), 0);
	assert_int_equal(access(in("s"), F_OK), -1);
	assert_holds("s.1", "newest");
	assert_holds("s.2", "older");
	assert_holds("s.3", "beyond");
	assert_int_equal(kt_output_shift(in("s"), 3), 0);
	assert_int_equal(access(in("s.1"), F_OK), -1);
	assert_holds("s.2", "newest");
	assert_int_equal(mkdir(in("s.1"), 0700), 0);
	put("s", "next", 0600);
	assert_int_equal(kt_output_shift(in("s"), 2), -EISDIR);
	assert_holds("s", "next");
	assert_int_equal(rmdir(in("s.1")), 0);
}

/* What closing takes is known beforehand: whoever bounds a file relies on it. */
static void the_end_is_as_long_as_said(void **test)
{
	struct kt_row_msr row = {};
	struct kt_writer_stats stats;
	struct file file;
	u32 i;

	(void)test;
	file_begin(&file);
	assert_int_equal(kt_writer_stats(file.w).largest, 0);
	for (i = 0; i < 5000; i++) {
		row.head.ts = i;
		kt_writer_add(file.w, KT_ROW_MSR, &row);
		assert_int_equal(kt_writer_flush(file.w), 0);
	}
	stats = kt_writer_stats(file.w);
	assert_int_equal(kt_writer_bytes(file.w), stats.bytes);
	/* A block's header, and not much in it. */
	assert_in_range(stats.largest, 65, 300);
	file_end(&file);
	assert_in_range(file.n, stats.bytes + 1, stats.bytes + stats.closing);
	file_free(&file);
}

static void without_a_file_events_are_dropped(void **test)
{
	const struct kt_writer_options options = { .schema = &kt_kinds };
	struct kt_row_msr row = {};
	struct kt_writer *w = kt_writer_new(&options);

	(void)test;
	assert_non_null(w);
	assert_int_equal(kt_writer_add(w, KT_ROW_MSR, &row), -EINVAL);
	assert_int_equal(kt_writer_stats(w).dropped, 1);
	assert_int_equal(kt_writer_stats(w).pending, 0);
	assert_int_equal(kt_writer_close(w), 0);
	w = kt_writer_new(&options);
	assert_int_equal(kt_writer_begin(w, open("/dev/full", O_WRONLY)), -ENOSPC);
	assert_int_equal(kt_writer_add(w, KT_ROW_MSR, &row), -ENOSPC);
	assert_int_equal(kt_writer_close(w), -ENOSPC);
}

static int make_folder(void **state)
{
	(void)state;
	umask(0);
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_file_is_for_its_owner),
		cmocka_unit_test(a_capture_stays_until_the_next_one_begins),
		cmocka_unit_test(other_files_are_left_alone),
		cmocka_unit_test(files_of_others_are_left_alone),
		cmocka_unit_test(links_and_devices_are_followed),
		cmocka_unit_test(only_regular_files_rotate),
		cmocka_unit_test(rotation_overwrites_captures_only),
		cmocka_unit_test(names_shift),
		cmocka_unit_test(the_end_is_as_long_as_said),
		cmocka_unit_test(without_a_file_events_are_dropped),
	};

	return cmocka_run_group_tests_name("store_output", tests, make_folder, remove_folder);
}
