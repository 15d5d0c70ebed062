/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* user/sink/exception.c: lines and records against text typed by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../user/sink/exception.h"
#include "capture.h"
#include "json_reader.h"

/* 2026-01-31T23:59:59.000000001Z */
#define NOW  1769903999000000001ull
#define TIME "23:59:59.000000001 "

/* Codes and bits as SDM, APM and the kernel's headers have them. */
#define VMX 1
#define SVM 2

static const struct kt_vm_entry win11 = { .pid = 4711, .name = "win11" };

static struct kt_exception gp(void)
{
	struct kt_exception e = {
		.head = { .ts = 123456789, .tid = 4720, .tgid = 4711, .vcpu_id = 0 },
		.rip = 0xfffff8024c1b2a10,
		.vector = 13,
		.flags = KT_EXC_RIP | KT_EXC_ERROR_CODE,
	};

	return e;
}

static struct kt_exception after(u32 isa, u32 code, u64 info1, u64 info2)
{
	struct kt_exception e = gp();

	e.flags |= KT_EXC_EXIT;
	e.exit = (struct kt_exit_info) { .isa = isa, .code = code, .info1 = info1, .info2 = info2 };
	return e;
}

static struct kt_exception msr(u32 index, bool write, u64 value)
{
	struct kt_exception e = after(SVM, 0x7c, write, 0);

	e.detail.number = index;
	e.detail.value = value;
	e.detail.flags = KT_DETAIL_MSR | (write ? KT_DETAIL_MSR_WRITE : 0);
	return e;
}

static void assert_line(const struct kt_exception *e, const struct kt_vm_entry *vm,
			const char *want)
{
	struct kt_str s = {};

	kt_exception_text(&s, e, vm, NOW, false);
	assert_string_equal(s.data, want);
	kt_str_free(&s);
}

#define GP TIME "win11 vcpu0 vector=13 #GP error=0x0 rip=0xfffff8024c1b2a10"

static void msr_lines(void **state)
{
	struct kt_exception e = msr(0xdead, false, 0);

	(void)state;
	assert_line(&e, &win11, GP " after RDMSR 0xdead (unknown MSR)\n");
	e = msr(0xdead, true, 0x1122334455667788);
	assert_line(&e, &win11, GP " after WRMSR 0xdead (unknown MSR) = 0x1122334455667788\n");
	e = msr(0x1b, true, 0xfee00900);
	assert_line(&e, &win11, GP " after WRMSR 0x1b (IA32_APIC_BASE) = 0xfee00900\n");
	/* Without kvm_exit KVM's word for it is enough. */
	e.flags &= ~KT_EXC_EXIT;
	assert_line(&e, &win11, GP " after WRMSR 0x1b (IA32_APIC_BASE) = 0xfee00900\n");
	/* An MSR access leads to #GP; to #UD it does not. */
	e = msr(0xdead, false, 0);
	e.vector = 6;
	e.flags &= ~KT_EXC_ERROR_CODE;
	assert_line(&e, &win11, TIME "win11 vcpu0 vector=6 #UD rip=0xfffff8024c1b2a10 after MSR\n");
}

static void access_lines(void **state)
{
	struct kt_exception e = after(VMX, 30, 0x3f80000, 0); /* OUT, one byte, 0x3f8 */

	(void)state;
	assert_line(&e, &win11, GP " after OUT port 0x3f8 (serial COM1 data)\n");
	e = after(VMX, 30, 0x12340000 | 0x18 | 3, 0); /* INS, four bytes, 0x1234 */
	assert_line(&e, &win11, GP " after INS port 0x1234\n");
	e = after(SVM, 0x7b, 0x700000 | 0x10 | 1, 0); /* IN, one byte, 0x70 */
	assert_line(&e, &win11, GP " after IN port 0x70 (CMOS index)\n");
	e = after(VMX, 28, 0x304, 0); /* MOV RBX to CR4 */
	assert_line(&e, &win11, GP " after MOV to CR4\n");
	e.detail.flags = KT_DETAIL_CR | KT_DETAIL_CR_WRITE;
	e.detail.number = 4;
	e.detail.value = 0x8020;
	assert_line(&e, &win11, GP " after MOV to CR4 = 0x8020\n");
	e.detail.number = 0; /* of another register, before */
	assert_line(&e, &win11, GP " after MOV to CR4\n");
	e = after(VMX, 28, 0x13, 0); /* MOV from CR3 */
	assert_line(&e, &win11, GP " after MOV from CR3\n");
}

