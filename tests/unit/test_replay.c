/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* user/replay: which events of a capture come, in which order, of which VM. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../bpf/shared/cfg.h"
#include "../../user/store/extra.h"
#include "test_replay_files.h"

#define VM_FACT(pid, from, name)                                                                   \
	"{\"pid\":" #pid ",\"start_time\":1,\"from_ns\":" #from ",\"name\":\"" name                \
	"\",\"manager\":null,\"vmm\":\"qemu\"}"

/* a to h, a second each, from 100 s on; 40 is web-1, later web-2, 41 is win11, 42 nobody knows. */
static void make(struct file *file)
{
	static const char end[] = "{\"begin_ns\":99000000000,\"end_ns\":110000000000,"
				  "\"unpaired_entries\":4,"
				  "\"threads_unknown\":6,\"missed\":7,\"vcpu_capacity\":8}";
	static const char about[] = "{\"version\":\"9.8\",\"events\":[\"exits\",\"msr\"]}";
	const struct kt_row_msr msr = { .head = head_at(104 * SECOND, 40, 0), .index = 0x10 };
	const struct kt_row_fault fault = { .head = head_at(106 * SECOND, 42, 0),
					    .exit_reason = 0x400,
					    .exit_isa = SVM,
					    .flags = 1 };
	const struct kt_row_lost lost = { .head = { .ts = 107 * SECOND, .cpu = 2 }, .count = 9 };

	file_begin(file);
	assert_int_equal(kt_writer_add_clock(file->w, 99 * SECOND, 1000 * SECOND), 0);
	add_text(file, "kvmtrace", about);
	add_text(file, "vm.40.1", VM_FACT(40, 99000000000, "web-1"));
	add_text(file, "vm.40.2", VM_FACT(40, 103000000000, "web-2"));
	add_text(file, "vm.41.1", VM_FACT(41, 99000000000, "win11"));
	add_exit(file, head_at(100 * SECOND, 40, 0), SVM, 0x72, 10);
	add_exit(file, head_at(101 * SECOND, 41, 1), SVM, 0x7b, 10);
	add_exit(file, head_at(102 * SECOND, 41, 0), VMX, 10, 10);
	add_exit(file, head_at(103 * SECOND, 40, 1), SVM, 0x403, 10);
	add_row(file, KT_ROW_MSR, &msr);
	add_exception(file, head_at(105 * SECOND, 41, 0), 13);
	add_row(file, KT_ROW_FAULT, &fault);
	add_row(file, KT_ROW_LOST, &lost);
	add_text(file, "end", end);
	file_end(file);
}

static void check(const struct kt_replay_filter *filter, const char *expected)
{
	struct file file;
	struct kt_replay *r;
	struct kt_replay_event e;
	char letters[16] = "";
	u32 n = 0;

	make(&file);
	r = must_replay(&file);
	assert_int_equal(kt_replay_filter(r, filter), KT_OK);
	while (kt_replay_next(r, &e) == 1)
		letters[n++] = (char)('a' + (e.head->ts / SECOND - 100));
	if (strcmp(letters, expected))
		fail_msg("%s, not %s", letters, expected);
	kt_replay_close(r);
	file_free(&file);
}

#define CHECK(expected, ...) check(&(struct kt_replay_filter) { __VA_ARGS__ }, expected)

/* What was lost, h, is nobody's: only times leave it out. */
static void filters(void **state)
{
	(void)state;
	CHECK("abcdefgh", .pid = 0);
	CHECK("adeh", .pid = 40);
	CHECK("h", .pid = 43);
	CHECK("bcfh", .vm = "win*");
	CHECK("adeh", .vm = "web-[12]");
	CHECK("deh", .vm = "web-2");
	CHECK("gh", .vm = "pid:42");
	CHECK("bdh", .by_vcpu = true, .vcpu = 1);
	CHECK("abcdh", .kinds = 1u << KT_ROW_EXIT);
	CHECK("egh", .kinds = 1u << KT_ROW_MSR | 1u << KT_ROW_FAULT);
	CHECK("abdh", .where = "kind == exit and isa == svm");
}

static void times(void **state)
{
	(void)state;
	CHECK("cdefgh", .from = "3");
	CHECK("ab", .to = "3");
	CHECK("cd", .from = "3", .to = "5");
	CHECK("", .from = "5", .to = "5");
	CHECK("", .from = "5", .to = "3");
	CHECK("gh", .from = "1970-01-01T00:16:47Z"); /* 1007 s */
}

