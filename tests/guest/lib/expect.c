/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What a tracer must have seen, as text (README.md gives the grammar), once the guest's own count agrees. */
#include "guest.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINES_MAX 24

enum isa { ISA_NONE, ISA_SVM, ISA_VMX };

struct code {
	const char *name;
	uint32_t code;
};

struct kt_exit_line {
	struct code exit;
	uint64_t count, min_total_ns;
	enum kt_match match;
};

/* clang-format off */
/* Linux arch/x86/include/uapi/asm/svm.h and vmx.h. */
static const struct code exits[KT_EXIT_MAX][3] = {
	/*			  no kvm_exit	SVM			VMX */
	[KT_EXIT_NONE]	      = { { "-", 0 }, { "-", 0 },	     { "-", 0 } },
	[KT_EXIT_CPUID]	      = { { "-", 0 }, { "CPUID", 0x72 },     { "CPUID", 10 } },
	[KT_EXIT_IO]	      = { { "-", 0 }, { "IOIO", 0x7b },	     { "IO_INSTRUCTION", 30 } },
	[KT_EXIT_MSR_READ]    = { { "-", 0 }, { "MSR", 0x7c },	     { "MSR_READ", 31 } },
	[KT_EXIT_MSR_WRITE]   = { { "-", 0 }, { "MSR", 0x7c },	     { "MSR_WRITE", 32 } },
	[KT_EXIT_HLT]	      = { { "-", 0 }, { "HLT", 0x78 },	     { "HLT", 12 } },
	[KT_EXIT_UD]	      = { { "-", 0 }, { "EXCP_UD", 0x46 },   { "EXCEPTION_NMI", 0 } },
	[KT_EXIT_SHUTDOWN]    = { { "-", 0 }, { "SHUTDOWN", 0x7f },  { "TRIPLE_FAULT", 2 } },
	[KT_EXIT_CR4_WRITE]   = { { "-", 0 }, { "WRITE_CR4", 0x14 }, { "CR_ACCESS", 28 } },
	[KT_EXIT_XSETBV]      = { { "-", 0 }, { "XSETBV", 0x8d },    { "XSETBV", 55 } },
	[KT_EXIT_HYPERCALL]   = { { "-", 0 }, { "VMMCALL", 0x81 },   { "VMCALL", 18 } },
	[KT_EXIT_MMIO]	      = { { "-", 0 }, { "NPF", 0x400 },	     { "EPT_MISCONFIG", 49 } },
	[KT_EXIT_NESTED_PAGE] = { { "-", 0 }, { "NPF", 0x400 },	     { "EPT_VIOLATION", 48 } },
	/* Bit 31: the entry failed (SDM 3C 24.9.1, 26.8). SVM's -1 is 32 bits wide in kvm_exit. */
	[KT_EXIT_INVALID]     = { { "-", 0 }, { "ERR", 0xffffffff },
				  { "INVALID_STATE|FAILED_VMENTRY", 0x80000021 } },
};

/* Exits that come with the weather: host interrupts, pages touched for the first time, APIC hardware. */
static const struct code noise[3][10] = {
	[ISA_SVM] = { { "INTR", 0x60 }, { "NMI", 0x61 }, { "SMI", 0x62 }, { "VINTR", 0x64 },
		      { "NPF", 0x400 }, { "AVIC_INCOMPLETE_IPI", 0x401 },
		      { "AVIC_UNACCELERATED_ACCESS", 0x402 } },
	[ISA_VMX] = { { "EXCEPTION_NMI", 0 }, { "EXTERNAL_INTERRUPT", 1 }, { "INTERRUPT_WINDOW", 7 },
		      { "EPT_VIOLATION", 48 }, { "EPT_MISCONFIG", 49 }, { "PREEMPTION_TIMER", 52 },
		      { "EOI_INDUCED", 45 }, { "APIC_WRITE", 56 } },
};
/* clang-format on */

static const char *const isa_names[] = { "none", "svm", "vmx" };

static enum isa isa;
static FILE *text;
static char *text_buf;
static size_t text_len;

/* A KVM that is neither of the two (a software KVM) raises no kvm_exit and no kvm_page_fault. */
static enum isa host_isa(void)
{
	if (!access("/sys/module/kvm_amd", F_OK))
		return ISA_SVM;
	if (!access("/sys/module/kvm_intel", F_OK))
		return ISA_VMX;
	return ISA_NONE;
}

bool kt_software_kvm(void)
{
	return host_isa() == ISA_NONE;
}

bool kt_vmx(void)
{
	return host_isa() == ISA_VMX;
}

