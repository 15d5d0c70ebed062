/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The files that captures go to. What is there already is overwritten with care. */
#ifndef KT_STORE_OUTPUT_H
#define KT_STORE_OUTPUT_H

#include "../lib/str.h"

/*
 * Creates a file for a capture, mode 0600: it holds addresses of guests. fresh: -EEXIST when
 * there is one; else as kt_output_open() and kt_output_empty(). Returns a descriptor or a
 * negative errno.
 */
int kt_store_create(const char *path, bool fresh);

/*
 * Opens a file for a capture and leaves what is in it for kt_output_empty(); *created: it was not
 * there before. A regular file that was there must be a capture, or empty, and belong to us: whoever
 * else owns it may read it whatever its mode. Other kinds (devices, pipes) are taken as they are.
 * files > 1: kt_output_shift() will rename path to path.1 and so on; then all these names must be
 * such regular files, or not there.
 * Returns a descriptor, or a negative errno with the reason in why.
 */
int kt_output_open(const char *path, u32 files, bool *created, struct kt_str *why);
/* Before a capture begins in it: empties a regular file, and takes it from all other users. */
int kt_output_empty(int fd);

/* path becomes path.1, path.1 becomes path.2, …; files of them stay, a new path among them. */
int kt_output_shift(const char *path, u32 files);

#endif
