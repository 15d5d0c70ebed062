// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The vCPUs there are, found among all open files: what kvmtrace vms lists, and how the others find out
 * which of those they met have gone.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "shared/event.h"

#define ANON_INODE_FS_MAGIC 0x09041934

SEC("?iter/task_file")
int kt_list_vcpus(struct bpf_iter__task_file *ctx)
{
	static const char prefix[] = "kvm-vcpu:";
	struct kt_vcpu_found found = {};
	char name[sizeof(prefix)] = {};
	struct kvm_vcpu *vcpu = NULL;
	struct file *file = ctx->file;
	struct task_struct *task = ctx->task;

	if (!file || !task)
		return 0;
	/* Threads share the files of their leader, which has none any more when it ended before them. */
	if (BPF_CORE_READ(task, pid) != BPF_CORE_READ(task, tgid) &&
	    BPF_CORE_READ(task, files) == BPF_CORE_READ(task, group_leader, files))
		return 0;
	if (BPF_CORE_READ(file, f_inode, i_sb, s_magic) != ANON_INODE_FS_MAGIC)
		return 0;
	bpf_probe_read_kernel(name, sizeof(prefix) - 1,
			      BPF_CORE_READ(file, f_path.dentry, d_name.name));
	for (u32 i = 0; i < sizeof(prefix) - 1; i++)
		if (name[i] != prefix[i])
			return 0;
	bpf_core_read(&vcpu, sizeof(vcpu), &file->private_data);
	found.vcpu = (u64)vcpu;
	found.kvm = (u64)BPF_CORE_READ(vcpu, kvm);
	if (bpf_core_field_exists(struct kvm, nr_memslot_pages))
		found.memslot_pages = BPF_CORE_READ(vcpu, kvm, nr_memslot_pages);
	found.tgid = BPF_CORE_READ(task, tgid);
	found.tid = BPF_CORE_READ(vcpu, pid, numbers[0].nr);
	found.vcpu_id = BPF_CORE_READ(vcpu, vcpu_id);
	bpf_seq_write(ctx->meta->seq, &found, sizeof(found));
	return 0;
}
