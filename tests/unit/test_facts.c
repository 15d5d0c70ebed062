/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* user/live/facts.c: facts as text and back, and texts that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../user/live/facts.h"

#define FOLDER "tests/facts"
#define FIRST  "kvmtrace facts 1\n"

/* Parses a copy of exactly len bytes: sanitisers see a read past the end. */
static int parse(struct kt_facts *facts, const char *text, size_t len, struct kt_str *error)
{
	char *copy = malloc(len ? len : 1);
	int err;

	assert_non_null(copy);
	memcpy(copy, text, len);
	memset(facts, 0xa5, sizeof(*facts));
	err = kt_facts_parse(facts, copy, len, error);
	free(copy);
	return err;
}

static struct kt_facts parsed(const char *text)
{
	struct kt_str error = { 0 };
	struct kt_facts facts;

	if (parse(&facts, text, strlen(text), &error))
		fail_msg("%s", error.data);
	assert_int_equal(error.len, 0);
	kt_str_free(&error);
	return facts;
}

static void assert_wrong(const char *text, size_t len, const char *sentence)
{
	struct kt_str error = { 0 };
	struct kt_facts facts;

	assert_int_equal(parse(&facts, text, len, &error), -EINVAL);
	assert_string_equal(error.data, sentence);
	kt_str_free(&error);
}

static void has_line(const struct kt_facts *facts, const char *line)
{
	struct kt_str text = { 0 };

	kt_facts_format(facts, &text);
	if (!strstr(text.data, line))
		fail_msg("no line '%s' in:\n%s", line, text.data);
	kt_str_free(&text);
}

struct word {
	const char *line; /* between newlines */
	size_t offset;
	u32 value;
};

#define WORD(line, member, value)                                                                  \
	{                                                                                          \
		"\n" line "\n", offsetof(struct kt_facts, member), value                           \
	}

static const struct word words[] = {
	WORD("cpu.isa = ?", isa, 0),
	WORD("cpu.isa = none", isa, KT_CPU_NONE),
	WORD("cpu.isa = vmx", isa, KT_CPU_VMX),
	WORD("cpu.isa = svm", isa, KT_CPU_SVM),
	WORD("kvm = ?", kvm, 0),
	WORD("kvm = absent", kvm, KT_KVM_ABSENT),
	WORD("kvm = built-in", kvm, KT_KVM_BUILTIN),
	WORD("kvm = module", kvm, KT_KVM_MODULE),
	WORD("kvm.device = ?", kvm_device, 0),
	WORD("kvm.device = no", kvm_device, KT_NO),
	WORD("kvm.device = yes", kvm_device, KT_YES),
	WORD("btf.vmlinux = ?", btf_vmlinux, 0),
	WORD("btf.vmlinux = absent", btf_vmlinux, KT_BTF_ABSENT),
	WORD("btf.kvm = ok", btf_kvm, KT_BTF_OK),
	WORD("btf.vendor = broken", btf_vendor, KT_BTF_BROKEN),
	WORD("cap.sys_admin = yes", cap_sys_admin, KT_YES),
	WORD("cap.bpf = no", cap_bpf, KT_NO),
	WORD("cap.perfmon = yes", cap_perfmon, KT_YES),
	WORD("lockdown = ?", lockdown, 0),
	WORD("lockdown = none", lockdown, KT_LOCKDOWN_NONE),
	WORD("lockdown = integrity", lockdown, KT_LOCKDOWN_INTEGRITY),
	WORD("lockdown = confidentiality", lockdown, KT_LOCKDOWN_CONFIDENTIALITY),
	WORD("pid_ns.initial = no", init_pid_ns, KT_NO),
	WORD("user_ns.initial = yes", init_user_ns, KT_YES),
	WORD("tracefs = ?", tracefs, 0),
	WORD("tracefs = absent", tracefs, KT_TRACEFS_ABSENT),
	WORD("tracefs = ok", tracefs, KT_TRACEFS_OK),
	WORD("tracefs = denied", tracefs, KT_TRACEFS_DENIED),
	WORD("map.ringbuf = ?", map_ringbuf, 0),
	WORD("map.ringbuf = yes", map_ringbuf, KT_CAN),
	WORD("map.queue = no", map_queue, KT_CANNOT),
	WORD("map.array_of_maps = denied", map_array_of_maps, KT_DENIED_HERE),
	WORD("prog.tracing = yes", prog_tracing, KT_CAN),
	WORD("prog.raw_tracepoint = no", prog_raw_tracepoint, KT_CANNOT),
	WORD("prog.tracepoint = denied", prog_tracepoint, KT_DENIED_HERE),
	WORD("prog.fentry = denied", prog_fentry, KT_DENIED_HERE),
	WORD("kfunc.bpf_rdonly_cast = no", kfunc_rdonly_cast, KT_CANNOT),
};

