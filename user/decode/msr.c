/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Names of model-specific registers. */
#include <string.h>
#include "decode.h"
#include "names.h"

struct msr_range {
	u32 first, groups, step;
	const char *names[16];
};

static const struct msr_range ranges[] = {
#define X(first, groups, step, ...) { first, groups, step, { __VA_ARGS__ } },
#include "tables/msr_range.def"
#undef X
};

static const char *msr_name(u32 index)
{
	switch (index) {
#define X KT_NAME_CASE
#include "tables/msr.def"
#undef X
	}
	return NULL;
}

static const struct msr_range *find_range(u32 index)
{
	size_t low = 0, high = KT_ARRAY_SIZE(ranges);

	while (low < high) {
		size_t mid = (low + high) / 2;
		const struct msr_range *r = &ranges[mid];

		if (index < r->first)
			high = mid;
		else if (index - r->first >= r->groups * r->step)
			low = mid + 1;
		else
			return r;
	}
	return NULL;
}

bool kt_msr_add(struct kt_str *s, u32 index)
{
	const char *name = msr_name(index);
	const struct msr_range *r;
	const char *hash;

	if (name) {
		kt_str_add(s, name);
		return true;
	}
	r = find_range(index);
	if (!r)
		return false;
	name = r->names[(index - r->first) % r->step];
	hash = strchr(name, '#');
	if (!hash)
		return false;
	kt_str_add_n(s, name, (size_t)(hash - name));
	kt_str_add_u64(s, (index - r->first) / r->step);
	kt_str_add(s, hash + 1);
	return true;
}

bool kt_msr_parse(const char *name, u32 *index)
{
	static const struct kt_name singles[] = {
#define X KT_NAME_ENTRY
#include "tables/msr.def"
#undef X
	};
	struct kt_str spelt = {};
	bool found = false;

	for (size_t i = 0; i < KT_ARRAY_SIZE(singles) && !found; i++) {
		found = kt_ascii_equal(singles[i].name, name);
		*index = singles[i].value;
	}
	for (size_t i = 0; i < KT_ARRAY_SIZE(ranges) && !found; i++) {
		for (u32 at = 0; at < ranges[i].groups * ranges[i].step && !found; at++) {
			kt_str_reset(&spelt);
			*index = ranges[i].first + at;
			found = kt_msr_add(&spelt, *index) && kt_ascii_equal(spelt.data, name);
		}
	}
	kt_str_free(&spelt);
	return found;
}
