/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Guest symbols in lines and records, next to those of a VM whose symbols nobody has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "../../user/sink/exception.h"
#include "../../user/sink/fault.h"
#include "capture.h"

/* 2026-01-31T23:59:59.000000001Z */
#define SVM 2
#define NOW 1769903999000000001ull

static struct kt_vm_entry vm = { .pid = 7, .name = "web" }, other = { .pid = 8, .name = "db" };

static struct kt_symbols *load(const char *text)
{
	int fd = memfd_create("symbols", MFD_CLOEXEC);
	struct kt_symbols *s;
	struct kt_str why = {};

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	lseek(fd, 0, SEEK_SET);
	assert_int_equal(kt_symbols_load_fd(&s, fd, KT_SYMBOLS_KALLSYMS, 0, "x", &why), 0);
	close(fd);
	return s;
}

static int setup(void **state)
{
	vm.symbols = load("1000 T native_write_msr\n2000 t kvm_\033 [kvm]\n2100 D d\n");
	other.symbols = load("fff0000000 T far\n");
	return capture_in_utc(state);
}

static int teardown(void **state)
{
	(void)state;
	kt_symbols_free((struct kt_symbols *)vm.symbols);
	kt_symbols_free((struct kt_symbols *)other.symbols);
	return 0;
}

static struct kt_exception exception(u64 rip)
{
	return (struct kt_exception) { .head = { .ts = 5, .tgid = 7, .tid = 9 },
				       .vector = 6,
				       .rip = rip,
				       .flags = KT_EXC_RIP };
}

static struct kt_fault fault(u64 rip)
{
	return (struct kt_fault) { .head = { .ts = 5, .tgid = 7, .tid = 9 },
				   .address = 0x40,
				   .error_code = 2,
				   .rip = rip,
				   .duration = 7,
				   .exit_code = 0x4e,
				   .isa = SVM,
				   .flags = KT_FAULT_EXIT };
}

static const struct {
	u64 rip;
	const char *text, *json, *csv;
} samples[] = {
	{ 0x1005, "0x1005 (native_write_msr+0x5)", "\"0x1005\",\"symbol\":\"native_write_msr+0x5\"",
	  "0x1005,native_write_msr+0x5" },
	{ 0x1006, "0x1006 (native_write_msr+0x6)", "\"0x1006\",\"symbol\":\"native_write_msr+0x6\"",
	  "0x1006,native_write_msr+0x6" },
	{ 0x2000, "0x2000 (kvm_\\x1b+0x0 [kvm])", "\"0x2000\",\"symbol\":\"kvm_\\\\x1b+0x0 [kvm]\"",
	  "0x2000,kvm_\\x1b+0x0 [kvm]" },
	{ 0x2100, "0x2100", "\"0x2100\",\"symbol\":null", "0x2100," },
	{ 0xfff, "0xfff", "\"0xfff\",\"symbol\":null", "0xfff," },
};

static void test_lines(void **state)
{
	static struct capture c;
	struct kt_exception_lines *l;
	struct kt_fault_lines *lf;
	struct kt_str want = {}, one = {};

	(void)state;
	capture_open(&c);
	l = kt_exception_lines_new(c.out);
	lf = kt_fault_lines_new(c.out);
	for (size_t i = 0; i < 3 * KT_ARRAY_SIZE(samples); i++) {
		size_t j = i % KT_ARRAY_SIZE(samples);
		struct kt_exception e = exception(samples[j].rip);
		struct kt_fault f = fault(samples[j].rip);

		kt_exception_line(l, &e, &vm, NOW);
		kt_str_addf(&want, "23:59:59.000000001 web vcpu0 vector=6 #UD rip=%s\n",
			    samples[j].text);
		kt_exception_line(l, &e, &other, NOW);
		kt_str_addf(&want, "23:59:59.000000001 db vcpu0 vector=6 #UD rip=0x%llx\n",
			    samples[j].rip);
		kt_fault_line(lf, &f, &vm, NOW);
		kt_str_reset(&one);
		kt_str_addf(&one,
			    "23:59:59.000000001 web vcpu0 gva=0x40 error=0x2[not-present,write,"
			    "supervisor] rip=%s took 7ns\n",
			    samples[j].text);
		kt_str_add(&want, one.data);
		/* alike without what is remembered */
		kt_str_reset(&one);
		kt_fault_text(&one, &f, &vm, NOW);
		assert_non_null(strstr(want.data, one.data));
	}
	kt_exception_lines_free(l);
	kt_fault_lines_free(lf);
	capture_close(&c);
	assert_string_equal(c.text, want.data);
	kt_str_free(&want);
	kt_str_free(&one);
}

