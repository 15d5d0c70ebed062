# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Tests of what record captured and report says of it: against guests, live commands, the kernel's own
lines, perf's counts, and a second reader of the file."""
import collections
import datetime
import math
import os

import compare
import elsewhere
from hypercalls import numbers, right
from kernel_text import KINDS
from tests_main import ROWS, SCENARIOS

NOT_KNOWN = 0xffffffff
READ, WRITE = 1, 2
FAIL_ENTRY = 9


def missed(*traces):
    return sum(compare.missed(t) for t in traces)


def differ(want, got, spare, other_spare):
    """Counters of another observer and of a capture; what may have escaped the one and the other."""
    for who, rest, most in (("lacks", want - got, spare), ("has besides", got - want, other_spare)):
        if sum(rest.values()) > most:
            yield f"the capture {who} {sum(rest.values())}: {list(rest.items())[:3]}"


# ---- guests ----

def guests(job, names, session="rec_"):
    for name in names:
        yield from (f"{name}: {reason}" for reason in compare.guest(job, name, session=session))
    for view in ("exits", "exceptions", "faults"):
        yield from compare.lost_nothing(job.trace(session + view))


def rows(job):
    return (f"row{i}: {reason}" for i in range(1, ROWS + 1)
            for reason in compare.exits(job.want(f"row{i}"), job.trace("rec_exits")))


def same(what, got, want):
    for key in got.keys() | want.keys():
        if got[key] != want[key]:
            yield f"{what} {key}: expected {want[key]}, recorded {got[key]}"


def io_of_guest(job, name):
    """What user space of a guest did for it, and its hypercalls: every one, and nothing else."""
    want, events = job.want(name), collections.defaultdict(list)
    for e in job.capture("rec").events():
        if e["tgid"] in want.pids:
            events[e["kind"]].append(e)
    expected = collections.defaultdict(collections.Counter)
    for k in want.of("pio"):
        expected["pio"][int(k["pid"]), int(k["vcpu"]), int(k["port"], 16), k["access"] == "out",
                        int(k["size"])] += int(k["count"])
    for k in want.of("mmio"):
        expected["mmio"][int(k["pid"]), int(k["vcpu"]), int(k["address"], 16),
                         WRITE if k["access"] == "write" else READ, int(k["size"])] += int(k["count"])
    for k in want.of("user"):
        expected["user"][int(k["pid"]), int(k["vcpu"]), int(k["code"]), int(k.get("suberror", 0)),
                         k.get("hardware_reason")] += int(k["count"])
    yield from same("pio", collections.Counter(
        (e["tgid"], e["vcpu_id"], e["port"], bool(e["write"]), e["size"]) for e in events["pio"]),
        expected["pio"])
    yield from same("mmio", collections.Counter(
        (e["tgid"], e["vcpu_id"], e["gpa"], e["access"], e["size"]) for e in events["mmio"]
        if e["access"] in (READ, WRITE)), expected["mmio"])
    yield from same("userspace_exit", collections.Counter(
        (e["tgid"], e["vcpu_id"], e["reason"], e["suberror"],
         f"0x{e['data0']:x}" if e["reason"] == FAIL_ENTRY else None)
        for e in events["userspace_exit"] if not e["error"]), expected["user"])
    calls = numbers(events["hypercall"])
    if calls != list(range(1, want.total("hypercall") + 1)):
        yield f"hypercalls {calls[:5]}… {calls[-5:]}, of {want.total('hypercall')}"
    if not all(map(right, events["hypercall"])):
        yield "arguments of hypercalls are wrong"


def io(job):
    for name in (*SCENARIOS, "row7"):
        yield from (f"{name}: {reason}" for reason in io_of_guest(job, name))


