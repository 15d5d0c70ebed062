/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* user/store: captures of earlier versions (tests/store, never written anew: small.c there) and of later ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "test_store_files.h"

#define V1 "tests/store/v1-small.kvmtrace"

/* ---- format 1.0 ---- */

static struct kt_reader *open_v1(void)
{
	struct kt_str why = {};
	struct kt_reader *r = NULL;

	if (kt_reader_open(&r, V1, &kt_kinds, &why))
		fail_msg(V1 ": %s", why.data);
	kt_str_free(&why);
	return r;
}

static void version_1_says_what_it_is(void **test)
{
	struct kt_reader *r = open_v1();
	const struct kt_clock *clocks;
	const struct kt_fact *facts;
	u32 count;

	(void)test;
	facts = kt_reader_facts(r, &count);
	assert_int_equal(count, 2);
	assert_string_equal(facts[0].name, "kernel");
	assert_string_equal(facts[0].text, "Linux 6.1.0-26-amd64");
	assert_string_equal(facts[1].name, "vms.json");
	assert_string_equal(facts[1].text, "[{\"pid\":4711,\"name\":\"win11\"}]");
	clocks = kt_reader_clocks(r, &count);
	assert_int_equal(count, 2);
	assert_int_equal(clocks[0].monotonic, 1000000000);
	assert_int_equal(clocks[0].realtime, 1795381200000000000);
	assert_int_equal(clocks[1].monotonic, 2500000000);
	assert_int_equal(clocks[1].realtime, 1795381201500000123);
	assert_int_equal(kt_reader_schema(r)->count, 16);
	kt_reader_close(r);
}

static void check_exit(const struct kt_row_exit *e, u32 i)
{
	bool io = i % 4 == 3;

	assert_int_equal(e->head.ts, 2000000000 + i * 3500 + i % 7 * 10);
	assert_int_equal(e->head.cpu, 2 + i % 2);
	assert_int_equal(e->head.tgid, 4711);
	assert_int_equal(e->head.tid, 4720 + i % 2);
	assert_int_equal(e->head.vcpu_id, i % 2);
	assert_int_equal(e->reason, io ? 0x7b : 0x72);
	assert_int_equal(e->isa, 2);
	assert_true(e->rip == (io ? 0xffffffff8150aa42 : 0xffffffff81060b1c));
	assert_int_equal(e->info1, io ? 0x3f80210 : 0);
	assert_int_equal(e->info2, 0);
	assert_int_equal(e->intr_info, 0);
	assert_int_equal(e->error_code, 0);
	assert_int_equal(e->duration, i == 20 ? 1234567 : i == 39 ? 0 : 1400 + i * 5);
	assert_int_equal(e->end, i == 39);
}

static void check_exception(const struct kt_row_exception *x)
{
	static const u8 rdmsr[] = { 0x0f, 0x32 };

	assert_int_equal(x->head.ts, 2000150000);
	assert_int_equal(x->head.vcpu_id, 1);
	assert_int_equal(x->vector, 13);
	assert_int_equal(x->flags, 0x31);
	assert_int_equal(x->rip, 0x201100);
	assert_int_equal(x->exit_reason, 0x7c);
	assert_int_equal(x->detail, 1);
	assert_int_equal(x->number, 0xdead);
	assert_int_equal(x->insn.size, 2);
	assert_memory_equal(x->insn.bytes, rdmsr, 2);
}

static void check_fault(const struct kt_row_fault *f)
{
	assert_int_equal(f->head.ts, 2000160000);
	assert_int_equal(f->address, 0xd0000000);
	assert_int_equal(f->error_code, 0x100000006);
	assert_int_equal(f->rip, 0x7ff61a2b3c4d);
	assert_int_equal(f->duration, 3141);
	assert_int_equal(f->exit_reason, 0x400);
	assert_int_equal(f->exit_isa, 2);
	assert_int_equal(f->flags, 1);
}

