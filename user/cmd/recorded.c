/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/log.h"
#include "../replay/order.h"
#include "../sink/units.h"
#include "../store/convert.h"
#include "recorded.h"

/* Losses on CPUs from this number on count as on an unknown one. */
#define MAX_CPUS 65536
/* More intervals in a row in which nothing happened are passed over. */
#define MAX_EMPTY_INTERVALS 1000
/* Whether the output still takes something is asked each time so many events were read. */
#define EVENTS_A_CHECK 4096

/* What a view shows, and by what name record knows it. */
static const struct {
	u32 kinds;
	const char *class;
} views[KT_VIEW_COUNT] = {
	[KT_VIEW_EXITS] = { 1u << KT_ROW_EXIT, "exits" },
	[KT_VIEW_EXCEPTIONS] = { 1u << KT_ROW_EXCEPTION, "exceptions" },
	[KT_VIEW_FAULTS] = { 1u << KT_ROW_FAULT, "faults" },
	[KT_VIEW_REGIONS] = { 1u << KT_ROW_FAULT, "faults" },
};

static enum kt_status check_class(const struct kt_replay *replay, enum kt_view view)
{
	if (!views[view].class || kt_replay_has(replay, views[view].class))
		return KT_OK;
	kt_err("%s: %s were not recorded (record --events chose others)", kt_replay_path(replay),
	       views[view].class);
	return KT_FAILED;
}

struct kt_replay_filter kt_recorded_filter(const struct kt_common *c)
{
	return (struct kt_replay_filter) {
		.pid = c->pid,
		.vm = c->vm,
		.by_vcpu = c->vcpu != KT_NO_VCPU,
		.vcpu = c->vcpu,
		.cfg = &c->cfg,
		.by_vector = c->by_vector,
		.from = c->from,
		.to = c->to,
		.where = c->where,
	};
}

enum kt_status kt_recorded_open(struct kt_run *run, enum kt_view view)
{
	const struct kt_common *c = run->common;
	struct kt_replay_filter filter = kt_recorded_filter(c);
	struct kt_recorded *x = kt_alloc(sizeof(*x));
	const struct kt_replay_facts *facts;
	enum kt_status status;

	filter.kinds = views[view].kinds;
	run->recorded = x;
	status = kt_replay_open(&x->replay, c->capture);
	if (status == KT_OK)
		status = check_class(x->replay, view);
	if (status == KT_OK)
		status = kt_replay_filter(x->replay, &filter);
	if (status != KT_OK)
		return status;
	facts = kt_replay_facts(x->replay);
	x->counters.threads_unknown = facts->threads_unknown;
	x->now = kt_replay_begin(x->replay);
	x->offset = kt_replay_offset(x->replay, x->now);
	run->realtime_offset = x->offset.ns;
	run->vms = kt_replay_vms(x->replay);
	return KT_OK;
}

void kt_recorded_close(struct kt_run *run)
{
	struct kt_recorded *x = run->recorded;

	if (!x)
		return;
	kt_replay_close(x->replay);
	free(x->lost);
	free(x);
	run->recorded = NULL;
	run->vms = NULL;
}

/* ---- losses ---- */

static void lost_on(struct kt_recorded *x, u32 cpu, u64 count)
{
	if (cpu >= MAX_CPUS) {
		x->lost_elsewhere += count;
		return;
	}
	if (cpu >= x->cpus) {
		x->lost = kt_realloc(x->lost, (cpu + 1) * sizeof(*x->lost));
		memset(x->lost + x->cpus, 0, (cpu + 1 - x->cpus) * sizeof(*x->lost));
		x->cpus = cpu + 1;
	}
	x->lost[cpu] += count;
}

static void take_lost(struct kt_recorded *x, const struct kt_row_lost *row,
		      const struct kt_loop_ops *ops, void *ctx)
{
	switch (row->cause) {
	case KT_LOST_MISSED:
		x->missed += row->count;
		break;
	case KT_LOST_VCPUS:
		x->counters.events_without_vcpu_slot += row->count;
		break;
	default:
		lost_on(x, row->head.cpu, row->count);
		if (ops->lost)
			ops->lost(ctx, row->head.cpu, row->count);
	}
}

