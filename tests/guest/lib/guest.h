/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Micro-guests: virtual machines of a few instructions whose exits and exceptions are known by construction.
 * A scenario's main() parses options, builds its VMs, runs them, and states what a tracer must have seen.
 */
#ifndef KT_GUEST_H
#define KT_GUEST_H

/* Include this header first: pthread and sched extensions, the program's short name. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <linux/kvm.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <time.h>

#include "code.h"

/* ---- options ---- */

struct kt_extra {
	const char *name; /* long option, takes a number */
	uint64_t *value;  /* holds the default */
	uint64_t min, max;
	const char *help;
};

struct kt_opts {
	const char *scenario;
	uint64_t n; /* iterations; set the default before parsing */
	uint64_t n_max;
	uint64_t hold_s, delay_s, timeout_s;
	const char *wait_file;
	char *name;		 /* NULL without --name */
	const char *name_suffix; /* what a scenario adds to it */
	bool verbose;
};

/* Exits with status 2 on a usage error. With --name the program starts itself anew under QEMU's argv. */
void kt_opts_parse(struct kt_opts *o, int argc, char **argv, const struct kt_extra *extra);
/* Changes the last byte of the name in this process's own /proc/PID/cmdline. */
void kt_opts_rename(struct kt_opts *o, char last);

/* ---- virtual machines ---- */

/* One instruction that is expected to raise an exception; the guest itself checks every occurrence. */
struct kt_site {
	uint64_t rip;
	uint64_t resume; /* where the guest goes on */
	uint64_t vector;
	uint64_t error;
	uint64_t address; /* CR2, looked at for #PF only */
	uint64_t count;	  /* written by the guest */
};

struct kt_shared {
	uint64_t irqs; /* external interrupts taken */
	uint64_t bad_rip, bad_vector, bad_error, bad_cr2;
	uint8_t idtr[16]; /* LIDT operand of limit 0, for the guest that wants to die */
	uint64_t note;	  /* whatever a guest has to say */
	struct kt_site site[KT_SITES];
};

#define KT_USER_REASONS 64

struct kt_vm;

struct kt_vcpu {
	struct kt_vm *vm;
	int id, fd;
	pid_t tid;
	pthread_t thread;
	struct kvm_run *run;
	struct kt_shared *sh;
	uint64_t iterations, arg;				    /* RDI, RSI at the start */
	uint64_t user[KT_USER_REASONS], want_user[KT_USER_REASONS]; /* returns of KVM_RUN */
	struct kt_exit_line *exits;
};

struct kt_io {
	bool write, mmio;
	uint64_t address; /* port or GPA */
	uint32_t size;
	void *data;
};

struct kt_vm_conf {
	int vcpus;
	bool irqchip;	     /* in-kernel APIC, in x2APIC mode */
	uint32_t end_reason; /* the KVM_EXIT_* that ends the guest if it is not KT_PORT_END */
	uint64_t end_count;  /* so many of them; 0 is 1 */
	uint64_t cr4;	     /* besides PAE */
	/* Ports other than KT_PORT_*, and MMIO. */
	void (*io)(struct kt_vcpu *v, const struct kt_io *io);
	void (*pace)(struct kt_vcpu *v);
	void (*halted)(struct kt_vcpu *v);
};

struct kt_vm {
	struct kt_vm_conf conf;
	int fd, index;
	uint8_t *low; /* slot 0 as this process sees it */
	size_t low_size;
	struct kt_vcpu *vcpu;
};

/* Creates the VM and all its vCPUs. Every failure in this library ends the program, status 1. */
struct kt_vm *kt_vm_new(const struct kt_vm_conf *conf);
void kt_vm_free(struct kt_vm *vm);
void kt_vm_load(struct kt_vm *vm, const unsigned char *code, const unsigned char *end);
/* Maps fresh 4 KiB-page memory at gpa, not touched yet by this process. Returns where it sees it. */
uint8_t *kt_vm_add_memory(struct kt_vm *vm, uint32_t slot, uint64_t gpa, size_t size);
void kt_vm_map_readonly(struct kt_vm *vm, uint64_t gva);
/* Describes site nr: rip and resume are offsets into the scenario's code. Returns it. */
struct kt_site *kt_vcpu_site(struct kt_vcpu *v, int nr, uint64_t rip, uint64_t resume,
			     uint64_t vector, uint64_t error, uint64_t address);
