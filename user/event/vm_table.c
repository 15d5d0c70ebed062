/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The VMs met while tracing: a hash table from pid to entry, open addressing, nothing removed. */
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vm_table.h"

#define FIRST_SLOTS 64u /* a power of two */
#define RETRY_NS    (KT_NSEC_PER_SEC / 10)

/* Room for a task's comm, and for "pid:4294967295". */
#define FALLBACK_SIZE 16

struct vm {
	struct kt_vm_entry entry;
	char *name;		      /* owned; NULL when the name is one of the next two */
	char fallback[FALLBACK_SIZE]; /* the pid, … */
	char comm[FALLBACK_SIZE]; /* … or what the kernel calls the process, which may come later */
	u64 retry_ns;		  /* of a process that has gone: when to ask /proc again */
};

/* A pid that was asked for or noted; threads' slots share their process's VM. */
struct slot {
	u32 pid;
	bool used;
	char comm[FALLBACK_SIZE]; /* as noted, or empty */
	struct vm *vm;		  /* NULL: noted only */
};

struct kt_vm_table {
	struct kt_vm_table_last last; /* the first, for kt_vm_table_again() */
	char *proc_root;
	struct slot *slots;
	size_t slot_count, used;
	struct vm **vms; /* by id */
	size_t vm_count;
	struct vm others;
};

static u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (u64)ts.tv_sec * KT_NSEC_PER_SEC + (u64)ts.tv_nsec;
}

struct kt_vm_table *kt_vm_table_new(const char *proc_root)
{
	struct kt_vm_table *table = kt_alloc(sizeof(*table));

	table->proc_root = kt_strdup(proc_root);
	table->slot_count = FIRST_SLOTS;
	table->slots = kt_alloc(table->slot_count * sizeof(*table->slots));
	snprintf(table->others.fallback, FALLBACK_SIZE, "others");
	table->others.entry.id = KT_VM_TABLE_MAX;
	table->others.entry.name = table->others.fallback;
	return table;
}

void kt_vm_table_free(struct kt_vm_table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->vm_count; i++) {
		free(table->vms[i]->name);
		free(table->vms[i]);
	}
	free(table->vms);
	free(table->slots);
	free(table->proc_root);
	free(table);
}

/* The slot of a pid, or the free one where it belongs. There always is a free one. */
static struct slot *find(const struct kt_vm_table *table, u32 pid)
{
	size_t mask = table->slot_count - 1;
	/* Fibonacci hashing: neighbouring pids are the rule, and spread well. */
	size_t i = (size_t)((pid * 0x9e3779b97f4a7c15ull) >> 32) & mask;

	while (table->slots[i].used && table->slots[i].pid != pid)
		i = (i + 1) & mask;
	return &table->slots[i];
}

static void rehash(struct kt_vm_table *table)
{
	struct slot *old = table->slots;
	size_t count = table->slot_count;

	table->slot_count *= 2;
	table->slots = kt_alloc(table->slot_count * sizeof(*table->slots));
	for (size_t i = 0; i < count; i++) {
		if (old[i].used)
			*find(table, old[i].pid) = old[i];
	}
	free(old);
}

/* Finds or makes the slot; NULL when the table is full. Slots found earlier are void afterwards. */
static struct slot *insert(struct kt_vm_table *table, u32 pid)
{
	struct slot *slot = find(table, pid);

	if (slot->used)
		return slot;
	if (table->used == KT_VM_TABLE_MAX)
		return NULL;
	if (2 * (table->used + 1) > table->slot_count) {
		rehash(table);
		slot = find(table, pid);
	}
	slot->used = true;
	slot->pid = pid;
	table->used++;
	return slot;
}

/* The table's own last entry when it is full. */
static struct vm *add_vm(struct kt_vm_table *table, u32 pid)
{
	size_t n = table->vm_count;
	struct vm *vm;

	if (n == KT_VM_TABLE_MAX)
		return &table->others;
	table->vms = kt_grow(table->vms, n, sizeof(struct vm *));
	vm = kt_alloc(sizeof(*vm));
	vm->entry.id = (unsigned int)n;
	vm->entry.pid = pid;
	vm->entry.name = vm->fallback;
	table->vms[table->vm_count++] = vm;
	return vm;
}

