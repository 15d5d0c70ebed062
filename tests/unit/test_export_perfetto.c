/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * user/export/perfetto.c: packets byte by byte, with the field numbers of Perfetto's published schema;
 * and what a capture may say that no host would. tests/lanes/export.py asks Perfetto itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../user/export/perfetto.h"
#include "../../user/export/tracks.h"
#include "capture.h"

static const struct kt_vm_entry win11 = { .id = 0, .pid = 7, .name = "win11" };

/* Where in what was written these bytes are; -1: nowhere. */
static ssize_t find(const struct capture *c, size_t size, const u8 *bytes, size_t n)
{
	const char *at = memmem(c->text, size, bytes, n);

	return at ? at - c->text : -1;
}

#define assert_has(c, size, ...)                                                                   \
	assert_true(find(c, size, (const u8[]) { __VA_ARGS__ },                                    \
			 sizeof((const u8[]) { __VA_ARGS__ })) >= 0)
#define assert_lacks(c, size, ...)                                                                 \
	assert_true(find(c, size, (const u8[]) { __VA_ARGS__ },                                    \
			 sizeof((const u8[]) { __VA_ARGS__ })) < 0)

static size_t size_of(struct capture *c)
{
	off_t size = lseek(fileno(c->file), 0, SEEK_END);

	assert_in_range(size, 1, sizeof(c->text) - 1);
	capture_close(c);
	return (size_t)size;
}

static void clocks(void **state)
{
	const struct kt_clock clock = { 300, 5 };
	struct capture c;
	size_t size;

	(void)state;
	capture_open(&c);
	kt_perfetto_free(kt_perfetto_new(c.out, &clock, 1));
	/* Nothing was ended: nothing was handed over. */
	assert_int_equal(lseek(fileno(c.file), 0, SEEK_END), 0);
	struct kt_perfetto *p = kt_perfetto_new(c.out, &clock, 1);
	kt_perfetto_end(p);
	kt_perfetto_free(p);
	assert_int_equal(kt_out_flush(c.out), 0);
	size = size_of(&c);
	/* Trace.packet { clock_snapshot { clocks { 3: 300 } clocks { 1: 5 } primary: MONOTONIC } } */
	assert_int_equal(
		find(&c, size,
		     (const u8[]) { 0x0a, 0x11, 0x32, 0x0f, 0x0a, 0x05, 0x08, 0x03, 0x10, 0xac,
				    0x02, 0x0a, 0x04, 0x08, 0x01, 0x10, 0x05, 0x10, 0x03 },
		     19),
		0);
	/* sequence 1, flags CLEARED|NEEDS; defaults { timestamp_clock_id: MONOTONIC } */
	assert_has(&c, size, 0x50, 0x01, 0x68, 0x03, 0xda, 0x03, 0x03, 0xd0, 0x03, 0x03);
	/* interned_data.event_categories { iid: 1 name: "exit" } */
	assert_has(&c, size, 0x0a, 0x08, 0x08, 0x01, 0x12, 0x04, 'e', 'x', 'i', 't');
}

static size_t export_exit(struct capture *c, u64 ts, u64 duration, u8 end)
{
	const struct kt_row_exit row = {
		.head = { .ts = ts, .cpu = 2, .tgid = 7, .tid = 8, .vcpu_id = 3 },
		.reason = 0x78,
		.isa = 2,
		.duration = duration,
		.end = end,
	};
	struct kt_perfetto *p;

	capture_open(c);
	p = kt_perfetto_new(c->out, NULL, 0);
	kt_perfetto_event(p, KT_ROW_EXIT, &row.head, &win11);
	kt_perfetto_end(p);
	kt_perfetto_free(p);
	assert_int_equal(kt_out_flush(c->out), 0);
	return size_of(c);
}

static void an_exit_is_a_slice(void **state)
{
	struct capture c;
	size_t size = export_exit(&c, 100, 28, 0);

	(void)state;
	/* track_descriptor { uuid: 1 process { pid: 7 name: "win11" } child_ordering: EXPLICIT } */
	assert_has(&c, size, 0xe2, 0x03, 0x0f, 0x08, 0x01, 0x1a, 0x09, 0x08, 0x07, 0x32, 0x05, 'w',
		   'i', 'n', '1', '1', 0x58, 0x03);
	/* track_descriptor { uuid: 2 parent: 1 name: "vCPU 3" rank: 3 } */
	assert_has(&c, size, 0xe2, 0x03, 0x0e, 0x08, 0x02, 0x28, 0x01, 0x12, 0x06, 'v', 'C', 'P',
		   'U', ' ', '3', 0x60, 0x03);
	/* interned_data { event_names { iid: 1 name: "HLT" } } */
	assert_has(&c, size, 0x62, 0x09, 0x12, 0x07, 0x08, 0x01, 0x12, 0x03, 'H', 'L', 'T');
	/* timestamp: 100 track_event { type: BEGIN track: 2 category_iid: 1 name_iid: 1 … } */
	assert_has(&c, size, 0x40, 100, 0x5a);
	assert_has(&c, size, 0x48, 0x01, 0x58, 0x02, 0x18, 0x01, 0x50, 0x01, 0x22);
	/* packet { sequence: 1 flags: NEEDS timestamp: 128 track_event { type: END track: 2 } } */
	assert_has(&c, size, 0x0a, 0x0d, 0x50, 0x01, 0x68, 0x02, 0x40, 0x80, 0x01, 0x5a, 0x04, 0x48,
		   0x02, 0x58, 0x02);
}

