# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Tests of what record says it lost, and of files that are bounded or cut off: recorded + lost = happened."""
import collections
import os
import re
import struct

import compare
import elsewhere
import hypercalls
from capture import Capture
from data import Trace

MISSED = 1


def losses(capture):
    return [e for e in capture.events({"lost"}) if e["kind"] == "lost"]


def balance(job, name, events=None, must_lose=True):
    """recorded + lost = happened, as perf counted; in the file, and in what was said of it."""
    capture, lost = job.capture(name), losses(job.capture(name))
    counted = job.counted(name)
    happened = sum(count for event, count in counted.items() if events is None or event in events)
    recorded, gone = capture.count - len(lost), sum(e["count"] for e in lost)
    skipped = sum(e["count"] for e in lost if e["cause"] == MISSED)
    if skipped > compare.may_miss_recorded:
        yield f"{skipped} missed by the kernel"
    # What was missed may have been an entry; and perf itself may miss some.
    most = happened + skipped + compare.may_miss
    if not happened <= recorded + gone <= most or not happened:
        yield f"{recorded} recorded + {gone} lost, {happened} happened"
    if must_lose and gone <= skipped or recorded < 100:
        yield f"{recorded} recorded, {gone} lost: this tests nothing"
    words = job.text(name + ".err")
    said = [re.search(pattern, words) for pattern in (r"recorded (\d+) events", r"LOST (\d+)")]
    if [int(m[1]) if m else 0 for m in said] != [recorded, gone]:
        yield f"it says {job.text(name + '.err')!r}: {recorded} recorded, {gone} lost"
    (report,) = job.trace(name + "_summary")["report"]
    if (report["events"], report["lost"]["total"]) != (recorded, gone):
        yield f"report says {report['events']}, {report['lost']}: {recorded} recorded, {gone} lost"


def overflow(job):
    yield from balance(job, "overflow", ("kvm_exit",))
    report = job.trace("overflow_exits")
    lost = losses(job.capture("overflow"))
    counts = sum(r["count"] for r in report["exits"]), report.summary["exits"]
    if {*counts} != {job.capture("overflow").count - len(lost)} or \
            report.lost != sum(e["count"] for e in lost):
        yield f"report exits has {counts}, lost {report.lost}"


def holes(capture):
    """Where the number of hypercalls jumps: how many are missing, between which times."""
    calls = hypercalls.of(capture)
    for before, after in zip(calls, calls[1:]):
        if after["a0"] != before["a0"] + 1:
            yield after["a0"] - before["a0"] - 1, before["ts"], after["ts"]


def flood(job):
    """Each hypercall that is missing was lost in a span that the file names."""
    yield from balance(job, "flood", ("kvm_hypercall",))
    capture, lost = job.capture("flood"), losses(job.capture("flood"))
    for count, begin, end in holes(capture):
        if not any(e["from"] <= end and e["ts"] >= begin for e in lost):
            yield f"{count} hypercalls are missing between {begin} and {end}, and no loss is noted"
    if not all(map(hypercalls.right, hypercalls.of(capture))):
        yield "arguments of hypercalls are wrong"
    for e in lost:
        if e["cause"] not in (0, MISSED) or e["from"] > e["ts"] or not e["count"]:
            yield f"{e}"


def stopped(job):
    yield from balance(job, "stopped")


def frozen(job):
    """Two CPUs at full speed, and the recorder stopped for three seconds."""
    yield from balance(job, "frozen")
    cpus = {e["cpu"] for e in losses(job.capture("frozen")) if e["cause"] != MISSED}
    if not cpus <= {0, 1} or not cpus:
        yield f"losses on CPUs {cpus}"


# ---- files that are bounded, or cut off ----

MIB = 1 << 20


def filled(captures):
    """How long files of a MiB are at least: record leaves room for a block twice as long as the longest."""
    return MIB - 3 * max(len(block.stored) for capture in captures for block in capture.blocks)


def rotated(job):
    """The files that are left hold the last hypercalls, without a hole; each is whole and bounded."""
    names = sorted(job.text("rotate.files").split(), reverse=True)
    if [n.rpartition("/")[2] for n in names] != \
            ["rotate.kvmtrace.2", "rotate.kvmtrace.1", "rotate.kvmtrace"] or job.status("rotate"):
        yield f"files {names}, status {job.status('rotate')}: {job.text('rotate.err')}"
        return
    numbers = []
    captures = {name: job.capture(name, "") for name in ("rotate.kvmtrace.2", "rotate.kvmtrace.1", "rotate.kvmtrace")}
    least = filled(captures.values())
    for name, capture in captures.items():
        calls = hypercalls.of(capture)
        numbers += hypercalls.numbers(calls)
        if not all(map(hypercalls.right, calls)):
            yield f"{name}: arguments of hypercalls are wrong"
        if name == "rotate.kvmtrace":
            least = 0 # the last one has what is left
        if not capture.complete or not least < len(capture.data) <= MIB:
            yield f"{name}: {len(capture.data)} bytes, complete: {capture.complete}, wanted {least}"
        if not {"host", "kvmtrace"} <= capture.facts.keys() or not capture.clocks:
            yield f"{name}: facts {capture.facts.keys()}"
        if losses(capture):
            yield f"{name}: lost {losses(capture)}"
    last = job.begun("rotate").total("hypercall")
    if numbers != list(range(last - len(numbers) + 1, last + 1)) or len(numbers) < last / 10:
        yield f"{len(numbers)} hypercalls from {numbers[0]} to {numbers[-1]}, the last was {last}"


