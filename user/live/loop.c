/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#include "../lib/clock.h"
#include "../lib/log.h"
#include "kvm_watch.h"
#include "loop.h"
#include "ring.h"

/* The reader waits this long after a wake-up, so that a storm costs 50 wake-ups a second at most. */
#define NAP_MS 20
/* A record may become visible this long after it took its time stamp. */
#define HORIZON_NS 1000000ull
/* After the programs are detached, one that still runs on another CPU has long ended by then. */
#define LAST_NAP_MS 5
#define LAST_TURNS  400 /* naps, should it take longer */

enum source {
	SOURCE_SIGNAL,
	SOURCE_DURATION,
	SOURCE_INTERVAL,
	SOURCE_NOTICES,
	SOURCE_RINGS,
	SOURCE_VM,
	SOURCE_KVM,
	SOURCE_UNTIL
};

struct loop {
	struct kt_session *session;
	const struct kt_loop_opts *opts;
	const struct kt_loop_ops *ops;
	void *ctx;
	int epoll; /* everything but the rings */
	int both;  /* the above and the rings */
	int signals, duration, interval, kvm;
	struct kt_rings *rings, *notices;
	u64 *lost; /* what was reported so far, by CPU */
	struct watched {
		int fd; /* readable once the process has ended */
		u32 pid;
	} * watched;
	size_t watched_count;
	u32 *gone; /* processes that have ended; their slots are released when all records are taken */
	size_t gone_count;
	bool collect; /* likewise slots of vCPUs that are no more, when few are left */
	bool away;    /* KVM is unloaded */
	bool stop;
	enum kt_status status; /* when stopped: of the run */
};

static int watch(int epoll, int fd, enum source source, u32 value)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = (u64)value << 32 | source };

	if (fd < 0)
		return -errno;
	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static int add_timer(struct loop *l, int *fd, u64 ns, bool repeat, enum source source)
{
	struct itimerspec t = { .it_value = { ns / KT_NSEC_PER_SEC, ns % KT_NSEC_PER_SEC } };

	if (!ns)
		return 0;
	if (repeat)
		t.it_interval = t.it_value;
	*fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (*fd < 0 || timerfd_settime(*fd, 0, &t, NULL))
		return -errno;
	return watch(l->epoll, *fd, source, 0);
}

/* Written to by the handler; there is one loop at a time. */
static int signal_event = -1;

/*
 * The first signal ends the loop, and from then on a signal does what it does by default: whoever
 * asks for the second time wants it to end at once, even in the middle of a write that hangs.
 */
static void on_signal(int number)
{
	const u64 one = 1;
	int err = errno;

	(void)number;
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	if (write(signal_event, &one, sizeof(one)) < 0)
		_exit(KT_FAILED);
	errno = err;
}

static int add_signals(struct loop *l)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	l->signals = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	signal_event = l->signals;
	if (l->signals < 0 || sigaction(SIGINT, &action, NULL) || sigaction(SIGTERM, &action, NULL))
		return -errno;
	return watch(l->epoll, l->signals, SOURCE_SIGNAL, 0);
}

static void release_signals(struct loop *l)
{
	if (l->signals < 0)
		return;
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	close(l->signals);
	l->signals = -1;
}

/* ---- VMs ---- */

static void on_dead_slot(void *ctx, u32 slot)
{
	struct loop *l = ctx;
	const struct kt_vcpu *v = kt_session_vcpu(l->session, slot);

	if (!v->muted && l->ops->gone)
		l->ops->gone(l->ctx, slot, v);
}

static void process_gone(struct loop *l, u32 pid)
{
	l->gone = kt_grow(l->gone, l->gone_count, sizeof(*l->gone));
	l->gone[l->gone_count++] = pid;
}

/* Its numbers are kept by the command; its slots, and their histograms, are free again. */
static void release_process(struct loop *l, u32 pid)
{
	kt_vm_table_gone(l->opts->vms, pid);
	for (u32 slot = 1; slot < kt_session_slots(l->session); slot++) {
		const struct kt_vcpu *v = kt_session_vcpu(l->session, slot);

		if (!v->vcpu || v->tgid != pid)
			continue;
		on_dead_slot(l, slot);
		kt_session_release(l->session, slot);
	}
}

/* VMs that are there already get their names now: one may end a moment after it is met. */
static void on_running_vcpu(void *ctx, const struct kt_vcpu_found *found)
{
	struct loop *l = ctx;

	kt_vm_table_get(l->opts->vms, found->tgid);
}

