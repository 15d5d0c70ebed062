/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Guest symbols: what a file's lines and sections mean, and what is said of those that are no good. */
#include "fake_proc.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "../../user/event/symbols.h"
#include "../../user/event/vm_table.h"

/* Loads bytes that stand in a file called "guest"; what is said of them, "" for nothing. */
static char said[1024];

static struct kt_symbols *load_n(enum kt_symbols_kind kind, u64 offset, const void *bytes, size_t n)
{
	struct kt_symbols *s = NULL;
	struct kt_str why = {};
	int fd = memfd_create("guest", MFD_CLOEXEC), err;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, n), n);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	err = kt_symbols_load_fd(&s, fd, kind, offset, "guest", &why);
	snprintf(said, sizeof(said), "%s", why.data ? why.data : "");
	assert_true(!err == !!s);
	assert_true(!err == !*said);
	kt_str_free(&why);
	close(fd);
	return s;
}

static struct kt_symbols *load(const char *text)
{
	return load_n(KT_SYMBOLS_KALLSYMS, 0, text, strlen(text));
}

static void refused(const char *text, const char *why)
{
	struct kt_symbols *s = load(text);

	if (s || strcmp(said, why))
		fail_msg("%.80s\n is said to be: %s\n not: %s", text, said, why);
	kt_symbols_free(s);
}

/* want NULL: none */
static void is(const struct kt_symbols *s, u64 address, const char *want)
{
	struct kt_str text = {};
	bool found;

	kt_str_add(&text, "rip ");
	found = kt_symbols_add(&text, s, address);
	if (found != !!want || strcmp(text.data + 4, want ? want : ""))
		fail_msg("%llx is %s, not %s", address, text.data + 4, want);
	kt_str_free(&text);
}

static const char kallsyms[] = "ffffffff81012300 T native_write_msr\n"
			       "0000000000000000 A fixed_percpu_data\n"
			       "ffffffff81000000 T _stext\n"
			       "ffffffff81000000 t startup_64\r\n"
			       "ffffffff81012340 t local\n"
			       "\n"
			       "ffffffff81012340 W __weak\n"
			       "ffffffff81012340 T global\n"
			       "ffffffff81012340 T second\n"
			       "ffffffff81012380 r rodata\n"
			       "ffffffffc0a01000 t kvm_set_cr0\t[kvm]\n"
			       "  \n"
			       "ffffffffc0a01100 t last.part.0 [kvm]";

static void test_kallsyms(void **state)
{
	struct kt_symbols *s = load(kallsyms);
	u64 offset = 0;

	(void)state;
	assert_string_equal(said, "");
	assert_int_equal(kt_symbols_count(s), 9);
	for (int again = 0; again < 2; again++) {
		is(s, 0, NULL);
		is(s, 0xffffffff80ffffff, NULL);
		is(s, 0xffffffff81000000, "_stext+0x0");
		is(s, 0xffffffff81012305, "native_write_msr+0x5");
		is(s, 0xffffffff81012306, "native_write_msr+0x6");
		is(s, 0xffffffff8101233f, "native_write_msr+0x3f");
		is(s, 0xffffffff81012340, "global+0x0");
		is(s, 0xffffffff8101237f, "global+0x3f");
		is(s, 0xffffffff81012380, NULL);
		is(s, 0xffffffffc0a00fff, NULL);
		is(s, 0xffffffffc0a01005, "kvm_set_cr0+0x5 [kvm]");
		is(s, 0xffffffffc0a01100, "last.part.0+0x0 [kvm]");
		/* no function goes on for a MiB */
		is(s, 0xffffffffc0b010ff, "last.part.0+0xfffff [kvm]");
		is(s, 0xffffffffc0b01100, NULL);
		is(s, 0xffffffffffffffff, NULL);
	}
	assert_string_equal(kt_symbols_find(s, 0xffffffff81012305, &offset), "native_write_msr");
	assert_int_equal(offset, 5);
	kt_symbols_free(s);
	/* moved by KASLR; also beyond the end of what 64 bits can say */
	s = load_n(KT_SYMBOLS_KALLSYMS, 0x1c000000, kallsyms, strlen(kallsyms));
	is(s, 0xffffffff81012305, NULL);
	is(s, 0xffffffff9d012305, "native_write_msr+0x5");
	kt_symbols_free(s);
	s = load_n(KT_SYMBOLS_KALLSYMS, 0x100000000, kallsyms, strlen(kallsyms));
	is(s, 0x81012305, "native_write_msr+0x5");
	kt_symbols_free(s);
}