static void exit_lines(void **state)
{
	struct kt_exception e = after(SVM, 0x400, 0x100000004, 0xd0000010);

	(void)state;
	assert_line(&e, &win11, GP " after NPF gpa=0xd0000010\n");
	e = after(VMX, 0x80000021, 0, 0);
	assert_line(&e, &win11, GP " after INVALID_STATE|FAILED_VMENTRY\n");
	e = after(SVM, 0x999, 0, 0);
	assert_line(&e, &win11, GP " after 0x999\n");
	e = after(SVM, 0x46, 0, 0);
	e.detail.flags = KT_DETAIL_INSN;
	e.detail.insn_len = 3;
	memcpy(e.detail.insn, "\x0f\x0b\xf0", 3);
	assert_line(&e, &win11, GP " after EXCP_UD insn=0f 0b f0\n");
	e.detail.flags |= KT_DETAIL_INSN_FAILED;
	assert_line(&e, &win11, GP " after EXCP_UD insn=0f 0b f0 (not emulated)\n");
	e.detail.insn_len = 255; /* damaged: no more than fit */
	memset(e.detail.insn, 0x90, sizeof(e.detail.insn));
	e.detail.flags = KT_DETAIL_INSN;
	assert_line(&e, &win11,
		    GP " after EXCP_UD insn=90 90 90 90 90 90 90 90 90 90 90 90 90 90 90\n");
}

static void page_faults(void **state)
{
	struct kt_exception e = gp();

	(void)state;
	e.vector = 14;
	e.flags |= KT_EXC_ADDRESS;
	e.error_code = 0x7;
	e.address = 0xffffc0de00001000;
	assert_line(&e, &win11,
		    TIME "win11 vcpu0 vector=14 #PF error=0x7[present,write,user] "
			 "address=0xffffc0de00001000 rip=0xfffff8024c1b2a10\n");
	e.error_code = 0x10;
	e.address = 0;
	assert_line(&e, &win11,
		    TIME "win11 vcpu0 vector=14 #PF error=0x10[not-present,fetch,supervisor] "
			 "address=0x0 rip=0xfffff8024c1b2a10\n");
	e.flags |= KT_EXC_ASYNC_PF;
	e.error_code = 0;
	e.address = 0x1234;
	assert_line(&e, &win11,
		    TIME "win11 vcpu0 vector=14 #PF error=0x0[not-present,read,supervisor] "
			 "async-pf-token=0x1234 rip=0xfffff8024c1b2a10\n");
}

static void what_is_not_known(void **state)
{
	struct kt_exception e = gp();

	(void)state;
	e.flags = 0;
	e.head.vcpu_id = 0xffffffff;
	assert_line(&e, &win11, TIME "win11 vcpu? vector=13 #GP rip=?\n");
	e.flags = KT_EXC_PROTECTED;
	e.head.vcpu_id = 3;
	assert_line(&e, &win11, TIME "win11 vcpu3 vector=13 #GP rip=protected\n");
	e.vector = 22; /* reserved */
	assert_line(&e, &win11, TIME "win11 vcpu3 vector=22 ? rip=protected\n");
	e.vector = 255;
	assert_line(&e, &win11, TIME "win11 vcpu3 vector=255 ? rip=protected\n");
	e.vector = 0;
	e.flags = KT_EXC_REINJECTED | KT_EXC_RIP;
	e.rip = 0;
	assert_line(&e, &win11, TIME "win11 vcpu3 vector=0 #DE rip=0x0 reinjected\n");
}

static void selectors(void **state)
{
	struct kt_exception e = gp();

	(void)state;
	e.error_code = 0x6b; /* EXT, IDT, index 13 */
	assert_line(&e, &win11,
		    TIME "win11 vcpu0 vector=13 #GP error=0x6b[ext,idt,index=13] "
			 "rip=0xfffff8024c1b2a10\n");
	e.vector = 11;
	e.error_code = 0x2c; /* LDT, index 5 */
	assert_line(&e, &win11,
		    TIME "win11 vcpu0 vector=11 #NP error=0x2c[ldt,index=5] "
			 "rip=0xfffff8024c1b2a10\n");
}

