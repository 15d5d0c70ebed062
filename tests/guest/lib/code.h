/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The guest's side of the contract: its memory map, the registers it starts with, the ports it talks to,
 * and the macros that guest code is written with. Everything here is known to the assembler, too, hence
 * plain macros. GVA equals GPA wherever something is mapped.
 */
#ifndef KT_GUEST_CODE_H
#define KT_GUEST_CODE_H

/* clang-format off */
/* Low memory, slot 0. */
#define KT_GPA_GDT     0x100000
#define KT_GPA_IDT     0x101000
#define KT_GPA_TSS     0x102000
#define KT_GPA_PML4    0x103000
#define KT_GPA_PDPT    0x104000
#define KT_GPA_PD      0x105000	/* four pages: 0..4 GiB in 2 MiB pages */
#define KT_GPA_PRELUDE 0x200000
#define KT_GPA_STUBS   0x200800
#define KT_GPA_CODE    0x201000	/* the scenario's own code */
#define KT_CODE_MAX    0x10000
#define KT_GPA_VCPU    0x300000	/* per vCPU: one page of struct kt_shared, one page of stack */
#define KT_VCPU_SPAN   0x2000

/* Where a guest finds trouble. */
#define KT_GPA_MMIO    0xd0000000	/* mapped in the guest's tables, no memory slot behind */
#define KT_GVA_NONE    0x555555000	/* not mapped by the guest: its PDPT entry is empty */
#define KT_GVA_RDONLY  0x60000000	/* 2 MiB mapped read-only by the guest */
#define KT_GPA_FRESH   0x40000000	/* memory nobody has touched yet, below KT_GVA_RDONLY */

#define KT_SEL_CODE    0x08
#define KT_SEL_DATA    0x10
#define KT_SEL_TSS     0x18
#define KT_SEL_ABSENT  0x28	/* a data segment whose P bit is clear */
#define KT_SEL_BEYOND  0x68	/* past the GDT's limit */
#define KT_GDT_LIMIT   0x2f

#define KT_PORT_END    0xf4	/* the guest has done its work */
#define KT_PORT_PANIC  0xf5	/* an exception came that nobody expected */
#define KT_PORT_PACE   0xf6	/* the guest has earned a rest */

/* Vectors 8, 10-14, 17, 21, 29, 30 push an error code (SDM 3A table 6-1, APM 2 table 8-1). */
#define KT_HAS_ERROR_CODE 0x60227d00
#define KT_VEC_IRQ     0x40	/* the only external interrupt a guest takes */

/* struct kt_shared, at R15 */
#define KT_SH_IRQS     0x00
#define KT_SH_BAD_RIP  0x08
#define KT_SH_BAD_VEC  0x10
#define KT_SH_BAD_ERR  0x18
#define KT_SH_BAD_CR2  0x20
#define KT_SH_IDTR     0x28
#define KT_SH_NOTE     0x38
#define KT_SH_SITES    0x40
/* struct kt_site, at R13 while the guest expects an exception */
#define KT_SITE_RIP    0x00
#define KT_SITE_RESUME 0x08
#define KT_SITE_VECTOR 0x10
#define KT_SITE_ERROR  0x18
#define KT_SITE_ADDR   0x20
#define KT_SITE_COUNT  0x28
#define KT_SITE_SIZE   0x30
#define KT_SITES       8
/* clang-format on */

#define KT_STR_(x) #x
#define KT_STR(x)  KT_STR_(x)

/*
 * KT_GUEST_CODE(name, text) assembles position-independent guest code into this program's read-only data,
 * from where kt_vm_load() copies it to KT_GPA_CODE. On entry:
 *   RDI iterations, RSI the scenario's argument, R13 site 0, R15 struct kt_shared, RSP a stack, IF=0.
 * Besides instructions the text may use
 *   kt_at OFFSET   puts the next instruction at KT_GPA_CODE + OFFSET: the RIPs of faulting instructions are
 *                  constants a test may be written against
 *   kt_site NR     selects the site that the next exception must come from (changes R13)
 *   kt_pace        has user space call the scenario's pace()
 *   kt_cpuids REG  executes CPUID as many times as the register says (changes RAX to RDX)
 *   kt_end         ends the guest
 *   KT_SH_IDTR(%r15), KT_SH_NOTE(%r15)   struct kt_shared's idtr and note
 */
#define KT_GUEST_CODE(name, text)                                                                  \
	extern const unsigned char kt_guest_##name[], kt_guest_##name##_end[];                     \
	__asm__(".pushsection .rodata.kt_guest, \"a\", @progbits\n"                                \
		".balign 16\n"                                                                     \
		"kt_guest_" #name ":\n"                                                            \
		"100:\n" text "\n"                                                                 \
		"kt_guest_" #name "_end:\n"                                                        \
		".popsection\n")

/* clang-format off */
#define KT_SET(name) ".set " #name ", " KT_STR(name) "\n"
__asm__(KT_SET(KT_HAS_ERROR_CODE)
	KT_SET(KT_GPA_GDT)
	KT_SET(KT_GPA_IDT)
	KT_SET(KT_GPA_TSS)
	KT_SET(KT_SH_IRQS)
	KT_SET(KT_SH_BAD_RIP)
	KT_SET(KT_SH_BAD_VEC)
	KT_SET(KT_SH_BAD_ERR)
	KT_SET(KT_SH_BAD_CR2)
	KT_SET(KT_SH_IDTR)
	KT_SET(KT_SH_NOTE)
	KT_SET(KT_SH_SITES)
	KT_SET(KT_SITE_RIP)
	KT_SET(KT_SITE_RESUME)
	KT_SET(KT_SITE_VECTOR)
	KT_SET(KT_SITE_ERROR)
	KT_SET(KT_SITE_ADDR)
	KT_SET(KT_SITE_COUNT)
	KT_SET(KT_SITE_SIZE)
	KT_SET(KT_PORT_END)
	KT_SET(KT_PORT_PANIC)
	KT_SET(KT_PORT_PACE)
	".macro kt_at offset\n"
	"	.org	100b + \\offset, 0x90\n"
	".endm\n"
	".macro kt_site nr\n"
	"	lea	KT_SH_SITES + \\nr * KT_SITE_SIZE(%r15), %r13\n"
	".endm\n"
	".macro kt_pace\n"
	"	out	%al, $KT_PORT_PACE\n"
	".endm\n"
	".macro kt_cpuids count\n"
	"102:	xor	%eax, %eax\n"
	"	xor	%ecx, %ecx\n"
	"	cpuid\n"
	"	dec	\\count\n"
	"	jnz	102b\n"
	".endm\n"
	".macro kt_end\n"
	"101:	out	%al, $KT_PORT_END\n"
	"	jmp	101b\n"
	".endm\n");
/* clang-format on */

#endif
