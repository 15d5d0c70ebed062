/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Where results go: standard output or -o FILE, buffered, every write checked. */
#ifndef KT_LIB_OUT_H
#define KT_LIB_OUT_H

#include "util.h"

#define KT_OUT_SIZE  (64 * 1024)
#define KT_OUT_SLACK 128

/* Its fields are for out.c and for what is inline below. */
struct kt_out {
	char *name; /* for messages */
	int fd;
	int error; /* negative errno; 0 while all is well */
	bool tty;
	size_t len;
	char buffer[KT_OUT_SIZE + KT_OUT_SLACK];
};

/*
 * path NULL or "-": standard output. Otherwise the file is created or truncated (mode 0600: traces
 * hold addresses of guests). Returns NULL after logging why. SIGPIPE is ignored from here on, which
 * exec hands on: a child that is to run another program must restore it.
 */
struct kt_out *kt_out_open(const char *path);
/* What goes in by one call is not torn between two writes while it fits the buffer (64 KiB). */
void kt_out_write(struct kt_out *o, const char *bytes, size_t n);
/*
 * The same without a copy: when there is room for n bytes, or has been made (n at most KT_OUT_SIZE),
 * they may be written to kt_out_room(); kt_out_commit() then says how far that went. Up to KT_OUT_SLACK
 * bytes behind the n may be scribbled on.
 */
static inline bool kt_out_has_room(const struct kt_out *o, size_t n);
static inline void kt_out_reserve(struct kt_out *o, size_t n);
static inline char *kt_out_room(struct kt_out *o);
static inline void kt_out_commit(struct kt_out *o, const char *end);
/* Hands everything to the kernel. Returns 0, or the first error ever met: -EPIPE, -ENOSPC, … */
int kt_out_flush(struct kt_out *o);
/* The sticky first error, 0 when none. After one, writes are dropped. */
int kt_out_error(const struct kt_out *o);
bool kt_out_is_tty(const struct kt_out *o);
/* A terminal, and the user hasn't set NO_COLOR. */
bool kt_out_colour(const struct kt_out *o);
/*
 * Columns of the terminal; of one that does not know, COLUMNS, else 80. 0 when the output is no
 * terminal (then nothing is narrowed).
 */
unsigned int kt_out_width(const struct kt_out *o);
/*
 * Flushes and closes. Returns the exit status the output deserves: KT_OK, also when the reader of a
 * pipe has gone (EPIPE: it has seen what it wanted); KT_FAILED with one logged sentence otherwise.
 */
enum kt_status kt_out_close(struct kt_out *o);

static inline bool kt_out_has_room(const struct kt_out *o, size_t n)
{
	return __builtin_expect(n <= KT_OUT_SIZE - o->len, 1);
}

static inline void kt_out_reserve(struct kt_out *o, size_t n)
{
	/* Flushed before, not when full: then the reader of a pipe gets whole lines. */
	if (!kt_out_has_room(o, n))
		kt_out_flush(o);
}

static inline char *kt_out_room(struct kt_out *o)
{
	return o->buffer + o->len;
}

static inline void kt_out_commit(struct kt_out *o, const char *end)
{
	o->len = (size_t)(end - o->buffer);
}

#endif
