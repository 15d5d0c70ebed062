#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The command line: what needs neither KVM nor permission. Expectations are typed by hand."""
import json
import os
import random
import re
import subprocess
import tempfile

import kept
import reports
from program import KVMTRACE, main, one_line, run

WIDTH = 80
FACTS = os.path.join("tests", "facts")
COMMANDS = ("exits", "exceptions", "faults", "vms", "report", "export", "doctor")
COMMON = "--pid -p --vm --format -f --output -o --verbose -v --version --help -h"
PLAIN = "--format -f --output -o --verbose -v --version --help -h"
TRACING = COMMON + " --facts --vcpu --duration -d --strict --wait --max-vcpus"
SYMBOLS = " --guest-kallsyms --guest-vmlinux"
RECORDING = ("--pid -p --vm --vcpu --output -o --verbose -v --version --help -h --facts --duration -d --strict"
             " --wait --max-vcpus --events -e --size --rotate --reason --vector --buffer")
OPTIONS = {
    "exits": TRACING + " --hist --by --interval -i --reason",
    "exceptions": TRACING + " --reinjected --vector --buffer" + SYMBOLS,
    "faults": TRACING + " --hist --top --buffer" + SYMBOLS,
    "vms": COMMON,
    "report": COMMON + " --vcpu --reason --vector --hist --by --interval -i --top --reinjected --from"
              " --to --where --strict" + SYMBOLS,
    "record": RECORDING,
    "export": COMMON + " --vcpu --reason --vector --from --to --where --strict",
    "doctor": PLAIN + " --facts --save-facts",
}
# Name, arguments, what the message has to name.
USAGE = (
    ("no-command", [], "--help"),
    ("unknown-command", ["exit"], "exit"),
    ("unknown-option", ["exits", "--intervall", "1"], "--interval"),
    ("unknown-option-suggestion", ["exceptions", "--vectr", "gp"], "--vector"),
    ("unknown-short-option", ["exits", "-Z"], "-Z"),
    ("option-of-another-command", ["exceptions", "--hist"], "--hist"),
    ("vms-does-not-trace", ["vms", "-d", "1"], "-d"),
    ("pid-garbage", ["exits", "-p", "12x"], "12x"),
    ("pid-empty", ["exits", "-p", ""], "-p"),
    ("pid-0", ["exits", "-p", "0"], "0"),
    ("pid-negative", ["exits", "--pid", "-1"], "-1"),
    ("pid-too-large", ["exits", "--pid=4294967296"], "4294967296"),
    ("duration-garbage", ["exits", "-d", "1y"], "1y"),
    ("duration-negative", ["exits", "-d", "-1"], "-1"),
    ("duration-0", ["exits", "-d", "0"], "0"),
    ("duration-huge", ["exits", "-d", "99999999999999999999"], "99999999999999999999"),
    ("interval-0", ["exits", "-i", "0"], "0"),
    ("interval-garbage", ["exits", "-i", "1,5"], "1,5"),
    ("missing-value", ["exits", "-p"], "-p"),
    ("missing-value-long", ["exits", "--duration"], "--duration"),
    ("value-for-a-flag", ["exits", "--hist=yes"], "--hist"),
    ("vcpu-garbage", ["exceptions", "--vcpu", "one"], "one"),
    ("max-vcpus-0", ["exits", "--max-vcpus", "0"], "0"),
    ("buffer-too-small", ["exceptions", "--buffer", "3"], "3"),
    ("top-garbage", ["faults", "--top", "ten"], "ten"),
    ("symbols-no-file", ["exceptions", "--guest-vmlinux", "win11="], "win11="),
    ("symbols-no-vm", ["faults", "--guest-kallsyms", "=x"], "'='"),
    ("unknown-format", ["exits", "-f", "xml"], "xml"),
    ("format-in-capitals", ["vms", "--format", "JSON"], "JSON"),
    ("unknown-reason", ["exits", "--reason", "nosuchreason"], "nosuchreason"),
    ("unknown-reason-suggestion", ["exits", "--reason", "cpuud"], "CPUID"),
    ("empty-reason-in-list", ["exits", "--reason", "cpuid,,hlt"], "''"),
    ("too-many-odd-reasons", ["exits", "--reason", ",".join(map(str, range(4096, 4105)))], "more than 8"),
    ("unknown-vector", ["exceptions", "--vector", "#XX"], "#XX"),
    ("vector-too-large", ["exceptions", "--vector", "32"], "32"),
    ("unknown-by", ["exits", "--by", "reason,cpu"], "cpu"),
    ("record-no-file", ["record"], "-o FILE"),
    ("record-rotate-alone", ["record", "-o", "x", "--rotate", "2"], "--size"),
    ("record-rotate-stdout", ["record", "-o", "-", "--size", "1M", "--rotate", "2"], "-o -"),
    ("record-rotate-1", ["record", "-o", "x", "--size", "1M", "--rotate", "1"], "1"),
    ("record-size-too-small", ["record", "-o", "x", "--size", "1023K"], "1M"),
    ("record-size-garbage", ["record", "-o", "x", "--size", "1X"], "500M"),
    ("record-no-command", ["record", "-o", "x", "--"], "--"),
    ("record-unknown-event", ["record", "-o", "x", "-e", "exits,cpu"], "cpu"),
    ("positional", ["exits", "win11"], "win11"),
    ("positional-after-dashes", ["exceptions", "--", "-p"], "-p"),
    ("positional-vms", ["vms", "1"], "1"),
)


