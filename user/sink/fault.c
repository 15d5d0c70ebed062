/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <stdlib.h>

#include "../decode/decode.h"
#include "../lib/memo.h"
#include "fault.h"
#include "symbol.h"
#include "units.h"

/* A GPA under EPT and NPT; with shadow paging KVM sees the guest's own #PF and its GVA. */
static const char *space_of(const struct kt_fault *f)
{
	if (!(f->flags & KT_FAULT_EXIT))
		return NULL;
	return kt_exit_is_gpa_fault(f->isa, f->exit_code) ? "gpa" : "gva";
}

/* Without the exit it is not known whose bits the error code has. */
static void each_bit(const struct kt_fault *f, kt_name_fn add, void *ctx)
{
	if (f->flags & KT_FAULT_EXIT)
		kt_fault_names(f->isa, f->exit_code, f->error_code, add, ctx);
}

/* All that is printed of a fault but for times, address and RIP: of these there are few. */
struct shape {
	u64 error_code;
	u32 tgid, tid, vcpu_id;
	u32 exit_code, isa, flags;
};

static struct shape shape_of(const struct kt_fault *f)
{
	_Static_assert(sizeof(struct shape) == 32, "no padding");
	return (struct shape) { .error_code = f->error_code,
				.tgid = f->head.tgid,
				.tid = f->head.tid,
				.vcpu_id = f->head.vcpu_id,
				.exit_code = f->exit_code,
				.isa = f->isa,
				.flags = f->flags };
}

static struct kt_memo_key key_of(const struct shape *shape, const struct kt_vm_entry *vm)
{
	return (struct kt_memo_key) {
		.bytes = shape,
		.size = sizeof(*shape),
		.name = vm->name,
		.number = vm->pid,
		.hash = shape->error_code + shape->exit_code + ((u64)shape->tid << 32),
	};
}

/* ---- text ---- */

static void add_space(struct kt_str *s, const struct kt_fault *f)
{
	const char *space = space_of(f);

	kt_str_add_char(s, ' ');
	kt_str_add(s, space ? space : "address");
	kt_str_add_char(s, '=');
}

static void add_vcpu(struct kt_str *s, const struct kt_fault *f, const struct kt_vm_entry *vm)
{
	kt_str_add_char(s, ' ');
	kt_str_add_safe(s, vm->name);
	kt_str_add(s, " vcpu");
	kt_str_add_u64(s, f->head.vcpu_id);
}

static void add_where(struct kt_str *s, const struct kt_fault *f, const struct kt_vm_entry *vm)
{
	add_vcpu(s, f, vm);
	add_space(s, f);
}

static void add_why(struct kt_str *s, const struct kt_fault *f)
{
	struct kt_bits bits = { .s = s };

	kt_str_add(s, " error=");
	kt_str_add_hex(s, f->error_code);
	each_bit(f, kt_bits_add, &bits);
	kt_bits_end(&bits);
	kt_str_add(s, " rip=");
}

static void add_duration(struct kt_str *s, const struct kt_fault *f)
{
	kt_str_add(s, " took ");
	if (f->duration)
		kt_str_add_ns(s, f->duration);
	else
		kt_str_add_char(s, '?');
}

void kt_fault_words(struct kt_str *s, const struct kt_fault *f, const struct kt_vm_entry *vm)
{
	add_space(s, f);
	kt_str_add_hex(s, f->address);
	add_why(s, f);
	kt_str_add_hex(s, f->rip);
	kt_str_add_symbol(s, vm->symbols, f->rip);
	add_duration(s, f);
}

void kt_fault_text(struct kt_str *s, const struct kt_fault *f, const struct kt_vm_entry *vm,
		   u64 realtime_ns)
{
	kt_str_add_clock(s, realtime_ns);
	add_vcpu(s, f, vm);
	kt_fault_words(s, f, vm);
	kt_str_add_char(s, '\n');
}

struct kt_fault_lines {
	struct kt_out *out;
	struct kt_str line;
	struct kt_memo memo; /* of what add_where() and add_why() add, with a hole between */
};

struct kt_fault_lines *kt_fault_lines_new(struct kt_out *out)
{
	struct kt_fault_lines *l = kt_alloc(sizeof(*l));

	l->out = out;
	return l;
}

void kt_fault_lines_free(struct kt_fault_lines *l)
{
	if (!l)
		return;
	kt_memo_fini(&l->memo);
	kt_str_free(&l->line);
	free(l);
}

