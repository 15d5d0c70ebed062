/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* user/store: what is written is read, event for event. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "test_store_files.h"

#define HEAD(when)                                                                                 \
	{                                                                                          \
		.ts = when, .cpu = 3, .tgid = 4711, .tid = 4720, .vcpu_id = 1                      \
	}

static const struct kt_row_exit exit_row = { .head = HEAD(1001),
					     .reason = 0x400,
					     .isa = 2,
					     .rip = 0xffffffff8104f2a0,
					     .info1 = 0x100000006,
					     .info2 = 0xfee00300,
					     .intr_info = 0x80000b0d,
					     .error_code = 0xffffffff,
					     .duration = 1512,
					     .end = 1 };
static const struct kt_row_exception exception_row = { .head = HEAD(1002),
						       .vector = 13,
						       .flags = 0x31,
						       .error_code = 0x10,
						       .address = 0x40000000,
						       .rip = 0x201100,
						       .exit_reason = 0x7c,
						       .exit_isa = 2,
						       .exit_info1 = 1,
						       .exit_info2 = 2,
						       .exit_intr_info = 0x80000b0e,
						       .detail = 0x43,
						       .number = 0xc0011020,
						       .value = 0x1122334455667788,
						       .insn = { 2, { 0x0f, 0x30 } } };
static const struct kt_row_fault fault_row = { .head = HEAD(1003),
					       .address = 0xd0000000,
					       .error_code = 0x100000007,
					       .rip = 0x7ff61a2b3c4d,
					       .duration = 3141,
					       .exit_reason = 48,
					       .exit_isa = 1,
					       .flags = 1 };
static const struct kt_row_msr msr_row = { HEAD(1004), 0xc0000080, 0xd01, 1, 1 };
static const struct kt_row_pio pio_row = { HEAD(1005), 0x3f8, 1, 1, 16, 'A' };
static const struct kt_row_mmio mmio_row = { HEAD(1006), 0xfee000b0, ~0ull, 4, 2 };
static const struct kt_row_cr cr_row = { HEAD(1007), 4, 1, 0x3506f0 };
static const struct kt_row_cpuid cpuid_row = { HEAD(1008), 0x40000000, 7, 0x40000001, 0x4b4d564b,
					       0x564b4d56, 0x4d,       1, 1 };
static const struct kt_row_hypercall hypercall_row = { HEAD(1009), 5, 1, 2, 3, 4 };
static const struct kt_row_emulate emulate_row = {
	HEAD(1010), 0xfff0, 0xffff0000,
	3,	    1,	    { 15, { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 } }
};
static const struct kt_row_inject_irq irq_row = { HEAD(1011), 0xec, 0, 1 };
static const struct kt_row_userspace_exit user_row = {
	HEAD(1012), 17, -4, 3, 5, 1, 2, 3, 4, ~0ull, { 1, { 0xf4 } }
};
static const struct kt_row_halt_poll halt_poll_row = { HEAD(1013), 200000, 100000, 1 };
static const struct kt_row_wakeup wakeup_row = { HEAD(1014), 987654321, 1, 1 };
static const struct kt_row_lost lost_row = { HEAD(1015), 900, 12345678901, 2 };

struct row {
	u32 kind;
	const void *row;
	size_t size;
};

#define ROW(kind, row)                                                                             \
	{                                                                                          \
		KT_ROW_##kind, &row, sizeof(row)                                                   \
	}

static const struct row rows[] = {
	ROW(EXIT, exit_row),
	ROW(EXCEPTION, exception_row),
	ROW(FAULT, fault_row),
	ROW(MSR, msr_row),
	ROW(PIO, pio_row),
	ROW(MMIO, mmio_row),
	ROW(CR, cr_row),
	ROW(CPUID, cpuid_row),
	ROW(HYPERCALL, hypercall_row),
	ROW(EMULATE, emulate_row),
	ROW(INJECT_IRQ, irq_row),
	ROW(USERSPACE_EXIT, user_row),
	ROW(HALT_POLL, halt_poll_row),
	ROW(WAKEUP, wakeup_row),
	ROW(LOST, lost_row),
};

