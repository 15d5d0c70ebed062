/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What session.c and session_maps.c share; nobody else looks inside. */
#ifndef KT_LIVE_SESSION_PRIV_H
#define KT_LIVE_SESSION_PRIV_H

#include "session.h"

struct kvmtrace_bpf;
struct bpf_link;

struct kt_session {
	struct kt_session_opts opts;
	struct kt_caps caps;
	struct kt_plan plan;
	struct kvmtrace_bpf *skel;
	struct bpf_link **links; /* by index in kt_probes */
	u32 slots;		 /* entries of vcpus, slot 0 included */
	u64 collect_at;		 /* slots taken when it is worth looking for dead ones */
	struct kt_vcpu *vcpus;	 /* mapped */
	const u64 *cpu_lost;	 /* mapped */
	int *rings;		 /* by CPU */
};

#endif
