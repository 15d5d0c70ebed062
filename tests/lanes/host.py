#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The machine's own KVM: hardware, or one in software that never raises kvm_exit."""
import collections
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from types import SimpleNamespace

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "emulated"))
import compare
import isa
from capture import Capture
from data import Trace, Want, read
from program import GUESTS, KVMTRACE, LIMIT, main, one_line, run

# A KVM of other vendors has no exits to tell of.
HERE = next((v for v in (isa.VMX, isa.SVM) if os.path.exists("/sys/module/" + v.module)),
            SimpleNamespace(**{**vars(isa.SVM), "name": "none"}))

READY_MS = 300
RUNS = 5


class Running:
    """A kvmtrace that traces; its output goes to a file."""

    def __init__(self, folder, *args, stdout=None):
        self.folder, self.out = folder, os.path.join(folder, "trace.out")
        begin = time.monotonic()
        with open(self.out, "wb") as file:
            self.process = subprocess.Popen([KVMTRACE, *args], stdout=stdout or file,
                                            stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        self.err = b""
        for line in self.process.stderr:
            self.err += line
            if line.startswith(b"kvmtrace: tracing "):
                break
        else:
            self.process.wait(LIMIT)
            raise ValueError(f"status {self.process.returncode}: {self.err.decode()}")
        self.ready_ms = (time.monotonic() - begin) * 1000

    def end(self, number=signal.SIGINT):
        self.process.send_signal(number)
        return self.wait()

    def wait(self):
        try:
            self.err += self.process.stderr.read() if not self.process.wait(LIMIT) else b""
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        return self.process.returncode

    def trace(self):
        return Trace(read(self.folder, "trace.out"))


def guest(folder, name, *args):
    path = os.path.join(folder, name + ".want")
    with open(path, "wb") as file:
        subprocess.run([os.path.join(GUESTS, "g_" + name), *args], stdout=file, check=True,
                       timeout=60)
    return Want(folder, name, HERE)


def raises_kvm_exit():
    return any(os.path.exists("/sys/module/" + name) for name in ("kvm_intel", "kvm_amd"))


def exceptions(name, *args):
    with tempfile.TemporaryDirectory() as folder:
        running = Running(folder, "exceptions", "-f", "json")
        want = guest(folder, name, *args)
        if running.end() != 0:
            yield f"status {running.process.returncode}: {running.err}"
        trace = running.trace()
    mine = [r for r in trace["exception"] if r["vm"]["pid"] in want.pids]
    got = collections.Counter()
    for r in mine:
        msr = (r["cause"] or {}).get("msr")
        got[r["vcpu"], r["vector"], r["error_code"] or "-", r["rip"], msr] += 1
        if r["tid"] not in want.vcpus.values() or r["vm"]["name"] != "g_" + name:
            yield f"tid or name: {r}"
    expected = collections.Counter()
    for k in want.of("exception"):
        key = int(k["vcpu"]), int(k["vector"]), k["error"], k["rip"], k.get("msr")
        expected[key] += int(k["count"])
    if got != expected or not expected:
        yield f"expected {expected}, got {got}"
    yield from compare.lost_nothing(trace)


def record():
    """What this KVM raises is in the capture, every event, and the rest is said."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "a.kvmtrace")
        running = Running(folder, "record", "-o", path)
        want = guest(folder, "msr", "-n", "200")
        if running.end() != 0:
            yield f"status {running.process.returncode}: {running.err}"
        events = Capture(path).events()
        reports = {view: run("report", path, view, "-f", "json")
                   for view in ("exits", "exceptions", "events")}
    mine = [e for e in events if e["kind"] != "lost" and e["tgid"] in want.pids]
    got = collections.Counter((e["vector"], f"0x{e['error_code']:x}", f"0x{e['rip']:x}", e["number"])
                              for e in mine if e["kind"] == "exception" and not e["flags"] & 8)
    expected = collections.Counter()
    for k in want.of("exception"):
        expected[int(k["vector"]), k["error"], k["rip"], int(k["msr"], 16)] += int(k["count"])
    if got != expected or not expected:
        yield f"expected {expected}, got {got}"
    for kind, word in (("pio", "pio"), ("userspace_exit", "user")):
        count = sum(e["kind"] == kind for e in mine)
        if count != want.total(word) or not count:
            yield f"{kind}: {count} of {want.total(word)}"
    said = b"exits: this host's KVM" in running.err
    if said == raises_kvm_exit() or (reports["exits"].returncode == 0) == said:
        yield f"says {running.err}; report exits: status {reports['exits'].returncode}"
    lines = [json.loads(line) for line in reports["events"].out.splitlines()]
    if len(lines) != len(events) + 1 or lines[-1]["events"] != len(events):
        yield f"report events has {len(lines)} lines, the file {len(events)} events"
    again = [json.loads(line) for line in reports["exceptions"].out.splitlines()]
    if sum(r["type"] == "exception" and r["vm"]["pid"] in want.pids for r in again) != \
            want.total("exception"):
        yield f"report exceptions: {again[-1]}"


def exits():
    """Counts, or says in a sentence that this KVM has no exits to show."""
    if not raises_kvm_exit():
        for command in ("exits", "faults"):
            done = run(command, "-d", "0.1")
            if done.returncode != 3 or done.out:
                yield f"{command}: status {done.returncode}, not 3"
            yield from one_line(done.err, "never raises kvm_exit")
        return
    with tempfile.TemporaryDirectory() as folder:
        running = Running(folder, "exits", "--by", "vm,vcpu,reason", "-f", "json")
        want = guest(folder, "cpuid", "-n", "1000")
        running.end()
        yield from compare.exits(want, running.trace())


def doctor():
    """What a command lacks it says in doctor's words; and doctor knows which can run."""
    records = [json.loads(line) for line in run("doctor", "-f", "json").out.splitlines()]
    possible = {r["command"]: r["possible"] for r in records if r["type"] == "tracing"}
    lacks = {r["item"]: r["lack"] for r in records
             if r["type"] == "item" and r["command"] == "exceptions" and r["lack"]}
    said = run("exceptions", "-v", "-d", "0.1").err
    for item, lack in lacks.items():
        if f"kvmtrace: {item}: {lack}\n" not in said and f"kvmtrace: {lack}\n" not in said:
            yield f"exceptions -v does not say that {item} lacks: {lack}"
    if not possible["exceptions"] or not possible["vms"]:
        yield f"{possible}"
    if possible["exits"] != raises_kvm_exit() or bool(lacks) == raises_kvm_exit():
        yield f"{possible} {lacks}"
    if not possible["exits"]:
        (why,) = [r["why_not"] for r in records
                  if r["type"] == "tracing" and r["command"] == "exits"]
        yield from one_line(run("exits", "-d", "0.1").err, why)


def vms():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "held.want")
        with open(path, "wb") as file:
            held = subprocess.Popen([os.path.join(GUESTS, "g_smp"), "--hold", "60", "--name",
                                     "held"], stdout=file)
        try:
            end = time.monotonic() + LIMIT
            while not Want(folder, "held", HERE).done and time.monotonic() < end:
                time.sleep(0.05)
            want = Want(folder, "held", HERE)
            done = run("vms", "-p", str(held.pid), "-f", "json")
        finally:
            held.kill()
            held.wait()
    record = json.loads(done.out)
    threads = {(t["vcpu"], t["tid"]) for t in record["vcpu_threads"]}
    if threads != {(vcpu, tid) for (_, _, vcpu), tid in want.vcpus.items()}:
        yield f"threads {threads}, the guest says {want.vcpus}"
    if (record["vm"], record["vcpus"]) != ({"pid": held.pid, "name": "held"}, 4):
        yield f"differs: {record}"


