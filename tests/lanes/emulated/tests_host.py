# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Tests of job_main.sh and job_host.sh: filters, list of VMs, names, hosts that lack something."""
import collections
import csv
import io
import json

import compare

# As the guests were told, and what of it may be shown: no control character as it is.
NASTY = 'a"b,c\033[31m\nd\tü\\'
# In csv, which people look at in terminals as well, they are spelt.
NASTY_CSV = 'a"b,c\\x1b[31m\\x0ad\\x09ü\\'


def only(what, records, **allowed):
    """These records, and of each only the allowed values."""
    if not records:
        yield f"{what}: nothing was seen"
    for field, values in allowed.items():
        seen = {r["vm"][field] if field in ("pid", "name") else r[field] for r in records}
        if seen != set(values):
            yield f"{what}: {field} {sorted(seen)}, not {sorted(values)}"


def filter_pid(job):
    want, trace = job.want("db1"), job.trace("f_pid")
    yield from only("exits -p", trace["exits"], pid=want.pids)
    yield from compare.exits(want, trace)
    yield from compare.lost_nothing(trace)


def filter_vm(job):
    want, trace = job.want("web1"), job.trace("f_vm")
    yield from only("exits --vm", trace["exits"], name={"web-1"})
    yield from compare.exits(want, trace)


def filter_vcpu(job):
    want, trace = job.want("db1"), job.trace("f_vcpu")
    yield from only("exits --vcpu 2", trace["exits"], vcpu={2}, pid=want.pids)
    count = sum(r["count"] for r in trace["exits"] if r["code"] == job.isa.cpuid)
    if count != want.total("exits", code=job.isa.cpuid, vcpu="2"):
        yield f"{count} CPUIDs on vCPU 2"


def filter_reason(job):
    trace = job.trace("f_reason")
    yield from only("exits --reason", trace["exits"], reason={"CPUID", job.isa.io})
    counts, _ = compare.sum_exits(trace["exits"])
    for guest in ("web1", "db1", "gp1"):
        for k in job.want(guest).of("exits"):
            key = int(k["pid"]), int(k["vcpu"]), k["code"]
            if k["reason"] in ("CPUID", job.isa.io) and counts[key] != int(k["count"]):
                yield f"{guest} {k['reason']}: {counts[key]} of {k['count']}"


def exits_text(job):
    """A row for each VM, with nothing in it but the reason asked for."""
    lines = [line.split() for line in job.text("f_text.out").splitlines()]
    rows = {(int(words[2]), words[3]): int(words[4]) for words in lines
            if len(words) > 4 and words[1] == "(gone)"}
    expected = {}
    for want in (job.want("web1"), job.want("db1"), job.want("gp1")):
        (pid,) = want.pids
        expected[pid, job.isa.io] = want.total("exits", reason=job.isa.io)
    if rows != expected or job.status("f_text") != 0:
        yield f"{rows}, the guests say {expected}: {job.text('f_text.out')}"


def filter_exceptions(job):
    gp, web = job.want("gp2"), job.want("web2")
    for name, want in (("f_epid", gp), ("f_evm", web)):
        trace = job.trace(name)
        yield from only(name, trace["exception"], pid=want.pids)
        yield from compare.exceptions(want, trace)
    seen = job.trace("f_evcpu")["exception"]
    yield from compare.exceptions(gp, job.trace("f_evcpu"))
    yield from compare.exceptions(web, job.trace("f_evcpu"))
    happened = sum(job.want(g).total("exception", vcpu="0") for g in ("gp2", "web2", "db2"))
    if len(seen) != happened:
        yield f"--vcpu 0: {len(seen)} of {happened}"
    if job.trace("f_evcpu7")["exception"]:
        yield "--vcpu 7: something was seen"


