/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The BPF programs there are and what each relies on, and the ways in which they are put together. A
 * way is a set of programs that brings one part of what a command shows. A part has several, the
 * cheapest first: what one kernel cannot do, another way does.
 */
#ifndef KT_LIVE_PROGRAMS_H
#define KT_LIVE_PROGRAMS_H

#include "../lib/util.h"
#include "facts.h"

/* What a command wants to see. */
enum kt_view {
	KT_VIEW_EXITS,	    /* exit histograms, added up in the kernel */
	KT_VIEW_EXCEPTIONS, /* a record for each injected exception */
	KT_VIEW_FAULTS,	    /* a record for each guest memory fault */
	KT_VIEW_REGIONS,    /* guest memory faults added up by region */
	KT_VIEW_VCPUS,	    /* the vCPUs there are now */
	KT_VIEW_RECORD,	    /* a record for each event of the classes asked for */
	KT_VIEW_COUNT,
};

/* Classes of events, for KT_VIEW_RECORD: X(number, name, what it is). */
#define KT_EVENT_CLASSES(X)                                                                        \
	X(EXITS, "exits", "VM exits, with their duration")                                         \
	X(EXCEPTIONS, "exceptions", "exceptions that KVM injects")                                 \
	X(FAULTS, "faults", "faults of guest memory that KVM handles")                             \
	X(MSR, "msr", "RDMSR and WRMSR that KVM handles")                                          \
	X(IO, "io", "port I/O")                                                                    \
	X(MMIO, "mmio", "emulated memory-mapped I/O")                                              \
	X(CR, "cr", "control register accesses")                                                   \
	X(CPUID, "cpuid", "CPUID and what it answered")                                            \
	X(HYPERCALL, "hypercall", "hypercalls")                                                    \
	X(EMULATE, "emulate", "instructions that KVM emulates")                                    \
	X(IRQ, "irq", "interrupts that KVM injects")                                               \
	X(USERSPACE, "userspace", "returns of KVM_RUN to the VM's process")                        \
	X(HALT, "halt", "wake-ups of halted vCPUs, and how long they are polled")

#define KT_EVENT_CLASS_ENUM(number, name, text) KT_CLASS_##number,
enum kt_event_class { KT_EVENT_CLASSES(KT_EVENT_CLASS_ENUM) KT_EVENT_CLASS_COUNT };
#define KT_ALL_EVENTS ((1u << KT_EVENT_CLASS_COUNT) - 1)

enum kt_program_kind {
	KT_ON_BTF,     /* BTF-typed tracepoint */
	KT_ON_RAW,     /* raw tracepoint: its arguments, as numbers */
	KT_ON_CLASSIC, /* tracepoint by way of perf: its record */
	KT_ON_FILES,   /* iterator over open files */
};

/* By what means a program gets at KVM's structures. */
enum kt_need {
	KT_NEEDS_KVM_TYPES = 1,	  /* loads through the types of the kvm module */
	KT_NEEDS_EXIT_REASON = 2, /* the exit reason in the vendor's structures */
	KT_NEEDS_VMCB = 4,	  /* a VMCB that can be read */
	KT_NEEDS_CHOSEN = 8,	  /* of a way: that another part has chosen its first program */
	KT_NEEDS_ENTRIES = 16,	  /* of a way: that no other part sees to the end of exits */
};

struct kt_program {
	const char *name;
	enum kt_program_kind kind;
	int tracepoint; /* enum kt_tracepoint, -1: none */
	u32 needs;	/* enum kt_need */
	/* How the arguments must begin, as in struct kt_tracepoint_facts; NULL: any. */
	const char *proto;
	const char *record; /* fields that the record must have, spelled as there; NULL: none */
	const char *lacks;  /* a field that it must not have; NULL: none */
	bool helps; /* no event is lost when the kernel skips it: an exit has no time, say */
};

/* In the order of attachment. */
extern const struct kt_program kt_programs[];
extern const u32 kt_program_count;
#define KT_PROGRAMS_MAX 64

enum kt_part {
	KT_PART_TRACE_EXITS, /* first: others make use of its programs */
	KT_PART_EXITS,
	KT_PART_EXCEPTIONS,
	KT_PART_CAUSE_EXIT,
	KT_PART_CAUSE_MSR,
	KT_PART_CAUSE_CR,
	KT_PART_CAUSE_INSN,
	KT_PART_ASYNC_PF,
	KT_PART_FAULTS,
	KT_PART_REGIONS,
	KT_PART_TRACE_MSR,
	KT_PART_TRACE_PIO,
	KT_PART_TRACE_MMIO,
	KT_PART_TRACE_FAST_MMIO,
	KT_PART_TRACE_CR,
	KT_PART_TRACE_CPUID,
	KT_PART_TRACE_HYPERCALL,
	KT_PART_TRACE_EMULATE,
	KT_PART_TRACE_IRQ,
	KT_PART_TRACE_USER,
	KT_PART_TRACE_WAKEUP,
	KT_PART_TRACE_HALT_POLL,
	KT_PART_VCPUS,
	KT_PART_COUNT,
};

struct kt_part_of_view {
	u32 views;     /* bit mask of 1 << enum kt_view */
	bool optional; /* without it the output only has less detail; all are for KT_VIEW_RECORD */
	u32 events; /* KT_VIEW_RECORD: bit mask of 1 << enum kt_event_class that need it; 0: all */
};

extern const struct kt_part_of_view kt_parts[KT_PART_COUNT];

#define KT_WAY_PROGRAMS 3

struct kt_way {
	enum kt_part part;
	const char *name;		       /* unique within the part, for a view */
	u32 needs;			       /* enum kt_need, besides its programs' */
	const char *programs[KT_WAY_PROGRAMS]; /* names; the rest NULL */
	u32 views;			       /* only for these; 0: for all */
};

/* Those of a part stand together, in the order of preference. */
extern const struct kt_way kt_ways[];
extern const u32 kt_way_count;
#define KT_WAYS_MAX 64

const char *kt_event_class_name(enum kt_event_class class);
const char *kt_event_class_text(enum kt_event_class class);

/* Index in kt_programs, or -1. */
int kt_program_find(const char *name);

#endif
