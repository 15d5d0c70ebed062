/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A VM's fact in a capture: what is written, what is read back, and what hostile ones do. */
#include "fake_proc.h"

#include "../../user/event/vm_facts.h"
#include "json_reader.h"

static int take(struct kt_vm_table *table, const char *text)
{
	return kt_vm_fact_take(table, text, strlen(text));
}

static char *fact_of(const struct kt_vm_entry *vm, u64 from_ns, const char *name)
{
	struct kt_str s = {};
	char *text = kt_vm_fact(vm, from_ns, &s);

	assert_string_equal(s.data, name);
	kt_str_free(&s);
	return text;
}

static void test_made(void **state)
{
	const struct kt_vm_entry vm = { .pid = 4242,
					.name = "win11",
					.manager = "libvirt",
					.vmm = KT_VMM_QEMU,
					.start_time = 998877,
					.gone = true };
	char *text = fact_of(&vm, 123456789012345ull, "vm.4242.998877");

	(void)state;
	assert_string_equal(text, "{\"pid\":4242,\"start_time\":998877,\"from_ns\":123456789012345,"
				  "\"name\":\"win11\",\"manager\":\"libvirt\",\"vmm\":\"qemu\"}");
	free(text);
}

/* Every byte that a name may have comes back. */
static void test_round_trip(void **state)
{
	static const struct kt_vm_entry vms[] = {
		{ .pid = 1, .name = "a\"b\\c\n\t\001\177", .vmm = KT_VMM_GVISOR, .gone = true },
		{ .pid = 2,
		  .name = "caf\303\251 \360\237\222\251",
		  .manager = "kata",
		  .gone = true },
		{ .pid = 3, .name = "\377\376bad\303", .vmm = KT_VMM_KVMTOOL, .gone = true },
		{ .pid = 4, .name = "\355\240\200", .vmm = KT_VMM_CROSVM, .gone = true },
		{ .pid = 4294967295u, .name = "\342\200\256\302\205", .gone = true },
	};
	struct kt_vm_table *table = kt_vm_table_new_recorded();

	(void)state;
	for (size_t i = 0; i < KT_ARRAY_SIZE(vms); i++) {
		struct kt_str name = {};
		char *text = kt_vm_fact(&vms[i], 1000 + i, &name);
		const struct kt_vm_entry *vm;

		for (const char *p = text; *p; p++)
			assert_in_range(*p, ' ', '~' + 1);
		assert_true(is_json_object(text));
		assert_int_equal(take(table, text), 0);
		vm = kt_vm_table_at(table, vms[i].pid, 5);
		assert_string_equal(vm->name, vms[i].name);
		assert_int_equal(vm->vmm, vms[i].vmm);
		if (vms[i].manager)
			assert_string_equal(vm->manager, vms[i].manager);
		else
			assert_null(vm->manager);
		free(text);
		kt_str_free(&name);
	}
	kt_vm_table_free(table);
}

static void test_bytes(void **state)
{
	const struct kt_vm_entry vm = { .pid = 7, .name = "a\377", .gone = true };
	char *text = fact_of(&vm, UINT64_MAX, "vm.7.0");

	(void)state;
	assert_string_equal(text, "{\"pid\":7,\"start_time\":0,\"from_ns\":9223372036854775807,"
				  "\"name\":\"a\\uFFFD\",\"name_hex\":\"61ff\",\"manager\":null,"
				  "\"vmm\":\"other\"}");
	free(text);
}

static void test_taken(void **state)
{
	struct kt_vm_table *table = kt_vm_table_new_recorded();
	const struct kt_vm_entry *vm;

	(void)state;
	assert_int_equal(take(table, "{\"pid\": 9, \"start_time\": 5, \"from_ns\": 100, \"name\": "
				     "\"one\", \"vmm\": \"cloud-hypervisor\", \"later\": [1.5]}"),
			 0);
	assert_int_equal(
		take(table, "{\"pid\":9,\"from_ns\":200,\"name\":\"two\",\"vmm\":\"new\"}"), 0);
	vm = kt_vm_table_at(table, 9, 199);
	assert_string_equal(vm->name, "one");
	assert_int_equal(vm->start_time, 5);
	assert_int_equal(vm->vmm, KT_VMM_CLOUD_HYPERVISOR);
	assert_null(vm->manager);
	vm = kt_vm_table_at(table, 9, 200);
	assert_string_equal(vm->name, "two");
	assert_int_equal(vm->vmm, KT_VMM_OTHER);
	assert_int_equal(take(table, "{\"pid\":0}"), 0);
	assert_string_equal(kt_vm_table_at(table, 0, 0)->name, "pid:0");
	kt_vm_table_free(table);
}

static void refused(const char *text, size_t n)
{
	struct kt_vm_table *table = kt_vm_table_new_recorded();
	/* of its own, so that one byte too many is seen */
	char *copy = malloc(n ? n : 1);

	memcpy(copy, text, n);
	if (kt_vm_fact_take(table, copy, n) != -EBADMSG)
		fail_msg("taken: %.60s", text);
	assert_string_equal(kt_vm_table_by_id(table, 0)->name, "others");
	free(copy);
	kt_vm_table_free(table);
}

