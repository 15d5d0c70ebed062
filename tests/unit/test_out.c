/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* user/lib/out.c: every way an output can fail, and those in which it must not. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* posix_openpt() and its kin */
#endif

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../user/lib/out.h"

/* ---- descriptors 0 to 2 in other hands for a while ---- */

struct stand_in {
	int fd, real;
};

static struct stand_in replace_fd(int fd, int by)
{
	struct stand_in s = { fd, -1 };

	fflush(NULL);
	s.real = fcntl(fd, F_DUPFD_CLOEXEC, 100);
	assert_true(s.real >= 100);
	if (by < 0)
		close(fd);
	else
		dup2(by, fd);
	return s;
}

static void restore_fd(struct stand_in s)
{
	dup2(s.real, s.fd);
	close(s.real);
}

/* ---- what is said on standard error ---- */

struct capture {
	FILE *file;
	struct stand_in stderr_fd;
	char text[512];
};

static void capture_begin(struct capture *c)
{
	c->file = tmpfile();
	assert_non_null(c->file);
	c->stderr_fd = replace_fd(STDERR_FILENO, fileno(c->file));
}

static const char *capture_end(struct capture *c)
{
	ssize_t n = pread(fileno(c->file), c->text, sizeof(c->text) - 1, 0);

	restore_fd(c->stderr_fd);
	fclose(c->file);
	assert_true(n >= 0);
	c->text[n] = '\0';
	return c->text;
}

static void assert_close_fails(struct kt_out *o, const char *said)
{
	struct capture c;
	enum kt_status status;

	capture_begin(&c);
	status = kt_out_close(o);
	assert_string_equal(capture_end(&c), said);
	assert_int_equal(status, KT_FAILED);
}

static void assert_open_fails(const char *path, const char *said)
{
	struct capture c;
	struct kt_out *o;

	capture_begin(&c);
	o = kt_out_open(path);
	assert_string_equal(capture_end(&c), said);
	assert_null(o);
}

/* Opens the write end of a pipe by name: there is no other way to hand a pipe over. */
static struct kt_out *open_pipe(int *reader)
{
	char path[64];
	struct kt_out *o;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[1]);
	o = kt_out_open(path);
	assert_non_null(o);
	close(fds[1]);
	*reader = fds[0];
	return o;
}

static size_t read_whole(int fd, char *bytes, size_t size)
{
	size_t total = 0;
	ssize_t n;

	while (total < size && (n = read(fd, bytes + total, size - total)) > 0)
		total += n;
	return total;
}

/* A long text in which every place differs from those near it. */
static void fill(char *bytes, size_t n)
{
	u32 x = 12345;

	for (size_t i = 0; i < n; i++) {
		x = x * 1103515245 + 12345;
		bytes[i] = x >> 16;
	}
}

/* ---- where it goes ---- */

static void makes_private_file(void **state)
{
	char path[] = "/tmp/kvmtrace-test-XXXXXX", text[64];
	int fd = mkstemp(path);
	mode_t mask = umask(0);
	struct kt_out *o;
	struct stat st;

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	unlink(path);
	o = kt_out_open(path);
	assert_non_null(o);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	kt_out_write(o, "hello, ", 7);
	kt_out_write(o, "world\n", 6);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 0);
	assert_int_equal(kt_out_flush(o), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 13);
	assert_false(kt_out_is_tty(o));
	assert_int_equal(kt_out_width(o), 0);
	kt_out_write(o, "!\n", 2);
	assert_int_equal(kt_out_close(o), KT_OK);
	fd = open(path, O_RDONLY);
	assert_int_equal(read_whole(fd, text, sizeof(text)), 15);
	assert_memory_equal(text, "hello, world\n!\n", 15);
	close(fd);

	/* Opened again, it is truncated. */
	o = kt_out_open(path);
	assert_non_null(o);
	assert_int_equal(kt_out_close(o), KT_OK);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 0);
	unlink(path);
	umask(mask);
}