/* A terminal is safe from names. */
static void test_names(void **state)
{
	struct kt_symbols *s = load("1000 t a\033[31m\377b [\302\205]\n2000 t caf\303\251\n");
	char *text = malloc(3001);

	(void)state;
	is(s, 0x1001, "a\\x1b[31m\\xffb+0x1 [\\xc2\\x85]");
	is(s, 0x2000, "caf\303\251+0x0");
	kt_symbols_free(s);
	memset(text, 'x', 3000);
	text[3000] = '\0';
	memcpy(text, "1 t ", 4);
	s = load(text);
	memcpy(text + 1023, "+0x0", 5);
	memset(text, 'x', 4);
	is(s, 1, text);
	kt_symbols_free(s);
	free(text);
}

static void test_refused(void **state)
{
	static const char form[] = "guest:2: not 'ADDRESS TYPE NAME [MODULE]', as lines of "
				   "/proc/kallsyms and System.map are";
	static const char *const second_lines[] = {
		"x",
		"1000",
		"1000 ",
		"1000 t",
		"1000 t ",
		"1000 tt a",
		" 1000 t a",
		"g000 t a",
		"0x1000 t a",
		"11111111111111111 t a",
		"1000\377t a",
		"1000 t a kvm",
		"1000 t a []",
		"1000 t a [kvm",
		"1000 t a [kvm] x",
		"-1 t a",
		"1000  \t\n",
	};
	char text[10000];

	(void)state;
	refused("", "guest: has no symbols of functions");
	refused("\n \n", "guest: has no symbols of functions");
	refused("1000 D data\n", "guest: has no symbols of functions");
	refused("0000000000000000 T a\n0000000000000000 t b\n",
		"guest: all addresses are 0: the guest hides them from users without privileges; in the "
		"guest, as root: cat /proc/kallsyms >FILE");
	for (size_t i = 0; i < KT_ARRAY_SIZE(second_lines); i++) {
		snprintf(text, sizeof(text), "1000 t a\n%s\n", second_lines[i]);
		refused(text, form);
	}
	refused("\177ELF\2\1\1", "guest:1: an ELF file, which --guest-vmlinux takes");
	memset(text, 'x', sizeof(text));
	memcpy(text, "1000 t a\n1000 t ", 16);
	text[sizeof(text) - 1] = '\0';
	refused(text, "guest:2: a line too long for 'ADDRESS TYPE NAME [MODULE]'");
	assert_null(load_n(KT_SYMBOLS_KALLSYMS, 0, "1 t a\n1 t a\0b\n", 14));
	assert_string_equal(said, form);
	assert_null(load_n(KT_SYMBOLS_KALLSYMS, 0, "1 t a\n\0\0\n", 9));
	assert_string_equal(said, form);
}

/* ---- ELF ---- */

struct file {
	Elf64_Ehdr ehdr;
	Elf64_Shdr sections[6]; /* none, code, data, symbols, names, dynamic symbols */
	Elf64_Sym symbols[10];
	Elf64_Sym dynamic[2];
	char names[64];
};

static const char names[64] = "\0first\0entry\0weak\0data\0abs\0loc\0dyn";
enum { FIRST = 1, ENTRY = 7, WEAK = 13, DATA = 18, ABS = 23, LOC = 27, DYN = 31 };

#define SYM(name, type, bind, section, address, length)                                            \
	{                                                                                          \
		.st_name = name, .st_info = ELF64_ST_INFO(bind, type), .st_shndx = section,        \
		.st_value = address, .st_size = length                                             \
	}

