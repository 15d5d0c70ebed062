/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <stdlib.h>
#include <string.h>

#include "../decode/decode.h"
#include "../lib/log.h"
#include "../sink/exception.h"
#include "../sink/table.h"
#include "../sink/units.h"
#include "cmd.h"
#include "common.h"
#include "lost.h"
#include "views.h"

#define VECTORS 32

/* How many of which kind a VM got. */
struct tally {
	const struct kt_vm_entry *vm;
	u64 counts[VECTORS];
};

struct exceptions {
	struct kt_run run;
	struct kt_exception_lines *lines; /* unless run.record */
	struct tally *last;		  /* of the VM that had the last event; NULL at first */
	struct tally *tallies;		  /* by VM, in the order they turned up */
	size_t tally_count;
	u32 *tally_of_vm; /* by VM's id: place in tallies, from 1; 0: none yet */
	size_t tally_of_vm_count;
	u64 seen;
};

static const struct kt_opt own_opts[] = {
	{ "reinjected", 0, KT_OPT_FLAG, offsetof(struct kt_common, cfg.reinjected), NULL,
	  "also those that KVM injects again because the first try was interrupted", 0, 0, NULL },
};

static const struct kt_opt_group groups[] = {
	{ "What to show", own_opts, KT_ARRAY_SIZE(own_opts) },
	{ "Filters, applied in the kernel", kt_opts_vm, KT_OPTS_VM_COUNT },
	{ "", kt_opts_vector, KT_OPTS_VECTOR_COUNT },
	{ "Guest symbols", kt_opts_symbols, KT_OPTS_SYMBOLS_COUNT },
	{ "Output", kt_opts_output, KT_OPTS_OUTPUT_COUNT },
	{ "Other", kt_opts_rings, KT_OPTS_RINGS_COUNT },
	{ "", kt_opts_general, KT_OPTS_GENERAL_COUNT },
	{ NULL, NULL, 0 },
};

static const struct kt_cmd_help help = {
	.usage = "kvmtrace exceptions [OPTION...]",
	.text = "Prints each exception that KVM injects into a guest, as it happens: time, VM,\n"
		"vCPU, vector, error code, faulting address (#PF), RIP, and what led to it.\n"
		"\n"
		"Exceptions that the CPU delivers in the guest by itself never reach the host:\n"
		"with EPT or NPT those are nearly all #PF, #GP and #DE that guest code causes.\n"
		"What KVM injects are the ones it intercepts or decides on: unknown MSRs,\n"
		"invalid opcodes, instructions it emulates.\n",
	.examples = "  kvmtrace exceptions                       all VMs, until Ctrl-C\n"
		    "  kvmtrace exceptions --vm win11 --vector gp,ud\n"
		    "  kvmtrace exceptions -d 60 -f json -o exceptions.json\n",
	.groups = groups,
};

static struct tally *add_tally(struct exceptions *x, const struct kt_vm_entry *vm)
{
	x->tally_of_vm =
		kt_grow_to(x->tally_of_vm, &x->tally_of_vm_count, vm->id, sizeof(*x->tally_of_vm));
	x->tallies = kt_grow(x->tallies, x->tally_count, sizeof(*x->tallies));
	x->tallies[x->tally_count] = (struct tally) { .vm = vm };
	x->tally_of_vm[vm->id] = ++x->tally_count;
	return &x->tallies[x->tally_count - 1];
}

static struct tally *tally_of(struct exceptions *x, const struct kt_vm_entry *vm)
{
	u32 place = vm->id < x->tally_of_vm_count ? x->tally_of_vm[vm->id] : 0;

	return place ? &x->tallies[place - 1] : add_tally(x, vm);
}

static inline void show(struct exceptions *x, const struct kt_exception *e)
{
	u64 realtime = e->head.ts + x->run.realtime_offset;

	x->seen++;
	x->last->counts[e->vector % VECTORS]++;
	if (x->run.record)
		kt_exception_record(x->run.record, e, x->last->vm, realtime);
	else
		kt_exception_line(x->lines, e, x->last->vm, realtime);
}

/* Not inline: on_event() would save and restore for it what this needs. */
__attribute__((noinline)) static void turn_to_vm(struct exceptions *x, const struct kt_exception *e)
{
	x->last = tally_of(x, kt_vm_table_at(x->run.vms, e->head.tgid, e->head.ts));
	show(x, e);
}

static void on_event(void *ctx, const struct kt_head *head)
{
	const struct kt_exception *e = (const struct kt_exception *)head;
	struct exceptions *x = ctx;

	if (x->last && x->last->vm == kt_vm_table_again(x->run.vms, head->tgid))
		show(x, e);
	else
		turn_to_vm(x, e);
}

