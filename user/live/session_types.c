/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The few types of the kernel's that the programs name, as a BTF of their own. libbpf goes through all
 * of vmlinux's for every one of them, which takes longer than anything else at the start.
 */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/bpf.h>
#include <sys/mman.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "session_priv.h"

#define NAME_SLOTS 256 /* a power of 2, well above the number of types that programs name */

/* A type that some program names. */
struct root {
	const char *name; /* not terminated: what follows "___" tells variants apart */
	u32 len, kind;
	bool found;
};

struct roots {
	struct root slots[NAME_SLOTS];
	u32 count;
	bool initials[256]; /* first bytes of the names */
};

/* ---- what the programs name ---- */

/* As libbpf (and CO-RE) has it: NAME___VARIANT is a declaration of NAME. */
static u32 essential_length(const char *name)
{
	const char *variant = strstr(name, "___");

	return variant && variant != name && variant[3] ? (size_t)(variant - name) : strlen(name);
}

static u32 kind_of(const struct btf_type *t)
{
	return btf_is_any_enum(t) ? BTF_KIND_ENUM : btf_kind(t);
}

/* The slot of a name, or the free one where it would go. FNV-1a. */
static struct root *slot_of(struct roots *roots, const char *name, u32 len, u32 kind)
{
	u32 hash = 2166136261u ^ kind;
	struct root *r;

	for (u32 i = 0; i < len; i++)
		hash = (hash ^ (u8)name[i]) * 16777619;
	for (;; hash++) {
		r = &roots->slots[hash % NAME_SLOTS];
		if (!r->name ||
		    (r->kind == kind && r->len == len && memcmp(r->name, name, len) == 0))
			return r;
	}
}

static int add_root(struct roots *roots, const struct btf *local, const struct bpf_core_relo *relo)
{
	const struct btf_type *t = btf__type_by_id(local, relo->type_id);
	const char *name = t ? btf__name_by_offset(local, t->name_off) : NULL;
	struct root *r;
	u32 len;

	/* Types have other numbers here than in the kernel. */
	if (relo->kind == BPF_CORE_TYPE_ID_TARGET)
		return -EINVAL;
	if (!name || !name[0])
		return 0;
	len = essential_length(name);
	r = slot_of(roots, name, len, kind_of(t));
	if (!r->name && ++roots->count > NAME_SLOTS / 2)
		return -E2BIG;
	r->name = name;
	r->len = len;
	r->kind = kind_of(t);
	roots->initials[(u8)name[0]] = true;
	return 0;
}

/* A section of our own object file. */
static const void *section(const void *elf, const char *name, size_t *size)
{
	const Elf64_Ehdr *file = elf;
	const Elf64_Shdr *s = (const void *)((const char *)elf + file->e_shoff);
	const char *names = (const char *)elf + s[file->e_shstrndx].sh_offset;

	for (u32 i = 1; i < file->e_shnum; i++) {
		if (strcmp(names + s[i].sh_name, name) != 0)
			continue;
		*size = s[i].sh_size;
		return (const char *)elf + s[i].sh_offset;
	}
	return NULL;
}

/* .BTF.ext, as the kernel's Documentation/bpf/btf.rst lays it out. */
struct ext_header {
	u16 magic;
	u8 version, flags;
	u32 header_len;
	u32 func_info_off, func_info_len;
	u32 line_info_off, line_info_len;
	u32 core_relo_off, core_relo_len;
};

struct ext_section {
	u32 name_off, count;
};

static int read_roots(struct roots *roots, const struct btf *local, const void *elf)
{
	const struct ext_header *ext;
	const char *at, *end;
	u32 record_size;
	size_t size;
	int err = 0;

	ext = section(elf, ".BTF.ext", &size);
	if (!ext || !local)
		return -ENOENT;
	at = (const char *)ext + ext->header_len + ext->core_relo_off;
	end = at + ext->core_relo_len;
	memcpy(&record_size, at, sizeof(record_size));
	for (at += sizeof(record_size); at < end;) {
		const struct ext_section *s = (const void *)at;

		at += sizeof(*s);
		for (u32 i = 0; i < s->count && !err; i++, at += record_size)
			err = add_root(roots, local, (const void *)at);
	}
	return err;
}

/* ---- copying ---- */

struct copier {
	const struct btf *from;
	struct btf *to;
	u32 *new_of; /* by number there: number here, 0: none yet */
	u32 *old_of; /* the other way round */
	u32 taken;   /* numbers up to this one are given out */
	u32 done;    /* and of these types are made */
};

/* A number for a type that is to be copied. */
static u32 take_number(struct copier *c, u32 old)
{
	if (!old || old >= btf__type_cnt(c->from))
		return 0;
	if (!c->new_of[old]) {
		c->new_of[old] = ++c->taken;
		c->old_of[c->taken] = old;
	}
	return c->new_of[old];
}

/* The types that a copied one is made of, by their new numbers. What pointers point to is of no use. */
static void renumber(struct copier *c, struct btf_type *t)
{
	struct btf_member *m = btf_members(t);

	if (btf_is_mod(t) || btf_is_typedef(t) || btf_is_type_tag(t)) {
		t->type = take_number(c, t->type);
	} else if (btf_is_array(t)) {
		btf_array(t)->type = take_number(c, btf_array(t)->type);
		btf_array(t)->index_type = take_number(c, btf_array(t)->index_type);
	} else if (btf_is_composite(t)) {
		for (u32 i = 0; i < btf_vlen(t); i++)
			m[i].type = take_number(c, m[i].type);
	}
}

