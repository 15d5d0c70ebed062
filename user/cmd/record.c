/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "../lib/clock.h"
#include "../lib/log.h"
#include "../sink/units.h"
#include "../store/convert.h"
#include "../store/convert_brief.h"
#include "capture_file.h"
#include "cmd.h"
#include "common.h"
#include "lost.h"
#include "progress.h"
#include "record_facts.h"
#include "spawn.h"

#define TICK_NS	       KT_NSEC_PER_SEC /* how often a block is ended at least, and progress is shown */
#define TICKS_A_CLOCK  10	       /* how often the wall clock is noted */
#define MIN_FILE_BYTES (1u << 20)

struct record_opts {
	struct kt_common common;
	const char *path;
	u64 size;
	u32 rotate;
};

struct record {
	const struct record_opts *opts;
	struct kt_run run;
	struct kt_capture_file file;
	char **command; /* NULL: none */
	struct kt_child child;
	int until, stop; /* epoll of what ends the run; eventfd among them */
	struct kt_capture_facts facts;
	u64 *lost_since; /* by CPU: until then its losses have been noted */
	u8 *known_slots; /* by slot: its VM is known */
	u32 ticks;
	u64 ended; /* ts: the file was full; what is younger is left out */
	u64 unpaired_entries;
	u64 losses; /* events of the capture that say so */
	struct kt_progress progress;
	u64 shown_events, shown_ns;
	union kt_brief_row row;
};

/* ---- options ---- */

static int parse_events(void *dst, const char *text, struct kt_str *why)
{
	char *copy = kt_strdup(text), *at = copy, *part;
	u32 *events = dst, class = 0;

	*events = 0;
	while ((part = strsep(&at, ","))) {
		for (class = 0; class < KT_EVENT_CLASS_COUNT; class ++)
			if (strcmp(part, kt_event_class_name(class)) == 0)
				break;
		if (class == KT_EVENT_CLASS_COUNT)
			break;
		*events |= 1u << class;
	}
	if (class == KT_EVENT_CLASS_COUNT) {
		kt_str_add(why, "'");
		kt_str_add_safe(why, part);
		kt_str_add(why, "' is none of");
		for (u32 i = 0; i < KT_EVENT_CLASS_COUNT; i++)
			kt_str_addf(why, " %s", kt_event_class_name(i));
	}
	free(copy);
	return class == KT_EVENT_CLASS_COUNT ? -EINVAL : 0;
}

/* A number, and K, M or G of 1024. */
static int parse_size(void *dst, const char *text, struct kt_str *why)
{
	static const char units[] = "KMGT";
	char *number = kt_strdup(text);
	size_t len = strlen(number);
	const char *unit = len ? strchr(units, number[len - 1] & ~0x20) : NULL;
	u32 shift = unit && *unit ? 10 * (unit - units + 1) : 0;
	u64 value = 0;
	int err;

	if (shift)
		number[len - 1] = '\0';
	err = kt_parse_u64(number, 1, ~0ull >> shift, &value);
	free(number);
	value <<= shift;
	if (!err && value < MIN_FILE_BYTES)
		err = -ERANGE;
	if (err)
		kt_str_add(why, err == -ERANGE ? "at least 1M" : "a size, such as 500M or 2G");
	*(u64 *)dst = value;
	return err;
}

static const struct kt_opt what_opts[] = {
	{ "events", 'e', KT_OPT_PARSE, offsetof(struct record_opts, common.events), "NAME[,NAME]",
	  "what to record (default: all); see below", 0, 0, parse_events },
};

static const struct kt_opt file_opts[] = {
	{ "output", 'o', KT_OPT_STRING, offsetof(struct record_opts, path), "FILE",
	  "where to; -: standard output. A file that is there is\n"
	  "overwritten only if it is a capture of yours, or empty",
	  0, 0, NULL },
	{ "size", 0, KT_OPT_PARSE, offsetof(struct record_opts, size), "SIZE",
	  "end when FILE is that long (500M, 2G)", 0, 0, parse_size },
	{ "rotate", 0, KT_OPT_U32, offsetof(struct record_opts, rotate), "N",
	  "with --size: go on instead, in up to N files in all:\n"
	  "FILE is the newest, then come FILE.1, FILE.2, …",
	  2, 10000, NULL },
	{ "duration", 'd', KT_OPT_DURATION, offsetof(struct kt_common, duration_ns), "SEC",
	  "stop after SEC seconds (also 500ms, 2m); otherwise Ctrl-C stops", 1000000, 0, NULL },
};

