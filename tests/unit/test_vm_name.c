/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Names of VMs: command lines and cgroups as the managers write them, and hostile ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../user/event/vm.h"

/* A literal's last NUL ends the last argument, as in /proc/PID/cmdline. */
#define ARGS(literal) literal, sizeof(literal)

struct sample {
	const char *cmdline;
	size_t len;
	const char *cgroup, *comm;
	const char *name, *manager;
	enum kt_vmm vmm;
};

#define LIBVIRT_KEY                                                                                \
	"-object\0{\"qom-type\":\"secret\",\"id\":\"masterKey0\",\"format\":\"raw\","              \
	"\"file\":\"/var/lib/libvirt/qemu/domain-1-win11/master-key.aes\"}"
#define KUBEPODS                                                                                   \
	"0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod3d2a.slice/"            \
	"cri-containerd-6f1c.scope\n"

static const struct sample qemu_samples[] = {
	/* libvirt */
	{ ARGS("/usr/bin/qemu-system-x86_64\0-name\0guest=win11,debug-threads=on\0-S\0" LIBVIRT_KEY),
	  "0::/machine.slice/machine-qemu\\x2d1\\x2dwin11.scope/libvirt/emulator\n", "CPU 0/KVM",
	  "win11", "libvirt", KT_VMM_QEMU },
	{ ARGS("/usr/libexec/qemu-kvm\0-name\0guest=a b\tc,debug-threads=on\0" LIBVIRT_KEY), NULL,
	  NULL, "a b\tc", "libvirt", KT_VMM_QEMU },
	{ ARGS("qemu-kvm\0-name\0guest=x,,y,,,debug-threads=on\0"), NULL, "qemu-kvm", "x,y,", NULL,
	  KT_VMM_QEMU },
	{ ARGS("qemu-kvm\0-name\0debug-threads=on,process=p,guest=last"), NULL, "p", "last", NULL,
	  KT_VMM_QEMU },
	/* disks under …/libvirt/ make no libvirt VM */
	{ ARGS("qemu-system-x86_64\0-name\0mine\0-hda\0/var/lib/libvirt/images/a.qcow2"), NULL,
	  NULL, "mine", NULL, KT_VMM_QEMU },
	/* by hand */
	{ ARGS("./qemu-system-aarch64\0-m\0"
	       "512\0-name\0plain"),
	  NULL, NULL, "plain", NULL, KT_VMM_QEMU },
	{ ARGS("qemu-system-x86_64\0--name\0two,process=z"), NULL, NULL, "two", NULL, KT_VMM_QEMU },
	{ ARGS("qemu-system-x86_64\0-name\0a,,b=c,debug-threads=on"), NULL, NULL, "a,b=c", NULL,
	  KT_VMM_QEMU },
	{ ARGS("qemu\0-name\0first\0-name\0debug-threads=on\0-name\0guest=second"), NULL, NULL,
	  "second", NULL, KT_VMM_QEMU },
	{ ARGS("qemu\0-name\0=odd,,,=,guest"), NULL, "qemu", "qemu", NULL, KT_VMM_QEMU },
	{ ARGS("qemu\0-name\0guest=esc\033]0;x\007\377"), NULL, NULL, "esc\033]0;x\007\377", NULL,
	  KT_VMM_QEMU },
	/* without a name */
	{ ARGS("/usr/bin/qemu-system-x86_64\0-m\0"
	       "1G"),
	  NULL, "qemu-system-x86", "qemu-system-x86_64", NULL, KT_VMM_QEMU },
	{ ARGS("/usr/bin/qemu-system-x86_64\0-name\0"), NULL, "custom", "custom", NULL,
	  KT_VMM_QEMU },
	{ ARGS("/usr/bin/qemu-system-x86_64\0-name"), NULL, "custom", "custom", NULL, KT_VMM_QEMU },
	{ ARGS("kvm\0-name\0,debug-threads=on"), NULL, NULL, "kvm", NULL, KT_VMM_QEMU },
	{ ARGS("/usr/bin/kvm-spice\0-name\0s"), NULL, NULL, "s", NULL, KT_VMM_QEMU },
	/* Proxmox */
	{ ARGS("/usr/bin/kvm\0-id\0"
	       "102\0-name\0MSDOS7.1,debug-threads=on\0-no-shutdown"),
	  "0::/qemu.slice/102.scope\n", "kvm", "MSDOS7.1", "proxmox", KT_VMM_QEMU },
	{ ARGS("/usr/bin/kvm\0-id\0"
	       "302\0-name\0web"),
	  NULL, "kvm", "web", "proxmox", KT_VMM_QEMU },
	{ ARGS(""), "1:name=systemd:/qemu.slice/9000.scope\n", "kvm", "9000", "proxmox",
	  KT_VMM_QEMU },
	{ ARGS("kvm\0-id\0"
	       "12x\0-name\0n"),
	  "0::/qemu.slice/x.scope\n", "kvm", "n", NULL, KT_VMM_QEMU },
	{ ARGS("kvm\0-id\0"
	       "12345678901\0-name\0n"),
	  NULL, "kvm", "n", NULL, KT_VMM_QEMU },
	/* OpenStack */
	{ ARGS("/usr/bin/qemu-system-x86_64\0-name\0guest=instance-0000001d,debug-threads=on"),
	  "0::/machine.slice/machine-qemu\\x2d4\\x2dinstance\\x2d0000001d.scope\n", "x",
	  "instance-0000001d", "openstack", KT_VMM_QEMU },
	{ ARGS("qemu-kvm\0-name\0guest=instance-0000001dz"), NULL, "x", "instance-0000001dz", NULL,
	  KT_VMM_QEMU },
	{ ARGS("qemu-kvm\0-name\0guest=instance-0001"), NULL, "x", "instance-0001", NULL,
	  KT_VMM_QEMU },
	/* KubeVirt */
	{ ARGS("/usr/libexec/qemu-kvm\0-name\0guest=default_testvm,debug-threads=on\0" LIBVIRT_KEY),
	  KUBEPODS, "qemu-kvm", "default_testvm", "kubevirt", KT_VMM_QEMU },
	{ ARGS("/usr/libexec/qemu-kvm\0-name\0guest=default_testvm,debug-threads=on\0" LIBVIRT_KEY),
	  "0::/user.slice\n", "qemu-kvm", "default_testvm", "libvirt", KT_VMM_QEMU },
	/* Kata */
	{ ARGS("/opt/kata/bin/qemu-system-x86_64\0-name\0sandbox-598c8325,debug-threads=on\0-qmp\0"
	       "unix:/run/vc/vm/598c8325/qmp.sock,server=on,wait=off"),
	  KUBEPODS, "qemu-system-x86", "sandbox-598c8325", "kata", KT_VMM_QEMU },
	{ ARGS("qemu-system-x86_64\0-name\0sandbox-1\0-qmp\0unix:fd=3"), NULL, NULL, "sandbox-1",
	  "kata", KT_VMM_QEMU },
	/* a namespace called sandbox-… is KubeVirt's all the same */
	{ ARGS("qemu-kvm\0-name\0guest=sandbox-a_vm\0"), KUBEPODS, NULL, "sandbox-a_vm", "kubevirt",
	  KT_VMM_QEMU },
};

