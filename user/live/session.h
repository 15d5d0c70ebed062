/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The BPF programs while they run: loads what the plan chose, attaches it, and hands out what is in
 * the maps. Together with loop.c and vcpus.c the only code that knows libbpf.
 */
#ifndef KT_LIVE_SESSION_H
#define KT_LIVE_SESSION_H

#include "../../bpf/shared/event.h"
#include "../lib/util.h"
#include "facts.h"
#include "plan.h"

struct kt_session_opts {
	enum kt_view view;
	u32 events;	   /* KT_VIEW_RECORD: bit mask of 1 << enum kt_event_class */
	struct kt_cfg cfg; /* filters; regions and buckets are filled in by the session */
	u32 vcpu_capacity; /* 0: chosen by the size of the host */
	u32 ring_kib;	   /* for each CPU; 0: chosen by the number of CPUs */
	bool quiet;	   /* log nothing: the caller will say what is of interest */
	bool wait;	   /* wait for KVM to be loaded instead of giving up */
	/* Plan by these instead of this host's; NULL: look. What the kernel refuses is replaced anyway. */
	const struct kt_facts *facts;
};

struct kt_session;

/*
 * Loads what the plan says; what the kernel refuses to load is planned anew without it. Logs why it
 * failed, unless opts say not to. Returns KT_OK, KT_FAILED, KT_UNSUPPORTED or KT_DENIED; kt_session_close() in any case.
 */
enum kt_status kt_session_open(const struct kt_session_opts *opts, struct kt_session **session);
/* Likewise with what the kernel refuses to attach: file descriptors had before may then be stale. */
enum kt_status kt_session_attach(struct kt_session *s);
/*
 * KVM's modules are about to go: takes everything of ours out of the kernel, what was counted is kept.
 * Before, kt_session_detach(); until kt_session_reload() there are no vCPUs, histograms or rings.
 */
void kt_session_unload(struct kt_session *s);
/* They are back, maybe others than before: looks anew, plans, loads and attaches. */
enum kt_status kt_session_reload(struct kt_session *s);
/* Stops the programs; what they gathered can still be read. */
void kt_session_detach(struct kt_session *s);
/* When that was, CLOCK_MONOTONIC ns: detaching them takes a while. 0: they run. */
u64 kt_session_stopped(const struct kt_session *s);
void kt_session_close(struct kt_session *s);

/* Why and how, for those who want to explain it: facts, plan, and why it failed (NULL: it didn't). */
const struct kt_facts *kt_session_facts(const struct kt_session *s);
const struct kt_plan *kt_session_plan(const struct kt_session *s);
const char *kt_session_failure(const struct kt_session *s);
/* -v: what is loaded and how much kernel memory it takes. */
void kt_session_describe(const struct kt_session *s);
/* File descriptors for loop.c. */
int kt_session_notices_fd(const struct kt_session *s);
/* One ring for each possible CPU; -1 when there are none. */
int kt_session_ring_fd(const struct kt_session *s, u32 cpu);
u32 kt_session_cpus(const struct kt_session *s);
/* Records that found no room in this CPU's ring, since the start. */
u64 kt_session_lost(const struct kt_session *s, u32 cpu);

const struct kt_counters *kt_session_counters(struct kt_session *s);
/* Times the kernel didn't run a program because one was already running on that CPU. */
u64 kt_session_missed(const struct kt_session *s);

/* vCPU slots: 1 .. count-1. An entry nobody uses has .vcpu == 0. */
u32 kt_session_slots(const struct kt_session *s);
const struct kt_vcpu *kt_session_vcpu(const struct kt_session *s, u32 slot);
/* The programs leave this vCPU alone from now on. */
void kt_session_mute(struct kt_session *s, u32 slot);
/* Gives the slot back, and its histograms. Only for vCPUs that have gone. */
void kt_session_release(struct kt_session *s, u32 slot);
/*
 * When few slots are left: calls gone for each whose vCPU no longer exists although its process may,
 * and releases it; drain comes before, to take what these left in the rings. Cheap when there are many
 * left.
 */
typedef void (*kt_slot_fn)(void *ctx, u32 slot);
void kt_session_collect(struct kt_session *s, void (*drain)(void *ctx), kt_slot_fn gone, void *ctx);

/* exits: every histogram in use. */
typedef void (*kt_cell_fn)(void *ctx, const struct kt_cell *cell);
void kt_session_each_cell(struct kt_session *s, kt_cell_fn fn, void *ctx);
/* Those of one vCPU. */
void kt_session_each_cell_of(struct kt_session *s, u32 slot, kt_cell_fn fn, void *ctx);
/* A new interval begins: minima and maxima start anew. Returns the epoch that ended. */
u32 kt_session_next_epoch(struct kt_session *s);
u32 kt_session_epoch(const struct kt_session *s);

/* faults --hist: every region. Returns 0 or a negative errno. */
typedef void (*kt_region_fn)(void *ctx, const struct kt_region_key *key, const struct kt_region *r);
int kt_session_each_region(struct kt_session *s, kt_region_fn fn, void *ctx);
/* The fault this vCPU is in the middle of. NULL: none. */
const struct kt_pending_fault *kt_session_pending_fault(const struct kt_session *s, u32 slot);

/* As its record would have been, without an end. */
struct kt_fault kt_fault_unfinished(const struct kt_vcpu *v, const struct kt_pending_fault *p);

/* Every vCPU there is, by the task_file iterator. Returns 0 or a negative errno. */
typedef void (*kt_vcpu_found_fn)(void *ctx, const struct kt_vcpu_found *found);
int kt_session_each_vcpu(struct kt_session *s, kt_vcpu_found_fn fn, void *ctx);

#endif
