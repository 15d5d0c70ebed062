# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Boots an emulated host, has cost.c run a plan there, and makes figures of what it printed."""
import glob
import json
import os
import re
import shutil
import statistics
import subprocess
import sys

import plan

RUN = os.path.join(plan.ROOT, "tests", "vm", "run.sh")
GUEST_LIMIT = 100000  # s of virtual time, of which idleness takes most and costs nothing
BOOT_LIMIT = 1800  # s of real time
# What kernels do now and then, in the middle of whatever runs: DAMON's samples of memory (7.x), and
# giving back free pages of a CPU, each second.
CMDLINE = "damon_stat.enabled=0"
QUIET = "echo 1000000 >/proc/sys/vm/stat_interval"
# Before, "memlock" in fdinfo was a guess from the map's size (Linux 6.4, bpf_map_ops.map_mem_usage).
EXACT_MAPS = (6, 4)
# What has to be among the events of a tool, so that noise around a workload does not matter.
ALL = 0.99
# Fewer events than this are noise around a workload that is about something else.
FEW = 100
# Runs of a workload with nothing attached may differ by so much.
DRIFT = 0.03
ODD = 0.015  # further from the others, a run is not what it was made for


# Take what the last boot left, do not boot.
again = False


class Failed(RuntimeError):
    """No figures: what went wrong."""


def programs():
    """What goes into the host: kvmtrace, guests, tools that are installed here."""
    files = [os.path.join(plan.BUILD, "kvmtrace"), os.path.join(plan.BUILD, "tests/bench/cost")]
    files += [file for file in sorted(glob.glob(os.path.join(plan.BUILD, "tests/guest/g_*")))
              if not file.endswith(".d")]
    return files


def installed(names):
    for name in names:
        path = shutil.which(name)
        if not path:
            raise Failed(f"{name} is not here: tools/deps.sh bench")
        yield f"{os.path.realpath(path)}:/usr/bin/{name}"


