/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The BPF object of a session: made to the plan's measure, loaded, and taken apart. */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "../lib/log.h"
#include "session_priv.h"
#include "kvmtrace.skel.h"
#include "kvmtrace_cast.skel.h" /* needs the shared types */

#define MIN_VCPUS	   1024
#define VCPUS_PER_CPU	   8
#define FAR_REGIONS	   65536
#define NEAR_REGIONS_BYTES (KT_NEAR_REGIONS * sizeof(struct kt_near_region))
#define RAW_MORE_CELLS	   4096
#define RAW_FAR_REGIONS	   16384
#define RING_TOTAL_KIB	   (64 * 1024)
#define RING_MIN_KIB	   64
#define RING_MAX_KIB	   1024

static u32 round_up_pow2(u32 v)
{
	u32 p = 1;

	while (p < v && p < 1u << 31)
		p <<= 1;
	return p;
}

static u32 ring_bytes(const struct kt_session *s)
{
	u32 kib = s->opts.ring_kib;

	if (!kib) {
		kib = RING_TOTAL_KIB / s->facts.cpus;
		kib = kib < RING_MIN_KIB ? RING_MIN_KIB : kib > RING_MAX_KIB ? RING_MAX_KIB : kib;
	}
	return round_up_pow2(kib * 1024);
}

/* Maps that this view doesn't use are not made at all. */
static void size_maps(struct kt_session *s)
{
	const struct kt_plan *p = &s->plan;
	struct kvmtrace_bpf *skel = s->skel;
	u32 slots = s->slots, cpus = s->facts.cpus;
	const struct {
		struct bpf_map *map;
		bool used;
		u32 entries;
	} maps[] = {
		{ skel->maps.vcpus, p->uses_slots, slots },
		{ skel->maps.vcpu_slots, p->uses_slots, 4 * slots },
		{ skel->maps.free_slots, p->uses_slots, slots },
		{ skel->maps.notices, p->uses_slots, round_up_pow2(slots * 64 * 2) },
		{ skel->maps.rings, p->uses_rings, cpus },
		{ skel->maps.cpu_lost, p->uses_rings, cpus },
		{ skel->maps.cells, p->uses_cells, KT_CELLS },
		{ skel->maps.more_cells, p->uses_cells, KT_MORE_CELLS },
		{ skel->maps.free_cells, p->uses_cells, KT_CELLS },
		{ skel->maps.near_regions, p->uses_regions, KT_NEAR_REGIONS },
		{ skel->maps.region_claims, p->uses_regions, KT_NEAR_REGIONS },
		{ skel->maps.far_regions, p->uses_regions, FAR_REGIONS },
	};

	for (size_t i = 0; i < KT_ARRAY_SIZE(maps); i++) {
		if (maps[i].used)
			bpf_map__set_max_entries(maps[i].map, maps[i].entries);
		else
			bpf_map__set_autocreate(maps[i].map, false);
	}
}

/*
 * Kernels before 6.1 warn of classic and raw tracepoints that use hash tables which take their memory
 * as they fill, for it may deadlock there. So they get all of it beforehand, and are smaller.
 */
static void preallocate(struct kt_session *s)
{
	const struct {
		struct bpf_map *map;
		bool used;
		u32 entries;
	} maps[] = {
		{ s->skel->maps.more_cells, s->plan.uses_cells, RAW_MORE_CELLS },
		{ s->skel->maps.region_claims, s->plan.uses_regions, KT_NEAR_REGIONS },
		{ s->skel->maps.far_regions, s->plan.uses_regions, RAW_FAR_REGIONS },
	};

	for (size_t i = 0; s->plan.preallocates && i < KT_ARRAY_SIZE(maps); i++) {
		if (!maps[i].used)
			continue;
		bpf_map__set_map_flags(maps[i].map, 0);
		bpf_map__set_max_entries(maps[i].map, maps[i].entries);
	}
}

/*
 * For tests: KVMTRACE_BREAK names programs, separated by commas, that the kernel is to refuse. As
 * socket filters they may neither read these contexts nor call these helpers.
 */
