/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The arguments of events in a Perfetto trace. */
#include "../../bpf/shared/event.h"
#include "../decode/decode.h"
#include "../sink/exception.h"
#include "../store/convert.h"
#include "names.h"
#include "perfetto_priv.h"

/* ---- arguments that fields don't give ---- */

static void join(void *s, const char *name)
{
	if (((struct kt_str *)s)->len)
		kt_str_add_char(s, '|');
	kt_str_add(s, name);
}

static void io_args(struct kt_perfetto *p, const struct kt_io_access *io)
{
	const char *name = kt_port_name(io->port);

	kt_perfetto_arg(p, p->extra[ARG_PORT], ARG_POINTER, io->port);
	if (name)
		kt_perfetto_text(p, p->extra[ARG_PORT_NAME], name);
	kt_perfetto_text(p, p->extra[ARG_ACCESS], io->in ? "in" : "out");
	if (io->size)
		kt_perfetto_arg(p, p->extra[ARG_SIZE], ARG_UINT, io->size);
}

static void exit_args(struct kt_perfetto *p, const void *row)
{
	const struct kt_row_exit *e = row;
	struct kt_io_access io;
	struct kt_cr_access cr;
	bool write;

	if (kt_exit_io(e->isa, e->reason, e->info1, &io)) {
		io_args(p, &io);
	} else if (kt_exit_is_gpa_fault(e->isa, e->reason)) {
		kt_str_reset(&p->text);
		if (e->isa == KT_ISA_SVM)
			kt_perfetto_arg(p, p->extra[ARG_GPA], ARG_POINTER, e->info2);
		kt_fault_names(e->isa, e->reason, e->info1, join, &p->text);
		if (p->text.len)
			kt_perfetto_text(p, p->extra[ARG_ACCESS], p->text.data);
	} else if (kt_exit_cr(e->isa, e->reason, e->info1, &cr)) {
		kt_perfetto_arg(p, p->extra[ARG_CR], ARG_UINT, cr.cr);
		kt_perfetto_text(p, p->extra[ARG_ACCESS], cr.write ? "write" : "read");
	} else if (kt_exit_msr(e->isa, e->reason, e->info1, &write)) {
		kt_perfetto_text(p, p->extra[ARG_ACCESS], write ? "write" : "read");
	}
	if (e->end)
		kt_perfetto_text(p, p->extra[ARG_NOTE],
				 e->end == KT_END_NO_ENTRY ? "no entry followed"
							   : "still handled at the end");
}

static void exception_args(struct kt_perfetto *p, const void *row)
{
	const struct kt_row_exception *r = row;
	struct kt_exception e;
	bool async = r->flags & KT_EXC_ASYNC_PF;
	static const char after[] = " after ";
	const size_t n = sizeof(after) - 1;

	kt_exception_of_row(&e, row);
	if (e.flags & KT_EXC_ERROR_CODE) {
		kt_perfetto_arg(p, p->extra[ARG_ERROR_CODE], ARG_POINTER, e.error_code);
		kt_str_reset(&p->text);
		kt_error_code_names(e.vector, e.error_code, join, &p->text);
		if (p->text.len)
			kt_perfetto_text(p, p->extra[ARG_ERROR], p->text.data);
	}
	if (e.flags & KT_EXC_ADDRESS)
		kt_perfetto_arg(p, p->extra[async ? ARG_TOKEN : ARG_ADDRESS], ARG_POINTER,
				e.address);
	if (e.flags & KT_EXC_RIP)
		kt_perfetto_arg(p, p->extra[ARG_RIP], ARG_POINTER, e.rip);
	if (e.flags & KT_EXC_PROTECTED)
		kt_perfetto_arg(p, p->extra[ARG_PROTECTED], ARG_BOOL, 1);
	if (e.flags & KT_EXC_REINJECTED)
		kt_perfetto_arg(p, p->extra[ARG_REINJECTED], ARG_BOOL, 1);
	kt_str_reset(&p->text);
	kt_exception_cause(&p->text, &e);
	if (p->text.len)
		kt_perfetto_text(p, p->extra[ARG_CAUSE],
				 p->text.data + (strncmp(p->text.data, after, n) == 0 ? n : 1));
}

static void fault_args(struct kt_perfetto *p, const void *row)
{
	const struct kt_row_fault *f = row;

	if (!(f->flags & KT_FAULT_EXIT)) /* nor is it known whose error code it is */
		return;
	kt_str_reset(&p->text);
	kt_fault_names(f->exit_isa, f->exit_reason, f->error_code, join, &p->text);
	if (p->text.len)
		kt_perfetto_text(p, p->extra[ARG_ACCESS], p->text.data);
	kt_str_reset(&p->text);
	kt_exit_add(&p->text, f->exit_isa, f->exit_reason);
	kt_perfetto_text(p, p->extra[ARG_CAUSE], p->text.data);
}

static void msr_args(struct kt_perfetto *p, const void *row)
{
	const struct kt_row_msr *m = row;

	kt_str_reset(&p->text);
	if (kt_msr_add(&p->text, m->index))
		kt_perfetto_text(p, p->extra[ARG_MSR_NAME], p->text.data);
}

static void pio_args(struct kt_perfetto *p, const void *row)
{
	const char *name = kt_port_name(((const struct kt_row_pio *)row)->port);

	if (name)
		kt_perfetto_text(p, p->extra[ARG_PORT_NAME], name);
}

