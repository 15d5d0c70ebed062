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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_made),	cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_bytes),	cmocka_unit_test(test_taken),
		cmocka_unit_test(test_hostile), cmocka_unit_test(test_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
