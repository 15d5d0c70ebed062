/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Options and steps that the tracing commands share. */
#ifndef KT_CMD_COMMON_H
#define KT_CMD_COMMON_H

#include "../../bpf/shared/cfg.h"
#include "../event/vm_table.h"
#include "../lib/opt.h"
#include "../lib/out.h"
#include "../live/loop.h"
#include "../replay/order.h"
#include "../sink/record.h"

/* What --guest-kallsyms and --guest-vmlinux named. */
#define KT_SYMBOL_FILES_MAX 64
struct kt_symbol_files {
	struct kt_symbols_spec specs[KT_SYMBOL_FILES_MAX];
	u32 count;
};

/* First member of every command's options. */
struct kt_common {
	u32 pid;
	const char *vm;
	u32 vcpu;
	struct kt_cfg cfg; /* --reason and --vector set their bits here */
	bool by_vector;	   /* --vector was given */
	enum kt_format format;
	const char *output;
	u64 duration_ns;
	int verbose;
	bool strict;
	bool wait;
	u32 max_vcpus;
	u32 ring_kib;
	u32 events; /* record: bit mask of 1 << enum kt_event_class */
	const char *facts;
	struct kt_symbol_files symbols;
	/* report: */
	const char *capture; /* the file that is read; NULL: tracing */
	const char *from, *to, *where;
	bool help, version;
};

void kt_common_init(struct kt_common *c);

/* The rows of the groups; each command picks what it supports. */
extern const struct kt_opt kt_opts_vm[];	 /* --pid --vm --vcpu */
extern const struct kt_opt kt_opts_reason[];	 /* --reason */
extern const struct kt_opt kt_opts_vector[];	 /* --vector */
extern const struct kt_opt kt_opts_output[];	 /* --format --output --duration */
extern const struct kt_opt kt_opts_general[];	 /* --verbose --strict --wait … --help */
extern const struct kt_opt kt_opts_rings[];	 /* --buffer */
extern const struct kt_opt kt_opts_symbols[];	 /* --guest-kallsyms --guest-vmlinux */
extern const struct kt_opt kt_opts_when[];	 /* of a capture: --from --to --where */
extern const struct kt_opt kt_opts_incomplete[]; /* of a capture: --strict */
extern const struct kt_opt kt_opts_plain_output[], kt_opts_plain_general[]; /* without tracing */
#define KT_OPTS_VM_COUNT	    3
#define KT_OPTS_REASON_COUNT	    1
#define KT_OPTS_VECTOR_COUNT	    1
#define KT_OPTS_OUTPUT_COUNT	    3
#define KT_OPTS_GENERAL_COUNT	    7
#define KT_OPTS_RINGS_COUNT	    1
#define KT_OPTS_SYMBOLS_COUNT	    2
#define KT_OPTS_WHEN_COUNT	    3
#define KT_OPTS_INCOMPLETE_COUNT    1
#define KT_OPTS_PLAIN_OUTPUT_COUNT  2
#define KT_OPTS_PLAIN_GENERAL_COUNT 3

struct kt_recorded;

/* A command while it runs: what all of them need. Its events come from a session or a capture. */
struct kt_run {
	const struct kt_common *common;
	struct kt_session *session; /* NULL: from .recorded */
	struct kt_recorded *recorded;
	struct kt_facts facts;		 /* --facts */
	struct kt_symbols_list *symbols; /* NULL: none were asked for */
	struct kt_vm_table *vms;
	struct kt_out *out;
	struct kt_record *record; /* NULL for text */
	s64 realtime_offset;
	int until; /* kt_run_loop() ends when this is readable; -1: none */
	/* Of a capture: instead of ops->event, which gets exceptions and faults. */
	void (*row)(void *ctx, const struct kt_ordered *row);
	bool in_order; /* of a capture: by time, and with what rows don't have */
};

/*
 * Checks the filters against this host, opens the output and loads the programs. On anything but
 * KT_OK a message has been printed; kt_run_close() is called in any case.
 */
enum kt_status kt_run_open(struct kt_run *run, const struct kt_common *common, enum kt_view view,
			   const char *record_type);
/* Loads run->symbols; part of kt_run_open(). */
enum kt_status kt_run_load_symbols(struct kt_run *run);
/*
 * kt_loop_run() with what the options say; or the capture's events, by the same ops, where intervals go
 * by the events' time.
 */
enum kt_status kt_run_loop(struct kt_run *run, u64 interval_ns, const char *what,
			   const struct kt_loop_ops *ops, void *ctx);
/* Combines the run's status with what became of the output and with --strict. */
enum kt_status kt_run_close(struct kt_run *run, enum kt_status status, u64 lost);

/* CLOCK_MONOTONIC ns: of now, or how far the capture was read. */
u64 kt_run_now(const struct kt_run *run);
/* What to add to a time, CLOCK_MONOTONIC ns, for CLOCK_REALTIME; .realtime_offset is that of now. */
s64 kt_run_offset(const struct kt_run *run, u64 ts);
/* A good moment to flush, and to look at the clocks. */
void kt_run_idle(struct kt_run *run);
/* Of the session, or as the capture has them. */
const struct kt_counters *kt_run_counters(const struct kt_run *run);
u32 kt_run_cpus(const struct kt_run *run);
u64 kt_run_lost(const struct kt_run *run, u32 cpu);
u64 kt_run_lost_elsewhere(const struct kt_run *run); /* on CPUs that are not known */
u64 kt_run_missed(const struct kt_run *run);
u64 kt_run_unpaired_entries(const struct kt_run *run); /* of a capture */

/* --vm excludes it. */
bool kt_run_vm_excluded(const struct kt_run *run, const struct kt_vm_entry *vm);
/* "vm":{"pid":…,"name":…} */
void kt_record_vm(struct kt_record *r, const struct kt_vm_entry *vm);
/* When a filter was given and nothing came of it: says so, and what to do. */
void kt_run_explain_nothing(const struct kt_run *run, const char *what);

#endif
