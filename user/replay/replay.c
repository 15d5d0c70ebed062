/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../bpf/shared/event.h"
#include "../decode/decode.h"
#include "../event/json.h"
#include "../event/vm_facts.h"
#include "../lib/log.h"
#include "../store/extra.h"
#include "../store/reader.h"
#include "replay.h"
#include "where.h"

/* Of VMs with a higher id a name is compared every time. */
#define VM_CACHE 4096

enum verdict { NOT_ASKED = 0, UNWANTED, WANTED };

struct kt_replay {
	char *path;
	struct kt_reader *reader;
	struct kt_vm_table *vms;
	struct kt_replay_facts facts;
	u64 part_ns; /* CLOCK_MONOTONIC: when a file that is not the first of a row begins; else 0 */
	json_t *about; /* fact "kvmtrace", or NULL */

	struct kt_replay_filter filter;
	struct kt_where *where;
	u64 from, to;
	u64 first_ts;  /* of all events; ~0: there is none */
	u64 latest_ts; /* met so far */
	u8 by_vm[VM_CACHE];

	const struct kt_block *block; /* NULL: none */
	const void *const *rows;
	u32 next;
	const u64 *ts; /* of each event of the block */
	/* Of the block: of each group, our kind, and whether its events are wanted at all. */
	u8 kinds[KT_STORE_MAX_KINDS];
	bool wanted[KT_STORE_MAX_KINDS];
	struct kt_row_common head; /* of an event of an unknown kind */
};

/* ---- facts ---- */

static json_t *fact(const struct kt_replay *r, const char *name)
{
	const struct kt_fact *f = kt_reader_fact(r->reader, name);

	return f ? kt_json_load(f->text, f->n) : NULL;
}

static void read_end(struct kt_replay *r)
{
	struct kt_replay_facts *f = &r->facts;
	const struct {
		const char *name;
		u64 *value;
	} members[] = {
		{ "begin_ns", &f->begin_ns },
		{ "end_ns", &f->end_ns },
		{ "unpaired_entries", &f->unpaired_entries },
		{ "threads_unknown", &f->threads_unknown },
		{ "missed", &f->missed },
		{ "vcpu_capacity", &f->vcpu_capacity },
	};
	json_t *end = fact(r, "end");
	int err = 0;

	if (!end)
		return;
	for (size_t i = 0; i < KT_ARRAY_SIZE(members); i++)
		*members[i].value = kt_json_get_u64(end, members[i].name, INT64_MAX, 0, &err);
	json_decref(end);
	f->ended = !err && f->end_ns >= f->begin_ns && f->end_ns;
	if (!f->ended)
		f->begin_ns = f->end_ns = 0;
}

/* What record --rotate begins says since when: the other facts are those of the first file. */
static void read_part(struct kt_replay *r)
{
	json_t *part = fact(r, "part");
	int err = 0;

	if (!part)
		return;
	r->part_ns = kt_json_get_u64(part, "begin_ns", INT64_MAX, 0, &err);
	json_decref(part);
}

static void read_vms(struct kt_replay *r)
{
	u32 count, unusable = 0;
	const struct kt_fact *facts = kt_reader_facts(r->reader, &count);

	r->vms = kt_vm_table_new_recorded();
	for (u32 i = 0; i < count; i++)
		if (!strncmp(facts[i].name, "vm.", 3) &&
		    kt_vm_fact_take(r->vms, facts[i].text, facts[i].n))
			unusable++;
	if (unusable)
		kt_warn("%s: facts about VMs that make no sense: %u", r->path, unusable);
}

/* Where the capture begins, one sees in its first block only. */
static int read_beginning(struct kt_replay *r)
{
	const struct kt_block *block;
	int found = kt_reader_next_block(r->reader, &block);

	r->first_ts = found == 1 ? block->common.columns[0][0] : UINT64_MAX;
	return found < 0 ? found : kt_reader_seek(r->reader, 0);
}

