/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <stddef.h>

#include "../decode/decode.h"
#include "../store/convert.h"
#include "event_words.h"
#include "exception.h"
#include "fault.h"
#include "symbol.h"
#include "units.h"

typedef void (*words_fn)(struct kt_str *s, const void *row, const struct kt_vm_entry *vm);

static void add_hex(struct kt_str *s, const char *name, u64 value)
{
	kt_str_add(s, name);
	kt_str_add_hex(s, value);
}

static void add_number(struct kt_str *s, const char *name, u64 value)
{
	kt_str_add(s, name);
	kt_str_add_u64(s, value);
}

static void add_rip(struct kt_str *s, u64 rip, const struct kt_vm_entry *vm)
{
	add_hex(s, " rip=", rip);
	kt_str_add_symbol(s, vm->symbols, rip);
}

static void add_bytes(struct kt_str *s, const u8 *bytes, u32 size, u32 max)
{
	kt_str_add(s, " insn=");
	for (u32 i = 0; i < size && i < max; i++) {
		if (i)
			kt_str_add_char(s, ' ');
		kt_str_add_hex_byte(s, bytes[i]);
	}
}

static void add_port(struct kt_str *s, u32 port)
{
	const char *name = kt_port_name((u16)port);

	add_hex(s, " port ", port);
	if (name)
		kt_str_addf(s, " (%s)", name);
}

/* ---- exits ---- */

static void add_access(struct kt_str *s, const struct kt_row_exit *x)
{
	struct kt_bits bits = { .s = s };
	struct kt_io_access io;
	struct kt_cr_access cr;
	bool write;

	if (kt_exit_io(x->isa, x->reason, x->info1, &io)) {
		kt_str_add(s, io.in ? " IN" : " OUT");
		if (io.string)
			kt_str_add_char(s, 'S');
		add_port(s, io.port);
	} else if (kt_exit_cr(x->isa, x->reason, x->info1, &cr)) {
		kt_str_addf(s, " %s%s%s CR%u", cr.kind, *cr.kind ? " " : "",
			    cr.write ? "to" : "from", cr.cr);
	} else if (kt_exit_msr(x->isa, x->reason, x->info1, &write)) {
		kt_str_add(s, write ? " write" : " read");
	} else if (kt_exit_is_gpa_fault(x->isa, x->reason)) {
		kt_str_add_char(s, ' ');
		kt_fault_names(x->isa, x->reason, x->info1, kt_bits_add, &bits);
		kt_bits_end(&bits);
		if (x->isa == KT_ISA_SVM)
			add_hex(s, " gpa=", x->info2);
	}
}

static void exit_words(struct kt_str *s, const void *row, const struct kt_vm_entry *vm)
{
	const struct kt_row_exit *x = row;

	kt_str_add_char(s, ' ');
	kt_exit_add(s, x->isa, x->reason);
	add_access(s, x);
	add_rip(s, x->rip, vm);
	add_hex(s, " info1=", x->info1);
	add_hex(s, " info2=", x->info2);
	if (x->intr_info) {
		add_hex(s, " intr_info=", x->intr_info);
		add_hex(s, " error_code=", x->error_code);
	}
	if (x->end == KT_END_NO_ENTRY) {
		kt_str_add(s, " took ? (no entry followed)");
	} else if (x->end == KT_END_OPEN) {
		kt_str_add(s, " took ? (still handled at the end)");
	} else {
		kt_str_add(s, " took ");
		kt_str_add_ns(s, x->duration);
	}
}

static void exception_words(struct kt_str *s, const void *row, const struct kt_vm_entry *vm)
{
	struct kt_exception e;

	kt_exception_of_row(&e, row);
	kt_exception_words(s, &e, vm, false);
}

static void fault_words(struct kt_str *s, const void *row, const struct kt_vm_entry *vm)
{
	struct kt_fault f;

	kt_fault_of_row(&f, row);
	kt_fault_words(s, &f, vm);
}

/* ---- what the guest asked for ---- */

static void msr_words(struct kt_str *s, const void *row, const struct kt_vm_entry *vm)
{
	const struct kt_row_msr *m = row;

	(void)vm;
	add_hex(s, m->write ? " WRMSR " : " RDMSR ", m->index);
	kt_str_add(s, " (");
	if (!kt_msr_add(s, m->index))
		kt_str_add(s, "unknown MSR");
	kt_str_add_char(s, ')');
	/* What a refused read gave is nobody's value. */
	if (m->write || !m->failed)
		add_hex(s, " = ", m->value);
	if (m->failed)
		kt_str_add(s, " refused: #GP");
}

