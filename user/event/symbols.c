/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbols_priv.h"

#define LINE_SIZE 4096
#define NO_NAME	  UINT32_MAX
#define SIZE_BITS 30

struct symbol {
	u64 address;
	u32 name; /* where it is among the names, a module's behind it; NO_NAME: no function */
	u32 size : SIZE_BITS; /* 0: not known */
	u32 rank : 2;
};

/* The last answer. */
struct last {
	u64 from, span; /* it holds for addresses from … on */
	const char *name;
};

struct kt_symbols {
	struct symbol *symbols;
	size_t count, functions;
	struct kt_str names;
	u64 offset;
	struct last *last;
};

/* ---- what was given ---- */

/* "0x1c000000" or the same without 0x; the whole text. */
static bool parse_offset(const char *text, u64 *offset)
{
	char digits[20] = "0x";

	if (strlen(text) > 18)
		return false;
	snprintf(digits + (text[0] == '0' && (text[1] | 0x20) == 'x' ? 0 : 2), 19, "%s", text);
	return !kt_parse_u64(digits, 0, UINT64_MAX, offset);
}

int kt_symbols_parse(const char *text, enum kt_symbols_kind kind, struct kt_symbols_spec *spec,
		     struct kt_str *why)
{
	size_t vm = strcspn(text, "=/");
	const char *at;

	*spec = (struct kt_symbols_spec) { .kind = kind, .file = text };
	if (text[vm] == '=') {
		spec->vm = text;
		spec->vm_len = vm;
		spec->file = text + vm + 1;
	}
	spec->file_len = strlen(spec->file);
	at = strrchr(spec->file, '@');
	if (at && parse_offset(at + 1, &spec->offset))
		spec->file_len = (size_t)(at - spec->file);
	if (spec->vm && !spec->vm_len)
		kt_str_add(why, "no VM before the '='");
	else if (!spec->file_len)
		kt_str_add(why, "no file ([VM=]FILE[@OFFSET])");
	else
		return 0;
	return -EINVAL;
}

int kt_symbols_fail(struct kt_str *why, const char *file, int err, const char *fmt, ...)
{
	va_list args;

	kt_str_add_safe(why, file);
	kt_str_add(why, ": ");
	va_start(args, fmt);
	kt_str_vaddf(why, fmt, args);
	va_end(args);
	return -err;
}

/* ---- the table ---- */

static struct kt_symbols *new_symbols(u64 offset)
{
	struct kt_symbols *s = kt_alloc(sizeof(*s));

	s->last = kt_alloc(sizeof(*s->last));
	s->offset = offset;
	return s;
}

void kt_symbols_free(struct kt_symbols *s)
{
	if (!s)
		return;
	free(s->symbols);
	free(s->last);
	kt_str_free(&s->names);
	free(s);
}

size_t kt_symbols_count(const struct kt_symbols *s)
{
	return s->functions;
}

/* Appends a name with its NUL, fit to be printed. */
static void add_name(struct kt_str *names, const char *name)
{
	char cut[KT_SYMBOLS_NAME_MAX + 1];

	snprintf(cut, sizeof(cut), "%s", name);
	kt_str_add_safe(names, cut);
	kt_str_add_char(names, '\0');
}

int kt_symbols_put(struct kt_symbols *s, u64 address, u64 size, enum rank rank, const char *name,
		   const char *module, struct kt_str *why)
{
	const u32 most = (1u << SIZE_BITS) - 1;
	struct symbol *symbol;

	if (s->count == KT_SYMBOLS_MAX) {
		kt_str_addf(why, "has over %u symbols", KT_SYMBOLS_MAX);
		return -E2BIG;
	}
	if (s->names.len > KT_SYMBOLS_NAMES_MAX) {
		kt_str_addf(why, "has over %u MiB of names", KT_SYMBOLS_NAMES_MAX >> 20);
		return -E2BIG;
	}
	s->symbols = kt_grow(s->symbols, s->count, sizeof(*s->symbols));
	symbol = &s->symbols[s->count++];
	*symbol = (struct symbol) { .address = address,
				    .name = NO_NAME,
				    .size = size < most ? (u32)size : most,
				    .rank = rank };
	if (rank == RANK_NO_FUNCTION)
		return 0;
	symbol->name = (u32)s->names.len;
	add_name(&s->names, name);
	add_name(&s->names, module);
	s->functions++;
	return 0;
}

/* Names lie in the order of the file. */
static int compare(const void *left, const void *right)
{
	const struct symbol *a = left, *b = right;

	if (a->address != b->address)
		return a->address < b->address ? -1 : 1;
	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	return a->name < b->name ? -1 : a->name > b->name;
}