char *kt_replay_about(const struct kt_replay *r, const char *name, const char *member,
		      const char *inner)
{
	json_t *object = fact(r, name);
	const json_t *value = json_object_get(object, member);
	struct kt_str text = {};

	if (inner)
		value = json_object_get(value, inner);
	if (json_is_string(value))
		kt_str_add(&text, json_string_value(value));
	else if (json_is_integer(value))
		kt_str_addf(&text, "%lld", (long long)json_integer_value(value));
	json_decref(object);
	return text.data;
}

bool kt_replay_has(const struct kt_replay *r, const char *class)
{
	const json_t *events = json_object_get(r->about, "events");
	const json_t *name;
	size_t i;

	if (!json_is_array(events))
		return true;
	json_array_foreach(events, i,
			   name) if (json_is_string(name) &&
				     !strcmp(json_string_value(name), class)) return true;
	return false;
}

enum kt_status kt_replay_open(struct kt_replay **replay, const char *path)
{
	struct kt_replay *r = kt_alloc(sizeof(*r));
	struct kt_str why = {};
	int err;

	r->path = kt_strdup(path);
	r->to = UINT64_MAX;
	err = kt_reader_open(&r->reader, path, &kt_kinds, &why);
	if (err) {
		kt_err("%s: %s", path, why.data);
		r->reader = NULL;
	} else {
		read_part(r);
		read_end(r);
		read_vms(r);
		r->about = fact(r, "kvmtrace");
		err = read_beginning(r);
		if (err)
			kt_err("%s: %s", path, strerror(-err));
	}
	kt_str_free(&why);
	if (err) {
		kt_replay_close(r);
		return KT_FAILED;
	}
	*replay = r;
	return KT_OK;
}

void kt_replay_close(struct kt_replay *r)
{
	if (!r)
		return;
	kt_where_free(r->where);
	json_decref(r->about);
	kt_vm_table_free(r->vms);
	kt_reader_close(r->reader);
	free(r->path);
	free(r);
}

const char *kt_replay_path(const struct kt_replay *r)
{
	return r->path;
}

const struct kt_reader *kt_replay_reader(const struct kt_replay *r)
{
	return r->reader;
}

const struct kt_replay_facts *kt_replay_facts(const struct kt_replay *r)
{
	return &r->facts;
}

struct kt_vm_table *kt_replay_vms(struct kt_replay *r)
{
	return r->vms;
}

/* ---- time ---- */

static struct kt_when_scale scale_of(const struct kt_replay *r)
{
	struct kt_when_scale scale = { .end = UINT64_MAX };

	scale.clocks = kt_reader_clocks(r->reader, &scale.clock_count);
	if (r->facts.ended) {
		scale.begin = r->facts.begin_ns;
		scale.end = r->facts.end_ns;
	} else if (scale.clock_count && scale.clocks[0].monotonic < r->first_ts) {
		scale.begin = scale.clocks[0].monotonic;
	} else if (r->first_ts != UINT64_MAX) {
		scale.begin = r->first_ts;
	}
	if (scale.begin < r->part_ns)
		scale.begin = r->part_ns;
	return scale;
}

struct kt_when_offset kt_replay_offset(const struct kt_replay *r, u64 ts)
{
	struct kt_when_scale scale = scale_of(r);

	return kt_when_offset(&scale, ts);
}

u64 kt_replay_begin(const struct kt_replay *r)
{
	u64 begin = scale_of(r).begin;

	return r->from > begin ? r->from : begin;
}

u64 kt_replay_end(const struct kt_replay *r)
{
	u64 begin = kt_replay_begin(r), end = r->facts.ended ? r->facts.end_ns : r->latest_ts;

	if (r->to < end)
		end = r->to;
	return end > begin ? end : begin;
}

/* ---- filters ---- */

