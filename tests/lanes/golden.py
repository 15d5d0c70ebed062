#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Every output format, byte for byte but for times, pids and the widths of columns.

usage: golden.py [--write]   --write replaces the files of tests/golden: read the difference before
you believe it.
"""
import difflib
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
GOLDEN = os.path.join(ROOT, "tests", "golden")
BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(ROOT, "build")))
OUT = os.path.join(BUILD, "tests", "golden")
SERIES = "6.1"
FILES = ("exceptions.txt exceptions.csv exceptions.json exits.txt exits-by-vcpu.txt exits.csv "
         "exits.json faults.txt faults.csv faults.json faults-hist.txt faults-hist.csv "
         "vms.txt vms.csv vms.json").split()
# What differs from run to run. Numbers of digits differ, too, so blanks become one.
TEXT = (
    (r"\d\d:\d\d:\d\d\.\d{9}", "CLOCK"),
    (r"\b\d+(\.\d+)?(ns|us|ms|s)\b", "DURATION"),
    (r"\b\d+\.\d%", "SHARE"),
    (r"[▏▎▍▌▋▊▉█]+ *\|", "BAR|"),
    (r"\b(\d+,)*\d{3,5}(?=\s*$)", "TIDS"),
    (r"  +", " "),
)
JSON = (
    (r'"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z"', '"time":TIME'),
    (r'"(\w*_ns|tid|pid|rss_bytes)":\d+', r'"\1":N'),
    (r'"hist":\[[^}]*?\]\]', '"hist":HIST'),
    # QEMU's emulation leaves there what was injected last; the valid bit, 31, is not set.
    (r'"intr_info":"0x[0-9a-f]{1,3}"', '"intr_info":INVALID'),
)
# Columns of a csv file whose contents differ.
CSV = re.compile(r"time|.*_ns|tid|vm\.pid|hist|rss_bytes|vcpu_threads|cause\.intr_info")
# The order of these rows is a matter of time as well.
BY_TIME = ("exits.txt", "faults-hist.txt", "faults-hist.csv")


def boot():
    adds = []
    for folder in (os.path.join(BUILD, "tests", "guest"), os.path.join(HERE, "emulated")):
        adds += [os.path.join(folder, f) for f in sorted(os.listdir(folder))
                 if f.endswith(".sh") or (f.startswith("g_") and not f.endswith(".d"))]
    adds.append(os.path.join(BUILD, "kvmtrace"))
    command = [os.path.join(ROOT, "tests", "vm", "run.sh"), "--series", SERIES, "--icount",
               "--timeout", "60", "--out", OUT]
    for file in adds:
        command += ["--add", file]
    os.makedirs(OUT, exist_ok=True)
    for file in os.listdir(OUT):
        os.unlink(os.path.join(OUT, file))
    subprocess.run(command + ["--", "exec sh /w/job_golden.sh"], check=False, timeout=300,
                   stdout=sys.stderr)


def substitute(text, rules):
    for pattern, word in rules:
        text = re.sub(pattern, word, text, flags=re.M)
    return text


def same_bar_ranges(text):
    """Of a histogram only that it is there: which buckets are hit is a matter of time."""
    bar, gap = r" ?DURATION \.\.(?: DURATION)? \|.*\n", r" ?\.\. ?\n"
    return re.sub(f"^{bar}(?:{bar}|{gap})*", "HISTOGRAM\n", text, flags=re.M)


def plain_csv(text):
    rows = [line.split(",") for line in text.splitlines()]
    titles = rows[0]
    for row in rows[1:]:
        for i, title in enumerate(titles):
            if i < len(row) and CSV.fullmatch(title) and row[i]:
                row[i] = "X"
    return "\n".join(",".join(row) for row in rows) + "\n"


def plain_text(name, text):
    text = same_bar_ranges(substitute(text, TEXT))
    if name == "vms.txt":
        return re.sub(r"^(\d+) (.*) \S+ TIDS$", r"PID \2 RSS TIDS", text, flags=re.M)
    # The guests' names, and behind them a pid in tables.
    return re.sub(r"^(\S+(?: \(gone\))?) \d+ (\d+ #|[A-Z]+ \d|gpa )", r"\1 PID \2", text,
                  flags=re.M)


def sorted_rows(text):
    """The first table of it: the lines up to one that is empty, without the first."""
    head, *lines = text.split("\n")
    end = lines.index("") if "" in lines else len(lines)
    return "\n".join([head, *sorted(lines[:end]), *lines[end:]])


def normal(name, text):
    if name.endswith(".csv"):
        text = plain_csv(text)
    elif name.endswith(".json"):
        text = substitute(text, JSON)
    else:
        text = plain_text(name, text)
    return sorted_rows(text) if name in BY_TIME else text


def read(path):
    with open(path, encoding="utf-8", errors="backslashreplace") as file:
        return file.read()


def compare(name):
    try:
        got = normal(name, read(os.path.join(OUT, name + ".out")))
        want = read(os.path.join(GOLDEN, name))
    except (OSError, IndexError) as error:
        return [f"{type(error).__name__}: {error}"]
    if got == want:
        return []
    return list(difflib.unified_diff(want.splitlines(), got.splitlines(), "golden", "now",
                                     lineterm="", n=0))


def write():
    for name in FILES:
        with open(os.path.join(GOLDEN, name), "w", encoding="utf-8") as file:
            file.write(normal(name, read(os.path.join(OUT, name + ".out"))))


def main():
    boot()
    if sys.argv[1:] == ["--write"]:
        write()
        return
    for name in FILES:
        reasons = compare(name)
        print("not ok" if reasons else "ok", "golden", name)
        for reason in reasons[:20]:
            print("  " + reason[:1000])


if __name__ == "__main__":
    main()