static void goes_to_standard_output(void **state)
{
	static const char *const names[] = { NULL, "-" };

	(void)state;
	for (size_t i = 0; i < KT_ARRAY_SIZE(names); i++) {
		FILE *file = tmpfile();
		struct stand_in stdout_fd = replace_fd(STDOUT_FILENO, fileno(file));
		struct kt_out *o = kt_out_open(names[i]);
		enum kt_status status;
		ssize_t after;
		char text[16];

		kt_out_write(o, "one ", 4);
		status = kt_out_close(o);
		after = write(STDOUT_FILENO, "two", 3); /* still open */
		restore_fd(stdout_fd);
		assert_int_equal(status, KT_OK);
		assert_int_equal(after, 3);
		assert_int_equal(pread(fileno(file), text, sizeof(text), 0), 7);
		assert_memory_equal(text, "one two", 7);
		fclose(file);
	}
}

static void stays_clear_of_standard_descriptors(void **state)
{
	FILE *file = tmpfile();
	struct stand_in stdin_fd;
	char path[64];
	struct kt_out *o;
	int flags;

	(void)state;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fileno(file));
	stdin_fd = replace_fd(STDIN_FILENO, -1);
	o = kt_out_open(path);
	flags = fcntl(STDIN_FILENO, F_GETFD);
	kt_out_write(o, "x", 1);
	assert_int_equal(kt_out_close(o), KT_OK);
	restore_fd(stdin_fd);
	assert_int_equal(flags, -1);
	assert_int_equal(lseek(fileno(file), 0, SEEK_END), 1);
	fclose(file);
}

static void says_why_it_cannot_open(void **state)
{
	struct stand_in stdout_fd;
	struct capture c;
	struct kt_out *o;

	(void)state;
	assert_open_fails("/proc/self", "kvmtrace: error: cannot open /proc/self for writing: "
					"Is a directory\n");
	assert_open_fails("/no/such\ndirectory",
			  "kvmtrace: error: cannot open /no/such\\x0adirectory for writing: "
			  "No such file or directory\n");
	capture_begin(&c);
	stdout_fd = replace_fd(STDOUT_FILENO, -1);
	o = kt_out_open(NULL);
	restore_fd(stdout_fd);
	assert_string_equal(capture_end(&c),
			    "kvmtrace: error: cannot open standard output for writing: "
			    "Bad file descriptor\n");
	assert_null(o);
}

/* ---- failure ---- */

static const char disk_full[] = "kvmtrace: error: cannot write to /dev/full: "
				"No space left on device\n";

static void full_device_is_an_error(void **state)
{
	struct kt_out *o = kt_out_open("/dev/full");

	(void)state;
	assert_non_null(o);
	kt_out_write(o, "lost", 4);
	assert_int_equal(kt_out_error(o), 0);
	assert_int_equal(kt_out_flush(o), -ENOSPC);
	assert_int_equal(kt_out_error(o), -ENOSPC);
	kt_out_write(o, "dropped", 7);
	assert_int_equal(kt_out_flush(o), -ENOSPC);
	assert_close_fails(o, disk_full);

	/* Met by close alone. */
	o = kt_out_open("/dev/full");
	kt_out_write(o, "lost", 4);
	assert_close_fails(o, disk_full);
}

static void error_shows_without_flush(void **state)
{
	struct kt_out *o = kt_out_open("/dev/full");

	(void)state;
	for (int i = 0; i < 200000 && !kt_out_error(o); i++)
		kt_out_write(o, "0123456789", 10);
	assert_int_equal(kt_out_error(o), -ENOSPC);
	assert_close_fails(o, disk_full);
}

static void gone_reader_is_no_failure(void **state)
{
	struct capture c;
	struct kt_out *o;
	enum kt_status status;
	int reader;

	(void)state;
	o = open_pipe(&reader);
	kt_out_write(o, "seen\n", 5);
	assert_int_equal(kt_out_flush(o), 0);
	close(reader);
	kt_out_write(o, "unseen\n", 7);
	assert_int_equal(kt_out_flush(o), -EPIPE);
	assert_int_equal(kt_out_error(o), -EPIPE);
	kt_out_write(o, "dropped\n", 8);
	assert_int_equal(kt_out_flush(o), -EPIPE);
	capture_begin(&c);
	status = kt_out_close(o);
	assert_string_equal(capture_end(&c), "");
	assert_int_equal(status, KT_OK);
}

