/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What was lost, and why: said when it happens and at the end, the same way by every command. */
#ifndef KT_CMD_LOST_H
#define KT_CMD_LOST_H

#include "common.h"

/* A line, or a record {"type":"lost",…}, at the place in the stream where it was noticed. */
void kt_lost_print(const struct kt_run *run, const char *what, u32 cpu, u64 count);
/* Of vCPUs for which there was no room. */
u64 kt_lost_vcpus(const struct kt_counters *c);
/* Of events for which a buffer had no room, so far. */
u64 kt_lost_in_buffers(const struct kt_run *run);
/* All events lost since the start, whatever the cause. */
u64 kt_lost_total(const struct kt_run *run);
/*
 * "lost":{"total":…,"buffer":…,"missed":…,"vcpu_capacity":…,"histogram_capacity":…,
 * "region_capacity":…,"cpus":[{"cpu":…,"count":…}]}; cpus says where those of "buffer" were lost. Of a
 * capture also what of it is missing, as kt_recorded_record().
 */
void kt_lost_record(const struct kt_run *run);
/* "; LOST 12: …" when anything was lost. */
void kt_lost_add(struct kt_str *s, const struct kt_run *run);

#endif
