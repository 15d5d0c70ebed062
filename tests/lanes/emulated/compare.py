# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Comparisons, to the event. Each yields what differs, a line each; nothing when all is right."""
import collections


def unnested(isa, word):
    """A name or code of an exit, as it is without nested paging."""
    if word in isa.nested:
        return isa.shadow_fault[isa.nested.index(word) % 2]
    return word


def counted(what, got, keys, spare=0):
    want, exact = int(keys["count"]), keys["match"] == "exact"
    if got > want and exact or got < want - spare:
        yield f"{what}: expected {keys['match']} {want}, got {got}"


# 7.0 and later run programs on tracepoints preemptibly (a46023d5616e). The kernel skips one on a BTF
# tracepoint while another task was preempted in it on that CPU, and those on classic tracepoints while
# any task was preempted in bpf(2). kvmtrace counts both as missed; a program that reports an event and
# one that notes its cause count for themselves. So there may be fewer events than happened, but no
# more than it says. How many it may say here: check.py sets it for the series that are concerned. record has a
# program that CPUID runs: a vCPU's thread preempted there costs others on its CPU a time slice's events.
may_miss = may_miss_recorded = 0


def missed(trace):
    cap = may_miss_recorded if "capture" in trace.summary else may_miss
    return min(trace.summary["lost"]["missed"], cap)


def lost_nothing(trace):
    if trace.lost - missed(trace):
        yield f"lost {trace.summary['lost']}"


def sum_exits(records):
    counts, times = collections.Counter(), collections.Counter()
    for r in records:
        key = r["vm"]["pid"], r["vcpu"], r["code"]
        counts[key] += r["count"]
        times[key] += r["total_ns"]
    return counts, times


def exits(want, trace, shadow=False):
    """Counts per process, vCPU and reason; a VM's index is not part of what kvmtrace tells."""
    mine = [r for r in trace["exits"] if r["vm"]["pid"] in want.pids]
    counts, times = sum_exits(mine)
    # The programs of exits alone are too short to be caught in.
    spare = missed(trace) if "capture" in trace.summary else 0
    names = {r["code"]: r["reason"] for r in mine}
    sums = collections.defaultdict(lambda: collections.Counter())
    for k in want.of("exits"):
        code = unnested(want.isa, k["code"]) if shadow else k["code"]
        key = int(k["pid"]), int(k["vcpu"]), code
        sums[key][k["match"]] += int(k["count"])
        sums[key]["ns"] += int(k.get("min_total_ns", 0))
        label = unnested(want.isa, k["reason"]) if shadow else k["reason"]
        if names.get(code, label) != label:
            yield f"code {code} is called {names[code]}, not {label}"
    for key, s in sums.items():
        rule = {"count": s["exact"] + s["min"], "match": "min" if "min" in s else "exact"}
        yield from counted(f"pid {key[0]} vcpu {key[1]} exits {key[2]}", counts[key], rule, spare)
        if times[key] < s["ns"]:
            yield f"pid {key[0]} vcpu {key[1]} exits {key[2]}: {times[key]} ns, under {s['ns']}"
    for key in counts:
        if key not in sums:
            yield f"pid {key[0]} vcpu {key[1]}: {counts[key]} unexpected exits {key[2]}"


def cause_of(isa, keys, shadow):
    """What an exception's cause must be: of the fields named here, each and exactly."""
    cause = dict.fromkeys(("msr", "access", "value", "port", "cr"))
    cause["exit"], cause["code"] = keys["cause"], keys["code"]
    if shadow:
        cause["exit"] = unnested(isa, cause["exit"])
        cause["code"] = unnested(isa, cause["code"])
    else:
        for field, values in (("info1", isa.info1), ("intr_info", isa.intr_info)):
            if cause["exit"] in values:
                cause[field] = values[cause["exit"]]
    if "msr" in keys:
        cause.update(msr=keys["msr"], access=keys["access"], value=keys.get("value"))
    if "cr" in keys:
        cause.update(cr=int(keys["cr"]), access=keys["access"])
        cause.pop("value") if "value" not in keys else cause.update(value=keys["value"])
    if keys["cause"] == isa.io:
        # The exit itself tells of the port; the guest's word is of the memory it accesses.
        cause.pop("port")
        cause.pop("access")
    return cause


def exception_key(r):
    return (r["vm"]["pid"], r["vcpu"], str(r["vector"]), r["error_code"] or "-",
            r["rip"], r["address"] or "-")


def one_exception(r, want, cause):
    tids = {tid for (pid, _, vcpu), tid in want.vcpus.items()
            if (pid, vcpu) == (r["vm"]["pid"], r["vcpu"])}
    if r["tid"] not in tids:
        yield f"tid {r['tid']}, the vCPU's threads are {tids}"
    if r["reinjected"] or r["protected"] or r["async_pf_token"]:
        yield f"flags of an exception are set: {r}"
    if not r["cause"]:
        yield f"no cause: {r}"
        return
    for name, value in cause.items():
        if r["cause"][name] != value:
            yield f"cause.{name} is {r['cause'][name]}, not {value}: {r}"


