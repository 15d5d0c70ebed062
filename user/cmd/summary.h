/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What 'kvmtrace report FILE' adds up (summary.c), what it makes of it (findings.c), and how it says so. */
#ifndef KT_CMD_SUMMARY_H
#define KT_CMD_SUMMARY_H

#include "../agg/exit_rows.h"
#include "../agg/regions.h"
#include "views.h"

struct kt_sum_vm {
	const struct kt_vm_entry *vm; /* NULL: nothing of it was met */
	u64 exits, exit_ns;	      /* exit_ns without halts */
	u64 exceptions, faults;
	/* The second with most exceptions, and the present one. */
	u64 second, in_second, worst;
};

/* Exceptions of a VM with one vector and cause. */
struct kt_sum_exception {
	const struct kt_vm_entry *vm;
	struct kt_exception first;
	u64 count;
};

struct kt_sum_region {
	const struct kt_vm_entry *vm;
	u64 address;
	u32 space;
	u64 count, total_ns;
};

/* Something that stands out: so often, of this VM; number tells what exactly. */
struct kt_finding {
	const struct kt_finding_rule *rule;
	const struct kt_vm_entry *vm; /* NULL: of none in particular */
	u64 number;
	u64 count;
	u64 first_ts; /* 0: not an event */
	const struct kt_exit_group *group;
};

struct kt_summary {
	struct kt_run run;
	u64 events, by_kind[KT_ROW_COUNT];
	struct kt_exit_agg exits; /* by VM and reason */
	struct kt_exit_rows *rows;
	u64 exit_ns; /* of all, without halts */
	struct kt_sum_vm *vms;
	size_t vm_count;
	struct kt_sum_exception *exceptions;
	size_t exception_count;
	u64 exceptions_beyond; /* that found no room above */
	struct kt_sum_region *regions;
	size_t region_count;
	struct kt_region_index index;
	struct kt_finding *findings; /* the gravest first, once kt_findings_end() was called */
	size_t finding_count;
};

/* How many of each the text shows: all of it fits 24 lines. */
#define KT_SUM_VMS	  3
#define KT_SUM_REASONS	  4
#define KT_SUM_EXCEPTIONS 3
#define KT_SUM_REGIONS	  2
#define KT_SUM_FINDINGS	  3

/* Looks at one event, other than an exit. */
void kt_findings_row(struct kt_summary *x, const struct kt_replay_event *e);
/* Looks at the sums. */
void kt_findings_end(struct kt_summary *x);
const char *kt_finding_rule_name(const struct kt_finding *f);
/* "win11: KVM internal error, suberror 1, 3 times, first 12:00:01.123" */
void kt_finding_add(struct kt_str *s, const struct kt_summary *x, const struct kt_finding *f);

void kt_summary_print(struct kt_summary *x);
void kt_summary_record(struct kt_summary *x);

#endif
