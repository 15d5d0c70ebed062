/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Exception vectors and their error codes. */
#include <errno.h>
#include <stdio.h>
#include "decode.h"
#include "names.h"

#define VECTORS 32
#define XM	19

/* Selector error codes (SDM volume 3, "Error code"; #TS, #NP, #SS, #GP). */
#define SEL_EXT 1u
#define SEL_IDT 2u
#define SEL_TI	4u

/* #CP */
#define CP_NUMBER  0x7fffu
#define CP_ENCLAVE 0x8000u

struct vector {
	const char *name;
	bool error_code;
};

static const struct vector vectors[VECTORS] = {
#define X(number, text, code) [number] = { text, code },
#include "tables/vector.def"
#undef X
};

const char *kt_vector_name(u32 vector)
{
	return vector < VECTORS ? vectors[vector].name : NULL;
}

bool kt_vector_has_error_code(u32 vector)
{
	return vector < VECTORS && vectors[vector].error_code;
}

static const char *without_hash(const char *name)
{
	return *name == '#' ? name + 1 : name;
}

int kt_vector_parse(const char *text, u32 *vector)
{
	u64 number;

	if (kt_parse_u64(text, 0, VECTORS - 1, &number) == 0) {
		*vector = (u32)number;
		return 0;
	}
	text = without_hash(text);
	for (u32 i = 0; i < VECTORS; i++) {
		if (vectors[i].name && kt_ascii_equal(without_hash(vectors[i].name), text)) {
			*vector = i;
			return 0;
		}
	}
	/* #XM as the APM calls it. */
	if (kt_ascii_equal(text, "XF")) {
		*vector = XM;
		return 0;
	}
	return -EINVAL;
}

static void selector_names(u32 error_code, kt_name_fn add, void *ctx)
{
	char index[24];

	if (error_code & SEL_EXT)
		add(ctx, "ext");
	/* No selector: #GP(0) and its like say nothing of a table. */
	if (!(error_code & ~SEL_EXT))
		return;
	if (error_code & SEL_IDT)
		add(ctx, "idt");
	else
		add(ctx, error_code & SEL_TI ? "ldt" : "gdt");
	snprintf(index, sizeof(index), "index=%u", (error_code & 0xffff) >> 3);
	add(ctx, index);
}

static const char *cp_name(u32 number)
{
	switch (number) {
#define X KT_NAME_CASE
#include "tables/cp.def"
#undef X
	}
	return NULL;
}

static void cp_names(u32 error_code, kt_name_fn add, void *ctx)
{
	u32 number = error_code & CP_NUMBER;
	const char *name = cp_name(number);
	char text[24];

	if (!name) {
		snprintf(text, sizeof(text), "0x%x", number);
		name = text;
	}
	add(ctx, name);
	if (error_code & CP_ENCLAVE)
		add(ctx, "enclave");
}

void kt_error_code_names(u32 vector, u32 error_code, kt_name_fn add, void *ctx)
{
	switch (vector) {
	case 10:
	case 11:
	case 12:
	case 13:
		selector_names(error_code, add, ctx);
		break;
	case 14:
		kt_pferr_names(error_code, add, ctx);
		break;
	case 21:
		cp_names(error_code, add, ctx);
		break;
	}
}
