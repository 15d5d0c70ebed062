/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "tracks.h"

#include <stdlib.h>

void kt_tracks_fini(struct kt_tracks *t)
{
	free(t->tracks);
}

/* The place of a track, or where it belongs: there are more places than tracks. */
static struct kt_track *place(struct kt_track *tracks, u32 size, enum kt_track_type type, u32 vm,
			      u32 number)
{
	u64 hash = ((u64)vm << 32 | number) * 0x9e3779b97f4a7c15ull + type * 0xff51afd7ed558ccdull;
	struct kt_track *track;
	u32 at;

	for (at = (u32)(hash >> 32);; at++) {
		track = &tracks[at & (size - 1)];
		if (track->type == KT_TRACK_NONE ||
		    (track->type == type && track->vm == vm && track->number == number))
			return track;
	}
}

static void grow(struct kt_tracks *t)
{
	u32 size = t->size ? 2 * t->size : 64;
	struct kt_track *tracks = kt_alloc(size * sizeof(*tracks));

	for (u32 i = 0; i < t->size; i++) {
		const struct kt_track *old = &t->tracks[i];

		if (old->type != KT_TRACK_NONE)
			*place(tracks, size, old->type, old->vm, old->number) = *old;
	}
	free(t->tracks);
	t->tracks = tracks;
	t->size = size;
}

struct kt_track *kt_tracks_find(struct kt_tracks *t, enum kt_track_type type, u32 vm, u32 number)
{
	struct kt_track *track;

	if (2 * t->used >= t->size)
		grow(t);
	track = place(t->tracks, t->size, type, vm, number);
	if (track->type == KT_TRACK_NONE && t->used >= KT_TRACKS_MAX)
		track = place(t->tracks, t->size, KT_TRACK_OTHERS, 0, 0);
	if (track->type == KT_TRACK_NONE) {
		bool full = t->used >= KT_TRACKS_MAX;

		*track = (struct kt_track) { .type = full ? KT_TRACK_OTHERS : type,
					     .vm = full ? 0 : vm,
					     .number = full ? 0 : number };
		t->used++;
	}
	t->last = track;
	return track;
}