static void names_and_colour(void **state)
{
	const struct kt_vm_entry hostile = { .pid = 1, .name = "a\033[2J\nb\t\377 c" };
	struct kt_exception e = gp();
	struct kt_str s = {};

	(void)state;
	assert_line(&e, &hostile,
		    TIME "a\\x1b[2J\\x0ab\\x09\\xff c vcpu0 vector=13 #GP error=0x0 "
			 "rip=0xfffff8024c1b2a10\n");
	kt_exception_text(&s, &e, &win11, NOW, true);
	assert_string_equal(s.data, TIME "win11 vcpu0 vector=13 \033[1;31m#GP\033[0m error=0x0 "
					 "rip=0xfffff8024c1b2a10\n");
	kt_str_free(&s);
}

/* Each line goes to out, and is looked at on its own. */
static void assert_next(struct kt_exception_lines *l, struct kt_out *out,
			const struct kt_exception *e, const struct kt_vm_entry *vm, u64 time,
			const char *want)
{
	size_t from = out->len;

	kt_exception_line(l, e, vm, time);
	assert_int_equal(out->len - from, strlen(want));
	assert_memory_equal(out->buffer + from, want, strlen(want));
}

/* One field after the other changes in a storm, and each shows. */
static void storms(void **state)
{
	const struct kt_vm_entry linux12 = { .pid = 4711, .name = "linux12" };
	struct kt_exception e = msr(0xdead, false, 0);
	struct kt_out *out = kt_out_open("/dev/null");
	struct kt_exception_lines *l = kt_exception_lines_new(out);

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_next(l, out, &e, &win11, NOW, GP " after RDMSR 0xdead (unknown MSR)\n");
		assert_next(l, out, &e, &linux12, NOW,
			    TIME "linux12 vcpu0 vector=13 #GP error=0x0 rip=0xfffff8024c1b2a10 "
				 "after RDMSR 0xdead (unknown MSR)\n");
		e.error_code = 0x10;
		assert_next(l, out, &e, &win11, NOW,
			    TIME "win11 vcpu0 vector=13 #GP error=0x10[gdt,index=2] "
				 "rip=0xfffff8024c1b2a10 after RDMSR 0xdead (unknown MSR)\n");
		e.error_code = 0;
		e.head.vcpu_id = 3;
		assert_next(l, out, &e, &win11, NOW,
			    TIME "win11 vcpu3 vector=13 #GP error=0x0 rip=0xfffff8024c1b2a10 "
				 "after RDMSR 0xdead (unknown MSR)\n");
		e.head.vcpu_id = 0;
		e.detail.flags |= KT_DETAIL_MSR_WRITE;
		assert_next(l, out, &e, &win11, NOW,
			    GP " after WRMSR 0xdead (unknown MSR) = 0x0\n");
		e.detail.flags = KT_DETAIL_MSR;
	}
	kt_exception_lines_free(l);
	kt_out_close(out);
	kt_exception_lines_free(NULL);
}

/* The same event again and again, only later: within the millisecond, the second, and beyond. */
static void times_of_a_storm(void **state)
{
	const struct kt_exception e = gp();
	struct kt_out *out = kt_out_open("/dev/null");
	struct kt_exception_lines *l = kt_exception_lines_new(out);
	static const struct {
		u64 after;
		const char *time;
	} rows[] = {
		{ 0, "23:59:59.000000001" },	     { 41, "23:59:59.000000042" },
		{ 999998, "23:59:59.000999999" },    { 999999, "23:59:59.001000000" },
		{ 123456788, "23:59:59.123456789" }, { 999999999, "00:00:00.000000000" },
		{ 0, "23:59:59.000000001" },
	};

	(void)state;
	for (size_t i = 0; i < KT_ARRAY_SIZE(rows); i++) {
		char want[128];

		snprintf(want, sizeof(want),
			 "%s win11 vcpu0 vector=13 #GP error=0x0 rip=0xfffff8024c1b2a10\n",
			 rows[i].time);
		assert_next(l, out, &e, &win11, NOW + rows[i].after, want);
	}
	kt_exception_lines_free(l);
	kt_out_close(out);
}