static struct file elf_file(void)
{
	struct file f = {
		.ehdr = { .e_ident = "\177ELF\2\1\1",
			  .e_type = ET_EXEC,
			  .e_machine = EM_X86_64,
			  .e_version = 1,
			  .e_shoff = offsetof(struct file, sections),
			  .e_ehsize = 64,
			  .e_shentsize = 64,
			  .e_shnum = 6 },
		.sections = {
			[1] = { .sh_type = SHT_PROGBITS, .sh_flags = SHF_ALLOC | SHF_EXECINSTR },
			[2] = { .sh_type = SHT_PROGBITS, .sh_flags = SHF_ALLOC | SHF_WRITE },
			[3] = { .sh_type = SHT_SYMTAB,
				.sh_offset = offsetof(struct file, symbols),
				.sh_size = sizeof(f.symbols),
				.sh_link = 4,
				.sh_entsize = 24 },
			[4] = { .sh_type = SHT_STRTAB,
				.sh_offset = offsetof(struct file, names),
				.sh_size = sizeof(f.names) },
			[5] = { .sh_type = SHT_DYNSYM,
				.sh_offset = offsetof(struct file, dynamic),
				.sh_size = sizeof(f.dynamic),
				.sh_link = 4,
				.sh_entsize = 24 },
		},
		.symbols = {
			[1] = SYM(LOC, STT_NOTYPE, STB_LOCAL, 1, 0xffffffff81000100, 0),
			[2] = SYM(FIRST, STT_FUNC, STB_GLOBAL, 1, 0xffffffff81000100, 0x20),
			[3] = SYM(WEAK, STT_FUNC, STB_WEAK, 1, 0xffffffff81000100, 0x30),
			[4] = SYM(ENTRY, STT_NOTYPE, STB_GLOBAL, 1, 0xffffffff81000200, 0),
			[5] = SYM(DATA, STT_OBJECT, STB_GLOBAL, 2, 0xffffffff81000300, 8),
			[6] = SYM(DATA, STT_FUNC, STB_GLOBAL, 2, 0xffffffff81000300, 8),
			[7] = SYM(ABS, STT_NOTYPE, STB_GLOBAL, SHN_ABS, 0xffffffff81000310, 8),
			[8] = SYM(ABS, STT_FUNC, STB_GLOBAL, SHN_UNDEF, 0xffffffff81000310, 8),
			[9] = SYM(0, STT_FUNC, STB_GLOBAL, 1, 0xffffffff81000310, 8),
		},
		.dynamic = {
			[1] = SYM(DYN, STT_FUNC, STB_GLOBAL, 1, 0x5000, 0x10),
		},
	};

	memcpy(f.names, names, sizeof(names));
	return f;
}

static struct kt_symbols *load_elf(const struct file *f)
{
	return load_n(KT_SYMBOLS_ELF, 0, f, sizeof(*f));
}

static void test_elf(void **state)
{
	struct file f = elf_file();
	struct kt_symbols *s = load_elf(&f);

	(void)state;
	assert_string_equal(said, "");
	assert_int_equal(kt_symbols_count(s), 4);
	is(s, 0xffffffff810000ff, NULL);
	is(s, 0xffffffff81000100, "first+0x0");
	is(s, 0xffffffff8100011f, "first+0x1f");
	is(s, 0xffffffff81000120, NULL);
	is(s, 0xffffffff81000200, "entry+0x0");
	is(s, 0xffffffff81000310, "entry+0x110");
	kt_symbols_free(s);
	s = load_n(KT_SYMBOLS_ELF, 0x3000000, &f, sizeof(f));
	is(s, 0xffffffff84000105, "first+0x5");
	kt_symbols_free(s);
	/* without .symtab, the other one */
	f.sections[3].sh_type = SHT_NULL;
	s = load_elf(&f);
	assert_int_equal(kt_symbols_count(s), 1);
	is(s, 0x500f, "dyn+0xf");
	is(s, 0x5010, NULL);
	kt_symbols_free(s);
}

static void elf_refused(const struct file *f, const char *why)
{
	struct kt_symbols *s = load_elf(f);

	if (s || strncmp(said, why, strlen(why)))
		fail_msg("said: %s\n not: %s", said, why);
}

