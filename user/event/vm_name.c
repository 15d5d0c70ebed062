/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * From a command line, a cgroup and a command's name to the name of a VM. Pure: what is known about
 * each VMM and manager stands in the tables here, and nothing is read.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vm.h"

#define DIGITS	   "0123456789"
#define HEX_DIGITS "0123456789abcdefABCDEF"
/* Bytes of a task's name that the kernel keeps: TASK_COMM_LEN - 1. */
#define COMM_MAX 15

/* NUL-separated arguments, with a NUL behind the last. */
struct args {
	char *begin, *end;
};

struct facts {
	struct args args;
	const char *cgroup, *comm; /* as given: either may be NULL */
	const char *argv0;	   /* last path component, or NULL */
	enum kt_vmm vmm;
	char *machine;		 /* libvirt's name for the VM, from the cgroup, or NULL */
	enum kt_vmm machine_vmm; /* and its driver */
	const char *vmid;	 /* Proxmox's number, or NULL */
	size_t vmid_len;
	bool guest_key; /* -name had guest=, as libvirt writes it */
	const char *name;
};

static const char *const vmm_names[] = {
	[KT_VMM_OTHER] = "other",
	[KT_VMM_QEMU] = "qemu",
	[KT_VMM_FIRECRACKER] = "firecracker",
	[KT_VMM_CLOUD_HYPERVISOR] = "cloud-hypervisor",
	[KT_VMM_CROSVM] = "crosvm",
	[KT_VMM_KVMTOOL] = "kvmtool",
	[KT_VMM_GVISOR] = "gvisor",
};

const char *kt_vmm_name(enum kt_vmm vmm)
{
	return (size_t)vmm < KT_ARRAY_SIZE(vmm_names) ? vmm_names[vmm] : "other";
}

/*
 * Programs. A name may go on after '-', '.' or '_' (qemu-system-x86_64, firecracker-v1.7.0-x86_64),
 * unless the row says that it is too short a word for that.
 */
static const struct {
	const char *program;
	enum kt_vmm vmm;
	bool whole;
} programs[] = {
	{ "qemu", KT_VMM_QEMU, false },
	{ "kvm", KT_VMM_QEMU, true },
	{ "kvm-spice", KT_VMM_QEMU, true },
	{ "firecracker", KT_VMM_FIRECRACKER, false },
	{ "cloud-hypervisor", KT_VMM_CLOUD_HYPERVISOR, false },
	{ "crosvm", KT_VMM_CROSVM, false },
	{ "lkvm", KT_VMM_KVMTOOL, false },
	{ "runsc", KT_VMM_GVISOR, false },
};

static char *dup_n(const char *s, size_t n)
{
	char *copy = kt_alloc(n + 1);

	memcpy(copy, s, n);
	return copy;
}

/* A copy, not too long, or NULL when there is nothing to copy. */
static char *dup_name(const char *s)
{
	return s && *s ? dup_n(s, strnlen(s, KT_VM_NAME_MAX)) : NULL;
}

