/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The registry of VMs, on a /proc made of files: who is read when, and what stays. */
#include "fake_proc.h"
#include <time.h>

#include "../../user/event/vm_table.h"

static struct kt_vm_table *table;

static int setup(void **state)
{
	if (fake_proc_setup(state))
		return -1;
	table = kt_vm_table_new(proc);
	return 0;
}

static int teardown(void **state)
{
	kt_vm_table_free(table);
	return fake_proc_teardown(state);
}

/* A task of process tgid; a QEMU called name. */
static void put_task(u32 pid, u32 tgid, u64 start, const char *name)
{
	char file[64], text[512];
	int len;

	put_stat(pid, "CPU 0/KVM", "S", 4194560, start);
	snprintf(file, sizeof(file), "%u/status", pid);
	snprintf(text, sizeof(text), "Name:\tCPU 0/KVM\nTgid:\t%u\nPid:\t%u\n", tgid, pid);
	put(proc, file, text);
	snprintf(file, sizeof(file), "%u/cmdline", pid);
	len = snprintf(text, sizeof(text), "qemu-kvm%c-id%c7%c-name%c%s", 0, 0, 0, 0, name);
	put_n(proc, file, text, (size_t)len + 1);
}

static void put_vm(u32 pid, u64 start, const char *name)
{
	put_task(pid, pid, start, name);
}

/* Longer than the tenth of a second between two looks at a process that has gone. */
static void wait_retry(void)
{
	const struct timespec ts = { .tv_nsec = 130000000 };

	assert_int_equal(nanosleep(&ts, NULL), 0);
}

static void test_known(void **state)
{
	const struct kt_vm_entry *a, *b;

	(void)state;
	put_vm(100, 11, "one");
	put_vm(200, 22, "two");
	a = kt_vm_table_get(table, 100);
	assert_int_equal(a->id, 0);
	assert_int_equal(a->pid, 100);
	assert_string_equal(a->name, "one");
	assert_int_equal(a->vmm, KT_VMM_QEMU);
	assert_string_equal(a->manager, "proxmox");
	assert_int_equal(a->start_time, 11);
	assert_false(a->gone);
	b = kt_vm_table_get(table, 200);
	assert_int_equal(b->id, 1);
	assert_string_equal(b->name, "two");
	assert_ptr_equal(kt_vm_table_get(table, 100), a);
	assert_ptr_equal(kt_vm_table_by_id(table, 0), a);
	assert_ptr_equal(kt_vm_table_by_id(table, 1), b);
	assert_string_equal(kt_vm_table_by_id(table, 2)->name, "others");

	/* read once: what /proc says later doesn't matter, nor does a note */
	put_vm(100, 12, "changed");
	kt_vm_table_note(table, 100, "comm");
	assert_ptr_equal(kt_vm_table_get(table, 100), a);
	assert_string_equal(a->name, "one");
	remove_process(100);
	assert_ptr_equal(kt_vm_table_get(table, 100), a);
	assert_string_equal(a->name, "one");
}

static void test_threads(void **state)
{
	const struct kt_vm_entry *a;

	(void)state;
	put_vm(100, 11, "one");
	put_task(105, 100, 13, "no");
	put_task(106, 100, 14, "no");
	put_task(300, 301, 15, "no");
	a = kt_vm_table_get(table, 105);
	assert_int_equal(a->pid, 100);
	assert_int_equal(a->start_time, 11);
	assert_string_equal(a->name, "one");
	assert_ptr_equal(kt_vm_table_get(table, 100), a);
	assert_ptr_equal(kt_vm_table_get(table, 106), a);
	remove_process(105);
	assert_ptr_equal(kt_vm_table_get(table, 105), a);
	/* a thread whose process is not there */
	assert_string_equal(kt_vm_table_get(table, 300)->name, "pid:300");
	assert_int_equal(kt_vm_table_get(table, 300)->id, 1);
}

