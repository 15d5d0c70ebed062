/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The packets of a Perfetto trace. There is one sequence of packets, with the names of categories,
 * arguments and events in its incremental state, and small numbers as uuids of tracks.
 */
#include "perfetto_priv.h"

#include <stdlib.h>

#include "../../bpf/shared/event.h"
#include "names.h"

#define SEQUENCE     1
#define HAND_OVER_AT (KT_OUT_SIZE + 1) /* bytes: then kt_out_write() does not copy them */

static size_t open_packet(struct kt_perfetto *p, u32 flags)
{
	size_t packet = kt_pb_open(&p->pb, TRACE_PACKET);

	kt_pb_u64(&p->pb, PACKET_SEQUENCE_ID, SEQUENCE);
	kt_pb_u64(&p->pb, PACKET_SEQUENCE_FLAGS, flags);
	return packet;
}

static void close_packet(struct kt_perfetto *p, size_t packet)
{
	kt_pb_close(&p->pb, packet);
	if (p->pb.len < HAND_OVER_AT)
		return;
	kt_out_write(p->out, (const char *)p->pb.data, p->pb.len);
	kt_pb_reset(&p->pb);
}

/* ---- the beginning ---- */

static void put_clock(struct kt_pb *pb, u32 id, u64 time)
{
	size_t clock = kt_pb_open(pb, SNAPSHOT_CLOCKS);

	kt_pb_u64(pb, CLOCK_ID, id);
	kt_pb_u64(pb, CLOCK_TIMESTAMP, time);
	kt_pb_close(pb, clock);
}

static void put_snapshot(struct kt_perfetto *p, const struct kt_clock *clock)
{
	size_t packet = kt_pb_open(&p->pb, TRACE_PACKET), snapshot;

	snapshot = kt_pb_open(&p->pb, PACKET_CLOCK_SNAPSHOT);
	put_clock(&p->pb, BUILTIN_CLOCK_MONOTONIC, clock->monotonic);
	put_clock(&p->pb, BUILTIN_CLOCK_REALTIME, clock->realtime);
	kt_pb_u64(&p->pb, SNAPSHOT_PRIMARY_CLOCK, BUILTIN_CLOCK_MONOTONIC);
	kt_pb_close(&p->pb, snapshot);
	close_packet(p, packet);
}

static void put_interned(struct kt_pb *pb, u32 field, u64 iid, const char *text)
{
	size_t entry = kt_pb_open(pb, field);

	kt_pb_u64(pb, INTERNED_IID, iid);
	kt_pb_text(pb, INTERNED_TEXT, text);
	kt_pb_close(pb, entry);
}

/* A category for each kind, with its number; gaps are of category 0's name, "common". */
static void put_state(struct kt_perfetto *p)
{
	size_t packet = open_packet(p, SEQUENCE_CLEARED | SEQUENCE_NEEDS_STATE), part;

	part = kt_pb_open(&p->pb, PACKET_DEFAULTS);
	kt_pb_u64(&p->pb, DEFAULTS_CLOCK_ID, BUILTIN_CLOCK_MONOTONIC);
	kt_pb_close(&p->pb, part);
	part = kt_pb_open(&p->pb, PACKET_INTERNED_DATA);
	for (u32 kind = 1; kind < KT_ROW_COUNT; kind++)
		put_interned(&p->pb, INTERNED_CATEGORIES, kind, kt_kinds.kinds[kind].name);
	for (u32 i = 1; i <= p->arg_name_count; i++)
		put_interned(&p->pb, INTERNED_ARGS, i, p->arg_names[i]);
	kt_pb_close(&p->pb, part);
	close_packet(p, packet);
}

struct kt_perfetto *kt_perfetto_new(struct kt_out *out, const struct kt_clock *clocks, u32 count)
{
	const struct kt_clock none = {};
	struct kt_perfetto *p = kt_alloc(sizeof(*p));

	p->out = out;
	kt_rates_init(&p->rates);
	kt_perfetto_args_init(p);
	for (u32 i = 0; i < count; i++)
		put_snapshot(p, &clocks[i]);
	if (!count)
		put_snapshot(p, &none);
	put_state(p);
	return p;
}

void kt_perfetto_free(struct kt_perfetto *p)
{
	if (!p)
		return;
	kt_pb_free(&p->pb);
	kt_tracks_fini(&p->tracks);
	kt_rates_fini(&p->rates);
	kt_str_free(&p->text);
	free(p);
}

