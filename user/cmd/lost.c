/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "../sink/units.h"
#include "lost.h"

void kt_lost_print(const struct kt_run *run, const char *what, u32 cpu, u64 count)
{
	u64 now = kt_monotonic_ns();
	struct kt_str line = {};

	if (run->record) {
		kt_record_begin(run->record, "lost");
		kt_record_time(run->record, "time", now + run->realtime_offset);
		kt_record_u64(run->record, "ts_ns", now);
		kt_record_u64(run->record, "cpu", cpu);
		kt_record_u64(run->record, "count", count);
		kt_record_end(run->record);
		return;
	}
	kt_str_add_clock(&line, now + run->realtime_offset);
	kt_str_addf(&line,
		    " LOST %llu %s on CPU %u: its buffer was full (--buffer makes it larger)\n",
		    count, what, cpu);
	kt_out_write(run->out, line.data, line.len);
	kt_str_free(&line);
}

void kt_lost_record(const struct kt_run *run, u64 buffer)
{
	struct kt_record *r = run->record;
	u64 missed = kt_session_missed(run->session);

	kt_record_object(r, "lost");
	kt_record_u64(r, "total", buffer + missed);
	kt_record_u64(r, "buffer", buffer);
	kt_record_u64(r, "missed", missed);
	kt_record_array(r, "cpus");
	for (u32 cpu = 0; cpu < kt_session_cpus(run->session); cpu++) {
		u64 count = kt_session_lost(run->session, cpu);

		if (!count)
			continue;
		kt_record_object(r, NULL);
		kt_record_u64(r, "cpu", cpu);
		kt_record_u64(r, "count", count);
		kt_record_object_end(r);
	}
	kt_record_array_end(r);
	kt_record_object_end(r);
}

void kt_lost_add(struct kt_str *s, const struct kt_run *run, u64 buffer)
{
	u64 missed = kt_session_missed(run->session);

	if (!buffer && !missed)
		return;
	kt_str_addf(s, "; LOST %llu:", buffer + missed);
	for (u32 cpu = 0; cpu < kt_session_cpus(run->session); cpu++)
		if (kt_session_lost(run->session, cpu))
			kt_str_addf(s, " CPU %u %llu,", cpu, kt_session_lost(run->session, cpu));
	kt_str_addf(s, " missed by the kernel %llu", missed);
}
