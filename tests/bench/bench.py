#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Measures kvmtrace and its peers (README.md).

usage: bench.py [--again] [PART]...   parts: 6.1 7.2 growth-6.1 growth-7.2 format captures host; without: all.
    Prints RESULTS.md and keeps it with results.json, of which it is made. --again: from what the
    last boots left, without booting.
"""
import json
import os
import re
import subprocess
import sys

import captures
import formatting
import growth
import host
import measure
import plan
import render

RESULTS = os.path.join(plan.HERE, "results.json")
PAGE = os.path.join(plan.HERE, "RESULTS.md")
SERIES = ("6.1", "7.2")
PEERS = ("perf", "trace-cmd", "bpftrace")
MEM = 2500
# A figure within its noise of the one kept stays as it was, so that a rerun changes nothing. What
# depends on the instructions alone repeats within 0.5 %; "at least" is for figures near nothing.
NOISE = {"rss": 0.05, "start": 0.02, "idle": 0.5, "wakes": 0.5, "lost": 0.02, "reader": 0.02,
         "rate": 0.15, "ratios": 0.15, None: 0.005}
AT_LEAST = {"added": 3, "reader": 3, "idle": 20000, "wakes": 0.5, "rss": 200, "disk": 0.5,
            "lost": 100, "ratios": 0.1}
# Figures under names of their own.
NAMED = ("ratios", "bare")


def settle(old, new, field=None):
    """The new results, with the old figure wherever it differs by noise only."""
    if isinstance(new, dict):
        old = old if isinstance(old, dict) else {}
        return {key: settle(old.get(key), value, field if field in NAMED else key)
                for key, value in new.items()}
    if isinstance(new, (int, float)) and isinstance(old, (int, float)):
        noise = max(NOISE.get(field, NOISE[None]) * abs(old), AT_LEAST.get(field, 0))
        return old if abs(new - old) <= noise else new
    return new


def emulated(series):
    works = plan.read_works()
    tools = plan.read_tools(works)
    out = os.path.join(plan.BUILD, "tests", "bench", series)
    lines = measure.boot(series, plan.lines(works.values(), tools), out, PEERS, MEM)
    raw = measure.Raw(lines, out)
    return {
        "kernel": measure.read_all(os.path.join(out, "kernel")).strip(),
        "bare": measure.bare(raw, works.values()),
        "absent": {t.name: plan.reason(t) for t in tools if t.sees == "!"},
        "tools": {t.name: {w: measure.figures(raw, t, works[w]) for w in t.works}
                  for t in tools if t.sees != "!"},
    }


def versions():
    """Of the tools, as they call themselves."""
    for command in (["perf", "--version"], ["trace-cmd", "--version"], ["bpftrace", "--version"],
                    ["qemu-system-x86_64", "--version"]):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)
        found = re.search(r"version ([\w.]+)|v(\d[\w.]*)", done.stdout)
        name = "QEMU" if command[0].startswith("qemu") else command[0]
        yield f"{name} {(found[1] or found[2]) if found else '?'}"


def read_results():
    text = measure.read_all(RESULTS)
    return json.loads(text) if text else {"versions": [], "series": {}}


def save(results):
    with open(RESULTS, "w", encoding="utf-8") as file:
        json.dump(results, file, indent=1)
        file.write("\n")


def write_page(results):
    try:
        text = render.render(results, growth.read_axes())
    except KeyError as error:
        raise measure.Failed(f"results.json has no {error}: lists or programs have changed since; "
                             "run the other parts, too") from error
    with open(PAGE, "w", encoding="utf-8") as file:
        file.write(text)
    return text


def part(name, results):
    """Measures a part and puts it into the results."""
    series = results["series"]
    kind, _, number = name.rpartition("-")
    if name in SERIES:
        found = dict(series.get(name, {}))
        found.update(settle(found, emulated(name)))
        series[name] = found
    elif kind == "growth":
        found = series.setdefault(number, {})
        found["growth"] = settle(found.get("growth"), growth.run(number))
    else:
        results[name] = settle(results.get(name), {"format": formatting, "captures": captures, "host": host}[name].run())


def main(names):
    every = [*SERIES, *(f"growth-{series}" for series in SERIES), "format", "captures", "host"]
    measure.again = names[:1] == ["--again"]
    names = names[measure.again:]
    unknown = [name for name in names if name not in every]
    if unknown:
        print(__doc__.rpartition("usage:")[2].strip(), file=sys.stderr)
        return 2
    results = read_results()
    results["versions"] = list(versions())
    for name in names or every:
        print(f"bench: {name}", file=sys.stderr)
        part(name, results)
        save(results)
    print(write_page(results), end="")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except measure.Failed as error:
        print(f"bench: {error}", file=sys.stderr)
        sys.exit(1)
