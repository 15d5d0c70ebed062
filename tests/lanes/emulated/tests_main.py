# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Tests of job_main.sh: counting. Each function yields what is wrong."""
import collections
import math
import re

import compare

SCENARIOS = ("cpuid pio msr ud pf npf hlt hlttimer gpsel cr triple triple13 twovms smp "
             "recreate failentry named iomix hypercall emufail ipi"
             .split())
ROWS = 20
SEEN_MS = 100
RSS_KIB = 24 * 1024


def halt(job):
    records = job.trace("exits")["exits"]
    halts = [r for r in records if r["code"] == job.isa.hlt]
    if not halts:
        yield "no HLT was seen"
    for r in records:
        if r["halt"] is not (r["code"] == job.isa.hlt):
            yield f"halt is {r['halt']}: {r['reason']}"
    last = [r["halt"] for r in records]
    if last != sorted(last):
        yield "HLT is not listed last"


def row(job):
    """Twenty guests, one after the other: each has its own exact count, none has another's."""
    pids = set()
    for i in range(1, ROWS + 1):
        want = job.want(f"row{i}")
        pids |= want.pids
        yield from compare.exits(want, job.trace("exits"))
        if want.total("exits", code=job.isa.cpuid) != i * 7 + 1:
            yield f"guest {i} ran {want.total('exits', code='0x72')} CPUIDs"
    if len(pids) != ROWS:
        yield f"{len(pids)} different processes"


def gone_names(job):
    """The VMs had ended when the summary was made."""
    names = {r["vm"]["pid"]: r["vm"]["name"] for r in job.trace("exits")["exits"]}
    for guest, name in (("named", "win11"), ("cpuid", "g_cpuid"), ("row3", "g_cpuid")):
        (pid,) = job.want(guest).pids
        if names.get(pid) != name:
            yield f"guest {guest} is called {names.get(pid)}, not {name}"
    pair = sorted(names.get(pid, "") for pid in job.want("twovms").pids)
    if pair != ["pair-a", "pair-b"]:
        yield f"g_twovms are called {pair}"


def one_statistic(r):
    hist, timed = r["hist"], r["timed"]
    if sum(count for _, _, count in hist) != timed:
        yield "histogram and timed differ"
    if r["count"] < timed or r["unpaired"] > r["count"] - timed:
        yield "count, timed and unpaired do not fit"
    if not timed:
        return
    if not r["min_ns"] <= r["p50_ns"] <= r["p90_ns"] <= r["p99_ns"] <= r["max_ns"]:
        yield "percentiles are not in order"
    if r["mean_ns"] != r["total_ns"] // timed:
        yield "mean is not total / timed"
    if not hist[0][0] <= r["min_ns"] < hist[0][1] or not hist[-1][0] <= r["max_ns"] < hist[-1][1]:
        yield "minimum or maximum lie outside of their buckets"
    if timed == 2:
        a, b = r["min_ns"], r["max_ns"]
        if abs(r["stddev_ns"] - (b - a) / 2) > 1 or a + b != r["total_ns"]:
            yield "the statistics of two values are wrong"
    spread = r["max_ns"] - r["min_ns"]
    if r["stddev_ns"] > spread / 2 + 1:
        yield "deviation is over half the spread"


def statistics(job):
    records = job.trace("exits")["exits"]
    for r in records:
        for fault in one_statistic(r):
            yield f"{fault}: {r}"
    if not any(r["timed"] == 2 for r in records):
        yield "no group of two values: the deviation was not checked"


def reinjected(job):
    """--reinjected shows both kinds; tracefs and the other kvmtrace tell how many."""
    words = job.tracefs("kvm_inj_exception")
    records = job.trace("reinjected")["exception"]
    again = sum(r["reinjected"] for r in records)
    first, spare = len(records) - again, compare.missed(job.trace("reinjected"))
    if not 0 <= words.get("again", 0) - again <= spare or \
            not 0 <= words["first"] - first <= spare:
        yield f"tracefs {words}, kvmtrace {len(records) - again} and {again} again"
    if job.trace("reinjected").summary["reinjected_hidden"]:
        yield "some are hidden all the same"


