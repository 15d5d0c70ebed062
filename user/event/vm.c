/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Reading one process from /proc. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vm_proc.h"

/* ENOENT: gone before the file was opened. ESRCH: gone between open and read. */
static int proc_error(int err)
{
	if (err == ENOENT || err == ESRCH)
		return -ESRCH;
	if (err == EPERM)
		return -EACCES;
	return -err;
}

int kt_proc_open(int root, u32 pid)
{
	char name[16];
	int dir;

	snprintf(name, sizeof(name), "%u", pid);
	dir = openat(root, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir < 0 ? proc_error(errno) : dir;
}

ssize_t kt_proc_read(int dir, const char *path, char *buf, size_t size)
{
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = 0;

	if (fd < 0)
		return proc_error(errno);
	while (len < size - 1) {
		n = read(fd, buf + len, size - 1 - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	n = n < 0 ? proc_error(errno) : (ssize_t)len;
	close(fd);
	buf[len] = '\0';
	return n;
}

bool kt_proc_number(const char **p, u64 *value)
{
	const char *s = *p;
	u64 n = 0;

	if (*s < '0' || *s > '9')
		return false;
	for (; *s >= '0' && *s <= '9'; s++) {
		if (__builtin_mul_overflow(n, 10ull, &n) ||
		    __builtin_add_overflow(n, (u64)(*s - '0'), &n))
			return false;
	}
	*p = s;
	*value = n;
	return true;
}

bool kt_proc_number_u32(const char *text, u32 *value)
{
	u64 n;

	if (!kt_proc_number(&text, &n) || *text || n > UINT32_MAX)
		return false;
	*value = (u32)n;
	return true;
}

/* Moves over n blank-separated fields; NULL when there are fewer. */
static const char *skip_fields(const char *p, unsigned int n)
{
	while (n-- && p) {
		p = strchr(p, ' ');
		if (p)
			p++;
	}
	return p;
}

/*
 * The command's name stands in parentheses and may itself hold blanks, parentheses and line feeds:
 * only the last ')' ends it. Field numbers as in proc(5), "/proc/pid/stat".
 */
static int parse_stat(const char *text, struct kt_proc_stat *stat)
{
	const char *begin = strchr(text, '('), *end = strrchr(text, ')'), *flags, *start;

	if (!begin || !end || end < begin || end[1] != ' ' || !end[2])
		return -EINVAL;
	snprintf(stat->comm, sizeof(stat->comm), "%.*s", (int)(end - begin - 1), begin + 1);
	stat->state = end[2]; /* field 3 */
	flags = skip_fields(end + 2, 9 - 3);
	start = flags ? skip_fields(flags, 22 - 9) : NULL;
	if (!start || !kt_proc_number(&flags, &stat->flags) ||
	    !kt_proc_number(&start, &stat->start_time))
		return -EINVAL;
	return 0;
}

int kt_proc_stat(int dir, struct kt_proc_stat *stat)
{
	char text[4096];
	ssize_t n = kt_proc_read(dir, "stat", text, sizeof(text));

	return n < 0 ? (int)n : parse_stat(text, stat);
}

/* Value of a line "NAME:   123 kB" of /proc/PID/status; name includes the colon. */
static bool status_value(const char *text, const char *name, u64 *value)
{
	size_t len = strlen(name);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		if (*line == '\n')
			line++;
		if (strncmp(line, name, len))
			continue;
		line += len;
		line += strspn(line, " \t");
		return kt_proc_number(&line, value);
	}
	return false;
}

int kt_proc_tgid(int dir, u32 fallback, u32 *tgid)
{
	char text[1024]; /* Tgid is the fourth line; Groups, further down, may be very long */
	ssize_t n = kt_proc_read(dir, "status", text, sizeof(text));
	u64 value;

	if (n < 0)
		return (int)n;
	*tgid = fallback;
	if (status_value(text, "Tgid:", &value) && value && value <= UINT32_MAX)
		*tgid = (u32)value;
	return 0;
}

/* VmRSS leaves out hugetlbfs, where the memory of large guests often lies. */
static u64 resident_bytes(const char *status)
{
	static const char *const parts[] = { "VmRSS:", "HugetlbPages:" };
	u64 total = 0, kib;

	for (size_t i = 0; i < KT_ARRAY_SIZE(parts); i++) {
		if (status_value(status, parts[i], &kib) && kib <= (UINT64_MAX >> 12))
			total += kib << 10;
	}
	return total;
}

/* A part that is missing (no cgroups in the kernel) or may not be read (hidepid=) is empty. */
static size_t read_part(int dir, const char *path, char *buf, size_t size)
{
	ssize_t n = kt_proc_read(dir, path, buf, size);

	if (n >= 0)
		return (size_t)n;
	buf[0] = '\0';
	return 0;
}

int kt_vm_read_dir(int dir, u32 pid, struct kt_vm *vm)
{
	const size_t cgroup_max = 64u << 10;
	struct kt_proc_stat stat;
	char *text, *cgroup;
	size_t len;
	u64 rss;
	int err;

	text = kt_realloc(NULL, KT_VM_CMDLINE_MAX + 1);
	cgroup = kt_realloc(NULL, cgroup_max);
	read_part(dir, "status", text, KT_VM_CMDLINE_MAX + 1);
	rss = resident_bytes(text);
	read_part(dir, "cgroup", cgroup, cgroup_max);
	len = read_part(dir, "cmdline", text, KT_VM_CMDLINE_MAX + 1);
	/* Last, since a process that is still there now was there all the time. */
	err = kt_proc_stat(dir, &stat);
	if (!err) {
		vm->pid = pid;
		vm->start_time = stat.start_time;
		vm->rss_bytes = rss;
		kt_vm_identify(text, len, cgroup, stat.comm, &vm->identity);
	}
	free(cgroup);
	free(text);
	return err;
}

/* Opens the directory of the thread-group leader of a task. */
static int open_leader(int root, u32 pid, u32 *tgid)
{
	int dir = kt_proc_open(root, pid), err;

	if (dir < 0)
		return dir;
	err = kt_proc_tgid(dir, pid, tgid);
	if (!err && *tgid == pid)
		return dir;
	close(dir);
	return err ? err : kt_proc_open(root, *tgid);
}

int kt_vm_read(const char *proc_root, u32 pid, struct kt_vm *vm)
{
	int root, dir, err;
	u32 tgid = pid;

	memset(vm, 0, sizeof(*vm));
	root = open(proc_root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	dir = open_leader(root, pid, &tgid);
	close(root);
	if (dir < 0)
		return dir;
	err = kt_vm_read_dir(dir, tgid, vm);
	close(dir);
	if (err)
		memset(vm, 0, sizeof(*vm));
	return err;
}

void kt_vm_fini(struct kt_vm *vm)
{
	kt_vm_identity_free(&vm->identity);
	free(vm->vcpus);
	memset(vm, 0, sizeof(*vm));
}