static const struct kt_opt_group groups[] = {
	{ "What to record", what_opts, KT_ARRAY_SIZE(what_opts) },
	{ "Filters, applied in the kernel", kt_opts_vm, KT_OPTS_VM_COUNT },
	{ "", kt_opts_reason, KT_OPTS_REASON_COUNT },
	{ "", kt_opts_vector, KT_OPTS_VECTOR_COUNT },
	{ "The capture", file_opts, KT_ARRAY_SIZE(file_opts) },
	{ "Other", kt_opts_rings, KT_OPTS_RINGS_COUNT },
	{ "", kt_opts_general, KT_OPTS_GENERAL_COUNT },
	{ NULL, NULL, 0 },
};

static const struct kt_cmd_help help = {
	.usage = "kvmtrace record -o FILE [OPTION...] [-- COMMAND...]",
	.text = "Records what KVM does with guests into a file, the capture: 'kvmtrace report'\n"
		"reads it, on any machine, and 'kvmtrace export' converts it. With a COMMAND,\n"
		"tracing begins before it does, and ends with it. With '-o -' what COMMAND prints\n"
		"goes to standard error.\n"
		"\n"
		"Events: exits (with duration, RIP and qualification), exceptions, faults, msr,\n"
		"io (ports), mmio, cr, cpuid, hypercall, emulate (instructions), irq (injected),\n"
		"userspace (returns to QEMU), halt (wake-ups). --reason and --vector choose\n"
		"among exits and exceptions; the other events are recorded all the same.\n"
		"\n"
		"The capture also describes this host: kernel, KVM's parameters, CPU, the VMs and\n"
		"their command lines, without what looks like a password. It holds guests'\n"
		"addresses and register values: mind who gets it.\n",
	.examples =
		"  kvmtrace record -o win11.kvmtrace --vm win11 -d 30\n"
		"  kvmtrace record -o boot.kvmtrace -- qemu-system-x86_64 -accel kvm ...\n"
		"  kvmtrace record -o last.kvmtrace --size 1G --rotate 4 --events exceptions,halt\n",
	.groups = groups,
};

/* ---- events ---- */

static void __attribute__((noinline))
meet_slot(struct record *x, u32 slot, const struct kt_vcpu *v, u64 ts)
{
	x->known_slots[slot] = 1;
	kt_capture_facts_meet(&x->facts, v->tgid, ts);
}

static void add(struct record *x, u32 kind, const void *row)
{
	if (((const struct kt_row_common *)row)->ts <= x->ended)
		kt_writer_add(x->file.writer, kind, row);
}

/* Up to ts all has been added. */
static void check_size(struct record *x, u64 ts)
{
	kt_capture_added(&x->file);
	if (__builtin_expect(x->file.full, 0) && ts < x->ended)
		x->ended = ts;
}

static void add_batch(struct record *x, const u64 *words, u32 left, const struct kt_vcpu *v)
{
	struct kt_row_exit row;
	u32 taken;

	for (; (taken = kt_row_of_batched(&row, words, left, v)); words += taken, left -= taken)
		add(x, KT_ROW_EXIT, &row);
}

static void on_brief(void *ctx, const struct kt_brief *brief, u32 size, u32 cpu)
{
	struct record *x = ctx;
	u32 slot = KT_BRIEF_SLOT(brief), kind;
	const struct kt_vcpu *v = kt_session_vcpu(x->run.session, slot);

	if (!x->known_slots[slot])
		meet_slot(x, slot, v, brief->ts);
	if (KT_BRIEF_KIND(brief) == KT_KIND_EXITS) {
		add_batch(x, ((const struct kt_exit_batch *)brief)->words,
			  (size - sizeof(*brief)) / sizeof(u64), v);
	} else {
		kind = kt_row_of_brief(&x->row, brief, cpu, v);
		if (kind)
			add(x, kind, &x->row);
	}
	check_size(x, brief->ts);
}

