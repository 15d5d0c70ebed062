/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>

#include "../lib/clock.h"
#include "../lib/log.h"
#include "../sink/units.h"
#include "../store/kinds.h"
#include "../store/output.h"
#include "capture_file.h"

/* What the events that wait for their block may still take, at least. */
#define PENDING_BYTES (64u << 10)

static bool is_stdout(const struct kt_capture_file *f)
{
	return strcmp(f->opts.path, "-") == 0;
}

static const char *name_of(const struct kt_capture_file *f)
{
	return is_stdout(f) ? "standard output" : f->opts.path;
}

static int open_stdout(struct kt_str *why)
{
	struct stat st;
	int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);

	if (fd < 0 || fstat(fd, &st)) {
		kt_str_add(why, strerror(errno));
	} else if (S_ISREG(st.st_mode) && st.st_size) {
		kt_str_add(why, "the file is not empty ('>>' does not work)");
	} else {
		signal(SIGPIPE, SIG_IGN);
		return fd;
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

enum kt_status kt_capture_open(struct kt_capture_file *f, const struct kt_capture_file_opts *opts)
{
	const struct kt_writer_options options = { .schema = &kt_kinds };
	struct kt_str why = {};

	*f = (struct kt_capture_file) { .opts = *opts, .files = 1 };
	f->fd = is_stdout(f) ? open_stdout(&why)
			     : kt_output_open(opts->path, opts->rotate, &f->created, &why);
	if (f->fd < 0)
		kt_err("%s: %s", name_of(f), why.data);
	else if (isatty(f->fd))
		kt_err("a capture is not for a terminal: -o FILE, or redirect standard output");
	else if (!(f->writer = kt_writer_new(&options)))
		kt_err("%s: %s", name_of(f), strerror(EINVAL));
	kt_str_free(&why);
	if (!f->writer && f->fd >= 0)
		close(f->fd);
	return f->writer ? KT_OK : KT_FAILED;
}

bool kt_capture_takes_stdout(const char *path)
{
	struct stat there, out;

	if (strcmp(path, "-") == 0)
		return true;
	return !stat(path, &there) && !fstat(STDOUT_FILENO, &out) && !S_ISCHR(out.st_mode) &&
	       there.st_dev == out.st_dev && there.st_ino == out.st_ino;
}

bool kt_capture_begin(struct kt_capture_file *f)
{
	int fd = f->fd, err = kt_output_empty(fd);

	f->fd = -1;
	f->error = err;
	if (err) {
		kt_err("%s: %s", name_of(f), strerror(-err));
		close(fd);
		return false;
	}
	/* Should this fail, kt_capture_close() tells. */
	return kt_writer_begin(f->writer, fd) == 0;
}

struct kt_writer_stats kt_capture_stats(const struct kt_capture_file *f)
{
	struct kt_writer_stats stats = kt_writer_stats(f->writer);

	stats.bytes += f->past_bytes;
	stats.events += f->past_events;
	return stats;
}

/* ---- as long as it may be ---- */

static void give_up(struct kt_capture_file *f, int err)
{
	f->full = true;
	if (!f->error)
		f->error = err;
}

bool kt_capture_check_room(struct kt_capture_file *f)
{
	struct kt_writer_stats stats = kt_writer_stats(f->writer);
	struct kt_str bytes = {};
	bool room = !f->opts.max_bytes ||
		    stats.bytes + stats.closing + PENDING_BYTES < f->opts.max_bytes;

	if (!room) {
		kt_str_add_bytes(&bytes, stats.bytes);
		kt_err("--size leaves no room for events: what is known of the host and of its VMs "
		       "takes %s",
		       bytes.data);
		kt_str_free(&bytes);
		give_up(f, -EFBIG);
	}
	return room;
}

/* Fact "part", for the others are repeated: {"number": of the file, "begin_ns": CLOCK_MONOTONIC}. */
static void note_part(struct kt_capture_file *f)
{
	struct kt_str fact = {};

	kt_str_addf(&fact, "{\"number\": %u, \"begin_ns\": %llu}", f->files, kt_monotonic_ns());
	kt_writer_add_fact(f->writer, "part", fact.data, fact.len);
	kt_str_free(&fact);
}

static void rotate(struct kt_capture_file *f)
{
	struct kt_writer_stats stats;
	int err = kt_output_shift(f->opts.path, f->opts.rotate), fd;

	fd = err ? err : kt_store_create(f->opts.path, true);
	if (fd < 0) {
		kt_err("%s: %s", f->opts.path, strerror(-fd));
		give_up(f, fd);
		return;
	}
	/* What is pending goes to the old file. */
	kt_writer_flush(f->writer);
	stats = kt_writer_stats(f->writer);
	f->past_bytes += stats.bytes;
	f->past_events += stats.events;
	f->files++;
	err = kt_writer_rotate(f->writer, fd);
	note_part(f);
	/* If it is the new file's, kt_capture_close() tells. */
	if (err && !kt_writer_error(f->writer))
		kt_err("%s.1: %s: it ends with what was written by then", f->opts.path,
		       strerror(-err));
	if (err && !f->error)
		f->error = err;
	/* Else each file would be followed by the next one at once, and all events be gone with the oldest. */
	kt_capture_check_room(f);
}

/* One block more, which may be longer than those before, and it could be too long. */
static bool is_full(const struct kt_capture_file *f, const struct kt_writer_stats *stats)
{
	u64 block = 2 * stats->largest;

	return stats->bytes + stats->closing + (block > PENDING_BYTES ? block : PENDING_BYTES) >=
	       f->opts.max_bytes;
}

void kt_capture_check_size(struct kt_capture_file *f)
{
	struct kt_writer_stats stats = kt_writer_stats(f->writer);

	f->length = stats.bytes;
	if (!f->opts.max_bytes || f->full || !stats.events || !is_full(f, &stats))
		return;
	if (f->opts.rotate > 1)
		rotate(f);
	else
		f->full = true;
	f->length = kt_writer_bytes(f->writer);
}

enum kt_status kt_capture_close(struct kt_capture_file *f)
{
	int err = f->writer ? kt_writer_close(f->writer) : 0;

	if (f->writer && f->fd >= 0 && f->created)
		unlink(f->opts.path);
	if (f->writer && f->fd >= 0)
		close(f->fd);
	f->writer = NULL;
	if (err == -EPIPE && is_stdout(f))
		kt_err("standard output was closed: the capture ends there");
	else if (err)
		kt_err("%s: %s: the capture ends with what was written by then", name_of(f),
		       strerror(-err));
	return err || f->error ? KT_FAILED : KT_OK;
}
