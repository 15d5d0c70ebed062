/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Gathers the facts of this host, before anything is loaded. Nothing is decided here. */
#ifndef KT_LIVE_CAPS_H
#define KT_LIVE_CAPS_H

#include "facts.h"

/*
 * Always succeeds: what cannot be found out stays unknown. *tracefs becomes a directory of the trace
 * file system for kt_tracepoint_id(), to be closed by the caller, or a negative errno. Maps and small
 * programs are created to see whether the kernel takes them, and nothing is ever attached.
 */
void kt_caps_gather(struct kt_facts *facts, int *tracefs);

#endif
