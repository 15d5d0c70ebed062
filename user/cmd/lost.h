/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Loss of streamed records, as every streaming command reports it: when it happens, and at the end. */
#ifndef KT_CMD_LOST_H
#define KT_CMD_LOST_H

#include "common.h"

/* A line, or a record {"type":"lost",…}, at the place in the stream where it was noticed. */
void kt_lost_print(const struct kt_run *run, const char *what, u32 cpu, u64 count);
/* "lost":{"total":…,"buffer":…,"missed":…,"cpus":[{"cpu":…,"count":…}]} */
void kt_lost_record(const struct kt_run *run, u64 buffer);
/* "; LOST 12 (CPU 0: 12): …" when anything was lost. */
void kt_lost_add(struct kt_str *s, const struct kt_run *run, u64 buffer);

#endif
