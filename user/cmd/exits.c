/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../agg/exit_rows.h"
#include "../agg/hist.h"
#include "../decode/decode.h"
#include "../lib/log.h"
#include "../sink/bars.h"
#include "../sink/table.h"
#include "../sink/units.h"
#include "cmd.h"
#include "common.h"
#include "lost.h"
#include "views.h"

struct exits {
	const struct kt_exits_opts *opts;
	struct kt_run run;
	struct kt_exit_agg agg; /* of this interval */
	/* By slot, then by index of the reason: what was reported so far, NULL: nothing. */
	struct kt_exit_stats ***before;
	u32 epoch; /* the interval whose minima and maxima are read */
	u64 began; /* CLOCK_MONOTONIC ns, of the interval */
	u64 run_began;
	/* of the whole run */
	u64 exits, unpaired_exits, unfinished_exits, unpaired_entries;
	struct kt_exit_rows *rows; /* of a capture */
};

int kt_exits_parse_by(void *dst, const char *text, struct kt_str *why)
{
	static const struct {
		const char *name;
		u32 bit;
	} keys[] = { { "reason", KT_BY_REASON }, { "vm", KT_BY_VM }, { "vcpu", KT_BY_VCPU } };
	char *copy = kt_strdup(text), *at = copy, *part;
	u32 by = 0, bit = 0;

	while ((part = strsep(&at, ","))) {
		bit = 0;
		for (size_t i = 0; i < KT_ARRAY_SIZE(keys); i++)
			if (strcmp(part, keys[i].name) == 0)
				bit = keys[i].bit;
		by |= bit;
		if (!bit)
			break;
	}
	free(copy);
	if (!bit) {
		kt_str_add(why, "'");
		kt_str_add_safe(why, text);
		kt_str_add(why, "' is no list of reason, vm and vcpu");
		return -EINVAL;
	}
	*(u32 *)dst = by;
	return 0;
}

static const struct kt_opt own_opts[] = {
	{ "hist", 0, KT_OPT_FLAG, offsetof(struct kt_exits_opts, hist), NULL,
	  "draw the distribution of handling times of each line", 0, 0, NULL },
	{ "by", 0, KT_OPT_PARSE, offsetof(struct kt_exits_opts, by), "KEY[,KEY]",
	  "a line for each: reason, vm, vcpu (default: reason,vm)", 0, 0, kt_exits_parse_by },
	{ "interval", 'i', KT_OPT_DURATION, offsetof(struct kt_exits_opts, interval_ns), "SEC",
	  "print every SEC seconds what came since the last time", 1000000, 0, NULL },
};

static const struct kt_opt_group groups[] = {
	{ "What to show", own_opts, KT_ARRAY_SIZE(own_opts) },
	{ "Filters, applied in the kernel", kt_opts_vm, KT_OPTS_VM_COUNT },
	{ "", kt_opts_reason, KT_OPTS_REASON_COUNT },
	{ "Output", kt_opts_output, KT_OPTS_OUTPUT_COUNT },
	{ "Other", kt_opts_general, KT_OPTS_GENERAL_COUNT },
	{ NULL, NULL, 0 },
};

static const struct kt_cmd_help help = {
	.usage = "kvmtrace exits [OPTION...]",
	.text = "Counts and times the exits of all VMs, added up in the kernel: nothing is sent\n"
		"for each exit. An exit lasts from kvm_exit to the next kvm_entry of that vCPU;\n"
		"time spent in user space (QEMU) on its behalf is included. HLT is listed last\n"
		"and apart: its time is the guest's idleness.\n",
	.examples =
		"  kvmtrace exits -d 10                    ten seconds, all VMs\n"
		"  kvmtrace exits --vm win11 --hist -i 2   one VM, with distributions, every 2 s\n"
		"  kvmtrace exits --by vcpu,reason -p 4242 -f json | jq .\n",
	.groups = groups,
};

/* ---- collecting ---- */

static struct kt_exit_key key_of(const struct exits *x, const struct kt_vcpu *v, u32 isa, u32 code)
{
	struct kt_exit_key key = {
		.vm = kt_vm_table_get(x->run.vms, v->tgid)->id,
		.vcpu = v->vcpu_id,
		.isa = isa,
		.code = code,
		.halt = kt_exit_is_halt(isa, code),
	};

	return kt_exit_key_cut(key, x->opts->by);
}

static struct kt_exit_stats **before_of(struct exits *x, const struct kt_cell *cell)
{
	struct kt_exit_stats ***of_vcpu = &x->before[cell->slot];

