/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "convert.h"

#define ACCESS (KT_DETAIL_MSR | KT_DETAIL_CR)

_Static_assert(KT_NO_VCPU == KT_ROW_NONE, "a vCPU that is not known has one number");
_Static_assert(sizeof(((struct kt_row_exception *)0)->insn.bytes) == KT_INSN_LEN,
	       "an instruction fits");

static struct kt_row_common row_head(const struct kt_head *head)
{
	return (struct kt_row_common) { .ts = head->ts,
					.cpu = head->cpu,
					.tgid = head->tgid,
					.tid = head->tid,
					.vcpu_id = head->vcpu_id };
}

static struct kt_head record_head(const struct kt_row_common *row, enum kt_kind kind)
{
	return (struct kt_head) { .ts = row->ts,
				  .kind = kind,
				  .cpu = row->cpu,
				  .tgid = row->tgid,
				  .tid = row->tid,
				  .vcpu_id = row->vcpu_id };
}

/* ---- exceptions ---- */

static void row_of_detail(struct kt_row_exception *row, const struct kt_exit_detail *d)
{
	row->detail = d->flags;
	if (d->flags & ACCESS) {
		row->number = d->number;
		row->value = d->value;
	}
	if (d->flags & KT_DETAIL_INSN) {
		row->insn.size = d->insn_len < KT_INSN_LEN ? d->insn_len : KT_INSN_LEN;
		memcpy(row->insn.bytes, d->insn, row->insn.size);
	}
}

void kt_row_of_exception(struct kt_row_exception *row, const struct kt_exception *e)
{
	memset(row, 0, sizeof(*row));
	row->head = row_head(&e->head);
	row->vector = e->vector;
	row->flags = e->flags;
	if (e->flags & KT_EXC_ERROR_CODE)
		row->error_code = e->error_code;
	if (e->flags & KT_EXC_ADDRESS)
		row->address = e->address;
	if (e->flags & KT_EXC_RIP)
		row->rip = e->rip;
	if (e->flags & KT_EXC_EXIT) {
		row->exit_reason = e->exit.code;
		row->exit_isa = (u8)e->exit.isa;
		row->exit_info1 = e->exit.info1;
		row->exit_info2 = e->exit.info2;
		row->exit_intr_info = e->exit.intr_info;
	}
	row_of_detail(row, &e->detail);
}

void kt_exception_of_row(struct kt_exception *e, const struct kt_row_exception *row)
{
	/* Its padding, too: records are compared as bytes. */
	memset(e, 0, sizeof(*e));
	e->head = record_head(&row->head, KT_KIND_EXCEPTION);
	e->rip = row->rip;
	e->address = row->address;
	e->error_code = row->error_code;
	e->vector = row->vector;
	e->flags = row->flags;
	e->exit.info1 = row->exit_info1;
	e->exit.info2 = row->exit_info2;
	e->exit.code = row->exit_reason;
	e->exit.isa = row->exit_isa;
	e->exit.intr_info = row->exit_intr_info;
	e->detail.value = row->value;
	e->detail.number = row->number;
	e->detail.flags = row->detail;
	e->detail.insn_len = row->insn.size < KT_INSN_LEN ? row->insn.size : KT_INSN_LEN;
	memcpy(e->detail.insn, row->insn.bytes, e->detail.insn_len);
}

/* ---- faults ---- */

void kt_row_of_fault(struct kt_row_fault *row, const struct kt_fault *f)
{
	memset(row, 0, sizeof(*row));
	row->head = row_head(&f->head);
	row->address = f->address;
	row->error_code = f->error_code;
	row->rip = f->rip;
	row->duration = f->duration;
	row->flags = (u8)f->flags;
	if (f->flags & KT_FAULT_EXIT) {
		row->exit_reason = f->exit_code;
		row->exit_isa = (u8)f->isa;
	}
}

void kt_fault_of_row(struct kt_fault *f, const struct kt_row_fault *row)
{
	memset(f, 0, sizeof(*f));
	f->head = record_head(&row->head, KT_KIND_FAULT);
	f->address = row->address;
	f->error_code = row->error_code;
	f->rip = row->rip;
	f->duration = row->duration;
	f->exit_code = row->exit_reason;
	f->isa = row->exit_isa;
	f->flags = row->flags;
}