def regions(job):
    """Fault histograms against the list of faults that another kvmtrace made meanwhile."""
    faults = collections.Counter()
    for r in job.trace("faults")["fault"]:
        faults[r["vm"]["pid"], int(r["address"], 16) >> 21 << 21] += 1
    sums = collections.Counter()
    for r in job.trace("regions")["faults"]:
        sums[r["vm"]["pid"], int(r["address"], 16)] += r["count"]
        if r["read"] + r["write"] + r["fetch"] != r["count"] or r["size"] != 1 << 21:
            yield f"kinds do not add up: {r}"
        if sum(h[2] for h in r["hist"]) != r["timed"] or r["space"] != "gpa":
            yield f"histogram or space is wrong: {r}"
    lacking, more = sum((faults - sums).values()), sum((sums - faults).values())
    if lacking > compare.missed(job.trace("regions")) or not sums or \
            more > compare.missed(job.trace("faults")):
        yield f"regions differ: {(faults - sums)} {(sums - faults)}"


def many_vcpus(job):
    want, trace = job.want("manyvcpus"), job.trace("many")
    yield from compare.exits(want, trace)
    yield from compare.lost_nothing(trace)
    if len(want.vcpus) != job.isa.sizes["vcpus"]:
        yield f"{len(want.vcpus)} vCPUs"


def few_slots(job):
    """With room for eight only: what was not counted is in lost, to the exit."""
    few, many = job.trace("few"), job.trace("many")
    happened = many.summary["exits"] + many.lost
    counted = sum(r["count"] for r in few["exits"])
    lost = few.summary["lost"]
    if counted + lost["vcpu_capacity"] != happened or not lost["vcpu_capacity"]:
        yield f"{counted} counted, lost {lost}, {happened} happened"
    if len({(r["vm"]["pid"], r["vcpu"]) for r in few["exits"]}) > 8:
        yield "more than eight vCPUs"
    if lost["total"] != lost["vcpu_capacity"]:
        yield f"other losses: {lost}"
    if job.status("fewstrict") != 5:
        yield f"--strict: status {job.status('fewstrict')}, not 5"


def numbers(text):
    """The numbers of "46903 exceptions; 19 re-injections …; LOST 8175; …"."""
    lost = re.search(r"LOST (\d+)", text)
    return int(text.split(" ")[0]), int(lost.group(1)) if lost else 0


def storm(job, name="storm", guest="storm_full", at_least=0.02):
    happened = job.want(guest).total("exception")
    seen, lost = numbers(job.text(name + ".last"))
    lines = int(job.text(name + ".lines"))
    if job.status(name) != 0:
        yield f"status {job.status(name)}"
    if seen != lines:
        yield f"the summary says {seen}, {lines} lines were printed"
    if seen + lost != happened:
        yield f"{seen} seen + {lost} lost is not the {happened} that happened"
    if seen < happened * at_least:
        yield f"only {seen} of {happened} were seen"


def paced(job):
    """20,000 a second for three seconds on AMD hosts; default buffers, JSON, and one CPU for guest
    and reader."""
    happened = job.want("storm_paced").total("exception")
    lines = int(job.text("paced.lines"))
    if job.status("paced") != 0:
        yield f"status {job.status('paced')}: {job.text('paced.last')}"
    if lines != happened or happened != job.isa.sizes["paced"]:
        yield f"{lines} of {happened} seen: {job.text('paced.last')}"


def tiny(job):
    """A buffer of 4 KiB loses; what it loses is reported where it happened."""
    from data import Trace
    happened = job.want("storm_tiny").total("exception")
    trace = Trace(job.text("tiny.out"))
    seen, lost = len(trace["exception"]), trace.lost
    if job.status("tiny") != 5:
        yield f"--strict: status {job.status('tiny')}, not 5"
    if not lost or seen + lost != happened:
        yield f"{seen} seen + {lost} lost is not the {happened} that happened"
    inline = sum(r["count"] for r in trace["lost"])
    if inline != lost - trace.summary["lost"]["missed"]:
        yield f"lost records say {inline}, the summary {trace.summary['lost']}"
    kinds = [r["type"] for r in trace.records[:-1]]
    if "lost" not in kinds or kinds.index("lost") > len(kinds) - 2:
        yield "no lost record stands among the exceptions"


def rss(job):
    for part, name in (("storms", "storm.rss"), ("storms", "paced.rss"), ("idle", "idle.rss")):
        if part not in job.parts():
            continue
        lines = job.text(name).splitlines()
        if not lines:
            yield f"{name} is empty"
        for line in lines:
            if int(line.split()[1]) >= RSS_KIB:
                yield f"{name}: {line}, over {RSS_KIB} KiB"


