/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A capture as a Perfetto trace: TrackEvents in protobuf, a process for each VM, a track for each vCPU,
 * exits as slices, what happened during them as instants, rates as counters. Events may come in any
 * order; memory does not depend on their number.
 */
#ifndef KT_EXPORT_PERFETTO_H
#define KT_EXPORT_PERFETTO_H

#include "../event/vm_table.h"
#include "../lib/out.h"
#include "../store/kinds.h"
#include "../store/reader.h"

struct kt_perfetto;

/* clocks: the capture's, so that wall-clock time can be shown. VMs outlive what this returns. */
struct kt_perfetto *kt_perfetto_new(struct kt_out *out, const struct kt_clock *clocks, u32 count);
/* A row of a kind (enum kt_row, not 0) and its VM. */
void kt_perfetto_event(struct kt_perfetto *p, u32 kind, const struct kt_row_common *row,
		       const struct kt_vm_entry *vm);
/* A place in the capture that could not be read. */
void kt_perfetto_gap(struct kt_perfetto *p, const struct kt_gap *gap);
/* After the last event: writes the counters, and all that has not been handed to out yet. */
void kt_perfetto_end(struct kt_perfetto *p);
void kt_perfetto_free(struct kt_perfetto *p);

#endif