static void reasons(void **state)
{
	struct kt_cfg cfg = { .by_reason = true };

	(void)state;
	CHECK("h", .cfg = &cfg);
	cfg.reasons[1][0x72 / 64] |= 1ull << 0x72 % 64;
	CHECK("ah", .cfg = &cfg);
	cfg.reasons[0][0] |= 1ull << 10;
	CHECK("ach", .cfg = &cfg);
	/* 0x403 and 0x400 are the 260th and the 257th: of the fault, the exit that led to it */
	cfg.reasons[1][4] |= 1ull << 3 | 1ull << 0;
	CHECK("acdgh", .cfg = &cfg);
	cfg.reasons[1][0x7c / 64] |= 1ull << 0x7c % 64;
	CHECK("acdfgh", .cfg = &cfg);
	cfg = (struct kt_cfg) { .vectors = 1u << 13 };
	CHECK("fh", .cfg = &cfg, .by_vector = true);
	cfg.vectors = 1u << 14;
	CHECK("h", .cfg = &cfg, .by_vector = true);
}

static void mistakes(void **state)
{
	const struct kt_replay_filter filters_of[] = {
		{ .from = "x" },
		{ .to = "25:00" },
		{ .where = "nosuch == 1" },
	};
	struct file file;

	(void)state;
	make(&file);
	for (size_t i = 0; i < KT_ARRAY_SIZE(filters_of); i++) {
		struct kt_replay *r = must_replay(&file);

		assert_int_equal(kt_replay_filter(r, &filters_of[i]), KT_USAGE);
		kt_replay_close(r);
	}
	file_free(&file);
}

static void facts(void **state)
{
	const struct kt_replay_facts *f;
	struct kt_when_offset offset;
	struct kt_replay *r;
	struct file file;
	char *text;

	(void)state;
	make(&file);
	r = must_replay(&file);
	f = kt_replay_facts(r);
	assert_true(f->ended);
	assert_int_equal(f->unpaired_entries, 4);
	assert_int_equal(f->threads_unknown, 6);
	assert_int_equal(f->missed, 7);
	assert_int_equal(f->vcpu_capacity, 8);
	assert_int_equal(kt_replay_begin(r), 99 * SECOND);
	assert_int_equal(kt_replay_end(r), 110 * SECOND);
	offset = kt_replay_offset(r, 105 * SECOND);
	assert_int_equal(offset.ns, 901 * SECOND);
	assert_true(kt_replay_has(r, "exits"));
	assert_false(kt_replay_has(r, "exceptions"));
	text = kt_replay_about(r, "kvmtrace", "version", NULL);
	assert_string_equal(text, "9.8");
	free(text);
	assert_null(kt_replay_about(r, "kvmtrace", "events", "x"));
	assert_null(kt_replay_about(r, "nosuch", "version", NULL));
	assert_true(kt_replay_missing(r).complete);
	kt_replay_close(r);
	file_free(&file);
}

/* Facts that are none: nothing is known then, and everything is recorded. */
static void hostile_facts(void **state)
{
	static const char *const texts[] = { "",
					     "[",
					     "[]",
					     "{\"end_ns\":-1}",
					     "{\"end_ns\":\"x\"}",
					     "{\"begin_ns\":5,\"end_ns\":4}" };
	struct kt_replay *r;
	struct file file;

	(void)state;
	for (size_t i = 0; i < KT_ARRAY_SIZE(texts); i++) {
		file_begin(&file);
		add_text(&file, "end", texts[i]);
		add_text(&file, "kvmtrace", texts[i]);
		add_text(&file, "vm.1.1", texts[i]);
		add_exit(&file, head_at(7, 1, 0), SVM, 0x72, 5);
		add_exit(&file, head_at(9, 1, 0), SVM, 0x72, 5);
		file_end(&file);
		r = must_replay(&file);
		assert_false(kt_replay_facts(r)->ended);
		assert_int_equal(kt_replay_facts(r)->missed, 0);
		assert_int_equal(kt_replay_begin(r), 7);
		assert_true(kt_replay_has(r, "exits"));
		kt_replay_close(r);
		file_free(&file);
	}
}

static void of_which_vm(void **state)
{
	static const char *const names[] = { "web-1", "win11", "win11", "web-2",
					     "web-2", "win11", "pid:42" };
	struct kt_replay_event e;
	struct kt_replay *r;
	struct file file;

	(void)state;
	make(&file);
	r = must_replay(&file);
	for (size_t i = 0; i < KT_ARRAY_SIZE(names); i++) {
		assert_int_equal(kt_replay_next(r, &e), 1);
		assert_string_equal(e.vm->name, names[i]);
	}
	kt_replay_close(r);
	file_free(&file);
}

