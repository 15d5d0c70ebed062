/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <ctype.h>
#include <stdlib.h>

#include "../decode/decode.h"
#include "../lib/memo.h"
#include "exception.h"
#include "symbol.h"
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
	c.insn = d->flags & KT_DETAIL_INSN && d->insn_len;
	return c;
}

/*
 * What is printed of an exception but for the time: most come in storms that differ in no more. The
 * hash is of what those of one storm differ in, when they do.
 */
static inline struct kt_memo_key key_of(const struct kt_exception *e, const struct kt_vm_entry *vm)
{
	enum { FROM = offsetof(struct kt_exception, head.tgid), SIZE = sizeof(*e) - FROM };

	_Static_assert(SIZE % 8 == 0 && SIZE <= KT_MEMO_KEY_MAX, "not as a memo wants it");
	return (struct kt_memo_key) {
		.bytes = (const char *)e + FROM,
		.size = SIZE,
		.name = vm->name,
		.number = vm->pid,
		.hash = e->rip + e->address + e->detail.number +
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
	kt_str_add_hex(s, d->number);
	kt_str_add(s, " (");
	if (!kt_msr_add(s, d->number))
		kt_str_add(s, "unknown MSR");
	kt_str_add_char(s, ')');
	if (write) {
		kt_str_add(s, " = ");
		kt_str_add_hex(s, d->value);
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
	if (e->detail.flags & KT_DETAIL_CR && e->detail.number == cr->cr && cr->write) {
		kt_str_add(s, " = ");
		kt_str_add_hex(s, e->detail.value);
	}
}

void kt_exception_cause(struct kt_str *s, const struct kt_exception *e)
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

void kt_exception_words(struct kt_str *s, const struct kt_exception *e,
			const struct kt_vm_entry *vm, bool colour)
{
	const char *name = kt_vector_name(e->vector);

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
		kt_str_add_symbol(s, vm->symbols, e->rip);
	} else {
		kt_str_add(s, e->flags & KT_EXC_PROTECTED ? " rip=protected" : " rip=?");
	}
	if (e->flags & KT_EXC_REINJECTED)
		kt_str_add(s, " reinjected");
	kt_exception_cause(s, e);
}

static void add_all_but_time(struct kt_str *s, const struct kt_exception *e,
			     const struct kt_vm_entry *vm, bool colour)
{
	kt_str_add_char(s, ' ');
	kt_str_add_safe(s, vm->name);
	kt_str_add(s, " vcpu");
	if (e->head.vcpu_id == KT_NO_VCPU)
		kt_str_add(s, "?");
	else
		kt_str_add_u64(s, e->head.vcpu_id);
	kt_exception_words(s, e, vm, colour);
	kt_str_add_char(s, '\n');
}

void kt_exception_text(struct kt_str *s, const struct kt_exception *e, const struct kt_vm_entry *vm,
		       u64 realtime_ns, bool colour)
{
	kt_str_add_clock(s, realtime_ns);
	add_all_but_time(s, e, vm, colour);
}

struct kt_exception_lines {
	struct kt_out *out;
	bool colour;
	struct kt_str line;
	struct kt_memo memo; /* of what follows the clock */
};

struct kt_exception_lines *kt_exception_lines_new(struct kt_out *out)
{
	struct kt_exception_lines *l = kt_alloc(sizeof(*l));

	l->out = out;
	l->colour = kt_out_colour(out);
	return l;
}

void kt_exception_lines_free(struct kt_exception_lines *l)
{
	if (!l)
		return;
	kt_memo_fini(&l->memo);
	kt_str_free(&l->line);
	free(l);
}

/* The line of what was kept, into room that is there. */
static inline void put_line(struct kt_out *o, const struct kt_str *kept, u64 realtime_ns)
{
	char *p = kt_put_clock(kt_out_room(o), realtime_ns);
	size_t len = kept->len;

	kt_copy_blocks(p, kept->data, len);
	kt_out_commit(o, p + len);
}

/* Not inline: kt_exception_line() would save and restore for it what this needs. */
__attribute__((noinline)) static void add_line(struct kt_exception_lines *l,
					       const struct kt_exception *e,
					       const struct kt_vm_entry *vm, u64 realtime_ns)
{
	struct kt_memo_key key = key_of(e, vm);
	const struct kt_memo_slot *slot = kt_memo_slot(&l->memo, &key);

	if (kt_memo_holds(slot, &key)) {
		kt_clock_turn(realtime_ns);
		kt_out_reserve(l->out, KT_CLOCK_LENGTH + slot->text.len);
		put_line(l->out, &slot->text, realtime_ns);
		return;
	}
	kt_str_reset(&l->line);
	kt_exception_text(&l->line, e, vm, realtime_ns, l->colour);
	kt_out_write(l->out, l->line.data, l->line.len);
	kt_memo_keep(&l->memo, &key, l->line.data + KT_CLOCK_LENGTH, l->line.len - KT_CLOCK_LENGTH);
}

void kt_exception_line(struct kt_exception_lines *l, const struct kt_exception *e,
		       const struct kt_vm_entry *vm, u64 realtime_ns)
{
	struct kt_memo_key key = key_of(e, vm);
	const struct kt_memo_slot *slot = kt_memo_slot(&l->memo, &key);

	/* It calls nothing, so that it has nothing to save. */
	if (kt_memo_holds(slot, &key) && kt_clock_fits(realtime_ns) &&
	    kt_out_has_room(l->out, KT_CLOCK_LENGTH + slot->text.len))
		put_line(l->out, &slot->text, realtime_ns);
	else
		add_line(l, e, vm, realtime_ns);
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
		  d->number == c->control.cr;

	hex_or_null(r, "value", (c->msr && c->msr_write) || cr, d->value);
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
	hex_or_null(r, "msr", c.msr, d->number);
	kt_str_reset(text);
	kt_record_str(r, "msr_name", c.msr && kt_msr_add(text, d->number) ? text->data : NULL);
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
	kt_record_symbol(r, vm->symbols, e->flags & KT_EXC_RIP, e->rip);
	kt_record_bool(r, "reinjected", e->flags & KT_EXC_REINJECTED);
	kt_record_bool(r, "protected", e->flags & KT_EXC_PROTECTED);
	record_cause(r, e);
}

/* Not inline: kt_exception_record() would save and restore for it what this needs. */
__attribute__((noinline)) static void add_record(struct kt_record *r, const struct kt_exception *e,
						 const struct kt_vm_entry *vm, u64 realtime_ns)
{
	struct kt_memo_key key = key_of(e, vm);

	kt_record_begin_event(r, realtime_ns, e->head.ts);
	record_all_but_time(r, e, vm);
	kt_record_end(r);
	kt_record_keep(r, &key);
}

void kt_exception_record(struct kt_record *r, const struct kt_exception *e,
			 const struct kt_vm_entry *vm, u64 realtime_ns)
{
	struct kt_memo_key key = key_of(e, vm);
	const struct kt_memo_slot *slot = kt_memo_slot(kt_record_memo(r), &key);

	if (kt_memo_holds(slot, &key))
		kt_record_repeat(r, slot, realtime_ns, e->head.ts, NULL, 0);
	else
		add_record(r, e, vm, realtime_ns);
}
