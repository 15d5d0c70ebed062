// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * kvmtrace record: a short record of each exit, with its duration, and of what KVM does on the way.
 * Exceptions and faults come from their own programs; those on kvm_exit and kvm_entry here stand in for
 * theirs.
 */
#include "vendor.bpf.h"
#include "raw.bpf.h"

/* ---- exits ---- */

/*
 * An exit is put into the vCPU's batch, for a record of its own would cost more than all the rest. A batch
 * is handed over when it is full, when it is old, and before the vCPU halts; what is left in the end user
 * space finds there.
 */
#define BATCH_NS  10000000ull
#define BATCH_END (KT_BATCH_WORDS - KT_EXIT_LONG_WORDS) /* behind it there is no room for another */
#define SVM_HLT	  0x78
#define VMX_HLT	  12

#define INTR_INFO_VALID (1ull << 31)

static __noinline int hand_over(u32 slot)
{
	struct kt_vcpu *v = bpf_map_lookup_elem(&vcpus, &slot);
	u32 cpu = bpf_get_smp_processor_id(), bytes;
	void *ring = bpf_map_lookup_elem(&rings, &cpu);
	u64 *lost;

	if (!v)
		return 0;
	bytes = v->batched * sizeof(u64);
	v->batched = 0;
	v->batch.head.ts = bpf_ktime_get_ns();
	v->batch.head.kind_slot = KT_BRIEF(KT_KIND_EXITS, slot);
	barrier_var(bytes); /* or the verifier is shown the bound of another copy */
	if (bytes > sizeof(v->batch.words))
		return 0;
	if (!ring || bpf_ringbuf_output(ring, &v->batch, sizeof(v->batch.head) + bytes, 0)) {
		lost = bpf_map_lookup_elem(&cpu_lost, &cpu);
		if (lost)
			__sync_fetch_and_add(lost, v->batch.head.word);
	}
	v->batch.head.word = 0;
	return 0;
}

/* Where the exit that is being handled lies. */
static __always_inline u64 *exit_words(struct kt_vcpu *v)
{
	u32 at = v->batched;
	u64 *words;

	barrier_var(at); /* or the verifier is shown the bound of another copy */
	if (at > BATCH_END)
		return NULL;
	words = &v->batch.words[at];
	barrier_var(words); /* or each access gets an addition of its own */
	return words;
}

/* The exit that was being handled has ended. */
static __always_inline void end_words(struct kt_vcpu *v, u64 duration)
{
	u64 *words = exit_words(v);

	if (!words)
		return;
	words[KT_EXIT_DURATION] = duration;
	v->batch.head.word++;
	if (words[KT_EXIT_INFO2] || words[KT_EXIT_EVENT] & INTR_INFO_VALID) {
		words[KT_EXIT_CODE] |= KT_EXIT_LONG;
		v->batched += KT_EXIT_LONG_WORDS;
	} else {
		v->batched += KT_EXIT_WORDS;
	}
}

/* Another exit, and no entry was seen in between. */
static __noinline int end_untimed(u32 slot)
{
	struct kt_vcpu *v = bpf_map_lookup_elem(&vcpus, &slot);

	if (!v)
		return 0;
	if (KT_EXIT_IS_TIME(v->exit_ts) && !v->unwanted_exit)
		end_words(v, 0);
	v->exit_ts = KT_EXIT_NONE;
	finish(v, slot, 0);
	return 0;
}

/* Before what is noted is about the new exit. */
static __always_inline void end_exit_before(const struct kt_vcpu *v, u32 slot)
{
	if (KT_EXIT_IS_TIME(v->exit_ts) || v->fault.pending)
		end_untimed(slot);
}

/* Room for an exit, with its time. */
static __always_inline u64 *begin_words(struct kt_vcpu *v, u32 slot)
{
	u64 now = bpf_ktime_get_ns(), *words;
	u32 batched = v->batched;

	v->exit_ts = now;
	if (batched > BATCH_END || now - v->batched_since > BATCH_NS) {
		if (batched)
			hand_over(slot);
		v->batched_since = now;
	}
	words = exit_words(v);
	if (words)
		words[KT_EXIT_TS] = now;
	return words;
}

/* The guest goes to sleep, maybe for long: what came before is handed over, the exit itself kept. */
static __noinline int begin_sleep(u32 slot)
{
	struct kt_vcpu *v = bpf_map_lookup_elem(&vcpus, &slot);
	u64 *words = v ? exit_words(v) : NULL, exit[KT_EXIT_LONG_WORDS];

	if (!words)
		return 0;
	__builtin_memcpy(exit, words, sizeof(exit));
	hand_over(slot);
	__builtin_memcpy(v->batch.words, exit, sizeof(exit));
	return 0;
}

