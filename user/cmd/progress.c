/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <unistd.h>

#include "progress.h"

#define REST_OF_LINE "\033[K" /* is cleared */

bool kt_progress_wanted(void)
{
	return isatty(STDERR_FILENO);
}

static bool put(const char *text, size_t len)
{
	return write(STDERR_FILENO, text, len) > 0;
}

void kt_progress_show(struct kt_progress *p, const struct kt_str *text)
{
	struct kt_str line = {};

	kt_str_add_char(&line, '\r');
	kt_str_add_n(&line, text->data, text->len);
	kt_str_add(&line, REST_OF_LINE);
	p->shown = put(line.data, line.len);
	kt_str_free(&line);
}

void kt_progress_end(struct kt_progress *p)
{
	if (p->shown)
		put("\r" REST_OF_LINE, sizeof("\r" REST_OF_LINE) - 1);
	p->shown = false;
}