static void test_unknown(void **state)
{
	const struct kt_vm_entry *a, *b, *c;
	const char *pid_name;

	(void)state;
	kt_vm_table_note(table, 50, "qemu-system-x86");
	a = kt_vm_table_get(table, 50);
	assert_string_equal(a->name, "qemu-system-x86");
	assert_int_equal(a->id, 0);
	assert_int_equal(a->pid, 50);
	assert_int_equal(a->vmm, KT_VMM_OTHER);
	assert_null(a->manager);
	assert_int_equal(a->start_time, 0);
	assert_true(a->gone);
	kt_vm_table_note(table, 50, "later");
	assert_string_equal(a->name, "qemu-system-x86");

	b = kt_vm_table_get(table, 4294967295u);
	assert_string_equal(b->name, "pid:4294967295");
	pid_name = b->name;
	kt_vm_table_note(table, 4294967295u, "");
	assert_string_equal(b->name, "pid:4294967295");
	kt_vm_table_note(table, 4294967295u, "firecracker and much more");
	assert_string_equal(b->name, "firecracker and");
	kt_vm_table_note(table, 4294967295u, "other");
	assert_string_equal(b->name, "firecracker and");
	/* whoever knows a name by its place is not deceived */
	assert_ptr_not_equal(b->name, pid_name);
	assert_string_equal(pid_name, "pid:4294967295");
	assert_ptr_equal(kt_vm_table_get(table, 4294967295u), b);

	c = kt_vm_table_get(table, 0);
	assert_string_equal(c->name, "pid:0");
	assert_int_equal(c->id, 2);
}

/* What calls nothing knows the VM asked for last, while that lives. */
static void test_again(void **state)
{
	const struct kt_vm_entry *a, *b;

	(void)state;
	put_vm(100, 11, "one");
	put_vm(200, 22, "two");
	assert_null(kt_vm_table_again(table, 0));
	assert_null(kt_vm_table_again(table, 100));
	a = kt_vm_table_get(table, 100);
	assert_ptr_equal(kt_vm_table_again(table, 100), a);
	assert_null(kt_vm_table_again(table, 200));
	b = kt_vm_table_get(table, 200);
	assert_ptr_equal(kt_vm_table_again(table, 200), b);
	assert_null(kt_vm_table_again(table, 100));
	kt_vm_table_gone(table, 200);
	assert_null(kt_vm_table_again(table, 200));
	assert_ptr_equal(kt_vm_table_get(table, 200), b);
	assert_null(kt_vm_table_again(table, 200));
}

/* A note alone reads nothing, and what /proc says goes before it. */
static void test_note_first(void **state)
{
	(void)state;
	kt_vm_table_note(table, 100, "comm");
	put_vm(100, 11, "one");
	assert_string_equal(kt_vm_table_get(table, 100)->name, "one");
	assert_int_equal(kt_vm_table_get(table, 100)->id, 0);
}

/* The process ends, its number is given to another. */
static void test_recycled(void **state)
{
	const struct kt_vm_entry *a, *b;

	(void)state;
	put_vm(100, 11, "one");
	a = kt_vm_table_get(table, 100);
	kt_vm_table_gone(table, 100);
	assert_true(a->gone);
	/* /proc still has it, as a zombie */
	assert_ptr_equal(kt_vm_table_get(table, 100), a);
	/* late events */
	remove_process(100);
	assert_ptr_equal(kt_vm_table_get(table, 100), a);
	wait_retry();
	assert_ptr_equal(kt_vm_table_get(table, 100), a);

	put_vm(100, 99, "two");
	wait_retry();
	b = kt_vm_table_get(table, 100);
	assert_ptr_not_equal(b, a);
	assert_string_equal(b->name, "two");
	assert_int_equal(b->id, 1);
	assert_int_equal(b->start_time, 99);
	assert_false(b->gone);
	assert_string_equal(a->name, "one");
	assert_int_equal(a->pid, 100);
	assert_ptr_equal(kt_vm_table_get(table, 100), b);

	kt_vm_table_gone(table, 100);
	put_vm(100, 100, "three");
	/* told anew: looked up at once */
	assert_string_equal(kt_vm_table_get(table, 100)->name, "three");
	assert_string_equal(b->name, "two");
}

