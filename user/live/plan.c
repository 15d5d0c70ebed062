/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <stdlib.h>
#include <string.h>

#include "plan.h"

/* Debian's own level of perf_event_paranoid, which shuts out all but CAP_SYS_ADMIN. */
#define PARANOID_ADMIN_ONLY 3

bool kt_facts_lack_kvm(const struct kt_facts *facts)
{
	return facts->kvm == KT_KVM_ABSENT || facts->kvm_device == KT_NO;
}

/* KVM on software page tables and ring 3, out of tree: checked on its 6.18. */
bool kt_facts_raise_exits(const struct kt_facts *facts)
{
	return strcmp(facts->vendor, "kvm_pvm") != 0;
}

static bool known_vendor(const struct kt_facts *facts)
{
	return !facts->vendor[0] || kt_facts_amd(facts) || kt_facts_intel(facts);
}

static enum kt_status refuse(struct kt_str *why, enum kt_status status, const char *text)
{
	kt_str_add(why, text);
	return status;
}

/* ---- the host as a whole ---- */

static enum kt_status check_kvm(const struct kt_facts *facts, struct kt_str *why)
{
	if (facts->kvm == KT_KVM_ABSENT)
		return refuse(
			why, KT_UNSUPPORTED,
			"KVM is not loaded: modprobe kvm_intel or kvm_amd, or wait for it with "
			"--wait");
	if (facts->kvm_device == KT_NO)
		return refuse(
			why, KT_UNSUPPORTED,
			"no KVM vendor module is loaded (there is no /dev/kvm), so no VM can run: "
			"modprobe kvm_intel or kvm_amd, or wait for it with --wait");
	return KT_OK;
}

/* These read the exit reason, at kvm_exit. */
static bool needs_exits(enum kt_view view)
{
	return view == KT_VIEW_EXITS || view == KT_VIEW_FAULTS || view == KT_VIEW_REGIONS;
}

static enum kt_status check_host(const struct kt_facts *facts, enum kt_view view,
				 struct kt_str *why)
{
	if (facts->cap_bpf == KT_NO || facts->cap_perfmon == KT_NO)
		return refuse(
			why, KT_DENIED,
			"no permission to load BPF programs: run it as root (sudo), or give it "
			"CAP_BPF and CAP_PERFMON");
	if (facts->init_user_ns == KT_NO)
		return refuse(
			why, KT_DENIED,
			"this is a user namespace of its own, whose root may not load BPF programs: "
			"run it outside, or in a container without one");
	if (facts->lockdown == KT_LOCKDOWN_CONFIDENTIALITY)
		return refuse(
			why, KT_UNSUPPORTED,
			"this kernel is locked down (confidentiality), which forbids BPF to read "
			"kernel memory: boot with lockdown=integrity or without lockdown");
	if (facts->init_pid_ns == KT_NO)
		return refuse(
			why, KT_UNSUPPORTED,
			"this is a PID namespace of its own, where the processes that run VMs have "
			"other numbers than in the kernel: run it on the host, or in a container "
			"started with --pid=host");
	if (kt_facts_lack_kvm(facts))
		return check_kvm(facts, why);
	if (facts->btf_vmlinux == KT_BTF_ABSENT)
		return refuse(
			why, KT_UNSUPPORTED,
			"this kernel has no BTF (/sys/kernel/btf/vmlinux is missing): kvmtrace "
			"needs a kernel built with CONFIG_DEBUG_INFO_BTF=y");
	if (facts->btf_vmlinux == KT_BTF_BROKEN)
		return refuse(
			why, KT_UNSUPPORTED,
			"this kernel's BTF (/sys/kernel/btf/vmlinux) does not parse: it is damaged, "
			"or newer than this kvmtrace's libbpf understands");
	if (needs_exits(view) && !kt_facts_raise_exits(facts)) {
		kt_str_addf(
			why,
			"this host's KVM (%s) never raises kvm_exit, kvm_entry or kvm_page_fault, so "
			"there is nothing to see here; 'kvmtrace exceptions' works",
			facts->vendor);
		return KT_UNSUPPORTED;
	}
	return KT_OK;
}