def idle(job):
    if job.text("idle.before") != job.text("idle.after") or not job.text("idle.before").strip():
        yield f"CPU ticks before {job.text('idle.before').split()}, " \
              f"two seconds later {job.text('idle.after').split()}"


def latency(job):
    """Arrival on the pipe's other end, against the event's own time stamp; both CLOCK_REALTIME."""
    import datetime
    import json
    late = []
    for line in job.text("latency.out").splitlines():
        arrival, text = line.split(" ", 1)
        record = json.loads(text)
        if record["type"] != "exception":
            continue
        second, fraction = record["time"].removesuffix("Z").split(".")
        at = datetime.datetime.fromisoformat(second + "+00:00").timestamp() + float("0." + fraction)
        late.append((float(arrival) - at) * 1000)
    if len(late) != job.want("late").total("exception"):
        yield f"{len(late)} exceptions arrived"
    elif max(late) > SEEN_MS or min(late) < -1:
        yield f"between {min(late):.1f} and {max(late):.1f} ms late"


def intervals(job):
    """What all intervals say together is what a kvmtrace without intervals says, and the guests."""
    trace, whole = job.trace("interval"), job.trace("whole")
    during, before = job.want("during"), job.want("before")
    sums, _ = compare.sum_exits(trace["exits"])
    other, _ = compare.sum_exits(whole["exits"])
    pids = during.pids | before.pids
    differ = {k: (v, other[k]) for k, v in sums.items() if k[0] in pids and v != other[k]}
    if differ or {k for k in other if k[0] in pids} - set(sums):
        yield f"intervals and whole differ: {differ}"
    if trace.summary["exits"] != sum(sums.values()):
        yield f"{trace.summary}: the intervals have {sum(sums.values())}"
    for want in (during, before):
        yield from compare.exits(want, trace)


def interval_times(job):
    records = job.trace("interval")["exits"]
    ends = sorted({(r["time"], r["interval_ns"]) for r in records})
    if len(ends) < 10:
        yield f"{len(ends)} intervals with exits in them"
    for _, ns in ends[:-1]:
        if not 0.15e9 <= ns <= 0.3e9:
            yield f"an interval of {ns / 1e9} s"
    for r in records:
        for fault in one_statistic(r):
            # An interval's extremes may have been of the one before, read while it changed.
            if "bucket" not in fault:
                yield f"{fault}: {r}"


def running(job):
    """A VM in the midst of things when tracing began: at most one entry a vCPU has no exit."""
    trace, want = job.trace("whole"), job.begun("running")
    counts, _ = compare.sum_exits(trace["exits"])
    for k in want.of("exits"):
        got = counts[int(k["pid"]), int(k["vcpu"]), k["code"]]
        if k["match"] == "exact" and not 0 < got <= int(k["count"]):
            if int(k["count"]) > 3:
                yield f"{k['reason']}: {got} of {k['count']}"
    if trace.summary["unpaired_entries"] > 1:
        yield f"{trace.summary['unpaired_entries']} entries without an exit"
    yield from compare.lost_nothing(trace)


def duration(job):
    trace = job.trace("timed")
    if not 1.45e9 <= trace.summary["duration_ns"] <= 1.9e9:
        yield f"-d 1.5 took {trace.summary['duration_ns'] / 1e9} s"
    if not math.isclose(trace.summary["exits"], sum(r["count"] for r in trace["exits"])):
        yield "the summary does not fit"


TESTS = {
    **{"guest-" + name: lambda job, name=name: compare.guest(job, name) for name in SCENARIOS},
    "guests-in-a-row": row,
    "totals-exits": compare.observers,
    "totals-exceptions": compare.injected,
    "totals-faults": compare.page_faults,
    "reinjected": reinjected,
    "halt": halt,
    "names-of-vms-gone": gone_names,
    "statistics": statistics,
    "fault-regions": regions,
    "many-vcpus": many_vcpus,
    "max-vcpus": few_slots,
    "storm": storm,
    "storm-paced": paced,
    "storm-tiny-buffer": tiny,
    "memory": rss,
    "idle-no-cpu": idle,
    "latency": latency,
    "intervals": intervals,
    "interval-times": interval_times,
    "vm-running-before": running,
    "duration": duration,
}
