#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Makes vmlinux/<arch>/vmlinux.h: the kernel types that bpf/ uses, and no others.

usage: tools/vmlinux.py TYPES-LIST BTF-DIR > vmlinux/x86/vmlinux.h

BTF-DIR holds raw BTF as the kernel shows it in /sys/kernel/btf: a file vmlinux, and one for each
module (kvm, kvm_amd, kvm_intel). TYPES-LIST says what to keep, a line each:

  struct NAME: member member …    a structure cut down to these members
  struct NAME                     all its members (union likewise)
  enum NAME: CONSTANT …           an enumeration cut down to these
  enum (constants): CONSTANT …    constants of any enumeration

Offsets don't matter, CO-RE moves them to where the running kernel has them; so cutting is safe.
A structure embedded in a kept one must be listed itself; one only pointed at is declared forward.
"""
import json
import os
import subprocess
import sys

INTS = {
    (1, False): "u8", (2, False): "u16", (4, False): "u32", (8, False): "u64",
    (1, True): "s8", (2, True): "s16", (4, True): "s32", (8, True): "s64",
}


def fail(text):
    sys.exit(f"vmlinux.py: {text}")


def load(directory):
    """All types of vmlinux and the modules; module ids are kept apart by their module's name."""
    base = os.path.join(directory, "vmlinux")

    def dump(*arguments):
        out = subprocess.run(["bpftool", "-j", *arguments], check=True, stdout=subprocess.PIPE)
        return {t["id"]: t for t in json.loads(out.stdout)["types"]}

    spaces = {"vmlinux": dump("btf", "dump", "file", base)}
    for module in sorted(os.listdir(directory)):
        path = os.path.join(directory, module)
        if module != "vmlinux" and os.path.isfile(path):
            spaces[module] = {**spaces["vmlinux"], **dump("-B", base, "btf", "dump", "file", path)}
    return spaces


class Writer:
    def __init__(self, spaces, wanted):
        self.spaces, self.wanted = spaces, wanted
        self.done, self.forward, self.text = set(), set(), []

    def find(self, kind, name):
        for space in self.spaces.values():
            for t in space.values():
                if t["kind"] == kind and t["name"] == name:
                    return space, t
        return fail(f"no {kind.lower()} {name} in this BTF")

    def strip(self, space, type_id):
        t = space.get(type_id)
        while t and t["kind"] in ("TYPEDEF", "CONST", "VOLATILE", "RESTRICT", "TYPE_TAG"):
            if t["kind"] == "TYPEDEF" and t["name"] == "bool":
                break
            t = space.get(t["type_id"])
        return t

    def declare(self, space, type_id, name, depth):
        """'TYPE NAME' in C, for a member."""
        t = self.strip(space, type_id)
        if t is None:
            return f"void {name}"
        kind = t["kind"]
        if kind == "PTR":
            target = self.strip(space, t["type_id"])
            if target and target["kind"] in ("STRUCT", "UNION", "FWD") and target["name"] != "(anon)":
                word = "union" if target["kind"] == "UNION" or target.get("fwd_kind") == "union" else "struct"
                self.forward.add(f"{word} {target['name']}")
                return f"{word} {target['name']} *{name}"
            if target is None or target["kind"] in ("FUNC_PROTO", "STRUCT", "UNION"):
                return f"void *{name}"
            return self.declare(space, t["type_id"], f"*{name}", depth)
        if kind == "ARRAY":
            return self.declare(space, t["type_id"], f"{name}[{t['nr_elems']}]", depth)
        if kind == "INT":
            if t["encoding"] == "BOOL":
                return f"bool {name}"
            if t["name"] == "char":
                return f"char {name}"
            return f"{INTS[(t['size'], t['encoding'] == 'SIGNED')]} {name}"
        if kind == "TYPEDEF":
            return f"bool {name}"
        if kind in ("ENUM", "ENUM64"):
            return f"{INTS[(t['size'], False)]} {name}"
        if kind in ("STRUCT", "UNION"):
            word = kind.lower()
            if t["name"] == "(anon)":
                return f"{word} {self.body(space, t, None, depth + 1)} {name}".rstrip()
            self.emit(word, t["name"])
            return f"{word} {t['name']} {name}"
        return fail(f"cannot declare {kind} {name}")

    def body(self, space, t, keep, depth):
        tabs = "\t" * depth
        lines = []
        seen = set()
        for member in t["members"]:
            anonymous = member["name"] == "(anon)"
            if keep is not None and not anonymous and member["name"] not in keep:
                continue
            if anonymous and keep is not None:
                inner = self.strip(space, member["type_id"])
                names = {m["name"] for m in inner["members"]}
                if not names & set(keep):
                    continue
                seen |= names
            seen.add(member["name"])
            name = "" if anonymous else member["name"]
            text = self.declare(space, member["type_id"], name, depth)
            if member.get("bitfield_size"):
                text += f" : {member['bitfield_size']}"
            lines.append(f"{tabs}\t{text.rstrip()};")
        for name in keep or ():
            if name not in seen:
                fail(f"{t['name']} has no member {name}")
        return "{\n" + "\n".join(lines) + f"\n{tabs}}}"

    def emit_enum(self, name):
        """Constants with their values; vmlinux alone has those that BPF programs need."""
        values = {}
        for t in self.spaces["vmlinux"].values():
            if t["kind"] in ("ENUM", "ENUM64") and name in (t["name"], "(constants)"):
                values.update({v["name"]: v["val"] for v in t["values"]})
        lines = []
        for constant in self.wanted[f"enum {name}"]:
            if constant not in values:
                fail(f"no constant {constant} in enum {name}")
            lines.append(f"\t{constant} = {values[constant]},")
        tag = "" if name == "(constants)" else name + " "
        self.text.append(f"enum {tag}{{\n" + "\n".join(lines) + "\n};\n")

    def emit(self, word, name):
        if word == "enum":
            self.emit_enum(name)
            return
        key = f"{word} {name}"
        if key in self.done:
            return
        if key not in self.wanted:
            fail(f"{key} is embedded in a kept structure: list it")
        self.done.add(key)
        space, t = self.find(word.upper(), name)
        self.text.append(f"{key} {self.body(space, t, self.wanted[key], 0)};\n")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    wanted = {}
    with open(sys.argv[1], encoding="utf-8") as lines:
        for line in lines:
            line = line.split("#")[0].strip()
            if line:
                head, _, members = line.partition(":")
                wanted[head.strip()] = members.split() or None
    writer = Writer(load(sys.argv[2]), wanted)
    for key in wanted:
        writer.emit(*key.split())
    print("/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */")
    print("/* Made by tools/vmlinux.py from types.txt; see vmlinux/README.md. Do not edit. */")
    print("#ifndef KT_VMLINUX_H\n#define KT_VMLINUX_H\n")
    print("typedef _Bool bool;\n#define true 1\n#define false 0\n#define NULL ((void *)0)\n")
    for size, bits in ((1, "char"), (2, "short"), (4, "int"), (8, "long long")):
        print(f"typedef unsigned {bits} u{8 * size};\ntypedef signed {bits} s{8 * size};")
    for sign in "us":
        for size in (8, 16, 32, 64):
            print(f"typedef {sign}{size} __{sign}{size};")
    for size in (16, 32, 64):
        print(f"typedef u{size} __be{size};")
    print("typedef u32 __wsum;\n")
    print("#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)\n")
    for name in sorted(writer.forward - writer.done):
        print(f"{name};")
    print()
    print("\n".join(writer.text))
    print("#pragma clang attribute pop\n\n#endif")


main()