static const struct sample other_samples[] = {
	/* Firecracker */
	{ ARGS("/firecracker\0--id=web-7\0--start-time-us\0"
	       "1"),
	  NULL, "firecracker", "web-7", NULL, KT_VMM_FIRECRACKER },
	{ ARGS("/usr/bin/firecracker-v1.7.0-x86_64\0--api-sock\0/tmp/a.sock\0--id\0four"), NULL,
	  "firecracker-v1.", "four", NULL, KT_VMM_FIRECRACKER },
	{ ARGS("firecracker\0--api-sock\0/tmp/a.sock"), NULL, "firecracker", "firecracker", NULL,
	  KT_VMM_FIRECRACKER },
	{ ARGS("firecracker\0--\0--id\0theirs"), NULL, "firecracker", "firecracker", NULL,
	  KT_VMM_FIRECRACKER },
	{ ARGS("firecracker\0--identity\0x\0--id"), NULL, "firecracker", "firecracker", NULL,
	  KT_VMM_FIRECRACKER },
	{ ARGS("/opt/kata/bin/firecracker\0--api-sock\0"
	       "/run/vc/firecracker/00fedc54/root/run/firecracker.socket"),
	  NULL, "firecracker", "sandbox-00fedc54", "kata", KT_VMM_FIRECRACKER },
	{ ARGS("/firecracker\0--id\0"
	       "3a21\0--config-file\0/fcConfig.json"),
	  "0::/kata_overhead/3a21\n", "firecracker", "3a21", "kata", KT_VMM_FIRECRACKER },
	/* cloud-hypervisor */
	{ ARGS("cloud-hypervisor\0--api-socket\0/run/ch/db1.sock"), NULL, "cloud-hyperviso",
	  "db1.sock", NULL, KT_VMM_CLOUD_HYPERVISOR },
	{ ARGS("/usr/bin/cloud-hypervisor-static\0--api-socket\0path=/run/ch/db2.sock"), NULL,
	  "cloud-hyperviso", "db2.sock", NULL, KT_VMM_CLOUD_HYPERVISOR },
	{ ARGS("cloud-hypervisor\0--api-socket=path=db3"), NULL, "cloud-hyperviso", "db3", NULL,
	  KT_VMM_CLOUD_HYPERVISOR },
	{ ARGS("cloud-hypervisor\0--api-socket\0fd=4"), NULL, "cloud-hyperviso", "cloud-hypervisor",
	  NULL, KT_VMM_CLOUD_HYPERVISOR },
	{ ARGS("cloud-hypervisor\0--api-socket\0fd=4"),
	  "0::/machine.slice/machine-ch\\x2d12\\x2dmail.scope\n", "vmm", "mail", "libvirt",
	  KT_VMM_CLOUD_HYPERVISOR },
	{ ARGS("/opt/kata/bin/cloud-hypervisor\0--api-socket\0/run/vc/vm/ee5f2f02/clh-api.sock"),
	  KUBEPODS, "cloud-hyperviso", "sandbox-ee5f2f02", "kata", KT_VMM_CLOUD_HYPERVISOR },
	{ ARGS("cloud-hypervisor\0--api-socket\0/run/vc/vm/x.sock"), NULL, NULL, "x.sock", NULL,
	  KT_VMM_CLOUD_HYPERVISOR },
	{ ARGS("cloud-hypervisor\0--api-socket\0/run/vc/x.sock"), NULL, NULL, "x.sock", NULL,
	  KT_VMM_CLOUD_HYPERVISOR },
	{ ARGS(""), NULL, "cloud-hyperviso", "cloud-hyperviso", NULL, KT_VMM_CLOUD_HYPERVISOR },
	/* Kata with the VMM in the shim */
	{ ARGS("/opt/kata/bin/containerd-shim-kata-v2\0-namespace\0k8s.io\0-id\0"
	       "6d46"),
	  NULL, "containerd-shim", "sandbox-6d46", "kata", KT_VMM_OTHER },
	/* crosvm, kvmtool, gVisor */
	{ ARGS("/apex/bin/crosvm\0--extended-status\0run\0--name\0microdroid"), NULL, "crosvm",
	  "microdroid", NULL, KT_VMM_CROSVM },
	{ ARGS("crosvm\0run\0--name=arc\0bzImage"), NULL, "crosvm", "arc", NULL, KT_VMM_CROSVM },
	{ ARGS("../lkvm\0run\0--name\0guest-1"), NULL, "lkvm", "guest-1", NULL, KT_VMM_KVMTOOL },
	{ ARGS("lkvm-static\0run"), NULL, "lkvm-static", "lkvm-static", NULL, KT_VMM_KVMTOOL },
	{ ARGS("runsc-sandbox\0--root=/run/runsc\0--platform=kvm\0boot\0--stdio-fds=8\0bb10"), NULL,
	  "gvisor_sentry", "bb10", NULL, KT_VMM_GVISOR },
	{ ARGS("runsc-sandbox\0--root=/run/runsc\0x"), NULL, "exe", "exe", NULL, KT_VMM_GVISOR },
	{ ARGS("runsc-sandbox\0boot\0--last"), NULL, "exe", "exe", NULL, KT_VMM_GVISOR },
	/* anything else: comm, or what comm is the beginning of */
	{ ARGS("/home/me/kvm-unit-test-runner\0-name\0no"), NULL, "kvm-unit-test-r",
	  "kvm-unit-test-runner", NULL, KT_VMM_OTHER },
	{ ARGS("python3\0vm.py"), NULL, "my vm) x", "my vm) x", NULL, KT_VMM_OTHER },
	{ ARGS("/opt/tool\0"), NULL, NULL, "tool", NULL, KT_VMM_OTHER },
	{ ARGS("/opt/tool/\0"), NULL, "", "unknown", NULL, KT_VMM_OTHER },
	{ ARGS("qemuish\0-name\0x"), NULL, "qemuish", "qemuish", NULL, KT_VMM_OTHER },
	{ NULL, 0, NULL, NULL, "unknown", NULL, KT_VMM_OTHER },
	{ "", 0, "", "", "unknown", NULL, KT_VMM_OTHER },
};

