/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The reading side of the per-CPU ring buffers, merged by time without copying: records stay in their
 * ring until their turn has come. libbpf's own reader copies nothing either, but takes one ring after
 * the other and doesn't return while a storm goes on.
 */
#ifndef KT_LIVE_RING_H
#define KT_LIVE_RING_H

#include "../../bpf/shared/event.h"
#include "../lib/util.h"

struct kt_rings;

/* Takes BPF_MAP_TYPE_RINGBUF maps; they stay the caller's. NULL with errno set when that fails. */
struct kt_rings *kt_rings_new(const int *map_fds, u32 count);
void kt_rings_free(struct kt_rings *r);

/* A descriptor that is readable while any ring holds a record. */
int kt_rings_poll_fd(const struct kt_rings *r);

/*
 * Hands over the records older than horizon (CLOCK_MONOTONIC ns) in the order of their time, with the
 * index of their ring; those of struct kt_brief's kinds are shorter than kt_head. Takes
 * only what was there when it began, so it ends. Returns true when younger records were left.
 */
typedef void (*kt_record_fn)(void *ctx, const struct kt_head *head, u32 size, u32 ring);
bool kt_rings_drain(struct kt_rings *r, u64 horizon, kt_record_fn fn, void *ctx);
/* After that: is there a record that a program has not ended yet, and maybe others behind it? */
bool kt_rings_stuck(const struct kt_rings *r);

#endif
