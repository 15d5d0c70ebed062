/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The trace file system, and small files of the kernel's in general. */
#ifndef KT_LIVE_TRACEFS_H
#define KT_LIVE_TRACEFS_H

#include <sys/types.h>

#include "../lib/util.h"

/*
 * A directory of the trace file system: where it is mounted, else a mount of our own, which has no
 * place in the file tree and ends with this process. -EACCES when it is there but denied, -ENOENT.
 */
int kt_tracefs_open(void);

/*
 * Reads a file from below the directory dir (or AT_FDCWD) into text, cut off to size - 1 bytes and
 * always terminated. Returns its length or a negative errno; then text is "".
 */
ssize_t kt_read_at(int dir, const char *path, char *text, size_t size);

/*
 * The number of a tracepoint ("kvm", "kvm_exit") for perf_event_open(2), or a negative errno. tracefs
 * may be a negative errno itself, which is returned.
 */
int kt_tracepoint_id(int tracefs, const char *group, const char *name);

/*
 * From a tracepoint's format file the fields of its record, without the common ones: "NAME:OFFSET:SIZE",
 * separated by a blank. Fields for which size leaves no room are left out. A line cut off doesn't count.
 */
void kt_tracefs_record(const char *format, char *record, size_t size);

#endif
