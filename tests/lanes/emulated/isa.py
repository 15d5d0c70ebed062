# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What the two vendors call and number differently. Names and numbers are those of Linux,
arch/x86/include/uapi/asm/svm.h and vmx.h, where those came from APM volume 2, appendix C, and SDM
volume 3, appendix "VMX basic exit reasons"."""
from types import SimpleNamespace

SVM = SimpleNamespace(
    name="svm",
    module="kvm_amd",
    # The kernel's words of kvm_exit. 7.2 has none for the -1 of an entry that failed.
    words={
        "cpuid": 0x72, "io": 0x7b, "msr": 0x7c, "hlt": 0x78, "UD excp": 0x46, "PF excp": 0x4e,
        "shutdown": 0x7f, "write_cr4": 0x14, "xsetbv": 0x8d, "npf": 0x400, "interrupt": 0x60,
        "nmi": 0x61, "smi": 0x62, "vintr": 0x64, "invalid_guest_state": 0xffffffff,
        "0xffffffff": 0xffffffff, "UNKNOWN": 0xffffffff, "hypercall": 0x81,
    },
    cpuid="0x72",
    hlt="0x78",
    io="IOIO",
    # Of these every one is a guest's own: CPUID, IOIO, MSR.
    own=("0x72", "0x7b", "0x7c"),
    fault=("NPF", "0x400"),
    # Without nested paging KVM handles the guest's own #PF instead.
    shadow_fault=("EXCP_PF", "0x4e"),
    nested=("NPF", "0x400"),
    # A fault line's key for the code that tells what the access was, and how much of that counts.
    fault_code=("error_code", 0xffffffffffffffff),
    # Of some exceptions' causes.
    info1={},
    intr_info={},
    sizes={"vcpus": 1024, "paced": 60000},
)

VMX = SimpleNamespace(
    name="vmx",
    module="kvm_intel",
    words={
        "EXCEPTION_NMI": 0, "EXTERNAL_INTERRUPT": 1, "TRIPLE_FAULT": 2, "INTERRUPT_WINDOW": 7,
        "CPUID": 10, "HLT": 12, "INVLPG": 14, "CR_ACCESS": 28, "IO_INSTRUCTION": 30,
        "MSR_READ": 31, "MSR_WRITE": 32, "EOI_INDUCED": 45, "VMCALL": 18, "EPT_VIOLATION": 48,
        "EPT_MISCONFIG": 49, "PREEMPTION_TIMER": 52, "XSETBV": 55, "APIC_WRITE": 56,
        # Bit 31 is for the failed entry.
        "INVALID_STATE FAILED_VMENTRY": 0x80000021, "INVALID_STATE|FAILED_VMENTRY": 0x80000021,
    },
    cpuid="0xa",
    hlt="0xc",
    io="IO_INSTRUCTION",
    own=("0xa", "0x1e", "0x1f", "0x20"),
    fault=("EPT_VIOLATION", "0x30"),
    shadow_fault=("EXCEPTION_NMI", "0x0"),
    nested=("EPT_VIOLATION", "0x30", "EPT_MISCONFIG", "0x31"),
    # Newer CPUs have more bits.
    fault_code=("qualification", 0x1ff),
    # Exit qualifications: of g_pf's OUTSB to port 0x510 (bit 4 is for string instructions), of
    # g_cr's MOV from RAX to CR4.
    info1={"IO_INSTRUCTION": "0x5100010", "CR_ACCESS": "0x4"},
    # Valid, a hardware exception, vector 6.
    intr_info={"EXCEPTION_NMI": "0x80000306"},
    sizes={"vcpus": 64, "paced": 400},
)

OF_LANE = {"amd": SVM, "intel": VMX}
