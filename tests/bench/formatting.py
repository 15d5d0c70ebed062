# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""How fast exceptions are made into lines: format.c, timed and under callgrind."""
import os
import re
import shutil
import statistics
import subprocess

import measure
import plan

PROGRAM = os.path.join(plan.BUILD, "tests", "bench", "format")
EVENTS = 200000
RUNS, BEST = 5, 5
FEW, MANY = 5000, 15000
KINDS = (("text", "storm"), ("text", "scattered"), ("json", "storm"), ("json", "scattered"))


def rate(words):
    """Events a second: the best of BEST medians of RUNS runs."""
    best = 0
    for _ in range(BEST):
        rates = []
        for _ in range(RUNS):
            done = subprocess.run([PROGRAM, *words, str(EVENTS)], check=True, timeout=120,
                                  stdout=subprocess.PIPE, text=True)
            count, took = map(int, done.stdout.split())
            rates.append(count / took * 1e9)
        best = max(best, statistics.median(rates))
    return best


def collected(words, count):
    done = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
                           PROGRAM, *words, str(count)], check=True, timeout=300,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    return int(re.search(r"Collected : (\d+)", done.stderr)[1])


def run():
    if not shutil.which("valgrind"):
        raise measure.Failed("valgrind is not here: tools/deps.sh bench")
    return {" ".join(words): {"rate": round(rate(words)),
                              "instructions": round((collected(words, MANY)
                                                     - collected(words, FEW)) / (MANY - FEW), 1)}
            for words in KINDS}
