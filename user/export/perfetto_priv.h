/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What the files of the Perfetto export share. Field numbers are those of Perfetto's schema. */
#ifndef KT_EXPORT_PERFETTO_PRIV_H
#define KT_EXPORT_PERFETTO_PRIV_H

#include "../lib/str.h"
#include "perfetto.h"
#include "protobuf.h"
#include "rates.h"
#include "tracks.h"

enum { TRACE_PACKET = 1 };
enum {
	PACKET_CLOCK_SNAPSHOT = 6,
	PACKET_TIMESTAMP = 8,
	PACKET_SEQUENCE_ID = 10,
	PACKET_TRACK_EVENT = 11,
	PACKET_INTERNED_DATA = 12,
	PACKET_SEQUENCE_FLAGS = 13,
	PACKET_DEFAULTS = 59,
	PACKET_TRACK_DESCRIPTOR = 60,
};
enum { SEQUENCE_CLEARED = 1, SEQUENCE_NEEDS_STATE = 2 };
enum { DEFAULTS_CLOCK_ID = 58 };
enum { SNAPSHOT_CLOCKS = 1, SNAPSHOT_PRIMARY_CLOCK = 2, CLOCK_ID = 1, CLOCK_TIMESTAMP = 2 };
enum { BUILTIN_CLOCK_REALTIME = 1, BUILTIN_CLOCK_MONOTONIC = 3 };
enum {
	INTERNED_CATEGORIES = 1,
	INTERNED_NAMES = 2,
	INTERNED_ARGS = 3,
	INTERNED_IID = 1,
	INTERNED_TEXT = 2
};
enum {
	EVENT_CATEGORY_IID = 3,
	EVENT_ARG = 4,
	EVENT_TYPE = 9,
	EVENT_NAME_IID = 10,
	EVENT_TRACK = 11,
	EVENT_NAME = 23,
	EVENT_COUNTER_DOUBLE = 44,
};
enum { SLICE_BEGIN = 1, SLICE_END = 2, INSTANT = 3, COUNTER = 4 };
enum {
	ARG_NAME_IID = 1,
	ARG_BOOL = 2,
	ARG_UINT = 3,
	ARG_INT = 4,
	ARG_STRING = 6,
	ARG_POINTER = 7, /* shown as 0x… */
};
enum {
	TRACK_UUID = 1,
	TRACK_NAME = 2,
	TRACK_PROCESS = 3,
	TRACK_PARENT = 5,
	TRACK_COUNTER = 8,
	TRACK_CHILD_ORDERING = 11,
	TRACK_RANK = 12,
	TRACK_DESCRIPTION = 14,
};
enum { CHILD_ORDERING_EXPLICIT = 3 };
enum { PROCESS_PID = 1, PROCESS_NAME = 6, PROCESS_START = 7 };

#define PERFETTO_TIME_MAX 0x7fffffffffffffffull /* times are int64 once they are read */

/* Arguments that no field of a row is. */
#define PERFETTO_EXTRA_ARGS(X)                                                                     \
	X(CPU, "cpu")                                                                              \
	X(RIP, "rip")                                                                              \
	X(ADDRESS, "address")                                                                      \
	X(TOKEN, "async_pf_token")                                                                 \
	X(ERROR_CODE, "error_code")                                                                \
	X(ERROR, "error")                                                                          \
	X(CAUSE, "cause")                                                                          \
	X(ACCESS, "access")                                                                        \
	X(GPA, "gpa")                                                                              \
	X(PORT, "port")                                                                            \
	X(PORT_NAME, "port_name")                                                                  \
	X(SIZE, "size")                                                                            \
	X(CR, "cr")                                                                                \
	X(MSR_NAME, "msr_name")                                                                    \
	X(PROTECTED, "protected")                                                                  \
	X(REINJECTED, "reinjected")                                                                \
	X(NOTE, "note")                                                                            \
	X(EVENTS, "events")                                                                        \
	X(BYTES, "bytes")                                                                          \
	X(DATA0, "data0")                                                                          \
	X(DATA1, "data1")                                                                          \
	X(DATA2, "data2")                                                                          \
	X(DATA3, "data3")                                                                          \
	X(DATA4, "data4")
#define PERFETTO_ARG_ENUM(name, text) ARG_##name,
enum { PERFETTO_EXTRA_ARGS(PERFETTO_ARG_ENUM) ARG_EXTRA_COUNT };

#define PERFETTO_MAX_ARGS  256 /* names of arguments */
#define PERFETTO_MAX_NAMES 4096

/* A field of a row as an argument. */
struct perfetto_arg {
	u16 offset;
	u8 type;  /* enum kt_store_type */
	u8 field; /* ARG_BOOL … */
	u8 iid;
	bool unless_zero;
};

/* Names of events, told apart by numbers; the file has each once. */
struct perfetto_name {
	u64 key; /* 0: nothing here */
	u32 iid;
};

struct kt_perfetto {
	struct kt_out *out;
	struct kt_pb pb; /* complete packets but for the one in work */
	struct kt_tracks tracks;
	u32 last_uuid;
	struct kt_rates rates;
	u32 vm_count; /* those with rates */
	struct perfetto_vm {
		const struct kt_vm_entry *vm;
		u32 uuid;
	} vms[KT_RATES_SERIES / 2];
	struct perfetto_name names[PERFETTO_MAX_NAMES];
	u32 name_count;
	const char *arg_names[PERFETTO_MAX_ARGS]; /* from 1 on */
	u32 arg_name_count;
	u8 extra[ARG_EXTRA_COUNT]; /* their iids */
	struct perfetto_arg args[KT_ROW_COUNT][KT_STORE_MAX_FIELDS];
	u32 arg_count[KT_ROW_COUNT];
	struct kt_str text;
};

/* perfetto_args.c */
void kt_perfetto_args_init(struct kt_perfetto *p);
/* Into the TrackEvent in work. */
void kt_perfetto_args(struct kt_perfetto *p, u32 kind, const struct kt_row_common *row);

static inline void kt_perfetto_arg(struct kt_perfetto *p, u8 iid, u32 field, u64 value)
{
	size_t arg = kt_pb_open(&p->pb, EVENT_ARG);

	kt_pb_u64(&p->pb, ARG_NAME_IID, iid);
	kt_pb_u64(&p->pb, field, value);
	kt_pb_close(&p->pb, arg);
}

static inline void kt_perfetto_text(struct kt_perfetto *p, u8 iid, const char *text)
{
	size_t arg = kt_pb_open(&p->pb, EVENT_ARG);

	kt_pb_u64(&p->pb, ARG_NAME_IID, iid);
	kt_pb_text(&p->pb, ARG_STRING, text);
	kt_pb_close(&p->pb, arg);
}

#endif