/* ---- one program ---- */

/* Is this word, "NAME:OFFSET:SIZE" or "NAME", among those of a record? */
static bool has_field(const char *record, const char *word, size_t len)
{
	bool whole = memchr(word, ':', len) != NULL;

	for (const char *at = record; *at; at += strcspn(at, " "), at += strspn(at, " ")) {
		size_t end = strcspn(at, whole ? " " : " :");

		if (end == len && memcmp(at, word, len) == 0)
			return true;
	}
	return false;
}

static bool record_fits(const char *record, const struct kt_program *p)
{
	for (const char *word = p->record; *word;) {
		size_t len = strcspn(word, " ");

		if (!has_field(record, word, len))
			return false;
		word += len + strspn(word + len, " ");
	}
	return !p->lacks || !has_field(record, p->lacks, strlen(p->lacks));
}

/* Can programs load through the types of the kvm module? */
static enum kt_status check_kvm_types(const struct kt_facts *facts, struct kt_str *why)
{
	if (facts->prog_tracing == KT_CANNOT)
		return refuse(why, KT_UNSUPPORTED,
			      "the kernel has no programs on BTF-typed tracepoints");
	if (facts->btf_kvm == KT_BTF_ABSENT)
		return refuse(why, KT_UNSUPPORTED,
			      "the kvm module has no BTF (5.11 and later have it with "
			      "CONFIG_DEBUG_INFO_BTF_MODULES)");
	if (facts->btf_kvm == KT_BTF_BROKEN)
		return refuse(why, KT_UNSUPPORTED, "the BTF of the kvm module does not parse");
	/* bpf(BPF_BTF_GET_FD_BY_ID), the only way to a module's types, asks for it. */
	if (facts->kvm == KT_KVM_MODULE && facts->cap_sys_admin == KT_NO)
		return refuse(why, KT_DENIED,
			      "the types of the kvm module can be read with CAP_SYS_ADMIN only");
	/* Also when KVM is built in: types that it lacks, the other vendor's, are looked for there. */
	if (facts->btf_broken[0]) {
		kt_str_add(why, "the BTF of module ");
		kt_str_add_safe(why, facts->btf_broken);
		kt_str_add(why,
			   " does not parse, and libbpf reads that of every module or of none");
		return KT_UNSUPPORTED;
	}
	return KT_OK;
}

static bool can_use_kvm_types(const struct kt_facts *facts)
{
	struct kt_str why = {};
	bool can = check_kvm_types(facts, &why) == KT_OK;

	kt_str_free(&why);
	return can;
}

static bool knows_exit_reason(const struct kt_facts *facts)
{
	const u32 *m = facts->members;

	if (kt_facts_amd(facts))
		return m[KT_M_vcpu_svm__vmcb] && m[KT_M_vmcb_control_area__exit_code];
	if (kt_facts_intel(facts))
		return m[KT_M_vcpu_vmx__exit_reason] ||
		       (m[KT_M_vcpu_vmx__vt] && m[KT_M_vcpu_vt__exit_reason]);
	return false;
}

static enum kt_status check_types(const struct kt_facts *facts, const struct kt_program *p,
				  struct kt_str *why)
{
	enum kt_status status = check_kvm_types(facts, why);

	if (status != KT_OK || !(p->needs & KT_NEEDS_EXIT_REASON) || knows_exit_reason(facts))
		return status;
	if (!known_vendor(facts))
		kt_str_addf(why, "where %s keeps exit reasons is not known", facts->vendor);
	else if (facts->btf_vendor == KT_BTF_OK)
		kt_str_add(why, "the vendor module keeps exit reasons where kvmtrace doesn't know");
	else
		kt_str_add(why, "the vendor module has no BTF");
	return KT_UNSUPPORTED;
}

