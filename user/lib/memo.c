/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "memo.h"

struct kt_memo_slot *kt_memo_keep(struct kt_memo *m, const struct kt_memo_key *key,
				  const char *text, size_t n)
{
	struct kt_memo_slot *slot = kt_memo_slot(m, key);

	if (n > KT_MEMO_TEXT_MAX)
		return NULL;
	kt_str_reset(&slot->text);
	kt_str_room(&slot->text, n + KT_COPY_BLOCK);
	kt_str_add_n(&slot->text, text, n);
	memcpy(slot->bytes, key->bytes, key->size);
	slot->size = key->size;
	slot->name = key->name;
	slot->number = key->number;
	return slot;
}

void kt_memo_fini(struct kt_memo *m)
{
	for (size_t i = 0; i < KT_ARRAY_SIZE(m->slots); i++)
		kt_str_free(&m->slots[i].text);
	*m = (struct kt_memo) {};
}
