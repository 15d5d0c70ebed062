// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* The shared maps, and the slow paths from an event to its vCPU's slot. */
#include "core.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile struct kt_cfg cfg = {};
struct kt_counters counters = {};
struct kt_control control = { .epoch = 1 };
u32 vcpu_cache[KT_CACHE_PLACES] = {};
u32 thread_cache[KT_CACHE_PLACES] = {};

struct kt_vcpus_map vcpus SEC(".maps");
struct kt_rings_map rings SEC(".maps");
struct kt_cpu_lost_map cpu_lost SEC(".maps");

/* struct kvm_vcpu * to slot. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, u64);
	__type(value, u32);
} vcpu_slots SEC(".maps");

/* Thread id to the slot of the vCPU it runs. Old threads fall out. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u32);
} thread_slots SEC(".maps");

/* Slots nobody has; user space fills it, and gives back those of VMs that have gone. Never 0. */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 1);
	__type(value, u32);
} free_slots SEC(".maps");

/* Notices to user space: a new vCPU, histograms running short. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} notices SEC(".maps");

/* Also called by the programs that hand out histograms. */
__hidden int kt_notify(u32 kind, u32 slot)
{
	struct kt_vcpu *v = bpf_map_lookup_elem(&vcpus, &slot);
	struct kt_notice *notice;

	if (!v)
		return 0;
	notice = bpf_ringbuf_reserve(&notices, sizeof(*notice), 0);
	if (!notice) {
		kt_count(notices_lost);
		return 0;
	}
	notice->head.ts = bpf_ktime_get_ns();
	notice->head.kind = kind;
	notice->head.cpu = bpf_get_smp_processor_id();
	notice->head.tgid = v->tgid;
	notice->head.tid = v->tid;
	notice->head.vcpu_id = v->vcpu_id;
	notice->head.pad = 0;
	notice->slot = slot;
	notice->pad = 0;
	__builtin_memcpy(notice->comm, v->comm, sizeof(notice->comm));
	bpf_ringbuf_submit(notice, BPF_RB_FORCE_WAKEUP);
	return 0;
}

static __always_inline bool wanted(u32 tgid, u32 vcpu_id)
{
	return (cfg.tgid == KT_NO_PID || cfg.tgid == tgid) &&
	       (cfg.vcpu_id == KT_NO_VCPU || cfg.vcpu_id == vcpu_id);
}

static __noinline u32 new_slot(u64 vcpu, u64 pid, u32 vcpu_id, u32 fd)
{
	u64 pid_tgid = bpf_get_current_pid_tgid();
	struct task_struct *task, *leader;
	struct kt_vcpu *v;
	u32 slot = 0;

	if (bpf_map_pop_elem(&free_slots, &slot))
		return 0;
	v = bpf_map_lookup_elem(&vcpus, &slot);
	if (!v)
		return 0;
	kt_count(slots_taken);
	v->exit_ts = KT_EXIT_FRESH;
	v->pid = pid;
	v->vcpu_id = vcpu_id;
	v->tgid = pid_tgid >> 32;
	v->tid = pid_tgid;
	v->fd = fd;
	v->muted = !wanted(v->tgid, vcpu_id);
	v->isa = 0;
	v->unpaired_entries = 0;
	v->exits_without_cell = 0;
	task = (struct task_struct *)bpf_get_current_task();
	leader = BPF_CORE_READ(task, group_leader);
	bpf_core_read_str(v->comm, sizeof(v->comm), &leader->comm);
	v->vcpu = vcpu;
	bpf_map_update_elem(&vcpu_slots, &vcpu, &slot, BPF_ANY);
	if (!v->muted)
		kt_notify(KT_KIND_VCPU, slot);
	return slot;
}

/* Makes this thread the one that runs slot's vCPU, and no other. */
static __noinline u32 bind_thread(u32 slot)
{
	u32 tid = bpf_get_current_pid_tgid();
	u32 *before;
	struct kt_vcpu *v;

	before = bpf_map_lookup_elem(&thread_slots, &tid);
	if (before && *before != slot) {
		u32 old = *before;

		v = bpf_map_lookup_elem(&vcpus, &old);
		if (v && v->tid == tid) {
			v->tid = 0;
			v->pid = 0; /* so that its next entry comes here again */
		}
	}
	if (!before || *before != slot)
		bpf_map_update_elem(&thread_slots, &tid, &slot, BPF_ANY);
	v = bpf_map_lookup_elem(&vcpus, &slot);
	if (v)
		v->tid = tid;
	thread_cache[tid % KT_CACHE_PLACES] = slot;
	return slot;
}