static void read_every_kind(struct kt_reader *r, u32 times)
{
	struct kt_event event;
	u32 i, round;

	for (round = 0; round < times; round++) {
		for (i = 0; i < KT_ARRAY_SIZE(rows); i++) {
			assert_int_equal(kt_reader_next(r, &event), 1);
			assert_int_equal(event.kind, rows[i].kind);
			assert_int_equal(event.ts, 1001 + i);
			assert_memory_equal(event.row, rows[i].row, rows[i].size);
		}
	}
	assert_int_equal(kt_reader_next(r, &event), 0);
	assert_int_equal(kt_reader_next(r, &event), 0);
	assert_true(kt_reader_intact(r));
	assert_int_equal(kt_reader_stats(r)->total, 15 * times);
	assert_int_equal(kt_reader_stats(r)->lost, 12345678901 * times);
	assert_int_equal(kt_reader_stats(r)->total_lost, 12345678901 * times);
}

static void every_kind_comes_back(void **test)
{
	struct kt_reader *r;
	struct file file;
	u32 i, round;

	(void)test;
	assert_int_equal(KT_ROW_COUNT, 1 + KT_ARRAY_SIZE(rows));
	file_begin(&file);
	for (round = 0; round < 3; round++) {
		for (i = 0; i < KT_ARRAY_SIZE(rows); i++)
			assert_int_equal(kt_writer_add(file.w, rows[i].kind, rows[i].row), 0);
		assert_int_equal(kt_writer_flush(file.w), 0);
	}
	file_end(&file);
	r = must_open(file.bytes, file.n);
	read_every_kind(r, 3);
	assert_int_equal(kt_reader_stats(r)->blocks, 3);
	kt_reader_close(r);
	file_free(&file);
}

/* What the file says of itself, typed from the list in kvmtrace-capture(5). */
static void the_schema_travels(void **test)
{
	static const char *const kinds[] = {
		"common",	  "exit",      "exception", "fault",	 "msr",	    "pio",
		"mmio",		  "cr",	       "cpuid",	    "hypercall", "emulate", "inject_irq",
		"userspace_exit", "halt_poll", "wakeup",    "lost"
	};
	static const char *const exits[] = { "reason",	   "isa",      "rip",
					     "info1",	   "info2",    "intr_info",
					     "error_code", "duration", "end" };
	const struct kt_store_schema *schema;
	const struct kt_store_kind *kind;
	struct kt_reader *r;
	struct file file;
	u32 i;

	(void)test;
	file_begin(&file);
	file_end(&file);
	r = must_open(file.bytes, file.n);
	schema = kt_reader_schema(r);
	assert_int_equal(schema->count, KT_ARRAY_SIZE(kinds));
	for (i = 0; i < KT_ARRAY_SIZE(kinds); i++)
		assert_string_equal(schema->kinds[i].name, kinds[i]);
	kind = &schema->kinds[1];
	assert_int_equal(kind->field_count, KT_ARRAY_SIZE(exits));
	for (i = 0; i < KT_ARRAY_SIZE(exits); i++)
		assert_string_equal(kind->fields[i].name, exits[i]);
	assert_string_equal(kind->fields[0].meaning, "exit-reason");
	assert_int_equal(kind->fields[0].base, 1);
	assert_int_equal(kind->fields[0].type, 3);
	assert_string_equal(kind->fields[7].unit, "ns");
	assert_string_equal(kind->fields[7].text, "until the next entry; 0: not known");
	assert_int_equal(kind->fields[7].base, 0);
	assert_int_equal(kind->fields[7].type, 4);
	kt_reader_close(r);
	file_free(&file);
}

/* ---- many ---- */

#define MANY 20000

static u64 state = 1;

static u64 noise(void)
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return state >> 20;
}

/* row is all zeros: rows are compared byte by byte. */
static void some_exit(struct kt_row_exit *row, u32 i)
{
	static const u64 rips[] = { 0xffffffff8104f2a0, 0x7ff612345678, 0x1000 };

	row->head.ts = 5000000000ull + i * 2000 + noise() % 1000;
	row->head.cpu = (u32)noise() % 4;
	row->head.tgid = 4711;
	row->head.tid = 4720 + (u32)noise() % 4;
	row->reason = 0x7b;
	row->rip = rips[noise() % 3];
	row->info1 = noise() << 20 ^ noise();
	row->duration = noise() % 100 ? 1500 + noise() % 300 : noise();
}

