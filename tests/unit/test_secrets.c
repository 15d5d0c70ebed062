/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What must go from command lines, and what must stay. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../user/event/secrets.h"

static void add(void *ctx, const char *arg)
{
	struct kt_str *s = ctx;

	if (s->len)
		kt_str_add_char(s, '|');
	kt_str_add(s, arg);
}

/* Arguments are separated by '|' here, which none of them has. */
static void check(const char *args, const char *want)
{
	size_t n = strlen(args);
	char *copy = malloc(n ? n : 1);
	struct kt_str s = {};

	for (size_t i = 0; i < n; i++)
		copy[i] = args[i] == '|' ? '\0' : args[i];
	kt_secrets_args(copy, n, add, &s);
	if (strcmp(s.data ? s.data : "", want))
		fail_msg("%s\n becomes %s\n not %s", args, s.data, want);
	kt_str_free(&s);
	free(copy);
}

static void check_line(const char *line, bool host, const char *want)
{
	struct kt_str s = {};

	kt_secrets_line(&s, line, host);
	if (strcmp(s.data ? s.data : "", want))
		fail_msg("%s\n becomes %s\n not %s", line, s.data, want);
	kt_str_free(&s);
}

static void test_stays(void **state)
{
	static const char *const args[] = {
		"",
		"qemu-system-x86_64|-name|guest=win11,debug-threads=on|-S|-k|en-us|-m|4096",
		"-object|{\"qom-type\":\"secret\",\"id\":\"masterKey0\",\"format\":\"raw\",\"file\":"
		"\"/var/lib/libvirt/qemu/domain-1-win11/master-key.aes\"}",
		"-cpu|EPYC-v4,x2apic=on,kvm=off,hv-vendor-id=AMD,hv-passthrough=on",
		"-device|virtio-keyboard-pci,id=input0|-device|usb-kbd",
		"-display|gtk,grab-mod=rctrl|-vnc|:0,key-layout=de,keyboard=x",
		"-drive|file=/a.qcow2,encrypt.key-secret=sec0,file.password-secret=sec1,keyid=7",
		"-vnc|127.0.0.1:0,password=on|-vnc|:1,password",
		"-spice|port=5900,disable-ticketing=on,password-secret=sec2",
		"-object|tls-creds-x509,id=t,passwordid=sec3,dir=/etc/pki",
		"-tls|key-file=/etc/key.pem,password-file=/run/p|--token-file|/run/t",
		"-fw_cfg|name=opt/ovmf/X-PciMmio64Mb,string=65536",
		"-fw_cfg|name=opt/com.coreos/config,file=/c.ign",
		"-smbios|type=1,manufacturer=QEMU,serial=123,uuid=4a-5b",
		"-drive|file=nbd://10.0.0.1:10809/x|-cdrom|http://h/a@b.iso",
		"-drive|file=ssh:user,hotkey=ctrl,monkey=1,author=me,tls-authz=authz0",
		"-append|root=/dev/vda1 console=ttyS0 quiet keyboard=us vconsole.keymap=de-latin1",
		"--password|--verbose|--token",
		"--|-|a=|=b|,,|x:y:z|://|a://@",
		"--api-sock|/run/fc.sock|--id|vm7",
		"--disk|path=/d.raw,id=password|secret|--keyboard|de",
		"--cmdline=root=/dev/vda rw",
		"--secret=|x",
	};

	(void)state;
	for (size_t i = 0; i < KT_ARRAY_SIZE(args); i++)
		check(args[i], args[i]);
}