static void check_rest(const struct kt_event *lost, const struct kt_event *user)
{
	const struct kt_row_lost *l = lost->row;
	const struct kt_row_userspace_exit *u = user->row;

	assert_int_equal(lost->kind, KT_ROW_LOST);
	assert_int_equal(lost->ts, 2600000000);
	assert_int_equal(l->head.cpu, 3);
	assert_int_equal(l->head.vcpu_id, 0xffffffff);
	assert_int_equal(l->from, 2000160000);
	assert_int_equal(l->count, 77);
	assert_int_equal(l->cause, 1);
	assert_int_equal(user->kind, KT_ROW_USERSPACE_EXIT);
	assert_int_equal(user->ts, 2600000100);
	assert_int_equal(u->reason, 17);
	assert_int_equal(u->error, -4);
	assert_int_equal(u->suberror, 1);
	assert_int_equal(u->ndata, 2);
	assert_int_equal(u->data0, 0x11);
	assert_true(u->data1 == 0xffffffffffffffff);
	assert_int_equal(u->insn.size, 15);
	assert_int_equal(u->insn.bytes[0], 0xf0);
	assert_int_equal(u->insn.bytes[14], 14);
}

/* Rows stay only while their block does: these two are of the same one. */
static void version_1_has_its_events(void **test)
{
	struct kt_reader *r = open_v1();
	struct kt_event event, next;
	u32 i;

	(void)test;
	for (i = 0; i < 40; i++) {
		assert_int_equal(kt_reader_next(r, &event), 1);
		assert_int_equal(event.kind, KT_ROW_EXIT);
		check_exit(event.row, i);
	}
	assert_int_equal(kt_reader_next(r, &event), 1);
	assert_int_equal(event.kind, KT_ROW_EXCEPTION);
	check_exception(event.row);
	assert_int_equal(kt_reader_next(r, &event), 1);
	assert_int_equal(event.kind, KT_ROW_FAULT);
	check_fault(event.row);
	assert_int_equal(kt_reader_next(r, &event), 1);
	assert_int_equal(kt_reader_next(r, &next), 1);
	check_rest(&event, &next);
	assert_int_equal(kt_reader_next(r, &event), 0);
	assert_true(kt_reader_intact(r));
	assert_int_equal(kt_reader_stats(r)->events, 44);
	assert_int_equal(kt_reader_stats(r)->total, 44);
	assert_int_equal(kt_reader_stats(r)->lost, 77);
	kt_reader_close(r);
}

/* ---- later versions ---- */

/* Another order, a kind and fields more, some less, and some of other types. */
struct later_common {
	u64 ts;
	u64 node;
	u32 tid, cpu;
};

struct later_quantum {
	struct later_common head;
	s64 spin;
};

struct later_msr {
	struct later_common head;
	u32 index;
	u8 write, failed;
	u64 value;
};

struct later_exit {
	struct later_common head;
	u64 reason;    /* was u32: ours cannot hold it */
	u16 isa;       /* was u8 */
	u8 error_code; /* was u32: ours can */
	u64 rip;
	u8 colour[4]; /* bytes: 3 at most */
	s64 duration; /* was u64 */
};

#define FIELD(of, field, a_type, ...)                                                              \
	{                                                                                          \
		.name = #field, .meaning = "new-" #field, .unit = "", .text = "", .type = a_type,  \
		.offset = offsetof(struct of, field), __VA_ARGS__                                  \
	}

