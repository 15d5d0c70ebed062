/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Every block goes to the kernel by one write of its own, so that a file ends between blocks. */
#include "writer.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "block.h"
#include "index.h"

#define PLAIN_BLOCKS 15
#define END_BYTES    12 /* of an END block's payload, besides the index */

struct fact {
	char *name;
	char *text;
	size_t n;
};

struct lost_places {
	u32 kind; /* 0: the schema has no such kind */
	const struct kt_store_field *ts, *cpu, *vcpu, *from, *count, *cause;
};

struct kt_writer {
	struct kt_writer_options options;
	int fd;
	u32 tag;
	int error;
	u32 kinds; /* that events may be of; 0 after an error */
	struct kt_block_builder *block;
	ZSTD_CCtx *zstd;
	struct kt_str payload; /* of the block being made */
	struct kt_str frame;   /* that block as it is written */
	u32 plain;	       /* blocks of events left that are not compressed */
	struct kt_index index;
	u64 bytes, events, dropped, lost;
	u64 largest;
	u64 previous; /* offset of the last block that is not EVENTS */
	u64 first_ts, last_ts;
	struct lost_places lost_at;
	/* What the next file gets, too. */
	struct fact *facts;
	u32 fact_count;
	size_t fact_bytes;
	bool has_clock;
	u64 monotonic, realtime;
};

/* ---- blocks ---- */

static int write_all(int fd, const char *p, size_t n)
{
	ssize_t done;

	for (; n; p += done, n -= (size_t)done) {
		done = write(fd, p, n);
		if (done < 0 && errno == EINTR)
			done = 0;
		else if (done < 0)
			return -errno;
		else if (!done)
			return -EIO;
	}
	return 0;
}

/* Events are refused from now on, which kt_writer_add() sees by their kind. */
static int fail(struct kt_writer *w, int err)
{
	w->error = err;
	w->kinds = 0;
	return err;
}

static int put_bytes(struct kt_writer *w, const char *p, size_t n)
{
	int cut, err;

	if (w->error)
		return w->error;
	err = write_all(w->fd, p, n);
	if (!err) {
		w->bytes += n;
		return 0;
	}
	/* The half of a block that found room only makes readers warn. */
	cut = ftruncate(w->fd, (off_t)w->bytes);
	(void)cut;
	return fail(w, err);
}

/*
 * Columns are dense already. Where zstd takes less than a quarter off them it is left alone, but
 * for a block now and then: it costs as much as all else.
 */
static enum kt_compression compress(struct kt_writer *w, u16 type,
				    const struct kt_deflate_part *parts, u32 part_count)
{
	u32 n = (u32)w->payload.len, before = (u32)w->frame.len;
	enum kt_compression how;

	if (type == KT_FRAME_EVENTS && w->plain) {
		w->plain--;
		kt_str_add_n(&w->frame, w->payload.data, n);
		return KT_STORED_PLAIN;
	}
	how = kt_deflate(w->zstd, &w->frame, w->payload.data, n, parts, part_count);
	if (type == KT_FRAME_EVENTS && w->frame.len - before > n - n / 4)
		w->plain = PLAIN_BLOCKS;
	return how;
}

/* Writes w->payload as a block of this description. */
static int put_block(struct kt_writer *w, struct kt_frame *f, const struct kt_deflate_part *parts,
		     u32 part_count)
{
	u64 offset = w->bytes;
	char *header;

	if (w->error)
		return w->error;
	if (w->payload.len > KT_MAX_PAYLOAD)
		return fail(w, -E2BIG);
	kt_str_reset(&w->frame);
	header = kt_str_room(&w->frame, KT_FRAME_HEADER);
	kt_str_end(&w->frame, header + KT_FRAME_HEADER);
	f->size = (u32)w->payload.len;
	f->compression = (u8)compress(w, f->type, parts, part_count);
	f->stored = (u32)(w->frame.len - KT_FRAME_HEADER);
	f->crc = kt_crc(w->frame.data + KT_FRAME_HEADER, f->stored);
	f->previous = w->previous;
	f->events_before = w->events;
	kt_put_frame((u8 *)w->frame.data, f, w->tag);
	if (put_bytes(w, w->frame.data, w->frame.len))
		return w->error;
	if (f->type != KT_FRAME_EVENTS)
		w->previous = offset;
	return 0;
}

