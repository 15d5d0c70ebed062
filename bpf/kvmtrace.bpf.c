// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * All programs as one object: libbpf's linker (1.1) cannot join two that declare the same kernel
 * function, and each of these parts calls bpf_rdonly_cast(). Built twice, with KT_CAST and without
 * (read.bpf.h).
 */
#include "core.bpf.c"
#include "exits.bpf.c"
#include "exceptions.bpf.c"
#include "faults.bpf.c"
#include "trace.bpf.c"
#include "vcpus.bpf.c"
