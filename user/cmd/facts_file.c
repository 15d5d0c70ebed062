/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "../lib/log.h"
#include "../lib/out.h"
#include "facts_file.h"

/* More than the parser takes, so that it can say so. */
#define READ_LIMIT (1024 * 1024)

static int read_all(int fd, struct kt_str *text)
{
	char part[8192];
	ssize_t n;

	while (text->len < READ_LIMIT && (n = read(fd, part, sizeof(part)))) {
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			kt_str_add_n(text, part, n);
	}
	return 0;
}

enum kt_status kt_facts_load(const char *path, struct kt_facts *facts)
{
	bool standard = strcmp(path, "-") == 0;
	int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC), err;
	struct kt_str text = {}, why = {};

	err = fd < 0 ? -errno : read_all(fd, &text);
	if (!standard && fd >= 0)
		close(fd);
	if (err)
		kt_str_add(&why, strerror(-err));
	else
		err = kt_facts_parse(facts, text.data ? text.data : "", text.len, &why);
	if (err)
		kt_err("%s: %s", path, why.data);
	kt_str_free(&text);
	kt_str_free(&why);
	return err ? KT_FAILED : KT_OK;
}

enum kt_status kt_facts_save(const char *path, const struct kt_facts *facts)
{
	struct kt_out *out = kt_out_open(path);
	struct kt_str text = {};

	if (!out)
		return KT_FAILED;
	kt_facts_format(facts, &text);
	kt_out_write(out, text.data, text.len);
	kt_str_free(&text);
	return kt_out_close(out);
}
