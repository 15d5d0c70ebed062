/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../agg/hist.h"
#include "../agg/regions.h"
#include "../decode/decode.h"
#include "../lib/log.h"
#include "../sink/bars.h"
#include "../sink/fault.h"
#include "../sink/table.h"
#include "../sink/units.h"
#include "cmd.h"
#include "common.h"
#include "lost.h"
#include "recorded.h"
#include "views.h"

/* Of a capture, so that the memory taken has a bound. */
#define MAX_REGIONS 40000

/* A 2 MiB region of a VM, as read from the kernel. */
struct region {
	struct kt_region_key key;
	const struct kt_vm_entry *vm;
	struct kt_region_sums sums;
};

struct faults {
	const struct kt_faults_opts *opts;
	struct kt_run run;
	struct kt_fault_lines *lines; /* unless run.record */
	struct region *regions;
	size_t region_count;
	struct kt_region_index index; /* of a capture: over the above */
	struct kt_fault *unfinished;  /* --hist: the guest didn't go on after these */
	size_t unfinished_count;
	u64 seen;
};

static const struct kt_opt own_opts[] = {
	{ "hist", 0, KT_OPT_FLAG, offsetof(struct kt_faults_opts, hist), NULL,
	  "add up by VM and 2 MiB region, in the kernel; hottest first", 0, 0, NULL },
	{ "top", 0, KT_OPT_U32, offsetof(struct kt_faults_opts, top), "N",
	  "with --hist: only the N hottest regions (default 20 in text, all in json and csv)", 1,
	  0xffffffff, NULL },
};

static const struct kt_opt_group groups[] = {
	{ "What to show", own_opts, KT_ARRAY_SIZE(own_opts) },
	{ "Filters, applied in the kernel", kt_opts_vm, KT_OPTS_VM_COUNT },
	{ "Guest symbols", kt_opts_symbols, KT_OPTS_SYMBOLS_COUNT },
	{ "Output", kt_opts_output, KT_OPTS_OUTPUT_COUNT },
	{ "Other", kt_opts_rings, KT_OPTS_RINGS_COUNT },
	{ "", kt_opts_general, KT_OPTS_GENERAL_COUNT },
	{ NULL, NULL, 0 },
};

static const struct kt_cmd_help help = {
	.usage = "kvmtrace faults [OPTION...]",
	.text = "Prints each guest memory fault that KVM handles (kvm_page_fault): the address,\n"
		"whether it is a guest physical one (EPT violation, nested page fault) or a\n"
		"guest virtual one (shadow paging), error code, RIP, and how long the exit\n"
		"took. Lines come in the order in which the exits ended.\n",
	.examples = "  kvmtrace faults --vm win11 -d 5      every fault of one VM\n"
		    "  kvmtrace faults --hist -d 10         the hottest guest memory\n",
	.groups = groups,
};

/* ---- one by one ---- */

static void show(struct faults *x, const struct kt_fault *f)
{
	const struct kt_vm_entry *vm = kt_vm_table_at(x->run.vms, f->head.tgid, f->head.ts);
	u64 realtime = f->head.ts + x->run.realtime_offset;

	x->seen++;
	if (x->run.record) {
		kt_fault_record(x->run.record, f, vm, realtime);
		return;
	}
	kt_fault_line(x->lines, f, vm, realtime);
}

static void on_lost(void *ctx, u32 cpu, u64 count)
{
	struct faults *x = ctx;

	kt_lost_print(&x->run, "faults", cpu, count);
}

static void on_idle(void *ctx)
{
	struct faults *x = ctx;

	kt_run_idle(&x->run);
}

/* ---- by region ---- */

static struct region *new_region(struct faults *x, const struct kt_region_key *key)
{
	struct region *r;

	x->regions = kt_grow(x->regions, x->region_count, sizeof(*x->regions));
	r = &x->regions[x->region_count++];
	memset(r, 0, sizeof(*r));
	r->key = *key;
	r->vm = kt_vm_table_get(x->run.vms, key->tgid);
	return r;
}

static void on_region(void *ctx, const struct kt_region_key *key, const struct kt_region *region)
{
	struct faults *x = ctx;
	struct region *r;

	if (kt_run_vm_excluded(&x->run, kt_vm_table_get(x->run.vms, key->tgid)))
		return;
	r = new_region(x, key);
	kt_region_sums(&r->sums, key->space, region);
	x->seen += r->sums.count;
}

