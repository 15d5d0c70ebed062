/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A capture as the source of a run: what common.h's kt_run_…() do then. */
#ifndef KT_CMD_RECORDED_H
#define KT_CMD_RECORDED_H

#include "../replay/replay.h"
#include "common.h"

struct kt_recorded {
	struct kt_replay *replay;
	u64 now; /* CLOCK_MONOTONIC ns: how far the capture was read */
	struct kt_when_offset offset;
	/* As a session has them: from the end of the capture, and of what was read. */
	struct kt_counters counters;
	u64 missed;
	u64 *lost; /* by CPU */
	u32 cpus;
	u64 lost_elsewhere; /* on CPUs that were not known */
};

/* What the options let pass. */
struct kt_replay_filter kt_recorded_filter(const struct kt_common *c);

enum kt_status kt_recorded_open(struct kt_run *run, enum kt_view view);
enum kt_status kt_recorded_loop(struct kt_run *run, u64 interval_ns, const struct kt_loop_ops *ops,
				void *ctx);
void kt_recorded_close(struct kt_run *run);

bool kt_recorded_complete(const struct kt_run *run);
/* Says on stderr what of the capture is missing, if anything is. */
void kt_recorded_say_missing(const struct kt_replay *replay);
/* "capture":{"complete":…,"closed":…,"missing":…,"gaps":…,"tail_bytes":…} */
void kt_recorded_record(const struct kt_run *run);
/* "; CAPTURE INCOMPLETE: …" */
void kt_recorded_add(struct kt_str *s, const struct kt_run *run);

#endif
