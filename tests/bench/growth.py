# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""How the cost of an exit grows with vCPUs, VMs and reasons (growth.list)."""
import os

import measure
import plan

FEW = 10
TOOL = ("exits", "kvmtrace exits", "all", "kvmtrace exits -o @OUT")
MEM = 2500


class Axis:
    def __init__(self, name, title, sizes, exits, command):
        self.name, self.title, self.command = name, title, command
        self.sizes, self.exits = [int(size) for size in sizes.split()], int(exits)

    def works(self):
        """Two for each size."""
        for size in self.sizes:
            for letter, count in (("a", FEW), ("b", FEW + self.exits // size)):
                command = self.command.replace("@K", str(size)).replace("@N", str(count))
                yield plan.Work(f"{self.name}-{size}-{letter}", self.title, "exit", command)


def read_axes():
    return [Axis(*words) for words in plan.rows("growth.list", 5)]


def point(raw, tool, axis, size):
    """Per exit, from the difference of the two runs."""
    first, second = (f"{axis.name}-{size}-{letter}" for letter in "ab")
    run, more = raw.runs[tool.name, first], raw.runs[tool.name, second]
    exits = raw.counts[second]["kvm_exit"] - raw.counts[first]["kvm_exit"]
    # A guest that says how long it ran spares us the noise of making and destroying a thousand vCPUs.
    spent, base = ("ran", "base_ran") if more["ran"] else ("busy", "base")
    added = (more[spent] - more[base]) - (run[spent] - run[base])
    for name in (first, second):
        log, tail = raw.texts(tool.name, name)
        got = measure.seen(raw.runs[tool.name, name], log, tail, None)
        if got is None or got < measure.ALL * raw.counts[name]["kvm_exit"]:
            raise measure.Failed(f"{name}: kvmtrace saw {got} exits: {log}{tail}")
    return {"bare": round((more[base] - run[base]) / exits, 1),
            "added": round(added / exits, 1),
            "reader": round(more["reader"] / 1e6, 1), "rss": more["rss"],
            "kernel": measure.kernel_kib(raw, more)}


def run(series):
    axes = read_axes()
    works = [work for axis in axes for work in axis.works()]
    group, title, sees, command = TOOL
    tool = plan.Tool(group, title, [work.name for work in works], sees, command)
    out = os.path.join(plan.BUILD, "tests", "bench", f"growth-{series}")
    raw = measure.Raw(measure.boot(series, plan.lines(works, [tool]), out, (), MEM), out)
    return {axis.name: {str(size): point(raw, tool, axis, size) for size in axis.sizes}
            for axis in axes}