	if (!*of_vcpu)
		*of_vcpu = kt_alloc(KT_REASONS * sizeof(**of_vcpu));
	return &(*of_vcpu)[cell->index % KT_REASONS];
}

/* Leaves in *stats what came since the last time, and remembers all as reported. */
static void since_last_time(struct exits *x, const struct kt_cell *cell,
			    struct kt_exit_stats *stats)
{
	struct kt_exit_stats **before = before_of(x, cell), now = *stats;

	if (*before)
		kt_exit_stats_sub(stats, *before);
	else
		*before = kt_alloc(sizeof(**before));
	**before = now;
}

static void forget_vcpu(struct exits *x, u32 slot)
{
	for (u32 i = 0; x->before[slot] && i < KT_REASONS; i++)
		free(x->before[slot][i]);
	free(x->before[slot]);
	x->before[slot] = NULL;
}

static bool wanted(const struct exits *x, const struct kt_vcpu *v)
{
	return v->vcpu && !v->muted &&
	       !kt_run_vm_excluded(&x->run, kt_vm_table_get(x->run.vms, v->tgid));
}

static void add_cell(void *ctx, const struct kt_cell *cell)
{
	struct exits *x = ctx;
	const struct kt_vcpu *v = kt_session_vcpu(x->run.session, cell->slot);
	const struct kt_exit_stats *before;
	struct kt_exit_stats stats;
	struct kt_exit_key key;

	if (!wanted(x, v))
		return;
	before = *before_of(x, cell);
	if (before && kt_exit_cell_unchanged(cell, before))
		return;
	kt_exit_stats_from_cell(&stats, cell, x->epoch);
	since_last_time(x, cell, &stats);
	if (!stats.count)
		return;
	x->exits += stats.count;
	x->unpaired_exits += stats.unpaired;
	key = key_of(x, v, cell->isa, cell->code);
	kt_exit_agg_add(&x->agg, &key, &stats);
}

/* Tracing, or the VM, has ended in the middle of this exit: it counts, but has no time. */
static void add_unfinished(struct exits *x, const struct kt_vcpu *v)
{
	struct kt_exit_stats one = { .count = 1 };
	struct kt_exit_key key;

	if (!wanted(x, v))
		return;
	x->unpaired_entries += v->unpaired_entries;
	if (!KT_EXIT_IS_TIME(v->exit_ts))
		return;
	x->exits++;
	x->unfinished_exits++;
	key = key_of(x, v, v->isa, v->exit_code);
	kt_exit_agg_add(&x->agg, &key, &one);
}

static void collect(struct exits *x, bool final)
{
	if (x->run.recorded) {
		if (final)
			x->unpaired_entries = kt_run_unpaired_entries(&x->run);
		return;
	}
	x->epoch = kt_session_next_epoch(x->run.session);
	kt_session_each_cell(x->run.session, add_cell, x);
	for (u32 slot = 1; final && slot < kt_session_slots(x->run.session); slot++)
		add_unfinished(x, kt_session_vcpu(x->run.session, slot));
}

/* The slot and its histograms are about to be another's: what they hold is kept in x->agg. */
static void on_gone(void *ctx, u32 slot, const struct kt_vcpu *v)
{
	struct exits *x = ctx;

	x->epoch = kt_session_epoch(x->run.session);
	kt_session_each_cell_of(x->run.session, slot, add_cell, x);
	forget_vcpu(x, slot);
	add_unfinished(x, v);
}

/* Of a capture. */
static void on_row(void *ctx, const struct kt_ordered *o)
{
	const struct kt_row_exit *row = (const struct kt_row_exit *)o->event.head;
	struct exits *x = ctx;

	if (o->event.kind != KT_ROW_EXIT)
		return;
	kt_exit_rows_add(x->rows, row, o->event.vm->id);
	x->exits++;
	x->unpaired_exits += row->end == KT_END_NO_ENTRY;
	x->unfinished_exits += row->end == KT_END_OPEN;
}

/* ---- printing ---- */

enum column {
	COL_VM,
	COL_PID,
	COL_VCPU,
	COL_REASON,
	COL_COUNT,
	COL_COUNT_SHARE,
	COL_TIME,
	COL_TIME_SHARE,
	COL_MEAN,
	COL_STDDEV,
	COL_MIN,
	COL_P50,
	COL_P90,
	COL_P99,
	COL_P999,
	COL_MAX,
};

