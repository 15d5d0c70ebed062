/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * kvmtrace doctor: what this host lets kvmtrace see, from where, and why not. Plans are not only made:
 * their programs are loaded, never attached, to see whether the kernel takes them.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../lib/log.h"
#include "../live/caps.h"
#include "../live/items.h"
#include "../live/session.h"
#include "cmd.h"
#include "common.h"
#include "facts_file.h"

struct doctor_opts {
	struct kt_common common;
	const char *facts, *save;
};

/* What became of the plan for one view. */
struct verdict {
	enum kt_status status;
	struct kt_session *session; /* NULL when the facts came from a file */
	struct kt_plan made;	    /* used then */
	const struct kt_plan *plan;
	const char *why; /* when status is not KT_OK */
};

struct doctor {
	const struct doctor_opts *opts;
	struct kt_facts facts;
	struct verdict verdicts[KT_VIEW_COUNT];
	struct kt_out *out;
	struct kt_record *record; /* NULL for text */
};

static const char *const commands[KT_VIEW_COUNT] = {
	[KT_VIEW_EXITS] = "exits",   [KT_VIEW_EXCEPTIONS] = "exceptions",
	[KT_VIEW_FAULTS] = "faults", [KT_VIEW_REGIONS] = "faults --hist",
	[KT_VIEW_VCPUS] = "vms",     [KT_VIEW_RECORD] = "record",
};

static const struct kt_opt own_opts[] = {
	{ "facts", 0, KT_OPT_STRING, offsetof(struct doctor_opts, facts), "FILE",
	  "judge the host whose facts are in FILE, not this one", 0, 0, NULL },
	{ "save-facts", 0, KT_OPT_STRING, offsetof(struct doctor_opts, save), "FILE",
	  "also write the facts to FILE, for --facts and bug reports", 0, 0, NULL },
};

static const struct kt_opt_group groups[] = {
	{ "Facts", own_opts, KT_ARRAY_SIZE(own_opts) },
	{ "Output", kt_opts_plain_output, KT_OPTS_PLAIN_OUTPUT_COUNT },
	{ "Other", kt_opts_plain_general, KT_OPTS_PLAIN_GENERAL_COUNT },
	{ NULL, NULL, 0 },
};

static const struct kt_cmd_help help = {
	.usage = "kvmtrace doctor [OPTION...]",
	.text = "Says whether this host can be traced: for each command whether it works, for\n"
		"each thing it shows from where that comes on this kernel, or why it cannot be\n"
		"had and what would help. The BPF programs are loaded to see whether the kernel\n"
		"takes them; nothing is attached. With -v also the facts behind it, and the\n"
		"ways that were passed over. Ends with status 3 or 4 when a command cannot work\n"
		"here at all.\n",
	.examples = "  sudo kvmtrace doctor\n"
		    "  sudo kvmtrace doctor --save-facts host.facts    what a maintainer needs\n"
		    "  kvmtrace doctor --facts host.facts              how kvmtrace fares there\n",
	.groups = groups,
};

/* ---- examination ---- */

static void examine(struct doctor *x, enum kt_view view)
{
	struct kt_session_opts opts = { .view = view, .events = KT_ALL_EVENTS, .quiet = true };
	struct kt_request request = { .view = view, .events = KT_ALL_EVENTS };
	struct verdict *v = &x->verdicts[view];

	if (x->opts->facts) {
		v->status = kt_plan_make(&x->facts, &request, &v->made);
		v->plan = &v->made;
		v->why = v->made.refusal.data;
		return;
	}
	opts.cfg = x->opts->common.cfg;
	v->status = kt_session_open(&opts, &v->session);
	v->plan = kt_session_plan(v->session);
	v->why = kt_session_failure(v->session);
}

static enum kt_status gather(struct doctor *x)
{
	int tracefs;

	if (x->opts->facts)
		return kt_facts_load(x->opts->facts, &x->facts);
	kt_caps_gather(&x->facts, &tracefs, NULL);
	if (tracefs >= 0)
		close(tracefs);
	return KT_OK;
}

/* A list of VMs can be made without BPF, with less in it. */
static bool possible(const struct doctor *x, enum kt_view view)
{
	return view == KT_VIEW_VCPUS || x->verdicts[view].status == KT_OK;
}

