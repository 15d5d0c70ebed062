#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Tests the tests: check.py with outputs made up here, verify with what it said of selftest.bpf.c.

usage: selftest.py [HOST=FILE]...   FILE: verify's words of selftest.bpf.o on that host
"""
import os
import re
import sys
import tempfile

import check

BASELINE = """# made by hand
# box: kernel 1.0
box clang-1 a 1000
box clang-1 b 100
box clang-1 c unsupported
box clang-2 a 7
"""
GOOD = """object clang-1.bpf.o kernel 1.0
a ok insns=1000 states=3
b ok insns=100 states=1
c unsupported no BTF
end programs=3
"""

# What is changed in GOOD, what must be said: nothing, or words of a line each.
CASES = [
    ((), ()),
    (("a ok insns=1000", "a ok insns=1200"), ()),
    (("a ok insns=1000", "a ok insns=1201"), ("clang-1 a: 1201", "20 % over the baseline's 1000")),
    (("b ok insns=100", "b ok insns=150"), ()),
    (("b ok insns=100", "b ok insns=151"), ("clang-1 b: 151", "51 % over the baseline's 100")),
    (("a ok insns=1000", "a ok insns=10"), ()),
    (("kernel 1.0", "kernel 2.0"), ()),
    (("kernel 1.0\na ok insns=1000", "kernel 2.0\na ok insns=9000"),
     ("clang-1 a: 9000", "kernel 2.0, the baseline's was 1.0", "--write box")),
    (("a ok insns=1000 states=3", "a refused EACCES: R0\n  | 1: r0"),
     ("clang-1 a: the verifier refuses it: EACCES: R0",)),
    (("a ok insns=1000 states=3", "a unsupported no luck"),
     ("clang-1 a: could not be loaded (no luck)",)),
    (("c unsupported no BTF", "c ok insns=5 states=0"), ("clang-1 c: loads with 5",)),
    (("c unsupported no BTF", "c refused EPERM: no"), ("clang-1 c: the verifier refuses it",)),
    (("end programs=3", "d ok insns=5 states=0\nend programs=4"),
     ("clang-1 d: is not in the baseline", "--write box")),
    (("b ok insns=100 states=1\n", ""), ("2 programs, but 'end programs=3'",)),
    (("b ok insns=100 states=1\nc unsupported no BTF\nend programs=3", "end programs=1"),
     ("clang-1 b: is in the baseline", "clang-1 c: is in the baseline")),
    (("end programs=3\n", ""), ("ended too soon, after 3",)),
    ((GOOD, ""), ("nothing was verified",)),
    (("a ok insns=1000 states=3", "a ok"), ("cannot be read: 'a ok'",)),
    (("a ok insns=1000 states=3", "\x1b[2J\xff"), ("cannot be read",)),
    (("object clang-1.bpf.o kernel 1.0\n", ""), ("belongs to no object",)),
    (("clang-1.bpf.o", "clang-3.bpf.o"), ("clang-3 a: is not in the baseline",)),
]


def put(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def judged(folder):
    baseline = put(folder, "baseline", BASELINE)
    for change, words in CASES:
        text = GOOD.replace(*change) if change else GOOD
        if change and text == GOOD:
            yield f"{change}: changes nothing"
        said = "\n".join(check.reasons("box", [put(folder, "output", text)], baseline))
        for word in words:
            if word not in said:
                yield f"{change}: {word!r} is not in {said!r}"
        if said and not words:
            yield f"{change}: says {said!r}"


def written(folder):
    """--write replaces one compiler's lines, and makes no baseline of what is refused."""
    baseline = put(folder, "baseline", BASELINE)
    jump = put(folder, "output", GOOD.replace("1000", "5000"))
    check.write("box", [jump], baseline)
    if check.reasons("box", [jump], baseline):
        yield "what was written is not what is wanted"
    with open(baseline, encoding="utf-8") as file:
        lines = file.read().splitlines()[1:]
    if lines != ["# box: kernel 1.0", "box clang-1 a 5000", "box clang-1 b 100",
                 "box clang-1 c unsupported", "box clang-2 a 7"]:
        yield f"writes {lines}"
    for bad in (GOOD.replace("a ok insns=1000 states=3", "a refused EACCES: R0"),
                GOOD.replace("end programs=3\n", "")):
        try:
            check.write("box", [put(folder, "output", bad)], baseline)
            yield f"makes a baseline of {bad!r}"
        except check.Bad:
            pass


def checker():
    with tempfile.TemporaryDirectory() as folder:
        yield from judged(folder)
        yield from written(folder)


# Of selftest.bpf.c; the same on every host, but for the target that lies in no kernel's BTF.
VERDICTS = {
    "good": r"ok insns=1[0-9] states=\d+",
    "good_btf": r"ok insns=2 states=\d+",
    "unchecked": r"refused EACCES: R0 invalid mem access 'map_value_or_null'",
    "setting_unchecked": r"refused EACCES: R0 invalid mem access 'map_value_or_null'",
    "no_field": r"refused EINVAL: failed to resolve CO-RE relocation .*kt_no_such_field.*",
    "no_helper": r"unsupported no helper unknown \(9999\)",
    "no_event": r"refused ESRCH: .*failed to find kernel BTF type ID of 'kvm_no_such_event'.*",
}
WITHOUT_MODULE_BTF = {"no_event": r"unsupported no BTF of the kvm module"}
HOSTS_WITHOUT = ("amd-5.10", "intel-5.10")


def one_host(host, path):
    lines = [line for line in check.read_lines(path) if not line.startswith("  | ")]
    want = {**VERDICTS, **(WITHOUT_MODULE_BTF if host in HOSTS_WITHOUT else {})}
    if len(lines) != 2 + len(want) or lines[-1] != f"end programs={len(want)}":
        yield f"{host}: {len(lines)} lines: {lines}"
    said = dict(line.split(" ", 1) for line in lines[1:-1])
    for name, pattern in want.items():
        if not re.fullmatch(pattern, said.get(name, "")):
            yield f"{host}: {name}: says {said.get(name)!r}"


def verify(files):
    if not files:
        yield "was run on no host"
    for pair in files:
        yield from one_host(*pair.split("=", 1))


def report(name, test):
    try:
        found = list(test)
    except (OSError, ValueError, TypeError) as error:
        found = [f"{type(error).__name__}: {error}"]
    print("not ok" if found else "ok", "verifier", name)
    for line in found[:10]:
        print("  " + line.encode("unicode_escape").decode()[:600])


if __name__ == "__main__":
    report("checker", checker())
    report("verify", verify(sys.argv[1:]))
