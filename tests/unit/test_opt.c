/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* user/lib/opt.c: what the command line may say, what is answered when it may not, --help. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "../../user/lib/opt.h"

struct options {
	bool hist, help;
	int verbose;
	u32 pid, vcpu;
	u64 interval, duration;
	const char *output, *format;
	struct kt_str reasons;
};

/* Collects; refuses "bad" with and "mute" without a reason. */
static int parse_reason(void *dst, const char *text, struct kt_str *why)
{
	struct kt_str *reasons = dst;

	if (!strcmp(text, "bad")) {
		kt_str_add(why, "no such exit");
		return -ENOENT;
	}
	if (!strcmp(text, "mute"))
		return -EINVAL;
	kt_str_addf(reasons, "[%s]", text);
	return 0;
}

#define AT(field) offsetof(struct options, field)

static const struct kt_opt filter_opts[] = {
	{ "pid", 'p', KT_OPT_U32, AT(pid), "PID", "only the VM of this process", 1, 4194304, NULL },
	{ "vcpu", 0, KT_OPT_U32, AT(vcpu), "N", "only this vCPU", 0, 0, NULL },
	{ "reason", 0, KT_OPT_PARSE, AT(reasons), "NAME[,NAME]",
	  "only exits for these reasons, named as the kernel does: EPT_VIOLATION, CPUID, HLT and "
	  "so on\n(\"kvmtrace explain\" lists them)",
	  0, 0, parse_reason },
};

static const struct kt_opt output_opts[] = {
	{ "format", 'f', KT_OPT_STRING, AT(format), "FORMAT", "text, json or csv", 0, 0, NULL },
	{ "output", 'o', KT_OPT_STRING, AT(output), "FILE", "write to FILE", 0, 0, NULL },
	{ "interval", 'i', KT_OPT_DURATION, AT(interval), "SEC", "print every SEC seconds",
	  10000000, 0, NULL },
	{ "duration", 'd', KT_OPT_DURATION, AT(duration), "SEC", "stop after SEC", 1,
	  86400000000000, NULL },
	{ "hist", 0, KT_OPT_FLAG, AT(hist), NULL, "show a histogram", 0, 0, NULL },
	{ "verbose", 'v', KT_OPT_COUNT, AT(verbose), NULL, "say more; twice: even more", 0, 0,
	  NULL },
	{ "help", 'h', KT_OPT_FLAG, AT(help), NULL, "this text", 0, 0, NULL },
};

static const struct kt_opt_group groups[] = {
	{ "Filters", filter_opts, KT_ARRAY_SIZE(filter_opts) },
	{ "Output", output_opts, KT_ARRAY_SIZE(output_opts) },
	{ NULL, NULL, 0 },
};

struct line {
	char **argv; /* of exact size: sanitisers watch its ends */
	int argc, positional, err;
	struct options options;
	struct kt_str why;
};

static void parse_args(struct line *l, const char *const *args)
{
	*l = (struct line) { .positional = -1 };
	while (args[l->argc])
		l->argc++;
	l->argv = calloc(l->argc + 1, sizeof(*l->argv));
	memcpy(l->argv, args, l->argc * sizeof(*l->argv));
	l->err = kt_opt_parse(groups, &l->options, l->argc, l->argv, &l->positional, &l->why);
}

static void finish(struct line *l)
{
	kt_str_free(&l->options.reasons);
	kt_str_free(&l->why);
	free(l->argv);
}

#define PARSE(l, ...) parse_args(l, (const char *const[]) { "exits", ##__VA_ARGS__, NULL })

#define ASSERT_ACCEPTED(l)                                                                         \
	do {                                                                                       \
		assert_int_equal((l)->err, 0);                                                     \
		assert_int_equal((l)->why.len, 0);                                                 \
	} while (0)

