/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* One screen, or one record. */
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "../decode/decode.h"
#include "../sink/exception.h"
#include "../sink/table.h"
#include "../sink/units.h"
#include "lost.h"
#include "recorded.h"
#include "summary.h"

/* A record has more than a screen. */
#define RECORD_ROWS 20

static size_t at_most(size_t count, size_t limit)
{
	return count < limit ? count : limit;
}

static u64 begin_of(const struct kt_summary *x)
{
	return kt_replay_begin(x->run.recorded->replay);
}

static u64 end_of(const struct kt_summary *x)
{
	return kt_replay_end(x->run.recorded->replay);
}

static u64 rate_of(const struct kt_summary *x, u64 count)
{
	u64 ns = end_of(x) - begin_of(x);

	return ns ? (u64)((long double)count * KT_NSEC_PER_SEC / ns + 0.5L) : 0;
}

static u64 size_of_file(const struct kt_summary *x)
{
	struct stat st;

	return stat(kt_replay_path(x->run.recorded->replay), &st) ? 0 : (u64)st.st_size;
}

static void end_table(struct kt_summary *x, struct kt_table *t)
{
	kt_table_print(t, x->run.out);
	kt_table_free(t);
}

static void end_line(struct kt_summary *x, struct kt_str *line)
{
	kt_str_add_char(line, '\n');
	kt_out_write(x->run.out, line->data, line->len);
	kt_str_free(line);
}

/* ---- the head ---- */

static void add_about(struct kt_str *s, const struct kt_summary *x, const char *before,
		      const char *fact, const char *member, const char *inner)
{
	char *text = kt_replay_about(x->run.recorded->replay, fact, member, inner);

	if (text) {
		kt_str_add(s, before);
		kt_str_add_safe(s, text);
	}
	free(text);
}

static void print_file(struct kt_summary *x)
{
	struct kt_str line = {};

	kt_str_add_safe(&line, kt_replay_path(x->run.recorded->replay));
	kt_str_add(&line, ": ");
	kt_str_add_bytes(&line, size_of_file(x));
	kt_str_addf(&line, ", %llu events", x->events);
	add_about(&line, x, ", by kvmtrace ", "kvmtrace", "version", NULL);
	end_line(x, &line);
}

static void print_host(struct kt_summary *x)
{
	struct kt_str line = {};

	kt_str_add(&line, "host");
	add_about(&line, x, " Linux ", "host", "kernel", "release");
	add_about(&line, x, ", ", "host", "cpu", "model_name");
	add_about(&line, x, ", CPUs: ", "host", "cpu", "online");
	if (line.len == 4)
		kt_str_add(&line, " not known");
	end_line(x, &line);
}

/* Local time: "2026-01-31 23:59:59.000" */
static void add_moment(struct kt_str *s, const struct kt_summary *x, u64 ts)
{
	u64 realtime = ts + (u64)kt_run_offset(&x->run, ts);
	time_t seconds = (time_t)(realtime / KT_NSEC_PER_SEC);
	char text[64];
	struct tm tm;

	if (!localtime_r(&seconds, &tm) || !strftime(text, sizeof(text), "%F %T", &tm))
		return;
	kt_str_addf(s, "%s.%03llu", text, realtime % KT_NSEC_PER_SEC / 1000000);
}

static void print_span(struct kt_summary *x)
{
	struct kt_str line = {};

	kt_str_add(&line, "from ");
	add_moment(&line, x, begin_of(x));
	kt_str_add(&line, " for ");
	kt_str_add_ns(&line, end_of(x) - begin_of(x));
	kt_str_addf(&line, ", %zu VM%s", x->vm_count, x->vm_count == 1 ? "" : "s");
	end_line(x, &line);
}

/* ---- tables ---- */