def filter_vector(job):
    for name, vectors in (("f_vector", {6}), ("f_vectors", {6, 13})):
        records = job.trace(name)["exception"]
        yield from only(name, records, vector=vectors)
        happened = sum(job.want(g).total("exception", vector=str(v))
                       for g in ("gp2", "web2") for v in vectors)
        if len(records) != happened:
            yield f"{name}: {len(records)} of {happened}"
    for guest in ("gp2", "web2"):
        yield from compare.exceptions(job.want(guest), job.trace("f_vectors"))


def fault_counts(records, pids):
    return collections.Counter((r["vm"]["pid"], r["vcpu"], r["address"], r["rip"], r["error_code"])
                               for r in records if r["vm"]["pid"] in pids)


def filter_faults(job):
    """Just those that a kvmtrace without filters has of these VMs."""
    for name, guest in (("f_fpid", "db3"), ("f_fvm", "gp3")):
        pids = job.want(guest).pids
        yield from only(name, job.trace(name)["fault"], pid=pids)
        mine = fault_counts(job.trace(name)["fault"], pids)
        if mine != fault_counts(job.trace("f_fall")["fault"], pids):
            yield f"{name}: {mine}"


# ---- the list of VMs ----

def vms_none(job):
    if job.text("vms_none.out") or job.text("vms_none_json.out"):
        yield "VMs are listed where there are none"
    if job.status("vms_none") != 0 or "no VM is running" not in job.text("vms_none.err"):
        yield f"status {job.status('vms_none')}: {job.text('vms_none.err')}"


def vms_json(job):
    records = job.trace("vms_json").records
    by_pid = {r["vm"]["pid"]: r for r in records}
    # Memory is in KVM's own structures, whose layout only the module's BTF tells (5.11 and later).
    module_btf = "kvm" in job.text("btf").split()
    for guest, name in (("listed", "db-1"), ("nasty", NASTY)):
        want = job.begun(guest)
        (pid,) = want.pids
        r = by_pid.pop(pid)
        threads = {(t["vcpu"], t["tid"]) for t in r["vcpu_threads"]}
        if threads != {(vcpu, tid) for (_, _, vcpu), tid in want.vcpus.items()}:
            yield f"threads {threads}, the guest says {want.vcpus}"
        if (r["type"], r["vm"]["name"], r["vcpus"], r["vms"]) != ("vm", name, len(want.vcpus), 1):
            yield f"differs: {r}"
        if r["vmm"] != "qemu" or not r["rss_bytes"]:
            yield f"differs: {r}"
        if r["memory_bytes"] != (4194304 if module_btf else None):
            yield f"memory: {r}"
    if by_pid or len(records) != 2:
        yield f"further VMs: {by_pid}, {len(records)} in all"


def vms_text(job):
    text, want = job.text("vms_text.out"), job.begun("listed")
    (pid,) = want.pids
    tids = ",".join(str(tid) for _, tid in sorted(want.vcpus.items()))
    (line,) = [line for line in text.splitlines() if line.split()[0] == str(pid)]
    fields = line.split()
    if fields[1] != "db-1" or fields[-1] != tids or str(len(want.vcpus)) not in fields:
        yield f"threads {tids}: {line}"
    if len(text.splitlines()) != 3 or job.text("vms_text.err"):
        yield f"two VMs, but: {text} {job.text('vms_text.err')}"
    yield from clean("vms", text)


def vms_csv(job):
    rows = list(csv.DictReader(io.StringIO(job.text("vms_csv.out"))))
    names = sorted(r["vm.name"] for r in rows)
    if names != sorted(["db-1", NASTY_CSV]):
        yield f"names {names}"
    yield from same_columns("vms", job.text("vms_csv.out"))


def vms_filters(job):
    (pid,) = job.begun("listed").pids
    for name in ("vms_pid", "vms_glob"):
        got = [r["vm"]["pid"] for r in job.trace(name).records]
        if got != [pid]:
            yield f"{name}: {got}, not {pid}"
    if job.status("vms_other") != 1 or job.text("vms_other.out"):
        yield f"no such VM: status {job.status('vms_other')}, {job.text('vms_other.out')}"