def usage(args, words, status=2):
    done = run(*args)
    if done.returncode != status:
        yield f"status {done.returncode}, not {status}"
    if done.out:
        yield f"writes to standard output: {done.out!r}"
    yield from one_line(done.err, words)


def printed(*args):
    """Text that was asked for goes to standard output, and fits a terminal."""
    done = run(*args)
    if done.returncode != 0 or done.err or not done.out.endswith("\n"):
        yield f"status {done.returncode}, stderr {done.err!r}"
    for line in done.out.splitlines():
        if len(line) > WIDTH or line != line.rstrip() or "\t" in line:
            yield f"{len(line)} columns, blanks at the end or a tab: {line!r}"


def has_word(text, word):
    return re.search(r"(?<![-\w])" + re.escape(word) + r"(?![-\w])", text)


def help_main():
    for arg in ("--help", "-h", "help"):
        yield from printed(arg)
    text = run("--help").out
    for word in (*COMMANDS, "--help", "--version", "exit status"):
        if not has_word(text, word):
            yield f"does not mention {word}"


def help_command(command):
    yield from printed(command, "--help")
    text = run(command, "--help").out
    wanted = set(OPTIONS[command].split())
    for word in wanted:
        if not has_word(text, word):
            yield f"does not mention {word}"
    listed = set(re.findall(r"^ +(-\w)?(?:, )?(--[\w-]+)?", text, flags=re.M))
    listed = {word for pair in listed for word in pair if word}
    if listed - wanted:
        yield f"lists {listed - wanted}, which this test does not know"
    if run(command, "-h").out != text:
        yield "-h says something else"


def accepted(command):
    """Every option is known, in every form: --help before it shows that it passed."""
    values = {"--pid": "1", "--vm": "x*", "--format": "json", "--output": "-", "--vcpu": "0",
              "--duration": "1.5m", "--max-vcpus": "0x10", "--by": "vcpu,vm", "--interval": "250ms",
              "--reason": "cpuid,0x7b,EPT_VIOLATION", "--vector": "#gp,6,PF", "--buffer": "64",
              "--top": "3", "--from": "2.5", "--to": "14:03", "--where": "ts > 5", "--facts": "x", "--save-facts": "x",
              "--events": "exits,halt", "-e": "io", "--size": "5g", "--rotate": "2",
              "--guest-kallsyms": "vm=x@0x10", "--guest-vmlinux": "./a=b", "-p": "1", "-f": "csv", "-o": "-", "-d": "2", "-i": "1"}
    for word in OPTIONS[command].split():
        forms = [[word]]
        if word in values and word.startswith("--"):
            forms = [[word, values[word]], [f"{word}={values[word]}"]]
        elif word in values:
            forms = [[word, values[word]], [word + values[word]]]
        if command == "export" and word in ("--format", "-f"):
            forms = [[*form[:-1], form[-1].replace("csv", "ctf")] for form in forms]
        for form in forms:
            done = run(command, "--help", *form)
            if done.returncode != 0 or done.err:
                yield f"{form}: status {done.returncode}, {done.err!r}"


