/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What goes to a struct kt_out, as text. Include after cmocka.h. */
#ifndef KT_TEST_CAPTURE_H
#define KT_TEST_CAPTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../../user/lib/out.h"

/* A group's setup: the times in that text are UTC. */
static inline int capture_in_utc(void **state)
{
	(void)state;
	setenv("TZ", "UTC0", 1);
	tzset();
	return 0;
}

struct capture {
	FILE *file;
	struct kt_out *out;
	char text[65536];
};

static inline void capture_open(struct capture *c)
{
	char path[64];

	c->file = tmpfile();
	assert_non_null(c->file);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fileno(c->file));
	c->out = kt_out_open(path);
	assert_non_null(c->out);
}

static inline void capture_close(struct capture *c)
{
	ssize_t n;

	assert_int_equal(kt_out_close(c->out), KT_OK);
	n = pread(fileno(c->file), c->text, sizeof(c->text) - 1, 0);
	assert_true(n >= 0);
	c->text[n] = '\0';
	fclose(c->file);
}

#endif
