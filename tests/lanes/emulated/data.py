# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What a job left: guests' expectations, kvmtrace's JSON, and what other observers counted."""
import collections
import hashlib
import json
import os
import re

from capture import Capture


def read(folder, name):
    with open(os.path.join(folder, name), encoding="utf-8", errors="surrogateescape") as file:
        return file.read()


class Want:
    """The expectations of one guest program (tests/guest/README.md), which may run several VMs."""

    def __init__(self, folder, name, isa):
        self.name, self.isa = name, isa
        self.vcpus, self.expect, self.names = {}, [], {}
        self.done = 0
        for line in read(folder, name + ".want").splitlines():
            word, *rest = line.split(" ")
            keys = dict(pair.split("=", 1) for pair in rest if "=" in pair)
            if word == "vm":
                self.names[int(keys["pid"])] = keys["name"]
            elif word == "vcpu":
                self.vcpus[int(keys["pid"]), int(keys["vm"]), int(keys["vcpu"])] = int(keys["tid"])
            elif word == "expect":
                self.expect.append((rest[0], keys))
            elif word == "done":
                self.done += 1
            elif word == "host" and keys["isa"] != isa.name:
                raise ValueError(f"guest {name} ran on {keys['isa']}")
        self.pids = set(self.names)

    def of(self, kind):
        return [keys for word, keys in self.expect if word == kind]

    def total(self, kind, **filters):
        """Sum of the counts of those lines whose keys have these values."""
        return sum(int(k["count"]) for k in self.of(kind)
                   if all(k.get(name) == value for name, value in filters.items()))


class Trace:
    """The JSON lines of one kvmtrace, by type."""

    def __init__(self, text):
        self.records = [json.loads(line) for line in text.splitlines()]
        self.by_type = collections.defaultdict(list)
        for record in self.records:
            self.by_type[record["type"]].append(record)

    def __getitem__(self, kind):
        return self.by_type[kind]

    @property
    def summary(self):
        (summary,) = self["summary"]
        if self.records[-1] is not summary:
            raise ValueError("the summary is not the last record")
        return summary

    @property
    def lost(self):
        return self.summary["lost"]["total"]


class Job:
    """One boot's folder; what is read is kept."""

    def __init__(self, folder, isa, series=""):
        self.folder, self.isa, self.series = folder, isa, series
        self.cache = {}

    def want(self, name):
        key = "want", name
        if key not in self.cache:
            if self.text(name + ".ended").strip() != "0":
                raise ValueError(f"guest {name}: {self.text(name + '.guest').strip()}")
            self.cache[key] = self.begun(name)
            if not self.cache[key].done:
                raise ValueError(f"guest {name} did not finish")
        return self.cache[key]

    def begun(self, name):
        """Of a guest that need not have ended."""
        return Want(self.folder, name, self.isa)

    def parts(self):
        """The parts of the job that this lane has."""
        return self.text("parts").split()

    def trace(self, name):
        key = "trace", name
        if key not in self.cache:
            if self.status(name) != 0:
                raise ValueError(f"kvmtrace {name}: status {self.status(name)}, "
                                 f"{self.text(name + '.err').strip()}")
            self.cache[key] = Trace(self.text(name + ".out"))
        return self.cache[key]

    def text(self, name):
        return read(self.folder, name)

    def path(self, name):
        return os.path.join(self.folder, name)

    def exists(self, name):
        return os.path.exists(self.path(name))

    def checksum(self, name):
        with open(self.path(name), "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()

    def status(self, name):
        return int(self.text(name + ".status"))

    def perf(self):
        for line in self.text("perf.csv").splitlines():
            if line.endswith(",,") or ",kvm:kvm_exit," in line:
                return int(line.split(",")[0])
        raise ValueError("perf counted nothing: " + self.text("perf.csv"))

    def kernel(self, event):
        """The kernel's own lines of an event: how often which thread had it, and its text."""
        if "kernel" not in self.cache:
            self.cache["kernel"] = lines = collections.defaultdict(list)
            for line in self.text("tracefs").splitlines():
                first, second, rest = line.split(" ", 2)
                if first != "overrun":
                    name, _, text = rest.partition(": ")
                    lines[name].append((int(first), int(second), text))
                elif second != rest:
                    raise ValueError(f"tracefs has {second} of {rest} events")
        return self.cache["kernel"][event]

    def tracefs(self, event):
        """Counts by the kernel's word, of an event."""
        counts = collections.Counter()
        for count, _tid, text in self.kernel(event):
            if event == "kvm_exit":
                counts[re.search(r" reason (.+?) rip ", text)[1]] += count
            elif event == "kvm_inj_exception":
                counts["again" if "reinjected" in text else "first"] += count
            else:
                counts["all"] += count
        return counts

    def capture(self, name, end=".kvmtrace"):
        """As the second reader sees it."""
        key = "capture", name + end
        if key not in self.cache:
            self.cache[key] = Capture(self.path(name + end))
        return self.cache[key]

    def counted(self, name):
        """What perf counted, by event."""
        counts = {}
        for line in self.text(name + ".perf").splitlines():
            fields = line.split(",")
            if len(fields) > 2 and fields[2].startswith("kvm:"):
                counts[fields[2].removeprefix("kvm:")] = int(fields[0])
        return counts