#define ASSERT_REFUSED(reason, ...)                                                                \
	do {                                                                                       \
		struct line refused_;                                                              \
                                                                                                   \
		PARSE(&refused_, __VA_ARGS__);                                                     \
		assert_int_equal(refused_.err, -EINVAL);                                           \
		assert_string_equal(refused_.why.data, reason);                                    \
		finish(&refused_);                                                                 \
	} while (0)

/* ---- accepted ---- */

static void every_way_to_give_a_value(void **state)
{
	static const char *const ways[][3] = {
		{ "--pid", "12" }, { "--pid=12" }, { "-p", "12" },
		{ "-p12" },	   { "-vp12" },	   { "-vp", "12" },
	};

	(void)state;
	for (size_t i = 0; i < KT_ARRAY_SIZE(ways); i++) {
		struct line l;

		PARSE(&l, ways[i][0], ways[i][1]);
		ASSERT_ACCEPTED(&l);
		assert_int_equal(l.options.pid, 12);
		assert_int_equal(l.options.verbose, i >= 4);
		assert_int_equal(l.positional, 0);
		finish(&l);
	}
}

static void every_type(void **state)
{
	struct line l;

	(void)state;
	PARSE(&l, "--hist", "-vvv", "--vcpu=0xff", "-i0.5", "--duration", "1h", "-o", "-", "-f=x");
	ASSERT_ACCEPTED(&l);
	assert_true(l.options.hist);
	assert_false(l.options.help);
	assert_int_equal(l.options.verbose, 3);
	assert_int_equal(l.options.vcpu, 255);
	assert_int_equal(l.options.interval, 500000000);
	assert_int_equal(l.options.duration, 3600000000000);
	assert_string_equal(l.options.output, "-");
	assert_string_equal(l.options.format, "=x"); /* as getopt() reads it */
	assert_int_equal(l.options.pid, 0);
	finish(&l);
}

static void repetition(void **state)
{
	struct line l;

	(void)state;
	PARSE(&l, "-p1", "--reason", "HLT", "-v", "-p2", "--reason=a=b", "-v", "--reason=");
	ASSERT_ACCEPTED(&l);
	assert_int_equal(l.options.pid, 2);
	assert_int_equal(l.options.verbose, 2);
	assert_string_equal(l.options.reasons.data, "[HLT][a=b][]");
	finish(&l);
}

static void bounds_are_inside(void **state)
{
	struct line l;

	(void)state;
	PARSE(&l, "-p1", "-i10ms", "-d0.000000001", "--vcpu=4294967295");
	ASSERT_ACCEPTED(&l);
	assert_int_equal(l.options.pid, 1);
	assert_int_equal(l.options.interval, 10000000);
	assert_int_equal(l.options.duration, 1);
	assert_int_equal(l.options.vcpu, 4294967295u);
	finish(&l);
	PARSE(&l, "-p4194304", "-i5000000h", "-d24h", "--vcpu=0");
	ASSERT_ACCEPTED(&l);
	assert_int_equal(l.options.pid, 4194304);
	assert_int_equal(l.options.interval, 18000000000000000000ull);
	assert_int_equal(l.options.duration, 86400000000000);
	finish(&l);
}

static void positional_arguments(void **state)
{
	struct line l;

	(void)state;
	PARSE(&l, "a", "--hist", "", "-p", "1", "-", "--", "-x", "--hits", "--");
	ASSERT_ACCEPTED(&l);
	assert_int_equal(l.positional, 6);
	assert_string_equal(l.argv[0], "exits");
	assert_string_equal(l.argv[1], "a");
	assert_string_equal(l.argv[2], "");
	assert_string_equal(l.argv[3], "-");
	assert_string_equal(l.argv[4], "-x");
	assert_string_equal(l.argv[5], "--hits");
	assert_string_equal(l.argv[6], "--");
	assert_null(l.argv[7]);
	assert_int_equal(l.options.pid, 1);
	assert_true(l.options.hist);
	finish(&l);

	PARSE(&l, "a", "b");
	ASSERT_ACCEPTED(&l);
	assert_int_equal(l.positional, 2);
	assert_string_equal(l.argv[2], "b");
	finish(&l);

	PARSE(&l);
	ASSERT_ACCEPTED(&l);
	assert_int_equal(l.positional, 0);
	finish(&l);
}

