/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "lib/log.h"
#include "lib/str.h"

static const struct kt_cmd *const commands[] = {
	&kt_cmd_exits,	&kt_cmd_exceptions, &kt_cmd_faults, &kt_cmd_vms,
	&kt_cmd_record, &kt_cmd_report,	    &kt_cmd_export, &kt_cmd_doctor,
};

static enum kt_status print_help(void)
{
	struct kt_str text = {};
	enum kt_status status;

	kt_str_add(
		&text,
		"usage: kvmtrace COMMAND [OPTION...]\n"
		"\n"
		"Shows what KVM does with virtual machines on this host: their exits, the\n"
		"exceptions they get, their memory faults. Watches only; never touches a guest.\n"
		"\n"
		"commands:\n");
	for (size_t i = 0; i < KT_ARRAY_SIZE(commands); i++)
		kt_str_addf(&text, "  %-12s%s\n", commands[i]->name, commands[i]->summary);
	kt_str_add(
		&text,
		"\n"
		"  kvmtrace COMMAND --help   explains a command and its options\n"
		"  kvmtrace --version        prints the version\n"
		"\n"
		"examples:\n"
		"  kvmtrace exceptions                 every exception KVM injects, live\n"
		"  kvmtrace exits -d 10 --hist         where exit time goes, ten seconds\n"
		"  kvmtrace faults --hist --vm win11   the hottest guest memory of one VM\n"
		"\n"
		"exit status: 0 done, 1 failed, 2 usage, 3 kernel or host lacks what is needed,\n"
		"4 no permission, 5 events lost under --strict\n");
	status = kt_cmd_print(&text);
	kt_str_free(&text);
	return status;
}

static const struct kt_cmd *find(const char *name)
{
	for (size_t i = 0; i < KT_ARRAY_SIZE(commands); i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

static enum kt_status no_such_command(const char *name)
{
	struct kt_str safe = {}, list = {};

	kt_str_add_safe(&safe, name);
	for (size_t i = 0; i < KT_ARRAY_SIZE(commands); i++)
		kt_str_addf(&list, "%s%s", i ? ", " : "", commands[i]->name);
	kt_err("unknown command '%s'; there are %s (see 'kvmtrace --help')", safe.data, list.data);
	kt_str_free(&safe);
	kt_str_free(&list);
	return KT_USAGE;
}

int main(int argc, char **argv)
{
	const struct kt_cmd *cmd;

	if (argc < 2) {
		kt_err("which command? 'kvmtrace --help' lists them");
		return KT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    (strcmp(argv[1], "help") == 0 && argc == 2))
		return print_help();
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)
		return kt_cmd_print_version();
	cmd = find(argv[1]);
	return cmd ? cmd->run(argc - 1, argv + 1) : no_such_command(argv[1]);
}