#define LONG_STORM 1000

static u64 rip_of(u64 i)
{
	return i % 3 ? 0x1000 : 0x100000 + i;
}

/* More than the buffer holds, of events that are remembered and of others: nothing is lost or torn. */
static void a_long_storm(void **state)
{
	static char name[20001];
	const struct kt_vm_entry long_name = { .pid = 4711, .name = name };
	struct kt_exception e = gp();
	static struct capture c;
	struct kt_exception_lines *l;

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	capture_open(&c);
	l = kt_exception_lines_new(c.out);
	for (size_t i = 0; i < 3; i++)
		kt_exception_line(l, &e, &long_name, NOW);
	for (u64 i = 0; i < LONG_STORM; i++) {
		e.rip = rip_of(i);
		kt_exception_line(l, &e, &win11, NOW + i);
	}
	assert_int_equal(kt_out_flush(c.out), 0);
	rewind(c.file);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(fscanf(c.file, TIME "%65535s", c.text), 1);
		assert_string_equal(c.text, name);
		assert_non_null(fgets(c.text, sizeof(c.text), c.file));
		assert_string_equal(c.text,
				    " vcpu0 vector=13 #GP error=0x0 rip=0xfffff8024c1b2a10\n");
	}
	for (u64 i = 0; i < LONG_STORM; i++) {
		char want[128];

		snprintf(want, sizeof(want),
			 "23:59:59.%09llu win11 vcpu0 vector=13 #GP error=0x0 rip=0x%llx\n", i + 1,
			 rip_of(i));
		assert_non_null(fgets(c.text, sizeof(c.text), c.file));
		assert_string_equal(c.text, want);
	}
	assert_null(fgets(c.text, sizeof(c.text), c.file));
	kt_exception_lines_free(l);
	capture_close(&c);
}

/* ---- records ---- */

static void record(struct capture *c, enum kt_format format, const struct kt_exception *e,
		   size_t count, const struct kt_vm_entry *vm)
{
	struct kt_record *r;

	capture_open(c);
	r = kt_record_new(format, c->out, "exception");
	for (size_t i = 0; i < count; i++)
		kt_exception_record(r, &e[i], vm, NOW);
	kt_record_free(r);
	capture_close(c);
}

static void assert_json(const struct kt_exception *e, const struct kt_vm_entry *vm,
			const char *want)
{
	static struct capture c;

	record(&c, KT_FORMAT_JSON, e, 1, vm);
	assert_string_equal(c.text, want);
	c.text[strlen(c.text) - 1] = '\0';
	assert_true(is_json_object(c.text));
}

#define HEAD                                                                                       \
	"{\"type\":\"exception\",\"time\":\"2026-01-31T23:59:59.000000001Z\",\"ts_ns\":"           \
	"123456789,\"vm\":{\"pid\":4711,\"name\":\"win11\"},"

static void json_with_a_cause(void **state)
{
	struct kt_exception e = msr(0xdead, true, 0x1122334455667788);

	(void)state;
	e.exit.intr_info = 0x80000b0d;
	assert_json(&e, &win11,
		    HEAD
		    "\"vcpu\":0,\"tid\":4720,\"vector\":13,\"name\":\"#GP\",\"error_code\":"
		    "\"0x0\",\"error\":[],\"address\":null,\"async_pf_token\":null,\"rip\":"
		    "\"0xfffff8024c1b2a10\",\"reinjected\":false,\"protected\":false,\"cause\":"
		    "{\"exit\":\"MSR\",\"code\":\"0x7c\",\"isa\":\"svm\",\"info1\":\"0x1\","
		    "\"info2\":\"0x0\",\"intr_info\":\"0x80000b0d\",\"msr\":\"0xdead\","
		    "\"msr_name\":null,\"access\":\"write\",\"value\":\"0x1122334455667788\","
		    "\"port\":null,\"size\":null,\"cr\":null,\"insn\":null,\"emulated\":null}}"
		    "\n");
	e = after(VMX, 30, 0x3f80000 | 3, 0);
	assert_json(&e, &win11,
		    HEAD
		    "\"vcpu\":0,\"tid\":4720,\"vector\":13,\"name\":\"#GP\",\"error_code\":"
		    "\"0x0\",\"error\":[],\"address\":null,\"async_pf_token\":null,\"rip\":"
		    "\"0xfffff8024c1b2a10\",\"reinjected\":false,\"protected\":false,\"cause\":"
		    "{\"exit\":\"IO_INSTRUCTION\",\"code\":\"0x1e\",\"isa\":\"vmx\",\"info1\":"
		    "\"0x3f80003\",\"info2\":\"0x0\",\"intr_info\":\"0x0\",\"msr\":null,"
		    "\"msr_name\":null,\"access\":\"out\",\"value\":null,\"port\":\"0x3f8\","
		    "\"size\":4,\"cr\":null,\"insn\":null,\"emulated\":null}}\n");
}

