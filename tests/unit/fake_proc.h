/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A /proc made of ordinary files, links and directories below a new temporary directory. Include it
 * first: it wants _GNU_SOURCE.
 */
#ifndef KT_TESTS_FAKE_PROC_H
#define KT_TESTS_FAKE_PROC_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../user/lib/util.h"

static char top[PATH_MAX / 4], proc[PATH_MAX / 2], debugfs[PATH_MAX / 2];

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline int fake_proc_setup(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	snprintf(top, sizeof(top), "%s/kt-fake-proc-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(top) || chmod(top, 0755))
		return -1;
	snprintf(proc, sizeof(proc), "%s/proc", top);
	snprintf(debugfs, sizeof(debugfs), "%s/debug", top);
	return mkdir(proc, 0755) || mkdir(debugfs, 0755);
}

static inline int fake_proc_teardown(void **state)
{
	(void)state;
	return nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Makes the directories above a path. */
static inline void make_dirs(char *path)
{
	for (char *p = strchr(path + strlen(top) + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		assert_true(!mkdir(path, 0755) || errno == EEXIST);
		*p = '/';
	}
}

static inline void put_n(const char *root, const char *name, const void *bytes, size_t len)
{
	char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	make_dirs(path);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static inline void put(const char *root, const char *name, const char *text)
{
	put_n(root, name, text, strlen(text));
}

static inline void put_link(const char *name, const char *target)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", proc, name);
	make_dirs(path);
	assert_int_equal(symlink(target, path), 0);
}

/* The line of /proc/PID/stat: state, flags (field 9) and start time (field 22) as given. */
static inline void put_stat(u32 pid, const char *comm, const char *state, unsigned int flags,
			    u64 start)
{
	char name[64], text[512];

	snprintf(name, sizeof(name), "%u/stat", pid);
	snprintf(text, sizeof(text),
		 "%u (%s) %s 1 2 3 0 -1 %u 4 5 6 7 8 9 10 11 20 0 2 0 %llu 5555 666 "
		 "18446744073709551615 1 1\n",
		 pid, comm, state, flags, start);
	put(proc, name, text);
}

static inline void put_process(u32 pid, const char *comm, u64 start, const char *cmdline,
			       size_t len)
{
	char name[64], text[512];

	put_stat(pid, comm, "S", 4194560, start);
	snprintf(name, sizeof(name), "%u/status", pid);
	snprintf(text, sizeof(text),
		 "Name:\tx\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t%u\nNgid:\t0\nPid:\t%u\n"
		 "VmPeak:\t  900000 kB\nVmRSS:\t    2048 kB\nHugetlbPages:\t 1048576 kB\n",
		 pid, pid);
	put(proc, name, text);
	snprintf(name, sizeof(name), "%u/cmdline", pid);
	put_n(proc, name, cmdline, len);
	snprintf(name, sizeof(name), "%u/cgroup", pid);
	put(proc, name, "0::/user.slice\n");
	snprintf(name, sizeof(name), "%u/fd/0", pid);
	put_link(name, "/dev/null");
}

static inline void put_fd(u32 pid, u32 fd, const char *target)
{
	char name[64];

	snprintf(name, sizeof(name), "%u/fd/%u", pid, fd);
	put_link(name, target);
}

static inline void remove_process(u32 pid)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%u", proc, pid);
	assert_int_equal(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

#endif
