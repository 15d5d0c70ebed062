/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * From what is wanted and what the host has to what will be loaded. A pure function: no system call,
 * no global state, so that every host can be a unit test.
 */
#ifndef KT_LIVE_PLAN_H
#define KT_LIVE_PLAN_H

#include "../lib/str.h"
#include "../lib/util.h"
#include "facts.h"
#include "programs.h"

struct kt_request {
	enum kt_view view;
	u32 events; /* KT_VIEW_RECORD: bit mask of 1 << enum kt_event_class */
	/*
	 * Names of ways, separated by commas: parts that have one so named use no other. NULL: the
	 * cheapest that will do. For tests, by the environment variable KVMTRACE_WAYS.
	 */
	const char *ways;
	/* By index in kt_programs: why the kernel has refused it; NULL: it hasn't. */
	const char *refused[KT_PROGRAMS_MAX];
};

struct kt_plan {
	u64 programs;	   /* bit mask over kt_programs */
	u64 ways;	   /* bit mask over kt_ways: those chosen */
	bool exit_in_vmcb; /* exceptions: the exit is looked for in the VMCB */
	u32 events;	   /* KT_VIEW_RECORD: as requested */
	bool no_kvm_types; /* programs on raw tracepoints do without them */
	/* Maps that are needed. */
	bool uses_rings, uses_slots, uses_cells, uses_regions;
	/* Hash tables take their memory beforehand: raw and classic tracepoints fill them. */
	bool preallocates;
	/* Of the parts of this view: why a way that would have been better cannot be gone. */
	struct kt_str why_not[KT_WAYS_MAX];
	/* What the user may want to know, a sentence each; empty when there's nothing to say. */
	struct kt_str warnings;
	/* When the result is not KT_OK: why not, and the way out. */
	struct kt_str refusal;
};

/* Returns KT_OK, KT_UNSUPPORTED or KT_DENIED. Free with kt_plan_fini() in any case. */
enum kt_status kt_plan_make(const struct kt_facts *facts, const struct kt_request *request,
			    struct kt_plan *plan);
void kt_plan_fini(struct kt_plan *plan);

/* The way chosen for this part: index in kt_ways, or -1. */
int kt_plan_way(const struct kt_plan *plan, enum kt_part part);

/* True when waiting can help: KVM or its vendor module isn't loaded yet. */
bool kt_facts_lack_kvm(const struct kt_facts *facts);
/* False for a KVM that is known to raise neither kvm_exit nor kvm_entry nor kvm_page_fault. */
bool kt_facts_raise_exits(const struct kt_facts *facts);

#endif
