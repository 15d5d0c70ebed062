/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Reading one VM's process, from files made for it and from the kernel's own /proc. */
#include "fake_proc.h"
#include <pthread.h>
#include <sys/syscall.h>

#include "../../user/event/vm.h"

static void test_read(void **state)
{
	static const char cmdline[] = "/usr/bin/qemu-system-x86_64\0-name\0guest=read,x=y";
	struct kt_vm vm;

	(void)state;
	put_process(100, "CPU 0/KVM", 4242, cmdline, sizeof(cmdline));
	put(proc, "100/cgroup", "0::/machine-qemu\\x2d1\\x2dread.scope\n");
	put(proc, "103/status", "Name:\tvmm\nTgid:\t100\n");
	for (u32 pid = 100; pid <= 103; pid += 3) {
		assert_int_equal(kt_vm_read(proc, pid, &vm), 0);
		assert_int_equal(vm.pid, 100);
		assert_int_equal(vm.start_time, 4242);
		assert_string_equal(vm.identity.name, "read");
		assert_string_equal(vm.identity.manager, "libvirt");
		assert_int_equal(vm.rss_bytes, 1075838976);
		assert_int_equal(vm.vcpu_count, 0);
		kt_vm_fini(&vm);
		assert_null(vm.identity.name);
	}

	assert_int_equal(kt_vm_read(proc, 99, &vm), -ESRCH);
	assert_null(vm.identity.name);
	put(proc, "104/status", "Tgid:\t98\n"); /* a thread whose process has gone */
	assert_int_equal(kt_vm_read(proc, 104, &vm), -ESRCH);
	assert_int_equal(kt_vm_read("/nonexistent", 100, &vm), -ENOENT);
}

/* Only stat is a must: the name then comes from there. */
static void test_read_little(void **state)
{
	static const char *const damaged[] = {
		"",
		"1",
		"1 (",
		"1 )(",
		"1 (x)",
		"1 (x) S",
		"1 (x) S 1 2 3 4 5 6 7 8",
		"1 (x) S 1 2 3 0 -1 4 4 5 6 7 8 9 10 11 20 0 2 0 -7 1",
		"1 (x) S 1 2 3 0 -1 4 4 5 6 7 8 9 10 11 20 0 2 0 99999999999999999999 1",
	};
	struct kt_vm vm;

	(void)state;
	put_stat(100, "a) b (c", "S", 0, 18446744073709551615ull);
	put(proc, "100/status", "");
	assert_int_equal(kt_vm_read(proc, 100, &vm), 0);
	assert_int_equal(vm.pid, 100);
	assert_true(vm.start_time == 18446744073709551615ull);
	assert_string_equal(vm.identity.name, "a) b (c");
	assert_int_equal(vm.rss_bytes, 0);
	kt_vm_fini(&vm);

	put(proc, "100/status",
	    "VmRSS:\nTgid:\t0\nVmRSS:\t99999999999999999999999 kB\n"
	    "HugetlbPages:\t18446744073709551615 kB");
	assert_int_equal(kt_vm_read(proc, 100, &vm), 0);
	assert_int_equal(vm.rss_bytes, 0);
	kt_vm_fini(&vm);

	for (size_t i = 0; i < KT_ARRAY_SIZE(damaged); i++) {
		put(proc, "100/stat", damaged[i]);
		assert_int_equal(kt_vm_read(proc, 100, &vm), -EINVAL);
		assert_null(vm.identity.name);
	}
}

/* Many supplementary groups make status long before it comes to the memory. */
static void test_long_status(void **state)
{
	static const char head[] = "Name:\tx\nTgid:\t100\nGroups:\t", tail[] = "\nVmRSS:\t4 kB\n";
	static char text[100000];
	struct kt_vm vm;

	(void)state;
	memset(text, '7', sizeof(text));
	memcpy(text, head, sizeof(head) - 1);
	memcpy(text + sizeof(text) - sizeof(tail), tail, sizeof(tail));
	put_stat(100, "x", "S", 0, 1);
	put(proc, "100/status", text);
	assert_int_equal(kt_vm_read(proc, 100, &vm), 0);
	assert_int_equal(vm.rss_bytes, 4096);
	kt_vm_fini(&vm);
}

static void *read_own_thread(void *vm)
{
	return kt_vm_read("/proc", (u32)syscall(SYS_gettid), vm) ? NULL : vm;
}

/* The kernel's own /proc, looked at from a thread. */
static void test_real_proc(void **state)
{
	struct kt_vm vm;
	struct kt_vm_list list;
	pthread_t thread;
	void *ok;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, read_own_thread, &vm), 0);
	assert_int_equal(pthread_join(thread, &ok), 0);
	assert_non_null(ok);
	assert_int_equal(vm.pid, getpid());
	assert_true(vm.start_time > 0);
	assert_in_range(vm.rss_bytes, 100000, 1ull << 40);
	assert_string_equal(vm.identity.name, program_invocation_short_name);
	kt_vm_fini(&vm);

	assert_int_equal(kt_vm_scan("/proc", NULL, &list), 0);
	for (size_t i = 0; i < list.count; i++)
		assert_int_not_equal(list.vms[i].pid, getpid());
	kt_vm_list_free(&list);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_proc_setup, fake_proc_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_read),
		TEST(test_read_little),
		TEST(test_long_status),
		cmocka_unit_test(test_real_proc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