def sized(job):
    """--size without --rotate ends the recording; COMMAND goes on."""
    capture = job.capture("size")
    if job.status("size") != 0 or not capture.complete:
        yield f"status {job.status('size')}, complete: {capture.complete}"
    if not filled([capture]) < len(capture.data) <= MIB:
        yield f"{len(capture.data)} bytes"
    for words in ("as long as it may be", "goes on as process"):
        if words not in job.text("size.err"):
            yield f"it does not say '{words}': {job.text('size.err')}"
    calls = hypercalls.numbers(hypercalls.of(capture))
    if calls != list(range(1, len(calls) + 1)) or not calls:
        yield f"{len(calls)} hypercalls, {calls[:3]} … {calls[-3:]}"


KILLS = 67 # of each lane that has them
NO_BLOCK = re.compile(r"^kvmtrace: error: .+\n$")


def one_killed(folder, path, found):
    """A capture whose recorder was killed: what is there is read, and that it was not closed is said."""
    copy = elsewhere.take(folder, path)
    done = elsewhere.report(folder, copy, "events", "-f", "json")
    size = os.path.getsize(path)
    try:
        capture = Capture(path)
    except (ValueError, struct.error):
        capture = None
    if not capture or not capture.kinds:
        found["nothing"] += 1
        if done.returncode != 1 or not NO_BLOCK.match(done.stderr.decode()):
            yield f"of {size} bytes: status {done.returncode}, {done.stderr!r}"
        return
    found["with events" if capture.count else "without events"] += 1
    found["cut off"] += bool(capture.rest)
    if done.returncode != 0 or capture.complete:
        yield f"status {done.returncode}, complete: {capture.complete}, {done.stderr!r}"
    numbers = [int(n, 16) for n in re.findall(rb'"kind":"hypercall".*?"a0":"0x([0-9a-f]+)"',
                                              done.stdout)]
    want = hypercalls.numbers(hypercalls.of(capture))
    if numbers != want:
        yield f"{len(numbers)} hypercalls, the file has {len(want)}"
    if want and want != list(range(want[0], want[0] + len(want))) and not losses(capture):
        yield f"hypercalls {want[0]} to {want[-1]}, {len(want)} of them: some are missing"
    summary = Trace(done.stdout.decode()).summary
    if summary["events"] != capture.count - len(losses(capture)):
        yield f"{summary['events']} events, the file has {capture.count}"
    if summary["capture"]["closed"] or summary["capture"]["tail_bytes"] != capture.rest:
        yield f"{summary['capture']}: {capture.rest} bytes are at the end"
    text = elsewhere.report(folder, copy)
    if "not closed" not in (text.stdout + text.stderr).decode() or text.returncode != 0:
        yield f"the summary does not say so: status {text.returncode}, {text.stderr!r}"


def killed(job):
    seed, rounds = job.text("kills.seed").strip(), job.text("kills.done").splitlines()
    found = collections.Counter()
    if len(rounds) != KILLS or any(line.split()[2] != "137" for line in rounds):
        yield f"{len(rounds)} rounds, not all killed"
    with elsewhere.place() as folder:
        for line in rounds:
            number, delay, _ = line.split()
            path = job.path(f"kills/{number}.kvmtrace")
            if not job.exists(f"kills/{number}.kvmtrace"):
                found["no file"] += 1
                continue
            for reason in one_killed(folder, path, found):
                yield f"seed {seed}, round {number}, after {delay} ms: {reason}"
    print(f"killed: {dict(found)}", flush=True)
    # Of those killed while tracing, half have a block; and some died while one was being written.
    if found["with events"] < KILLS / 4:
        yield f"seed {seed}: only {dict(found)}: this tests nothing"


MAIN = {
    "record-overflow": overflow,
    "record-stopped": stopped,
}

FULL_SPEED = {
    "record-flood": flood,
    "record-frozen": frozen,
    "record-rotated": rotated,
    "record-size": sized,
    "record-killed": killed,
}