static enum kt_status check_tracefs(const struct kt_facts *facts, struct kt_str *why)
{
	if (facts->tracefs == KT_TRACEFS_DENIED)
		return refuse(
			why, KT_DENIED,
			"no permission to read the trace file system (/sys/kernel/tracing): run it "
			"as root (sudo), or add CAP_DAC_READ_SEARCH");
	if (facts->tracefs == KT_TRACEFS_ABSENT)
		return refuse(why, KT_UNSUPPORTED,
			      "the trace file system is not there: mount -t tracefs nodev "
			      "/sys/kernel/tracing");
	return KT_OK;
}

static enum kt_status unknown_tracepoint(const char *name, struct kt_str *why)
{
	kt_str_addf(
		why,
		"this kernel's tracepoint kvm:%s is missing or has a layout that kvmtrace doesn't "
		"know (see /sys/kernel/tracing/events/kvm/%s/format)",
		name, name);
	return KT_UNSUPPORTED;
}

static enum kt_status check_record(const struct kt_facts *facts, const struct kt_program *p,
				   struct kt_str *why)
{
	const char *record = facts->tracepoints[p->tracepoint].record;
	enum kt_status status = check_tracefs(facts, why);

	if (status != KT_OK)
		return status;
	if (!record_fits(record, p))
		return unknown_tracepoint(kt_tracepoint_name(p->tracepoint), why);
	return KT_OK;
}

static enum kt_status check_perf(const struct kt_facts *facts, struct kt_str *why)
{
	if (atoi(facts->perf_paranoid) < PARANOID_ADMIN_ONLY || facts->cap_sys_admin != KT_NO)
		return KT_OK;
	return refuse(why, KT_DENIED,
		      "no permission to use perf events, through which programs are attached to "
		      "classic tracepoints: run it as root (sudo), or set "
		      "kernel.perf_event_paranoid to 2 or less");
}

/* The arguments by BTF where that is there, else what the record says of them. */
static enum kt_status check_arguments(const struct kt_facts *facts, const struct kt_program *p,
				      struct kt_str *why)
{
	const char *proto = facts->tracepoints[p->tracepoint].proto;

	if (!proto[0])
		return p->record ? check_record(facts, p, why) : KT_OK;
	if (strncmp(proto, p->proto, strlen(p->proto)) == 0)
		return KT_OK;
	if (strcmp(proto, "-") == 0)
		kt_str_addf(why, "the kernel has no tracepoint kvm:%s",
			    kt_tracepoint_name(p->tracepoint));
	else
		kt_str_addf(why, "kvm:%s has other arguments here",
			    kt_tracepoint_name(p->tracepoint));
	return KT_UNSUPPORTED;
}

/* Can this program be loaded and attached, as far as is known? If not, a phrase why. */
static enum kt_status check_program(const struct kt_facts *facts, const struct kt_request *request,
				    u32 index, struct kt_str *why)
{
	const struct kt_program *p = &kt_programs[index];
	enum kt_status status = KT_OK;

	if (request->refused[index]) {
		kt_str_addf(why, "the kernel refuses %s: ", p->name);
		kt_str_add_safe(why, request->refused[index]);
		return KT_UNSUPPORTED;
	}
	if (p->needs & KT_NEEDS_KVM_TYPES)
		status = check_types(facts, p, why);
	if (status == KT_OK && p->kind == KT_ON_CLASSIC)
		status = check_record(facts, p, why);
	if (status == KT_OK && p->kind == KT_ON_CLASSIC)
		status = check_perf(facts, why);
	if (status == KT_OK && (p->kind == KT_ON_BTF || p->kind == KT_ON_RAW))
		status = check_arguments(facts, p, why);
	return status;
}

/* ---- ways ---- */

static bool restricted(const struct kt_request *request, enum kt_part part)
{
	for (u32 i = 0; i < kt_way_count; i++)
		if (kt_ways[i].part == part && kt_list_has(request->ways, kt_ways[i].name))
			return true;
	return false;
}

/* Does the plan have it already, for another part? */
static bool is_chosen(const struct kt_plan *plan, const char *program)
{
	return plan->programs >> kt_program_find(program) & 1;
}