static void test_hostile(void **state)
{
	static const char *const texts[] = {
		"",
		"{",
		"null",
		"[]",
		"7",
		"{}",
		"{\"pid\":}",
		"{\"pid\":7} x",
		"{\"pid\":\"7\"}",
		"{\"pid\":7.5}",
		"{\"pid\":-1}",
		"{\"pid\":4294967296}",
		"{\"pid\":null}",
		"{\"pid\":[7]}",
		"{\"pid\":true}",
		"{\"pid\":123456789012345678901234567890}",
		"{\"pid\":1e999}",
		"{\"pid\":7,\"from_ns\":-1}",
		"{\"pid\":7,\"from_ns\":99999999999999999999}",
		"{\"pid\":7,\"from_ns\":\"1\"}",
		"{\"pid\":7,\"start_time\":1.0}",
		"{\"pid\":7,\"name\":7}",
		"{\"pid\":7,\"name\":{}}",
		"{\"pid\":7,\"name\":\"a\\u0000b\"}",
		"{\"pid\":7,\"name\":\"a\377\"}",
		"{\"pid\":7,\"name\":\"a\\ud800\"}",
		"{\"pid\":7,\"name\":\"a\",\"name_hex\":\"6\"}",
		"{\"pid\":7,\"name\":\"a\",\"name_hex\":\"6g\"}",
		"{\"pid\":7,\"name\":\"a\",\"name_hex\":\"6100\"}",
		"{\"pid\":7,\"name\":\"a\",\"name_hex\":7}",
		"{\"pid\":7,\"manager\":[]}",
		"{\"pid\":7,\"vmm\":1}",
	};

	(void)state;
	for (size_t i = 0; i < KT_ARRAY_SIZE(texts); i++)
		refused(texts[i], strlen(texts[i]));
	refused("{\"pid\":7}\0", 10);
	refused("{\"pid\":7,\"name\":\"a\0b\"}", 22);
	refused("{\"pid\":7}", 8);
}

/* Much of it. */
static void test_large(void **state)
{
	const size_t most = 256 << 10;
	char *text = malloc(most + 1);
	struct kt_vm_table *table = kt_vm_table_new_recorded();
	static const char front[] = "{\"pid\":7,\"name\":\"", back[] = "\"}";

	(void)state;
	memset(text, '[', most);
	refused(text, most);
	memset(text, 'x', most + 1);
	memcpy(text, front, strlen(front));
	memcpy(text + most - strlen(back), back, strlen(back));
	assert_int_equal(kt_vm_fact_take(table, text, most), 0);
	assert_int_equal(strlen(kt_vm_table_at(table, 7, 0)->name), 255);
	memset(text + most - strlen(back), 'x', 2);
	memcpy(text + most + 1 - strlen(back), back, strlen(back));
	refused(text, most + 1);
	kt_vm_table_free(table);
	free(text);
}

/* ---- what /proc says besides ---- */

static void put_vm(u32 pid, u64 start, const char *cmdline, size_t len)
{
	put_process(pid, "qemu-system-x86", start, cmdline, len);
}

static char *fact_from_proc(u32 pid, u64 start)
{
	const struct kt_vm_entry vm = { .pid = pid, .name = "n", .start_time = start };
	struct kt_str name = {};
	char *text = kt_vm_fact_from(proc, &vm, 1, &name);

	kt_str_free(&name);
	assert_true(is_json_object(text));
	return text;
}

static void has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no %s in %s", part, text);
}

static const char cmdline[] = "qemu-kvm\0-name\0guest=a\377b\0-vnc\0:0,password=hunter2\0\0";

static void test_details(void **state)
{
	char *text, path[PATH_MAX];

	(void)state;
	put_vm(100, 77, cmdline, sizeof(cmdline) - 1);
	put(proc, "100/cgroup",
	    "12:cpu:/x\n1:name=systemd:/machine.slice/machine-qemu\\x2d1.scope\n");
	put(top, "qemu",
	    "\177ELF, QEMU emulator version %s, "
	    "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)\nCopyright");
	snprintf(path, sizeof(path), "%s/qemu", top);
	put_link("100/exe", path);
	text = fact_from_proc(100, 77);
	has(text, "\"cgroup\":\"/machine.slice/machine-qemu\\\\x2d1.scope\"");
	has(text, "\"cmdline\":[\"qemu-kvm\",\"-name\",\"guest=a\\uFFFDb\",\"-vnc\","
		  "\":0,password=[removed]\",\"\"]");
	has(text, "\"version\":\"7.2.22 (Debian 1:7.2+dfsg-7)\"");
	has(text, "/qemu\",\"size\":92,\"build_id\":null}}");
	assert_null(strstr(text, "cmdline_cut"));
	free(text);
	/* of another process with the same number */
	text = fact_from_proc(100, 78);
	has(text, "\"vmm\":\"other\"}");
	free(text);
	text = fact_from_proc(101, 78);
	has(text, "\"vmm\":\"other\"}");
	free(text);
	/* nothing of it may be read */
	put_stat(102, "x", "S", 0, 5);
	text = fact_from_proc(102, 5);
	has(text, "\"vmm\":\"other\",\"cgroup\":null,\"cmdline\":[],\"version\":null,"
		  "\"program\":null}");
	free(text);
}

