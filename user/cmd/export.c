/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../export/ctf.h"
#include "../export/perfetto.h"
#include "../lib/clock.h"
#include "../lib/log.h"
#include "../replay/order.h"
#include "../sink/event.h"
#include "../sink/units.h"
#include "cmd.h"
#include "common.h"
#include "progress.h"
#include "recorded.h"

#define EVENTS_A_LOOK 8192 /* at what became of the output, and at the time */
#define PROGRESS_NS   (KT_NSEC_PER_SEC / 2)

struct export_opts {
	struct kt_common common;
	const struct target *target; /* --format */
};

struct export
{
	const struct export_opts *opts;
	struct kt_replay *replay;
	const struct kt_reader *reader; /* the replay's */
	struct kt_order *order;		/* NULL: events are exported as they come */
	struct kt_out *out;		/* all but ctf */
	struct kt_perfetto *perfetto;
	struct kt_ctf *ctf;
	struct kt_record *record;
	struct kt_str line;
	u64 events, unknown; /* exported; of kinds that this version doesn't know */
	u64 shown_ns;
	struct kt_progress progress;
};

/* A format. All functions but open() and event() may be NULL. */
struct target {
	const char *name;
	bool binary;
	bool ordered; /* by time */
	enum kt_status (*open)(struct export *x);
	void (*event)(struct export *x, u32 kind, const struct kt_row_common *row,
		      const struct kt_vm_entry *vm);
	void (*gap)(struct export *x, const struct kt_gap *gap);
	void (*end)(struct export *x); /* nothing went wrong */
	bool (*failed)(const struct export *x);
	enum kt_status (*close)(struct export *x);
};

static enum kt_status open_out(struct export *x)
{
	x->out = kt_out_open(x->opts->common.output);
	return x->out ? KT_OK : KT_FAILED;
}

static bool out_failed(const struct export *x)
{
	return kt_out_error(x->out);
}

static enum kt_status close_out(struct export *x)
{
	return kt_out_close(x->out);
}

static u64 realtime(const struct export *x, u64 ts)
{
	u64 ns;

	return kt_reader_realtime(x->reader, ts, &ns) ? ns : 0;
}

/* ---- Perfetto ---- */

static enum kt_status open_perfetto(struct export *x)
{
	const struct kt_clock *clocks;
	u32 count;

	if (open_out(x) != KT_OK)
		return KT_FAILED;
	clocks = kt_reader_clocks(x->reader, &count);
	x->perfetto = kt_perfetto_new(x->out, clocks, count);
	return KT_OK;
}

static void perfetto_event(struct export *x, u32 kind, const struct kt_row_common *row,
			   const struct kt_vm_entry *vm)
{
	kt_perfetto_event(x->perfetto, kind, row, vm);
}

static void perfetto_gap(struct export *x, const struct kt_gap *gap)
{
	kt_perfetto_gap(x->perfetto, gap);
}

static void end_perfetto(struct export *x)
{
	kt_perfetto_end(x->perfetto);
}

static enum kt_status close_perfetto(struct export *x)
{
	kt_perfetto_free(x->perfetto);
	return close_out(x);
}

/* ---- CTF ---- */

static enum kt_status open_ctf(struct export *x)
{
	struct kt_str why = {};
	const struct kt_clock *clocks;
	u32 count;

	clocks = kt_reader_clocks(x->reader, &count);
	x->ctf = kt_ctf_new(x->opts->common.output, count ? clocks : NULL, &why);
	if (!x->ctf)
		kt_err("cannot write to %s: %s", x->opts->common.output, why.data);
	kt_str_free(&why);
	return x->ctf ? KT_OK : KT_FAILED;
}

static void ctf_event(struct export *x, u32 kind, const struct kt_row_common *row,
		      const struct kt_vm_entry *vm)
{
	kt_ctf_event(x->ctf, kind, row, vm);
}

static bool ctf_failed(const struct export *x)
{
	return kt_ctf_error(x->ctf);
}

static enum kt_status close_ctf(struct export *x)
{
	struct kt_str why = {};
	bool ok = kt_ctf_close(x->ctf, &why);

