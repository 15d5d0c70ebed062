/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * cost N CMD...  prints how long a command takes, divided by N: instructions, where virtual time counts
 *                them (tests/vm/run.sh --icount).
 * cost -f PLAN   runs workloads with nothing attached and with tools, and prints what was measured
 *                (README.md). Lines of a plan, words separated by tabs:
 *                  work NAME COMMAND
 *                  tool NAME WORK[,WORK]... COMMAND
 *                COMMANDs are the shell's; @OUT stands for a file of the tool's own.
 */
#include "cost.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKS_MAX    64
#define LINE_LEN     4096
#define OUT_FILE     "/tmp/bench.out"
#define WORK_LOG     "/tmp/work.log"
#define TAIL_LEN     4096
#define NAME_LEN     128
#define END_LIMIT_S  60
#define IDLE_LIMIT_S 300
#define IDLE_S	     5
/* A tool that takes less than this in a second has nothing to do: it may have a display to refresh. */
#define IDLE_NS	     20000000ull
#define QUIET_ROUNDS 2

static const char *const events[] = { "kvm_exit", "kvm_inj_exception", "kvm_page_fault" };

#define EVENTS (sizeof(events) / sizeof(events[0]))

struct work {
	char name[NAME_LEN], command[LINE_LEN];
};

static struct work works[WORKS_MAX];
static int work_count;

struct spent {
	uint64_t elapsed, busy;
	uint64_t
		ran; /* what a guest with -v says of itself: from its first instruction to its last */
	uint64_t
		window; /* the time in which busy was spent, which includes the wait for idleness */
};

/* ---- running things ---- */

/* In a session of its own, standard input one that never says anything, output to a file. */
static pid_t start(const char *command, const char *log, int idle_fd)
{
	pid_t pid = fork();
	int fd;

	if (pid < 0)
		kt_die("fork: %s", strerror(errno));
	if (pid)
		return pid;
	setsid();
	dup2(idle_fd, 0);
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644);
	dup2(fd, 1);
	dup2(fd, 2);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

/* Exit status of a process, 128 and more for signals. */
static int finish(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			kt_die("waitpid: %s", strerror(errno));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Until nothing but this program has run for a while: attached, or through with what was to be read. */
static void wait_idle(void)
{
	uint64_t before = kt_busy_ns();
	int quiet = 0;

	for (int s = 0; s < IDLE_LIMIT_S && quiet < QUIET_ROUNDS; s++) {
		uint64_t now;

		kt_sleep_ns(KT_NSEC);
		now = kt_busy_ns();
		quiet = now - before < IDLE_NS ? quiet + 1 : 0;
		before = now;
	}
}

static bool alive(pid_t pid)
{
	siginfo_t info = { 0 };

	return !waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) && !info.si_pid;
}

/* As Ctrl-C does it. */
static int stop(pid_t pid)
{
	if (alive(pid))
		kill(-pid, SIGINT);
	for (int i = 0; i < END_LIMIT_S * 20 && alive(pid); i++)
		kt_sleep_ns(KT_NSEC / 20);
	if (alive(pid))
		kill(-pid, SIGKILL);
	return finish(pid);
}

static struct spent run_work(const struct work *w, int idle_fd)
{
	static const char said[] = ": ran for ";
	struct spent s;
	uint64_t busy = kt_busy_ns(), begin = kt_now_ns();
	int status = finish(start(w->command, WORK_LOG, idle_fd));
	char text[1024], *ran;

	s.elapsed = kt_now_ns() - begin;
	kt_read_file(WORK_LOG, text, sizeof(text));
	unlink(WORK_LOG);
	if (status)
		kt_die("%s ended with status %d: %s", w->name, status, text);
	ran = strstr(text, said);
	s.ran = ran ? (uint64_t)(strtod(ran + sizeof(said) - 1, NULL) * (double)KT_NSEC) : 0;
	wait_idle();
	s.busy = kt_busy_ns() - busy;
	s.window = kt_now_ns() - begin;
	return s;
}

/* ---- counting a workload's events, by someone who is no tool of the plan ---- */

static int count_event(const char *name)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT, .size = sizeof(attr) };
	char path[NAME_LEN], text[32];

	snprintf(path, sizeof(path), "/sys/kernel/tracing/events/kvm/%s/id", name);
	kt_read_file(path, text, sizeof(text));
	attr.config = strtoull(text, NULL, 10);
	return (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
}

static void count_work(const struct work *w, int idle_fd)
{
	int fd[EVENTS];

	for (size_t i = 0; i < EVENTS; i++)
		fd[i] = count_event(events[i]);
	run_work(w, idle_fd);
	printf("count\t%s", w->name);
	for (size_t i = 0; i < EVENTS; i++) {
		uint64_t value;

		if (fd[i] < 0 || read(fd[i], &value, sizeof(value)) != sizeof(value))
			kt_die("cannot count kvm:%s", events[i]);
		printf("\t%s=%" PRIu64, events[i], value);
		close(fd[i]);
	}
	putchar('\n');
}

/* ---- tools ---- */

static uint64_t count_lines(int fd)
{
	char text[65536];
	uint64_t lines = 0;
	ssize_t n;

	while ((n = read(fd, text, sizeof(text))) > 0)
		for (ssize_t i = 0; i < n; i++)
			lines += text[i] == '\n';
	return lines;
}