def version():
    for arg in ("--version", "-V"):
        done = run(arg)
        if done.returncode or done.err or not re.fullmatch(r"kvmtrace \d+\.\d+\.\d+\n", done.out):
            yield f"{arg}: {done.returncode} {done.out!r} {done.err!r}"
    for command in COMMANDS:
        done = run(command, "--version")
        if done.returncode or done.out != run("--version").out:
            yield f"{command} --version: status {done.returncode}, {done.err!r}"


def closed_pipe():
    """Whoever reads has seen enough: no failure, no noise."""
    for args in (["--help"], ["--version"], ["exits", "--help"], ["vms"], ["vms", "-f", "csv"]):
        read, write = os.pipe()
        os.close(read)
        done = run(*args, stdout=write)
        os.close(write)
        if done.returncode != 0 or (done.err and args[0] != "vms") or "ipe" in done.err:
            yield f"{args}: status {done.returncode}, {done.err!r}"


def full_disk():
    for args in (["--help"], ["--version"], ["faults", "--help"]):
        with open("/dev/full", "wb") as full:
            done = run(*args, stdout=full)
        if done.returncode != 1:
            yield f"{args}: status {done.returncode}, not 1"
        yield from one_line(done.err, "no space left")


def closed_output():
    done = subprocess.run(["sh", "-c", 'exec "$0" --help >&-', KVMTRACE], capture_output=True,
                          timeout=20, check=False)
    if done.returncode != 1:
        yield f"status {done.returncode}, not 1"
    yield from one_line(done.stderr.decode(), "standard output")


def bad_output_file():
    with tempfile.TemporaryDirectory() as folder:
        for command in ("vms", "exceptions"):
            for path in (os.path.join(folder, "none", "file"), folder):
                done = run(command, "-o", path)
                if done.returncode != 1 or done.out:
                    yield f"{command} -o {path}: status {done.returncode}, {done.out!r}"
                yield from one_line(done.err, path)


def output_file():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "out")
        done = run("vms", "-f", "json", "-o", path)
        if done.returncode != 0 or done.out or not os.path.exists(path):
            yield f"status {done.returncode}, {done.out!r} {done.err!r}"
        with open(path, encoding="utf-8") as file:
            for line in file:
                json.loads(line)


def record_in_vain():
    """A command that cannot run leaves files as they were, and says nothing of what never ran."""
    with tempfile.TemporaryDirectory() as folder:
        path, none = os.path.join(folder, "capture"), os.path.join(folder, "none")
        with open(path, "wb") as file:
            file.write(b"\x89KVMT\r\n\x1a and so on")
        for name, status in (("no-btf", 3), ("no-permission", 4)):
            for out in (path, none, "-"):
                yield from usage(["record", "--facts", facts_of(name), "-o", out, "--", "sh", "-c",
                                  "echo ran; exit 3"], "", status)
        with open(path, "rb") as file:
            if file.read() != b"\x89KVMT\r\n\x1a and so on":
                yield "an earlier capture was changed"
        if os.path.exists(none):
            yield "a file was made"


def hostile_words():
    """What the user typed is shown without what it would do to a terminal."""
    for args in (["\033[31mx"], ["exits", "\033]0;x\a"], ["exits", "--\033[2J"],
                 ["exits", "--reason", "a\nb"], ["exceptions", "--vector", "\x9b31m"],
                 ["vms", "--vm", "\033[31m"], ["exits", "-p", "1\r2"]):
        done = run(*args)
        if re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", done.err) or len(done.err.splitlines()) != 1:
            yield f"{args}: {done.err!r}"