static const struct kt_store_field common_fields[] = {
	FIELD(later_common, ts, KT_STORE_U64),
	FIELD(later_common, node, KT_STORE_U64),
	FIELD(later_common, tid, KT_STORE_U32),
	FIELD(later_common, cpu, KT_STORE_U32),
};
static const struct kt_store_field quantum_fields[] = {
	FIELD(later_quantum, spin, KT_STORE_S64),
};
static const struct kt_store_field msr_fields[] = {
	FIELD(later_msr, index, KT_STORE_U32),
	FIELD(later_msr, write, KT_STORE_U8),
	FIELD(later_msr, failed, KT_STORE_U8),
	FIELD(later_msr, value, KT_STORE_U64),
};
static const struct kt_store_field exit_fields[] = {
	FIELD(later_exit, reason, KT_STORE_U64),
	FIELD(later_exit, isa, KT_STORE_U16),
	FIELD(later_exit, error_code, KT_STORE_U8),
	FIELD(later_exit, rip, KT_STORE_U64),
	FIELD(later_exit, colour, KT_STORE_BYTES, .size = 3),
	FIELD(later_exit, duration, KT_STORE_S64),
};
static const struct kt_store_kind later_kinds[] = {
	{ "head", "", common_fields, 4, 0, sizeof(struct later_common) },
	{ "quantum", "", quantum_fields, 1, 1, sizeof(struct later_quantum) },
	{ "exit", "", exit_fields, 6, 2, sizeof(struct later_exit) },
	{ "msr", "", msr_fields, 4, 3, sizeof(struct later_msr) },
};
static const struct kt_store_schema later = { later_kinds, 4 };

static const struct later_exit later_exit_row = { { 50, 9, 4720, 3 }, 48, 2, 7, 0x1000,
						  { 2, 'o', 'k' },    -1 };
static const struct later_quantum quantum_row = { { 60, 1, 4721, 5 }, -3 };

static void write_later(struct file *file)
{
	file_begin_as(file, &later);
	assert_int_equal(kt_writer_add(file->w, 2, &later_exit_row), 0);
	assert_int_equal(kt_writer_add(file->w, 1, &quantum_row), 0);
	assert_int_equal(kt_writer_add_lost(file->w, 0, 1, 2, 3, 0), -EINVAL);
	file_end(file);
}

static void a_later_exit_has_what_fits(const struct kt_reader *r, const struct kt_event *event)
{
	const struct kt_row_exit *e = event->row;
	const struct kt_store_map *map = kt_reader_map(r, event->group->map);

	assert_int_equal(event->kind, KT_ROW_EXIT);
	assert_int_equal(e->head.ts, 50);
	assert_int_equal(e->head.cpu, 3);
	assert_int_equal(e->head.tid, 4720);
	assert_int_equal(e->head.tgid, 0);
	assert_int_equal(e->rip, 0x1000);
	assert_int_equal(e->error_code, 7);
	assert_int_equal(e->reason, 0);
	assert_int_equal(e->isa, 0);
	assert_int_equal(e->duration, 0);
	/* rip and error_code are there: fields 2 and 6 of ours. */
	assert_int_equal(map->present, 0x44);
}

static void what_we_do_not_know_is_there_still(const struct kt_event *exits,
					       const struct kt_event *quantum)
{
	const struct kt_group *group = exits->group;
	u64 bytes;

	assert_string_equal(group->kind->fields[0].name, "reason");
	assert_string_equal(group->kind->fields[0].meaning, "new-reason");
	assert_int_equal(group->columns[0][exits->index], 48);
	assert_int_equal(group->columns[1][exits->index], 2);
	bytes = group->columns[4][exits->index];
	assert_int_equal(bytes & 0xff, 2);
	assert_memory_equal(exits->block->bytes + (bytes >> 8), "ok", 2);
	assert_int_equal(quantum->kind, 0);
	assert_null(quantum->row);
	assert_string_equal(quantum->group->kind->name, "quantum");
	assert_true((s64)quantum->group->columns[0][quantum->index] == -3);
	assert_string_equal(quantum->block->common.kind->fields[1].name, "node");
	assert_int_equal(quantum->block->common.columns[1][quantum->at], 1);
}

