/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "names.h"

#include <errno.h>

#include "../../bpf/shared/event.h"
#include "../decode/decode.h"

static u64 exit_key(const void *row)
{
	const struct kt_row_exit *e = row;

	return (u64)e->isa << 32 | e->reason;
}

static void exit_name(struct kt_str *s, const void *row)
{
	const struct kt_row_exit *e = row;

	kt_exit_add(s, e->isa, e->reason);
}

static u64 exception_key(const void *row)
{
	const struct kt_row_exception *e = row;

	return e->vector | (u64)(e->flags & KT_EXC_REINJECTED) << 8;
}

static void exception_name(struct kt_str *s, const void *row)
{
	const struct kt_row_exception *e = row;
	const char *name = kt_vector_name(e->vector);

	if (name)
		kt_str_add(s, name);
	else
		kt_str_addf(s, "vector %u", e->vector);
	if (e->flags & KT_EXC_REINJECTED)
		kt_str_add(s, " reinjected");
}

static u64 fault_key(const void *row)
{
	const struct kt_row_fault *f = row;

	if (!(f->flags & KT_FAULT_EXIT)) /* nor is it known whose error code it is */
		return KT_ACCESS_COUNT;
	if (f->exit_isa == KT_ISA_VMX && kt_exit_is_gpa_fault(f->exit_isa, f->exit_reason))
		return kt_ept_access(f->error_code);
	return kt_pferr_access(f->error_code);
}

static void fault_name(struct kt_str *s, const void *row)
{
	u64 access = fault_key(row);

	if (access == KT_ACCESS_COUNT)
		kt_str_add(s, "page fault");
	else
		kt_str_addf(s, "%s fault", kt_access_name((enum kt_access)access));
}

static u64 msr_key(const void *row)
{
	const struct kt_row_msr *m = row;

	return m->index | (u64) !!m->write << 32 | (u64) !!m->failed << 33;
}

static void msr_name(struct kt_str *s, const void *row)
{
	const struct kt_row_msr *m = row;

	kt_str_add(s, m->write ? "WRMSR " : "RDMSR ");
	if (!kt_msr_add(s, m->index))
		kt_str_add_hex(s, m->index);
	if (m->failed)
		kt_str_add(s, " refused");
}

static u64 pio_key(const void *row)
{
	const struct kt_row_pio *io = row;

	return io->port | (u64) !!io->write << 16;
}

static void pio_name(struct kt_str *s, const void *row)
{
	const struct kt_row_pio *io = row;

	kt_str_add(s, io->write ? "OUT " : "IN ");
	kt_str_add_hex(s, io->port);
}

/* kvm_mmio's types, and what KVM's ioeventfd took (kinds.def). */
static const char *const mmio_names[] = { "MMIO read, to user space", "MMIO read", "MMIO write",
					  "MMIO write, ioeventfd" };

static u64 mmio_key(const void *row)
{
	return ((const struct kt_row_mmio *)row)->access;
}

static void mmio_name(struct kt_str *s, const void *row)
{
	u64 access = mmio_key(row);

	kt_str_add(s, access < KT_ARRAY_SIZE(mmio_names) ? mmio_names[access] : "MMIO");
}

static u64 cr_key(const void *row)
{
	const struct kt_row_cr *c = row;

	return c->cr | (u64) !!c->write << 8;
}

static void cr_name(struct kt_str *s, const void *row)
{
	const struct kt_row_cr *c = row;

	kt_str_addf(s, "CR%u %s", c->cr, c->write ? "write" : "read");
}

static u64 cpuid_key(const void *row)
{
	return ((const struct kt_row_cpuid *)row)->function;
}

static void cpuid_name(struct kt_str *s, const void *row)
{
	kt_str_add(s, "CPUID ");
	kt_str_add_hex(s, cpuid_key(row));
}

/* Odd numbers are the guest's: they have one name. */
static u64 hypercall_key(const void *row)
{
	u64 nr = ((const struct kt_row_hypercall *)row)->nr;

	return nr < 0xffffffff ? nr : 0xffffffff;
}

