/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Reading the host: /proc, fdinfo, tracefs. */
#include "cost.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define TRACEFS	  "/sys/kernel/tracing/"
#define PATH_LEN  128
#define FILE_LEN  65536
#define SETTLE_NS 1000000
#define SEEN_MAX  256
#define RQ_TIME	  7 /* word of /proc/schedstat's cpu line, the first being 0 (sched-stats.rst) */
#define SESSION_ID                                                                                 \
	3 /* word of /proc/PID/stat after the command's name: state, ppid, pgrp, session */
#define STAT_WORDS 16

void kt_die(const char *fmt, ...)
{
	va_list ap;

	fputs("cost: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

size_t kt_read_file(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n;

	buf[0] = '\0';
	if (fd < 0)
		return 0;
	while (len < size - 1 && (n = read(fd, buf + len, size - 1 - len)) > 0)
		len += (size_t)n;
	close(fd);
	buf[len] = '\0';
	return len;
}

uint64_t kt_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * KT_NSEC + (uint64_t)t.tv_nsec;
}

void kt_sleep_ns(uint64_t ns)
{
	struct timespec t = { .tv_sec = (time_t)(ns / KT_NSEC), .tv_nsec = (long)(ns % KT_NSEC) };

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &t) == EINTR)
		;
}

/* The nr-th word of a text, as a number. */
static uint64_t word_u64(const char *text, int nr)
{
	while (nr--) {
		text += strcspn(text, " \n");
		text += strspn(text, " \n");
	}
	return strtoull(text, NULL, 10);
}

/* The number after a word, wherever that stands; 0 without. */
static uint64_t after(const char *text, const char *word)
{
	const char *found = strstr(text, word);

	return found ? strtoull(found + strlen(word), NULL, 10) : 0;
}

/* A task that runs is not counted until it leaves the CPU. */
uint64_t kt_busy_ns(void)
{
	static char text[FILE_LEN];
	const char *line;

	kt_sleep_ns(SETTLE_NS);
	kt_read_file("/proc/schedstat", text, sizeof(text));
	line = strstr(text, "\ncpu0 ");
	if (!line)
		kt_die("no CPU in /proc/schedstat");
	return word_u64(line + 1, RQ_TIME);
}

/* ---- a session's processes ---- */

struct seen {
	uint64_t id[SEEN_MAX];
	int count;
};

static bool seen_before(struct seen *s, uint64_t id)
{
	for (int i = 0; i < s->count; i++)
		if (s->id[i] == id)
			return true;
	if (s->count == SEEN_MAX)
		kt_die("more than %d BPF maps", SEEN_MAX);
	s->id[s->count++] = id;
	return false;
}

/* Its second page begins with the producer's position, which only grows (kernel/bpf/ringbuf.c). */
static uint64_t ring_produced(uint32_t map_id)
{
	union bpf_attr attr = { .map_id = map_id };
	long page = sysconf(_SC_PAGESIZE);
	int fd = (int)syscall(SYS_bpf, BPF_MAP_GET_FD_BY_ID, &attr, sizeof(attr));
	uint64_t produced = 0;
	void *p;

	if (fd < 0)
		return 0;
	p = mmap(NULL, (size_t)page, PROT_READ, MAP_SHARED, fd, page);
	if (p != MAP_FAILED) {
		produced = *(volatile uint64_t *)p;
		munmap(p, (size_t)page);
	}
	close(fd);
	return produced;
}

static void add_fd(const char *path, struct seen *maps, struct seen *progs,
		   struct kt_session_use *use)
{
	char text[2048];
	uint64_t map, prog;

	kt_read_file(path, text, sizeof(text));
	map = after(text, "map_id:\t");
	prog = after(text, "prog_id:\t");
	if (strstr(text, "link_type:") || (!map && !prog))
		return;
	if (map ? seen_before(maps, map) : seen_before(progs, prog))
		return;
	use->bpf_bytes += after(text, "memlock:\t");
	if (map && after(text, "map_type:\t") == BPF_MAP_TYPE_RINGBUF)
		use->bpf_ring += ring_produced((uint32_t)map);
}

static void add_perf_rings(int pid, struct kt_session_use *use)
{
	char path[PATH_LEN], line[512];
	unsigned long begin, end;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (strstr(line, "[perf_event]") && sscanf(line, "%lx-%lx", &begin, &end) == 2)
			use->perf_bytes += end - begin;
	if (f)
		fclose(f);
}

/* Calls fn with the path of each entry of a folder of numbers. */
static void each_number(const char *dir, void (*fn)(const char *path, void *ctx), void *ctx)
{
	struct dirent *e;
	DIR *d = opendir(dir);

	while (d && (e = readdir(d))) {
		char *path;

		if (!isdigit((unsigned char)e->d_name[0]))
			continue;
		if (asprintf(&path, "%s/%s", dir, e->d_name) < 0)
			kt_die("out of memory");
		fn(path, ctx);
		free(path);
	}
	if (d)
		closedir(d);
}

struct walk {
	pid_t session;
	struct seen maps, progs;
	struct kt_session_use *use;
};

static void add_thread(const char *dir, void *ctx)
{
	struct walk *w = ctx;
	char path[PATH_LEN + 16], text[4096];

	snprintf(path, sizeof(path), "%s/schedstat", dir);
	kt_read_file(path, text, sizeof(text));
	w->use->cpu_ns += strtoull(text, NULL, 10);
	snprintf(path, sizeof(path), "%s/status", dir);
	kt_read_file(path, text, sizeof(text));
	w->use->switches += after(text, "\nvoluntary_ctxt_switches:");
}

static void add_file(const char *path, void *ctx)
{
	struct walk *w = ctx;

	add_fd(path, &w->maps, &w->progs, w->use);
}

static void add_process(const char *dir, void *ctx)
{
	struct walk *w = ctx;
	char path[PATH_LEN + 16], text[4096];
	const char *rest;

	snprintf(path, sizeof(path), "%s/stat", dir);
	kt_read_file(path, text, sizeof(text));
	rest = strrchr(text, ')');
	if (!rest || word_u64(rest + 2, SESSION_ID) != (uint64_t)w->session)
		return;
	snprintf(path, sizeof(path), "%s/status", dir);
	kt_read_file(path, text, sizeof(text));
	w->use->rss_kb += after(text, "\nVmRSS:");
	add_perf_rings(atoi(dir + strlen("/proc/")), w->use);
	snprintf(path, sizeof(path), "%s/task", dir);
	each_number(path, add_thread, w);
	snprintf(path, sizeof(path), "%s/fdinfo", dir);
	each_number(path, add_file, w);
}

void kt_session_use(pid_t session, struct kt_session_use *use)
{
	struct walk w = { .session = session, .use = use };

	*use = (struct kt_session_use) { 0 };
	each_number("/proc", add_process, &w);
}

/* ---- ftrace ---- */

uint64_t kt_ftrace_bytes(void)
{
	char text[FILE_LEN];

	if (!kt_read_file(TRACEFS "set_event", text, sizeof(text)))
		return 0;
	kt_read_file(TRACEFS "buffer_total_size_kb", text, sizeof(text));
	return strtoull(text, NULL, 10) * 1024;
}

void kt_ftrace_records(uint64_t *records, uint64_t *lost)
{
	char text[4096];

	kt_read_file(TRACEFS "per_cpu/cpu0/stats", text, sizeof(text));
	*records = after(text, "entries:") + after(text, "read events:");
	*lost = after(text, "overrun:") + after(text, "dropped events:");
}
