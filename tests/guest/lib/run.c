/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Running: one thread a vCPU, each in the loop that a VMM is made of. */
#include "guest.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NSEC	       1000000000ull
#define STACK_SIZE     (64 * 1024)
#define WAIT_FILE_S    60
#define WAIT_FILE_STEP 10000000ull

/* All vCPU threads and the main one meet here three times: to start, when all are done, and to leave. */
static pthread_barrier_t together;

void kt_timespec_add(struct timespec *t, uint64_t ns)
{
	ns += (uint64_t)t->tv_nsec;
	t->tv_sec += (time_t)(ns / NSEC);
	t->tv_nsec = (long)(ns % NSEC);
}

void kt_sleep_until(const struct timespec *when)
{
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, when, NULL) == EINTR)
		;
}

static void sleep_ns(uint64_t ns)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	kt_timespec_add(&t, ns);
	kt_sleep_until(&t);
}

static _Noreturn void panic(const struct kt_vcpu *v)
{
	const struct kt_shared *sh = v->sh;

	kt_fail("vcpu %d: unexpected exception: vector=%llu error=0x%llx rip=0x%llx cr2=0x%llx",
		v->id, (unsigned long long)sh->bad_vector, (unsigned long long)sh->bad_error,
		(unsigned long long)sh->bad_rip, (unsigned long long)sh->bad_cr2);
}

void kt_unexpected_io(const struct kt_vcpu *v, const struct kt_io *io)
{
	kt_fail("vcpu %d: unexpected %u-byte %s of %s 0x%llx", v->id, io->size,
		io->write ? "write" : "read", io->mmio ? "MMIO" : "port",
		(unsigned long long)io->address);
}

static _Noreturn void unexpected(const struct kt_vcpu *v)
{
	struct kvm_regs r = { 0 };

	ioctl(v->fd, KVM_GET_REGS, &r);
	kt_fail("vcpu %d: KVM exit %u (suberror %u) at rip=0x%llx", v->id, v->run->exit_reason,
		v->run->exit_reason == KVM_EXIT_INTERNAL_ERROR ? v->run->internal.suberror : 0,
		(unsigned long long)r.rip);
}

/* One element at a time: the guests use no REP INS or OUTS that KVM would bundle. */
static bool port_io(struct kt_vcpu *v)
{
	struct kvm_run *run = v->run;
	struct kt_io io = {
		.write = run->io.direction == KVM_EXIT_IO_OUT,
		.address = run->io.port,
		.size = run->io.size,
		.data = (char *)run + run->io.data_offset,
	};

	if (run->io.count != 1)
		kt_fail("vcpu %d: %u elements of port I/O at once", v->id, run->io.count);
	if (io.address == KT_PORT_END)
		return true;
	if (io.address == KT_PORT_PANIC)
		panic(v);
	if (io.address == KT_PORT_PACE && v->vm->conf.pace)
		v->vm->conf.pace(v);
	else if (v->vm->conf.io)
		v->vm->conf.io(v, &io);
	else
		kt_unexpected_io(v, &io);
	return false;
}

static void mmio(struct kt_vcpu *v)
{
	struct kt_io io = {
		.write = v->run->mmio.is_write,
		.mmio = true,
		.address = v->run->mmio.phys_addr,
		.size = v->run->mmio.len,
		.data = v->run->mmio.data,
	};

	if (!v->vm->conf.io)
		kt_unexpected_io(v, &io);
	v->vm->conf.io(v, &io);
}

/* True when the guest is done. */
static bool handle(struct kt_vcpu *v)
{
	uint32_t reason = v->run->exit_reason;

	if (v->vm->conf.end_reason && reason == v->vm->conf.end_reason)
		return v->user[reason] >= v->vm->conf.end_count;
	if (reason == KVM_EXIT_IO)
		return port_io(v);
	if (reason == KVM_EXIT_MMIO)
		mmio(v);
	else if (reason == KVM_EXIT_HLT && v->vm->conf.halted)
		v->vm->conf.halted(v);
	else
		unexpected(v);
	return false;
}