static void print_vms(struct kt_summary *x)
{
	static const struct kt_table_column columns[] = {
		{ "VM", true, 0 },	    { "PID", false, 2 },    { "EXITS", false, 0 },
		{ "EXITS/S", false, 5 },    { "TIME", false, 4 },   { "TIME%", false, 3 },
		{ "EXCEPTIONS", false, 0 }, { "FAULTS", false, 1 },
	};
	struct kt_table *t = kt_table_new(columns, KT_ARRAY_SIZE(columns));
	struct kt_str text = {};

	for (size_t i = 0; i < at_most(x->vm_count, KT_SUM_VMS); i++) {
		const struct kt_sum_vm *v = &x->vms[i];

		kt_table_add(t, v->vm->name);
		kt_table_addf(t, "%u", v->vm->pid);
		kt_table_addf(t, "%llu", v->exits);
		kt_table_addf(t, "%llu", rate_of(x, v->exits));
		kt_str_add_ns(&text, v->exit_ns);
		kt_table_add_str(t, &text);
		kt_str_add_share(&text, v->exit_ns, x->exit_ns);
		kt_table_add_str(t, &text);
		kt_table_addf(t, "%llu", v->exceptions);
		kt_table_addf(t, "%llu", v->faults);
	}
	kt_str_free(&text);
	end_table(x, t);
}

static void print_reasons(struct kt_summary *x)
{
	static const struct kt_table_column columns[] = {
		{ "EXIT REASON", true, 0 }, { "VM", true, 4 },	   { "COUNT", false, 0 },
		{ "TIME", false, 3 },	    { "TIME%", false, 5 }, { "P50", false, 1 },
		{ "P99", false, 2 },
	};
	struct kt_table *t = kt_table_new(columns, KT_ARRAY_SIZE(columns));
	struct kt_str text = {};

	for (size_t i = 0; i < at_most(x->exits.count, KT_SUM_REASONS); i++) {
		const struct kt_exit_group *g = x->exits.groups[i];
		const u64 times[] = { kt_exit_percentile_ns(&g->stats, 500),
				      kt_exit_percentile_ns(&g->stats, 990) };

		kt_exit_add(&text, g->key.isa, g->key.code);
		kt_table_add_str(t, &text);
		kt_table_add(t, kt_vm_table_by_id(x->run.vms, g->key.vm)->name);
		kt_table_addf(t, "%llu", g->stats.count);
		kt_str_add_ns(&text, g->stats.total_ns);
		kt_table_add_str(t, &text);
		kt_str_add_share(&text, g->stats.total_ns, g->key.halt ? 0 : x->exit_ns);
		kt_table_add_str(t, &text);
		for (size_t j = 0; j < KT_ARRAY_SIZE(times); j++) {
			kt_str_add_ns(&text, times[j]);
			kt_table_add_str(t, &text);
		}
	}
	kt_str_free(&text);
	end_table(x, t);
}

static void add_cause(struct kt_str *s, const struct kt_sum_exception *e)
{
	struct kt_str cause = {};

	kt_exception_cause(&cause, &e->first);
	/* Without the blank it begins with. */
	kt_str_add(s, cause.len ? cause.data + 1 : "-");
	if (e->first.flags & KT_EXC_REINJECTED)
		kt_str_add(s, " (injected again)");
	kt_str_free(&cause);
}

static void print_exceptions(struct kt_summary *x)
{
	static const struct kt_table_column columns[] = {
		{ "EXCEPTION", true, 0 },
		{ "VM", true, 1 },
		{ "COUNT", false, 0 },
		{ "CAUSE", true, 0 },
	};
	struct kt_table *t = kt_table_new(columns, KT_ARRAY_SIZE(columns));
	struct kt_str text = {};

	for (size_t i = 0; i < at_most(x->exception_count, KT_SUM_EXCEPTIONS); i++) {
		const struct kt_sum_exception *e = &x->exceptions[i];
		const char *name = kt_vector_name(e->first.vector);

		kt_table_addf(t, "%s", name ? name : "?");
		kt_table_add(t, e->vm->name);
		kt_table_addf(t, "%llu", e->count);
		add_cause(&text, e);
		kt_table_add_str(t, &text);
	}
	kt_str_free(&text);
	end_table(x, t);
}