/* The table learns through a thread that a process was replaced; through a gone one that it lives. */
static void test_recycled_seen_by_thread(void **state)
{
	const struct kt_vm_entry *a, *b;

	(void)state;
	put_vm(100, 11, "one");
	a = kt_vm_table_get(table, 100);
	put_vm(100, 99, "two");
	put_task(105, 100, 100, "no");
	b = kt_vm_table_get(table, 105);
	assert_string_equal(b->name, "two");
	assert_true(a->gone);
	assert_ptr_equal(kt_vm_table_get(table, 100), b);
}

/* A pid that /proc didn't have is asked for again, but not at every event. */
static void test_unknown_retry(void **state)
{
	const struct kt_vm_entry *a;
	unsigned int cached = 0;

	(void)state;
	a = kt_vm_table_get(table, 100);
	assert_string_equal(a->name, "pid:100");
	wait_retry();
	put_vm(100, 11, "one");
	assert_string_equal(kt_vm_table_get(table, 100)->name, "one");
	assert_int_equal(kt_vm_table_get(table, 100)->id, 1);
	assert_string_equal(a->name, "pid:100");

	/* a busy machine may spend a tenth of a second between the two, but not every time */
	for (u32 pid = 101; pid < 121; pid++) {
		a = kt_vm_table_get(table, pid);
		put_vm(pid, 11, "two");
		cached += kt_vm_table_get(table, pid) == a;
	}
	assert_in_range(cached, 1, 20);
}

static void test_gone_unknown(void **state)
{
	(void)state;
	kt_vm_table_gone(table, 100);
	put_vm(100, 11, "one");
	assert_false(kt_vm_table_get(table, 100)->gone);
	kt_vm_table_free(NULL);
}

/* 65536 processes, then all others together; nothing handed out moves. */
static void test_full(void **state)
{
	const struct kt_vm_entry *first, *last, *others;

	(void)state;
	first = kt_vm_table_get(table, 1000);
	for (u32 i = 1; i < 65536; i++) {
		const struct kt_vm_entry *entry = kt_vm_table_get(table, 1000 + i * 3);

		if (entry->id != i || entry->pid != 1000 + i * 3)
			fail_msg("entry %u: id %u pid %u", i, entry->id, entry->pid);
	}
	last = kt_vm_table_get(table, 1000 + 65535 * 3);
	assert_int_equal(last->id, 65535);
	assert_int_equal(first->id, 0);
	assert_string_equal(first->name, "pid:1000");

	put_vm(5, 11, "late");
	others = kt_vm_table_get(table, 5);
	assert_int_equal(others->id, 65536);
	assert_int_equal(others->pid, 0);
	assert_string_equal(others->name, "others");
	assert_false(others->gone);
	kt_vm_table_gone(table, 5);
	kt_vm_table_note(table, 5, "comm");
	assert_ptr_equal(kt_vm_table_get(table, 6), others);
	assert_ptr_equal(kt_vm_table_by_id(table, 65536), others);
	assert_ptr_equal(kt_vm_table_by_id(table, 65535), last);
	assert_string_equal(others->name, "others");
	assert_false(others->gone);

	/* a recycled pid finds no room either */
	put_vm(1000, 11, "new");
	wait_retry();
	assert_ptr_equal(kt_vm_table_get(table, 1000), others);
	kt_vm_table_gone(table, 1000);
	assert_false(others->gone);
	assert_string_equal(first->name, "pid:1000");
	assert_ptr_equal(kt_vm_table_get(table, 1003), kt_vm_table_get(table, 1003));
	assert_string_equal(kt_vm_table_get(table, 1003)->name, "pid:1003");
}

