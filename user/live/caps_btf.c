/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Facts from the kernel's types. vmlinux has well over 100,000: all names of interest are looked for in
 * one walk.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <bpf/btf.h>

#include "caps_priv.h"

#define BTF_DIR "/sys/kernel/btf/"
/* Bounds for types that are damaged. */
#define MAX_NESTING 8
#define MAX_CHAIN   32
#define MAX_VISITS  65536

struct wanted {
	const char *name;
	u32 kind; /* BTF_KIND_… */
	/* Where the number of the type goes, and the tracepoint's arguments; NULL: not asked for. */
	u32 *id;
	char *proto;
};

#define SLOTS 128 /* a power of 2, well above the number of names */

struct walk {
	struct kt_facts *facts;
	struct kt_kernel_types *types;
	bool initials[256]; /* first bytes of the names */
	struct wanted wanted[SLOTS];
	u32 rdonly_cast;
};

static const struct {
	const char *type, *member;
} members[] = {
#define MEMBER(type, member) { #type, #member },
	KT_MEMBERS(MEMBER)
};

/* The slot that holds the name, or the free one where it would go. FNV-1a. */
static struct wanted *slot_of(struct walk *w, const char *name)
{
	u32 hash = 2166136261u;

	for (const char *p = name; *p; p++)
		hash = (hash ^ (u8)*p) * 16777619;
	while (w->wanted[hash % SLOTS].name && strcmp(w->wanted[hash % SLOTS].name, name) != 0)
		hash++;
	return &w->wanted[hash % SLOTS];
}

static void want(struct walk *w, const char *name, u32 kind, u32 *id, char *proto)
{
	*slot_of(w, name) = (struct wanted) { name, kind, id, proto };
	w->initials[(u8)name[0]] = true;
}

