/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Opens a capture, and hands out its events. */
#include "reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reader_priv.h"

/* ---- opening ---- */

static int fail(struct kt_str *why, int err, const char *text)
{
	kt_str_add(why, text);
	return err;
}

static int read_header(struct kt_reader *r, struct kt_str *why)
{
	struct kt_file_header h;
	const u8 *p = kt_reader_view(r, 0, KT_FILE_HEADER);
	int err = p ? kt_get_file_header(p, &h) : r->error ? r->error : -EINVAL;

	switch (err) {
	case 0:
		break;
	case -EINVAL:
		return fail(why, err, r->size ? "not a capture of kvmtrace" : "the file is empty");
	case -EBADMSG:
		return fail(why, err, "damaged: the file's header has a wrong checksum");
	case -ENOTSUP:
		kt_str_addf(why, "written by a later kvmtrace (format %u.%u, this one reads %u)",
			    h.major, h.minor, KT_FORMAT_MAJOR);
		return err;
	default:
		return fail(why, err, strerror(-err));
	}
	r->tag = h.tag;
	r->first = h.size;
	return 0;
}

static int read_schema(struct kt_reader *r, struct kt_str *why)
{
	struct kt_frame f;
	const u8 *p = kt_reader_view(r, r->first, KT_FRAME_HEADER);
	u32 i;

	if (p && kt_get_frame(p, r->tag, &f) && f.type == KT_FRAME_SCHEMA)
		p = kt_reader_payload(r, r->first, &f);
	else
		p = NULL;
	if (r->error)
		return fail(why, r->error, strerror(-r->error));
	if (!p)
		return fail(why, -EBADMSG,
			    "cut off or damaged: nothing says what its events are made of");
	if (kt_file_schema_parse(&r->schema, p, f.size))
		return fail(why, -EBADMSG, "damaged: its events' description makes no sense");
	for (i = 0; i < r->schema.schema.count; i++)
		kt_store_map(&r->maps[i], &r->schema.kinds[i], r->ours);
	return 0;
}

static int begin(struct kt_reader **reader, struct kt_reader *r, const struct kt_store_schema *ours,
		 struct kt_str *why)
{
	int err = kt_store_check_schema(ours);

	r->ours = ours;
	r->stats.size = r->size;
	r->zstd = ZSTD_createDCtx();
	if (err || !r->zstd)
		err = fail(why, -EINVAL, "cannot be read by a program that is wrong itself");
	if (!err)
		err = read_header(r, why);
	if (!err)
		err = read_schema(r, why);
	if (!err) {
		err = kt_reader_load(r);
		if (err)
			fail(why, err, strerror(-err));
	}
	if (err) {
		kt_reader_close(r);
		return err;
	}
	r->lost_kind = kt_store_find_kind(&r->schema.schema, "lost");
	r->lost_count = r->lost_kind < 0
				? -1
				: kt_store_find_field(&r->schema.kinds[r->lost_kind], "count");
	*reader = r;
	return 0;
}

int kt_reader_open_memory(struct kt_reader **reader, const void *bytes, size_t n,
			  const struct kt_store_schema *ours, struct kt_str *why)
{
	struct kt_reader *r = kt_alloc(sizeof(*r));

	r->fd = -1;
	r->memory = n ? bytes : (const void *)"";
	r->size = n;
	return begin(reader, r, ours, why);
}

int kt_reader_open_fd(struct kt_reader **reader, int fd, const struct kt_store_schema *ours,
		      struct kt_str *why)
{
	struct kt_reader *r;
	struct stat st;
	int err;

	if (fstat(fd, &st)) {
		err = -errno;
		close(fd);
		return fail(why, err, strerror(-err));
	}
	if (!S_ISREG(st.st_mode)) {
		close(fd);
		return fail(why, -EINVAL, "not a regular file");
	}
	r = kt_alloc(sizeof(*r));
	r->fd = fd;
	r->size = (u64)st.st_size;
	return begin(reader, r, ours, why);
}

