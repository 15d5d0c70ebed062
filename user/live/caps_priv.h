/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Between the files that gather facts. */
#ifndef KT_LIVE_CAPS_PRIV_H
#define KT_LIVE_CAPS_PRIV_H

#include "caps.h"

/* caps_btf.c: what the types tell. kvm and vendor must be known. */
void kt_caps_gather_btf(struct kt_facts *facts, struct kt_kernel_types *types);
/* caps_bpf.c: which maps and programs the kernel takes. */
void kt_caps_gather_bpf(struct kt_facts *facts, const struct kt_kernel_types *types);

#endif
