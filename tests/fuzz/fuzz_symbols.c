/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Loads whatever is called a guest's symbols, and looks up what may be in it (libFuzzer; README.md says
 * how to build and run this). The first byte decides between text and ELF, and gives an offset; the file
 * follows.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../user/event/symbols.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(const struct kt_symbols *s, u64 address, struct kt_str *text)
{
	const char *name;
	u64 offset = 0;

	kt_str_reset(text);
	name = kt_symbols_find(s, address, &offset);
	if (kt_symbols_add(text, s, address) != !!name)
		abort();
	if (name && offset >= KT_SYMBOLS_REACH && offset >= 1u << 30)
		abort();
	/* What is printed is fit to be. */
	for (size_t i = 0; i < text->len; i++) {
		if ((unsigned char)text->data[i] < ' ' || text->data[i] == '\177')
			abort();
	}
}

/* Addresses all over, and each eight bytes of the file taken for one. */
static void look_up(const struct kt_symbols *s, const uint8_t *data, size_t size)
{
	struct kt_str text = {};
	u64 address;

	if (!kt_symbols_count(s))
		abort();
	for (unsigned int i = 0; i < 64; i++) {
		look(s, 1ull << i, &text);
		look(s, ~0ull << i, &text);
	}
	for (size_t i = 0; i + 8 <= size && i < 4096; i++) {
		memcpy(&address, data + i, 8);
		look(s, address, &text);
	}
	kt_str_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	struct kt_symbols *s;
	struct kt_str why = {};
	int err;

	if (!size)
		return 0;
	if (fd < 0)
		fd = memfd_create("symbols", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, 0) || pwrite(fd, data + 1, size - 1, 0) != (ssize_t)size - 1 ||
	    lseek(fd, 0, SEEK_SET))
		abort();
	err = kt_symbols_load_fd(&s, fd, data[0] & 1 ? KT_SYMBOLS_ELF : KT_SYMBOLS_KALLSYMS,
				 data[0] >> 1, "symbols", &why);
	/* An error always says why. */
	if (!err != !!s || !err != !why.len)
		abort();
	if (s)
		look_up(s, data + 1, size - 1);
	kt_symbols_free(s);
	kt_str_free(&why);
	return 0;
}
