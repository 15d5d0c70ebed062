/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/capability.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "caps.h"

/* PROC_PID_INIT_INO (include/linux/proc_ns.h): the same in every kernel. */
#define INIT_PID_NS_INODE 0xeffffffcu

/* Reads a small file whole; "" when it cannot be read, errno says why. */
static size_t read_at(int dir, const char *path, char *text, size_t size)
{
	int fd = (errno = 0, openat(dir, path, O_RDONLY | O_CLOEXEC));
	size_t len = 0;
	ssize_t n;

	while (fd >= 0 && len < size - 1) {
		n = read(fd, text + len, size - 1 - len);
		if (n <= 0)
			break;
		len += n;
	}
	text[len] = '\0';
	if (fd >= 0)
		close(fd);
	return len;
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

static void gather_modules(struct kt_caps *caps)
{
	DIR *dir = opendir("/sys/module");
	struct dirent *d;
	struct stat st;

	caps->kvm = exists("/sys/module/kvm");
	caps->kvm_is_module = exists("/sys/module/kvm/initstate");
	caps->kvm_device = exists("/sys/class/misc/kvm");
	while (dir && (d = readdir(dir))) {
		if (strcmp(d->d_name, "kvm_intel") == 0)
			caps->vendor_intel = true;
		else if (strcmp(d->d_name, "kvm_amd") == 0)
			caps->vendor_amd = true;
		else if (strncmp(d->d_name, "kvm_", 4) == 0)
			snprintf(caps->vendor_other, sizeof(caps->vendor_other), "%.31s",
				 d->d_name);
	}
	if (dir)
		closedir(dir);
	caps->btf_vmlinux = stat("/sys/kernel/btf/vmlinux", &st) == 0 && st.st_size > 0;
	caps->btf_vendor =
		caps->btf_vmlinux && (!caps->kvm_is_module || exists("/sys/kernel/btf/kvm_amd") ||
				      exists("/sys/kernel/btf/kvm_intel"));
	caps->btf_kvm =
		caps->btf_vmlinux && (!caps->kvm_is_module || exists("/sys/kernel/btf/kvm"));
}

static void gather_permissions(struct kt_caps *caps)
{
	char text[4096], *line;
	u64 effective = 0;
	struct stat ns;

	read_at(AT_FDCWD, "/proc/self/status", text, sizeof(text));
	line = strstr(text, "\nCapEff:");
	if (line)
		effective = strtoull(line + 8, NULL, 16);
	caps->cap_sys_admin = effective >> CAP_SYS_ADMIN & 1;
	caps->cap_bpf = caps->cap_sys_admin || (effective >> CAP_BPF & 1);
	caps->cap_perfmon = caps->cap_sys_admin || (effective >> CAP_PERFMON & 1);
	caps->init_pid_ns = stat("/proc/self/ns/pid", &ns) || ns.st_ino == INIT_PID_NS_INODE;
	read_at(AT_FDCWD, "/sys/kernel/security/lockdown", text, sizeof(text));
	caps->lockdown_confidentiality = strstr(text, "[confidentiality]") != NULL;
}

/*
 * The trace file system where it is mounted; where it isn't, a mount of our own that has no place in
 * the file tree and ends with this process.
 */
static int open_tracefs(void)
{
	static const char *const places[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };
	int fs, fd, events, err = ENOENT;

	for (size_t i = 0; i < KT_ARRAY_SIZE(places); i++) {
		fd = open(places[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		events = fd < 0 ? -1 : openat(fd, "events", O_PATH | O_CLOEXEC);
		if (errno == EACCES && events < 0)
			err = EACCES;
		if (events >= 0) {
			close(events);
			return fd;
		}
		if (fd >= 0)
			close(fd);
	}
	fs = fsopen("tracefs", FSOPEN_CLOEXEC);
	if (fs < 0)
		return -err;
	fd = fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	if (fd == 0)
		fd = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	close(fs);
	return fd < 0 ? -err : fd;
}

struct field {
	const char *name;
	u32 offset, size;
};

#define MAX_FIELDS 10

/* Hand-typed twins of bpf/raw.bpf.h, to be compared with the kernel's own description. */
static const struct layout {
	const char *event;
	const char *lacks; /* a field that it must not have, or NULL */
	struct field fields[MAX_FIELDS];
} layouts[KT_LAYOUTS] = {
	[KT_LAYOUT_EXIT] = { "kvm_exit",
			     NULL,
			     { { "exit_reason", 8, 4 },
			       { "guest_rip", 16, 8 },
			       { "isa", 24, 4 },
			       { "info1", 32, 8 },
			       { "info2", 40, 8 },
			       { "intr_info", 48, 4 },
			       { "error_code", 52, 4 },
			       { "vcpu_id", 56, 4 } } },
	[KT_LAYOUT_EMULATE_INSN] = { "kvm_emulate_insn",
				     NULL,
				     { { "rip", 8, 8 },
				       { "csbase", 16, 4 },
				       { "len", 20, 1 },
				       { "insn", 21, 15 },
				       { "flags", 36, 1 },
				       { "failed", 37, 1 } } },
	[KT_LAYOUT_PAGE_FAULT] = { "kvm_page_fault",
				   NULL,
				   { { "vcpu_id", 8, 4 },
				     { "guest_rip", 16, 8 },
				     { "fault_address", 24, 8 },
				     { "error_code", 32, 8 } } },
	[KT_LAYOUT_PAGE_FAULT_OLD] = { "kvm_page_fault",
				       "vcpu_id",
				       { { "fault_address", 8, 8 }, { "error_code", 16, 4 } } },
	[KT_LAYOUT_INJECT] = { "kvm_inj_exception",
			       NULL,
			       { { "exception", 8, 1 }, { "reinjected", 16, 1 } } },
	[KT_LAYOUT_INJECT_OLD] = { "kvm_inj_exception", "reinjected", { { "exception", 8, 1 } } },
};

/* Looks for "field:TYPE NAME[…]; offset:O; size:S;". With size 0 any place will do. */
static bool has_field(const char *format, const struct field *f)
{
	size_t len = strlen(f->name);
	u32 offset, size;

	for (const char *p = format; (p = strstr(p, f->name)); p += len) {
		if (p == format || (p[-1] != ' ' && p[-1] != '*'))
			continue;
		if (p[len] != ';' && p[len] != '[')
			continue;
		p = strchr(p, ';');
		if (!p)
			return false;
		if (sscanf(p, ";\toffset:%u;\tsize:%u;", &offset, &size) == 2)
			return !f->size || (offset == f->offset && size == f->size);
	}
	return false;
}

static void gather_layouts(struct kt_caps *caps)
{
	char path[128], text[32768];

	for (size_t i = 0; i < KT_LAYOUTS; i++) {
		const struct field *f = layouts[i].fields;

		snprintf(path, sizeof(path), "events/kvm/%s/format", layouts[i].event);
		if (caps->tracefs < 0)
			continue;
		if (!read_at(caps->tracefs, path, text, sizeof(text))) {
			caps->tracefs_denied |= errno == EACCES;
			continue;
		}
		if (layouts[i].lacks &&
		    has_field(text, &(struct field) { .name = layouts[i].lacks }))
			continue;
		while (f->name && has_field(text, f))
			f++;
		caps->layouts[i] = !f->name;
	}
}

/* Per-CPU tables go by the CPU's number, and the numbers may have holes: "0-3,8-11" makes 12. */
static u32 possible_cpus(void)
{
	char text[4096];
	size_t len = read_at(AT_FDCWD, "/sys/devices/system/cpu/possible", text, sizeof(text));
	u64 last;

	text[strcspn(text, "\n")] = '\0';
	len = strlen(text);
	while (len && text[len - 1] >= '0' && text[len - 1] <= '9')
		len--;
	return kt_parse_u64(text + len, 0, 0xffff, &last) ? 1 : last + 1;
}

void kt_caps_gather(struct kt_caps *caps)
{
	memset(caps, 0, sizeof(*caps));
	caps->cpus = possible_cpus();
	gather_modules(caps);
	gather_permissions(caps);
	caps->tracefs = open_tracefs();
	gather_layouts(caps);
}

void kt_caps_fini(struct kt_caps *caps)
{
	if (caps->tracefs >= 0)
		close(caps->tracefs);
	caps->tracefs = -ENOENT;
}

int kt_tracepoint_id(const struct kt_caps *caps, const char *group, const char *name)
{
	char path[128], text[32];
	u64 id;

	if (caps->tracefs < 0)
		return caps->tracefs;
	snprintf(path, sizeof(path), "events/%s/%s/id", group, name);
	if (!read_at(caps->tracefs, path, text, sizeof(text)))
		return -ENOENT;
	text[strcspn(text, "\n")] = '\0';
	return kt_parse_u64(text, 1, 0x7fffffff, &id) ? -EINVAL : (int)id;
}
