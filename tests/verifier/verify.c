/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Loads every program of BPF objects by itself, as veristat does, and says what the verifier made of
 * it. README.md describes the lines it prints. usage: verify OBJECT...
 */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/bpf.h>
#include <sys/utsname.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
/* Of the verifier's log (BPF_LOG_LEVEL1 and BPF_LOG_STATS in the kernel's bpf_verifier.h). */
#define LOG_PATHS 1
#define LOG_STATS 4
/* A larger one 5.10 takes for a mistake. */
#define LOG_BYTES ((1u << 24) - 1)
#define END_LINES 12
#define LINE_MAX  300

enum { ENDED_WELL, SOME_REFUSED, CANNOT_WORK };

static char verifier_log[LOG_BYTES];
static char complaint[LINE_MAX]; /* the first thing that libbpf warns of */

static int keep_complaint(enum libbpf_print_level level, const char *fmt, va_list args)
{
	if (level == LIBBPF_WARN && !complaint[0])
		vsnprintf(complaint, sizeof(complaint), fmt, args);
	return 0;
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

/* From outside (names, logs): one line, nothing that a terminal would obey. */
static void print_text(const char *text, size_t len)
{
	for (size_t i = 0; i < len && i < LINE_MAX && text[i]; i++)
		putchar(isprint((unsigned char)text[i]) ? text[i] : ' ');
}

static void print_name(const char *name)
{
	for (size_t i = 0; i < LINE_MAX && name[i]; i++)
		putchar(isgraph((unsigned char)name[i]) ? name[i] : '?');
}

/* ---- maps ---- */

/*
 * One entry will do: sizes are no matter to the verifier. Kinds that are not listed keep what the
 * object says. Kernels before 6.1 complain in their log of tracepoint programs that use hash tables
 * which take memory as they fill; user space clears that flag there, too.
 */
static const struct map_rule {
	enum bpf_map_type type;
	bool ring; /* its size is in bytes, whole pages */
	__u32 without_flags;
} map_rules[] = {
	{ BPF_MAP_TYPE_ARRAY, false, 0 },
	{ BPF_MAP_TYPE_PERCPU_ARRAY, false, 0 },
	{ BPF_MAP_TYPE_HASH, false, BPF_F_NO_PREALLOC },
	{ BPF_MAP_TYPE_PERCPU_HASH, false, BPF_F_NO_PREALLOC },
	{ BPF_MAP_TYPE_LRU_HASH, false, 0 },
	{ BPF_MAP_TYPE_QUEUE, false, 0 },
	{ BPF_MAP_TYPE_STACK, false, 0 },
	{ BPF_MAP_TYPE_ARRAY_OF_MAPS, false, 0 },
	{ BPF_MAP_TYPE_HASH_OF_MAPS, false, 0 },
	{ BPF_MAP_TYPE_RINGBUF, true, 0 },
};

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/*
 * What user space decides before it loads (.rodata) is a constant to the verifier, which leaves out
 * the branches that it rules out. Here it is not, so that no setting's branch goes unseen.
 */
static void forget_settings(struct bpf_map *map)
{
	if (ends_with(bpf_map__name(map), ".rodata"))
		bpf_map__set_map_flags(map, bpf_map__map_flags(map) & ~BPF_F_RDONLY_PROG);
}

/* As user/live does: what struct kt_type_numbers holds, in its order; 0 in a kernel without types. */
static void number_types(struct bpf_map *map)
{
	static const char *const names[] = { "kvm_vcpu", "timespec64", "itimerspec64", "upid" };
	static struct btf *vmlinux;
	uint32_t numbers[ARRAY_SIZE(names)] = {};

	if (!ends_with(bpf_map__name(map), ".rodata.types"))
		return;
	if (!vmlinux)
		vmlinux = btf__load_vmlinux_btf();
	for (size_t i = 0; vmlinux && i < ARRAY_SIZE(names); i++) {
		int id = btf__find_by_name_kind(vmlinux, names[i], BTF_KIND_STRUCT);

		numbers[i] = id > 0 ? id : 0;
	}
	bpf_map__set_initial_value(map, numbers, sizeof(numbers));
}

static void size_map(struct bpf_map *map)
{
	for (size_t i = 0; i < ARRAY_SIZE(map_rules); i++) {
		const struct map_rule *rule = &map_rules[i];

		if (bpf_map__type(map) != rule->type)
			continue;
		bpf_map__set_max_entries(map, rule->ring ? sysconf(_SC_PAGESIZE) : 1);
		bpf_map__set_map_flags(map, bpf_map__map_flags(map) & ~rule->without_flags);
	}
}

static void prepare_maps(struct bpf_object *obj)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, obj)
	{
		if (bpf_map__is_internal(map)) {
			forget_settings(map);
			number_types(map);
		} else {
			size_map(map);
		}
	}
}

/* ---- what this host cannot take ---- */

