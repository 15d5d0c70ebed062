/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "json.h"
#include "program.h"
#include "secrets.h"
#include "vm_facts.h"
#include "vm_proc.h"

/* With this much of it, escaped at its worst, a fact stays below KT_JSON_FACT_MAX. */
#define CMDLINE_MAX (28u << 10)
#define CGROUP_MAX  4096

struct cmdline {
	json_t *args;
	size_t room;
	bool cut;
};

static void add_arg(void *ctx, const char *arg)
{
	struct cmdline *c = ctx;
	size_t n = strlen(arg) + 1;

	c->cut = c->cut || n > c->room;
	if (c->cut)
		return;
	c->room -= n;
	json_array_append_new(c->args, kt_json_text(arg));
}

static void add_cmdline(json_t *details, int dir)
{
	char *text = kt_realloc(NULL, KT_VM_CMDLINE_MAX + 1);
	ssize_t n = kt_proc_read(dir, "cmdline", text, KT_VM_CMDLINE_MAX + 1);
	struct cmdline c = { .args = json_array(), .room = CMDLINE_MAX };

	if (n > 0)
		kt_secrets_args(text, (size_t)n, add_arg, &c);
	free(text);
	json_object_set_new(details, "cmdline", c.args);
	if (c.cut)
		json_object_set_new(details, "cmdline_cut", json_true());
}

/* Lines "HIERARCHY:CONTROLLERS:PATH"; of several, that of version 2, or systemd's, or the first. */
static void add_cgroup(json_t *details, int dir)
{
	static const char *const preferred[] = { "0::", ":name=systemd:", ":" };
	char text[CGROUP_MAX];
	ssize_t n = kt_proc_read(dir, "cgroup", text, sizeof(text));
	const char *path = NULL;

	for (size_t i = 0; n > 0 && !path && i < KT_ARRAY_SIZE(preferred); i++) {
		path = strstr(text, preferred[i]);
		path = path ? strchr(path, '/') : NULL;
	}
	if (path)
		text[strcspn(path, "\n") + (size_t)(path - text)] = '\0';
	json_object_set_new(details, "cgroup", path ? kt_json_text(path) : json_null());
}

static json_t *text_or_null(const char *text)
{
	return *text ? kt_json_text(text) : json_null();
}

static void add_program(json_t *details, int dir)
{
	struct kt_program *read = kt_alloc(sizeof(*read));
	int err = kt_program_read(dir, read);
	json_t *program = err ? json_null() : json_object();

	json_object_set_new(details, "version", text_or_null(read->version));
	json_object_set_new(details, "program", program);
	if (!err) {
		json_object_set_new(program, "path", kt_json_text(read->path));
		kt_json_set_u64(program, "size", read->size);
		json_object_set_new(program, "build_id", text_or_null(read->build_id));
	}
	free(read);
}

/* Of the process only if it is still the same one when all has been read. */
static void add_details(json_t *fact, const char *proc_root, const struct kt_vm_entry *vm)
{
	int root = open(proc_root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int dir = root < 0 ? -1 : kt_proc_open(root, vm->pid);
	json_t *details = json_object();
	struct kt_proc_stat stat;

	if (dir >= 0) {
		add_cgroup(details, dir);
		add_cmdline(details, dir);
		add_program(details, dir);
		if (!kt_proc_stat(dir, &stat) && stat.start_time == vm->start_time)
			json_object_update(fact, details);
		close(dir);
	}
	if (root >= 0)
		close(root);
	json_decref(details);
}

char *kt_vm_fact(const struct kt_vm_entry *vm, u64 from_ns, struct kt_str *name)
{
	return kt_vm_fact_from("/proc", vm, from_ns, name);
}

char *kt_vm_fact_from(const char *proc_root, const struct kt_vm_entry *vm, u64 from_ns,
		      struct kt_str *name)
{
	json_t *fact = json_object();

	kt_str_addf(name, "vm.%u.%llu", vm->pid, vm->start_time);
	kt_json_set_u64(fact, "pid", vm->pid);
	kt_json_set_u64(fact, "start_time", vm->start_time);
	kt_json_set_u64(fact, "from_ns", from_ns);
	kt_json_set_bytes(fact, "name", vm->name);
	json_object_set_new(fact, "manager", vm->manager ? kt_json_text(vm->manager) : json_null());
	json_object_set_new(fact, "vmm", json_string(kt_vmm_name(vm->vmm)));
	if (!vm->gone)
		add_details(fact, proc_root, vm);
	return kt_json_dump(fact);
}

static enum kt_vmm vmm_of(const char *name)
{
	enum kt_vmm vmm = KT_VMM_OTHER + 1;

	while (name && strcmp(kt_vmm_name(vmm), "other")) {
		if (!strcmp(kt_vmm_name(vmm), name))
			return vmm;
		vmm++;
	}
	return KT_VMM_OTHER;
}

int kt_vm_fact_take(struct kt_vm_table *table, const char *text, size_t n)
{
	json_t *fact = kt_json_load(text, n);
	char *name, *manager, *vmm;
	u64 pid, from_ns, start_time;
	int err = 0;

	if (!fact)
		return -EBADMSG;
	pid = kt_json_get_u64(fact, "pid", UINT32_MAX, UINT64_MAX, &err);
	from_ns = kt_json_get_u64(fact, "from_ns", INT64_MAX, 0, &err);
	start_time = kt_json_get_u64(fact, "start_time", INT64_MAX, 0, &err);
	name = kt_json_get_bytes(fact, "name", &err);
	manager = kt_json_get_bytes(fact, "manager", &err);
	vmm = kt_json_get_bytes(fact, "vmm", &err);
	if (pid == UINT64_MAX)
		err = -EBADMSG;
	if (!err)
		kt_vm_table_add(table, (u32)pid, from_ns, name ? name : "", manager, vmm_of(vmm),
				start_time);
	free(name);
	free(manager);
	free(vmm);
	json_decref(fact);
	return err;
}