/* The gravest of the verdicts: a command that cannot work at all. */
static enum kt_status overall(const struct doctor *x)
{
	enum kt_status status = KT_OK;

	for (u32 i = 0; i < KT_VIEW_COUNT; i++)
		if (i != KT_VIEW_VCPUS && x->verdicts[i].status > status)
			status = x->verdicts[i].status;
	return status;
}

/* ---- text ---- */

#define INDENT	   2
#define NAME_WIDTH 14

static void write_text(struct doctor *x, struct kt_str *text)
{
	kt_out_write(x->out, text->data, text->len);
	kt_str_free(text);
}

/* Appends words, broken into lines that fit the terminal and begin in the same column. */
static void add_wrapped(struct kt_str *text, const char *words, size_t column, size_t width)
{
	size_t at = column;

	while (*words) {
		size_t len = strcspn(words, " ");

		if (width && at > column && at + len >= width) {
			kt_str_addf(text, "\n%*s", (int)column, "");
			at = column;
		} else if (at > column) {
			kt_str_add_char(text, ' ');
			at++;
		}
		kt_str_add_n(text, words, len);
		at += len;
		words += len + (words[len] == ' ');
	}
}

static void add_line(struct doctor *x, struct kt_str *text, const char *name, const char *words)
{
	size_t begin = text->len;

	kt_str_addf(text, "%*s%s ", INDENT, "", name);
	kt_str_pad(text, begin, INDENT + NAME_WIDTH);
	add_wrapped(text, words, INDENT + NAME_WIDTH, kt_out_width(x->out));
	kt_str_add_char(text, '\n');
}

struct item_text {
	struct doctor *x;
	struct kt_str *text;
};

static void print_item(void *ctx, const struct kt_item *item, const char *source, const char *lack)
{
	struct item_text *t = ctx;
	struct kt_str words = {};

	if (source)
		kt_str_add(&words, source);
	if (source && lack)
		kt_str_add(&words, "; but ");
	if (lack)
		kt_str_addf(&words, "%s%s", source ? "" : "missing: ", lack);
	add_line(t->x, t->text, item->name, words.data);
	kt_str_free(&words);
}

static void add_programs(const struct kt_plan *plan, struct kt_str *text)
{
	const char *between = "";

	for (u32 i = 0; i < kt_program_count; i++) {
		if (!(plan->programs >> i & 1))
			continue;
		kt_str_addf(text, "%s%s", between, kt_programs[i].name);
		between = ", ";
	}
}

static void print_ways(struct doctor *x, const struct kt_plan *plan, struct kt_str *text)
{
	struct kt_str words = {};

	kt_str_add(&words, "by ");
	add_programs(plan, &words);
	add_line(x, text, "programs", words.data);
	for (u32 i = 0; i < kt_way_count; i++) {
		if (!plan->why_not[i].len)
			continue;
		kt_str_reset(&words);
		kt_str_addf(&words, "not by %s: %s", kt_ways[i].programs[0], plan->why_not[i].data);
		add_line(x, text, kt_ways[i].name, words.data);
	}
	kt_str_free(&words);
}

static void print_view(struct doctor *x, enum kt_view view)
{
	const struct verdict *v = &x->verdicts[view];
	struct kt_str text = {};
	struct item_text t = { x, &text };

	kt_str_addf(&text, "\n%s: ", commands[view]);
	if (!possible(x, view)) {
		kt_str_add(&text, "no.\n");
		add_line(x, &text, "why", v->why);
	} else {
		kt_str_add(&text, v->status == KT_OK ? "yes.\n" : "as far as /proc tells.\n");
		kt_items_each(&x->facts, v->plan, view, print_item, &t);
	}
	if (v->status == KT_OK && x->opts->common.verbose)
		print_ways(x, v->plan, &text);
	write_text(x, &text);
}

static void print_fact(void *ctx, const char *key, const char *value, const char *meaning)
{
	(void)meaning;
	kt_str_addf(ctx, "%*s%s = %s\n", INDENT, "", key, value);
}

