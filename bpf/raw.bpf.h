/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Records of classic tracepoints, as /sys/kernel/tracing/events/kvm/NAME/format lays them out. Far
 * more stable than the prototypes: the same from 5.10 to 7.2, fields are only appended. user/live
 * compares them with the running kernel's format files before it attaches anything.
 */
#ifndef KT_RAW_BPF_H
#define KT_RAW_BPF_H

#include "vmlinux.h"

struct kt_raw_kvm_exit {
	u64 common;
	u32 exit_reason;
	u64 guest_rip;
	u32 isa;
	u64 info1;
	u64 info2;
	u32 intr_info;
	u32 error_code;
	u32 vcpu_id;
};

struct kt_raw_kvm_emulate_insn {
	u64 common;
	u64 rip;
	u32 csbase;
	u8 len;
	u8 insn[15];
	u8 flags;
	u8 failed;
};

/* Before faa03b39722a (6.1). The upper half of a 64-bit error code is lost here. */
struct kt_raw_kvm_page_fault_old {
	u64 common;
	u64 fault_address;
	u32 error_code;
};

/* 6.1 and later; before faa03b39722a it had neither vcpu_id nor guest_rip. */
struct kt_raw_kvm_page_fault {
	u64 common;
	u32 vcpu_id;
	u64 guest_rip;
	u64 fault_address;
	u64 error_code;
};

/* Arguments of a raw tracepoint. */
struct kt_raw_args {
	u64 args[8];
};

#endif
