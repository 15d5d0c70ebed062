/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What an injected exception looks like, for people and for programs. */
#ifndef KT_SINK_EXCEPTION_H
#define KT_SINK_EXCEPTION_H

#include "../../bpf/shared/event.h"
#include "../event/vm_table.h"
#include "../lib/str.h"
#include "record.h"

/* One line with its line feed. realtime_ns: when it happened, CLOCK_REALTIME. */
void kt_exception_text(struct kt_str *s, const struct kt_exception *e, const struct kt_vm_entry *vm,
		       u64 realtime_ns, bool colour);
void kt_exception_record(struct kt_record *r, const struct kt_exception *e,
			 const struct kt_vm_entry *vm, u64 realtime_ns);

#endif
