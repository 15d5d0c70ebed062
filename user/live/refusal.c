/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What libbpf says while it loads. It returns an errno only; which program the kernel refused, and
 * the verifier's reason, are in its messages alone.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <bpf/libbpf.h>

#include "../lib/log.h"
#include "session_priv.h"

/* libbpf's callback takes no context. */
static struct kt_refusal *watched;

/* "prog 'NAME': …", with "libbpf: " before it: index of the program, -1. */
static int named_program(const char *text)
{
	const char *name = strstr(text, "prog '"), *end = name ? strchr(name + 6, '\'') : NULL;
	char copy[64];

	if (!end || end[1] != ':' || (size_t)(end - name - 6) >= sizeof(copy))
		return -1;
	snprintf(copy, sizeof(copy), "%.*s", (int)(end - name - 6), name + 6);
	return kt_program_find(copy);
}

/* What the verifier says last, before its statistics: that is what it stumbled over. */
static bool add_verdict(struct kt_str *why, const char *log)
{
	const char *line = NULL, *at = strchr(log, '\n');
	size_t len = 0;

	while (at && *++at) {
		size_t n = strcspn(at, "\n");

		if (strncmp(at, "processed ", 10) == 0 || strncmp(at, "-- END", 6) == 0)
			break;
		/* Indented and numbered lines are the program's own text and states. */
		if (n && *at != ' ' && *at != ';' && !(*at >= '0' && *at <= '9')) {
			line = at;
			len = n;
		}
		at += n;
	}
	if (line)
		kt_str_add_n(why, line, len);
	return line;
}

static void take(const char *text)
{
	int program = named_program(text);

	if (program < 0) {
		/* Without a program's name the last such message stands. */
		if (watched->program < 0) {
			kt_str_reset(&watched->why);
			kt_str_add_n(&watched->why, text, strcspn(text, "\n"));
		}
		return;
	}
	if (watched->program < 0)
		kt_str_reset(&watched->why);
	watched->program = program;
	if (strstr(text, "BEGIN PROG LOAD LOG")) {
		struct kt_str verdict = {};

		if (add_verdict(&verdict, text)) {
			kt_str_reset(&watched->why);
			kt_str_add(&watched->why, verdict.data);
		}
		kt_str_free(&verdict);
	} else if (!watched->why.len) {
		text = strstr(text, "': ") + 3;
		kt_str_add_n(&watched->why, text, strcspn(text, "\n"));
	}
}

static int print(enum libbpf_print_level level, const char *fmt, va_list args)
{
	struct kt_str text = {};

	if (level != LIBBPF_WARN && kt_log_verbosity() < 2)
		return 0;
	kt_str_vaddf(&text, fmt, args);
	if (level == LIBBPF_WARN && watched)
		take(text.data);
	if (kt_log_verbosity() >= 2)
		kt_debug("%s", text.data);
	kt_str_free(&text);
	return 0;
}

void kt_refusal_watch(struct kt_refusal *refusal)
{
	watched = refusal;
	libbpf_set_print(print);
}
