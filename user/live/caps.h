/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Gathers the facts of this host, before anything is loaded. Nothing is decided here. */
#ifndef KT_LIVE_CAPS_H
#define KT_LIVE_CAPS_H

#include "../../bpf/shared/cfg.h"
#include "facts.h"

struct btf;

/* What is learnt from the kernel's types that is no fact, for who loads programs. 0: not there. */
struct kt_kernel_types {
	/* The types themselves; modules are kvm and its vendor's, NULL where they are in vmlinux. */
	struct btf *vmlinux, *modules[2];
	/* Numbers of what programs attach to; those from module_types on are in the kvm module's. */
	u32 tracepoints[KT_TRACEPOINT_COUNT], task_file;
	u32 module_types;
	/* Others that any kernel has. */
	u32 sched_switch, fentry_test;
	/* What programs take memory for that no type is known of. */
	struct kt_type_numbers plain;
};

/*
 * Always succeeds: what cannot be found out stays unknown. *tracefs becomes a directory of the trace
 * file system for kt_tracepoint_id(), to be closed by the caller, or a negative errno. Maps and small
 * programs are created to see whether the kernel takes them, and nothing is ever attached. types must be zeroed,
 * and be given to kt_types_free(); NULL: not wanted.
 */
void kt_caps_gather(struct kt_facts *facts, int *tracefs, struct kt_kernel_types *types);
/* Frees the types, the numbers stay. */
void kt_types_free(struct kt_kernel_types *types);

#endif