static void print_regions(struct kt_summary *x)
{
	static const struct kt_table_column columns[] = {
		{ "FAULTS IN 2 MiB AT", true, 0 },
		{ "VM", true, 1 },
		{ "COUNT", false, 0 },
		{ "TIME", false, 2 },
	};
	struct kt_table *t = kt_table_new(columns, KT_ARRAY_SIZE(columns));
	struct kt_str text = {};

	for (size_t i = 0; i < at_most(x->region_count, KT_SUM_REGIONS); i++) {
		const struct kt_sum_region *g = &x->regions[i];

		kt_table_addf(t, "%s 0x%llx", g->space == KT_SPACE_GVA ? "gva" : "gpa", g->address);
		kt_table_add(t, g->vm->name);
		kt_table_addf(t, "%llu", g->count);
		kt_str_add_ns(&text, g->total_ns);
		kt_table_add_str(t, &text);
	}
	kt_str_free(&text);
	end_table(x, t);
}

/* ---- the foot ---- */

static void print_findings(struct kt_summary *x)
{
	bool colour = kt_out_colour(x->run.out);
	struct kt_str line = {};

	for (size_t i = 0; i < at_most(x->finding_count, KT_SUM_FINDINGS); i++) {
		kt_str_add(&line, colour ? "\033[1;31m!\033[0m " : "! ");
		kt_finding_add(&line, x, &x->findings[i]);
		end_line(x, &line);
	}
}

static void print_loss(struct kt_summary *x)
{
	struct kt_str line = {}, loss = {};

	kt_lost_add(&loss, &x->run);
	/* Without the "; " it begins with. */
	kt_str_add(&line, loss.len ? loss.data + 2 : "nothing was lost");
	kt_str_free(&loss);
	if (x->finding_count > KT_SUM_FINDINGS)
		kt_str_addf(&line, "\n%zu more findings: -f json",
			    x->finding_count - KT_SUM_FINDINGS);
	end_line(x, &line);
}

void kt_summary_print(struct kt_summary *x)
{
	print_file(x);
	print_host(x);
	print_span(x);
	if (x->vm_count)
		print_vms(x);
	if (x->exits.count)
		print_reasons(x);
	if (x->exception_count)
		print_exceptions(x);
	if (x->region_count)
		print_regions(x);
	print_findings(x);
	print_loss(x);
}

/* ---- record ---- */

static void record_about(struct kt_record *r, const struct kt_summary *x, const char *name,
			 const char *fact, const char *member, const char *inner)
{
	char *text = kt_replay_about(x->run.recorded->replay, fact, member, inner);

	kt_record_str(r, name, text);
	free(text);
}

static void record_head(struct kt_record *r, const struct kt_summary *x)
{
	u64 begin = begin_of(x), end = end_of(x);

	kt_record_str(r, "file", kt_replay_path(x->run.recorded->replay));
	kt_record_u64(r, "bytes", size_of_file(x));
	record_about(r, x, "version", "kvmtrace", "version", NULL);
	kt_record_object(r, "host");
	record_about(r, x, "kernel", "host", "kernel", "release");
	record_about(r, x, "cpu", "host", "cpu", "model_name");
	record_about(r, x, "cpus", "host", "cpu", "online");
	kt_record_object_end(r);
	kt_record_time(r, "begin", begin + (u64)kt_run_offset(&x->run, begin));
	kt_record_time(r, "end", end + (u64)kt_run_offset(&x->run, end));
	kt_record_u64(r, "begin_ns", begin);
	kt_record_u64(r, "duration_ns", end - begin);
	kt_record_u64(r, "events", x->events);
}

static void record_vms(struct kt_record *r, const struct kt_summary *x)
{
	kt_record_array(r, "vms");
	for (size_t i = 0; i < x->vm_count; i++) {
		kt_record_object(r, NULL);
		kt_record_vm(r, x->vms[i].vm);
		kt_record_u64(r, "exits", x->vms[i].exits);
		kt_record_u64(r, "exits_per_s", rate_of(x, x->vms[i].exits));
		kt_record_u64(r, "exit_ns", x->vms[i].exit_ns);
		kt_record_u64(r, "exceptions", x->vms[i].exceptions);
		kt_record_u64(r, "faults", x->vms[i].faults);
		kt_record_object_end(r);
	}
	kt_record_array_end(r);
}