static void no_arguments_at_all(void **state)
{
	struct kt_str why = { 0 };
	struct options options = { 0 };
	int positional = -1;

	(void)state;
	assert_int_equal(kt_opt_parse(groups, &options, 0, NULL, &positional, &why), 0);
	assert_int_equal(positional, 0);
}

static void count_saturates(void **state)
{
	struct options options = { .verbose = INT_MAX - 1 };
	char *argv[] = { (char *)"exits", (char *)"-vvv" };
	struct kt_str why = { 0 };
	int positional;

	(void)state;
	assert_int_equal(kt_opt_parse(groups, &options, 2, argv, &positional, &why), 0);
	assert_int_equal(options.verbose, INT_MAX);
}

/* ---- refused ---- */

static void unknown_options(void **state)
{
	(void)state;
	ASSERT_REFUSED("unknown option '--frobnicate'", "--frobnicate");
	ASSERT_REFUSED("unknown option '--frobnicate'", "--frobnicate=1");
	/* two neighbours swapped, a letter missing, wrong, too many */
	ASSERT_REFUSED("unknown option '--hits' (did you mean '--hist'?)", "--hits");
	ASSERT_REFUSED("unknown option '--ofrmta' (did you mean '--format'?)", "--ofrmta");
	ASSERT_REFUSED("unknown option '--outpt' (did you mean '--output'?)", "--outpt=x");
	ASSERT_REFUSED("unknown option '--pod' (did you mean '--pid'?)", "--pod");
	ASSERT_REFUSED("unknown option '--vvcpuu' (did you mean '--vcpu'?)", "--vvcpuu");
	/* three edits are too many, and two of two letters are */
	ASSERT_REFUSED("unknown option '--vvvcpuu'", "--vvvcpuu");
	ASSERT_REFUSED("unknown option '--xd'", "--xd");
	/* the beginning of one option, of none, of two */
	ASSERT_REFUSED("unknown option '--dur' (did you mean '--duration'?)", "--dur");
	ASSERT_REFUSED("unknown option '--r' (did you mean '--reason'?)", "--r");
	ASSERT_REFUSED("unknown option '--v'", "--v");
	ASSERT_REFUSED("unknown option '--h'", "--h");
	ASSERT_REFUSED("unknown option '--hist-by-vm'", "--hist-by-vm");
	ASSERT_REFUSED("unknown option '--'", "--=1");
	ASSERT_REFUSED("unknown option '--HIST'", "--HIST");
	/* letters */
	ASSERT_REFUSED("unknown option '-x'", "-x");
	ASSERT_REFUSED("unknown option '-xyz'", "-xyz");
	ASSERT_REFUSED("unknown option '-5'", "-v5");
	ASSERT_REFUSED("unknown option '-c' (did you mean '--vcpu'?)", "-vcpu");
	ASSERT_REFUSED("unknown option '-reason' (did you mean '--reason'?)", "-reason");
	/* what cannot be shown as it is */
	ASSERT_REFUSED("unknown option '--\\x1b[2J'", "--\x1b[2J");
	ASSERT_REFUSED("unknown option '-\xc3\xa4'", "-\xc3\xa4");
}

static void long_words_have_no_suggestion(void **state)
{
	char word[100003] = "--histhisthist", expected[100100];

	(void)state;
	memset(word + 2, 'h', 100000);
	word[100002] = '\0';
	strcpy(expected, "unknown option '");
	strcat(expected, word);
	strcat(expected, "'");
	ASSERT_REFUSED(expected, word);
}

