/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Made by tools/vmlinux.py from types.txt; see vmlinux/README.md. Do not edit. */
#ifndef KT_VMLINUX_H
#define KT_VMLINUX_H

typedef _Bool bool;
#define true 1
#define false 0
#define NULL ((void *)0)

typedef unsigned char u8;
typedef signed char s8;
typedef unsigned short u16;
typedef signed short s16;
typedef unsigned int u32;
typedef signed int s32;
typedef unsigned long long u64;
typedef signed long long s64;
typedef u8 __u8;
typedef u16 __u16;
typedef u32 __u32;
typedef u64 __u64;
typedef s8 __s8;
typedef s16 __s16;
typedef s32 __s32;
typedef s64 __s64;
typedef u16 __be16;
typedef u32 __be32;
typedef u64 __be64;
typedef u32 __wsum;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct files_struct;
struct kvm_run;
struct seq_file;

struct kvm {
	u64 nr_memslot_pages;
	s32 userspace_pid;
};

struct hlist_node {
	struct hlist_node *next;
	struct hlist_node **pprev;
};

struct preempt_notifier {
	struct hlist_node link;
};

struct kvm_queued_exception {
	u64 payload;
	bool has_payload;
};

struct kvm_vcpu_arch {
	u64 regs[17];
	u32 regs_avail;
	u64 cr2;
	struct kvm_queued_exception exception;
	u64 last_guest_tsc;
	bool guest_state_protected;
};

struct kvm_vcpu_stat {
	u64 exits;
	u64 guest_mode;
};

struct kvm_vcpu {
	struct kvm *kvm;
	struct preempt_notifier preempt_notifier;
	s32 vcpu_id;
	struct kvm_run *run;
	struct pid *pid;
	struct kvm_vcpu_arch arch;
	struct kvm_vcpu_stat stat;
};

struct kvm_vmcb_info {
	struct vmcb *ptr;
};

struct vcpu_svm {
	struct vmcb *vmcb;
	struct kvm_vmcb_info vmcb01;
};

struct vmcb_control_area {
	u32 exit_code;
	u64 exit_info_1;
	u64 exit_info_2;
	u32 exit_int_info;
	u32 exit_int_info_err;
};

struct vmcb {
	struct vmcb_control_area control;
};

union vmx_exit_reason {
	u32 full;
};

struct vcpu_vmx {
	union vmx_exit_reason exit_reason;
};

struct hlist_head {
	struct hlist_node *first;
};

struct task_struct {
	struct hlist_head preempt_notifiers;
	s32 pid;
	s32 tgid;
	struct task_struct *group_leader;
	char comm[16];
	struct files_struct *files;
};

struct path {
	struct dentry *dentry;
};

struct file {
	void *private_data;
	struct inode *f_inode;
	struct path f_path;
};

struct qstr {
	u8 *name;
};

struct dentry {
	struct qstr d_name;
};

struct inode {
	struct super_block *i_sb;
};

struct super_block {
	u64 s_magic;
};

struct upid {
	s32 nr;
};

struct pid {
	struct upid numbers[0];
};

struct timespec64 {
	s64 tv_sec;
	s64 tv_nsec;
};

struct itimerspec64 {
	struct timespec64 it_interval;
	struct timespec64 it_value;
};

struct bpf_iter__task_file {
	union {
		struct bpf_iter_meta *meta;
	};
	union {
		struct task_struct *task;
	};
	u32 fd;
	union {
		struct file *file;
	};
};

struct bpf_iter_meta {
	union {
		struct seq_file *seq;
	};
};

enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_ARRAY_OF_MAPS = 12,
	BPF_MAP_TYPE_QUEUE = 22,
	BPF_MAP_TYPE_RINGBUF = 27,
};

enum {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
	BPF_F_NO_PREALLOC = 1,
	BPF_F_MMAPABLE = 1024,
	BPF_RB_NO_WAKEUP = 1,
	BPF_RB_FORCE_WAKEUP = 2,
};

#pragma clang attribute pop

#endif