static void record_reasons(struct kt_record *r, const struct kt_summary *x)
{
	kt_record_array(r, "reasons");
	for (size_t i = 0; i < at_most(x->exits.count, RECORD_ROWS); i++) {
		const struct kt_exit_group *g = x->exits.groups[i];
		struct kt_str *name = kt_record_scratch(r);

		kt_record_object(r, NULL);
		kt_record_vm(r, kt_vm_table_by_id(x->run.vms, g->key.vm));
		kt_exit_add(name, g->key.isa, g->key.code);
		kt_record_str(r, "reason", name->data);
		kt_record_hex(r, "code", g->key.code);
		kt_record_str(r, "isa", kt_isa_name(g->key.isa));
		kt_record_bool(r, "halt", g->key.halt);
		kt_record_u64(r, "count", g->stats.count);
		kt_record_u64(r, "total_ns", g->stats.total_ns);
		kt_record_u64(r, "p50_ns", kt_exit_percentile_ns(&g->stats, 500));
		kt_record_u64(r, "p99_ns", kt_exit_percentile_ns(&g->stats, 990));
		kt_record_object_end(r);
	}
	kt_record_array_end(r);
}

static void record_exceptions(struct kt_record *r, const struct kt_summary *x)
{
	kt_record_array(r, "exceptions");
	for (size_t i = 0; i < at_most(x->exception_count, RECORD_ROWS); i++) {
		const struct kt_sum_exception *e = &x->exceptions[i];
		struct kt_str *cause = kt_record_scratch(r);

		kt_record_object(r, NULL);
		kt_record_vm(r, e->vm);
		kt_record_u64(r, "vector", e->first.vector);
		kt_record_str(r, "name", kt_vector_name(e->first.vector));
		add_cause(cause, e);
		kt_record_str(r, "cause", cause->data);
		kt_record_u64(r, "count", e->count);
		kt_record_object_end(r);
	}
	kt_record_array_end(r);
}

static void record_regions(struct kt_record *r, const struct kt_summary *x)
{
	kt_record_array(r, "regions");
	for (size_t i = 0; i < at_most(x->region_count, RECORD_ROWS); i++) {
		const struct kt_sum_region *g = &x->regions[i];

		kt_record_object(r, NULL);
		kt_record_vm(r, g->vm);
		kt_record_hex(r, "address", g->address);
		kt_record_str(r, "space", g->space == KT_SPACE_GVA ? "gva" : "gpa");
		kt_record_u64(r, "count", g->count);
		kt_record_u64(r, "total_ns", g->total_ns);
		kt_record_object_end(r);
	}
	kt_record_array_end(r);
}

static void record_findings(struct kt_record *r, const struct kt_summary *x)
{
	static const char *const vm_fields[] = { "pid", "name", NULL };

	kt_record_array(r, "findings");
	for (size_t i = 0; i < x->finding_count; i++) {
		const struct kt_finding *f = &x->findings[i];
		struct kt_str *text = kt_record_scratch(r);

		kt_record_object(r, NULL);
		kt_record_str(r, "rule", kt_finding_rule_name(f));
		if (f->vm)
			kt_record_vm(r, f->vm);
		else
			kt_record_null_object(r, "vm", vm_fields);
		kt_finding_add(text, x, f);
		kt_record_str(r, "text", text->data);
		kt_record_u64(r, "count", f->count);
		kt_record_object_end(r);
	}
	kt_record_array_end(r);
}

static void record_kinds(struct kt_record *r, const struct kt_summary *x)
{
	kt_record_object(r, "kinds");
	for (u32 i = 1; i < KT_ROW_COUNT; i++)
		kt_record_u64(r, kt_kinds.kinds[i].name, x->by_kind[i]);
	kt_record_u64(r, "unknown", x->by_kind[0]);
	kt_record_object_end(r);
}

void kt_summary_record(struct kt_summary *x)
{
	struct kt_record *r = x->run.record;

	kt_record_begin(r, "report");
	record_head(r, x);
	record_kinds(r, x);
	record_vms(r, x);
	record_reasons(r, x);
	record_exceptions(r, x);
	record_regions(r, x);
	record_findings(r, x);
	kt_lost_record(&x->run);
	kt_record_end(r);
}