static void test_matches(void **state)
{
	static const struct {
		const char *glob, *name;
		bool matches;
	} samples[] = {
		{ "web*", "web01", true },
		{ "web*", "dbweb", false },
		{ "*", "x", true },
		{ "", "x", false },
		{ "web0?", "web01", true },
		{ "web0?", "web0", false },
		{ "w[a-e]b", "wcb", true },
		{ "w[!a-e]b", "wcb", false },
		{ "WEB*", "web01", false },
		{ "*", ".hidden/a b", true },
		{ "a\\*", "a*", true },
		{ "a\\*", "ab", false },
		{ "[", "[", true },
		{ "exact", "exact", true },
		{ "*\377*", "a\377\001b", true },
	};

	(void)state;
	for (size_t i = 0; i < KT_ARRAY_SIZE(samples); i++) {
		struct kt_vm_entry entry = { .name = samples[i].name };

		if (kt_vm_entry_matches(&entry, samples[i].glob) != samples[i].matches)
			fail_msg("%s against %s", samples[i].name, samples[i].glob);
	}
}

/* ---- of a capture ---- */

static int setup_recorded(void **state)
{
	(void)state;
	table = kt_vm_table_new_recorded();
	return 0;
}

static int teardown_recorded(void **state)
{
	(void)state;
	kt_vm_table_free(table);
	return 0;
}

static const char *name_at(u32 pid, u64 ts)
{
	return kt_vm_table_at(table, pid, ts)->name;
}

static void test_recorded(void **state)
{
	const struct kt_vm_entry *a, *b;

	(void)state;
	a = kt_vm_table_add(table, 100, 5000, "win11", "libvirt", KT_VMM_QEMU, 77);
	assert_int_equal(a->id, 0);
	assert_int_equal(a->pid, 100);
	assert_string_equal(a->name, "win11");
	assert_string_equal(a->manager, "libvirt");
	assert_int_equal(a->vmm, KT_VMM_QEMU);
	assert_int_equal(a->start_time, 77);
	assert_false(a->gone);
	b = kt_vm_table_add(table, 4294967295u, 1, "", NULL, KT_VMM_OTHER, 0);
	assert_string_equal(b->name, "pid:4294967295");
	assert_null(b->manager);
	/* the only one of its pid: at any time */
	assert_ptr_equal(kt_vm_table_at(table, 100, 0), a);
	assert_ptr_equal(kt_vm_table_at(table, 100, 0), a);
	assert_ptr_equal(kt_vm_table_at(table, 100, UINT64_MAX), a);
	assert_ptr_equal(kt_vm_table_at(table, 4294967295u, 9), b);
	assert_ptr_equal(kt_vm_table_at(table, 100, 9), a);
	assert_ptr_equal(kt_vm_table_get(table, 100), a);
	assert_ptr_equal(kt_vm_table_by_id(table, 1), b);
	assert_null(kt_vm_table_again(table, 100));
}

/* Nobody said anything of it; /proc, which has process 1, is not asked. */
static void test_recorded_unknown(void **state)
{
	const struct kt_vm_entry *a, *b;

	(void)state;
	assert_string_equal(name_at(0, 0), "pid:0");
	a = kt_vm_table_at(table, 1, 7);
	assert_string_equal(a->name, "pid:1");
	assert_ptr_equal(kt_vm_table_at(table, 1, 8), a);
	assert_ptr_equal(kt_vm_table_get(table, 1), a);
	assert_int_equal(a->start_time, 0);
	/* told later */
	b = kt_vm_table_add(table, 1, 50, "late", NULL, KT_VMM_OTHER, 3);
	assert_ptr_equal(kt_vm_table_at(table, 1, 7), b);
	assert_string_equal(a->name, "pid:1");
	kt_vm_table_note(table, 2, "comm");
	assert_string_equal(name_at(2, 7), "comm");
}