static void json_of_a_page_fault(void **state)
{
	struct kt_exception e = gp();

	(void)state;
	e.vector = 14;
	e.error_code = 0x2;
	e.address = 0x555555123;
	e.flags |= KT_EXC_ADDRESS;
	assert_json(&e, &win11,
		    HEAD "\"vcpu\":0,\"tid\":4720,\"vector\":14,\"name\":\"#PF\",\"error_code\":"
			 "\"0x2\",\"error\":[\"not-present\",\"write\",\"supervisor\"],\"address\":"
			 "\"0x555555123\",\"async_pf_token\":null,\"rip\":\"0xfffff8024c1b2a10\","
			 "\"reinjected\":false,\"protected\":false,\"cause\":null}\n");
	e.flags |= KT_EXC_ASYNC_PF;
	e.address = 0x77;
	assert_json(&e, &win11,
		    HEAD "\"vcpu\":0,\"tid\":4720,\"vector\":14,\"name\":\"#PF\",\"error_code\":"
			 "\"0x2\",\"error\":[\"not-present\",\"write\",\"supervisor\"],\"address\":"
			 "null,\"async_pf_token\":\"0x77\",\"rip\":\"0xfffff8024c1b2a10\","
			 "\"reinjected\":false,\"protected\":false,\"cause\":null}\n");
}

static void json_of_little(void **state)
{
	struct kt_exception e = gp();

	(void)state;
	e.vector = 22;
	e.head.vcpu_id = 0xffffffff;
	e.flags = KT_EXC_PROTECTED | KT_EXC_REINJECTED;
	assert_json(&e, &win11,
		    HEAD "\"vcpu\":null,\"tid\":4720,\"vector\":22,\"name\":null,\"error_code\":"
			 "null,\"error\":[],\"address\":null,\"async_pf_token\":null,\"rip\":null,"
			 "\"reinjected\":true,\"protected\":true,\"cause\":null}\n");
}

static size_t commas(const char *line, size_t len)
{
	bool quoted = false;
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		quoted ^= line[i] == '"';
		n += line[i] == ',' && !quoted;
	}
	return n;
}

/* Whatever is known or not: as many fields as the header has. */
static void csv_rows_are_even(void **state)
{
	const struct kt_vm_entry hostile = { .pid = 1, .name = "=cmd,\"x\"\n" };
	struct kt_exception e[] = { gp(),
				    msr(0x1b, true, 1),
				    after(VMX, 30, 0x18, 0),
				    after(VMX, 28, 0x304, 0),
				    after(SVM, 0x400, 0, 0),
				    gp() };
	static struct capture c;
	size_t columns = 0, lines = 0;

	(void)state;
	e[5].flags = KT_EXC_PROTECTED;
	e[5].vector = 200;
	e[4].detail.flags = KT_DETAIL_INSN;
	e[4].detail.insn_len = 2;
	record(&c, KT_FORMAT_CSV, e, 6, &hostile);
	for (char *line = c.text, *end; (end = strchr(line, '\n')); line = end + 1, lines++) {
		if (!columns)
			columns = commas(line, end - line);
		assert_int_equal(commas(line, end - line), columns);
		if (lines)
			assert_non_null(strstr(line, ",\"'=cmd,\"\"x\"\"\\x0a\","));
	}
	assert_int_equal(lines, 7);
	assert_int_equal(columns, 29);
	assert_int_equal(strncmp(c.text, "time,ts_ns,vm.pid,vm.name,vcpu,tid,vector,name,", 47), 0);
}

