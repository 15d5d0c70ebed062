/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* user/live/tracefs.c: descriptions of records, and a trace file system made of ordinary files. */
#include "fake_proc.h"
#include <fcntl.h>

#include "../../user/live/tracefs.h"

/* As 6.1 writes it. */
static const char page_fault[] =
	"name: kvm_page_fault\n"
	"ID: 1312\n"
	"format:\n"
	"\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"
	"\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n"
	"\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;\n"
	"\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n"
	"\n"
	"\tfield:unsigned int vcpu_id;\toffset:8;\tsize:4;\tsigned:0;\n"
	"\tfield:unsigned long guest_rip;\toffset:16;\tsize:8;\tsigned:0;\n"
	"\tfield:u64 fault_address;\toffset:24;\tsize:8;\tsigned:0;\n"
	"\tfield:u64 error_code;\toffset:32;\tsize:8;\tsigned:0;\n"
	"\n"
	"print fmt: \"vcpu %u rip 0x%lx address 0x%016llx error_code 0x%llx\", REC->vcpu_id, "
	"REC->guest_rip, REC->fault_address, REC->error_code\n";

static const struct {
	const char *format, *record;
} records[] = {
	{ page_fault, "vcpu_id:8:4 guest_rip:16:8 fault_address:24:8 error_code:32:8" },
	{ "", "" },
	{ "\tfield:__u8 insn[15];\toffset:21;\tsize:15;\tsigned:0;\n", "insn:21:15" },
	{ "\tfield:__data_loc char[] name;\toffset:8;\tsize:4;\tsigned:1;\n", "name:8:4" },
	{ "\tfield:const char *msg;\toffset:8;\tsize:8;\tsigned:0;\n", "msg:8:8" },
	{ "\tfield:u32 a1;\toffset:8;\tsize:4;\n\tfield:u32 b_2;\toffset:12;\tsize:4;\n",
	  "a1:8:4 b_2:12:4" },
	/* Not a word of a field, or not all of it. */
	{ "\tfield:u32 cut;\toffset:8;\tsize:4;\tsigned:0;", "" },
	{ "\tfield:u32 a;\toffset:8;\n", "" },
	{ "\tfield:u32 a\toffset:8;\tsize:4;\n", "" },
	{ "\tfield:;\toffset:8;\tsize:4;\tsigned:0;\n", "" },
	{ "\tfield:];\toffset:8;\tsize:4;\tsigned:0;\n", "" },
	{ "\tfield:u32 a*;\toffset:8;\tsize:4;\tsigned:0;\n", "" },
	{ "\tfield:u32 a;\toffset:-8;\tsize:x;\tsigned:0;\n", "" },
	{ "\tfield:u32 a;\toffset:4294967304;\tsize:4;\tsigned:0;\n", "" },
	{ "field:u32 a;\toffset:8;\tsize:4;\tsigned:0;\n", "" },
	{ "\n\n\n;\n", "" },
};

static void reads_records(void **state)
{
	char record[448];

	(void)state;
	for (size_t i = 0; i < KT_ARRAY_SIZE(records); i++) {
		/* A copy of exact size: sanitisers see a read past the end. */
		char *format = strdup(records[i].format);

		memset(record, 'x', sizeof(record));
		kt_tracefs_record(format, record, sizeof(record));
		assert_string_equal(record, records[i].record);
		free(format);
	}
}

static void fills_the_room_there_is(void **state)
{
	static const char format[] = "\tfield:u32 aa;\toffset:8;\tsize:4;\n"
				     "\tfield:u32 bb;\toffset:12;\tsize:4;\n";
	static const struct {
		size_t size;
		const char *record;
	} rooms[] = {
		{ 1, "" }, { 6, "" }, { 8, "aa:8:4" }, { 14, "aa:8:4" }, { 15, "aa:8:4 bb:12:4" },
	};

	(void)state;
	for (size_t i = 0; i < KT_ARRAY_SIZE(rooms); i++) {
		char *record = malloc(rooms[i].size);

		assert_non_null(record);
		kt_tracefs_record(format, record, rooms[i].size);
		assert_string_equal(record, rooms[i].record);
		free(record);
	}
}

/* A name that no kernel gives a field. */
static void leaves_out_monsters(void **state)
{
	char format[512] = "\tfield:u32 ", record[448];
	size_t len = strlen(format);

	(void)state;
	memset(format + len, 'n', 300);
	strcpy(format + len + 300, ";\toffset:8;\tsize:4;\n\tfield:u8 b;\toffset:12;\tsize:1;\n");
	kt_tracefs_record(format, record, sizeof(record));
	assert_string_equal(record, "b:12:1");
}

static int open_folder(void)
{
	int dir = open(proc, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(dir >= 0);
	return dir;
}

/* Sets an event's id file and asks for the number. */
static int id_of(int dir, const char *text)
{
	put(proc, "events/kvm/kvm_exit/id", text);
	return kt_tracepoint_id(dir, "kvm", "kvm_exit");
}

static void finds_numbers(void **state)
{
	int dir = open_folder();

	(void)state;
	assert_int_equal(id_of(dir, "1312\n"), 1312);
	assert_int_equal(id_of(dir, "2147483647"), 2147483647);
	assert_int_equal(id_of(dir, "0\n"), -EINVAL);
	assert_int_equal(id_of(dir, "2147483648\n"), -EINVAL);
	assert_int_equal(id_of(dir, "-1\n"), -EINVAL);
	assert_int_equal(id_of(dir, "\n"), -EINVAL);
	assert_int_equal(id_of(dir, ""), -EINVAL);
	assert_int_equal(id_of(dir, "12 13\n"), -EINVAL);
	assert_int_equal(kt_tracepoint_id(dir, "kvm", "kvm_entry"), -ENOENT);
	assert_int_equal(kt_tracepoint_id(dir, "sched", "kvm_exit"), -ENOENT);
	assert_int_equal(kt_tracepoint_id(-EACCES, "kvm", "kvm_exit"), -EACCES);
	close(dir);
}

static void reads_files(void **state)
{
	int dir = open_folder();
	char text[8];

	(void)state;
	id_of(dir, "123456789");
	assert_int_equal(kt_read_at(dir, "events/kvm/kvm_exit/id", text, sizeof(text)), 7);
	assert_string_equal(text, "1234567");
	assert_int_equal(kt_read_at(dir, "events/kvm/kvm_exit/id", text, 1), 0);
	assert_string_equal(text, "");
	memset(text, 'x', sizeof(text));
	assert_int_equal(kt_read_at(dir, "nothing", text, sizeof(text)), -ENOENT);
	assert_string_equal(text, "");
	memset(text, 'x', sizeof(text));
	assert_int_equal(kt_read_at(dir, "events", text, sizeof(text)), -EISDIR);
	assert_string_equal(text, "");
	close(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_records),       cmocka_unit_test(fills_the_room_there_is),
		cmocka_unit_test(leaves_out_monsters), cmocka_unit_test(finds_numbers),
		cmocka_unit_test(reads_files),
	};

	return cmocka_run_group_tests(tests, fake_proc_setup, fake_proc_teardown);
}
