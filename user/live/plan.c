/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <string.h>

#include "plan.h"

#define EXITS	   (1u << KT_VIEW_EXITS)
#define EXCEPTIONS (1u << KT_VIEW_EXCEPTIONS)
#define FAULTS	   (1u << KT_VIEW_FAULTS)
#define REGIONS	   (1u << KT_VIEW_REGIONS)
#define VCPUS	   (1u << KT_VIEW_VCPUS)
#define BTF	   (1u << KT_MODE_BTF)
#define RAW	   (1u << KT_MODE_RAW)

/*
 * Classic programs on kvm_exit come before everything else: their record makes VMX read RIP and
 * qualification into its cache, where the programs behind find them. What feeds others comes before
 * what consumes (kvm_inj_exception last): they are detached the other way round, so that a consumer
 * never runs on half the facts.
 */
const struct kt_probe kt_probes[] = {
	{ "kt_exit_note", "kvm_exit", KT_PROBE_TP, EXCEPTIONS, BTF, true, KT_LAYOUT_EXIT },
	{ "kt_exit_note_r", "kvm_exit", KT_PROBE_TP, EXCEPTIONS, RAW, true, KT_LAYOUT_EXIT },
	{ "kt_exit_end", "kvm_entry", KT_PROBE_BTF, EXITS, BTF, false, -1 },
	{ "kt_exit_end_r", "kvm_entry", KT_PROBE_RAW, EXITS, RAW, false, -1 },
	{ "kt_exit_begin", "kvm_exit", KT_PROBE_BTF, EXITS, BTF, false, -1 },
	{ "kt_exit_begin_r", "kvm_exit", KT_PROBE_TP, EXITS, RAW, false, KT_LAYOUT_EXIT },
	{ "kt_fault_entry", "kvm_entry", KT_PROBE_BTF, FAULTS | REGIONS, BTF, false, -1 },
	{ "kt_fault_entry_r", "kvm_entry", KT_PROBE_RAW, FAULTS | REGIONS, RAW, false, -1 },
	{ "kt_fault_exit", "kvm_exit", KT_PROBE_BTF, FAULTS | REGIONS, BTF, false, -1 },
	{ "kt_fault_exit_r", "kvm_exit", KT_PROBE_TP, FAULTS | REGIONS, RAW, false,
	  KT_LAYOUT_EXIT },
	{ "kt_fault", "kvm_page_fault", KT_PROBE_TP, FAULTS, BTF, false, KT_LAYOUT_PAGE_FAULT },
	{ "kt_fault_region", "kvm_page_fault", KT_PROBE_BTF, REGIONS, BTF, false, -1 },
	{ "kt_fault_r", "kvm_page_fault", KT_PROBE_TP, FAULTS | REGIONS, RAW, false,
	  KT_LAYOUT_PAGE_FAULT },
	{ "kt_fault_old", "kvm_page_fault", KT_PROBE_TP, FAULTS | REGIONS, RAW, false,
	  KT_LAYOUT_PAGE_FAULT_OLD },
	{ "kt_msr", "kvm_msr", KT_PROBE_BTF, EXCEPTIONS, BTF, true, -1 },
	{ "kt_msr_r", "kvm_msr", KT_PROBE_RAW, EXCEPTIONS, RAW, true, -1 },
	{ "kt_cr", "kvm_cr", KT_PROBE_BTF, EXCEPTIONS, BTF, true, -1 },
	{ "kt_cr_r", "kvm_cr", KT_PROBE_RAW, EXCEPTIONS, RAW, true, -1 },
	{ "kt_emulate", "kvm_emulate_insn", KT_PROBE_TP, EXCEPTIONS, BTF, true,
	  KT_LAYOUT_EMULATE_INSN },
	{ "kt_emulate_r", "kvm_emulate_insn", KT_PROBE_TP, EXCEPTIONS, RAW, true,
	  KT_LAYOUT_EMULATE_INSN },
	{ "kt_async_pf", "kvm_async_pf_not_present", KT_PROBE_BTF, EXCEPTIONS, BTF, true, -1 },
	{ "kt_async_pf_r", "kvm_async_pf_not_present", KT_PROBE_RAW, EXCEPTIONS, RAW, true, -1 },
	{ "kt_inject", "kvm_inj_exception", KT_PROBE_BTF, EXCEPTIONS, BTF, false, -1 },
	{ "kt_inject_r", "kvm_inj_exception", KT_PROBE_RAW, EXCEPTIONS, RAW, false,
	  KT_LAYOUT_INJECT },
	{ "kt_inject_r3", "kvm_inj_exception", KT_PROBE_RAW, EXCEPTIONS, RAW, false,
	  KT_LAYOUT_INJECT_OLD },
	{ "kt_list_vcpus", NULL, KT_PROBE_ITER, EXITS | EXCEPTIONS | FAULTS | REGIONS | VCPUS,
	  BTF | RAW, false, -1 },
};
const size_t kt_probe_count = KT_ARRAY_SIZE(kt_probes);