static void many_come_back_by_each_way(void **test)
{
	struct kt_row_exit *want = calloc(MANY, sizeof(*want));
	const struct kt_block *block;
	struct kt_event event;
	struct kt_reader *r;
	struct file file;
	u32 i, at = 0;

	(void)test;
	file_begin(&file);
	for (i = 0; i < MANY; i++) {
		some_exit(&want[i], i);
		assert_int_equal(kt_writer_add(file.w, KT_ROW_EXIT, &want[i]), 0);
		if (i % 3 == 0)
			kt_writer_add(file.w, KT_ROW_MSR,
				      &(struct kt_row_msr) { want[i].head, i, i, 0, 0 });
	}
	file_end(&file);
	r = must_open(file.bytes, file.n);
	while (kt_reader_next(r, &event) == 1) {
		if (event.kind == KT_ROW_EXIT)
			assert_memory_equal(event.row, &want[at], sizeof(*want));
		else
			assert_int_equal(((const struct kt_row_msr *)event.row)->index, at - 1);
		at += event.kind == KT_ROW_EXIT;
	}
	assert_int_equal(at, MANY);
	assert_int_equal(kt_reader_seek(r, 0), 0);
	for (at = 0; kt_reader_next_block(r, &block) == 1;) {
		const struct kt_group *exits = &block->groups[0];

		assert_int_equal(block->group_count, 2);
		assert_string_equal(exits->kind->name, "exit");
		assert_string_equal(exits->kind->fields[3].name, "info1");
		for (i = 0; i < exits->rows; i++, at++)
			assert_int_equal(exits->columns[3][i], want[at].info1);
	}
	assert_int_equal(at, MANY);
	assert_true(kt_reader_intact(r));
	assert_int_equal(kt_reader_stats(r)->blocks, 4);
	kt_reader_close(r);
	file_free(&file);
	free(want);
}

static void events_of_a_block_are_put_in_order(void **test)
{
	static const u64 came[] = { 500, 100, 300, 300, ~0ull, 0 };
	static const u64 order[] = { 0, 100, 300, 300, 500, ~0ull };
	static const u32 cpus[] = { 5, 1, 2, 3, 0, 4 };
	struct kt_row_msr row = {};
	struct kt_event event;
	struct kt_reader *r;
	struct file file;
	u32 i;

	(void)test;
	file_begin(&file);
	for (i = 0; i < KT_ARRAY_SIZE(came); i++) {
		row.head.ts = came[i];
		row.head.cpu = i;
		assert_int_equal(kt_writer_add(file.w, KT_ROW_MSR, &row), 0);
	}
	file_end(&file);
	r = must_open(file.bytes, file.n);
	for (i = 0; i < KT_ARRAY_SIZE(order); i++) {
		assert_int_equal(kt_reader_next(r, &event), 1);
		assert_int_equal(event.ts, order[i]);
		assert_int_equal(((const struct kt_row_msr *)event.row)->head.cpu, cpus[i]);
	}
	kt_reader_close(r);
	file_free(&file);
}

static void extreme_values_come_back(void **test)
{
	static const s64 errors[] = { 0, -1, 1, INT64_MIN, INT64_MAX, -1, 0 };
	struct kt_row_userspace_exit row = {};
	struct kt_event event;
	struct kt_reader *r;
	struct file file;
	u32 i;

	(void)test;
	file_begin(&file);
	for (i = 0; i < KT_ARRAY_SIZE(errors); i++) {
		row.error = errors[i];
		row.data0 = i % 2 ? ~0ull : 0;
		row.insn.size = i % 2 ? 15 : 0;
		memset(row.insn.bytes, i % 2 ? 0xff : 0, 15);
		assert_int_equal(kt_writer_add(file.w, KT_ROW_USERSPACE_EXIT, &row), 0);
	}
	file_end(&file);
	r = must_open(file.bytes, file.n);
	for (i = 0; i < KT_ARRAY_SIZE(errors); i++) {
		const struct kt_row_userspace_exit *have;

		assert_int_equal(kt_reader_next(r, &event), 1);
		have = event.row;
		assert_true(have->error == errors[i]);
		assert_true(have->data0 == (i % 2 ? ~0ull : 0));
		assert_int_equal(have->insn.size, i % 2 ? 15 : 0);
		assert_int_equal(have->insn.bytes[14], i % 2 ? 0xff : 0);
	}
	kt_reader_close(r);
	file_free(&file);
}

/* ---- size ---- */

#define BLOCK 8192