/* The lines of a capture, one after the other. */
static void next_has(char **line, const char *part)
{
	char *end = strchr(*line, '\n');

	assert_non_null(end);
	*end = '\0';
	if (!strstr(*line, part))
		fail_msg("no %s in %s", part, *line);
	*line = end + 1;
}

static void records(struct capture *c, enum kt_format format, bool faults)
{
	struct kt_record *r;

	capture_open(c);
	r = kt_record_new(format, c->out, faults ? "fault" : "exception");
	for (size_t i = 0; i < 2 * KT_ARRAY_SIZE(samples); i++) {
		struct kt_exception e = exception(samples[i / 2].rip);
		struct kt_fault f = fault(samples[i / 2].rip);

		if (faults) {
			kt_fault_record(r, &f, &vm, NOW);
			kt_fault_record(r, &f, &other, NOW);
		} else {
			kt_exception_record(r, &e, &vm, NOW);
			kt_exception_record(r, &e, &other, NOW);
		}
	}
	kt_record_free(r);
	capture_close(c);
}

static void test_json(void **state)
{
	static struct capture c;

	(void)state;
	for (int faults = 0; faults < 2; faults++) {
		char *line = c.text, want[64];

		records(&c, KT_FORMAT_JSON, faults);
		for (size_t i = 0; i < 2 * KT_ARRAY_SIZE(samples); i++) {
			next_has(&line, samples[i / 2].json);
			snprintf(want, sizeof(want), "\"rip\":\"0x%llx\",\"symbol\":null,",
				 samples[i / 2].rip);
			next_has(&line, want);
		}
		assert_string_equal(line, "");
	}
}

static void test_csv(void **state)
{
	static struct capture c;

	(void)state;
	for (int faults = 0; faults < 2; faults++) {
		char *line = c.text, want[64];

		records(&c, KT_FORMAT_CSV, faults);
		next_has(&line, ",rip,symbol,");
		for (size_t i = 0; i < 2 * KT_ARRAY_SIZE(samples); i++) {
			snprintf(want, sizeof(want), ",%s,", samples[i / 2].csv);
			next_has(&line, want);
			snprintf(want, sizeof(want), ",0x%llx,,", samples[i / 2].rip);
			next_has(&line, want);
		}
		assert_string_equal(line, "");
	}
}

/* Where the guest is when its registers are encrypted, no symbol says either. */
static void test_no_rip(void **state)
{
	static struct capture c;
	struct kt_exception e = exception(0x1005);
	struct kt_record *r;
	struct kt_str s = {};

	(void)state;
	e.flags = KT_EXC_PROTECTED;
	kt_exception_text(&s, &e, &vm, NOW, false);
	assert_string_equal(s.data, "23:59:59.000000001 web vcpu0 vector=6 #UD rip=protected\n");
	kt_str_free(&s);
	capture_open(&c);
	r = kt_record_new(KT_FORMAT_JSON, c.out, "exception");
	kt_exception_record(r, &e, &vm, NOW);
	kt_record_free(r);
	capture_close(&c);
	assert_non_null(strstr(c.text, "\"rip\":null,\"symbol\":null,"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_csv),
		cmocka_unit_test(test_no_rip),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