static void close_is_checked(void **state)
{
	struct kt_out *o;
	struct capture c;
	enum kt_status status;
	int next;

	(void)state;
	capture_begin(&c);
	next = fcntl(STDERR_FILENO, F_DUPFD, 3);
	close(next);
	o = kt_out_open("/dev/null");
	close(next); /* behind its back */
	status = kt_out_close(o);
	assert_string_equal(capture_end(&c), "kvmtrace: error: cannot write to /dev/null: "
					     "Bad file descriptor\n");
	assert_int_equal(status, KT_FAILED);
}

/* ---- what must not fail ---- */

#define STREAM_SIZE 1000000

static volatile sig_atomic_t alarms;

static void on_alarm(int sig)
{
	(void)sig;
	alarms++;
}

/* Tells by the exit status whether all bytes arrive in order. */
static _Noreturn void read_slowly(int reader, const char *expected)
{
	char bytes[4096];
	size_t at = 0;
	ssize_t n;

	while ((n = read(reader, bytes, sizeof(bytes))) > 0) {
		if (at + n > STREAM_SIZE || memcmp(bytes, expected + at, n))
			_exit(1);
		at += n;
		usleep(500);
	}
	_exit(at == STREAM_SIZE ? 0 : 2);
}

static void write_stream(struct kt_out *o, const char *bytes)
{
	size_t at = 0;

	/* Pieces of 1 to 100000 bytes: some beyond the buffer. */
	for (size_t n = 1; at < STREAM_SIZE; n = n * 7 % 100003) {
		size_t piece = n < STREAM_SIZE - at ? n : STREAM_SIZE - at;

		kt_out_write(o, bytes + at, piece);
		at += piece;
	}
}

/*
 * A million bytes through a pipe to a slow reader, while a timer interrupts (alarm_us 0: does
 * not).
 */
static void stream_to_slow_reader(int pipe_flags, suseconds_t alarm_us)
{
	static char bytes[STREAM_SIZE];
	struct sigaction action = { .sa_handler = on_alarm }, old_action;
	struct itimerval timer = { { 0, alarm_us }, { 0, alarm_us } },
			 never = { { 0, 0 }, { 0, 0 } };
	struct stand_in stdout_fd;
	struct kt_out *o;
	int fds[2], err, status;
	pid_t pid;

	fill(bytes, sizeof(bytes));
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		close(fds[1]);
		read_slowly(fds[0], bytes);
	}
	assert_int_equal(fcntl(fds[1], F_SETFL, pipe_flags), 0);
	stdout_fd = replace_fd(STDOUT_FILENO, fds[1]);
	close(fds[0]);
	close(fds[1]);
	o = kt_out_open(NULL);
	sigaction(SIGALRM, &action, &old_action);
	setitimer(ITIMER_REAL, &timer, NULL);
	write_stream(o, bytes);
	err = kt_out_flush(o);
	setitimer(ITIMER_REAL, &never, NULL);
	sigaction(SIGALRM, &old_action, NULL);
	status = kt_out_close(o);
	restore_fd(stdout_fd);
	assert_int_equal(err, 0);
	assert_int_equal(status, KT_OK);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void survives_signals(void **state)
{
	(void)state;
	alarms = 0;
	stream_to_slow_reader(0, 1000);
	assert_true(alarms > 10);
}

static void survives_non_blocking_output(void **state)
{
	(void)state;
	stream_to_slow_reader(O_NONBLOCK, 0);
	stream_to_slow_reader(O_NONBLOCK, 1000);
}

static void put_line(struct kt_out *o, const char *line, size_t n)
{
	kt_out_write(o, line, n);
}

/* As much is scribbled on as may be. */
static void put_line_in_place(struct kt_out *o, const char *line, size_t n)
{
	if (!kt_out_has_room(o, n))
		kt_out_reserve(o, n);
	assert_true(kt_out_has_room(o, n));
	memset(kt_out_room(o), '?', n + KT_OUT_SLACK);
	memcpy(kt_out_room(o), line, n);
	kt_out_commit(o, kt_out_room(o) + n);
}