static u64 add_blocks(struct file *file, u32 blocks, u64 (*value)(u32 i))
{
	u64 before = kt_writer_stats(file->w).bytes;
	struct kt_row_msr row = { .head = { .cpu = 1 } };
	u32 i;

	for (i = 0; i < blocks * BLOCK; i++) {
		row.head.ts += 1000;
		row.value = value(i);
		assert_int_equal(kt_writer_add(file->w, KT_ROW_MSR, &row), 0);
	}
	assert_int_equal(kt_writer_flush(file->w), 0);
	return kt_writer_stats(file->w).bytes - before;
}

static u64 any_value(u32 i)
{
	return i * 0 + (noise() << 32 ^ noise());
}

static u64 value_that_returns(u32 i)
{
	return i % 1000 * 0x123456789abcdull;
}

/* zstd is left alone where it doesn't pay, but not for good. */
static void what_can_be_compressed_is(void **test)
{
	struct kt_event event;
	struct kt_reader *r;
	struct file file;
	u32 i;

	(void)test;
	file_begin(&file);
	assert_true(add_blocks(&file, 20, any_value) >= 20 * BLOCK * 8);
	/* 8 bytes a value, until it is tried again. */
	add_blocks(&file, 16, value_that_returns);
	assert_true(add_blocks(&file, 16, value_that_returns) < 16 * BLOCK * 1);
	file_end(&file);
	r = must_open(file.bytes, file.n);
	for (i = 0; kt_reader_next(r, &event) == 1; i++) {
		if (i >= 20 * BLOCK)
			assert_int_equal(((const struct kt_row_msr *)event.row)->value,
					 (i - 20 * BLOCK) % (16 * BLOCK) % 1000 * 0x123456789abcd);
	}
	assert_int_equal(i, 52 * BLOCK);
	kt_reader_close(r);
	file_free(&file);
}

static void a_steady_guest_takes_little(void **test)
{
	static const u64 rips[] = { 0x401136, 0x401151, 0xffffffff81060b1c };
	struct kt_row_exit row = { .head = { 5000000000, 3, 4711, 4720, 0 },
				   .reason = 0x72,
				   .isa = 2 };
	struct file file;
	u32 i;

	(void)test;
	file_begin(&file);
	for (i = 0; i < 100000; i++) {
		row.rip = rips[noise() % 3];
		row.duration = 1400 + noise() % 300;
		kt_writer_add(file.w, KT_ROW_EXIT, &row);
		row.head.ts += row.duration + 500 + noise() % 200;
	}
	file_end(&file);
	assert_in_range(file.n, 100000, 300000);
	file_free(&file);
}

/* ---- what is not the rule ---- */

static void a_loss_is_an_event(void **test)
{
	const struct kt_row_lost *lost;
	struct kt_event event;
	struct kt_reader *r;
	struct file file;

	(void)test;
	file_begin(&file);
	assert_int_equal(kt_writer_add_lost(file.w, 7, 100, 200, 4321, 2), 0);
	file_end(&file);
	r = must_open(file.bytes, file.n);
	assert_int_equal(kt_reader_next(r, &event), 1);
	assert_int_equal(event.kind, KT_ROW_LOST);
	lost = event.row;
	assert_int_equal(lost->head.ts, 200);
	assert_int_equal(lost->head.cpu, 7);
	assert_int_equal(lost->head.vcpu_id, 0xffffffff);
	assert_int_equal(lost->from, 100);
	assert_int_equal(lost->count, 4321);
	assert_int_equal(lost->cause, 2);
	assert_int_equal(kt_reader_stats(r)->lost, 4321);
	kt_reader_close(r);
	file_free(&file);
}

static void wrong_kinds_are_refused_and_counted(void **test)
{
	struct file file;

	(void)test;
	file_begin(&file);
	assert_int_equal(kt_writer_add(file.w, 0, &exit_row), -EINVAL);
	assert_int_equal(kt_writer_add(file.w, KT_ROW_COUNT, &exit_row), -EINVAL);
	assert_int_equal(kt_writer_stats(file.w).dropped, 2);
	file_end(&file);
	file_free(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_comes_back),
		cmocka_unit_test(the_schema_travels),
		cmocka_unit_test(many_come_back_by_each_way),
		cmocka_unit_test(events_of_a_block_are_put_in_order),
		cmocka_unit_test(extreme_values_come_back),
		cmocka_unit_test(what_can_be_compressed_is),
		cmocka_unit_test(a_steady_guest_takes_little),
		cmocka_unit_test(a_loss_is_an_event),
		cmocka_unit_test(wrong_kinds_are_refused_and_counted),
	};

	return cmocka_run_group_tests_name("store_roundtrip", tests, NULL, NULL);
}