static void watch_process(struct loop *l, u32 pid)
{
	int fd;

	for (size_t i = 0; i < l->watched_count; i++)
		if (l->watched[i].pid == pid)
			return;
	fd = syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0) {
		if (errno == ESRCH)
			process_gone(l, pid);
		return; /* otherwise its slots stay taken, no more */
	}
	if (watch(l->epoll, fd, SOURCE_VM, fd)) {
		close(fd);
		return;
	}
	l->watched = kt_grow(l->watched, l->watched_count, sizeof(*l->watched));
	l->watched[l->watched_count++] = (struct watched) { fd, pid };
}

static void on_pidfd(struct loop *l, int fd)
{
	for (size_t i = 0; i < l->watched_count; i++) {
		u32 pid = l->watched[i].pid;

		if (l->watched[i].fd != fd)
			continue;
		close(fd);
		l->watched[i] = l->watched[--l->watched_count];
		process_gone(l, pid);
		return;
	}
}

static bool vm_unwanted(const struct loop *l, u32 pid)
{
	return l->opts->vm_glob &&
	       !kt_vm_entry_matches(kt_vm_table_get(l->opts->vms, pid), l->opts->vm_glob);
}

static void on_notice(void *ctx, const struct kt_head *head, u32 size, u32 ring)
{
	const struct kt_notice *notice = (const struct kt_notice *)head;
	struct loop *l = ctx;
	char comm[KT_COMM_LEN + 1] = {};

	(void)ring;
	if (size < sizeof(*notice))
		return;
	memcpy(comm, notice->comm, KT_COMM_LEN);
	kt_vm_table_note(l->opts->vms, head->tgid, comm);
	kt_vm_table_get(l->opts->vms, head->tgid); /* reads /proc while it is still there */
	if (vm_unwanted(l, head->tgid))
		kt_session_mute(l->session, notice->slot);
	watch_process(l, head->tgid);
	l->collect = true;
}

/* ---- records ---- */

/* Apart, so that without --vm no record pays for what this call needs. */
static __attribute__((noinline)) void show_wanted(struct loop *l, const struct kt_head *head)
{
	if (!vm_unwanted(l, head->tgid))
		l->ops->event(l->ctx, head);
}

static void on_record(void *ctx, const struct kt_head *head, u32 size, u32 ring)
{
	struct loop *l = ctx;

	(void)size, (void)ring;
	if (l->opts->vm_glob)
		show_wanted(l, head);
	else
		l->ops->event(l->ctx, head);
}

/* Slots of VMs that --vm excludes are muted when they are met; what came before that is left out here. */
static __attribute__((noinline)) bool brief_unwanted(const struct loop *l,
						     const struct kt_brief *brief)
{
	const struct kt_vcpu *v = kt_session_vcpu(l->session, KT_BRIEF_SLOT(brief));

	return vm_unwanted(l, v->tgid);
}

static void on_mixed_record(void *ctx, const struct kt_head *head, u32 size, u32 ring)
{
	const struct kt_brief *brief = (const struct kt_brief *)head;
	struct loop *l = ctx;

	if (KT_BRIEF_KIND(brief) < KT_KIND_EXITS)
		on_record(ctx, head, size, ring);
	else if (KT_BRIEF_SLOT(brief) < kt_session_slots(l->session) &&
		 (!l->opts->vm_glob || !brief_unwanted(l, brief)))
		l->ops->brief(l->ctx, brief, size, ring);
}

static void report_lost(struct loop *l)
{
	for (u32 cpu = 0; cpu < kt_session_cpus(l->session); cpu++) {
		u64 now = kt_session_lost(l->session, cpu);

		if (now > l->lost[cpu] && l->ops->lost)
			l->ops->lost(l->ctx, cpu, now - l->lost[cpu]);
		l->lost[cpu] = now;
	}
}

static bool drain(struct loop *l, bool everything)
{
	u64 horizon = everything ? ~0ull : kt_monotonic_ns() - HORIZON_NS;
	bool more = false;

	/* Names first: a VM's notice precedes its records. */
	if (l->notices)
		kt_rings_drain(l->notices, ~0ull, on_notice, l);
	if (l->rings) {
		more = kt_rings_drain(l->rings, horizon,
				      l->ops->brief ? on_mixed_record : on_record, l);
		report_lost(l);
	}
	if (l->ops->idle)
		l->ops->idle(l->ctx);
	return more;
}

static void drain_everything(void *ctx)
{
	drain(ctx, true);
}

/*
 * Everything, unless a program has begun a record and not ended it: from 7.0 on (a46023d5616e) it can be
 * preempted there, and what lies behind it must wait. False: so it is.
 */
