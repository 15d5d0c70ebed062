/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <stdlib.h>
#include <string.h>

#include "../sink/event.h"
#include "../sink/units.h"
#include "lost.h"
#include "recorded.h"
#include "views.h"

struct events {
	struct kt_run run;
	struct kt_str line;
	u64 seen;
	u64 by_kind[KT_ROW_COUNT]; /* [0]: unknown to this version */
};

static void on_row(void *ctx, const struct kt_ordered *o)
{
	const struct kt_replay_event *e = &o->event;
	struct events *x = ctx;
	u64 realtime = e->head->ts + (u64)x->run.realtime_offset;

	x->seen += e->kind != KT_ROW_LOST;
	x->by_kind[e->kind]++;
	if (x->run.record) {
		kt_event_record_all(x->run.record, e->kind, e->head, o->extra, e->vm, realtime);
		return;
	}
	kt_str_reset(&x->line);
	kt_event_text_all(&x->line, e->kind, e->head, o->extra, e->vm, realtime);
	kt_out_write(x->run.out, x->line.data, x->line.len);
}

static void record_summary(const struct events *x)
{
	struct kt_record *r = x->run.record;

	kt_record_begin(r, "summary");
	kt_record_u64(r, "events", x->seen);
	kt_lost_record(&x->run);
	kt_record_object(r, "by");
	for (u32 i = 1; i < KT_ROW_COUNT; i++)
		if (x->by_kind[i])
			kt_record_u64(r, kt_kinds.kinds[i].name, x->by_kind[i]);
	if (x->by_kind[0])
		kt_record_u64(r, "unknown", x->by_kind[0]);
	kt_record_object_end(r);
	kt_record_end(r);
}

static void print_summary(const struct events *x)
{
	struct kt_str text = {};

	kt_str_addf(&text, "%llu events", x->seen);
	if (x->by_kind[0])
		kt_str_addf(&text, ", %llu of kinds that this version does not know",
			    x->by_kind[0]);
	kt_lost_add(&text, &x->run);
	kt_str_add_char(&text, '\n');
	kt_out_write(x->run.out, text.data, text.len);
	kt_str_free(&text);
}

static void on_interval(void *ctx, bool final)
{
	struct events *x = ctx;

	(void) final;
	if (x->run.record)
		record_summary(x);
	else
		print_summary(x);
}

static const struct kt_loop_ops ops = { .interval = on_interval };

enum kt_status kt_events_run(const struct kt_common *common)
{
	struct events x = {};
	enum kt_status status;
	u64 lost = 0;

	status = kt_run_open(&x.run, common, KT_VIEW_RECORD, "event");
	if (status == KT_OK) {
		x.run.row = on_row;
		x.run.in_order = true;
		status = kt_run_loop(&x.run, 0, "events", &ops, &x);
	}
	if (status == KT_OK) {
		lost = kt_lost_total(&x.run);
		if (!x.seen)
			kt_run_explain_nothing(&x.run, "events");
	}
	kt_str_free(&x.line);
	return kt_run_close(&x.run, status, lost);
}