static void test_elf_refused(void **state)
{
	struct file f = elf_file();
	int fds[2];
	struct kt_symbols *s;
	struct kt_str why = {};

	(void)state;
	assert_null(load_n(KT_SYMBOLS_ELF, 0, kallsyms, sizeof(kallsyms)));
	assert_string_equal(said, "guest: not an ELF file (of a compressed kernel, the kernel's "
				  "scripts/extract-vmlinux makes one)");
	assert_null(load_n(KT_SYMBOLS_ELF, 0, "\177ELF", 4));
	assert_null(load_n(KT_SYMBOLS_ELF, 0, "", 0));
	f.ehdr.e_shnum = 0;
	elf_refused(&f, "guest: has no sections, and thereby no symbols");
	f = elf_file();
	f.ehdr.e_type = ET_REL;
	elf_refused(&f, "guest: an object file or module");
	f = elf_file();
	f.sections[3].sh_type = f.sections[5].sh_type = SHT_NULL;
	elf_refused(&f, "guest: has no symbols of functions (was it stripped?)");
	f = elf_file();
	f.sections[3].sh_size = 0xffffffffffffffff;
	elf_refused(&f, "guest: has over 96 MiB of symbols");
	f.sections[3].sh_size = 24 * 4000000;
	elf_refused(&f, "guest: damaged (");
	f = elf_file();
	f.sections[4].sh_size = 257ull << 20;
	elf_refused(&f, "guest: has over 256 MiB of names");
	f = elf_file();
	f.sections[3].sh_link = 3;
	elf_refused(&f, "guest: damaged (its symbols have no table of names)");
	f.sections[3].sh_link = 99;
	elf_refused(&f, "guest: damaged (");
	f = elf_file();
	f.symbols[2].st_name = 64;
	elf_refused(&f, "guest: damaged (the name of symbol 2 lies outside of the names)");
	f.symbols[2].st_name = 0xffffffff;
	elf_refused(&f, "guest: damaged (the name of symbol 2 lies outside of the names)");
	/* the last name without its NUL */
	f = elf_file();
	memset(f.names + 60, 'x', 4);
	f.symbols[4].st_name = 60;
	elf_refused(&f, "guest: damaged (the name of symbol 4 lies outside of the names)");
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(kt_symbols_load_fd(&s, fds[0], KT_SYMBOLS_ELF, 0, "a\033b", &why),
			 -EINVAL);
	assert_string_equal(why.data, "a\\x1bb: not a file");
	kt_str_free(&why);
	close(fds[0]);
	close(fds[1]);
}

/* Cut anywhere, and with any byte another: an answer or a sentence. */
static void test_elf_damaged(void **state)
{
	static const unsigned char others[] = { 0, 1, 0x7f, 0x80, 0xff };
	struct file f = elf_file(), bad;

	(void)state;
	for (size_t n = 0; n < sizeof(f); n++)
		kt_symbols_free(load_n(KT_SYMBOLS_ELF, 0, &f, n));
	for (size_t at = 0; at < sizeof(f); at++) {
		for (size_t i = 0; i < KT_ARRAY_SIZE(others); i++) {
			struct kt_symbols *s;

			bad = f;
			((unsigned char *)&bad)[at] = others[i];
			s = load_elf(&bad);
			for (u64 a = 0xffffffff81000000; s && a < 0xffffffff81000400; a += 16) {
				u64 offset;
				const char *name = kt_symbols_find(s, a, &offset);

				assert_true(!name || strlen(name) < 64);
			}
			kt_symbols_free(s);
		}
	}
}

/* ---- which file for whom ---- */

static void parses(const char *text, const char *vm, const char *file, u64 offset)
{
	struct kt_symbols_spec spec;
	struct kt_str why = {};

	assert_int_equal(kt_symbols_parse(text, KT_SYMBOLS_ELF, &spec, &why), 0);
	assert_int_equal(spec.kind, KT_SYMBOLS_ELF);
	assert_int_equal(spec.vm_len, vm ? strlen(vm) : 0);
	assert_true(!spec.vm == !vm && (!vm || !strncmp(spec.vm, vm, spec.vm_len)));
	assert_int_equal(spec.file_len, strlen(file));
	assert_memory_equal(spec.file, file, spec.file_len);
	assert_int_equal(spec.offset, offset);
	assert_null(why.data);
}

