/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A plugin for QEMU's TCG: counts how often each instruction of the emulated machine runs. At the end
 * writes a line "ADDRESS COUNT TEXT" for each to the file that PROFILE_OUT names; the text, a
 * disassembly, only for modules and BPF programs, which nothing on disk has. tools/profile.py reads it.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* QEMU's plugin interface, version 1. Debian's packages have no header of it. */
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef uint64_t qemu_plugin_id_t;
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t index);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
char *qemu_plugin_insn_disas(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *block, enum qemu_plugin_op op,
					      void *counter, uint64_t value);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
					   void (*fn)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, void (*fn)(qemu_plugin_id_t, void *),
				    void *data);
int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

/* Where Linux puts modules and BPF programs on x86-64. */
#define MODULES_BEGIN 0xffffffffc0000000ull

/* A piece of code without branches, as translated at one time. */
struct block {
	struct block *next;
	uint64_t runs;
	size_t count;
	struct insn {
		uint64_t address;
		char *text;
	} insns[];
};

static struct block *blocks;

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *code)
{
	size_t count = qemu_plugin_tb_n_insns(code);
	struct block *block = calloc(1, sizeof(*block) + count * sizeof(*block->insns));

	(void)id;
	if (!block)
		abort();
	block->count = count;
	for (size_t i = 0; i < count; i++) {
		const struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(code, i);

		block->insns[i].address = qemu_plugin_insn_vaddr(insn);
		if (block->insns[i].address >= MODULES_BEGIN)
			block->insns[i].text = qemu_plugin_insn_disas(insn);
	}
	block->next = blocks;
	blocks = block;
	qemu_plugin_register_vcpu_tb_exec_inline(code, QEMU_PLUGIN_INLINE_ADD_U64, &block->runs, 1);
}

static void at_exit(qemu_plugin_id_t id, void *data)
{
	const char *path = getenv("PROFILE_OUT");
	FILE *file = path ? fopen(path, "w") : NULL;

	(void)id;
	(void)data;
	if (!file) {
		perror("PROFILE_OUT");
		return;
	}
	for (const struct block *block = blocks; block; block = block->next)
		for (size_t i = 0; block->runs && i < block->count; i++)
			fprintf(file, "%llx %llu %s\n", (unsigned long long)block->insns[i].address,
				(unsigned long long)block->runs,
				block->insns[i].text ? block->insns[i].text : "");
	if (fclose(file))
		perror(path);
}

__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t id,
							       const void *info, int argc,
							       char **argv)
{
	(void)info;
	(void)argc;
	(void)argv;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, at_exit, NULL);
	return 0;
}