static u64 get_number(const u8 *row, const struct kt_store_field *f)
{
	u64 value = 0;

	memcpy(&value, row + f->offset, kt_store_type_bits(f->type) / 8);
	return value;
}

/* Those that the events of the pending block tell of. */
static u64 count_lost(const struct kt_writer *w)
{
	const struct kt_block_builder *b = w->block;
	const struct kt_event_ref *event;
	u64 lost = 0;

	if (!w->lost_at.kind || !b->rows_of[w->lost_at.kind])
		return 0;
	for (event = b->events + 1; event <= b->event; event++) {
		if (event->kind == w->lost_at.kind)
			lost += get_number(b->rows + event->offset, w->lost_at.count);
	}
	return lost;
}

static __attribute__((noinline)) int put_events(struct kt_writer *w)
{
	struct kt_frame f = { .type = KT_FRAME_EVENTS };
	struct kt_block_info info;
	u64 offset = w->bytes;

	if (!kt_block_count(w->block))
		return w->error;
	w->lost += count_lost(w);
	kt_str_reset(&w->payload);
	kt_block_encode(w->block, &w->payload, &info);
	f.count = info.count;
	f.first_ts = info.first_ts;
	f.last_ts = info.last_ts;
	if (put_block(w, &f, info.parts, info.part_count)) {
		w->dropped += info.count;
		return w->error;
	}
	if (!w->events || f.first_ts < w->first_ts)
		w->first_ts = f.first_ts;
	if (f.last_ts > w->last_ts)
		w->last_ts = f.last_ts;
	w->events += info.count;
	if (w->bytes - offset > w->largest)
		w->largest = w->bytes - offset;
	kt_index_add(&w->index, offset, f.first_ts, f.last_ts);
	return 0;
}

static int put_fact(struct kt_writer *w, const struct fact *fact)
{
	struct kt_frame f = { .type = KT_FRAME_FACT };
	size_t n = strlen(fact->name);

	kt_str_reset(&w->payload);
	kt_add_u8(&w->payload, (u8)n);
	kt_str_add_n(&w->payload, fact->name, n);
	kt_str_add_n(&w->payload, fact->text, fact->n);
	return put_block(w, &f, NULL, 0);
}

static int put_clock(struct kt_writer *w)
{
	struct kt_frame f = { .type = KT_FRAME_CLOCK,
			      .first_ts = w->monotonic,
			      .last_ts = w->monotonic };

	kt_str_reset(&w->payload);
	kt_add_le64(&w->payload, w->monotonic);
	kt_add_le64(&w->payload, w->realtime);
	return put_block(w, &f, NULL, 0);
}

/* ---- files ---- */

static u32 new_tag(void)
{
	struct timespec now;
	u32 tag;

	if (getrandom(&tag, sizeof(tag), GRND_NONBLOCK) == (ssize_t)sizeof(tag))
		return tag;
	clock_gettime(CLOCK_REALTIME, &now);
	return (u32)now.tv_nsec ^ (u32)now.tv_sec << 10;
}

/* Offsets are counted from where the file begins. */
static int check_empty(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	return S_ISREG(st.st_mode) && st.st_size ? -EEXIST : 0;
}

static int begin_file(struct kt_writer *w, int fd)
{
	struct kt_frame f = { .type = KT_FRAME_SCHEMA };
	u8 header[KT_FILE_HEADER];
	int err = check_empty(fd);
	u32 i;

	w->fd = fd;
	w->error = 0;
	w->kinds = w->options.schema->count - 1;
	if (err)
		fail(w, err);
	w->tag = w->options.tag ? w->options.tag : new_tag();
	w->bytes = w->events = w->lost = w->previous = w->first_ts = w->last_ts = 0;
	kt_index_reset(&w->index);
	kt_put_file_header(header, w->tag);
	put_bytes(w, (char *)header, sizeof(header));
	kt_str_reset(&w->payload);
	kt_store_put_schema(&w->payload, w->options.schema);
	put_block(w, &f, NULL, 0);
	for (i = 0; i < w->fact_count; i++)
		put_fact(w, &w->facts[i]);
	if (w->has_clock)
		put_clock(w);
	return w->error;
}