static void on_event(void *ctx, const struct kt_head *head)
{
	struct record *x = ctx;
	union {
		struct kt_row_exception exception;
		struct kt_row_fault fault;
	} row;

	kt_capture_facts_meet(&x->facts, head->tgid, head->ts);
	if (head->kind == KT_KIND_EXCEPTION) {
		kt_row_of_exception(&row.exception, (const struct kt_exception *)head);
		add(x, KT_ROW_EXCEPTION, &row);
	} else if (head->kind == KT_KIND_FAULT) {
		kt_row_of_fault(&row.fault, (const struct kt_fault *)head);
		add(x, KT_ROW_FAULT, &row);
	}
	check_size(x, head->ts);
}

static void add_loss(struct record *x, u32 cpu, u64 from, u64 to, u64 count, u8 cause)
{
	if (from > x->ended)
		return;
	x->losses++;
	kt_writer_add_lost(x->file.writer, cpu, from, to < x->ended ? to : x->ended, count, cause);
}

static void on_lost(void *ctx, u32 cpu, u64 count)
{
	struct record *x = ctx;
	u64 now = kt_monotonic_ns();

	add_loss(x, cpu, x->lost_since[cpu], now, count, KT_LOST_BUFFER);
	x->lost_since[cpu] = now;
}

/* What a vCPU was in the middle of, and what was not handed over yet, when it, or tracing, ended. */
static void add_unfinished(struct record *x, u32 slot, const struct kt_vcpu *v)
{
	const struct kt_pending_fault *fault = kt_session_pending_fault(x->run.session, slot);
	struct kt_row_fault fault_row;
	struct kt_row_exit exit;
	struct kt_fault f;
	/* Other programs note when the guest was left, too, but no more than that. */
	bool exits = x->opts->common.events >> KT_CLASS_EXITS & 1 &&
		     kt_plan_way(kt_session_plan(x->run.session), KT_PART_TRACE_EXITS) >= 0;

	if (!v->vcpu || v->muted ||
	    kt_run_vm_excluded(&x->run, kt_vm_table_get(x->run.vms, v->tgid)))
		return;
	x->unpaired_entries += v->unpaired_entries;
	if (v->batched && v->batched <= KT_BATCH_WORDS) {
		kt_capture_facts_meet(&x->facts, v->tgid, v->batch.words[0]);
		add_batch(x, v->batch.words, v->batched, v);
	}
	if (exits && kt_row_of_unfinished(&exit, v)) {
		kt_capture_facts_meet(&x->facts, v->tgid, exit.head.ts);
		add(x, KT_ROW_EXIT, &exit);
	}
	if (fault) {
		f = kt_fault_unfinished(v, fault);
		kt_row_of_fault(&fault_row, &f);
		fault_row.head.cpu = KT_ROW_NONE;
		kt_capture_facts_meet(&x->facts, v->tgid, f.head.ts);
		add(x, KT_ROW_FAULT, &fault_row);
	}
}

static void on_gone(void *ctx, u32 slot, const struct kt_vcpu *v)
{
	struct record *x = ctx;

	add_unfinished(x, slot, v);
	check_size(x, kt_monotonic_ns());
	x->known_slots[slot] = 0;
}

/* ---- the course of time ---- */

static void stop(struct record *x)
{
	const u64 one = 1;

	if (write(x->stop, &one, sizeof(one)) < 0)
		kt_debug("eventfd: %m");
}

static void add_clock(struct record *x, u64 now)
{
	kt_writer_add_clock(x->file.writer, now, now + kt_realtime_offset_ns());
}

static void on_attached(void *ctx)
{
	struct record *x = ctx;
	u64 now = kt_monotonic_ns();

	/* First: without it the file stays as it was. Meanwhile events wait in the rings. */
	if (x->command && kt_child_begin(&x->child, x->command[0]) != KT_OK) {
		x->command = NULL;
		stop(x);
		return;
	}
	if (!kt_capture_begin(&x->file)) {
		stop(x);
		return;
	}
	x->facts.began = x->shown_ns = now;
	for (u32 cpu = 0; cpu < kt_session_cpus(x->run.session); cpu++)
		x->lost_since[cpu] = now;
	add_clock(x, now);
	kt_capture_facts_begin(&x->facts);
	if (!kt_capture_check_room(&x->file))
		stop(x);
}