static void hypercall_name(struct kt_str *s, const void *row)
{
	u64 nr = hypercall_key(row);

	kt_str_add(s, "hypercall");
	if (nr != 0xffffffff)
		kt_str_addf(s, " %u", (u32)nr);
}

static u64 emulate_key(const void *row)
{
	return !!((const struct kt_row_emulate *)row)->failed;
}

static void emulate_name(struct kt_str *s, const void *row)
{
	kt_str_add(s, emulate_key(row) ? "emulation failed" : "emulate");
}

static u64 irq_key(const void *row)
{
	return ((const struct kt_row_inject_irq *)row)->vector;
}

static void irq_name(struct kt_str *s, const void *row)
{
	kt_str_add(s, "IRQ ");
	kt_str_add_hex(s, irq_key(row));
}

/* As kvm_userspace_exit prints it: with an error, the reason is that of an earlier one. */
static u64 userspace_key(const void *row)
{
	const struct kt_row_userspace_exit *u = row;

	if (u->error >= 0)
		return u->reason;
	return u->error == -EINTR ? 1ull << 32 : 2ull << 32;
}

static void userspace_name(struct kt_str *s, const void *row)
{
	u64 key = userspace_key(row);
	const char *name = key >> 32 == 1 ? "restart" : key >> 32 ? "error" : NULL;

	if (!name)
		name = kt_user_exit_name((u32)key);
	kt_str_add(s, "user space: ");
	if (name)
		kt_str_add(s, name);
	else
		kt_str_add_u64(s, key);
}

static u64 halt_poll_key(const void *row)
{
	return !!((const struct kt_row_halt_poll *)row)->grow;
}

static void halt_poll_name(struct kt_str *s, const void *row)
{
	kt_str_add(s, halt_poll_key(row) ? "halt polling grows" : "halt polling shrinks");
}

static u64 wakeup_key(const void *row)
{
	return !!((const struct kt_row_wakeup *)row)->waited;
}

static void wakeup_name(struct kt_str *s, const void *row)
{
	kt_str_add(s, wakeup_key(row) ? "halted, slept" : "halted, polled");
}

static u64 lost_key(const void *row)
{
	return ((const struct kt_row_lost *)row)->cause;
}

static void lost_name(struct kt_str *s, const void *row)
{
	static const char *const causes[] = { ": buffer full", ": program not run",
					      ": too many vCPUs" };
	u64 cause = lost_key(row);

	kt_str_add(s, "events lost");
	if (cause < KT_ARRAY_SIZE(causes))
		kt_str_add(s, causes[cause]);
}

static const struct {
	u64 (*key)(const void *row); /* below 1 << 56 */
	void (*name)(struct kt_str *s, const void *row);
} kinds[KT_ROW_COUNT] = {
	[KT_ROW_EXIT] = { exit_key, exit_name },
	[KT_ROW_EXCEPTION] = { exception_key, exception_name },
	[KT_ROW_FAULT] = { fault_key, fault_name },
	[KT_ROW_MSR] = { msr_key, msr_name },
	[KT_ROW_PIO] = { pio_key, pio_name },
	[KT_ROW_MMIO] = { mmio_key, mmio_name },
	[KT_ROW_CR] = { cr_key, cr_name },
	[KT_ROW_CPUID] = { cpuid_key, cpuid_name },
	[KT_ROW_HYPERCALL] = { hypercall_key, hypercall_name },
	[KT_ROW_EMULATE] = { emulate_key, emulate_name },
	[KT_ROW_INJECT_IRQ] = { irq_key, irq_name },
	[KT_ROW_USERSPACE_EXIT] = { userspace_key, userspace_name },
	[KT_ROW_HALT_POLL] = { halt_poll_key, halt_poll_name },
	[KT_ROW_WAKEUP] = { wakeup_key, wakeup_name },
	[KT_ROW_LOST] = { lost_key, lost_name },
};

u64 kt_export_name_key(u32 kind, const struct kt_row_common *row)
{
	return (u64)kind << 56 | kinds[kind].key(row);
}

void kt_export_name(struct kt_str *s, u32 kind, const struct kt_row_common *row)
{
	kinds[kind].name(s, row);
}
