/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "../decode/decode.h"
#include "../lib/clock.h"
#include "../lib/log.h"
#include "cmd.h"
#include "common.h"
#include "facts_file.h"
#include "recorded.h"

void kt_common_init(struct kt_common *c)
{
	memset(c, 0, sizeof(*c));
	c->vcpu = KT_NO_VCPU;
	c->cfg.vectors = ~0u;
}

/* Calls one(text) for each part of a comma-separated list. */
static int each_part(void *dst, const char *list, struct kt_str *why,
		     int (*one)(void *dst, const char *part, struct kt_str *why))
{
	char *copy = kt_strdup(list), *at = copy, *part;
	int err = 0;

	while (!err && (part = strsep(&at, ",")))
		err = one(dst, part, why);
	free(copy);
	return err;
}

/* False: there are as many odd codes as there may be. */
static bool set_reason(struct kt_cfg *cfg, u32 table, u32 code)
{
	u32 *odd = cfg->odd_reasons[table], *count = &cfg->odd_reason_count[table];
	u32 index = kt_reason_index(code);

	if (index < KT_REASON_DENSE) {
		cfg->reasons[table][index / 64] |= 1ull << (index % 64);
		return true;
	}
	for (u32 i = 0; i < *count; i++)
		if (odd[i] == code)
			return true;
	if (*count == KT_REASON_ODD_WANTED)
		return false;
	odd[(*count)++] = code;
	return true;
}

static int add_reason(void *dst, const char *name, struct kt_str *why)
{
	struct kt_cfg *cfg = dst;
	u32 vmx = 0, svm = 0, found = kt_exit_parse(name, &vmx, &svm);

	if (!found) {
		struct kt_str near = {};

		kt_str_add(why, "no exit reason has the name '");
		kt_str_add_safe(why, name);
		kt_str_add(why, "'");
		kt_exit_suggest(&near, name, 5);
		if (near.len)
			kt_str_addf(why, "; did you mean %s?", near.data);
		kt_str_free(&near);
		return -EINVAL;
	}
	cfg->by_reason = true;
	if ((!(found & 1u << KT_ISA_VMX) || set_reason(cfg, 0, vmx)) &&
	    (!(found & 1u << KT_ISA_SVM) || set_reason(cfg, 1, svm)))
		return 0;
	kt_str_addf(why, "no more than %u may be numbers from 0x100 on (0x400 to 0x40f excepted)",
		    KT_REASON_ODD_WANTED);
	return -E2BIG;
}

static int parse_reasons(void *dst, const char *text, struct kt_str *why)
{
	return each_part(dst, text, why, add_reason);
}

static int add_vector(void *dst, const char *name, struct kt_str *why)
{
	struct kt_common *c = dst;
	u32 vector;

	if (kt_vector_parse(name, &vector)) {
		kt_str_add(why, "no exception has the name or vector '");
		kt_str_add_safe(why, name);
		kt_str_add(why, "' (try #GP, GP or 13)");
		return -EINVAL;
	}
	if (!c->by_vector)
		c->cfg.vectors = 0;
	c->by_vector = true;
	c->cfg.vectors |= 1u << vector;
	return 0;
}

static int parse_vectors(void *dst, const char *text, struct kt_str *why)
{
	return each_part(dst, text, why, add_vector);
}

static int parse_format(void *dst, const char *text, struct kt_str *why)
{
	static const char *const names[] = { "text", "json", "csv" };

	for (size_t i = 0; i < KT_ARRAY_SIZE(names); i++) {
		if (strcmp(text, names[i]) == 0) {
			*(enum kt_format *)dst = i;
			return 0;
		}
	}
	kt_str_add(why, "no such format '");
	kt_str_add_safe(why, text);
	kt_str_add(why, "' (text, json or csv)");
	return -EINVAL;
}

#define AT(member) offsetof(struct kt_common, member)

const struct kt_opt kt_opts_vm[KT_OPTS_VM_COUNT] = {
	{ "pid", 'p', KT_OPT_U32, AT(pid), "PID", "only the VM that this process runs", 1,
	  0x7fffffff, NULL },
	{ "vm", 0, KT_OPT_STRING, AT(vm), "NAME",
	  "only VMs of this name; may be a pattern: 'web-*'", 0, 0, NULL },
	{ "vcpu", 0, KT_OPT_U32, AT(vcpu), "N", "only this vCPU", 0, 0xfffffffe, NULL },
};

const struct kt_opt kt_opts_reason[KT_OPTS_REASON_COUNT] = {
	{ "reason", 0, KT_OPT_PARSE, AT(cfg), "NAME[,NAME]",
	  "only these exit reasons: names as the output has them, or numbers", 0, 0,
	  parse_reasons },
};

