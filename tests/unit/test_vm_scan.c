/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Finding VMs, in a /proc and a debugfs made of ordinary files, links and directories. */
#include "fake_proc.h"
#include <linux/capability.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "../../user/event/vm.h"

/* A process with one VM and vCPUs of these ids. */
static void put_vm(u32 pid, const u32 *ids, size_t count)
{
	static const char cmdline[] = "qemu-system-x86_64\0-name\0guest=test";
	char target[64];

	put_process(pid, "qemu-system-x86", 1000 + pid, cmdline, sizeof(cmdline));
	put_fd(pid, 9, "/dev/kvm");
	put_fd(pid, 10, "anon_inode:kvm-vm");
	for (size_t i = 0; i < count; i++) {
		snprintf(target, sizeof(target), "anon_inode:kvm-vcpu:%u", ids[i]);
		put_fd(pid, 20 + (u32)i, target);
	}
}

static void put_thread(u32 pid, u32 tid, const char *comm)
{
	char name[64], text[64];

	snprintf(name, sizeof(name), "%u/task/%u/comm", pid, tid);
	snprintf(text, sizeof(text), "%s\n", comm);
	put(proc, name, text);
}

static void put_debug(const char *name, const char *text)
{
	put(debugfs, name, text);
}

struct expected_vcpu {
	u32 id, tid;
};

static void check_vcpus(const struct kt_vm *vm, const struct expected_vcpu *expected, size_t count)
{
	assert_int_equal(vm->vcpu_count, count);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(vm->vcpus[i].id, expected[i].id);
		if (vm->vcpus[i].tid != expected[i].tid)
			fail_msg("vCPU %u: tid %u, expected %u", expected[i].id, vm->vcpus[i].tid,
				 expected[i].tid);
	}
}

#define EXPECTED(...)                                                                              \
	(const struct expected_vcpu[]) { __VA_ARGS__ },                                            \
		sizeof((const struct expected_vcpu[]) { __VA_ARGS__ }) /                           \
			sizeof(struct expected_vcpu)
#define CHECK_VCPUS(vm, ...) check_vcpus(vm, EXPECTED(__VA_ARGS__))
#define PUT_VM(pid, ...)                                                                           \
	put_vm(pid, (const u32[]) { __VA_ARGS__ },                                                 \
	       sizeof((const u32[]) { __VA_ARGS__ }) / sizeof(u32))

static void scan(struct kt_vm_list *list)
{
	assert_int_equal(kt_vm_scan(proc, debugfs, list), 0);
}

/* There is one VM, with these vCPUs. */
static void check_scan(const struct expected_vcpu *expected, size_t count)
{
	struct kt_vm_list list;

	scan(&list);
	assert_int_equal(list.count, 1);
	check_vcpus(&list.vms[0], expected, count);
	kt_vm_list_free(&list);
}

#define CHECK_SCAN(...) check_scan(EXPECTED(__VA_ARGS__))

/* Two VMs among other processes and things that are no processes. */
static void test_scan(void **state)
{
	static const char fc[] = "/firecracker\0--id=micro";
	struct kt_vm_list list;

	(void)state;
	PUT_VM(2000, 1, 0);
	put_thread(2000, 2000, "qemu-system-x86");
	put_thread(2000, 2004, "CPU 1/KVM");
	put_thread(2000, 2003, "CPU 0/KVM");
	put_thread(2000, 2005, "kvm-nx-lpage-re");
	put_process(310, "fire) R 1 (x\n)", 77, fc, sizeof(fc));
	put_fd(310, 11, "anon_inode:kvm-vm");
	put_fd(310, 12, "anon_inode:kvm-vcpu:0");
	put_thread(310, 311, "fc_vcpu 0");
	put_process(400, "bash", 5, "bash", 5);
	PUT_VM(1000, 0);
	put_stat(2, "kthreadd", "S", 2129984, 0);
	put(proc, "2/fd/.keep", "");
	put(proc, "500x/fd/0", "");
	put(proc, "99999999999999999999/fd/0", "");
	put(proc, "4294967296/fd/0", "");
	put(proc, "600", "a file");
	put(proc, "self/fd/0", "");

	assert_int_equal(kt_vm_scan(proc, NULL, &list), 0);
	assert_int_equal(list.count, 3);
	assert_int_equal(list.unreadable, 0);
	assert_int_equal(list.vms[0].pid, 310);
	assert_int_equal(list.vms[0].start_time, 77);
	assert_string_equal(list.vms[0].identity.name, "micro");
	assert_int_equal(list.vms[0].identity.vmm, KT_VMM_FIRECRACKER);
	assert_int_equal(list.vms[0].vm_fds, 1);
	CHECK_VCPUS(&list.vms[0], { 0, 311 });
	assert_int_equal(list.vms[1].pid, 1000);
	assert_int_equal(list.vms[2].pid, 2000);
	assert_int_equal(list.vms[2].start_time, 3000);
	assert_string_equal(list.vms[2].identity.name, "test");
	/* 2048 kB resident and 1 GiB of huge pages */
	assert_int_equal(list.vms[2].rss_bytes, 1075838976);
	CHECK_VCPUS(&list.vms[2], { 0, 2003 }, { 1, 2004 });
	kt_vm_list_free(&list);
	assert_null(list.vms);
	assert_int_equal(list.count, 0);
	kt_vm_list_free(&list);
}