/* Programs whose target must be in some BTF; the target's name stands behind the slash. */
static const char *target_in_btf(const struct bpf_program *prog)
{
	static const enum bpf_attach_type types[] = { BPF_TRACE_RAW_TP, BPF_TRACE_FENTRY,
						      BPF_TRACE_FEXIT, BPF_MODIFY_RETURN };
	const char *slash = strchr(bpf_program__section_name(prog), '/');

	if (bpf_program__type(prog) != BPF_PROG_TYPE_TRACING || !slash)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (bpf_program__expected_attach_type(prog) == types[i])
			return slash + 1;
	return NULL;
}

/* The kernel function that an object may need (KT_CAST in bpf/read.bpf.h). */
static bool lacks_cast(const struct bpf_object *obj)
{
	static const char name[] = "bpf_rdonly_cast";
	static struct btf *vmlinux;

	if (btf__find_by_name_kind(bpf_object__btf(obj), name, BTF_KIND_FUNC) <= 0)
		return false;
	if (!vmlinux)
		vmlinux = btf__load_vmlinux_btf();
	return !vmlinux || btf__find_by_name_kind(vmlinux, name, BTF_KIND_FUNC) <= 0;
}

/* Why it cannot be asked for here, by facts of this host; NULL: it has to load. */
static const char *unsupported(const struct bpf_object *obj, const struct bpf_program *prog)
{
	const char *target = target_in_btf(prog), *why = NULL;

	if (!exists("/sys/kernel/btf/vmlinux"))
		return "no BTF of the kernel";
	if (lacks_cast(obj))
		return "no kernel function bpf_rdonly_cast";
	if (!exists("/sys/module/kvm"))
		why = "KVM is not loaded";
	else if (exists("/sys/module/kvm/initstate") && !exists("/sys/kernel/btf/kvm"))
		why = "no BTF of the kvm module";
	if (!why || !target)
		return NULL;
	if (libbpf_find_vmlinux_btf_id(target, bpf_program__expected_attach_type(prog)) > 0)
		return NULL;
	return why;
}

/* ---- the verifier's log ---- */

#define NAME_OF(name, ...) [BPF_FUNC_##name] = "bpf_" #name
static const char *const helper_names[] = { __BPF_FUNC_MAPPER(NAME_OF) };

/* The verifier's figures come last, after its reasons. */
static bool is_figure(const char *line)
{
	static const char *const words[] = { "processed ", "insns processed ", "verification time ",
					     "stack depth " };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strncmp(line, words[i], strlen(words[i])) == 0)
			return true;
	return false;
}

/* The ends of the log: its last lines but for figures, the last of all first. */
static size_t last_lines(const char *log, const char **lines, size_t *lens, size_t max)
{
	const char *end = log + strlen(log), *begin;
	size_t n = 0;

	while (end > log && n < max) {
		begin = end;
		while (begin > log && begin[-1] != '\n')
			begin--;
		if (end > begin && !is_figure(begin)) {
			lines[n] = begin;
			lens[n++] = end - begin;
		}
		end = begin > log ? begin - 1 : log;
	}
	return n;
}

/*
 * The number of the helper that a refusal is about, if this kernel has no such helper for programs of
 * that kind: "invalid func unknown#158". The log alone is not believed: a program may also be wrong.
 */
static int lacks_helper(enum bpf_prog_type type, const char *line)
{
	static const char *const words[] = { "invalid func ", "unknown func ",
					     "program of this type cannot use helper " };
	const char *number;
	int helper;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strncmp(line, words[i], strlen(words[i])) != 0)
			continue;
		number = strchr(line, '#');
		if (number && sscanf(number, "#%d", &helper) == 1 && helper > 0 &&
		    libbpf_probe_bpf_helper(type, helper, NULL) == 0)
			return helper;
	}
	return 0;
}

static void print_lacking(const char *name, int helper)
{
	bool known = (size_t)helper < ARRAY_SIZE(helper_names) && helper_names[helper];

	print_name(name);
	printf(" unsupported no helper %s (%d)\n", known ? helper_names[helper] : "unknown",
	       helper);
}

static void print_refusal(const char *name, int err)
{
	const char *lines[END_LINES];
	size_t lens[END_LINES], n = last_lines(verifier_log, lines, lens, END_LINES);

	print_name(name);
	printf(" refused %s: ", strerrorname_np(-err) ? strerrorname_np(-err) : "?");
	if (n)
		print_text(lines[0], lens[0]);
	else
		print_text(complaint, strcspn(complaint, "\n"));
	putchar('\n');
	while (n-- > 0) {
		printf("  | ");
		print_text(lines[n], lens[n]);
		putchar('\n');
	}
}