/* A socket of packets shows where each write() ended. */
static void stream_lines(void (*put)(struct kt_out *o, const char *line, size_t n))
{
	struct stand_in stdout_fd;
	static char packet[200000], line[101];
	struct kt_out *o;
	size_t total = 0;
	int fds[2], packets = 0;
	ssize_t n;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	stdout_fd = replace_fd(STDOUT_FILENO, fds[1]);
	close(fds[1]);
	o = kt_out_open(NULL);
	memset(line, 'x', 100);
	line[100] = '\n';
	for (int i = 0; i < 1400; i++)
		put(o, line, 101);
	kt_out_close(o);
	restore_fd(stdout_fd);
	while ((n = recv(fds[0], packet, sizeof(packet), 0)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(packet[i], i % 101 == 100 ? '\n' : 'x');
		assert_int_equal(packet[n - 1], '\n');
		total += n;
		packets++;
	}
	close(fds[0]);
	assert_int_equal(total, 1400 * 101);
	assert_int_equal(packets, 3); /* 648 lines fill 64 KiB */
}

static void keeps_lines_whole(void **state)
{
	(void)state;
	stream_lines(put_line);
}

static void keeps_lines_whole_in_place(void **state)
{
	(void)state;
	stream_lines(put_line_in_place);
}

/* The whole buffer for one, and no more. */
static void has_room_for_its_size(void **state)
{
	struct kt_out *o = kt_out_open("/dev/null");

	(void)state;
	assert_true(kt_out_has_room(o, 65536));
	assert_false(kt_out_has_room(o, 65537));
	put_line_in_place(o, "x", 1);
	assert_true(kt_out_has_room(o, 65535));
	assert_false(kt_out_has_room(o, 65536));
	kt_out_reserve(o, 65536);
	assert_true(kt_out_has_room(o, 65536));
	assert_int_equal(kt_out_close(o), KT_OK);
}

/* ---- terminals ---- */

static void knows_the_width_of_terminals(void **state)
{
	static const struct {
		unsigned short ws_col;
		const char *columns;
		unsigned int width;
	} cases[] = {
		{ 132, NULL, 132 }, { 132, "40", 132 },	 { 0, "40", 40 }, { 0, NULL, 80 },
		{ 0, "0", 80 },	    { 0, "wide", 80 },	 { 0, "", 80 },	  { 0, "-5", 80 },
		{ 1, NULL, 1 },	    { 0, "999999", 80 },
	};
	int master = posix_openpt(O_RDWR | O_NOCTTY);
	struct kt_out *o;

	(void)state;
	assert_true(master >= 0);
	assert_int_equal(grantpt(master), 0);
	assert_int_equal(unlockpt(master), 0);
	o = kt_out_open(ptsname(master));
	assert_non_null(o);
	assert_true(kt_out_is_tty(o));
	for (size_t i = 0; i < KT_ARRAY_SIZE(cases); i++) {
		struct winsize size = { .ws_col = cases[i].ws_col };

		assert_int_equal(ioctl(master, TIOCSWINSZ, &size), 0);
		if (cases[i].columns)
			setenv("COLUMNS", cases[i].columns, 1);
		else
			unsetenv("COLUMNS");
		assert_int_equal(kt_out_width(o), cases[i].width);
	}
	assert_int_equal(kt_out_close(o), KT_OK);
	close(master);

	/* COLUMNS narrows nothing where there is no terminal. */
	setenv("COLUMNS", "40", 1);
	o = kt_out_open("/dev/null");
	assert_false(kt_out_is_tty(o));
	assert_int_equal(kt_out_width(o), 0);
	kt_out_close(o);
	unsetenv("COLUMNS");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(makes_private_file),
		cmocka_unit_test(goes_to_standard_output),
		cmocka_unit_test(stays_clear_of_standard_descriptors),
		cmocka_unit_test(says_why_it_cannot_open),
		cmocka_unit_test(full_device_is_an_error),
		cmocka_unit_test(error_shows_without_flush),
		cmocka_unit_test(gone_reader_is_no_failure),
		cmocka_unit_test(close_is_checked),
		cmocka_unit_test(survives_signals),
		cmocka_unit_test(survives_non_blocking_output),
		cmocka_unit_test(keeps_lines_whole),
		cmocka_unit_test(keeps_lines_whole_in_place),
		cmocka_unit_test(has_room_for_its_size),
		cmocka_unit_test(knows_the_width_of_terminals),
	};

	return cmocka_run_group_tests_name("out", tests, NULL, NULL);
}