static void test_not_kvm_fds(void **state)
{
	char longer[200];
	struct kt_vm_list list;

	(void)state;
	put_process(100, "c", 1, "c", 2);
	put_fd(100, 1, "anon_inode:kvm-vcpu-stats:0");
	put_fd(100, 2, "anon_inode:kvm-vcpu:");
	put_fd(100, 3, "anon_inode:kvm-vcpu:4294967296");
	put_fd(100, 4, "anon_inode:kvm-vcpu:-1");
	put_fd(100, 5, "anon_inode:kvm-vcpu:1x");
	put_fd(100, 6, "anon_inode:kvm-vms");
	put_fd(100, 7, "anon_inode:kvm-vcpu:00000000000000000000000000000000000000000000");
	memset(longer, 'x', sizeof(longer));
	memcpy(longer, "anon_inode:kvm-vm", 17);
	longer[sizeof(longer) - 1] = '\0';
	put_fd(100, 8, longer);
	put(proc, "100/fd/9", "anon_inode:kvm-vm");
	scan(&list);
	assert_int_equal(list.count, 0);
	assert_int_equal(list.unreadable, 0);
	kt_vm_list_free(&list);

	put_fd(100, 10, "anon_inode:kvm-vcpu:4294967295");
	scan(&list);
	assert_int_equal(list.count, 1);
	assert_int_equal(list.vms[0].vm_fds, 0);
	CHECK_VCPUS(&list.vms[0], { 4294967295u, 0 });
	kt_vm_list_free(&list);
}

/* Three cores a socket: APIC ids 0 1 2 4 5 6 for threads 0 to 5. */
static void test_names_and_apic_ids(void **state)
{
	(void)state;
	PUT_VM(100, 0, 1, 2, 4, 5, 6);
	put_thread(100, 105, "CPU 0/KVM");
	put_thread(100, 104, "CPU 1/KVM");
	put_thread(100, 103, "CPU 2/KVM");
	put_thread(100, 102, "CPU 3/KVM");
	put_thread(100, 110, "CPU 4/KVM");
	/* one is missing, so that nothing tells which */
	CHECK_SCAN({ 0, 0 }, { 1, 0 }, { 2, 0 }, { 4, 0 }, { 5, 0 }, { 6, 0 });

	put_thread(100, 111, "CPU 5/KVM");
	CHECK_SCAN({ 0, 105 }, { 1, 104 }, { 2, 103 }, { 4, 102 }, { 5, 110 }, { 6, 111 });
}

