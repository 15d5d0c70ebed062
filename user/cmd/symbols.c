/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The options that name files with a guest's symbols. */
#include <errno.h>

#include "../lib/log.h"
#include "common.h"

static int add_file(void *dst, const char *text, enum kt_symbols_kind kind, struct kt_str *why)
{
	struct kt_symbol_files *files = dst;

	if (files->count == KT_SYMBOL_FILES_MAX) {
		kt_str_addf(why, "more than %d files", KT_SYMBOL_FILES_MAX);
		return -EINVAL;
	}
	return kt_symbols_parse(text, kind, &files->specs[files->count++], why);
}

static int add_kallsyms(void *dst, const char *text, struct kt_str *why)
{
	return add_file(dst, text, KT_SYMBOLS_KALLSYMS, why);
}

static int add_vmlinux(void *dst, const char *text, struct kt_str *why)
{
	return add_file(dst, text, KT_SYMBOLS_ELF, why);
}

const struct kt_opt kt_opts_symbols[KT_OPTS_SYMBOLS_COUNT] = {
	{ "guest-kallsyms", 0, KT_OPT_PARSE, offsetof(struct kt_common, symbols),
	  "[VM=]FILE[@OFFSET]",
	  "name places in the code by the guest's /proc/kallsyms or\n"
	  "System.map. VM: of which VMs it is, may be a pattern; all\n"
	  "without it. OFFSET: KASLR's, added to its addresses",
	  0, 0, add_kallsyms },
	{ "guest-vmlinux", 0, KT_OPT_PARSE, offsetof(struct kt_common, symbols),
	  "[VM=]FILE[@OFFSET]", "likewise by the guest's vmlinux, an ELF file", 0, 0, add_vmlinux },
};

enum kt_status kt_run_load_symbols(struct kt_run *run)
{
	const struct kt_symbol_files *files = &run->common->symbols;
	struct kt_str why = {};
	int err = 0;

	if (files->count)
		err = kt_symbols_list_load(&run->symbols, files->specs, files->count, &why);
	if (err)
		kt_err("%s", why.data);
	kt_str_free(&why);
	return err ? KT_FAILED : KT_OK;
}
