/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Which program, and which version of it, a process runs: read from its file, never by running it. */
#ifndef KT_EVENT_PROGRAM_H
#define KT_EVENT_PROGRAM_H

#include "../lib/util.h"

/* As much of a file as is looked at for its version; QEMU's program has 20 to 30 MiB. */
#define KT_PROGRAM_MAX (64u << 20)

struct kt_program {
	char path[4096]; /* as the kernel has it: " (deleted)" may stand behind it; or empty */
	u64 size;
	char build_id[2 * 64 + 1]; /* hexadecimal, or empty: it has none */
	char version[128];	   /* "7.2.22 (Debian …)", or empty: the program doesn't say */
};

/*
 * Reads DIR/exe, where DIR is a process's directory in proc. What was found in the last few files is
 * remembered. Returns 0 or a negative errno; *program is all zero then.
 */
int kt_program_read(int dir, struct kt_program *program);

#endif
