/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Texts that were made before, by what they were made of. Storms repeat themselves: most of an
 * event's line is that of an earlier event from the same vCPU and place in the guest, and copying it
 * costs a twentieth of spelling it. A few slots, each with the last text that fell to it;
 * zero-initialise to start.
 */
#ifndef KT_LIB_MEMO_H
#define KT_LIB_MEMO_H

#include "str.h"

#define KT_MEMO_SLOT_BITS 8
#define KT_MEMO_KEY_MAX	  208  /* with the rest a power of two */
#define KT_MEMO_TEXT_MAX  8192 /* longer ones are not kept */

/*
 * All that a text depends on. It is compared in full: a text is never taken for another's. That is
 * true of the name as well, though only by where it is: a name must stay as it is, and there, while
 * the memo is in use. What is inline here counts on the size being constant.
 */
struct kt_memo_key {
	const void *bytes; /* in no need of alignment */
	size_t size;	   /* from 8 to KT_MEMO_KEY_MAX, a multiple of 8 */
	const char *name;  /* not NULL */
	u32 number;
	u64 hash; /* not mixed: anything in which keys are likely to differ */
};

struct kt_memo_slot {
	char bytes[KT_MEMO_KEY_MAX]; /* of the key */
	const char *name;	     /* NULL while the slot is empty */
	u32 number;
	u32 size;
	u16 holes[4];	    /* the user's: where in the text something is to be put in */
	struct kt_str text; /* there is a block behind its end, for kt_copy_blocks() */
} __attribute__((aligned(16)));

struct kt_memo {
	struct kt_memo_slot slots[1 << KT_MEMO_SLOT_BITS];
};

/* The slot of a key: kt_memo_keep() gives it the key's text, kt_memo_holds() says whether it has it. */
static inline struct kt_memo_slot *kt_memo_slot(struct kt_memo *m, const struct kt_memo_key *key)
{
	return &m->slots[key->hash * 0x9e3779b97f4a7c15ull >> (64 - KT_MEMO_SLOT_BITS)];
}

/* memcmp() would be a call, and one loop more in there for a size that is known here. */
static inline bool kt_memo_same_bytes(const char *a, const char *b, size_t size)
{
	typedef u64 pair __attribute__((vector_size(16)));
	u64 x = 0, y = 0;
	pair p, q, differ = {};

	_Pragma("GCC unroll 12") for (size_t i = 0; i + sizeof(p) <= size; i += sizeof(p))
	{
		memcpy(&p, a + i, sizeof(p));
		memcpy(&q, b + i, sizeof(q));
		differ |= p ^ q;
	}
	if (size % sizeof(p)) {
		memcpy(&x, a + size - sizeof(x), sizeof(x));
		memcpy(&y, b + size - sizeof(y), sizeof(y));
	}
	return !(differ[0] | differ[1] | (x ^ y));
}

static inline bool kt_memo_holds(const struct kt_memo_slot *slot, const struct kt_memo_key *key)
{
	return slot->name == key->name && slot->number == key->number && slot->size == key->size &&
	       kt_memo_same_bytes(__builtin_assume_aligned(slot->bytes, 16), key->bytes, key->size);
}

/* Returns the key's slot, or NULL when the text is not kept. */
struct kt_memo_slot *kt_memo_keep(struct kt_memo *m, const struct kt_memo_key *key,
				  const char *text, size_t n);
void kt_memo_fini(struct kt_memo *m);

#endif
