/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host.h"
#include "json.h"
#include "secrets.h"
#include "vm_proc.h"

/* Of a directory's entries, more are nonsense. */
#define MAX_ENTRIES 512
#define TEXT_SIZE   16384

/* The first line of a file without the line feed; false when it can't be read. */
static bool read_line(int dir, const char *path, char *text, size_t size)
{
	if (kt_proc_read(dir, path, text, size) < 0)
		return false;
	text[strcspn(text, "\n")] = '\0';
	return true;
}

static json_t *line_of(int dir, const char *path)
{
	char text[1024];

	return read_line(dir, path, text, sizeof(text)) ? kt_json_text(text) : json_null();
}

/* Calls one for each entry of a directory, sorted; true when there is such a directory. */
static bool each_entry(int at, const char *path, void (*one)(void *ctx, int dir, const char *name),
		       void *ctx)
{
	int dir = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), n;
	struct dirent **entries;

	n = dir < 0 ? -1 : scandirat(dir, ".", &entries, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		if (*entries[i]->d_name != '.' && i < MAX_ENTRIES)
			one(ctx, dir, entries[i]->d_name);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	if (dir >= 0)
		close(dir);
	return n >= 0;
}

static void add_file(void *ctx, int dir, const char *name)
{
	json_object_set_new(ctx, name, line_of(dir, name));
}

static void add_module(void *ctx, int dir, const char *name)
{
	json_t *parameters;
	int module;

	if (strncmp(name, "kvm", 3))
		return;
	module = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (module < 0)
		return;
	parameters = json_object();
	each_entry(module, "parameters", add_file, parameters);
	json_object_set_new(ctx, name, parameters);
	close(module);
}

static void add_entries(json_t *fact, const char *member, int at, const char *path,
			void (*one)(void *ctx, int dir, const char *name))
{
	json_t *object = json_object();

	json_object_set_new(fact, member, object);
	if (!each_entry(at, path, one, object))
		json_object_set_new(fact, member, json_null());
}

static void add_kernel(json_t *fact, int proc)
{
	json_t *kernel = json_object(), *machine = line_of(proc, "sys/kernel/arch");

	json_object_set_new(fact, "kernel", kernel);
	json_object_set_new(kernel, "release", line_of(proc, "sys/kernel/osrelease"));
	json_object_set_new(kernel, "version", line_of(proc, "sys/kernel/version"));
#ifdef __x86_64__
	/* The file is there from 6.1 on. */
	if (json_is_null(machine)) {
		json_decref(machine);
		machine = json_string("x86_64");
	}
#endif
	json_object_set_new(kernel, "machine", machine);
}

/* The value of a line: its name, some of the bytes in between, the value. Null without one. */
static json_t *value_of(const char *text, const char *name, const char *between)
{
	size_t n = strlen(name);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		struct kt_str value = {};
		json_t *json;

		line += *line == '\n';
		/* a blank goes on with the name: "model" is none of "model name" */
		if (strncmp(line, name, n) || !line[n] || line[n] == ' ' ||
		    !strchr(between, line[n]))
			continue;
		line += n;
		line += strspn(line, between);
		kt_str_add_n(&value, line, strcspn(line, "\n"));
		json = kt_json_text(value.data);
		kt_str_free(&value);
		return json;
	}
	return json_null();
}

/* Replaces a text by the number it is. */
static json_t *as_number(json_t *text)
{
	const char *p = json_string_value(text);
	u64 value;

	if (!p || !kt_proc_number(&p, &value) || value > INT64_MAX)
		return text;
	json_decref(text);
	return json_integer((json_int_t)value);
}

/* How many numbers a list such as "0-3,8" has. */
static json_t *count_of_list(const char *p)
{
	u64 first, last, count = 0;

	while (kt_proc_number(&p, &first)) {
		last = first;
		if (*p == '-' && p++ && !kt_proc_number(&p, &last))
			break;
		if (last < first || last > UINT32_MAX)
			break;
		count += last - first + 1;
		if (*p != ',')
			return json_integer((json_int_t)count);
		p++;
	}
	return json_null();
}

