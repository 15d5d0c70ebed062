/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What a capture says besides its events: of the host, of its VMs, and of how it was recorded. */
#ifndef KT_CMD_RECORD_FACTS_H
#define KT_CMD_RECORD_FACTS_H

#include "../store/writer.h"
#include "common.h"

struct kt_capture_facts {
	struct kt_run *run;
	struct kt_writer *writer;
	u64 began;		   /* CLOCK_MONOTONIC ns: tracing had begun */
	struct kt_capture_vm *vms; /* by kt_vm_entry.id */
	size_t vm_count;
};

/* Facts "kvmtrace", "host", "facts" (doctor's), and those of the VMs that run. */
void kt_capture_facts_begin(struct kt_capture_facts *f);
/* An event of this process came, at ts: its VM's fact, if there is none yet. */
void kt_capture_facts_meet(struct kt_capture_facts *f, u32 tgid, u64 ts);
/* Fact "end", and VMs whose names became known later on. */
void kt_capture_facts_end(struct kt_capture_facts *f, u64 ended, u64 unpaired_entries);
void kt_capture_facts_fini(struct kt_capture_facts *f);

#endif
