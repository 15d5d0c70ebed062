/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Command-line options as tables. A command describes each of its options once: the same row parses
 * it and prints its line of --help. Values land at an offset of the command's options struct, which
 * starts as a copy of its defaults.
 */
#ifndef KT_LIB_OPT_H
#define KT_LIB_OPT_H

#include "util.h"
#include "str.h"

enum kt_opt_type {
	KT_OPT_FLAG,	 /* bool: set to true */
	KT_OPT_COUNT,	 /* int: one up each time (-v -v, -vv) */
	KT_OPT_U32,	 /* u32 within min..max; max 0: no upper bound */
	KT_OPT_DURATION, /* u64 nanoseconds within min..max; max 0: no upper bound */
	KT_OPT_STRING,	 /* const char *: points into argv; may not be empty */
	KT_OPT_PARSE,	 /* parse() decides; may be given several times */
};

struct kt_opt {
	const char *name; /* without the dashes */
	char letter;	  /* 0: long form only */
	enum kt_opt_type type;
	size_t offset;
	const char *arg;  /* NULL for flags; shown in --help */
	const char *help; /* may hold \n: continued lines are indented */
	u64 min, max;
	/*
	 * dst is the field at offset (offset 0: the whole struct); text may be empty. Returns 0,
	 * or a negative errno with the reason appended to why: it follows "--name text: ".
	 */
	int (*parse)(void *dst, const char *text, struct kt_str *why);
};

struct kt_opt_group {
	const char *title; /* heading in --help; "": goes on under the one before */
	const struct kt_opt *opts;
	size_t count;
};

/*
 * Parses argv[1..argc-1]: options anywhere, "--" ends them, "--name=value", "-nVALUE" and
 * clusters of letters ("-vv") work, names are written in full. The last of several values wins. A
 * value that is an argument of its own may not look like an option ("--…", or "-" and a known
 * letter): there it was forgotten. The groups end with a NULL title. Positional arguments ("-" is
 * one) are moved to the front of argv+1, counted in *positional and followed by NULL, as exec
 * wants; the rest of argv is unspecified then. Returns 0 or -EINVAL with one sentence in why,
 * such as "unknown option '--hits' (did you mean '--hist'?)" or "-p 12x: not a number".
 */
int kt_opt_parse(const struct kt_opt_group *groups, void *dst, int argc, char **argv,
		 int *positional, struct kt_str *why);
/* Appends the aligned option list, group by group, wrapped to 80 columns. */
void kt_opt_help(const struct kt_opt_group *groups, struct kt_str *out);

#endif