/* With no command line: libvirt's machine names. */
static const struct sample cgroup_samples[] = {
	{ NULL, 0, "0::/machine.slice/machine-qemu\\x2d3\\x2ddebian12\\x2d1.scope/libvirt/vcpu0\n",
	  "CPU 0/KVM", "debian12-1", "libvirt", KT_VMM_QEMU },
	{ NULL, 0, "9:cpu:/x\n1:name=systemd:/machine.slice/machine-qemu\\x2D3\\x2da.b.scope", NULL,
	  "a.b", "libvirt", KT_VMM_QEMU },
	{ NULL, 0, "0::/../../machine-qemu\\x2dalice\\x2d7\\x2dmine.scope\n", NULL, "mine",
	  "libvirt", KT_VMM_QEMU },
	{ NULL, 0, "0::/machine-qemu\\x2dembed\\x2d09915678\\x2d4\\x2ddemo.scope\n", NULL, "demo",
	  "libvirt", KT_VMM_QEMU },
	{ NULL, 0, "0::/machine-qemu\\x2dold.scope\n", NULL, "old", "libvirt", KT_VMM_QEMU },
	{ NULL, 0, "4:cpuset:/machine/qemu-5-vm1.libvirt-qemu/emulator\n", NULL, "vm1", "libvirt",
	  KT_VMM_QEMU },
	/* damaged escapes stay as they are; a NUL is no byte of a name */
	{ NULL, 0, "0::/machine-qemu\\x2d1\\x2da\\x00\\xg1\\x2.scope\n", NULL, "a\\x00\\xg1\\x2",
	  "libvirt", KT_VMM_QEMU },
	/* the emulator under another name */
	{ ARGS("/opt/emulator\0-name\0guest=n"), "0::/machine-qemu\\x2d1\\x2dn.scope\n", "emulator",
	  "n", "libvirt", KT_VMM_QEMU },
	/* no scope of libvirt's */
	{ NULL, 0, "0::/machine.slice/machine-buster.scope\n", "init", "init", NULL, KT_VMM_OTHER },
	{ NULL, 0, "0::/machine-.scope\n", "c", "c", NULL, KT_VMM_OTHER },
	{ NULL, 0, "0::/machine-qemu\\x2d.scope\n", "c", "c", NULL, KT_VMM_OTHER },
	{ NULL, 0, "0::/.libvirt-qemu/machine-scope/.scope\n", "c", "c", NULL, KT_VMM_OTHER },
};