static __always_inline void note_reason(struct kt_vcpu *v, u32 slot, u64 *words, u32 isa, u32 code)
{
	words[KT_EXIT_CODE] = code | (u64)bpf_get_smp_processor_id() << KT_EXIT_CPU_SHIFT;
	v->exit_code = code;
	if (cfg.by_reason)
		v->unwanted_exit = !reason_wanted(isa, code);
	if (code == (isa == KVM_ISA_VMX ? VMX_HLT : SVM_HLT) && v->batched)
		begin_sleep(slot);
}

/* 0 where the guest's registers are encrypted. */
static __always_inline u64 typed_rip(struct kvm_vcpu *vcpu)
{
	if (cfg.protected_guests &&
	    bpf_core_field_exists(struct kvm_vcpu, arch.guest_state_protected) &&
	    vcpu->arch.guest_state_protected)
		return 0;
	if (bpf_core_field_exists(struct kvm_vcpu___v72, arch.rip))
		return ((struct kvm_vcpu___v72 *)vcpu)->arch.rip;
	return vcpu->arch.regs[X86_REG_RIP];
}

/* SVM: RIP is in memory, the rest in the VMCB. */
SEC("?tp_btf/kvm_exit")
int BPF_PROG(kt_trace_exit, struct kvm_vcpu *vcpu, u32 isa)
{
	struct kt_vcpu *v;
	u64 *words;
	u32 slot, code;

	if (!vcpu || !bpf_core_type_exists(struct vmcb))
		return 0;
	v = kt_vcpu_get(vcpu, &slot, false);
	if (!v)
		return lose_exit(vcpu->vcpu_id);
	if (v->muted || !control.attached)
		return 0;
	kt_set_isa(v, isa);
	end_exit_before(v, slot);
	words = begin_words(v, slot);
	if (!words)
		return 0;
	words[KT_EXIT_RIP] = typed_rip(vcpu);
	v->exit_rip = words[KT_EXIT_RIP];
	kt_read_vmcb_words(kt_vmcb_of(vcpu, v), (struct kt_vmcb_exit *)&words[KT_EXIT_CODE]);
	code = words[KT_EXIT_CODE];
	v->exit_info1 = words[KT_EXIT_INFO1];
	note_reason(v, slot, words, KVM_ISA_SVM, code);
	return 0;
}

/* The record of the classic tracepoint has what VMX reads from the VMCS on demand: BPF cannot. */
static __always_inline void trace_exit_record(struct kt_raw_kvm_exit *ctx, struct kt_vcpu *v,
					      u32 slot)
{
	u32 code = kt_plain_reason(ctx->isa, ctx->exit_reason);
	u64 *words;

	if (!v) {
		lose_exit(ctx->vcpu_id);
		return;
	}
	if (v->muted || !control.attached)
		return;
	v->isa = ctx->isa;
	end_exit_before(v, slot);
	note_exit(&v->last, ctx);
	v->exit_rip = ctx->guest_rip;
	v->exit_info1 = ctx->info1;
	words = begin_words(v, slot);
	if (!words)
		return;
	words[KT_EXIT_RIP] = ctx->guest_rip;
	words[KT_EXIT_INFO1] = ctx->info1;
	words[KT_EXIT_INFO2] = ctx->info2;
	words[KT_EXIT_EVENT] = ctx->intr_info | (u64)ctx->error_code << 32;
	note_reason(v, slot, words, ctx->isa, code);
}

SEC("?tp/kvm/kvm_exit")
int kt_trace_exit_c(struct kt_raw_kvm_exit *ctx)
{
	u32 slot;
	struct kt_vcpu *v = kt_vcpu_current(&slot);

	trace_exit_record(ctx, v, slot);
	return 1;
}

SEC("?tp/kvm/kvm_exit")
int kt_trace_exit_r(struct kt_raw_kvm_exit *ctx)
{
	u32 slot;
	struct kt_vcpu *v = kt_vcpu_current_raw(&slot);

	trace_exit_record(ctx, v, slot);
	return 1;
}

static __always_inline int end_traced_exit(struct kt_vcpu *v, u32 slot)
{
	u64 begin = v->exit_ts, duration;

	if (!KT_EXIT_IS_TIME(begin))
		return not_timed(slot);
	duration = bpf_ktime_get_ns() - begin;
	v->exit_ts = KT_EXIT_NONE;
	if (!cfg.by_reason || !v->unwanted_exit)
		end_words(v, duration);
	if (v->fault.pending)
		finish(v, slot, duration);
	return 0;
}

