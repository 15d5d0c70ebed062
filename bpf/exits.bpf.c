// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * kvmtrace exits: how often and how long, per vCPU and reason, added up in the kernel.
 *
 * An exit begins at kvm_exit and ends at the next kvm_entry of that vCPU, whatever CPU that is on.
 * Both run in the vCPU's thread, so each histogram has one writer and needs no atomic operation.
 */
#include "vendor.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, KT_CELLS);
	__type(key, u32);
	__type(value, struct kt_cell);
} cells SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, KT_MORE_CELLS);
	__type(key, u32);
	__type(value, struct kt_cell);
} more_cells SEC(".maps");

/* Numbers of histograms in the array that nobody uses; never KT_NO_CELL. */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, KT_CELLS);
	__type(value, u32);
} free_cells SEC(".maps");

/* What a histogram in the hash table starts from: too large for the stack. */
static const struct kt_cell no_exits = {};

/* Two calls, not one with either map: the kernel inlines a look-up in an array only if it is sure. */
static __always_inline struct kt_cell *cell_at(u32 number)
{
	struct kt_cell *cell;

	if (number >= KT_CELLS)
		return bpf_map_lookup_elem(&more_cells, &number);
	cell = bpf_map_lookup_elem(&cells, &number);
	barrier_var(cell);
	return cell;
}

/* Place of an odd code in the vCPU's list, taking a new one if need be; KT_REASONS: list full. */
static __noinline u32 odd_index(u32 slot, u32 code)
{
	struct kt_vcpu *v = bpf_map_lookup_elem(&vcpus, &slot);

	if (!v)
		return KT_REASONS;
	for (u32 i = 0; i < KT_REASON_ODD; i++) {
		if (!v->odd_codes[i])
			v->odd_codes[i] = code;
		if (v->odd_codes[i] == code)
			return KT_REASON_DENSE + i;
	}
	return KT_REASONS;
}

static __always_inline u32 reason_index(u32 slot, u32 code)
{
	u32 index = kt_reason_index(code);

	return index < KT_REASON_DENSE ? index : odd_index(slot, code);
}

/* --reason. VMX's flag bits are no part of the reason. */
static __noinline bool reason_wanted(u32 isa, u32 code)
{
	u32 table = isa == KVM_ISA_SVM, index;

	if (isa == KVM_ISA_VMX)
		code &= 0xffff;
	index = kt_reason_index(code);
	barrier_var(index); /* or the verifier is shown the bound of another copy */
	if (index < KT_REASON_DENSE)
		return cfg.reasons[table][index / 64] >> (index % 64) & 1;
	for (u32 i = 0; i < KT_REASON_ODD_WANTED; i++)
		if (i < cfg.odd_reason_count[table] && cfg.odd_reasons[table][i] == code)
			return true;
	return false;
}

/* First time that this vCPU exits for this reason. */
static __noinline u32 new_cell(u32 slot, u32 index)
{
	struct kt_vcpu *v = bpf_map_lookup_elem(&vcpus, &slot);
	struct kt_cell *cell;
	u32 number = KT_NO_CELL;

	if (!v || index >= KT_REASONS)
		return KT_NO_CELL;
	if (bpf_map_pop_elem(&free_cells, &number)) {
		number = KT_CELLS + slot * KT_REASONS + index;
		bpf_map_update_elem(&more_cells, &number, &no_exits, BPF_NOEXIST);
	}
	cell = cell_at(number);
	if (!cell) {
		kt_count(exits_without_cell);
		return KT_NO_CELL;
	}
	cell->index = index;
	cell->code = v->exit_code;
	cell->isa = v->isa;
	cell->slot = slot;
	v->cells[index] = number;
	return number;
}

static __always_inline struct kt_cell *cell_of(struct kt_vcpu *v, u32 slot)
{
	u32 index = v->exit_index, number;

	if (index >= KT_REASONS) { /* the list of odd codes is full */
		kt_count(exits_without_cell);
		return NULL;
	}
	number = v->cells[index];
	if (number == KT_NO_CELL) {
		number = new_cell(slot, index);
		if (number == KT_NO_CELL)
			return NULL;
	}
	return cell_at(number);
}

/* The square of ns is added to a sum of 128 bits; times from 2^32 ns (4.3 s) lose 16 low bits. */
static __always_inline void add_square(struct kt_cell *cell, u64 ns)
{
	u64 lo = ns * ns;

	if (ns >> 32) {
		u64 scaled = ns >> 16;

		if (scaled >> 32)
			scaled = (1ull << 32) - 1; /* over 3 days */
		lo = scaled * scaled;
		cell->squares_hi += lo >> 32;
		lo <<= 32;
	}
	lo += cell->squares_lo;
	if (lo < cell->squares_lo)
		cell->squares_hi++;
	cell->squares_lo = lo;
}

/* The first exit of an interval puts the extremes of the one before aside for the reader. */
static __noinline int begin_interval(struct kt_cell *cell, u64 ns)
{
	if (!cell)
		return 0;
	cell->before = cell->now;
	cell->now.min = ns;
	cell->now.span = 0;
	cell->now.epoch = control.epoch;
	return 0;
}

static __always_inline void add_extremes(struct kt_cell *cell, u64 ns)
{
	u64 min = cell->now.min, span = cell->now.span;

	if (cell->now.epoch != control.epoch) {
		begin_interval(cell, ns);
	} else if (ns - min > span) { /* also when ns < min: it wraps around */
		if (ns < min) {
			cell->now.min = ns;
			cell->now.span = span + (min - ns);
		} else {
			cell->now.span = ns - min;
		}
	}
}

