/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What the files session*.c share; nobody else looks inside. */
#ifndef KT_LIVE_SESSION_PRIV_H
#define KT_LIVE_SESSION_PRIV_H

#include "caps.h"
#include "session.h"

/* Shares the log of libbpf: which program the kernel refused, and with which words. */
struct kt_refusal {
	int program; /* index in kt_programs, -1: none was named */
	struct kt_str why;
};

/* From now on, libbpf's warnings are searched for a refusal. NULL: no more. */
void kt_refusal_watch(struct kt_refusal *refusal);

struct kvmtrace_bpf;
struct bpf_link;

struct kt_session {
	struct kt_session_opts opts;
	struct kt_facts facts;
	struct kt_kernel_types types; /* the types themselves until types_file is written */
	int types_file;		      /* what programs name of them, as BTF; -1: none */
	int tracefs;		      /* directory, or a negative errno */
	struct kt_request request;
	struct kt_plan plan;
	char *refusals
		[KT_PROGRAMS_MAX]; /* by index in kt_programs, what request.refused points to */
	struct kt_str failure;
	struct kvmtrace_bpf *skel;
	struct bpf_link *links[KT_PROGRAMS_MAX]; /* by index in kt_programs */
	u32 slots;				 /* entries of vcpus, slot 0 included */
	u32 epoch;				 /* as kt_session_epoch() says */
	u64 stopped;	       /* CLOCK_MONOTONIC ns: the programs were told to stop; 0: they run */
	u64 collect_at;	       /* slots taken when it is worth looking for dead ones */
	bool cast;	       /* load the object that calls bpf_rdonly_cast() */
	struct kt_vcpu *vcpus; /* mapped */
	const struct kt_near_region *near_regions; /* mapped; NULL: not used */
	const u64 *cpu_lost;			   /* mapped */
	int *rings;				   /* by CPU */
	/* What earlier objects counted, before KVM was unloaded and came back. */
	struct kt_counters past;
	u64 past_missed, *past_lost; /* the latter by CPU */
	struct kt_counters total;    /* of all, as last asked for */
};

/*
 * session_load.c: the BPF object by s->plan, with its maps filled. Returns 0 or a negative errno; what
 * there is of it by then is taken apart by kt_object_unload().
 */
int kt_object_load(struct kt_session *s);
void kt_object_unload(struct kt_session *s);

struct bpf_object;

/*
 * session_types.c: writes to a file what the programs in obj, an ELF image at elf, name of the
 * kernel's types. Returns 0 or a negative errno.
 */
int kt_types_write(const struct kt_kernel_types *types, const struct bpf_object *obj,
		   const void *elf, int fd);

/*
 * session_target.c: programs on BTF tracepoints and iterators are loaded for the types found already,
 * from now on, for objects opened from now on. NULL ends it: no more programs are going to be loaded.
 */
void kt_targets_use(const struct kt_kernel_types *types);

/* session_maps.c: what was counted so far is kept when the object is unloaded. */
void kt_session_keep_counts(struct kt_session *s);

#endif
