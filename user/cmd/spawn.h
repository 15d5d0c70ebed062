/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* "-- COMMAND": a program that is started when tracing has begun. */
#ifndef KT_CMD_SPAWN_H
#define KT_CMD_SPAWN_H

#include <sys/types.h>

#include "../lib/util.h"

struct kt_child {
	pid_t pid;	/* 0: none */
	int ended;	/* readable once it has ended; its pidfd */
	int go, failed; /* pipes: to let it begin, and its errno when it can't */
	bool runs;	/* it is the program now */
};

/*
 * Makes the process, which waits. Logs; argv as for exec. apart: standard output is taken, the program's
 * goes where its standard error does.
 */
enum kt_status kt_child_prepare(struct kt_child *child, char **argv, bool apart);
/* Lets it begin. Logs, and returns KT_FAILED, when the program cannot be run. */
enum kt_status kt_child_begin(struct kt_child *child, const char *name);
/* At the end: says how it ended if that wasn't well, or that it goes on. One that never began ends. */
void kt_child_finish(struct kt_child *child, const char *name);

#endif
