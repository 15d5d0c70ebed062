/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What a capture says about a VM: a fact, which is a JSON object.
 *
 *	pid, start_time	 as in struct kt_vm_entry
 *	from_ns		 CLOCK_MONOTONIC of its first event
 *	name		 bytes; where they are no UTF-8, name_hex has them
 *	manager		 "libvirt", …, or null
 *	vmm		 "qemu", …, "other"
 * and, while its process is still there:
 *	cgroup		 path, or null
 *	cmdline		 array of the arguments, without secrets (secrets.h); each byte that is no UTF-8 is
 *			 U+FFFD here
 *	cmdline_cut	 true: it had more
 *	version		 of the VMM: what stands in its program, or null
 *	program		 {"path", "size", "build_id" or null}, or null where it may not be read
 */
#ifndef KT_EVENT_VM_FACTS_H
#define KT_EVENT_VM_FACTS_H

#include "../lib/str.h"
#include "vm_table.h"

/* The fact's text, malloced; appends its name, "vm.PID.START". Looks at /proc once more. */
char *kt_vm_fact(const struct kt_vm_entry *vm, u64 from_ns, struct kt_str *name);
/* The same with a /proc elsewhere. */
char *kt_vm_fact_from(const char *proc_root, const struct kt_vm_entry *vm, u64 from_ns,
		      struct kt_str *name);

/* Adds the VM of a fact of n bytes. Returns 0, or -EBADMSG when it is none: nothing was added then. */
int kt_vm_fact_take(struct kt_vm_table *table, const char *text, size_t n);

#endif
