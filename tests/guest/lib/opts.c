/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The command line, and its disguise: with --name a guest looks like a QEMU to whoever reads /proc. */
#include "guest.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define QEMU	  "qemu-system-x86_64"
#define QEMU_HEAD "guest="
#define QEMU_TAIL ",debug-threads=on"
#define COMMON	  4 /* numeric options every scenario has */
#define EXTRA_MAX 8
#define ARGS_MAX  (2 * (COMMON + EXTRA_MAX) + 8)
#define NAME_LONG 1024
#define NAME_ROOM (2 * NAME_LONG + 64) /* in the QEMU form */
#define DAY_S	  86400

enum { OPT_NUMBER = 256, OPT_WAIT = OPT_NUMBER + COMMON + EXTRA_MAX, OPT_NAME, OPT_HELP };

struct numbers {
	struct kt_extra opt[COMMON + EXTRA_MAX];
	int count;
};

static char *name_in_argv; /* the QEMU form, in the memory /proc/PID/cmdline shows */

static void collect(struct kt_opts *o, const struct kt_extra *extra, struct numbers *all)
{
	const struct kt_extra common[COMMON] = {
		{ "count", &o->n, o->n ? 1 : 0, o->n_max, "iterations (also -n)" },
		{ "hold", &o->hold_s, 0, DAY_S, "seconds to stay alive after the run" },
		{ "delay", &o->delay_s, 0, DAY_S,
		  "seconds between creating the VM and running it" },
		{ "timeout", &o->timeout_s, 1, DAY_S, "seconds the run may take" },
	};

	memcpy(all->opt, common, sizeof(common));
	all->count = COMMON;
	for (; extra && extra->name && all->count < COMMON + EXTRA_MAX; extra++)
		all->opt[all->count++] = *extra;
}

static _Noreturn void usage(const struct kt_opts *o, const struct numbers *all, int status)
{
	FILE *f = status ? stderr : stdout;

	fprintf(f, "usage: g_%s [options]\n", o->scenario);
	for (int i = 0; i < all->count; i++)
		fprintf(f, "  --%-10s %s (%" PRIu64 "..%" PRIu64 ", default %" PRIu64 ")\n",
			all->opt[i].name, all->opt[i].help, all->opt[i].min, all->opt[i].max,
			*all->opt[i].value);
	fprintf(f, "  --wait-file PATH   run once PATH exists\n"
		   "  --name NAME        look like a QEMU process that runs the guest NAME\n"
		   "  -v                 say what happens\n");
	exit(status);
}

static void set_number(const struct kt_opts *o, const struct numbers *all, int nr, const char *text)
{
	const struct kt_extra *opt = &all->opt[nr];
	char *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno || end == text || *end || text[0] == '-' || value < opt->min ||
	    value > opt->max) {
		fprintf(stderr, "g_%s: --%s: '%s' is not a number in %" PRIu64 "..%" PRIu64 "\n",
			o->scenario, opt->name, text, opt->min, opt->max);
		exit(2);
	}
	*opt->value = value;
}

/* QEMU's way: a comma within the value is written twice. */
static char *name_encode(const char *name, const char *suffix)
{
	char *out = malloc(sizeof(QEMU_HEAD QEMU_TAIL) + 2 * strlen(name) + strlen(suffix));
	char *p = out;

	if (!out)
		kt_fail("out of memory");
	p = stpcpy(p, QEMU_HEAD);
	for (; *name; name++) {
		*p++ = *name;
		if (*name == ',')
			*p++ = ',';
	}
	p = stpcpy(p, suffix);
	stpcpy(p, QEMU_TAIL);
	return out;
}

static char *name_decode(const char *text)
{
	static char name[NAME_ROOM];
	size_t head = strlen(QEMU_HEAD), tail = strlen(QEMU_TAIL), len = strlen(text);
	char *p = name;

	if (len < head + tail || len >= sizeof(name) || strncmp(text, QEMU_HEAD, head) ||
	    strcmp(text + len - tail, QEMU_TAIL))
		return NULL;
	for (size_t i = head; i < len - tail; i++) {
		*p++ = text[i];
		if (text[i] == ',' && text[i + 1] == ',')
			i++;
	}
	*p = '\0';
	return name;
}

static _Noreturn void become_qemu(const struct kt_opts *o, const struct numbers *all)
{
	static char text[COMMON + EXTRA_MAX][2][32];
	char *argv[ARGS_MAX];
	int n = 0;

	argv[n++] = (char *)QEMU;
	argv[n++] = (char *)"-name";
	argv[n++] = name_encode(o->name, o->name_suffix ? o->name_suffix : "");
	for (int i = 0; i < all->count; i++) {
		snprintf(text[i][0], sizeof(text[i][0]), "--%s", all->opt[i].name);
		snprintf(text[i][1], sizeof(text[i][1]), "%" PRIu64, *all->opt[i].value);
		argv[n++] = text[i][0];
		argv[n++] = text[i][1];
	}
	if (o->wait_file) {
		argv[n++] = (char *)"--wait-file";
		argv[n++] = (char *)o->wait_file;
	}
	if (o->verbose)
		argv[n++] = (char *)"-v";
	argv[n] = NULL;
	execv("/proc/self/exe", argv);
	kt_fail("exec of /proc/self/exe: %m");
}

static void parse(struct kt_opts *o, int argc, char **argv, const struct numbers *all)
{
	struct option longs[COMMON + EXTRA_MAX + 4] = { 0 };
	int c, n;

	for (n = 0; n < all->count; n++)
		longs[n] = (struct option) { all->opt[n].name, required_argument, NULL,
					     OPT_NUMBER + n };
	longs[n++] = (struct option) { "wait-file", required_argument, NULL, OPT_WAIT };
	longs[n++] = (struct option) { "name", required_argument, NULL, OPT_NAME };
	longs[n] = (struct option) { "help", no_argument, NULL, OPT_HELP };
	while ((c = getopt_long_only(argc, argv, "n:v", longs, NULL)) != -1) {
		if (c == 'n')
			set_number(o, all, 0, optarg);
		else if (c >= OPT_NUMBER && c < OPT_WAIT)
			set_number(o, all, c - OPT_NUMBER, optarg);
		else if (c == OPT_WAIT)
			o->wait_file = optarg;
		else if (c == OPT_NAME)
			o->name = optarg;
		else if (c == 'v')
			o->verbose = true;
		else
			usage(o, all, c == OPT_HELP ? 0 : 2);
	}
	if (optind != argc)
		usage(o, all, 2);
}

void kt_opts_parse(struct kt_opts *o, int argc, char **argv, const struct kt_extra *extra)
{
	struct numbers all;

	if (!o->timeout_s)
		o->timeout_s = 120;
	collect(o, extra, &all);
	parse(o, argc, argv, &all);
	if (!o->name)
		return;
	if (strcmp(argv[0], QEMU)) {
		if (strlen(o->name) > NAME_LONG)
			kt_fail("--name is longer than %d bytes", NAME_LONG);
		become_qemu(o, &all);
	}
	prctl(PR_SET_NAME, QEMU);
	name_in_argv = (char *)o->name;
	o->name = name_decode(o->name);
	if (!o->name)
		kt_fail("-name %s: not what --name makes", name_in_argv);
}

void kt_opts_rename(struct kt_opts *o, char last)
{
	size_t tail = strlen(QEMU_TAIL);

	if (!o->name || !*o->name)
		return;
	name_in_argv[strlen(name_in_argv) - tail - 1] = last;
	o->name[strlen(o->name) - 1] = last;
}
