/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What stands out in a capture: a table of rules. */
#include <stdlib.h>
#include <string.h>

#include "../decode/decode.h"
#include "../sink/units.h"
#include "lost.h"
#include "summary.h"

/* More kinds of findings than anybody reads. */
#define MAX_FINDINGS 256

/* linux/kvm.h */
#define KVM_EXIT_SHUTDOWN	8
#define KVM_EXIT_FAIL_ENTRY	9
#define KVM_EXIT_INTERNAL_ERROR 17

#define VECTOR_DF 8
#define VECTOR_MC 18

/* An exit reason whose slowest hundredth takes so many times the median, and that takes so much of all. */
#define SLOW_TAIL	20
#define SLOW_TAIL_SHARE 10 /* 1/… */
/* Of fewer exits, one is more than a hundredth. */
#define SLOW_TAIL_EXITS 100
/* Digits of a clock that nobody reads here. */
#define MICROSECONDS 6
/* Exceptions of a VM in one second. */
#define STORM 10000

struct kt_finding_rule {
	const char *name;
	u32 grave; /* the graver come first */
	u32 kind;
	/* Does the row show it? Then *number is what is told apart. */
	bool (*shows)(const void *row, u64 *number);
	void (*add)(struct kt_str *s, const struct kt_finding *f);
};

/* ---- rules of one event ---- */

static bool user_exit(const struct kt_row_userspace_exit *u, u32 reason)
{
	return u->error >= 0 && u->reason == reason;
}

static bool shows_internal_error(const void *row, u64 *number)
{
	const struct kt_row_userspace_exit *u = row;

	*number = u->suberror;
	return user_exit(u, KVM_EXIT_INTERNAL_ERROR);
}

static void add_internal_error(struct kt_str *s, const struct kt_finding *f)
{
	static const char *const names[] = { NULL, "emulation failed", "simultaneous exceptions",
					     "exit while an event was delivered",
					     "unexpected exit reason" };

	kt_str_addf(s, "KVM internal error, suberror %llu", f->number);
	if (f->number < KT_ARRAY_SIZE(names) && names[f->number])
		kt_str_addf(s, " (%s)", names[f->number]);
}

static bool shows_fail_entry(const void *row, u64 *number)
{
	const struct kt_row_userspace_exit *u = row;

	*number = u->data0;
	return user_exit(u, KVM_EXIT_FAIL_ENTRY);
}

static void add_fail_entry(struct kt_str *s, const struct kt_finding *f)
{
	kt_str_add(s, "guest entry failed (FAIL_ENTRY), reason ");
	kt_str_add_hex(s, f->number);
}

static bool shows_shutdown(const void *row, u64 *number)
{
	*number = 0;
	return user_exit(row, KVM_EXIT_SHUTDOWN);
}

static void add_shutdown(struct kt_str *s, const struct kt_finding *f)
{
	(void)f;
	kt_str_add(s, "the guest shut down by a triple fault (SHUTDOWN)");
}

static bool shows_double_fault(const void *row, u64 *number)
{
	const struct kt_row_exception *e = row;

	*number = e->vector;
	return e->vector == VECTOR_DF || e->vector == VECTOR_MC;
}

static void add_double_fault(struct kt_str *s, const struct kt_finding *f)
{
	kt_str_addf(s, "the guest got %s", kt_vector_name((u32)f->number));
}

static bool shows_failed_emulation(const void *row, u64 *number)
{
	const struct kt_row_emulate *e = row;

	*number = e->rip;
	return e->failed;
}

static void add_failed_emulation(struct kt_str *s, const struct kt_finding *f)
{
	kt_str_add(s, "not emulated: the instruction at rip ");
	kt_str_add_hex(s, f->number);
}

static bool shows_unknown_msr(const void *row, u64 *number)
{
	const struct kt_row_exception *e = row;
	struct kt_str name = {};
	bool known;

	*number = e->number;
	if (!(e->detail & KT_DETAIL_MSR))
		return false;
	known = kt_msr_add(&name, e->number);
	kt_str_free(&name);
	return !known;
}

static void add_unknown_msr(struct kt_str *s, const struct kt_finding *f)
{
	kt_str_add(s, "exception for unknown MSR ");
	kt_str_add_hex(s, f->number);
}

