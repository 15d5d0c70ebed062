# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""How fast captures are read: kvmtrace report and export, and perf script for comparison."""
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time

import measure
import plan

STORE = os.path.join(plan.BUILD, "tests", "bench", "store")
KVMTRACE = os.path.join(plan.BUILD, "kvmtrace")
RUNS = 3
LIMIT = 600  # s, of a command
GUEST = "g_cpuid -n 100000"
EVENTS = "kvm:kvm_exit -e kvm:kvm_entry"
# Captures by name: events, the guest that store.c makes up.
FILES = {"50 M exits": (50000000, "late"), "5 M events of all kinds": (5000000, "kinds")}
# Title, capture, command; what it prints goes to @OUT or nowhere.
READERS = (
    ("report", "50 M exits", "report @FILE"),
    ("report exits --hist", "50 M exits", "report @FILE exits --hist"),
    ("report exits --where", "50 M exits", "report @FILE exits --where 'duration > 10000'"),
    ("export perfetto", "50 M exits", "export --format perfetto -o @OUT @FILE"),
    ("report", "5 M events of all kinds", "report @FILE"),
    ("report events", "5 M events of all kinds", "report @FILE events"),
    ("report events -f json", "5 M events of all kinds", "report @FILE events -f json"),
    ("export perfetto", "5 M events of all kinds", "export --format perfetto -o @OUT @FILE"),
    ("export csv", "5 M events of all kinds", "export --format csv -o @OUT @FILE"),
    ("export ctf", "5 M events of all kinds", "export --format ctf -o @DIR @FILE"),
)


def spent(command):
    """CPU seconds and resident KiB at most of a command (rusage has this program's own in it)."""
    rss, end = 0, time.monotonic() + LIMIT
    with tempfile.TemporaryFile() as said, \
            subprocess.Popen(shlex.split(command), stdout=subprocess.DEVNULL, stderr=said) as child:
        status = 0
        while not status and time.monotonic() < end:
            found = re.search(r"VmHWM:\s*(\d+)", measure.read_all(f"/proc/{child.pid}/status"))
            rss = int(found[1]) if found else rss
            pid, status, use = os.wait4(child.pid, os.WNOHANG)
            if pid:
                break
            time.sleep(0.01)
        else:
            child.kill()
        child.returncode = status
        if not pid or status:
            said.seek(0)
            raise measure.Failed(f"{command}: status {status}: {said.read()[-500:]}")
    return use.ru_utime + use.ru_stime, rss


def figures(command, events, size):
    runs = [spent(command) for _ in range(RUNS)]
    return {"rate": round(events / min(cpu for cpu, _ in runs)), "rss": max(r for _, r in runs),
            "events": events, "disk": round(size / events, 1)}


def perf_script(folder):
    """Reads what perf record wrote in an emulated host."""
    done = subprocess.run([measure.RUN, "--series", "6.1", "--perf", "--mem", "1500", "--out", folder,
                           "--add", os.path.join(plan.BUILD, "tests/guest/g_cpuid"), "--",
                           f"perf record -q -a -e {EVENTS} -o /out/perf.data ./{GUEST} >/dev/null"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          timeout=measure.BOOT_LIMIT)
    path = os.path.join(folder, "perf.data")
    if done.returncode:
        raise measure.Failed(f"perf record: status {done.returncode}: {done.stdout[-500:]}")
    lines = subprocess.run(f"perf script -i {path} | wc -l", shell=True, check=True, text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=LIMIT)
    return figures(f"perf script -i {path}", int(lines.stdout), os.path.getsize(path))


def run():
    found = {}
    with tempfile.TemporaryDirectory(dir=plan.BUILD) as folder:
        for name, (count, guest) in FILES.items():
            path = os.path.join(folder, guest)
            subprocess.run([STORE, path, str(count), "4", guest], check=True, timeout=LIMIT,
                           stdout=subprocess.DEVNULL)
            for title, wanted, command in READERS:
                if wanted != name:
                    continue
                words = command.replace("@FILE", path).replace("@OUT", "/dev/null")
                found[f"kvmtrace {title}, {name}"] = reader(words, path, folder, count)
            os.unlink(path)
        if shutil.which("perf"):
            found[f"perf script, perf record of {GUEST}"] = perf_script(folder)
    return found


def reader(words, path, folder, count):
    """Every run of an export to a folder gets one of its own."""
    if "@DIR" not in words:
        return figures(f"{KVMTRACE} {words}", count, os.path.getsize(path))
    target = os.path.join(folder, "ctf")
    command = f"{KVMTRACE} {words.replace('@DIR', target)}"
    try:
        cpu, rss = spent(command)
    finally:
        shutil.rmtree(target, ignore_errors=True)
    return {"rate": round(count / cpu), "rss": rss, "events": count,
            "disk": round(os.path.getsize(path) / count, 1)}
