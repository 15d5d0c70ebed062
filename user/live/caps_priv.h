/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Between the files that gather facts. */
#ifndef KT_LIVE_CAPS_PRIV_H
#define KT_LIVE_CAPS_PRIV_H

#include "facts.h"

/* Types of vmlinux that programs can be loaded for; 0: it hasn't such a one. */
struct kt_btf_targets {
	u32 tracepoint, iterator, function;
};

/* caps_btf.c: what the types tell. kvm and vendor must be known. */
void kt_caps_gather_btf(struct kt_facts *facts, struct kt_btf_targets *targets);
/* caps_bpf.c: which maps and programs the kernel takes. */
void kt_caps_gather_bpf(struct kt_facts *facts, const struct kt_btf_targets *targets);

#endif