static const struct kt_table_column columns[] = {
	[COL_VM] = { "VM", true, 0 },	     [COL_PID] = { "PID", false, 11 },
	[COL_VCPU] = { "VCPU", false, 0 },   [COL_REASON] = { "REASON", true, 0 },
	[COL_COUNT] = { "COUNT", false, 0 }, [COL_COUNT_SHARE] = { "COUNT%", false, 6 },
	[COL_TIME] = { "TIME", false, 0 },   [COL_TIME_SHARE] = { "TIME%", false, 10 },
	[COL_MEAN] = { "MEAN", false, 9 },   [COL_STDDEV] = { "STDDEV", false, 2 },
	[COL_MIN] = { "MIN", false, 3 },     [COL_P50] = { "P50", false, 5 },
	[COL_P90] = { "P90", false, 4 },     [COL_P99] = { "P99", false, 8 },
	[COL_P999] = { "P99.9", false, 1 },  [COL_MAX] = { "MAX", false, 7 },
};

struct totals {
	u64 count; /* all exits */
	u64 time;  /* without halts */
};

static struct totals total_of(const struct kt_exit_agg *agg)
{
	struct totals t = {};

	for (size_t i = 0; i < agg->count; i++) {
		t.count += agg->groups[i]->stats.count;
		if (!agg->groups[i]->key.halt)
			t.time += agg->groups[i]->stats.total_ns;
	}
	return t;
}

static const struct kt_vm_entry *vm_of(const struct exits *x, const struct kt_exit_key *key)
{
	return key->vm == KT_ANY ? NULL : kt_vm_table_by_id(x->run.vms, key->vm);
}

static void add_name(const struct exits *x, const struct kt_exit_key *key, struct kt_str *s)
{
	const struct kt_vm_entry *vm = vm_of(x, key);

	if (vm)
		kt_str_add(s, vm->name);
	if (vm && vm->gone && !x->run.recorded)
		kt_str_add(s, " (gone)");
}

static void add_reason_name(const struct kt_exit_key *key, struct kt_str *s)
{
	if (key->any_code)
		kt_str_add(s, "(all)");
	else
		kt_exit_add(s, key->isa, key->code);
}

static void add_times(struct kt_table *t, const struct kt_exit_stats *s)
{
	const u64 times[] = { kt_exit_mean_ns(s),
			      kt_exit_stddev_ns(s),
			      s->min_ns,
			      kt_exit_percentile_ns(s, 500),
			      kt_exit_percentile_ns(s, 900),
			      kt_exit_percentile_ns(s, 990),
			      kt_exit_percentile_ns(s, 999),
			      s->max_ns };
	struct kt_str text = {};

	for (size_t i = 0; i < KT_ARRAY_SIZE(times); i++) {
		if (s->timed)
			kt_str_add_ns(&text, times[i]);
		else
			kt_str_add(&text, "-");
		kt_table_add_str(t, &text);
	}
	kt_str_free(&text);
}

static void add_row(const struct exits *x, struct kt_table *t, const struct kt_exit_group *g,
		    const struct totals *totals)
{
	struct kt_str text = {};

	if (x->opts->by & KT_BY_VM) {
		add_name(x, &g->key, &text);
		kt_table_add_str(t, &text);
		kt_table_addf(t, "%u", vm_of(x, &g->key)->pid);
	}
	if (x->opts->by & KT_BY_VCPU)
		kt_table_addf(t, "%u", g->key.vcpu);
	add_reason_name(&g->key, &text);
	kt_table_add_str(t, &text);
	kt_table_addf(t, "%llu", g->stats.count);
	kt_str_add_share(&text, g->stats.count, totals->count);
	kt_table_add_str(t, &text);
	if (g->stats.timed)
		kt_str_add_ns(&text, g->stats.total_ns);
	else
		kt_str_add(&text, "-");
	kt_table_add_str(t, &text);
	kt_str_add_share(&text, g->stats.total_ns,
			 g->key.halt || !g->stats.timed ? 0 : totals->time);
	kt_table_add_str(t, &text);
	add_times(t, &g->stats);
	kt_str_free(&text);
}

static void print_bars(const struct exits *x, const struct kt_exit_group *g)
{
	struct kt_str text = {}, name = {};

	add_name(x, &g->key, &name);
	kt_str_add_char(&text, '\n');
	kt_str_add_safe(&text, name.data ? name.data : "");
	if (x->opts->by & KT_BY_VCPU)
		kt_str_addf(&text, " vcpu%u", g->key.vcpu);
	if (text.len > 1)
		kt_str_add_char(&text, ' ');
	add_reason_name(&g->key, &text);
	kt_str_addf(&text, ": %llu exits\n", g->stats.count);
	kt_str_add_bars(&text, g->stats.buckets, KT_EXIT_SUB_BITS, kt_out_width(x->run.out));
	kt_out_write(x->run.out, text.data, text.len);
	kt_str_free(&text);
	kt_str_free(&name);
}

