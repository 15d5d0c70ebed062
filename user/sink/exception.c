/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <ctype.h>

#include "../decode/decode.h"
#include "../lib/memo.h"
#include "exception.h"
#include "units.h"

#define VECTOR_GP 13

/* What is known of the instruction that led to the exception. */
struct cause {
	bool exit, msr, msr_write, io, cr, insn;
	struct kt_io_access port;
	struct kt_cr_access control;
};

static struct cause cause_of(const struct kt_exception *e)
{
	const struct kt_exit_detail *d = &e->detail;
	const struct kt_exit_info *x = &e->exit;
	struct cause c = { .exit = e->flags & KT_EXC_EXIT };

	/* kvm_msr with exception=1 is KVM's own word for "this leads to #GP". */
	c.msr = d->flags & KT_DETAIL_MSR && e->vector == VECTOR_GP;
	c.msr_write = d->flags & KT_DETAIL_MSR_WRITE;
	c.io = c.exit && kt_exit_io(x->isa, x->code, x->info1, &c.port);
	c.cr = c.exit && kt_exit_cr(x->isa, x->code, x->info1, &c.control);
	/* An instruction emulated for another reason, before, is not the cause. */
	c.insn = d->flags & KT_DETAIL_INSN && d->insn_len &&
		 (!(e->flags & KT_EXC_RIP) || d->insn_rip == e->rip);
	return c;
}

/*
 * What is printed of an exception but for the time: most come in storms that differ in no more. The
 * hash is of what those of one storm differ in, when they do.
 */
static struct kt_memo_key key_of(const struct kt_exception *e, const struct kt_vm_entry *vm)
{
	size_t from = offsetof(struct kt_exception, head.tgid);

	return (struct kt_memo_key) {
		.bytes = (const char *)e + from,
		.size = sizeof(*e) - from,
		.name = vm->name,
		.number = vm->pid,
		.hash = e->rip + e->address + e->detail.msr +
			((u64)(e->vector + e->head.tid) << 32),
	};
}

/* ---- text ---- */

static void add_insn(struct kt_str *s, const struct kt_exit_detail *d, const char *between)
{
	for (u32 i = 0; i < d->insn_len && i < KT_INSN_LEN; i++) {
		if (i)
			kt_str_add(s, between);
		kt_str_add_hex_byte(s, d->insn[i]);
	}
}

static void add_msr_cause(struct kt_str *s, const struct kt_exit_detail *d, bool write)
{
	kt_str_add(s, write ? " after WRMSR " : " after RDMSR ");
	kt_str_add_hex(s, d->msr);
	kt_str_add(s, " (");
	if (!kt_msr_add(s, d->msr))
		kt_str_add(s, "unknown MSR");
	kt_str_add_char(s, ')');
	if (write) {
		kt_str_add(s, " = ");
		kt_str_add_hex(s, d->msr_value);
	}
}

static void add_io_cause(struct kt_str *s, const struct kt_io_access *io)
{
	const char *name = kt_port_name(io->port);

	kt_str_add(s, io->in ? " after IN" : " after OUT");
	kt_str_add(s, io->string ? "S port " : " port ");
	kt_str_add_hex(s, io->port);
	if (name) {
		kt_str_add(s, " (");
		kt_str_add(s, name);
		kt_str_add_char(s, ')');
	}
}

static void add_cr_cause(struct kt_str *s, const struct kt_exception *e,
			 const struct kt_cr_access *cr)
{
	kt_str_add(s, " after ");
	for (const char *c = cr->kind; *c; c++)
		kt_str_add_char(s, toupper((unsigned char)*c));
	if (cr->kind[0])
		kt_str_add_char(s, ' ');
	kt_str_add(s, cr->write ? "to CR" : "from CR");
	kt_str_add_u64(s, cr->cr);
	if (e->detail.flags & KT_DETAIL_CR && e->detail.cr == cr->cr && cr->write) {
		kt_str_add(s, " = ");
		kt_str_add_hex(s, e->detail.cr_value);
	}
}

