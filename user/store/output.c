/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frame.h"

#define MODE 0600

static int refuse(struct kt_str *why, int err, const char *text)
{
	kt_str_add(why, text ? text : strerror(-err));
	return err;
}

static bool is_capture(int fd)
{
	u8 header[KT_FILE_HEADER] = {};
	struct kt_file_header ignored;

	/* Any that was meant to be one: damaged, or of another version. */
	return pread(fd, header, sizeof(header), 0) > 0 &&
	       kt_get_file_header(header, &ignored) != -EINVAL;
}

static int check_replaceable(int fd, struct kt_str *why)
{
	static const char no_capture[] =
		"is there already and is no capture; remove it, or take another name";
	struct stat st;

	if (fstat(fd, &st))
		return refuse(why, -errno, NULL);
	if (!S_ISREG(st.st_mode))
		return refuse(why, -EEXIST, no_capture);
	if (st.st_uid != geteuid())
		return refuse(why, -EPERM,
			      "belongs to another user; remove it, or take another name");
	return !st.st_size || is_capture(fd) ? 0 : refuse(why, -EEXIST, no_capture);
}

static int open_regular(const char *path, int flags, bool *created)
{
	int fd;

	flags |= O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	fd = open(path, flags | O_CREAT | O_EXCL, MODE);
	*created = fd >= 0;
	if (fd >= 0 || errno != EEXIST)
		return fd < 0 ? -errno : fd;
	/* Without O_CREAT: with it /proc/sys/fs/protected_regular would say EACCES for others' files. */
	fd = open(path, flags);
	if (fd < 0 && errno == ENOENT)
		fd = open(path, flags | O_CREAT,
			  MODE); /* a symbolic link to what is not there yet */
	return fd < 0 ? -errno : fd;
}

static const char *name(struct kt_str *s, const char *path, u32 i)
{
	kt_str_reset(s);
	kt_str_add(s, path);
	if (i)
		kt_str_addf(s, ".%u", i);
	return s->data;
}

/* Of a rotation: one that is not path itself says which it is. */
static int check_name(const char *path, u32 i, struct kt_str *why)
{
	struct stat st;
	int fd, err;

	if (lstat(path, &st))
		return errno == ENOENT ? 0 : refuse(why, -errno, NULL);
	if (i)
		kt_str_addf(why, "the rotation would overwrite %s, which ", path);
	if (!S_ISREG(st.st_mode))
		return refuse(why, -EINVAL,
			      i ? "is no capture" : "only regular files can be rotated");
	if (!i)
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return refuse(why, -errno, "cannot be read");
	err = check_replaceable(fd, why);
	close(fd);
	if (!err)
		kt_str_reset(why);
	return err;
}

static int check_names(const char *path, u32 files, struct kt_str *why)
{
	struct kt_str s = {};
	int err = 0;

	for (u32 i = 0; i < files && !err; i++)
		err = check_name(name(&s, path, i), i, why);
	kt_str_free(&s);
	return err;
}

int kt_output_open(const char *path, u32 files, bool *created, struct kt_str *why)
{
	bool rotates = files > 1;
	struct stat st;
	int err = rotates ? check_names(path, files, why) : 0, fd;

	*created = false;
	if (err)
		return err;
	/* Not opened for reading: a FIFO would then never tell that its reader has gone. */
	if (!rotates && !stat(path, &st) && !S_ISREG(st.st_mode)) {
		fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
		return fd < 0 ? refuse(why, -errno, NULL) : fd;
	}
	fd = open_regular(path, rotates ? O_NOFOLLOW : 0, created);
	if (fd < 0)
		return refuse(why, fd, NULL);
	err = *created ? 0 : check_replaceable(fd, why);
	if (!err)
		return fd;
	close(fd);
	return err;
}

int kt_output_empty(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return 0;
	/* A file system without modes has none to change. */
	if (st.st_mode & 077 && fchmod(fd, MODE) && errno != EPERM && errno != ENOTSUP)
		return -errno;
	return st.st_size && ftruncate(fd, 0) ? -errno : 0;
}

int kt_store_create(const char *path, bool fresh)
{
	struct kt_str why = {};
	bool created;
	int fd, err;

	if (fresh) {
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, MODE);
		return fd < 0 ? -errno : fd;
	}
	fd = kt_output_open(path, 1, &created, &why);
	kt_str_free(&why);
	err = fd < 0 ? 0 : kt_output_empty(fd);
	if (!err)
		return fd;
	close(fd);
	return err;
}

int kt_output_shift(const char *path, u32 files)
{
	struct kt_str from = {}, to = {};
	int err = 0;

	for (u32 i = files - 1; i > 0 && !err; i--)
		if (rename(name(&from, path, i - 1), name(&to, path, i)) && errno != ENOENT)
			err = -errno;
	kt_str_free(&from);
	kt_str_free(&to);
	return err;
}
