/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* user/lib/util.c and log.c: strict numbers, durations, exhaustion, lists, messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../user/lib/log.h"
#include "../../user/lib/util.h"

/* With AddressSanitizer, let allocations that are too big fail as malloc() does. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

/* ---- standard error into memory ---- */

static FILE *captured;
static int real_stderr;

static void capture_begin(void)
{
	captured = tmpfile();
	assert_non_null(captured);
	real_stderr = dup(STDERR_FILENO);
	assert_true(real_stderr >= 0);
	assert_int_equal(dup2(fileno(captured), STDERR_FILENO), STDERR_FILENO);
}

static void capture_end(char *text, size_t size)
{
	ssize_t n = pread(fileno(captured), text, size - 1, 0);

	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
	fclose(captured);
	assert_true(n >= 0);
	text[n] = '\0';
}

/* ---- kt_parse_u64 ---- */

static void parse_u64_accepts(void **state)
{
	static const struct {
		const char *text;
		u64 value;
	} cases[] = {
		{ "0", 0 },
		{ "12", 12 },
		{ "010", 10 },
		{ "4294967296", 4294967296ull },
		{ "18446744073709551615", 18446744073709551615ull },
		{ "00000000000000000000000000001", 1 },
		{ "0x0", 0 },
		{ "0xdeadBEEF", 3735928559ull },
		{ "0X1f", 31 },
		{ "0xffffffffffffffff", 18446744073709551615ull },
	};

	(void)state;
	for (size_t i = 0; i < KT_ARRAY_SIZE(cases); i++) {
		u64 value = 77;

		assert_int_equal(kt_parse_u64(cases[i].text, 0, ULLONG_MAX, &value), 0);
		assert_int_equal(value, cases[i].value);
	}
}

static void parse_u64_refuses(void **state)
{
	static const char *const cases[] = {
		"",	 "12x",	  "-1",	  "+1",	 " 1",
		"1 ",	 "0x",	  "x10",  "0xg", "1.5",
		"1e3",	 "1,0",	  "\t1",  "1\n", "0x 1",
		"0x-1",	 "--1",	  "\xff", "a",	 "0b1",
		"1_000", "0x0x1", "0xX",  "١",	 "184467440737095516160000x",
	};

	(void)state;
	for (size_t i = 0; i < KT_ARRAY_SIZE(cases); i++) {
		u64 value = 77;

		if (kt_parse_u64(cases[i], 0, ULLONG_MAX, &value) != -EINVAL)
			fail_msg("accepted \"%s\"", cases[i]);
		assert_int_equal(value, 77);
	}
}

static void parse_u64_keeps_range(void **state)
{
	u64 value = 77;

	(void)state;
	assert_int_equal(kt_parse_u64("18446744073709551616", 0, ULLONG_MAX, &value), -ERANGE);
	assert_int_equal(kt_parse_u64("99999999999999999999", 0, ULLONG_MAX, &value), -ERANGE);
	assert_int_equal(kt_parse_u64("0x10000000000000000", 0, ULLONG_MAX, &value), -ERANGE);
	assert_int_equal(
		kt_parse_u64("340282366920938463463374607431768211457", 0, ULLONG_MAX, &value),
		-ERANGE);
	assert_int_equal(kt_parse_u64("4", 5, 9, &value), -ERANGE);
	assert_int_equal(kt_parse_u64("10", 5, 9, &value), -ERANGE);
	assert_int_equal(value, 77);
	assert_int_equal(kt_parse_u64("5", 5, 9, &value), 0);
	assert_int_equal(value, 5);
	assert_int_equal(kt_parse_u64("9", 5, 9, &value), 0);
	assert_int_equal(value, 9);
}

/* ---- kt_parse_duration ---- */

static void parse_duration_accepts(void **state)
{
	static const struct {
		const char *text;
		u64 ns;
	} cases[] = {
		{ "0", 0 },
		{ "2", 2000000000ull },
		{ "0.5", 500000000ull },
		{ "2s", 2000000000ull },
		{ "500ms", 500000000ull },
		{ "0.25ms", 250000ull },
		{ "5m", 300000000000ull },
		{ "1h", 3600000000000ull },
		{ "1.5h", 5400000000000ull },
		{ "0.000000001", 1 },
		{ "0.0000000019", 1 },
		{ "0.123456789123456789123456789", 123456789ull },
		{ "1.000000001h", 3600000003600ull },
		{ "18446744073.709551615", 18446744073709551615ull },
	};

	(void)state;
	for (size_t i = 0; i < KT_ARRAY_SIZE(cases); i++) {
		u64 ns = 77;

		assert_int_equal(kt_parse_duration(cases[i].text, &ns), 0);
		assert_int_equal(ns, cases[i].ns);
	}
}