/* The slot that this vCPU has, or a new one. */
static __noinline u32 slot_for(u64 address, u32 fd)
{
	struct kvm_vcpu *vcpu = (struct kvm_vcpu *)address;
	u64 pid = (u64)BPF_CORE_READ(vcpu, pid);
	u32 vcpu_id = BPF_CORE_READ(vcpu, vcpu_id);
	u32 tgid = bpf_get_current_pid_tgid() >> 32;
	u32 *known = bpf_map_lookup_elem(&vcpu_slots, &address);
	struct kt_vcpu *v;
	u32 slot;

	if (known) {
		slot = *known;
		v = bpf_map_lookup_elem(&vcpus, &slot);
		/* Another thread of the same process may run the vCPU from now on. */
		if (v && v->vcpu == address && v->vcpu_id == vcpu_id && v->tgid == tgid) {
			v->pid = pid;
			v->fd = fd;
			return slot;
		}
	}
	return new_slot(address, pid, vcpu_id, fd);
}

__hidden u32 kt_slot_of_vcpu(struct kvm_vcpu *vcpu)
{
	u32 slot = slot_for((u64)vcpu, 0);

	if (vcpu)
		vcpu_cache[kt_cache_place(vcpu) % KT_CACHE_PLACES] = slot;
	return slot ? bind_thread(slot) : 0;
}

/* A thread ends: the memory of its vCPU, and its struct pid, may soon be another's. */
SEC("?tp_btf/sched_process_exit")
int BPF_PROG(kt_thread_end, struct task_struct *task)
{
	struct kt_vcpu *v;
	u32 tid, *slot;
	u64 vcpu;

	if (!task)
		return 0;
	tid = task->pid;
	slot = bpf_map_lookup_elem(&thread_slots, &tid);
	if (!slot)
		return 0;
	v = bpf_map_lookup_elem(&vcpus, slot);
	if (v && v->tid == tid && v->vcpu) {
		vcpu = v->vcpu;
		v->vcpu = KT_VCPU_GONE;
		v->tid = 0;
		bpf_map_delete_elem(&vcpu_slots, &vcpu);
	}
	bpf_map_delete_elem(&thread_slots, &tid);
	return 0;
}

/* ---- the walk through a thread's file descriptors ---- */

#define ANON_INODE_FS_MAGIC 0x09041934
#define MAX_FDS		    65536

struct walk {
	struct file **fds;
	struct pid *pid;
	u64 vcpu;
	u32 count;
	u32 fd;
};

/* The vCPU behind an open file, or 0. */
static __always_inline u64 file_vcpu(struct file *file)
{
	static const char prefix[] = "kvm-vcpu:";
	char name[sizeof(prefix)] = {};
	const unsigned char *dname;
	u64 vcpu = 0;

	if (!file || BPF_CORE_READ(file, f_inode, i_sb, s_magic) != ANON_INODE_FS_MAGIC)
		return 0;
	dname = BPF_CORE_READ(file, f_path.dentry, d_name.name);
	if (bpf_probe_read_kernel(name, sizeof(prefix) - 1, dname))
		return 0;
	for (u32 i = 0; i < sizeof(prefix) - 1; i++)
		if (name[i] != prefix[i])
			return 0;
	bpf_core_read(&vcpu, sizeof(vcpu), &file->private_data);
	return vcpu;
}

static __always_inline struct file *file_at(struct file **fds, u32 fd)
{
	struct file *file = NULL;

	bpf_probe_read_kernel(&file, sizeof(file), fds + fd);
	return file;
}

/* KVM notes in vcpu->pid which thread called KVM_RUN last. */
static long walk_one(u32 fd, struct walk *w)
{
	u64 vcpu;

	if (fd >= w->count)
		return 1;
	vcpu = file_vcpu(file_at(w->fds, fd));
	if (!vcpu || BPF_CORE_READ((struct kvm_vcpu *)vcpu, pid) != w->pid)
		return 0;
	w->vcpu = vcpu;
	w->fd = fd;
	return 1;
}

static __always_inline void walk_begin(struct walk *w)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct fdtable *fdt = BPF_CORE_READ(task, files, fdt);

	w->pid = BPF_CORE_READ(task, thread_pid);
	w->fds = BPF_CORE_READ(fdt, fd);
	w->count = BPF_CORE_READ(fdt, max_fds);
	w->vcpu = 0;
	w->fd = 0;
}

__hidden u32 kt_slot_of_thread(void)
{
	u32 tid = bpf_get_current_pid_tgid();
	u32 *known = bpf_map_lookup_elem(&thread_slots, &tid);
	struct walk w = {};
	struct kt_vcpu *v = NULL;
	u32 slot;

	if (known) {
		slot = *known;
		v = bpf_map_lookup_elem(&vcpus, &slot);
		if (v && v->tid == tid && !v->fd)
			return bind_thread(slot);
	}
	walk_begin(&w);
	if (known && v && v->tid == tid && v->fd && v->fd <= w.count &&
	    file_vcpu(file_at(w.fds, v->fd - 1)) == v->vcpu)
		return bind_thread(slot);
	bpf_loop(MAX_FDS, walk_one, &w, 0);
	if (!w.vcpu) {
		kt_count(threads_unknown);
		return 0;
	}
	slot = slot_for(w.vcpu, w.fd + 1);
	return slot ? bind_thread(slot) : 0;
}