def emulation_failure(job):
    """The exit that people send bug reports about: with its suberror, from 5.15 on with the bytes."""
    (pid,) = job.want("emufail").pids
    mine = [e for e in job.capture("rec").events() if e["tgid"] == pid]
    (last,) = [e for e in mine if e["kind"] == "userspace_exit"]
    if (last["reason"], last["suberror"]) != (17, 1):
        yield f"{last}"
    if last["insn"] != bytes.fromhex("f30fb806e6f4ebfc") + bytes(7) and \
            not (job.series == "5.10" and not last["insn"]):
        yield f"bytes {last['insn'].hex()}"
    failed = [e for e in mine if e["kind"] == "emulate" and e["failed"]]
    if [(e["rip"], e["insn"].hex()) for e in failed] != [(0x201100, "f30fb8")]:
        yield f"emulation failures: {failed}"
    if "suberror 1" not in job.text("rec_summary.out"):
        yield "the summary does not tell of it"


# ---- live commands ----

def live_exits(job, name="rec_exits"):
    """Another observer with clock readings of its own: the same counts, but not the same times."""
    live, rec = job.trace("exits"), job.trace(name)
    sums = []
    for trace in (live, rec):
        mine = collections.Counter()
        for r in trace["exits"]:
            for what in ("count", "timed", "unpaired"):
                mine[r["vm"]["pid"], r["vcpu"], r["code"], r["reason"], r["halt"], what] += r[what]
        sums.append(mine)
    yield from differ(*sums, 3 * missed(rec), 3 * missed(live))
    for what in ("exits", "unpaired_exits", "unfinished_exits", "unpaired_entries"):
        if abs(live.summary[what] - rec.summary[what]) > missed(live, rec):
            yield f"{what}: live {live.summary[what]}, recorded {rec.summary[what]}"
    names = [{r["vm"]["pid"]: r["vm"]["name"] for r in t["exits"]} for t in (live, rec)]
    if names[0] != names[1]:
        yield f"names: {names}"
    yield from compare.lost_nothing(rec)


TIMES = ("time", "ts_ns", "duration_ns")


def without_times(record):
    return repr({k: v for k, v in record.items() if k not in TIMES})


def live_records(command, kind):
    """Field by field, and of each vCPU in the same order; but for the times, which each takes for itself."""
    def test(job):
        live, rec = job.trace(command), job.trace("rec_" + command)
        mine = [[without_times(r) for r in sorted(t[kind], key=lambda r: (r["vm"]["pid"], r["vcpu"]))]
                for t in (live, rec)]
        counts = [collections.Counter(m) for m in mine]
        # One whose cause was missed is another.
        spare = missed(live, rec)
        yield from differ(*counts, spare, spare)
        if not spare and mine[0] != mine[1]:
            yield "they come in another order"
        if not mine[0]:
            yield "there are none"
        yield from compare.lost_nothing(rec)
    return test


def live_regions(job):
    live, rec = job.trace("regions"), job.trace("rec_regions")
    what = ("count", "timed", "read", "write", "fetch", "present", "mmio")
    sums = [collections.Counter({(r["vm"]["pid"], r["address"], r["space"], w): r[w]
                                 for r in t["faults"] for w in what}) for t in (live, rec)]
    # One whose exit was missed is in another space.
    yield from differ(*sums, 4 * missed(live, rec), 4 * missed(live, rec))
    if not sums[0]:
        yield "there are none"


def summaries(job):
    """The views' totals, and the summary's."""
    kinds = collections.Counter(e["kind"] for e in job.capture("rec").events())
    (total,) = job.trace("rec_summary")["report"]
    if collections.Counter(total["kinds"]) != kinds or \
            total["events"] != sum(kinds.values()) - kinds["lost"]:
        yield f"summary: {total['events']} events, {total['kinds']}, the file has {kinds}"
    if not total["capture"]["closed"] or not total["capture"]["complete"]:
        yield f"summary: {total['capture']}"
    vms = collections.Counter({v["vm"]["pid"]: v["exits"] for v in total["vms"]})
    if vms != collections.Counter(e["tgid"] for e in job.capture("rec").events({"exit"})):
        yield f"exits of VMs: {vms}"
    for view, field, kind in (("exits", "exits", "exit"), ("reinjected", "exceptions", "exception"),
                              ("faults", "faults", "fault")):
        said = job.trace("rec_" + view).summary[field]
        if said != kinds[kind] or not said:
            yield f"{view}: {said}, the file has {kinds[kind]}"