static struct kt_region_key region_of(const struct kt_fault *f)
{
	return (struct kt_region_key) { .region = f->address >> KT_REGION_SHIFT,
					.tgid = f->head.tgid,
					.space = kt_region_space(f->isa, f->exit_code) };
}

/* As bpf/faults.bpf.c adds them up. */
static void add_recorded(struct faults *x, const struct kt_fault *f)
{
	const struct kt_vm_entry *vm = kt_vm_table_at(x->run.vms, f->head.tgid, f->head.ts);
	struct kt_region_key key = region_of(f);
	u32 number = kt_region_number(&x->index, &key, vm->id, MAX_REGIONS);

	if (!number) {
		x->run.recorded->counters.faults_without_region++;
		return;
	}
	if (number > x->region_count) {
		x->regions = kt_grow(x->regions, x->region_count, sizeof(*x->regions));
		x->regions[x->region_count++] = (struct region) { .key = key, .vm = vm };
	}
	kt_region_sums_add_one(&x->regions[number - 1].sums, key.space, f->error_code, f->duration);
	x->seen++;
}

/* With --hist, only a capture has them one by one. */
static void on_event(void *ctx, const struct kt_head *head)
{
	const struct kt_fault *f = (const struct kt_fault *)head;
	struct faults *x = ctx;

	if (x->opts->hist)
		add_recorded(x, f);
	else
		show(x, f);
}

/* A fault whose exit never ended counts in its region, without a time. */
static void add_unfinished(struct faults *x, const struct kt_fault *f)
{
	struct kt_region_key key = region_of(f);

	kt_region_sums_add_fault(&new_region(x, &key)->sums, key.space, f->error_code);
	x->seen++;
}

static int by_region(const void *left, const void *right)
{
	const struct region *a = left, *b = right;

	if (a->vm != b->vm)
		return a->vm->id > b->vm->id ? 1 : -1;
	if (a->key.space != b->key.space)
		return a->key.space > b->key.space ? 1 : -1;
	return (a->key.region > b->key.region) - (a->key.region < b->key.region);
}

static void merge_regions(struct faults *x)
{
	size_t kept = 0;

	if (x->region_count)
		qsort(x->regions, x->region_count, sizeof(*x->regions), by_region);
	for (size_t i = 0; i < x->region_count; i++) {
		if (kept && !by_region(&x->regions[kept - 1], &x->regions[i]))
			kt_region_sums_add(&x->regions[kept - 1].sums, &x->regions[i].sums);
		else
			x->regions[kept++] = x->regions[i];
	}
	x->region_count = kept;
}

/* What a vCPU was in the middle of when it, or tracing, ended. */
static void take_unfinished(struct faults *x, u32 slot)
{
	const struct kt_vcpu *v = kt_session_vcpu(x->run.session, slot);
	const struct kt_pending_fault *pending = kt_session_pending_fault(x->run.session, slot);
	struct kt_fault f;

	if (!pending || kt_run_vm_excluded(&x->run, kt_vm_table_get(x->run.vms, v->tgid)))
		return;
	f = kt_fault_unfinished(v, pending);
	if (!x->opts->hist) {
		show(x, &f);
		return;
	}
	x->unfinished = kt_grow(x->unfinished, x->unfinished_count, sizeof(*x->unfinished));
	x->unfinished[x->unfinished_count++] = f;
}

static void on_gone(void *ctx, u32 slot, const struct kt_vcpu *v)
{
	(void)v;
	take_unfinished(ctx, slot);
}

static int hotter(const void *left, const void *right)
{
	const struct region *a = left, *b = right;

	if (a->sums.total_ns != b->sums.total_ns)
		return a->sums.total_ns < b->sums.total_ns ? 1 : -1;
	if (a->sums.count != b->sums.count)
		return a->sums.count < b->sums.count ? 1 : -1;
	return (a->key.region > b->key.region) - (a->key.region < b->key.region);
}

static void take_regions(void *ctx)
{
	struct faults *x = ctx;
	int err = x->opts->hist && x->run.session
			  ? kt_session_each_region(x->run.session, on_region, x)
			  : 0;

	if (err)
		kt_warn("cannot read the regions: %s", strerror(-err));
}

static void collect_regions(struct faults *x)
{
	take_regions(x);
	for (size_t i = 0; i < x->unfinished_count; i++)
		add_unfinished(x, &x->unfinished[i]);
	merge_regions(x);
	if (x->region_count)
		qsort(x->regions, x->region_count, sizeof(*x->regions), hotter);
}