static void add_cpu(json_t *fact, int proc, int sys)
{
	static const struct {
		const char *member, *name;
		bool number;
	} members[] = {
		{ "vendor", "vendor_id", false }, { "model_name", "model name", false },
		{ "family", "cpu family", true }, { "model", "model", true },
		{ "stepping", "stepping", true }, { "microcode", "microcode", false },
	};
	json_t *cpu = json_object(), *flags;
	char *text = kt_alloc(TEXT_SIZE), *end;
	struct kt_str words = {};

	json_object_set_new(fact, "cpu", cpu);
	/* The first CPU's lines: all of them would be a megabyte on large hosts. */
	if (kt_proc_read(proc, "cpuinfo", text, TEXT_SIZE) < 0)
		*text = '\0';
	end = strstr(text, "\n\n");
	if (end)
		*end = '\0';
	for (size_t i = 0; i < KT_ARRAY_SIZE(members); i++) {
		json_t *value = value_of(text, members[i].name, "\t: ");

		json_object_set_new(cpu, members[i].member,
				    members[i].number ? as_number(value) : value);
	}
	flags = value_of(text, "flags", "\t: ");
	kt_str_addf(&words, " %s ", json_is_string(flags) ? json_string_value(flags) : "");
	json_decref(flags);
	if (!read_line(sys, "devices/system/cpu/online", text, TEXT_SIZE))
		*text = '\0';
	json_object_set_new(cpu, "online", count_of_list(text));
	json_object_set_new(cpu, "hypervisor", json_boolean(strstr(words.data, " hypervisor ")));
	kt_str_free(&words);
	free(text);
}

static void add_memory(json_t *fact, int proc)
{
	char text[1024]; /* MemTotal is the first line */
	json_t *kib;

	if (kt_proc_read(proc, "meminfo", text, sizeof(text)) < 0)
		*text = '\0';
	kib = as_number(value_of(text, "MemTotal", ": "));
	if (json_is_integer(kib) && json_integer_value(kib) <= INT64_MAX >> 10)
		json_integer_set(kib, json_integer_value(kib) << 10);
	json_object_set_new(fact, "memory_bytes", kib);
}

static void add_distribution(json_t *fact, int proc)
{
	char *text = kt_alloc(TEXT_SIZE);
	json_t *name, *bare;
	size_t n;

	if (kt_proc_read(proc, "../etc/os-release", text, TEXT_SIZE) < 0 &&
	    kt_proc_read(proc, "../usr/lib/os-release", text, TEXT_SIZE) < 0)
		*text = '\0';
	name = value_of(text, "PRETTY_NAME", "=\"'");
	n = json_string_length(name);
	/* Quotes, as a shell has them; what is between needs none of its escapes. */
	if (n && strchr("\"'", json_string_value(name)[n - 1])) {
		bare = json_stringn(json_string_value(name), n - 1);
		json_decref(name);
		name = bare;
	}
	json_object_set_new(fact, "distribution", name);
	free(text);
}

static void add_cmdline(json_t *fact, int proc)
{
	char *text = kt_alloc(TEXT_SIZE);
	struct kt_str clean = {};

	if (read_line(proc, "cmdline", text, TEXT_SIZE)) {
		kt_str_add(&clean, "");
		kt_secrets_line(&clean, text, true);
	}
	json_object_set_new(fact, "cmdline", clean.data ? kt_json_text(clean.data) : json_null());
	kt_str_free(&clean);
	free(text);
}

char *kt_host_fact(const char *proc_root, const char *sys_root)
{
	int proc = open(proc_root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int sys = open(sys_root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	json_t *fact = json_object();

	add_kernel(fact, proc);
	add_distribution(fact, proc);
	add_cpu(fact, proc, sys);
	add_memory(fact, proc);
	add_entries(fact, "modules", sys, "module", add_module);
	add_entries(fact, "vulnerabilities", sys, "devices/system/cpu/vulnerabilities", add_file);
	add_cmdline(fact, proc);
	if (proc >= 0)
		close(proc);
	if (sys >= 0)
		close(sys);
	return kt_json_dump(fact);
}
