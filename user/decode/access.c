/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The access that caused an exit, from the exit's own information. */
#include "decode.h"
#include "names.h"

#define BIT(n) (1ull << (n))

#define VMX_CR_ACCESS	   28
#define VMX_IO_INSTRUCTION 30
#define VMX_MSR_READ	   31
#define VMX_MSR_WRITE	   32
#define VMX_EPT_VIOLATION  48
#define VMX_EPT_MISCONFIG  49
#define VMX_MSR_READ_IMM   84
#define VMX_MSR_WRITE_IMM  85

#define SVM_LAST_CR_WRITE 0x1f
#define SVM_CR0_SEL_WRITE 0x65
#define SVM_IOIO	  0x7b
#define SVM_MSR		  0x7c
#define SVM_NPF		  0x400

#define NO_GPR 0xff

/* Exit qualification for I/O instructions: SDM volume 3, "Exit qualification" tables. */
static void vmx_io(u64 q, struct kt_io_access *io)
{
	static const u8 sizes[8] = { [0] = 1, [1] = 2, [3] = 4 };

	io->size = sizes[q & 7];
	io->in = q & BIT(3);
	io->string = q & BIT(4);
	io->rep = q & BIT(5);
	io->port = (u16)(q >> 16);
}

/* EXITINFO1 for IOIO: APM volume 2, 15.10.2. Bits 4, 5, 6 are SZ8, SZ16, SZ32. */
static void svm_ioio(u64 info, struct kt_io_access *io)
{
	static const u8 sizes[8] = { [1] = 1, [2] = 2, [4] = 4 };

	io->size = sizes[info >> 4 & 7];
	io->in = info & BIT(0);
	io->string = info & BIT(2);
	io->rep = info & BIT(3);
	io->port = (u16)(info >> 16);
}

bool kt_exit_io(u32 isa, u32 code, u64 info1, struct kt_io_access *io)
{
	if (isa == KT_ISA_VMX && (code & VMX_BASIC_REASON) == VMX_IO_INSTRUCTION) {
		vmx_io(info1, io);
		return true;
	}
	if (isa == KT_ISA_SVM && code == SVM_IOIO) {
		svm_ioio(info1, io);
		return true;
	}
	return false;
}

/* Exit qualification for control-register accesses: type in bits 5:4. */
static void vmx_cr(u64 q, struct kt_cr_access *cr)
{
	static const char *const kinds[4] = { "mov", "mov", "clts", "lmsw" };
	unsigned int type = q >> 4 & 3;

	cr->cr = q & 0xf;
	cr->write = type != 1;
	cr->gpr = type < 2 ? q >> 8 & 0xf : NO_GPR;
	cr->kind = kinds[type];
}

/*
 * Bit 63 of EXITINFO1 says MOV, and then bits 3:0 which register (decode assists, APM volume 2,
 * 15.33). Without it CR0 may also have been accessed by CLTS, LMSW or SMSW, the others by MOV only.
 */
static void svm_cr(u32 code, u64 info, struct kt_cr_access *cr)
{
	bool mov = info & BIT(63);

	cr->cr = code == SVM_CR0_SEL_WRITE ? 0 : code & 0xf;
	cr->write = code > 0xf;
	cr->gpr = mov ? info & 0xf : NO_GPR;
	cr->kind = mov || cr->cr ? "mov" : "";
}

bool kt_exit_cr(u32 isa, u32 code, u64 info1, struct kt_cr_access *cr)
{
	if (isa == KT_ISA_VMX && (code & VMX_BASIC_REASON) == VMX_CR_ACCESS) {
		vmx_cr(info1, cr);
		return true;
	}
	if (isa == KT_ISA_SVM && (code <= SVM_LAST_CR_WRITE || code == SVM_CR0_SEL_WRITE)) {
		svm_cr(code, info1, cr);
		return true;
	}
	return false;
}

bool kt_exit_msr(u32 isa, u32 code, u64 info1, bool *write)
{
	if (isa == KT_ISA_VMX) {
		code &= VMX_BASIC_REASON;
		*write = code == VMX_MSR_WRITE || code == VMX_MSR_WRITE_IMM;
		return *write || code == VMX_MSR_READ || code == VMX_MSR_READ_IMM;
	}
	*write = info1 & 1;
	return isa == KT_ISA_SVM && code == SVM_MSR;
}

bool kt_exit_is_gpa_fault(u32 isa, u32 code)
{
	if (isa == KT_ISA_VMX) {
		code &= VMX_BASIC_REASON;
		return code == VMX_EPT_VIOLATION || code == VMX_EPT_MISCONFIG;
	}
	return isa == KT_ISA_SVM && code == SVM_NPF;
}
