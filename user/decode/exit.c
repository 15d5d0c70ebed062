/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Exit reasons, by number. */
#include "decode.h"
#include "names.h"

#define VMX_HLT	     12
#define SVM_HLT	     0x78
#define SVM_IDLE_HLT 0xa6

static const struct kt_name vmx_flags[] = {
#define X KT_NAME_ENTRY
#include "tables/vmx_flag.def"
#undef X
};

static const char *const vmx_names[] = {
#define X KT_NAME_AT
#include "tables/vmx_exit.def"
#undef X
};

static const char *const svm_names[] = {
#define X KT_NAME_AT
#include "tables/svm_exit.def"
#undef X
};

static const char *const user_names[] = {
#define X KT_NAME_AT
#include "tables/user_exit.def"
#undef X
};

static const char *svm_high_name(u32 code)
{
	switch (code) {
#define X KT_NAME_CASE
#include "tables/svm_exit_high.def"
#undef X
	}
	return NULL;
}

const char *kt_isa_name(u32 isa)
{
	if (isa == KT_ISA_VMX)
		return "vmx";
	return isa == KT_ISA_SVM ? "svm" : "unknown";
}

const char *kt_exit_name(u32 isa, u32 code)
{
	if (isa == KT_ISA_VMX) {
		code &= VMX_BASIC_REASON;
		return code < KT_ARRAY_SIZE(vmx_names) ? vmx_names[code] : NULL;
	}
	if (isa != KT_ISA_SVM)
		return NULL;
	return code < KT_ARRAY_SIZE(svm_names) ? svm_names[code] : svm_high_name(code);
}

static void add_vmx_flags(struct kt_str *s, u32 flags)
{
	for (size_t i = 0; i < KT_ARRAY_SIZE(vmx_flags); i++) {
		u32 bit = 1u << vmx_flags[i].value;

		if (!(flags & bit))
			continue;
		kt_str_add_char(s, '|');
		kt_str_add(s, vmx_flags[i].name);
		flags &= ~bit;
	}
	if (flags) {
		kt_str_add_char(s, '|');
		kt_str_add_hex(s, flags);
	}
}

void kt_exit_add(struct kt_str *s, u32 isa, u32 code)
{
	const char *name = kt_exit_name(isa, code);

	if (!name) {
		kt_str_add_hex(s, code);
		return;
	}
	kt_str_add(s, name);
	if (isa == KT_ISA_VMX)
		add_vmx_flags(s, code & ~VMX_BASIC_REASON);
}

bool kt_exit_is_halt(u32 isa, u32 code)
{
	if (isa == KT_ISA_VMX)
		return (code & VMX_BASIC_REASON) == VMX_HLT;
	return isa == KT_ISA_SVM && (code == SVM_HLT || code == SVM_IDLE_HLT);
}

const char *kt_user_exit_name(u32 reason)
{
	return reason < KT_ARRAY_SIZE(user_names) ? user_names[reason] : NULL;
}
