/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <stdlib.h>
#include <string.h>

#include "../decode/decode.h"
#include "../store/convert.h"
#include "lost.h"
#include "recorded.h"
#include "summary.h"

/* So that the memory taken has a bound. */
#define MAX_EXCEPTIONS 256
#define MAX_REGIONS    65536

/* ---- adding up ---- */

static struct kt_sum_vm *vm_of(struct kt_summary *x, const struct kt_vm_entry *vm)
{
	x->vms = kt_grow_to(x->vms, &x->vm_count, vm->id, sizeof(*x->vms));
	x->vms[vm->id].vm = vm;
	return &x->vms[vm->id];
}

static bool same_cause(const struct kt_exception *a, const struct kt_exception *b)
{
	struct kt_io_access x = {}, y = {};

	if (a->vector != b->vector || a->exit.isa != b->exit.isa || a->exit.code != b->exit.code ||
	    (a->flags ^ b->flags) & (KT_EXC_EXIT | KT_EXC_REINJECTED) ||
	    a->detail.flags != b->detail.flags || a->detail.number != b->detail.number)
		return false;
	kt_exit_io(a->exit.isa, a->exit.code, a->exit.info1, &x);
	kt_exit_io(b->exit.isa, b->exit.code, b->exit.info1, &y);
	return x.port == y.port && x.in == y.in;
}

static struct kt_sum_exception *exception_of(struct kt_summary *x, const struct kt_vm_entry *vm,
					     const struct kt_exception *e)
{
	struct kt_sum_exception *sum;

	for (size_t i = 0; i < x->exception_count; i++) {
		sum = &x->exceptions[i];
		if (sum->vm != vm || !same_cause(&sum->first, e))
			continue;
		/* Those that come often come to the front, a place a time. */
		if (i && sum[-1].count < sum->count) {
			struct kt_sum_exception before = sum[-1];

			sum[-1] = *sum;
			*sum = before;
			sum--;
		}
		return sum;
	}
	if (x->exception_count == MAX_EXCEPTIONS)
		return NULL;
	x->exceptions = kt_grow(x->exceptions, x->exception_count, sizeof(*x->exceptions));
	sum = &x->exceptions[x->exception_count++];
	*sum = (struct kt_sum_exception) { .vm = vm, .first = *e };
	return sum;
}

static void add_exception(struct kt_summary *x, const struct kt_row_exception *row,
			  const struct kt_vm_entry *vm)
{
	struct kt_sum_vm *v = vm_of(x, vm);
	u64 second = row->head.ts / KT_NSEC_PER_SEC;
	struct kt_sum_exception *sum;
	struct kt_exception e;

	kt_exception_of_row(&e, row);
	sum = exception_of(x, vm, &e);
	if (sum)
		sum->count++;
	else
		x->exceptions_beyond++;
	v->exceptions++;
	if (v->second != second)
		v->in_second = 0;
	v->second = second;
	if (++v->in_second > v->worst)
		v->worst = v->in_second;
}

static void add_fault(struct kt_summary *x, const struct kt_row_fault *f,
		      const struct kt_vm_entry *vm)
{
	struct kt_region_key key = { .region = f->address >> KT_REGION_SHIFT,
				     .tgid = f->head.tgid,
				     .space = kt_region_space(f->exit_isa, f->exit_reason) };
	u32 number = kt_region_number(&x->index, &key, vm->id, MAX_REGIONS);

	vm_of(x, vm)->faults++;
	if (!number)
		return;
	if (number > x->region_count) {
		x->regions = kt_grow(x->regions, x->region_count, sizeof(*x->regions));
		x->regions[x->region_count++] = (struct kt_sum_region) {
			.vm = vm, .address = key.region << KT_REGION_SHIFT, .space = key.space
		};
	}
	x->regions[number - 1].count++;
	x->regions[number - 1].total_ns += f->duration;
}