const struct kt_opt kt_opts_vector[KT_OPTS_VECTOR_COUNT] = {
	{ "vector", 0, KT_OPT_PARSE, 0, "NAME|N", "only these exceptions: '#GP', 'gp,ud', 14", 0, 0,
	  parse_vectors },
};

const struct kt_opt kt_opts_output[KT_OPTS_OUTPUT_COUNT] = {
	{ "format", 'f', KT_OPT_PARSE, AT(format), "FORMAT",
	  "text (default), json: an object a line, or csv", 0, 0, parse_format },
	{ "output", 'o', KT_OPT_STRING, AT(output), "FILE", "write to FILE, not to standard output",
	  0, 0, NULL },
	{ "duration", 'd', KT_OPT_DURATION, AT(duration_ns), "SEC",
	  "stop after SEC seconds (also 500ms, 2m); otherwise Ctrl-C stops", 1000000, 0, NULL },
};

const struct kt_opt kt_opts_rings[KT_OPTS_RINGS_COUNT] = {
	{ "buffer", 0, KT_OPT_U32, AT(ring_kib), "KIB",
	  "buffer of each CPU, in KiB: a larger one loses less in a storm", 4, 1048576, NULL },
};

const struct kt_opt kt_opts_general[KT_OPTS_GENERAL_COUNT] = {
	{ "strict", 0, KT_OPT_FLAG, AT(strict), NULL, "exit status 5 when events were lost", 0, 0,
	  NULL },
	{ "wait", 0, KT_OPT_FLAG, AT(wait), NULL, "wait for KVM when it isn't loaded yet", 0, 0,
	  NULL },
	{ "max-vcpus", 0, KT_OPT_U32, AT(max_vcpus), "N",
	  "room for N vCPUs at a time (default: 1024, more on hosts with over 128 CPUs)", 1,
	  1048576, NULL },
	{ "facts", 0, KT_OPT_STRING, AT(facts), "FILE",
	  "choose programs by the facts in FILE, as doctor saves them, not by this host's", 0, 0,
	  NULL },
	{ "verbose", 'v', KT_OPT_COUNT, AT(verbose), NULL,
	  "say what is loaded and why; -vv: libbpf's messages too", 0, 0, NULL },
	{ "version", 0, KT_OPT_FLAG, AT(version), NULL, "print the version", 0, 0, NULL },
	{ "help", 'h', KT_OPT_FLAG, AT(help), NULL, "this text", 0, 0, NULL },
};

/* For those that read captures. */
const struct kt_opt kt_opts_when[KT_OPTS_WHEN_COUNT] = {
	{ "from", 0, KT_OPT_STRING, AT(from), "TIME",
	  "only what happened from then on: 2.5 (seconds after the beginning), 14:03:22.5, or "
	  "2026-01-31T14:03:22.5Z",
	  0, 0, NULL },
	{ "to", 0, KT_OPT_STRING, AT(to), "TIME", "only what happened before", 0, 0, NULL },
	{ "where", 0, KT_OPT_STRING, AT(where), "CONDITIONS",
	  "only events that meet them: 'FIELD OP VALUE [and ...]'", 0, 0, NULL },
};

const struct kt_opt kt_opts_incomplete[KT_OPTS_INCOMPLETE_COUNT] = {
	{ "strict", 0, KT_OPT_FLAG, AT(strict), NULL,
	  "exit status 5 when events were lost, or are missing", 0, 0, NULL },
};

/* For commands that trace nothing. */
const struct kt_opt kt_opts_plain_output[KT_OPTS_PLAIN_OUTPUT_COUNT] = {
	{ "format", 'f', KT_OPT_PARSE, AT(format), "FORMAT",
	  "text (default), json: an object a line, or csv", 0, 0, parse_format },
	{ "output", 'o', KT_OPT_STRING, AT(output), "FILE", "write to FILE, not to standard output",
	  0, 0, NULL },
};

const struct kt_opt kt_opts_plain_general[KT_OPTS_PLAIN_GENERAL_COUNT] = {
	{ "verbose", 'v', KT_OPT_COUNT, AT(verbose), NULL, "say what is done and why", 0, 0, NULL },
	{ "version", 0, KT_OPT_FLAG, AT(version), NULL, "print the version", 0, 0, NULL },
	{ "help", 'h', KT_OPT_FLAG, AT(help), NULL, "this text", 0, 0, NULL },
};

enum kt_status kt_cmd_print(const struct kt_str *text)
{
	struct kt_out *out = kt_out_open(NULL);

