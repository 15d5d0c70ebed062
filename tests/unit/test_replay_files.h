/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Captures opened as kvmtrace report does it. Include after cmocka.h. */
#ifndef KT_TEST_REPLAY_FILES_H
#define KT_TEST_REPLAY_FILES_H

#include <stdio.h>

#include "../../bpf/shared/event.h"
#include "../../user/replay/order.h"
#include "test_store_files.h"

#define SECOND 1000000000ull
#define VMX    1
#define SVM    2

/* A file without a name has a path all the same. */
static inline struct kt_replay *must_replay(const struct file *file)
{
	struct kt_replay *r = NULL;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", file->fd);
	assert_int_equal(kt_replay_open(&r, path), KT_OK);
	return r;
}

static inline void add_row(struct file *file, u32 kind, const void *row)
{
	assert_int_equal(kt_writer_add(file->w, kind, row), 0);
}

static inline struct kt_row_common head_at(u64 ts, u32 tgid, u32 vcpu)
{
	return (struct kt_row_common) {
		.ts = ts, .cpu = 3, .tgid = tgid, .tid = tgid + 1 + vcpu, .vcpu_id = vcpu
	};
}

static inline void add_exit(struct file *file, struct kt_row_common head, u32 isa, u32 reason,
			    u64 duration)
{
	const struct kt_row_exit row = {
		.head = head, .reason = reason, .isa = (u8)isa, .duration = duration
	};

	add_row(file, KT_ROW_EXIT, &row);
}

static inline void add_exception(struct file *file, struct kt_row_common head, u8 vector)
{
	const struct kt_row_exception row = { .head = head,
					      .vector = vector,
					      .flags = KT_EXC_EXIT,
					      .exit_isa = SVM,
					      .exit_reason = 0x7c };

	add_row(file, KT_ROW_EXCEPTION, &row);
}

static inline void add_text(struct file *file, const char *name, const char *text)
{
	assert_int_equal(kt_writer_add_fact(file->w, name, text, strlen(text)), 0);
}

#endif