int kt_reader_open(struct kt_reader **reader, const char *path, const struct kt_store_schema *ours,
		   struct kt_str *why)
{
	/* Nonblocking: a FIFO without a writer must not hold us up before it is refused. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), err;

	if (fd < 0) {
		err = -errno;
		return fail(why, err, strerror(-err));
	}
	return kt_reader_open_fd(reader, fd, ours, why);
}

void kt_reader_close(struct kt_reader *r)
{
	if (!r)
		return;
	if (r->fd >= 0)
		close(r->fd);
	kt_reader_forget(r);
	kt_rows_fini(&r->rows);
	kt_block_fini(&r->block);
	kt_file_schema_fini(&r->schema);
	ZSTD_freeDCtx(r->zstd);
	free(r->payload);
	free(r->window.bytes);
	free(r);
}

/* ---- about the file ---- */

const struct kt_store_schema *kt_reader_schema(const struct kt_reader *r)
{
	return &r->schema.schema;
}

const struct kt_store_map *kt_reader_map(const struct kt_reader *r, u32 map)
{
	return &r->maps[map];
}

const struct kt_fact *kt_reader_facts(const struct kt_reader *r, u32 *count)
{
	*count = r->fact_count;
	return r->fact_list;
}

const struct kt_fact *kt_reader_fact(const struct kt_reader *r, const char *name)
{
	u32 i;

	for (i = 0; i < r->fact_count; i++) {
		if (!strcmp(r->fact_list[i].name, name))
			return &r->fact_list[i];
	}
	return NULL;
}

const struct kt_clock *kt_reader_clocks(const struct kt_reader *r, u32 *count)
{
	*count = r->clock_count;
	return r->clocks;
}

bool kt_reader_realtime(const struct kt_reader *r, u64 ts, u64 *realtime)
{
	u32 low = 0, high = r->clock_count, middle;

	if (!r->clock_count)
		return false;
	while (high - low > 1) {
		middle = (low + high) / 2;
		if (r->clocks[middle].monotonic <= ts)
			low = middle;
		else
			high = middle;
	}
	*realtime = r->clocks[low].realtime + (ts - r->clocks[low].monotonic);
	return true;
}

const struct kt_reader_stats *kt_reader_stats(const struct kt_reader *r)
{
	return &r->stats;
}

bool kt_reader_intact(const struct kt_reader *r)
{
	const struct kt_reader_stats *s = &r->stats;

	return s->closed && !s->tail_bytes && !s->bad_facts && !s->gaps && !s->missing;
}

/* ---- events ---- */

static void count_block(struct kt_reader *r)
{
	const struct kt_group *group;
	u32 i, j;

	r->stats.blocks++;
	r->stats.events += r->block.count;
	for (i = 0; i < r->block.group_count && r->lost_count >= 0; i++) {
		group = &r->block.groups[i];
		for (j = 0; j < group->rows && group->map == (u32)r->lost_kind; j++)
			r->stats.lost += group->columns[r->lost_count][j];
	}
}

static bool decode(struct kt_reader *r, const struct kt_frame *f, u64 offset)
{
	const u8 *payload = kt_reader_payload(r, offset, f);

	return payload && kt_block_decode(&r->block, &r->schema, payload, f->size, f->count) &&
	       r->block.common.columns[0][0] == f->first_ts &&
	       r->block.common.columns[0][f->count - 1] == f->last_ts;
}

int kt_reader_next_block(struct kt_reader *r, const struct kt_block **block)
{
	struct kt_frame f;
	u64 offset;
	int found;

	r->block.count = r->event = 0;
	r->rows_filled = false;
	for (;;) {
		found = kt_walk_next(r, &f, &offset);
		if (found <= 0)
			return found;
		if (f.type == KT_FRAME_EVENTS) {
			if (decode(r, &f, offset))
				break;
			if (r->error)
				return r->error;
			kt_walk_bad(r, &f, offset);
			r->block.count = 0;
		} else if (f.type < KT_FRAME_SCHEMA || f.type > KT_FRAME_END) {
			r->stats.skipped++;
		}
	}
	count_block(r);
	*block = &r->block;
	return 1;
}

const void *const *kt_reader_rows(struct kt_reader *r)
{
	if (!r->rows_filled && r->block.count)
		kt_rows_fill(&r->rows, &r->block, r->maps, r->ours);
	r->rows_filled = true;
	return r->rows.rows;
}

int kt_reader_next(struct kt_reader *r, struct kt_event *event)
{
	const struct kt_block *block = &r->block;
	const void *const *rows;
	u32 i = r->event;
	int found;

	if (i == block->count) {
		found = kt_reader_next_block(r, &block);
		if (found <= 0)
			return found;
		i = 0;
	}
	rows = kt_reader_rows(r);
	event->block = block;
	event->group = &block->groups[block->group[i]];
	event->at = i;
	event->index = block->index[i];
	event->ts = block->common.columns[0][i];
	event->row = rows[i];
	event->kind = rows[i] ? (u32)r->maps[event->group->map].kind : 0;
	r->event = i + 1;
	return 1;
}

int kt_reader_seek(struct kt_reader *r, u64 ts)
{
	u64 offset = ts ? kt_index_find(&r->index, ts, r->first) : r->first, at;
	struct kt_walk_place skipped;
	struct kt_frame f;
	int found;

	r->block.count = r->event = 0;
	kt_walk_start(r, offset);
	/* To the end of the last block to be skipped: damage behind it may have been events from ts on. */
	do {
		skipped = kt_walk_place(r);
		found = kt_walk_next(r, &f, &at);
	} while (found == 1 && f.type != KT_FRAME_END && !(f.count && f.last_ts >= ts));
	kt_walk_back(r, &skipped);
	return found < 0 ? found : 0;
}