	if (!out)
		return KT_FAILED;
	kt_out_write(out, text->data, text->len);
	return kt_out_close(out);
}

enum kt_status kt_cmd_print_version(void)
{
	struct kt_str text = {};
	enum kt_status status;

	kt_str_add(&text, "kvmtrace " KVMTRACE_VERSION "\n");
	status = kt_cmd_print(&text);
	kt_str_free(&text);
	return status;
}

static enum kt_status print_help(const struct kt_cmd_help *help)
{
	struct kt_str text = {};
	enum kt_status status;

	kt_str_addf(&text, "usage: %s\n\n%s\n", help->usage, help->text);
	kt_opt_help(help->groups, &text);
	if (help->examples)
		kt_str_addf(&text, "\nexamples:\n%s", help->examples);
	status = kt_cmd_print(&text);
	kt_str_free(&text);
	return status;
}

bool kt_cmd_parse(const struct kt_cmd_help *help, void *opts, int argc, char **argv,
		  enum kt_status *status)
{
	struct kt_common *c = opts;
	struct kt_str text = {};
	int positional = 0;

	*status = KT_OK;
	if (kt_opt_parse(help->groups, opts, argc, argv, &positional, &text)) {
		kt_err("%s: %s (see 'kvmtrace %s --help')", argv[0], text.data, argv[0]);
		*status = KT_USAGE;
	} else if (c->help) {
		*status = print_help(help);
	} else if (c->version) {
		*status = kt_cmd_print_version();
	} else if (positional > help->arguments) {
		kt_str_add_safe(&text, argv[1 + help->arguments]);
		kt_err("%s: '%s' is no option, and this command takes nothing else (see 'kvmtrace %s "
		       "--help')",
		       argv[0], text.data, argv[0]);
		*status = KT_USAGE;
	}
	kt_str_free(&text);
	kt_log_set_verbosity(c->verbose);
	return *status == KT_OK && !c->help && !c->version;
}

/* Leaves in *tgid the process that --pid means: a thread of it will do. KT_NO_PID without --pid. */
static enum kt_status check_pid(const struct kt_common *c, u32 *tgid)
{
	struct kt_vm vm = {};
	int err;

	*tgid = c->pid;
	if (!c->pid)
		return KT_OK;
	err = kt_vm_read("/proc", c->pid, &vm);
	if (err == -ESRCH) {
		kt_err("there is no process %u; 'kvmtrace vms' lists the VMs that run", c->pid);
		return KT_FAILED;
	}
	if (!err)
		*tgid = vm.pid;
	if (kt_vm_count("/proc", *tgid) == 0)
		kt_note("process %u has no VM now; waiting for it to make one ('kvmtrace vms' lists "
			"the VMs that run)",
			*tgid);
	kt_vm_fini(&vm);
	return KT_OK;
}

/*
 * With --vm, VMs that are there already get their names now: one that ends a moment after it is met
 * would have lost its own by then, and be taken for another.
 */
static void learn_names(const struct kt_run *run)
{
	struct kt_vm_list list = {};

	if (!run->common->vm)
		return;
	if (!kt_vm_scan("/proc", NULL, &list))
		for (size_t i = 0; i < list.count; i++)
			kt_vm_table_get(run->vms, list.vms[i].pid);
	kt_vm_list_free(&list);
}

static enum kt_status open_session(struct kt_run *run, const struct kt_common *common,
				   enum kt_view view)
{
	struct kt_session_opts opts = {
		.view = view,
		.cfg = common->cfg,
		.vcpu_capacity = common->max_vcpus,
		.ring_kib = common->ring_kib,
		.wait = common->wait,
		.events = common->events,
	};
	enum kt_status status;

	opts.cfg.vcpu_id = common->vcpu;
	status = check_pid(common, &opts.cfg.tgid);
	if (status == KT_OK && common->facts) {
		opts.facts = &run->facts;
		status = kt_facts_load(common->facts, &run->facts);
	}
	return status == KT_OK ? kt_session_open(&opts, &run->session) : status;
}

enum kt_status kt_run_open(struct kt_run *run, const struct kt_common *common, enum kt_view view,
			   const char *record_type)
{
	enum kt_status status;

	memset(run, 0, sizeof(*run));
	run->common = common;
	run->until = -1;
	status = kt_run_load_symbols(run);
	if (status == KT_OK)
		status = common->capture ? kt_recorded_open(run, view)
					 : open_session(run, common, view);
	if (status != KT_OK)
		return status;
	/* Last: a command that cannot run leaves the file as it was. */
	run->out = kt_out_open(common->output);
	if (!run->out)
		return KT_FAILED;
	if (common->format != KT_FORMAT_TEXT)
		run->record = kt_record_new(common->format, run->out, record_type);
	if (!run->recorded)
		run->vms = kt_vm_table_new("/proc");
	kt_vm_table_set_symbols(run->vms, run->symbols);
	if (run->recorded)
		return KT_OK;
	learn_names(run);
	run->realtime_offset = kt_realtime_offset_ns();
	return KT_OK;
}