# ---- the kernel's own lines ----

def kind(name, job_name="rec"):
    """The thread, and all that the line has: each line as often as the event."""
    def test(job):
        capture, of = job.capture(job_name), KINDS[name]
        got, want = collections.Counter(), collections.Counter()
        for e in capture.events():
            if e["kind"] in of.names:
                key = of.of_event(e)
                got[0 if of.elsewhere(key) else e["tid"], key] += 1
        for event, pattern, of_text in of.texts:
            for count, tid, text in job.kernel(event):
                key = of_text(job.isa, pattern.match(text))
                want[0 if of.elsewhere(key) else tid, key] += count
        yield from differ(want, got, missed(job.trace(job_name + "_exits")), 0)
        if not want:
            yield "the kernel has none"
    return test


def balance(job):
    """All kinds together: recorded + lost = happened, by the kernel's lines."""
    capture = job.capture("rec")
    events = [event for of in KINDS.values() for event, _, _ in of.texts]
    happened = sum(count for event in events for count, _, _ in job.kernel(event))
    lost = [e["count"] for e in capture.events({"lost"})]
    recorded, gone = capture.count - len(lost), missed(job.trace("rec_exits"))
    # What the kernel missed may have been an entry, or a program that notes what others need.
    if sum(lost) != gone or not happened <= recorded + gone <= happened + gone:
        yield f"{recorded} recorded + {sum(lost)} lost, {happened} happened"


# ---- report ----

def bucket(ns):
    """Eight to a power of two, from 64 ns on; what is longer than 2^34 ns is in the last one."""
    if ns < 64:
        return 0
    shift = min(ns, 1 << 34).bit_length() - 4
    return min(ns, 1 << 34) >> shift << shift


def durations(job, name="rec"):
    """Sums and histograms of report exits, worked out from the durations of report events."""
    groups = collections.defaultdict(list)
    for r in job.trace(name + "_events")["event"]:
        if r["kind"] == "exit":
            groups[r["vm"]["pid"], r["vcpu"], r["fields"]["reason"]].append(r["fields"])
    records = {(r["vm"]["pid"], r["vcpu"], r["code"]): r for r in job.trace(name + "_exits")["exits"]}
    if records.keys() != groups.keys() or not records:
        yield f"groups: {records.keys() ^ groups.keys()}"
    for key in records.keys() & groups.keys():
        for reason in one_group(records[key], groups[key]):
            yield f"{key}: {reason}"


