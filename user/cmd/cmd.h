/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef KT_CMD_H
#define KT_CMD_H

#include "../lib/opt.h"
#include "../lib/util.h"

/* A sub-command. It parses its own arguments: argv[0] is its name. */
struct kt_cmd {
	const char *name;
	const char *summary; /* a line in the list of commands */
	enum kt_status (*run)(int argc, char **argv);
};

extern const struct kt_cmd kt_cmd_exits, kt_cmd_exceptions, kt_cmd_faults, kt_cmd_vms,
	kt_cmd_doctor, kt_cmd_record, kt_cmd_report, kt_cmd_export;

/* What --help prints of a command. */
struct kt_cmd_help {
	const char *usage;    /* "kvmtrace exits [OPTION…]" */
	const char *text;     /* what it does and how to read its output */
	const char *examples; /* lines, may be NULL */
	const struct kt_opt_group *groups;
	int arguments; /* how many it takes at most besides options: argv[1] and so on, then NULL */
};

/*
 * Parses a command's options. Returns true when the command goes
 * on; otherwise *status is what to exit with: --help was printed, or a usage error.
 */
bool kt_cmd_parse(const struct kt_cmd_help *help, void *opts, int argc, char **argv,
		  enum kt_status *status);

/* To standard output. Returns what to exit with. */
enum kt_status kt_cmd_print(const struct kt_str *text);
enum kt_status kt_cmd_print_version(void);

#endif