static size_t regions_to_show(const struct faults *x)
{
	size_t top = x->opts->top;

	if (!top)
		top = x->run.record ? x->region_count : 20;
	return top < x->region_count ? top : x->region_count;
}

static u64 percentile(const struct region *r, u32 permille)
{
	return kt_hist_percentile(r->sums.buckets, KT_REGION_SUB_BITS, r->sums.timed, permille, 0,
				  r->sums.total_ns);
}

static void add_region_row(struct kt_table *t, const struct region *r, u64 all_ns)
{
	const u64 times[] = { r->sums.timed ? r->sums.total_ns / r->sums.timed : 0,
			      percentile(r, 500), percentile(r, 990) };
	const u64 kinds[] = { r->sums.access[KT_ACCESS_READ], r->sums.access[KT_ACCESS_WRITE],
			      r->sums.access[KT_ACCESS_FETCH], r->sums.present, r->sums.mmio };
	struct kt_str text = {};

	kt_table_add(t, r->vm->name);
	kt_table_addf(t, "%u", r->vm->pid);
	kt_table_addf(t, "%s 0x%llx", r->key.space == KT_SPACE_GVA ? "gva" : "gpa",
		      r->key.region << KT_REGION_SHIFT);
	kt_table_addf(t, "%llu", r->sums.count);
	kt_str_add_ns(&text, r->sums.total_ns);
	kt_table_add_str(t, &text);
	kt_str_add_share(&text, r->sums.total_ns, all_ns);
	kt_table_add_str(t, &text);
	for (size_t i = 0; i < KT_ARRAY_SIZE(times); i++) {
		kt_str_add_ns(&text, times[i]);
		kt_table_add_str(t, &text);
	}
	for (size_t i = 0; i < KT_ARRAY_SIZE(kinds); i++)
		kt_table_addf(t, "%llu", kinds[i]);
	kt_str_free(&text);
}

static void print_distribution(struct faults *x)
{
	u64 buckets[KT_REGION_BUCKETS] = {};
	struct kt_str text = {};

	for (size_t i = 0; i < x->region_count; i++)
		for (size_t j = 0; j < KT_REGION_BUCKETS; j++)
			buckets[j] += x->regions[i].sums.buckets[j];
	kt_str_add(&text, "\nall regions:\n");
	kt_str_add_bars(&text, buckets, KT_REGION_SUB_BITS, kt_out_width(x->run.out));
	kt_out_write(x->run.out, text.data, text.len);
	kt_str_free(&text);
}

static void print_regions(struct faults *x)
{
	static const struct kt_table_column columns[] = {
		{ "VM", true, 0 },	 { "PID", false, 8 },	{ "REGION (2 MiB)", true, 0 },
		{ "COUNT", false, 0 },	 { "TIME", false, 0 },	{ "TIME%", false, 6 },
		{ "MEAN", false, 7 },	 { "P50", false, 3 },	{ "P99", false, 5 },
		{ "READ", false, 4 },	 { "WRITE", false, 4 }, { "FETCH", false, 4 },
		{ "PRESENT", false, 2 }, { "MMIO", false, 1 },
	};
	size_t shown = regions_to_show(x);
	struct kt_table *t;
	u64 all_ns = 0;

	if (!x->region_count)
		return;
	for (size_t i = 0; i < x->region_count; i++)
		all_ns += x->regions[i].sums.total_ns;
	t = kt_table_new(columns, KT_ARRAY_SIZE(columns));
	for (size_t i = 0; i < shown; i++)
		add_region_row(t, &x->regions[i], all_ns);
	kt_table_print(t, x->run.out);
	kt_table_free(t);
	print_distribution(x);
	kt_out_write(x->run.out, "\n", 1);
}

/* Without a time there is no mean: null. */
static void record_time(struct kt_record *r, const struct region *g, const char *name, u64 ns)
{
	if (g->sums.timed)
		kt_record_u64(r, name, ns);
	else
		kt_record_null(r, name);
}