static void an_exit_of_unknown_length_is_an_instant(void **state)
{
	struct capture c;
	size_t size = export_exit(&c, 100, 0, 1);

	(void)state;
	assert_has(&c, size, 0x48, 0x03, 0x58, 0x02, 0x18, 0x01, 0x50, 0x01, 0x22);
	assert_lacks(&c, size, 0x48, 0x02, 0x58, 0x02);
	assert_has(&c, size, 'n', 'o', ' ', 'e', 'n', 't', 'r', 'y');
}

static void times_stay_within_63_bits(void **state)
{
	struct capture c;
	size_t size = export_exit(&c, 0x7ffffffffffffffe, ~0ull, 0);

	(void)state;
	assert_has(&c, size, 0x40, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x5a, 0x04,
		   0x48, 0x02);
	size = export_exit(&c, ~0ull, 1, 0);
	assert_has(&c, size, 0x40, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x5a);
	assert_lacks(&c, size, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x5a);
}

/* More tracks than there may be: the rest share one, and each keeps its own. */
static void too_many_tracks(void **state)
{
	struct kt_tracks tracks = {};
	struct kt_track *track;
	u32 i;

	(void)state;
	for (i = 0; i < KT_TRACKS_MAX; i++) {
		track = kt_tracks_get(&tracks, KT_TRACK_VCPU, i % 3, i);
		assert_int_equal(track->uuid, 0);
		track->uuid = i + 1;
	}
	for (i = 0; i < 2 * KT_TRACKS_MAX; i += 7) {
		track = kt_tracks_get(&tracks, KT_TRACK_VCPU, i % 3, i);
		assert_int_equal(track->type, i < KT_TRACKS_MAX ? KT_TRACK_VCPU : KT_TRACK_OTHERS);
		assert_int_equal(track->uuid, i < KT_TRACKS_MAX ? i + 1 : 0);
	}
	assert_int_equal(tracks.used, KT_TRACKS_MAX + 1);
	kt_tracks_fini(&tracks);
}

/* Every kind, with every byte set, and more names than the file interns. */
static void whatever_a_row_holds(void **state)
{
	struct capture c;
	struct kt_perfetto *p;
	struct kt_row_common *row = kt_alloc(KT_STORE_MAX_ROW);
	u64 seed = 88172645463325252ull;
	u32 i, byte;

	(void)state;
	capture_open(&c);
	kt_out_close(c.out);
	c.out = kt_out_open("/dev/null");
	p = kt_perfetto_new(c.out, NULL, 0);
	for (i = 0; i < 40000; i++) {
		u32 kind = 1 + i % (KT_ROW_COUNT - 1);

		for (byte = 0; byte < kt_kinds.kinds[kind].row_size; byte++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			((u8 *)row)[byte] = (u8)(seed >> 20);
		}
		for (byte = 0; byte < kt_kinds.kinds[kind].field_count; byte++) {
			const struct kt_store_field *f = &kt_kinds.kinds[kind].fields[byte];

			if (f->type == KT_STORE_BYTES)
				((u8 *)row)[f->offset] %= f->size + 1;
		}
		kt_perfetto_event(p, kind, row, &win11);
	}
	kt_perfetto_gap(p, &(struct kt_gap) { .from_ts = ~0ull, .to_ts = ~0ull, .events = 1 });
	kt_perfetto_end(p);
	kt_perfetto_free(p);
	assert_int_equal(kt_out_close(c.out), KT_OK);
	fclose(c.file);
	free(row);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clocks),
		cmocka_unit_test(an_exit_is_a_slice),
		cmocka_unit_test(an_exit_of_unknown_length_is_an_instant),
		cmocka_unit_test(times_stay_within_63_bits),
		cmocka_unit_test(too_many_tracks),
		cmocka_unit_test(whatever_a_row_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