static void on_row(void *ctx, const struct kt_ordered *o)
{
	const struct kt_replay_event *e = &o->event;
	struct kt_summary *x = ctx;

	x->events += e->kind != KT_ROW_LOST;
	x->by_kind[e->kind]++;
	switch (e->kind) {
	case KT_ROW_EXIT:
		kt_exit_rows_add(x->rows, (const struct kt_row_exit *)e->head, e->vm->id);
		return;
	case KT_ROW_EXCEPTION:
		add_exception(x, (const struct kt_row_exception *)e->head, e->vm);
		break;
	case KT_ROW_FAULT:
		add_fault(x, (const struct kt_row_fault *)e->head, e->vm);
		break;
	case KT_ROW_LOST:
		break;
	default:
		/* A VM that has neither exits nor exceptions in the capture is one. */
		vm_of(x, e->vm);
	}
	kt_findings_row(x, e);
}

/* ---- the end ---- */

static void add_exits(struct kt_summary *x)
{
	for (size_t i = 0; i < x->exits.count; i++) {
		const struct kt_exit_group *g = x->exits.groups[i];
		struct kt_sum_vm *v = vm_of(x, kt_vm_table_by_id(x->run.vms, g->key.vm));

		v->exits += g->stats.count;
		if (g->key.halt)
			continue;
		v->exit_ns += g->stats.total_ns;
		x->exit_ns += g->stats.total_ns;
	}
}

static int busier_vm(const void *left, const void *right)
{
	const struct kt_sum_vm *a = left, *b = right;

	if (!a->vm != !b->vm)
		return a->vm ? -1 : 1;
	if (a->exit_ns != b->exit_ns)
		return a->exit_ns < b->exit_ns ? 1 : -1;
	if (a->exits != b->exits)
		return a->exits < b->exits ? 1 : -1;
	return (a->exceptions < b->exceptions) - (a->exceptions > b->exceptions);
}

static int more_exceptions(const void *left, const void *right)
{
	const struct kt_sum_exception *a = left, *b = right;

	if (a->count != b->count)
		return a->count < b->count ? 1 : -1;
	return a->first.vector - b->first.vector;
}

static int hotter_region(const void *left, const void *right)
{
	const struct kt_sum_region *a = left, *b = right;

	if (a->total_ns != b->total_ns)
		return a->total_ns < b->total_ns ? 1 : -1;
	if (a->count != b->count)
		return a->count < b->count ? 1 : -1;
	return (a->address > b->address) - (a->address < b->address);
}

static void sort(void *array, size_t count, size_t size, int (*compare)(const void *, const void *))
{
	if (count)
		qsort(array, count, size, compare);
}

static void on_interval(void *ctx, bool final)
{
	struct kt_summary *x = ctx;

	(void) final;
	kt_exit_agg_sort(&x->exits);
	add_exits(x);
	kt_findings_end(x);
	sort(x->vms, x->vm_count, sizeof(*x->vms), busier_vm);
	while (x->vm_count && !x->vms[x->vm_count - 1].vm)
		x->vm_count--;
	sort(x->exceptions, x->exception_count, sizeof(*x->exceptions), more_exceptions);
	sort(x->regions, x->region_count, sizeof(*x->regions), hotter_region);
	if (x->run.record)
		kt_summary_record(x);
	else
		kt_summary_print(x);
}

static const struct kt_loop_ops ops = { .interval = on_interval };

enum kt_status kt_summary_run(const struct kt_common *common)
{
	struct kt_summary x = {};
	enum kt_status status;
	u64 lost = 0;

	status = kt_run_open(&x.run, common, KT_VIEW_RECORD, "report");
	if (status == KT_OK) {
		x.run.row = on_row;
		x.rows = kt_exit_rows_new(&x.exits, KT_BY_VM | KT_BY_REASON);
		status = kt_run_loop(&x.run, 0, "events", &ops, &x);
	}
	if (status == KT_OK)
		lost = kt_lost_total(&x.run);
	kt_exit_rows_free(x.rows);
	kt_exit_agg_fini(&x.exits);
	kt_region_index_fini(&x.index);
	free(x.vms);
	free(x.exceptions);
	free(x.regions);
	free(x.findings);
	return kt_run_close(&x.run, status, lost);
}
