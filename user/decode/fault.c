/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Guest memory faults: what their error code or exit qualification says. */
#include <stdio.h>
#include "decode.h"
#include "names.h"

#define BIT(n) (1ull << (n))

#define PF_PRESENT BIT(0)
#define PF_WRITE   BIT(1)
#define PF_USER	   BIT(2)
#define PF_FETCH   BIT(4)

#define EPT_WRITE      BIT(1)
#define EPT_FETCH      BIT(2)
#define EPT_PROT       (BIT(3) | BIT(4) | BIT(5) | BIT(6))
#define EPT_GVA_VALID  BIT(7)
#define EPT_TRANSLATED BIT(8)
#define EPT_GVA_INFO   (BIT(9) | BIT(10) | BIT(11))

static const struct kt_name pferr_bits[] = {
#define X KT_NAME_ENTRY
#include "tables/pferr.def"
#undef X
};

static const struct kt_name ept_bits[] = {
#define X KT_NAME_ENTRY
#include "tables/ept.def"
#undef X
};

/* Bits without a name are handed on as one number: a newer kernel or processor may know them. */
static void add_bits(const struct kt_name *table, size_t count, u64 bits, kt_name_fn add, void *ctx)
{
	char rest[24];

	for (size_t i = 0; i < count; i++) {
		if (bits & BIT(table[i].value))
			add(ctx, table[i].name);
		bits &= ~BIT(table[i].value);
	}
	if (bits) {
		snprintf(rest, sizeof(rest), "0x%llx", bits);
		add(ctx, rest);
	}
}

void kt_pferr_names(u64 error_code, kt_name_fn add, void *ctx)
{
	add(ctx, error_code & PF_PRESENT ? "present" : "not-present");
	if (!(error_code & (PF_WRITE | PF_FETCH)))
		add(ctx, "read");
	if (error_code & PF_WRITE)
		add(ctx, "write");
	if (error_code & PF_FETCH)
		add(ctx, "fetch");
	add(ctx, error_code & PF_USER ? "user" : "supervisor");
	error_code &= ~(PF_PRESENT | PF_WRITE | PF_FETCH | PF_USER);
	add_bits(pferr_bits, KT_ARRAY_SIZE(pferr_bits), error_code, add, ctx);
}

void kt_ept_names(u64 qualification, kt_name_fn add, void *ctx)
{
	bool valid = qualification & EPT_GVA_VALID;
	bool final = valid && (qualification & EPT_TRANSLATED);

	/* As KVM does (7.2, vmx.c): an entry that permits nothing is not present. */
	add(ctx, qualification & EPT_PROT ? "present" : "not-present");
	/* The SDM leaves bits 11:9 undefined unless 7 and 8 are set. */
	if (!final)
		qualification &= ~EPT_GVA_INFO;
	qualification &= ~(EPT_GVA_VALID | EPT_TRANSLATED);
	add_bits(ept_bits, KT_ARRAY_SIZE(ept_bits), qualification, add, ctx);
	if (valid)
		add(ctx, final ? "guest-final" : "guest-page");
}

void kt_fault_names(u32 isa, u32 exit_code, u64 error_code, kt_name_fn add, void *ctx)
{
	if (isa == KT_ISA_VMX && kt_exit_is_gpa_fault(isa, exit_code))
		kt_ept_names(error_code, add, ctx);
	else
		kt_pferr_names(error_code, add, ctx);
}

enum kt_access kt_pferr_access(u64 error_code)
{
	if (error_code & PF_WRITE)
		return KT_ACCESS_WRITE;
	return error_code & PF_FETCH ? KT_ACCESS_FETCH : KT_ACCESS_READ;
}

enum kt_access kt_ept_access(u64 qualification)
{
	/* Read and write together: a read-modify-write, or a page walk that sets A or D bits. */
	if (qualification & EPT_WRITE)
		return KT_ACCESS_WRITE;
	return qualification & EPT_FETCH ? KT_ACCESS_FETCH : KT_ACCESS_READ;
}

const char *kt_access_name(enum kt_access access)
{
	static const char *const names[] = {
		[KT_ACCESS_READ] = "read",
		[KT_ACCESS_WRITE] = "write",
		[KT_ACCESS_FETCH] = "fetch",
	};

	return (size_t)access < KT_ARRAY_SIZE(names) ? names[access] : "unknown";
}