static bool starts_with(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

/* The argument behind arg, the first one for NULL; NULL behind the last. */
static const char *next_arg(const struct args *args, const char *arg)
{
	const char *next = arg ? arg + strlen(arg) + 1 : args->begin;

	return next < args->end ? next : NULL;
}

/* The value of "OPTION VALUE" or "OPTION=VALUE", first one; what follows "--" is somebody else's. */
static const char *option_value(const struct args *args, const char *option)
{
	const char *arg = next_arg(args, NULL);
	size_t len = strlen(option);

	while (arg && (arg = next_arg(args, arg)) && strcmp(arg, "--")) {
		if (strncmp(arg, option, len))
			continue;
		if (arg[len] == '=')
			return arg + len + 1;
		if (!arg[len])
			return next_arg(args, arg);
	}
	return NULL;
}

static const char *basename_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static enum kt_vmm vmm_of_program(const char *name)
{
	bool cut;

	if (!name)
		return KT_VMM_OTHER;
	cut = strlen(name) == COMM_MAX;
	for (size_t i = 0; i < KT_ARRAY_SIZE(programs); i++) {
		const char *program = programs[i].program;
		size_t len = strlen(program);

		if (!strcmp(name, program) || (cut && !strncmp(name, program, COMM_MAX)))
			return programs[i].vmm;
		if (!programs[i].whole && starts_with(name, program) && strchr("-._", name[len]))
			return programs[i].vmm;
	}
	return KT_VMM_OTHER;
}

/*
 * QEMU: -name NAME[,KEY=VALUE…]. The first property may go without its key guest=, a literal comma is
 * doubled, options given twice are merged with the later value winning.
 */

/* Copies one property's value, cut to the name's size; returns where the next property begins. */
static const char *property_value(const char *p, char value[KT_VM_NAME_MAX + 1])
{
	size_t n = 0;

	for (; *p; p++) {
		if (*p == ',') {
			if (p[1] != ',')
				break;
			p++;
		}
		if (n < KT_VM_NAME_MAX)
			value[n++] = *p;
	}
	value[n] = '\0';
	return *p ? p + 1 : p;
}

static void qemu_guest(const char *text, char **guest, bool *guest_key)
{
	char value[KT_VM_NAME_MAX + 1];

	for (const char *p = text; *p;) {
		size_t key = strcspn(p, "=,");
		bool keyed = p[key] == '=';
		bool is_guest = keyed ? key == 5 && starts_with(p, "guest") : p == text;

		p = property_value(keyed ? p + key + 1 : p, value);
		if (!is_guest || !*value)
			continue;
		free(*guest);
		*guest = dup_name(value);
		*guest_key = keyed;
	}
}

/* QEMU takes its options with one dash or two, the value always as an argument of its own. */
static const char *qemu_option(const struct args *args, const char **arg, const char *name)
{
	while (*arg && (*arg = next_arg(args, *arg))) {
		const char *s = *arg;

		if (*s != '-' || strcmp(s + 1 + (s[1] == '-'), name))
			continue;
		*arg = next_arg(args, s);
		return *arg;
	}
	return NULL;
}

static char *qemu_name(struct facts *f)
{
	const char *arg = next_arg(&f->args, NULL), *value;
	char *guest = NULL;

	while ((value = qemu_option(&f->args, &arg, "name")))
		qemu_guest(value, &guest, &f->guest_key);
	return guest;
}

/*
 * Kata keeps a sandbox's sockets under /run/vc/vm/ID/ or /run/vc/firecracker/ID/. Runtimes with a
 * built-in VMM (Dragonball) run the VM in the shim, whose -id it is.
 */
static const char *kata_id(const struct facts *f, size_t *len)
{
	const char *arg = NULL, *id;

	if (f->vmm == KT_VMM_OTHER) {
		if (!f->argv0 || !starts_with(f->argv0, "containerd-shim-kata"))
			return NULL;
		id = option_value(&f->args, "-id");
		*len = id ? strlen(id) : 0;
		return *len ? id : NULL;
	}
	while ((arg = next_arg(&f->args, arg))) {
		id = strstr(arg, "/run/vc/");
		id = id ? strchr(id + strlen("/run/vc/"), '/') : NULL;
		*len = id ? strcspn(++id, "/,") : 0;
		if (*len && id[*len] == '/')
			return id;
	}
	return NULL;
}

static char *kata_name(struct facts *f)
{
	static const char prefix[] = "sandbox-";
	char name[KT_VM_NAME_MAX + 1];
	size_t len;
	const char *id = kata_id(f, &len);

	if (!id)
		return NULL;
	snprintf(name, sizeof(name), "%s%.*s", prefix, (int)(len < INT32_MAX ? len : INT32_MAX),
		 id);
	return dup_name(name);
}

static char *machine_name(struct facts *f)
{
	return dup_name(f->machine);
}

static char *vmid_name(struct facts *f)
{
	return f->vmid ? dup_n(f->vmid, f->vmid_len) : NULL;
}

static char *id_name(struct facts *f)
{
	return dup_name(option_value(&f->args, "--id"));
}

static char *long_name(struct facts *f)
{
	return dup_name(option_value(&f->args, "--name"));
}

/* PATH, path=PATH, or fd=N, which says nothing. */
static char *socket_name(struct facts *f)
{
	const char *value = option_value(&f->args, "--api-socket");

	if (!value || starts_with(value, "fd="))
		return NULL;
	if (starts_with(value, "path="))
		value += strlen("path=");
	return dup_name(basename_of(value));
}

/* runsc-sandbox … boot … CONTAINER-ID */
static char *container_name(struct facts *f)
{
	const char *arg = next_arg(&f->args, NULL), *last = NULL;
	bool boot = false;

	while (arg && (arg = next_arg(&f->args, arg))) {
		if (boot)
			last = arg;
		boot = boot || !strcmp(arg, "boot");
	}
	return last && *last != '-' ? dup_name(last) : NULL;
}

/* The command's own name; comm ends after 15 bytes, argv[0] goes on. */
static char *command_name(struct facts *f)
{
	const char *comm = f->comm && *f->comm ? f->comm : NULL;

	if (f->argv0 && (!comm || (strlen(comm) == COMM_MAX && starts_with(f->argv0, comm))))
		return dup_name(f->argv0);
	return dup_name(comm);
}

/* Where each VMM's name is to be found: the first row that has one gives it. */
static const struct {
	enum kt_vmm vmm;
	char *(*name)(struct facts *f);
} name_sources[] = {
	{ KT_VMM_QEMU, qemu_name },
	{ KT_VMM_QEMU, machine_name },
	{ KT_VMM_QEMU, vmid_name },
	{ KT_VMM_FIRECRACKER, id_name },
	{ KT_VMM_FIRECRACKER, kata_name },
	{ KT_VMM_CLOUD_HYPERVISOR, machine_name },
	{ KT_VMM_CLOUD_HYPERVISOR, kata_name },
	{ KT_VMM_CLOUD_HYPERVISOR, socket_name },
	{ KT_VMM_CROSVM, long_name },
	{ KT_VMM_KVMTOOL, long_name },
	{ KT_VMM_GVISOR, container_name },
	{ KT_VMM_OTHER, kata_name },
};

/* systemd writes a byte that unit names may not hold as \xNN. */
static char *unescape(const char *s, size_t n)
{
	char *out = kt_alloc(n + 1), *o = out;
	char hex[3] = "";

	for (size_t i = 0; i < n; i++) {
		if (n - i >= 4 && s[i] == '\\' && s[i + 1] == 'x') {
			memcpy(hex, s + i + 2, 2);
			if (strspn(hex, HEX_DIGITS) == 2 && strcmp(hex, "00")) {
				*o++ = (char)strtoul(hex, NULL, 16);
				i += 3;
				continue;
			}
		}
		*o++ = s[i];
	}
	return out;
}

/*
 * libvirt's machine name, driver stripped: ID-NAME; USER-ID-NAME for session daemons; embed-HASH8-ID-
 * NAME for the embedded driver; NAME alone from old versions. It has lost what isn't in
 * [A-Za-z0-9.-], so it only serves where the command line says nothing.
 */
static const char *machine_tail(const char *s)
{
	const char *p = s, *hash = starts_with(s, "embed-") ? strchr(s, '-') + 1 : NULL;

	if (hash && strspn(hash, HEX_DIGITS) == 8 && hash[8] == '-')
		p = hash + 9;
	while (p) {
		size_t digits = strspn(p, DIGITS);

		if (digits && p[digits] == '-' && p[digits + 1])
			return p + digits + 1;
		p = strchr(p, '-');
		if (p)
			p++;
	}
	return s;
}

static bool ends_with(const char *s, size_t n, const char *suffix, size_t *stem)
{
	size_t len = strlen(suffix);

	if (n <= len || memcmp(s + n - len, suffix, len))
		return false;
	*stem = n - len;
	return true;
}

/* machine-qemu\x2d1\x2dNAME.scope (systemd) or qemu-1-NAME.libvirt-qemu (without) */
static bool machine_component(struct facts *f, const char *s, size_t n)
{
	static const struct {
		const char *prefix;
		enum kt_vmm vmm;
	} drivers[] = {
		{ "qemu-", KT_VMM_QEMU },
		{ "ch-", KT_VMM_CLOUD_HYPERVISOR },
	};
	const size_t machine = strlen("machine-");
	char *name;
	size_t len;

	if (n > machine && starts_with(s, "machine-") && ends_with(s, n, ".scope", &len))
		name = unescape(s + machine, len > machine ? len - machine : 0);
	else if (ends_with(s, n, ".libvirt-qemu", &len))
		name = unescape(s, len);
	else
		return false;
	for (size_t i = 0; i < KT_ARRAY_SIZE(drivers) && !f->machine; i++) {
		if (!starts_with(name, drivers[i].prefix))
			continue;
		f->machine = dup_name(machine_tail(name + strlen(drivers[i].prefix)));
		if (f->machine)
			f->machine_vmm = drivers[i].vmm;
	}
	free(name);
	return f->machine;
}

static void find_machine(struct facts *f)
{
	for (const char *p = f->cgroup; p && *p;) {
		size_t n = strcspn(p, "/\n");

		if (machine_component(f, p, n))
			return;
		p += n + (p[n] != '\0');
	}
}

/* Proxmox: -id VMID, and the cgroup /qemu.slice/VMID.scope. */
static void find_vmid(struct facts *f)
{
	const char *arg = next_arg(&f->args, NULL);
	const char *id = qemu_option(&f->args, &arg, "id"), *end = "";

	if (!id && f->cgroup) {
		id = strstr(f->cgroup, "/qemu.slice/");
		id = id ? id + strlen("/qemu.slice/") : NULL;
		end = ".scope";
	}
	f->vmid_len = id ? strspn(id, DIGITS) : 0;
	if (!f->vmid_len || f->vmid_len > 10)
		return;
	if (*end ? starts_with(id + f->vmid_len, end) : !id[f->vmid_len])
		f->vmid = id;
}

static bool cgroup_has(const struct facts *f, const char *text)
{
	return f->cgroup && strstr(f->cgroup, text);
}

static bool by_kata_paths(const struct facts *f)
{
	size_t len;

	return kata_id(f, &len) || (f->vmm != KT_VMM_OTHER && cgroup_has(f, "/kata_"));
}

/* virt-launcher runs libvirt in a pod and names the domain NAMESPACE_NAME. */
static bool by_kubevirt(const struct facts *f)
{
	return f->guest_key && strchr(f->name, '_') && cgroup_has(f, "kubepods");
}

static bool by_proxmox(const struct facts *f)
{
	return f->vmid;
}

/* Nova's default instance_name_template: instance-%08x */
static bool by_openstack(const struct facts *f)
{
	const char *number = f->name + strlen("instance-");

	return starts_with(f->name, "instance-") && strlen(number) == 8 &&
	       strspn(number, HEX_DIGITS) == 8;
}

/* libvirt keeps keys and sockets under …/libvirt/; disks may lie there without its being involved. */
static bool by_libvirt(const struct facts *f)
{
	const char *arg = NULL;

	if (f->machine)
		return true;
	while (f->guest_key && (arg = next_arg(&f->args, arg))) {
		if (strstr(arg, "/libvirt/"))
			return true;
	}
	return false;
}

static bool by_kata_name(const struct facts *f)
{
	return starts_with(f->name, "sandbox-");
}

/* Who started it: the first row that says yes. */
static const struct {
	const char *manager;
	bool qemu_only;
	bool (*test)(const struct facts *f);
} managers[] = {
	{ "kata", false, by_kata_paths }, { "kubevirt", true, by_kubevirt },
	{ "proxmox", true, by_proxmox },  { "openstack", true, by_openstack },
	{ "libvirt", false, by_libvirt }, { "kata", true, by_kata_name },
};

static const char *find_manager(const struct facts *f)
{
	for (size_t i = 0; i < KT_ARRAY_SIZE(managers); i++) {
		if (managers[i].qemu_only && f->vmm != KT_VMM_QEMU)
			continue;
		if (managers[i].test(f))
			return managers[i].manager;
	}
	return NULL;
}

static enum kt_vmm find_vmm(const struct facts *f)
{
	enum kt_vmm vmm = vmm_of_program(f->argv0);

	if (vmm == KT_VMM_OTHER)
		vmm = f->machine_vmm;
	return vmm == KT_VMM_OTHER ? vmm_of_program(f->comm) : vmm;
}

static char *find_name(struct facts *f)
{
	char *name = NULL;

	for (size_t i = 0; i < KT_ARRAY_SIZE(name_sources) && !name; i++) {
		if (name_sources[i].vmm == f->vmm)
			name = name_sources[i].name(f);
	}
	if (!name)
		name = command_name(f);
	return name ? name : kt_strdup("unknown");
}

void kt_vm_identify(const char *cmdline, size_t len, const char *cgroup, const char *comm,
		    struct kt_vm_identity *out)
{
	struct facts f = { .cgroup = cgroup, .comm = comm };
	const char *argv0;

	if (len > KT_VM_CMDLINE_MAX)
		len = KT_VM_CMDLINE_MAX;
	f.args.begin = kt_alloc(len + 1);
	f.args.end = f.args.begin + len;
	if (len)
		memcpy(f.args.begin, cmdline, len);
	argv0 = next_arg(&f.args, NULL);
	f.argv0 = argv0 && *basename_of(argv0) ? basename_of(argv0) : NULL;

	find_machine(&f);
	f.vmm = find_vmm(&f);
	if (f.vmm == KT_VMM_QEMU)
		find_vmid(&f);
	out->vmm = f.vmm;
	out->name = find_name(&f);
	f.name = out->name;
	out->manager = find_manager(&f);
	free(f.machine);
	free(f.args.begin);
}

void kt_vm_identity_free(struct kt_vm_identity *id)
{
	free(id->name);
	id->name = NULL;
}
