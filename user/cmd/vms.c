/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../lib/log.h"
#include "../sink/table.h"
#include "../sink/units.h"
#include "cmd.h"
#include "common.h"

struct vms_opts {
	struct kt_common common;
};

struct vms {
	struct kt_vm_list list;
	u64 *memory; /* bytes of guest memory, by position in the list; 0: not known */
	/* What the task_file iterator found; without BPF nothing. */
	struct kt_vcpu_found *found;
	size_t found_count;
};

static const struct kt_opt own_vm_opts[] = {
	{ "pid", 'p', KT_OPT_U32, offsetof(struct kt_common, pid), "PID",
	  "only the VM that this process runs", 1, 0x7fffffff, NULL },
	{ "vm", 0, KT_OPT_STRING, offsetof(struct kt_common, vm), "NAME",
	  "only VMs of this name; may be a pattern: 'web-*'", 0, 0, NULL },
};

static const struct kt_opt_group groups[] = {
	{ "Filters", own_vm_opts, KT_ARRAY_SIZE(own_vm_opts) },
	{ "Output", kt_opts_plain_output, KT_OPTS_PLAIN_OUTPUT_COUNT },
	{ "Other", kt_opts_plain_general, KT_OPTS_PLAIN_GENERAL_COUNT },
	{ NULL, NULL, 0 },
};

static const struct kt_cmd_help help = {
	.usage = "kvmtrace vms [OPTION...]",
	.text = "Lists the VMs running now: the process, its name (from QEMU, libvirt, Proxmox,\n"
		"KubeVirt, Firecracker, cloud-hypervisor, Kata; otherwise the command), its\n"
		"vCPUs and their threads, and memory. With BPF the threads and the size of guest\n"
		"memory are exact; without permission for it they come from /proc as far as\n"
		"that tells.\n",
	.examples = "  kvmtrace vms\n"
		    "  kvmtrace vms -f json | jq -r .vm.name\n",
	.groups = groups,
};

static void on_vcpu(void *ctx, const struct kt_vcpu_found *found)
{
	struct vms *x = ctx;

	x->found = kt_grow(x->found, x->found_count, sizeof(*x->found));
	x->found[x->found_count++] = *found;
}

static int by_vcpu(const void *left, const void *right)
{
	const struct kt_vcpu_found *a = left, *b = right;

	if (a->tgid != b->tgid)
		return a->tgid > b->tgid ? 1 : -1;
	if (a->kvm != b->kvm)
		return a->kvm > b->kvm ? 1 : -1;
	return (a->vcpu_id > b->vcpu_id) - (a->vcpu_id < b->vcpu_id);
}

/* The kernel knows each vCPU's thread; thread names, which the scan relies on, may lie. */
static void take_found(struct vms *x, size_t at)
{
	struct kt_vm *vm = &x->list.vms[at];
	const struct kt_vcpu_found *last = NULL;
	size_t count = 0;

	for (size_t i = 0; i < x->found_count; i++) {
		const struct kt_vcpu_found *f = &x->found[i];

		if (f->tgid != vm->pid)
			continue;
		/* A descriptor may be there twice, after dup(2). */
		if (last && last->kvm == f->kvm && last->vcpu_id == f->vcpu_id)
			continue;
		if (!last || last->kvm != f->kvm)
			x->memory[at] += f->memslot_pages * 4096;
		vm->vcpus = kt_grow(vm->vcpus, count, sizeof(*vm->vcpus));
		vm->vcpus[count++] = (struct kt_vm_vcpu) { .id = f->vcpu_id, .tid = f->tid };
		last = f;
	}
	if (count)
		vm->vcpu_count = count;
}

static void ask_kernel(struct vms *x)
{
	struct kt_session_opts opts = { .view = KT_VIEW_VCPUS, .quiet = true };
	struct kt_session *session;
	enum kt_status status;
	int err;

	status = kt_session_open(&opts, &session);
	if (status == KT_OK)
		status = kt_session_attach(session);
	if (status == KT_OK) {
		err = kt_session_each_vcpu(session, on_vcpu, x);
		if (err)
			kt_warn("cannot list vCPUs through BPF: %s", strerror(-err));
	} else {
		kt_info("vCPU threads and memory only as far as /proc tells: %s",
			kt_session_failure(session));
	}
	kt_session_close(session);
	if (x->found_count)
		qsort(x->found, x->found_count, sizeof(*x->found), by_vcpu);
	for (size_t i = 0; i < x->list.count; i++)
		take_found(x, i);
}

static bool selected(const struct kt_common *c, const struct kt_vm *vm)
{
	return (!c->pid || c->pid == vm->pid) &&
	       (!c->vm || fnmatch(c->vm, vm->identity.name, 0) == 0);
}

static void add_threads(struct kt_str *s, const struct kt_vm *vm)
{
	for (size_t i = 0; i < vm->vcpu_count; i++) {
		if (i)
			kt_str_add_char(s, ',');
		if (vm->vcpus[i].tid)
			kt_str_add_u64(s, vm->vcpus[i].tid);
		else
			kt_str_add_char(s, '?');
	}
}