	if (!ok)
		kt_err("cannot write to %s: %s", x->opts->common.output, why.data);
	kt_str_free(&why);
	return ok ? KT_OK : KT_FAILED;
}

/* ---- records and text ---- */

static enum kt_status open_json(struct export *x)
{
	enum kt_status status = open_out(x);

	if (status == KT_OK)
		x->record = kt_record_new(KT_FORMAT_JSON, x->out, "event");
	return status;
}

static enum kt_status open_csv(struct export *x)
{
	enum kt_status status = open_out(x);

	if (status == KT_OK)
		x->record = kt_record_new(KT_FORMAT_CSV, x->out, "event");
	return status;
}

static void record_event(struct export *x, u32 kind, const struct kt_row_common *row,
			 const struct kt_vm_entry *vm)
{
	kt_event_record(x->record, kind, row, vm, realtime(x, row->ts));
}

static void record_gap(struct export *x, const struct kt_gap *gap)
{
	struct kt_record *r = x->record;

	kt_record_begin(r, "gap");
	kt_record_u64(r, "from_ns", gap->from_ts);
	if (gap->to_ts == ~0ull)
		kt_record_null(r, "to_ns");
	else
		kt_record_u64(r, "to_ns", gap->to_ts);
	if (gap->events)
		kt_record_u64(r, "events", gap->events);
	else
		kt_record_null(r, "events");
	kt_record_u64(r, "bytes", gap->bytes);
	kt_record_end(r);
}

static void record_end(struct export *x)
{
	const struct kt_reader_stats *s = kt_reader_stats(x->reader);
	struct kt_record *r = x->record;

	kt_record_begin(r, "summary");
	kt_record_u64(r, "events", x->events);
	kt_record_u64(r, "unknown", x->unknown);
	kt_record_u64(r, "lost", s->lost);
	kt_record_u64(r, "gaps", s->gaps);
	kt_record_u64(r, "missing", s->missing);
	kt_record_bool(r, "complete", kt_reader_intact(x->reader) && s->closed);
	kt_record_end(r);
}

static enum kt_status close_record(struct export *x)
{
	kt_record_free(x->record);
	return close_out(x);
}

static void text_event(struct export *x, u32 kind, const struct kt_row_common *row,
		       const struct kt_vm_entry *vm)
{
	kt_str_reset(&x->line);
	kt_event_text(&x->line, kind, row, vm, realtime(x, row->ts));
	kt_out_write(x->out, x->line.data, x->line.len);
}

static void text_gap(struct export *x, const struct kt_gap *gap)
{
	kt_str_reset(&x->line);
	kt_str_addf(&x->line, "# damaged: %llu bytes at %llu cannot be read", gap->bytes,
		    gap->offset);
	if (gap->events)
		kt_str_addf(&x->line, "; %llu events are missing", gap->events);
	kt_str_add_char(&x->line, '\n');
	kt_out_write(x->out, x->line.data, x->line.len);
}

static const struct target targets[] = {
	{ "perfetto", true, false, open_perfetto, perfetto_event, perfetto_gap, end_perfetto,
	  out_failed, close_perfetto },
	{ "ctf", false, false, open_ctf, ctf_event, NULL, NULL, ctf_failed, close_ctf },
	{ "json", false, true, open_json, record_event, record_gap, record_end, out_failed,
	  close_record },
	{ "csv", false, true, open_csv, record_event, record_gap, record_end, out_failed,
	  close_record },
	{ "text", false, true, open_out, text_event, text_gap, NULL, out_failed, close_out },
};

/* ---- options ---- */

static int parse_target(void *dst, const char *text, struct kt_str *why)
{
	for (size_t i = 0; i < KT_ARRAY_SIZE(targets); i++) {
		if (strcmp(text, targets[i].name) == 0) {
			*(const struct target **)dst = &targets[i];
			return 0;
		}
	}
	kt_str_add(why, "no such format '");
	kt_str_add_safe(why, text);
	kt_str_add(why, "' (perfetto, ctf, json, csv or text)");
	return -EINVAL;
}