static void unknown_kinds_and_fields_do_no_harm(void **test)
{
	struct kt_event exits, quantum, event;
	struct kt_reader *r;
	struct file file;

	(void)test;
	write_later(&file);
	r = must_open(file.bytes, file.n);
	assert_int_equal(kt_reader_next(r, &exits), 1);
	a_later_exit_has_what_fits(r, &exits);
	assert_int_equal(kt_reader_next(r, &quantum), 1);
	what_we_do_not_know_is_there_still(&exits, &quantum);
	assert_int_equal(kt_reader_next(r, &event), 0);
	assert_true(kt_reader_intact(r));
	kt_reader_close(r);
	file_free(&file);
}

/* Memory in which there were other rows before: of three MSRs, all ones. */
static void what_is_absent_is_zero(void **test)
{
	struct later_msr msr;
	struct kt_event event;
	struct kt_reader *r;
	struct file file;
	u32 i;

	(void)test;
	memset(&msr, 0xff, sizeof(msr));
	file_begin_as(&file, &later);
	for (i = 0; i < 3; i++)
		assert_int_equal(kt_writer_add(file.w, 3, &msr), 0);
	assert_int_equal(kt_writer_flush(file.w), 0);
	assert_int_equal(kt_writer_add(file.w, 2, &later_exit_row), 0);
	file_end(&file);
	r = must_open(file.bytes, file.n);
	for (i = 0; i < 3; i++) {
		assert_int_equal(kt_reader_next(r, &event), 1);
		assert_int_equal(event.kind, KT_ROW_MSR);
		assert_true(((const struct kt_row_msr *)event.row)->value == ~0ull);
	}
	assert_int_equal(kt_reader_next(r, &event), 1);
	a_later_exit_has_what_fits(r, &event);
	kt_reader_close(r);
	file_free(&file);
}

/* ---- the header ---- */

/* The CRC-32 of a file header, computed bit by bit. */
static void seal_header(u8 *p)
{
	u32 crc = ~0u, i, bit;

	for (i = 0; i < 28; i++) {
		crc ^= p[i];
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	crc = ~crc;
	for (i = 0; i < 4; i++)
		p[28 + i] = (u8)(crc >> 8 * i);
}

static void open_says(const struct file *file, size_t n, int err, const char *text)
{
	struct kt_str why = {};
	struct kt_reader *r;

	assert_int_equal(kt_reader_open_memory(&r, file->bytes, n, &kt_kinds, &why), err);
	assert_string_equal(why.data, text);
	kt_str_free(&why);
}

static void other_versions_are_told_apart(void **test)
{
	struct file file;

	(void)test;
	write_later(&file);
	file.bytes[10] = 9; /* 1.9: more of what may be skipped */
	seal_header(file.bytes);
	kt_reader_close(must_open(file.bytes, file.n));
	file.bytes[8] = 2;
	seal_header(file.bytes);
	open_says(&file, file.n, -ENOTSUP,
		  "written by a later kvmtrace (format 2.9, this one reads 1)");
	file.bytes[8] = 1;
	file.bytes[23] = 0x80; /* a feature that one must know */
	seal_header(file.bytes);
	open_says(&file, file.n, -ENOTSUP,
		  "written by a later kvmtrace (format 1.9, this one reads 1)");
	open_says(&file, 0, -EINVAL, "the file is empty");
	open_says(&file, 31, -EINVAL, "not a capture of kvmtrace");
	file.bytes[28] ^= 1;
	open_says(&file, file.n, -EBADMSG, "damaged: the file's header has a wrong checksum");
	file.bytes[0] = 'K';
	open_says(&file, file.n, -EINVAL, "not a capture of kvmtrace");
	file_free(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(version_1_says_what_it_is),
		cmocka_unit_test(version_1_has_its_events),
		cmocka_unit_test(unknown_kinds_and_fields_do_no_harm),
		cmocka_unit_test(what_is_absent_is_zero),
		cmocka_unit_test(other_versions_are_told_apart),
	};

	return cmocka_run_group_tests_name("store_versions", tests, NULL, NULL);
}
