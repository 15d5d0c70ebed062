/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A capture as a source of events: opened, its facts read, its events filtered and handed over one
 * by one with the VM that each is of. Memory taken does not depend on the file's length.
 */
#ifndef KT_REPLAY_H
#define KT_REPLAY_H

#include "../event/vm_table.h"
#include "../store/kinds.h"
#include "when.h"

struct kt_cfg;
struct kt_extra;
struct kt_reader;

/* What the command line says of which events are wanted; zero and NULL: all. */
struct kt_replay_filter {
	u32 kinds; /* bit 1 << KT_ROW_…; 0: all, unknown ones too. Rows of the kind "lost" always come. */
	u32 pid;
	const char *vm; /* pattern */
	bool by_vcpu;	/* .vcpu is meant */
	u32 vcpu;
	const struct kt_cfg *cfg; /* .by_reason and what goes with it */
	bool by_vector;		  /* cfg->vectors is meant: exceptions only */
	const char *from, *to;	  /* as kt_when_parse() */
	const char *where;	  /* as kt_where_parse() */
};

/* What the capture's facts say; what they don't is zero. */
struct kt_replay_facts {
	bool ended;	      /* recording came to an orderly end; these are of the whole of it: */
	u64 begin_ns, end_ns; /* CLOCK_MONOTONIC */
	u64 unpaired_entries, threads_unknown;
	u64 missed, vcpu_capacity; /* lost for these reasons */
};

struct kt_replay_event {
	u32 kind; /* KT_ROW_…; 0: unknown to us, then only .head and kt_replay_extra() say what it is */
	const struct kt_row_common *head; /* what all have; of a known kind it begins the row */
	const struct kt_vm_entry *vm;	  /* never NULL */
};

struct kt_replay;

/* Returns KT_OK, or KT_FAILED with a message printed. */
enum kt_status kt_replay_open(struct kt_replay **replay, const char *path);
/* To be called before the first event: KT_OK, or KT_USAGE or KT_FAILED with a message printed. */
enum kt_status kt_replay_filter(struct kt_replay *r, const struct kt_replay_filter *filter);
void kt_replay_close(struct kt_replay *r);

const char *kt_replay_path(const struct kt_replay *r);
const struct kt_reader *kt_replay_reader(const struct kt_replay *r);
const struct kt_replay_facts *kt_replay_facts(const struct kt_replay *r);
struct kt_vm_table *kt_replay_vms(struct kt_replay *r);
/*
 * A member of a fact, or of an object that is a member of it (inner may be NULL), if it is a text or a
 * number: malloced, else NULL. It may hold anything.
 */
char *kt_replay_about(const struct kt_replay *r, const char *fact, const char *member,
		      const char *inner);
/* Was this class of events ("exits") recorded? True when the capture doesn't say. */
bool kt_replay_has(const struct kt_replay *r, const char *class);

/*
 * The time that the events handed over are of, CLOCK_MONOTONIC ns: as far as is known now, which at
 * the end of a capture that was not closed is more than before.
 */
u64 kt_replay_begin(const struct kt_replay *r);
u64 kt_replay_end(const struct kt_replay *r);
/* What to add to a time for CLOCK_REALTIME, and for which times that holds. */
struct kt_when_offset kt_replay_offset(const struct kt_replay *r, u64 ts);

/* The next event that is wanted: 1, 0 at the end, or a negative errno. Good until the next call. */
int kt_replay_next(struct kt_replay *r, struct kt_replay_event *event);
/* What that event has besides its row, malloced; NULL: nothing. */
struct kt_extra *kt_replay_extra(const struct kt_replay *r);

/* What is missing of the events that were to be read. */
struct kt_replay_missing {
	bool complete; /* nothing */
	bool closed;   /* the file; else events may be missing at its end */
	u64 events, gaps, gap_bytes, tail_bytes, bad_facts;
};
struct kt_replay_missing kt_replay_missing(const struct kt_replay *r);

#endif