enum kt_status kt_run_loop(struct kt_run *run, u64 interval_ns, const char *what,
			   const struct kt_loop_ops *ops, void *ctx)
{
	struct kt_loop_opts opts = {
		.duration_ns = run->common->duration_ns,
		.interval_ns = interval_ns,
		.vm_glob = run->common->vm,
		.vms = run->vms,
		.out = run->out,
		.what = what,
		.until = run->until,
	};

	if (run->recorded)
		return kt_recorded_loop(run, interval_ns, ops, ctx);
	return kt_loop_run(run->session, &opts, ops, ctx);
}

enum kt_status kt_run_close(struct kt_run *run, enum kt_status status, u64 lost)
{
	enum kt_status out_status = run->out ? kt_out_close(run->out) : KT_OK;

	if (run->recorded && run->out) {
		kt_recorded_say_missing(run->recorded->replay);
		lost += !kt_recorded_complete(run);
	}
	kt_record_free(run->record);
	kt_recorded_close(run);
	kt_session_close(run->session);
	kt_vm_table_free(run->vms);
	kt_symbols_list_free(run->symbols);
	if (status != KT_OK)
		return status;
	if (out_status != KT_OK)
		return out_status;
	return lost && run->common->strict ? KT_LOST : KT_OK;
}

/* ---- the two sources ---- */

u64 kt_run_now(const struct kt_run *run)
{
	return run->recorded ? run->recorded->now : kt_monotonic_ns();
}

s64 kt_run_offset(const struct kt_run *run, u64 ts)
{
	return run->recorded ? kt_replay_offset(run->recorded->replay, ts).ns
			     : run->realtime_offset;
}

void kt_run_idle(struct kt_run *run)
{
	run->realtime_offset = kt_realtime_offset_ns();
	kt_out_flush(run->out);
}

const struct kt_counters *kt_run_counters(const struct kt_run *run)
{
	return run->recorded ? &run->recorded->counters : kt_session_counters(run->session);
}

u32 kt_run_cpus(const struct kt_run *run)
{
	return run->recorded ? run->recorded->cpus : kt_session_cpus(run->session);
}

u64 kt_run_lost(const struct kt_run *run, u32 cpu)
{
	return run->recorded ? run->recorded->lost[cpu] : kt_session_lost(run->session, cpu);
}

u64 kt_run_lost_elsewhere(const struct kt_run *run)
{
	return run->recorded ? run->recorded->lost_elsewhere : 0;
}

u64 kt_run_missed(const struct kt_run *run)
{
	return run->recorded ? run->recorded->missed : kt_session_missed(run->session);
}

u64 kt_run_unpaired_entries(const struct kt_run *run)
{
	return run->recorded ? kt_replay_facts(run->recorded->replay)->unpaired_entries : 0;
}

/* ---- what all say ---- */

bool kt_run_vm_excluded(const struct kt_run *run, const struct kt_vm_entry *vm)
{
	return run->common->vm && !kt_vm_entry_matches(vm, run->common->vm);
}

void kt_record_vm(struct kt_record *r, const struct kt_vm_entry *vm)
{
	kt_record_object(r, "vm");
	kt_record_u64(r, "pid", vm->pid);
	kt_record_str(r, "name", vm->name);
	kt_record_object_end(r);
}

void kt_run_explain_nothing(const struct kt_run *run, const char *what)
{
	const struct kt_common *c = run->common;
	struct kt_str name = {};

	if (run->recorded) {
		kt_note("no %s in this capture%s", what,
			c->vm || c->pid || c->vcpu != KT_NO_VCPU || c->cfg.by_reason ||
					c->by_vector || c->from || c->to || c->where
				? " passed the filters"
				: "");
	} else if (c->vm) {
		kt_str_add_safe(&name, c->vm);
		kt_note("no %s: no VM named '%s' had any ('kvmtrace vms' lists the VMs that run)",
			what, name.data);
	} else if (c->pid || c->vcpu != KT_NO_VCPU || c->cfg.by_reason || c->by_vector) {
		kt_note("no %s passed the filters", what);
	} else {
		kt_note("no %s: did a VM run? ('kvmtrace vms' lists those that do)", what);
	}
	kt_str_free(&name);
}
