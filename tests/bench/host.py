# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The machine's own KVM: how much longer a guest takes with a tool attached, by the clock."""
import glob
import math
import os
import shutil
import signal
import statistics
import subprocess
import tempfile
import time

import measure
import plan

NOTHING = "nothing"
ROUNDS = 7
ATTACH_LIMIT = 60
END_LIMIT = 60
IDLE_S = 0.5
# A tool that takes less CPU time than this in IDLE_S is attached, or through with reading.
IDLE_NS = 5e6


def cpu_ns(session):
    """CPU time of the processes of a session."""
    total = 0
    for path in glob.glob("/proc/[0-9]*/stat"):
        words = measure.read_stat(path)
        if len(words) > 3 and words[3] == str(session):
            for task in glob.glob(os.path.join(os.path.dirname(path), "task/*/schedstat")):
                total += int((measure.read_all(task).split() or ["0"])[0])
    return total


def wait_idle(child):
    end = time.monotonic() + ATTACH_LIMIT
    before = cpu_ns(child.pid)
    while time.monotonic() < end and child.poll() is None:
        time.sleep(IDLE_S)
        now = cpu_ns(child.pid)
        if child.poll() is None and now - before < IDLE_NS:
            return
        before = now
    raise measure.Failed(f"{child.args[-1]}: it did not come to rest, or ended")


def attach(command, out, environment):
    child = subprocess.Popen(["sh", "-c", "exec " + command.replace("@OUT", out)],
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL, start_new_session=True, env=environment)
    try:
        wait_idle(child)
    except BaseException:
        detach(child)
        raise
    return child


def detach(child):
    try:
        os.killpg(child.pid, signal.SIGINT)
        child.wait(timeout=END_LIMIT)
    except (ProcessLookupError, subprocess.TimeoutExpired):
        child.kill()
        child.wait()


def timed(command, environment):
    begin = time.monotonic()
    subprocess.run(["sh", "-c", "exec " + command], check=True, stdout=subprocess.DEVNULL,
                   timeout=120, env=environment)
    return time.monotonic() - begin


def once(guest, command, scratch, environment):
    if not command:
        return timed(guest, environment)
    child = attach(command, os.path.join(scratch, "out"), environment)
    try:
        return timed(guest, environment)
    finally:
        detach(child)


def measure_work(rows, scratch, environment):
    """Rounds of all tools in turn, so that what else the machine does hits all of them."""
    (title, guest), *tools = rows
    tools.insert(0, (NOTHING, None))
    times = {name: [] for name, _ in tools}
    timed(guest, environment)
    for _ in range(ROUNDS):
        for name, command in tools:
            try:
                times[name].append(once(guest, command, scratch, environment))
            except measure.Failed:
                # This machine's kernel may lack what it needs, ftrace for one.
                times[name].append(float("nan"))
    medians = {name: statistics.median(each) for name, each in times.items()}
    return {"title": title,
            "ratios": {name: None if math.isnan(value) else round(value / medians[NOTHING], 3)
                       for name, value in medians.items() if name != NOTHING}}


def run():
    """None where there is no KVM."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK) or os.geteuid():
        return None
    works = {}
    for name, title, command in plan.rows("host.list", 3):
        works.setdefault(name, []).append((title, command))
    for tool in ("perf", "trace-cmd", "bpftrace"):
        if not shutil.which(tool):
            raise measure.Failed(f"{tool} is not here: tools/deps.sh bench")
    environment = dict(os.environ)
    environment["PATH"] = ":".join((plan.BUILD, os.path.join(plan.BUILD, "tests/guest"),
                                    environment["PATH"]))
    with tempfile.TemporaryDirectory() as scratch:
        return {"kernel": os.uname().release,
                "works": {name: measure_work(rows, scratch, environment)
                          for name, rows in works.items()}}
