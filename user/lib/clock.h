/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef KT_LIB_CLOCK_H
#define KT_LIB_CLOCK_H

#include "util.h"

/* CLOCK_MONOTONIC in ns: what bpf_ktime_get_ns() reads. */
u64 kt_monotonic_ns(void);
/* What to add to CLOCK_MONOTONIC ns to get CLOCK_REALTIME ns. */
s64 kt_realtime_offset_ns(void);

#endif