static bool drain_to_the_end(struct loop *l)
{
	drain(l, true);
	return !l->rings || !kt_rings_stuck(l->rings);
}

/* What has gone left its last records before: when they are taken nothing needs its slots any more. */
static void release_gone(struct loop *l)
{
	if (l->gone_count && drain_to_the_end(l)) {
		for (size_t i = 0; i < l->gone_count; i++)
			release_process(l, l->gone[i]);
		l->gone_count = 0;
	}
	if (l->collect)
		kt_session_collect(l->session, drain_everything, on_dead_slot, l);
	l->collect = false;
}

/* What the programs, detached by now, gathered until then. */
static void take_rest(struct loop *l)
{
	const struct timespec nap = { 0, LAST_NAP_MS * 1000000 };

	nanosleep(&nap, NULL);
	for (int turn = 0; !drain_to_the_end(l); turn++) {
		if (turn == LAST_TURNS) {
			kt_warn("the kernel did not finish a record: what lies behind it is lost, uncounted");
			break;
		}
		nanosleep(&nap, NULL);
	}
	release_gone(l);
}

static int open_rings(struct loop *l)
{
	u32 cpus = kt_session_cpus(l->session);
	int fd = kt_session_notices_fd(l->session), *fds;

	if (fd >= 0) {
		l->notices = kt_rings_new(&fd, 1);
		if (!l->notices || watch(l->epoll, kt_rings_poll_fd(l->notices), SOURCE_NOTICES, 0))
			return -errno;
	}
	if (kt_session_ring_fd(l->session, 0) < 0)
		return 0;
	fds = kt_alloc(cpus * sizeof(*fds));
	for (u32 cpu = 0; cpu < cpus; cpu++)
		fds[cpu] = kt_session_ring_fd(l->session, cpu);
	l->rings = kt_rings_new(fds, cpus);
	free(fds);
	return l->rings ? watch(l->both, kt_rings_poll_fd(l->rings), SOURCE_RINGS, 0) : -errno;
}

static void close_rings(struct loop *l)
{
	kt_rings_free(l->rings);
	kt_rings_free(l->notices);
	l->rings = l->notices = NULL;
}

/* ---- KVM that goes and comes ---- */

/*
 * The vendor module goes, so no VM is left. What the programs gathered is taken, and then nothing of
 * ours holds the kvm module, so that it can be unloaded as well.
 */
static void let_go(struct loop *l)
{
	kt_session_detach(l->session);
	take_rest(l);
	for (u32 slot = 1; slot < kt_session_slots(l->session); slot++)
		if (kt_session_vcpu(l->session, slot)->vcpu)
			on_dead_slot(l, slot);
	if (l->ops->unloading)
		l->ops->unloading(l->ctx);
	close_rings(l);
	kt_session_unload(l->session);
	l->away = true;
	kt_note("%s was unloaded: waiting for KVM to be back",
		kt_session_facts(l->session)->vendor);
}

static void come_back(struct loop *l)
{
	int err;

	l->status = kt_session_reload(l->session);
	/* Gone again meanwhile: then it will come again. If not, what was counted so far is a result. */
	if (l->status != KT_OK && !kt_kvm_there()) {
		l->status = KT_OK;
		return;
	}
	if (l->status == KT_OK) {
		err = open_rings(l);
		if (err) {
			kt_err("cannot read the ring buffers: %s", strerror(-err));
			l->status = KT_FAILED;
		}
	}
	l->away = false;
	l->stop = l->status != KT_OK;
	if (!l->stop)
		kt_note("tracing again");
}

/*
 * When it has come while we are attached, it had gone before we could know. The vendor module may be
 * another then, with other structures.
 */
static void on_kvm(struct loop *l)
{
	enum kt_kvm_change change = kt_kvm_watch_drain(l->kvm);

	if (change == KT_KVM_SAME)
		return;
	if (change == KT_KVM_LOOK)
		change = kt_kvm_there() ? KT_KVM_CAME : KT_KVM_WENT;
	if (!l->away)
		let_go(l);
	if (change == KT_KVM_CAME)
		come_back(l);
}

/* ---- the loop ---- */

static void handle(struct loop *l, const struct epoll_event *event)
{
	u64 expirations;

	switch ((enum source)(u32)event->data.u64) {
	case SOURCE_SIGNAL:
	case SOURCE_DURATION:
	case SOURCE_UNTIL:
		l->stop = true;
		break;
	case SOURCE_INTERVAL:
		if (read(l->interval, &expirations, sizeof(expirations)) > 0)
			l->ops->interval(l->ctx, false);
		break;
	case SOURCE_NOTICES:
		if (l->notices)
			kt_rings_drain(l->notices, ~0ull, on_notice, l);
		break;
	case SOURCE_VM:
		on_pidfd(l, event->data.u64 >> 32);
		break;
	case SOURCE_KVM:
		on_kvm(l);
		break;
	case SOURCE_RINGS:
		break;
	}
}