static void test_recorded_recycled(void **state)
{
	static const struct {
		u64 ts;
		const char *name;
	} samples[] = {
		{ 0, "a" },    { 99, "a" },  { 100, "a" }, { 199, "a" },	{ 200, "b" },
		{ 150, "a" },  { 201, "b" }, { 299, "b" }, { 300, "d" },	{ 298, "b" },
		{ 1000, "d" }, { 300, "d" }, { 0, "a" },   { UINT64_MAX, "d" }, { 250, "b" },
	};

	(void)state;
	kt_vm_table_add(table, 7, 200, "b", NULL, KT_VMM_OTHER, 2);
	assert_string_equal(name_at(7, 0), "b");
	kt_vm_table_add(table, 7, 300, "c", NULL, KT_VMM_OTHER, 3);
	assert_string_equal(name_at(7, 0), "b");
	kt_vm_table_add(table, 7, 100, "a", NULL, KT_VMM_OTHER, 1);
	/* from the same moment on: the later word counts */
	kt_vm_table_add(table, 7, 300, "d", NULL, KT_VMM_OTHER, 4);
	kt_vm_table_add(table, 8, 250, "other", NULL, KT_VMM_OTHER, 5);
	for (size_t i = 0; i < KT_ARRAY_SIZE(samples); i++) {
		if (strcmp(name_at(7, samples[i].ts), samples[i].name))
			fail_msg("at %llu: %s", samples[i].ts, name_at(7, samples[i].ts));
		assert_string_equal(name_at(8, samples[i].ts), "other");
		assert_string_equal(name_at(7, samples[i].ts), samples[i].name);
	}
	assert_string_equal(kt_vm_table_get(table, 7)->name, "d");
	/* what was just asked for is not what is remembered */
	assert_string_equal(name_at(7, 1000), "d");
	kt_vm_table_add(table, 7, 900, "e", NULL, KT_VMM_OTHER, 6);
	assert_string_equal(name_at(7, 1000), "e");
}

/* As many as there may be of one pid, the latest first; then all others together. */
static void test_recorded_full(void **state)
{
	char name[512];

	(void)state;
	memset(name, 'x', 511);
	name[511] = '\0';
	assert_int_equal(
		strlen(kt_vm_table_add(table, 9, 65536, name, name, KT_VMM_OTHER, 1)->name), 255);
	for (u32 i = 65535; i; i--)
		kt_vm_table_add(table, 9, i, "one", NULL, KT_VMM_OTHER, i);
	for (u64 ts = 1; ts < 65536; ts += 97)
		assert_int_equal(kt_vm_table_at(table, 9, ts)->start_time, ts);
	assert_int_equal(kt_vm_table_at(table, 9, 65536)->start_time, 1);
	assert_string_equal(kt_vm_table_add(table, 9, 70000, "no", NULL, KT_VMM_OTHER, 1)->name,
			    "others");
	assert_string_equal(kt_vm_table_add(table, 10, 1, "no", NULL, KT_VMM_OTHER, 1)->name,
			    "others");
	assert_string_equal(name_at(10, 1), "others");
	assert_string_equal(name_at(11, 1), "others");
	assert_int_equal(kt_vm_table_at(table, 9, 70000)->start_time, 1);
}

/* A table of what runs asks /proc, whatever the time. */
static void test_at_live(void **state)
{
	const struct kt_vm_entry *a;

	(void)state;
	put_vm(100, 11, "one");
	a = kt_vm_table_at(table, 100, 5);
	assert_string_equal(a->name, "one");
	assert_ptr_equal(kt_vm_table_at(table, 100, 0), a);
	kt_vm_table_gone(table, 100);
	put_vm(100, 12, "two");
	assert_string_equal(kt_vm_table_at(table, 100, 0)->name, "two");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_known),
		TEST(test_threads),
		TEST(test_unknown),
		TEST(test_note_first),
		TEST(test_recycled),
		TEST(test_recycled_seen_by_thread),
		TEST(test_unknown_retry),
		TEST(test_gone_unknown),
		TEST(test_full),
		cmocka_unit_test(test_matches),
		TEST(test_again),
		TEST(test_at_live),
		cmocka_unit_test_setup_teardown(test_recorded, setup_recorded, teardown_recorded),
		cmocka_unit_test_setup_teardown(test_recorded_unknown, setup_recorded,
						teardown_recorded),
		cmocka_unit_test_setup_teardown(test_recorded_recycled, setup_recorded,
						teardown_recorded),
		cmocka_unit_test_setup_teardown(test_recorded_full, setup_recorded,
						teardown_recorded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