/* A row that was seen before is the same row, be it the first, and its neighbours are their own. */
static void records_of_a_storm(void **state)
{
	static const enum kt_format formats[] = { KT_FORMAT_CSV, KT_FORMAT_JSON };
	struct kt_exception e[] = { gp(), gp(), msr(0x1b, true, 1), gp(), msr(0x1b, true, 1) };
	static struct capture c;
	char *lines[7];

	(void)state;
	for (size_t f = 0; f < 2; f++) {
		size_t count = 0;

		record(&c, formats[f], e, 5, &win11);
		for (char *line = strtok(c.text, "\n"); line; line = strtok(NULL, "\n")) {
			assert_in_range(count, 0, 5);
			lines[count++] = line;
		}
		assert_int_equal(count, formats[f] == KT_FORMAT_CSV ? 6 : 5);
		assert_string_equal(lines[count - 5], lines[count - 4]);
		assert_string_equal(lines[count - 5], lines[count - 2]);
		assert_string_equal(lines[count - 3], lines[count - 1]);
		assert_string_not_equal(lines[count - 3], lines[count - 2]);
	}
}

static size_t record_one(struct capture *c, enum kt_format format, const struct kt_exception *e,
			 u64 now)
{
	struct kt_record *r;

	capture_open(c);
	r = kt_record_new(format, c->out, "exception");
	kt_exception_record(r, e, &win11, now);
	kt_record_free(r);
	capture_close(c);
	return format == KT_FORMAT_CSV ? strcspn(c->text, "\n") + 1 : 0; /* past the header */
}

/* Remembered or not, at whatever time: the record that a new sink makes of the same event. */
static void times_of_records(void **state)
{
	static const u64 after[] = {
		0, 41, 999998, 999999, 123456788, 999999999, 86400000000000, 0
	};
	static const u64 ts[] = { 0,	   7,	    999999,	  1000000,
				  1000001, 1999999, 123456789012, 18446744073709551615ull };
	static const enum kt_format formats[] = { KT_FORMAT_CSV, KT_FORMAT_JSON };
	struct kt_exception e = gp();
	static struct capture one, all;

	(void)state;
	for (size_t f = 0; f < 2; f++) {
		struct kt_record *r;
		char *at = all.text;

		capture_open(&all);
		r = kt_record_new(formats[f], all.out, "exception");
		for (size_t i = 0; i < 64; i++) {
			e.head.ts = ts[i / 8];
			kt_exception_record(r, &e, &win11, NOW + after[i % 8]);
		}
		kt_record_free(r);
		capture_close(&all);
		for (size_t i = 0; i < 64; i++) {
			size_t header;

			e.head.ts = ts[i / 8];
			header = record_one(&one, formats[f], &e, NOW + after[i % 8]);
			if (!i && header) {
				assert_memory_equal(at, one.text, header);
				at += header;
			}
			assert_int_equal(strncmp(at, one.text + header, strlen(one.text + header)),
					 0);
			at += strlen(one.text + header);
		}
		assert_string_equal(at, "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(msr_lines),	      cmocka_unit_test(access_lines),
		cmocka_unit_test(exit_lines),	      cmocka_unit_test(page_faults),
		cmocka_unit_test(what_is_not_known),  cmocka_unit_test(selectors),
		cmocka_unit_test(names_and_colour),   cmocka_unit_test(storms),
		cmocka_unit_test(json_with_a_cause),  cmocka_unit_test(json_of_a_page_fault),
		cmocka_unit_test(json_of_little),     cmocka_unit_test(csv_rows_are_even),
		cmocka_unit_test(records_of_a_storm), cmocka_unit_test(times_of_a_storm),
		cmocka_unit_test(a_long_storm),	      cmocka_unit_test(times_of_records),
	};

	return cmocka_run_group_tests(tests, capture_in_utc, NULL);
}