static void prepare(struct walk *w, struct kt_facts *facts, struct kt_kernel_types *types)
{
	memset(w, 0, sizeof(*w));
	w->facts = facts;
	w->types = types;
#define WANT(name)                                                                                 \
	want(w, "btf_trace_" #name, BTF_KIND_TYPEDEF, &types->tracepoints[KT_TP_##name],           \
	     facts->tracepoints[KT_TP_##name].proto);
	KT_TRACEPOINTS(WANT)
	for (size_t i = 0; i < KT_ARRAY_SIZE(members); i++)
		want(w, members[i].type, BTF_KIND_STRUCT, NULL, NULL);
	want(w, "bpf_rdonly_cast", BTF_KIND_FUNC, &w->rdonly_cast, NULL);
	want(w, "kvm_vcpu", BTF_KIND_STRUCT, &types->plain.kvm_vcpu, NULL);
	want(w, "timespec64", BTF_KIND_STRUCT, &types->plain.timespec64, NULL);
	want(w, "itimerspec64", BTF_KIND_STRUCT, &types->plain.itimerspec64, NULL);
	want(w, "upid", BTF_KIND_STRUCT, &types->plain.upid, NULL);
	/* In every kernel that has BTF. */
	want(w, "btf_trace_sched_switch", BTF_KIND_TYPEDEF, &types->sched_switch, NULL);
	want(w, "bpf_iter_task_file", BTF_KIND_FUNC, &types->task_file, NULL);
	want(w, "bpf_fentry_test1", BTF_KIND_FUNC, &types->fentry_test, NULL);
}

/* Past typedefs, qualifiers and tags; NULL when the chain leads nowhere. */
static const struct btf_type *resolved(const struct btf *btf, u32 id)
{
	const struct btf_type *t = btf__type_by_id(btf, id);

	for (int i = 0; t && i < MAX_CHAIN; i++) {
		if (!btf_is_mod(t) && !btf_is_typedef(t))
			return t;
		t = btf__type_by_id(btf, t->type);
	}
	return NULL;
}

static const char *name_of(const struct btf *btf, u32 offset)
{
	const char *name = btf__name_by_offset(btf, offset);

	return name ? name : "";
}

static char argument_letter(const struct btf *btf, u32 id)
{
	const struct btf_type *t = resolved(btf, id);

	if (!t)
		return '?';
	if (btf_is_ptr(t)) {
		t = resolved(btf, t->type);
		return t && (btf_is_struct(t) || btf_is_fwd(t)) &&
				       strcmp(name_of(btf, t->name_off), "kvm_vcpu") == 0
			       ? 'v'
			       : 'p';
	}
	if (!btf_is_int(t) && !btf_is_any_enum(t))
		return '?';
	return t->size == 1   ? 'b'
	       : t->size == 2 ? '2'
	       : t->size == 4 ? '4'
	       : t->size == 8 ? '8'
			      : '?';
}

/* btf_trace_NAME is a pointer to a function whose first argument is the probe's own data. */
static void read_proto(const struct btf *btf, const struct btf_type *t, char *proto)
{
	const struct btf_param *params;
	u32 count;

	t = resolved(btf, t->type);
	t = t && btf_is_ptr(t) ? resolved(btf, t->type) : NULL;
	if (!t || !btf_is_func_proto(t))
		return;
	params = btf_params(t);
	count = btf_vlen(t);
	for (u32 i = 1; i < count && i < KT_PROTO_LEN; i++)
		proto[i - 1] = argument_letter(btf, params[i].type);
}

/* The size of a member by name, also within nameless structures and unions; 0: there is none. */
static u32 member_size(const struct btf *btf, const struct btf_type *t, const char *name,
		       int nesting, u32 *visits)
{
	const struct btf_member *m = btf_members(t);
	u32 size = 0;

	for (u32 i = 0; i < btf_vlen(t) && !size && *visits; i++) {
		const char *here = name_of(btf, m[i].name_off);

		(*visits)--;
		if (strcmp(here, name) == 0) {
			long long bytes = btf__resolve_size(btf, m[i].type);

			if (btf_member_bitfield_size(t, i))
				return 1;
			return bytes > 0 && bytes <= INT32_MAX ? bytes : 0;
		}
		if (!here[0] && nesting < MAX_NESTING) {
			const struct btf_type *inner = resolved(btf, m[i].type);

			if (inner && btf_is_composite(inner))
				size = member_size(btf, inner, name, nesting + 1, visits);
		}
	}
	return size;
}

/* Of several structures of that name, the first that has a member tells its size. */
static void read_members(struct walk *w, const struct btf *btf, const struct btf_type *t,
			 const char *name)
{
	for (size_t i = 0; i < KT_ARRAY_SIZE(members); i++) {
		u32 visits = MAX_VISITS;

		if (!w->facts->members[i] && strcmp(members[i].type, name) == 0)
			w->facts->members[i] = member_size(btf, t, members[i].member, 0, &visits);
	}
}

/* Of split types, those behind the base. numbered: what programs attach to may be among them. */
static void walk_types(struct walk *w, const struct btf *btf, bool numbered)
{
	const struct btf *base = btf__base_btf(btf);
	u32 end = btf__type_cnt(btf);

	for (u32 id = base ? btf__type_cnt(base) : 1; id < end; id++) {
		const struct btf_type *t = btf__type_by_id(btf, id);
		u32 kind = btf_kind(t);
		const struct wanted *wanted;
		const char *name;

		if (kind != BTF_KIND_STRUCT && kind != BTF_KIND_TYPEDEF && kind != BTF_KIND_FUNC)
			continue;
		name = name_of(btf, t->name_off);
		if (!w->initials[(u8)name[0]])
			continue;
		wanted = slot_of(w, name);
		if (!wanted->name || wanted->kind != kind)
			continue;
		if (kind == BTF_KIND_STRUCT)
			read_members(w, btf, t, name);
		if (wanted->proto && !wanted->proto[0])
			read_proto(btf, t, wanted->proto);
		if (wanted->id && !*wanted->id && (!base || (numbered && wanted->proto)))
			*wanted->id = id;
	}
}

/* 6.16 and later let vmlinux's types be mapped, which takes half the time of reading 5 MB by pages. */
static struct btf *parse_mapped(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *data = MAP_FAILED;
	struct btf *btf = NULL;
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0 && st.st_size <= INT32_MAX)
		data = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data != MAP_FAILED) {
		btf = btf__new(data, st.st_size);
		munmap(data, st.st_size);
	}
	if (fd >= 0)
		close(fd);
	return btf;
}

