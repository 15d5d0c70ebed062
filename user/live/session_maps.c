/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Reading, and giving back, what the programs keep in their maps. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "../lib/log.h"
#include "session_priv.h"
#include "kvmtrace.skel.h" /* needs the shared types */

int kt_session_notices_fd(const struct kt_session *s)
{
	return s->skel && s->plan.uses_slots ? bpf_map__fd(s->skel->maps.notices) : -1;
}

int kt_session_ring_fd(const struct kt_session *s, u32 cpu)
{
	return s->rings ? s->rings[cpu] : -1;
}

u32 kt_session_cpus(const struct kt_session *s)
{
	return s->facts.cpus;
}

u64 kt_session_lost(const struct kt_session *s, u32 cpu)
{
	u64 now = s->cpu_lost ? __atomic_load_n(&s->cpu_lost[cpu], __ATOMIC_RELAXED) : 0;

	return s->past_lost[cpu] + now;
}

const struct kt_counters *kt_session_counters(struct kt_session *s)
{
	const u64 *now = s->skel ? (const u64 *)&s->skel->bss->counters : NULL;
	const u64 *past = (const u64 *)&s->past;
	u64 *total = (u64 *)&s->total;

	_Static_assert(sizeof(s->total) % sizeof(u64) == 0, "nothing but numbers");
	for (size_t i = 0; i < sizeof(s->total) / sizeof(u64); i++)
		total[i] = past[i] + (now ? __atomic_load_n(&now[i], __ATOMIC_RELAXED) : 0);
	return &s->total;
}

u64 kt_session_missed(const struct kt_session *s)
{
	u64 missed = s->past_missed;
	struct bpf_program *prog;

	if (!s->skel)
		return missed;
	bpf_object__for_each_program(prog, s->skel->obj)
	{
		int index = kt_program_find(bpf_program__name(prog));
		struct bpf_prog_info info = {};
		u32 len = sizeof(info);
		int fd = bpf_program__fd(prog);

		if (index < 0 || kt_programs[index].helps)
			continue;
		if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &len))
			missed += info.recursion_misses;
	}
	return missed;
}

u32 kt_session_slots(const struct kt_session *s)
{
	return s->skel && s->plan.uses_slots ? s->slots : 0;
}

const struct kt_vcpu *kt_session_vcpu(const struct kt_session *s, u32 slot)
{
	return &s->vcpus[slot];
}

void kt_session_mute(struct kt_session *s, u32 slot)
{
	if (slot && slot < s->slots)
		__atomic_store_n(&s->vcpus[slot].muted, 1, __ATOMIC_RELAXED);
}

/* Clears the histograms of a slot and returns their numbers to the pool. */
static void release_cells(struct kt_session *s, const struct kt_vcpu *v)
{
	struct kt_cell *zeros = kt_alloc(sizeof(*zeros));

	for (size_t i = 0; i < KT_REASONS; i++) {
		u32 number = v->cells[i];

		if (number >= KT_CELLS) {
			bpf_map_delete_elem(bpf_map__fd(s->skel->maps.more_cells), &number);
		} else if (number != KT_NO_CELL) {
			bpf_map_update_elem(bpf_map__fd(s->skel->maps.cells), &number, zeros,
					    BPF_ANY);
			bpf_map_update_elem(bpf_map__fd(s->skel->maps.free_cells), NULL, &number,
					    BPF_ANY);
		}
	}
	free(zeros);
}

void kt_session_release(struct kt_session *s, u32 slot)
{
	struct kt_vcpu *v = &s->vcpus[slot];
	u64 vcpu = v->vcpu;
	u32 holder;

	if (!vcpu)
		return;
	if (s->plan.uses_cells)
		release_cells(s, v);
	if (!bpf_map_lookup_elem(bpf_map__fd(s->skel->maps.vcpu_slots), &vcpu, &holder) &&
	    holder == slot)
		bpf_map_delete_elem(bpf_map__fd(s->skel->maps.vcpu_slots), &vcpu);
	memset(v, 0, sizeof(*v));
	if (!bpf_map_update_elem(bpf_map__fd(s->skel->maps.free_slots), NULL, &slot, BPF_ANY))
		__atomic_fetch_sub(&s->skel->bss->counters.slots_taken, 1, __ATOMIC_RELAXED);
}

