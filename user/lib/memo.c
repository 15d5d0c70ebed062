/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "memo.h"

static void set(struct kt_str *s, const char *bytes, size_t n)
{
	kt_str_reset(s);
	kt_str_add_n(s, bytes, n);
}

void kt_memo_keep(struct kt_memo_slot *slot, const struct kt_memo_key *key, const char *text,
		  size_t n)
{
	set(&slot->bytes, key->bytes, key->size);
	set(&slot->name, key->name, strlen(key->name));
	set(&slot->text, text, n);
	slot->number = key->number;
}

void kt_memo_fini(struct kt_memo *m)
{
	for (size_t i = 0; i < KT_ARRAY_SIZE(m->slots); i++) {
		kt_str_free(&m->slots[i].bytes);
		kt_str_free(&m->slots[i].name);
		kt_str_free(&m->slots[i].text);
	}
}
