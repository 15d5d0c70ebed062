/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What programs on BTF tracepoints and iterators attach to. libbpf looks each up among all types of
 * vmlinux and of every module; caps_btf.c has found them all in one walk.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "session_priv.h"

/* libbpf's handlers are global, too. */
static const struct kt_kernel_types *known;
static int kvm_fd = -1; /* the kvm module's types, once needed */

/* A file descriptor for the types of a module, or a negative errno. */
static int open_module(const char *module)
{
	u32 id = 0;

	while (!bpf_btf_get_next_id(id, &id)) {
		char name[64] = "";
		struct bpf_btf_info info = { .name = (uintptr_t)name, .name_len = sizeof(name) };
		u32 len = sizeof(info);
		int fd = bpf_btf_get_fd_by_id(id);

		/* Gone meanwhile, or one that another program has loaded. */
		if (fd < 0)
			continue;
		if (!bpf_obj_get_info_by_fd(fd, &info, &len) && info.kernel_btf &&
		    strcmp(name, module) == 0)
			return fd;
		close(fd);
	}
	return -errno;
}

static int set_target(struct bpf_program *prog, struct bpf_prog_load_opts *opts, long cookie)
{
	int index = kt_program_find(bpf_program__name(prog));
	u32 number;

	(void)cookie;
	if (index < 0 || !known)
		return -EINVAL;
	number = kt_programs[index].kind == KT_ON_FILES
			 ? known->task_file
			 : known->tracepoints[kt_programs[index].tracepoint];
	if (!number)
		return -ESRCH;
	opts->attach_btf_id = number;
	if (number < known->module_types)
		return 0;
	if (kvm_fd < 0)
		kvm_fd = open_module("kvm");
	opts->attach_btf_obj_fd = kvm_fd;
	return kvm_fd < 0 ? kvm_fd : 0;
}

static void register_handlers(void)
{
	LIBBPF_OPTS(libbpf_prog_handler_opts, opts, .prog_prepare_load_fn = set_target);

	libbpf_register_prog_handler("tp_btf/", BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, &opts);
	libbpf_register_prog_handler("iter/", BPF_PROG_TYPE_TRACING, BPF_TRACE_ITER, &opts);
}

void kt_targets_use(const struct kt_kernel_types *types)
{
	static bool registered;

	if (!registered)
		register_handlers();
	registered = true;
	if (kvm_fd >= 0)
		close(kvm_fd);
	kvm_fd = -1;
	known = types;
}