static enum kt_status check_way_itself(const struct kt_facts *facts, const struct kt_way *way,
				       const struct kt_plan *plan, struct kt_str *why)
{
	if (way->needs & KT_NEEDS_VMCB && (!kt_facts_amd(facts) || !knows_exit_reason(facts)))
		return refuse(why, KT_UNSUPPORTED, "there is no VMCB, or it cannot be read");
	if (way->needs & KT_NEEDS_CHOSEN && !is_chosen(plan, way->programs[0]))
		return refuse(why, KT_UNSUPPORTED, "another program reports this");
	if (way->needs & KT_NEEDS_ENTRIES && kt_plan_way(plan, KT_PART_TRACE_EXITS) >= 0)
		return refuse(why, KT_UNSUPPORTED, "exits are recorded by other programs");
	return KT_OK;
}

static enum kt_status check_way(const struct kt_facts *facts, const struct kt_request *request,
				const struct kt_way *way, const struct kt_plan *plan,
				struct kt_str *why)
{
	enum kt_status status = check_way_itself(facts, way, plan, why);

	for (int i = 0; status == KT_OK && i < KT_WAY_PROGRAMS && way->programs[i]; i++)
		status = check_program(facts, request, kt_program_find(way->programs[i]), why);
	return status;
}

static void take_way(struct kt_plan *plan, u32 index)
{
	const struct kt_way *way = &kt_ways[index];

	plan->ways |= 1ull << index;
	plan->exit_in_vmcb |= way->needs & KT_NEEDS_VMCB && way->needs & KT_NEEDS_CHOSEN;
	for (int i = 0; i < KT_WAY_PROGRAMS && way->programs[i]; i++) {
		int program = kt_program_find(way->programs[i]);

		plan->programs |= 1ull << program;
		if (kt_programs[program].kind == KT_ON_RAW ||
		    kt_programs[program].kind == KT_ON_CLASSIC)
			plan->preallocates |= plan->uses_cells || plan->uses_regions;
	}
}

static bool ruled_out(const struct kt_request *request, const struct kt_way *way)
{
	return restricted(request, way->part) && !kt_list_has(request->ways, way->name);
}

static bool is_for(const struct kt_way *way, enum kt_view view)
{
	return !way->views || way->views >> view & 1;
}

/* The first way that can be gone. On failure *refusal says why the last, the least demanding, can't. */
static enum kt_status choose_way(const struct kt_facts *facts, const struct kt_request *request,
				 enum kt_part part, struct kt_plan *plan)
{
	enum kt_status status = KT_UNSUPPORTED;
	const char *last = "";

	for (u32 i = 0; i < kt_way_count; i++) {
		if (kt_ways[i].part != part || !is_for(&kt_ways[i], request->view))
			continue;
		if (ruled_out(request, &kt_ways[i])) {
			kt_str_add(&plan->why_not[i], "ruled out by KVMTRACE_WAYS");
			continue;
		}
		status = check_way(facts, request, &kt_ways[i], plan, &plan->why_not[i]);
		if (status == KT_OK) {
			take_way(plan, i);
			return KT_OK;
		}
		last = plan->why_not[i].data;
	}
	if (kt_parts[part].optional || request->view == KT_VIEW_RECORD)
		return KT_OK;
	kt_str_add(&plan->refusal, last);
	return status;
}

/*
 * The main part is not served by its best way, the only one on BTF tracepoints, be it that a test has
 * ruled it out: said once, for the others have the same reason.
 */
static void explain_weaker(const struct kt_facts *facts, const struct kt_request *request,
			   struct kt_plan *plan)
{
	struct kt_str *warnings = &plan->warnings;

	if (request->view == KT_VIEW_RECORD) {
		if (check_kvm_types(facts, warnings) != KT_OK)
			kt_str_add(warnings,
				   ": raw and classic tracepoints are used, which cost more\n");
		return;
	}
	for (u32 i = 0; i < kt_way_count; i++) {
		if (!kt_parts[kt_ways[i].part].optional && plan->why_not[i].len) {
			kt_str_addf(warnings,
				    "%s: raw and classic tracepoints are used, which cost more\n",
				    plan->why_not[i].data);
			return;
		}
	}
}

