/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#ifdef __x86_64__
#include <cpuid.h>
#endif

#include <bpf/libbpf.h>

#include "caps.h"
#include "caps_priv.h"
#include "tracefs.h"

/* PROC_USER_INIT_INO, PROC_PID_INIT_INO (include/linux/proc_ns.h): the same in every kernel. */
#define INIT_USER_NS_INODE 0xeffffffdu
#define INIT_PID_NS_INODE  0xeffffffcu

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

/* Cuts a file of one line at its end. */
static bool read_line(const char *path, char *text, size_t size)
{
	bool found = kt_read_at(AT_FDCWD, path, text, size) > 0;

	text[strcspn(text, "\n")] = '\0';
	return found;
}

/* Per-CPU tables go by the CPU's number, and the numbers may have holes: "0-3,8-11" makes 12. */
static u32 possible_cpus(void)
{
	char text[4096];
	size_t len;
	u64 last;

	read_line("/sys/devices/system/cpu/possible", text, sizeof(text));
	len = strlen(text);
	while (len && isdigit((unsigned char)text[len - 1]))
		len--;
	return kt_parse_u64(text + len, 0, 0xffff, &last) ? 1 : last + 1;
}

/*
 * By CPUID, not /proc/cpuinfo: opening that makes some kernels measure the frequency of every CPU (4.15
 * to 5.17, arch/x86/kernel/cpu/aperfmperf.c), which takes 10 ms.
 */
static u32 cpu_isa(void)
{
#ifdef __x86_64__
	u32 a, b, c, d;

	if (__get_cpuid(1, &a, &b, &c, &d) && c & 1u << 5)
		return KT_CPU_VMX;
	if (__get_cpuid(0x80000001, &a, &b, &c, &d) && c & 1u << 2)
		return KT_CPU_SVM;
	return KT_CPU_NONE;
#else
	return KT_UNKNOWN;
#endif
}

/*
 * Built into the kernel, several vendor modules are there, and only the CPU's own has work to do. One
 * that we don't know brings its own virtualisation.
 */
static int vendor_rank(const struct kt_facts *facts, const char *name)
{
	if (strcmp(name, "kvm_intel") == 0)
		return facts->isa == KT_CPU_VMX ? 3 : 1;
	if (strcmp(name, "kvm_amd") == 0)
		return facts->isa == KT_CPU_SVM ? 3 : 1;
	return strncmp(name, "kvm_", 4) == 0 && strlen(name) < sizeof(facts->vendor) ? 2 : 0;
}

static void gather_modules(struct kt_facts *facts)
{
	DIR *dir = opendir("/sys/module");
	struct dirent *d;
	int best = 0;

	facts->kvm = exists("/sys/module/kvm/initstate") ? KT_KVM_MODULE
		     : exists("/sys/module/kvm")	 ? KT_KVM_BUILTIN
							 : KT_KVM_ABSENT;
	facts->kvm_device = exists("/sys/class/misc/kvm") ? KT_YES : KT_NO;
	while (dir && (d = readdir(dir))) {
		int rank = vendor_rank(facts, d->d_name);

		if (rank > best || (rank && rank == best && strcmp(d->d_name, facts->vendor) < 0)) {
			best = rank;
			strcpy(facts->vendor, d->d_name);
		}
	}
	if (dir)
		closedir(dir);
}

/* Is the file of a namespace the one that the kernel began with? */
static u32 is_initial(const char *path, ino_t inode)
{
	struct stat ns;

	if (stat(path, &ns) != 0)
		return KT_UNKNOWN;
	return ns.st_ino == inode ? KT_YES : KT_NO;
}

static void gather_permissions(struct kt_facts *facts)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };
	u64 held;

	facts->init_pid_ns = is_initial("/proc/self/ns/pid", INIT_PID_NS_INODE);
	facts->init_user_ns = is_initial("/proc/self/ns/user", INIT_USER_NS_INODE);
	if (syscall(SYS_capget, &header, data) != 0)
		return;
	held = data[0].effective | (u64)data[1].effective << 32;
	if (held >> CAP_SYS_ADMIN & 1)
		held |= 1ull << CAP_BPF | 1ull << CAP_PERFMON;
	facts->cap_sys_admin = held >> CAP_SYS_ADMIN & 1 ? KT_YES : KT_NO;
	facts->cap_bpf = held >> CAP_BPF & 1 ? KT_YES : KT_NO;
	facts->cap_perfmon = held >> CAP_PERFMON & 1 ? KT_YES : KT_NO;
}

static u32 lockdown(void)
{
	char text[256];

	/* With securityfs mounted and lockdown not built in, there is none. */
	if (!exists("/sys/kernel/security/lockdown"))
		return exists("/sys/kernel/security/lsm") ? KT_LOCKDOWN_NONE : KT_UNKNOWN;
	read_line("/sys/kernel/security/lockdown", text, sizeof(text));
	if (strstr(text, "[confidentiality]"))
		return KT_LOCKDOWN_CONFIDENTIALITY;
	if (strstr(text, "[integrity]"))
		return KT_LOCKDOWN_INTEGRITY;
	return strstr(text, "[none]") ? KT_LOCKDOWN_NONE : KT_UNKNOWN;
}

static void gather_records(struct kt_facts *facts, int tracefs)
{
	char path[128], text[8192];

	facts->tracefs = tracefs >= 0	      ? KT_TRACEFS_OK
			 : tracefs == -EACCES ? KT_TRACEFS_DENIED
					      : KT_TRACEFS_ABSENT;
	for (u32 i = 0; tracefs >= 0 && i < KT_TRACEPOINT_COUNT; i++) {
		struct kt_tracepoint_facts *t = &facts->tracepoints[i];
		ssize_t len;

		snprintf(path, sizeof(path), "events/kvm/%s/format", kt_tracepoint_name(i));
		len = kt_read_at(tracefs, path, text, sizeof(text));
		if (len > 0)
			kt_tracefs_record(text, t->record, sizeof(t->record));
		else if (len == -ENOENT)
			strcpy(t->record, "-");
		else if (len == -EACCES || len == -EPERM) /* EPERM: the kernel is locked down */
			facts->tracefs = KT_TRACEFS_DENIED;
	}
}

void kt_caps_gather(struct kt_facts *facts, int *tracefs, struct kt_kernel_types *types)
{
	struct kt_kernel_types own = { 0 };
	struct kt_kernel_types *look = types ? types : &own;
	libbpf_print_fn_t print;

	memset(facts, 0, sizeof(*facts));
	read_line("/proc/sys/kernel/osrelease", facts->kernel, sizeof(facts->kernel));
	facts->cpus = possible_cpus();
	facts->isa = cpu_isa();
	gather_modules(facts);
	gather_permissions(facts);
	facts->lockdown = lockdown();
	read_line("/proc/sys/kernel/perf_event_paranoid", facts->perf_paranoid,
		  sizeof(facts->perf_paranoid));
	*tracefs = kt_tracefs_open();
	gather_records(facts, *tracefs);
	/* What doesn't parse or load is a fact, and no error to be told of. */
	print = libbpf_set_print(NULL);
	kt_caps_gather_btf(facts, look);
	kt_caps_gather_bpf(facts, look);
	libbpf_set_print(print);
	kt_types_free(&own);
}
