#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What an event costs, instruction by instruction, in an emulated AMD host.

usage: tools/profile.py [--series 6.1] [--few N] [--many N] [--events PER-N] [--bare]
                        [--listing SYMBOL] GUEST [COMMAND]

    tools/profile.py 'g_storm -n @N' 'kvmtrace exceptions --buffer 8192 -o /tmp/o'
    tools/profile.py --series 7.2 --listing kt_exit_end 'g_cpuid -n @N' 'kvmtrace exits -o /tmp/o'
    tools/profile.py --few 32 --many 96 --events 256 'g_sweep --mib @N' 'kvmtrace faults --hist -o /tmp/o'

GUEST (a program of build/tests/guest) runs with few and with many for @N, each in a boot of its own, under
QEMU with a plugin that counts every instruction; the difference, by the number of events, is what one event
costs in each function. The same without COMMAND is taken off, unless --bare says that all is to be shown.
--listing shows each instruction of the kernel's functions and BPF programs whose names have SYMBOL in them.
"""
import argparse
import bisect
import collections
import os
import shutil
import stat
import subprocess
import sys
import tempfile

BUILD = os.environ.get("BUILD", "build")
KERNEL = 0x800000000000  # addresses from here on are not user space's
JOB = """
: >/tmp/e
if [ -n "$COMMAND" ]; then
	sh -c "exec ./$COMMAND" >/dev/null 2>/tmp/e &
	tool=$!
	turns=0
	until grep -q tracing /tmp/e; do
		turns=$((turns + 1))
		[ $turns -lt 500 ] || { cat /tmp/e; exit 1; }
		usleep 20000
	done
fi
./$GUEST >/dev/null || exit
sleep 1
cat /proc/kallsyms >/out/kallsyms
[ -z "$COMMAND" ] || { kill -TERM $tool; wait $tool; }
"""


def build_plugin(folder):
    plugin = os.path.join(folder, "profile.so")
    subprocess.run(["gcc", "-O2", "-fPIC", "-shared", "-Wall", "-Wextra", "-o", plugin,
                    "tools/profile.c"], check=True)
    emulator = os.path.join(folder, "qemu-system-x86_64")
    with open(emulator, "w", encoding="utf-8") as file:
        file.write(f'#!/bin/sh\nexec {shutil.which("qemu-system-x86_64")} "$@" -plugin {plugin}\n')
    os.chmod(emulator, os.stat(emulator).st_mode | stat.S_IXUSR)


def boot(folder, series, guest, command, name):
    """Runs the guest, and returns the file of counts and that of symbols."""
    out = os.path.join(folder, name)
    os.mkdir(out)
    counts = os.path.join(out, "counts")
    words = ["tests/vm/run.sh", "--series", series, "--icount", "--cmdline", "nokaslr", "--timeout",
             "250", "--out", out, "--add", f"{BUILD}/kvmtrace",
             "--add", f"{BUILD}/tests/guest/{guest.split()[0]}",
             "--env", f"GUEST={guest}", "--env", f"COMMAND={command}", "--", JOB]
    path = folder + os.pathsep + os.environ["PATH"]
    done = subprocess.run(words, timeout=400, check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True,
                          env=dict(os.environ, PATH=path, PROFILE_OUT=counts))
    if done.returncode or not os.path.exists(counts):
        sys.exit(f"profile: {guest}: status {done.returncode}\n{done.stdout}")
    return counts, os.path.join(out, "kallsyms")


def read_symbols(path):
    symbols = []
    with open(path, encoding="ascii", errors="replace") as file:
        for line in file:
            address, _, name = line.split()[:3]
            if int(address, 16) >= KERNEL:
                symbols.append((int(address, 16), name))
    symbols.sort()
    return symbols


def read_profile(counts, symbols):
    """(function, offset): runs; and their texts. User space is one function."""
    table = read_symbols(symbols)
    starts = [address for address, _ in table]
    runs, texts = collections.Counter(), {}
    with open(counts, encoding="utf-8", errors="replace") as file:
        for line in file:
            address, count, *text = line.split(None, 2)
            where = int(address, 16)
            place = ("[user space]", 0)
            if where >= KERNEL:
                at = bisect.bisect_right(starts, where) - 1
                place = (table[at][1], where - starts[at])
            runs[place] += int(count)
            if text:
                texts[place] = text[0].strip()
    return runs, texts


def cost(folder, args, command, name):
    """(function, offset): instructions an event."""
    found = []
    for n in (args.few, args.many):
        guest = args.guest.replace("@N", str(n))
        print(f"profile: {name}, {guest}", file=sys.stderr)
        found.append(read_profile(*boot(folder, args.series, guest, command, f"{name}-{n}")))
    (few, _), (many, texts) = found
    events = (args.many - args.few) * args.events
    return {place: (many[place] - few[place]) / events for place in many}, texts


def by_function(costs):
    sums = collections.Counter()
    for (function, _), value in costs.items():
        sums[function] += value
    return sums


def main():
    parser = argparse.ArgumentParser(usage=__doc__.partition("usage: ")[2])
    parser.add_argument("--series", default="6.1")
    parser.add_argument("--few", type=int, default=20000)
    parser.add_argument("--many", type=int, default=60000)
    parser.add_argument("--events", type=int, default=1)
    parser.add_argument("--bare", action="store_true")
    parser.add_argument("--listing", action="append", default=[])
    parser.add_argument("guest")
    parser.add_argument("command", nargs="?", default="")
    args = parser.parse_args()
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    with tempfile.TemporaryDirectory() as folder:
        build_plugin(folder)
        costs, texts = cost(folder, args, args.command, "traced")
        sums = by_function(costs)
        if args.command and not args.bare:
            sums.subtract(by_function(cost(folder, args, "", "untraced")[0]))
    for function, value in sums.most_common():
        if value >= 0.5:
            print(f"{value:9.1f}  {function}")
    for symbol in args.listing:
        for (function, offset), value in sorted(costs.items()):
            if symbol in function and value >= 0.01:
                print(f"{function}+{offset:#06x} {value:8.2f}  {texts.get((function, offset), '')}")


if __name__ == "__main__":
    main()
