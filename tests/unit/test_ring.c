/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * user/live/ring.c on rings made of files, laid out as kernel/bpf/ringbuf.c has it: a page with the
 * consumer's position, one with the producer's, and the data twice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/epoll.h>

/* Files cannot be polled. */
#define epoll_ctl(epoll, op, fd, event) ((void)(event), (epoll) >= 0 && (fd) >= 0 ? 0 : -1)
#include "../../user/live/ring.c"

#define RINGS	 3
#define SIZE	 4096u
#define BUSY	 0x80000000u
#define DISCARD	 0x40000000u
#define NO_LIMIT 0xffffffffffffffffull

int bpf_obj_get_info_by_fd(int fd, void *info, __u32 *len)
{
	assert_true(fd >= 0 && *len >= sizeof(struct bpf_map_info));
	((struct bpf_map_info *)info)->max_entries = SIZE;
	return 0;
}

/* What the kernel has of a ring. */
struct fake {
	int fd;
	char *map;
	u64 *consumer, *producer;
};

static struct fake fakes[RINGS];
static struct kt_rings *rings;

static int setup(void **state)
{
	long page = sysconf(_SC_PAGESIZE);
	int fds[RINGS];

	(void)state;
	for (size_t i = 0; i < RINGS; i++) {
		struct fake *f = &fakes[i];

		f->fd = fds[i] = memfd_create("ring", MFD_CLOEXEC);
		if (f->fd < 0 || ftruncate(f->fd, 2 * page + 2 * SIZE))
			return -1;
		f->map = mmap(NULL, 2 * page + 2 * SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd,
			      0);
		if (f->map == MAP_FAILED)
			return -1;
		f->consumer = (u64 *)f->map;
		f->producer = (u64 *)(f->map + page);
	}
	rings = kt_rings_new(fds, RINGS);
	return rings ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	kt_rings_free(rings);
	for (size_t i = 0; i < RINGS; i++) {
		munmap(fakes[i].map, 2 * sysconf(_SC_PAGESIZE) + 2 * SIZE);
		close(fakes[i].fd);
	}
	return 0;
}

/* A file has no page that is mapped twice. */
static void put_bytes(struct fake *f, u64 position, const void *bytes, size_t n)
{
	char *data = f->map + 2 * sysconf(_SC_PAGESIZE);

	for (size_t i = 0; i < n; i++)
		data[(position + i) % SIZE] = data[SIZE + (position + i) % SIZE] =
			((const char *)bytes)[i];
}

static void set_header(size_t ring, u64 position, u32 header)
{
	put_bytes(&fakes[ring], position, &header, sizeof(header));
}

/* Returns its position. There must be room. */
static u64 put(size_t ring, u64 ts, u32 size, u32 bits)
{
	struct kt_head head = { .ts = ts, .tid = size, .cpu = ring };
	struct fake *f = &fakes[ring];
	u64 position = *f->producer, whole = (size + 8 + 7) & ~7ull;

	assert_true(position + whole - *f->consumer <= SIZE);
	set_header(ring, position, size | bits);
	put_bytes(f, position + 8, &head, size < sizeof(head) ? size : sizeof(head));
	*f->producer = position + whole;
	return position;
}

/* ---- what was handed over ---- */

struct seen {
	u64 ts[4096];
	size_t count;
	u64 held; /* the most of a ring that was read and not returned */
};

static struct seen seen;

static void on_record(void *ctx, const struct kt_head *head, u32 size, u32 ring)
{
	struct seen *s = ctx;

	assert_int_equal(head->tid, size);
	assert_int_equal(head->cpu, ring);
	assert_true(s->count < KT_ARRAY_SIZE(s->ts));
	s->ts[s->count++] = head->ts;
}

static bool drain(u64 horizon)
{
	memset(&seen, 0, sizeof(seen));
	return kt_rings_drain(rings, horizon, on_record, &seen);
}

static void assert_seen(const u64 *want, size_t count)
{
	assert_int_equal(seen.count, count);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(seen.ts[i], want[i]);
}

#define ASSERT_SEEN(...)                                                                           \
	do {                                                                                       \
		static const u64 want_[] = { __VA_ARGS__ };                                        \
                                                                                                   \
		assert_seen(want_, KT_ARRAY_SIZE(want_));                                          \
	} while (0)

static void assert_all_returned(void)
{
	for (size_t i = 0; i < RINGS; i++)
		assert_int_equal(*fakes[i].consumer, *fakes[i].producer);
}

/* ---- tests ---- */

static void in_order_of_time(void **state)
{
	(void)state;
	assert_false(drain(NO_LIMIT));
	assert_int_equal(seen.count, 0);
	put(0, 10, 32, 0);
	put(0, 40, 120, 0);
	put(0, 50, 33, 0);
	put(1, 20, 32, 0);
	put(1, 21, 47, 0);
	put(1, 60, 48, 0);
	put(2, 5, 32, 0);
	put(2, 45, 32, 0);
	assert_false(drain(NO_LIMIT));
	ASSERT_SEEN(5, 10, 20, 21, 40, 45, 50, 60);
	assert_all_returned();
	assert_false(drain(NO_LIMIT));
	assert_int_equal(seen.count, 0);
}

