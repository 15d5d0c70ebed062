# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""kvmtrace report: captures of tests/report/capture.c, whose numbers are typed by hand here. Tests of
the lane "cli"."""
import csv
import io
import json
import os
import re
import resource
import subprocess
import tempfile

from program import BUILD, KVMTRACE, one_line, run

CAPTURE = os.path.join(BUILD, "tests", "report", "capture")
FOLDER = tempfile.TemporaryDirectory()
UTC = {**os.environ, "TZ": "UTC0"}


def capture(name):
    path = os.path.join(FOLDER.name, name)
    if not os.path.exists(path):
        subprocess.run([CAPTURE, name, path], check=True, timeout=60)
    return path


def report(name, *args, status=0):
    """What it prints of a capture; it has to end like that."""
    done = run("report", capture(name), *args, env=UTC)
    if done.returncode != status:
        raise ValueError(f"{args}: status {done.returncode}, {done.err!r}")
    return done


def records(name, *args):
    return [json.loads(line) for line in report(name, *args, "-f", "json").out.splitlines()]


def differ(what, have, want):
    if have != want:
        yield f"{what}: {have!r}, not {want!r}"


LOST = {"total": 12, "buffer": 12, "missed": 0, "vcpu_capacity": 0, "histogram_capacity": 0,
        "region_capacity": 0, "cpus": [{"cpu": 2, "count": 12}]}
WHOLE = {"complete": True, "closed": True, "missing": 0, "gaps": 0, "gap_bytes": 0, "tail_bytes": 0}


def exits():
    *rows, summary = records("story", "exits")
    by = {row["reason"]: row for row in rows}
    yield from differ("reasons", [row["reason"] for row in rows], ["MSR", "CPUID", "IOIO", "HLT"])
    # Four of 100, 200, 300 and 400 ns; the fifth was still handled at the end.
    want = {"count": 5, "timed": 4, "unpaired": 0, "total_ns": 1000, "min_ns": 100, "max_ns": 400,
            "mean_ns": 250, "stddev_ns": 112, "interval_ns": 10000000000, "vcpu": None,
            "time": "2026-01-31T14:03:30.000000000Z", "vm": {"pid": 4711, "name": "win11"}}
    yield from differ("CPUID", {key: by["CPUID"][key] for key in want}, want)
    # Buckets are eighths of a power of two.
    yield from differ("hist", by["CPUID"]["hist"],
                      [[96, 104, 1], [192, 208, 1], [288, 320, 1], [384, 416, 1]])
    yield from differ("IOIO", [by["IOIO"][key] for key in ("count", "timed", "unpaired", "p50_ns")],
                      [1, 0, 1, None])
    yield from differ("HLT", [by["HLT"][key] for key in ("halt", "total_ns")], [True, 1200000000])
    yield from differ("summary", summary,
                      {"type": "summary", "exits": 8, "unpaired_exits": 1, "unfinished_exits": 1,
                       "unpaired_entries": 3, "duration_ns": 10000000000, "lost": LOST,
                       "capture": WHOLE})


def exits_by_vcpu():
    rows = records("story", "exits", "--by", "vcpu")[:-1]
    yield from differ("rows", [(r["vcpu"], r["reason"], r["count"]) for r in rows],
                      [(0, None, 6), (1, None, 1), (1, "HLT", 1)])


def intervals():
    """By the end of each exit: CPUID in the first two seconds, HLT and IOIO in the second …"""
    rows = records("story", "exits", "-i", "2")[:-1]
    have = [(r["time"][17:19], r["interval_ns"], r["reason"], r["count"]) for r in rows]
    yield from differ("rows", have, [("22", 2000000000, "CPUID", 4), ("24", 2000000000, "IOIO", 1),
                                     ("24", 2000000000, "HLT", 1), ("30", 2000000000, "MSR", 1),
                                     ("30", 2000000000, "CPUID", 1)])


def exceptions():
    *rows, summary = records("story", "exceptions")
    yield from differ("types", [row["type"] for row in rows], ["exception"] * 3 + ["lost"])
    first = rows[0]
    yield from differ("first", [first["time"], first["vcpu"], first["name"], first["cause"]["msr"]],
                      ["2026-01-31T14:03:23.000000100Z", 0, "#GP", "0xdead"])
    yield from differ("lost", rows[3], {"type": "lost", "time": "2026-01-31T14:03:23.800000000Z",
                                        "ts_ns": 1003800000000, "cpu": 2, "count": 12})
    yield from differ("summary", [summary[key] for key in ("exceptions", "reinjected_hidden",
                                                           "unknown_vcpu", "lost", "capture")],
                      [3, 1, 2, LOST, WHOLE])
    rows = records("story", "exceptions", "--reinjected")
    yield from differ("re-injected", [row.get("vector") for row in rows[:4]], [13, 13, 13, 14])
    yield from differ("--vector", records("story", "exceptions", "--vector", "pf")[-1]["exceptions"], 0)


def faults():
    *rows, summary = records("story", "faults")
    yield from differ("rows", [(r["type"], r.get("address"), r.get("duration_ns")) for r in rows],
                      [("fault", "0xd0000000", 100), ("fault", "0xd01fffff", 300),
                       ("fault", "0xd0200000", None), ("lost", None, None)])
    yield from differ("summary", summary["faults"], 3)
    rows = [r for r in records("story", "faults", "--hist") if r["type"] == "faults"]
    have = [(r["address"], r["count"], r["timed"], r["total_ns"], r["read"], r["write"], r["hist"])
            for r in rows]
    # Quarters of a power of two.
    yield from differ("regions", have, [("0xd0000000", 2, 2, 400, 1, 1, [[96, 112, 1], [256, 320, 1]]),
                                        ("0xd0200000", 1, 0, 0, 0, 1, [])])


KINDS = ("exit exit exit exit fault fault fault exit msr exception exception exception exception exit "
         "lost exit emulate userspace_exit exit").split()


def events():
    *rows, summary = records("story", "events")
    yield from differ("kinds", [row["kind"] for row in rows], KINDS)
    times = [row["ts_ns"] for row in rows]
    yield from differ("order", times, sorted(times))
    yield from differ("count", [summary["events"], summary["lost"]["total"]], [18, 12])
    lines = report("story", "events").out.splitlines()
    yield from differ("HLT", lines[7], "14:03:22.000000000 win11 vcpu1 cpu3 exit HLT rip=0x1000 "
                                       "info1=0x0 info2=0x0 took 1.20s")
    yield from differ("MSR", lines[8], "14:03:23.000000000 win11 vcpu0 cpu2 msr RDMSR 0xdead (unknown "
                                       "MSR) refused: #GP")
    rows = list(csv.DictReader(io.StringIO(report("story", "events", "-f", "csv").out)))
    yield from differ("csv", [row["kind"] for row in rows], KINDS)
    yield from differ("csv details", rows[16]["details"],
                      "rip=0x7000 flags=0x0 insn=0f ae (not emulated)")


# What is lost, at 3.8 s, is nobody's, so no other filter leaves it out.
FILTERS = (
    (["--from", "9"], "emulate userspace_exit exit"),
    (["--from", "14:03:29", "--to", "14:03:29.5"], "emulate userspace_exit"),
    (["--from", "2026-01-31T14:03:29.05Z"], "userspace_exit exit"),
    (["--to", "1.1"], "exit exit exit exit"),
    (["--reason", "HLT", "--to", "3.8"], "exit"),
    (["--reason", "npf", "--to", "3.8"], "fault fault fault"),
    (["--vector", "gp", "--to", "3.8"], "exception exception exception"),
    (["--vcpu", "1", "--from", "4"], "emulate userspace_exit"),
    (["--vm", "win*", "--from", "9"], "emulate userspace_exit exit"),
    (["--vm", "linux", "--from", "9"], ""),
    (["-p", "4711", "--from", "9.5"], "exit"),
    (["-p", "4712"], "lost"),
    (["--where", "failed == true"], "msr lost emulate"),
    (["--where", "kind == exit and duration >= 400 and duration < 2000000000"], "exit exit lost"),
    (["--where", "userspace_exit.reason == INTERNAL_ERROR"], "lost userspace_exit"),
)


def filters():
    for args, want in FILTERS:
        rows = records("story", "events", *args)
        yield from differ(args, " ".join(row["kind"] for row in rows[:-1]), want)


def summary_text():
    out = report("story").out
    lines = out.splitlines()
    if len(lines) > 24 or max(map(len, lines)) > 80:
        yield f"{len(lines)} lines, of up to {max(map(len, lines))} columns"
    for words in ("18 events, by kvmtrace 0.1.0", "Linux 6.1.0-26-amd64, AMD EPYC 7763",
                  "2026-01-31 14:03:20.000 for 10.0s, 1 VM", "MSR ", "after RDMSR 0xdead (unknown MSR)",
                  "gpa 0xd0000000", "! win11: KVM internal error, suberror 1 (emulation failed), 14:03:29.100",
                  "! win11: not emulated: the instruction at rip 0x7000", "LOST 12"):
        if words not in out:
            yield f"does not say {words!r}"
    if "\033" in out:
        yield "colours where there is no terminal"


def summary_record():
    record, = records("story")
    yield from differ("head", [record[key] for key in ("type", "events", "duration_ns", "begin", "version")],
                      ["report", 18, 10000000000, "2026-01-31T14:03:20.000000000Z", "0.1.0"])
    yield from differ("vms", record["vms"], [{"vm": {"pid": 4711, "name": "win11"}, "exits": 8,
                                              "exits_per_s": 1, "exit_ns": 5000001000,
                                              "exceptions": 4, "faults": 3}])
    yield from differ("findings", {f["rule"]: f["count"] for f in record["findings"]},
                      {"internal-error": 1, "emulation-failed": 1, "lost": 0, "unknown-msr": 2,
                       "reinjected": 1})
    yield from differ("exceptions", [(e["name"], e["count"]) for e in record["exceptions"]],
                      [("#GP", 2), ("#GP", 1), ("#PF", 1)])
    yield from differ("lost", [record["lost"], record["capture"]], [LOST, WHOLE])


def strict():
    for view in ("summary", "exits", "exceptions", "faults", "events"):
        report("story", view, "--strict", status=5)
        report("story", view, "--strict", "--from", "9")
    report("few", "--strict", status=5)
    yield from ()


def not_recorded():
    for view in ("exits", "faults"):
        done = report("few", view, status=1)
        yield from one_line(done.err, view + " were not recorded")
        if done.out:
            yield f"prints {done.out!r}"


def not_closed():
    done = report("few")
    if "was not closed" not in done.err or "CAPTURE INCOMPLETE: not closed" not in done.out:
        yield f"{done.err!r}, {done.out!r}"
    record, = records("few")
    yield from differ("capture", [record["capture"]["complete"], record["capture"]["closed"]],
                      [False, False])
    for view in ("summary", "exceptions", "events"):
        if "\033" in report("few", view).out:
            yield f"{view}: a hostile name gets through"


def no_capture():
    texts = {"empty": b"", "text": b"hello\n" * 100, "zeros": b"\0" * 5000}
    for name, text in texts.items():
        path = os.path.join(FOLDER.name, name)
        with open(path, "wb") as file:
            file.write(text)
    for path in (*(os.path.join(FOLDER.name, name) for name in texts), FOLDER.name, "/dev/null",
                 os.path.join(FOLDER.name, "none")):
        done = run("report", path)
        if done.returncode != 1 or done.out:
            yield f"{path}: status {done.returncode}, {done.out!r}"
        yield from one_line(done.err, path)
    with open(capture("story"), "rb") as file:
        later = bytearray(file.read())
    later[8] = 2  # kvmtrace-capture(5): the major version; its checksum is wrong then as well
    path = os.path.join(FOLDER.name, "later")
    with open(path, "wb") as file:
        file.write(later)
    if run("report", path).returncode != 1:
        yield "takes a later version"


def cut_off():
    """Whatever is left of it: what is read is right, and what is missing is said."""
    with open(capture("story"), "rb") as file:
        whole = file.read()
    path = os.path.join(FOLDER.name, "cut")
    for size in range(0, len(whole), 97):
        with open(path, "wb") as file:
            file.write(whole[:size])
        done = run("report", path, "events", "-f", "json")
        if done.returncode == 1 and not done.out and len(done.err.splitlines()) == 1:
            continue
        kinds = [json.loads(line).get("kind") for line in done.out.splitlines()][:-1]
        if done.returncode != 0 or "was not closed" not in done.err or kinds not in ([], KINDS):
            yield f"{size} bytes: status {done.returncode}, {kinds}, {done.err!r}"


def flipped():
    with open(capture("story"), "rb") as file:
        whole = file.read()
    path = os.path.join(FOLDER.name, "flipped")
    for at in range(0, len(whole), 61):
        with open(path, "wb") as file:
            file.write(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1:])
        done = run("report", path, "exits", "-f", "json")
        summary = json.loads(done.out.splitlines()[-1]) if done.out else {}
        if done.returncode not in (0, 1) or (done.returncode == 1) != (not done.out):
            yield f"byte {at}: status {done.returncode}, {done.err!r}"
        elif done.out and summary["exits"] != 8 and "warning" not in done.err:
            yield f"byte {at}: {summary['exits']} exits, and no warning"


def memory():
    """With as many regions and causes as anybody has."""
    for args in (["summary"], ["faults", "--hist"], ["events"], ["exits", "-i", "1ms"]):
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        with open(os.devnull, "wb") as null:
            subprocess.run([KVMTRACE, "report", capture("regions"), *args], stdout=null, stderr=null,
                           timeout=60, check=True)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        if peak > max(before, 64 << 10):
            yield f"{args}: {peak} KiB"
    summary = records("regions", "faults", "--hist", "--top", "1")[-1]
    yield from differ("regions", [summary["regions"], summary["lost"]["region_capacity"]], [40000, 10000])


USAGE = (
    ("no-file", [], "which capture"),
    ("no-view", ["story", "nosuch"], "nosuch"),
    ("two-views", ["story", "exits", "faults"], "faults"),
    ("by-of-another-view", ["story", "faults", "--by", "vm"], "--by"),
    ("interval-of-another-view", ["story", "-i", "1"], "--interval"),
    ("top-of-another-view", ["story", "exits", "--top", "1"], "--top"),
    ("duration", ["story", "-d", "1"], "-d"),
    ("from-garbage", ["story", "--from", "soon"], "soon"),
    ("where-field", ["story", "--where", "duratoin > 5"], "duration"),
    ("where-value", ["story", "--where", "reason == NOSUCH"], "NOSUCH"),
    ("where-syntax", ["story", "--where", "reason"], "FIELD OP VALUE"),
)


def usage(args, words):
    args = [capture("story") if arg == "story" else arg for arg in args]
    done = run("report", *args)
    if done.returncode != 2 or done.out:
        yield f"status {done.returncode}, {done.out!r}"
    yield from one_line(done.err, words)


def options_anywhere():
    path = capture("story")
    want = report("story", "exits", "--by", "vcpu").out
    for args in (["--by", "vcpu", path, "exits"], [path, "--by=vcpu", "exits"],
                 ["--by", "vcpu", "--", path, "exits"]):
        done = run("report", *args, env=UTC)
        if done.out != want:
            yield f"{args}: {done.out!r} {done.err!r}"
    if not re.search(r"\bsummary\b.*\bevents\b", run("report", path, "x").err):
        yield "does not say which views there are"


TESTS = {
    **{"report-usage-" + name: lambda a=args, w=words: usage(a, w) for name, args, words in USAGE},
    **{"report-" + test.__name__.replace("_", "-"): test for test in (
        exits, exits_by_vcpu, intervals, exceptions, faults, events, filters, summary_text,
        summary_record, strict, not_recorded, not_closed, no_capture, cut_off, flipped, memory,
        options_anywhere)},
}