def long_words():
    for args in (["x" * 100000], ["exits", "--" + "x" * 100000], ["exits", "-p", "9" * 100000],
                 ["exits", "--reason", "cpuid," * 20000], ["exits", "--by", "vm," * 30000]):
        done = run(*args)
        if done.returncode != 2 or len(done.err.splitlines()) != 1:
            yield f"{args[-1][:20]}…: status {done.returncode}, {done.err[:200]!r}"


def mixed_up():
    """Random command lines, the same every time; the last word makes all of them wrong."""
    source = random.Random(1)
    words = [*" ".join(OPTIONS.values()).split(), "-p=1", "--vm=", "=", "-", "--", "---", "", "1",
             "0x", "%s%n", "*", "gp", "cpuid", "json", "-vvvv", "-h=", "\xff", "--pi", "--v"]
    for _ in range(150):
        args = [source.choice(COMMANDS), *source.choices(words, k=source.randrange(5))]
        args = [a for a in args if a not in ("-h", "--help")] + ["--no-such-option"]
        done = run(*args)
        if done.returncode not in (0, 2) or (done.returncode == 2 and done.out):
            yield f"{args}: status {done.returncode}, {done.err!r}"


# Facts of hosts, the status and words that doctor has for each.
HOSTS = (
    ("debian-6.1-amd", 0, ("exits: yes.", "exit_code in the VMCB", "kvm_amd")),
    ("builtin-6.18-intel", 0, ("built in", "vt.exit_reason in struct vcpu_vmx",
                               "EPT misconfigurations")),
    ("debian-5.10-amd", 0, ("first argument of kvm_exit", "its upper half from kvm_exit's",
                            "missing: this kernel's KVM keeps no count")),
    ("pvm-6.18", 3, ("exits: no.", "exceptions: yes.", "never raises kvm_exit")),
    ("no-btf", 3, ("CONFIG_DEBUG_INFO_BTF=y", "vms: as far as /proc tells.")),
    ("no-permission", 4, ("CAP_BPF and CAP_PERFMON",)),
)


def facts_of(name):
    return os.path.join(FACTS, name + ".facts")


def doctor_text():
    for name, status, words in HOSTS:
        done = run("doctor", "--facts", facts_of(name))
        if done.returncode != status or done.err:
            yield f"{name}: status {done.returncode}, {done.err!r}"
        for word in words:
            if word not in done.out:
                yield f"{name}: does not say '{word}'"


def doctor_records():
    """The same in json, and the items in csv."""
    done = run("doctor", "--facts", facts_of("debian-5.10-amd"), "-f", "json")
    records = [json.loads(line) for line in done.out.splitlines()]
    tracing = {r["command"]: r for r in records if r["type"] == "tracing"}
    items = {(r["command"], r["item"]): r for r in records if r["type"] == "item"}
    facts = {r["key"]: r["value"] for r in records if r["type"] == "fact"}
    if sorted(tracing) != ["exceptions", "exits", "faults", "faults --hist", "record", "vms"]:
        yield f"commands {sorted(tracing)}"
    if "kt_exit_begin_r3" not in tracing["exits"]["programs"]:
        yield f"exits: {tracing['exits']}"
    memory = items["vms", "memory"]
    if memory["available"] or "keeps no count" not in memory["lack"]:
        yield f"memory: {memory}"
    with open(facts_of("debian-5.10-amd"), encoding="utf-8") as file:
        lines = dict(line.rstrip("\n").split(" =", 1) for line in file
                     if " =" in line and not line.startswith("#"))
    if facts != {key: value.strip() for key, value in lines.items()}:
        yield "the facts are not those of the file"
    rows = run("doctor", "--facts", facts_of("debian-5.10-amd"), "-f", "csv").out.splitlines()
    if rows[0] != "command,item,available,source,lack" or len(rows) != len(items) + 1:
        yield f"{len(rows)} rows after {rows[0]!r}, for {len(items)} items"