static void missing_values(void **state)
{
	(void)state;
	ASSERT_REFUSED("--pid: needs a value (PID)", "--pid");
	ASSERT_REFUSED("-o: needs a value (FILE)", "-o");
	ASSERT_REFUSED("-p: needs a value (PID)", "-vp");
	ASSERT_REFUSED("-o: needs a value (FILE); to give it '--hist' write --output=--hist", "-o",
		       "--hist");
	ASSERT_REFUSED("--output: needs a value (FILE); to give it '-v' write --output=-v",
		       "--output", "-v");
	ASSERT_REFUSED("-o: needs a value (FILE); to give it '--' write --output=--", "-o", "--",
		       "ls");
}

static void needless_values(void **state)
{
	(void)state;
	ASSERT_REFUSED("--hist: takes no value", "--hist=yes");
	ASSERT_REFUSED("--hist: takes no value", "--hist=");
	ASSERT_REFUSED("--verbose: takes no value", "--verbose=2");
}

static void wrong_numbers(void **state)
{
	(void)state;
	ASSERT_REFUSED("-p 12x: not a number", "-p", "12x");
	ASSERT_REFUSED("-p 12x: not a number", "-p12x");
	ASSERT_REFUSED("--pid 12x: not a number", "--pid=12x");
	ASSERT_REFUSED("-p -1: not a number", "-p", "-1");
	ASSERT_REFUSED("--pid '': not a number", "--pid=");
	ASSERT_REFUSED("--pid '': not a number", "--pid", "");
	ASSERT_REFUSED("-p \\x07: not a number", "-p\a");
	ASSERT_REFUSED("-p 0: must be within 1..4194304", "-p0");
	ASSERT_REFUSED("-p 4194305: must be within 1..4194304", "-p4194305");
	ASSERT_REFUSED("--vcpu 4294967296: must be within 0..4294967295", "--vcpu=4294967296");
	ASSERT_REFUSED("--pid 99999999999999999999: must be within 1..4194304",
		       "--pid=99999999999999999999");
}

static void wrong_durations(void **state)
{
	(void)state;
	ASSERT_REFUSED("-i 5x: not a duration (seconds, or with a unit: 500ms, 2s, 5m, 1h)",
		       "-i5x");
	ASSERT_REFUSED("--interval '': not a duration (seconds, or with a unit: 500ms, 2s, 5m, "
		       "1h)",
		       "--interval=");
	ASSERT_REFUSED("-i 9ms: must be at least 10ms", "-i", "9ms");
	ASSERT_REFUSED("-d 0: must be within 0.000000001s..24h", "-d0");
	ASSERT_REFUSED("-d 25h: must be within 0.000000001s..24h", "-d25h");
	ASSERT_REFUSED("-d 99999999h: too long", "-d99999999h");
}

static void wrong_texts(void **state)
{
	(void)state;
	ASSERT_REFUSED("--output '': must not be empty", "--output=");
	ASSERT_REFUSED("-o '': must not be empty", "-o", "");
	ASSERT_REFUSED("--reason bad: no such exit", "--reason", "bad");
	ASSERT_REFUSED("--reason mute: not a valid value", "--reason=HLT", "--reason=mute");
}

static void parsing_stops_at_the_first_error(void **state)
{
	struct line l;

	(void)state;
	PARSE(&l, "a", "-p", "x", "--hist", "--frobnicate");
	assert_int_equal(l.err, -EINVAL);
	assert_string_equal(l.why.data, "-p x: not a number");
	assert_false(l.options.hist);
	finish(&l);
}

/* ---- help ---- */

