/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* user/sink/fault.c: lines and records against text typed by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <time.h>

#include "../../user/sink/fault.h"
#include "capture.h"
#include "json_reader.h"

/* 2026-01-31T23:59:59.000000001Z */
#define NOW  1769903999000000001ull
#define TIME "23:59:59.000000001 "

#define VMX 1
#define SVM 2

static const struct kt_vm_entry vm = { .pid = 77, .name = "web-1" };

static struct kt_fault fault(u32 isa, u32 code, u64 error)
{
	struct kt_fault f = {
		.head = { .ts = 5, .tgid = 77, .tid = 79, .vcpu_id = 2 },
		.address = 0x40001038,
		.error_code = error,
		.rip = 0x201100,
		.duration = 12345,
		.exit_code = code,
		.isa = isa,
		.flags = KT_FAULT_EXIT,
	};

	return f;
}

static void assert_line(const struct kt_fault *f, const struct kt_vm_entry *of, const char *want)
{
	struct kt_str s = {};

	kt_fault_text(&s, f, of, NOW);
	assert_string_equal(s.data, want);
	kt_str_free(&s);
}

/* Each line goes to out, and is looked at on its own. */
static void assert_next(struct kt_fault_lines *l, struct kt_out *out, const struct kt_fault *f,
			const struct kt_vm_entry *of, const char *want)
{
	size_t from = out->len;

	kt_fault_line(l, f, of, NOW);
	assert_int_equal(out->len - from, strlen(want));
	assert_memory_equal(out->buffer + from, want, strlen(want));
}

static void lines(void **state)
{
	/* Nested page fault: PFERR bits; bit 32 is the access itself, bit 33 the walk. */
	struct kt_fault f = fault(SVM, 0x400, 0x100000006);

	(void)state;
	assert_line(&f, &vm,
		    TIME "web-1 vcpu2 gpa=0x40001038 error=0x100000006[not-present,write,user,"
			 "guest-final] rip=0x201100 took 12.3us\n");
	f = fault(SVM, 0x400, 0x200000007);
	assert_line(&f, &vm,
		    TIME "web-1 vcpu2 gpa=0x40001038 error=0x200000007[present,write,user,"
			 "guest-page] rip=0x201100 took 12.3us\n");
	/* EPT violation, data write, no permission at all, linear address valid and final. */
	f = fault(VMX, 48, 0x182);
	assert_line(&f, &vm,
		    TIME "web-1 vcpu2 gpa=0x40001038 error=0x182[not-present,write,guest-final] "
			 "rip=0x201100 took 12.3us\n");
	/* Shadow paging: the guest's own #PF. */
	f = fault(SVM, 0x4e, 0x10);
	assert_line(&f, &vm,
		    TIME "web-1 vcpu2 gva=0x40001038 error=0x10[not-present,fetch,supervisor] "
			 "rip=0x201100 took 12.3us\n");
	f = fault(VMX, 0, 0x6);
	assert_line(&f, &vm,
		    TIME "web-1 vcpu2 gva=0x40001038 error=0x6[not-present,write,user] "
			 "rip=0x201100 took 12.3us\n");
}

static void what_is_not_known(void **state)
{
	struct kt_fault f = fault(0, 0, 0x2);

	(void)state;
	f.flags = 0;
	f.duration = 0;
	assert_line(&f, &vm, TIME "web-1 vcpu2 address=0x40001038 error=0x2 rip=0x201100 took ?\n");
}

static void hostile_name(void **state)
{
	const struct kt_vm_entry hostile = { .pid = 1, .name = "x\r\n\033]0;y\a" };
	struct kt_fault f = fault(SVM, 0x400, 0x100000004);

	(void)state;
	assert_line(&f, &hostile,
		    TIME "x\\x0d\\x0a\\x1b]0;y\\x07 vcpu2 gpa=0x40001038 error=0x100000004"
			 "[not-present,read,user,guest-final] rip=0x201100 took 12.3us\n");
}

