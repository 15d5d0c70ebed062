/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "../agg/hist.h"
#include "bars.h"
#include "units.h"

#define RANGE_WIDTH   20
#define COUNT_WIDTH   12
#define DEFAULT_WIDTH 80
#define MIN_BAR	      10
#define EIGHTHS	      8

static u64 sum(const u64 *buckets, u32 from, u32 to)
{
	u64 total = 0;

	for (u32 i = from; i < to; i++)
		total += buckets[i];
	return total;
}

static void add_bar(struct kt_str *s, u64 count, u64 most, size_t width)
{
	static const char *const parts[EIGHTHS] = { "", "▏", "▎", "▍", "▌", "▋", "▊", "▉" };
	size_t eighths = most ? (double)count / most * width * EIGHTHS + 0.5 : 0;
	size_t used = (eighths + EIGHTHS - 1) / EIGHTHS;

	if (count && !eighths) {
		eighths = 1;
		used = 1;
	}
	for (size_t i = 0; i < eighths / EIGHTHS; i++)
		kt_str_add(s, "█");
	kt_str_add(s, parts[eighths % EIGHTHS]);
	for (; used < width; used++)
		kt_str_add_char(s, ' ');
}

static void add_range(struct kt_str *s, u64 low, u64 high)
{
	size_t from = s->len;
	struct kt_str text = {};

	kt_str_add_ns(&text, low);
	kt_str_addf(s, "%8s .. ", text.data);
	kt_str_reset(&text);
	if (high != ~0ull)
		kt_str_add_ns(&text, high);
	kt_str_addf(s, "%7s", text.len ? text.data : "");
	kt_str_pad(s, from, RANGE_WIDTH);
	kt_str_free(&text);
}

void kt_str_add_bars(struct kt_str *s, const u64 *buckets, u32 sub_bits, unsigned int width)
{
	u32 count = KT_HIST_BUCKETS(sub_bits), first = 0, last = count - 1, step = 1;
	size_t bar;
	u64 most = 0;

	while (first < count && !buckets[first])
		first++;
	if (first == count)
		return;
	while (!buckets[last])
		last--;
	while ((last - first) / step >= KT_BARS_MAX)
		step *= 2;
	/* Joined buckets begin where an octave does, give or take a power of two. */
	first = first ? (first - 1) / step * step + 1 : 0;
	for (u32 i = first; i <= last; i += step) {
		u64 n = sum(buckets, i, i + step < count ? i + step : count);

		most = n > most ? n : most;
	}
	width = width ? width : DEFAULT_WIDTH;
	bar = width > RANGE_WIDTH + COUNT_WIDTH + MIN_BAR + 4
		      ? width - RANGE_WIDTH - COUNT_WIDTH - 4
		      : MIN_BAR;
	for (u32 i = first, empty = 0; i <= last; i += step) {
		u32 end = i + step < count ? i + step : count;
		u64 n = sum(buckets, i, end);

		/* Of a gap one line is shown. */
		empty = n ? 0 : empty + 1;
		if (empty == 2)
			kt_str_add(s, "         ..\n");
		if (empty >= 2)
			continue;
		add_range(s, kt_hist_low(i, sub_bits), kt_hist_high(end - 1, sub_bits));
		kt_str_add(s, " |");
		add_bar(s, n, most, bar);
		kt_str_addf(s, "|%*llu\n", COUNT_WIDTH, n);
	}
}