/* ---- tracks ---- */

/* Begins the description of a track with a new uuid; under parent, or by itself for 0. */
static size_t open_track(struct kt_perfetto *p, u32 parent, size_t *packet)
{
	size_t track;

	*packet = open_packet(p, SEQUENCE_NEEDS_STATE);
	track = kt_pb_open(&p->pb, PACKET_TRACK_DESCRIPTOR);
	kt_pb_u64(&p->pb, TRACK_UUID, ++p->last_uuid);
	if (parent)
		kt_pb_u64(&p->pb, TRACK_PARENT, parent);
	return track;
}

static u32 close_track(struct kt_perfetto *p, size_t track, size_t packet)
{
	kt_pb_close(&p->pb, track);
	close_packet(p, packet);
	return p->last_uuid;
}

static u32 describe_vm(struct kt_perfetto *p, const struct kt_vm_entry *vm)
{
	size_t packet, track = open_track(p, 0, &packet), process;

	process = kt_pb_open(&p->pb, TRACK_PROCESS);
	kt_pb_u64(&p->pb, PROCESS_PID, vm->pid & 0x7fffffff);
	kt_str_reset(&p->text);
	kt_str_add_safe(&p->text, vm->name);
	kt_pb_text(&p->pb, PROCESS_NAME, p->text.data);
	kt_pb_close(&p->pb, process);
	kt_pb_u64(&p->pb, TRACK_CHILD_ORDERING, CHILD_ORDERING_EXPLICIT);
	return close_track(p, track, packet);
}

static u32 describe(struct kt_perfetto *p, u32 parent, const char *name, u32 number, u32 rank)
{
	size_t packet, track = open_track(p, parent, &packet);

	kt_str_reset(&p->text);
	kt_str_addf(&p->text, name, number);
	kt_pb_text(&p->pb, TRACK_NAME, p->text.data);
	kt_pb_u64(&p->pb, TRACK_RANK, rank & 0x7fffffff);
	return close_track(p, track, packet);
}

static u32 vm_track(struct kt_perfetto *p, const struct kt_vm_entry *vm)
{
	struct kt_track *track = kt_tracks_get(&p->tracks, KT_TRACK_VM, vm->id, 0);

	if (track->uuid)
		return track->uuid;
	track->uuid = track->type == KT_TRACK_OTHERS ? describe(p, 0, "others", 0, 0)
						     : describe_vm(p, vm);
	if (track->type == KT_TRACK_VM && p->vm_count < KT_ARRAY_SIZE(p->vms)) {
		p->vms[p->vm_count].vm = vm;
		p->vms[p->vm_count++].uuid = track->uuid;
	}
	return track->uuid;
}

/* Tracks of what is no VM's stand by themselves. */
static struct kt_track *other_track(struct kt_perfetto *p, enum kt_track_type type, u32 vm,
				    u32 number, u32 parent, const char *name)
{
	struct kt_track *track = kt_tracks_get(&p->tracks, type, vm, number);

	if (!track->uuid)
		track->uuid = track->type == KT_TRACK_OTHERS
				      ? describe(p, 0, "others", 0, 0)
				      : describe(p, parent, name, number, number);
	return track;
}

static struct kt_track *lost_track(struct kt_perfetto *p, u32 cause, u32 cpu)
{
	u32 all = other_track(p, KT_TRACK_LOST_ALL, 0, 0, 0, "lost events")->uuid;

	return other_track(p, KT_TRACK_LOST, cause, cpu, all,
			   cpu == KT_ROW_NONE ? "some CPU" : "CPU %u");
}

static struct kt_track *vcpu_track(struct kt_perfetto *p, const struct kt_row_common *row,
				   const struct kt_vm_entry *vm)
{
	bool known = row->vcpu_id != KT_ROW_NONE;
	enum kt_track_type type = known ? KT_TRACK_VCPU : KT_TRACK_THREAD;
	u32 number = known ? row->vcpu_id : row->tid, parent;
	struct kt_track *track = kt_tracks_get(&p->tracks, type, vm->id, number);

	if (track->uuid)
		return track;
	parent = vm_track(p, vm); /* may move the tracks */
	return other_track(p, type, vm->id, number, parent, known ? "vCPU %u" : "thread %u");
}

/* ---- events ---- */