static void add_cause(struct kt_str *s, const struct kt_exception *e)
{
	struct cause c = cause_of(e);

	if (c.msr) {
		add_msr_cause(s, &e->detail, c.msr_write);
		return;
	}
	if (c.io) {
		add_io_cause(s, &c.port);
	} else if (c.cr) {
		add_cr_cause(s, e, &c.control);
	} else if (c.exit) {
		kt_str_add(s, " after ");
		kt_exit_add(s, e->exit.isa, e->exit.code);
		if (e->exit.isa == KT_ISA_SVM && kt_exit_is_gpa_fault(e->exit.isa, e->exit.code)) {
			kt_str_add(s, " gpa=");
			kt_str_add_hex(s, e->exit.info2);
		}
	}
	if (c.insn) {
		kt_str_add(s, " insn=");
		add_insn(s, &e->detail, " ");
		if (e->detail.flags & KT_DETAIL_INSN_FAILED)
			kt_str_add(s, " (not emulated)");
	}
}

static void add_error_code(struct kt_str *s, const struct kt_exception *e)
{
	struct kt_bits bits = { .s = s };

	if (!(e->flags & KT_EXC_ERROR_CODE))
		return;
	kt_str_add(s, " error=");
	kt_str_add_hex(s, e->error_code);
	kt_error_code_names(e->vector, e->error_code, kt_bits_add, &bits);
	kt_bits_end(&bits);
}

static void add_all_but_time(struct kt_str *s, const struct kt_exception *e,
			     const struct kt_vm_entry *vm, bool colour)
{
	const char *name = kt_vector_name(e->vector);

	kt_str_add_safe(s, vm->name);
	kt_str_add(s, " vcpu");
	if (e->head.vcpu_id == KT_NO_VCPU)
		kt_str_add(s, "?");
	else
		kt_str_add_u64(s, e->head.vcpu_id);
	kt_str_add(s, " vector=");
	kt_str_add_u64(s, e->vector);
	if (colour)
		kt_str_add(s, " \033[1;31m");
	else
		kt_str_add_char(s, ' ');
	kt_str_add(s, name ? name : "?");
	if (colour)
		kt_str_add(s, "\033[0m");
	add_error_code(s, e);
	if (e->flags & KT_EXC_ADDRESS) {
		kt_str_add(s, e->flags & KT_EXC_ASYNC_PF ? " async-pf-token=" : " address=");
		kt_str_add_hex(s, e->address);
	}
	if (e->flags & KT_EXC_RIP) {
		kt_str_add(s, " rip=");
		kt_str_add_hex(s, e->rip);
	} else {
		kt_str_add(s, e->flags & KT_EXC_PROTECTED ? " rip=protected" : " rip=?");
	}
	if (e->flags & KT_EXC_REINJECTED)
		kt_str_add(s, " reinjected");
	add_cause(s, e);
	kt_str_add_char(s, '\n');
}

void kt_exception_text(struct kt_str *s, const struct kt_exception *e, const struct kt_vm_entry *vm,
		       u64 realtime_ns, bool colour)
{
	static struct kt_memo memos[2]; /* by colour */
	struct kt_memo_key key = key_of(e, vm);
	struct kt_memo_slot *slot = kt_memo_slot(&memos[colour], &key);
	size_t from;

	kt_str_add_clock(s, realtime_ns);
	kt_str_add_char(s, ' ');
	from = s->len;
	if (kt_memo_holds(slot, &key)) {
		kt_str_add_n(s, slot->text.data, slot->text.len);
	} else {
		add_all_but_time(s, e, vm, colour);
		kt_memo_keep(slot, &key, s->data + from, s->len - from);
	}
}

/* ---- records ---- */

static void record_name(void *ctx, const char *name)
{
	kt_record_str(ctx, NULL, name);
}

static void hex_or_null(struct kt_record *r, const char *name, bool valid, u64 value)
{
	if (valid)
		kt_record_hex(r, name, value);
	else
		kt_record_null(r, name);
}

static const char *access_name(const struct cause *c)
{
	if (c->msr)
		return c->msr_write ? "write" : "read";
	if (c->io)
		return c->port.in ? "in" : "out";
	if (c->cr)
		return c->control.write ? "write" : "read";
	return NULL;
}

static void record_value(struct kt_record *r, const struct kt_exception *e, const struct cause *c)
{
	const struct kt_exit_detail *d = &e->detail;
	bool cr = !c->msr && c->cr && c->control.write && d->flags & KT_DETAIL_CR &&
		  d->cr == c->control.cr;

	hex_or_null(r, "value", (c->msr && c->msr_write) || cr, cr ? d->cr_value : d->msr_value);
}