bool kt_caps_lack_kvm(const struct kt_caps *caps)
{
	return !caps->kvm || !caps->kvm_device;
}

static enum kt_status refuse(struct kt_plan *plan, enum kt_status status, const char *why)
{
	kt_str_add(&plan->refusal, why);
	return status;
}

static bool raises_kvm_exit(const struct kt_caps *caps)
{
	return caps->vendor_intel || caps->vendor_amd || !caps->vendor_other[0];
}

/* These read the exit reason from the vendor's structures. */
static bool needs_reasons(enum kt_view view)
{
	return view == KT_VIEW_EXITS || view == KT_VIEW_FAULTS || view == KT_VIEW_REGIONS;
}

static enum kt_status check_host(const struct kt_caps *caps, enum kt_view view,
				 struct kt_plan *plan)
{
	if (!caps->cap_bpf || !caps->cap_perfmon)
		return refuse(
			plan, KT_DENIED,
			"no permission to load BPF programs: run it as root (sudo), or give it "
			"CAP_BPF and CAP_PERFMON");
	if (caps->lockdown_confidentiality)
		return refuse(
			plan, KT_UNSUPPORTED,
			"this kernel is locked down (confidentiality), which forbids BPF to read "
			"kernel memory: boot with lockdown=integrity or without lockdown");
	if (!caps->init_pid_ns)
		return refuse(
			plan, KT_UNSUPPORTED,
			"this is a PID namespace of its own, where the processes that run VMs have "
			"other numbers than in the kernel: run it on the host, or in a container "
			"started with --pid=host");
	if (!caps->kvm)
		return refuse(
			plan, KT_UNSUPPORTED,
			"KVM is not loaded: modprobe kvm_intel or kvm_amd, or wait for it with "
			"--wait");
	if (!caps->kvm_device)
		return refuse(
			plan, KT_UNSUPPORTED,
			"no KVM vendor module is loaded (there is no /dev/kvm), so no VM can run: "
			"modprobe kvm_intel or kvm_amd, or wait for it with --wait");
	if (!caps->btf_vmlinux)
		return refuse(
			plan, KT_UNSUPPORTED,
			"this kernel has no BTF (/sys/kernel/btf/vmlinux is missing): kvmtrace "
			"needs a kernel built with CONFIG_DEBUG_INFO_BTF=y");
	if (needs_reasons(view) && !raises_kvm_exit(caps)) {
		kt_str_addf(
			&plan->refusal,
			"this host's KVM (%s) never raises kvm_exit, kvm_entry or kvm_page_fault, so "
			"there is nothing to see here; 'kvmtrace exceptions' works",
			caps->vendor_other);
		return KT_UNSUPPORTED;
	}
	return KT_OK;
}

static enum kt_status lacks_layout(const struct kt_caps *caps, const struct kt_probe *probe,
				   struct kt_plan *plan)
{
	if (caps->tracefs == -EACCES || caps->tracefs_denied)
		return refuse(
			plan, KT_DENIED,
			"no permission to read the trace file system (/sys/kernel/tracing): run it "
			"as root (sudo), or add CAP_DAC_READ_SEARCH");
	if (caps->tracefs < 0)
		return refuse(plan, KT_UNSUPPORTED,
			      "the trace file system is not there: mount -t tracefs nodev "
			      "/sys/kernel/tracing");
	kt_str_addf(
		&plan->refusal,
		"this kernel's tracepoint kvm:%s is missing or has a layout that kvmtrace doesn't "
		"know (see /sys/kernel/tracing/events/kvm/%s/format)",
		probe->event, probe->event);
	return KT_UNSUPPORTED;
}