/* Faults that have much in common, as they come, and one field after the other that they have not. */
static void many_lines(void **state)
{
	const struct kt_vm_entry other = { .pid = 77, .name = "db" };
	struct kt_out *out = kt_out_open("/dev/null");
	struct kt_fault_lines *l = kt_fault_lines_new(out);

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct kt_fault f = fault(SVM, 0x400, 0x100000006);

		assert_next(l, out, &f, &vm,
			    TIME "web-1 vcpu2 gpa=0x40001038 error=0x100000006[not-present,write,"
				 "user,guest-final] rip=0x201100 took 12.3us\n");
		f.address = 0;
		f.rip = ~0ull;
		f.duration = 0;
		assert_next(l, out, &f, &vm,
			    TIME "web-1 vcpu2 gpa=0x0 error=0x100000006[not-present,write,"
				 "user,guest-final] rip=0xffffffffffffffff took ?\n");
		f.duration = 7;
		assert_next(l, out, &f, &other,
			    TIME "db vcpu2 gpa=0x0 error=0x100000006[not-present,write,"
				 "user,guest-final] rip=0xffffffffffffffff took 7ns\n");
		f.head.vcpu_id = 3;
		assert_next(l, out, &f, &vm,
			    TIME "web-1 vcpu3 gpa=0x0 error=0x100000006[not-present,write,"
				 "user,guest-final] rip=0xffffffffffffffff took 7ns\n");
		f.error_code = 6;
		assert_next(l, out, &f, &vm,
			    TIME "web-1 vcpu3 gpa=0x0 error=0x6[not-present,write,user] "
				 "rip=0xffffffffffffffff took 7ns\n");
		f.exit_code = 0x4e;
		assert_next(l, out, &f, &vm,
			    TIME "web-1 vcpu3 gva=0x0 error=0x6[not-present,write,user] "
				 "rip=0xffffffffffffffff took 7ns\n");
		f.flags = 0;
		assert_next(l, out, &f, &vm,
			    TIME "web-1 vcpu3 address=0x0 error=0x6 "
				 "rip=0xffffffffffffffff took 7ns\n");
	}
	kt_fault_lines_free(l);
	kt_out_close(out);
	kt_fault_lines_free(NULL);
}

/* A name too long to be remembered with. */
static void a_long_name(void **state)
{
	static char name[10001], want[10200];
	const struct kt_vm_entry of = { .pid = 1, .name = name };
	struct kt_fault f = fault(SVM, 0x400, 0x4);
	struct kt_out *out = kt_out_open("/dev/null");
	struct kt_fault_lines *l = kt_fault_lines_new(out);

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	snprintf(want, sizeof(want),
		 TIME "%s vcpu2 gpa=0x40001038 error=0x4[not-present,read,user] "
		      "rip=0x201100 took 12.3us\n",
		 name);
	for (int i = 0; i < 3; i++)
		assert_next(l, out, &f, &of, want);
	kt_fault_lines_free(l);
	kt_out_close(out);
}

static void assert_record(enum kt_format format, const struct kt_fault *f, const char *want)
{
	static struct capture c;
	struct kt_record *r;

	capture_open(&c);
	r = kt_record_new(format, c.out, "fault");
	kt_fault_record(r, f, &vm, NOW);
	kt_record_free(r);
	capture_close(&c);
	assert_string_equal(c.text, want);
	if (format != KT_FORMAT_JSON)
		return;
	c.text[strlen(c.text) - 1] = '\0';
	assert_true(is_json_object(c.text));
}

#define HEAD                                                                                       \
	"{\"type\":\"fault\",\"time\":\"2026-01-31T23:59:59.000000001Z\",\"ts_ns\":5,"             \
	"\"vm\":{\"pid\":77,\"name\":\"web-1\"},\"vcpu\":2,\"tid\":79,\"address\":"                \
	"\"0x40001038\","

static void json(void **state)
{
	struct kt_fault f = fault(SVM, 0x400, 0x100000006);

	(void)state;
	assert_record(KT_FORMAT_JSON, &f,
		      HEAD "\"space\":\"gpa\",\"rip\":\"0x201100\",\"error_code\":\"0x100000006\","
			   "\"access\":[\"not-present\",\"write\",\"user\",\"guest-final\"],"
			   "\"duration_ns\":12345,\"isa\":\"svm\",\"exit\":\"NPF\",\"code\":"
			   "\"0x400\"}\n");
	f = fault(VMX, 48, 0x182);
	assert_record(KT_FORMAT_JSON, &f,
		      HEAD "\"space\":\"gpa\",\"rip\":\"0x201100\",\"error_code\":\"0x182\","
			   "\"access\":[\"not-present\",\"write\",\"guest-final\"],"
			   "\"duration_ns\":12345,\"isa\":\"vmx\",\"exit\":\"EPT_VIOLATION\","
			   "\"code\":\"0x30\"}\n");
	f = fault(0, 0, 0);
	f.flags = 0;
	f.duration = 0;
	assert_record(KT_FORMAT_JSON, &f,
		      HEAD "\"space\":null,\"rip\":\"0x201100\",\"error_code\":\"0x0\","
			   "\"access\":[],"
			   "\"duration_ns\":null,\"isa\":null,\"exit\":null,\"code\":null}\n");
}

