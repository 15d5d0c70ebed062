/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Counting in a perf.data file as perf record leaves it on a machine of the same byte order
 * (tools/perf/Documentation/perf.data-file-format.txt). It may be damaged: perf may have been killed.
 */
#include "cost.h"

#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>

#define MAGIC "PERFILE2"

struct file_header {
	char magic[8];
	uint64_t size, attr_size;
	uint64_t attrs_offset, attrs_size;
	uint64_t data_offset, data_size;
};

static void count(const struct perf_event_header *h, const uint64_t *body, uint64_t *samples,
		  uint64_t *lost)
{
	if (h->type == PERF_RECORD_SAMPLE)
		++*samples;
	else if (h->type == PERF_RECORD_LOST) /* id, lost */
		*lost += body[1];
	else if (h->type == PERF_RECORD_LOST_SAMPLES)
		*lost += body[0];
}

bool kt_perf_data(const char *path, uint64_t *samples, uint64_t *lost)
{
	struct perf_event_header h;
	struct file_header head;
	uint64_t left, body[2];
	FILE *f = fopen(path, "re");
	bool ours;

	*samples = *lost = 0;
	if (!f)
		return false;
	ours = fread(&head, sizeof(head), 1, f) == 1 && !memcmp(head.magic, MAGIC, 8) &&
	       !fseek(f, (long)head.data_offset, SEEK_SET);
	for (left = ours ? head.data_size : 0; left >= sizeof(h); left -= h.size) {
		size_t want;

		if (fread(&h, sizeof(h), 1, f) != 1 || h.size < sizeof(h) || h.size > left)
			break;
		memset(body, 0, sizeof(body));
		want = h.size - sizeof(h) < sizeof(body) ? h.size - sizeof(h) : sizeof(body);
		if (fread(body, 1, want, f) != want ||
		    fseek(f, (long)(h.size - sizeof(h) - want), SEEK_CUR))
			break;
		count(&h, body, samples, lost);
	}
	fclose(f);
	return ours;
}
