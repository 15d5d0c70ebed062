/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Finding the VMs that run now: KVM's file descriptors in /proc, vCPU threads in debugfs. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vm_proc.h"

/*
 * Limits on what one process can make us keep or do. x86's CONFIG_KVM_MAX_NR_VCPUS ends at 4096; a
 * process may hold more descriptors of vCPUs than that, but then it is no ordinary VMM.
 */
#define VCPUS_MAX   16384
#define THREADS_MAX 65536
#define DEBUG_MAX   65536

/* debugfs kvm/TID-FD: made by thread tid of tgid */
struct debug_vm {
	u32 tgid, tid, fd;
};

struct debug {
	int dir; /* debugfs kvm/, or -1 */
	struct debug_vm *vms;
	size_t count;
};

/* A directory below dir to list; NULL, and errno says why, when it can't be opened. */
static DIR *open_list(int dir, const char *path)
{
	int fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list;

	if (fd < 0)
		return NULL;
	list = fdopendir(fd);
	if (!list)
		close(fd);
	return list;
}

/* KVM's descriptors */

static void add_vcpu(struct kt_vm *vm, u32 id)
{
	if (vm->vcpu_count == VCPUS_MAX)
		return;
	vm->vcpus = kt_grow(vm->vcpus, vm->vcpu_count, sizeof(*vm->vcpus));
	vm->vcpus[vm->vcpu_count++] = (struct kt_vm_vcpu) { .id = id };
}

/* KVM has named them so in all versions from 5.10 to 7.2; kvm-vcpu-stats:N is no vCPU. */
static void look_at_fd(struct kt_vm *vm, const char *target)
{
	static const char vcpu[] = "anon_inode:kvm-vcpu:";
	u32 id;

	if (!strcmp(target, "anon_inode:kvm-vm"))
		vm->vm_fds++;
	else if (!strncmp(target, vcpu, sizeof(vcpu) - 1) &&
		 kt_proc_number_u32(target + sizeof(vcpu) - 1, &id))
		add_vcpu(vm, id);
}

/*
 * Returns 0 or a negative errno. Reading the links may be denied even where listing them is not
 * (CAP_DAC_READ_SEARCH without CAP_SYS_PTRACE).
 */
static int scan_fds(int pid_dir, struct kt_vm *vm)
{
	char target[64]; /* longer than any link of ours: a link that fills it is another's */
	DIR *fds = open_list(pid_dir, "fd");
	struct dirent *entry;
	int err = 0;

	if (!fds)
		return -errno;
	while (!err && (entry = readdir(fds))) {
		ssize_t n;

		if (entry->d_name[0] == '.')
			continue;
		n = readlinkat(dirfd(fds), entry->d_name, target, sizeof(target));
		if (n < 0 && (errno == EACCES || errno == EPERM))
			err = -EACCES;
		if (n <= 0 || n == sizeof(target))
			continue;
		target[n] = '\0';
		look_at_fd(vm, target);
	}
	closedir(fds);
	return err;
}

int kt_vm_count(const char *proc_root, u32 pid)
{
	int root = open(proc_root, O_RDONLY | O_DIRECTORY | O_CLOEXEC), dir, err;
	struct kt_vm vm = { 0 };

	if (root < 0)
		return -errno;
	dir = kt_proc_open(root, pid);
	close(root);
	if (dir < 0)
		return dir;
	err = scan_fds(dir, &vm);
	close(dir);
	free(vm.vcpus);
	return err ? err : (int)vm.vm_fds;
}

/* Whose descriptors would be of interest: not kernel threads, not the dead. */
static bool has_descriptors(int pid_dir)
{
	struct kt_proc_stat stat;
	int err = kt_proc_stat(pid_dir, &stat);

	if (err)
		return err != -ESRCH;
	return !(stat.flags & KT_PF_KTHREAD) && stat.state != 'Z' && stat.state != 'X';
}

/* vCPU threads from debugfs */

static int by_tgid(const void *a, const void *b)
{
	const struct debug_vm *x = a, *y = b;

	if (x->tgid != y->tgid)
		return x->tgid < y->tgid ? -1 : 1;
	return x->fd < y->fd ? -1 : x->fd > y->fd;
}

/* TID-FD */
static bool parse_debug_name(const char *name, struct debug_vm *vm)
{
	u64 tid;

	if (!kt_proc_number(&name, &tid) || tid > UINT32_MAX || *name != '-')
		return false;
	vm->tid = (u32)tid;
	return kt_proc_number_u32(name + 1, &vm->fd);
}

/* The process of the thread that made the VM; 0 when the thread has gone. */
static u32 creator(int root, u32 tid)
{
	int dir = kt_proc_open(root, tid);
	u32 tgid = 0;

	if (dir < 0)
		return 0;
	if (kt_proc_tgid(dir, tid, &tgid))
		tgid = 0;
	close(dir);
	return tgid;
}

