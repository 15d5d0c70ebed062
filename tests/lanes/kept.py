#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The captures of tests/store that emulated hosts made: as long as there is a kvmtrace it reads them, and
finds in them what is typed by hand here. Tests of the lane "cli".

usage: kept.py --write   makes them anew, which is for a version of the format that says other things
"""
import collections
import json
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "emulated"))
import elsewhere
from capture import Capture
from tests_record import one_event
from program import BUILD, GUESTS, KVMTRACE

STORE = os.path.join(HERE, "..", "store")
FILES = {"amd-5.10": ["--series", "5.10"], "intel-7.2": ["--intel", "--series", "7.2"]}
MOST_BYTES = 20480
# Codes by vendor: SVM's of AMD's manual, volume 2, appendix C; VMX's of Intel's, volume 3, appendix C.
CPUID, IO, RDMSR, WRMSR, HLT, UD, SHUTDOWN, CALL, CR = range(9)
CODES = {"amd": ("0x72", "0x7b", "0x7c", "0x7c", "0x78", "0x46", "0x7f", "0x81", "0x14"),
         "intel": ("0xa", "0x1e", "0x1f", "0x20", "0xc", "0x0", "0x2", "0x12", "0x1c")}
NAMES = {"amd": ("CPUID", "IOIO", "MSR", "MSR", "HLT", "EXCP_UD", "SHUTDOWN", "VMMCALL", "WRITE_CR4"),
         "intel": ("CPUID", "IO_INSTRUCTION", "MSR_READ", "MSR_WRITE", "HLT", "EXCEPTION_NMI",
                   "TRIPLE_FAULT", "VMCALL", "CR_ACCESS")}
# By guest (job_kept.sh, tests/guest/README.md): exits that are its own. Each guest but the last two ends by
# an OUT to port 0xf4. g_pf's OUTS is an exit of its own.
EXITS = (
    ("win11", RDMSR, 2), ("win11", WRMSR, 2), ("win11", IO, 1), ("g_cr", CR, 1), ("g_cr", IO, 1),
    ("g_pf", IO, 2), ("g_hypercall", CALL, 3), ("g_hypercall", IO, 1), ("g_iomix", IO, 5),
    ("g_npf", IO, 1), ("g_hlt", HLT, 2), ("g_hlt", IO, 1), ("g_emufail", CPUID, 3),
    ("g_triple", UD, 1), ("g_triple", SHUTDOWN, 1),
)
# Guest, vector, error code, RIP, address, MSR.
EXCEPTIONS = (
    ("win11", 13, "0x0", "0x201100", None, "0xdead"), ("win11", 13, "0x0", "0x201100", None, "0xdead"),
    ("win11", 13, "0x0", "0x201200", None, "0xdead"), ("win11", 13, "0x0", "0x201200", None, "0xdead"),
    ("g_cr", 13, "0x0", "0x201100", None, None),
    ("g_pf", 14, "0x2", "0x201100", "0x555555123", None),
    ("g_pf", 14, "0x3", "0x201200", "0x60000456", None),
    ("g_pf", 14, "0x0", "0x201300", "0x555555789", None),
    ("g_triple", 6, None, "0x201100", None, None),
)
PORTS = (
    ("g_iomix", "0x510", 1, 1), ("g_iomix", "0x514", 0, 4), ("g_iomix", "0x510", 1, 1),
    ("g_iomix", "0x514", 0, 4), ("g_iomix", "0xf4", 1, 1),
)
# 1: read, 2: write.
MMIO = (("0xd0000000", "0xcafe0000", 2), ("0xd0000008", "0xcafe0000", 1)) * 2
# splitmix64 of 1, 2, 3 and of what comes of these.
HYPERCALLS = (
    ("0x1", "0x910a2dec89025cc1", "0x5e41ab087439611e", "0xb18a02f46d8d86c3"),
    ("0x2", "0x975835de1c9756ce", "0x64684c4f0fd784b4", "0x1956ecd1a275ec95"),
    ("0x3", "0x1d0b14e4db018fed", "0xbccdfd9c96a18897", "0x546f36061b6b1313"),
)
# POPCNT (RSI), EAX; OUT; JMP; and what lies behind. 5.10 has no bytes.
POPCNT = {"amd-5.10": "", "intel-7.2": "f30fb806e6f4ebfc00000000000000"}


def lines(name, *args):
    """As a user who may do nothing."""
    with elsewhere.place() as folder:
        copy = elsewhere.take(folder, os.path.join(STORE, name + ".kvmtrace"))
        done = elsewhere.report(folder, copy, *args, "-f", "json")
    if done.returncode or done.stderr:
        raise ValueError(f"{args}: status {done.returncode}, {done.stderr!r}")
    return [json.loads(line) for line in done.stdout.decode().splitlines()]


def differ(what, have, want):
    if have != want:
        yield f"{what}: {have}, not {want}"


def exits(name):
    vendor = name.partition("-")[0]
    want = collections.Counter()
    for guest, which, count in EXITS:
        want[guest, CODES[vendor][which], NAMES[vendor][which]] += count
    *rows, summary = lines(name, "exits", "--by", "reason,vm")
    have = {(r["vm"]["name"], r["code"], r["reason"]): r["count"] for r in rows}
    for key, count in want.items():
        # On VMX NMIs have the code of #UD.
        yield from differ(f"exits {key}", have.get(key), count)
    yield from differ("exits", summary["exits"], sum(have.values()))
    yield from differ("lost", summary["lost"]["buffer"], 0)
    for r in rows:
        if r["reason"] == "HLT" and not (r["halt"] and 2e6 <= r["total_ns"] <= 20e6):
            yield f"two HLTs of 2 ms: {r}"


def exceptions(name):
    rows = [r for r in lines(name, "exceptions") if r["type"] == "exception"]
    have = [(r["vm"]["name"], r["vector"], r["error_code"], r["rip"], r["address"],
             r["cause"]["msr"]) for r in rows]
    yield from differ("exceptions", have, list(EXCEPTIONS))
    yield from differ("values", [r["cause"]["value"] for r in rows[:4]],
                      [None, None, "0x1122334455667788", "0x1122334455667788"])


def faults(name):
    rows = [r for r in lines(name, "faults") if r["type"] == "fault" and r["vm"]["name"] == "g_npf"]
    have = [(r["rip"], r["address"], [a for a in r["access"] if a in ("read", "write", "fetch")])
            for r in rows if int(r["address"], 16) >= 0x40000000]
    # 4 KiB apart read and written, 2 MiB apart read and written; see g_npf.c.
    yield from differ("RIPs", [rip for rip, _, _ in have],
                      ["0x201100", "0x201200", "0x201300", "0x201400"])
    yield from differ("access", [access for _, _, access in have],
                      [["read"], ["write"], ["read"], ["write"]])


def events(name):
    *rows, summary = lines(name, "events")
    by = collections.defaultdict(list)
    for r in rows:
        by[r["kind"]].append((r["vm"]["name"], r["fields"]))
    yield from differ("ports", [(vm, f["port"], f["write"], f["size"]) for vm, f in by["pio"]
                                if vm == "g_iomix"], list(PORTS))
    yield from differ("mmio", [(f["gpa"], f["value"], f["access"]) for vm, f in by["mmio"]
                               if vm == "g_iomix" and f["access"]], list(MMIO))
    yield from differ("hypercalls", [(f["a0"], f["a1"], f["a2"], f["a3"])
                                     for _, f in by["hypercall"]], list(HYPERCALLS))
    yield from differ("msr", [(f["index"], f["write"], f["failed"], f["value"])
                              for vm, f in by["msr"] if vm == "win11"],
                      [("0xdead", 0, 1, "0x0")] * 2 + [("0xdead", 1, 1, "0x1122334455667788")] * 2)
    # QEMU has no decode assists, so on AMD KVM emulates MOV to CR4 and raises no kvm_cr.
    yield from differ("cr", [(f["cr"], f["write"], f["value"]) for _, f in by["cr"]],
                      [] if name.startswith("amd") else [(4, 1, "0x8020")])
    yield from differ("cpuid", [f["function"] for vm, f in by["cpuid"]
                                if vm == "g_emufail" and f["found"]], ["0x0"] * 3)
    yield from differ("irq", [f["vector"] for _, f in by["inject_irq"]], ["0x40"] * 2)
    if len(by["wakeup"]) != 2 or any(not 1e6 < f["duration"] < 10e6 for _, f in by["wakeup"]):
        yield f"wake-ups: {by['wakeup']}"
    yield from differ("emulation failures", [(f["rip"], f["insn"]) for _, f in by["emulate"] if f["failed"]],
                      [("0x201100", "f30fb8")])
    last = {vm: f for vm, f in by["userspace_exit"]}
    yield from differ("g_emufail", [last["g_emufail"][key] for key in ("reason", "suberror", "insn")],
                      [17, 1, POPCNT[name]])
    yield from differ("g_triple", last["g_triple"]["reason_name"], "SHUTDOWN")
    yield from differ("lost", summary["lost"]["buffer"], 0)
    yield from differ("capture", summary["capture"]["closed"], True)


def second_reader(name):
    """Both readers find the same, field by field."""
    capture = Capture(os.path.join(STORE, name + ".kvmtrace"))
    said = [r for r in lines(name, "events") if r["type"] == "event"]
    if len(said) != capture.count or len(capture.data) > MOST_BYTES:
        yield f"{len(said)} events of {capture.count}; {len(capture.data)} bytes"
    for mine, theirs in zip(said, capture.events()):
        yield from one_event(capture, mine, theirs)


def summary(name):
    (total,) = lines(name)
    series = name.partition("-")[2]
    if not total["host"]["kernel"].startswith(series + "."):
        yield f"{total['host']}"
    yield from differ("VMs", {v["vm"]["name"] for v in total["vms"]}, {vm for vm, _, _ in EXITS})
    rules = {vm: {f["rule"] for f in total["findings"] if f["vm"]["name"] == vm} for vm in ("g_emufail", "g_triple")}
    yield from differ("findings", rules, {"g_emufail": {"internal-error", "emulation-failed"},
                                          "g_triple": {"shutdown"}})
    apart, = lines(name, "--reason", "shutdown,triple_fault")
    yield from differ("of exits alone", [(f["rule"], f["vm"]["name"], f["count"]) for f in apart["findings"]],
                      [("triple-fault", "g_triple", 1)])


def test(name):
    for part in (exits, exceptions, faults, events, second_reader, summary):
        yield from (f"{part.__name__}: {reason}" for reason in part(name))


TESTS = {"kept-" + name: lambda name=name: test(name) for name in FILES}


def make(name, options):
    adds = []
    for folder, end in ((GUESTS, ""), (os.path.join(HERE, "emulated"), ".sh")):
        for file in sorted(os.listdir(folder)):
            if file.endswith(end) and not file.endswith(".d") and not file.startswith("lib"):
                adds += ["--add", os.path.join(folder, file)]
    adds += ["--add", os.path.join(HERE, "emulated", "lib.sh"), "--add", KVMTRACE]
    with tempfile.TemporaryDirectory() as out:
        subprocess.run([os.path.join(HERE, "..", "vm", "run.sh"), *options, "--timeout", "120",
                        "--out", out, *adds, "--", "exec sh /w/job_kept.sh"], check=True, timeout=600)
        shutil.copy(os.path.join(out, "kept.kvmtrace"), os.path.join(STORE, name + ".kvmtrace"))
    os.chmod(os.path.join(STORE, name + ".kvmtrace"), 0o644)


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit(__doc__)
    for kept, with_options in FILES.items():
        make(kept, with_options)
