/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "../event/host.h"
#include "../event/vm_facts.h"
#include "../lib/log.h"
#include "lost.h"
#include "record_facts.h"

/* A VM that the capture knows. */
struct kt_capture_vm {
	const char *name; /* as it was written; NULL: it was not */
	u64 from_ns;
};

static void add_fact(struct kt_capture_facts *f, const char *name, const char *text, size_t n)
{
	int err = kt_writer_add_fact(f->writer, name, text, n);

	if (err == -E2BIG)
		kt_info("no room in the capture for what is known of %s", name);
}

static void add_json_fact(struct kt_capture_facts *f, const char *name, json_t *object)
{
	char *text = json_dumps(object, JSON_INDENT(1) | JSON_ENSURE_ASCII);

	if (text)
		add_fact(f, name, text, strlen(text));
	free(text);
	json_decref(object);
}

static json_t *recorded_events(const struct kt_capture_facts *f)
{
	const struct kt_plan *plan = kt_session_plan(f->run->session);
	bool raised = kt_facts_raise_exits(kt_session_facts(f->run->session));
	json_t *names = json_array();

	for (u32 class = 0; class < KT_EVENT_CLASS_COUNT; class ++) {
		bool any = false;

		/* Programs on tracepoints that are never raised can be attached all the same. */
		if (!raised && (class == KT_CLASS_EXITS || class == KT_CLASS_FAULTS))
			continue;
		for (u32 part = 0; part < KT_PART_COUNT; part++)
			any |= kt_parts[part].events >> class & 1 && kt_plan_way(plan, part) >= 0;
		if (any && f->run->common->events >> class & 1)
			json_array_append_new(names, json_string(kt_event_class_name(class)));
	}
	return names;
}

static void add_kvmtrace_fact(struct kt_capture_facts *f)
{
	const struct kt_common *c = f->run->common;
	json_t *filters = json_object(), *fact = json_object();

	if (c->pid)
		json_object_set_new(filters, "pid", json_integer(c->pid));
	if (c->vm)
		json_object_set_new(filters, "vm", json_string(c->vm));
	if (c->vcpu != KT_NO_VCPU)
		json_object_set_new(filters, "vcpu", json_integer(c->vcpu));
	json_object_set_new(filters, "reason", json_boolean(c->cfg.by_reason));
	json_object_set_new(filters, "vector", json_boolean(c->by_vector));
	json_object_set_new(fact, "version", json_string(KVMTRACE_VERSION));
	json_object_set_new(fact, "command", json_string("record"));
	json_object_set_new(fact, "events", recorded_events(f));
	json_object_set_new(fact, "filters", filters);
	add_json_fact(f, "kvmtrace", fact);
}

static void add_host_fact(struct kt_capture_facts *f)
{
	char *text = kt_host_fact("/proc", "/sys");

	if (text)
		add_fact(f, "host", text, strlen(text));
	free(text);
}

static void add_facts_of_doctor(struct kt_capture_facts *f)
{
	struct kt_str text = {};

	kt_facts_format(kt_session_facts(f->run->session), &text);
	add_fact(f, "facts", text.data, text.len);
	kt_str_free(&text);
}

static void add_end_fact(struct kt_capture_facts *f, u64 now, u64 unpaired_entries)
{
	const struct kt_counters *c = kt_session_counters(f->run->session);
	json_t *fact = json_object();

	json_object_set_new(fact, "begin_ns", json_integer(f->began));
	json_object_set_new(fact, "end_ns", json_integer(now));
	json_object_set_new(fact, "duration_ns", json_integer(now - f->began));
	json_object_set_new(fact, "unpaired_entries", json_integer(unpaired_entries));
	json_object_set_new(fact, "threads_unknown", json_integer(c->threads_unknown));
	json_object_set_new(fact, "missed", json_integer(kt_session_missed(f->run->session)));
	json_object_set_new(fact, "vcpu_capacity", json_integer(kt_lost_vcpus(c)));
	add_json_fact(f, "end", fact);
}

/* ---- VMs ---- */

static struct kt_capture_vm *known_vm(struct kt_capture_facts *f, const struct kt_vm_entry *vm)
{
	f->vms = kt_grow_to(f->vms, &f->vm_count, vm->id, sizeof(*f->vms));
	return &f->vms[vm->id];
}

static void add_vm(struct kt_capture_facts *f, const struct kt_vm_entry *vm, u64 ts)
{
	struct kt_capture_vm *known = known_vm(f, vm);
	struct kt_str name = {};
	char *text;

	/* An entry may get its true name later on; where it points to tells. */
	if (known->name == vm->name)
		return;
	if (!known->name)
		known->from_ns = ts;
	known->name = vm->name;
	text = kt_vm_fact(vm, known->from_ns, &name);
	if (text)
		add_fact(f, name.data, text, strlen(text));
	free(text);
	kt_str_free(&name);
}

void kt_capture_facts_meet(struct kt_capture_facts *f, u32 tgid, u64 ts)
{
	add_vm(f, kt_vm_table_get(f->run->vms, tgid), ts);
}

static void add_running_vm(void *ctx, const struct kt_vcpu_found *found)
{
	struct kt_capture_facts *f = ctx;
	const struct kt_vm_entry *vm = kt_vm_table_get(f->run->vms, found->tgid);

	if (!kt_run_vm_excluded(f->run, vm) &&
	    (!f->run->common->pid || found->tgid == f->run->common->pid))
		add_vm(f, vm, f->began);
}

void kt_capture_facts_begin(struct kt_capture_facts *f)
{
	add_kvmtrace_fact(f);
	add_host_fact(f);
	add_facts_of_doctor(f);
	kt_session_each_vcpu(f->run->session, add_running_vm, f);
}

void kt_capture_facts_end(struct kt_capture_facts *f, u64 ended, u64 unpaired_entries)
{
	for (size_t id = 0; id < f->vm_count; id++)
		if (f->vms[id].name)
			add_vm(f, kt_vm_table_by_id(f->run->vms, id), f->vms[id].from_ns);
	add_end_fact(f, ended, unpaired_entries);
}

void kt_capture_facts_fini(struct kt_capture_facts *f)
{
	free(f->vms);
}
