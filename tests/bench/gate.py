#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The lane "bench": what kvmtrace adds to an event must not grow.

usage: gate.py [--accept] [SERIES]...   --accept makes what was measured the figures of figures.txt:
                                        the commit that does so says why
"""
import os
import sys

import measure
import plan

FIGURES = os.path.join(plan.HERE, "figures.txt")
SERIES = ("6.1", "7.2")
MEM = 1024
# Over the figure of this very kernel; over the ratio to perf stat of another one of the series.
LIMIT, RATIO_LIMIT = 1.03, 1.06
HEADER = """# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# What the gate compares with: KERNEL FIGURE INSTRUCTIONS-ADDED RATIO-TO-PERF-STAT. "gate.sh --accept"
# writes it.
"""
# Name of a figure; the tool's title in gate-tools.list; which of its figures.
NAMES = {
    "exits": ("exits", "added"),
    "record": ("record", "added"),
    "exceptions": ("exceptions", "way"),
    "exceptions-reader": ("exceptions", "reader"),
    "exceptions-watching": ("exceptions-watching", "added"),
    "faults-hist": ("faults-hist", "added"),
}


def run(series):
    """The kernel, and name: (instructions added, ratio to perf stat)."""
    works = plan.read_works("gate-workloads.list")
    tools = plan.read_tools(works, "gate-tools.list")
    out = os.path.join(plan.BUILD, "tests", "bench", f"gate-{series}")
    lines = measure.boot(series, plan.lines(works.values(), tools), out, ("perf",), MEM)
    raw = measure.Raw(lines, out)
    peers = {t.works[0]: measure.figures(raw, t, works[t.works[0]])["added"]
             for t in tools if t.title == "perf stat"}
    found = {}
    for name, (title, which) in NAMES.items():
        tool = next(t for t in tools if t.title == title)
        work = tool.works[0]
        figures = measure.figures(raw, tool, works[work])
        figures["way"] = figures["added"] - figures["reader"]
        if figures["lost"]:
            raise measure.Failed(f"{title} lost {figures['lost']} events: no figure")
        found[name] = (figures[which], figures[which] / peers[work])
    return measure.read_all(os.path.join(out, "kernel")).strip(), found


def read_figures():
    kept = {}
    for line in measure.read_all(FIGURES).splitlines():
        if line.strip() and not line.startswith("#"):
            kernel, name, added, ratio = line.split()
            kept[kernel, name] = float(added), float(ratio)
    return kept


def write_figures(kept):
    with open(FIGURES, "w", encoding="utf-8") as file:
        file.write(HEADER)
        for (kernel, name), (added, ratio) in sorted(kept.items()):
            file.write(f"{kernel} {name} {added:.1f} {ratio:.4f}\n")


def of_series(kept, series, name):
    """The figure of another kernel of a series, the last one kept."""
    found = [value for (kernel, known), value in sorted(kept.items())
             if known == name and kernel.startswith(series + ".")]
    return found[-1] if found else None


def reason(kept, kernel, series, name, figure):
    """What is wrong with a figure, or None."""
    added, ratio = figure
    if (kernel, name) in kept:
        limit = kept[kernel, name][0] * LIMIT
        if added > limit:
            return (f"{added:.1f} instructions, {100 * (LIMIT - 1):.0f} % over the kept figure is "
                    f"{limit:.1f} (figures.txt; gate.sh --accept)")
        return None
    other = of_series(kept, series, name)
    if other is None:
        return f"figures.txt has no kernel of the series {series}: gate.sh --accept {series}"
    if ratio > other[1] * RATIO_LIMIT:
        return (f"{ratio:.3f} times what perf stat adds, kept is {other[1]:.3f} of another kernel; "
                f"at most {other[1] * RATIO_LIMIT:.3f} (figures.txt has none of {kernel})")
    return None


def measured(kept, series):
    """As run(). What is over its limit is measured once more: what else ran meanwhile only adds."""
    kernel, found = run(series)
    if any(reason(kept, kernel, series, name, figure) for name, figure in found.items()):
        print(f"bench: {series} once more", file=sys.stderr)
        again = run(series)[1]
        found = {name: min(figure, again[name]) for name, figure in found.items()}
    return kernel, found


def judge(kept, series, kernel, found):
    bad = 0
    for name, figure in found.items():
        why = reason(kept, kernel, series, name, figure)
        known = kept.get((kernel, name))
        print(f"{'not ok' if why else 'ok'} bench {name}-{series}")
        if why:
            print(f"  {why}")
            bad += 1
        said = f", kept {known[0]:.1f}" if known else ""
        print(f"bench: {kernel} {name}: {figure[0]:.1f}{said}", file=sys.stderr)
    return bad


def main(words):
    accept = words[:1] == ["--accept"]
    chosen = words[1:] if accept else words
    if any(series not in SERIES for series in chosen):
        print(__doc__.rpartition("usage:")[2].strip(), file=sys.stderr)
        return 2
    kept, bad = read_figures(), 0
    for series in chosen or SERIES:
        try:
            kernel, found = run(series) if accept else measured(kept, series)
        except measure.Failed as error:
            text = str(error).replace("\n", "\n  ")
            print(f"not ok bench boot-{series}\n  {text}")
            bad += 1
            continue
        print(f"ok bench boot-{series}")
        if accept:
            kept = {key: value for key, value in kept.items()
                    if not key[0].startswith(series + ".")}
            kept.update({(kernel, name): figure for name, figure in found.items()})
        bad += judge(kept, series, kernel, found)
        sys.stdout.flush()
    if accept and not bad:
        write_figures(kept)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
