/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * From what is wanted and what the host has to what will be loaded. A pure function: no system call,
 * no global state, so that every host can be a unit test.
 */
#ifndef KT_LIVE_PLAN_H
#define KT_LIVE_PLAN_H

#include "../lib/str.h"
#include "../lib/util.h"
#include "caps.h"

/* What a command wants to see. */
enum kt_view {
	KT_VIEW_EXITS,	    /* exit histograms, added up in the kernel */
	KT_VIEW_EXCEPTIONS, /* a record for each injected exception */
	KT_VIEW_FAULTS,	    /* a record for each guest memory fault */
	KT_VIEW_REGIONS,    /* guest memory faults added up by region */
	KT_VIEW_VCPUS,	    /* the vCPUs there are now */
};

enum kt_probe_kind { KT_PROBE_BTF, KT_PROBE_RAW, KT_PROBE_TP, KT_PROBE_ITER };

/* How the programs get at KVM's structures. */
enum kt_mode {
	KT_MODE_BTF, /* through the types of the kvm modules: cheapest */
	KT_MODE_RAW, /* without them: raw and classic tracepoints, memory read by helpers */
};

/* One BPF program. The order of the table is the order of attachment. */
struct kt_probe {
	const char *program; /* its name in bpf/ */
	const char *event;   /* tracepoint, if classic of group kvm; NULL for an iterator */
	enum kt_probe_kind kind;
	u32 views;     /* bit mask of (1 << enum kt_view) */
	u32 modes;     /* bit mask of (1 << enum kt_mode) */
	bool optional; /* without it the output only has less detail */
	int layout;    /* enum kt_record_layout the program relies on, -1 none */
};

extern const struct kt_probe kt_probes[];
extern const size_t kt_probe_count;

struct kt_plan {
	enum kt_mode mode;
	u32 probes; /* bit mask over kt_probes */
	bool uses_rings, uses_slots, uses_cells, uses_last_exits, uses_pending, uses_regions;
	/* What the user should know, a sentence each; empty when there's nothing to say. */
	struct kt_str warnings;
	/* When the result is not KT_OK: why not, and the way out. */
	struct kt_str refusal;
};

/* Returns KT_OK, KT_UNSUPPORTED or KT_DENIED. Free with kt_plan_fini() in any case. */
enum kt_status kt_plan_make(const struct kt_caps *caps, enum kt_view view, struct kt_plan *plan);
void kt_plan_fini(struct kt_plan *plan);

/* True when waiting can help: KVM or its vendor module isn't loaded yet. */
bool kt_caps_lack_kvm(const struct kt_caps *caps);

#endif
