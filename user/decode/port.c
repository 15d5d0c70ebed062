/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Names of I/O ports. */
#include "decode.h"

struct port_range {
	u16 first, last;
	const char *name;
};

static const struct port_range ports[] = {
#define X(first, last, name) { first, last, name },
#include "tables/port.def"
#undef X
};

const char *kt_port_name(u16 port)
{
	size_t low = 0, high = KT_ARRAY_SIZE(ports);

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (port < ports[mid].first)
			high = mid;
		else if (port > ports[mid].last)
			low = mid + 1;
		else
			return ports[mid].name;
	}
	return NULL;
}