def one_group(r, exits):
    times = sorted(e["duration"] for e in exits if e["duration"])
    counts = collections.Counter(map(bucket, times))
    if (r["count"], r["timed"]) != (len(exits), len(times)):
        yield f"count {r['count']}, timed {r['timed']}: there are {len(exits)}, {len(times)}"
    if {low: count for low, _, count in r["hist"]} != counts:
        yield f"hist {r['hist']}, not {sorted(counts.items())}"
    if r["unpaired"] != sum(e["end"] == 1 for e in exits):
        yield f"unpaired {r['unpaired']}"
    if not times:
        return
    mean = sum(times) / len(times)
    deviation = math.sqrt(sum((t - mean) ** 2 for t in times) / len(times))
    if (r["total_ns"], r["min_ns"], r["max_ns"], r["mean_ns"]) != \
            (sum(times), times[0], times[-1], sum(times) // len(times)):
        yield f"{r} of {len(times)} from {times[0]} to {times[-1]}, {sum(times)} in all"
    if abs(r["stddev_ns"] - deviation) > 1 + deviation / 1000:
        yield f"deviation {r['stddev_ns']}, not {deviation}"
    for field, part in (("p50_ns", 0.5), ("p90_ns", 0.9), ("p99_ns", 0.99)):
        low = bucket(times[max(math.ceil(part * len(times)) - 1, 0)])
        if not low <= r[field] <= max(low * 9 // 8, 64):
            yield f"{field} {r[field]}, not from {low} on"


def wall(capture, ts):
    """The clock's time by the last pair that is not later, or by the first."""
    before = [pair for pair in capture.clocks if pair[0] <= ts]
    then, real = before[-1] if before else capture.clocks[0]
    seconds, ns = divmod(real + ts - then, 10 ** 9)
    at = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{ns:09d}Z"


def number(value):
    """As the second reader has it: hexadecimal numbers and bytes are texts."""
    return int(value, 16) if isinstance(value, str) and value.startswith("0x") else value


def one_event(capture, said, found):
    """A line of report events, and the event in the file."""
    common = {"cpu": found["cpu"], "vcpu": found["vcpu_id"], "tid": found["tid"]}
    for field, value in common.items():
        lost = found["kind"] == "lost" and field != "cpu"
        if said[field] != (None if value == NOT_KNOWN or lost else value):
            yield f"{field}: {said}, in the file {found}"
    fields = {f: v for f, v in said["fields"].items() if not f.endswith("_name")}
    for field, value in fields.items():
        have = found[field].hex() if isinstance(found[field], bytes) else found[field]
        if number(value) != have and value != have:
            yield f"{field}: {said}, in the file {found}"
    rest = found.keys() - fields.keys() - {"kind", "ts", "cpu", "tgid", "tid", "vcpu_id"}
    if rest:
        yield f"lacks {rest}: {said}"
    if said["time"] != wall(capture, found["ts"]):
        yield f"time {said['time']}, not {wall(capture, found['ts'])}"


def events(job, name="rec"):
    """report events has just what a second reader finds in the file, in the order of time."""
    capture = job.capture(name)
    said = job.trace(name + "_events")["event"]
    found = capture.events()
    if [r["ts_ns"] for r in said] != [e["ts"] for e in found]:
        yield f"{len(said)} events, the file has {len(found)}; or another order"
        return
    # Of the same time any order will do.
    said, found = (sorted(x, key=lambda y: (y[ts], y["kind"]))
                   for x, ts in ((said, "ts_ns"), (found, "ts")))
    for mine, theirs in zip(said, found):
        if mine["kind"] != theirs["kind"] or \
                (mine["kind"] != "lost" and mine["vm"]["pid"] != theirs["tgid"]):
            yield f"{mine}, in the file {theirs}"
        yield from one_event(capture, mine, theirs)


def read_elsewhere(job):
    """The same to the byte as what it said where the capture was made."""
    names = [f.removesuffix(".sums") for f in os.listdir(job.folder) if f.endswith(".sums")]
    for name in names:
        for status, checksum, view, _ in elsewhere.lines(job.folder, name):
            mine = f"{name}_{view}"
            if job.status(mine) != status or status not in (0, 1):
                yield f"{mine}: status {job.status(mine)} here, {status} there: " \
                      f"{job.text(mine + '.err')}"
            if job.checksum(mine + ".out") != checksum:
                yield f"{mine} differs"
    if len(names) < 2:
        yield f"captures: {names}"


# ---- some of the events ----

def chosen(job):
    """--events exceptions,faults: by programs that stand alone."""
    for name in SCENARIOS:
        want = job.want(name)
        yield from compare.exceptions(want, job.trace("some_exceptions"))
        yield from compare.faults(want, job.trace("some_faults"))
    kinds = {e["kind"] for e in job.capture("some").events()} - {"lost"}
    if kinds != {"exception", "fault"}:
        yield f"recorded {kinds}"
    if job.status("some_exits") != 1 or "were not recorded" not in job.text("some_exits.err"):
        yield f"report exits: status {job.status('some_exits')}: {job.text('some_exits.err')}"


def filtered(job):
    """--vm; --vcpu, --reason and --vector, which leave the other kinds alone."""
    web, mine = job.want("web1"), job.capture("f_rvm").events()
    yield from compare.guest(job, "web1", session="f_rvm_")
    pids = {e["tgid"] for e in mine if e["kind"] != "lost"}
    if pids != web.pids:
        yield f"--vm web-*: processes {pids}"
    mine = job.capture("f_rvcpu").events()
    db, exits = job.want("db1"), collections.Counter()
    for e in mine:
        if e["kind"] != "lost" and e["vcpu_id"] != 2:
            yield f"--vcpu 2: {e}"
        if e["kind"] == "exit":
            exits[e["tgid"], e["reason"]] += 1
    (pid,) = db.pids
    spare = min(sum(e["count"] for e in mine if e["kind"] == "lost"), compare.may_miss_recorded)
    own = {int(job.isa.cpuid, 16), int(job.isa.own[1], 16)}
    if {reason for _, reason in exits} - own:
        yield f"--reason cpuid,…: {exits}"
    for code in own:
        want = db.total("exits", code=hex(code), vcpu="2")
        if not want - spare <= exits[pid, code] <= want:
            yield f"--reason: exits {code:#x}: {exits[pid, code]} of {want}"
    if not [e for e in mine if e["kind"] == "userspace_exit"]:
        yield "the other kinds are not there"


def command(job):
    """-- COMMAND: from the guest's first hypercall to its last, the whole life of its VM."""
    if job.status("command") != 0:
        yield f"status {job.status('command')}: {job.text('command.err')}"
    want = job.begun("command")
    yield from compare.exits(want, job.trace("command_exits"))
    found = [e for e in job.capture("command").events() if e["kind"] == "hypercall"]
    if numbers(found) != list(range(1, want.total("hypercall") + 1)) or not found or \
            not all(map(right, found)):
        yield f"{len(found)} hypercalls of {want.total('hypercall')}"
    pids = {e["tgid"] for e in job.capture("command").events() if e["kind"] != "lost"}
    if pids != want.pids:
        yield f"processes {pids}, the guest is {want.pids}"


MAIN = {
    "record-guests": lambda job: guests(job, SCENARIOS),
    "record-guests-in-a-row": rows,
    "record-io": io,
    "record-emulation-failure": emulation_failure,
    "record-live-exits": live_exits,
    "record-live-exceptions": live_records("exceptions", "exception"),
    "record-live-reinjected": live_records("reinjected", "exception"),
    "record-live-faults": live_records("faults", "fault"),
    "record-live-regions": live_regions,
    **{"record-kind-" + name: kind(name) for name in KINDS},
    "record-balance": balance,
    "record-durations": durations,
    "record-events": events,
    "record-summary": summaries,
    "record-elsewhere": read_elsewhere,
    "record-chosen": chosen,
    "record-filters": filtered,
    "record-command": command,
    "record-without-btf": lambda job: guests(job, ("raw_msr", "raw_pio", "raw_ud", "raw_npf",
                                                   "raw_smp"), "raw_rec_"),
}

SMP = {
    "smp-record-guests": lambda job: guests(job, ("migrate", "smp2", "twovms2", "msr2")),
    "smp-record-live-exits": live_exits,
    "smp-record-live-exceptions": live_records("exceptions", "exception"),
    "smp-record-live-faults": live_records("faults", "fault"),
    "smp-record-kinds": lambda job: (f"{name}: {reason}" for name in
                                     ("exit", "exception", "fault", "msr", "pio", "cpuid",
                                      "userspace") for reason in kind(name)(job)),
    "smp-record-balance": balance,
    "smp-record-events": events,
}

SHADOW = {
    **{"shadow-record-" + name: lambda job, name=name: compare.guest(job, "shadow_" + name, True, "rec_")
       for name in ("npf", "pf", "msr")},
    "shadow-record-kinds": lambda job: (f"{name}: {reason}" for name in ("exit", "exception", "fault")
                                        for reason in kind(name)(job)),
}
