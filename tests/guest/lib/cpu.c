/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The architectural state a guest starts with: 64-bit mode, GVA = GPA through 2 MiB pages, its own
 * descriptor tables. All accessed and dirty bits are set beforehand, so the CPU never writes to the
 * tables: with nested paging that would be page faults nobody counted.
 */
#include "guest.h"
#include "stubs.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define PTE_P	  0x01ull
#define PTE_W	  0x02ull
#define PTE_A	  0x20ull
#define PTE_D	  0x40ull
#define PTE_PS	  0x80ull
#define PTE_TABLE (PTE_P | PTE_W | PTE_A)
#define PTE_LEAF  (PTE_P | PTE_W | PTE_A | PTE_D | PTE_PS)
#define PD_PAGES  4

#define CR0_PE	    0x00000001ull
#define CR0_MP	    0x00000002ull
#define CR0_ET	    0x00000010ull
#define CR0_NE	    0x00000020ull
#define CR0_WP	    0x00010000ull
#define CR0_PG	    0x80000000ull
#define CR4_PAE	    0x20ull
#define EFER_LME    0x100ull
#define EFER_LMA    0x400ull
#define APIC_ENABLE 0x800ull
#define APIC_X2APIC 0x400ull

static void put64(struct kt_vm *vm, uint64_t gpa, uint64_t value)
{
	memcpy(vm->low + gpa, &value, sizeof(value));
}

static void page_tables(struct kt_vm *vm)
{
	put64(vm, KT_GPA_PML4, KT_GPA_PDPT | PTE_TABLE);
	for (uint64_t i = 0; i < PD_PAGES; i++)
		put64(vm, KT_GPA_PDPT + 8 * i, (KT_GPA_PD + 0x1000 * i) | PTE_TABLE);
	for (uint64_t i = 0; i < PD_PAGES * 512; i++)
		put64(vm, KT_GPA_PD + 8 * i, (i << 21) | PTE_LEAF);
}

void kt_vm_map_readonly(struct kt_vm *vm, uint64_t gva)
{
	uint64_t frame = gva >> 21;

	if (frame >= PD_PAGES * 512)
		kt_fail("cannot map 0x%llx", (unsigned long long)gva);
	put64(vm, KT_GPA_PD + 8 * frame, (frame << 21) | (PTE_LEAF & ~PTE_W));
}

/* A 64-bit gate needs two descriptors, the second one holding address bits 63:32 (here 0). */
static void descriptor_tables(struct kt_vm *vm)
{
	uint64_t tss = KT_GPA_TSS;
	uint64_t stubs = KT_GPA_STUBS;

	put64(vm, KT_GPA_GDT + KT_SEL_CODE, 0x00209b0000000000ull);
	put64(vm, KT_GPA_GDT + KT_SEL_DATA, 0x00cf93000000ffffull);
	put64(vm, KT_GPA_GDT + KT_SEL_TSS,
	      0x00008b0000000067ull | (tss & 0xffffff) << 16 | (tss >> 24) << 56);
	put64(vm, KT_GPA_GDT + KT_SEL_ABSENT, 0x00cf13000000ffffull);
	for (uint64_t vec = 0; vec <= KT_VEC_IRQ; vec++) {
		uint64_t nr = vec == KT_VEC_IRQ ? KT_STUB_IRQ : vec;
		uint64_t entry = stubs + nr * KT_STUB_SIZE;

		if (vec >= 32 && vec != KT_VEC_IRQ)
			continue;
		put64(vm, KT_GPA_IDT + 16 * vec,
		      (entry & 0xffff) | KT_SEL_CODE << 16 | 0x8eull << 40 |
			      ((entry >> 16) & 0xffff) << 48);
	}
}

static void copy_code(struct kt_vm *vm, uint64_t gpa, const unsigned char *code,
		      const unsigned char *end, size_t room)
{
	if (end < code || (size_t)(end - code) > room)
		kt_fail("guest code does not fit at 0x%llx", (unsigned long long)gpa);
	memcpy(vm->low + gpa, code, (size_t)(end - code));
}

void kt_vm_load(struct kt_vm *vm, const unsigned char *code, const unsigned char *end)
{
	copy_code(vm, KT_GPA_CODE, code, end, KT_CODE_MAX);
}

void kt_cpu_tables(struct kt_vm *vm)
{
	page_tables(vm);
	descriptor_tables(vm);
	copy_code(vm, KT_GPA_PRELUDE, kt_guest_prelude, kt_guest_prelude_end,
		  KT_GPA_STUBS - KT_GPA_PRELUDE);
	copy_code(vm, KT_GPA_STUBS, kt_guest_stubs, kt_guest_stubs_end, KT_GPA_CODE - KT_GPA_STUBS);
}

static struct kvm_segment segment(uint16_t selector, uint8_t type)
{
	return (struct kvm_segment) {
		.selector = selector,
		.limit = 0xffffffff,
		.type = type,
		.present = 1,
		.s = 1,
		.g = 1,
	};
}

static void set_sregs(struct kt_vcpu *v)
{
	struct kvm_sregs s;
	struct kvm_segment data = segment(KT_SEL_DATA, 3);

	if (ioctl(v->fd, KVM_GET_SREGS, &s))
		kt_fail("KVM_GET_SREGS: %m");
	data.db = 1;
	s.cs = segment(KT_SEL_CODE, 11);
	s.cs.l = 1;
	s.ds = s.es = s.fs = s.gs = s.ss = data;
	s.tr = segment(KT_SEL_TSS, 11);
	s.tr.base = KT_GPA_TSS;
	s.tr.limit = 0x67;
	s.tr.s = s.tr.g = 0;
	s.ldt = (struct kvm_segment) { .unusable = 1, .type = 2 };
	s.gdt = (struct kvm_dtable) { .base = KT_GPA_GDT, .limit = KT_GDT_LIMIT };
	s.idt = (struct kvm_dtable) { .base = KT_GPA_IDT, .limit = 0xfff };
	s.cr3 = KT_GPA_PML4;
	s.cr4 = CR4_PAE | v->vm->conf.cr4;
	s.cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
	s.efer = EFER_LME | EFER_LMA;
	if (v->vm->conf.irqchip)
		s.apic_base |= APIC_ENABLE | APIC_X2APIC;
	if (ioctl(v->fd, KVM_SET_SREGS, &s))
		kt_fail("KVM_SET_SREGS: %m");
}

/* R12 tells the interrupt handler whether there is an APIC that wants an EOI. */
void kt_cpu_reset(struct kt_vcpu *v)
{
	uint64_t shared = KT_GPA_VCPU + (uint64_t)v->id * KT_VCPU_SPAN;
	struct kvm_regs r = {
		.rip = KT_GPA_PRELUDE,
		.rsp = shared + KT_VCPU_SPAN,
		.rflags = 2,
		.rdi = v->iterations,
		.rsi = v->arg,
		.r12 = v->vm->conf.irqchip,
		.r13 = shared + KT_SH_SITES,
		.r14 = KT_GPA_CODE,
		.r15 = shared,
	};

	set_sregs(v);
	if (ioctl(v->fd, KVM_SET_REGS, &r))
		kt_fail("KVM_SET_REGS: %m");
}