/* ---- the course of the capture ---- */

struct loop {
	struct kt_run *run;
	struct kt_recorded *recorded;
	const struct kt_loop_ops *ops;
	void *ctx;
	u64 interval_ns, next; /* when the interval ends; 0: there are none */
	bool any;	       /* came in this interval */
};

static void turn_to(struct loop *l, u64 ts)
{
	struct kt_recorded *x = l->recorded;

	x->now = ts;
	if (ts >= x->offset.from && ts < x->offset.until)
		return;
	x->offset = kt_replay_offset(x->replay, ts);
	l->run->realtime_offset = x->offset.ns;
}

/* Ends the intervals that are over at a time. */
static void end_intervals(struct loop *l, u64 when)
{
	u64 over = (when - l->next) / l->interval_ns;

	for (u64 i = 0; i <= over && i <= MAX_EMPTY_INTERVALS; i++) {
		turn_to(l, l->next);
		l->ops->interval(l->ctx, false);
		if (i == MAX_EMPTY_INTERVALS)
			l->next += (over - i) * l->interval_ns;
		l->next += l->interval_ns;
	}
}

static void hand_over(struct loop *l, const struct kt_ordered *o)
{
	const struct kt_replay_event *e = &o->event;
	union {
		struct kt_exception exception;
		struct kt_fault fault;
	} record;

	turn_to(l, e->head->ts);
	if (e->kind == KT_ROW_LOST)
		take_lost(l->recorded, (const struct kt_row_lost *)e->head, l->ops, l->ctx);
	if (l->run->row) {
		l->run->row(l->ctx, o);
	} else if (e->kind == KT_ROW_EXCEPTION) {
		kt_exception_of_row(&record.exception, (const struct kt_row_exception *)e->head);
		if (record.exception.flags & KT_EXC_REINJECTED && !l->run->common->cfg.reinjected)
			l->recorded->counters.reinjected_hidden++;
		else
			l->ops->event(l->ctx, &record.exception.head);
	} else if (e->kind == KT_ROW_FAULT) {
		kt_fault_of_row(&record.fault, (const struct kt_row_fault *)e->head);
		l->ops->event(l->ctx, &record.fault.head);
	}
}

static int run_ordered(struct loop *l)
{
	struct kt_order *order =
		kt_order_new(l->recorded->replay, l->next ? KT_ORDER_BY_END : KT_ORDER_BY_TS);
	struct kt_ordered next;
	int found;

	while ((found = kt_order_next(order, &next)) == 1) {
		if (l->next && next.when != UINT64_MAX && next.when >= l->next)
			end_intervals(l, next.when);
		hand_over(l, &next);
		if (kt_out_error(l->run->out))
			break;
	}
	kt_order_free(order);
	return found;
}

static int run_as_written(struct loop *l)
{
	struct kt_ordered next = {};
	u32 count = 0;
	int found;

	while ((found = kt_replay_next(l->recorded->replay, &next.event)) == 1) {
		hand_over(l, &next);
		if (++count % EVENTS_A_CHECK == 0 && kt_out_error(l->run->out))
			break;
	}
	return found;
}

/* Losses that the end of the capture knows of and that no row says. */
static void take_rest(struct kt_recorded *x)
{
	const struct kt_replay_facts *facts = kt_replay_facts(x->replay);

	if (facts->missed > x->missed)
		x->missed = facts->missed;
	if (facts->vcpu_capacity > x->counters.events_without_vcpu_slot)
		x->counters.events_without_vcpu_slot = facts->vcpu_capacity;
}