/* Every field is always there, so that csv has the same columns in each row. */
static const char *const cause_fields[] = { "exit",   "code",	   "isa",      "info1",
					    "info2",  "intr_info", "msr",      "msr_name",
					    "access", "value",	   "port",     "size",
					    "cr",     "insn",	   "emulated", NULL };

static void record_cause(struct kt_record *r, const struct kt_exception *e)
{
	const struct kt_exit_detail *d = &e->detail;
	const struct kt_exit_info *x = &e->exit;
	struct cause c = cause_of(e);
	struct kt_str *text = kt_record_scratch(r);

	if (!c.exit && !c.msr && !c.insn) {
		kt_record_null_object(r, "cause", cause_fields);
		return;
	}
	kt_record_object(r, "cause");
	if (c.exit)
		kt_exit_add(text, x->isa, x->code);
	kt_record_str(r, "exit", c.exit ? text->data : NULL);
	hex_or_null(r, "code", c.exit, x->code);
	kt_record_str(r, "isa", c.exit ? kt_isa_name(x->isa) : NULL);
	hex_or_null(r, "info1", c.exit, x->info1);
	hex_or_null(r, "info2", c.exit, x->info2);
	hex_or_null(r, "intr_info", c.exit, x->intr_info);
	hex_or_null(r, "msr", c.msr, d->msr);
	kt_str_reset(text);
	kt_record_str(r, "msr_name", c.msr && kt_msr_add(text, d->msr) ? text->data : NULL);
	kt_record_str(r, "access", access_name(&c));
	record_value(r, e, &c);
	hex_or_null(r, "port", c.io, c.port.port);
	if (c.io)
		kt_record_u64(r, "size", c.port.size);
	else
		kt_record_null(r, "size");
	if (c.cr)
		kt_record_u64(r, "cr", c.control.cr);
	else
		kt_record_null(r, "cr");
	kt_str_reset(text);
	if (c.insn)
		add_insn(text, d, "");
	kt_record_str(r, "insn", c.insn ? text->data : NULL);
	if (c.insn)
		kt_record_bool(r, "emulated", !(d->flags & KT_DETAIL_INSN_FAILED));
	else
		kt_record_null(r, "emulated");
	kt_record_object_end(r);
}

static void record_all_but_time(struct kt_record *r, const struct kt_exception *e,
				const struct kt_vm_entry *vm)
{
	bool async = e->flags & KT_EXC_ASYNC_PF;

	kt_record_object(r, "vm");
	kt_record_u64(r, "pid", vm->pid);
	kt_record_str(r, "name", vm->name);
	kt_record_object_end(r);
	if (e->head.vcpu_id == KT_NO_VCPU)
		kt_record_null(r, "vcpu");
	else
		kt_record_u64(r, "vcpu", e->head.vcpu_id);
	kt_record_u64(r, "tid", e->head.tid);
	kt_record_u64(r, "vector", e->vector);
	kt_record_str(r, "name", kt_vector_name(e->vector));
	hex_or_null(r, "error_code", e->flags & KT_EXC_ERROR_CODE, e->error_code);
	kt_record_array(r, "error");
	if (e->flags & KT_EXC_ERROR_CODE)
		kt_error_code_names(e->vector, e->error_code, record_name, r);
	kt_record_array_end(r);
	hex_or_null(r, "address", e->flags & KT_EXC_ADDRESS && !async, e->address);
	hex_or_null(r, "async_pf_token", async, e->address);
	hex_or_null(r, "rip", e->flags & KT_EXC_RIP, e->rip);
	kt_record_bool(r, "reinjected", e->flags & KT_EXC_REINJECTED);
	kt_record_bool(r, "protected", e->flags & KT_EXC_PROTECTED);
	record_cause(r, e);
}

void kt_exception_record(struct kt_record *r, const struct kt_exception *e,
			 const struct kt_vm_entry *vm, u64 realtime_ns)
{
	struct kt_memo_key key = key_of(e, vm);

	kt_record_begin(r, "exception");
	kt_record_time(r, "time", realtime_ns);
	kt_record_u64(r, "ts_ns", e->head.ts);
	if (!kt_record_repeat(r, &key)) {
		record_all_but_time(r, e, vm);
		kt_record_keep(r, &key);
	}
	kt_record_end(r);
}