static void print_vm(struct kt_table *t, const struct kt_vm *vm, u64 memory)
{
	struct kt_str text = {};

	kt_table_addf(t, "%u", vm->pid);
	kt_table_add(t, vm->identity.name);
	kt_table_add(t, kt_vmm_name(vm->identity.vmm));
	kt_table_add(t, vm->identity.manager ? vm->identity.manager : "-");
	kt_table_addf(t, "%zu", vm->vcpu_count);
	if (memory)
		kt_str_add_bytes(&text, memory);
	else
		kt_str_add(&text, "?");
	kt_table_add_str(t, &text);
	kt_str_add_bytes(&text, vm->rss_bytes);
	kt_table_add_str(t, &text);
	add_threads(&text, vm);
	kt_table_add_str(t, &text);
	kt_str_free(&text);
}

static void record_threads(struct kt_record *r, const struct kt_vm *vm)
{
	kt_record_array(r, "vcpu_threads");
	for (size_t i = 0; i < vm->vcpu_count; i++) {
		kt_record_object(r, NULL);
		kt_record_u64(r, "vcpu", vm->vcpus[i].id);
		if (vm->vcpus[i].tid)
			kt_record_u64(r, "tid", vm->vcpus[i].tid);
		else
			kt_record_null(r, "tid");
		kt_record_object_end(r);
	}
	kt_record_array_end(r);
}

static void record_vm(struct kt_record *r, const struct kt_vm *vm, u64 memory)
{
	kt_record_begin(r, "vm");
	kt_record_object(r, "vm");
	kt_record_u64(r, "pid", vm->pid);
	kt_record_str(r, "name", vm->identity.name);
	kt_record_object_end(r);
	kt_record_str(r, "vmm", kt_vmm_name(vm->identity.vmm));
	kt_record_str(r, "manager", vm->identity.manager);
	kt_record_u64(r, "vms", vm->vm_fds);
	kt_record_u64(r, "vcpus", vm->vcpu_count);
	record_threads(r, vm);
	if (memory)
		kt_record_u64(r, "memory_bytes", memory);
	else
		kt_record_null(r, "memory_bytes");
	kt_record_u64(r, "rss_bytes", vm->rss_bytes);
	kt_record_end(r);
}

static size_t print(const struct vms *x, const struct kt_common *c, struct kt_out *out)
{
	static const struct kt_table_column columns[] = {
		{ "PID", false, 0 },	{ "VM", true, 0 },	     { "VMM", true, 4 },
		{ "MANAGER", true, 2 }, { "VCPUS", false, 0 },	     { "MEMORY", false, 5 },
		{ "RSS", false, 3 },	{ "VCPU THREADS", true, 1 },
	};
	struct kt_table *t = kt_table_new(columns, KT_ARRAY_SIZE(columns));
	struct kt_record *r = NULL;
	size_t shown = 0;

	if (c->format != KT_FORMAT_TEXT)
		r = kt_record_new(c->format, out, "vm");
	for (size_t i = 0; i < x->list.count; i++) {
		if (!selected(c, &x->list.vms[i]))
			continue;
		shown++;
		if (r)
			record_vm(r, &x->list.vms[i], x->memory[i]);
		else
			print_vm(t, &x->list.vms[i], x->memory[i]);
	}
	if (!r && shown)
		kt_table_print(t, out);
	kt_table_free(t);
	kt_record_free(r);
	return shown;
}

static enum kt_status explain(const struct vms *x, const struct kt_common *c, size_t shown)
{
	struct kt_str name = {};

	if (x->list.unreadable && geteuid())
		kt_warn("the files of %zu %s could not be looked at: VMs of other users are missing "
			"(run it as root)",
			x->list.unreadable, x->list.unreadable == 1 ? "process" : "processes");
	if (shown)
		return KT_OK;
	if (!c->pid && !c->vm) {
		kt_note("no VM is running");
		return KT_OK;
	}
	kt_str_add_safe(&name, c->vm ? c->vm : "");
	if (c->vm)
		kt_err("no running VM has the name '%s'; 'kvmtrace vms' lists all", name.data);
	else
		kt_err("process %u runs no VM; 'kvmtrace vms' lists all", c->pid);
	kt_str_free(&name);
	return KT_FAILED;
}

static enum kt_status run_vms(int argc, char **argv)
{
	struct vms_opts opts = {};
	struct vms x = {};
	enum kt_status status, out_status;
	struct kt_out *out;
	size_t shown;
	int err;

	kt_common_init(&opts.common);
	if (!kt_cmd_parse(&help, &opts, argc, argv, &status))
		return status;
	out = kt_out_open(opts.common.output);
	if (!out)
		return KT_FAILED;
	err = kt_vm_scan("/proc", "/sys/kernel/debug", &x.list);
	if (err) {
		kt_err("cannot look at the processes in /proc: %s", strerror(-err));
		kt_out_close(out);
		return KT_FAILED;
	}
	x.memory = kt_alloc((x.list.count + 1) * sizeof(*x.memory));
	if (x.list.count)
		ask_kernel(&x);
	shown = print(&x, &opts.common, out);
	status = explain(&x, &opts.common, shown);
	out_status = kt_out_close(out);
	kt_vm_list_free(&x.list);
	free(x.memory);
	free(x.found);
	return status != KT_OK ? status : out_status;
}

const struct kt_cmd kt_cmd_vms = { "vms", "the VMs running now", run_vms };
