/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <linux/bpf.h>
#include <sys/epoll.h>
#include <sys/mman.h>

#include <bpf/bpf.h>

#include "ring.h"

#define MAX_BATCH 8192 /* bytes: some sixty records */

struct ring {
	u64 *consumer;	     /* page 0 of the map: ours to write */
	const u64 *producer; /* page 1: the kernel's */
	const char *data;    /* the buffer, mapped twice in a row: no record is torn */
	u64 size;
	u64 position; /* where the next record begins */
	u64 end;      /* the kernel's position when this drain began */
	u64 pause;    /* where to tell the kernel our position, at the latest the end */
	u64 batch;    /* how far that is at most from the last such place */
};

/* A ring's first record; its time is here too, so that ordering touches no ring. */
struct turn {
	u64 ts;
	struct ring *ring;
	const struct kt_head *head;
	u32 size;
};

struct kt_rings {
	struct ring *rings;
	struct turn *heap; /* earliest at the top */
	u32 count, heap_size;
	int epoll;
};

static int map_ring(struct ring *r, int fd)
{
	size_t page = sysconf(_SC_PAGESIZE);
	struct bpf_map_info info = {};
	u32 len = sizeof(info);
	char *kernel;

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return -errno;
	r->size = info.max_entries;
	r->consumer = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (r->consumer == MAP_FAILED) {
		r->consumer = NULL;
		return -errno;
	}
	kernel = mmap(NULL, page + 2 * r->size, PROT_READ, MAP_SHARED, fd, page);
	if (kernel == MAP_FAILED)
		return -errno;
	r->producer = (const u64 *)kernel;
	r->data = kernel + page;
	r->position = *r->consumer;
	r->batch = r->size / 16 < MAX_BATCH ? r->size / 16 : MAX_BATCH;
	return 0;
}

static void unmap_ring(struct ring *r)
{
	size_t page = sysconf(_SC_PAGESIZE);

	if (r->consumer)
		munmap(r->consumer, page);
	if (r->producer)
		munmap((void *)r->producer, page + 2 * r->size);
}

void kt_rings_free(struct kt_rings *r)
{
	if (!r)
		return;
	for (u32 i = 0; i < r->count; i++)
		unmap_ring(&r->rings[i]);
	if (r->epoll >= 0)
		close(r->epoll);
	free(r->rings);
	free(r->heap);
	free(r);
}

struct kt_rings *kt_rings_new(const int *map_fds, u32 count)
{
	struct kt_rings *r = kt_alloc(sizeof(*r));
	struct epoll_event event = { .events = EPOLLIN };
	int err = 0;

	r->rings = kt_alloc(count * sizeof(*r->rings));
	r->heap = kt_alloc(count * sizeof(*r->heap));
	r->count = count;
	r->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (r->epoll < 0)
		err = -errno;
	for (u32 i = 0; i < count && !err; i++) {
		err = map_ring(&r->rings[i], map_fds[i]);
		if (!err && epoll_ctl(r->epoll, EPOLL_CTL_ADD, map_fds[i], &event))
			err = -errno;
	}
	if (!err)
		return r;
	kt_rings_free(r);
	errno = -err;
	return NULL;
}

int kt_rings_poll_fd(const struct kt_rings *r)
{
	return r->epoll;
}

static u32 record_size(u32 header)
{
	return header & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
}

/* What a record takes in the ring. */
static u64 whole_size(u32 size)
{
	return (size + BPF_RINGBUF_HDR_SZ + 7) / 8 * 8;
}

/* So far records may be read before the kernel is told. */
static void set_pause(struct ring *r)
{
	r->pause = r->end - r->position > r->batch ? r->position + r->batch : r->end;
}

/*
 * Lets the kernel have what was read. Its CPU looks at this place with every record it writes, so it
 * is written to now and then only, long before the ring could be full for want of it.
 */
static void publish(struct ring *r)
{
	if (*r->consumer != r->position)
		__atomic_store_n(r->consumer, r->position, __ATOMIC_RELEASE);
	set_pause(r);
}

static const char *first_of(const struct ring *r)
{
	return r->data + (r->position & (r->size - 1));
}

