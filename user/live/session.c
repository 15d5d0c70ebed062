/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* From facts by way of a plan to programs that run; and when the kernel refuses one, anew without it. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "../lib/clock.h"
#include "../lib/log.h"
#include "caps.h"
#include "items.h"
#include "session.h"
#include "session_priv.h"
#include "tracefs.h"
#include "kvmtrace.skel.h" /* needs the shared types */

#define MODULE_POLL_SECONDS 1

/* What kt_caps_gather() opened, and what was made of it. */
static void forget_host(struct kt_session *s)
{
	if (s->tracefs >= 0)
		close(s->tracefs);
	s->tracefs = -ENOENT;
	if (s->types_file >= 0)
		close(s->types_file);
	s->types_file = -1;
	kt_types_free(&s->types);
	memset(&s->types, 0, sizeof(s->types));
}

static void gather(struct kt_session *s)
{
	forget_host(s);
	kt_caps_gather(&s->facts, &s->tracefs, &s->types);
}

static void wait_for_kvm(struct kt_session *s)
{
	kt_note("waiting for KVM to be loaded (Ctrl-C ends)");
	while (kt_facts_lack_kvm(&s->facts)) {
		kt_types_free(&s->types); /* many MB */
		sleep(MODULE_POLL_SECONDS);
		gather(s);
	}
}

static void take_facts(struct kt_session *s)
{
	u32 cpus;

	gather(s);
	if (s->opts.wait && kt_facts_lack_kvm(&s->facts))
		wait_for_kvm(s);
	if (!s->opts.facts)
		return;
	cpus = s->facts.cpus;
	s->facts = *s->opts.facts;
	s->facts.cpus = cpus;
}

static enum kt_status fail(struct kt_session *s, enum kt_status status, const char *fmt, ...)
	KT_PRINTF(3, 4);

static enum kt_status fail(struct kt_session *s, enum kt_status status, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	kt_str_reset(&s->failure);
	kt_str_vaddf(&s->failure, fmt, args);
	va_end(args);
	if (!s->opts.quiet)
		kt_err("%s", s->failure.data);
	return status;
}

static enum kt_status make_plan(struct kt_session *s)
{
	enum kt_status status;

	kt_plan_fini(&s->plan);
	status = kt_plan_make(&s->facts, &s->request, &s->plan);
	return status == KT_OK ? KT_OK : fail(s, status, "%s", s->plan.refusal.data);
}

static void say_warnings(const struct kt_plan *plan)
{
	char *text = plan->warnings.len ? kt_strdup(plan->warnings.data) : NULL, *save = NULL;

	for (char *line = text ? strtok_r(text, "\n", &save) : NULL; line;
	     line = strtok_r(NULL, "\n", &save))
		kt_info("%s", line);
	free(text);
}

static void say_lack(void *ctx, const struct kt_item *item, const char *source, const char *lack)
{
	(void)ctx, (void)source;
	if (lack && item->view == KT_VIEW_RECORD)
		kt_note("%s: %s", item->name, lack);
	else if (lack && item->loud)
		kt_note("%s", lack);
	else if (lack)
		kt_info("%s: %s", item->name, lack);
}

static void remember_refusal(struct kt_session *s, u32 program, const char *why)
{
	if (!s->opts.quiet)
		kt_info("the kernel refuses %s (%s)", kt_programs[program].name, why);
	free(s->refusals[program]);
	s->refusals[program] = kt_strdup(why);
	s->request.refused[program] = s->refusals[program];
}

/* Marks what the kernel refused to load. False: nothing that another plan could do without. */
static bool can_replan(struct kt_session *s, const struct kt_refusal *refusal)
{
	const char *why = refusal->why.len ? refusal->why.data : "libbpf doesn't say why";
	bool any = false;

	if (refusal->program >= 0) {
		remember_refusal(s, refusal->program, why);
		return true;
	}
	/* The types of some module could not be read, say: no BTF tracepoint then. */
	for (u32 i = 0; i < kt_program_count; i++) {
		if (!(s->plan.programs >> i & 1) || !(kt_programs[i].needs & KT_NEEDS_KVM_TYPES))
			continue;
		remember_refusal(s, i, why);
		any = true;
	}
	return any;
}

static enum kt_status load_failed(struct kt_session *s, int err)
{
	if (err == -EPERM)
		return fail(
			s, KT_DENIED,
			"the kernel does not allow BPF programs here although root or CAP_BPF and "
			"CAP_PERFMON are held: a security module or a container forbids it");
	if (err == -ENOMEM || err == -E2BIG)
		return fail(s, KT_FAILED,
			    "the kernel has not enough memory for the BPF maps (%s): try smaller "
			    "--max-vcpus or --buffer",
			    strerror(-err));
	return fail(s, KT_UNSUPPORTED,
		    "this kernel cannot load the BPF programs (%s); -vv shows the details",
		    strerror(-err));
}

static bool can_cast(const struct kt_session *s)
{
	const struct kt_type_numbers *plain = &s->types.plain;

	return s->facts.kfunc_rdonly_cast == KT_CAN && plain->kvm_vcpu && plain->timespec64 &&
	       plain->itimerspec64 && plain->upid;
}

/* What could not be loaded is left out, if there is a way without it. */
static bool can_retry(struct kt_session *s, const struct kt_refusal *refusal)
{
	if (!s->cast)
		return can_replan(s, refusal);
	/* Without a JIT, say, no kernel function can be called: first without that one. */
	kt_info("without bpf_rdonly_cast(): %s",
		refusal->why.len ? refusal->why.data : "libbpf doesn't say why");
	s->cast = false;
	return true;
}