/* No holes: the number is the id even when a thread (a vCPU unplugged) is missing. */
static void test_names_with_gaps(void **state)
{
	(void)state;
	PUT_VM(100, 2, 0, 1);
	put_thread(100, 201, "crosvm_vcpu2");
	put_thread(100, 202, "crosvm_vcpu0");
	put_thread(100, 203, "vcpu");
	put_thread(100, 204, "vcpu1x");
	put_thread(100, 205, "CPU 1/TCG");
	put_thread(100, 206, "vcpu99999999999999999999");
	CHECK_SCAN({ 0, 202 }, { 1, 0 }, { 2, 201 });

	/* a name beyond the last id; then one that repeats */
	put_thread(100, 207, "kvm-vcpu-7");
	CHECK_SCAN({ 0, 202 }, { 1, 201 }, { 2, 207 });
	put_thread(100, 208, "vcpu4000000000");
	CHECK_SCAN({ 0, 202 }, { 1, 0 }, { 2, 201 });
	put_thread(100, 209, "vcpu0");
	CHECK_SCAN({ 0, 0 }, { 1, 0 }, { 2, 0 });
}

/* Two VMs in one process: names say nothing, debugfs does. */
static void test_two_vms(void **state)
{
	struct kt_vm_list list;

	(void)state;
	PUT_VM(100, 0, 1, 0);
	put_fd(100, 11, "anon_inode:kvm-vm");
	put_thread(100, 100, "vmm");
	put_thread(100, 201, "vcpu0");
	put_thread(100, 202, "vcpu1");
	put_thread(100, 203, "vcpu2");
	scan(&list);
	assert_int_equal(list.count, 1);
	assert_int_equal(list.vms[0].vm_fds, 2);
	CHECK_VCPUS(&list.vms[0], { 0, 0 }, { 0, 0 }, { 1, 0 });
	kt_vm_list_free(&list);

	put_debug("kvm/100-10/vcpu0/pid", "201\n");
	put_debug("kvm/100-10/vcpu1/pid", "202\n");
	put_debug("kvm/100-11/vcpu0/pid", "203\n");
	CHECK_SCAN({ 0, 201 }, { 0, 203 }, { 1, 202 });
}

/* The VM was made by thread 101 of process 100; vCPU 1 has not run yet. */
static void test_debugfs(void **state)
{
	(void)state;
	PUT_VM(100, 0, 1, 2, 3);
	put_thread(100, 100, "cloud-hyperviso");
	put_thread(100, 101, "vmm");
	for (u32 i = 0; i < 4; i++)
		put_thread(100, 110 + i, "x");
	put(proc, "101/status", "Name:\tvmm\nTgid:\t100\n");
	put_debug("kvm/101-13/vcpu0/pid", "110\n");
	put_debug("kvm/101-13/vcpu1/pid", "0\n");
	put_debug("kvm/101-13/vcpu2/pid", "999\n"); /* no thread of 100 */
	put_debug("kvm/101-13/vcpu3/pid", "113");
	put_debug("kvm/101-13/vcpu7/pid", "112\n"); /* no such descriptor */
	put_debug("kvm/101-13/vcpux/pid", "112\n");
	put_debug("kvm/101-13/vcpu2/lapic_timer_advance_ns", "0\n");
	put_debug("kvm/102-13/vcpu1/pid", "111\n"); /* its thread has gone */
	put_debug("kvm/200-13/vcpu1/pid", "111\n"); /* another process's */
	put_process(200, "x", 1, "x", 2);
	put_debug("kvm/x-1/vcpu1/pid", "111\n");
	put_debug("kvm/100/vcpu1/pid", "111\n");
	put_debug("kvm/100-/vcpu1/pid", "111\n");
	put_debug("kvm/99999999999-1/vcpu1/pid", "111\n");
	put_debug("kvm/exits", "5\n");
	CHECK_SCAN({ 0, 110 }, { 1, 0 }, { 2, 0 }, { 3, 113 });

	/* thread names fill what is missing, and only that */
	put_thread(100, 110, "vcpu0");
	put_thread(100, 111, "vcpu1");
	put_thread(100, 112, "vcpu2");
	put_thread(100, 120, "vcpu3");
	CHECK_SCAN({ 0, 110 }, { 1, 111 }, { 2, 112 }, { 3, 113 });
}

static void test_no_debugfs(void **state)
{
	struct kt_vm_list list;

	(void)state;
	PUT_VM(100, 0);
	put_thread(100, 100, "vcpu0");
	assert_int_equal(kt_vm_scan(proc, "/nonexistent/debug", &list), 0);
	CHECK_VCPUS(&list.vms[0], { 0, 100 });
	kt_vm_list_free(&list);
}

