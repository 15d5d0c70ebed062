/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "../sink/units.h"
#include "lost.h"
#include "recorded.h"

void kt_lost_print(const struct kt_run *run, const char *what, u32 cpu, u64 count)
{
	u64 now = kt_run_now(run);
	bool known = cpu != KT_ROW_NONE;
	struct kt_str line = {};

	if (run->recorded)
		what = "events"; /* of any kind */
	if (run->record) {
		kt_record_begin(run->record, "lost");
		kt_record_time(run->record, "time", now + run->realtime_offset);
		kt_record_u64(run->record, "ts_ns", now);
		if (known)
			kt_record_u64(run->record, "cpu", cpu);
		else
			kt_record_null(run->record, "cpu");
		kt_record_u64(run->record, "count", count);
		kt_record_end(run->record);
		return;
	}
	kt_str_add_clock(&line, now + run->realtime_offset);
	kt_str_addf(&line, " LOST %llu %s on CPU ", count, what);
	if (known)
		kt_str_add_u64(&line, cpu);
	else
		kt_str_add_char(&line, '?');
	kt_str_add(&line, ": its buffer was full (--buffer makes it larger)\n");
	kt_out_write(run->out, line.data, line.len);
	kt_str_free(&line);
}

enum cause {
	CAUSE_BUFFER,
	CAUSE_MISSED,
	CAUSE_VCPUS,
	CAUSE_HISTOGRAMS,
	CAUSE_REGIONS,
	CAUSES,
};

static const struct {
	const char *field, *text;
} causes[CAUSES] = {
	[CAUSE_BUFFER] = { "buffer", "when a buffer was full (--buffer)" },
	[CAUSE_MISSED] = { "missed", "missed by the kernel" },
	[CAUSE_VCPUS] = { "vcpu_capacity", "of vCPUs beyond the capacity (--max-vcpus)" },
	[CAUSE_HISTOGRAMS] = { "histogram_capacity", "for want of a histogram" },
	[CAUSE_REGIONS] = { "region_capacity", "when the table of regions was full" },
};

u64 kt_lost_vcpus(const struct kt_counters *c)
{
	return c->exits_without_vcpu_slot + c->faults_without_vcpu_slot +
	       c->events_without_vcpu_slot;
}

u64 kt_lost_in_buffers(const struct kt_run *run)
{
	u64 lost = kt_run_lost_elsewhere(run);

	for (u32 cpu = 0; cpu < kt_run_cpus(run); cpu++)
		lost += kt_run_lost(run, cpu);
	return lost;
}

static void count_causes(const struct kt_run *run, u64 counts[CAUSES])
{
	const struct kt_counters *c = kt_run_counters(run);

	counts[CAUSE_BUFFER] = kt_lost_in_buffers(run);
	counts[CAUSE_MISSED] = kt_run_missed(run);
	counts[CAUSE_VCPUS] = kt_lost_vcpus(c);
	counts[CAUSE_HISTOGRAMS] = c->exits_without_cell;
	counts[CAUSE_REGIONS] = c->faults_without_region;
}

static u64 sum(const u64 counts[CAUSES])
{
	u64 total = 0;

	for (size_t i = 0; i < CAUSES; i++)
		total += counts[i];
	return total;
}

u64 kt_lost_total(const struct kt_run *run)
{
	u64 counts[CAUSES];

	count_causes(run, counts);
	return sum(counts);
}

void kt_lost_record(const struct kt_run *run)
{
	struct kt_record *r = run->record;
	u64 counts[CAUSES];

	count_causes(run, counts);
	kt_record_object(r, "lost");
	kt_record_u64(r, "total", sum(counts));
	for (size_t i = 0; i < CAUSES; i++)
		kt_record_u64(r, causes[i].field, counts[i]);
	kt_record_array(r, "cpus");
	for (u32 cpu = 0; cpu < kt_run_cpus(run); cpu++) {
		u64 count = kt_run_lost(run, cpu);

		if (!count)
			continue;
		kt_record_object(r, NULL);
		kt_record_u64(r, "cpu", cpu);
		kt_record_u64(r, "count", count);
		kt_record_object_end(r);
	}
	kt_record_array_end(r);
	kt_record_object_end(r);
	if (run->recorded)
		kt_recorded_record(run);
}

static void add_cpus(struct kt_str *s, const struct kt_run *run)
{
	const char *between = ", on";

	for (u32 cpu = 0; cpu < kt_run_cpus(run); cpu++) {
		if (!kt_run_lost(run, cpu))
			continue;
		kt_str_addf(s, "%s CPU %u: %llu", between, cpu, kt_run_lost(run, cpu));
		between = ",";
	}
}

void kt_lost_add(struct kt_str *s, const struct kt_run *run)
{
	const char *between = ":";
	u64 counts[CAUSES];

	if (run->recorded)
		kt_recorded_add(s, run);
	count_causes(run, counts);
	if (!sum(counts))
		return;
	kt_str_addf(s, "; LOST %llu", sum(counts));
	for (size_t i = 0; i < CAUSES; i++) {
		if (!counts[i])
			continue;
		kt_str_addf(s, "%s %llu %s", between, counts[i], causes[i].text);
		between = ";";
		if (i == CAUSE_BUFFER)
			add_cpus(s, run);
	}
}