/* "processed 166 insns (limit 1000000) max_states_per_insn 1 total_states 12 …", 5.2 and later. */
static bool print_figures(const char *name)
{
	const char *line = strstr(verifier_log, "\nprocessed "), *states;
	unsigned long insns, total;

	if (!line || sscanf(line, " processed %lu insns (", &insns) != 1)
		return false;
	states = strstr(line, "total_states ");
	if (!states || sscanf(states, "total_states %lu", &total) != 1)
		return false;
	print_name(name);
	printf(" ok insns=%lu states=%lu\n", insns, total);
	return true;
}

/* ---- programs ---- */

static struct bpf_program *program_at(struct bpf_object *obj, size_t number)
{
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, obj) if (number-- == 0) return prog;
	return NULL;
}

static int try_load(struct bpf_object *obj, struct bpf_program *wanted, int log_level)
{
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, obj) bpf_program__set_autoload(prog, prog == wanted);
	prepare_maps(obj);
	verifier_log[0] = 0;
	complaint[0] = 0;
	bpf_program__set_log_level(wanted, log_level);
	bpf_program__set_log_buf(wanted, verifier_log, sizeof(verifier_log));
	return bpf_object__load(obj);
}

/*
 * A refusal is asked for once more with the paths in the log: only there libbpf finds the place to
 * write which CO-RE relocation failed. Where they are too many (ENOSPC in old kernels, which stop
 * writing, so that the end is missing) the first log has to do.
 */
static int explain(const char *path, size_t number, int err)
{
	struct bpf_object *obj = bpf_object__open_file(path, NULL);
	struct bpf_program *prog = obj ? program_at(obj, number) : NULL;
	int again = prog ? try_load(obj, prog, LOG_PATHS | LOG_STATS) : 0;

	bpf_object__close(obj);
	if (again != -ENOSPC)
		return again ? again : err;
	obj = bpf_object__open_file(path, NULL);
	prog = obj ? program_at(obj, number) : NULL;
	if (prog)
		try_load(obj, prog, LOG_STATS);
	bpf_object__close(obj);
	return err;
}

static int settle_refusal(const struct bpf_program *prog, int err)
{
	const char *line = verifier_log;
	size_t len;
	int helper = last_lines(verifier_log, &line, &len, 1)
			     ? lacks_helper(bpf_program__type(prog), line)
			     : 0;

	if (helper) {
		print_lacking(bpf_program__name(prog), helper);
		return ENDED_WELL;
	}
	print_refusal(bpf_program__name(prog), err);
	return SOME_REFUSED;
}

static int settle(const char *path, size_t number, struct bpf_object *obj, struct bpf_program *prog)
{
	const char *why = unsupported(obj, prog);
	int err;

	if (why) {
		print_name(bpf_program__name(prog));
		printf(" unsupported %s\n", why);
		return ENDED_WELL;
	}
	err = try_load(obj, prog, LOG_STATS);
	if (err)
		return settle_refusal(prog, explain(path, number, err));
	if (print_figures(bpf_program__name(prog)))
		return ENDED_WELL;
	print_refusal(bpf_program__name(prog), -ENODATA);
	return SOME_REFUSED;
}

/* A new copy of the object for each, of which only this one program is loaded. */
static int verify_program(const char *path, size_t number)
{
	struct bpf_object *obj = bpf_object__open_file(path, NULL);
	struct bpf_program *prog = obj ? program_at(obj, number) : NULL;
	int verdict = prog ? settle(path, number, obj, prog) : CANNOT_WORK;

	bpf_object__close(obj);
	fflush(stdout);
	return verdict;
}

static size_t count_programs(const char *path)
{
	struct bpf_object *obj = bpf_object__open_file(path, NULL);
	size_t n = 0;

	while (obj && program_at(obj, n))
		n++;
	bpf_object__close(obj);
	return n;
}

static int verify_object(const char *path, const char *kernel)
{
	const char *slash = strrchr(path, '/');
	size_t programs = count_programs(path);
	int verdict = ENDED_WELL;

	if (!programs) {
		fprintf(stderr, "verify: %s: no BPF object with programs\n", path);
		return CANNOT_WORK;
	}
	printf("object ");
	print_name(slash ? slash + 1 : path);
	printf(" kernel ");
	print_name(kernel);
	putchar('\n');
	for (size_t i = 0; i < programs; i++) {
		int one = verify_program(path, i);

		verdict = one > verdict ? one : verdict;
	}
	printf("end programs=%zu\n", programs);
	return verdict;
}

int main(int argc, char **argv)
{
	int verdict = ENDED_WELL;
	struct utsname host;

	if (argc < 2) {
		fprintf(stderr, "usage: verify OBJECT...\n");
		return CANNOT_WORK;
	}
	if (uname(&host) != 0)
		return CANNOT_WORK;
	libbpf_set_print(keep_complaint);
	for (int i = 1; i < argc; i++) {
		int one = verify_object(argv[i], host.release);

		verdict = one > verdict ? one : verdict;
	}
	return verdict;
}