/* libbpf copies names without a look whether there are such ones. */
static bool names_are_there(const struct btf *btf, const struct btf_type *t)
{
	bool there = btf__name_by_offset(btf, t->name_off);

	for (u32 i = 0; there && btf_is_composite(t) && i < btf_vlen(t); i++)
		there = btf__name_by_offset(btf, btf_members(t)[i].name_off);
	for (u32 i = 0; there && btf_is_enum(t) && i < btf_vlen(t); i++)
		there = btf__name_by_offset(btf, btf_enum(t)[i].name_off);
	for (u32 i = 0; there && btf_is_enum64(t) && i < btf_vlen(t); i++)
		there = btf__name_by_offset(btf, btf_enum64(t)[i].name_off);
	return there;
}

static bool is_data(const struct btf_type *t)
{
	return btf_is_mod(t) || btf_is_typedef(t) || btf_is_type_tag(t) || btf_is_array(t) ||
	       btf_is_composite(t) || btf_is_int(t) || btf_is_any_enum(t) || btf_is_float(t) ||
	       btf_is_fwd(t);
}

/* Makes the next type. Pointers, and whatever is no data, become void *. */
static int make_next(struct copier *c)
{
	const struct btf_type *t = btf__type_by_id(c->from, c->old_of[++c->done]);
	int number;

	if (!t || !is_data(t) || !names_are_there(c->from, t)) {
		number = btf__add_ptr(c->to, 0);
		return number < 0 ? number : 0;
	}
	number = btf__add_type(c->to, c->from, t);
	if (number < 0)
		return number;
	renumber(c, (struct btf_type *)btf__type_by_id(c->to, number));
	return 0;
}

/* Types with the name of a root. In modules only those are looked for that vmlinux hasn't. */
static void find_roots(struct copier *c, struct roots *roots)
{
	const struct btf *base = btf__base_btf(c->from);
	u32 end = btf__type_cnt(c->from);

	for (u32 id = base ? btf__type_cnt(base) : 1; id < end; id++) {
		const struct btf_type *t = btf__type_by_id(c->from, id);
		u32 kind = kind_of(t);
		const char *name;
		struct root *r;

		if (kind != BTF_KIND_STRUCT && kind != BTF_KIND_UNION && kind != BTF_KIND_TYPEDEF &&
		    kind != BTF_KIND_ENUM)
			continue;
		name = btf__name_by_offset(c->from, t->name_off);
		if (!name || !roots->initials[(u8)name[0]])
			continue;
		r = slot_of(roots, name, essential_length(name), kind);
		if (!r->name || (base && r->found))
			continue;
		r->found |= !base;
		take_number(c, id);
	}
}

static int copy_from(struct copier *c, const struct btf *from, struct roots *roots)
{
	const struct btf *base = from ? btf__base_btf(from) : NULL;
	int err = 0;

	if (!from)
		return 0;
	c->from = from;
	if (base)
		memset(c->new_of + btf__type_cnt(base), 0,
		       (btf__type_cnt(from) - btf__type_cnt(base)) * sizeof(*c->new_of));
	find_roots(c, roots);
	while (!err && c->done < c->taken)
		err = make_next(c);
	return err;
}

static int write_types(int fd, const struct btf *btf)
{
	const char *data;
	u32 size, done = 0;
	ssize_t n = 0;

	data = btf__raw_data(btf, &size);
	if (!data)
		return -ENOMEM;
	for (; done < size && n >= 0; done += n > 0 ? n : 0) {
		n = write(fd, data + done, size - done);
		if (n < 0 && errno != EINTR)
			return -errno;
	}
	return 0;
}

static u32 most_types(const struct kt_kernel_types *types)
{
	u32 most = btf__type_cnt(types->vmlinux);

	for (u32 i = 0; i < KT_ARRAY_SIZE(types->modules); i++)
		if (types->modules[i] && btf__type_cnt(types->modules[i]) > most)
			most = btf__type_cnt(types->modules[i]);
	return most;
}

int kt_types_write(const struct kt_kernel_types *types, const struct bpf_object *obj,
		   const void *elf, int fd)
{
	struct roots *roots = kt_alloc(sizeof(*roots));
	struct copier c = { .to = btf__new_empty() };
	u32 most = most_types(types);
	int err;

	c.new_of = kt_alloc(most * sizeof(*c.new_of));
	/* vmlinux's types once, and two modules' own. */
	c.old_of = kt_alloc(3 * most * sizeof(*c.old_of));
	err = c.to ? read_roots(roots, bpf_object__btf(obj), elf) : -ENOMEM;
	if (!err)
		err = copy_from(&c, types->vmlinux, roots);
	for (u32 i = 0; !err && i < KT_ARRAY_SIZE(types->modules); i++)
		err = copy_from(&c, types->modules[i], roots);
	if (!err)
		err = write_types(fd, c.to);
	btf__free(c.to);
	free(c.new_of);
	free(c.old_of);
	free(roots);
	return err;
}

void kt_types_free(struct kt_kernel_types *types)
{
	/* Those of modules lean on vmlinux's. */
	for (u32 i = 0; i < KT_ARRAY_SIZE(types->modules); i++) {
		btf__free(types->modules[i]);
		types->modules[i] = NULL;
	}
	btf__free(types->vmlinux);
	types->vmlinux = NULL;
}