/* ---- order ---- */

/* Ends at each thousand, and is written then; the first of each begins long before. */
static void make_late(struct file *file, u32 count, u64 late)
{
	file_begin(file);
	for (u32 i = 1; i <= count; i++) {
		u64 ts = SECOND + i * 1000;

		/* a block a second at most: here all that is due */
		if (i % 100 == 0) {
			assert_int_equal(kt_writer_flush(file->w), 0);
			add_exit(file, head_at(ts - late, 1, 0), SVM, 0x78, late);
		} else {
			add_exit(file, head_at(ts - 10, 1, 0), SVM, 0x72, 10);
		}
	}
	file_end(file);
}

static void check_order(enum kt_order_by by, u32 count, u64 late, u64 expected)
{
	struct kt_ordered next;
	struct kt_replay *r;
	struct kt_order *o;
	struct file file;
	u64 last = 0, disorder = 0;
	u32 seen = 0;

	make_late(&file, count, late);
	r = must_replay(&file);
	o = kt_order_new(r, by);
	while (kt_order_next(o, &next) == 1) {
		const struct kt_row_exit *row = (const struct kt_row_exit *)next.event.head;

		assert_int_equal(next.event.kind, KT_ROW_EXIT);
		assert_int_equal(next.when, by == KT_ORDER_BY_TS ? row->head.ts
								 : row->head.ts + row->duration);
		assert_null(next.extra);
		disorder += next.when < last;
		last = next.when;
		seen++;
	}
	assert_int_equal(seen, count);
	assert_int_equal(disorder, expected);
	kt_order_free(o);
	kt_replay_close(r);
	file_free(&file);
}

static void in_order(void **state)
{
	(void)state;
	check_order(KT_ORDER_BY_TS, 1000, 50000, 0);
	check_order(KT_ORDER_BY_TS, 100000, 5000000, 0);
	check_order(KT_ORDER_BY_END, 1000, 50000, 0);
	check_order(KT_ORDER_BY_END, 100000, 5000000, 0);
	check_order(KT_ORDER_BY_TS, 0, 0, 0);
	check_order(KT_ORDER_BY_TS, 1, 500, 0);
}

/* One that comes 90,000 events late stands where it turned up, and none is left out. */
static void too_late(void **state)
{
	struct kt_ordered next;
	struct kt_replay *r;
	struct kt_order *o;
	struct file file;
	u32 seen = 0, at = 0;

	(void)state;
	file_begin(&file);
	for (u32 i = 1; i <= 90000; i++)
		add_exit(&file, head_at(i * 1000, 1, 0), SVM, 0x72, 10);
	assert_int_equal(kt_writer_flush(file.w), 0);
	add_exit(&file, head_at(5, 1, 0), SVM, 0x78, 90000000);
	file_end(&file);
	r = must_replay(&file);
	o = kt_order_new(r, KT_ORDER_BY_TS);
	while (kt_order_next(o, &next) == 1) {
		seen++;
		if (next.when == 5)
			at = seen;
	}
	assert_int_equal(seen, 90001);
	assert_in_range(at, 90001 - 65536, 90001 - 65536 + 8192);
	kt_order_free(o);
	kt_replay_close(r);
	file_free(&file);
}

/* Exits that never ended come last, also when sorted by their end. */
static void without_end(void **state)
{
	struct kt_row_exit open = { .head = head_at(3, 1, 0), .reason = 0x78, .end = KT_END_OPEN };
	struct kt_ordered next;
	struct kt_replay *r;
	struct kt_order *o;
	struct file file;

	(void)state;
	file_begin(&file);
	add_row(&file, KT_ROW_EXIT, &open);
	add_exit(&file, head_at(4, 1, 0), SVM, 0x72, ~0ull); /* its end is none either */
	add_exit(&file, head_at(5, 1, 0), SVM, 0x72, 6);
	file_end(&file);
	r = must_replay(&file);
	o = kt_order_new(r, KT_ORDER_BY_END);
	assert_int_equal(kt_order_next(o, &next), 1);
	assert_int_equal(next.when, 11);
	assert_int_equal(kt_order_next(o, &next), 1);
	assert_true(next.when == ~0ull && next.event.head->ts == 3);
	assert_int_equal(kt_order_next(o, &next), 1);
	assert_true(next.when == ~0ull && next.event.head->ts == 4);
	assert_int_equal(kt_order_next(o, &next), 0);
	kt_order_free(o);
	kt_replay_close(r);
	file_free(&file);
}

/* ---- later versions ---- */