static void record_region(struct kt_record *r, const struct region *g, u64 now)
{
	kt_record_begin(r, "faults");
	kt_record_time(r, "time", now);
	kt_record_vm(r, g->vm);
	kt_record_hex(r, "address", g->key.region << KT_REGION_SHIFT);
	kt_record_u64(r, "size", 1ull << KT_REGION_SHIFT);
	kt_record_str(r, "space", g->key.space == KT_SPACE_GVA ? "gva" : "gpa");
	kt_record_u64(r, "count", g->sums.count);
	kt_record_u64(r, "timed", g->sums.timed);
	kt_record_u64(r, "total_ns", g->sums.total_ns);
	record_time(r, g, "mean_ns", g->sums.timed ? g->sums.total_ns / g->sums.timed : 0);
	record_time(r, g, "p50_ns", percentile(g, 500));
	record_time(r, g, "p90_ns", percentile(g, 900));
	record_time(r, g, "p99_ns", percentile(g, 990));
	kt_record_u64(r, "read", g->sums.access[KT_ACCESS_READ]);
	kt_record_u64(r, "write", g->sums.access[KT_ACCESS_WRITE]);
	kt_record_u64(r, "fetch", g->sums.access[KT_ACCESS_FETCH]);
	kt_record_u64(r, "present", g->sums.present);
	kt_record_u64(r, "mmio", g->sums.mmio);
	kt_record_array(r, "hist");
	for (u32 i = 0; i < KT_REGION_BUCKETS; i++) {
		u64 high;

		if (!g->sums.buckets[i])
			continue;
		kt_record_array(r, NULL);
		kt_record_u64(r, NULL, kt_hist_low(i, KT_REGION_SUB_BITS));
		/* The last bucket is open; no fault took longer than all together. */
		high = kt_hist_high(i, KT_REGION_SUB_BITS);
		kt_record_u64(r, NULL, high == ~0ull ? g->sums.total_ns + 1 : high);
		kt_record_u64(r, NULL, g->sums.buckets[i]);
		kt_record_array_end(r);
	}
	kt_record_array_end(r);
	kt_record_end(r);
}

/* ---- the end ---- */

static void record_summary(const struct faults *x)
{
	struct kt_record *r = x->run.record;

	kt_record_begin(r, "summary");
	kt_record_u64(r, "faults", x->seen);
	kt_record_u64(r, "regions", x->region_count);
	kt_lost_record(&x->run);
	kt_record_end(r);
}

static void print_summary(const struct faults *x)
{
	struct kt_str text = {};

	kt_str_addf(&text, "%llu faults", x->seen);
	if (x->opts->hist)
		kt_str_addf(&text, " in %zu regions", x->region_count);
	kt_lost_add(&text, &x->run);
	kt_str_add_char(&text, '\n');
	kt_out_write(x->run.out, text.data, text.len);
	kt_str_free(&text);
}

static void on_interval(void *ctx, bool final)
{
	struct faults *x = ctx;
	u64 now = kt_run_now(&x->run) + x->run.realtime_offset;

	(void) final;
	for (u32 slot = 1; x->run.session && slot < kt_session_slots(x->run.session); slot++)
		take_unfinished(x, slot);
	if (x->opts->hist) {
		collect_regions(x);
		for (size_t i = 0; x->run.record && i < regions_to_show(x); i++)
			record_region(x->run.record, &x->regions[i], now);
		if (!x->run.record)
			print_regions(x);
	}
	if (x->run.record)
		record_summary(x);
	else
		print_summary(x);
}

static const struct kt_loop_ops ops = { .event = on_event,
					.lost = on_lost,
					.gone = on_gone,
					.unloading = take_regions,
					.idle = on_idle,
					.interval = on_interval };

enum kt_status kt_faults_run(const struct kt_faults_opts *opts)
{
	struct faults x = { .opts = opts };
	enum kt_status status;
	u64 lost = 0;

	status = kt_run_open(&x.run, &opts->common, opts->hist ? KT_VIEW_REGIONS : KT_VIEW_FAULTS,
			     opts->hist ? "faults" : "fault");
	if (status == KT_OK && !x.run.record)
		x.lines = kt_fault_lines_new(x.run.out);
	if (status == KT_OK)
		status = kt_run_loop(&x.run, 0, "guest memory faults", &ops, &x);
	if (status == KT_OK) {
		lost = kt_lost_total(&x.run);
		if (!x.seen && !lost)
			kt_run_explain_nothing(&x.run, "faults");
	}
	kt_fault_lines_free(x.lines);
	free(x.regions);
	free(x.unfinished);
	kt_region_index_fini(&x.index);
	return kt_run_close(&x.run, status, lost);
}

static enum kt_status run_faults(int argc, char **argv)
{
	struct kt_faults_opts opts = {};
	enum kt_status status;

	kt_common_init(&opts.common);
	if (!kt_cmd_parse(&help, &opts, argc, argv, &status))
		return status;
	return kt_faults_run(&opts);
}

const struct kt_cmd kt_cmd_faults = { "faults", "guest memory faults that KVM handles",
				      run_faults };