/* The iid of an event's name; 0 when there are too many, for whom p->text has it. */
static u32 name_iid(struct kt_perfetto *p, u64 key, u32 kind, const struct kt_row_common *row)
{
	u32 at = (u32)(key * 0x9e3779b97f4a7c15ull >> 32);
	struct perfetto_name *name;
	size_t packet, part;

	for (;; at++) {
		name = &p->names[at % PERFETTO_MAX_NAMES];
		if (name->key == key)
			return name->iid;
		if (!name->key)
			break;
	}
	kt_str_reset(&p->text);
	kt_export_name(&p->text, kind, row);
	if (p->name_count >= PERFETTO_MAX_NAMES / 2)
		return 0;
	*name = (struct perfetto_name) { key, ++p->name_count };
	packet = open_packet(p, SEQUENCE_NEEDS_STATE);
	part = kt_pb_open(&p->pb, PACKET_INTERNED_DATA);
	put_interned(&p->pb, INTERNED_NAMES, name->iid, p->text.data);
	kt_pb_close(&p->pb, part);
	close_packet(p, packet);
	return name->iid;
}

static size_t open_event(struct kt_perfetto *p, u32 type, u32 track, u64 ts, size_t *packet)
{
	size_t event;

	*packet = open_packet(p, SEQUENCE_NEEDS_STATE);
	kt_pb_u64(&p->pb, PACKET_TIMESTAMP, ts);
	event = kt_pb_open(&p->pb, PACKET_TRACK_EVENT);
	kt_pb_u64(&p->pb, EVENT_TYPE, type);
	kt_pb_u64(&p->pb, EVENT_TRACK, track);
	return event;
}

static void close_event(struct kt_perfetto *p, size_t event, size_t packet)
{
	kt_pb_close(&p->pb, event);
	close_packet(p, packet);
}

static void put_event(struct kt_perfetto *p, u32 type, u32 track, u64 ts, u32 kind,
		      const struct kt_row_common *row)
{
	u32 iid = name_iid(p, kt_export_name_key(kind, row), kind, row);
	size_t packet, event = open_event(p, type, track, ts, &packet);

	kt_pb_u64(&p->pb, EVENT_CATEGORY_IID, kind);
	if (iid)
		kt_pb_u64(&p->pb, EVENT_NAME_IID, iid);
	else
		kt_pb_text(&p->pb, EVENT_NAME, p->text.data);
	kt_perfetto_args(p, kind, row);
	close_event(p, event, packet);
}

static void put_end(struct kt_perfetto *p, u32 track, u64 ts)
{
	size_t packet, event = open_event(p, SLICE_END, track, ts, &packet);

	close_event(p, event, packet);
}

/*
 * From when to when it lasted; an instant otherwise. Rows of exits, and of what happened in them, come in
 * one order or the other.
 */
static u64 begin_of(u32 kind, const struct kt_row_common *row, u64 *end)
{
	const u64 ts = row->ts < PERFETTO_TIME_MAX ? row->ts : PERFETTO_TIME_MAX;
	u64 ns;

	*end = ts;
	switch (kind) {
	case KT_ROW_EXIT:
		ns = ((const struct kt_row_exit *)row)->duration;
		*end = ns < PERFETTO_TIME_MAX - ts ? ts + ns : PERFETTO_TIME_MAX;
		return ts;
	case KT_ROW_WAKEUP:
		ns = ((const struct kt_row_wakeup *)row)->duration;
		return ns < ts ? ts - ns : ts;
	case KT_ROW_LOST:
		ns = ((const struct kt_row_lost *)row)->from;
		return ns && ns < ts ? ns : ts;
	default:
		return ts;
	}
}

/* Slices of one kind on a track do not overlap, unless the capture is not what it should be. */
static bool fits(struct kt_track *track, u32 kind, u64 begin, u64 end)
{
	if (end <= begin)
		return false;
	if (kind == KT_ROW_WAKEUP)
		return true; /* it is part of an exit */
	if (begin < track->until && end > track->from)
		return false;
	track->from = begin;
	track->until = end;
	return true;
}

static void count(struct kt_perfetto *p, u32 kind, const struct kt_row_common *row, u32 vm)
{
	const u64 ts = row->ts < PERFETTO_TIME_MAX ? row->ts : PERFETTO_TIME_MAX;

	if (kind == KT_ROW_EXIT)
		kt_rates_count(&p->rates, 2 * vm, ts);
	else if (kind == KT_ROW_EXCEPTION &&
		 !(((const struct kt_row_exception *)row)->flags & KT_EXC_REINJECTED))
		kt_rates_count(&p->rates, 2 * vm + 1, ts);
}

