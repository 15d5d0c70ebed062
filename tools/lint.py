#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Structural checks of the sources. usage: lint.py CHECK FILE...

Prints a line FILE:LINE: TEXT for each fault. lint.sh says which checks there are.
"""
import ast
import os
import re
import sys

FILE_LINES = 700
FUNCTION_LINES = 70

# What the files of a folder of user/ may include; "shared" is bpf/shared. main.c is a layer, too.
LAYERS = {
    "lib": {"lib", "shared"},
    "decode": {"lib", "decode"},
    "event": {"lib", "decode", "event", "shared"},
    "agg": {"lib", "decode", "event", "store", "agg", "shared"},
    "sink": {"lib", "decode", "event", "agg", "store", "sink", "shared"},
    "store": {"lib", "store", "shared"},
    "replay": {"lib", "decode", "event", "store", "replay", "shared"},
    "export": {"lib", "decode", "event", "store", "sink", "replay", "export", "shared"},
    "live": {"lib", "event", "live", "shared"},
    "cmd": {"lib", "decode", "event", "agg", "sink", "store", "replay", "export", "live", "cmd",
            "shared"},
    "main.c": {"lib", "cmd"},
}
# Folders in which quoted names are looked for besides the file's own (-I in the Makefile).
BPF_PATH = ("bpf", "vmlinux/x86")
SPDX = "SPDX-License-Identifier: "
KERNEL_SIDE = "(GPL-2.0-only OR BSD-2-Clause)"
USER_SIDE = "BSD-2-Clause OR GPL-2.0-only"


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def blank(match):
    return re.sub(r"[^\n]", " ", match.group())


def without_comments(text, strings=False):
    """C without comments, and without what is in strings; places stay the same."""
    pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|' + r"'(?:\\.|[^'\\\n])+'"

    def replace(match):
        if match.group()[0] == "/" or strings:
            return blank(match)
        return match.group()

    return re.sub(pattern, replace, text, flags=re.S)


def line_at(text, offset):
    return text.count("\n", 0, offset) + 1


def is_c(path):
    return path.endswith((".c", ".h"))


def spdx(path):
    want = KERNEL_SIDE if path.startswith(("bpf/", "vmlinux/")) else USER_SIDE
    for line in read(path).splitlines()[:3]:
        if SPDX in line:
            have = line.split(SPDX, 1)[1].removesuffix("*/").strip()
            if have != want:
                yield 1, f"is under {have}, not {want}"
            return
    yield 1, f"has no line {SPDX}{want}"


def file_length(path):
    lines = read(path).count("\n")
    long_by_nature = path.startswith("vmlinux/") or path.endswith((".def", ".1", ".md"))
    if not long_by_nature and lines > FILE_LINES:
        yield 1, f"has {lines} lines, over {FILE_LINES}"


def c_functions(text):
    """Kernel style: the braces of functions, and of nothing else, stand alone in column 0."""
    begin = 0
    for number, line in enumerate(text.splitlines(), 1):
        if line == "{":
            begin = number
        elif line == "}" and begin:
            yield begin, number - begin - 1
            begin = 0


def python_functions(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            yield node.lineno, node.end_lineno - node.lineno


def function_length(path):
    text = read(path)
    for number, lines in python_functions(text) if path.endswith(".py") else c_functions(text):
        if lines > FUNCTION_LINES:
            yield number, f"function of {lines} lines, over {FUNCTION_LINES}"


def blanks(path):
    text = read(path)
    for number, line in enumerate(text.split("\n"), 1):
        if line != line.rstrip():
            yield number, "blanks at the end of the line"
    if text and not text.endswith("\n"):
        yield text.count("\n") + 1, "no newline at the end of the file"
    if text.endswith("\n\n"):
        yield text.count("\n"), "empty line at the end of the file"


def unfinished(path):
    # In halves, so that this file passes.
    for number, line in enumerate(read(path).split("\n"), 1):
        for match in re.finditer(r"\b(TO" + "DO|FIX" + r"ME)\b", line):
            yield number, match.group()


def kernel_version(path):
    """Facts come from BTF and tracefs, never from a version."""
    text = without_comments(read(path), strings=True)
    for match in re.finditer(r"\b(uname(?=\s*\()|utsname|LINUX_VERSION_CODE|"
                             r"(LINUX_)?KERNEL_VERSION)\b", text):
        yield line_at(text, match.start()), f"asks for a kernel version: {match.group()}"


def includes(path):
    text = without_comments(read(path))
    for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">\n]*)[">]', text, flags=re.M):
        yield line_at(text, match.start(2)), match.group(1) == '"', match.group(2)


def resolve(path, name, folders=()):
    for folder in (os.path.dirname(path), *folders):
        file = os.path.normpath(os.path.join(folder, name))
        if os.path.exists(file):
            return file
    return None


def user_include(path, layer, quoted, name):
    """What is wrong with this include of a file of user/, or None."""
    if name.endswith(".skel.h") or (not quoted and name.startswith("bpf/")):
        return None if layer == "live" else f"{name}: libbpf is for user/live only"
    if not quoted:
        return None
    file = resolve(path, name)
    if not file:
        return f"{name}: no such file"
    parts = file.split("/")
    of = "shared" if parts[:2] == ["bpf", "shared"] else parts[1] if parts[0] == "user" else None
    if of in LAYERS[layer]:
        return None
    return f"{file}: user/{layer} may not include it"


def user_includes(path):
    layer = path.split("/")[1]
    if layer not in LAYERS:
        yield 1, f"user/{layer}: lint.py's LAYERS does not know it"
        return
    for number, quoted, name in includes(path):
        fault = user_include(path, layer, quoted, name)
        if fault:
            yield number, fault


def bpf_includes(path):
    shared = path.startswith("bpf/shared/")
    for number, quoted, name in includes(path):
        if not quoted:
            if not re.match(r"std(bool|def|int)\.h$" if shared else r"bpf/", name):
                yield number, f"<{name}>: not for the kernel side"
            continue
        file = resolve(path, name, () if shared else BPF_PATH)
        if not file:
            yield number, f"{name}: no such file"
        elif not file.startswith("bpf/shared/" if shared else ("bpf/", "vmlinux/")):
            yield number, f"{file}: {os.path.dirname(path)} may not include it"


def include_directions(path):
    return user_includes(path) if path.startswith("user/") else bpf_includes(path)


def programs(text):
    """The BPF programs of a file: offset, section, BPF_PROG's arguments or None, offset of the
    body, body. One that does not look like a program has no arguments and an empty body."""
    bare = without_comments(text)
    head = re.compile(r"\s*\w+\s+(?:BPF_PROG2?\s*\(\s*\w+\s*,?([^{]*)\)|\w+\s*\([^{]*\))\s*\n\{")
    for match in re.finditer(r'^SEC\("\??([^"]*)"\)', bare, flags=re.M):
        function = head.match(bare, match.end())
        if not function:
            yield match.start(), match.group(1), None, match.end(), ""
            continue
        end = bare.find("\n}", function.end())
        body = bare[function.end():end if end >= 0 else len(bare)]
        yield match.start(), match.group(1), function.group(1), function.end(), body


def statement_end(body, start):
    """Where the statement at start ends: a block or up to its semicolon."""
    start += len(body[start:]) - len(body[start:].lstrip())
    if not body.startswith("{", start):
        end = body.find(";", start)
        return end + 1 if end >= 0 else len(body)
    depth = 0
    for at in range(start, len(body)):
        depth += {"{": 1, "}": -1}.get(body[at], 0)
        if not depth:
            return at + 1
    return len(body)


def condition_end(body, start):
    depth = 0
    for at in range(start, len(body)):
        depth += {"(": 1, ")": -1}.get(body[at], 0)
        if not depth:
            return at + 1
    return len(body)


def pointer_fault(body, name):
    """The kernel may pass NULL, and trusts no check but the program's own: the first use of a
    pointer must be `if (!p) return` (also among || ), or `if (p)` (also before &&) with all other
    uses under it. Offset and text of the fault, or None."""
    first = re.search(rf"\b{name}\b", body)
    if not first:
        return None
    opening = body.rfind("if (", 0, first.start())
    end = condition_end(body, opening + 3) if opening >= 0 else 0
    if first.end() > end:
        return first.start(), f"{name} is used before it is checked for NULL"
    before, after = body[opening + 4:first.start()], body[first.end():end - 1]
    under = statement_end(body, end)
    if re.search(r"(^|\|\|\s*)!$", before) and re.match(r"\s*(\|\||$)", after) and \
            "&&" not in before + after:
        if re.search(r"\breturn\b", body[end:under]):
            return None
        return first.start(), f"{name} is NULL and the program goes on"
    if re.search(r"(^|&&\s*)$", before) and re.match(r"\s*(&&|$)", after) and \
            "||" not in before + after:
        later = re.compile(rf"\b{name}\b").search(body, under)
        if not later:
            return None
        return later.start(), f"{name} is used where it was not checked for NULL"
    return first.start(), f"{name} is used before it is checked for NULL"


def null_checks(path):
    text = read(path)
    for offset, section, traced, start, body in programs(text):
        if not section.startswith(("tp_btf/", "raw_tp_btf/")):
            continue
        if traced is None:
            yield line_at(text, offset), f"{section}: no BPF_PROG, its arguments cannot be checked"
            continue
        for argument in traced.split(","):
            pointer = re.search(r"\*\s*(?:const\s+)?(\w+)\s*$", argument)
            fault = pointer_fault(body, pointer.group(1)) if pointer else None
            if fault:
                yield line_at(text, start + fault[0]), fault[1]


def tp_returns(path):
    """A classic tracepoint's program that returns 0 hides the event from perf and ftrace."""
    text = read(path)
    for offset, section, _, start, body in programs(text):
        if not section.startswith(("tp/", "tracepoint/")):
            continue
        returns = list(re.finditer(r"\breturn\b\s*([^;]*);", body))
        for match in returns:
            if match.group(1).strip() != "1":
                yield line_at(text, start + match.start()), f"{section}: {match.group()}"
        if not returns:
            yield line_at(text, offset), f"{section}: does not return 1"


CHECKS = {check.__name__: check for check in (
    spdx, file_length, function_length, blanks, unfinished, kernel_version, include_directions,
    null_checks, tp_returns)}


def main():
    if len(sys.argv) < 2 or sys.argv[1] not in CHECKS:
        sys.exit(f"usage: lint.py CHECK FILE...; CHECK is one of {' '.join(CHECKS)}")
    faults = 0
    for path in sys.argv[2:]:
        for line, text in CHECKS[sys.argv[1]](path):
            print(f"{path}:{line}: {text}")
            faults += 1
    sys.exit(1 if faults else 0)


main()