static void tells_vendors(void **state)
{
	static const struct {
		const char *text;
		bool amd, intel;
	} cases[] = {
		{ FIRST "kvm.vendor = kvm_amd\n", true, false },
		{ FIRST "kvm.vendor = kvm_intel\n", false, true },
		{ FIRST "kvm.vendor = kvm_amdx\n", false, false },
		{ FIRST "kvm.vendor = kvm_pvm\n", false, false },
		{ FIRST, false, false },
	};

	(void)state;
	for (size_t i = 0; i < KT_ARRAY_SIZE(cases); i++) {
		struct kt_facts facts = parsed(cases[i].text);

		assert_int_equal(kt_facts_amd(&facts), cases[i].amd);
		assert_int_equal(kt_facts_intel(&facts), cases[i].intel);
	}
}

/* Each word means its enumerator, both ways. */
static void spells_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < KT_ARRAY_SIZE(words); i++) {
		struct kt_str text = { 0 };
		struct kt_facts facts;
		u32 value;

		kt_str_addf(&text, "kvmtrace facts 1%s", words[i].line);
		facts = parsed(text.data);
		memcpy(&value, (char *)&facts + words[i].offset, sizeof(value));
		assert_int_equal(value, words[i].value);
		has_line(&facts, words[i].line);
		kt_str_free(&text);
	}
}

static void reads_values(void **state)
{
	struct kt_facts facts =
		parsed(FIRST "kernel.release = 6.12.117+deb13-cloud-amd64\n"
			     "cpus = 12\n"
			     "kvm.vendor = kvm_intel\n"
			     "btf.broken = nvidia\n"
			     "perf_event_paranoid = -1\n"
			     "tracepoint.kvm_exit.proto = 4v4\n"
			     "tracepoint.kvm_halt_poll_ns.record = grow:8:1 vcpu_id:12:4\n"
			     "tracepoint.kvm_msr.proto = -\n"
			     "member.task_struct.preempt_notifiers = 8\n"
			     "member.vcpu_vt.exit_reason = 4294967295\n");

	(void)state;
	assert_string_equal(facts.kernel, "6.12.117+deb13-cloud-amd64");
	assert_int_equal(facts.cpus, 12);
	assert_string_equal(facts.vendor, "kvm_intel");
	assert_string_equal(facts.btf_broken, "nvidia");
	assert_string_equal(facts.perf_paranoid, "-1");
	assert_string_equal(facts.tracepoints[KT_TP_kvm_exit].proto, "4v4");
	assert_string_equal(facts.tracepoints[KT_TP_kvm_halt_poll_ns].record,
			    "grow:8:1 vcpu_id:12:4");
	assert_string_equal(facts.tracepoints[KT_TP_kvm_msr].proto, "-");
	assert_int_equal(facts.members[KT_M_task_struct__preempt_notifiers], 8);
	assert_int_equal(facts.members[KT_M_vcpu_vt__exit_reason], 4294967295u);
}

static void unmentioned_is_unknown(void **state)
{
	struct kt_facts facts = parsed("kvmtrace facts 1"), zero = { 0 };

	(void)state;
	assert_memory_equal(&facts, &zero, sizeof(zero));
	facts = parsed(FIRST "kernel.release =\n");
	assert_memory_equal(&facts, &zero, sizeof(zero));
}

static void takes_what_people_write(void **state)
{
	struct kt_facts facts = parsed(FIRST "\n"
					     "# cpus = 3\n"
					     "  # so far\n"
					     "   \t\n"
					     "\tcpus=4  \n"
					     "a.fact.of.tomorrow = 1 = 2\n"
					     "a.fact.of.tomorrow = again\n"
					     "kernel.release  =   a b = c\t\n"
					     "member.kvm.nr_memslot_pages = 0x10");

	(void)state;
	assert_int_equal(facts.cpus, 4);
	assert_string_equal(facts.kernel, "a b = c");
	assert_int_equal(facts.members[KT_M_kvm__nr_memslot_pages], 16);
}