static void keep(struct kt_fault_lines *l, const struct kt_memo_key *key, const struct kt_fault *f,
		 const struct kt_vm_entry *vm)
{
	struct kt_memo_slot *slot;
	size_t hole;

	kt_str_reset(&l->line);
	add_where(&l->line, f, vm);
	hole = l->line.len;
	add_why(&l->line, f);
	slot = kt_memo_keep(&l->memo, key, l->line.data, l->line.len);
	if (slot)
		slot->holes[0] = hole;
}

void kt_fault_line(struct kt_fault_lines *l, const struct kt_fault *f, const struct kt_vm_entry *vm,
		   u64 realtime_ns)
{
	struct shape shape = shape_of(f);
	struct kt_memo_key key = key_of(&shape, vm);
	const struct kt_memo_slot *slot = kt_memo_slot(&l->memo, &key);

	if (!kt_memo_holds(slot, &key))
		keep(l, &key, f, vm);
	kt_str_reset(&l->line);
	if (kt_memo_holds(slot, &key)) {
		const char *kept = slot->text.data;
		size_t hole = slot->holes[0];

		kt_str_add_clock(&l->line, realtime_ns);
		kt_str_add_n(&l->line, kept, hole);
		kt_str_add_hex(&l->line, f->address);
		kt_str_add_n(&l->line, kept + hole, slot->text.len - hole);
		kt_str_add_hex(&l->line, f->rip);
		kt_str_add_symbol(&l->line, vm->symbols, f->rip);
		add_duration(&l->line, f);
		kt_str_add_char(&l->line, '\n');
	} else {
		kt_fault_text(&l->line, f, vm, realtime_ns);
	}
	kt_out_write(l->out, l->line.data, l->line.len);
}

/* ---- records ---- */

static void record_bit(void *ctx, const char *name)
{
	kt_record_str(ctx, NULL, name);
}

static void record_anew(struct kt_record *r, const struct kt_fault *f, const struct kt_vm_entry *vm,
			u64 realtime_ns, const struct kt_record_number *numbers)
{
	bool exit = f->flags & KT_FAULT_EXIT;
	struct kt_str name = {};

	kt_record_begin_event(r, realtime_ns, f->head.ts);
	kt_record_object(r, "vm");
	kt_record_u64(r, "pid", vm->pid);
	kt_record_str(r, "name", vm->name);
	kt_record_object_end(r);
	kt_record_u64(r, "vcpu", f->head.vcpu_id);
	kt_record_u64(r, "tid", f->head.tid);
	kt_record_number(r, "address", numbers[0]);
	kt_record_str(r, "space", space_of(f));
	kt_record_number(r, "rip", numbers[1]);
	kt_record_symbol(r, vm->symbols, true, f->rip);
	kt_record_hex(r, "error_code", f->error_code);
	kt_record_array(r, "access");
	each_bit(f, record_bit, r);
	kt_record_array_end(r);
	if (f->duration)
		kt_record_number(r, "duration_ns", numbers[2]);
	else
		kt_record_null(r, "duration_ns");
	kt_record_str(r, "isa", exit ? kt_isa_name(f->isa) : NULL);
	if (exit)
		kt_exit_add(&name, f->isa, f->exit_code);
	kt_record_str(r, "exit", exit ? name.data : NULL);
	kt_str_free(&name);
	if (exit)
		kt_record_hex(r, "code", f->exit_code);
	else
		kt_record_null(r, "code");
	kt_record_end(r);
}

void kt_fault_record(struct kt_record *r, const struct kt_fault *f, const struct kt_vm_entry *vm,
		     u64 realtime_ns)
{
	const struct kt_record_number numbers[] = { { f->address, true },
						    { f->rip, true },
						    { f->duration, false } };
	struct shape shape = shape_of(f);
	struct kt_memo_key key = key_of(&shape, vm);
	const struct kt_memo_slot *slot = kt_memo_slot(kt_record_memo(r), &key);

	if (f->duration && kt_memo_holds(slot, &key)) {
		kt_record_repeat(r, slot, realtime_ns, f->head.ts, numbers, KT_ARRAY_SIZE(numbers));
		return;
	}
	record_anew(r, f, vm, realtime_ns, numbers);
	/* Without a duration it has another hole: there are few of these. A symbol is no number. */
	if (f->duration && !vm->symbols)
		kt_record_keep(r, &key);
}