SEC("?tp_btf/kvm_entry")
int BPF_PROG(kt_trace_entry, struct kvm_vcpu *vcpu)
{
	struct kt_vcpu *v;
	u32 slot;

	if (!vcpu)
		return 0;
	v = kt_vcpu_get(vcpu, &slot, true);
	return v ? end_traced_exit(v, slot) : 0;
}

SEC("?raw_tp/kvm_entry")
int kt_trace_entry_r(struct kt_raw_args *ctx)
{
	struct kt_vcpu *v;
	u32 slot;

	v = kt_vcpu_get_raw(ctx->args[0], &slot, true);
	return v ? end_traced_exit(v, slot) : 0;
}

/* ---- what happens on the way ---- */

/* The vCPU that the thread runs, for programs that work with the types of the kvm module and without. */
static __always_inline struct kt_vcpu *traced_vcpu(u32 *slot)
{
	struct kt_vcpu *v = kt_vcpu_loaded(slot, cfg.no_kvm_types);

	/* Where entries are seen, a vCPU that came to be at another's address has its own slot by now. */
	return cfg.exits_traced ? v : kt_vcpu_checked(v, slot);
}

/* No slot was free for the thread's vCPU. A thread that has none was counted as unknown. */
static __noinline int lose_event(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	u64 node = (u64)BPF_CORE_READ(task, preempt_notifiers.first);
	struct kvm_vcpu *vcpu;

	if (!node)
		return 0;
	vcpu = (void *)(node - bpf_core_field_offset(struct kvm_vcpu, preempt_notifier.link));
	if (kt_wanted(bpf_get_current_pid_tgid() >> 32, BPF_CORE_READ(vcpu, vcpu_id)))
		kt_count(events_without_vcpu_slot);
	return 0;
}

static __always_inline u32 traced_slot(void)
{
	u32 slot = 0;
	struct kt_vcpu *v = traced_vcpu(&slot);

	if (!v) {
		lose_event();
		return 0;
	}
	return v->muted ? 0 : slot;
}

/* Room for a record of the current vCPU, head filled in. */
static __always_inline void *begin_brief(u32 size, u32 kind, u32 word)
{
	struct kt_brief *b;
	u32 slot;

	if (!control.attached)
		return NULL;
	slot = traced_slot();
	if (!slot)
		return NULL;
	b = kt_room(size, bpf_get_smp_processor_id());
	if (!b)
		return NULL;
	b->ts = bpf_ktime_get_ns();
	b->kind_slot = KT_BRIEF(kind, slot);
	b->word = word;
	return b;
}

SEC("?raw_tp/kvm_msr")
int kt_trace_msr(struct kt_raw_args *ctx)
{
	struct kt_brief_msr *b = begin_brief(sizeof(*b), KT_KIND_MSR, ctx->args[1]);

	if (!b)
		return 0;
	b->value = ctx->args[2];
	b->flags = (ctx->args[0] ? 1 : 0) | ((u8)ctx->args[3] ? 2 : 0);
	b->pad = 0;
	kt_submit(b);
	return 0;
}

SEC("?raw_tp/kvm_pio")
int kt_trace_pio(struct kt_raw_args *ctx)
{
	u32 size = ctx->args[2];
	u32 word = (u16)ctx->args[1] | (size & 0xff) << 16 | (ctx->args[0] ? 1 << 24 : 0);
	struct kt_brief_pio *b = begin_brief(sizeof(*b), KT_KIND_PIO, word);
	u32 value = 0;

	if (!b)
		return 0;
	if (size == 1)
		bpf_probe_read_kernel(&value, 1, (void *)ctx->args[4]);
	else if (size == 2)
		bpf_probe_read_kernel(&value, 2, (void *)ctx->args[4]);
	else
		bpf_probe_read_kernel(&value, 4, (void *)ctx->args[4]);
	b->count = ctx->args[3];
	b->value = value;
	kt_submit(b);
	return 0;
}