static bool to_be_broken(const char *name)
{
	return kt_list_has(getenv("KVMTRACE_BREAK"), name);
}

static void choose_programs(struct kt_session *s)
{
	for (u32 i = 0; i < kt_program_count; i++) {
		struct bpf_program *prog =
			bpf_object__find_program_by_name(s->skel->obj, kt_programs[i].name);

		bpf_program__set_autoload(prog, s->plan.programs >> i & 1);
		if (to_be_broken(kt_programs[i].name))
			bpf_program__set_type(prog, BPF_PROG_TYPE_SOCKET_FILTER);
	}
}

/* SEV-ES, SEV-SNP, TDX: where none is on, no guest's registers are hidden from KVM. */
static bool may_protect_guests(void)
{
	static const char *const parameters[] = { "kvm_amd/parameters/sev_es",
						  "kvm_amd/parameters/sev_snp",
						  "kvm_intel/parameters/tdx" };
	char path[64], value = 'N';

	for (size_t i = 0; i < KT_ARRAY_SIZE(parameters) && value == 'N'; i++) {
		FILE *f;

		snprintf(path, sizeof(path), "/sys/module/%s", parameters[i]);
		f = fopen(path, "re");
		if (f && fread(&value, 1, 1, f) == 1 && value != 'Y' && value != '1')
			value = 'N';
		if (f)
			fclose(f);
	}
	return value != 'N';
}

static void configure(struct kt_session *s)
{
	struct kt_cfg *cfg = &s->skel->rodata->cfg;

	*cfg = s->opts.cfg;
	for (u32 i = 0; i < KT_BUCKET_TABLE; i++)
		cfg->buckets[i] = kt_hist_bucket(8 * i, KT_EXIT_SUB_BITS);
	s->skel->data->control.epoch = s->epoch;
	cfg->exit_in_vmcb = s->plan.exit_in_vmcb;
	cfg->no_kvm_types = s->plan.no_kvm_types;
	cfg->exits_traced = kt_plan_way(&s->plan, KT_PART_TRACE_EXITS) >= 0;
	cfg->protected_guests = may_protect_guests();
	if (s->cast)
		s->skel->rodata_types->types = s->types.plain;
	cfg->regions = s->opts.view == KT_VIEW_REGIONS;
	s->slots = s->opts.vcpu_capacity ? s->opts.vcpu_capacity : VCPUS_PER_CPU * s->facts.cpus;
	if (!s->opts.vcpu_capacity && s->slots < MIN_VCPUS)
		s->slots = MIN_VCPUS;
	s->slots++; /* slot 0 stands for none */
	s->collect_at = s->slots / 2;
}

/* Numbers 1 .. end-1 into a queue of free ones; 0 stands for none. */
static int fill_queue(struct bpf_map *queue, u32 end)
{
	int fd = bpf_map__fd(queue);

	for (u32 number = 1; number < end; number++)
		if (bpf_map_update_elem(fd, NULL, &number, BPF_ANY))
			return -errno;
	return 0;
}

static size_t mapped_bytes(size_t bytes)
{
	size_t page = sysconf(_SC_PAGESIZE);

	return (bytes + page - 1) / page * page;
}

static void *map_array(struct bpf_map *map, size_t bytes, int prot)
{
	void *p = mmap(NULL, mapped_bytes(bytes), prot, MAP_SHARED, bpf_map__fd(map), 0);

	return p == MAP_FAILED ? NULL : p;
}

static int make_rings(struct kt_session *s)
{
	u32 bytes = ring_bytes(s);

	s->rings = kt_alloc(s->facts.cpus * sizeof(*s->rings));
	for (u32 cpu = 0; cpu < s->facts.cpus; cpu++)
		s->rings[cpu] = -1;
	for (u32 cpu = 0; cpu < s->facts.cpus; cpu++) {
		s->rings[cpu] = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "kt_ring", 0, 0, bytes, NULL);
		if (s->rings[cpu] < 0)
			return -errno;
		if (bpf_map_update_elem(bpf_map__fd(s->skel->maps.rings), &cpu, &s->rings[cpu], 0))
			return -errno;
	}
	return 0;
}

