/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/perf_event.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "../lib/log.h"
#include "session.h"
#include "session_priv.h"
#include "kvmtrace.skel.h" /* needs the shared types */

#define MIN_VCPUS	    1024
#define VCPUS_PER_CPU	    8
#define DEFAULT_REGIONS	    65536
#define RAW_MORE_CELLS	    4096
#define RAW_REGIONS	    16384
#define RING_TOTAL_KIB	    (64 * 1024)
#define RING_MIN_KIB	    64
#define RING_MAX_KIB	    1024
#define MODULE_POLL_SECONDS 1

static int print_libbpf(enum libbpf_print_level level, const char *fmt, va_list args)
{
	struct kt_str text = {};

	(void)level;
	if (kt_log_verbosity() < 2)
		return 0;
	kt_str_vaddf(&text, fmt, args);
	kt_debug("%s", text.data);
	kt_str_free(&text);
	return 0;
}

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
		kib = RING_TOTAL_KIB / s->caps.cpus;
		kib = kib < RING_MIN_KIB ? RING_MIN_KIB : kib > RING_MAX_KIB ? RING_MAX_KIB : kib;
	}
	return round_up_pow2(kib * 1024);
}

/* Maps that this view doesn't use are not made at all. */
static void size_maps(struct kt_session *s)
{
	const struct kt_plan *p = &s->plan;
	struct kvmtrace_bpf *skel = s->skel;
	u32 slots = s->slots, cpus = s->caps.cpus;
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
		{ skel->maps.last_exits, p->uses_last_exits, slots },
		{ skel->maps.pending_faults, p->uses_pending, slots },
		{ skel->maps.regions, p->uses_regions, DEFAULT_REGIONS },
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
		{ s->skel->maps.regions, s->plan.uses_regions, RAW_REGIONS },
	};

	for (size_t i = 0; s->plan.mode == KT_MODE_RAW && i < KT_ARRAY_SIZE(maps); i++) {
		if (!maps[i].used)
			continue;
		bpf_map__set_map_flags(maps[i].map, 0);
		bpf_map__set_max_entries(maps[i].map, maps[i].entries);
	}
}

static void choose_programs(struct kt_session *s)
{
	for (size_t i = 0; i < kt_probe_count; i++) {
		struct bpf_program *prog =
			bpf_object__find_program_by_name(s->skel->obj, kt_probes[i].program);

		if (prog)
			bpf_program__set_autoload(prog, s->plan.probes >> i & 1);
	}
}

static enum kt_status load(struct kt_session *s)
{
	int err = kvmtrace_bpf__load(s->skel);

	if (!err)
		return KT_OK;
	if (err == -EPERM) {
		kt_err("the kernel does not allow BPF programs here although root or CAP_BPF and "
		       "CAP_PERFMON are held: a security module or a container forbids it");
		return KT_DENIED;
	}
	if (err == -ENOMEM || err == -E2BIG) {
		kt_err("the kernel has not enough memory for the BPF maps (%s): try smaller --max-vcpus "
		       "or --buffer",
		       strerror(-err));
		return KT_FAILED;
	}
	kt_err("this kernel cannot load the BPF programs (%s); -vv shows the details",
	       strerror(-err));
	return KT_UNSUPPORTED;
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

static void *map_array(struct bpf_map *map, size_t bytes, int prot)
{
	size_t page = sysconf(_SC_PAGESIZE);
	void *p =
		mmap(NULL, (bytes + page - 1) / page * page, prot, MAP_SHARED, bpf_map__fd(map), 0);

	return p == MAP_FAILED ? NULL : p;
}

static int make_rings(struct kt_session *s)
{
	u32 bytes = ring_bytes(s);

	s->rings = kt_alloc(s->caps.cpus * sizeof(*s->rings));
	for (u32 cpu = 0; cpu < s->caps.cpus; cpu++)
		s->rings[cpu] = -1;
	for (u32 cpu = 0; cpu < s->caps.cpus; cpu++) {
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
		s->cpu_lost = map_array(s->skel->maps.cpu_lost, s->caps.cpus * sizeof(*s->cpu_lost),
					PROT_READ);
		err = s->cpu_lost ? make_rings(s) : -ENOMEM;
	}
	if (!err && s->plan.uses_cells)
		err = fill_queue(s->skel->maps.free_cells, KT_CELLS);
	return err;
}

static void wait_for_kvm(struct kt_caps *caps)
{
	kt_note("waiting for KVM to be loaded (Ctrl-C ends)");
	while (kt_caps_lack_kvm(caps)) {
		kt_caps_fini(caps);
		sleep(MODULE_POLL_SECONDS);
		kt_caps_gather(caps);
	}
}

static enum kt_status make_plan(struct kt_session *s)
{
	enum kt_status status;

	kt_caps_gather(&s->caps);
	if (s->opts.wait && kt_caps_lack_kvm(&s->caps))
		wait_for_kvm(&s->caps);
	status = kt_plan_make(&s->caps, s->opts.view, &s->plan);
	if (status != KT_OK)
		kt_err("%s", s->plan.refusal.data);
	for (char *save = NULL, *line = s->plan.warnings.data
						? strtok_r(s->plan.warnings.data, "\n", &save)
						: NULL;
	     line; line = strtok_r(NULL, "\n", &save))
		kt_info("%s", line);
	return status;
}

enum kt_status kt_session_open(const struct kt_session_opts *opts, struct kt_session **out)
{
	struct kt_session *s = kt_alloc(sizeof(*s));
	enum kt_status status;
	int err;

