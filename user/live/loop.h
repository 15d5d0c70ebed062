/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The life of a tracing command: attach, wait for records, VMs that come and go, timers and signals,
 * then stop and drain. Sleeps when nothing happens.
 */
#ifndef KT_LIVE_LOOP_H
#define KT_LIVE_LOOP_H

#include "../event/vm_table.h"
#include "../lib/out.h"
#include "session.h"

struct kt_loop_ops {
	/* A record; its address is valid during the call only. */
	void (*event)(void *ctx, const struct kt_head *head);
	/* One of those of kvmtrace record, from that CPU's ring; its slot's entry is still there. */
	void (*brief)(void *ctx, const struct kt_brief *brief, u32 size, u32 cpu);
	/* Tracing has begun: from now on nothing is missed. */
	void (*attached)(void *ctx);
	/* Records of that CPU found no room since the last call. */
	void (*lost)(void *ctx, u32 cpu, u64 count);
	/*
	 * This vCPU's process has gone: take what is of interest, the slot is released afterwards. All its
	 * records have been handed over.
	 */
	void (*gone)(void *ctx, u32 slot, const struct kt_vcpu *v);
	/* KVM is about to go, and with it the maps: take what is of interest. All vCPUs are gone by now. */
	void (*unloading)(void *ctx);
	/* An interval (or the whole run: final) is over. */
	void (*interval)(void *ctx, bool final);
	/* Records have been handed over and more may take a while: a good moment to flush. */
	void (*idle)(void *ctx);
};

struct kt_loop_opts {
	u64 duration_ns; /* 0: until a signal */
	u64 interval_ns; /* 0: none */
	const char *vm_glob;
	struct kt_vm_table *vms;
	struct kt_out *out; /* a write error ends the run */
	const char *what;   /* "exits": for the message that tracing has begun */
	int until;	    /* ends when this descriptor is readable; -1: none */
};

/*
 * Attaches and runs until the duration is over, a signal comes or the output fails. While KVM is
 * unloaded it holds on to nothing, and attaches anew when it is back. The programs are detached when it
 * returns. A first SIGINT or SIGTERM stops and drains, a second kills.
 */
enum kt_status kt_loop_run(struct kt_session *s, const struct kt_loop_opts *opts,
			   const struct kt_loop_ops *ops, void *ctx);

#endif