/* What a tool wrote may be long; its end is kept, where totals stand. */
static void keep_output(const char *path, uint64_t *bytes, uint64_t *lines)
{
	char text[TAIL_LEN];
	struct stat st;
	int in = open(OUT_FILE, O_RDONLY | O_CLOEXEC), out;
	ssize_t n;

	*bytes = *lines = 0;
	if (in < 0 || fstat(in, &st))
		return;
	*bytes = (uint64_t)st.st_size;
	*lines = count_lines(in);
	out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	lseek(in, st.st_size > TAIL_LEN ? st.st_size - TAIL_LEN : 0, SEEK_SET);
	n = read(in, text, sizeof(text));
	if (out < 0 || n < 0 || write(out, text, (size_t)n) != n)
		kt_die("cannot write %s", path);
	close(in);
	close(out);
}

static void number(const char *key, uint64_t value)
{
	printf("\t%s=%" PRIu64, key, value);
}

/* What the tool takes while no guest runs, and what it has taken to get there. */
static struct kt_session_use attach(pid_t pid, uint64_t busy)
{
	struct kt_session_use before, after;

	wait_idle();
	number("start", kt_busy_ns() - busy);
	kt_session_use(pid, &before);
	kt_sleep_ns(IDLE_S * KT_NSEC);
	kt_session_use(pid, &after);
	number("idle", (after.cpu_ns - before.cpu_ns) / IDLE_S);
	number("wakes", after.switches - before.switches);
	return after;
}

static void run_tool(const char *name, const char *command, const struct work *w, int idle_fd)
{
	char log[2 * NAME_LEN + 32], tail[2 * NAME_LEN + 32];
	struct kt_session_use before, after;
	uint64_t records, lost, busy;
	struct spent s;
	pid_t pid;

	snprintf(log, sizeof(log), "/out/%s.%s.log", name, w->name);
	snprintf(tail, sizeof(tail), "/out/%s.%s.tail", name, w->name);
	printf("run\t%s\t%s", name, w->name);
	unlink(OUT_FILE);
	/* Each time anew: what a guest costs depends on what the host has gone through, a little. */
	s = run_work(w, idle_fd);
	number("base", s.busy);
	number("base_ran", s.ran);
	busy = kt_busy_ns();
	pid = start(command, log, idle_fd);
	before = attach(pid, busy);
	number("attached", alive(pid));
	number("bpf", before.bpf_bytes);
	number("rings", before.perf_bytes + kt_ftrace_bytes());
	s = run_work(w, idle_fd);
	kt_session_use(pid, &after);
	number("elapsed", s.elapsed);
	number("busy", s.busy);
	number("window", s.window);
	number("ran", s.ran);
	number("reader", after.cpu_ns - before.cpu_ns);
	number("bpf_after", after.bpf_bytes);
	number("ring", after.bpf_ring - before.bpf_ring);
	number("rss", after.rss_kb);
	if (kt_ftrace_bytes()) {
		kt_ftrace_records(&records, &lost);
		number("records", records);
		number("lost", lost);
	}
	number("status", (uint64_t)stop(pid));
	if (kt_perf_data(OUT_FILE, &records, &lost)) {
		number("records", records);
		number("lost", lost);
	}
	keep_output(tail, &records, &lost);
	number("disk", records);
	number("lines", lost);
	putchar('\n');
	fflush(stdout);
}

/* ---- the plan ---- */

static bool in_list(const char *list, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = list; (p = strstr(p, name)); p += len)
		if ((p == list || p[-1] == ',') && (p[len] == ',' || !p[len]))
			return true;
	return false;
}

static void add_work(const char *name, const char *command, int idle_fd)
{
	struct work *w = &works[work_count];

	if (work_count == WORKS_MAX)
		kt_die("more than %d workloads", WORKS_MAX);
	work_count++;
	snprintf(w->name, sizeof(w->name), "%s", name);
	snprintf(w->command, sizeof(w->command), "%s", command);
	count_work(w, idle_fd);
}

static void plan_line(char *line, int idle_fd)
{
	char *kind = strsep(&line, "\t"), *name = strsep(&line, "\t"), *list, *at;
	char command[LINE_LEN];

	if (!name || !line)
		return;
	if (!strcmp(kind, "work")) {
		add_work(name, line, idle_fd);
		return;
	}
	list = strsep(&line, "\t");
	if (strcmp(kind, "tool") || !line)
		kt_die("bad line in the plan: %s", kind);
	at = strstr(line, "@OUT");
	if (at)
		snprintf(command, sizeof(command), "exec %.*s%s%s", (int)(at - line), line,
			 OUT_FILE, at + strlen("@OUT"));
	else
		snprintf(command, sizeof(command), "exec %s", line);
	for (int i = 0; i < work_count; i++)
		if (in_list(list, works[i].name))
			run_tool(name, command, &works[i], idle_fd);
}

static int run_plan(const char *path)
{
	char line[LINE_LEN];
	int idle[2];
	FILE *f = fopen(path, "re");

	if (!f || pipe(idle))
		kt_die("%s: %s", path, strerror(errno));
	/* What is left of the boot. */
	wait_idle();
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		plan_line(line, idle[0]);
	}
	fclose(f);
	puts("end");
	return 0;
}

static int run_once(uint64_t n, char **argv)
{
	uint64_t begin = kt_now_ns(), took;
	pid_t pid = fork();
	int status;

	if (pid < 0)
		kt_die("fork: %s", strerror(errno));
	if (!pid) {
		execvp(argv[0], argv);
		_exit(127);
	}
	status = finish(pid);
	took = kt_now_ns() - begin;
	fprintf(stderr, "%.1f\n", (double)took / (double)n);
	return status;
}

int main(int argc, char **argv)
{
	uint64_t n;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 3 && !strcmp(argv[1], "-f"))
		return run_plan(argv[2]);
	n = argc > 2 ? strtoull(argv[1], NULL, 10) : 0;
	if (!n) {
		fputs("usage: cost N CMD... | cost -f PLAN\n", stderr);
		return 2;
	}
	return run_once(n, argv + 2);
}
