/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A capture as a trace in the Common Trace Format 1.8: a directory, written by Babeltrace 2's CTF writer,
 * a library that is looked for when it is needed. Each kind of events is an event class with the fields
 * of a capture's schema; what all have in common, and the VM's name, is the context.
 *
 * Events may come in any order. In a CTF stream they are ordered by time, so there are as many streams as
 * it takes: one, and a few more for exits that lasted so long that others came first.
 */
#ifndef KT_EXPORT_CTF_H
#define KT_EXPORT_CTF_H

#include "../event/vm_table.h"
#include "../lib/str.h"
#include "../store/kinds.h"
#include "../store/reader.h"

struct kt_ctf;

/*
 * Creates the directory, or takes one that is empty. clock: NULL when the capture has none. Returns NULL
 * and appends a sentence to why.
 */
struct kt_ctf *kt_ctf_new(const char *path, const struct kt_clock *clock, struct kt_str *why);
/* A row of a kind (enum kt_row, not 0) and its VM. */
void kt_ctf_event(struct kt_ctf *c, u32 kind, const struct kt_row_common *row,
		  const struct kt_vm_entry *vm);
/* What has gone wrong so far, to follow a path and a colon; NULL: nothing. Nothing is written after that. */
const char *kt_ctf_error(const struct kt_ctf *c);
/* Writes what is left, and frees. Returns whether all has been written; else appends to why. */
bool kt_ctf_close(struct kt_ctf *c, struct kt_str *why);

#endif