static void print_text(struct exits *x)
{
	struct kt_table_column used[KT_ARRAY_SIZE(columns)];
	struct totals totals = total_of(&x->agg);
	struct kt_table *t;
	size_t count = 0;

	for (size_t i = 0; i < KT_ARRAY_SIZE(columns); i++) {
		if (((i == COL_VM || i == COL_PID) && !(x->opts->by & KT_BY_VM)) ||
		    (i == COL_VCPU && !(x->opts->by & KT_BY_VCPU)))
			continue;
		used[count++] = columns[i];
	}
	if (x->opts->interval_ns) {
		struct kt_str text = {};

		kt_str_add_clock(&text, kt_run_now(&x->run) + x->run.realtime_offset);
		kt_str_add_char(&text, '\n');
		kt_out_write(x->run.out, text.data, text.len);
		kt_str_free(&text);
	}
	t = kt_table_new(used, count);
	for (size_t i = 0; i < x->agg.count; i++)
		add_row(x, t, x->agg.groups[i], &totals);
	kt_table_print(t, x->run.out);
	kt_table_free(t);
	for (size_t i = 0; x->opts->hist && i < x->agg.count; i++)
		if (x->agg.groups[i]->stats.timed)
			print_bars(x, x->agg.groups[i]);
	if (x->opts->interval_ns || x->opts->hist)
		kt_out_write(x->run.out, "\n", 1);
}

static void record_hist(struct kt_record *r, const struct kt_exit_stats *s)
{
	kt_record_array(r, "hist");
	for (u32 i = 0; i < KT_EXIT_BUCKETS; i++) {
		u64 high = kt_hist_high(i, KT_EXIT_SUB_BITS);

		if (!s->buckets[i])
			continue;
		kt_record_array(r, NULL);
		kt_record_u64(r, NULL, kt_hist_low(i, KT_EXIT_SUB_BITS));
		/* The last bucket is open: it ends with the longest time seen. */
		kt_record_u64(r, NULL, high == ~0ull ? s->max_ns + 1 : high);
		kt_record_u64(r, NULL, s->buckets[i]);
		kt_record_array_end(r);
	}
	kt_record_array_end(r);
}

static void record_key(const struct exits *x, struct kt_record *r, const struct kt_exit_key *key)
{
	static const char *const vm_fields[] = { "pid", "name", NULL };
	const struct kt_vm_entry *vm = vm_of(x, key);
	struct kt_str name = {};

	if (vm)
		kt_record_vm(r, vm);
	else
		kt_record_null_object(r, "vm", vm_fields);
	if (key->vcpu != KT_ANY)
		kt_record_u64(r, "vcpu", key->vcpu);
	else
		kt_record_null(r, "vcpu");
	kt_record_str(r, "isa", kt_isa_name(key->isa));
	if (!key->any_code) {
		kt_exit_add(&name, key->isa, key->code);
		kt_record_str(r, "reason", name.data);
		kt_record_hex(r, "code", key->code);
	} else {
		kt_record_null(r, "reason");
		kt_record_null(r, "code");
	}
	kt_record_bool(r, "halt", key->halt);
	kt_str_free(&name);
}

/* Without a time there is no minimum, mean, …: null. */
static void record_times(struct kt_record *r, const struct kt_exit_stats *s)
{
	const struct {
		const char *name;
		u64 value;
	} times[] = {
		{ "min_ns", s->min_ns },
		{ "max_ns", s->max_ns },
		{ "mean_ns", kt_exit_mean_ns(s) },
		{ "stddev_ns", kt_exit_stddev_ns(s) },
		{ "p50_ns", kt_exit_percentile_ns(s, 500) },
		{ "p90_ns", kt_exit_percentile_ns(s, 900) },
		{ "p99_ns", kt_exit_percentile_ns(s, 990) },
		{ "p999_ns", kt_exit_percentile_ns(s, 999) },
	};

	for (size_t i = 0; i < KT_ARRAY_SIZE(times); i++) {
		if (s->timed)
			kt_record_u64(r, times[i].name, times[i].value);
		else
			kt_record_null(r, times[i].name);
	}
}