/* However long a command line is, its fact is one that is taken back. */
static void test_long_cmdline(void **state)
{
	struct kt_vm_table *table = kt_vm_table_new_recorded();
	const size_t n = 200000;
	char *args = malloc(n), *text, long_path[4001], file[32];

	(void)state;
	memset(long_path, '\1', 4000);
	long_path[4000] = '\0';
	for (u32 kind = 0; kind < 3; kind++) {
		/* one long argument; empty ones; those that are long in JSON */
		for (size_t i = 0; i < n; i++)
			args[i] = kind == 0 ? 'x' : kind == 1 ? '\0' : "\1\0"[i % 1000 == 999];
		put_vm(103 + kind, 6, args, n);
		memcpy(long_path, "0::/", 4);
		snprintf(file, sizeof(file), "%u/cgroup", 103 + kind);
		put(proc, file, long_path);
		text = fact_from_proc(103 + kind, 6);
		has(text, "\"cmdline_cut\":true");
		assert_int_equal(take(table, text), 0);
		free(text);
	}
	free(args);
	kt_vm_table_free(table);
}

/* A version and a build id in a program, wherever they lie. */
static void test_program(void **state)
{
	static const size_t places[] = { 0, 200, (1 << 20) - 30, (1 << 20) - 5, (3 << 20) + 100 };
	static const char version[] = "QEMU emulator version 10.0.1";
	const size_t n = 4 << 20;
	char *bytes = malloc(n), *text, file[32];

	(void)state;
	for (u32 i = 0; i < KT_ARRAY_SIZE(places); i++) {
		memset(bytes, 'x', n);
		memcpy(bytes + places[i], version, sizeof(version));
		put_vm(200 + i, 9, cmdline, sizeof(cmdline) - 1);
		snprintf(file, sizeof(file), "%u/exe", 200 + i);
		put_n(proc, file, bytes, n);
		/* the second time from memory */
		for (int twice = 0; twice < 2; twice++) {
			text = fact_from_proc(200 + i, 9);
			has(text, "\"version\":\"10.0.1\",\"program\":{\"path\":\"\",\"size\":"
				  "4194304,\"build_id\":null}");
			free(text);
		}
	}
	free(bytes);
}

/* An ELF file: its header, two program headers, notes; a byte of it may be another. */
static char *build_id_of(u32 pid, size_t at, char byte)
{
	/* e_phoff 64, e_phentsize 56, e_phnum 2; PT_LOAD; PT_NOTE at 176, 40 bytes */
	char elf[216] = "\177ELF\2\1\1";
	static const char note[] = "\4\0\0\0\4\0\0\0\5\0\0\0GNU\0abcd"
				   "\4\0\0\0\3\0\0\0\3\0\0\0GNU\0\xde\xad\x01";
	char name[32], *text, *id, *copy;

	elf[32] = 64;
	elf[54] = 56;
	elf[56] = 2;
	elf[64] = 1;
	elf[120] = 4;
	elf[128] = (char)176;
	elf[152] = 40;
	memcpy(elf + 172, "....", 4);
	memcpy(elf + 176, note, 40);
	if (at)
		elf[at] = byte;
	put_vm(pid, 9, cmdline, sizeof(cmdline) - 1);
	snprintf(name, sizeof(name), "%u/exe", pid);
	copy = calloc(1, 300 + pid); /* of a size of its own, so that it isn't taken for another */
	memcpy(copy, elf, sizeof(elf));
	put_n(proc, name, copy, 300 + pid);
	free(copy);
	text = fact_from_proc(pid, 9);
	id = strstr(text, "\"build_id\":");
	assert_non_null(id);
	id = strdup(id + 11);
	free(text);
	return id;
}

static void test_build_id(void **state)
{
	char *id = build_id_of(300, 0, 0);

	(void)state;
	assert_string_equal(id, "\"dead01\"}}");
	free(id);
	/* any byte of it may be wrong */
	for (u32 at = 1; at < 216; at++) {
		id = build_id_of(300 + at, at, (char)255);
		assert_non_null(id);
		free(id);
	}
	id = build_id_of(600, 4, 1);
	assert_string_equal(id, "null}}");
	free(id);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_made),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_taken),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_large),
		cmocka_unit_test_setup_teardown(test_details, fake_proc_setup, fake_proc_teardown),
		cmocka_unit_test_setup_teardown(test_long_cmdline, fake_proc_setup,
						fake_proc_teardown),
		cmocka_unit_test_setup_teardown(test_program, fake_proc_setup, fake_proc_teardown),
		cmocka_unit_test_setup_teardown(test_build_id, fake_proc_setup, fake_proc_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