static void debug_open(struct debug *debug, const char *debugfs_root, int root)
{
	int dir = open(debugfs_root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *entry;
	struct debug_vm vm;
	DIR *list;

	if (dir < 0)
		return;
	debug->dir = openat(dir, "kvm", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	list = open_list(dir, "kvm");
	close(dir);
	if (!list)
		return;
	while (debug->count < DEBUG_MAX && (entry = readdir(list))) {
		if (!parse_debug_name(entry->d_name, &vm))
			continue;
		vm.tgid = creator(root, vm.tid);
		if (!vm.tgid)
			continue;
		debug->vms = kt_grow(debug->vms, debug->count, sizeof(*debug->vms));
		debug->vms[debug->count++] = vm;
	}
	closedir(list);
	if (debug->count)
		qsort(debug->vms, debug->count, sizeof(*debug->vms), by_tgid);
}

static void debug_close(struct debug *debug)
{
	if (debug->dir >= 0)
		close(debug->dir);
	free(debug->vms);
}

/* A tid that is no thread of the process is from another pid namespace, or out of date. */
static bool is_thread(int pid_dir, u64 tid)
{
	char path[40];

	snprintf(path, sizeof(path), "task/%llu", tid);
	return tid && tid <= UINT32_MAX && !faccessat(pid_dir, path, F_OK, 0);
}

/* Gives the tid to the first vCPU of that id which has none yet: ids repeat with several VMs. */
static void set_tid(struct kt_vm *vm, u32 id, u32 tid)
{
	size_t lo = 0, hi = vm->vcpu_count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (vm->vcpus[mid].id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	while (lo < vm->vcpu_count && vm->vcpus[lo].id == id && vm->vcpus[lo].tid)
		lo++;
	if (lo < vm->vcpu_count && vm->vcpus[lo].id == id)
		vm->vcpus[lo].tid = tid;
}

/* vcpuN/pid holds the thread that ran the vCPU last, 0 before the first run. */
static void debug_vcpu(int vm_dir, int pid_dir, const char *name, struct kt_vm *vm)
{
	static const char vcpu[] = "vcpu";
	char path[64], text[32];
	const char *p = text;
	u32 id;
	u64 tid;

	if (strncmp(name, vcpu, sizeof(vcpu) - 1) ||
	    !kt_proc_number_u32(name + sizeof(vcpu) - 1, &id))
		return;
	snprintf(path, sizeof(path), "vcpu%u/pid", id);
	if (kt_proc_read(vm_dir, path, text, sizeof(text)) < 0)
		return;
	if (kt_proc_number(&p, &tid) && is_thread(pid_dir, tid))
		set_tid(vm, id, (u32)tid);
}

static void tids_from_debugfs(const struct debug *debug, int pid_dir, struct kt_vm *vm)
{
	for (size_t i = 0; i < debug->count; i++) {
		const struct debug_vm *d = &debug->vms[i];
		struct dirent *entry;
		char name[32];
		DIR *list;

		if (d->tgid != vm->pid)
			continue;
		snprintf(name, sizeof(name), "%u-%u", d->tid, d->fd);
		list = open_list(debug->dir, name);
		while (list && (entry = readdir(list)))
			debug_vcpu(dirfd(list), pid_dir, entry->d_name, vm);
		if (list)
			closedir(list);
	}
}

/* vCPU threads from their names */

/* Numbers of a VMM's vCPU threads; by QEMU (debug-threads=on), Firecracker, cloud-hypervisor, … */
static bool thread_number(const char *comm, u32 *number)
{
	static const struct {
		const char *before, *after;
	} names[] = {
		{ "CPU ", "/KVM" },    { "fc_vcpu ", "" },  { "vcpu", "" },
		{ "crosvm_vcpu", "" }, { "kvm-vcpu-", "" },
	};

	for (size_t i = 0; i < KT_ARRAY_SIZE(names); i++) {
		size_t len = strlen(names[i].before);
		const char *p = comm + len;
		u64 n;

		if (strncmp(comm, names[i].before, len) || !kt_proc_number(&p, &n) ||
		    strcmp(p, names[i].after) || n > UINT32_MAX)
			continue;
		*number = (u32)n;
		return true;
	}
	return false;
}

static int by_id(const void *a, const void *b)
{
	const struct kt_vm_vcpu *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return x->tid < y->tid ? -1 : x->tid > y->tid;
}

static bool ids_repeat(const struct kt_vm_vcpu *list, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		if (list[i].id == list[i - 1].id)
			return true;
	}
	return false;
}

/* The process's threads that bear a vCPU thread's name; id is the number in it. */
static struct kt_vm_vcpu *named_threads(int pid_dir, size_t *count)
{
	DIR *tasks = open_list(pid_dir, "task");
	struct kt_vm_vcpu *threads = NULL;
	struct dirent *entry;
	char path[300], comm[64];
	size_t seen = 0;
	u32 tid, number;

	*count = 0;
	while (tasks && seen++ < THREADS_MAX && *count < VCPUS_MAX && (entry = readdir(tasks))) {
		if (!kt_proc_number_u32(entry->d_name, &tid))
			continue;
		snprintf(path, sizeof(path), "%u/comm", tid);
		if (kt_proc_read(dirfd(tasks), path, comm, sizeof(comm)) < 0)
			continue;
		comm[strcspn(comm, "\n")] = '\0';
		if (!thread_number(comm, &number))
			continue;
		threads = kt_grow(threads, *count, sizeof(*threads));
		threads[(*count)++] = (struct kt_vm_vcpu) { .id = number, .tid = tid };
	}
	if (tasks)
		closedir(tasks);
	if (*count)
		qsort(threads, *count, sizeof(*threads), by_id);
	return threads;
}

/*
 * Thread names count the vCPUs; KVM's ids are APIC ids, with holes wherever a topology's level is no
 * power of two (3 cores a socket: 0 1 2 4 5 6). Both ascend together, so the n-th thread runs the
 * n-th id when there are as many of either; without holes number and id are equal anyway. Otherwise,
 * and when ids repeat (several VMs in one process), the names don't tell.
 */
static void tids_from_names(int pid_dir, struct kt_vm *vm)
{
	size_t count, n = vm->vcpu_count;
	struct kt_vm_vcpu *threads;

	if (!n || ids_repeat(vm->vcpus, n))
		return;
	threads = named_threads(pid_dir, &count);
	if (count && !ids_repeat(threads, count) && (count == n || vm->vcpus[n - 1].id == n - 1)) {
		for (size_t i = 0; i < count; i++) {
			size_t at = count == n ? i : threads[i].id;

			if (at < n && !vm->vcpus[at].tid)
				vm->vcpus[at].tid = threads[i].tid;
		}
	}
	free(threads);
}

static bool all_known(const struct kt_vm *vm)
{
	for (size_t i = 0; i < vm->vcpu_count; i++) {
		if (!vm->vcpus[i].tid)
			return false;
	}
	return true;
}

/* Looks at one process: true when *vm has been filled in. */
static bool scan_process(int pid_dir, u32 pid, const struct debug *debug, struct kt_vm *vm,
			 size_t *unreadable)
{
	u32 tgid;
	int err;

	memset(vm, 0, sizeof(*vm));
	err = scan_fds(pid_dir, vm);
	if (err && err != -ENOENT && err != -ESRCH && has_descriptors(pid_dir))
		(*unreadable)++;
	if (err || !(vm->vm_fds || vm->vcpu_count))
		goto none;
	if (kt_proc_tgid(pid_dir, pid, &tgid) || tgid != pid || kt_vm_read_dir(pid_dir, pid, vm))
		goto none;
	if (vm->vcpu_count)
		qsort(vm->vcpus, vm->vcpu_count, sizeof(*vm->vcpus), by_id);
	tids_from_debugfs(debug, pid_dir, vm);
	if (!all_known(vm))
		tids_from_names(pid_dir, vm);
	return true;
none:
	kt_vm_fini(vm);
	return false;
}

static int by_pid(const void *a, const void *b)
{
	const struct kt_vm *x = a, *y = b;

	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

static void scan_all(DIR *proc, const struct debug *debug, struct kt_vm_list *list)
{
	struct dirent *entry;
	struct kt_vm vm;
	u32 pid;

	while ((entry = readdir(proc))) {
		int dir;

		if (!kt_proc_number_u32(entry->d_name, &pid))
			continue;
		dir = kt_proc_open(dirfd(proc), pid);
		if (dir < 0)
			continue;
		if (scan_process(dir, pid, debug, &vm, &list->unreadable)) {
			list->vms = kt_grow(list->vms, list->count, sizeof(*list->vms));
			list->vms[list->count++] = vm;
		}
		close(dir);
	}
}

int kt_vm_scan(const char *proc_root, const char *debugfs_root, struct kt_vm_list *list)
{
	struct debug debug = { .dir = -1 };
	DIR *proc = opendir(proc_root);

	memset(list, 0, sizeof(*list));
	if (!proc)
		return -errno;
	if (debugfs_root)
		debug_open(&debug, debugfs_root, dirfd(proc));
	scan_all(proc, &debug, list);
	if (list->count)
		qsort(list->vms, list->count, sizeof(*list->vms), by_pid);
	debug_close(&debug);
	closedir(proc);
	return 0;
}

void kt_vm_list_free(struct kt_vm_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		kt_vm_fini(&list->vms[i]);
	free(list->vms);
	memset(list, 0, sizeof(*list));
}
