/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/mount.h>

#include "tracefs.h"

ssize_t kt_read_at(int dir, const char *path, char *text, size_t size)
{
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = 1;

	text[0] = '\0';
	if (fd < 0)
		return -errno;
	while (n > 0 && len < size - 1) {
		n = read(fd, text + len, size - 1 - len);
		len += n > 0 ? n : 0;
	}
	n = n < 0 ? -errno : (ssize_t)len;
	text[n < 0 ? 0 : len] = '\0';
	close(fd);
	return n;
}

/* The directory at path if the trace file system is mounted there. */
static int open_mounted(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int events, err;

	if (fd < 0)
		return -errno;
	events = openat(fd, "events", O_PATH | O_CLOEXEC);
	if (events >= 0) {
		close(events);
		return fd;
	}
	err = -errno;
	close(fd);
	return err;
}

static int mount_own(void)
{
	int fs = fsopen("tracefs", FSOPEN_CLOEXEC);
	int fd;

	if (fs < 0)
		return -errno;
	fd = fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	if (fd == 0)
		fd = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	if (fd < 0)
		fd = -errno;
	close(fs);
	return fd;
}

int kt_tracefs_open(void)
{
	static const char *const places[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };
	bool denied = false;
	int fd;

	for (size_t i = 0; i < KT_ARRAY_SIZE(places); i++) {
		fd = open_mounted(places[i]);
		if (fd >= 0)
			return fd;
		denied |= fd == -EACCES;
	}
	fd = mount_own();
	if (fd >= 0)
		return fd;
	return denied ? -EACCES : -ENOENT;
}

int kt_tracepoint_id(int tracefs, const char *group, const char *name)
{
	char path[128], text[32];
	ssize_t len;
	u64 id;

	if (tracefs < 0)
		return tracefs;
	snprintf(path, sizeof(path), "events/%s/%s/id", group, name);
	len = kt_read_at(tracefs, path, text, sizeof(text));
	if (len < 0)
		return len;
	text[strcspn(text, "\n")] = '\0';
	return kt_parse_u64(text, 1, 0x7fffffff, &id) ? -EINVAL : (int)id;
}

/* The last word of a field's declaration, "char comm[16]": its beginning, *len is its length. */
static const char *field_name(const char *declaration, const char *end, size_t *len)
{
	const char *begin;

	if (end > declaration && end[-1] == ']')
		while (end > declaration && *end != '[')
			end--;
	begin = end;
	while (begin > declaration && (isalnum((unsigned char)begin[-1]) || begin[-1] == '_'))
		begin--;
	*len = end - begin;
	return begin;
}

/* A line "\tfield:TYPE NAME;\toffset:O;\tsize:S;…" as "NAME:O:S"; 0: no such line, or a common one. */
static size_t read_field(const char *line, char *field, size_t size)
{
	static const char start[] = "\tfield:", common[] = "common_";
	const char *end = line + strcspn(line, ";\n"), *name;
	u32 offset, bytes;
	size_t len;
	int n;

	if (strncmp(line, start, strlen(start)) != 0 ||
	    sscanf(end, ";\toffset:%5u;\tsize:%5u;", &offset, &bytes) != 2)
		return 0;
	name = field_name(line + strlen(start), end, &len);
	if (!len || len > 64 || strncmp(name, common, strlen(common)) == 0)
		return 0;
	n = snprintf(field, size, "%.*s:%u:%u", (int)len, name, offset, bytes);
	return (size_t)n < size ? n : 0;
}

void kt_tracefs_record(const char *format, char *record, size_t size)
{
	size_t used = 0, len;
	char field[96];
	const char *end;

	record[0] = '\0';
	for (; (end = strchr(format, '\n')); format = end + 1) {
		len = read_field(format, field, sizeof(field));
		if (!len)
			continue;
		if (used + 1 + len >= size)
			return;
		if (used)
			record[used++] = ' ';
		memcpy(record + used, field, len + 1);
		used += len;
	}
}
