/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Messages to the user, on stderr, one line each: "kvmtrace: …". They are made safe as
 * kt_str_add_safe() does, so a newline inside becomes \x0a; newlines at the end are dropped.
 * errno is kept, and %m works.
 */
#ifndef KT_LIB_LOG_H
#define KT_LIB_LOG_H

#include "util.h"

/* 0: errors, warnings and notices; 1 (-v): how and why; 2 (-vv): libbpf's own messages as well. */
void kt_log_set_verbosity(int level);
int kt_log_verbosity(void);

void kt_err(const char *fmt, ...) KT_PRINTF(1, 2);   /* "kvmtrace: error: …" */
void kt_warn(const char *fmt, ...) KT_PRINTF(1, 2);  /* "kvmtrace: warning: …" */
void kt_note(const char *fmt, ...) KT_PRINTF(1, 2);  /* "kvmtrace: …", always shown */
void kt_info(const char *fmt, ...) KT_PRINTF(1, 2);  /* "kvmtrace: …", with -v */
void kt_debug(const char *fmt, ...) KT_PRINTF(1, 2); /* with -vv; may hold several lines */

#endif