static const struct kt_opt output_opts[] = {
	{ "format", 'f', KT_OPT_PARSE, offsetof(struct export_opts, target), "FORMAT",
	  "perfetto, ctf, json, csv or text; see above", 0, 0, parse_target },
	{ "output", 'o', KT_OPT_STRING, offsetof(struct export_opts, common.output), "OUT",
	  "where to: a file, -: standard output; ctf: a new directory", 0, 0, NULL },
};

static const struct kt_opt_group groups[] = {
	{ "Output", output_opts, KT_ARRAY_SIZE(output_opts) },
	{ "Which events", kt_opts_when, KT_OPTS_WHEN_COUNT },
	{ "", kt_opts_vm, KT_OPTS_VM_COUNT },
	{ "", kt_opts_reason, KT_OPTS_REASON_COUNT },
	{ "", kt_opts_vector, KT_OPTS_VECTOR_COUNT },
	{ "Other", kt_opts_incomplete, KT_OPTS_INCOMPLETE_COUNT },
	{ "", kt_opts_plain_general, KT_OPTS_PLAIN_GENERAL_COUNT },
	{ NULL, NULL, 0 },
};

static const struct kt_cmd_help help = {
	.usage = "kvmtrace export --format FORMAT -o OUT [OPTION...] FILE",
	.text = "Converts a capture, which 'kvmtrace record' made, for other programs. Needs\n"
		"neither root nor KVM.\n"
		"\n"
		"Formats: perfetto, for https://ui.perfetto.dev (a process for each VM, a track\n"
		"for each vCPU, exits as slices, exceptions and what else happened as instants,\n"
		"rates as counters); ctf, Common Trace Format 1.8, for babeltrace2 and Trace\n"
		"Compass; json, an object a line; csv; text.\n"
		"\n"
		"What was lost when the capture was made, and what cannot be read of it, is said\n"
		"at the end, and in the output where the format has a place for it.\n",
	.examples =
		"  kvmtrace export -f perfetto -o win11.pftrace win11.kvmtrace\n"
		"  kvmtrace export -f ctf -o win11.ctf win11.kvmtrace && babeltrace2 win11.ctf\n"
		"  kvmtrace export -f json -o - win11.kvmtrace | jq 'select(.kind == \"msr\")'\n",
	.groups = groups,
	.arguments = 1,
};

static enum kt_status check_options(const struct export_opts *opts)
{
	const char *lacks = NULL;

	if (!opts->common.capture)
		lacks = "which capture? FILE";
	else if (!opts->target)
		lacks = "which format? --format perfetto, ctf, json, csv or text";
	else if (!opts->common.output)
		lacks = "where to? -o OUT; -: standard output";
	else if (opts->target->open == open_ctf && strcmp(opts->common.output, "-") == 0)
		lacks = "ctf is a directory: -o NAME";
	if (!lacks)
		return KT_OK;
	kt_err("export: %s (see 'kvmtrace export --help')", lacks);
	return KT_USAGE;
}

/* ---- the whole ---- */

/* OUT may not be FILE: it would be empty before it is read. */
static enum kt_status check_output(const struct export_opts *opts)
{
	bool stream = strcmp(opts->common.output, "-") == 0;
	struct stat in, out;

	if (stream && opts->target->binary && isatty(STDOUT_FILENO)) {
		kt_err("export: %s is not for a terminal: -o OUT", opts->target->name);
		return KT_USAGE;
	}
	if (stat(opts->common.capture, &in) == 0 &&
	    (stream ? fstat(STDOUT_FILENO, &out) : stat(opts->common.output, &out)) == 0 &&
	    in.st_dev == out.st_dev && in.st_ino == out.st_ino) {
		kt_err("export: the output is the capture itself");
		return KT_FAILED;
	}
	return KT_OK;
}

static enum kt_status open_capture(struct export *x)
{
	const struct kt_common *c = &x->opts->common;
	const struct kt_replay_filter filter = kt_recorded_filter(c);