	*out = s;
	s->opts = *opts;
	s->caps.tracefs = -ENOENT;
	libbpf_set_print(print_libbpf);
	status = make_plan(s);
	if (status != KT_OK)
		return status;
	s->skel = kvmtrace_bpf__open();
	if (!s->skel) {
		kt_err("cannot open the built-in BPF object: %s", strerror(errno));
		return KT_FAILED;
	}
	s->slots = opts->vcpu_capacity ? opts->vcpu_capacity : VCPUS_PER_CPU * s->caps.cpus;
	if (!opts->vcpu_capacity && s->slots < MIN_VCPUS)
		s->slots = MIN_VCPUS;
	s->slots++; /* slot 0 stands for none */
	s->collect_at = s->slots / 2;
	s->skel->rodata->cfg = opts->cfg;
	for (u32 i = 0; i < KT_BUCKET_TABLE; i++)
		s->skel->rodata->cfg.buckets[i] = kt_hist_bucket(8 * i, KT_EXIT_SUB_BITS);
	s->skel->rodata->cfg.regions = opts->view == KT_VIEW_REGIONS;
	size_maps(s);
	preallocate(s);
	choose_programs(s);
	status = load(s);
	if (status != KT_OK)
		return status;
	err = fill_maps(s);
	if (err) {
		kt_err("cannot set up the BPF maps: %s", strerror(-err));
		return KT_FAILED;
	}
	return KT_OK;
}

/* Through perf, with the number looked up by ourselves: tracefs need not be mounted. */
static struct bpf_link *attach_tracepoint(const struct kt_session *s, struct bpf_program *prog,
					  const char *event)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT, .size = sizeof(attr) };
	int id = kt_tracepoint_id(&s->caps, "kvm", event), fd;
	struct bpf_link *link;

	if (id < 0) {
		errno = -id;
		return NULL;
	}
	attr.config = id;
	/* No sample period: programs return 1, so perf sees the event too and must not sample it. */
	/* Bound to one CPU for perf's sake; the program runs on all. */
	fd = syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return NULL;
	link = bpf_program__attach_perf_event(prog, fd);
	if (!link)
		close(fd);
	return link;
}

static struct bpf_link *attach_probe(const struct kt_session *s, const struct kt_probe *probe)
{
	struct bpf_program *prog = bpf_object__find_program_by_name(s->skel->obj, probe->program);

	if (!prog) {
		errno = ENOENT;
		return NULL;
	}
	if (probe->kind == KT_PROBE_TP)
		return attach_tracepoint(s, prog, probe->event);
	return bpf_program__attach(prog);
}

static enum kt_status attach_failed(const struct kt_probe *probe, int err)
{
	bool denied = err == EPERM || err == EACCES;

	/* Debian's kernels have a level 3 that shuts out everybody but CAP_SYS_ADMIN. */
	if (denied && probe->kind == KT_PROBE_TP)
		kt_err("no permission to use perf events, through which programs are attached to "
		       "kvm:%s: run it as root (sudo), or set kernel.perf_event_paranoid to 2 or less",
		       probe->event);
	else
		kt_err("cannot attach to %s%s: %s", probe->event ? "kvm:" : "",
		       probe->event ? probe->event : probe->program, strerror(err));
	return denied ? KT_DENIED : KT_UNSUPPORTED;
}

enum kt_status kt_session_attach(struct kt_session *s)
{
	s->links = kt_alloc(kt_probe_count * sizeof(*s->links));
	for (size_t i = 0; i < kt_probe_count; i++) {
		const struct kt_probe *probe = &kt_probes[i];

		if (!(s->plan.probes >> i & 1))
			continue;
		s->links[i] = attach_probe(s, probe);
		if (s->links[i])
			continue;
		if (probe->optional) {
			kt_warn("cannot attach to kvm:%s (%s): the output will lack what it tells",
				probe->event, strerror(errno));
			continue;
		}
		return attach_failed(probe, errno);
	}
	return KT_OK;
}

void kt_session_detach(struct kt_session *s)
{
	if (s->skel && s->skel->data)
		__atomic_store_n(&s->skel->data->control.stopping, 1, __ATOMIC_SEQ_CST);
	for (size_t i = kt_probe_count; s->links && i-- > 0;) {
		bpf_link__destroy(s->links[i]);
		s->links[i] = NULL;
	}
}

void kt_session_close(struct kt_session *s)
{
	if (!s)
		return;
	kt_session_detach(s);
	free(s->links);
	for (u32 cpu = 0; s->rings && cpu < s->caps.cpus; cpu++)
		if (s->rings[cpu] >= 0)
			close(s->rings[cpu]);
	free(s->rings);
	kvmtrace_bpf__destroy(s->skel);
	kt_plan_fini(&s->plan);
	kt_caps_fini(&s->caps);
	free(s);
}