static bool shows_reinjection(const void *row, u64 *number)
{
	const struct kt_row_exception *e = row;

	*number = e->vector;
	return e->flags & KT_EXC_REINJECTED;
}

static void add_reinjection(struct kt_str *s, const struct kt_finding *f)
{
	const char *name = kt_vector_name((u32)f->number);

	kt_str_addf(s, "%s injected again: an exit interrupted it", name ? name : "?");
}

/* ---- rules of the sums ---- */

static void add_triple_fault(struct kt_str *s, const struct kt_finding *f)
{
	kt_exit_add(s, f->group->key.isa, f->group->key.code);
	kt_str_add(s, " exit");
}

static void add_slow_tail(struct kt_str *s, const struct kt_finding *f)
{
	const struct kt_exit_stats *stats = &f->group->stats;

	kt_exit_add(s, f->group->key.isa, f->group->key.code);
	kt_str_add(s, " is slow at times: P50 ");
	kt_str_add_ns(s, kt_exit_percentile_ns(stats, 500));
	kt_str_add(s, ", P99 ");
	kt_str_add_ns(s, kt_exit_percentile_ns(stats, 990));
}

static void add_storm(struct kt_str *s, const struct kt_finding *f)
{
	kt_str_addf(s, "%llu exceptions within one second", f->number);
}

static void add_lost(struct kt_str *s, const struct kt_finding *f)
{
	kt_str_addf(s, "%llu events were lost: numbers are too low", f->number);
}

enum {
	RULE_INTERNAL_ERROR,
	RULE_FAIL_ENTRY,
	RULE_SHUTDOWN,
	RULE_TRIPLE_FAULT,
	RULE_DOUBLE_FAULT,
	RULE_EMULATION,
	RULE_LOST,
	RULE_STORM,
	RULE_UNKNOWN_MSR,
	RULE_SLOW_TAIL,
	RULE_REINJECTION,
	RULES,
};

static const struct kt_finding_rule rules[RULES] = {
	[RULE_INTERNAL_ERROR] = { "internal-error", 10, KT_ROW_USERSPACE_EXIT, shows_internal_error,
				  add_internal_error },
	[RULE_FAIL_ENTRY] = { "fail-entry", 10, KT_ROW_USERSPACE_EXIT, shows_fail_entry,
			      add_fail_entry },
	[RULE_SHUTDOWN] = { "shutdown", 9, KT_ROW_USERSPACE_EXIT, shows_shutdown, add_shutdown },
	[RULE_TRIPLE_FAULT] = { "triple-fault", 9, KT_ROW_COMMON, NULL, add_triple_fault },
	[RULE_DOUBLE_FAULT] = { "double-fault", 8, KT_ROW_EXCEPTION, shows_double_fault,
				add_double_fault },
	[RULE_EMULATION] = { "emulation-failed", 7, KT_ROW_EMULATE, shows_failed_emulation,
			     add_failed_emulation },
	[RULE_LOST] = { "lost", 6, KT_ROW_COMMON, NULL, add_lost },
	[RULE_STORM] = { "storm", 5, KT_ROW_COMMON, NULL, add_storm },
	[RULE_UNKNOWN_MSR] = { "unknown-msr", 4, KT_ROW_EXCEPTION, shows_unknown_msr,
			       add_unknown_msr },
	[RULE_SLOW_TAIL] = { "slow-tail", 3, KT_ROW_COMMON, NULL, add_slow_tail },
	[RULE_REINJECTION] = { "reinjected", 2, KT_ROW_EXCEPTION, shows_reinjection,
			       add_reinjection },
};

/* ---- finding ---- */

static struct kt_finding *found(const struct kt_summary *x, u32 rule, const struct kt_vm_entry *vm,
				u64 number)
{
	for (size_t i = 0; i < x->finding_count; i++) {
		struct kt_finding *f = &x->findings[i];

		if (f->rule == &rules[rule] && f->vm == vm && f->number == number)
			return f;
	}
	return NULL;
}