static void put(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void put(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(text, fmt, ap);
	va_end(ap);
}

/* One token whatever the bytes: all but [A-Za-z0-9._-] as %XX. */
static void put_name(const char *name)
{
	static const char safe[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

	put(" name=%s", name ? "" : "-");
	for (; name && *name; name++) {
		if (strchr(safe, *name))
			put("%c", *name);
		else
			put("%%%02X", (unsigned char)*name);
	}
}

static void put_head(const char *what, const struct kt_vcpu *v)
{
	put("expect %s pid=%d vm=%d vcpu=%d", what, (int)getpid(), v->vm->index, v->id);
}

void kt_expect_begin(const struct kt_opts *o, struct kt_vm **vms, int count)
{
	isa = host_isa();
	text = open_memstream(&text_buf, &text_len);
	if (!text)
		kt_fail("out of memory");
	put("host isa=%s\n", isa_names[isa]);
	for (int i = 0; i < count; i++) {
		put("vm pid=%d vm=%d vcpus=%d scenario=%s", (int)getpid(), vms[i]->index,
		    vms[i]->conf.vcpus, o->scenario);
		put_name(o->name);
		put("\n");
		for (int j = 0; j < vms[i]->conf.vcpus; j++)
			put("vcpu pid=%d vm=%d vcpu=%d tid=%d\n", (int)getpid(), vms[i]->index, j,
			    (int)vms[i]->vcpu[j].tid);
	}
}

void kt_expect_former_vcpu(int vm, int vcpu)
{
	put("vcpu pid=%d vm=%d vcpu=%d tid=%d\n", (int)getpid(), vm, vcpu, (int)gettid());
}

/* Exits that share a code (RDMSR and WRMSR on SVM) share a line. */
static struct kt_exit_line *exit_line(struct kt_vcpu *v, struct code c)
{
	struct kt_exit_line *l;

	if (!v->exits)
		v->exits = calloc(LINES_MAX, sizeof(*v->exits));
	if (!v->exits)
		kt_fail("out of memory");
	for (l = v->exits; l < v->exits + LINES_MAX; l++) {
		if (l->exit.name && l->exit.code != c.code)
			continue;
		l->exit = c;
		return l;
	}
	kt_fail("more than %d exit reasons", LINES_MAX);
}

static bool is_noise(uint32_t code)
{
	for (int i = 0; noise[isa][i].name; i++)
		if (noise[isa][i].code == code)
			return true;
	return false;
}

void kt_expect_exit(struct kt_vcpu *v, enum kt_exit e, uint64_t count, enum kt_match match)
{
	struct kt_exit_line *l;

	if (isa == ISA_NONE)
		return;
	l = exit_line(v, exits[e][isa]);
	l->count += count;
	if (match == KT_MIN || is_noise(l->exit.code))
		l->match = KT_MIN;
}

void kt_expect_exit_time(struct kt_vcpu *v, enum kt_exit e, uint64_t min_total_ns)
{
	if (isa != ISA_NONE)
		exit_line(v, exits[e][isa])->min_total_ns = min_total_ns;
}

static void put_exits(struct kt_vcpu *v)
{
	for (int i = 0; noise[isa][i].name; i++)
		exit_line(v, noise[isa][i])->match = KT_MIN;
	for (struct kt_exit_line *l = v->exits; l && l < v->exits + LINES_MAX; l++) {
		if (!l->exit.name)
			break;
		put_head("exits", v);
		put(" reason=%s code=0x%x count=%" PRIu64 " match=%s", l->exit.name, l->exit.code,
		    l->count, l->match == KT_MIN ? "min" : "exact");
		put(l->min_total_ns ? " min_total_ns=%" PRIu64 "\n" : "\n", l->min_total_ns);
	}
	free(v->exits);
	v->exits = NULL;
}

void kt_expect_exception(struct kt_vcpu *v, const struct kt_site *s, uint64_t count,
			 enum kt_exit cause, const char *more)
{
	if (s->count != count)
		kt_fail("vcpu %d: the guest took %" PRIu64 " of %" PRIu64
			" exceptions at 0x%" PRIx64,
			v->id, s->count, count, s->rip);
	put_head("exception", v);
	put(" vector=%" PRIu64, s->vector);
	put(KT_HAS_ERROR_CODE >> s->vector & 1 ? " error=0x%" PRIx64 : " error=-", s->error);
	put(" rip=0x%" PRIx64, s->rip);
	put(s->vector == 14 ? " address=0x%" PRIx64 : " address=-", s->address);
	put(" count=%" PRIu64 " match=exact cause=%s", count, exits[cause][isa].name);
	put(isa == ISA_NONE ? " code=-" : " code=0x%x", exits[cause][isa].code);
	put("%s%s\n", more ? " " : "", more ? more : "");
}

/* EXITINFO1 of a nested page fault: P, R/W, U/S (always set), I/D, bit 32 (APM 2 15.25.6). */
static uint64_t npf_error_code(const struct kt_fault *f)
{
	static const uint64_t bits[] = { [KT_READ] = 0, [KT_WRITE] = 0x2, [KT_FETCH] = 0x10 };

	return 0x100000004ull | bits[f->access] | (f->readonly ? 0x1 : 0);
}

/*
 * Exit qualification of an EPT violation (SDM 3C table 27-7): 0 read, 1 write, 2 fetch; 3 readable,
 * 5 executable; 7 and 8 for an access to a linear address, not a walk of the guest's tables.
 */
static uint64_t ept_qualification(const struct kt_fault *f)
{
	return 0x180ull | 1ull << f->access | (f->readonly ? 0x28 : 0);
}

/* KVM may handle a write to the zero page in two: the first fault invalidates what it found. */
void kt_expect_fault(struct kt_vcpu *v, const struct kt_fault *f)
{
	static const char *const access[] = { "read", "write", "fetch" };

	if (isa == ISA_NONE)
		return;
	put_head("fault", v);
	put(" space=gpa address=0x%" PRIx64 " access=%s rip=0x%" PRIx64 " count=1 match=%s", f->gpa,
	    access[f->access], f->rip, f->readonly ? "min" : "exact");
	if (isa == ISA_SVM)
		put(" error_code=0x%" PRIx64 "\n", npf_error_code(f));
	else
		put(" qualification=0x%" PRIx64 "\n", ept_qualification(f));
}

static const char *user_reason(uint32_t reason)
{
	static const char *const names[] = {
		[KVM_EXIT_IO] = "IO",
		[KVM_EXIT_HLT] = "HLT",
		[KVM_EXIT_MMIO] = "MMIO",
		[KVM_EXIT_SHUTDOWN] = "SHUTDOWN",
		[KVM_EXIT_FAIL_ENTRY] = "FAIL_ENTRY",
		[KVM_EXIT_INTERNAL_ERROR] = "INTERNAL_ERROR",
	};
	const char *name = reason < sizeof(names) / sizeof(names[0]) ? names[reason] : NULL;

	return name ? name : "-";
}

void kt_expect_user(struct kt_vcpu *v, uint32_t reason, uint64_t count)
{
	v->want_user[reason] += count;
}

/* As KVM returned them; the hardware reason of SVM, -1, has 32 or 64 bits, by kernel and CPU. */
static void put_more(const struct kt_vcpu *v, uint32_t reason)
{
	if (reason == KVM_EXIT_FAIL_ENTRY)
		put(" hardware_reason=0x%llx", v->run->fail_entry.hardware_entry_failure_reason);
	if (reason == KVM_EXIT_INTERNAL_ERROR)
		put(" suberror=%u", v->run->internal.suberror);
}

static void put_user(const struct kt_vcpu *v)
{
	for (uint32_t i = 0; i < KT_USER_REASONS; i++) {
		if (v->user[i] != v->want_user[i])
			kt_fail("vcpu %d: %" PRIu64
				" returns of KVM_RUN with reason %u, not %" PRIu64,
				v->id, v->user[i], i, v->want_user[i]);
		if (!v->user[i])
			continue;
		put_head("user", v);
		put(" reason=%s code=%u count=%" PRIu64 " match=exact", user_reason(i), i,
		    v->user[i]);
		put_more(v, i);
		put("\n");
	}
}

void kt_expect_hypercalls(struct kt_vcpu *v, uint64_t nr, uint64_t count)
{
	put_head("hypercall", v);
	put(" nr=%" PRIu64 " count=%" PRIu64 " match=exact\n", nr, count);
}

void kt_expect_io(struct kt_vcpu *v, const struct kt_io *io, uint64_t count)
{
	static const char *const access[2][2] = { { "in", "out" }, { "read", "write" } };

	if (!count)
		return;
	put_head(io->mmio ? "mmio" : "pio", v);
	put(" %s=0x%" PRIx64 " access=%s size=%u count=%" PRIu64 " match=exact\n",
	    io->mmio ? "address" : "port", io->address, access[io->mmio][io->write], io->size,
	    count);
	kt_expect_user(v, io->mmio ? KVM_EXIT_MMIO : KVM_EXIT_IO, count);
	if (!io->mmio)
		kt_expect_exit(v, KT_EXIT_IO, count, KT_EXACT);
}

void kt_expect_out(struct kt_vcpu *v, uint16_t port, uint64_t count)
{
	const struct kt_io io = { .write = true, .address = port, .size = 1 };

	kt_expect_io(v, &io, count);
}

static void print_text(void)
{
	put("done pid=%d\n", (int)getpid());
	if (fclose(text))
		kt_fail("out of memory");
	for (size_t done = 0; done < text_len;) {
		ssize_t n = write(STDOUT_FILENO, text_buf + done, text_len - done);

		if (n <= 0)
			kt_fail("write: %m");
		done += (size_t)n;
	}
	free(text_buf);
}

int kt_expect_end(const struct kt_opts *o, struct kt_vm **vms, int count)
{
	for (int i = 0; i < count; i++) {
		for (int j = 0; j < vms[i]->conf.vcpus; j++) {
			put_user(&vms[i]->vcpu[j]);
			put_exits(&vms[i]->vcpu[j]);
		}
	}
	print_text();
	for (uint64_t left = o->hold_s; left;)
		left = sleep((unsigned int)left);
	kt_leave(vms, count);
	for (int i = 0; i < count; i++)
		kt_vm_free(vms[i]);
	return 0;
}
