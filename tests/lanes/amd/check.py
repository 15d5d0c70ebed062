#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Judges what the jobs of an AMD lane left. usage: check.py LANE FOLDER

A test is a function over a job's folder that yields what is wrong, a line each.
"""
import os
import re
import sys

import compare
import tests_host
import tests_main
from data import Job

LIST = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "amd.list")
REASONS_MAX = 8
LINE_MAX = 600


def order(job):
    """One stream out of a ring for each CPU: in the order of time."""
    times = [r["ts_ns"] for r in job.trace("order")["exception"]]
    if times != sorted(times):
        yield f"{sum(a > b for a, b in zip(times, times[1:]))} of {len(times)} out of order"
    for guest in ("ordered", "ordered2"):
        yield from compare.exceptions(job.want(guest), job.trace("order"))


def kernel_log(job):
    """The host's kernel has nothing to complain of."""
    lines = job.text("dmesg").splitlines()
    if not lines:
        yield "the log is empty"
    for line in lines:
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
    "smp-kernel-log": kernel_log,
}

SHADOW = {
    "shadow-guest-npf": guest_test("shadow_npf", True),
    "shadow-guest-pf": guest_test("shadow_pf", True),
    "shadow-guest-msr": guest_test("shadow_msr", True),
    **{"shadow-totals-" + name: test for name, test in TOTALS.items()},
    "shadow-kernel-log": kernel_log,
}

JOBS = {
    "main": {**tests_main.TESTS, **tests_host.TESTS, "kernel-log": kernel_log},
    "smp": SMP,
    "npt": SHADOW,
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


def left_out(lane):
    """Tests that amd.list says this series cannot have."""
    series = lane.removeprefix("amd-")
    with open(LIST, encoding="utf-8") as file:
        words = [line.split() for line in file if not line.startswith("#")]
    return {w[0] for w in words if "not:" + series in w[1:]}


def main(lane, folder):
    without = left_out(lane)
    for job_name, tests in JOBS.items():
        job = Job(os.path.join(folder, job_name))
        for name, test in tests.items():
            if name not in without:
                report(lane, name, run(test, job))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
