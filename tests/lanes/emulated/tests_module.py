# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Tests of job_module.sh: KVM's modules go and come while kvmtrace runs."""
import collections

import compare

COMMANDS = ("exits", "exceptions", "faults", "rec")
ROUNDS = ("first", "second", "third", "fourth")
KINDS = ("cpuid", "msr", "npf", "smp")
GUESTS = [f"{when}_{what}" for when in ROUNDS for what in KINDS]
LIMIT_MS = 2000
AGAIN = "kvmtrace: tracing again"


def said(job, name):
    """The kinds of what it said, in order."""
    for line in job.text(name + ".err").splitlines():
        if line.startswith(f"kvmtrace: {job.isa.module} was unloaded: "):
            yield "unloaded"
        elif line.startswith(AGAIN):
            yield "again"
        elif not line.startswith("kvmtrace: recorded "):
            yield "begun" if line.startswith("kvmtrace: tracing ") else line


def guests_test(when):
    """Those that ran between two reloads: each to the event."""
    return lambda job: (f"{when} {what}: {reason}" for what in KINDS
                        for reason in compare.guest(job, f"{when}_{what}"))


def totals_exits(job):
    """Over all rounds."""
    trace, sums = job.trace("exits"), collections.Counter()
    for r in trace["exits"]:
        sums[r["code"]] += r["count"]
    for code in job.isa.own:
        want = sum(job.want(g).total("exits", code=code) for g in [*GUESTS, "open"])
        if sums[code] != want or not want:
            yield f"exits {code}: the guests' {want}, kvmtrace's {sums[code]}"
    if trace.summary["exits"] != sum(sums.values()):
        yield f"{sum(sums.values())} in groups, in the summary {trace.summary['exits']}"
    yield from compare.lost_nothing(trace)


def totals_exceptions(job):
    trace = job.trace("exceptions")
    want = sum(job.want(g).total("exception") for g in [*GUESTS, "open"])
    if not len(trace["exception"]) == trace.summary["exceptions"] == want != 0:
        yield f"the guests' {want}, kvmtrace's {len(trace['exception'])}, {trace.summary}"
    yield from compare.lost_nothing(trace)


def recorded(job):
    """One capture of all rounds has what the live commands have."""
    for name in [*GUESTS, "open"]:
        yield from (f"{name}: {reason}" for reason in compare.guest(job, name, session="rec_"))
    for view in ("exits", "exceptions", "faults"):
        said, want = (job.trace(who + view).summary[view] for who in ("rec_", ""))
        if said != want or not want:
            yield f"{view}: {said}, live {want}"
        yield from compare.lost_nothing(job.trace("rec_" + view))


def totals_faults(job):
    """No guest knows all of its faults; those that it knows are compared in module-guests-…"""
    trace = job.trace("faults")
    pids = {r["vm"]["pid"] for r in trace["fault"]}
    for name in GUESTS:
        if not job.want(name).pids <= pids:
            yield f"no fault of {name}"
    if trace.summary["faults"] != len(trace["fault"]):
        yield f"{len(trace['fault'])} records, in the summary {trace.summary['faults']}"
    yield from compare.lost_nothing(trace)


def lets_go(job):
    """kvm could be unloaded, each time, also the last, when nobody attaches again."""
    if job.text("rmmod.err"):
        yield job.text("rmmod.err")
    for when in ("gone", "end"):
        if int(job.text(when + ".ms")) > LIMIT_MS:
            yield f"{when}: kvm was held for {job.text(when + '.ms').strip()} ms"
        left = [m for m in job.text(when + ".modules").split() if m.startswith("kvm")]
        if left or not job.text(when + ".modules"):
            yield f"{when}: still loaded: {left}"


def says_so(job):
    want = ["begun", *["unloaded", "again"] * 3, "unloaded"]
    for name in COMMANDS:
        if list(said(job, name)) != want:
            yield f"{name} says {job.text(name + '.err')}"


def held_by_a_vm(job):
    """The kernel refuses, so nothing changes: nobody lets go, nothing is said, nothing is missed."""
    if job.text("open.rmmod").strip() != "1":
        yield f"{job.isa.module} was unloaded although a VM was open"
    lines = job.text("open.said").splitlines()
    if len(lines) != len(COMMANDS) or not all(l.startswith("kvmtrace: tracing ") for l in lines):
        yield f"said meanwhile: {lines}"
    yield from compare.guest(job, "open")


def other_build(job):
    """What comes back may have other structures, so everything is looked at anew."""
    before, after = job.text("other.ids").split()
    if before == after or len(before) != len(after):
        yield f"the test itself failed: build IDs {before} {after}"
    if list(said(job, "other")) != ["begun", "unloaded", "again"]:
        yield f"says {job.text('other.err')}"
    trace = job.trace("other")
    for guest in ("other_msr", "other_msr2"):
        yield from compare.exits(job.want(guest), trace)
    yield from compare.lost_nothing(trace)


TESTS = {
    "module-totals-exits": totals_exits,
    "module-totals-exceptions": totals_exceptions,
    "module-totals-faults": totals_faults,
    "module-record": recorded,
    "module-lets-go": lets_go,
    "module-says-so": says_so,
    "module-held-by-vm": held_by_a_vm,
    "module-other-build": other_build,
    **{"module-guests-" + when: guests_test(when) for when in ROUNDS},
}