	if (kt_replay_open(&x->replay, c->capture) != KT_OK)
		return KT_FAILED;
	x->reader = kt_replay_reader(x->replay);
	return kt_replay_filter(x->replay, &filter);
}

static void show_progress(struct export *x)
{
	const struct kt_reader_stats *s = kt_reader_stats(x->reader);
	u64 now = kt_monotonic_ns();

	if (now - x->shown_ns < PROGRESS_NS || !kt_progress_wanted())
		return;
	x->shown_ns = now;
	kt_str_reset(&x->line);
	kt_str_addf(&x->line, "%llu events", s->events);
	if (s->total) {
		kt_str_add(&x->line, ", ");
		kt_str_add_share(&x->line, s->events, s->total);
	}
	kt_progress_show(&x->progress, &x->line);
}

static int next_event(struct export *x, struct kt_replay_event *event)
{
	struct kt_ordered ordered;
	int more;

	if (!x->order)
		return kt_replay_next(x->replay, event);
	more = kt_order_next(x->order, &ordered);
	*event = ordered.event;
	return more;
}

/* As kt_replay_next() at the end. */
static int export_events(struct export *x)
{
	const struct target *target = x->opts->target;
	struct kt_replay_event event;
	int more;

	while ((more = next_event(x, &event)) > 0) {
		if (event.kind) {
			target->event(x, event.kind, event.head, event.vm);
			x->events++;
		} else {
			x->unknown++;
		}
		if ((x->events + x->unknown) % EVENTS_A_LOOK)
			continue;
		if (target->failed(x))
			break; /* which close() tells of */
		show_progress(x);
	}
	return more;
}

static enum kt_status export_all(struct export *x)
{
	const struct target *target = x->opts->target;
	const struct kt_reader_stats *s;
	int more;

	if (target->ordered)
		x->order = kt_order_new(x->replay, KT_ORDER_BY_TS);
	more = export_events(x);
	kt_progress_end(&x->progress);
	if (more < 0)
		kt_err("%s: cannot be read any further: %s", x->opts->common.capture,
		       strerror(-more));
	if (more || target->failed(x))
		return KT_FAILED;
	s = kt_reader_stats(x->reader);
	for (u32 i = 0; i < s->gap_count && target->gap; i++)
		target->gap(x, &s->gap[i]);
	if (target->end)
		target->end(x);
	return KT_OK;
}

/* Returns how much is known to be missing. */
static bool say_what_is_missing(const struct export *x)
{
	u64 lost = kt_reader_stats(x->reader)->lost;

	if (lost)
		kt_warn("%llu events were lost when the capture was made", lost);
	kt_recorded_say_missing(x->replay);
	if (x->unknown)
		kt_warn("%llu events of kinds that this version does not know were left out",
			x->unknown);
	return lost || !kt_replay_missing(x->replay).complete || x->unknown;
}

static enum kt_status run(struct export *x)
{
	const struct target *target = x->opts->target;
	enum kt_status status = open_capture(x), closed;

	if (status == KT_OK)
		status = check_output(x->opts);
	if (status == KT_OK)
		status = target->open(x);
	if (status != KT_OK)
		return status;
	status = export_all(x);
	closed = target->close(x);
	if (closed != KT_OK || status != KT_OK) {
		kt_note("what is in %s is not complete", x->opts->common.output);
		return KT_FAILED;
	}
	if (say_what_is_missing(x) && x->opts->common.strict)
		return KT_LOST;
	return KT_OK;
}

static enum kt_status run_export(int argc, char **argv)
{
	struct export_opts opts = {};
	struct export x = { .opts = &opts };
	enum kt_status status;

	kt_common_init(&opts.common);
	if (!kt_cmd_parse(&help, &opts, argc, argv, &status))
		return status;
	opts.common.capture = argv[1];
	status = check_options(&opts);
	if (status != KT_OK)
		return status;
	status = run(&x);
	kt_order_free(x.order);
	kt_replay_close(x.replay);
	kt_str_free(&x.line);
	return status;
}

const struct kt_cmd kt_cmd_export = { "export", "a capture for Perfetto, Babeltrace, scripts",
				      run_export };