static enum kt_status set_times(struct kt_replay *r)
{
	struct kt_when_scale scale = scale_of(r);
	const struct {
		const char *option, *text;
		u64 *ts;
	} times[] = { { "--from", r->filter.from, &r->from }, { "--to", r->filter.to, &r->to } };
	struct kt_str why = {};
	int err = 0;

	for (size_t i = 0; i < KT_ARRAY_SIZE(times) && !err; i++) {
		if (times[i].text)
			err = kt_when_parse(&scale, times[i].text, times[i].ts, &why);
		if (err)
			kt_err("%s: %s", times[i].option, why.data);
	}
	kt_str_free(&why);
	return err ? KT_USAGE : KT_OK;
}

static enum kt_status set_where(struct kt_replay *r)
{
	struct kt_str why = {};
	int err = 0;

	if (r->filter.where)
		err = kt_where_parse(&r->where, kt_reader_schema(r->reader), r->filter.where, &why);
	if (err)
		kt_err("--where: %s", why.data);
	kt_str_free(&why);
	return err ? KT_USAGE : KT_OK;
}

enum kt_status kt_replay_filter(struct kt_replay *r, const struct kt_replay_filter *filter)
{
	enum kt_status status;
	int err;

	r->filter = *filter;
	status = set_times(r);
	if (status == KT_OK)
		status = set_where(r);
	if (status != KT_OK || !r->from)
		return status;
	err = kt_reader_seek(r->reader, r->from);
	if (err)
		kt_err("%s: %s", r->path, strerror(-err));
	return err ? KT_FAILED : KT_OK;
}

static bool vm_wanted(struct kt_replay *r, const struct kt_vm_entry *vm)
{
	u8 *verdict = vm->id < VM_CACHE ? &r->by_vm[vm->id] : NULL;
	bool wanted;

	if (verdict && *verdict)
		return *verdict == WANTED;
	wanted = kt_vm_entry_matches(vm, r->filter.vm);
	if (verdict)
		*verdict = wanted ? WANTED : UNWANTED;
	return wanted;
}

/* As bpf/exits.bpf.c does it. */
static bool reason_wanted(const struct kt_cfg *cfg, u32 isa, u32 code)
{
	u32 table = isa == KT_ISA_SVM, index;

	if (isa == KT_ISA_VMX)
		code &= 0xffff;
	index = kt_reason_index(code);
	if (index < KT_REASON_DENSE)
		return cfg->reasons[table][index / 64] >> (index % 64) & 1;
	for (u32 i = 0; i < cfg->odd_reason_count[table]; i++)
		if (cfg->odd_reasons[table][i] == code)
			return true;
	return false;
}

/* Of an exception and a fault, the exit that led to it counts. */
static bool has_wanted_reason(const struct kt_cfg *cfg, u32 kind, const void *row)
{
	const struct kt_row_exception *exception = row;
	const struct kt_row_fault *fault = row;
	const struct kt_row_exit *exit = row;

	switch (kind) {
	case KT_ROW_EXIT:
		return reason_wanted(cfg, exit->isa, exit->reason);
	case KT_ROW_EXCEPTION:
		return exception->flags & KT_EXC_EXIT &&
		       reason_wanted(cfg, exception->exit_isa, exception->exit_reason);
	case KT_ROW_FAULT:
		return fault->flags & KT_FAULT_EXIT &&
		       reason_wanted(cfg, fault->exit_isa, fault->exit_reason);
	default:
		return false;
	}
}

static bool has_wanted_vector(const struct kt_cfg *cfg, u32 kind, const void *row)
{
	const struct kt_row_exception *e = row;

	return kind == KT_ROW_EXCEPTION && e->vector < 32 && cfg->vectors >> e->vector & 1;
}

