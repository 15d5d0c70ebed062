/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The VMs met while tracing, or those that a capture knows. Events carry a pid; the table gives it a
 * name, reading /proc the first time only, or the capture's facts (vm_facts.h). What it once handed
 * out stays valid until the table is freed: a VM that has gone keeps its name, and a recycled pid gets
 * an entry of its own.
 */
#ifndef KT_EVENT_VM_TABLE_H
#define KT_EVENT_VM_TABLE_H

#include "symbols.h"
#include "vm.h"

struct kt_vm_entry {
	unsigned int id; /* 0, 1, 2, … as they turned up; never given to another */
	u32 pid;	 /* thread group */
	/*
	 * Never NULL or empty; bytes as they were found: sinks sanitise. An entry may get another name,
	 * but what this once pointed to stays, and stays as it was: where it points to says it all.
	 */
	const char *name;
	const char *manager; /* as in struct kt_vm_identity */
	enum kt_vmm vmm;
	u64 start_time; /* as in struct kt_vm; 0 when /proc no longer had the process */
	bool gone;	/* kt_vm_table_gone() was told so, or /proc never had it */
	const struct kt_symbols *symbols; /* of its kernel; NULL: nobody asked for names */
};

struct kt_vm_table;

/*
 * More processes than this share one last entry: id KT_VM_TABLE_MAX, pid 0, name "others". It bounds
 * the memory that a user who starts and ends VMs all day can make a long trace take.
 */
#define KT_VM_TABLE_MAX 65536

struct kt_vm_table *kt_vm_table_new(const char *proc_root); /* "/proc" */
void kt_vm_table_free(struct kt_vm_table *table);

/*
 * The VM of a pid, or of any thread of it; never NULL. A hash lookup, on the path of every event.
 * Only an unknown pid is looked up in /proc, and, ten times a second at most, one whose process has
 * gone: the kernel may have given its number to another. A process that /proc doesn't have gets the
 * name told to kt_vm_table_note(), else "pid:N".
 */
const struct kt_vm_entry *kt_vm_table_get(struct kt_vm_table *table, u32 pid);

/* The entry with this id, as handed out before. */
const struct kt_vm_entry *kt_vm_table_by_id(const struct kt_vm_table *table, unsigned int id);

/* A name to fall back on: the kernel's comm of the process, which an event may carry. */
void kt_vm_table_note(struct kt_vm_table *table, u32 pid, const char *comm);

/* The process has ended: its number may be given to another from now on. */
void kt_vm_table_gone(struct kt_vm_table *table, u32 pid);

/*
 * The table of a capture: it knows the VMs that were added, and never reads /proc. Of VMs with one pid,
 * each is there from from_ns on, its first event's CLOCK_MONOTONIC; the first one from the start.
 * Unlike the VMs found in /proc, they are met before any event asks for them. Returns the new entry, or
 * "others" when the table is full. Names are copied, and cut at KT_VM_NAME_MAX; an empty name becomes
 * "pid:N"; manager may be NULL.
 */
struct kt_vm_table *kt_vm_table_new_recorded(void);
const struct kt_vm_entry *kt_vm_table_add(struct kt_vm_table *table, u32 pid, u64 from_ns,
					  const char *name, const char *manager, enum kt_vmm vmm,
					  u64 start_time);
/* kt_vm_table_at() where that does not know it yet. */
const struct kt_vm_entry *kt_vm_table_find_at(struct kt_vm_table *table, u32 pid, u64 ts);

/*
 * From now on entries have the symbols of the list, which must outlive the table, as do those that are
 * there. To be called before anything that was printed of a VM is remembered by its name.
 */
void kt_vm_table_set_symbols(struct kt_vm_table *table, const struct kt_symbols_list *symbols);

/* The entry's name matches a shell pattern (fnmatch(3): * ? [a-z] \). */
bool kt_vm_entry_matches(const struct kt_vm_entry *entry, const char *glob);

/*
 * What every table begins with: the pid asked for last, and its VM; NULL at first. Of a recorded table,
 * the pid, and the times from which on and before which it meant that VM.
 */
struct kt_vm_table_last {
	const struct kt_vm_entry *entry;
	u32 pid;
	u32 pid_at;
	const struct kt_vm_entry *entry_at;
	u64 from, until;
};

/* The same VM as kt_vm_table_get(), or NULL when that has to be asked: calls nothing. */
static inline const struct kt_vm_entry *kt_vm_table_again(const struct kt_vm_table *table, u32 pid)
{
	const struct kt_vm_table_last *last = (const struct kt_vm_table_last *)table;

	/* A pid gets another VM only when its own has gone. */
	return last->pid == pid && last->entry && !last->entry->gone ? last->entry : NULL;
}

/*
 * The VM that a pid meant at a time, never NULL: of a recorded table the one that was there then, or
 * "pid:N"; of another the same as kt_vm_table_get(), which of a recorded one is the last with that pid.
 */
static inline const struct kt_vm_entry *kt_vm_table_at(struct kt_vm_table *table, u32 pid, u64 ts)
{
	const struct kt_vm_table_last *last = (const struct kt_vm_table_last *)table;

	if (last->pid_at == pid && ts >= last->from && ts < last->until)
		return last->entry_at;
	return kt_vm_table_find_at(table, pid, ts);
}

#endif
