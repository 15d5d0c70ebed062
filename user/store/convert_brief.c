/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <string.h>

#include "convert_brief.h"

/* linux/kvm.h */
#define USER_EXIT_FAIL_ENTRY	 9
#define USER_EXIT_INTERNAL_ERROR 17
#define USER_EXIT_SYSTEM_EVENT	 24
#define INTERNAL_ERROR_EMULATION 1
#define EMULATION_INSN_BYTES	 1 /* flag: instruction bytes are there */

static void set_head(struct kt_row_common *head, const struct kt_brief *b, u32 cpu,
		     const struct kt_vcpu *v)
{
	head->ts = b->ts;
	head->cpu = cpu;
	head->tgid = v->tgid;
	head->tid = v->tid;
	head->vcpu_id = v->vcpu_id;
}

/* Without the valid bit, and the error code without its own, they are undefined (SDM 25.9.2, APM 15.7.2). */
static void set_event(struct kt_row_exit *row, u64 event)
{
	if (!(event >> 31 & 1))
		return;
	row->intr_info = event;
	row->error_code = event >> 11 & 1 ? event >> 32 : 0;
}

u32 kt_row_of_batched(struct kt_row_exit *row, const u64 *words, u32 left, const struct kt_vcpu *v)
{
	bool more = left >= KT_EXIT_WORDS && words[KT_EXIT_CODE] & KT_EXIT_LONG;
	u32 taken = more ? KT_EXIT_LONG_WORDS : KT_EXIT_WORDS;

	if (left < taken)
		return 0;
	row->head.ts = words[KT_EXIT_TS];
	row->head.cpu = words[KT_EXIT_CODE] >> KT_EXIT_CPU_SHIFT;
	row->head.tgid = v->tgid;
	row->head.tid = v->tid;
	row->head.vcpu_id = v->vcpu_id;
	row->reason = words[KT_EXIT_CODE];
	row->isa = v->isa;
	row->rip = words[KT_EXIT_RIP];
	row->info1 = words[KT_EXIT_INFO1];
	row->info2 = 0;
	row->intr_info = 0;
	row->error_code = 0;
	row->duration = words[KT_EXIT_DURATION];
	row->end = row->duration ? KT_END_ENTERED : KT_END_NO_ENTRY;
	if (more) {
		row->info2 = words[KT_EXIT_INFO2];
		set_event(row, words[KT_EXIT_EVENT]);
	}
	return taken;
}

bool kt_row_of_unfinished(struct kt_row_exit *row, const struct kt_vcpu *v)
{
	u64 words[KT_EXIT_LONG_WORDS];

	if (!KT_EXIT_IS_TIME(v->exit_ts) || v->unwanted_exit ||
	    v->batched > KT_BATCH_WORDS - KT_EXIT_LONG_WORDS)
		return false;
	memcpy(words, v->batch.words + v->batched, sizeof(words));
	words[KT_EXIT_DURATION] = 0;
	words[KT_EXIT_CODE] |= KT_EXIT_LONG;
	kt_row_of_batched(row, words, KT_EXIT_LONG_WORDS, v);
	row->end = KT_END_OPEN;
	return true;
}

static u32 msr_of(union kt_brief_row *row, const struct kt_brief *b, const struct kt_vcpu *v)
{
	const struct kt_brief_msr *m = (const struct kt_brief_msr *)b;

	(void)v;
	row->msr.index = b->word;
	row->msr.value = m->value;
	row->msr.write = m->flags & 1;
	row->msr.failed = m->flags >> 1 & 1;
	return KT_ROW_MSR;
}

static u32 pio_of(union kt_brief_row *row, const struct kt_brief *b, const struct kt_vcpu *v)
{
	const struct kt_brief_pio *p = (const struct kt_brief_pio *)b;

	(void)v;
	row->pio.port = b->word;
	row->pio.size = b->word >> 16;
	row->pio.write = b->word >> 24 & 1;
	row->pio.count = p->count;
	row->pio.value = p->value;
	return KT_ROW_PIO;
}

static u32 mmio_of(union kt_brief_row *row, const struct kt_brief *b, const struct kt_vcpu *v)
{
	const struct kt_brief_mmio *m = (const struct kt_brief_mmio *)b;

	(void)v;
	row->mmio.gpa = m->gpa;
	row->mmio.value = m->value;
	row->mmio.size = b->word & 0xffff;
	row->mmio.access = b->word >> 16;
	return KT_ROW_MMIO;
}