/* Why the types of KVM's modules cannot be had; NULL when they can. */
static const char *why_raw(const struct kt_caps *caps, enum kt_view view)
{
	if (!caps->btf_kvm)
		return "the kvm module has no BTF (5.11 and later have it with "
		       "CONFIG_DEBUG_INFO_BTF_MODULES)";
	/* bpf(BPF_BTF_GET_FD_BY_ID), the only way to a module's types, asks for it. */
	if (caps->kvm_is_module && !caps->cap_sys_admin)
		return "the types of the kvm module can be read with CAP_SYS_ADMIN only";
	if (needs_reasons(view) && !caps->btf_vendor)
		return "the vendor module has no BTF";
	return NULL;
}

static bool fits(const struct kt_probe *probe, enum kt_view view, const struct kt_plan *plan)
{
	return probe->views & 1u << view && probe->modes & 1u << plan->mode;
}

/* Another program serves the same tracepoint in this kernel's layout. */
static bool has_twin(const struct kt_caps *caps, const struct kt_probe *probe, enum kt_view view,
		     const struct kt_plan *plan)
{
	for (size_t i = 0; i < kt_probe_count; i++) {
		const struct kt_probe *twin = &kt_probes[i];

		if (twin != probe && twin->event && fits(twin, view, plan) &&
		    strcmp(twin->event, probe->event) == 0 &&
		    (twin->layout < 0 || caps->layouts[twin->layout]))
			return true;
	}
	return false;
}

static enum kt_status choose(const struct kt_caps *caps, enum kt_view view, struct kt_plan *plan)
{
	for (size_t i = 0; i < kt_probe_count; i++) {
		const struct kt_probe *probe = &kt_probes[i];

		if (!fits(probe, view, plan))
			continue;
		if (probe->layout < 0 || caps->layouts[probe->layout])
			plan->probes |= 1u << i;
		else if (has_twin(caps, probe, view, plan))
			continue;
		else if (!probe->optional)
			return lacks_layout(caps, probe, plan);
		else
			kt_str_addf(
				&plan->warnings,
				"tracepoint kvm:%s cannot be read here (%s): causes of exceptions "
				"will lack what it tells\n",
				probe->event,
				caps->tracefs < 0 || caps->tracefs_denied
					? "no access to the trace file system"
					: "unknown layout");
	}
	return KT_OK;
}

enum kt_status kt_plan_make(const struct kt_caps *caps, enum kt_view view, struct kt_plan *plan)
{
	enum kt_status status;

	memset(plan, 0, sizeof(*plan));
	plan->uses_slots = view != KT_VIEW_VCPUS;
	plan->uses_rings = view == KT_VIEW_EXCEPTIONS || view == KT_VIEW_FAULTS;
	plan->uses_cells = view == KT_VIEW_EXITS;
	plan->uses_last_exits = view == KT_VIEW_EXCEPTIONS;
	plan->uses_pending = view == KT_VIEW_FAULTS || view == KT_VIEW_REGIONS;
	plan->uses_regions = view == KT_VIEW_REGIONS;
	status = check_host(caps, view, plan);
	if (status == KT_OK && view != KT_VIEW_VCPUS && why_raw(caps, view)) {
		plan->mode = KT_MODE_RAW;
		kt_str_addf(&plan->warnings,
			    "%s: raw and classic tracepoints are used, which cost more\n",
			    why_raw(caps, view));
	}
	if (status == KT_OK)
		status = choose(caps, view, plan);
	if (status == KT_OK && view == KT_VIEW_EXCEPTIONS && !raises_kvm_exit(caps))
		kt_str_addf(&plan->warnings,
			    "this host's KVM (%s) never raises kvm_exit: causes come from kvm_msr "
			    "and kvm_emulate_insn alone\n",
			    caps->vendor_other);
	return status;
}

void kt_plan_fini(struct kt_plan *plan)
{
	kt_str_free(&plan->warnings);
	kt_str_free(&plan->refusal);
}