def exceptions(want, trace, shadow=False):
    mine = [r for r in trace["exception"] if r["vm"]["pid"] in want.pids]
    got = collections.Counter(exception_key(r) for r in mine)
    causes, sums = {}, collections.Counter()
    for k in want.of("exception"):
        key = (int(k["pid"]), int(k["vcpu"]), k["vector"], k["error"], k["rip"], k["address"])
        causes[key] = cause_of(want.isa, k, shadow)
        sums[key] += int(k["count"])
    spare = missed(trace)
    for key, count in sums.items():
        if not count - spare <= got[key] <= count:
            yield f"exception {key}: expected {count}, got {got[key]}"
    for key, count in got.items():
        if key not in sums:
            yield f"exception {key}: {count} unexpected"
    # What was missed may have been the exit, or the MSR, before an exception.
    for r in mine:
        if exception_key(r) in causes:
            wrong = list(one_exception(r, want, causes[exception_key(r)]))
            spare -= bool(wrong)
            yield from wrong if spare < 0 else ()


def one_fault(r, isa, kinds, shadow):
    if r["exit"] is None:
        if r["space"] or r["isa"] or r["access"]:
            yield f"of a fault whose exit is not known: {r}"
        return
    if r["space"] != ("gva" if shadow else "gpa"):
        yield f"space {r['space']}: {r}"
    if (r["exit"], r["code"]) != (isa.shadow_fault if shadow else isa.fault):
        yield f"exit {r['exit']} {r['code']}: {r}"
    if ("write" in kinds) != bool(int(r["error_code"], 16) & 2):
        yield f"access {r['access']} does not fit error code {r['error_code']}"


def faults(want, trace, shadow=False):
    """Each touch the guest planned; with nested paging the code KVM was given of it as well."""
    mine = [r for r in trace["fault"] if r["vm"]["pid"] in want.pids]
    got = collections.Counter()
    name, mask = want.isa.fault_code
    for r in mine:
        kinds = [a for a in r["access"] if a in ("read", "write", "fetch")]
        code = None if shadow else int(r["error_code"], 16) & mask
        got[r["vm"]["pid"], r["vcpu"], r["address"], ",".join(kinds), r["rip"], code] += 1
        yield from one_fault(r, want.isa, kinds, shadow)
    for k in want.of("fault"):
        code = None if shadow else int(k[name], 16)
        key = int(k["pid"]), int(k["vcpu"]), k["address"], k["access"], k["rip"], code
        yield from counted(f"fault {key}", got[key], k, missed(trace))


def guest(job, name, shadow=False, session=""):
    """All that one guest expects, in a session of all three commands."""
    want = job.want(name)
    yield from exits(want, job.trace(session + "exits"), shadow)
    yield from exceptions(want, job.trace(session + "exceptions"), shadow)
    yield from faults(want, job.trace(session + "faults"), shadow)
    if not want.of("exits"):
        yield "the guest expects nothing"


def observers(job):
    """kvmtrace's totals against perf's and tracefs'."""
    trace = job.trace("exits")
    counts = collections.Counter()
    for r in trace["exits"]:
        counts[int(r["code"], 16)] += r["count"]
    words = job.tracefs("kvm_exit")
    for word, count in words.items():
        code = job.isa.words.get(word)
        if code is None:
            yield f"tracefs: exit reason {word} is not known to this test"
        elif counts[code] != count:
            yield f"exits {word}: tracefs {count}, kvmtrace {counts[code]}"
    total = sum(counts.values())
    # perf's counters are skipped like programs on classic tracepoints; tracefs' lines are not.
    for who, other, spare in (("perf", job.perf(), may_miss), ("tracefs", sum(words.values()), 0),
                              ("kvmtrace's summary", trace.summary["exits"], 0)):
        if not total - spare <= other <= total or not other:
            yield f"exits: {who} {other}, kvmtrace {total}"
    yield from lost_nothing(trace)


def injected(job):
    trace, words = job.trace("exceptions"), job.tracefs("kvm_inj_exception")
    seen, first, again = len(trace["exception"]), words.get("first", 0), words.get("again", 0)
    if not first - missed(trace) <= seen <= first or not first or trace.summary["exceptions"] != seen:
        yield f"exceptions: tracefs {first}, kvmtrace {seen}, its summary {trace.summary}"
    if any(r["reinjected"] for r in trace["exception"]):
        yield "reinjected exceptions are shown without --reinjected"
    if trace.summary["reinjected_hidden"] != again:
        yield f"reinjected: tracefs {again}, hidden {trace.summary['reinjected_hidden']}"
    yield from lost_nothing(trace)


def page_faults(job):
    trace, words = job.trace("faults"), job.tracefs("kvm_page_fault")
    seen = len(trace["fault"])
    if not words["all"] - missed(trace) <= seen <= words["all"] or trace.summary["faults"] != seen:
        yield f"faults: tracefs {words}, kvmtrace {seen}, its summary {trace.summary}"
    yield from lost_nothing(trace)
