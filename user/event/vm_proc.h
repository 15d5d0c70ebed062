/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Reading /proc, shared by vm.c (one process) and vm_scan.c (all of them); no one else's. */
#ifndef KT_EVENT_VM_PROC_H
#define KT_EVENT_VM_PROC_H

#include <sys/types.h>

#include "vm.h"

/* Task flag of kernel threads: include/linux/sched.h, the same from 5.10 to 7.2. */
#define KT_PF_KTHREAD 0x00200000ull

struct kt_proc_stat {
	char comm[64]; /* 15 bytes for a task, up to 63 for a kernel worker */
	char state;
	u64 flags;
	u64 start_time;
};

/*
 * Opens proc's directory of a process or thread. What is opened through it belongs to that very
 * task: once that has gone, reads fail, even when its number has been given to another.
 * Returns a descriptor, -ESRCH or another negative errno.
 */
int kt_proc_open(int root, u32 pid);
/*
 * Reads at most size-1 bytes and adds a NUL. Returns their number, -ESRCH when the file has gone
 * (with its process), -EACCES or another negative errno.
 */
ssize_t kt_proc_read(int dir, const char *path, char *buf, size_t size);
/* Decimal digits at **p, which moves behind them. False without any, or too many for u64. */
bool kt_proc_number(const char **p, u64 *value);
/* The whole text is a decimal number that fits. */
bool kt_proc_number_u32(const char *text, u32 *value);

int kt_proc_stat(int dir, struct kt_proc_stat *stat);
/* Thread-group id of the task whose directory is dir; fallback where proc doesn't say. */
int kt_proc_tgid(int dir, u32 fallback, u32 *tgid);
/* kt_vm_read() for a thread-group leader whose directory is open. Adds to *vm, frees nothing. */
int kt_vm_read_dir(int dir, u32 pid, struct kt_vm *vm);

#endif