static void on_idle(void *ctx)
{
	struct record *x = ctx;

	check_size(x, kt_monotonic_ns());
	if (x->file.full || kt_writer_error(x->file.writer))
		stop(x);
}

static void show_progress(struct record *x, u64 now)
{
	struct kt_writer_stats stats = kt_capture_stats(&x->file);
	u64 events = stats.events + stats.pending - x->losses, lost = kt_lost_in_buffers(&x->run),
	    ns = now - x->shown_ns;
	struct kt_str line = {};

	kt_str_addf(&line, "%llu events, %.0f/s, ", events,
		    ns ? (double)(events - x->shown_events) * KT_NSEC_PER_SEC / ns : 0.0);
	kt_str_add_bytes(&line, stats.bytes);
	if (lost)
		kt_str_addf(&line, ", LOST %llu", lost);
	kt_progress_show(&x->progress, &line);
	x->shown_events = events;
	x->shown_ns = now;
	kt_str_free(&line);
}

static void on_tick(void *ctx, bool final)
{
	struct record *x = ctx;
	u64 now = kt_monotonic_ns();

	if (final) {
		for (u32 slot = 1; slot < kt_session_slots(x->run.session); slot++)
			add_unfinished(x, slot, kt_session_vcpu(x->run.session, slot));
		check_size(x, now);
		return;
	}
	if (++x->ticks % TICKS_A_CLOCK == 0)
		add_clock(x, now);
	kt_writer_flush(x->file.writer);
	if (kt_progress_wanted())
		show_progress(x, now);
}

static const struct kt_loop_ops ops = { .event = on_event,
					.brief = on_brief,
					.attached = on_attached,
					.lost = on_lost,
					.gone = on_gone,
					.idle = on_idle,
					.interval = on_tick };

/* ---- the whole ---- */

/* Losses that no ring counts are known, and read, at the end only. */
static void add_other_losses(struct record *x, u64 now)
{
	const struct kt_counters *c = kt_session_counters(x->run.session);
	const u64 counts[] = { [KT_LOST_MISSED] = kt_session_missed(x->run.session),
			       [KT_LOST_VCPUS] = kt_lost_vcpus(c) };

	for (u8 cause = KT_LOST_MISSED; cause < KT_ARRAY_SIZE(counts); cause++)
		if (counts[cause])
			add_loss(x, KT_ROW_NONE, x->facts.began, now, counts[cause], cause);
}

static void say_result(struct record *x, u64 now)
{
	struct kt_writer_stats stats = kt_capture_stats(&x->file);
	struct kt_str line = {};

	kt_str_addf(&line, "recorded %llu events in ", stats.events - x->losses);
	kt_str_add_ns(&line, now - x->facts.began);
	kt_str_addf(&line, ": %s, ", x->opts->path);
	kt_str_add_bytes(&line, stats.bytes);
	if (x->file.files > 1)
		kt_str_addf(&line, " in %u files, of which %u were kept", x->file.files,
			    x->file.files < x->opts->rotate ? x->file.files : x->opts->rotate);
	if (x->file.full && !x->file.error)
		kt_str_add(&line, "; ended because the file is as long as it may be (--size)");
	if (stats.dropped)
		kt_str_addf(&line, "; %llu events could not be written", stats.dropped);
	kt_lost_add(&line, &x->run);
	kt_note("%s", line.data);
	kt_str_free(&line);
}

static void end_capture(struct record *x)
{
	u64 now = kt_monotonic_ns(), stopped = kt_session_stopped(x->run.session);
	u64 end = stopped ? stopped : now;

	if (end > x->ended)
		end = x->ended; /* the file was full */
	kt_progress_end(&x->progress);
	add_other_losses(x, end);
	add_clock(x, now);
	kt_capture_facts_end(&x->facts, end, x->unpaired_entries);
	kt_writer_flush(x->file.writer);
	say_result(x, end);
}

/* What ends the run: the command, a full file. */
static enum kt_status open_until(struct record *x)
{
	struct epoll_event event = { .events = EPOLLIN };

