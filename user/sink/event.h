/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Any event of a capture, decoded, for people and for programs. A kind or field of a later version is
 * shown as it is: name=value.
 */
#ifndef KT_SINK_EVENT_H
#define KT_SINK_EVENT_H

#include "../event/vm_table.h"
#include "../lib/str.h"
#include "../store/kinds.h"
#include "record.h"

struct kt_extra;

/*
 * One line with its line feed: "23:59:59.000000001 win11 vcpu0 cpu3 msr RDMSR 0x10 (IA32_TSC) = 0x1".
 * kind: KT_ROW_…; row: its struct.
 */
void kt_event_text(struct kt_str *s, u32 kind, const struct kt_row_common *row,
		   const struct kt_vm_entry *vm, u64 realtime_ns);
/*
 * {"type":"event","time":…,"ts_ns":…,"vm":{…},"vcpu":…,"cpu":…,"tid":…,"kind":…,"details":"the words of
 * the line"}; json also has "fields":{…}: all numbers, behind a code that has a name "…_name". r is of
 * the main type "event".
 */
void kt_event_record(struct kt_record *r, u32 kind, const struct kt_row_common *row,
		     const struct kt_vm_entry *vm, u64 realtime_ns);

/* The same with what the capture has besides (NULL: nothing); kind 0: row is but a kt_row_common. */
void kt_event_text_all(struct kt_str *s, u32 kind, const struct kt_row_common *row,
		       const struct kt_extra *extra, const struct kt_vm_entry *vm, u64 realtime_ns);
void kt_event_record_all(struct kt_record *r, u32 kind, const struct kt_row_common *row,
			 const struct kt_extra *extra, const struct kt_vm_entry *vm,
			 u64 realtime_ns);

#endif
