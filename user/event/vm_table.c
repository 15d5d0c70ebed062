/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* VMs: a hash table from pid to entry, open addressing, nothing removed. */
#include <fnmatch.h>
#include <stdint.h>
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
	char *manager;		  /* owned, of a recorded VM that has one */
	u64 from_ns;		  /* of a recorded VM */
};

/* The recorded VMs of a pid. There may be many, and a hostile capture has them in any order. */
struct history {
	struct vm **vms;
	size_t count;
	bool sorted; /* by from_ns; of the same, the one added later comes later */
};

/* A pid that was asked for or noted; threads' slots share their process's VM. */
struct slot {
	u32 pid;
	bool used;
	char comm[FALLBACK_SIZE]; /* as noted, or empty */
	struct vm *vm;		  /* NULL: noted only, or recorded */
	struct history *history;  /* NULL: nothing was recorded */
};

struct kt_vm_table {
	struct kt_vm_table_last last; /* the first, for kt_vm_table_again() */
	char *proc_root;	      /* NULL: recorded */
	struct slot *slots;
	size_t slot_count, used;
	struct vm **vms; /* by id */
	size_t vm_count;
	struct vm others;
	const struct kt_symbols_list *symbols;
};

static u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (u64)ts.tv_sec * KT_NSEC_PER_SEC + (u64)ts.tv_nsec;
}

struct kt_vm_table *kt_vm_table_new_recorded(void)
{
	struct kt_vm_table *table = kt_alloc(sizeof(*table));

	table->slot_count = FIRST_SLOTS;
	table->slots = kt_alloc(table->slot_count * sizeof(*table->slots));
	snprintf(table->others.fallback, FALLBACK_SIZE, "others");
	table->others.entry.id = KT_VM_TABLE_MAX;
	table->others.entry.name = table->others.fallback;
	return table;
}

struct kt_vm_table *kt_vm_table_new(const char *proc_root)
{
	struct kt_vm_table *table = kt_vm_table_new_recorded();

	table->proc_root = kt_strdup(proc_root);
	return table;
}

void kt_vm_table_free(struct kt_vm_table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->vm_count; i++) {
		free(table->vms[i]->name);
		free(table->vms[i]->manager);
		free(table->vms[i]);
	}
	for (size_t i = 0; i < table->slot_count; i++) {
		if (table->slots[i].history)
			free(table->slots[i].history->vms);
		free(table->slots[i].history);
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

static void set_name(const struct kt_vm_table *table, struct vm *vm, const char *name)
{
	vm->entry.name = name;
	vm->entry.symbols = kt_symbols_of(table->symbols, name);
}

void kt_vm_table_set_symbols(struct kt_vm_table *table, const struct kt_symbols_list *symbols)
{
	table->symbols = symbols;
	for (size_t i = 0; i < table->vm_count; i++)
		set_name(table, table->vms[i], table->vms[i]->entry.name);
	set_name(table, &table->others, table->others.entry.name);
}

static void name_by_comm(const struct kt_vm_table *table, struct vm *vm, const struct slot *slot)
{
	memcpy(vm->comm, slot->comm, FALLBACK_SIZE);
	set_name(table, vm, vm->comm);
}

static void name_by_pid(const struct kt_vm_table *table, struct vm *vm)
{
	snprintf(vm->fallback, FALLBACK_SIZE, "pid:%u", vm->entry.pid);
	set_name(table, vm, vm->fallback);
}

/* An entry for a process that /proc doesn't have. */
static struct vm *add_unknown(struct kt_vm_table *table, const struct slot *slot)
{
	struct vm *vm = add_vm(table, slot->pid);

	if (vm == &table->others)
		return vm;
	vm->entry.gone = true;
	if (*slot->comm)
		name_by_comm(table, vm, slot);
	else
		name_by_pid(table, vm);
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
	set_name(table, vm, vm->name);
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

/* ---- recorded ---- */

static char *dup_cut(const char *s)
{
	size_t n = strnlen(s, KT_VM_NAME_MAX);
	char *copy = kt_alloc(n + 1);

	memcpy(copy, s, n);
	return copy;
}

const struct kt_vm_entry *kt_vm_table_add(struct kt_vm_table *table, u32 pid, u64 from_ns,
					  const char *name, const char *manager, enum kt_vmm vmm,
					  u64 start_time)
{
	struct slot *slot = insert(table, pid);
	struct vm *vm = slot ? add_vm(table, pid) : &table->others;
	struct history *h;

	if (vm == &table->others)
		return &vm->entry;
	if (*name) {
		vm->name = dup_cut(name);
		set_name(table, vm, vm->name);
	} else {
		name_by_pid(table, vm);
	}
	if (manager)
		vm->entry.manager = vm->manager = dup_cut(manager);
	vm->entry.vmm = vmm;
	vm->entry.start_time = start_time;
	vm->from_ns = from_ns;
	if (!slot->history)
		slot->history = kt_alloc(sizeof(*slot->history));
	h = slot->history;
	h->vms = kt_grow(h->vms, h->count, sizeof(struct vm *));
	h->sorted = !h->count || (h->sorted && h->vms[h->count - 1]->from_ns <= from_ns);
	h->vms[h->count++] = vm;
	table->last.until = 0; /* what was known of this pid may have changed */
	return &vm->entry;
}

static int earlier(const void *left, const void *right)
{
	const struct vm *a = *(struct vm *const *)left, *b = *(struct vm *const *)right;

	if (a->from_ns != b->from_ns)
		return a->from_ns < b->from_ns ? -1 : 1;
	return a->entry.id < b->entry.id ? -1 : 1;
}

/* How many of them began not after ts. */
static size_t begun(struct history *h, u64 ts)
{
	size_t low = 0, high = h->count;

	if (!h->sorted)
		qsort(h->vms, h->count, sizeof(struct vm *), earlier);
	h->sorted = true;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (h->vms[middle]->from_ns <= ts)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct kt_vm_entry *kt_vm_table_find_at(struct kt_vm_table *table, u32 pid, u64 ts)
{
	struct kt_vm_table_last *last = &table->last;
	struct history *h;
	size_t i;

	if (table->proc_root)
		return kt_vm_table_get(table, pid);
	h = find(table, pid)->history;
	last->pid_at = pid;
	last->from = 0;
	last->until = UINT64_MAX;
	if (!h) {
		last->entry_at = kt_vm_table_get(table, pid);
		return last->entry_at;
	}
	i = begun(h, ts);
	if (i)
		i--;
	if (i)
		last->from = h->vms[i]->from_ns;
	if (i + 1 < h->count)
		last->until = h->vms[i + 1]->from_ns;
	last->entry_at = &h->vms[i]->entry;
	return last->entry_at;
}

/* Of a pid that is not looked up by time. */
static struct vm *recorded(struct kt_vm_table *table, u32 pid)
{
	struct slot *slot = insert(table, pid);

	if (!slot)
		return &table->others;
	if (slot->history)
		return slot->history->vms[begun(slot->history, UINT64_MAX) - 1];
	if (!slot->vm)
		slot->vm = add_unknown(table, slot);
	return slot->vm;
}

/* ---- from /proc ---- */

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

	if (!table->proc_root)
		return &recorded(table, pid)->entry;
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
		name_by_comm(table, slot->vm, slot);
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
