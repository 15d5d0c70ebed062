/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "ctf_lib.h"

#include <dlfcn.h>
#include <stddef.h>

#define LIBRARY "libbabeltrace2-ctf-writer.so.0"

static const struct {
	const char *name;
	size_t offset;
} functions[] = {
#define CTF_FUNCTION(type, function, arguments)                                                    \
	{ "bt_ctf_" #function, offsetof(struct kt_ctf_lib, function) },
	CTF_FUNCTIONS(CTF_FUNCTION)
#undef CTF_FUNCTION
};

bool kt_ctf_lib_load(struct kt_ctf_lib *lib, struct kt_str *why)
{
	*lib = (struct kt_ctf_lib) { .handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL) };
	if (!lib->handle) {
		kt_str_add(why, "CTF is written by Babeltrace 2's library " LIBRARY
				", which cannot be loaded (Debian: apt-get install "
				"libbabeltrace2-0; Fedora: dnf install libbabeltrace2); the other "
				"formats do without");
		return false;
	}
	for (size_t i = 0; i < KT_ARRAY_SIZE(functions); i++) {
		void *function = dlsym(lib->handle, functions[i].name);

		if (!function) {
			kt_str_addf(why, LIBRARY " has no %s: it is of another version than 2",
				    functions[i].name);
			kt_ctf_lib_unload(lib);
			return false;
		}
		memcpy((char *)lib + functions[i].offset, &function, sizeof(function));
	}
	return true;
}

void kt_ctf_lib_unload(struct kt_ctf_lib *lib)
{
	if (lib->handle)
		dlclose(lib->handle);
	lib->handle = NULL;
}