# ---- names ----

def clean(what, text):
    bad = [c for c in text if (ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160]
    if bad or "\033" in text:
        yield f"{what}: control characters {bad} reach the terminal"


def same_columns(what, text):
    rows = list(csv.reader(io.StringIO(text)))
    lengths = collections.Counter(len(row) for row in rows)
    if len(lengths) != 1 or len(rows) < 2:
        yield f"{what}: rows by number of fields: {dict(lengths)}"


def names_text(job):
    (pid,) = job.want("n_guest").pids
    for name in ("n_text", "n_etext", "n_ftext"):
        text = job.text(name + ".out")
        yield from clean(name, text)
        if not text or job.status(name) != 0:
            yield f"{name}: status {job.status(name)}"
    lines = [line for line in job.text("n_text.out").splitlines() if " vector=" in line]
    if len(lines) != job.want("n_guest").total("exception"):
        yield f"a name with a line break makes {len(lines)} lines"
    if not all(' vcpu0 vector=' in line and line[2] == ":" for line in lines):
        yield f"lines are broken: {lines[:3]}"
    if not pid:
        yield "no guest"


def names_json(job):
    names = {r["vm"]["name"] for r in job.trace("n_json")["exception"]}
    if names != {NASTY}:
        yield f"names {names}"


def names_csv(job):
    for name in ("n_csv", "n_ecsv", "n_fcsv"):
        text = job.text(name + ".out")
        yield from same_columns(name, text)
        names = {r["vm.name"] for r in csv.DictReader(io.StringIO(text))}
        if names != {NASTY_CSV}:
            yield f"{name}: names {names}"
        yield from clean(name + " on stderr", job.text(name + ".err"))
    rows = list(csv.DictReader(io.StringIO(job.text("n_csv.out"))))
    if len(rows) != job.want("n_guest").total("exception"):
        yield f"{len(rows)} rows of exceptions"


# ---- what a host may lack ----

def refused(job, name, status, words):
    """One sentence, the right status, nothing on standard output, no library's words."""
    err = job.text(name + ".err")
    if job.status(name) != status:
        yield f"{name}: status {job.status(name)}, not {status}"
    if len(err.splitlines()) != 1 or words not in err or not err.startswith("kvmtrace: "):
        yield f"{name}: says {err!r}"
    if "libbpf" in err or job.text(name + ".out"):
        yield f"{name}: {err} {job.text(name + '.out')}"


def nobody(job):
    for command in ("exits", "exceptions", "faults", "record"):
        yield from refused(job, "nobody_" + command, 4, "no permission")
    if "No such file" not in job.text("nobody_record.left"):
        yield f"record leaves {job.text('nobody_record.left')}"
    if job.status("nobody_vms") != 0 or "libbpf" in job.text("nobody_vms.err"):
        yield f"vms: status {job.status('nobody_vms')}, {job.text('nobody_vms.err')}"


def no_btf(job):
    yield from refused(job, "nobtf", 3, "CONFIG_DEBUG_INFO_BTF=y")


def no_module_btf(job):
    """Other programs do the same work, to the event."""
    for guest in ("raw_msr", "raw_pio", "raw_ud", "raw_npf", "raw_smp"):
        yield from (f"{guest}: {reason}" for reason in compare.guest(job, guest, session="raw_"))


def no_kvm(job):
    yield from refused(job, "novendor", 3, "/dev/kvm")
    yield from refused(job, "nokvm", 3, "KVM is not loaded")


def no_tracefs(job):
    """Root can do without: kvmtrace mounts it for itself, where nobody sees it."""
    if job.status("notracefs") != 0 or "error" in job.text("notracefs.err"):
        yield f"status {job.status('notracefs')}: {job.text('notracefs.err')}"
    if "libbpf" in job.text("notracefs.err"):
        yield job.text("notracefs.err")


def wait_for_kvm(job):
    if "waiting for KVM" not in job.text("waiting.err"):
        yield job.text("waiting.err")
    yield from compare.exits(job.want("awaited"), job.trace("waiting"))


# Every JSON trace by part of the job and type of its records.
COUNTED = (
    ("everything", "exits", "exits"),
    ("everything", "exception", "exceptions reinjected"),
    ("everything", "fault", "faults"),
    ("everything", "faults", "regions"),
    ("many_vcpus", "exits", "many"),
    ("filter_exits", "exits", "f_pid f_vm f_vcpu f_reason"),
    ("filter_exceptions", "exception", "f_epid f_evm f_evcpu f_evcpu7 f_vector f_vectors"),
    ("filter_faults", "fault", "f_fpid f_fvm f_fall"),
    ("intervals", "exits", "interval whole timed"),
    ("names", "exception", "n_json"),
    ("without_btf", "exits", "raw_exits"),
    ("without_btf", "exception", "raw_exceptions"),
    ("without_btf", "fault", "raw_faults"),
    ("without_kvm", "exits", "waiting"),
)
# What a summary calls their number.
PLURAL = {"exception": "exceptions", "fault": "faults"}


def summaries(job):
    """A summary says what the records say, and that nothing was lost."""
    for part, kind, names in COUNTED:
        for name in names.split() if part in job.parts() else ():
            trace = job.trace(name)
            seen = sum(r.get("count", 1) for r in trace[kind])
            if trace.summary[PLURAL.get(kind, kind)] != seen:
                yield f"{name}: {seen} in records, {trace.summary}"
            if trace.lost - compare.missed(trace) or trace["lost"]:
                yield f"{name}: lost {trace.summary['lost']}"


def quiet(job):
    """Without -v: that tracing began, and nothing else."""
    for part, name in (("everything", "exits"), ("everything", "exceptions"),
                       ("everything", "faults"), ("many_vcpus", "many"),
                       ("intervals", "interval"), ("filter_exits", "f_pid")):
        if part not in job.parts():
            continue
        lines = job.text(name + ".err").splitlines()
        if len(lines) != 1 or not lines[0].startswith("kvmtrace: tracing "):
            yield f"{name}: {lines}"


def json_lines(job):
    """Types of the fields, as DESIGN.md promises them to scripts."""
    for name, kind in (("exits", "exits"), ("exceptions", "exception"), ("faults", "fault")):
        for line in job.text(name + ".out").splitlines():
            r = json.loads(line)
            if r["type"] == kind and not (isinstance(r["vm"]["pid"], int) and
                                          isinstance(r["vm"]["name"], str)):
                yield f"vm: {line}"
            for field in ("address", "rip", "error_code", "code"):
                value = r.get(field)
                if value is not None and not (isinstance(value, str) and value.startswith("0x")):
                    yield f"{field}: {line}"
    for r in job.trace("exceptions")["exception"]:
        if not isinstance(r["ts_ns"], int) or len(r["time"]) != 30 or r["time"][-1] != "Z":
            yield f"time: {r}"


TESTS = {
    "filter-pid": filter_pid,
    "filter-vm": filter_vm,
    "filter-vcpu": filter_vcpu,
    "filter-reason": filter_reason,
    "exits-text": exits_text,
    "filter-exceptions": filter_exceptions,
    "filter-vector": filter_vector,
    "filter-faults": filter_faults,
    "vms-none": vms_none,
    "vms-json": vms_json,
    "vms-text": vms_text,
    "vms-csv": vms_csv,
    "vms-filters": vms_filters,
    "names-text": names_text,
    "names-json": names_json,
    "names-csv": names_csv,
    "not-root": nobody,
    "no-btf": no_btf,
    "no-module-btf": no_module_btf,
    "no-kvm": no_kvm,
    "no-tracefs": no_tracefs,
    "wait-for-kvm": wait_for_kvm,
    "summaries": summaries,
    "quiet": quiet,
    "json-types": json_lines,
}
