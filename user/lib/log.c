/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "str.h"

static int verbosity;

void kt_log_set_verbosity(int level)
{
	verbosity = level;
}

int kt_log_verbosity(void)
{
	return verbosity;
}

/* One write a line, so that lines of several processes on one stderr do not mix. */
static void write_line(const char *prefix, const char *text)
{
	struct kt_str line = { 0 };
	size_t done = 0;

	kt_str_add(&line, prefix);
	kt_str_add_safe(&line, text);
	kt_str_add_char(&line, '\n');
	while (done < line.len) {
		ssize_t n = write(STDERR_FILENO, line.data + done, line.len - done);

		if (n > 0)
			done += n;
		else if (n == 0 || errno != EINTR)
			break; /* there is nowhere left to complain */
	}
	kt_str_free(&line);
}

static void log_one(const char *prefix, const char *fmt, va_list args)
{
	struct kt_str text = { 0 };
	int saved_errno = errno;

	kt_str_vaddf(&text, fmt, args);
	while (text.len && text.data[text.len - 1] == '\n')
		text.data[--text.len] = '\0';
	write_line(prefix, text.data);
	kt_str_free(&text);
	errno = saved_errno;
}

/* libbpf hands over the verifier's log, many lines, as one message. */
static void log_lines(const char *prefix, const char *fmt, va_list args)
{
	struct kt_str text = { 0 };
	int saved_errno = errno;
	char *save = NULL;

	kt_str_vaddf(&text, fmt, args);
	for (char *line = strtok_r(text.data, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		write_line(prefix, line);
	kt_str_free(&text);
	errno = saved_errno;
}

void kt_err(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_one("kvmtrace: error: ", fmt, args);
	va_end(args);
}

void kt_warn(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_one("kvmtrace: warning: ", fmt, args);
	va_end(args);
}

void kt_note(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_one("kvmtrace: ", fmt, args);
	va_end(args);
}

void kt_info(const char *fmt, ...)
{
	va_list args;

	if (verbosity < 1)
		return;
	va_start(args, fmt);
	log_one("kvmtrace: ", fmt, args);
	va_end(args);
}

void kt_debug(const char *fmt, ...)
{
	va_list args;

	if (verbosity < 2)
		return;
	va_start(args, fmt);
	log_lines("kvmtrace: ", fmt, args);
	va_end(args);
}