static void pio_words(struct kt_str *s, const void *row, const struct kt_vm_entry *vm)
{
	const struct kt_row_pio *p = row;

	(void)vm;
	kt_str_add(s, p->write ? " OUT" : " IN");
	add_port(s, p->port);
	add_number(s, " size=", p->size);
	if (p->count != 1)
		add_number(s, " count=", p->count);
	add_hex(s, " = ", p->value);
}

static void mmio_words(struct kt_str *s, const void *row, const struct kt_vm_entry *vm)
{
	static const char *const accesses[] = { " read (waits for user space)", " read", " write",
						" write (taken by an ioeventfd)" };
	const struct kt_row_mmio *m = row;

	(void)vm;
	if (m->access < KT_ARRAY_SIZE(accesses))
		kt_str_add(s, accesses[m->access]);
	else
		add_number(s, " access=", m->access);
	add_hex(s, " gpa=", m->gpa);
	if (m->size)
		add_number(s, " size=", m->size);
	if (m->access == 1 || m->access == 2)
		add_hex(s, " = ", m->value);
}

static void cr_words(struct kt_str *s, const void *row, const struct kt_vm_entry *vm)
{
	const struct kt_row_cr *c = row;

	(void)vm;
	add_number(s, c->write ? " to CR" : " from CR", c->cr);
	add_hex(s, " = ", c->value);
}

static void cpuid_words(struct kt_str *s, const void *row, const struct kt_vm_entry *vm)
{
	const struct kt_row_cpuid *c = row;

	(void)vm;
	add_hex(s, " leaf=", c->function);
	add_hex(s, " subleaf=", c->index);
	add_hex(s, " eax=", c->eax);
	add_hex(s, " ebx=", c->ebx);
	add_hex(s, " ecx=", c->ecx);
	add_hex(s, " edx=", c->edx);
	if (!c->found)
		kt_str_add(s, " (no such leaf)");
	if (c->used_max_basic)
		kt_str_add(s, " (answered as the highest basic leaf)");
}

static void hypercall_words(struct kt_str *s, const void *row, const struct kt_vm_entry *vm)
{
	const struct kt_row_hypercall *h = row;

	(void)vm;
	add_number(s, " nr=", h->nr);
	add_hex(s, " a0=", h->a0);
	add_hex(s, " a1=", h->a1);
	add_hex(s, " a2=", h->a2);
	add_hex(s, " a3=", h->a3);
}

static void emulate_words(struct kt_str *s, const void *row, const struct kt_vm_entry *vm)
{
	const struct kt_row_emulate *e = row;

	add_rip(s, e->rip, vm);
	if (e->csbase)
		add_hex(s, " csbase=", e->csbase);
	add_hex(s, " flags=", e->flags);
	add_bytes(s, e->insn.bytes, e->insn.size, sizeof(e->insn.bytes));
	if (e->failed)
		kt_str_add(s, " (not emulated)");
}

/* ---- what KVM and user space do ---- */

static void inject_irq_words(struct kt_str *s, const void *row, const struct kt_vm_entry *vm)
{
	const struct kt_row_inject_irq *i = row;

	(void)vm;
	add_hex(s, " vector=", i->vector);
	if (i->soft)
		kt_str_add(s, " soft");
	if (i->reinjected)
		kt_str_add(s, " reinjected");
}

struct number_name {
	u64 number;
	const char *name;
};

/* linux/kvm.h: KVM_INTERNAL_ERROR_…, KVM_SYSTEM_EVENT_… */
static const struct number_name internal_errors[] = {
	{ 1, "EMULATION" },
	{ 2, "SIMUL_EX" },
	{ 3, "DELIVERY_EV" },
	{ 4, "UNEXPECTED_EXIT_REASON" },
};
static const struct number_name system_events[] = {
	{ 1, "SHUTDOWN" }, { 2, "RESET" },    { 3, "CRASH" },	  { 4, "WAKEUP" },
	{ 5, "SUSPEND" },  { 6, "SEV_TERM" }, { 7, "TDX_FATAL" },
};
/* What KVM_RUN returns at times, asm-generic/errno-base.h. */
static const struct number_name errors[] = {
	{ 4, "EINTR" },	  { 5, "EIO" },	    { 7, "E2BIG" },  { 11, "EAGAIN" },
	{ 12, "ENOMEM" }, { 14, "EFAULT" }, { 16, "EBUSY" }, { 22, "EINVAL" },
};

