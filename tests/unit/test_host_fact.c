/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What a capture says about its host, read from a /proc and a /sys made of files. */
#include "fake_proc.h"

#include "../../user/event/host.h"
#include "json_reader.h"

static char sys[PATH_MAX / 2];

static int setup(void **state)
{
	if (fake_proc_setup(state))
		return -1;
	snprintf(sys, sizeof(sys), "%s/sys", top);
	return mkdir(sys, 0755);
}

static void test_host(void **state)
{
	char *text;

	(void)state;
	put(proc, "sys/kernel/osrelease", "6.1.0-30-amd64\n");
	put(proc, "sys/kernel/version", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.124-1 (2025-01-12)\n");
	put(proc, "sys/kernel/hostname", "box.example.org\n");
	put(proc, "version", "Linux version 6.1.0-30-amd64 (builder@buildbox)\n");
	put(top, "etc/os-release",
	    "NAME=\"Debian\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n"
	    "ID=debian\n");
	put(proc, "cpuinfo",
	    "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\n"
	    "model name\t: Intel(R) Xeon(R) Gold 6130 CPU @ 2.10GHz\nmodel\t\t: 85\nstepping\t: 4\n"
	    "microcode\t: 0x2007006\nflags\t\t: fpu vme hypervisors vmx\n\n"
	    "processor\t: 1\nmicrocode\t: 0xffff\nflags\t\t: hypervisor\n\n");
	put(proc, "meminfo", "MemTotal:       32768000 kB\nMemFree:         1234 kB\n");
	put(proc, "cmdline", "root=/dev/sda1 ip=10.1.2.3 rd.password=x kvm.ignore_msrs=1\n");
	put(sys, "module/kvm/parameters/ignore_msrs", "N\n");
	put(sys, "module/kvm/parameters/halt_poll_ns", "200000\n");
	put(sys, "module/kvm_intel/parameters/ept", "Y\n");
	put(sys, "module/kvm_amd/version", "1\n");
	put(sys, "module/ext4/parameters/x", "1\n");
	put(sys, "devices/system/cpu/online", "0-3,8,10-11\n");
	put(sys, "devices/system/cpu/vulnerabilities/meltdown", "Mitigation: PTI\n");
	put(sys, "devices/system/cpu/vulnerabilities/l1tf", "Not affected\n");
	text = kt_host_fact(proc, sys);
	assert_string_equal(
		text,
		"{\"kernel\":{\"release\":\"6.1.0-30-amd64\",\"version\":\"#1 SMP PREEMPT_DYNAMIC "
		"Debian 6.1.124-1 (2025-01-12)\",\"machine\":\"x86_64\"},\"distribution\":"
		"\"Debian GNU/Linux 12 (bookworm)\",\"cpu\":{\"vendor\":\"GenuineIntel\","
		"\"model_name\":\"Intel(R) Xeon(R) Gold 6130 CPU @ 2.10GHz\",\"family\":6,\"model\":85,"
		"\"stepping\":4,\"microcode\":\"0x2007006\",\"online\":7,\"hypervisor\":false},"
		"\"memory_bytes\":33554432000,\"modules\":{\"kvm\":{\"halt_poll_ns\":\"200000\","
		"\"ignore_msrs\":\"N\"},\"kvm_amd\":{},\"kvm_intel\":{\"ept\":\"Y\"}},"
		"\"vulnerabilities\":{\"l1tf\":\"Not affected\",\"meltdown\":\"Mitigation: PTI\"},"
		"\"cmdline\":\"root=/dev/sda1 ip=[removed] rd.password=[removed] "
		"kvm.ignore_msrs=1\"}");
	free(text);
}

static void test_nothing(void **state)
{
	char *text, *other;

	(void)state;
	text = kt_host_fact(proc, sys);
	assert_string_equal(
		text,
		"{\"kernel\":{\"release\":null,\"version\":null,\"machine\":\"x86_64\"},"
		"\"distribution\":null,\"cpu\":{\"vendor\":null,\"model_name\":null,\"family\":null,"
		"\"model\":null,\"stepping\":null,\"microcode\":null,\"online\":null,\"hypervisor\":"
		"false},\"memory_bytes\":null,\"modules\":null,\"vulnerabilities\":null,\"cmdline\":"
		"null}");
	other = kt_host_fact("/nonexistent", "/nonexistent");
	assert_string_equal(text, other);
	free(text);
	free(other);
}

static void test_odd(void **state)
{
	static const char *const lists[] = {
		"", "x", "3-1", "0-", "0,", "0-99999999999999999999", "1-99999999999"
	};
	char *text, *large = malloc(100001);

	(void)state;
	put(proc, "sys/kernel/arch", "riscv64\n");
	put(top, "usr/lib/os-release", "PRETTY_NAME=\n");
	put(proc, "cmdline", "\377\n");
	put(proc, "meminfo", "MemTotal: 99999999999999999999 kB\n");
	memset(large, 'x', 100000);
	large[100000] = '\0';
	put(proc, "cpuinfo", large);
	put(sys, "module/kvm/parameters/a", large);
	put(sys, "devices/system/cpu/vulnerabilities/dir/x", "");
	for (size_t i = 0; i < KT_ARRAY_SIZE(lists); i++) {
		put(sys, "devices/system/cpu/online", lists[i]);
		text = kt_host_fact(proc, sys);
		assert_true(is_json_object(text));
		assert_non_null(strstr(text, "\"machine\":\"riscv64\""));
		assert_non_null(strstr(text, "\"cmdline\":\"\\uFFFD\""));
		assert_non_null(strstr(text, "\"online\":null,"));
		assert_non_null(strstr(text, "{\"dir\":null}"));
		free(text);
	}
	put(proc, "cpuinfo", "flags\t: a hypervisor");
	put(sys, "devices/system/cpu/online", "0");
	text = kt_host_fact(proc, sys);
	assert_non_null(strstr(text, "\"online\":1,\"hypervisor\":true"));
	free(text);
	free(large);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fake_proc_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_host),
		TEST(test_nothing),
		TEST(test_odd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