/* Each round does without one program more, so it ends. */
static enum kt_status load(struct kt_session *s)
{
	struct kt_refusal refusal = { .program = -1 };
	enum kt_status status = make_plan(s);
	bool again = true;
	int err;

	s->cast = can_cast(s);
	while (status == KT_OK && again) {
		kt_refusal_watch(&refusal);
		err = kt_object_load(s);
		kt_refusal_watch(NULL);
		again = false;
		if (err) {
			kt_object_unload(s);
			if (err != -EPERM && err != -ENOMEM && err != -E2BIG)
				again = can_retry(s, &refusal);
			status = again ? make_plan(s) : load_failed(s, err);
		}
		kt_str_free(&refusal.why);
		refusal.program = -1;
	}
	return status;
}

enum kt_status kt_session_open(const struct kt_session_opts *opts, struct kt_session **out)
{
	struct kt_session *s = kt_alloc(sizeof(*s));
	enum kt_status status;

	*out = s;
	s->opts = *opts;
	s->tracefs = -ENOENT;
	s->types_file = -1;
	s->epoch = 1;
	s->request.view = opts->view;
	s->request.events = opts->events;
	s->request.ways = getenv("KVMTRACE_WAYS");
	take_facts(s);
	s->past_lost = kt_alloc(s->facts.cpus * sizeof(*s->past_lost));
	status = load(s);
	if (status == KT_OK && !opts->quiet) {
		say_warnings(&s->plan);
		kt_items_each(&s->facts, &s->plan, opts->view, say_lack, NULL);
	}
	return status;
}

const struct kt_facts *kt_session_facts(const struct kt_session *s)
{
	return &s->facts;
}

const struct kt_plan *kt_session_plan(const struct kt_session *s)
{
	return &s->plan;
}

const char *kt_session_failure(const struct kt_session *s)
{
	return s->failure.len ? s->failure.data : NULL;
}

/* ---- attaching ---- */

/* Through perf, with the number looked up by ourselves: tracefs need not be mounted. */
static struct bpf_link *attach_classic(const struct kt_session *s, struct bpf_program *prog,
				       const char *event)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT, .size = sizeof(attr) };
	int id = kt_tracepoint_id(s->tracefs, "kvm", event), fd;
	struct bpf_link *link;

	if (id < 0) {
		errno = -id;
		return NULL;
	}
	attr.config = id;
	/* No sample period: programs return 1, so perf sees the event too and must not sample it. */
	/* Bound to one CPU for perf's sake; the program runs on all. */
	fd = syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return NULL;
	link = bpf_program__attach_perf_event(prog, fd);
	if (!link)
		close(fd);
	return link;
}

static const char *event_of(const struct kt_program *p)
{
	return p->tracepoint < 0 ? NULL : kt_tracepoint_name(p->tracepoint);
}

static struct bpf_link *attach_program(const struct kt_session *s, const struct kt_program *p)
{
	struct bpf_program *prog = bpf_object__find_program_by_name(s->skel->obj, p->name);

	if (p->kind == KT_ON_CLASSIC)
		return attach_classic(s, prog, event_of(p));
	if (p->kind == KT_ON_BTF)
		return bpf_program__attach_trace(prog);
	if (p->kind == KT_ON_FILES)
		return bpf_program__attach_iter(prog, NULL);
	return bpf_program__attach(prog);
}

/* Returns the index of the first program that could not be attached, errno says why; -1: all are. */
static int attach_all(struct kt_session *s)
{
	for (u32 i = 0; i < kt_program_count; i++) {
		if (!(s->plan.programs >> i & 1))
			continue;
		s->links[i] = attach_program(s, &kt_programs[i]);
		if (!s->links[i])
			return i;
	}
	return -1;
}

static void detach_all(struct kt_session *s)
{
	for (u32 i = kt_program_count; i-- > 0;) {
		bpf_link__destroy(s->links[i]);
		s->links[i] = NULL;
	}
}

enum kt_status kt_session_attach(struct kt_session *s)
{
	enum kt_status status = KT_OK;
	char why[64];
	int failed;

	while (status == KT_OK && (failed = attach_all(s)) >= 0) {
		strerror_r(errno, why, sizeof(why));
		detach_all(s);
		kt_object_unload(s);
		remember_refusal(s, failed, why);
		status = load(s);
	}
	s->stopped = 0;
	if (status == KT_OK)
		__atomic_store_n(&s->skel->data->control.attached, 1, __ATOMIC_SEQ_CST);
	return status;
}

u64 kt_session_stopped(const struct kt_session *s)
{
	return s->stopped;
}

void kt_session_detach(struct kt_session *s)
{
	if (s->skel && s->skel->data) {
		__atomic_store_n(&s->skel->data->control.attached, 0, __ATOMIC_SEQ_CST);
		s->stopped = kt_monotonic_ns();
	}
	detach_all(s);
}

void kt_session_unload(struct kt_session *s)
{
	kt_session_keep_counts(s);
	kt_object_unload(s);
}

enum kt_status kt_session_reload(struct kt_session *s)
{
	enum kt_status status;

	take_facts(s);
	for (u32 i = 0; i < kt_program_count; i++)
		s->request.refused[i] = NULL;
	status = load(s);
	return status == KT_OK ? kt_session_attach(s) : status;
}

void kt_session_close(struct kt_session *s)
{
	if (!s)
		return;
	kt_session_detach(s);
	kt_object_unload(s);
	forget_host(s);
	kt_plan_fini(&s->plan);
	kt_str_free(&s->failure);
	for (u32 i = 0; i < kt_program_count; i++)
		free(s->refusals[i]);
	free(s->past_lost);
	free(s);
}