enum kt_status kt_recorded_loop(struct kt_run *run, u64 interval_ns, const struct kt_loop_ops *ops,
				void *ctx)
{
	struct loop l = { .run = run,
			  .recorded = run->recorded,
			  .ops = ops,
			  .ctx = ctx,
			  .interval_ns = interval_ns };
	const char *path = kt_replay_path(run->recorded->replay);
	int err;

	if (interval_ns)
		l.next = run->recorded->now + interval_ns;
	err = l.next || run->in_order ? run_ordered(&l) : run_as_written(&l);
	if (err < 0)
		kt_err("%s: %s", path, strerror(-err));
	take_rest(run->recorded);
	turn_to(&l, kt_replay_end(run->recorded->replay));
	ops->interval(ctx, true);
	return err < 0 ? KT_FAILED : KT_OK;
}

/* ---- what is missing ---- */

bool kt_recorded_complete(const struct kt_run *run)
{
	return kt_replay_missing(run->recorded->replay).complete;
}

static void say_not_closed(const struct kt_replay *replay, u64 tail_bytes)
{
	u64 end = kt_replay_end(replay);
	struct kt_str text = {}, tail = {};

	kt_str_add_clock(&text, end + (u64)kt_replay_offset(replay, end).ns);
	if (tail_bytes)
		kt_str_addf(&tail, "; its last %llu bytes are a block cut off", tail_bytes);
	kt_warn("%s: was not closed: what was recorded after %s is missing%s",
		kt_replay_path(replay), text.data, tail_bytes ? tail.data : "");
	kt_str_free(&tail);
	kt_str_free(&text);
}

static void say_damaged(const char *path, const struct kt_replay_missing *m)
{
	const char *places = m->gaps == 1 ? "place" : "places";

	if (m->events)
		kt_warn("%s: damaged in %llu %s, %llu bytes: %llu events are missing%s", path,
			m->gaps, places, m->gap_bytes, m->events,
			m->closed ? "" : ", as far as can be told");
	else
		kt_warn("%s: damaged in %llu %s, %llu bytes: it is not known how many events are missing",
			path, m->gaps, places, m->gap_bytes);
}

void kt_recorded_say_missing(const struct kt_replay *replay)
{
	struct kt_replay_missing m = kt_replay_missing(replay);
	const char *path = kt_replay_path(replay);

	if (m.gaps)
		say_damaged(path, &m);
	else if (m.events)
		kt_warn("%s: %llu events are missing", path, m.events);
	if (m.bad_facts)
		kt_warn("%s: %llu %s damaged", path, m.bad_facts,
			m.bad_facts == 1 ? "block about the host or the clock is"
					 : "blocks about the host or the clock are");
	if (!m.closed)
		say_not_closed(replay, m.tail_bytes);
	else if (m.tail_bytes)
		kt_warn("%s: %llu bytes behind its end are no part of it", path, m.tail_bytes);
}

void kt_recorded_record(const struct kt_run *run)
{
	struct kt_replay_missing m = kt_replay_missing(run->recorded->replay);
	struct kt_record *r = run->record;

	kt_record_object(r, "capture");
	kt_record_bool(r, "complete", m.complete);
	kt_record_bool(r, "closed", m.closed);
	kt_record_u64(r, "missing", m.events);
	kt_record_u64(r, "gaps", m.gaps);
	kt_record_u64(r, "gap_bytes", m.gap_bytes);
	kt_record_u64(r, "tail_bytes", m.tail_bytes);
	kt_record_object_end(r);
}

void kt_recorded_add(struct kt_str *s, const struct kt_run *run)
{
	struct kt_replay_missing m = kt_replay_missing(run->recorded->replay);
	bool gaps = m.events || m.gaps;

	if (m.complete)
		return;
	kt_str_add(s, "; CAPTURE INCOMPLETE:");
	if (gaps)
		kt_str_addf(s, " %llu events missing in %llu gaps", m.events, m.gaps);
	if (!m.closed)
		kt_str_add(s, gaps ? ", not closed" : " not closed");
	else if (!gaps)
		kt_str_add(s, " damaged");
}
