/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The tracks of a trace: a hash table that grows with their number, up to a limit. */
#ifndef KT_EXPORT_TRACKS_H
#define KT_EXPORT_TRACKS_H

#include "../lib/util.h"

/* Tracks beyond these are one: it bounds what a capture full of made-up vCPUs takes. */
#define KT_TRACKS_MAX 65536

enum kt_track_type {
	KT_TRACK_NONE,
	KT_TRACK_VM,	   /* a process */
	KT_TRACK_VCPU,	   /* number: its id */
	KT_TRACK_THREAD,   /* of a vCPU whose id is not known; number: tid */
	KT_TRACK_LOST_ALL, /* the parent of KT_TRACK_LOST */
	KT_TRACK_LOST,	   /* vm: cause, number: CPU */
	KT_TRACK_GAPS,	   /* of the capture itself */
	KT_TRACK_OTHERS,   /* all that were too many */
};

struct kt_track {
	enum kt_track_type type;
	u32 vm, number;
	u32 uuid;	 /* 0: new, to be described */
	u64 from, until; /* of the slice on it that was last */
};

struct kt_tracks {
	struct kt_track *tracks; /* a power of two */
	u32 size, used;
	struct kt_track *last; /* asked for last */
};

void kt_tracks_fini(struct kt_tracks *t);
/* kt_tracks_get() where it is not the last one. */
struct kt_track *kt_tracks_find(struct kt_tracks *t, enum kt_track_type type, u32 vm, u32 number);

/* Finds or adds one. Good until the next call that adds one. */
static inline struct kt_track *kt_tracks_get(struct kt_tracks *t, enum kt_track_type type, u32 vm,
					     u32 number)
{
	struct kt_track *last = t->last;

	if (last && last->number == number && last->vm == vm && last->type == type)
		return last;
	return kt_tracks_find(t, type, vm, number);
}

#endif
