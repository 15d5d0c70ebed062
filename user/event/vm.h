/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Which VM is that? A VM is known by the process that runs it; its name comes from the command line,
 * then the cgroup, then the command's own name. Everything read here belongs to somebody else's
 * process: it may be hostile, truncated, or gone in the next moment.
 */
#ifndef KT_EVENT_VM_H
#define KT_EVENT_VM_H

#include "../lib/util.h"

enum kt_vmm {
	KT_VMM_OTHER,
	KT_VMM_QEMU,
	KT_VMM_FIRECRACKER,
	KT_VMM_CLOUD_HYPERVISOR,
	KT_VMM_CROSVM,
	KT_VMM_KVMTOOL,
	KT_VMM_GVISOR,
};
const char *kt_vmm_name(enum kt_vmm vmm); /* "qemu", "firecracker", …, "other" */

/* Longer names are cut: nobody's names are, and a hostile argv must not fill our memory. */
#define KT_VM_NAME_MAX 255
/* As much of a command line as is looked at. */
#define KT_VM_CMDLINE_MAX (256u << 10)

struct kt_vm_identity {
	char *name;	     /* never NULL or empty; bytes as they were found: sinks sanitise */
	const char *manager; /* "libvirt", "proxmox", "kubevirt", "openstack", "kata", or NULL */
	enum kt_vmm vmm;
};

/*
 * Works out the identity from what /proc says. cmdline: the NUL-separated arguments, len bytes (may
 * be empty); cgroup: the text of /proc/PID/cgroup or NULL; comm: the command's name or NULL.
 * Free with kt_vm_identity_free().
 *
 *	QEMU              guest= of -name, as given; libvirt's scope in the cgroup; Proxmox's VMID
 *	Firecracker       --id; under Kata without a jailer sandbox-ID from /run/vc/firecracker/ID/
 *	cloud-hypervisor  libvirt's scope in the cgroup; sandbox-ID from /run/vc/vm/ID/; the last
 *	                  component of --api-socket's path
 *	crosvm, kvmtool   --name
 *	gVisor            the container's id, last argument of runsc-sandbox
 *	otherwise         the command's name: comm, or argv[0] where comm is its first 15 bytes
 */
void kt_vm_identify(const char *cmdline, size_t len, const char *cgroup, const char *comm,
		    struct kt_vm_identity *out);
void kt_vm_identity_free(struct kt_vm_identity *id);

/* One VM as found by looking at the file descriptors of all processes. */
struct kt_vm_vcpu {
	u32 id;	 /* as user space named it: on x86 the APIC id, so there may be holes */
	u32 tid; /* thread that runs it, 0 when not known */
};
struct kt_vm {
	u32 pid;	/* thread group of the VMM */
	u64 start_time; /* /proc/PID/stat field 22, clock ticks: tells a recycled pid */
	struct kt_vm_identity identity;
	unsigned int vm_fds;	  /* descriptors of VMs: 1 nearly always; crosvm duplicates its */
	struct kt_vm_vcpu *vcpus; /* by ascending id; with several VMs in a process ids repeat */
	size_t vcpu_count;
	u64 rss_bytes; /* resident memory of the VMM process, guest memory and huge pages included */
};

struct kt_vm_list {
	struct kt_vm *vms;
	size_t count;
	size_t unreadable; /* processes whose descriptors could not be looked at (no permission) */
};

/*
 * Scans proc_root ("/proc"). vCPU threads come from debugfs_root ("/sys/kernel/debug", may be NULL:
 * kvm/TID-FD/vcpuN/pid, 6.1 and later), else from thread names ("CPU 3/KVM", "fc_vcpu 3", "vcpu3").
 * Returns 0 or a negative errno (proc not readable at all). Sorted by pid. Free with _free(), which
 * does no harm after an error.
 */
int kt_vm_scan(const char *proc_root, const char *debugfs_root, struct kt_vm_list *list);
void kt_vm_list_free(struct kt_vm_list *list);

/* How many descriptors of VMs a process holds; -ESRCH, -EACCES or another negative errno. */
int kt_vm_count(const char *proc_root, u32 pid);

/*
 * Reads one process: identity, start time, memory, thread-group id (a thread id is accepted:
 * cloud-hypervisor creates its VM in a thread). The vCPUs are left out: only a scan knows them.
 * Returns 0, -ESRCH when it has gone, -EACCES, or another negative errno; vm is then all zero.
 * kt_vm_fini() frees what vm points to.
 */
int kt_vm_read(const char *proc_root, u32 pid, struct kt_vm *vm);
void kt_vm_fini(struct kt_vm *vm);

#endif