/* ---- exits ---- */

u32 kt_session_next_epoch(struct kt_session *s)
{
	if (s->skel)
		__atomic_store_n(&s->skel->data->control.epoch, s->epoch + 1, __ATOMIC_SEQ_CST);
	return s->epoch++;
}

u32 kt_session_epoch(const struct kt_session *s)
{
	return s->epoch;
}

static int cells_map(const struct kt_session *s, u32 number)
{
	return bpf_map__fd(number < KT_CELLS ? s->skel->maps.cells : s->skel->maps.more_cells);
}

void kt_session_each_cell_of(struct kt_session *s, u32 slot, kt_cell_fn fn, void *ctx)
{
	struct kt_cell *cell = kt_alloc(sizeof(*cell));

	for (size_t i = 0; i < KT_REASONS; i++) {
		u32 number = s->vcpus[slot].cells[i];

		if (number != KT_NO_CELL &&
		    !bpf_map_lookup_elem(cells_map(s, number), &number, cell) && cell->slot == slot)
			fn(ctx, cell);
	}
	free(cell);
}

/* By the vCPUs' own lists: the maps have room for many more than there are. */
void kt_session_each_cell(struct kt_session *s, kt_cell_fn fn, void *ctx)
{
	for (u32 slot = 1; slot < kt_session_slots(s); slot++)
		if (s->vcpus[slot].vcpu)
			kt_session_each_cell_of(s, slot, fn, ctx);
}

/* ---- faults ---- */

static void each_near_region(const struct kt_session *s, kt_region_fn fn, void *ctx)
{
	for (u32 i = 0; i < KT_NEAR_REGIONS; i++)
		if (s->near_regions[i].key.tgid)
			fn(ctx, &s->near_regions[i].key, &s->near_regions[i].sums);
}

int kt_session_each_region(struct kt_session *s, kt_region_fn fn, void *ctx)
{
	struct kt_region_key key, next, *at = NULL;
	struct kt_region region;
	int fd;

	if (!s->skel)
		return 0;
	each_near_region(s, fn, ctx);
	fd = bpf_map__fd(s->skel->maps.far_regions);
	while (!bpf_map_get_next_key(fd, at, &next)) {
		if (!bpf_map_lookup_elem(fd, &next, &region))
			fn(ctx, &next, &region);
		key = next;
		at = &key;
	}
	return errno == ENOENT ? 0 : -errno;
}

const struct kt_pending_fault *kt_session_pending_fault(const struct kt_session *s, u32 slot)
{
	const struct kt_vcpu *v = &s->vcpus[slot];

	return v->vcpu && !v->muted && v->fault.pending ? &v->fault : NULL;
}

struct kt_fault kt_fault_unfinished(const struct kt_vcpu *v, const struct kt_pending_fault *p)
{
	return (struct kt_fault) {
		.head = { .ts = p->ts,
			  .kind = KT_KIND_FAULT,
			  .tgid = v->tgid,
			  .tid = v->tid,
			  .vcpu_id = v->vcpu_id },
		.address = p->address,
		.error_code = p->error_code,
		.rip = p->rip,
		.exit_code = p->exit_code,
		.isa = p->isa,
		.flags = p->isa ? KT_FAULT_EXIT : 0,
	};
}

/* ---- vms ---- */

int kt_session_each_vcpu(struct kt_session *s, kt_vcpu_found_fn fn, void *ctx)
{
	struct bpf_link *link = NULL;
	struct kt_vcpu_found found;
	size_t have = 0;
	ssize_t n = 0;
	int fd;

	for (u32 i = 0; i < kt_program_count; i++)
		if (kt_programs[i].kind == KT_ON_FILES)
			link = s->links[i];
	fd = link ? bpf_iter_create(bpf_link__fd(link)) : -1;
	if (fd < 0)
		return -errno;
	while ((n = read(fd, (char *)&found + have, sizeof(found) - have)) > 0 ||
	       (n < 0 && errno == EINTR)) {
		have += n > 0 ? n : 0;
		if (have == sizeof(found)) {
			fn(ctx, &found);
			have = 0;
		}
	}
	close(fd);
	return n < 0 ? -EIO : 0;
}

struct alive {
	u64 *vcpus;
	size_t count;
};