/* What is asked for less often than not. */
static __attribute__((noinline)) bool passes(struct kt_replay *r, const struct kt_replay_event *e,
					     u32 at)
{
	const struct kt_replay_filter *f = &r->filter;

	if (f->pid && e->head->tgid != f->pid)
		return false;
	if (f->by_vcpu && e->head->vcpu_id != f->vcpu)
		return false;
	if (f->vm && !vm_wanted(r, e->vm))
		return false;
	if (f->cfg && f->cfg->by_reason && !has_wanted_reason(f->cfg, e->kind, e->head))
		return false;
	if (f->by_vector && !has_wanted_vector(f->cfg, e->kind, e->head))
		return false;
	return !r->where ||
	       kt_where_matches(r->where, r->block, &r->block->groups[r->block->group[at]], at,
				r->block->index[at]);
}

static bool any_filter(const struct kt_replay_filter *f)
{
	return f->pid || f->by_vcpu || f->vm || (f->cfg && f->cfg->by_reason) || f->by_vector ||
	       f->where;
}

/* ---- events ---- */

/* Rows are made only of blocks that have something of interest. */
static bool begin_block(struct kt_replay *r, const struct kt_block *block)
{
	bool any = false;

	for (u32 i = 0; i < block->group_count; i++) {
		s16 kind = kt_reader_map(r->reader, block->groups[i].map)->kind;

		r->kinds[i] = kind < 0 ? 0 : (u8)kind;
		r->wanted[i] = !r->filter.kinds || r->kinds[i] == KT_ROW_LOST ||
			       (kind > 0 && r->filter.kinds >> kind & 1);
		any |= r->wanted[i];
	}
	r->ts = block->common.columns[0];
	if (r->ts[block->count - 1] > r->latest_ts)
		r->latest_ts = r->ts[block->count - 1];
	return any && r->ts[0] < r->to && r->ts[block->count - 1] >= r->from;
}

static int next_block(struct kt_replay *r)
{
	const struct kt_block *block;
	int found;

	r->block = NULL;
	do {
		found = kt_reader_next_block(r->reader, &block);
		if (found <= 0)
			return found;
	} while (!begin_block(r, block));
	r->block = block;
	r->rows = kt_reader_rows(r->reader);
	r->next = 0;
	return 1;
}

static void set_head(struct kt_replay *r, struct kt_replay_event *e, u32 at)
{
	const struct kt_extra_at where = { r->block, &r->block->groups[r->block->group[at]], at,
					   r->block->index[at] };

	kt_extra_head(r->reader, &where, &r->head);
	e->head = &r->head;
}

int kt_replay_next(struct kt_replay *r, struct kt_replay_event *e)
{
	const bool any = any_filter(&r->filter);
	int found;

	for (;;) {
		if (!r->block || r->next == r->block->count) {
			found = next_block(r);
			if (found <= 0)
				return found;
		}
		while (r->next < r->block->count) {
			u32 at = r->next++, group = r->block->group[at];

			if (!r->wanted[group] || r->ts[at] < r->from || r->ts[at] >= r->to)
				continue;
			e->kind = r->kinds[group];
			e->head = r->rows[at];
			if (!e->kind)
				set_head(r, e, at);
			e->vm = kt_vm_table_at(r->vms, e->head->tgid, e->head->ts);
			if (any && e->kind != KT_ROW_LOST && !passes(r, e, at))
				continue;
			return 1;
		}
	}
}

struct kt_extra *kt_replay_extra(const struct kt_replay *r)
{
	u32 at = r->next - 1;
	const struct kt_extra_at where = { r->block, &r->block->groups[r->block->group[at]], at,
					   r->block->index[at] };

	return kt_extra_new(r->reader, &where);
}

struct kt_replay_missing kt_replay_missing(const struct kt_replay *r)
{
	const struct kt_reader_stats *s = kt_reader_stats(r->reader);

	return (struct kt_replay_missing) { .complete = kt_reader_intact(r->reader),
					    .closed = s->closed,
					    .events = s->missing,
					    .gaps = s->gaps,
					    .gap_bytes = s->gap_bytes,
					    .tail_bytes = s->tail_bytes,
					    .bad_facts = s->bad_facts };
}