static void add_named(struct kt_str *s, const char *what, u64 number,
		      const struct number_name *names, size_t count)
{
	add_number(s, what, number);
	for (size_t i = 0; i < count; i++)
		if (names[i].number == number)
			kt_str_addf(s, " (%s)", names[i].name);
}

#define KVM_EXIT_INTERNAL_ERROR 17
#define KVM_EXIT_SYSTEM_EVENT	24

static void add_data(struct kt_str *s, const struct kt_row_userspace_exit *u)
{
	const u64 data[] = { u->data0, u->data1, u->data2, u->data3, u->data4 };

	for (u32 i = 0; i < u->ndata && i < KT_ARRAY_SIZE(data); i++)
		add_hex(s, i ? "," : " data=", data[i]);
}

static void userspace_exit_words(struct kt_str *s, const void *row, const struct kt_vm_entry *vm)
{
	const struct kt_row_userspace_exit *u = row;
	const char *name = kt_user_exit_name(u->reason);

	(void)vm;
	/* The reason is what the last exit left there then. */
	if (u->error < 0) {
		add_named(s, " error=-", -(u64)u->error, errors, KT_ARRAY_SIZE(errors));
		return;
	}
	kt_str_add_char(s, ' ');
	if (name)
		kt_str_add(s, name);
	else
		kt_str_add_u64(s, u->reason);
	if (u->reason == KVM_EXIT_INTERNAL_ERROR)
		add_named(s, " suberror=", u->suberror, internal_errors,
			  KT_ARRAY_SIZE(internal_errors));
	if (u->reason == KVM_EXIT_SYSTEM_EVENT)
		add_named(s, " event=", u->suberror, system_events, KT_ARRAY_SIZE(system_events));
	add_data(s, u);
	if (u->insn.size)
		add_bytes(s, u->insn.bytes, u->insn.size, sizeof(u->insn.bytes));
}

static void halt_poll_words(struct kt_str *s, const void *row, const struct kt_vm_entry *vm)
{
	const struct kt_row_halt_poll *h = row;

	(void)vm;
	kt_str_add(s, h->grow ? " grows from " : " shrinks from ");
	kt_str_add_ns(s, h->poll_old);
	kt_str_add(s, " to ");
	kt_str_add_ns(s, h->poll_new);
}

static void wakeup_words(struct kt_str *s, const void *row, const struct kt_vm_entry *vm)
{
	const struct kt_row_wakeup *w = row;

	(void)vm;
	kt_str_add(s, " after ");
	kt_str_add_ns(s, w->duration);
	kt_str_add(s, w->waited ? " asleep" : " polled");
	if (!w->valid)
		kt_str_add(s, " (polling was not worth it)");
}

static void lost_words(struct kt_str *s, const void *row, const struct kt_vm_entry *vm)
{
	static const char *const causes[] = {
		[KT_LOST_BUFFER] = "the buffer was full",
		[KT_LOST_MISSED] = "missed by the kernel",
		[KT_LOST_VCPUS] = "too many vCPUs",
	};
	const struct kt_row_lost *l = row;

	(void)vm;
	kt_str_addf(s, " %llu events in ", l->count);
	kt_str_add_ns(s, l->head.ts > l->from ? l->head.ts - l->from : 0);
	if (l->cause < KT_ARRAY_SIZE(causes))
		kt_str_addf(s, ": %s", causes[l->cause]);
	else
		kt_str_addf(s, ": cause %u", l->cause);
}

static const words_fn words[KT_ROW_COUNT] = {
	[KT_ROW_EXIT] = exit_words,
	[KT_ROW_EXCEPTION] = exception_words,
	[KT_ROW_FAULT] = fault_words,
	[KT_ROW_MSR] = msr_words,
	[KT_ROW_PIO] = pio_words,
	[KT_ROW_MMIO] = mmio_words,
	[KT_ROW_CR] = cr_words,
	[KT_ROW_CPUID] = cpuid_words,
	[KT_ROW_HYPERCALL] = hypercall_words,
	[KT_ROW_EMULATE] = emulate_words,
	[KT_ROW_INJECT_IRQ] = inject_irq_words,
	[KT_ROW_USERSPACE_EXIT] = userspace_exit_words,
	[KT_ROW_HALT_POLL] = halt_poll_words,
	[KT_ROW_WAKEUP] = wakeup_words,
	[KT_ROW_LOST] = lost_words,
};

void kt_event_words(struct kt_str *s, u32 kind, const struct kt_row_common *row,
		    const struct kt_vm_entry *vm)
{
	words[kind](s, row, vm);
}