static void test_goes(void **state)
{
	static const struct {
		const char *args, *want;
	} samples[] = {
		{ "-object|secret,id=s0,data=hunter2", "-object|secret,id=s0,data=[removed]" },
		{ "-object|secret,id=s0,data=a,,b,format=raw",
		  "-object|secret,id=s0,data=[removed],format=raw" },
		{ "--object=secret,id=s0,data=hunter2", "--object=secret,id=s0,data=[removed]" },
		{ "-object|{\"qom-type\":\"secret\",\"id\":\"s\",\"data\":\"hun\\\"ter\",\"x\":1}",
		  "-object|{\"qom-type\":\"secret\",\"id\":\"s\",\"data\":\"[removed]\",\"x\":1}" },
		{ "-spice|port=1,password=hunter2,addr=x",
		  "-spice|port=1,password=[removed],addr=x" },
		{ "-vnc|:0,password=hunter2", "-vnc|:0,password=[removed]" },
		{ "-iscsi|user=me,password=hun ter;2&3", "-iscsi|user=me,password=[removed]" },
		{ "-drive|file=iscsi://me%hunter2@10.0.0.1/iqn/0,if=virtio",
		  "-drive|file=iscsi://[removed]@10.0.0.1/iqn/0,if=virtio" },
		{ "-drive|file=https://me:hu@nt,er2@h:80/a.qcow2",
		  "-drive|file=https://[removed]@h:80/a.qcow2" },
		{ "-drive|file=https://ghp_abc@h/a", "-drive|file=https://[removed]@h/a" },
		{ "-cdrom|https://h/a?X-Amz-Signature=abc&b=c",
		  "-cdrom|https://h/a?X-Amz-Signature=[removed]" },
		{ "-cdrom|https://h/a?sig=abc", "-cdrom|https://h/a?sig=[removed]" },
		{ "-drive|file=rbd:pool/i:id=me:key=AQCabc==:auth_supported=cephx,if=none",
		  "-drive|file=rbd:pool/i:id=me:key=[removed],if=none" },
		{ "-blockdev|{\"driver\":\"https\",\"cookie\":\"a=b\",\"url\":\"https://u:p@h/\"}",
		  "-blockdev|{\"driver\":\"https\",\"cookie\":\"[removed]\",\"url\":"
		  "\"https://[removed]@h/\"}" },
		{ "x|--password|hunter2|y", "x|--password|[removed]|y" },
		{ "x|-passwd|hunter2|y", "x|-passwd|[removed]|y" },
		{ "--password=hunter2", "--password=[removed]" },
		{ "--PassWord=hunter2", "--PassWord=[removed]" },
		{ "--auth|abc|--auth-token|def", "--auth|[removed]|--auth-token|[removed]" },
		{ "--authToken=abc", "--authToken=[removed]" },
		{ "--api-key|abc|--apikey=def", "--api-key|[removed]|--apikey=[removed]" },
		{ "--secret-id=abc", "--secret-id=[removed]" },
		{ "aws_secret_access_key=abc", "aws_secret_access_key=[removed]" },
		{ "Authorization: Bearer abc", "Authorization: [removed]" },
		{ "password : abc", "password : [removed]" },
		{ "-fw_cfg|name=opt/org.example/x,string=hunter2",
		  "-fw_cfg|name=opt/org.example/x,string=[removed]" },
		{ "-fw_cfg|name=opt/io.systemd.credentials/passwd.plain,string=a,,b",
		  "-fw_cfg|name=opt/io.systemd.credentials/passwd.plain,string=[removed]" },
		{ "-smbios|type=11,value=io.systemd.credential:x=y",
		  "-smbios|type=11,value=[removed]" },
		{ "-smbios|type=1,serial=ds=nocloud;user-data=abc",
		  "-smbios|type=1,serial=ds=nocloud;user-data=[removed]" },
		{ "--platform|oem_strings=[a,b],x=1", "--platform|oem_strings=[removed]" },
		{ "{\"keys\":[\"a\",\"b\"]}", "{\"keys\":[removed]" },
		{ "{\\\"password\\\":\\\"abc\\\",\\\"x\\\":1}",
		  "{\\\"password\\\":\\\"[removed]\\\",\\\"x\\\":1}" },
		{ "password=\"abc,def=1", "password=[removed]" },
		{ "password=\"a\"b,c=d", "password=[removed]" },
		{ "{\"password\":\"abc\\\\\"}", "{\"password\":\"[removed]\"}" },
		{ "password='on',token='x y'", "password='on',token='[removed]'" },
		{ "-append|root=/dev/vda password=a,b quiet luks.key=\"x y\" ro",
		  "-append|root=/dev/vda password=[removed] quiet luks.key=\"[removed]\" ro" },
		{ "--cmdline=root=/dev/vda token=a,b rw",
		  "--cmdline=root=/dev/vda token=[removed] rw" },
		{ "-append|\"password=x y\" rw", "-append|\"password=[removed] rw" },
		{ "-append|init=/i -- --token abc -v", "-append|init=/i -- --token [removed] -v" },
		{ "-p|pw=abc x", "-p|pw=[removed] x" },
	};

	(void)state;
	for (size_t i = 0; i < KT_ARRAY_SIZE(samples); i++)
		check(samples[i].args, samples[i].want);
}

static void test_lines(void **state)
{
	(void)state;
	check_line("", true, "");
	check_line("BOOT_IMAGE=/vmlinuz root=UUID=ab-cd ro kvm.ignore_msrs=1 mitigations=off", true,
		   "BOOT_IMAGE=/vmlinuz root=UUID=ab-cd ro kvm.ignore_msrs=1 mitigations=off");
	check_line("a=b ip=10.0.0.2::10.0.0.1:255.0.0.0:box:eth0 systemd.hostname=box zip=1", true,
		   "a=b ip=[removed] systemd.hostname=[removed] zip=1");
	check_line("ip=10.0.0.2", false, "ip=10.0.0.2");
	check_line("BOOTIF=01-52-54 quiet", true, "BOOTIF=[removed] quiet");
	check_line("  x\t systemd.set_credential=a:b\ty", true,
		   "  x\t systemd.set_credential=[removed]\ty");
	check_line("x password=\"a b", true, "x password=[removed]");
	check_line("x --auth-required", true, "x --auth-required");
}

/* Whatever the bytes, it ends, and reads nothing beyond them. */
static void test_hostile(void **state)
{
	static const char bytes[] = "\"'\\=:,-@/ap[{ \tkey=\377password:token\0";
	const size_t n = 300000;
	char *text = malloc(n);
	u32 seed = 1;

	(void)state;
	for (int round = 0; round < 3; round++) {
		struct kt_str s = {};

		for (size_t i = 0; i < n; i++) {
			seed = seed * 1664525 + 1013904223;
			text[i] = bytes[(seed >> 16) % (sizeof(bytes) - (round ? 2 : 0))];
		}
		kt_secrets_args(text, n, add, &s);
		assert_true(s.len <= 3 * n);
		kt_str_free(&s);
	}
	for (size_t i = 0; bytes[i]; i++) {
		struct kt_str s = {};

		memset(text, bytes[i], n);
		kt_secrets_args(text, n, add, &s);
		assert_int_equal(s.len, n);
		kt_str_free(&s);
	}
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stays),
		cmocka_unit_test(test_goes),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