static u32 cr_of(union kt_brief_row *row, const struct kt_brief *b, const struct kt_vcpu *v)
{
	(void)v;
	row->cr.cr = b->word;
	row->cr.write = b->word >> 8 & 1;
	row->cr.value = ((const struct kt_brief_cr *)b)->value;
	return KT_ROW_CR;
}

static u32 cpuid_of(union kt_brief_row *row, const struct kt_brief *b, const struct kt_vcpu *v)
{
	const struct kt_brief_cpuid *c = (const struct kt_brief_cpuid *)b;

	(void)v;
	row->cpuid.function = b->word;
	row->cpuid.index = c->index;
	row->cpuid.eax = c->eax;
	row->cpuid.ebx = c->ebx;
	row->cpuid.ecx = c->ecx;
	row->cpuid.edx = c->edx;
	row->cpuid.found = c->flags & 1;
	row->cpuid.used_max_basic = c->flags >> 1 & 1;
	return KT_ROW_CPUID;
}

static u32 hypercall_of(union kt_brief_row *row, const struct kt_brief *b, const struct kt_vcpu *v)
{
	const struct kt_brief_hypercall *h = (const struct kt_brief_hypercall *)b;

	(void)v;
	row->hypercall.nr = h->nr;
	row->hypercall.a0 = h->args[0];
	row->hypercall.a1 = h->args[1];
	row->hypercall.a2 = h->args[2];
	row->hypercall.a3 = h->args[3];
	return KT_ROW_HYPERCALL;
}

static void set_insn(u8 *size, u8 *bytes, const u8 *insn, u32 len)
{
	*size = len < KT_INSN_LEN ? len : KT_INSN_LEN;
	memset(bytes, 0, KT_INSN_LEN);
	memcpy(bytes, insn, *size);
}

static u32 emulate_of(union kt_brief_row *row, const struct kt_brief *b, const struct kt_vcpu *v)
{
	const struct kt_brief_emulate *e = (const struct kt_brief_emulate *)b;

	(void)v;
	row->emulate.rip = e->rip;
	row->emulate.csbase = b->word;
	row->emulate.flags = e->flags;
	row->emulate.failed = e->failed;
	set_insn(&row->emulate.insn.size, row->emulate.insn.bytes, e->insn, e->insn_len);
	return KT_ROW_EMULATE;
}

static u32 irq_of(union kt_brief_row *row, const struct kt_brief *b, const struct kt_vcpu *v)
{
	(void)v;
	row->inject_irq.vector = b->word & 0xff;
	row->inject_irq.soft = b->word >> 8 & 1;
	row->inject_irq.reinjected = b->word >> 9 & 1;
	return KT_ROW_INJECT_IRQ;
}

static void user_row(struct kt_row_userspace_exit *row, const struct kt_brief_user *u)
{
	memset(&row->reason, 0, sizeof(*row) - offsetof(struct kt_row_userspace_exit, reason));
	row->reason = u->head.word;
	row->error = u->error;
}

static u32 user_of(union kt_brief_row *row, const struct kt_brief *b, const struct kt_vcpu *v)
{
	(void)v;
	user_row(&row->userspace_exit, (const struct kt_brief_user *)b);
	return KT_ROW_USERSPACE_EXIT;
}

static u32 word_at(const u8 *run, u32 offset)
{
	u32 word;

	memcpy(&word, run + offset, sizeof(word));
	return word;
}

/* From that offset in struct kvm_run's part for a reason on, up to ndata numbers. */
static void set_data(struct kt_row_userspace_exit *row, const u8 *run, u32 offset, u32 ndata)
{
	u64 data[5] = {};
	u32 fit = (KT_RUN_BYTES - offset) / sizeof(u64);

	fit = fit < 5 ? fit : 5;
	row->ndata = ndata < fit ? ndata : fit;
	memcpy(data, run + offset, row->ndata * sizeof(u64));
	row->data0 = data[0];
	row->data1 = data[1];
	row->data2 = data[2];
	row->data3 = data[3];
	row->data4 = data[4];
}

/* What struct kvm_run has: linux/kvm.h, the members of its union. */
static void set_internal_error(struct kt_row_userspace_exit *row, const u8 *run)
{
	u32 ndata = word_at(run, 4);

	row->suberror = word_at(run, 0);
	/* emulation_failure: flags, insn_size, insn_bytes */
	if (row->suberror == INTERNAL_ERROR_EMULATION && ndata >= 3 &&
	    word_at(run, 8) & EMULATION_INSN_BYTES) {
		set_insn(&row->insn.size, row->insn.bytes, run + 17, run[16]);
		return;
	}
	set_data(row, run, 8, ndata);
}