static const struct {
	const char *text, *sentence;
} mistakes[] = {
	{ "",
	  "line 1: not \"kvmtrace facts 1\", so these are no facts that this kvmtrace can read" },
	{ "kvmtrace facts 2\n",
	  "line 1: not \"kvmtrace facts 1\", so these are no facts that this kvmtrace can read" },
	{ "kvmtrace facts 1 \n",
	  "line 1: not \"kvmtrace facts 1\", so these are no facts that this kvmtrace can read" },
	{ "\nkvmtrace facts 1\n",
	  "line 1: not \"kvmtrace facts 1\", so these are no facts that this kvmtrace can read" },
	{ FIRST "cpus = 1\nkernel.release\n", "line 3: not of the form KEY = VALUE" },
	{ FIRST " = 1\n", "line 2: not of the form KEY = VALUE" },
	{ FIRST "kernel release = 1\n", "line 2: not of the form KEY = VALUE" },
	{ FIRST "cpus = 1\n\ncpus = 1\n", "line 4: cpus was given before" },
	{ FIRST "cpus =\n", "line 2: cpus =  is no number, or too big a one" },
	{ FIRST "cpus = -1\n", "line 2: cpus = -1 is no number, or too big a one" },
	{ FIRST "cpus = 4 CPUs\n", "line 2: cpus = 4 CPUs is no number, or too big a one" },
	{ FIRST "cpus = 18446744073709551616\n",
	  "line 2: cpus = 18446744073709551616 is no number, or too big a one" },
	{ FIRST "member.kvm_vcpu_arch.rip = 4294967296",
	  "line 2: member.kvm_vcpu_arch.rip = 4294967296 is no number, or too big a one" },
	{ FIRST "kvm = loaded\n", "line 2: kvm = loaded is none of ? absent built-in module" },
	{ FIRST "kvm = Module\n", "line 2: kvm = Module is none of ? absent built-in module" },
	{ FIRST "kvm =\n", "line 2: kvm =  is none of ? absent built-in module" },
	{ FIRST "btf.kvm = 2\n", "line 2: btf.kvm = 2 is none of ? absent ok broken" },
	{ FIRST "kvm.device = true\n", "line 2: kvm.device = true is none of ? no yes" },
	{ FIRST "map.queue = maybe\n", "line 2: map.queue = maybe is none of ? yes no denied" },
	{ FIRST "cpu.isa = arm\n", "line 2: cpu.isa = arm is none of ? none vmx svm" },
	{ FIRST "tracefs = yes\n", "line 2: tracefs = yes is none of ? absent ok denied" },
	{ FIRST "lockdown = [none]\n",
	  "line 2: lockdown = [none] is none of ? none integrity confidentiality" },
	/* 64 bytes where 63 fit; 16 where 15 do. */
	{ FIRST "kernel.release = "
		"0123456789012345678901234567890123456789012345678901234567890123\n",
	  "line 2: the value of kernel.release is longer than 63 bytes" },
	{ FIRST "tracepoint.kvm_pio.proto = 4444444444444444\n",
	  "line 2: the value of tracepoint.kvm_pio.proto is longer than 15 bytes" },
	/* What a terminal would obey. */
	{ FIRST "kvm = \33[2J\n", "line 2: holds a control character" },
	{ FIRST "# \33]0;title\a\n", "line 2: holds a control character" },
	{ FIRST "cpus = 1\r\n", "line 2: holds a control character" },
	{ FIRST "unknown\x7f = 1\n", "line 2: holds a control character" },
	{ FIRST "kvm = \xc2\x9b"
		"2J\n",
	  "line 2: kvm = \\xc2\\x9b2J is none of ? absent built-in module" },
	{ FIRST "cpus = \xe2\x80\xae"
		"1\xff\n",
	  "line 2: cpus = \\xe2\\x80\\xae1\\xff is no number, or too big a one" },
};

static void names_the_mistake(void **state)
{
	static const char nul[] = FIRST "cpus = 1\nkvm = mod\0ule\n";
	static const char first_nul[] = "kvmtrace facts 1\0";

	(void)state;
	for (size_t i = 0; i < KT_ARRAY_SIZE(mistakes); i++)
		assert_wrong(mistakes[i].text, strlen(mistakes[i].text), mistakes[i].sentence);
	assert_wrong(nul, sizeof(nul) - 1, "line 3: holds a control character");
	assert_wrong(first_nul, sizeof(first_nul) - 1, "line 1: holds a control character");
}