def ready_times():
    times = []
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory() as folder:
            running = Running(folder, "exceptions")
            times.append(running.ready_ms)
            running.end()
    return times


def start_time():
    """From the start of the program to the line that says it traces."""
    for _ in range(2):
        times = ready_times()
        if statistics.median(times) <= READY_MS:
            break
    yield f"note: median {statistics.median(times):.0f} ms of {[round(t) for t in times]}"
    if statistics.median(times) > READY_MS:
        yield f"over {READY_MS} ms"


def first_line_only():
    """"kvmtrace exceptions | head -n 1" ends by itself, without a word."""
    with tempfile.TemporaryDirectory() as folder:
        reader, write = os.pipe()
        running = Running(folder, "exceptions", "-f", "json", stdout=write)
        os.close(write)
        os.close(reader)
        guest(folder, "msr")
        status = running.wait()
    if status != 0 or len(running.err.splitlines()) != 1:
        yield f"status {status}, {running.err}"


def full_disk():
    with tempfile.TemporaryDirectory() as folder, open("/dev/full", "wb") as full:
        running = Running(folder, "exceptions", stdout=full)
        guest(folder, "msr")
        status = running.wait() if running.process.poll() is None else running.process.returncode
        words = running.process.stderr.read().decode() if not running.process.stderr.closed else ""
    words = running.err.decode() + words
    if status != 1 or words.lower().count("no space left") != 1:
        yield f"status {status}, {words}"


def interrupt_twice():
    """Nobody reads the output, so the first Ctrl-C cannot finish; the second ends it at once."""
    with tempfile.TemporaryDirectory() as folder:
        reader, write = os.pipe()
        running = Running(folder, "exceptions", "-f", "json", stdout=write)
        os.close(write)
        try:
            guest(folder, "msr", "-n", "5000")
            time.sleep(0.5)
            running.process.send_signal(signal.SIGINT)
            time.sleep(0.5)
            if running.process.poll() is not None:
                yield f"one Ctrl-C was enough: status {running.process.returncode}"
            running.process.send_signal(signal.SIGINT)
            begin = time.monotonic()
            try:
                running.process.wait(3)
            except subprocess.TimeoutExpired:
                yield "still there 3 s after the second Ctrl-C, because nobody reads its output"
            if time.monotonic() - begin > 1:
                yield f"took {time.monotonic() - begin:.1f} s"
        finally:
            running.process.kill()
            running.process.wait()
            os.close(reader)