static void wait_on(struct loop *l, int epoll, int timeout_ms)
{
	struct epoll_event events[16];
	int n = epoll_wait(epoll, events, KT_ARRAY_SIZE(events), timeout_ms);

	for (int i = 0; i < n && !l->stop; i++)
		if (epoll == l->epoll)
			handle(l, &events[i]);
}

static void run(struct loop *l)
{
	bool more = false;

	while (!l->stop && !kt_out_error(l->opts->out)) {
		/* Young records left in a ring keep it readable: then only the nap is a wait. */
		wait_on(l, l->both, more ? 0 : -1);
		wait_on(l, l->epoll, l->rings ? NAP_MS : 0);
		if (!l->stop && l->rings)
			more = drain(l, false);
		else if (l->ops->idle)
			l->ops->idle(l->ctx);
		if (!l->stop)
			release_gone(l);
	}
}

static enum kt_status begin(struct loop *l)
{
	int err;

	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	l->both = epoll_create1(EPOLL_CLOEXEC);
	l->lost = kt_alloc(kt_session_cpus(l->session) * sizeof(*l->lost));
	err = l->epoll < 0 || l->both < 0 ? -errno : watch(l->both, l->epoll, SOURCE_SIGNAL, 0);
	if (!err)
		err = open_rings(l);
	/* Without it the run goes on all the same, and holds the kvm module. */
	if (!err && l->kvm >= 0)
		err = watch(l->epoll, l->kvm, SOURCE_KVM, 0);
	if (!err)
		err = add_signals(l);
	if (!err && l->opts->duration_ns)
		err = add_timer(l, &l->duration, l->opts->duration_ns, false, SOURCE_DURATION);
	if (!err && l->opts->interval_ns)
		err = add_timer(l, &l->interval, l->opts->interval_ns, true, SOURCE_INTERVAL);
	if (!err && l->opts->until >= 0)
		err = watch(l->epoll, l->opts->until, SOURCE_UNTIL, 0);
	if (!err)
		return KT_OK;
	kt_err("cannot set up the event loop: %s", strerror(-err));
	return KT_FAILED;
}

static void end(struct loop *l)
{
	const int fds[] = { l->epoll, l->both, l->duration, l->interval, l->kvm };

	close_rings(l);
	for (size_t i = 0; i < KT_ARRAY_SIZE(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free(l->lost);
	for (size_t i = 0; i < l->watched_count; i++)
		close(l->watched[i].fd);
	free(l->watched);
	free(l->gone);
}

enum kt_status kt_loop_run(struct kt_session *s, const struct kt_loop_opts *opts,
			   const struct kt_loop_ops *ops, void *ctx)
{
	struct loop l = { .session = s,
			  .opts = opts,
			  .ops = ops,
			  .ctx = ctx,
			  .epoll = -1,
			  .both = -1,
			  .signals = -1,
			  .duration = -1,
			  .interval = -1,
			  .kvm = kt_kvm_watch_open() };
	int watch_error = errno;
	/* First: attaching may replace the maps. What happens before the rings are open waits in them. */
	enum kt_status status = kt_session_attach(s);

	if (status == KT_OK)
		status = begin(&l);
	if (status == KT_OK) {
		kt_session_describe(s);
		kt_session_each_vcpu(s, on_running_vcpu, &l);
		if (l.kvm < 0)
			kt_note("whether KVM is unloaded cannot be heard here (%s): the kvm module is "
				"held until the end",
				strerror(watch_error));
		if (opts->duration_ns)
			kt_note("tracing %s", opts->what);
		else
			kt_note("tracing %s, Ctrl-C ends", opts->what);
		if (ops->attached)
			ops->attached(ctx);
		run(&l);
		status = l.status;
	}
	kt_session_detach(s);
	release_signals(&l);
	if (status == KT_OK) {
		take_rest(&l);
		if (kt_session_counters(s)->notices_lost)
			kt_warn("%llu notices of new vCPUs found no room: --vm may have missed some, and "
				"names of VMs that have gone may be lacking",
				kt_session_counters(s)->notices_lost);
		if (ops->interval)
			ops->interval(ctx, true);
	}
	end(&l);
	return status;
}
