/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Facts about this host: looked at once, before anything is loaded. Nothing is decided here. */
#ifndef KT_LIVE_CAPS_H
#define KT_LIVE_CAPS_H

#include "../lib/util.h"

/* Classic tracepoints whose records the BPF programs read at fixed offsets (bpf/raw.bpf.h). */
enum kt_record_layout {
	KT_LAYOUT_EXIT,
	KT_LAYOUT_EMULATE_INSN,
	KT_LAYOUT_PAGE_FAULT,
	KT_LAYOUT_PAGE_FAULT_OLD, /* without vcpu_id, guest_rip: before 6.1 */
	KT_LAYOUT_INJECT,	  /* not read; tells how many arguments the tracepoint has */
	KT_LAYOUT_INJECT_OLD,	  /* without reinjected */
	KT_LAYOUTS,
};

struct kt_caps {
	bool kvm; /* kvm is built in or loaded */
	bool kvm_is_module;
	bool kvm_device; /* a vendor module has registered /dev/kvm */
	bool vendor_intel, vendor_amd;
	char vendor_other[32];	   /* a vendor module we don't know, e.g. "kvm_pvm"; else empty */
	bool btf_vmlinux;	   /* /sys/kernel/btf/vmlinux is there */
	bool btf_kvm;		   /* types of kvm itself can be found */
	bool btf_vendor;	   /* and those of the vendor module */
	bool cap_bpf, cap_perfmon; /* either by name or through CAP_SYS_ADMIN */
	bool cap_sys_admin;
	bool lockdown_confidentiality;
	bool init_pid_ns;    /* process numbers are the kernel's own */
	int tracefs;	     /* directory of the trace file system, or -errno */
	bool tracefs_denied; /* it is there, but its files may not be read */
	bool layouts[KT_LAYOUTS];
	u32 cpus; /* possible CPUs */
};

/* Gathers them. Always succeeds: what cannot be found out is a fact as well. */
void kt_caps_gather(struct kt_caps *caps);
void kt_caps_fini(struct kt_caps *caps);

/* The number of a tracepoint ("kvm", "kvm_exit") for perf_event_open(2), or a negative errno. */
int kt_tracepoint_id(const struct kt_caps *caps, const char *group, const char *name);

#endif