def terminate():
    """SIGTERM is a proper end, too: the summary is there."""
    with tempfile.TemporaryDirectory() as folder:
        running = Running(folder, "exceptions", "-f", "json")
        want = guest(folder, "ud", "-n", "7")
        if running.end(signal.SIGTERM) != 0:
            yield f"status {running.process.returncode}"
        if running.trace().summary["exceptions"] != want.total("exception"):
            yield f"{running.trace().summary}"


def sizes(folder):
    return {name: os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder)}


def record_size():
    """The limit holds in a storm, with standard input closed, too; each file of a rotation is whole."""
    storm = [os.path.join(GUESTS, "g_pio"), "-n", "100000"]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "c")
        done = subprocess.run(["sh", "-c", 'exec "$@" <&-', "sh", KVMTRACE, "record", "-o", path, "--size",
                               "1M", "-d", "15", "--", *storm], capture_output=True, timeout=60, check=False)
        if done.returncode or b"(--size)" not in done.stderr:
            yield f"status {done.returncode}: {done.stderr}"
        if not 500000 < sizes(folder)["c"] <= 1 << 20:
            yield f"sizes {sizes(folder)}"
        done = run("record", "-o", path, "--size", "1M", "--rotate", "2", "--", *storm, timeout=60)
        if done.returncode or sorted(sizes(folder)) != ["c", "c.1"] or max(sizes(folder).values()) > 1 << 20:
            yield f"status {done.returncode}, {done.err}, sizes {sizes(folder)}"
        for name in sizes(folder):
            if run("export", "-f", "perfetto", "-o", "/dev/null", os.path.join(folder, name)).returncode:
                yield f"{name} cannot be read"


def record_files():
    """What is there is overwritten with care, and not in vain."""
    with tempfile.TemporaryDirectory() as folder:
        path, other = os.path.join(folder, "c"), os.path.join(folder, "c.1")
        rotate = ["--size", "1M", "--rotate", "2"]
        with open(other, "wb") as file:
            file.write(b"dear diary")
        os.symlink("/dev/null", os.path.join(folder, "link"))
        for args, words in ((["-o", path, *rotate], other), (["-o", other], "no capture"),
                            (["-o", os.path.join(folder, "link"), *rotate], "only regular files"),
                            (["-o", os.path.join(folder, "none", "c")], "No such file"),
                            (["-o", "/dev/full"], "No space left"), (["-o", path, "--", "/none"], "/none")):
            done = run("record", "-d", "1", *args)
            if done.returncode != 1 or words not in done.err or "ended with" in done.err:
                yield f"{args}: status {done.returncode}, {done.err!r}"
        if sorted(sizes(folder)) != ["c.1", "link"]:
            yield f"left behind: {os.listdir(folder)}"
        run("record", "-d", "0.1", "-o", path)
        with open(path, "rb") as file:
            before = file.read()
        os.chmod(path, 0o666)
        run("record", "-o", path, "--", "/none")
        with open(path, "rb") as file:
            if file.read() != before or not before:
                yield "an earlier capture is lost when the command cannot run"
        run("record", "-d", "0.1", "-o", path)
        if os.stat(path).st_mode & 0o777 != 0o600:
            yield f"mode {os.stat(path).st_mode:o}"


def record_apart():
    """What a command prints is no part of the capture on standard output."""
    with tempfile.TemporaryDirectory() as folder:
        for out in ("-", "/proc/self/fd/1"):
            path = os.path.join(folder, "c")
            with open(path, "wb") as file:
                done = run("record", "-o", out, "--", "sh", "-c", "echo it is me; exit 3", stdout=file)
            with open(path, "rb") as file:
                if b"it is me" in file.read() or "it is me\n" not in done.err:
                    yield f"{out}: {done.err!r}"
            if done.returncode or "ended with status 3" not in done.err:
                yield f"{out}: status {done.returncode}, {done.err!r}"
            if run("report", path).returncode:
                yield f"{out}: no capture"
        done = run("record", "-o", path, "--", "echo", "it is me")
        if done.out != "it is me\n":
            yield f"{done.out!r}"


TESTS = {
    "exceptions-msr": lambda: exceptions("msr", "-n", "200"),
    "exceptions-ud": lambda: exceptions("ud", "-n", "200"),
    "exits": exits,
    "record": record,
    "doctor": doctor,
    "vms": vms,
    "start-time": start_time,
    "first-line-only": first_line_only,
    "full-disk": full_disk,
    "interrupt-twice": interrupt_twice,
    "terminate": terminate,
    "record-size": record_size,
    "record-files": record_files,
    "record-apart": record_apart,
}

if __name__ == "__main__":
    if os.path.exists("/dev/kvm"):
        main("host", TESTS)
    else:
        print("skip host host: no /dev/kvm on this machine")