def boot(series, text, out, peers, mem):
    """Runs the plan; returns the lines cost printed and leaves the tools' outputs in out."""
    if again:
        return read_all(os.path.join(out, "raw")).splitlines()
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    path = os.path.join(out, "plan")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    command = [RUN, "--series", series, "--mem", str(mem), "--icount", "--timeout",
               str(GUEST_LIMIT), "--cmdline", CMDLINE, "--out", out]
    for file in [path, *programs(), *installed(p for p in peers if p != "perf")]:
        command += ["--add", file]
    if "perf" in peers:
        command += ["--perf"]
    command += ["--", f"{QUIET}; uname -r >/out/kernel; exec cost -f plan"]
    lines = []
    with open(os.path.join(out, "stderr"), "w", encoding="utf-8") as errors, \
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as child:
        try:
            for line in child.stdout:
                lines.append(line.rstrip("\n"))
                print("  " + lines[-1][:150].expandtabs(1), file=sys.stderr, flush=True)
            status = child.wait(timeout=BOOT_LIMIT)
        except BaseException:
            child.terminate()
            raise
    if status or lines[-1:] != ["end"]:
        with open(os.path.join(out, "stderr"), encoding="utf-8", errors="replace") as file:
            raise Failed(f"{series}: cost ended with status {status}: {file.read()[-2000:]}")
    with open(os.path.join(out, "raw"), "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    return lines


def read_all(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def read_stat(path):
    """The words of /proc/PID/stat after the command's name, which may hold anything."""
    return read_all(path).rpartition(")")[2].split()


def kernel_kib(raw, run):
    """Of BPF and of rings; None where the kernel has no real figure for BPF maps."""
    found = re.match(r"(\d+)\.(\d+)", read_all(os.path.join(raw.out, "kernel")))
    exact = found and (int(found[1]), int(found[2])) >= EXACT_MAPS
    if run["bpf_after"] and not exact:
        return None
    return (run["bpf_after"] + run["rings"]) // 1024


def pairs(words):
    return {key: int(value) for key, value in (word.split("=") for word in words)}


class Raw:
    """What cost printed in one boot."""

    def __init__(self, lines, out):
        self.out = out
        self.counts, self.runs = {}, {}
        for line in lines:
            words = line.split("\t")
            if words[0] == "count":
                self.counts[words[1]] = pairs(words[2:])
            elif words[0] == "run":
                self.runs[words[1], words[2]] = pairs(words[3:])

    def middle(self, work):
        """What a workload takes with nothing attached: the run in the middle of all in this boot."""
        bases = [run["base"] for (_, name), run in self.runs.items() if name == work]
        base = statistics.median_low(bases)
        if sum(abs(one - base) > DRIFT * base for one in bases) > len(bases) // 4:
            raise Failed(f"{work} with nothing attached took {min(bases)} to {max(bases)}")
        return base

    def base(self, tool, work):
        """The same right before the tool ran: nearest to how the kernel was then. The kernel may have
        had something else to do, though (freeing the memory of the tool before)."""
        own, middle = self.runs[tool, work]["base"], self.middle(work)
        return own if abs(own - middle) <= ODD * middle else middle

    def texts(self, tool, work):
        path = os.path.join(self.out, f"{tool}.{work}")
        return read_all(path + ".log"), read_all(path + ".tail")


# ---- what tools say they have seen ----

def seen_kvmtrace(_log, tail):
    found = re.findall(r"^(\d+) (?:exits|exceptions|faults)\b", tail, re.M)
    if found:
        return int(found[-1])
    last = tail.rstrip("\n").rpartition("\n")[2]
    if '"type":"summary"' in last:
        summary = json.loads(last)
        return next(summary[k] for k in ("exits", "exceptions", "faults") if k in summary)
    return None


def seen_csv(log, _tail):
    found = re.search(r"^kvmtrace: summary: .*?\b(?:exits|exceptions|faults)=(\d+)", log, re.M)
    return int(found[1]) if found else None


def seen_record(log, _tail):
    found = re.search(r"^kvmtrace: recorded (\d+) events in ", log, re.M)
    return int(found[1]) if found else None


def seen_perf_stat(log, _tail):
    found = re.findall(r"^(\d+),,kvm:", log, re.M)
    return min(map(int, found)) if found else None


def seen_perf_live(log, _tail):
    found = re.findall(r"^Total Samples:(\d+)", log, re.M)
    return sum(map(int, found)) if found else None


def seen_bpftrace(log, _tail):
    found = re.findall(r"^[\[(].*[\])] +(\d+) \|", log, re.M)
    found += re.findall(r"^@\[\d+, \d+\]: (\d+)$", log, re.M)
    return sum(map(int, found)) if found else None


SEEN = (seen_record, seen_kvmtrace, seen_csv, seen_perf_stat, seen_perf_live, seen_bpftrace)


def seen(run, log, tail, lines):
    """Events that a tool has seen: as its file or ftrace counts them, or as it says."""
    if "records" in run:
        return run["records"]
    for find in SEEN:
        count = find(log, tail)
        if count is not None:
            return count
    return lines


def lost(run, log, tail):
    found = re.findall(r"^kvmtrace: recorded .*\bLOST (\d+)", log, re.M)
    found = found or re.findall(r"\bLOST (\d+)", tail)  # the last is the sum of those before
    if found:
        return int(found[-1])
    found = re.search(r'"lost":\{"total":(\d+)', tail) or re.search(r"\blost\.total=(\d+)", log)
    if found:
        return int(found[1])
    said = sum(map(int, re.findall(r"\b[Ll]ost (\d+) events", log)))
    return run.get("lost", 0) + said


def ring_and_disk(run, log, events):
    """Bytes an event takes on the ring and in the file."""
    found = re.search(r"(\d+) bytes in size(?: \((\d+) uncompressed\))?", log)  # trace-cmd
    if found:
        return int(found[2] or found[1]) / events, int(found[1]) / events
    disk = run["disk"] / events
    if "records" in run:  # perf record writes what was in its ring
        return disk, disk
    return run["ring"] / events, disk


def figures(raw, tool, work):
    """Everything about one tool and one workload, per event of the workload."""
    run = raw.runs[tool.name, work.name]
    units = raw.counts[work.name][work.counter]
    events = raw.counts[work.name][tool.counter]
    log, tail = raw.texts(tool.name, work.name)
    idle = run["idle"] * run["window"] / 1e9
    total = (run["busy"] - idle - raw.base(tool.name, work.name)) / units
    reader = max(0, run["reader"] - idle) / units
    missed = lost(run, log, tail)
    got = seen(run, log, tail, run["lines"] or None)
    if not run["attached"]:
        raise Failed(f"{tool.title}: it had ended before {work.name} began: {log[-500:]}")
    if tool.sees == "part" and got is not None:
        missed = max(0, events - got)
    if tool.sees == "all" and events >= FEW and (got is None or got + missed < ALL * events):
        raise Failed(f"{tool.title}: it saw {got} of {events} events of {work.name} and lost "
                     f"{missed}: {log[-500:]}{tail[-500:]}")
    if tool.sees == "none" and got:
        raise Failed(f"{tool.title}: it saw {got} events of {work.name}")
    ring, disk = ring_and_disk(run, log, events) if events >= FEW else (0, 0)
    return {"added": round(total, 1), "reader": round(reader, 1), "lost": missed,
            "events": events, "ring": round(ring, 1), "disk": round(disk, 1),
            "start": run["start"], "idle": run["idle"],
            "wakes": round(run["wakes"] / 5, 1), "rss": run["rss"],
            "kernel": kernel_kib(raw, run)}


def bare(raw, works):
    """What an event costs with nothing attached, the guest's start and end included."""
    return {w.name: round(raw.middle(w.name) / raw.counts[w.name][w.counter], 1) for w in works}