static int sync_file(struct kt_writer *w)
{
	/* What cannot be synced, a pipe, says EINVAL. */
	if (w->options.sync && !w->error && fdatasync(w->fd) && errno != EINVAL)
		fail(w, -errno);
	return w->error;
}

static int end_file(struct kt_writer *w)
{
	struct kt_frame f = { .type = KT_FRAME_END };
	u8 trailer[KT_TRAILER];
	u64 offset;

	put_events(w);
	offset = w->bytes;
	f.first_ts = w->first_ts;
	f.last_ts = w->last_ts;
	kt_str_reset(&w->payload);
	kt_add_le64(&w->payload, w->lost);
	kt_add_le32(&w->payload, w->index.count);
	kt_index_put(&w->index, &w->payload);
	if (!put_block(w, &f, NULL, 0)) {
		kt_put_trailer(trailer, offset, w->tag);
		put_bytes(w, (char *)trailer, sizeof(trailer));
	}
	sync_file(w);
	if (close(w->fd) && !w->error && errno != EINTR)
		fail(w, -errno);
	return w->error;
}

static struct lost_places find_lost(const struct kt_store_schema *schema)
{
	const struct kt_store_kind *common = &schema->kinds[0], *lost;
	int kind = kt_store_find_kind(schema, "lost"), cpu, vcpu, from, count, cause;

	if (kind <= 0)
		return (struct lost_places) {};
	lost = &schema->kinds[kind];
	cpu = kt_store_find_field(common, "cpu");
	vcpu = kt_store_find_field(common, "vcpu_id");
	from = kt_store_find_field(lost, "from");
	count = kt_store_find_field(lost, "count");
	cause = kt_store_find_field(lost, "cause");
	if (cpu < 0 || vcpu < 0 || from < 0 || count < 0 || cause < 0)
		return (struct lost_places) {};
	return (struct lost_places) { .kind = (u32)kind,
				      .ts = &common->fields[0],
				      .cpu = &common->fields[cpu],
				      .vcpu = &common->fields[vcpu],
				      .from = &lost->fields[from],
				      .count = &lost->fields[count],
				      .cause = &lost->fields[cause] };
}

static void writer_free(struct kt_writer *w)
{
	u32 i;

	for (i = 0; i < w->fact_count; i++) {
		free(w->facts[i].name);
		free(w->facts[i].text);
	}
	free(w->facts);
	kt_block_builder_free(w->block);
	ZSTD_freeCCtx(w->zstd);
	kt_str_free(&w->payload);
	kt_str_free(&w->frame);
	free(w);
}

struct kt_writer *kt_writer_new(const struct kt_writer_options *options)
{
	struct kt_writer *w;

	if (kt_store_check_schema(options->schema))
		return NULL;
	w = kt_alloc(sizeof(*w));
	w->options = *options;
	w->fd = -1;
	w->block = kt_block_builder_new(options->schema);
	w->lost_at = find_lost(options->schema);
	w->zstd = ZSTD_createCCtx();
	if (w->zstd && !ZSTD_isError(ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_compressionLevel,
							    options->level ? options->level : 1)))
		return w;
	writer_free(w);
	return NULL;
}

int kt_writer_begin(struct kt_writer *w, int fd)
{
	return begin_file(w, fd);
}

int kt_writer_open(struct kt_writer **writer, int fd, const struct kt_writer_options *options)
{
	struct kt_writer *w = kt_writer_new(options);
	int err = w ? kt_writer_begin(w, fd) : -EINVAL;

	if (err) {
		close(fd);
		if (w)
			writer_free(w);
		return err;
	}
	*writer = w;
	return 0;
}

