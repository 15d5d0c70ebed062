#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Judges what the jobs of an emulated host left, all or those named. usage: check.py LANE FOLDER [JOB]...

A test is a function over a job's folder that yields what is wrong, a line each.
"""
import os
import re
import sys

import compare
import elsewhere
import isa
import tests_host
import tests_loss
import tests_main
import tests_module
import tests_record
import tests_ways
from data import Job

LANES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
REASONS_MAX = 8
PREEMPTIBLE = ("7.2",)
LINE_MAX = 600


def order(job):
    """One stream out of a ring for each CPU: in the order of time."""
    times = [r["ts_ns"] for r in job.trace("order")["exception"]]
    if times != sorted(times):
        yield f"{sum(a > b for a, b in zip(times, times[1:]))} of {len(times)} out of order"
    for guest in ("ordered", "ordered2"):
        yield from compare.exceptions(job.want(guest), job.trace("order"))


def kernel_log(job):
    """The host's kernel has nothing to complain of, from the job's first line on."""
    _, begun, lines = job.text("dmesg").partition("lanes: the job begins\n")
    if not begun:
        yield "the log does not say where the job begins"
    for line in lines.splitlines():
        if re.search(r"\] (WARNING|BUG|Oops)|Call Trace|rcu.*stall|refcount_t|hung_task", line):
            yield line


def guest_test(name, shadow=False):
    return lambda job: compare.guest(job, name, shadow)


TOTALS = {"exits": compare.observers, "exceptions": compare.injected, "faults": compare.page_faults}

SMP = {
    "smp-guest-migrate": guest_test("migrate"),
    "smp-guest-smp": guest_test("smp2"),
    "smp-guest-twovms": guest_test("twovms2"),
    "smp-guest-msr": guest_test("msr2"),
    **{"smp-totals-" + name: test for name, test in TOTALS.items()},
    "smp-storm": lambda job: tests_main.storm(job, "storm2", "storm_two"),
    "smp-order": order,
    **tests_record.SMP,
    "smp-kernel-log": kernel_log,
}

SHADOW = {
    "shadow-guest-npf": guest_test("shadow_npf", True),
    "shadow-guest-pf": guest_test("shadow_pf", True),
    "shadow-guest-msr": guest_test("shadow_msr", True),
    **{"shadow-totals-" + name: test for name, test in TOTALS.items()},
    **tests_record.SHADOW,
    "shadow-kernel-log": kernel_log,
}

JOBS = {
    "main": {**tests_main.TESTS, **tests_host.TESTS, **tests_record.MAIN, **tests_loss.MAIN,
             "doctor": tests_ways.doctor, "kernel-log": kernel_log},
    "smp": SMP,
    "shadow": SHADOW,
    "module": {**tests_module.TESTS, "module-kernel-log": kernel_log},
    "ways": {**tests_ways.TESTS, "ways-kernel-log": kernel_log},
    "record": {**tests_loss.FULL_SPEED, "record-kernel-log": kernel_log},
}


def run(test, job):
    """A test that cannot be made fails."""
    try:
        return list(test(job))
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        return [f"{type(error).__name__}: {error}"]


def report(lane, name, reasons):
    print("not ok" if reasons else "ok", lane, name)
    for reason in reasons[:REASONS_MAX]:
        print("  " + reason.encode("unicode_escape").decode()[:LINE_MAX])
    if len(reasons) > REASONS_MAX:
        print(f"  and {len(reasons) - REASONS_MAX} more")


def left_out(family, series):
    """Tests that the lane's list says this series cannot have."""
    with open(os.path.join(LANES, family + ".list"), encoding="utf-8") as file:
        words = [line.partition("#")[0].split() for line in file]
    return {w[0] for w in words if "not:" + series in w[1:]}


def main(lane, folder, *chosen):
    family, series = lane.split("-", 1)
    without = left_out(family, series)
    if series in PREEMPTIBLE:
        compare.may_miss, compare.may_miss_recorded = 64, 5000
    for job_name, tests in JOBS.items():
        tests = {name: test for name, test in tests.items() if name not in without}
        if not tests or (chosen and job_name not in chosen):
            continue
        job = Job(os.path.join(folder, job_name), isa.OF_LANE[family], series)
        if os.path.isdir(job.folder):
            elsewhere.read_all(job.folder)
        for name, test in tests.items():
            report(lane, name, run(test, job))


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