/* The kernel writes it last. */
static u32 header_of(const char *record)
{
	return __atomic_load_n((const u32 *)record, __ATOMIC_ACQUIRE);
}

/* False when it is not ready, or nothing to hand over. */
static bool set_turn(struct turn *turn, const char *record)
{
	u32 header = header_of(record);

	/* Larger than any record when it is busy or discarded. */
	if (header < sizeof(struct kt_brief) || header >= BPF_RINGBUF_DISCARD_BIT)
		return false;
	turn->size = header;
	turn->head = (const struct kt_head *)(record + BPF_RINGBUF_HDR_SZ);
	turn->ts = turn->head->ts;
	return true;
}

/* Finds the next record that is ready; false when there is none. */
static bool peek(struct ring *r, struct turn *turn)
{
	while (r->position < r->end) {
		u32 header = header_of(first_of(r));

		if (r->position >= r->pause)
			publish(r);
		if (header & BPF_RINGBUF_BUSY_BIT)
			return false;
		if (set_turn(turn, first_of(r)))
			return true;
		r->position += whole_size(record_size(header));
	}
	return false;
}

/* Restores the heap's order when the ring at place has a new first record. */
static void sink_down(struct kt_rings *r, u32 place)
{
	struct turn turn = r->heap[place];
	u32 child;

	while ((child = 2 * place + 1) < r->heap_size) {
		if (child + 1 < r->heap_size && r->heap[child + 1].ts < r->heap[child].ts)
			child++;
		if (turn.ts <= r->heap[child].ts)
			break;
		r->heap[place] = r->heap[child];
		place = child;
	}
	r->heap[place] = turn;
}

static void fill_heap(struct kt_rings *r)
{
	r->heap_size = 0;
	for (u32 i = 0; i < r->count; i++) {
		r->rings[i].end = __atomic_load_n(r->rings[i].producer, __ATOMIC_ACQUIRE);
		set_pause(&r->rings[i]);
		r->heap[r->heap_size].ring = &r->rings[i];
		if (peek(&r->rings[i], &r->heap[r->heap_size]))
			r->heap_size++;
	}
	for (u32 i = r->heap_size / 2; i-- > 0;)
		sink_down(r, i);
}

/* Until when it is still the first ring's turn. */
static u64 turn_ends(const struct kt_rings *r, u64 horizon)
{
	for (u32 next = 1; next < r->heap_size && next <= 2; next++)
		if (r->heap[next].ts < horizon)
			horizon = r->heap[next].ts;
	return horizon;
}

/*
 * Hands over the records of the first ring, from the one in turn on, up to those later than last.
 * Returns false when there are no more in it.
 */
static bool take_turn(const struct kt_rings *r, struct turn *first, u64 last, kt_record_fn fn,
		      void *ctx)
{
	struct turn turn = *first; /* in registers */
	struct ring *ring = turn.ring;
	u32 number = ring - r->rings;
	bool more;

	do {
		fn(ctx, turn.head, turn.size, number);
		ring->position += whole_size(turn.size);
		more = ring->position < ring->pause && set_turn(&turn, first_of(ring));
		if (!more) {
			more = peek(ring, first);
			turn = *first;
		}
	} while (more && turn.ts <= last);
	*first = turn;
	return more;
}

bool kt_rings_drain(struct kt_rings *r, u64 horizon, kt_record_fn fn, void *ctx)
{
	fill_heap(r);
	while (r->heap_size && r->heap[0].ts <= horizon) {
		if (!take_turn(r, &r->heap[0], turn_ends(r, horizon), fn, ctx))
			r->heap[0] = r->heap[--r->heap_size];
		if (r->heap_size > 1)
			sink_down(r, 0);
	}
	for (u32 i = 0; i < r->count; i++)
		publish(&r->rings[i]);
	return r->heap_size != 0;
}

bool kt_rings_stuck(const struct kt_rings *r)
{
	for (u32 i = 0; i < r->count; i++) {
		const struct ring *ring = &r->rings[i];

		if (ring->position < __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE) &&
		    header_of(first_of(ring)) & BPF_RINGBUF_BUSY_BIT)
			return true;
	}
	return false;
}
