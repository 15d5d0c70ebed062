/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <stdlib.h>
#include <string.h>

#include "../agg/exits.h"
#include "../lib/log.h"
#include "cmd.h"
#include "views.h"

struct report_opts {
	struct kt_common common;
	bool hist;
	u32 by, top;
	u64 interval_ns;
};

static const struct kt_opt view_opts[] = {
	{ "hist", 0, KT_OPT_FLAG, offsetof(struct report_opts, hist), NULL,
	  "exits: with distributions; faults: by 2 MiB region", 0, 0, NULL },
	{ "by", 0, KT_OPT_PARSE, offsetof(struct report_opts, by), "KEY[,KEY]",
	  "exits: a line for each reason, vm, vcpu (default: reason,vm)", 0, 0, kt_exits_parse_by },
	{ "interval", 'i', KT_OPT_DURATION, offsetof(struct report_opts, interval_ns), "SEC",
	  "exits: a table for every SEC seconds of the capture", 1000000, 0, NULL },
	{ "top", 0, KT_OPT_U32, offsetof(struct report_opts, top), "N",
	  "faults --hist: only the N hottest regions", 1, 0xffffffff, NULL },
	{ "reinjected", 0, KT_OPT_FLAG, offsetof(struct kt_common, cfg.reinjected), NULL,
	  "exceptions: also those that KVM injected again", 0, 0, NULL },
};

static const struct kt_opt_group groups[] = {
	{ "Views", view_opts, KT_ARRAY_SIZE(view_opts) },
	{ "Which events", kt_opts_when, KT_OPTS_WHEN_COUNT },
	{ "", kt_opts_vm, KT_OPTS_VM_COUNT },
	{ "", kt_opts_reason, KT_OPTS_REASON_COUNT },
	{ "", kt_opts_vector, KT_OPTS_VECTOR_COUNT },
	{ "Guest symbols", kt_opts_symbols, KT_OPTS_SYMBOLS_COUNT },
	{ "Output", kt_opts_plain_output, KT_OPTS_PLAIN_OUTPUT_COUNT },
	{ "Other", kt_opts_incomplete, KT_OPTS_INCOMPLETE_COUNT },
	{ "", kt_opts_plain_general, KT_OPTS_PLAIN_GENERAL_COUNT },
	{ NULL, NULL, 0 },
};

static const struct kt_cmd_help help = {
	.usage = "kvmtrace report FILE [VIEW] [OPTION...]",
	.text = "Reads a capture that 'kvmtrace record' made, on any machine and without\n"
		"permission. Without a VIEW it says on one screen what happened and what stands\n"
		"out. The views show what the live commands of these names show:\n"
		"  exits        why VMs exited and how long each exit took\n"
		"  exceptions   every exception that KVM injected\n"
		"  faults       guest memory faults that KVM handled\n"
		"and events is the merged sequence, one line an event, everything decoded.\n"
		"\n"
		"--where compares fields of events; those that lack one don't match. A FIELD is\n"
		"named as in 'report FILE events -f json', or 'kind'; KIND.FIELD is one kind's.\n"
		"OP is == != < <= > >= or & (has any of these bits); a VALUE is a number, or the\n"
		"name of a reason, vector, MSR or exit to user space.\n"
		"\n"
		"What is damaged or missing is said at the end; what can be read, is.\n",
	.examples =
		"  kvmtrace report win11.kvmtrace\n"
		"  kvmtrace report win11.kvmtrace exits --hist --from 14:03:22 --to 14:03:25\n"
		"  kvmtrace report win11.kvmtrace events --where 'kind == msr and failed == 1'\n"
		"  kvmtrace report win11.kvmtrace events --where 'exit.duration > 1000000'\n"
		"  kvmtrace report win11.kvmtrace exceptions --vector gp -f json\n",
	.groups = groups,
	.arguments = 2,
};

static enum kt_status run_summary(const struct report_opts *o)
{
	return kt_summary_run(&o->common);
}

static enum kt_status run_exits(const struct report_opts *o)
{
	const struct kt_exits_opts opts = { .common = o->common,
					    .hist = o->hist,
					    .by = o->by ? o->by : KT_EXITS_BY,
					    .interval_ns = o->interval_ns };

	return kt_exits_run(&opts);
}

static enum kt_status run_exceptions(const struct report_opts *o)
{
	const struct kt_exceptions_opts opts = { .common = o->common };

	return kt_exceptions_run(&opts);
}

static enum kt_status run_faults(const struct report_opts *o)
{
	const struct kt_faults_opts opts = { .common = o->common, .hist = o->hist, .top = o->top };

	return kt_faults_run(&opts);
}

static enum kt_status run_events(const struct report_opts *o)
{
	return kt_events_run(&o->common);
}

enum { HIST = 1, BY = 2, INTERVAL = 4, TOP = 8, REINJECTED = 16 };

static const struct view {
	const char *name;
	u32 takes; /* of the options that not all do */
	enum kt_status (*run)(const struct report_opts *o);
} views[] = {
	{ "summary", 0, run_summary },
	{ "exits", HIST | BY | INTERVAL, run_exits },
	{ "exceptions", REINJECTED, run_exceptions },
	{ "faults", HIST | TOP, run_faults },
	{ "events", 0, run_events },
};

static const struct view *find_view(const char *name)
{
	struct kt_str safe = {};

	for (size_t i = 0; i < KT_ARRAY_SIZE(views); i++)
		if (!strcmp(views[i].name, name))
			return &views[i];
	kt_str_add_safe(&safe, name);
	kt_err("report: no view is called '%s' (summary, exits, exceptions, faults or events)",
	       safe.data);
	kt_str_free(&safe);
	return NULL;
}

/* An option that the view would pass over in silence is a mistake. */
static bool options_fit(const struct view *view, const struct report_opts *o)
{
	const struct {
		u32 bit;
		bool given;
		const char *name;
	} given[] = {
		{ HIST, o->hist, "--hist" },
		{ BY, o->by, "--by" },
		{ INTERVAL, o->interval_ns, "--interval" },
		{ TOP, o->top, "--top" },
		{ REINJECTED, o->common.cfg.reinjected, "--reinjected" },
	};

	for (size_t i = 0; i < KT_ARRAY_SIZE(given); i++) {
		if (!given[i].given || view->takes & given[i].bit)
			continue;
		kt_err("report: %s is not for the view '%s' (see 'kvmtrace report --help')",
		       given[i].name, view->name);
		return false;
	}
	return true;
}

static enum kt_status run_report(int argc, char **argv)
{
	struct report_opts opts = {};
	const struct view *view;
	enum kt_status status;

	kt_common_init(&opts.common);
	if (!kt_cmd_parse(&help, &opts, argc, argv, &status))
		return status;
	opts.common.capture = argv[1];
	if (!opts.common.capture) {
		kt_err("report: which capture? 'kvmtrace report FILE' (see 'kvmtrace report --help')");
		return KT_USAGE;
	}
	view = argv[2] ? find_view(argv[2]) : &views[0];
	if (!view || !options_fit(view, &opts))
		return KT_USAGE;
	return view->run(&opts);
}

const struct kt_cmd kt_cmd_report = { "report", "read a capture: what happened, and the views",
				      run_report };