/* An exit whose entry never came: it is counted, but has no time. */
static __noinline int count_unpaired(u32 slot)
{
	struct kt_vcpu *v = bpf_map_lookup_elem(&vcpus, &slot);
	struct kt_cell *cell;

	if (!v)
		return 0;
	cell = cell_of(v, slot);
	if (cell)
		cell->unpaired++;
	return 0;
}

static __always_inline void begin_exit(struct kt_vcpu *v, u32 slot, u32 isa, u32 code)
{
	if (KT_EXIT_IS_TIME(v->exit_ts))
		count_unpaired(slot);
	if (cfg.by_reason && !reason_wanted(isa, code)) {
		v->exit_ts = KT_EXIT_FILTERED;
		return;
	}
	v->exit_code = code;
	v->exit_index = reason_index(slot, code);
	v->exit_ts = bpf_ktime_get_ns();
}

/* No slot was free. */
static __noinline int lose_exit(u32 vcpu_id)
{
	if (kt_wanted(bpf_get_current_pid_tgid() >> 32, vcpu_id))
		kt_count(exits_without_vcpu_slot);
	return 0;
}

SEC("?tp_btf/kvm_exit")
int BPF_PROG(kt_exit_begin, struct kvm_vcpu *vcpu, u32 isa)
{
	struct kt_vcpu *v;
	u32 slot;

	if (!vcpu)
		return 0;
	v = kt_vcpu_get(vcpu, &slot, false);
	if (!v)
		return lose_exit(vcpu->vcpu_id);
	if (v->muted)
		return 0;
	kt_set_isa(v, isa);
	begin_exit(v, slot, isa, kt_read_exit_code(vcpu, v));
	return 0;
}

/* Without the types of the kvm modules: the record of the classic tracepoint has the reason. */
SEC("?tp/kvm/kvm_exit")
int kt_exit_begin_r(struct kt_raw_kvm_exit *ctx)
{
	struct kt_vcpu *v;
	u32 slot;

	v = kt_vcpu_current_raw(&slot);
	if (!v) {
		lose_exit(ctx->vcpu_id);
		return 1;
	}
	if (v->muted)
		return 1;
	v->isa = ctx->isa;
	begin_exit(v, slot, ctx->isa, kt_plain_reason(ctx->isa, ctx->exit_reason));
	return 1;
}

/*
 * The same where the exit reason is an argument (until 5.15): cheaper. A kernel whose tracepoint has
 * fewer arguments refuses to attach this.
 */
SEC("?raw_tp/kvm_exit")
int kt_exit_begin_r3(struct kt_raw_args *ctx)
{
	struct kvm_vcpu *vcpu = (struct kvm_vcpu *)ctx->args[1];
	u32 reason = ctx->args[0], isa = ctx->args[2], slot;
	struct kt_vcpu *v;

	v = kt_vcpu_get_raw((u64)vcpu, &slot, false);
	if (!v)
		return lose_exit(BPF_CORE_READ(vcpu, vcpu_id));
	if (v->muted)
		return 0;
	v->isa = isa;
	begin_exit(v, slot, isa, kt_plain_reason(isa, reason));
	return 0;
}

/*
 * An entry that ends no exit we know. The first entries of a vCPU don't count: it is new, or tracing
 * began while it handled an exit, or the program on kvm_exit isn't attached yet (or no more).
 */
static __noinline int not_timed(u32 slot)
{
	struct kt_vcpu *v = bpf_map_lookup_elem(&vcpus, &slot);

	if (!v)
		return 0;
	if (v->exit_ts == KT_EXIT_FILTERED)
		v->exit_ts = KT_EXIT_NONE;
	else if (v->exit_ts == KT_EXIT_NONE && !v->muted && control.attached)
		v->unpaired_entries++;
	return 0;
}

static __always_inline int end_exit(struct kt_vcpu *v, u32 slot)
{
	u64 begin = v->exit_ts, ns;
	struct kt_cell *cell;
	u32 bucket;

	if (!KT_EXIT_IS_TIME(begin))
		return not_timed(slot);
	v->exit_ts = KT_EXIT_NONE;
	cell = cell_of(v, slot);
	if (!cell)
		return 0;
	ns = bpf_ktime_get_ns() - begin;
	cell->total_ns += ns;
	add_square(cell, ns);
	add_extremes(cell, ns);
	bucket = kt_exit_bucket(cfg.buckets, ns);
	barrier_var(bucket); /* or clang checks one copy and uses another */
	if (bucket < KT_EXIT_BUCKETS)
		cell->buckets[bucket]++;
	return 0;
}

SEC("?tp_btf/kvm_entry")
int BPF_PROG(kt_exit_end, struct kvm_vcpu *vcpu)
{
	struct kt_vcpu *v;
	u32 slot;

	if (!vcpu)
		return 0;
	v = kt_vcpu_get(vcpu, &slot, true);
	return v ? end_exit(v, slot) : 0;
}

SEC("?raw_tp/kvm_entry")
int kt_exit_end_r(struct kt_raw_args *ctx)
{
	struct kt_vcpu *v;
	u32 slot;

	v = kt_vcpu_get_raw(ctx->args[0], &slot, true);
	return v ? end_exit(v, slot) : 0;
}
