/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What an injected exception looks like, for people and for programs. */
#ifndef KT_SINK_EXCEPTION_H
#define KT_SINK_EXCEPTION_H

#include "../../bpf/shared/event.h"
#include "../event/vm_table.h"
#include "../lib/str.h"
#include "record.h"

/* Lines for out, and what is remembered of those before: no longer than the table of VMs is there. */
struct kt_exception_lines;
struct kt_exception_lines *kt_exception_lines_new(struct kt_out *out);
void kt_exception_lines_free(struct kt_exception_lines *l);
/* Hands out one line with its line feed. realtime_ns: when it happened, CLOCK_REALTIME. */
void kt_exception_line(struct kt_exception_lines *l, const struct kt_exception *e,
		       const struct kt_vm_entry *vm, u64 realtime_ns);
/* The line itself. */
void kt_exception_text(struct kt_str *s, const struct kt_exception *e, const struct kt_vm_entry *vm,
		       u64 realtime_ns, bool colour);
/* The part of it that says what led to the exception, " after RDMSR 0x… (…)"; nothing if not known. */
void kt_exception_cause(struct kt_str *s, const struct kt_exception *e);
/* What stands behind the vCPU there, beginning with a blank. */
void kt_exception_words(struct kt_str *s, const struct kt_exception *e,
			const struct kt_vm_entry *vm, bool colour);
/* r is of the main type "exception", and outlives not the table of VMs either. */
void kt_exception_record(struct kt_record *r, const struct kt_exception *e,
			 const struct kt_vm_entry *vm, u64 realtime_ns);

#endif
