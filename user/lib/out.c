/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "out.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "log.h"

#define FALLBACK_WIDTH 80 /* of terminals that do not know theirs, such as serial lines */

/*
 * A descriptor of our own, clear of 0 to 2: closing it reports what close() has to say without
 * taking standard output from the rest of the program, and messages never land in the file when
 * kvmtrace was started with standard error closed.
 */
static int open_output(const char *path)
{
	int fd, moved, err;

	if (!path)
		return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	/* Not repeated on EINTR: that is the user's way out of waiting for the reader of a FIFO. */
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0600);
	if (fd < 0 || fd > STDERR_FILENO)
		return fd;
	moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	err = errno;
	close(fd);
	errno = err;
	return moved;
}

struct kt_out *kt_out_open(const char *path)
{
	struct kt_out *o;
	int fd;

	if (path && !strcmp(path, "-"))
		path = NULL;
	fd = open_output(path);
	if (fd < 0) {
		kt_err("cannot open %s for writing: %s", path ? path : "standard output",
		       strerror(errno));
		return NULL;
	}
	signal(SIGPIPE, SIG_IGN);
	o = kt_alloc(sizeof(*o));
	o->name = kt_strdup(path ? path : "standard output");
	o->fd = fd;
	o->tty = isatty(fd);
	return o;
}

/* Returns 0 when a write() that failed is worth repeating, else the error. */
static int wait_writable(int fd, int error)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	if (error == EINTR)
		return 0;
	/* Whoever shares our terminal or pipe may have made it non-blocking. */
	if (error != EAGAIN)
		return -error;
	if (poll(&p, 1, -1) < 0 && errno != EINTR)
		return -errno;
	return 0;
}

static void write_all(struct kt_out *o, const char *bytes, size_t n)
{
	while (n && !o->error) {
		ssize_t done = write(o->fd, bytes, n);

		if (done < 0) {
			o->error = wait_writable(o->fd, errno);
		} else if (done == 0) {
			o->error = -EIO; /* no progress and no reason: do not spin */
		} else {
			bytes += done;
			n -= done;
		}
	}
}

void kt_out_write(struct kt_out *o, const char *bytes, size_t n)
{
	kt_out_reserve(o, n);
	if (n > KT_OUT_SIZE) {
		write_all(o, bytes, n);
		return;
	}
	memcpy(kt_out_room(o), bytes, n);
	o->len += n;
}

int kt_out_flush(struct kt_out *o)
{
	write_all(o, o->buffer, o->len);
	o->len = 0;
	return o->error;
}

int kt_out_error(const struct kt_out *o)
{
	return o->error;
}

bool kt_out_is_tty(const struct kt_out *o)
{
	return o->tty;
}

bool kt_out_colour(const struct kt_out *o)
{
	const char *no = getenv("NO_COLOR"); /* set and not empty */

	return o->tty && (!no || !no[0]);
}

unsigned int kt_out_width(const struct kt_out *o)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;
	u64 width;

	if (!o->tty)
		return 0;
	if (!ioctl(o->fd, TIOCGWINSZ, &size) && size.ws_col)
		return size.ws_col;
	if (columns && !kt_parse_u64(columns, 1, 65535, &width))
		return width;
	return FALLBACK_WIDTH;
}

enum kt_status kt_out_close(struct kt_out *o)
{
	enum kt_status status = KT_OK;
	int err = kt_out_flush(o);

	/* Linux has let go of the descriptor also when close() was interrupted. */
	if (close(o->fd) && errno != EINTR && !err)
		err = -errno;
	if (err && err != -EPIPE) {
		kt_err("cannot write to %s: %s", o->name, strerror(-err));
		status = KT_FAILED;
	}
	free(o->name);
	free(o);
	return status;
}