struct later_row {
	struct kt_row_common head;
	u64 depth;
	s64 drift;
	u8 tag[4]; /* bytes: 3 at most */
};

#define FIELD(a_name, a_type, a_base, at, ...)                                                     \
	{                                                                                          \
		.name = a_name, .meaning = "", .unit = "", .text = "", .type = a_type,             \
		.base = a_base, .offset = at, __VA_ARGS__                                          \
	}

static const struct kt_store_field head_fields[] = {
	FIELD("ts", KT_STORE_U64, KT_STORE_DEC, offsetof(struct later_row, head.ts)),
	FIELD("cpu", KT_STORE_U32, KT_STORE_DEC, offsetof(struct later_row, head.cpu)),
	FIELD("tgid", KT_STORE_U32, KT_STORE_DEC, offsetof(struct later_row, head.tgid)),
	FIELD("vcpu_id", KT_STORE_U32, KT_STORE_DEC, offsetof(struct later_row, head.vcpu_id)),
};
static const struct kt_store_field new_fields[] = {
	FIELD("depth", KT_STORE_U64, KT_STORE_HEX, offsetof(struct later_row, depth)),
	FIELD("drift", KT_STORE_S64, KT_STORE_DEC, offsetof(struct later_row, drift)),
	FIELD("tag", KT_STORE_BYTES, KT_STORE_HEX, offsetof(struct later_row, tag), .size = 3),
};
static const struct kt_store_field hlt_fields[] = {
	FIELD("nr", KT_STORE_U64, KT_STORE_DEC, offsetof(struct later_row, depth)),
	FIELD("drift", KT_STORE_S64, KT_STORE_DEC, offsetof(struct later_row, drift)),
};
static const struct kt_store_kind later_kinds[] = {
	{ "common", "", head_fields, 4, 0, sizeof(struct kt_row_common) },
	{ "sleep", "", new_fields, 3, 1, sizeof(struct later_row) },
	{ "hypercall", "", hlt_fields, 2, 2, sizeof(struct later_row) },
};
static const struct kt_store_schema later = { later_kinds, 3 };

static void what_is_new(void **state)
{
	const struct later_row row = {
		.head = head_at(50, 40, 1), .depth = 0x20, .drift = -3, .tag = { 2, 0xab, 0xcd }
	};
	struct kt_ordered next;
	struct kt_replay *r;
	struct kt_order *o;
	struct file file;

	(void)state;
	file_begin_as(&file, &later);
	add_row(&file, 1, &row);
	add_row(&file, 2, &row);
	file_end(&file);
	r = must_replay(&file);
	assert_int_equal(kt_replay_filter(r, &(struct kt_replay_filter) { .where = "drift < 0" }),
			 KT_OK);
	o = kt_order_new(r, KT_ORDER_BY_TS);
	assert_int_equal(kt_order_next(o, &next), 1);
	assert_int_equal(next.event.kind, 0);
	assert_int_equal(next.event.head->ts, 50);
	assert_int_equal(next.event.head->cpu, 3);
	assert_int_equal(next.event.head->tgid, 40);
	assert_int_equal(next.event.head->tid, 0);
	assert_int_equal(next.event.head->vcpu_id, 1);
	assert_string_equal(next.event.vm->name, "pid:40");
	assert_true(next.extra->unknown);
	assert_string_equal(next.extra->kind->name, "sleep");
	assert_int_equal(next.extra->count, 3);
	assert_int_equal(next.extra->fields[0].value, 0x20);
	assert_true((s64)next.extra->fields[1].value == -3);
	assert_int_equal(next.extra->fields[2].value, 2);
	assert_memory_equal(next.extra->fields[2].bytes, "\xab\xcd", 2);
	assert_int_equal(kt_order_next(o, &next), 1);
	assert_int_equal(next.event.kind, KT_ROW_HYPERCALL);
	assert_int_equal(((const struct kt_row_hypercall *)next.event.head)->nr, 0x20);
	assert_false(next.extra->unknown);
	assert_int_equal(next.extra->count, 1);
	assert_string_equal(next.extra->fields[0].field->name, "drift");
	kt_order_free(o);
	kt_replay_close(r);
	file_free(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(filters),     cmocka_unit_test(times),
		cmocka_unit_test(reasons),     cmocka_unit_test(mistakes),
		cmocka_unit_test(facts),       cmocka_unit_test(hostile_facts),
		cmocka_unit_test(of_which_vm), cmocka_unit_test(in_order),
		cmocka_unit_test(too_late),    cmocka_unit_test(without_end),
		cmocka_unit_test(what_is_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
