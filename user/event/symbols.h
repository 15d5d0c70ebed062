/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Names for addresses in a guest's kernel, from a file that the user has of it: its /proc/kallsyms or
 * System.map, or its vmlinux. Such a file may come from anywhere: memory is bounded, and whatever is
 * wrong with it is said.
 */
#ifndef KT_EVENT_SYMBOLS_H
#define KT_EVENT_SYMBOLS_H

#include "../lib/str.h"

/* A text file of over 512 MiB is none of a kernel's; of symbols, Linux has some 200,000. */
#define KT_SYMBOLS_FILE_MAX (512u << 20)
#define KT_SYMBOLS_MAX	    (4u << 20)
/* Of all names together. */
#define KT_SYMBOLS_NAMES_MAX (256u << 20)
/* Longer names are cut; Linux has at most 511 bytes. */
#define KT_SYMBOLS_NAME_MAX 1023
/* No function is as long: an address this far behind the last symbol before it belongs to none. */
#define KT_SYMBOLS_REACH (1u << 20)

enum kt_symbols_kind {
	KT_SYMBOLS_KALLSYMS, /* lines "ADDRESS TYPE NAME [MODULE]" */
	KT_SYMBOLS_ELF,	     /* .symtab, else .dynsym */
};

/* "[VM=]FILE[@OFFSET]", taken apart; it points into the text. */
struct kt_symbols_spec {
	enum kt_symbols_kind kind;
	const char *vm; /* a pattern as of kt_vm_entry_matches(), vm_len bytes; NULL: all VMs */
	size_t vm_len;
	const char *file;
	size_t file_len;
	u64 offset; /* what to add to the file's addresses */
};

/*
 * What stands before the first '=' is a VM unless it has a slash; what stands behind the last '@' is an
 * offset when it is a hexadecimal number. "./" before a file's name keeps it whole. Returns 0, or
 * -EINVAL and appends to why.
 */
int kt_symbols_parse(const char *text, enum kt_symbols_kind kind, struct kt_symbols_spec *spec,
		     struct kt_str *why);

struct kt_symbols;

/*
 * Loads a file. Returns 0 or a negative errno, and appends a sentence to why that names the file, and
 * where it can the line. The names are fit to be printed. kt_symbols_load_fd() takes what is open
 * already, and leaves it open; name is for the sentence.
 */
int kt_symbols_load(struct kt_symbols **symbols, const struct kt_symbols_spec *spec,
		    struct kt_str *why);
int kt_symbols_load_fd(struct kt_symbols **symbols, int fd, enum kt_symbols_kind kind, u64 offset,
		       const char *name, struct kt_str *why);
void kt_symbols_free(struct kt_symbols *s);
size_t kt_symbols_count(const struct kt_symbols *s); /* of functions */

/*
 * The function that an address lies in, and how far behind its beginning; NULL: in none that is known.
 * It is quickest for the function asked for last.
 */
const char *kt_symbols_find(const struct kt_symbols *s, u64 address, u64 *offset);
/* Appends "native_write_msr+0x5", behind it " [kvm]" for a module's. False: nothing is known. */
bool kt_symbols_add(struct kt_str *out, const struct kt_symbols *s, u64 address);

/* The files that were given, and which VM each is for. */
struct kt_symbols_list;
/* Loads them in turn, until there is an error: then it returns as kt_symbols_load() does. */
int kt_symbols_list_load(struct kt_symbols_list **list, const struct kt_symbols_spec *specs,
			 size_t count, struct kt_str *why);
void kt_symbols_list_free(struct kt_symbols_list *list);
/*
 * The symbols of a VM by its name: of the first file that names it, else of the first for all VMs, else
 * those of no file, of which nothing is found. NULL only when list is: nobody asked for symbols.
 */
const struct kt_symbols *kt_symbols_of(const struct kt_symbols_list *list, const char *vm_name);

#endif