void kt_perfetto_event(struct kt_perfetto *p, u32 kind, const struct kt_row_common *row,
		       const struct kt_vm_entry *vm)
{
	u64 end, begin = begin_of(kind, row, &end);
	struct kt_track *track;

	if (kind == KT_ROW_LOST) {
		track = lost_track(p, ((const struct kt_row_lost *)row)->cause, row->cpu);
	} else {
		track = vcpu_track(p, row, vm);
		count(p, kind, row, vm->id);
	}
	if (kind == KT_ROW_EXIT && ((const struct kt_row_exit *)row)->end == KT_END_OPEN) {
		put_event(p, SLICE_BEGIN, track->uuid, begin, kind, row); /* lasts to the end */
	} else if (fits(track, kind, begin, end)) {
		put_event(p, SLICE_BEGIN, track->uuid, begin, kind, row);
		put_end(p, track->uuid, end);
	} else {
		put_event(p, INSTANT, track->uuid, end, kind, row);
	}
}

void kt_perfetto_gap(struct kt_perfetto *p, const struct kt_gap *gap)
{
	u32 uuid = other_track(p, KT_TRACK_GAPS, 0, 0, 0, "missing from the capture")->uuid;
	u64 from = gap->from_ts < PERFETTO_TIME_MAX ? gap->from_ts : PERFETTO_TIME_MAX;
	bool open = gap->to_ts >= PERFETTO_TIME_MAX || gap->to_ts <= from;
	size_t packet, event = open_event(p, open ? INSTANT : SLICE_BEGIN, uuid, from, &packet);

	kt_pb_text(&p->pb, EVENT_NAME, "damaged");
	kt_perfetto_arg(p, p->extra[ARG_BYTES], ARG_UINT, gap->bytes);
	if (gap->events)
		kt_perfetto_arg(p, p->extra[ARG_EVENTS], ARG_UINT, gap->events);
	close_event(p, event, packet);
	if (!open)
		put_end(p, uuid, gap->to_ts);
}

/* ---- counters ---- */

static void put_value(struct kt_perfetto *p, u32 track, u64 ts, double value)
{
	size_t packet, event = open_event(p, COUNTER, track, ts, &packet);

	kt_pb_double(&p->pb, EVENT_COUNTER_DOUBLE, value);
	close_event(p, event, packet);
}

static u32 describe_counter(struct kt_perfetto *p, u32 parent, const char *name)
{
	size_t packet, track = open_track(p, parent, &packet), counter;

	kt_pb_text(&p->pb, TRACK_NAME, name);
	kt_str_reset(&p->text);
	kt_str_addf(&p->text, "mean of %g s", (double)p->rates.width / KT_NSEC_PER_SEC);
	kt_pb_text(&p->pb, TRACK_DESCRIPTION, p->text.data);
	counter = kt_pb_open(&p->pb, TRACK_COUNTER);
	kt_pb_close(&p->pb, counter);
	return close_track(p, track, packet);
}

/* A value at the beginning of each bucket where it changes. */
static void put_series(struct kt_perfetto *p, u32 parent, const char *name, u32 series)
{
	const struct kt_rates *r = &p->rates;
	const u32 *counts = series < r->series_count ? r->series[series] : NULL;
	u64 i, buckets = r->last - r->first + 1;
	u32 track, last = 0, now;

	if (!counts)
		return;
	track = describe_counter(p, parent, name);
	for (i = 0; i <= buckets; i++) {
		now = i < buckets ? counts[i] : 0;
		if (now != last || i == 0)
			put_value(p, track, (r->first + i) * r->width,
				  (double)now * KT_NSEC_PER_SEC / (double)r->width);
		last = now;
	}
}

void kt_perfetto_end(struct kt_perfetto *p)
{
	for (u32 i = 0; i < p->vm_count; i++) {
		u32 series = 2 * p->vms[i].vm->id;

		put_series(p, p->vms[i].uuid, "exits/s", series);
		put_series(p, p->vms[i].uuid, "exceptions/s", series + 1);
	}
	kt_out_write(p->out, (const char *)p->pb.data, p->pb.len);
	kt_pb_reset(&p->pb);
}
