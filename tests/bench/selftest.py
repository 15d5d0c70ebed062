#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Whether the bench reads what tools say, and the gate notices what it is there for: on made-up outputs.

usage: selftest.py   prints "ok bench selftest", or what is wrong
"""
import sys

import bench
import gate
import measure
import plan

HIST = """Attaching 2 probes...

@h[114]:
[2K, 4K)              24 |@@                                                  |
[4K, 8K)           49992 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@|
(..., 0)               1 |                                                    |
"""
LOST = "31465 exceptions; 3 re-injections not shown (--reinjected); LOST 8535: 8535 when a buffer"
SUMMARY = ('{"type":"exception","vector":13}\n'
           '{"type":"summary","exceptions":12702,"reinjected_hidden":6,"lost":{"total":27298}}\n')
# Log, tail, events seen, events lost.
SAID = {
    "exits, text": ("", "x\n50027 exits in 10.0s; without a time: 0\n", 50027, 0),
    "exceptions, text, lost": ("", LOST + "\n", 31465, 8535),
    "exceptions, json": ("", SUMMARY, 12702, 27298),
    "exceptions, csv": ("kvmtrace: summary: exceptions=40001 lost.total=7 by=\n", "", 40001, 7),
    "record": ("kvmtrace: recorded 50123 events in 3.21s: /tmp/o, 97.1KiB\n", "", 50123, 0),
    "record, lost": ("kvmtrace: recorded 9 events in 3.21s: /tmp/o, 97.1KiB; LOST 41: 41 when a\n", "x", 9, 41),
    "perf stat": ("50019,,kvm:kvm_exit,1,100.00,,\n50018,,kvm:kvm_entry,1,100.00,,\n", "",
                  50018, 0),
    "perf kvm stat live": ("Total Samples:1300, Total\n\nTotal Samples:8, Total\n", "", 1308, 0),
    "bpftrace, histogram": (HIST, "", 50017, 0),
    "bpftrace, counts": ("@[241, 13]: 40001\n", "", 40001, 0),
    "bpftrace, lost": ("Lost 12 events\n@[241, 13]: 5\n", "", 5, 12),
    "nothing": ("kvmtrace: tracing exits\n", "", None, 0),
}
KEPT = {("6.1.0-56-cloud-amd64", "exits"): (600.0, 0.8), ("7.2.1-cloud", "exits"): (500.0, 0.7)}
# Kernel, figure, whether it passes.
GATE = (
    ("6.1.0-56-cloud-amd64", (617.9, 9.9), True),
    ("6.1.0-56-cloud-amd64", (618.1, 0.1), False),
    ("6.1.0-56-cloud-amd64", (1.0, 0.1), True),
    ("6.1.0-57-cloud-amd64", (9999.0, 0.847), True),
    ("6.1.0-57-cloud-amd64", (1.0, 0.849), False),
)
# Field, kept, new, what stays.
SETTLE = (
    ("added", 600.0, 602.9, 600.0),
    ("added", 600.0, 603.1, 603.1),
    ("added", 5.0, 9.0, 9.0),
    ("start", 1000000, 1019000, 1000000),
    ("start", 1000000, 1021000, 1021000),
    ("kernel", "6.1.0-56", "6.1.0-57", "6.1.0-57"),
    ("rate", 1e6, 1.2e6, 1.2e6),
)


def raw(line):
    return measure.Raw(["count\tcpuid\tkvm_exit=1000\tkvm_inj_exception=0\tkvm_page_fault=9",
                        f"run\texits-x\tcpuid\t{line}"], "/nonexistent")


def figures(sees, line):
    work = plan.Work("cpuid", "CPUID loop", "exit", "g_cpuid")
    return measure.figures(raw(line), plan.Tool("exits", "x", ["cpuid"], sees, "x"), work)


def wrong():
    for name, (log, tail, events, lost) in SAID.items():
        found = measure.seen({}, log, tail, None), measure.lost({}, log, tail)
        if found != (events, lost):
            yield f"{name}: seen and lost {found}, not {(events, lost)}"
    for kernel, figure, passes in GATE:
        why = gate.reason(KEPT, kernel, "6.1", "exits", figure)
        if (why is None) != passes:
            yield f"gate of {kernel} {figure}: {why}"
    if gate.reason(KEPT, "6.12.1", "6.12", "exits", (1.0, 0.1)) is None:
        yield "gate of a series without figures passes"
    for field, old, new, stays in SETTLE:
        if bench.settle({field: old}, {field: new}) != {field: stays}:
            yield f"settle {field} {old} {new}: not {stays}"
    # 1,000 events: 5,000,000 with nothing, 5,700,000 with the tool, of which 100,000 its own and
    # 200,000 those it takes in two seconds anyway.
    line = "\t".join(("base=5000000", "start=7", "idle=100000", "wakes=10", "attached={}",
                      "bpf=0", "rings=0", "elapsed=1", "busy=5900000", "window=2000000000",
                      "reader=300000", "bpf_after=4096", "ring=64000", "rss=3000", "status=0",
                      "disk=103000", "lines={}"))
    found = figures("all", line.format(1, 1000))
    want = {"added": 700.0, "reader": 100.0, "ring": 64.0, "disk": 103.0, "wakes": 2.0, "kernel": None}
    if any(found[key] != value for key, value in want.items()):
        yield f"figures: {found}"
    for name, args in (("a tool that has seen too little", ("all", line.format(1, 900))),
                       ("a tool that had ended", ("all", line.format(0, 1000))),
                       ("a filter that let something through", ("none", line.format(1, 1000)))):
        try:
            figures(*args)
            yield f"{name} gives figures"
        except measure.Failed:
            pass


def main():
    reasons = list(wrong())
    print(f"{'not ok' if reasons else 'ok'} bench selftest")
    for reason in reasons:
        print(f"  {reason}")
    return 1 if reasons else 0


if __name__ == "__main__":
    sys.exit(main())
