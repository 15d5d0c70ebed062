/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What each command shows, item by item: from where it comes on this host, or why it cannot be had. The
 * one place for these words: doctor prints them all, a command those that are about what it lacks.
 */
#ifndef KT_LIVE_ITEMS_H
#define KT_LIVE_ITEMS_H

#include "facts.h"
#include "plan.h"

struct kt_item {
	enum kt_view view;
	const char *name; /* as in the JSON output, where it is there */
	enum kt_part part;
	const char *source; /* from where it comes, unless refine knows better */
	/* Replaces the source, or says what is lacking. way: index in kt_ways. NULL: nothing to add. */
	void (*refine)(const struct kt_facts *facts, const struct kt_way *way,
		       struct kt_str *source, struct kt_str *lack);
	const char *loss; /* without the part: what the output is like then */
	bool loud;	  /* what is lacking makes the output mean something else: always said */
};

/*
 * Calls fn for each item of a view. source is NULL when it cannot be had; lack is NULL when nothing is
 * lacking. plan has been made for that view, whatever came of it.
 */
typedef void (*kt_item_fn)(void *ctx, const struct kt_item *item, const char *source,
			   const char *lack);
void kt_items_each(const struct kt_facts *facts, const struct kt_plan *plan, enum kt_view view,
		   kt_item_fn fn, void *ctx);

#endif
