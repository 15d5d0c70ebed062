/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Texts that were made before, by what they were made of. Storms repeat themselves: most of an
 * event's line is that of an earlier event from the same vCPU and place in the guest, and copying it
 * costs a tenth of spelling it. A few slots, each with the last text that fell to it; zero-initialise
 * to start.
 */
#ifndef KT_LIB_MEMO_H
#define KT_LIB_MEMO_H

#include "str.h"

#define KT_MEMO_SLOT_BITS 8

/* All that a text depends on. It is compared in full: a text is never taken for another's. */
struct kt_memo_key {
	const void *bytes;
	size_t size; /* not 0 */
	const char *name;
	u32 number;
	u64 hash; /* not mixed: anything in which keys are likely to differ */
};

struct kt_memo_slot {
	struct kt_str bytes, name; /* of the key; empty while the slot is */
	u32 number;
	struct kt_str text;
	u32 count; /* the user's: what else belongs to the text */
};

struct kt_memo {
	struct kt_memo_slot slots[1 << KT_MEMO_SLOT_BITS];
};

/* The slot of a key: kt_memo_keep() gives it the key's text, kt_memo_holds() says whether it has it. */
static inline struct kt_memo_slot *kt_memo_slot(struct kt_memo *m, const struct kt_memo_key *key)
{
	return &m->slots[key->hash * 0x9e3779b97f4a7c15ull >> (64 - KT_MEMO_SLOT_BITS)];
}

static inline bool kt_memo_holds(const struct kt_memo_slot *slot, const struct kt_memo_key *key)
{
	return slot->bytes.len == key->size && slot->number == key->number &&
	       !memcmp(slot->bytes.data, key->bytes, key->size) &&
	       !strcmp(slot->name.data, key->name);
}

void kt_memo_keep(struct kt_memo_slot *slot, const struct kt_memo_key *key, const char *text,
		  size_t n);
void kt_memo_fini(struct kt_memo *m);

#endif