static void cuts_what_it_shows(void **state)
{
	struct kt_str text = { 0 }, sentence = { 0 };

	(void)state;
	kt_str_add(&text, FIRST "cpus = ");
	kt_str_add(&sentence, "line 2: cpus = ");
	for (int i = 0; i < 100000; i++) {
		kt_str_add_char(&text, '9');
		kt_str_add(&sentence, i < 64 ? "9" : "");
	}
	kt_str_add(&sentence, " is no number, or too big a one");
	assert_wrong(text.data, text.len, sentence.data);
	kt_str_free(&text);
	kt_str_free(&sentence);
}

static void has_a_size_limit(void **state)
{
	struct kt_str text = { 0 }, error = { 0 };
	struct kt_facts facts;

	(void)state;
	kt_str_add(&text, FIRST "cpus = 5\n#");
	while (text.len < 256 * 1024)
		kt_str_add_char(&text, 'x');
	assert_int_equal(parse(&facts, text.data, text.len, &error), 0);
	assert_int_equal(facts.cpus, 5);
	kt_str_add_char(&text, '\n');
	assert_int_equal(parse(&facts, text.data, text.len, &error), -EINVAL);
	assert_string_equal(error.data, "it is larger than 256 KiB");
	kt_str_free(&text);
	kt_str_free(&error);
}

/* Every text as long as it may be, every number as large. */
static struct kt_facts full(void)
{
	struct kt_facts facts = { 0 };

	memset(facts.kernel, 'k', 63);
	memset(facts.vendor, 'v', 63);
	memset(facts.btf_broken, 'b', 63);
	memset(facts.perf_paranoid, '3', 63);
	facts.cpus = UINT64_MAX;
	facts.lockdown = KT_LOCKDOWN_CONFIDENTIALITY;
	facts.btf_kvm = KT_BTF_BROKEN;
	facts.kfunc_rdonly_cast = KT_DENIED_HERE;
	for (size_t i = 0; i < KT_TRACEPOINT_COUNT; i++) {
		memset(facts.tracepoints[i].proto, 'a' + (int)i, 15);
		memset(facts.tracepoints[i].record, 'z' - (int)i, 447);
	}
	for (size_t i = 0; i < KT_MEMBER_COUNT; i++)
		facts.members[i] = UINT32_MAX - (u32)i;
	return facts;
}

static void comes_back(void **state)
{
	struct kt_facts facts = full(), again;
	struct kt_str text = { 0 };

	(void)state;
	kt_facts_format(&facts, &text);
	assert_memory_equal(text.data, FIRST, strlen(FIRST));
	again = parsed(text.data);
	assert_memory_equal(&again, &facts, sizeof(facts));
	kt_str_reset(&text);
	memset(&facts, 0, sizeof(facts));
	kt_facts_format(&facts, &text);
	assert_non_null(strstr(text.data, "\nkvm.vendor =\n"));
	again = parsed(text.data);
	assert_memory_equal(&again, &facts, sizeof(facts));
	kt_str_free(&text);
}

/* A name from outside may neither end its line nor reach the terminal as it is. */
static void writes_one_line_each(void **state)
{
	struct kt_facts facts = { .btf_broken = "evil\ncpus = 9\33[2J" }, again;
	struct kt_str text = { 0 };

	(void)state;
	has_line(&facts, "\nbtf.broken = evil\\x0acpus = 9\\x1b[2J\n");
	kt_facts_format(&facts, &text);
	again = parsed(text.data);
	assert_int_equal(again.cpus, 0);
	assert_string_equal(again.btf_broken, "evil\\x0acpus = 9\\x1b[2J");
	kt_str_free(&text);
}

struct listing {
	struct kt_str keys;
	u32 explained;
};

static void list(void *ctx, const char *key, const char *value, const char *meaning)
{
	struct listing *l = ctx;

	assert_non_null(value);
	kt_str_addf(&l->keys, "%s\n", key);
	l->explained += meaning != NULL;
	assert_int_equal(meaning != NULL,
			 strncmp(key, "tracepoint.", 11) != 0 && strncmp(key, "member.", 7) != 0);
}