/* What must be in the maps before the first event comes. */
static int fill_maps(struct kt_session *s)
{
	int err = 0;

	if (s->plan.uses_slots) {
		s->vcpus = map_array(s->skel->maps.vcpus, s->slots * sizeof(*s->vcpus),
				     PROT_READ | PROT_WRITE);
		err = s->vcpus ? fill_queue(s->skel->maps.free_slots, s->slots) : -ENOMEM;
	}
	if (!err && s->plan.uses_rings) {
		s->cpu_lost = map_array(s->skel->maps.cpu_lost,
					s->facts.cpus * sizeof(*s->cpu_lost), PROT_READ);
		err = s->cpu_lost ? make_rings(s) : -ENOMEM;
	}
	if (!err && s->plan.uses_regions) {
		s->near_regions =
			map_array(s->skel->maps.near_regions, NEAR_REGIONS_BYTES, PROT_READ);
		err = s->near_regions ? 0 : -ENOMEM;
	}
	if (!err && s->plan.uses_cells)
		err = fill_queue(s->skel->maps.free_cells, KT_CELLS);
	return err;
}

/* The types go at once: libbpf is going to load vmlinux's for itself. */
static int write_types(struct kt_session *s)
{
	int err = 0;

	if (s->types.vmlinux && s->types_file >= 0)
		err = kt_types_write(&s->types, s->skel->obj, s->skel->skeleton->data,
				     s->types_file);
	kt_types_free(&s->types);
	if (err) {
		close(s->types_file);
		s->types_file = -1;
	}
	return err;
}

/* The programs of both objects, their maps and variables, have the same names. */
static int open_object(struct kt_session *s, const struct bpf_object_open_opts *opts)
{
	struct kvmtrace_bpf *skel = calloc(1, sizeof(*skel));
	int err;

	if (!skel)
		return -ENOMEM;
	err = kvmtrace_bpf__create_skeleton(skel);
	if (!err && s->cast)
		skel->skeleton->data =
			(void *)kvmtrace_cast_bpf__elf_bytes(&skel->skeleton->data_sz);
	if (!err)
		err = bpf_object__open_skeleton(skel->skeleton, opts);
	if (err)
		kvmtrace_bpf__destroy(skel);
	else
		s->skel = skel;
	return err;
}

static int load_programs(struct kt_session *s)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts);
	char path[32];
	int err;

	if (s->types.vmlinux && s->types_file < 0)
		s->types_file = memfd_create("kvmtrace-types", MFD_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", s->types_file);
	if (s->types_file >= 0)
		opts.btf_custom_path = path;
	err = open_object(s, &opts);
	if (err)
		return err;
	err = write_types(s);
	if (err)
		return err;
	configure(s);
	size_maps(s);
	preallocate(s);
	choose_programs(s);
	return kvmtrace_bpf__load(s->skel);
}

int kt_object_load(struct kt_session *s)
{
	int err;

	kt_targets_use(&s->types);
	err = load_programs(s);
	kt_targets_use(NULL);
	malloc_trim(0); /* the kernel's types took many MB, in pieces */
	return err ? err : fill_maps(s);
}

void kt_object_unload(struct kt_session *s)
{
	for (u32 cpu = 0; s->rings && cpu < s->facts.cpus; cpu++)
		if (s->rings[cpu] >= 0)
			close(s->rings[cpu]);
	free(s->rings);
	s->rings = NULL;
	if (s->vcpus)
		munmap(s->vcpus, mapped_bytes(s->slots * sizeof(*s->vcpus)));
	s->vcpus = NULL;
	if (s->cpu_lost)
		munmap((void *)s->cpu_lost, mapped_bytes(s->facts.cpus * sizeof(*s->cpu_lost)));
	s->cpu_lost = NULL;
	if (s->near_regions)
		munmap((void *)s->near_regions, mapped_bytes(NEAR_REGIONS_BYTES));
	s->near_regions = NULL;
	kvmtrace_bpf__destroy(s->skel);
	s->skel = NULL;
}