static void print_text(struct doctor *x)
{
	static const char *const kinds[] = { "not known", "not loaded", "built in", "a module" };
	struct kt_str text = {};

	kt_str_add(&text, "host: Linux ");
	kt_str_add_safe(&text, x->facts.kernel);
	kt_str_addf(&text, ", KVM %s, vendor ", kinds[x->facts.kvm]);
	kt_str_add_safe(&text, x->facts.vendor[0] ? x->facts.vendor : "none");
	kt_str_add_char(&text, '\n');
	write_text(x, &text);
	for (enum kt_view view = 0; view < KT_VIEW_COUNT; view++)
		print_view(x, view);
	if (!x->opts->common.verbose)
		return;
	kt_str_add(&text, "\nfacts:\n");
	kt_facts_each(&x->facts, print_fact, &text);
	write_text(x, &text);
}

/* ---- json, csv ---- */

static void record_view(struct doctor *x, enum kt_view view)
{
	const struct verdict *v = &x->verdicts[view];
	struct kt_record *r = x->record;

	kt_record_begin(r, "tracing");
	kt_record_str(r, "command", commands[view]);
	kt_record_bool(r, "possible", possible(x, view));
	kt_record_str(r, "why_not", v->status == KT_OK ? NULL : v->why);
	kt_record_array(r, "programs");
	for (u32 i = 0; i < kt_program_count; i++)
		if (v->status == KT_OK && v->plan->programs >> i & 1)
			kt_record_str(r, NULL, kt_programs[i].name);
	kt_record_array_end(r);
	kt_record_array(r, "passed_over");
	for (u32 i = 0; i < kt_way_count; i++) {
		if (!v->plan->why_not[i].len)
			continue;
		kt_record_object(r, NULL);
		kt_record_str(r, "way", kt_ways[i].name);
		kt_record_str(r, "program", kt_ways[i].programs[0]);
		kt_record_str(r, "why", v->plan->why_not[i].data);
		kt_record_object_end(r);
	}
	kt_record_array_end(r);
	kt_record_end(r);
}

static void record_item(void *ctx, const struct kt_item *item, const char *source, const char *lack)
{
	struct doctor *x = ctx;

	kt_record_begin(x->record, "item");
	kt_record_str(x->record, "command", commands[item->view]);
	kt_record_str(x->record, "item", item->name);
	kt_record_bool(x->record, "available", source != NULL);
	kt_record_str(x->record, "source", source);
	kt_record_str(x->record, "lack", lack);
	kt_record_end(x->record);
}

static void record_fact(void *ctx, const char *key, const char *value, const char *meaning)
{
	struct doctor *x = ctx;

	kt_record_begin(x->record, "fact");
	kt_record_str(x->record, "key", key);
	kt_record_str(x->record, "value", value);
	kt_record_str(x->record, "meaning", meaning);
	kt_record_end(x->record);
}

/* In csv a table of items: facts and verdicts have other columns. */
static void print_records(struct doctor *x)
{
	bool json = x->opts->common.format == KT_FORMAT_JSON;

	x->record = kt_record_new(x->opts->common.format, x->out, "item");
	for (enum kt_view view = 0; view < KT_VIEW_COUNT; view++) {
		if (json)
			record_view(x, view);
		kt_items_each(&x->facts, x->verdicts[view].plan, view, record_item, x);
	}
	if (json)
		kt_facts_each(&x->facts, record_fact, x);
	kt_record_free(x->record);
}

static enum kt_status run_doctor(int argc, char **argv)
{
	struct doctor_opts opts = {};
	struct doctor x = { .opts = &opts };
	enum kt_status status, out_status;

	kt_common_init(&opts.common);
	if (!kt_cmd_parse(&help, &opts, argc, argv, &status))
		return status;
	status = gather(&x);
	if (status == KT_OK && opts.save)
		status = kt_facts_save(opts.save, &x.facts);
	if (status != KT_OK)
		return status;
	x.out = kt_out_open(opts.common.output);
	if (!x.out)
		return KT_FAILED;
	for (enum kt_view view = 0; view < KT_VIEW_COUNT; view++)
		examine(&x, view);
	if (opts.common.format == KT_FORMAT_TEXT)
		print_text(&x);
	else
		print_records(&x);
	status = overall(&x);
	for (enum kt_view view = 0; view < KT_VIEW_COUNT; view++) {
		kt_session_close(x.verdicts[view].session);
		kt_plan_fini(&x.verdicts[view].made);
	}
	out_status = kt_out_close(x.out);
	return out_status != KT_OK ? out_status : status;
}

const struct kt_cmd kt_cmd_doctor = { "doctor", "whether this host can be traced, and how",
				      run_doctor };