/* Descriptors that can't be listed; kernel threads and the dead have none to miss. */
static void test_unreadable(void **state)
{
	struct kt_vm_list list;

	(void)state;
	put_stat(100, "user", "S", 4194560, 1);
	put(proc, "100/fd", "no directory");
	put_stat(101, "kworker/0:1", "I", 69238880, 1); /* 0x4208060, as on 6.18 */
	put(proc, "101/fd", "no directory");
	put_stat(102, "kworker/0:2", "I", 2097152, 1);
	put(proc, "102/fd", "no directory");
	put_stat(103, "zombie", "Z", 4194560, 1);
	put(proc, "103/fd", "no directory");
	put(proc, "104/fd", "no directory, no stat");
	put(proc, "105/stat", "damaged");
	put(proc, "105/fd", "no directory");
	scan(&list);
	assert_int_equal(list.count, 0);
	assert_int_equal(list.unreadable, 2);
	kt_vm_list_free(&list);
}

/* Without root's capabilities, in a process of its own: returns 0 when all is as expected. */
static int scan_denied(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { 0 };
	struct kt_vm_list list;
	struct kt_vm vm;

	if (syscall(SYS_capset, &header, none))
		return 1;
	if (kt_vm_scan(proc, debugfs, &list))
		return 2;
	if (list.count || list.unreadable != 1)
		return 3;
	kt_vm_list_free(&list);
	if (kt_vm_read(proc, 101, &vm) != -EACCES)
		return 4;
	return vm.identity.name || vm.pid ? 5 : 0;
}

static void test_permission(void **state)
{
	char path[PATH_MAX];
	int status;
	pid_t child;

	(void)state;
	PUT_VM(100, 0);
	snprintf(path, sizeof(path), "%s/100/fd", proc);
	assert_int_equal(chmod(path, 0), 0);
	PUT_VM(101, 0);
	snprintf(path, sizeof(path), "%s/101", proc);
	assert_int_equal(chmod(path, 0), 0);
	child = fork();
	assert_true(child >= 0);
	if (!child)
		_exit(scan_denied());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(chmod(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/100/fd", proc);
	assert_int_equal(chmod(path, 0755), 0);
}

/* A process with descriptors by the ten thousand makes us keep 16384 vCPUs at most. */
static void test_many_fds(void **state)
{
	struct kt_vm_list list;
	char target[64];

	(void)state;
	put_process(100, "x", 1, "x", 2);
	for (u32 i = 0; i < 16400; i++) {
		snprintf(target, sizeof(target), "anon_inode:kvm-vcpu:%u", i);
		put_fd(100, i + 10, target);
	}
	scan(&list);
	assert_int_equal(list.count, 1);
	assert_int_equal(list.vms[0].vcpu_count, 16384);
	kt_vm_list_free(&list);
}

/* VMs that go while they are looked at: no stat, or a thread's directory among the processes. */
static void test_vanishing(void **state)
{
	struct kt_vm_list list;

	(void)state;
	put_link("100/fd/5", "anon_inode:kvm-vm");
	PUT_VM(101, 0);
	put(proc, "101/status", "Name:\tt\nTgid:\t90\n");
	PUT_VM(102, 0);
	put(proc, "102/stat", "102 (x");
	scan(&list);
	assert_int_equal(list.count, 0);
	kt_vm_list_free(&list);
}

static void test_no_proc(void **state)
{
	struct kt_vm_list list;

	(void)state;
	memset(&list, 0xff, sizeof(list));
	assert_int_equal(kt_vm_scan("/nonexistent/proc", NULL, &list), -ENOENT);
	assert_int_equal(list.count, 0);
	assert_null(list.vms);
	kt_vm_list_free(&list);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_proc_setup, fake_proc_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_scan),
		TEST(test_not_kvm_fds),
		TEST(test_names_and_apic_ids),
		TEST(test_names_with_gaps),
		TEST(test_two_vms),
		TEST(test_debugfs),
		TEST(test_no_debugfs),
		TEST(test_unreadable),
		TEST(test_permission),
		TEST(test_many_fds),
		TEST(test_vanishing),
		TEST(test_no_proc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
