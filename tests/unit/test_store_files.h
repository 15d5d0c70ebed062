/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Captures in memory, for the tests of user/store. Include after cmocka.h. */
#ifndef KT_TEST_STORE_FILES_H
#define KT_TEST_STORE_FILES_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../user/store/kinds.h"
#include "../../user/store/output.h"
#include "../../user/store/reader.h"
#include "../../user/store/writer.h"

#define TAG 0x5eed1234u

struct file {
	struct kt_writer *w;
	int fd;
	u8 *bytes;
	size_t n;
};

/* A file without a name: the writer has one descriptor, file->fd is another. */
static inline int nameless(struct file *file)
{
	file->fd = memfd_create("capture", MFD_CLOEXEC);
	assert_true(file->fd >= 0);
	return dup(file->fd);
}

static inline void file_begin_as(struct file *file, const struct kt_store_schema *schema)
{
	const struct kt_writer_options options = { .schema = schema, .tag = TAG };

	*file = (struct file) {};
	assert_int_equal(kt_writer_open(&file->w, nameless(file), &options), 0);
}

static inline void file_begin(struct file *file)
{
	file_begin_as(file, &kt_kinds);
}

/* What is in the file now, in memory of just that size, so that ASan sees who reads too far. */
static inline void file_load(struct file *file)
{
	struct stat st;

	assert_int_equal(fstat(file->fd, &st), 0);
	free(file->bytes);
	file->n = (size_t)st.st_size;
	file->bytes = malloc(file->n + !file->n);
	assert_non_null(file->bytes);
	assert_int_equal(pread(file->fd, file->bytes, file->n, 0), (ssize_t)file->n);
}

static inline void file_end(struct file *file)
{
	assert_int_equal(kt_writer_close(file->w), 0);
	file->w = NULL;
	file_load(file);
}

static inline void file_free(struct file *file)
{
	free(file->bytes);
	close(file->fd);
}

/* Opens what must be readable. */
static inline struct kt_reader *must_open(const void *bytes, size_t n)
{
	struct kt_str why = {};
	struct kt_reader *r = NULL;
	int err = kt_reader_open_memory(&r, bytes, n, &kt_kinds, &why);

	if (err)
		fail_msg("%s", why.data);
	kt_str_free(&why);
	return r;
}

#endif