static struct kt_finding *finding_of(struct kt_summary *x, u32 rule, const struct kt_vm_entry *vm,
				     u64 number)
{
	struct kt_finding *f = found(x, rule, vm, number);

	if (f)
		return f;
	if (x->finding_count == MAX_FINDINGS)
		return NULL;
	x->findings = kt_grow(x->findings, x->finding_count, sizeof(*x->findings));
	f = &x->findings[x->finding_count++];
	*f = (struct kt_finding) { .rule = &rules[rule], .vm = vm, .number = number };
	return f;
}

void kt_findings_row(struct kt_summary *x, const struct kt_replay_event *e)
{
	for (u32 i = 0; i < RULES; i++) {
		struct kt_finding *f;
		u64 number;

		if (rules[i].kind != e->kind || !rules[i].shows ||
		    !rules[i].shows(e->head, &number))
			continue;
		f = finding_of(x, i, e->vm, number);
		if (!f)
			continue;
		f->count++;
		if (!f->first_ts || e->head->ts < f->first_ts)
			f->first_ts = e->head->ts;
	}
}

/* VMX TRIPLE_FAULT and SVM SHUTDOWN. */
static bool is_triple_fault(const struct kt_exit_key *key)
{
	return (key->isa == KT_ISA_VMX && (key->code & 0xffff) == 2) ||
	       (key->isa == KT_ISA_SVM && key->code == 0x7f);
}

/* User space was told of each of them, and that is a finding already. */
static bool is_known_shutdown(const struct kt_summary *x, const struct kt_exit_group *g,
			      const struct kt_vm_entry *vm)
{
	const struct kt_finding *f = found(x, RULE_SHUTDOWN, vm, 0);

	return f && f->count >= g->stats.count;
}

static void look_at_exits(struct kt_summary *x, const struct kt_exit_group *g)
{
	const struct kt_vm_entry *vm = kt_vm_table_by_id(x->run.vms, g->key.vm);
	const struct kt_exit_stats *s = &g->stats;
	u32 rule = RULES;
	struct kt_finding *f;

	if (is_triple_fault(&g->key))
		rule = is_known_shutdown(x, g, vm) ? RULES : RULE_TRIPLE_FAULT;
	else if (!g->key.halt && s->timed >= SLOW_TAIL_EXITS &&
		 s->total_ns > x->exit_ns / SLOW_TAIL_SHARE &&
		 kt_exit_percentile_ns(s, 990) > SLOW_TAIL * kt_exit_percentile_ns(s, 500))
		rule = RULE_SLOW_TAIL;
	f = rule < RULES ? finding_of(x, rule, vm, (u64)g->key.isa << 32 | g->key.code) : NULL;
	if (!f)
		return;
	f->count = s->count;
	f->group = g;
}

static int graver(const void *left, const void *right)
{
	const struct kt_finding *a = left, *b = right;

	if (a->rule->grave != b->rule->grave)
		return a->rule->grave < b->rule->grave ? 1 : -1;
	if (a->count != b->count)
		return a->count < b->count ? 1 : -1;
	return (a->first_ts > b->first_ts) - (a->first_ts < b->first_ts);
}

void kt_findings_end(struct kt_summary *x)
{
	u64 lost = kt_lost_total(&x->run);

	for (size_t i = 0; i < x->exits.count; i++)
		look_at_exits(x, x->exits.groups[i]);
	for (size_t i = 0; i < x->vm_count; i++)
		if (x->vms[i].worst > STORM)
			finding_of(x, RULE_STORM, x->vms[i].vm, x->vms[i].worst);
	if (lost)
		finding_of(x, RULE_LOST, NULL, lost);
	if (x->finding_count)
		qsort(x->findings, x->finding_count, sizeof(*x->findings), graver);
}

const char *kt_finding_rule_name(const struct kt_finding *f)
{
	return f->rule->name;
}

void kt_finding_add(struct kt_str *s, const struct kt_summary *x, const struct kt_finding *f)
{
	if (f->vm) {
		kt_str_add_safe(s, f->vm->name);
		kt_str_add(s, ": ");
	}
	f->rule->add(s, f);
	if (f->count > 1)
		kt_str_addf(s, ", %llu times", f->count);
	if (f->first_ts) {
		kt_str_add(s, f->count > 1 ? ", first " : ", ");
		kt_str_add_clock(s, f->first_ts + (u64)kt_run_offset(&x->run, f->first_ts));
		s->len -= MICROSECONDS;
		s->data[s->len] = '\0';
	}
}
