#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Compares what verify said on a host with the baseline.

usage: check.py [--test 'LANE TEST'] HOST FILE...   prints "ok verifier HOST", or what is wrong
       check.py --write HOST FILE...                makes these figures the baseline
"""
import os
import re
import shlex
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))
BASELINE = os.path.join(FOLDER, "baseline.txt")
# More than both is a jump.
JUMP_PERCENT = 20
JUMP_INSNS = 50
REASONS_MAX = 12
LINE_MAX = 600
UNSUPPORTED = "unsupported"


class Bad(ValueError):
    """A file that is not what it should be."""


class Output:
    """What verify said of one object: figures by program, a word where there are none."""

    def __init__(self, clang, kernel):
        self.clang, self.kernel = clang, kernel
        self.programs, self.details, self.whole = {}, {}, False

    def add(self, line):
        words = line.split(" ", 2)
        if len(words) != 3 or words[0] in self.programs:
            raise Bad(f"cannot be read: {line!r}")
        name, verdict, detail = words
        figures = re.fullmatch(r"insns=(\d+) states=\d+", detail)
        if verdict == "ok" and figures:
            self.programs[name] = int(figures[1])
        elif verdict in (UNSUPPORTED, "refused"):
            self.programs[name] = verdict
            self.details[name] = detail
        else:
            raise Bad(f"cannot be read: {line!r}")

    def end(self, line):
        if line != f"end programs={len(self.programs)}":
            raise Bad(f"{len(self.programs)} programs, but {line!r}")
        self.whole = True


def read_lines(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read().splitlines()


def read_outputs(paths):
    outputs, current = [], None
    for line in [line for path in paths for line in read_lines(path)]:
        begin = re.fullmatch(r"object (\S+)\.bpf\.o kernel (\S+)", line)
        if begin:
            current = Output(begin[1], begin[2])
            outputs.append(current)
        elif current is None or current.whole:
            raise Bad(f"belongs to no object: {line!r}")
        elif line.startswith("end "):
            current.end(line)
        elif not line.startswith("  | "):
            current.add(line)
    return outputs


def read_baseline(path):
    """Figures by host, clang and program; and the kernel that each host had."""
    figures, kernels = {}, {}
    for line in read_lines(path) if os.path.exists(path) else []:
        kernel = re.fullmatch(r"# (\S+): kernel (\S+)", line)
        words = line.split()
        if kernel:
            kernels[kernel[1]] = kernel[2]
        elif line and not line.startswith("#"):
            if len(words) != 4 or not re.fullmatch(rf"\d+|{UNSUPPORTED}", words[3]):
                raise Bad(f"{path}: cannot be read: {line!r}")
            value = words[3] if words[3] == UNSUPPORTED else int(words[3])
            if figures.setdefault(tuple(words[:3]), value) != value:
                raise Bad(f"{path}: twice: {line!r}")
    return figures, kernels


def compare(got, want, detail):
    """What is wrong with one program; None when nothing is. want is None where none is known."""
    if got == "refused":
        return f"the verifier refuses it: {detail}"
    if want is None:
        return "is not in the baseline"
    if got == UNSUPPORTED and want != UNSUPPORTED:
        return f"could not be loaded ({detail}); the baseline has {want} instructions"
    if got != UNSUPPORTED and want == UNSUPPORTED:
        return f"loads with {got} instructions; the baseline calls it unsupported"
    if UNSUPPORTED in (got, want) or got <= want + JUMP_INSNS:
        return None
    if got * 100 > want * (100 + JUMP_PERCENT):
        return f"{got} instructions, {(got - want) * 100 // want} % over the baseline's {want}"
    return None


def acceptable(output):
    """May it be a baseline?"""
    return output.whole and "refused" not in output.programs.values()


def one_object(host, output, figures, kernels):
    rows = {key[2]: value for key, value in figures.items() if key[:2] == (host, output.clang)}
    who = f"{host} {output.clang}"
    if not output.whole:
        yield f"{who}: verify ended too soon, after {len(output.programs)} programs"
        return
    wrong = {name: compare(got, rows.get(name), output.details.get(name))
             for name, got in output.programs.items()}
    wrong = {name: reason for name, reason in wrong.items() if reason}
    yield from (f"{who} {name}: {reason}" for name, reason in wrong.items())
    for name in sorted(rows.keys() - output.programs.keys()):
        yield f"{who} {name}: is in the baseline, but no more in the object"
    if wrong and kernels.get(host, output.kernel) != output.kernel:
        yield f"{who}: kernel {output.kernel}, the baseline's was {kernels[host]}"


def reasons(host, paths, baseline=BASELINE):
    """What is wrong with the output of verify on this host, a line each."""
    try:
        outputs = read_outputs(paths)
        figures, kernels = read_baseline(baseline)
    except (OSError, Bad) as error:
        return [str(error)]
    if not outputs:
        return [f"{host}: nothing was verified"]
    found = [line for output in outputs for line in one_object(host, output, figures, kernels)]
    if found and all(acceptable(output) for output in outputs):
        command = shlex.join(["python3", "-B", "tests/verifier/check.py", "--write", host, *paths])
        found.insert(0, f"should it be so: {command}")
    return found


def left_out(host, paths):
    """Compilers of the baseline whose objects were not there: not every Debian has them all."""
    try:
        seen = {output.clang for output in read_outputs(paths)}
        wanted = {key[1] for key in read_baseline(BASELINE)[0] if key[0] == host}
    except (OSError, Bad):
        return []
    return sorted(wanted - seen)


def report(test, host, paths):
    found = reasons(host, paths)
    print("not ok" if found else "ok", test)
    for clang in left_out(host, paths):
        print(f"  note: no object made by {clang} was verified")
    for line in found[:REASONS_MAX]:
        print("  " + line.encode("unicode_escape").decode()[:LINE_MAX])
    if len(found) > REASONS_MAX:
        print(f"  and {len(found) - REASONS_MAX} more")


def write(host, paths, baseline=BASELINE):
    """Replaces the figures of these objects on this host, and no others."""
    outputs = read_outputs(paths)
    figures, kernels = read_baseline(baseline)
    for output in outputs:
        if not acceptable(output):
            raise Bad(f"{host} {output.clang}: ended too soon, or a program is refused: no baseline")
        kernels[host] = output.kernel
        figures = {key: value for key, value in figures.items()
                   if key[:2] != (host, output.clang)}
        for name, value in output.programs.items():
            figures[host, output.clang, name] = value
    with open(baseline, "w", encoding="utf-8") as file:
        file.write("# HOST CLANG PROGRAM INSNS: written by check.py --write, see README.md\n")
        for name, kernel in sorted(kernels.items()):
            file.write(f"# {name}: kernel {kernel}\n")
        for key, value in sorted(figures.items()):
            file.write(" ".join([*key, str(value)]) + "\n")


def main(args):
    if args[:1] == ["--write"] and len(args) >= 3:
        try:
            write(args[1], args[2:])
        except (OSError, Bad) as error:
            sys.exit(f"check.py: {error}")
    elif args[:1] == ["--test"] and len(args) >= 4:
        report(args[1], args[2], args[3:])
    elif len(args) >= 2 and not args[0].startswith("-"):
        report(f"verifier {args[0]}", args[0], args[1:])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
