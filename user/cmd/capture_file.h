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
	struct kt_writer *writer; /* NULL when the file could not be opened */
	int fd;			  /* until the capture begins; -1: none */
	bool created;		  /* the file was not there before */
	bool full;  /* as long as it may be, and there is no other: nothing more should go in */
	int error;  /* the first one, said already; the one of the writer's last file aside */
	u64 length; /* of this file when its size was last looked at */
	u64 past_bytes, past_events; /* of the files before this one */
	u32 files;
};

/*
 * Opens the file; what is in it stays. One that is there must be empty, or a capture of the user's own. Logs
 * why when it fails.
 */
enum kt_status kt_capture_open(struct kt_capture_file *f, const struct kt_capture_file_opts *opts);
/* Is standard output, a file or a pipe, where path leads? Then nobody else should print there. */
bool kt_capture_takes_stdout(const char *path);
/* Empties the file and begins the capture. Logs; false: events will be dropped. */
bool kt_capture_begin(struct kt_capture_file *f);
/* What is known beforehand has been written: is there room left for events? If not, it is full, and logs. */
bool kt_capture_check_room(struct kt_capture_file *f);
/* Ends the file that is as long as it may be, and begins the next one. */
void kt_capture_check_size(struct kt_capture_file *f);
struct kt_writer_stats kt_capture_stats(const struct kt_capture_file *f);
/*
 * Ends the file. Logs what went wrong. KT_FAILED when anything has since it was opened. A file that was
 * made in vain is removed.
 */
enum kt_status kt_capture_close(struct kt_capture_file *f);

/* After every few events: only when they have become a block there is anything to check. */
static inline void kt_capture_added(struct kt_capture_file *f)
{
	if (kt_writer_bytes(f->writer) != f->length)
		kt_capture_check_size(f);
}

#endif