static void help_is_aligned(void **state)
{
	struct kt_str out = { 0 };

	(void)state;
	kt_opt_help(groups, &out);
	assert_string_equal(
		out.data,
		"Filters:\n"
		"  -p, --pid PID             only the VM of this process\n"
		"      --vcpu N              only this vCPU\n"
		"      --reason NAME[,NAME]  only exits for these reasons, named as the kernel\n"
		"                            does: EPT_VIOLATION, CPUID, HLT and so on\n"
		"                            (\"kvmtrace explain\" lists them)\n"
		"\n"
		"Output:\n"
		"  -f, --format FORMAT       text, json or csv\n"
		"  -o, --output FILE         write to FILE\n"
		"  -i, --interval SEC        print every SEC seconds\n"
		"  -d, --duration SEC        stop after SEC\n"
		"      --hist                show a histogram\n"
		"  -v, --verbose             say more; twice: even more\n"
		"  -h, --help                this text\n");
	kt_str_free(&out);
}

static void help_wraps_at_80_columns(void **state)
{
	/* The label takes 12 columns, the gap 2: 66 remain. */
#define W60 "123456789 123456789 123456789 123456789 123456789 123456789 "
#define C60 "123456789.123456789.123456789.123456789.123456789.123456789."
	static const struct kt_opt opts[] = {
		{ "fits", 'a', KT_OPT_FLAG, 0, NULL, W60 "123456", 0, 0, NULL },
		{ "full", 'b', KT_OPT_FLAG, 0, NULL, W60 "123456 x", 0, 0, NULL },
		{ "over", 'c', KT_OPT_FLAG, 0, NULL, W60 "1234567", 0, 0, NULL },
		{ "word", 'd', KT_OPT_FLAG, 0, NULL, "a " C60 C60 " b", 0, 0, NULL },
		{ "utf8", 'e', KT_OPT_FLAG, 0, NULL, W60 "\xc2\xb5\xc2\xb5\xc2\xb5 \xc2\xb5s x", 0,
		  0, NULL },
		{ "a-name-longer-than-the-others", 0, KT_OPT_U32, 0, "N", "below", 0, 0, NULL },
		{ "last", 'f', KT_OPT_FLAG, 0, NULL, "one\n\n  two", 0, 0, NULL },
	};
	static const struct kt_opt_group one[] = { { "Options", opts, KT_ARRAY_SIZE(opts) },
						   { NULL, NULL, 0 } };
	struct kt_str out = { 0 };

	(void)state;
	kt_opt_help(one, &out);
	assert_string_equal(out.data, "Options:\n"
				      "  -a, --fits  " W60 "123456\n"
				      "  -b, --full  " W60 "123456\n"
				      "              x\n"
				      "  -c, --over  123456789 123456789 123456789 123456789 "
				      "123456789 123456789\n"
				      "              1234567\n"
				      "  -d, --word  a\n"
				      "              " C60 C60 "\n"
				      "              b\n"
				      "  -e, --utf8  " W60 "\xc2\xb5\xc2\xb5\xc2\xb5 \xc2\xb5s\n"
				      "              x\n"
				      "      --a-name-longer-than-the-others N\n"
				      "              below\n"
				      "  -f, --last  one\n"
				      "\n"
				      "                two\n");
	kt_str_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_way_to_give_a_value),
		cmocka_unit_test(every_type),
		cmocka_unit_test(repetition),
		cmocka_unit_test(bounds_are_inside),
		cmocka_unit_test(positional_arguments),
		cmocka_unit_test(no_arguments_at_all),
		cmocka_unit_test(count_saturates),
		cmocka_unit_test(unknown_options),
		cmocka_unit_test(long_words_have_no_suggestion),
		cmocka_unit_test(missing_values),
		cmocka_unit_test(needless_values),
		cmocka_unit_test(wrong_numbers),
		cmocka_unit_test(wrong_durations),
		cmocka_unit_test(wrong_texts),
		cmocka_unit_test(parsing_stops_at_the_first_error),
		cmocka_unit_test(help_is_aligned),
		cmocka_unit_test(help_wraps_at_80_columns),
	};

	return cmocka_run_group_tests_name("opt", tests, NULL, NULL);
}
