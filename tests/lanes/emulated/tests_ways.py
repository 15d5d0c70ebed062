# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Tests of job_ways.sh, weaker ways count the same, and of what doctor says in job_host.sh."""
import json
import re

import compare

GUESTS = ("cpuid", "pio", "msr", "ud", "pf", "cr", "npf", "hlt", "smp", "recreate", "twovms")
COMMANDS = ("exits", "exceptions", "faults", "regions")
# Of the weakest ways: names of the programs that have to be there, and nothing but these.
WEAK = {
    "exits": {"kt_exit_end_r", "kt_exit_begin_r"},
    "exceptions": {"kt_exit_note_r", "kt_msr_r", "kt_cr_r", "kt_emulate_r", "kt_async_pf_r",
                   "kt_inject_r"},
    "faults": {"kt_fault_entry_r", "kt_fault_exit_r", "kt_fault_r", "kt_fault_old"},
    "regions": {"kt_fault_entry_r", "kt_fault_exit_r", "kt_fault_r", "kt_fault_old"},
}
RECORD_WEAK = {"kt_trace_exit_r", "kt_trace_entry_r"}
RECORD_BETTER = {"kt_trace_exit", "kt_trace_exit_c", "kt_trace_entry", "kt_fault", "kt_msr", "kt_cr",
                 "kt_emulate", "kt_async_pf", "kt_inject", "kt_exit_note"}


def programs(job, name):
    return set(re.findall(r"^kvmtrace: program (\w+) on", job.text(name + ".err"), flags=re.M))


def recorded(job, session):
    """A capture made by the weakest ways has no less."""
    for guest in GUESTS:
        yield from (f"record: {guest}: {reason}"
                    for reason in compare.guest(job, session + guest, session=session + "rec_"))
    used = programs(job, session + "rec")
    if not used >= RECORD_WEAK or used & RECORD_BETTER:
        yield f"record used {used}"
    yield from compare.lost_nothing(job.trace(session + "rec_exits"))


def weaker(session):
    def test(job):
        for guest in GUESTS:
            yield from (f"{guest}: {reason}"
                        for reason in compare.guest(job, session + guest, session=session))
        for command in COMMANDS:
            used = programs(job, session + command) - {"kt_list_vcpus"}
            if not used or used - WEAK[command]:
                yield f"{command} used {used}"
            yield from compare.lost_nothing(job.trace(session + command))
        yield from recorded(job, session)
        faults = job.trace(session + "faults").summary["faults"]
        regions = sum(r["count"] for r in job.trace(session + "regions")["faults"])
        spare = max(compare.missed(job.trace(session + name)) for name in ("faults", "regions"))
        if abs(regions - faults) > spare or not faults:
            yield f"{regions} faults in regions, {faults} records"
    return test


def refusals(job):
    """The kernel's own words are there."""
    for command in COMMANDS:
        said = re.findall(r"^kvmtrace: the kernel refuses (\w+) \((.+)\)$",
                          job.text(f"refused_{command}.err"), flags=re.M)
        # 5.10 has but one better way, that of exits.
        if not said and (command == "exits" or "kvm" in job.text("btf_modules").split()):
            yield f"{command}: no refusal: {job.text(f'refused_{command}.err')}"
        for program, words in said:
            if len(words) < 10:
                yield f"{program}: {words}"


def doctor(job):
    """Everything can be had on these hosts, but for what the facts say of 5.10."""
    if job.status("doctor") != 0 or job.status("doctor_text") != 0:
        yield f"status {job.status('doctor')}: {job.text('doctor.err')}"
    records = [json.loads(line) for line in job.text("doctor.out").splitlines()]
    for r in records:
        if r["type"] == "tracing" and not (r["possible"] and r["programs"]):
            yield f"{r}"
    facts = {r["key"]: r["value"] for r in records if r["type"] == "fact"}
    absent = {(r["command"], r["item"]) for r in records
              if r["type"] == "item" and not r["available"]}
    wanted = set() if int(facts["member.kvm.nr_memslot_pages"]) else {("vms", "memory")}
    if absent != wanted:
        yield f"cannot be had: {absent}"
    text = job.text("doctor_text.out")
    for r in records:
        if r["type"] == "item" and r["item"] not in text:
            yield f"the text lacks {r['item']}"
        if r["type"] == "fact" and f"{r['key']} = {r['value']}".rstrip() not in text:
            yield f"the text lacks {r['key']}"


TESTS = {
    "ways-forced": weaker("forced_"),
    "ways-refused": weaker("refused_"),
    "ways-refusals": refusals,
}
