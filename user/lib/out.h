/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Where results go: standard output or -o FILE, buffered, every write checked. */
#ifndef KT_LIB_OUT_H
#define KT_LIB_OUT_H

#include "util.h"

struct kt_out;

/*
 * path NULL or "-": standard output. Otherwise the file is created or truncated (mode 0600: traces
 * hold addresses of guests). Returns NULL after logging why. SIGPIPE is ignored from here on, which
 * exec hands on: a child that is to run another program must restore it.
 */
struct kt_out *kt_out_open(const char *path);
/* What goes in by one call is not torn between two writes while it fits the buffer (64 KiB). */
void kt_out_write(struct kt_out *o, const char *bytes, size_t n);
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

#endif