static void check(const struct sample *samples, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct sample *s = &samples[i];
		struct kt_vm_identity id;

		kt_vm_identify(s->cmdline, s->len, s->cgroup, s->comm, &id);
		assert_string_equal(id.name, s->name);
		if (id.vmm != s->vmm)
			fail_msg("%s: VMM %d, expected %d", s->name, id.vmm, s->vmm);
		if (!id.manager != !s->manager || (id.manager && strcmp(id.manager, s->manager)))
			fail_msg("%s: manager %s, expected %s", s->name,
				 id.manager ? id.manager : "none",
				 s->manager ? s->manager : "none");
		kt_vm_identity_free(&id);
		assert_null(id.name);
	}
}

static void test_qemu(void **state)
{
	(void)state;
	check(qemu_samples, KT_ARRAY_SIZE(qemu_samples));
}

static void test_other_vmms(void **state)
{
	(void)state;
	check(other_samples, KT_ARRAY_SIZE(other_samples));
}

static void test_cgroup(void **state)
{
	(void)state;
	check(cgroup_samples, KT_ARRAY_SIZE(cgroup_samples));
}

static void test_vmm_names(void **state)
{
	(void)state;
	assert_string_equal(kt_vmm_name(KT_VMM_OTHER), "other");
	assert_string_equal(kt_vmm_name(KT_VMM_QEMU), "qemu");
	assert_string_equal(kt_vmm_name(KT_VMM_FIRECRACKER), "firecracker");
	assert_string_equal(kt_vmm_name(KT_VMM_CLOUD_HYPERVISOR), "cloud-hypervisor");
	assert_string_equal(kt_vmm_name(KT_VMM_CROSVM), "crosvm");
	assert_string_equal(kt_vmm_name(KT_VMM_KVMTOOL), "kvmtool");
	assert_string_equal(kt_vmm_name(KT_VMM_GVISOR), "gvisor");
	assert_string_equal(kt_vmm_name((enum kt_vmm)99), "other");
}

