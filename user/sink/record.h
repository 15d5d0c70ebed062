/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Machine-readable output. Commands describe a record field by field, once; the format decides what
 * becomes of it:
 *   json  one object a line, nested objects and arrays as they are;
 *   csv   one row a record, header first (RFC 4180, but lines end in LF). Nested names are joined
 *         by dots (vm.pid). Arrays become one field: elements separated by blanks, those of nested
 *         arrays and objects by colons; text in arrays had better hold neither. null is an empty
 *         field. Text that begins with = + - or @ gets a leading apostrophe (kt_str_add_csv());
 *         numbers, times and arrays of them do not. Only records of the main type become rows;
 *         others (summary, lost) have other columns, so in csv they go to stderr as
 *         "kvmtrace: TYPE: name=value …". Every record of the main type must have the same fields
 *         in the same order: kt_record_null_object() stands for an object that is absent.
 */
#ifndef KT_SINK_RECORD_H
#define KT_SINK_RECORD_H

#include "../lib/memo.h"
#include "../lib/out.h"
#include "../lib/str.h"
#include "../lib/util.h"

enum kt_format { KT_FORMAT_TEXT, KT_FORMAT_JSON, KT_FORMAT_CSV };

struct kt_record;

/* format: KT_FORMAT_JSON or KT_FORMAT_CSV. main_type is kept by reference. */
struct kt_record *kt_record_new(enum kt_format format, struct kt_out *out, const char *main_type);
void kt_record_free(struct kt_record *r);

/* json: fields may differ from record to record, and what is nested stays so. */
bool kt_record_nests(const struct kt_record *r);
/* Begins a record; json writes "type":TYPE first. */
void kt_record_begin(struct kt_record *r, const char *type);
/* An empty string to build a value in; the record's own, so that values cost no allocation. */
struct kt_str *kt_record_scratch(struct kt_record *r);
/* Ends it and hands it to out as one line. */
void kt_record_end(struct kt_record *r);

/* In an array, name is NULL. */
void kt_record_u64(struct kt_record *r, const char *name, u64 value);
void kt_record_s64(struct kt_record *r, const char *name, s64 value);
void kt_record_real(struct kt_record *r, const char *name, double value);     /* NaN, Inf: null */
void kt_record_hex(struct kt_record *r, const char *name, u64 value);	      /* "0x…" string */
void kt_record_str(struct kt_record *r, const char *name, const char *value); /* NULL: null */
void kt_record_bool(struct kt_record *r, const char *name, bool value);
void kt_record_null(struct kt_record *r, const char *name);
/* json: "name":null. csv: an empty field for each of the names (NULL-terminated, no prefix). */
void kt_record_null_object(struct kt_record *r, const char *name, const char *const *names);
void kt_record_object(struct kt_record *r, const char *name);
void kt_record_object_end(struct kt_record *r);
void kt_record_array(struct kt_record *r, const char *name);
void kt_record_array_end(struct kt_record *r);

/* "time": RFC 3339, UTC, nine decimals: 2026-01-31T23:59:59.000000001Z */
void kt_record_time(struct kt_record *r, const char *name, u64 realtime_ns);

/* Begins a record of the main type with the fields of every event: "time", and "ts_ns". */
void kt_record_begin_event(struct kt_record *r, u64 realtime_ns, u64 ts);
/*
 * Most events repeat an earlier one but for these two and perhaps a few numbers, at most KT_RECORD_HOLES
 * that were written by these here. What else followed them is kept once the record has ended, and when
 * the memo holds it for another event, that one's whole record is made from it and its own numbers.
 */
#define KT_RECORD_HOLES 3
struct kt_record_number {
	u64 value;
	bool hex;
};
void kt_record_number(struct kt_record *r, const char *name, struct kt_record_number number);
void kt_record_keep(struct kt_record *r, const struct kt_memo_key *key);
struct kt_memo *kt_record_memo(struct kt_record *r);
void kt_record_repeat(struct kt_record *r, const struct kt_memo_slot *slot, u64 realtime_ns, u64 ts,
		      const struct kt_record_number *numbers, unsigned int count);

#endif
