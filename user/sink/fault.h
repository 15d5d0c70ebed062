/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What a guest memory fault looks like, for people and for programs. */
#ifndef KT_SINK_FAULT_H
#define KT_SINK_FAULT_H

#include "../../bpf/shared/event.h"
#include "../event/vm_table.h"
#include "../lib/str.h"
#include "record.h"

/* Lines for out, and what is remembered of those before: no longer than the table of VMs is there. */
struct kt_fault_lines;
struct kt_fault_lines *kt_fault_lines_new(struct kt_out *out);
void kt_fault_lines_free(struct kt_fault_lines *l);
/* Hands out one line with its line feed. realtime_ns: when the guest went on, CLOCK_REALTIME. */
void kt_fault_line(struct kt_fault_lines *l, const struct kt_fault *f, const struct kt_vm_entry *vm,
		   u64 realtime_ns);
/* The line itself. */
void kt_fault_text(struct kt_str *s, const struct kt_fault *f, const struct kt_vm_entry *vm,
		   u64 realtime_ns);
/* What stands behind the vCPU there, beginning with a blank. */
void kt_fault_words(struct kt_str *s, const struct kt_fault *f, const struct kt_vm_entry *vm);
/* r is of the main type "fault", and outlives not the table of VMs either. */
void kt_fault_record(struct kt_record *r, const struct kt_fault *f, const struct kt_vm_entry *vm,
		     u64 realtime_ns);

#endif
