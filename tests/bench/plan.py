# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The lists of workloads and tools, and the plan that cost.c runs inside a host."""
import os
import re
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(ROOT, "build")))
# What cost.c counts, by the words of the lists.
EVENTS = {"exit": "kvm_exit", "exception": "kvm_inj_exception", "fault": "kvm_page_fault"}
GROUPS = {"exits": "kvm_exit", "exceptions": "kvm_inj_exception", "faults": "kvm_page_fault"}
# "!" is no tool but a reason, which COMMAND prints, why one cannot take part.
SEES = ("all", "none", "part", "?", "!")


class Work:
    def __init__(self, name, title, event, command):
        self.name, self.title, self.event, self.command = name, title, event, command
        self.counter = EVENTS[event]

    def line(self):
        return f"work\t{self.name}\t{self.command}\n"


class Tool:
    def __init__(self, group, title, works, sees, command):
        self.group, self.title, self.works = group, title, works
        self.sees, self.command = sees, command
        self.counter = GROUPS[group]
        self.name = re.sub(r"[^a-z0-9]+", "-", f"{group} {title}".lower()).strip("-")

    def line(self):
        return f"tool\t{self.name}\t{','.join(self.works)}\t{self.command}\n"


def rows(path, columns):
    with open(os.path.join(HERE, path), encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            words = [word.strip() for word in line.split(" | ", columns - 1)]
            if len(words) != columns or "\t" in line:
                raise SystemExit(f"{path}:{number}: wants {columns} columns and no tabs")
            yield words


def read_works(path="workloads.list"):
    return {words[0]: Work(*words) for words in rows(path, 4)}


def reason(tool):
    """What the command of a tool that cannot take part prints."""
    done = subprocess.run(["bash", "-c", tool.command], stdout=subprocess.PIPE, check=False,
                          stderr=subprocess.DEVNULL, text=True, timeout=30)
    return " ".join(done.stdout.split()) or "no reason found"


def read_tools(works, path="tools.list"):
    tools = []
    for group, title, names, sees, command in rows(path, 5):
        names = list(works) if names == "*" else names.split(",")
        unknown = [name for name in names if name not in works]
        if group not in GROUPS or unknown or sees not in SEES:
            raise SystemExit(f"{path}: {title}: group, workloads or SEES unknown")
        tool = Tool(group, title, names, sees, command)
        if tool.name in (other.name for other in tools):
            raise SystemExit(f"{path}: {title}: there are two")
        tools.append(tool)
    return tools


def lines(works, tools):
    return "".join(each.line() for each in [*works, *tools]
                   if not isinstance(each, Tool) or each.sees != "!")