/* What libbpf says of the types of vmlinux (base NULL) or of a module. */
static u32 parse(const char *name, struct btf *base, struct btf **btf)
{
	char path[sizeof(BTF_DIR) + KT_FACT_TEXT];

	snprintf(path, sizeof(path), BTF_DIR "%.*s", KT_FACT_TEXT - 1, name);
	*btf = NULL;
	if (access(path, R_OK) != 0)
		return errno == ENOENT ? KT_BTF_ABSENT : KT_UNKNOWN;
	if (!base)
		*btf = parse_mapped(path);
	if (!*btf)
		*btf = btf__parse_raw_split(path, base);
	if (*btf)
		return KT_BTF_OK;
	/* The first of these when the module has gone meanwhile; the others say nothing of the types. */
	return errno == ENOENT || errno == ENOMEM || errno == EMFILE || errno == ENFILE
		       ? KT_UNKNOWN
		       : KT_BTF_BROKEN;
}

static void note_broken(struct kt_facts *facts, const char *name)
{
	if (!facts->btf_broken[0] || strcmp(name, facts->btf_broken) < 0)
		snprintf(facts->btf_broken, sizeof(facts->btf_broken), "%.*s", KT_FACT_TEXT - 1,
			 name);
}

/*
 * The types of every module are parsed, as libbpf does when it looks for one that vmlinux hasn't: it
 * gives up when a single one is damaged, whoever made it.
 */
static void gather_modules(struct walk *w, struct btf *vmlinux)
{
	struct kt_facts *facts = w->facts;
	DIR *dir = opendir(BTF_DIR);
	struct dirent *d;
	struct btf *btf;

	while (dir && (d = readdir(dir))) {
		bool kvm = strcmp(d->d_name, "kvm") == 0;
		bool vendor = strcmp(d->d_name, facts->vendor) == 0;
		u32 state;

		if (d->d_name[0] == '.' || strcmp(d->d_name, "vmlinux") == 0)
			continue;
		state = parse(d->d_name, vmlinux, &btf);
		if (state == KT_BTF_BROKEN)
			note_broken(facts, d->d_name);
		if (kvm)
			facts->btf_kvm = state;
		if (vendor)
			facts->btf_vendor = state;
		if (btf && (kvm || vendor)) {
			walk_types(w, btf, kvm);
			w->types->modules[vendor] = btf;
		} else {
			btf__free(btf);
		}
	}
	if (dir)
		closedir(dir);
}

/* Where KVM is part of the kernel, its vendor's types are told by their names. */
static u32 builtin_vendor(const struct kt_facts *facts)
{
	const u32 *sizes = facts->members;
	bool there = false;

	if (kt_facts_amd(facts))
		there = sizes[KT_M_vcpu_svm__vmcb];
	else if (kt_facts_intel(facts))
		there = sizes[KT_M_vcpu_vmx__exit_reason] || sizes[KT_M_vcpu_vmx__vt];
	return there ? KT_BTF_OK : KT_BTF_ABSENT;
}

static void gather_types(struct walk *w, struct btf *vmlinux)
{
	struct kt_facts *facts = w->facts;

	w->types->module_types = btf__type_cnt(vmlinux);
	walk_types(w, vmlinux, true);
	facts->kfunc_rdonly_cast = w->rdonly_cast ? KT_CAN : KT_CANNOT;
	if (facts->kvm == KT_KVM_MODULE) {
		facts->btf_kvm = KT_BTF_ABSENT;
		facts->btf_vendor = facts->vendor[0] ? KT_BTF_ABSENT : KT_UNKNOWN;
	}
	gather_modules(w, vmlinux);
	if (facts->kvm == KT_KVM_BUILTIN) {
		facts->btf_kvm = KT_BTF_OK;
		facts->btf_vendor = builtin_vendor(facts);
	}
	for (u32 i = 0; facts->btf_kvm == KT_BTF_OK && i < KT_TRACEPOINT_COUNT; i++)
		if (!facts->tracepoints[i].proto[0])
			strcpy(facts->tracepoints[i].proto, "-");
}

void kt_caps_gather_btf(struct kt_facts *facts, struct kt_kernel_types *types)
{
	struct walk w;

	prepare(&w, facts, types);
	facts->btf_vmlinux = parse("vmlinux", NULL, &types->vmlinux);
	if (types->vmlinux)
		gather_types(&w, types->vmlinux);
	else
		facts->btf_kvm = facts->btf_vendor = facts->btf_vmlinux;
}
