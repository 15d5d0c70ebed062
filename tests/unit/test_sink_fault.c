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
	assert_line(&f, &vm,
		    TIME "web-1 vcpu2 address=0x40001038 error=0x2[not-present,write,supervisor] "
			 "rip=0x201100 took ?\n");
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
			   "\"access\":[\"not-present\",\"read\",\"supervisor\"],"
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
		      "0x100000006,not-present write user guest-final,,,,\n");
}

static int utc(void **state)
{
	(void)state;
	setenv("TZ", "UTC0", 1);
	tzset();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),	cmocka_unit_test(what_is_not_known),
		cmocka_unit_test(hostile_name), cmocka_unit_test(json),
		cmocka_unit_test(csv),
	};

	return cmocka_run_group_tests(tests, utc, NULL);
}