SEC("?raw_tp/kvm_mmio")
int kt_trace_mmio(struct kt_raw_args *ctx)
{
	u32 len = ctx->args[1], word = (len & 0xffff) | (u32)ctx->args[0] << 16;
	struct kt_brief_mmio *b = begin_brief(sizeof(*b), KT_KIND_MMIO, word);
	u64 value = 0;

	if (!b)
		return 0;
	b->gpa = ctx->args[2];
	barrier_var(len); /* or the verifier is shown the bound of another copy */
	if (len > sizeof(value))
		len = sizeof(value);
	/* NULL for a read that user space is to answer. */
	if (ctx->args[3])
		bpf_probe_read_kernel(&value, len, (void *)ctx->args[3]);
	b->value = value;
	kt_submit(b);
	return 0;
}

SEC("?raw_tp/kvm_fast_mmio")
int kt_trace_fast_mmio(struct kt_raw_args *ctx)
{
	struct kt_brief_mmio *b = begin_brief(sizeof(*b), KT_KIND_MMIO, KT_MMIO_FAST << 16);

	if (!b)
		return 0;
	b->gpa = ctx->args[0];
	b->value = 0;
	kt_submit(b);
	return 0;
}

SEC("?raw_tp/kvm_cr")
int kt_trace_cr(struct kt_raw_args *ctx)
{
	u32 word = (u8)ctx->args[1] | (ctx->args[0] ? 1 << 8 : 0);
	struct kt_brief_cr *b = begin_brief(sizeof(*b), KT_KIND_CR, word);

	if (!b)
		return 0;
	b->value = ctx->args[2];
	kt_submit(b);
	return 0;
}

SEC("?raw_tp/kvm_cpuid")
int kt_trace_cpuid(struct kt_raw_args *ctx)
{
	struct kt_brief_cpuid *b = begin_brief(sizeof(*b), KT_KIND_CPUID, ctx->args[0]);

	if (!b)
		return 0;
	b->index = ctx->args[1];
	b->eax = ctx->args[2];
	b->ebx = ctx->args[3];
	b->ecx = ctx->args[4];
	b->edx = ctx->args[5];
	b->flags = ((u8)ctx->args[6] ? 1 : 0) | ((u8)ctx->args[7] ? 2 : 0);
	kt_submit(b);
	return 0;
}

SEC("?raw_tp/kvm_hypercall")
int kt_trace_hypercall(struct kt_raw_args *ctx)
{
	struct kt_brief_hypercall *b = begin_brief(sizeof(*b), KT_KIND_HYPERCALL, 0);

	if (!b)
		return 0;
	b->nr = ctx->args[0];
	b->args[0] = ctx->args[1];
	b->args[1] = ctx->args[2];
	b->args[2] = ctx->args[3];
	b->args[3] = ctx->args[4];
	kt_submit(b);
	return 0;
}

/* Classic: the instruction is in its record, and else deep in the emulator's own state. */
SEC("?tp/kvm/kvm_emulate_insn")
int kt_trace_emulate(struct kt_raw_kvm_emulate_insn *ctx)
{
	struct kt_brief_emulate *b = begin_brief(sizeof(*b), KT_KIND_EMULATE, ctx->csbase);

	if (!b)
		return 1;
	b->rip = ctx->rip;
	bpf_probe_read_kernel(b->insn, sizeof(b->insn), ctx->insn);
	b->insn_len = ctx->len;
	b->flags = ctx->flags;
	b->failed = ctx->failed;
	__builtin_memset(b->pad, 0, sizeof(b->pad));
	kt_submit(b);
	return 1;
}

static __always_inline int trace_irq(u32 word)
{
	struct kt_brief_irq *b = begin_brief(sizeof(*b), KT_KIND_INJECT_IRQ, word);

	if (b)
		kt_submit(b);
	return 0;
}

SEC("?raw_tp/kvm_inj_virq")
int kt_trace_irq(struct kt_raw_args *ctx)
{
	return trace_irq((u8)ctx->args[0] | ((u8)ctx->args[1] ? 1 << 8 : 0) |
			 ((u8)ctx->args[2] ? 1 << 9 : 0));
}

/* Before 2d61391270a3 (6.0) it told the vector alone. */
SEC("?raw_tp/kvm_inj_virq")
int kt_trace_irq1(struct kt_raw_args *ctx)
{
	return trace_irq((u8)ctx->args[0]);
}

SEC("?raw_tp/kvm_vcpu_wakeup")
int kt_trace_wakeup(struct kt_raw_args *ctx)
{
	u32 word = ((u8)ctx->args[1] ? 1 : 0) | ((u8)ctx->args[2] ? 2 : 0);
	struct kt_brief_wakeup *b = begin_brief(sizeof(*b), KT_KIND_WAKEUP, word);

	if (!b)
		return 0;
	b->duration = ctx->args[0];
	kt_submit(b);
	return 0;
}