static void name_by_comm(struct vm *vm, const struct slot *slot)
{
	memcpy(vm->comm, slot->comm, FALLBACK_SIZE);
	vm->entry.name = vm->comm;
}

/* An entry for a process that /proc doesn't have. */
static struct vm *add_unknown(struct kt_vm_table *table, const struct slot *slot)
{
	struct vm *vm = add_vm(table, slot->pid);

	if (vm == &table->others)
		return vm;
	vm->entry.gone = true;
	if (*slot->comm)
		name_by_comm(vm, slot);
	else
		snprintf(vm->fallback, FALLBACK_SIZE, "pid:%u", slot->pid);
	return vm;
}

/* An entry for what /proc said. */
static struct vm *add_known(struct kt_vm_table *table, struct kt_vm *read)
{
	struct vm *vm = add_vm(table, read->pid);

	if (vm == &table->others)
		return vm;
	vm->name = read->identity.name;
	read->identity.name = NULL;
	vm->entry.name = vm->name;
	vm->entry.vmm = read->identity.vmm;
	vm->entry.manager = read->identity.manager;
	vm->entry.start_time = read->start_time;
	return vm;
}

static void mark_gone(struct kt_vm_table *table, struct vm *vm)
{
	if (vm && vm != &table->others)
		vm->entry.gone = true;
}

/* The VM of a process just read, known already perhaps from another of its threads. */
static struct vm *adopt(struct kt_vm_table *table, struct kt_vm *read)
{
	struct slot *leader = insert(table, read->pid);

	if (!leader)
		return &table->others;
	if (!leader->vm || leader->vm->entry.start_time != read->start_time) {
		mark_gone(table, leader->vm);
		leader->vm = add_known(table, read);
	}
	return leader->vm;
}

/* Reads /proc for a pid without entry, or whose process has gone. */
static struct vm *resolve(struct kt_vm_table *table, u32 pid)
{
	struct slot *slot = insert(table, pid);
	struct kt_vm read;
	struct vm *vm;

	if (!slot)
		return &table->others;
	if (kt_vm_read(table->proc_root, pid, &read)) {
		if (!slot->vm)
			slot->vm = add_unknown(table, slot);
		return slot->vm;
	}
	vm = adopt(table, &read);
	find(table, pid)->vm = vm; /* adopt() may have moved the slot */
	kt_vm_fini(&read);
	return vm;
}

static struct vm *look_up(struct kt_vm_table *table, u32 pid)
{
	struct vm *vm = find(table, pid)->vm;
	u64 now;

	if (vm && !vm->entry.gone)
		return vm;
	now = now_ns();
	if (vm && now < vm->retry_ns)
		return vm;
	vm = resolve(table, pid);
	if (vm->entry.gone)
		vm->retry_ns = now + RETRY_NS;
	return vm;
}

const struct kt_vm_entry *kt_vm_table_get(struct kt_vm_table *table, u32 pid)
{
	const struct kt_vm_entry *entry = kt_vm_table_again(table, pid);

	if (!entry) {
		entry = &look_up(table, pid)->entry;
		table->last.entry = entry;
		table->last.pid = pid;
	}
	return entry;
}

void kt_vm_table_note(struct kt_vm_table *table, u32 pid, const char *comm)
{
	struct slot *slot = *comm ? insert(table, pid) : NULL;

	if (!slot)
		return;
	snprintf(slot->comm, FALLBACK_SIZE, "%s", comm);
	if (slot->vm && slot->vm != &table->others && slot->vm->entry.name == slot->vm->fallback)
		name_by_comm(slot->vm, slot);
}

void kt_vm_table_gone(struct kt_vm_table *table, u32 pid)
{
	mark_gone(table, find(table, pid)->vm);
}

const struct kt_vm_entry *kt_vm_table_by_id(const struct kt_vm_table *table, unsigned int id)
{
	return id < table->vm_count ? &table->vms[id]->entry : &table->others.entry;
}

bool kt_vm_entry_matches(const struct kt_vm_entry *entry, const char *glob)
{
	return !fnmatch(glob, entry->name, 0);
}