static void not_beyond_the_horizon(void **state)
{
	u64 young;

	(void)state;
	put(0, 10, 32, 0);
	put(0, 30, 32, 0);
	young = put(0, 31, 32, 0);
	put(1, 40, 32, 0);
	assert_true(drain(30));
	ASSERT_SEEN(10, 30);
	assert_int_equal(*fakes[0].consumer, young);
	assert_int_equal(*fakes[1].consumer, 0);
	assert_true(drain(30));
	assert_int_equal(seen.count, 0);
	assert_false(drain(40));
	ASSERT_SEEN(31, 40);
	assert_all_returned();
}

/* One that is being written ends its ring, until it is there. */
static void busy_records(void **state)
{
	u64 busy;

	(void)state;
	put(0, 10, 32, 0);
	busy = put(0, 20, 32, BUSY);
	put(0, 30, 32, 0);
	put(1, 25, 32, 0);
	assert_false(drain(NO_LIMIT));
	ASSERT_SEEN(10, 25);
	assert_int_equal(*fakes[0].consumer, busy);
	assert_true(kt_rings_stuck(rings));
	set_header(0, busy, 32);
	assert_false(kt_rings_stuck(rings));
	assert_false(drain(NO_LIMIT));
	ASSERT_SEEN(20, 30);
	assert_false(kt_rings_stuck(rings));
	assert_all_returned();
	/* also when it is going to be discarded, and as the very first */
	busy = put(0, 40, 32, BUSY | DISCARD);
	put(0, 50, 32, 0);
	assert_false(drain(NO_LIMIT));
	assert_int_equal(seen.count, 0);
	assert_int_equal(*fakes[0].consumer, busy);
	set_header(0, busy, 32 | DISCARD);
	assert_false(drain(NO_LIMIT));
	ASSERT_SEEN(50);
	assert_all_returned();
}

/* Discarded ones, and such as have no head, are nobody's. */
static void nothing_to_hand_over(void **state)
{
	(void)state;
	put(0, 10, 32, DISCARD);
	put(0, 20, 32, 0);
	put(0, 21, 120, DISCARD);
	put(0, 22, 15, 0);
	put(0, 23, 0, 0);
	put(0, 30, 32, 0);
	put(0, 31, 32, DISCARD);
	put(1, 5, 8, 0);
	assert_false(drain(NO_LIMIT));
	ASSERT_SEEN(20, 30);
	assert_all_returned();
}

#define ROUND 56 /* records of 72 bytes with their header, in a ring of 4096 */

/* How much the ring holds that was read, this record with it. */
static void on_record_of_round(void *ctx, const struct kt_head *head, u32 size, u32 ring)
{
	u64 held = *fakes[0].producer - *fakes[0].consumer;

	on_record(ctx, head, size, ring);
	held -= 72 * (ROUND - seen.count);
	if (seen.held < held)
		seen.held = held;
}

/* Many rounds of the ring, every offset; what is read is returned meanwhile. */
static void returned_in_time(void **state)
{
	u64 ts = 0;

	(void)state;
	for (size_t round = 0; round < 100; round++) {
		memset(&seen, 0, sizeof(seen));
		for (size_t i = 0; i < ROUND; i++)
			put(0, ts++, 64, 0);
		assert_false(kt_rings_drain(rings, NO_LIMIT, on_record_of_round, &seen));
		assert_int_equal(seen.count, ROUND);
		for (size_t i = 0; i < ROUND; i++)
			assert_int_equal(seen.ts[i], ts - ROUND + i);
		assert_all_returned();
		/* a sixteenth of the ring, and the records at both ends of it */
		assert_in_range(seen.held, 72, 256 + 2 * 72);
	}
}

/* Against a merge that is plain: rings at random, equal times among them. */
static void at_random(void **state)
{
	u64 x = 88172645463325252ull, ts[RINGS] = {}, last = 0, put_so_far = 0, got = 0;

	(void)state;
	for (size_t round = 0; round < 300; round++) {
		u64 horizon = 0;

		for (size_t i = 0; i < 60; i++) {
			size_t ring = (x >> 33) % RINGS;

			x = x * 6364136223846793005ull + 1442695040888963407ull;
			if (*fakes[ring].producer - *fakes[ring].consumer > SIZE - 256)
				continue;
			ts[ring] += (x >> 40) % 4;
			put(ring, ts[ring], 32 + (x >> 50) % 100, 0);
			put_so_far++;
		}
		for (size_t i = 0; i < RINGS; i++)
			if (!i || ts[i] < horizon)
				horizon = ts[i]; /* later ones are to come yet */
		drain(horizon);
		got += seen.count;
		for (size_t i = 0; i < seen.count; i++) {
			assert_true(seen.ts[i] >= last && seen.ts[i] <= horizon);
			last = seen.ts[i];
		}
	}
	drain(NO_LIMIT);
	got += seen.count;
	assert_int_equal(got, put_so_far);
	assert_all_returned();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(in_order_of_time),	    TEST(not_beyond_the_horizon), TEST(busy_records),
		TEST(nothing_to_hand_over), TEST(returned_in_time),	  TEST(at_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