	x->until = epoll_create1(EPOLL_CLOEXEC);
	x->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (x->until >= 0 && x->stop >= 0 && !epoll_ctl(x->until, EPOLL_CTL_ADD, x->stop, &event) &&
	    (!x->command || !epoll_ctl(x->until, EPOLL_CTL_ADD, x->child.ended, &event)))
		return KT_OK;
	kt_err("cannot set up the event loop: %s", strerror(errno));
	return KT_FAILED;
}

static enum kt_status record(struct record *x)
{
	const struct record_opts *opts = x->opts;
	const struct kt_capture_file_opts file = { opts->path, opts->size, opts->rotate };
	struct kt_str what = {};
	enum kt_status status = kt_capture_open(&x->file, &file);

	if (status != KT_OK)
		return status;
	x->facts.run = &x->run;
	x->facts.writer = x->file.writer;
	x->lost_since = kt_alloc(kt_session_cpus(x->run.session) * sizeof(*x->lost_since));
	x->known_slots = kt_alloc(kt_session_slots(x->run.session));
	x->run.until = x->until;
	kt_str_addf(&what, "into %s", strcmp(opts->path, "-") ? opts->path : "standard output");
	status = kt_run_loop(&x->run, TICK_NS, what.data, &ops, x);
	kt_str_free(&what);
	if (x->facts.began)
		end_capture(x);
	return status;
}

static enum kt_status check_options(const struct record_opts *opts)
{
	if (!opts->path) {
		kt_err("record: where to? -o FILE (see 'kvmtrace record --help')");
		return KT_USAGE;
	}
	if (opts->rotate && !opts->size) {
		kt_err("record: --rotate needs --size, which says how long each file may be");
		return KT_USAGE;
	}
	if (opts->rotate && strcmp(opts->path, "-") == 0) {
		kt_err("record: --rotate needs a file to rename: -o FILE, not -o -");
		return KT_USAGE;
	}
	return KT_OK;
}

/* Cuts "-- COMMAND…" off; NULL: there is none. */
static char **take_command(int *argc, char **argv)
{
	for (int i = 1; i < *argc; i++) {
		if (strcmp(argv[i], "--") == 0) {
			*argc = i;
			argv[i] = NULL;
			return argv + i + 1;
		}
	}
	return NULL;
}

static enum kt_status run(struct record *x)
{
	enum kt_status status = KT_OK, written;
	const char *name = x->command ? x->command[0] : NULL;
	u64 lost = 0;

	/* Before anything is opened, which it need not have. */
	if (x->command)
		status = kt_child_prepare(&x->child, x->command,
					  kt_capture_takes_stdout(x->opts->path));
	if (status == KT_OK)
		status = open_until(x);
	if (status == KT_OK)
		status = kt_run_open(&x->run, &x->opts->common, KT_VIEW_RECORD, NULL);
	if (status == KT_OK)
		status = record(x);
	if (status == KT_OK && x->facts.began) {
		lost = kt_lost_total(&x->run);
		if (kt_capture_stats(&x->file).events == x->losses && !lost)
			kt_run_explain_nothing(&x->run, "events");
	}
	written = kt_capture_close(&x->file);
	if (name)
		kt_child_finish(&x->child, name);
	if (status == KT_OK)
		status = name && !x->command ? KT_FAILED : written;
	return kt_run_close(&x->run, status, lost);
}

static enum kt_status run_record(int argc, char **argv)
{
	struct record_opts opts = {};
	struct record x = { .opts = &opts, .until = -1, .stop = -1, .ended = ~0ull };
	enum kt_status status;

	x.command = take_command(&argc, argv);
	kt_common_init(&opts.common);
	opts.common.events = KT_ALL_EVENTS;
	opts.common.cfg.reinjected = true;
	if (!kt_cmd_parse(&help, &opts, argc, argv, &status))
		return status;
	status = check_options(&opts);
	if (status == KT_OK && x.command && !x.command[0]) {
		kt_err("record: which command? None follows '--'");
		status = KT_USAGE;
	}
	if (status != KT_OK)
		return status;
	status = run(&x);
	if (x.until >= 0)
		close(x.until);
	if (x.stop >= 0)
		close(x.stop);
	free(x.lost_since);
	free(x.known_slots);
	kt_capture_facts_fini(&x.facts);
	return status;
}

const struct kt_cmd kt_cmd_record = { "record", "capture to a file", run_record };