static void on_lost(void *ctx, u32 cpu, u64 count)
{
	struct exceptions *x = ctx;

	kt_lost_print(&x->run, "exceptions", cpu, count);
}

static void on_idle(void *ctx)
{
	struct exceptions *x = ctx;

	kt_run_idle(&x->run);
}

static void record_summary(const struct exceptions *x)
{
	const struct kt_counters *c = kt_run_counters(&x->run);
	struct kt_record *r = x->run.record;

	kt_record_begin(r, "summary");
	kt_record_u64(r, "exceptions", x->seen);
	kt_record_u64(r, "reinjected_hidden", c->reinjected_hidden);
	kt_record_u64(r, "unknown_vcpu", c->threads_unknown);
	kt_lost_record(&x->run);
	kt_record_array(r, "by");
	for (size_t i = 0; i < x->tally_count; i++) {
		for (u32 vector = 0; vector < VECTORS; vector++) {
			if (!x->tallies[i].counts[vector])
				continue;
			kt_record_object(r, NULL);
			kt_record_vm(r, x->tallies[i].vm);
			kt_record_u64(r, "vector", vector);
			kt_record_str(r, "name", kt_vector_name(vector));
			kt_record_u64(r, "count", x->tallies[i].counts[vector]);
			kt_record_object_end(r);
		}
	}
	kt_record_array_end(r);
	kt_record_end(r);
}

static void print_tallies(const struct exceptions *x)
{
	static const struct kt_table_column columns[] = { { "VM", true, 0 },
							  { "PID", false, 0 },
							  { "VECTOR", false, 0 },
							  { "NAME", true, 0 },
							  { "COUNT", false, 0 } };
	struct kt_table *t = kt_table_new(columns, KT_ARRAY_SIZE(columns));

	for (size_t i = 0; i < x->tally_count; i++) {
		for (u32 vector = 0; vector < VECTORS; vector++) {
			const char *name = kt_vector_name(vector);

			if (!x->tallies[i].counts[vector])
				continue;
			kt_table_add(t, x->tallies[i].vm->name);
			kt_table_addf(t, "%u", x->tallies[i].vm->pid);
			kt_table_addf(t, "%u", vector);
			kt_table_add(t, name ? name : "?");
			kt_table_addf(t, "%llu", x->tallies[i].counts[vector]);
		}
	}
	kt_out_write(x->run.out, "\n", 1);
	kt_table_print(t, x->run.out);
	kt_table_free(t);
}

static void print_summary(const struct exceptions *x)
{
	const struct kt_counters *c = kt_run_counters(&x->run);
	struct kt_str text = {};

	if (x->tally_count)
		print_tallies(x);
	kt_str_addf(&text, "%llu exceptions", x->seen);
	if (c->reinjected_hidden)
		kt_str_addf(&text, "; %llu re-injections not shown (--reinjected)",
			    c->reinjected_hidden);
	if (c->threads_unknown)
		kt_str_addf(&text, "; %llu events of threads whose vCPU was not found",
			    c->threads_unknown);
	kt_lost_add(&text, &x->run);
	kt_str_add_char(&text, '\n');
	kt_out_write(x->run.out, text.data, text.len);
	kt_str_free(&text);
}

static void on_interval(void *ctx, bool final)
{
	struct exceptions *x = ctx;

	(void) final;
	if (x->run.record)
		record_summary(x);
	else
		print_summary(x);
}

static const struct kt_loop_ops ops = {
	.event = on_event, .lost = on_lost, .idle = on_idle, .interval = on_interval
};

enum kt_status kt_exceptions_run(const struct kt_exceptions_opts *opts)
{
	struct exceptions x = {};
	enum kt_status status;
	u64 lost = 0;

	status = kt_run_open(&x.run, &opts->common, KT_VIEW_EXCEPTIONS, "exception");
	if (status == KT_OK && !x.run.record)
		x.lines = kt_exception_lines_new(x.run.out);
	if (status == KT_OK)
		status = kt_run_loop(&x.run, 0, "exceptions", &ops, &x);
	if (status == KT_OK) {
		lost = kt_lost_total(&x.run);
		if (!x.seen && !lost)
			kt_run_explain_nothing(&x.run, "exceptions");
	}
	kt_exception_lines_free(x.lines);
	free(x.tallies);
	free(x.tally_of_vm);
	return kt_run_close(&x.run, status, lost);
}

static enum kt_status run_exceptions(int argc, char **argv)
{
	struct kt_exceptions_opts opts = {};
	enum kt_status status;

	kt_common_init(&opts.common);
	if (!kt_cmd_parse(&help, &opts, argc, argv, &status))
		return status;
	return kt_exceptions_run(&opts);
}

const struct kt_cmd kt_cmd_exceptions = { "exceptions",
					  "every exception KVM injects, as it happens",
					  run_exceptions };