static void lists_in_order(void **state)
{
	struct kt_facts facts = { 0 };
	struct listing l = { 0 };
	const char *tracepoints, *members;

	(void)state;
	kt_facts_each(&facts, list, &l);
	assert_memory_equal(l.keys.data, "kernel.release\n", 15);
	tracepoints =
		strstr(l.keys.data, "\nkfunc.bpf_rdonly_cast\ntracepoint.kvm_exit.proto\n"
				    "tracepoint.kvm_exit.record\ntracepoint.kvm_entry.proto\n");
	members = strstr(l.keys.data, "\ntracepoint.kvm_fpu.record\n"
				      "member.task_struct.preempt_notifiers\n"
				      "member.kvm.nr_memslot_pages\n");
	assert_non_null(tracepoints);
	assert_non_null(members);
	assert_true(l.explained >= 20);
	kt_str_free(&l.keys);
}

static void knows_names(void **state)
{
	(void)state;
	assert_string_equal(kt_tracepoint_name(KT_TP_kvm_exit), "kvm_exit");
	assert_string_equal(kt_tracepoint_name(KT_TP_kvm_async_pf_not_present),
			    "kvm_async_pf_not_present");
	assert_string_equal(kt_member_name(KT_M_task_struct__preempt_notifiers),
			    "task_struct.preempt_notifiers");
	assert_string_equal(kt_member_name(KT_M_vcpu_vt__exit_reason), "vcpu_vt.exit_reason");
}

/* Cut off or damaged anywhere, a text is either taken or refused in one printable line. */
static void survives_damage(void **state)
{
	struct kt_str text = { 0 }, error = { 0 };
	struct kt_facts facts = full(), result;
	u32 seed = 1, refused = 0;

	(void)state;
	kt_facts_format(&facts, &text);
	for (u32 i = 0; i < 2000; i++) {
		size_t len = i % 2 ? text.len : (seed >> 8) % text.len, at;
		char before;

		seed = seed * 1103515245 + 12345;
		at = (seed >> 8) % text.len;
		before = text.data[at];
		text.data[at] = (char)(seed >> 3);
		kt_str_reset(&error);
		if (parse(&result, text.data, len, &error)) {
			refused++;
			assert_true(error.len > 0);
			assert_null(strpbrk(error.data, "\n\33"));
		}
		text.data[at] = before;
	}
	assert_in_range(refused, 100, 1900);
	kt_str_free(&text);
	kt_str_free(&error);
}

/* An unknown key is skipped, so a slip of the pen in a file would go unnoticed. */
static void check_file(const char *name)
{
	struct kt_str path = { 0 }, known = { 0 }, line = { 0 };
	struct kt_facts facts;
	char text[16384], *rest, *at;
	FILE *file;

	kt_str_addf(&path, FOLDER "/%s", name);
	file = fopen(path.data, "r");
	assert_non_null(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	facts = parsed(text);
	kt_str_add_char(&known, '\n');
	kt_facts_format(&facts, &known);
	for (at = strtok_r(text, "\n", &rest); at; at = strtok_r(NULL, "\n", &rest)) {
		kt_str_reset(&line);
		kt_str_addf(&line, "\n%s\n", at);
		if (at[0] != '#' && !strstr(known.data, line.data))
			fail_msg("%s: nothing knows '%s'", path.data, at);
	}
	kt_str_free(&path);
	kt_str_free(&known);
	kt_str_free(&line);
}

static void files_are_well_spelled(void **state)
{
	DIR *dir = opendir(FOLDER);
	struct dirent *d;
	u32 count = 0;

	(void)state;
	assert_non_null(dir);
	while ((d = readdir(dir))) {
		if (!strstr(d->d_name, ".facts"))
			continue;
		check_file(d->d_name);
		count++;
	}
	closedir(dir);
	assert_true(count >= 15);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_vendors),
		cmocka_unit_test(spells_words),
		cmocka_unit_test(reads_values),
		cmocka_unit_test(unmentioned_is_unknown),
		cmocka_unit_test(takes_what_people_write),
		cmocka_unit_test(names_the_mistake),
		cmocka_unit_test(cuts_what_it_shows),
		cmocka_unit_test(has_a_size_limit),
		cmocka_unit_test(comes_back),
		cmocka_unit_test(writes_one_line_each),
		cmocka_unit_test(lists_in_order),
		cmocka_unit_test(knows_names),
		cmocka_unit_test(survives_damage),
		cmocka_unit_test(files_are_well_spelled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
