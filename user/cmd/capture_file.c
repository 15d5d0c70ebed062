/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>

#include "../lib/log.h"
#include "../store/kinds.h"
#include "capture_file.h"

/* What the events that wait for their block may still take, usually. */
#define PENDING_BYTES (64u << 10)

/* How every capture begins: kvmtrace-capture(5). */
static const char magic[] = "\x89KVMT\r\n\x1a";

static bool is_stdout(const struct kt_capture_file *f)
{
	return strcmp(f->opts.path, "-") == 0;
}

/* May this file be overwritten? */
static bool is_ours(int fd)
{
	char begin[sizeof(magic) - 1];
	struct stat st;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return !S_ISREG(st.st_mode); /* a pipe, a device */
	if (st.st_size == 0)
		return true;
	return read(fd, begin, sizeof(begin)) == (ssize_t)sizeof(begin) &&
	       memcmp(begin, magic, sizeof(begin)) == 0;
}

/* Logs. */
static bool may_write(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool may = true;

	if (fd < 0)
		return true; /* creating it will say what is wrong */
	may = is_ours(fd);
	close(fd);
	if (!may)
		kt_err("%s: is there already and is no capture; remove it, or take another name",
		       path);
	return may;
}

static const char *name_of(const struct kt_capture_file *f)
{
	return is_stdout(f) ? "standard output" : f->opts.path;
}

static int open_stdout(void)
{
	if (isatty(STDOUT_FILENO)) {
		kt_err("a capture is not for a terminal: -o FILE, or redirect standard output");
		return -1;
	}
	signal(SIGPIPE, SIG_IGN);
	return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
}

static int open_path(const char *path)
{
	int fd;

	if (!may_write(path))
		return -1;
	fd = kt_store_create(path, false);
	if (fd < 0)
		kt_err("%s: %s", path, strerror(-fd));
	return fd;
}

enum kt_status kt_capture_open(struct kt_capture_file *f, const struct kt_capture_file_opts *opts)
{
	const struct kt_writer_options options = { .schema = &kt_kinds };
	int fd, err;

	*f = (struct kt_capture_file) { .opts = *opts, .files = 1 };
	fd = is_stdout(f) ? open_stdout() : open_path(opts->path);
	if (fd < 0)
		return KT_FAILED;
	err = kt_writer_open(&f->writer, fd, &options);
	if (err) {
		kt_err("%s: %s", name_of(f), strerror(-err));
		f->writer = NULL;
		return KT_FAILED;
	}
	return KT_OK;
}

struct kt_writer_stats kt_capture_stats(const struct kt_capture_file *f)
{
	struct kt_writer_stats stats = kt_writer_stats(f->writer);

	stats.bytes += f->past_bytes;
	stats.events += f->past_events;
	stats.dropped += f->past_dropped;
	return stats;
}

/* FILE becomes FILE.1, FILE.1 becomes FILE.2, …, and the oldest goes. */
static int shift_names(const struct kt_capture_file *f)
{
	struct kt_str from = {}, to = {};
	int err = 0;

	for (u32 i = f->opts.rotate - 1; i > 0 && !err; i--) {
		kt_str_reset(&from);
		kt_str_reset(&to);
		kt_str_add(&from, f->opts.path);
		if (i > 1)
			kt_str_addf(&from, ".%u", i - 1);
		kt_str_addf(&to, "%s.%u", f->opts.path, i);
		if (rename(from.data, to.data) && errno != ENOENT)
			err = -errno;
	}
	kt_str_free(&from);
	kt_str_free(&to);
	return err;
}

static void rotate(struct kt_capture_file *f)
{
	struct kt_writer_stats stats;
	int err = shift_names(f), fd;

	fd = err ? err : kt_store_create(f->opts.path, true);
	if (fd < 0) {
		kt_err("%s: %s", f->opts.path, strerror(-fd));
		f->full = true;
		return;
	}
	/* What is pending goes to the old file. */
	kt_writer_flush(f->writer);
	stats = kt_writer_stats(f->writer);
	f->past_bytes += stats.bytes;
	f->past_events += stats.events;
	f->past_dropped += stats.dropped;
	f->files++;
	err = kt_writer_rotate(f->writer, fd);
	if (err)
		kt_err("%s.1: %s", f->opts.path, strerror(-err));
}

void kt_capture_check_size(struct kt_capture_file *f)
{
	u64 limit = f->opts.max_bytes;

	if (!limit || f->full ||
	    kt_writer_stats(f->writer).bytes + KT_STORE_CLOSE_BYTES + PENDING_BYTES < limit)
		return;
	if (f->opts.rotate > 1 && !is_stdout(f))
		rotate(f);
	else
		f->full = true;
}

enum kt_status kt_capture_close(struct kt_capture_file *f)
{
	int err = f->writer ? kt_writer_close(f->writer) : 0;

	f->writer = NULL;
	if (err == -EPIPE && is_stdout(f))
		kt_err("standard output was closed: the capture ends there");
	else if (err)
		kt_err("%s: %s: the capture ends with what was written by then", name_of(f),
		       strerror(-err));
	return err ? KT_FAILED : KT_OK;
}
