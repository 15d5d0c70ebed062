/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "../store/reader.h"
#include "when.h"

#define DAY_NS (86400 * KT_NSEC_PER_SEC)

/* Takes n to max digits as a number; false when there are fewer. */
static bool take_digits(const char **p, int n, int max, int *value)
{
	int digits = 0;

	*value = 0;
	while (digits < max && **p >= '0' && **p <= '9') {
		*value = *value * 10 + (*(*p)++ - '0');
		digits++;
	}
	return digits >= n;
}

static bool take(const char **p, char c)
{
	if (**p != c)
		return false;
	(*p)++;
	return true;
}

/* ".5" of a second; digits after the ninth do not count. */
static bool take_fraction(const char **p, u64 *ns)
{
	u64 unit = KT_NSEC_PER_SEC / 10;

	*ns = 0;
	if (!take(p, '.'))
		return true;
	if (**p < '0' || **p > '9')
		return false;
	for (; **p >= '0' && **p <= '9'; (*p)++, unit /= 10)
		*ns += (u64)(**p - '0') * unit;
	return true;
}

/* "14:03", "14:03:22.5" */
static bool take_clock(const char **p, struct tm *tm, u64 *ns)
{
	*ns = 0;
	tm->tm_sec = 0;
	if (!take_digits(p, 1, 2, &tm->tm_hour) || !take(p, ':') ||
	    !take_digits(p, 2, 2, &tm->tm_min))
		return false;
	if (take(p, ':') && (!take_digits(p, 2, 2, &tm->tm_sec) || !take_fraction(p, ns)))
		return false;
	return tm->tm_hour < 24 && tm->tm_min < 60 && tm->tm_sec <= 60;
}

static bool take_date(const char **p, struct tm *tm)
{
	if (!take_digits(p, 4, 4, &tm->tm_year) || !take(p, '-') ||
	    !take_digits(p, 2, 2, &tm->tm_mon) || !take(p, '-') ||
	    !take_digits(p, 2, 2, &tm->tm_mday))
		return false;
	tm->tm_year -= 1900;
	tm->tm_mon--;
	return tm->tm_mon >= 0 && tm->tm_mon < 12 && tm->tm_mday >= 1 && tm->tm_mday <= 31 &&
	       (take(p, 'T') || take(p, 't') || take(p, ' '));
}

/* "Z", "+01:00": seconds east of Greenwich. */
static bool take_zone(const char **p, int *east)
{
	int hours, minutes, sign = **p == '-' ? -1 : 1;

	*east = 0;
	if (take(p, 'Z') || take(p, 'z'))
		return true;
	if ((!take(p, '+') && !take(p, '-')) || !take_digits(p, 2, 2, &hours))
		return false;
	take(p, ':');
	if (!take_digits(p, 2, 2, &minutes) || hours > 23 || minutes > 59)
		return false;
	*east = sign * (hours * 3600 + minutes * 60);
	return true;
}

static bool to_ns(time_t seconds, u64 fraction, u64 *ns)
{
	if (seconds < 0 || (u64)seconds > UINT64_MAX / KT_NSEC_PER_SEC - 1)
		return false;
	*ns = (u64)seconds * KT_NSEC_PER_SEC + fraction;
	return true;
}

/* ---- the two clocks ---- */

static u64 realtime_of(const struct kt_when_scale *scale, u64 ts)
{
	return ts + (u64)kt_when_offset(scale, ts).ns;
}

struct kt_when_offset kt_when_offset(const struct kt_when_scale *scale, u64 ts)
{
	u32 low = 0, high = scale->clock_count;
	struct kt_when_offset offset = { 0, 0, UINT64_MAX };

	if (!scale->clock_count)
		return offset;
	while (high - low > 1) {
		u32 middle = low + (high - low) / 2;

		if (scale->clocks[middle].monotonic <= ts)
			low = middle;
		else
			high = middle;
	}
	offset.ns = (s64)(scale->clocks[low].realtime - scale->clocks[low].monotonic);
	if (low)
		offset.from = scale->clocks[low].monotonic;
	if (high < scale->clock_count)
		offset.until = scale->clocks[high].monotonic;
	return offset;
}

/* By the last reference before it, else the first. */
static u64 monotonic_of(const struct kt_when_scale *scale, u64 realtime)
{
	const struct kt_clock *clock = &scale->clocks[0];

	for (u32 i = 1; i < scale->clock_count; i++)
		if (scale->clocks[i].realtime <= realtime)
			clock = &scale->clocks[i];
	if (realtime >= clock->realtime)
		return clock->monotonic + (realtime - clock->realtime);
	return clock->realtime - realtime > clock->monotonic
		       ? 0
		       : clock->monotonic - (clock->realtime - realtime);
}

/* ---- moments ---- */

static bool parse_moment(const char *p, u64 *realtime)
{
	struct tm tm = { .tm_isdst = -1 };
	time_t seconds;
	u64 fraction;
	int east;

	if (!take_date(&p, &tm) || !take_clock(&p, &tm, &fraction))
		return false;
	if (!*p)
		seconds = mktime(&tm);
	else if (take_zone(&p, &east) && !*p)
		seconds = timegm(&tm) - east;
	else
		return false;
	return to_ns(seconds, fraction, realtime);
}

/* On the day on which the capture begins, or, when it is over by then, the next one. */
static bool parse_time_of_day(const struct kt_when_scale *scale, const char *p, u64 *realtime)
{
	u64 begin = realtime_of(scale, scale->begin), fraction, next;
	time_t seconds = (time_t)(begin / KT_NSEC_PER_SEC);
	struct tm day, tm = {};

	if (!take_clock(&p, &tm, &fraction) || *p || !localtime_r(&seconds, &day))
		return false;
	tm.tm_year = day.tm_year;
	tm.tm_mon = day.tm_mon;
	tm.tm_mday = day.tm_mday;
	tm.tm_isdst = -1;
	if (!to_ns(mktime(&tm), fraction, realtime))
		return false;
	next = *realtime + DAY_NS;
	if (*realtime < begin && scale->end != UINT64_MAX && next <= realtime_of(scale, scale->end))
		*realtime = next;
	return true;
}

int kt_when_parse(const struct kt_when_scale *scale, const char *text, u64 *ts, struct kt_str *why)
{
	u64 value;

	if (!kt_parse_duration(text, &value)) {
		*ts = scale->begin + value < value ? UINT64_MAX : scale->begin + value;
		return 0;
	}
	if (scale->clock_count &&
	    (parse_moment(text, &value) || parse_time_of_day(scale, text, &value))) {
		*ts = monotonic_of(scale, value);
		return 0;
	}
	kt_str_add(why, "'");
	kt_str_add_safe(why, text);
	kt_str_add(why, scale->clock_count
				? "' is no time: 2.5 (seconds from the start), 14:03:22.5 "
				  "or 2026-01-31T14:03:22.5Z"
				: "' is no number of seconds, and this capture has no wall "
				  "clock");
	return -EINVAL;
}