static void parse_duration_refuses(void **state)
{
	static const struct {
		const char *text;
		int err;
	} cases[] = {
		{ "", -EINVAL },
		{ "s", -EINVAL },
		{ ".5", -EINVAL },
		{ "5.", -EINVAL },
		{ "5.s", -EINVAL },
		{ "-1", -EINVAL },
		{ "+1", -EINVAL },
		{ " 1", -EINVAL },
		{ "1 s", -EINVAL },
		{ "1x", -EINVAL },
		{ "1ss", -EINVAL },
		{ "1msx", -EINVAL },
		{ "0x10", -EINVAL },
		{ "inf", -EINVAL },
		{ "nan", -EINVAL },
		{ "1e3", -EINVAL },
		{ "1.2.3", -EINVAL },
		{ "1,5", -EINVAL },
		{ "1S", -EINVAL },
		{ "1us", -EINVAL },
		{ "18446744073709551616x", -EINVAL },
		{ "1.-5", -EINVAL },
		{ "18446744074", -ERANGE },
		{ "5124096h", -ERANGE },
		{ "99999999999999999999", -ERANGE },
		{ "18446744073.709551616", -ERANGE },
	};

	(void)state;
	for (size_t i = 0; i < KT_ARRAY_SIZE(cases); i++) {
		u64 ns = 77;

		if (kt_parse_duration(cases[i].text, &ns) != cases[i].err)
			fail_msg("\"%s\"", cases[i].text);
		assert_int_equal(ns, 77);
	}
}

/* ---- lists ---- */

static void lists_have_names(void **state)
{
	static const struct {
		const char *list, *name;
		bool has;
	} cases[] = {
		{ NULL, "a", false },	       { "", "a", false },
		{ "raw", "raw", true },	       { "raw", "ra", false },
		{ "raw", "raw-old", false },   { "raw-old,raw", "raw", true },
		{ "raw-old", "raw", false },   { "btf,raw,vmcb", "raw", true },
		{ "btf,raw", "btf", true },    { "btf, raw", "raw", false },
		{ ",,raw,,", "raw", true },    { ",", "raw", false },
		{ "btf,raw", "f,r", false },   { "BTF", "btf", false },
		{ "btf,raw,", "vmcb", false },
	};

	(void)state;
	for (size_t i = 0; i < KT_ARRAY_SIZE(cases); i++)
		if (kt_list_has(cases[i].list, cases[i].name) != cases[i].has)
			fail_msg("%s in '%s'", cases[i].name,
				 cases[i].list ? cases[i].list : "(null)");
}

/* ---- allocation ---- */

static void alloc_is_zeroed(void **state)
{
	static const char zeroes[4096];
	char *p = kt_alloc(sizeof(zeroes));
	char *copy;
	void *nothing = kt_alloc(0);

	(void)state;
	assert_memory_equal(p, zeroes, sizeof(zeroes));
	memset(p, 0xab, sizeof(zeroes));
	p = kt_realloc(p, 2 * sizeof(zeroes));
	assert_int_equal((unsigned char)p[4095], 0xab);
	copy = kt_strdup("win11");
	assert_string_equal(copy, "win11");
	assert_non_null(nothing);
	nothing = kt_realloc(nothing, 0);
	assert_non_null(nothing);
	free(nothing);
	free(copy);
	free(p);
}

/* Room for all there are and one more; nothing moves as long as there is some left. */
static void arrays_double(void **state)
{
	u64 *array = NULL;

	(void)state;
	for (size_t n = 0; n < 1000; n++) {
		u64 *before = array;

		array = kt_grow(array, n, sizeof(*array));
		assert_true(malloc_usable_size(array) >= (n + 1) * sizeof(*array));
		if (n == 512)
			assert_true(malloc_usable_size(array) >= 8192);
		else if (n > 512)
			assert_ptr_equal(array, before);
		array[n] = 3 * n;
	}
	for (size_t n = 0; n < 1000; n++)
		assert_int_equal(array[n], 3 * n);
	free(array);
}

/* What is new is zero, what was there stays, and nothing moves for an index that there is. */
static void arrays_reach(void **state)
{
	size_t count = 0;
	u64 *array = NULL;

	(void)state;
	for (size_t index = 0; index < 5000; index = 3 * index + 1) {
		size_t before = count;

		array = kt_grow_to(array, &count, index, sizeof(*array));
		assert_true(count > index && count >= before);
		assert_true(malloc_usable_size(array) >= count * sizeof(*array));
		for (size_t i = before; i < count; i++) {
			assert_int_equal(array[i], 0);
			array[i] = 7 * i;
		}
		for (size_t i = 0; i < count; i++)
			assert_int_equal(array[i], 7 * i);
		assert_ptr_equal(kt_grow_to(array, &count, index, sizeof(*array)), array);
	}
	free(array);
}