def doctor_facts():
    """What is saved can be given back, and means the same; what is damaged is refused."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "here.facts")
        run("doctor", "--save-facts", path)
        saved = run("doctor", "--facts", path, "-f", "json").out
        here = run("doctor", "-f", "json").out
        keys = [[r for r in map(json.loads, text.splitlines()) if r["type"] == "fact"]
                for text in (saved, here)]
        if not keys[0] or keys[0] != keys[1]:
            yield "facts changed between saving and reading"
        for text in ("", "kvmtrace facts 2\n", "nonsense", "kvmtrace facts 1\ncpus = many\n",
                     "kvmtrace facts 1\nkvm = perhaps\n", "kvmtrace facts 1\ncpus\n",
                     "kvmtrace facts 1\nkernel.release = " + "x" * 100 + "\n",
                     "kvmtrace facts 1\nkvm = \033[31m\n", "\0" * 100):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            done = run("doctor", "--facts", path)
            if done.returncode != 1 or done.out:
                yield f"{text[:40]!r}: status {done.returncode}"
            yield from one_line(done.err, path)
            if "\033" in done.err:
                yield f"{done.err!r}"
        yield from usage(["exits", "--facts", path], path, 1)
        yield from usage(["doctor", "--facts", os.path.join(folder, "none")], "none", 1)


def symbols():
    """Files that are no symbols, told by name and line; nothing is traced, no file written."""
    texts = (("text", "1000 T a\n1000\n", "text:2:"), ("empty", "", "no symbols"), ("nul", "\0" * 9, "nul:1:"),
             ("zero", "0000000000000000 T a\n", "as root"), ("long", "1" * 100000, "too long"),
             ("elf", "\x7fELF\2\1\1\n", "--guest-vmlinux"))
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out")
        for name, text, words in texts:
            path = os.path.join(folder, name)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            yield from usage(["exceptions", "-o", out, "--guest-kallsyms", "vm=" + path], words, 1)
            yield from usage(["faults", "-o", out, "--guest-vmlinux", path], "ELF", 1)
        none = os.path.join(folder, "none")
        for path, words in ((none, none), (folder, folder)):
            yield from usage(["exceptions", "--guest-kallsyms", path], words, 1)
            yield from usage(["exceptions", "--guest-vmlinux", path + "@0x10"], words, 1)
        if os.path.exists(out):
            yield "writes a file"


def stands_alone():
    """A machine that only reads captures needs no libbpf."""
    done = subprocess.run(["readelf", "-d", KVMTRACE], capture_output=True, text=True, timeout=20,
                          check=True)
    needed = re.findall(r"\(NEEDED\).*\[(\S+)\]", done.stdout)
    if not needed or any(re.match(r"lib(bpf|jansson|babeltrace)", name) for name in needed):
        yield f"needs {needed}"


TESTS = {
    **{"usage-" + name: lambda a=args, w=words: usage(a, w) for name, args, words in USAGE},
    # Nothing is wrong with the command line: the process has gone, or never was.
    "usage-no-such-pid": lambda: usage(["exceptions", "-p", "2147483647"], "2147483647", 1),
    "help": help_main,
    **{"help-" + c: lambda c=c: help_command(c) for c in OPTIONS},
    **{"options-" + c: lambda c=c: accepted(c) for c in OPTIONS},
    "version": version,
    "doctor-text": doctor_text,
    "doctor-records": doctor_records,
    "doctor-facts": doctor_facts,
    "symbols": symbols,
    "closed-pipe": closed_pipe,
    "full-disk": full_disk,
    "closed-output": closed_output,
    "bad-output-file": bad_output_file,
    "output-file": output_file,
    "record-in-vain": record_in_vain,
    "hostile-words": hostile_words,
    "long-words": long_words,
    "mixed-up": mixed_up,
    **kept.TESTS,
    **reports.TESTS,
    "stands-alone": stands_alone,
}

if __name__ == "__main__":
    main("cli", TESTS)