static void explain_vendor(const struct kt_facts *facts, enum kt_view view, struct kt_str *warnings)
{
	if (view == KT_VIEW_VCPUS || known_vendor(facts) || !kt_facts_raise_exits(facts))
		return;
	kt_str_addf(
		warnings,
		"kvmtrace doesn't know this host's KVM vendor module (%s): exit reasons are shown "
		"as the tracepoint gives them, if it is raised at all\n",
		facts->vendor);
}

static void choose_maps(enum kt_view view, struct kt_plan *plan)
{
	plan->uses_slots = view != KT_VIEW_VCPUS;
	plan->uses_rings =
		view == KT_VIEW_EXCEPTIONS || view == KT_VIEW_FAULTS || view == KT_VIEW_RECORD;
	plan->uses_cells = view == KT_VIEW_EXITS;
	plan->uses_regions = view == KT_VIEW_REGIONS;
}

static enum kt_status check_maps(const struct kt_facts *facts, const struct kt_plan *plan,
				 struct kt_str *why)
{
	if ((facts->map_ringbuf == KT_CANNOT && (plan->uses_rings || plan->uses_slots)) ||
	    (facts->map_queue == KT_CANNOT && plan->uses_slots))
		return refuse(
			why, KT_UNSUPPORTED,
			"this kernel has no BPF ring buffers or queues: kvmtrace needs 5.8 or "
			"later");
	return KT_OK;
}

static bool is_wanted(const struct kt_request *request, enum kt_part part)
{
	const struct kt_part_of_view *p = &kt_parts[part];

	if (!(p->views >> request->view & 1))
		return false;
	return request->view != KT_VIEW_RECORD || !p->events || p->events & request->events;
}

/* Anything of what was asked for? If not, why: as for a part, that of the least demanding way. */
static enum kt_status check_recorded(const struct kt_request *request, struct kt_plan *plan)
{
	for (u32 part = 0; part < KT_PART_COUNT; part++)
		if (kt_parts[part].events & request->events && kt_plan_way(plan, part) >= 0)
			return KT_OK;
	for (u32 i = kt_way_count; i-- > 0 && !plan->refusal.len;)
		if (plan->why_not[i].len)
			kt_str_add(&plan->refusal, plan->why_not[i].data);
	return KT_UNSUPPORTED;
}

enum kt_status kt_plan_make(const struct kt_facts *facts, const struct kt_request *request,
			    struct kt_plan *plan)
{
	enum kt_status status;

	memset(plan, 0, sizeof(*plan));
	choose_maps(request->view, plan);
	plan->events = request->events;
	plan->no_kvm_types = !can_use_kvm_types(facts);
	status = check_host(facts, request->view, &plan->refusal);
	if (status == KT_OK)
		status = check_maps(facts, plan, &plan->refusal);
	for (u32 part = 0; status == KT_OK && part < KT_PART_COUNT; part++)
		if (is_wanted(request, part))
			status = choose_way(facts, request, part, plan);
	if (status == KT_OK && request->view == KT_VIEW_RECORD)
		status = check_recorded(request, plan);
	if (status != KT_OK)
		return status;
	explain_weaker(facts, request, plan);
	explain_vendor(facts, request->view, &plan->warnings);
	return KT_OK;
}

int kt_plan_way(const struct kt_plan *plan, enum kt_part part)
{
	for (u32 i = 0; i < kt_way_count; i++)
		if (kt_ways[i].part == part && plan->ways >> i & 1)
			return i;
	return -1;
}

void kt_plan_fini(struct kt_plan *plan)
{
	for (u32 i = 0; i < KT_WAYS_MAX; i++)
		kt_str_free(&plan->why_not[i]);
	kt_str_free(&plan->warnings);
	kt_str_free(&plan->refusal);
}