/* How many words of 64 bits there are for a reason; of reasons of the future, all that fit. */
static u32 words_of(u32 reason)
{
	static const struct {
		u8 reason, words;
	} known[] = {
		{ 1, 1 },  /* EXCEPTION: vector, error code */
		{ 4, 4 },  /* DEBUG: exception; pc, DR6, DR7 */
		{ 8, 0 },  /* SHUTDOWN */
		{ 9, 2 },  /* FAIL_ENTRY: hardware's reason; CPU */
		{ 11, 0 }, /* SET_TPR */
		{ 12, 2 }, /* TPR_ACCESS: rip, is_write */
		{ 16, 0 }, /* NMI */
		{ 26, 1 }, /* IOAPIC_EOI: vector */
		{ 29, 3 }, /* X86_RDMSR: error; reason, index; data */
		{ 30, 3 }, /* X86_WRMSR */
		{ 31, 0 }, /* DIRTY_RING_FULL */
		{ 32, 0 }, /* AP_RESET_HOLD */
		{ 33, 0 }, /* X86_BUS_LOCK */
		{ 37, 1 }, /* NOTIFY: flags */
		{ 39, 3 }, /* MEMORY_FAULT: flags, gpa, size */
	};

	for (size_t i = 0; i < KT_ARRAY_SIZE(known); i++)
		if (known[i].reason == reason)
			return known[i].words;
	return 5;
}

static u32 long_user_of(union kt_brief_row *row, const struct kt_brief *b, const struct kt_vcpu *v)
{
	const struct kt_brief_user_long *u = (const struct kt_brief_user_long *)b;
	struct kt_row_userspace_exit *r = &row->userspace_exit;

	(void)v;
	user_row(r, &u->exit);
	if (r->reason == USER_EXIT_INTERNAL_ERROR) {
		set_internal_error(r, u->run);
	} else if (r->reason == USER_EXIT_SYSTEM_EVENT) { /* type, ndata, data */
		r->suberror = word_at(u->run, 0);
		set_data(r, u->run, 8, word_at(u->run, 4));
	} else {
		set_data(r, u->run, 0, words_of(r->reason));
		if (r->reason == USER_EXIT_FAIL_ENTRY) /* the CPU has 32 bits */
			r->data1 = (u32)r->data1;
	}
	return KT_ROW_USERSPACE_EXIT;
}

static u32 halt_poll_of(union kt_brief_row *row, const struct kt_brief *b, const struct kt_vcpu *v)
{
	const struct kt_brief_halt_poll *h = (const struct kt_brief_halt_poll *)b;

	(void)v;
	row->halt_poll.poll_new = h->poll_new;
	row->halt_poll.poll_old = h->poll_old;
	row->halt_poll.grow = b->word & 1;
	return KT_ROW_HALT_POLL;
}

static u32 wakeup_of(union kt_brief_row *row, const struct kt_brief *b, const struct kt_vcpu *v)
{
	(void)v;
	row->wakeup.duration = ((const struct kt_brief_wakeup *)b)->duration;
	row->wakeup.waited = b->word & 1;
	row->wakeup.valid = b->word >> 1 & 1;
	return KT_ROW_WAKEUP;
}

typedef u32 (*convert_fn)(union kt_brief_row *row, const struct kt_brief *b,
			  const struct kt_vcpu *v);

static const convert_fn converters[] = {
	[KT_KIND_MSR] = msr_of,
	[KT_KIND_PIO] = pio_of,
	[KT_KIND_MMIO] = mmio_of,
	[KT_KIND_CR] = cr_of,
	[KT_KIND_CPUID] = cpuid_of,
	[KT_KIND_HYPERCALL] = hypercall_of,
	[KT_KIND_EMULATE] = emulate_of,
	[KT_KIND_INJECT_IRQ] = irq_of,
	[KT_KIND_USERSPACE_EXIT] = user_of,
	[KT_KIND_USERSPACE_EXIT_LONG] = long_user_of,
	[KT_KIND_HALT_POLL] = halt_poll_of,
	[KT_KIND_WAKEUP] = wakeup_of,
};

u32 kt_row_of_brief(union kt_brief_row *row, const struct kt_brief *brief, u32 cpu,
		    const struct kt_vcpu *v)
{
	u32 kind = KT_BRIEF_KIND(brief);

	set_head(&row->head, brief, cpu, v);
	if (kind >= KT_ARRAY_SIZE(converters) || !converters[kind])
		return 0;
	return converters[kind](row, brief, v);
}