/* Exactly len bytes are read: the sanitizer sees one more. */
static void identify_copy(const void *bytes, size_t len, struct kt_vm_identity *id)
{
	char *copy = malloc(len);

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	kt_vm_identify(copy, len, NULL, NULL, id);
	free(copy);
}

static void test_no_final_nul(void **state)
{
	static const char whole[] = "qemu-kvm\0-name\0abc";
	struct kt_vm_identity id;

	(void)state;
	identify_copy(whole, sizeof(whole) - 1, &id);
	assert_string_equal(id.name, "abc");
	kt_vm_identity_free(&id);
	identify_copy(whole, sizeof(whole) - 2, &id);
	assert_string_equal(id.name, "ab");
	kt_vm_identity_free(&id);
	identify_copy("qemu-kvm", 4, &id);
	assert_string_equal(id.name, "qemu");
	assert_int_equal(id.vmm, KT_VMM_QEMU);
	kt_vm_identity_free(&id);
}

/* Megabytes: without a NUL, of NULs only, of properties, of options; names end after 255 bytes. */
static void test_huge(void **state)
{
	static const struct {
		const char *head;
		size_t head_len;
		const char *unit;
		size_t unit_len, name_len;
	} samples[] = {
		{ "", 0, "x", 1, 255 },
		{ "", 0, "\0", 1, strlen("unknown") },
		{ "", 0, "/", 1, strlen("unknown") },
		{ ARGS("qemu\0-name"), "guest=y,", 8, 1 },
		{ ARGS("qemu\0-name"), "z", 1, 255 },
		{ ARGS("qemu\0-name"), ",", 1, 255 },
		{ ARGS("qemu"), "-name\0n\0-id\0", 12, 1 },
		{ ARGS("firecracker\0--id"), "f", 1, 255 },
		{ ARGS("cloud-hypervisor"), "/run/vc/vm/i/ ", 14, strlen("sandbox-i") },
	};
	const size_t len = 4u << 20;
	char *text = malloc(len);

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < KT_ARRAY_SIZE(samples); i++) {
		struct kt_vm_identity id;
		size_t at = samples[i].head_len;

		memcpy(text, samples[i].head, at);
		for (size_t u = 0; at < len; at++, u++)
			text[at] = samples[i].unit[u % samples[i].unit_len];
		kt_vm_identify(text, len, NULL, NULL, &id);
		assert_int_equal(strlen(id.name), samples[i].name_len);
		kt_vm_identity_free(&id);
	}
	free(text);
}