/* GDT, IDT, TSS, page tables and common code, in low memory. */
void kt_cpu_tables(struct kt_vm *vm);
/* Puts the vCPU at the start of the prelude, in 64-bit mode. */
void kt_cpu_reset(struct kt_vcpu *v);
int kt_kvm_fd(void);
int kt_kvm_cap(long cap);
bool kt_cpuid_has_xsave(void);

/* Runs all vCPUs of all VMs to their end: waits for --wait-file or --delay first, gives up at --timeout. */
void kt_run(const struct kt_opts *o, struct kt_vm **vms, int count);
/* Until then the vCPUs' threads stay around, idle. */
void kt_leave(struct kt_vm **vms, int count);

/* Runs one vCPU to its end in the calling thread. */
void kt_run_here(struct kt_vcpu *v);

_Noreturn void kt_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void kt_unexpected_io(const struct kt_vcpu *v, const struct kt_io *io);
void kt_sleep_until(const struct timespec *when);
void kt_timespec_add(struct timespec *t, uint64_t ns);

/* ---- expectations, see README.md for the grammar ---- */

enum kt_exit {
	KT_EXIT_NONE,
	KT_EXIT_CPUID,
	KT_EXIT_IO,
	KT_EXIT_MSR_READ,
	KT_EXIT_MSR_WRITE,
	KT_EXIT_HLT,
	KT_EXIT_UD,
	KT_EXIT_SHUTDOWN,
	KT_EXIT_CR4_WRITE,
	KT_EXIT_XSETBV,
	KT_EXIT_HYPERCALL,
	KT_EXIT_MMIO, /* not the first one of an address */
	KT_EXIT_NESTED_PAGE,
	KT_EXIT_INVALID, /* VM entry refused: the guest's state is invalid */
	KT_EXIT_MAX,
};

enum kt_match { KT_EXACT, KT_MIN };

enum kt_access { KT_READ, KT_WRITE, KT_FETCH };

struct kt_fault {
	uint64_t gpa, rip;
	enum kt_access access;
	bool readonly; /* KVM has mapped the page before, read-only: the zero page */
};

/* A KVM without SVM or VMX: it delivers every exception itself, and raises no kvm_exit. */
bool kt_software_kvm(void);
bool kt_vmx(void);
void kt_expect_begin(const struct kt_opts *o, struct kt_vm **vms, int count);
/* A vCPU that this thread ran in a VM which is no more; its number follows those of the others. */
void kt_expect_former_vcpu(int vm, int vcpu);
void kt_expect_exit(struct kt_vcpu *v, enum kt_exit e, uint64_t count, enum kt_match match);
void kt_expect_exit_time(struct kt_vcpu *v, enum kt_exit e, uint64_t min_total_ns);
void kt_expect_exception(struct kt_vcpu *v, const struct kt_site *s, uint64_t count,
			 enum kt_exit cause, const char *more);
void kt_expect_fault(struct kt_vcpu *v, const struct kt_fault *f);
void kt_expect_user(struct kt_vcpu *v, uint32_t reason, uint64_t count);
void kt_expect_hypercalls(struct kt_vcpu *v, uint64_t nr, uint64_t count);
/* An access that user space handles; counts towards the exits and user lines, too. */
void kt_expect_io(struct kt_vcpu *v, const struct kt_io *io, uint64_t count);
/* The same for a byte OUT. */
void kt_expect_out(struct kt_vcpu *v, uint16_t port, uint64_t count);
/* Prints the whole text at once, holds as --hold asks, frees the VMs. Returns main()'s status. */
int kt_expect_end(const struct kt_opts *o, struct kt_vm **vms, int count);

#endif
