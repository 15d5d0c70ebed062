# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Events as the kernel's own tracepoints print them, 5.10 to 7.2 (arch/x86/kvm/trace.h and
include/trace/events/kvm.h), and as captures have them: both as tuples that can be compared."""
import re

VECTORS = {"#DE": 0, "#DB": 1, "#BP": 3, "#OF": 4, "#BR": 5, "#UD": 6, "#NM": 7, "#DF": 8,
           "#TS": 10, "#NP": 11, "#SS": 12, "#GP": 13, "#PF": 14, "#MF": 16, "#AC": 17, "#MC": 18}
# The flags that make these words.
MODES = {"real": 0, "vm16": 3, "prot16": 1, "prot32": 5, "prot64": 9}
MMIO = {"unsatisfied-read": 0, "read": 1, "write": 2}
NOT_INTERRUPTED = 0x7fffffff
EINTR = 4


def hexes(*texts):
    return tuple(int(text, 16) for text in texts)


def exit_text(isa, m):
    rip, info1, info2, event, error = hexes(*m.groups()[1:])
    valid = event > NOT_INTERRUPTED
    return (isa.words[m[1]], rip, info1, info2, *((event, error) if valid else (0, 0)))


def exit_event(e):
    return tuple(e[f] for f in ("reason", "rip", "info1", "info2", "intr_info", "error_code"))


def exception_text(_isa, m):
    return VECTORS[m[1]], int(m[2] or "0", 16), bool(m[3])


def exception_event(e):
    return e["vector"], e["error_code"] if e["flags"] & 1 else 0, bool(e["flags"] & 8)


# 5.10 has but the lower half of the error code. It is recorded as a whole.
def fault_text(_isa, m):
    return hexes(m[1], m[2][-8:])


def fault_event(e):
    return e["address"], e["error_code"] & 0xffffffff


def insn_text(_isa, m):
    return (*hexes(m[1], m[2]), bytes.fromhex(m[3]), MODES[m[4]], bool(m[5]))


def insn_event(e):
    return e["csbase"], e["rip"], e["insn"], e["flags"], bool(e["failed"])


def irq_text(_isa, m):
    return int(m[2], 0), m[1].startswith("Soft"), bool(m[3])


# A vCPU's reset asks for leaf 1 (svm_vcpu_reset() of 5.10): in the thread that makes the vCPU, whose own
# thread is the one that captures name.
def of_reset(key):
    return key[0] == 1 and not any(key[2:])


def user_text(_isa, m):
    return ("error", EINTR if m[1] == "restart" else int(m[2])) if m[1] in ("restart", "error") \
        else ("reason", int(m[2]))


def user_event(e):
    return ("error", -e["error"]) if e["error"] < 0 else ("reason", e["reason"])


def fields(*names):
    return lambda e: tuple(e[name] for name in names)


class Kind:
    """Tracepoints with the lines they print, and the events of a capture that are the same; elsewhere: of
    which tuples another thread may be noted."""

    def __init__(self, names, texts, of_event, elsewhere=lambda key: False):
        self.names, self.of_event, self.elsewhere = names, of_event, elsewhere
        self.texts = [(event, re.compile(pattern), of_text) for event, pattern, of_text in texts]


KINDS = {
    "exit": Kind(("exit",), [(
        "kvm_exit", r"vcpu \d+ reason (.+?) rip 0x(\w+) info1 0x(\w+) info2 0x(\w+) "
        r"intr_info 0x(\w+) error_code 0x(\w+)", exit_text)], exit_event),
    "exception": Kind(("exception",), [(
        "kvm_inj_exception", r"(#\w+)(?: \(0x(\w+)\))?( \[reinjected\])?$", exception_text)],
        exception_event),
    "fault": Kind(("fault",), [(
        "kvm_page_fault", r"(?:vcpu \d+ rip 0x\w+ )?address (?:0x)?(\w+) error_code (?:0x)?(\w+)$",
        fault_text)], fault_event),
    "msr": Kind(("msr",), [(
        "kvm_msr", r"msr_(read|write) (\w+) = 0x(\w+)( \(#GP\))?$",
        lambda _, m: (m[1] == "write", *hexes(m[2], m[3]), bool(m[4])))],
        fields("write", "index", "value", "failed")),
    "pio": Kind(("pio",), [(
        "kvm_pio", r"pio_(read|write) at 0x(\w+) size (\d+) count (\d+) val 0x(\w+) ",
        lambda _, m: (m[1] == "write", int(m[2], 16), int(m[3]), int(m[4]), int(m[5], 16)))],
        fields("write", "port", "size", "count", "value")),
    "mmio": Kind(("mmio",), [(
        "kvm_mmio", r"mmio ([-\w]+) len (\d+) gpa 0x(\w+) val 0x(\w+)$",
        lambda _, m: (MMIO[m[1]], int(m[2]), *hexes(m[3], m[4]))), (
        "kvm_fast_mmio", r"fast mmio at gpa 0x(\w+)$", lambda _, m: (3, 0, int(m[1], 16), 0))],
        fields("access", "size", "gpa", "value")),
    "cr": Kind(("cr",), [(
        "kvm_cr", r"cr_(read|write) (\w+) = 0x(\w+)$",
        lambda _, m: (m[1] == "write", *hexes(m[2], m[3])))], fields("write", "cr", "value")),
    "cpuid": Kind(("cpuid",), [(
        "kvm_cpuid", r"func (\w+) idx (\w+) rax (\w+) rbx (\w+) rcx (\w+) rdx (\w+), "
        r"cpuid entry (found|not found)(, used max basic)?$",
        lambda _, m: (*hexes(*m.groups()[:6]), m[7] == "found", bool(m[8])))],
        fields("function", "index", "eax", "ebx", "ecx", "edx", "found", "used_max_basic"), of_reset),
    "hypercall": Kind(("hypercall",), [(
        "kvm_hypercall", r"nr 0x(\w+) a0 0x(\w+) a1 0x(\w+) a2 0x(\w+) a3 0x(\w+)$",
        lambda _, m: hexes(*m.groups()))], fields("nr", "a0", "a1", "a2", "a3")),
    "emulate": Kind(("emulate",), [(
        "kvm_emulate_insn", r"(\w+):(\w+):([0-9a-f ]*) \((\w+)\)( failed)?$", insn_text)],
        insn_event),
    "irq": Kind(("inject_irq",), [(
        "kvm_inj_virq", r"(IRQ|irq|Soft/INTn) (\w+)( \[reinjected\])?$", irq_text)],
        fields("vector", "soft", "reinjected")),
    "userspace": Kind(("userspace_exit",), [(
        "kvm_userspace_exit", r"reason (\w+) \((\d+)\)$", user_text)], user_event),
    "halt": Kind(("wakeup", "halt_poll"), [(
        "kvm_vcpu_wakeup", r"(wait|poll) time (\d+) ns, polling (valid|invalid)$",
        lambda _, m: (m[1] == "wait", int(m[2]), m[3] == "valid")), (
        "kvm_halt_poll_ns", r"vcpu (\d+): halt_poll_ns (\d+) \((grow|shrink) (\d+)\)$",
        lambda _, m: (int(m[1]), int(m[2]), m[3] == "grow", int(m[4])))],
        lambda e: fields("waited", "duration", "valid")(e) if e["kind"] == "wakeup"
        else fields("vcpu_id", "poll_new", "grow", "poll_old")(e)),
}
