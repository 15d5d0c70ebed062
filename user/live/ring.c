/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <linux/bpf.h>
#include <sys/epoll.h>
#include <sys/mman.h>

#include <bpf/bpf.h>

#include "ring.h"

struct ring {
	u64 *consumer;	     /* page 0 of the map: ours to write */
	const u64 *producer; /* page 1: the kernel's */
	const char *data;    /* the buffer, mapped twice in a row: no record is torn */
	u64 size;
	u64 position; /* where the next record begins */
	u64 end;      /* the kernel's position when this drain began */
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

static void skip_record(struct ring *r, u32 header)
{
	r->position += (record_size(header) + BPF_RINGBUF_HDR_SZ + 7) / 8 * 8;
}

/* Finds the next record that is ready; false when there is none. The kernel writes the header last. */
static bool peek(struct ring *r, struct turn *turn)
{
	while (r->position < r->end) {
		const char *at = r->data + (r->position & (r->size - 1));
		u32 header = __atomic_load_n((const u32 *)at, __ATOMIC_ACQUIRE);

		if (header & BPF_RINGBUF_BUSY_BIT)
			return false;
		turn->size = record_size(header);
		if (!(header & BPF_RINGBUF_DISCARD_BIT) && turn->size >= sizeof(struct kt_head)) {
			turn->head = (const struct kt_head *)(at + BPF_RINGBUF_HDR_SZ);
			turn->ts = turn->head->ts;
			return true;
		}
		skip_record(r, header);
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
		r->heap[r->heap_size].ring = &r->rings[i];
		if (peek(&r->rings[i], &r->heap[r->heap_size]))
			r->heap_size++;
	}
	for (u32 i = r->heap_size / 2; i-- > 0;)
		sink_down(r, i);
}

bool kt_rings_drain(struct kt_rings *r, u64 horizon, kt_record_fn fn, void *ctx)
{
	fill_heap(r);
	while (r->heap_size && r->heap[0].ts <= horizon) {
		struct turn *first = &r->heap[0];
		struct ring *ring = first->ring;

		fn(ctx, first->head, first->size);
		skip_record(ring, first->size);
		__atomic_store_n(ring->consumer, ring->position, __ATOMIC_RELEASE);
		if (!peek(ring, first))
			*first = r->heap[--r->heap_size];
		if (r->heap_size > 1)
			sink_down(r, 0);
	}
	return r->heap_size != 0;
}
