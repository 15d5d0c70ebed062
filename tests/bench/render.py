# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""RESULTS.md of results.json: tables that a terminal of 110 columns shows as they are."""
import plan

HEAD = """# What kvmtrace costs, and its peers

Made by `make bench`; [README.md](README.md) says how, and what the columns are.
Tools: {tools}.
"""
SERIES_HEAD = """
## Debian {series}: Linux {kernel}, kvm_amd
"""
WIDTH = 110
RATIO = "x"
# Instructions an event that two runs of the same may differ by.
NONE = 10


def table(columns, lines):
    """A table in Markdown, aligned; the first column is text."""
    rows = [columns, *lines]
    widths = [max(len(row[i]) for row in rows) for i in range(len(columns))]

    def line(row):
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        return "| " + " | ".join(cells) + " |"

    rule = "|" + "|".join("-" * (widths[0] + 2) if not i else "-" * (width + 1) + ":"
                          for i, width in enumerate(widths)) + "|"
    text = [line(columns), rule, *(line(row) for row in lines)]
    if len(rule) > WIDTH:
        raise AssertionError(f"a table of {len(rule)} columns: {columns}")
    return "\n" + "\n".join(text) + "\n"


def count(value):
    return "?" if value is None else f"{value:,.0f}"


def ratio(value, reference):
    return f"{value / reference:.2f}" if reference > 0 else "-"


def nothing(value):
    """A difference that is none."""
    return 0 if abs(value) < NONE else value


def small(value):
    """A figure that may be nearly nothing."""
    return "-" if abs(value) < 0.5 else f"{value:,.1f}" if value < 10 else count(value)


def matrix(found, works, tools):
    """All tools of a group by all workloads."""
    lines = [["nothing: the guest itself", *(count(found["bare"][w]) for w in works)]]
    reference = found["tools"][tools[0].name]
    for tool in tools:
        figures = found["tools"].get(tool.name)
        if not figures or len(figures) < 2:
            continue
        cells = []
        for name in works:
            if name not in figures:
                cells.append("")
                continue
            added = nothing(figures[name]["added"])
            cell = count(added)
            if tool is not tools[0]:
                cell += f" {ratio(added, reference[name]['added']):>5}"
            else:
                cell += " " * 6
            cells.append(cell)
        lines.append([tool.title, *cells])
    return table(["added an event", *(works[name].title for name in works)], lines)


def measured(found, tools, work):
    """The tools that have figures of a workload, and these."""
    for tool in tools:
        figures = found["tools"].get(tool.name, {}).get(work.name)
        if figures:
            yield tool, figures


def detail(found, tools, work):
    """All figures of a group's tools at the workload it is about."""
    reference = found["tools"][tools[0].name][work.name]
    lines = []
    for tool, figures in measured(found, tools, work):
        events = figures["events"]
        lines.append([tool.title, count(figures["added"]),
                      ratio(figures["added"], reference["added"]),
                      count(figures["added"] - figures["reader"]), small(figures["reader"]),
                      f"{100 * figures['lost'] / events:.0f} %" if figures["lost"] else "0",
                      small(figures["ring"]), small(figures["disk"])])
    return table([f"{work.title}, an {work.event}" if work.event[0] in "aeiou"
                  else f"{work.title}, a {work.event}", "added", RATIO, "in its way", "reader",
                  "lost", "B ring", "B file"], lines)


def upkeep(found, tools, work):
    """What tools take that is no matter of events."""
    reference = found["tools"][tools[0].name][work.name]
    lines = []
    for tool, figures in measured(found, tools, work):
        lines.append([tool.title, f"{figures['start'] / 1e6:,.0f}",
                      ratio(figures["start"], reference["start"]),
                      f"{figures['rss'] / 1024:.1f}", ratio(figures["rss"], reference["rss"]),
                      count(figures["kernel"]), f"{figures['idle'] / 1000:,.0f}",
                      small(figures["wakes"])])
    return table(["attached, nothing happening", "start M", RATIO, "RSS MiB", RATIO,
                  "kernel KiB", "k/s idle", "wakes"], lines)


def growth(axes, found):
    text = ""
    for axis in axes:
        points = found.get(axis.name)
        if not points:
            continue
        first = points[str(axis.sizes[0])]
        lines = [[str(size), count(p["bare"]), count(p["added"]),
                  ratio(p["added"], first["added"]), f"{p['reader']:.1f}", f"{p['rss'] / 1024:.1f}",
                  count(p["kernel"])]
                 for size, p in ((size, points[str(size)]) for size in axis.sizes)]
        text += table([axis.title, "exit itself", "added", RATIO, "reader M", "RSS MiB", "kernel KiB"],
                      lines)
    return text


def emulated(series, found):
    works = plan.read_works()
    tools = plan.read_tools(works)
    text = SERIES_HEAD.format(series=series, kernel=found["kernel"])
    for group in plan.GROUPS:
        ours = [tool for tool in tools if tool.group == group and tool.sees != "!"]
        home = works[ours[0].works[0]]
        named = [name for name in works if any(name in t.works for t in ours)]
        text += f"\n### {group}\n"
        text += matrix(found, {name: works[name] for name in named}, ours)
        text += detail(found, ours, home)
        text += upkeep(found, ours, home)
        for tool in tools:
            if tool.group == group and tool.sees == "!":
                text += f"\n{tool.title}: not measured, {found['absent'][tool.name]}.\n"
    return text


def host(found):
    text = f"\n## A machine's own KVM: Linux {found['kernel']}, by the clock\n"
    for each in found["works"].values():
        lines = [[title, f"{value:.2f}" if value else "does not run"]
                 for title, value in each["ratios"].items()]
        text += table([f"{each['title']}, time of the guest", RATIO], lines)
    return text


def formatting(found):
    lines = [[kind, f"{each['rate'] / 1e6:.1f}", count(each["instructions"])]
             for kind, each in found.items()]
    return "\n## Lines of `kvmtrace exceptions`\n" + table(
        ["format", "M events a second", "instructions an event"], lines)


def captures(found):
    lines = [[title, f"{each['rate'] / 1e6:.2f}", f"{each['rss'] / 1024:.1f}", f"{each['disk']:.1f}"]
             for title, each in found.items()]
    return "\n## Reading captures\n" + table(
        ["command", "M events a CPU second", "RSS MiB", "B file"], lines)


def render(results, axes):
    text = HEAD.format(tools=", ".join(results["versions"]))
    for series, found in sorted(results["series"].items()):
        if "kernel" in found:
            text += emulated(series, found)
        if "growth" in found:
            text += f"\n### growth of `kvmtrace exits`, {series}\n" + growth(axes, found["growth"])
    if results.get("format"):
        text += formatting(results["format"])
    if results.get("captures"):
        text += captures(results["captures"])
    if results.get("host"):
        text += host(results["host"])
    return text
