/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "../lib/log.h"
#include "spawn.h"

/* In the child: waits for the word, and becomes the program. out: its standard output; -1: none. */
static void __attribute__((noreturn)) become(int go, int failed, int out, char **argv)
{
	char word;
	int err;

	if (read(go, &word, 1) != 1)
		_exit(KT_FAILED); /* kvmtrace has ended */
	signal(SIGPIPE, SIG_DFL);
	if (out < 0)
		close(STDOUT_FILENO);
	if (out < 0 || out == STDOUT_FILENO || dup2(out, STDOUT_FILENO) >= 0)
		execvp(argv[0], argv);
	err = errno;
	if (write(failed, &err, sizeof(err)) < 0)
		_exit(KT_FAILED);
	_exit(127);
}

static enum kt_status cannot_start(const char *name, int err)
{
	kt_err("cannot start '%s': %s", name, strerror(err));
	return KT_FAILED;
}

enum kt_status kt_child_prepare(struct kt_child *child, char **argv, bool apart)
{
	int go[2], failed[2], out = STDOUT_FILENO;

	/* Now: one of the pipes may get the number of a standard error that is closed. */
	if (apart)
		out = fcntl(STDERR_FILENO, F_GETFD) < 0 ? -1 : STDERR_FILENO;
	*child = (struct kt_child) { .ended = -1, .go = -1, .failed = -1 };
	if (pipe2(go, O_CLOEXEC))
		return cannot_start(argv[0], errno);
	if (pipe2(failed, O_CLOEXEC)) {
		close(go[0]);
		close(go[1]);
		return cannot_start(argv[0], errno);
	}
	child->go = go[1];
	child->failed = failed[0];
	child->pid = fork();
	if (child->pid == 0) {
		close(go[1]);
		become(go[0], failed[1], out, argv);
	}
	close(go[0]);
	close(failed[1]);
	if (child->pid > 0)
		child->ended = syscall(SYS_pidfd_open, child->pid, 0);
	return child->ended < 0 ? cannot_start(argv[0], errno) : KT_OK;
}

enum kt_status kt_child_begin(struct kt_child *child, const char *name)
{
	int err = 0;
	ssize_t n;

	if (write(child->go, "", 1) != 1)
		return cannot_start(name, errno);
	/* Closed by a successful exec: end of file. */
	do {
		n = read(child->failed, &err, sizeof(err));
	} while (n < 0 && errno == EINTR);
	child->runs = n == 0;
	return child->runs ? KT_OK : cannot_start(name, n < 0 ? errno : err);
}

static void say_end(const char *name, int how)
{
	if (WIFEXITED(how) && WEXITSTATUS(how))
		kt_note("'%s' ended with status %d", name, WEXITSTATUS(how));
	else if (WIFSIGNALED(how))
		kt_note("'%s' was ended by signal %d (%s)", name, WTERMSIG(how),
			strsignal(WTERMSIG(how)));
}

void kt_child_finish(struct kt_child *child, const char *name)
{
	int how;

	if (child->go >= 0)
		close(child->go);
	if (child->failed >= 0)
		close(child->failed);
	if (child->pid > 0 && !child->runs)
		waitpid(child->pid, &how, 0); /* it has ended, or does when its pipe is closed */
	else if (child->pid > 0 && waitpid(child->pid, &how, WNOHANG) == child->pid)
		say_end(name, how);
	else if (child->pid > 0)
		kt_note("'%s' goes on as process %d", name, child->pid);
	if (child->ended >= 0)
		close(child->ended);
}
