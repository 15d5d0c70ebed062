/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The functions of Babeltrace 2's CTF writer that are used, as the library names them (bt_ctf_…). Debian
 * has the library but no headers for it. Those that return int: 0, or negative for an error.
 */
#ifndef KT_EXPORT_CTF_LIB_H
#define KT_EXPORT_CTF_LIB_H

#include "../lib/str.h"
#include "../lib/util.h"

/* Objects of the library, all of them counted: put_ref() lets go of one. */
typedef void bt;

#define CTF_FUNCTIONS(X)                                                                           \
	X(bt *, writer_create, (const char *path))                                                 \
	X(int, writer_add_environment_field, (bt * writer, const char *name, const char *value))   \
	X(int, writer_add_clock, (bt * writer, bt * clock))                                        \
	X(bt *, writer_create_stream, (bt * writer, bt * stream_class))                            \
	X(bt *, clock_create, (const char *name))                                                  \
	X(int, clock_set_description, (bt * clock, const char *text))                              \
	X(int, clock_set_offset_s, (bt * clock, s64 seconds))                                      \
	X(int, clock_set_offset, (bt * clock, s64 ns))                                             \
	X(int, clock_set_time, (bt * clock, s64 ns))                                               \
	X(bt *, stream_class_create, (const char *name))                                           \
	X(int, stream_class_set_clock, (bt * stream_class, bt * clock))                            \
	X(int, stream_class_set_event_context_type, (bt * stream_class, bt * type))                \
	X(int, stream_class_add_event_class, (bt * stream_class, bt * event_class))                \
	X(bt *, event_class_create, (const char *name))                                            \
	X(int, event_class_add_field, (bt * event_class, bt * type, const char *name))             \
	X(bt *, field_type_integer_create, (unsigned int bits))                                    \
	X(int, field_type_integer_set_base, (bt * type, int base))                                 \
	X(int, field_type_integer_set_is_signed, (bt * type, int is_signed))                       \
	X(bt *, field_type_string_create, (void))                                                  \
	X(bt *, field_type_structure_create, (void))                                               \
	X(int, field_type_structure_add_field, (bt * structure, bt * type, const char *name))      \
	X(bt *, event_create, (bt * event_class))                                                  \
	X(bt *, event_get_payload_field, (bt * event))                                             \
	X(bt *, event_get_stream_event_context, (bt * event))                                      \
	X(bt *, field_structure_get_field_by_index, (bt * structure, u64 index))                   \
	X(int, field_integer_unsigned_set_value, (bt * field, u64 value))                          \
	X(int, field_integer_signed_set_value, (bt * field, s64 value))                            \
	X(int, field_string_set_value, (bt * field, const char *text))                             \
	X(int, stream_append_event, (bt * stream, bt * event))                                     \
	X(void, stream_append_discarded_events, (bt * stream, u64 count))                          \
	X(int, stream_flush, (bt * stream))                                                        \
	X(void, object_put_ref, (bt * object))

struct kt_ctf_lib {
	void *handle;
#define CTF_POINTER(type, name, arguments) type(*name) arguments;
	CTF_FUNCTIONS(CTF_POINTER)
#undef CTF_POINTER
};

/* Returns false and appends to why what is missing and where to get it. */
bool kt_ctf_lib_load(struct kt_ctf_lib *lib, struct kt_str *why);
void kt_ctf_lib_unload(struct kt_ctf_lib *lib);

#endif