static void record_group(const struct exits *x, const struct kt_exit_group *g, u64 now)
{
	struct kt_record *r = x->run.record;
	const struct kt_exit_stats *s = &g->stats;

	kt_record_begin(r, "exits");
	kt_record_time(r, "time", now + x->run.realtime_offset);
	kt_record_u64(r, "interval_ns", now - x->began);
	record_key(x, r, &g->key);
	kt_record_u64(r, "count", s->count);
	kt_record_u64(r, "timed", s->timed);
	kt_record_u64(r, "unpaired", s->unpaired);
	kt_record_u64(r, "total_ns", s->total_ns);
	record_times(r, s);
	record_hist(r, s);
	kt_record_end(r);
}

static void record_summary(const struct exits *x)
{
	struct kt_record *r = x->run.record;

	kt_record_begin(r, "summary");
	kt_record_u64(r, "exits", x->exits);
	kt_record_u64(r, "unpaired_exits", x->unpaired_exits);
	kt_record_u64(r, "unfinished_exits", x->unfinished_exits);
	kt_record_u64(r, "unpaired_entries", x->unpaired_entries);
	kt_record_u64(r, "duration_ns", kt_run_now(&x->run) - x->run_began);
	kt_lost_record(&x->run);
	kt_record_end(r);
}

static void print_summary(const struct exits *x)
{
	struct kt_str text = {};

	kt_str_addf(&text, "%llu exits in ", x->exits);
	kt_str_add_ns(&text, kt_run_now(&x->run) - x->run_began);
	if (x->unpaired_exits || x->unfinished_exits || x->unpaired_entries)
		kt_str_addf(
			&text,
			"; without a time: %llu that no entry followed, %llu unfinished; %llu entries "
			"without an exit",
			x->unpaired_exits, x->unfinished_exits, x->unpaired_entries);
	kt_lost_add(&text, &x->run);
	kt_str_add_char(&text, '\n');
	kt_out_write(x->run.out, text.data, text.len);
	kt_str_free(&text);
}

static void on_interval(void *ctx, bool final)
{
	struct exits *x = ctx;
	u64 now = kt_run_now(&x->run);

	collect(x, final);
	kt_exit_agg_sort(&x->agg);
	if (x->agg.count || !final) {
		for (size_t i = 0; x->run.record && i < x->agg.count; i++)
			record_group(x, x->agg.groups[i], now);
		if (!x->run.record)
			print_text(x);
	}
	if (final && x->run.record)
		record_summary(x);
	else if (final)
		print_summary(x);
	kt_out_flush(x->run.out);
	kt_exit_agg_fini(&x->agg);
	if (x->rows)
		kt_exit_rows_forget(x->rows);
	x->began = now;
}

static const struct kt_loop_ops ops = { .gone = on_gone, .interval = on_interval };

/* Room for what the session, or the capture, is added up in. */
static void begin(struct exits *x, u32 *slots)
{
	if (x->run.recorded) {
		x->run.row = on_row;
		x->rows = kt_exit_rows_new(&x->agg, x->opts->by);
	} else {
		*slots = kt_session_slots(x->run.session);
		x->before = kt_alloc(*slots * sizeof(*x->before));
	}
	x->began = x->run_began = kt_run_now(&x->run);
}

enum kt_status kt_exits_run(const struct kt_exits_opts *opts)
{
	struct exits x = { .opts = opts };
	enum kt_status status;
	u64 lost_exits = 0;
	u32 slots = 0;

	status = kt_run_open(&x.run, &opts->common, KT_VIEW_EXITS, "exits");
	if (status == KT_OK) {
		begin(&x, &slots);
		status = kt_run_loop(&x.run, opts->interval_ns, "exits", &ops, &x);
	}
	if (status == KT_OK) {
		lost_exits = kt_lost_total(&x.run);
		if (!x.exits)
			kt_run_explain_nothing(&x.run, "exits");
	}
	kt_exit_agg_fini(&x.agg);
	for (u32 slot = 0; slot < slots; slot++)
		forget_vcpu(&x, slot);
	free(x.before);
	kt_exit_rows_free(x.rows);
	return kt_run_close(&x.run, status, lost_exits);
}

static enum kt_status run_exits(int argc, char **argv)
{
	struct kt_exits_opts opts = { .by = KT_EXITS_BY };
	enum kt_status status;

	kt_common_init(&opts.common);
	if (!kt_cmd_parse(&help, &opts, argc, argv, &status))
		return status;
	return kt_exits_run(&opts);
}

const struct kt_cmd kt_cmd_exits = { "exits", "why VMs exit and how long each exit takes",
				     run_exits };
