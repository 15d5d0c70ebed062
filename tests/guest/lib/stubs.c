/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The guest code every scenario shares: the prelude, which touches all pages that exception delivery
 * needs so that no event is interrupted by a nested page fault later, and the IDT's entry points.
 */
#include "stubs.h"

/*
 * R14 is the scenario's entry. One read a page: GDT, IDT, TSS and the code; the stack and kt_shared are
 * written.
 */
__asm__(".pushsection .rodata.kt_guest, \"a\", @progbits\n"
	".balign 16\n"
	".globl kt_guest_prelude, kt_guest_prelude_end\n"
	"kt_guest_prelude:\n"
	"	mov	KT_GPA_GDT, %al\n"
	"	mov	KT_GPA_IDT, %al\n"
	"	mov	KT_GPA_TSS, %al\n"
	"	mov	(%r14), %al\n"
	"	push	%r14\n"
	"	movq	$0, KT_SH_IRQS(%r15)\n"
	"	ret\n"
	"kt_guest_prelude_end:\n"
	".popsection\n");

/*
 * An entry point every 16 bytes for vectors 0 to 31, then the interrupt's, then the common part.
 * The frame in common: 0 RAX, 8 vector, 16 error, 24 RIP, 32 CS, 40 RFLAGS, 48 RSP, 56 SS.
 */
__asm__(".pushsection .rodata.kt_guest, \"a\", @progbits\n"
	".balign 16\n"
	".globl kt_guest_stubs, kt_guest_stubs_end\n"
	"kt_guest_stubs:\n"
	".set vec, 0\n"
	".rept 32\n"
	"	.if !((KT_HAS_ERROR_CODE >> vec) & 1)\n"
	"	pushq	$0\n"
	"	.endif\n"
	"	pushq	$vec\n"
	"	jmp	kt_guest_common\n"
	"	.set vec, vec + 1\n"
	"	.org	kt_guest_stubs + 16 * vec, 0x90\n"
	".endr\n"
	"kt_guest_irq:\n"
	"	incq	KT_SH_IRQS(%r15)\n"
	"	test	%r12, %r12\n"
	"	jz	1f\n"
	"	push	%rax\n"
	"	push	%rcx\n"
	"	push	%rdx\n"
	"	mov	$0x80b, %ecx\n" /* x2APIC EOI */
	"	xor	%eax, %eax\n"
	"	xor	%edx, %edx\n"
	"	wrmsr\n"
	"	pop	%rdx\n"
	"	pop	%rcx\n"
	"	pop	%rax\n"
	"1:	iretq\n"
	"kt_guest_common:\n"
	"	push	%rax\n"
	"	mov	24(%rsp), %rax\n"
	"	cmp	KT_SITE_RIP(%r13), %rax\n"
	"	jne	3f\n"
	"	mov	8(%rsp), %rax\n"
	"	cmp	KT_SITE_VECTOR(%r13), %rax\n"
	"	jne	3f\n"
	"	cmp	$14, %rax\n"
	"	jne	1f\n"
	"	mov	%cr2, %rax\n"
	"	cmp	KT_SITE_ADDR(%r13), %rax\n"
	"	jne	3f\n"
	"1:	mov	16(%rsp), %rax\n"
	"	cmp	KT_SITE_ERROR(%r13), %rax\n"
	"	jne	3f\n"
	"	incq	KT_SITE_COUNT(%r13)\n"
	"	mov	KT_SITE_RESUME(%r13), %rax\n"
	"	mov	%rax, 24(%rsp)\n"
	"	pop	%rax\n"
	"	add	$16, %rsp\n"
	"	iretq\n"
	"3:	mov	24(%rsp), %rax\n"
	"	mov	%rax, KT_SH_BAD_RIP(%r15)\n"
	"	mov	8(%rsp), %rax\n"
	"	mov	%rax, KT_SH_BAD_VEC(%r15)\n"
	"	mov	16(%rsp), %rax\n"
	"	mov	%rax, KT_SH_BAD_ERR(%r15)\n"
	"	mov	%cr2, %rax\n"
	"	mov	%rax, KT_SH_BAD_CR2(%r15)\n"
	"4:	out	%al, $KT_PORT_PANIC\n"
	"	jmp	4b\n"
	"kt_guest_stubs_end:\n"
	".popsection\n");