SEC("?raw_tp/kvm_halt_poll_ns")
int kt_trace_halt_poll(struct kt_raw_args *ctx)
{
	u32 word = (u8)ctx->args[0] ? 1 : 0;
	struct kt_brief_halt_poll *b = begin_brief(sizeof(*b), KT_KIND_HALT_POLL, word);

	if (!b)
		return 0;
	b->poll_new = ctx->args[2];
	b->poll_old = ctx->args[3];
	kt_submit(b);
	return 0;
}

/* ---- returns to user space ---- */

/*
 * When kvm_userspace_exit is raised the vCPU is no longer loaded, so nothing leads from the thread to it.
 * kvm_fpu comes shortly before, on every way out of KVM_RUN: then the thread's vCPU is noted.
 */
SEC("?raw_tp/kvm_fpu")
int kt_trace_fpu(struct kt_raw_args *ctx)
{
	u32 slot;

	if (!(u32)ctx->args[0])
		traced_vcpu(&slot);
	return 0;
}

/* The slot that kt_trace_fpu() noted for this thread; 0: none. */
static __always_inline u32 left_slot(struct kt_vcpu **found)
{
	u64 pid_tgid = bpf_get_current_pid_tgid();
	u32 slot = thread_cache[(u32)pid_tgid % KT_CACHE_PLACES];
	struct kt_vcpu *v = bpf_map_lookup_elem(&vcpus, &slot);

	*found = v;
	if (!v || v->tid != (u32)pid_tgid || v->tgid != pid_tgid >> 32) {
		if (kt_wanted(pid_tgid >> 32, KT_NO_VCPU))
			kt_count(events_without_vcpu_slot);
		return 0;
	}
	return v->muted ? 0 : slot;
}

/* Of these, what struct kvm_run has is in other events, or nothing. */
#define KVM_EXIT_IO	      2
#define KVM_EXIT_HLT	      5
#define KVM_EXIT_MMIO	      6
#define KVM_EXIT_IRQ_WINDOW   7
#define KVM_EXIT_INTR	      10
#define KVM_EXIT_MEMORY_FAULT 39
#define KVM_RUN_UNION_OFFSET  32 /* linux/kvm.h: what there is for each reason */
#define PLAIN_REASONS                                                                              \
	(1u << KVM_EXIT_IO | 1u << KVM_EXIT_HLT | 1u << KVM_EXIT_MMIO |                            \
	 1u << KVM_EXIT_IRQ_WINDOW | 1u << KVM_EXIT_INTR)

/* A negative error leaves the reason of another return, but for one. */
static __always_inline bool tells_more(u32 reason, s32 error)
{
	if (error < 0)
		return reason == KVM_EXIT_MEMORY_FAULT;
	return reason >= 32 || !(PLAIN_REASONS >> reason & 1);
}

static __always_inline void fill_user(struct kt_brief_user *b, u32 kind, u32 slot, u32 reason,
				      s32 error)
{
	b->head.ts = bpf_ktime_get_ns();
	b->head.kind_slot = KT_BRIEF(kind, slot);
	b->head.word = reason;
	b->error = error;
	b->pad = 0;
}

SEC("?raw_tp/kvm_userspace_exit")
int kt_trace_user(struct kt_raw_args *ctx)
{
	u32 reason = ctx->args[0], cpu = bpf_get_smp_processor_id(), slot;
	struct kt_brief_user_long *more;
	struct kt_brief_user *b;
	s32 error = ctx->args[1];
	struct kt_vcpu *v;
	u64 run;

	if (!control.attached)
		return 0;
	slot = left_slot(&v);
	if (!slot || !v)
		return 0;
	/* The vCPU may not come back: what led to this must not wait for its next exit. */
	if (v->batched && (error < 0 || tells_more(reason, error)))
		begin_sleep(slot);
	if (!tells_more(reason, error)) {
		b = kt_room(sizeof(*b), cpu);
		if (!b)
			return 0;
		fill_user(b, KT_KIND_USERSPACE_EXIT, slot, reason, error);
		kt_submit(b);
		return 0;
	}
	run = (u64)kt_vcpu_read(kt_vcpu_at(v->vcpu), run);
	more = kt_room(sizeof(*more), cpu);
	if (!more)
		return 0;
	fill_user(&more->exit, KT_KIND_USERSPACE_EXIT_LONG, slot, reason, error);
	bpf_probe_read_kernel(more->run, sizeof(more->run), (void *)(run + KVM_RUN_UNION_OFFSET));
	kt_submit(more);
	return 0;
}
