/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What reads symbols, shared by symbols.c and symbols_elf.c; no one else's. */
#ifndef KT_EVENT_SYMBOLS_PRIV_H
#define KT_EVENT_SYMBOLS_PRIV_H

#include "symbols.h"

/* Of several symbols with one address, that of the lowest rank gives the name. */
enum rank { RANK_GLOBAL, RANK_WEAK, RANK_LOCAL, RANK_NO_FUNCTION };

/*
 * Adds a symbol. size 0: it reaches to the next one. A symbol that is no function has no name, and says
 * where the one before it ends. Returns 0, or -E2BIG with the reason in why.
 */
int kt_symbols_put(struct kt_symbols *s, u64 address, u64 size, enum rank rank, const char *name,
		   const char *module, struct kt_str *why);
/* Appends "FILE: " with the format behind it; returns -err. */
int kt_symbols_fail(struct kt_str *why, const char *file, int err, const char *fmt, ...)
	KT_PRINTF(4, 5);

int kt_symbols_read_elf(struct kt_symbols *s, int fd, const char *name, struct kt_str *why);

#endif
