/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A line on the terminal that tells how far long work has come, and is written over again and again. */
#ifndef KT_CMD_PROGRESS_H
#define KT_CMD_PROGRESS_H

#include "../lib/str.h"

struct kt_progress {
	bool shown; /* a line of it is on the terminal */
};

/* Whether there is a terminal to show it on: standard error. */
bool kt_progress_wanted(void);
/* Shows text in place of what was shown before. */
void kt_progress_show(struct kt_progress *p, const struct kt_str *text);
/* Takes it away, so that other lines can follow. */
void kt_progress_end(struct kt_progress *p);

#endif
