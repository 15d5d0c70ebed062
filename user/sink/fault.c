/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "../decode/decode.h"
#include "fault.h"
#include "units.h"

/* A GPA under EPT and NPT; with shadow paging KVM sees the guest's own #PF and its GVA. */
static const char *space_of(const struct kt_fault *f)
{
	if (!(f->flags & KT_FAULT_EXIT))
		return NULL;
	return kt_exit_is_gpa_fault(f->isa, f->exit_code) ? "gpa" : "gva";
}

/* The error code is the EPT exit qualification on VMX, PFERR bits otherwise. */
static void each_bit(const struct kt_fault *f, kt_name_fn add, void *ctx)
{
	if (f->isa == KT_ISA_VMX && kt_exit_is_gpa_fault(f->isa, f->exit_code))
		kt_ept_names(f->error_code, add, ctx);
	else
		kt_pferr_names(f->error_code, add, ctx);
}

void kt_fault_text(struct kt_str *s, const struct kt_fault *f, const struct kt_vm_entry *vm,
		   u64 realtime_ns)
{
	const char *space = space_of(f);
	struct kt_bits bits = { .s = s };

	kt_str_add_clock(s, realtime_ns);
	kt_str_add_char(s, ' ');
	kt_str_add_safe(s, vm->name);
	kt_str_add(s, " vcpu");
	kt_str_add_u64(s, f->head.vcpu_id);
	kt_str_add_char(s, ' ');
	kt_str_add(s, space ? space : "address");
	kt_str_add_char(s, '=');
	kt_str_add_hex(s, f->address);
	kt_str_add(s, " error=");
	kt_str_add_hex(s, f->error_code);
	each_bit(f, kt_bits_add, &bits);
	kt_bits_end(&bits);
	kt_str_add(s, " rip=");
	kt_str_add_hex(s, f->rip);
	kt_str_add(s, " took ");
	if (f->duration)
		kt_str_add_ns(s, f->duration);
	else
		kt_str_add_char(s, '?');
	kt_str_add_char(s, '\n');
}

static void record_bit(void *ctx, const char *name)
{
	kt_record_str(ctx, NULL, name);
}

void kt_fault_record(struct kt_record *r, const struct kt_fault *f, const struct kt_vm_entry *vm,
		     u64 realtime_ns)
{
	bool exit = f->flags & KT_FAULT_EXIT;
	struct kt_str *name = kt_record_scratch(r);

	if (exit)
		kt_exit_add(name, f->isa, f->exit_code);
	kt_record_begin(r, "fault");
	kt_record_time(r, "time", realtime_ns);
	kt_record_u64(r, "ts_ns", f->head.ts);
	kt_record_object(r, "vm");
	kt_record_u64(r, "pid", vm->pid);
	kt_record_str(r, "name", vm->name);
	kt_record_object_end(r);
	kt_record_u64(r, "vcpu", f->head.vcpu_id);
	kt_record_u64(r, "tid", f->head.tid);
	kt_record_hex(r, "address", f->address);
	kt_record_str(r, "space", space_of(f));
	kt_record_hex(r, "rip", f->rip);
	kt_record_hex(r, "error_code", f->error_code);
	kt_record_array(r, "access");
	each_bit(f, record_bit, r);
	kt_record_array_end(r);
	if (f->duration)
		kt_record_u64(r, "duration_ns", f->duration);
	else
		kt_record_null(r, "duration_ns");
	kt_record_str(r, "isa", exit ? kt_isa_name(f->isa) : NULL);
	kt_record_str(r, "exit", exit ? name->data : NULL);
	if (exit)
		kt_record_hex(r, "code", f->exit_code);
	else
		kt_record_null(r, "code");
	kt_record_end(r);
}