/* What lies behind 256 KiB of command line is not looked at. */
static void test_cmdline_limit(void **state)
{
	static const char tail[] = "-name\0far";
	const size_t limit = 256u << 10;
	char *text = calloc(1, limit + sizeof(tail));
	struct kt_vm_identity id;

	(void)state;
	assert_non_null(text);
	memcpy(text, "qemu", 5);
	memcpy(text + limit, tail, sizeof(tail));
	kt_vm_identify(text, limit + sizeof(tail), NULL, NULL, &id);
	assert_string_equal(id.name, "qemu");
	kt_vm_identity_free(&id);

	memcpy(text + limit - sizeof(tail), tail, sizeof(tail));
	kt_vm_identify(text, limit, NULL, NULL, &id);
	assert_string_equal(id.name, "far");
	kt_vm_identity_free(&id);
	free(text);
}

/* Pieces that mean something, thrown together: for the sanitizers. */
static void test_scrambled(void **state)
{
	static const char *const pieces[] = {
		"qemu",	    "firecracker", "cloud-hypervisor",
		"runsc",    "boot",	   "-name",
		"--id",	    "--",	   "guest=",
		",",	    ",,",	   "=",
		"-id",	    "12",	   "/",
		"/run/vc/", "machine-",	   "\\x2d",
		".scope",   "qemu-",	   "embed-",
		"-",	    "0123abcd",	   "/qemu.slice/",
		"\n",	    "sandbox-",	   "path=",
		"fd=",	    "\377",	   "_",
		"kubepods", "\\x",	   "--api-socket",
	};
	unsigned int seed = 1;
	char cmdline[512], cgroup[512];

	(void)state;
	for (unsigned int round = 0; round < 20000; round++) {
		struct kt_vm_identity id;
		size_t len = 0;

		cgroup[0] = '\0';
		for (unsigned int i = 0; i < 16; i++) {
			const char *piece;

			seed = seed * 1103515245u + 12345u;
			piece = pieces[(seed >> 16) % KT_ARRAY_SIZE(pieces)];
			memcpy(cmdline + len, piece, strlen(piece) + 1);
			len += strlen(piece) + (seed >> 30 & 1);
			strcat(cgroup, pieces[(seed >> 8) % KT_ARRAY_SIZE(pieces)]);
		}
		kt_vm_identify(cmdline, len, cgroup, round & 1 ? cgroup : NULL, &id);
		assert_in_range(strlen(id.name), 1, 255);
		kt_vm_identity_free(&id);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_qemu),	      cmocka_unit_test(test_other_vmms),
		cmocka_unit_test(test_cgroup),	      cmocka_unit_test(test_vmm_names),
		cmocka_unit_test(test_no_final_nul),  cmocka_unit_test(test_huge),
		cmocka_unit_test(test_cmdline_limit), cmocka_unit_test(test_scrambled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
