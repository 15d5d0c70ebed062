/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* user/sink/event.c: lines and records of every kind against text typed by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../bpf/shared/event.h"
#include "../../user/sink/event.h"
#include "../../user/store/extra.h"
#include "capture.h"

/* 2026-01-31T23:59:59.000000001Z */
#define NOW  1769903999000000001ull
#define TIME "23:59:59.000000001 "
#define VMX  1
#define SVM  2

#define HEAD .head = { .ts = 123456789, .cpu = 3, .tgid = 4711, .tid = 4720, .vcpu_id = 1 }

static const struct kt_vm_entry win11 = { .pid = 4711, .name = "win11" };

static void check(u32 kind, const void *row, const char *want)
{
	struct kt_str s = {};

	kt_event_text(&s, kind, row, &win11, NOW);
	assert_string_equal(s.data, want);
	kt_str_free(&s);
}

#define CHECK(number, type, words, ...)                                                            \
	check(KT_ROW_##number, &(const struct kt_row_##type) { HEAD, __VA_ARGS__ },                \
	      TIME "win11 vcpu1 cpu3 " #type " " words "\n")

static void exits(void **state)
{
	(void)state;
	CHECK(EXIT, exit, "CPUID rip=0x1000 info1=0x0 info2=0x0 took 1.50us", .isa = SVM,
	      .reason = 0x72, .rip = 0x1000, .duration = 1500);
	/* APM 15.10.2: port 0x3f8 in bits 31:16, 8 bits wide (bit 4), OUT; and IN (bit 0) */
	CHECK(EXIT, exit,
	      "IOIO OUT port 0x3f8 (serial COM1 data) rip=0x1 info1=0x3f80010 info2=0x2 took 0ns",
	      .isa = SVM, .reason = 0x7b, .rip = 1, .info1 = 0x3f80010, .info2 = 2);
	CHECK(EXIT, exit, "IOIO IN port 0x1234 rip=0x1 info1=0x12340011 info2=0x2 took 0ns",
	      .isa = SVM, .reason = 0x7b, .rip = 1, .info1 = 0x12340011, .info2 = 2);
	/* SDM table 28-3: MOV to CR3 */
	CHECK(EXIT, exit, "CR_ACCESS mov to CR3 rip=0x1 info1=0x3 info2=0x0 took 9ns", .isa = VMX,
	      .reason = 28, .rip = 1, .info1 = 3, .duration = 9);
	CHECK(EXIT, exit, "MSR write rip=0x1 info1=0x1 info2=0x0 took 9ns", .isa = SVM,
	      .reason = 0x7c, .rip = 1, .info1 = 1, .duration = 9);
	CHECK(EXIT, exit,
	      "NPF [not-present,write,user,guest-final] gpa=0xd0000000 rip=0x1 info1=0x100000006 "
	      "info2=0xd0000000 took ? (no entry followed)",
	      .isa = SVM, .reason = 0x400, .rip = 1, .info1 = 0x100000006, .info2 = 0xd0000000,
	      .end = 1);
	/* a #PF that was being delivered: bits 31, 11, type 3, vector 14 */
	CHECK(EXIT, exit,
	      "HLT rip=0x1 info1=0x0 info2=0x0 intr_info=0x80000b0e error_code=0x2 took ? (still "
	      "handled at the end)",
	      .isa = VMX, .reason = 12, .rip = 1, .intr_info = 0x80000b0e, .error_code = 2,
	      .end = 2);
	CHECK(EXIT, exit, "0xfffffff0 rip=0x0 info1=0x0 info2=0x0 took 0ns", .isa = SVM,
	      .reason = 0xfffffff0);
}

static void exceptions_and_faults(void **state)
{
	(void)state;
	CHECK(EXCEPTION, exception,
	      "vector=13 #GP error=0x0 rip=0x201100 after RDMSR 0xdead (unknown MSR)", .vector = 13,
	      .flags = 0x31, .rip = 0x201100, .exit_isa = SVM, .exit_reason = 0x7c, .detail = 1,
	      .number = 0xdead);
	CHECK(FAULT, fault,
	      "gpa=0xd0000000 error=0x100000006[not-present,write,user,guest-final] rip=0x1 took "
	      "3.14us",
	      .address = 0xd0000000, .error_code = 0x100000006, .rip = 1, .duration = 3141,
	      .exit_reason = 0x400, .exit_isa = SVM, .flags = 1);
}

static void accesses(void **state)
{
	(void)state;
	CHECK(MSR, msr, "RDMSR 0x10 (IA32_TIME_STAMP_COUNTER) = 0x5", .index = 0x10, .value = 5);
	CHECK(MSR, msr, "WRMSR 0xc0000080 (IA32_EFER) = 0xd01", .index = 0xc0000080, .write = 1,
	      .value = 0xd01);
	CHECK(MSR, msr, "RDMSR 0xdead (unknown MSR) refused: #GP", .index = 0xdead, .value = 7,
	      .failed = 1);
	CHECK(MSR, msr, "WRMSR 0xdead (unknown MSR) = 0x7 refused: #GP", .index = 0xdead,
	      .value = 7, .write = 1, .failed = 1);
	CHECK(PIO, pio, "OUT port 0x3f8 (serial COM1 data) size=1 = 0x41", .port = 0x3f8,
	      .write = 1, .size = 1, .count = 1, .value = 0x41);
	CHECK(PIO, pio, "IN port 0x1234 size=4 count=16 = 0xffffffff", .port = 0x1234, .size = 4,
	      .count = 16, .value = 0xffffffff);
	CHECK(MMIO, mmio, "write gpa=0xfee000b0 size=4 = 0x0", .gpa = 0xfee000b0, .size = 4,
	      .access = 2);
	CHECK(MMIO, mmio, "read gpa=0xfee000b0 size=4 = 0x9", .gpa = 0xfee000b0, .size = 4,
	      .access = 1, .value = 9);
	CHECK(MMIO, mmio, "read (waits for user space) gpa=0xfee000b0 size=4", .gpa = 0xfee000b0,
	      .size = 4);
	CHECK(MMIO, mmio, "write (taken by an ioeventfd) gpa=0x10", .gpa = 0x10, .access = 3);
	CHECK(MMIO, mmio, "access=9 gpa=0x10", .gpa = 0x10, .access = 9);
	CHECK(CR, cr, "to CR3 = 0x1000", .cr = 3, .write = 1, .value = 0x1000);
	CHECK(CR, cr, "from CR8 = 0x0", .cr = 8);
	CHECK(CPUID, cpuid, "leaf=0x1 subleaf=0x0 eax=0x2 ebx=0x3 ecx=0x4 edx=0x5", .function = 1,
	      .eax = 2, .ebx = 3, .ecx = 4, .edx = 5, .found = 1);
	CHECK(CPUID, cpuid,
	      "leaf=0x99 subleaf=0x1 eax=0x0 ebx=0x0 ecx=0x0 edx=0x0 (no such leaf) (answered as "
	      "the highest basic leaf)",
	      .function = 0x99, .index = 1, .used_max_basic = 1);
	CHECK(HYPERCALL, hypercall, "nr=5 a0=0x1 a1=0x2 a2=0x3 a3=0x4", .nr = 5, .a0 = 1, .a1 = 2,
	      .a2 = 3, .a3 = 4);
	CHECK(EMULATE, emulate, "rip=0x1000 flags=0x4 insn=0f 01 c1", .rip = 0x1000, .flags = 4,
	      .insn = { 3, { 0x0f, 0x01, 0xc1 } });
	CHECK(EMULATE, emulate, "rip=0x10 csbase=0xf0000 flags=0x0 insn=f4 (not emulated)",
	      .rip = 0x10, .csbase = 0xf0000, .failed = 1, .insn = { 1, { 0xf4 } });
}

static void what_kvm_does(void **state)
{
	(void)state;
	CHECK(INJECT_IRQ, inject_irq, "vector=0xec", .vector = 0xec);
	CHECK(INJECT_IRQ, inject_irq, "vector=0x80 soft reinjected", .vector = 0x80, .soft = 1,
	      .reinjected = 1);
	CHECK(USERSPACE_EXIT, userspace_exit, "IO", .reason = 2);
	CHECK(USERSPACE_EXIT, userspace_exit, "SHUTDOWN", .reason = 8);
	CHECK(USERSPACE_EXIT, userspace_exit, "999", .reason = 999);
	CHECK(USERSPACE_EXIT, userspace_exit, "error=-4 (EINTR)", .reason = 17, .suberror = 1,
	      .error = -4);
	CHECK(USERSPACE_EXIT, userspace_exit, "error=-9223372036854775808", .error = INT64_MIN);
	CHECK(USERSPACE_EXIT, userspace_exit,
	      "INTERNAL_ERROR suberror=1 (EMULATION) data=0x11,0x22 insn=0f ae", .reason = 17,
	      .suberror = 1, .ndata = 2, .data0 = 0x11, .data1 = 0x22,
	      .insn = { 2, { 0x0f, 0xae } });
	CHECK(USERSPACE_EXIT, userspace_exit, "SYSTEM_EVENT event=3 (CRASH)", .reason = 24,
	      .suberror = 3);
	/* More than there is room for. */
	CHECK(USERSPACE_EXIT, userspace_exit, "FAIL_ENTRY data=0x1,0x2,0x3,0x4,0x5", .reason = 9,
	      .ndata = 255, .data0 = 1, .data1 = 2, .data2 = 3, .data3 = 4, .data4 = 5);
	CHECK(HALT_POLL, halt_poll, "grows from 0ns to 10.0us", .poll_new = 10000, .grow = 1);
	CHECK(HALT_POLL, halt_poll, "shrinks from 200us to 0ns", .poll_old = 200000);
	CHECK(WAKEUP, wakeup, "after 1.20ms asleep", .duration = 1200000, .waited = 1, .valid = 1);
	CHECK(WAKEUP, wakeup, "after 800ns polled (polling was not worth it)", .duration = 800);
}

static void losses(void **state)
{
	struct kt_row_lost row = { .head = { .ts = 5000, .cpu = 2 }, .from = 3000, .count = 12 };

	(void)state;
	check(KT_ROW_LOST, &row, TIME "cpu2 lost 12 events in 2.00us: the buffer was full\n");
	row.cause = 1;
	row.head.cpu = 0xffffffff;
	check(KT_ROW_LOST, &row, TIME "cpu? lost 12 events in 2.00us: missed by the kernel\n");
	row.cause = 2;
	row.from = 6000;
	check(KT_ROW_LOST, &row, TIME "cpu? lost 12 events in 0ns: too many vCPUs\n");
	row.cause = 77;
	check(KT_ROW_LOST, &row, TIME "cpu? lost 12 events in 0ns: cause 77\n");
}

/* ---- of later versions ---- */

static const struct kt_store_field later_fields[] = {
	{ .name = "depth", .base = KT_STORE_HEX, .type = KT_STORE_U64 },
	{ .name = "drift", .type = KT_STORE_S64 },
	{ .name = "t\033ag", .type = KT_STORE_BYTES, .size = 3 },
};
static const struct kt_store_kind later_kind = { .name = "sle\nep", .field_count = 3 };

static struct kt_extra *extra(bool unknown)
{
	static const u8 tag[] = { 0xab, 0xcd };
	struct kt_extra *x = kt_alloc(sizeof(*x) + 3 * sizeof(x->fields[0]));

	*x = (struct kt_extra) { .kind = &later_kind, .unknown = unknown, .count = 3 };
	x->fields[0] = (struct kt_extra_field) { &later_fields[0], 0x20, NULL };
	x->fields[1] = (struct kt_extra_field) { &later_fields[1], (u64)-3, NULL };
	x->fields[2] = (struct kt_extra_field) { &later_fields[2], 2, tag };
	return x;
}

static void later_versions(void **state)
{
	const struct kt_row_common head = { .ts = 5, .cpu = 3, .vcpu_id = 0xffffffff };
	const struct kt_row_cr cr = { HEAD, .cr = 8 };
	struct kt_extra *x = extra(true);
	struct kt_str s = {};

	(void)state;
	kt_event_text_all(&s, 0, &head, x, &win11, NOW);
	assert_string_equal(s.data, TIME "win11 vcpu? cpu3 sle\\x0aep depth=0x20 drift=-3 "
					 "t\\x1bag=abcd\n");
	free(x);
	x = extra(false);
	kt_str_reset(&s);
	kt_event_text_all(&s, KT_ROW_CR, &cr.head, x, &win11, NOW);
	assert_string_equal(s.data, TIME "win11 vcpu1 cpu3 cr from CR8 = 0x0 depth=0x20 drift=-3 "
					 "t\\x1bag=abcd\n");
	free(x);
	kt_str_free(&s);
}

static void hostile_names(void **state)
{
	const struct kt_vm_entry vm = { .pid = 1, .name = "\033[31m\n" };
	const struct kt_row_cr cr = { HEAD, .cr = 8 };
	struct kt_str s = {};

	(void)state;
	kt_event_text(&s, KT_ROW_CR, &cr.head, &vm, NOW);
	assert_string_equal(s.data, TIME "\\x1b[31m\\x0a vcpu1 cpu3 cr from CR8 = 0x0\n");
	kt_str_free(&s);
}

/* ---- records ---- */

static char *record(enum kt_format format, u32 kind, const void *row, const struct kt_extra *x)
{
	struct capture *c = kt_alloc(sizeof(*c));
	struct kt_record *r;
	char *text;

	capture_open(c);
	r = kt_record_new(format, c->out, "event");
	kt_event_record_all(r, kind, row, x, &win11, NOW);
	kt_record_free(r);
	capture_close(c);
	text = kt_strdup(c->text);
	free(c);
	return text;
}

static void json(void **state)
{
	const struct kt_row_msr msr = { HEAD, .index = 0x10, .value = 5 };
	struct kt_extra *x = extra(true);
	char *text = record(KT_FORMAT_JSON, KT_ROW_MSR, &msr, NULL);

	(void)state;
	assert_string_equal(
		text, "{\"type\":\"event\",\"time\":\"2026-01-31T23:59:59.000000001Z\","
		      "\"ts_ns\":123456789,\"vm\":{\"pid\":4711,\"name\":\"win11\"},\"vcpu\":1,"
		      "\"cpu\":3,\"tid\":4720,\"kind\":\"msr\","
		      "\"details\":\"RDMSR 0x10 (IA32_TIME_STAMP_COUNTER) = 0x5\","
		      "\"fields\":{\"index\":\"0x10\",\"index_name\":\"IA32_TIME_STAMP_COUNTER\","
		      "\"value\":\"0x5\",\"write\":0,\"failed\":0}}\n");
	free(text);
	text = record(KT_FORMAT_JSON, 0, &msr.head, x);
	assert_non_null(strstr(text, "\"kind\":\"sle\\nep\","));
	assert_non_null(strstr(text, "\"fields\":{\"depth\":\"0x20\",\"drift\":-3,\"t\\u001bag\":"
				     "\"abcd\"}}\n"));
	free(text);
	free(x);
}

static void names_behind_codes(void **state)
{
	const struct kt_row_exit exit = { HEAD, .reason = 0x7b, .isa = SVM };
	const struct kt_row_pio pio = { HEAD, .port = 0x3f8 };
	const struct kt_row_userspace_exit user = { HEAD, .reason = 8, .error = -4 };
	const struct kt_row_exception exception = { HEAD, .vector = 13 };
	const struct kt_row_lost lost = { HEAD, .count = 3 };
	const struct {
		u32 kind;
		const void *row;
		const char *part;
	} rows[] = {
		{ KT_ROW_EXIT, &exit,
		  "{\"reason\":\"0x7b\",\"reason_name\":\"IOIO\",\"isa\":2,\"isa_name\":\"svm\"," },
		{ KT_ROW_PIO, &pio, "{\"port\":\"0x3f8\",\"port_name\":\"serial COM1 data\"," },
		{ KT_ROW_USERSPACE_EXIT, &user,
		  "{\"reason\":8,\"reason_name\":\"SHUTDOWN\",\"error\":-4," },
		{ KT_ROW_EXCEPTION, &exception, "{\"vector\":13,\"vector_name\":\"#GP\"," },
		{ KT_ROW_LOST, &lost, "\"vm\":null,\"vcpu\":null,\"cpu\":3,\"tid\":null," },
	};

	(void)state;
	for (size_t i = 0; i < KT_ARRAY_SIZE(rows); i++) {
		char *text = record(KT_FORMAT_JSON, rows[i].kind, rows[i].row, NULL);

		if (!strstr(text, rows[i].part))
			fail_msg("%s lacks %s", text, rows[i].part);
		free(text);
	}
}

static void csv(void **state)
{
	const struct kt_row_msr msr = { HEAD, .index = 0x10, .value = 5 };
	char *text = record(KT_FORMAT_CSV, KT_ROW_MSR, &msr, NULL);

	(void)state;
	assert_string_equal(text,
			    "time,ts_ns,vm.pid,vm.name,vcpu,cpu,tid,kind,details\n"
			    "2026-01-31T23:59:59.000000001Z,123456789,4711,win11,1,3,4720,msr,"
			    "RDMSR 0x10 (IA32_TIME_STAMP_COUNTER) = 0x5\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exits),	 cmocka_unit_test(exceptions_and_faults),
		cmocka_unit_test(accesses),	 cmocka_unit_test(what_kvm_does),
		cmocka_unit_test(losses),	 cmocka_unit_test(later_versions),
		cmocka_unit_test(hostile_names), cmocka_unit_test(json),
		cmocka_unit_test(csv),		 cmocka_unit_test(names_behind_codes),
	};

	return cmocka_run_group_tests(tests, capture_in_utc, NULL);
}