static void csv(void **state)
{
	struct kt_fault f = fault(SVM, 0x400, 0x100000006);

	(void)state;
	assert_record(KT_FORMAT_CSV, &f,
		      "time,ts_ns,vm.pid,vm.name,vcpu,tid,address,space,rip,error_code,access,"
		      "duration_ns,isa,exit,code\n"
		      "2026-01-31T23:59:59.000000001Z,5,77,web-1,2,79,0x40001038,gpa,0x201100,"
		      "0x100000006,not-present write user guest-final,12345,svm,NPF,0x400\n");
	f.flags = 0;
	f.duration = 0;
	assert_record(KT_FORMAT_CSV, &f,
		      "time,ts_ns,vm.pid,vm.name,vcpu,tid,address,space,rip,error_code,access,"
		      "duration_ns,isa,exit,code\n"
		      "2026-01-31T23:59:59.000000001Z,5,77,web-1,2,79,0x40001038,,0x201100,"
		      "0x100000006,,,,,\n");
}

#define JSON_RECORD                                                                                \
	"{\"type\":\"fault\",\"time\":\"2026-01-31T23:59:59.%09zuZ\",\"ts_ns\":%zu,"               \
	"\"vm\":{\"pid\":77,\"name\":\"web-1\"},\"vcpu\":2,\"tid\":79,\"address\":\"%s\","         \
	"\"space\":\"gpa\",\"rip\":\"%s\",\"error_code\":\"0x100000006\","                         \
	"\"access\":[\"not-present\",\"write\",\"user\",\"guest-final\"],\"duration_ns\":%s,"      \
	"\"isa\":\"svm\",\"exit\":\"NPF\",\"code\":\"0x400\"}\n"
#define CSV_RECORD                                                                                 \
	"2026-01-31T23:59:59.%09zuZ,%zu,77,web-1,2,79,%s,gpa,%s,0x100000006,"                      \
	"not-present write user guest-final,%s,svm,NPF,0x400\n"

/* Alike but for three numbers: what one record leaves to the next is not to be seen. */
static void many_records(void **state)
{
	static const struct {
		u64 numbers[3];
		const char *address, *rip, *json_duration, *csv_duration;
	} rows[] = {
		{ { 0x40001038, 0x201100, 12345 }, "0x40001038", "0x201100", "12345", "12345" },
		{ { 0, ~0ull, 1 }, "0x0", "0xffffffffffffffff", "1", "1" },
		{ { ~0ull, 0, 10 }, "0xffffffffffffffff", "0x0", "10", "10" },
		{ { 0x1000, 0x2000, 0 }, "0x1000", "0x2000", "null", "" },
		{ { 1, 2, ~0ull }, "0x1", "0x2", "18446744073709551615", "18446744073709551615" },
	};
	static struct capture c;

	(void)state;
	for (int json_too = 0; json_too < 2; json_too++) {
		struct kt_fault f = fault(SVM, 0x400, 0x100000006);
		char *at = c.text, want[512];
		struct kt_record *r;

		capture_open(&c);
		r = kt_record_new(json_too ? KT_FORMAT_JSON : KT_FORMAT_CSV, c.out, "fault");
		for (size_t i = 0; i < 20; i++) {
			f.head.ts = 1000000 + i;
			f.address = rows[i % 5].numbers[0];
			f.rip = rows[i % 5].numbers[1];
			f.duration = rows[i % 5].numbers[2];
			kt_fault_record(r, &f, &vm, NOW + i);
		}
		kt_record_free(r);
		capture_close(&c);
		if (!json_too)
			at = strchr(at, '\n') + 1; /* the header */
		for (size_t i = 0; i < 20; i++) {
			snprintf(want, sizeof(want), json_too ? JSON_RECORD : CSV_RECORD, i + 1,
				 1000000 + i, rows[i % 5].address, rows[i % 5].rip,
				 json_too ? rows[i % 5].json_duration : rows[i % 5].csv_duration);
			assert_memory_equal(at, want, strlen(want));
			at += strlen(want);
		}
		assert_string_equal(at, "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),	cmocka_unit_test(what_is_not_known),
		cmocka_unit_test(hostile_name), cmocka_unit_test(json),
		cmocka_unit_test(csv),		cmocka_unit_test(many_lines),
		cmocka_unit_test(a_long_name),	cmocka_unit_test(many_records),
	};

	return cmocka_run_group_tests(tests, capture_in_utc, NULL);
}