/* Sorts, and leaves one symbol of each address. */
static void settle(struct kt_symbols *s)
{
	size_t kept = 0;

	if (s->count)
		qsort(s->symbols, s->count, sizeof(*s->symbols), compare);
	for (size_t i = 0; i < s->count; i++) {
		if (!kept || s->symbols[kept - 1].address != s->symbols[i].address)
			s->symbols[kept++] = s->symbols[i];
	}
	s->count = kept;
}

/* The answer for an address of the file's. */
static void look_up(const struct kt_symbols *s, u64 address, struct last *last)
{
	size_t low = 0, high = s->count;
	const struct symbol *symbol;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (s->symbols[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	*last = (struct last) {};
	if (!low)
		return;
	symbol = &s->symbols[low - 1];
	last->from = symbol->address;
	last->span = symbol->size ? symbol->size : KT_SYMBOLS_REACH;
	if (low < s->count && s->symbols[low].address - symbol->address < last->span)
		last->span = s->symbols[low].address - symbol->address;
	if (symbol->name != NO_NAME)
		last->name = s->names.data + symbol->name;
}

const char *kt_symbols_find(const struct kt_symbols *s, u64 address, u64 *offset)
{
	struct last *last = s->last;

	address -= s->offset;
	if (address - last->from >= last->span) {
		look_up(s, address, last);
		if (address - last->from >= last->span)
			return NULL;
	}
	*offset = address - last->from;
	return last->name;
}

bool kt_symbols_add(struct kt_str *out, const struct kt_symbols *s, u64 address)
{
	u64 offset;
	const char *name = kt_symbols_find(s, address, &offset), *module;

	if (!name)
		return false;
	module = name + strlen(name) + 1;
	kt_str_add(out, name);
	kt_str_add_char(out, '+');
	kt_str_add_hex(out, offset);
	if (*module) {
		kt_str_add(out, " [");
		kt_str_add(out, module);
		kt_str_add_char(out, ']');
	}
	return true;
}

/* ---- kallsyms ---- */

/* How nm(1) and kallsyms mark functions: capital when global. */
static enum rank rank_of(char type)
{
	switch (type) {
	case 'T':
		return RANK_GLOBAL;
	case 'W':
	case 'w':
	case 'i':
		return RANK_WEAK;
	case 't':
		return RANK_LOCAL;
	default:
		return RANK_NO_FUNCTION;
	}
}

static bool parse_hex(char **p, u64 *value)
{
	char *begin = *p;
	u64 v = 0;

	for (; **p; (*p)++) {
		char c = **p | 0x20;
		int digit = c >= '0' && c <= '9'   ? c - '0'
			    : c >= 'a' && c <= 'f' ? c - 'a' + 10
						   : -1;

		if (digit < 0)
			break;
		v = v << 4 | (u64)digit;
	}
	*value = v;
	return *p != begin && *p - begin <= 16;
}

/* Cuts a word out of a line, which goes on behind it; empty at the end. */
static char *cut_word(char **p)
{
	char *word = *p + strspn(*p, " \t");

	*p = word + strcspn(word, " \t\r\n");
	if (**p)
		*(*p)++ = '\0';
	return word;
}

static int read_line(struct kt_symbols *s, char *line, u64 *highest, struct kt_str *why)
{
	char *p = line, *type, *name, *module;
	u64 address;

	if (!parse_hex(&p, &address) || (*p != ' ' && *p != '\t'))
		return -EINVAL;
	type = cut_word(&p);
	name = cut_word(&p);
	module = cut_word(&p);
	if (!type[0] || type[1] || !*name || *cut_word(&p))
		return -EINVAL;
	if (*module) {
		size_t n = strlen(module);

		if (n < 3 || module[0] != '[' || module[n - 1] != ']')
			return -EINVAL;
		module[n - 1] = '\0';
		module++;
	}
	*highest = address > *highest ? address : *highest;
	return kt_symbols_put(s, address, 0, rank_of(*type), name, module, why);
}

static int bad_line(const char *line, size_t n, const char *name, u64 number, struct kt_str *why)
{
	kt_str_add_safe(why, name);
	kt_str_addf(why, ":%llu: ", number);
	if (n == LINE_SIZE - 1)
		kt_str_add(why, "a line too long for 'ADDRESS TYPE NAME [MODULE]'");
	else if (!strncmp(line, "\177ELF", 4))
		kt_str_add(why, "an ELF file, which --guest-vmlinux takes");
	else
		kt_str_add(why, "not 'ADDRESS TYPE NAME [MODULE]', as lines of /proc/kallsyms and "
				"System.map are");
	return -EINVAL;
}

static int read_kallsyms(struct kt_symbols *s, FILE *f, const char *name, struct kt_str *why)
{
	char line[LINE_SIZE];
	u64 number = 0, bytes = 0, highest = 0;
	struct kt_str reason = {};
	int err;

	while (fgets(line, sizeof(line), f)) {
		size_t n = strlen(line);

		number++;
		bytes += n;
		/* Without its end it is too long, or has a NUL, or is the last one. */
		err = n && (line[n - 1] == '\n' || feof(f)) ? 0 : -EINVAL;
		if (bytes > KT_SYMBOLS_FILE_MAX)
			return kt_symbols_fail(why, name, EFBIG, "has over %u MiB",
					       KT_SYMBOLS_FILE_MAX >> 20);
		if (!err && line[strspn(line, " \t\r\n")])
			err = read_line(s, line, &highest, &reason);
		if (err == -EINVAL)
			return bad_line(line, n, name, number, why);
		if (err) {
			kt_symbols_fail(why, name, -err, "%s", reason.data);
			kt_str_free(&reason);
			return err;
		}
	}
	if (ferror(f))
		return kt_symbols_fail(why, name, errno, "%s", strerror(errno));
	if (!highest && s->count)
		return kt_symbols_fail(
			why, name, EPERM,
			"all addresses are 0: the guest hides them from users without "
			"privileges; in the guest, as root: cat /proc/kallsyms >FILE");
	return 0;
}

/* ---- files ---- */

static int read_text(struct kt_symbols *s, int fd, const char *name, struct kt_str *why)
{
	int copy = dup(fd), err;
	FILE *f = copy < 0 ? NULL : fdopen(copy, "r");

	if (!f) {
		err = errno;
		if (copy >= 0)
			close(copy);
		return kt_symbols_fail(why, name, err, "%s", strerror(err));
	}
	err = read_kallsyms(s, f, name, why);
	fclose(f);
	return err;
}

int kt_symbols_load_fd(struct kt_symbols **symbols, int fd, enum kt_symbols_kind kind, u64 offset,
		       const char *name, struct kt_str *why)
{
	struct kt_symbols *s = new_symbols(offset);
	int err = kind == KT_SYMBOLS_ELF ? kt_symbols_read_elf(s, fd, name, why)
					 : read_text(s, fd, name, why);

	*symbols = NULL;
	if (!err && !s->functions)
		err = kt_symbols_fail(why, name, ENOENT, "has no symbols of functions%s",
				      kind == KT_SYMBOLS_ELF ? " (was it stripped?)" : "");
	if (err) {
		kt_symbols_free(s);
		return err;
	}
	settle(s);
	*symbols = s;
	return 0;
}

int kt_symbols_load(struct kt_symbols **symbols, const struct kt_symbols_spec *spec,
		    struct kt_str *why)
{
	struct kt_str path = {};
	int fd, err;

	*symbols = NULL;
	kt_str_add_n(&path, spec->file, spec->file_len);
	fd = open(path.data, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		err = kt_symbols_fail(why, path.data, errno, "%s", strerror(errno));
	} else {
		err = kt_symbols_load_fd(symbols, fd, spec->kind, spec->offset, path.data, why);
		close(fd);
	}
	kt_str_free(&path);
	return err;
}

/* ---- for which VM ---- */

struct item {
	char *vm; /* NULL: all */
	struct kt_symbols *symbols;
};

struct kt_symbols_list {
	struct item *items;
	size_t count;
	struct kt_symbols *none;
};

int kt_symbols_list_load(struct kt_symbols_list **list, const struct kt_symbols_spec *specs,
			 size_t count, struct kt_str *why)
{
	struct kt_symbols_list *l = kt_alloc(sizeof(*l));
	int err = 0;

	l->none = new_symbols(0);
	l->items = kt_alloc((count + 1) * sizeof(*l->items));
	for (; l->count < count && !err; l->count++) {
		const struct kt_symbols_spec *spec = &specs[l->count];
		struct item *item = &l->items[l->count];

		err = kt_symbols_load(&item->symbols, spec, why);
		if (spec->vm) {
			item->vm = kt_alloc(spec->vm_len + 1);
			memcpy(item->vm, spec->vm, spec->vm_len);
		}
	}
	if (err) {
		kt_symbols_list_free(l);
		l = NULL;
	}
	*list = l;
	return err;
}

void kt_symbols_list_free(struct kt_symbols_list *list)
{
	if (!list)
		return;
	for (size_t i = 0; i < list->count; i++) {
		free(list->items[i].vm);
		kt_symbols_free(list->items[i].symbols);
	}
	free(list->items);
	kt_symbols_free(list->none);
	free(list);
}

const struct kt_symbols *kt_symbols_of(const struct kt_symbols_list *list, const char *vm_name)
{
	const struct kt_symbols *all = NULL;

	if (!list)
		return NULL;
	for (size_t i = 0; i < list->count; i++) {
		const struct item *item = &list->items[i];

		if (item->vm && !fnmatch(item->vm, vm_name, 0))
			return item->symbols;
		if (!item->vm && !all)
			all = item->symbols;
	}
	return all ? all : list->none;
}