static void add_alive(void *ctx, const struct kt_vcpu_found *found)
{
	struct alive *alive = ctx;

	alive->vcpus = kt_grow(alive->vcpus, alive->count, sizeof(*alive->vcpus));
	alive->vcpus[alive->count++] = found->vcpu;
}

static int by_address(const void *left, const void *right)
{
	const u64 *a = left, *b = right;

	return (*a > *b) - (*a < *b);
}

/* A vCPU lives on in the slot that its address leads to; older slots of the address are history. */
static bool is_alive(struct kt_session *s, const struct alive *alive, u32 slot)
{
	u64 vcpu = s->vcpus[slot].vcpu;
	u32 holder = 0;

	bpf_map_lookup_elem(bpf_map__fd(s->skel->maps.vcpu_slots), &vcpu, &holder);
	return holder == slot && alive->count &&
	       bsearch(&vcpu, alive->vcpus, alive->count, sizeof(vcpu), by_address);
}

void kt_session_collect(struct kt_session *s, void (*drain)(void *ctx), kt_slot_fn gone, void *ctx)
{
	const u64 *taken = &s->skel->bss->counters.slots_taken;
	struct alive alive = {};
	u32 *seen;

	if (__atomic_load_n(taken, __ATOMIC_RELAXED) < s->collect_at)
		return;
	/* Which slots are in use must be known before who is alive: a younger one is spared. */
	seen = kt_alloc(s->slots * sizeof(*seen));
	for (u32 slot = 1; slot < s->slots; slot++)
		seen[slot] = s->vcpus[slot].vcpu != 0;
	if (!kt_session_each_vcpu(s, add_alive, &alive)) {
		if (alive.count)
			qsort(alive.vcpus, alive.count, sizeof(*alive.vcpus), by_address);
		for (u32 slot = 1; slot < s->slots; slot++)
			seen[slot] = seen[slot] && !is_alive(s, &alive, slot);
		drain(ctx);
		for (u32 slot = 1; slot < s->slots; slot++) {
			if (!seen[slot])
				continue;
			gone(ctx, slot);
			kt_session_release(s, slot);
		}
	}
	/* Next time when half of what is free now has been taken. */
	s->collect_at = (*taken + s->slots) / 2;
	free(seen);
	free(alive.vcpus);
}

/* ---- KVM goes and comes back ---- */

void kt_session_keep_counts(struct kt_session *s)
{
	const struct kt_counters *all = kt_session_counters(s);

	s->past_missed = kt_session_missed(s);
	for (u32 cpu = 0; cpu < s->facts.cpus; cpu++)
		s->past_lost[cpu] = kt_session_lost(s, cpu);
	s->past = *all;
}

/* ---- what it costs ---- */

static u64 map_bytes(int fd)
{
	char path[64], line[128];
	u64 bytes = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "memlock:\t%llu", &bytes) == 1)
			break;
	if (f)
		fclose(f);
	return bytes;
}

void kt_session_describe(const struct kt_session *s)
{
	struct bpf_map *map;
	u64 bytes = 0;

	for (u32 i = 0; i < kt_program_count; i++)
		if (s->plan.programs >> i & 1)
			kt_info("program %s on %s", kt_programs[i].name,
				kt_programs[i].tracepoint < 0
					? "open files"
					: kt_tracepoint_name(kt_programs[i].tracepoint));
	bpf_object__for_each_map(map, s->skel->obj)
	{
		/* Hash tables take memory as they fill; the kernel only tells what they may take. */
		if (bpf_map__fd(map) >= 0 && !(bpf_map__map_flags(map) & BPF_F_NO_PREALLOC))
			bytes += map_bytes(bpf_map__fd(map));
	}
	for (u32 cpu = 0; s->rings && cpu < s->facts.cpus; cpu++)
		bytes += map_bytes(s->rings[cpu]);
	kt_info("%llu KiB of kernel memory in maps, room for %u vCPUs", bytes / 1024,
		s->slots ? s->slots - 1 : 0);
	if (s->plan.preallocates)
		return;
	if (s->plan.uses_cells)
		kt_info("beyond %u pairs of vCPU and reason, %zu bytes more for each", KT_CELLS - 1,
			sizeof(struct kt_cell));
	if (s->plan.uses_regions)
		kt_info("beyond %u regions, %zu bytes more for each", KT_NEAR_REGIONS,
			sizeof(struct kt_region));
}