static void test_parse(void **state)
{
	static const char *const wrong[] = { "", "=", "=file", "vm=", "vm=@0x10", "@0x1000" };

	(void)state;
	parses("file", NULL, "file", 0);
	parses("win11=file", "win11", "file", 0);
	parses("win*=/a/b=c", "win*", "/a/b=c", 0);
	parses("./a=b", NULL, "./a=b", 0);
	parses("/a/b=c@1c000000", NULL, "/a/b=c", 0x1c000000);
	parses("vm=vmlinux@0x1C000000", "vm", "vmlinux", 0x1c000000);
	parses("vmlinux@0xffffffffffe00000", NULL, "vmlinux", 0xffffffffffe00000);
	parses("a@b@0x10", NULL, "a@b", 0x10);
	parses("a@", NULL, "a@", 0);
	parses("a@host", NULL, "a@host", 0);
	parses("a@0x", NULL, "a@0x", 0);
	parses("a@0x10000000000000000", NULL, "a@0x10000000000000000", 0);
	parses("a@0x0x10", NULL, "a@0x0x10", 0);
	for (size_t i = 0; i < KT_ARRAY_SIZE(wrong); i++) {
		struct kt_symbols_spec spec;
		struct kt_str why = {};

		if (kt_symbols_parse(wrong[i], KT_SYMBOLS_ELF, &spec, &why) != -EINVAL || !why.len)
			fail_msg("parsed: %s", wrong[i]);
		kt_str_free(&why);
	}
}

static struct kt_symbols_list *load_list(const char *const *texts, size_t count, const char *why)
{
	struct kt_symbols_spec specs[8];
	struct kt_symbols_list *list;
	struct kt_str said_now = {};
	int err;

	for (size_t i = 0; i < count; i++)
		kt_symbols_parse(texts[i], KT_SYMBOLS_KALLSYMS, &specs[i], &said_now);
	err = kt_symbols_list_load(&list, specs, count, &said_now);
	assert_true(!err == !!list);
	assert_string_equal(said_now.data ? said_now.data : "", why);
	kt_str_free(&said_now);
	return list;
}

static void test_list(void **state)
{
	static const char *const texts[] = { "web*=a", "b", "web1=c", "d@0x100", "dots.=a" };
	struct kt_vm_table *table = kt_vm_table_new_recorded();
	struct kt_symbols_list *list;
	const struct kt_vm_entry *early, *vm;

	(void)state;
	assert_int_equal(chdir(top), 0);
	put(top, "a", "1000 t a\n");
	put(top, "b", "1000 t b\n");
	put(top, "c", "1000 t c\n");
	put(top, "d", "1000 t d\n");
	early = kt_vm_table_add(table, 1, 0, "web1", NULL, KT_VMM_OTHER, 0);
	assert_null(early->symbols);
	list = load_list(texts, KT_ARRAY_SIZE(texts), "");
	kt_vm_table_set_symbols(table, list);
	is(early->symbols, 0x1000, "a+0x0");
	vm = kt_vm_table_add(table, 2, 0, "db", NULL, KT_VMM_OTHER, 0);
	is(vm->symbols, 0x1001, "b+0x1");
	is(kt_vm_table_at(table, 3, 0)->symbols, 0x1000, "b+0x0");
	assert_null(kt_symbols_of(NULL, "x"));
	kt_symbols_list_free(list);
	/* without one for all */
	kt_vm_table_free(table);
	table = kt_vm_table_new_recorded();
	list = load_list(texts, 1, "");
	kt_vm_table_set_symbols(table, list);
	vm = kt_vm_table_add(table, 2, 0, "db", NULL, KT_VMM_OTHER, 0);
	assert_non_null(vm->symbols);
	is(vm->symbols, 0x1000, NULL);
	/* the name comes later */
	vm = kt_vm_table_at(table, 4, 0);
	is(vm->symbols, 0x1000, NULL);
	kt_vm_table_note(table, 4, "web7");
	is(vm->symbols, 0x1000, "a+0x0");
	kt_vm_table_free(table);
	kt_symbols_list_free(list);
	put(top, "d", "1000 t\n");
	assert_null(
		load_list(texts, KT_ARRAY_SIZE(texts),
			  "d:1: not 'ADDRESS TYPE NAME [MODULE]', as lines of /proc/kallsyms and "
			  "System.map are"));
	assert_int_equal(remove("c"), 0);
	assert_null(load_list(texts, KT_ARRAY_SIZE(texts), "c: No such file or directory"));
	assert_int_equal(mkdir("c", 0755), 0);
	assert_null(load_list(texts, KT_ARRAY_SIZE(texts), "c: Is a directory"));
	kt_symbols_list_free(NULL);
	kt_symbols_free(NULL);
	assert_int_equal(chdir("/"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kallsyms),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_elf),
		cmocka_unit_test(test_elf_refused),
		cmocka_unit_test(test_elf_damaged),
		cmocka_unit_test(test_parse),
		cmocka_unit_test_setup_teardown(test_list, fake_proc_setup, fake_proc_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