static void exhaust_alloc(void)
{
	kt_alloc(SIZE_MAX / 2);
}

static void exhaust_realloc(void)
{
	kt_realloc(NULL, SIZE_MAX / 2);
}

static void exhaustion_ends_the_program(void **state)
{
	static void (*const exhaust[])(void) = { exhaust_alloc, exhaust_realloc };

	(void)state;
	for (size_t i = 0; i < KT_ARRAY_SIZE(exhaust); i++) {
		char text[4096];
		int status;
		pid_t pid;

		capture_begin();
		pid = fork();
		if (pid == 0) {
			exhaust[i]();
			_exit(99);
		}
		waitpid(pid, &status, 0);
		capture_end(text, sizeof(text));
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 1);
		/* Sanitisers put a warning of their own before it. */
		assert_non_null(strstr(text, "kvmtrace: error: out of memory\n"));
	}
}

/* ---- messages ---- */

static void messages_have_prefixes(void **state)
{
	char text[4096];

	(void)state;
	kt_log_set_verbosity(2);
	assert_int_equal(kt_log_verbosity(), 2);
	capture_begin();
	kt_err("no %s", "kernel");
	kt_warn("%d events lost", 3);
	kt_note("tracing");
	kt_info("attached to %s", "kvm_exit");
	kt_debug("libbpf: first\n  second\n\nthird\n");
	capture_end(text, sizeof(text));
	kt_log_set_verbosity(0);
	assert_string_equal(text, "kvmtrace: error: no kernel\n"
				  "kvmtrace: warning: 3 events lost\n"
				  "kvmtrace: tracing\n"
				  "kvmtrace: attached to kvm_exit\n"
				  "kvmtrace: libbpf: first\n"
				  "kvmtrace:   second\n"
				  "kvmtrace: third\n");
}

static void verbosity_hides(void **state)
{
	char text[4096];

	(void)state;
	capture_begin();
	for (int level = 0; level <= 2; level++) {
		kt_log_set_verbosity(level);
		kt_note("note %d", level);
		kt_info("info %d", level);
		kt_debug("debug %d", level);
	}
	kt_log_set_verbosity(0);
	capture_end(text, sizeof(text));
	assert_string_equal(text, "kvmtrace: note 0\n"
				  "kvmtrace: note 1\nkvmtrace: info 1\n"
				  "kvmtrace: note 2\nkvmtrace: info 2\nkvmtrace: debug 2\n");
}

static void messages_are_safe_and_whole(void **state)
{
	static char name[10001];
	char text[20000];

	(void)state;
	memset(name, 'n', 10000);
	capture_begin();
	kt_warn("VM '%s'", "evil\n\x1b[2Jkvmtrace: error: \xff");
	kt_note("ends here\n\n");
	kt_note("%s", name);
	capture_end(text, sizeof(text));
	assert_memory_equal(
		text,
		"kvmtrace: warning: VM 'evil\\x0a\\x1b[2Jkvmtrace: error: \\xff'\n"
		"kvmtrace: ends here\nkvmtrace: nnn",
		strlen("kvmtrace: warning: VM 'evil\\x0a\\x1b[2Jkvmtrace: error: \\xff'\n"
		       "kvmtrace: ends here\nkvmtrace: nnn"));
	assert_int_equal(strlen(strrchr(text, ' ') + 1), 10001);
}

static void messages_keep_errno(void **state)
{
	char text[4096];
	int seen;

	(void)state;
	capture_begin();
	close(STDERR_FILENO);
	errno = ENOENT;
	kt_err("written nowhere");
	seen = errno;
	dup2(fileno(captured), STDERR_FILENO);
	errno = EACCES;
	kt_err("cannot look: %m");
	capture_end(text, sizeof(text));
	assert_int_equal(seen, ENOENT);
	assert_string_equal(text, "kvmtrace: error: cannot look: Permission denied\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse_u64_accepts),
		cmocka_unit_test(parse_u64_refuses),
		cmocka_unit_test(parse_u64_keeps_range),
		cmocka_unit_test(parse_duration_accepts),
		cmocka_unit_test(parse_duration_refuses),
		cmocka_unit_test(lists_have_names),
		cmocka_unit_test(alloc_is_zeroed),
		cmocka_unit_test(arrays_double),
		cmocka_unit_test(arrays_reach),
		cmocka_unit_test(exhaustion_ends_the_program),
		cmocka_unit_test(messages_have_prefixes),
		cmocka_unit_test(verbosity_hides),
		cmocka_unit_test(messages_are_safe_and_whole),
		cmocka_unit_test(messages_keep_errno),
	};

	return cmocka_run_group_tests_name("util", tests, NULL, NULL);
}
