/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The symbols of an ELF file: functions, and labels in code, as assembler entry points are. */
#include <errno.h>
#include <gelf.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "symbols_priv.h"

/* Where e_shnum lies. */
#define SHNUM_32 48
#define SHNUM_64 60
/* With debugging information it may well be large, but only two sections of it are read. */
#define FILE_MAX (8ull << 30)

struct elf {
	Elf *elf;
	const char *name;
	struct kt_str *why;
	bool *code; /* by section: has instructions */
	size_t section_count;
};

/* libelf's own words for what is wrong. */
static int elf_fail(struct elf *e)
{
	return kt_symbols_fail(e->why, e->name, EINVAL, "damaged (%s)", elf_errmsg(-1));
}

/*
 * libelf allocates for as many sections as the file says there are. More than 65,279, for which e_shnum
 * is 0, no kernel has.
 */
static int check_header(struct elf *e, int fd)
{
	unsigned char header[64];
	size_t shnum;
	struct stat st;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return kt_symbols_fail(e->why, e->name, EINVAL, "not a file");
	if (st.st_size > (off_t)FILE_MAX)
		return kt_symbols_fail(e->why, e->name, EFBIG, "has over %llu GiB", FILE_MAX >> 30);
	if (pread(fd, header, sizeof(header), 0) != sizeof(header) ||
	    memcmp(header, ELFMAG, SELFMAG))
		return kt_symbols_fail(e->why, e->name, EINVAL,
				       "not an ELF file (of a compressed kernel, the kernel's "
				       "scripts/extract-vmlinux makes one)");
	shnum = header[EI_CLASS] == ELFCLASS32 ? SHNUM_32 : SHNUM_64;
	if (!header[shnum] && !header[shnum + 1])
		return kt_symbols_fail(e->why, e->name, EINVAL,
				       "has no sections, and thereby no symbols");
	return 0;
}

/* Finds the table to read, and which sections are code. */
static int find_table(struct elf *e, Elf_Scn **table)
{
	Elf_Scn *section = NULL, *dynamic = NULL;
	GElf_Shdr shdr;

	if (elf_getshdrnum(e->elf, &e->section_count))
		return elf_fail(e);
	e->code = kt_alloc((e->section_count + 1) * sizeof(*e->code));
	while ((section = elf_nextscn(e->elf, section))) {
		size_t index = elf_ndxscn(section);

		if (!gelf_getshdr(section, &shdr))
			return elf_fail(e);
		if (index < e->section_count)
			e->code[index] = shdr.sh_flags & SHF_EXECINSTR;
		if (shdr.sh_type == SHT_SYMTAB && shdr.sh_size && !*table)
			*table = section;
		if (shdr.sh_type == SHT_DYNSYM && shdr.sh_size && !dynamic)
			dynamic = section;
	}
	if (!*table)
		*table = dynamic;
	return 0;
}

/* A section's contents, unless there are too many; *data is NULL where it has none. */
static int contents(struct elf *e, Elf_Scn *section, u64 most, const char *what, GElf_Shdr *shdr,
		    Elf_Data **data)
{
	if (!section || !gelf_getshdr(section, shdr))
		return elf_fail(e);
	if (shdr->sh_size > most)
		return kt_symbols_fail(e->why, e->name, E2BIG, "has over %llu MiB of %s",
				       most >> 20, what);
	*data = elf_getdata(section, NULL);
	if (!*data)
		return elf_fail(e);
	if (!(*data)->d_buf)
		(*data)->d_size = 0;
	return 0;
}

/* Is it a function, or a label in code? */
static bool is_code(const struct elf *e, const GElf_Sym *sym)
{
	unsigned char type = GELF_ST_TYPE(sym->st_info);

	if (type != STT_FUNC && type != STT_GNU_IFUNC && type != STT_NOTYPE)
		return false;
	return sym->st_shndx != SHN_UNDEF && sym->st_shndx < e->section_count &&
	       e->code[sym->st_shndx];
}

static enum rank rank_of(const GElf_Sym *sym)
{
	if (GELF_ST_TYPE(sym->st_info) == STT_NOTYPE || GELF_ST_BIND(sym->st_info) == STB_LOCAL)
		return RANK_LOCAL;
	return GELF_ST_BIND(sym->st_info) == STB_GLOBAL ? RANK_GLOBAL : RANK_WEAK;
}

static int put_symbol(struct kt_symbols *s, struct elf *e, const GElf_Sym *sym,
		      const Elf_Data *names, size_t index)
{
	const char *name = NULL;
	struct kt_str reason = {};
	int err;

	if (!is_code(e, sym))
		return 0;
	if (sym->st_name < names->d_size)
		name = (const char *)names->d_buf + sym->st_name;
	if (!name || !memchr(name, 0, names->d_size - sym->st_name))
		return kt_symbols_fail(e->why, e->name, EINVAL,
				       "damaged (the name of symbol %zu lies outside of the names)",
				       index);
	if (!*name)
		return 0;
	err = kt_symbols_put(s, sym->st_value, sym->st_size, rank_of(sym), name, "", &reason);
	if (err)
		kt_symbols_fail(e->why, e->name, -err, "%s", reason.data);
	kt_str_free(&reason);
	return err;
}

static int read_table(struct kt_symbols *s, struct elf *e, Elf_Scn *table)
{
	Elf_Data *data, *names;
	GElf_Shdr shdr, names_shdr;
	size_t entry = gelf_fsize(e->elf, ELF_T_SYM, 1, EV_CURRENT);
	int err = contents(e, table, (u64)KT_SYMBOLS_MAX * sizeof(Elf64_Sym), "symbols", &shdr,
			   &data);

	if (!err)
		err = contents(e, elf_getscn(e->elf, shdr.sh_link), KT_SYMBOLS_NAMES_MAX, "names",
			       &names_shdr, &names);
	if (err)
		return err;
	if (names_shdr.sh_type != SHT_STRTAB || !entry)
		return kt_symbols_fail(e->why, e->name, EINVAL,
				       "damaged (its symbols have no table of names)");
	for (size_t i = 0; i < data->d_size / entry && !err; i++) {
		GElf_Sym sym;

		if (!gelf_getsym(data, (int)i, &sym))
			return elf_fail(e);
		err = put_symbol(s, e, &sym, names, i);
	}
	return err;
}

static int read_elf(struct kt_symbols *s, struct elf *e)
{
	GElf_Ehdr ehdr;
	Elf_Scn *table = NULL;
	int err;

	if (elf_kind(e->elf) != ELF_K_ELF || !gelf_getehdr(e->elf, &ehdr))
		return elf_fail(e);
	if (ehdr.e_type == ET_REL)
		return kt_symbols_fail(e->why, e->name, EINVAL,
				       "an object file or module, whose addresses only its kernel "
				       "knows: --guest-kallsyms has modules, too");
	err = find_table(e, &table);
	/* The caller says that there are no symbols. */
	return err || !table ? err : read_table(s, e, table);
}

int kt_symbols_read_elf(struct kt_symbols *s, int fd, const char *name, struct kt_str *why)
{
	struct elf e = { .name = name, .why = why };
	int err = check_header(&e, fd);

	if (err)
		return err;
	elf_version(EV_CURRENT);
	/* Read, not mapped: a file that is cut meanwhile must not end us. */
	e.elf = elf_begin(fd, ELF_C_READ, NULL);
	err = e.elf ? read_elf(s, &e) : elf_fail(&e);
	elf_end(e.elf);
	free(e.code);
	return err;
}