static void userspace_args(struct kt_perfetto *p, const void *row)
{
	const struct kt_row_userspace_exit *u = row;
	const u64 data[] = { u->data0, u->data1, u->data2, u->data3, u->data4 };

	for (u32 i = 0; i < u->ndata && i < KT_ARRAY_SIZE(data); i++)
		kt_perfetto_arg(p, p->extra[ARG_DATA0 + i], ARG_POINTER, data[i]);
}

/* ---- of all kinds ---- */

static const struct {
	void (*args)(struct kt_perfetto *p, const void *row);
	const char *own;    /* fields that args() sees to, or that say nothing to people */
	const char *sparse; /* fields that are left out when they are 0 */
} kinds[KT_ROW_COUNT] = {
	[KT_ROW_EXIT] = { exit_args, "isa,duration,end", "info1,info2,intr_info,error_code" },
	[KT_ROW_EXCEPTION] = { exception_args,
			       "flags,error_code,address,rip,exit_reason,exit_isa,exit_info1,"
			       "exit_info2,exit_intr_info,detail,number,value,insn",
			       NULL },
	[KT_ROW_FAULT] = { fault_args, "exit_reason,exit_isa,flags", "duration" },
	[KT_ROW_MSR] = { msr_args, NULL, NULL },
	[KT_ROW_PIO] = { pio_args, NULL, NULL },
	[KT_ROW_MMIO] = { NULL, "access", NULL },
	[KT_ROW_USERSPACE_EXIT] = { userspace_args, "ndata,data0,data1,data2,data3,data4",
				    "error,suberror" },
};

/* clang-format off: a sum that macros spell */
#define COMMON(number, kind, text)
#define KIND(number, kind, text)
#define INT(kind, type, name, base, meaning, unit, text) +1
#define BYTES(kind, max, name, meaning, text)		 +1
#define END(kind)
enum {
	ALL_FIELDS = 0
#include "../store/kinds.def"
};
#undef COMMON
#undef KIND
#undef INT
#undef BYTES
#undef END
/* clang-format on */

/* The iid of an argument's name, which two kinds may share. */
static u8 arg_iid(struct kt_perfetto *p, const char *name)
{
	for (u32 i = 1; i <= p->arg_name_count; i++)
		if (!strcmp(p->arg_names[i], name))
			return (u8)i;
	p->arg_names[++p->arg_name_count] = name;
	return (u8)p->arg_name_count;
}

static u8 value_field(const struct kt_store_field *field)
{
	if (!strcmp(field->meaning, "bool"))
		return ARG_BOOL;
	if (field->type == KT_STORE_BYTES)
		return ARG_STRING;
	if (field->type == KT_STORE_S64)
		return ARG_INT;
	return field->base == KT_STORE_HEX ? ARG_POINTER : ARG_UINT;
}

static void add_fields(struct kt_perfetto *p, u32 kind)
{
	const struct kt_store_kind *k = &kt_kinds.kinds[kind];

	for (u32 i = 0; i < k->field_count; i++) {
		const struct kt_store_field *field = &k->fields[i];

		if (kt_list_has(kinds[kind].own, field->name))
			continue;
		p->args[kind][p->arg_count[kind]++] = (struct perfetto_arg) {
			.offset = field->offset,
			.type = field->type,
			.field = value_field(field),
			.iid = arg_iid(p, field->name),
			.unless_zero = field->type == KT_STORE_BYTES ||
				       kt_list_has(kinds[kind].sparse, field->name),
		};
	}
}

void kt_perfetto_args_init(struct kt_perfetto *p)
{
#define TEXT(name, text) text,
	static const char *const extra[] = { PERFETTO_EXTRA_ARGS(TEXT) };
#undef TEXT
	_Static_assert(ALL_FIELDS + ARG_EXTRA_COUNT < PERFETTO_MAX_ARGS, "their iids are bytes");

	for (u32 i = 0; i < ARG_EXTRA_COUNT; i++)
		p->extra[i] = arg_iid(p, extra[i]);
	for (u32 kind = 1; kind < KT_ROW_COUNT; kind++)
		add_fields(p, kind);
}

static u64 value_of(const void *row, const struct perfetto_arg *arg)
{
	const char *at = (const char *)row + arg->offset;
	u64 value = 0;

	switch (arg->type) {
	case KT_STORE_U8:
		return *(const u8 *)at;
	case KT_STORE_U16:
		return *(const u16 *)at;
	case KT_STORE_U32:
		return *(const u32 *)at;
	default:
		memcpy(&value, at, sizeof(value));
		return value;
	}
}

static void bytes_arg(struct kt_perfetto *p, const struct perfetto_arg *arg, const u8 *bytes)
{
	if (!bytes[0])
		return;
	kt_str_reset(&p->text);
	for (u32 i = 1; i <= bytes[0]; i++) {
		if (i > 1)
			kt_str_add_char(&p->text, ' ');
		kt_str_add_hex_byte(&p->text, bytes[i]);
	}
	kt_perfetto_text(p, arg->iid, p->text.data);
}

void kt_perfetto_args(struct kt_perfetto *p, u32 kind, const struct kt_row_common *row)
{
	const struct perfetto_arg *arg = p->args[kind], *end = arg + p->arg_count[kind];

	if (row->cpu != KT_ROW_NONE)
		kt_perfetto_arg(p, p->extra[ARG_CPU], ARG_UINT, row->cpu);
	for (; arg < end; arg++) {
		u64 value;

		if (arg->type == KT_STORE_BYTES) {
			bytes_arg(p, arg, (const u8 *)row + arg->offset);
			continue;
		}
		value = value_of(row, arg);
		if (value || !arg->unless_zero)
			kt_perfetto_arg(p, arg->iid, arg->field, value);
	}
	if (kinds[kind].args)
		kinds[kind].args(p, row);
}