int kt_writer_rotate(struct kt_writer *w, int fd)
{
	int err = end_file(w), begun = begin_file(w, fd);

	return err ? err : begun;
}

int kt_writer_close(struct kt_writer *w)
{
	int err = w->fd < 0 ? 0 : end_file(w);

	writer_free(w);
	return err;
}

/* ---- what goes in ---- */

/* A narrow field takes the lower bytes, which come first on x86, the only host there is. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are copied by their low bytes");

static void put_number(u8 *row, const struct kt_store_field *f, u64 value)
{
	memcpy(row + f->offset, &value, kt_store_type_bits(f->type) / 8);
}

static __attribute__((noinline)) int refuse(struct kt_writer *w)
{
	w->dropped++;
	return w->error ? w->error : -EINVAL;
}

int kt_writer_add(struct kt_writer *w, u32 kind, const void *row)
{
	if (__builtin_expect(kind - 1 >= w->kinds, 0))
		return refuse(w);
	return __builtin_expect(kt_block_add(w->block, kind, row), 1) ? 0 : put_events(w);
}

int kt_writer_add_lost(struct kt_writer *w, u32 cpu, u64 from_ts, u64 to_ts, u64 count, u8 cause)
{
	u64 row[KT_STORE_MAX_ROW / sizeof(u64)] = {};
	const struct lost_places *at = &w->lost_at;

	if (!at->kind)
		return -EINVAL;
	put_number((u8 *)row, at->ts, to_ts);
	put_number((u8 *)row, at->cpu, cpu);
	put_number((u8 *)row, at->vcpu, ~0ull);
	put_number((u8 *)row, at->from, from_ts);
	put_number((u8 *)row, at->count, count);
	put_number((u8 *)row, at->cause, cause);
	return kt_writer_add(w, at->kind, row);
}

int kt_writer_add_clock(struct kt_writer *w, u64 monotonic, u64 realtime)
{
	w->has_clock = true;
	w->monotonic = monotonic;
	w->realtime = realtime;
	return put_clock(w);
}

static struct fact *fact_of(struct kt_writer *w, const char *name)
{
	u32 i;

	for (i = 0; i < w->fact_count; i++) {
		if (!strcmp(w->facts[i].name, name))
			return &w->facts[i];
	}
	return NULL;
}

int kt_writer_add_fact(struct kt_writer *w, const char *name, const void *text, size_t n)
{
	struct fact *fact = fact_of(w, name);
	size_t before = fact ? fact->n : 0, length = strlen(name);

	if (!length || length > KT_STORE_MAX_NAME)
		return -EINVAL;
	if (n > KT_STORE_MAX_FACT || w->fact_bytes - before + n > KT_STORE_MAX_FACTS)
		return -E2BIG;
	if (!fact) {
		w->facts = kt_realloc(w->facts, (w->fact_count + 1) * sizeof(*w->facts));
		fact = &w->facts[w->fact_count++];
		*fact = (struct fact) { .name = kt_strdup(name) };
	}
	free(fact->text);
	fact->text = kt_alloc(n);
	fact->n = n;
	if (n)
		memcpy(fact->text, text, n);
	w->fact_bytes += n - before;
	return put_fact(w, fact);
}

int kt_writer_flush(struct kt_writer *w)
{
	put_events(w);
	return sync_file(w);
}

int kt_writer_error(const struct kt_writer *w)
{
	return w->error;
}

struct kt_writer_stats kt_writer_stats(const struct kt_writer *w)
{
	return (struct kt_writer_stats) { .bytes = w->bytes,
					  .events = w->events,
					  .pending = kt_block_count(w->block),
					  .dropped = w->dropped,
					  .largest = w->largest,
					  .closing = KT_FRAME_HEADER + END_BYTES +
						     (w->index.count + 1ull) * KT_INDEX_ENTRY +
						     KT_TRAILER };
}

u64 kt_writer_bytes(const struct kt_writer *w)
{
	return w->bytes;
}
