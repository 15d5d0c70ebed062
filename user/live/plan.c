/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <string.h>

#include "plan.h"

#define EXITS	   (1u << KT_VIEW_EXITS)
#define EXCEPTIONS (1u << KT_VIEW_EXCEPTIONS)
#define FAULTS	   (1u << KT_VIEW_FAULTS)
#define REGIONS	   (1u << KT_VIEW_REGIONS)
#define VCPUS	   (1u << KT_VIEW_VCPUS)

/*
 * Classic programs on kvm_exit come before everything else: their record makes VMX read RIP and
 * qualification into its cache, where the programs behind find them. What feeds others comes before
 * what consumes (kvm_inj_exception last): they are detached the other way round, so that a consumer
 * never runs on half the facts.
 */
const struct kt_probe kt_probes[] = {
	{ "kt_exit_note", "kvm_exit", KT_PROBE_TP, EXCEPTIONS, true, KT_LAYOUT_EXIT },
	{ "kt_exit_end", "kvm_entry", KT_PROBE_BTF, EXITS, false, -1 },
	{ "kt_exit_begin", "kvm_exit", KT_PROBE_BTF, EXITS, false, -1 },
	{ "kt_fault_entry", "kvm_entry", KT_PROBE_BTF, FAULTS | REGIONS, false, -1 },
	{ "kt_fault_exit", "kvm_exit", KT_PROBE_BTF, FAULTS | REGIONS, false, -1 },
	{ "kt_fault", "kvm_page_fault", KT_PROBE_TP, FAULTS, false, KT_LAYOUT_PAGE_FAULT },
	{ "kt_fault_region", "kvm_page_fault", KT_PROBE_BTF, REGIONS, false, -1 },
	{ "kt_msr", "kvm_msr", KT_PROBE_BTF, EXCEPTIONS, true, -1 },
	{ "kt_cr", "kvm_cr", KT_PROBE_BTF, EXCEPTIONS, true, -1 },
	{ "kt_emulate", "kvm_emulate_insn", KT_PROBE_TP, EXCEPTIONS, true, KT_LAYOUT_EMULATE_INSN },
	{ "kt_async_pf", "kvm_async_pf_not_present", KT_PROBE_BTF, EXCEPTIONS, true, -1 },
	{ "kt_inject", "kvm_inj_exception", KT_PROBE_BTF, EXCEPTIONS, false, -1 },
	{ "kt_list_vcpus", NULL, KT_PROBE_ITER, EXITS | EXCEPTIONS | FAULTS | REGIONS | VCPUS,
	  false, -1 },
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
	/* bpf(BPF_BTF_GET_FD_BY_ID), the only way to a module's types, asks for CAP_SYS_ADMIN. */
	if (caps->kvm_is_module && !caps->cap_sys_admin)
		return refuse(
			plan, KT_DENIED,
			"no permission to read the types of the kvm module: run it as root (sudo), or "
			"give it CAP_SYS_ADMIN (CAP_BPF and CAP_PERFMON are enough only where KVM is "
			"built into the kernel)");
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
	if (!caps->btf_kvm)
		return refuse(
			plan, KT_UNSUPPORTED,
			"the kvm module has no BTF (/sys/kernel/btf/kvm is missing): kvmtrace "
			"needs a kernel built with CONFIG_DEBUG_INFO_BTF_MODULES=y (5.11 or later)");
	if (needs_reasons(view) && raises_kvm_exit(caps) && !caps->btf_vendor)
		return refuse(
			plan, KT_UNSUPPORTED,
			"the vendor module has no BTF (neither /sys/kernel/btf/kvm_amd nor kvm_intel "
			"is there), and exit reasons cannot be read without: load the module that came "
			"with this kernel");
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

static enum kt_status choose(const struct kt_caps *caps, enum kt_view view, struct kt_plan *plan)
{
	for (size_t i = 0; i < kt_probe_count; i++) {
		const struct kt_probe *probe = &kt_probes[i];

		if (!(probe->views & 1u << view))
			continue;
		if (probe->layout < 0 || caps->layouts[probe->layout])
			plan->probes |= 1u << i;
		else if (!probe->optional)
			return lacks_layout(caps, probe, plan);
		else
			kt_str_addf(
				&plan->warnings,
				"tracepoint kvm:%s cannot be read here (%s): causes of exceptions "
				"will lack what it tells\n",
				probe->event,
				caps->tracefs < 0 ? "no access to the trace file system"
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
