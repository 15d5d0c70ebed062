/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "vm_facts.h"

char *kt_vm_fact(const struct kt_vm_entry *vm, u64 from_ns, struct kt_str *name)
{
	json_t *fact = json_object();

	kt_str_addf(name, "vm.%u.%llu", vm->pid, vm->start_time);
	kt_json_set_u64(fact, "pid", vm->pid);
	kt_json_set_u64(fact, "start_time", vm->start_time);
	kt_json_set_u64(fact, "from_ns", from_ns);
	kt_json_set_bytes(fact, "name", vm->name);
	json_object_set_new(fact, "manager", vm->manager ? kt_json_text(vm->manager) : json_null());
	json_object_set_new(fact, "vmm", json_string(kt_vmm_name(vm->vmm)));
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
