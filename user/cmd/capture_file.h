/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The file, or the row of files, that kvmtrace record writes. */
#ifndef KT_CMD_CAPTURE_FILE_H
#define KT_CMD_CAPTURE_FILE_H

#include "../lib/str.h"
#include "../store/writer.h"

struct kt_capture_file_opts {
	const char *path; /* "-": standard output */
	u64 max_bytes;	  /* of each file; 0: no limit */
	u32 rotate;	  /* how many files there may be: FILE, FILE.1, …; 0, 1: only FILE */
};

struct kt_capture_file {
	struct kt_capture_file_opts opts;
	struct kt_writer *writer; /* NULL when it could not be opened */
	bool full;		  /* as long as it may be, and there is no rotation */
	u64 past_bytes, past_events, past_dropped; /* of the files before this one */
	u32 files;
};

/*
 * Creates the file; one that is there is overwritten only if it is a capture, or empty. Logs why when it
 * fails.
 */
enum kt_status kt_capture_open(struct kt_capture_file *f, const struct kt_capture_file_opts *opts);
/* After some events: ends the file that is as long as it may be, and begins the next one. */
void kt_capture_check_size(struct kt_capture_file *f);
struct kt_writer_stats kt_capture_stats(const struct kt_capture_file *f);
/* Ends the file. Logs what went wrong since it was opened: KT_FAILED then. */
enum kt_status kt_capture_close(struct kt_capture_file *f);

#endif