static void run_to_end(struct kt_vcpu *v)
{
	bool done = false;

	while (!done) {
		if (ioctl(v->fd, KVM_RUN, 0)) {
			if (errno == EINTR || errno == EAGAIN)
				continue;
			kt_fail("KVM_RUN: %m");
		}
		if (v->run->exit_reason < KT_USER_REASONS)
			v->user[v->run->exit_reason]++;
		done = handle(v);
	}
}

void kt_run_here(struct kt_vcpu *v)
{
	kt_cpu_reset(v);
	v->tid = (pid_t)syscall(SYS_gettid);
	run_to_end(v);
}

static void *vcpu_main(void *arg)
{
	struct kt_vcpu *v = arg;
	char name[16];

	snprintf(name, sizeof(name), "CPU %d/KVM", v->id);
	prctl(PR_SET_NAME, name);
	v->tid = (pid_t)syscall(SYS_gettid);
	pthread_barrier_wait(&together);
	run_to_end(v);
	pthread_barrier_wait(&together);
	pthread_barrier_wait(&together);
	return NULL;
}

static void wait_for_file(const char *path)
{
	for (uint64_t ns = 0; access(path, F_OK); ns += WAIT_FILE_STEP) {
		if (ns > WAIT_FILE_S * NSEC)
			kt_fail("%s did not appear in %d s", path, WAIT_FILE_S);
		sleep_ns(WAIT_FILE_STEP);
	}
}

static void on_alarm(int sig)
{
	static const char text[] = "failed: time is up\n";

	(void)sig;
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(1);
	_exit(1);
}

static void start_thread(struct kt_vcpu *v, const pthread_attr_t *attr)
{
	int err;

	kt_cpu_reset(v);
	err = pthread_create(&v->thread, attr, vcpu_main, v);
	if (err)
		kt_fail("pthread_create: %s", strerror(err));
}

static void start_threads(struct kt_vm **vms, int count)
{
	pthread_attr_t attr;
	unsigned int total = 0;

	for (int i = 0; i < count; i++)
		total += (unsigned int)vms[i]->conf.vcpus;
	pthread_attr_init(&attr);
	if (pthread_attr_setstacksize(&attr, STACK_SIZE) ||
	    pthread_barrier_init(&together, NULL, total + 1))
		kt_fail("cannot prepare %u threads", total);
	for (int i = 0; i < count; i++)
		for (int j = 0; j < vms[i]->conf.vcpus; j++)
			start_thread(&vms[i]->vcpu[j], &attr);
	pthread_attr_destroy(&attr);
}

void kt_run(const struct kt_opts *o, struct kt_vm **vms, int count)
{
	struct timespec begin, end;

	start_threads(vms, count);
	if (o->verbose)
		fprintf(stderr, "%s: %d VM(s) created by process %d\n", o->scenario, count,
			(int)getpid());
	if (o->wait_file)
		wait_for_file(o->wait_file);
	sleep_ns(o->delay_s * NSEC);
	signal(SIGALRM, on_alarm);
	alarm((unsigned int)o->timeout_s);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	pthread_barrier_wait(&together);
	pthread_barrier_wait(&together);
	clock_gettime(CLOCK_MONOTONIC, &end);
	alarm(0);
	if (o->verbose)
		fprintf(stderr, "%s: ran for %.6f s\n", o->scenario,
			(double)(end.tv_sec - begin.tv_sec) +
				(double)(end.tv_nsec - begin.tv_nsec) / NSEC);
}

void kt_leave(struct kt_vm **vms, int count)
{
	pthread_barrier_wait(&together);
	for (int i = 0; i < count; i++)
		for (int j = 0; j < vms[i]->conf.vcpus; j++)
			pthread_join(vms[i]->vcpu[j].thread, NULL);
	pthread_barrier_destroy(&together);
}
