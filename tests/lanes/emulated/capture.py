# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A second reader of captures, written from kvmtrace-capture(5) alone: what report says is compared
with what this finds. It takes files that were not closed, but none with damage in their midst."""
import ctypes
import struct
import zlib

MAGIC = b"\x89KVMT\r\n\x1a"
SCHEMA, FACT, CLOCK, EVENTS, END = range(1, 6)
SIGNED, BYTES = 5, 6
MASK = (1 << 64) - 1
# Values are cut from the bits of so many at a time: a multiple of 8, so that these are whole bytes.
CHUNK = 512


class Damage(ValueError):
    """The file is not as the page says."""


def check(right, what):
    if not right:
        raise Damage(what)


def decompress(data, size):
    """One zstd frame, or several in a row."""
    library = ctypes.CDLL("libzstd.so.1")
    library.ZSTD_decompress.restype = ctypes.c_size_t
    library.ZSTD_decompress.argtypes = (ctypes.c_char_p, ctypes.c_size_t) * 2
    out = ctypes.create_string_buffer(size or 1)
    check(library.ZSTD_decompress(out, size, data, len(data)) == size, "zstd")
    return out.raw[:size]


class Bytes:
    """A place in bytes that moves on."""

    def __init__(self, data, at=0):
        self.data, self.at = data, at

    def take(self, size):
        check(0 <= size <= len(self.data) - self.at, "size")
        self.at += size
        return self.data[self.at - size:self.at]

    def numbers(self, form):
        return struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))

    def number(self, form):
        return self.numbers(form)[0]

    def varint(self):
        value = 0
        for shift in range(0, 70, 7):
            byte = self.number("B")
            value |= (byte & 127) << shift
            if byte < 128:
                return value & MASK
        raise Damage("varint")

    def text(self):
        return self.take(self.number("B")).decode()

    def record(self):
        return Bytes(self.take(self.number("H")))


def bits(data, width, count):
    if not width:
        return [0] * count
    values, mask = [], (1 << width) - 1
    for begin in range(0, count, CHUNK):
        some = min(CHUNK, count - begin)
        size = (some * width + 7) // 8
        word = int.from_bytes(data.take(size), "little")
        for _ in range(some):
            values.append(word & mask)
            word >>= width
    return values


def packed(data, width, count):
    base, exceptions = data.varint(), data.varint()
    offsets = bits(data, width, count)
    at = -1
    for _ in range(exceptions):
        at += data.varint() + 1
        offsets[at] = data.varint()
    return [(base + offset) & MASK for offset in offsets]


def sums(first, differences):
    values = [first]
    for difference in differences:
        values.append((values[-1] + difference) & MASK)
    return values


def of_bytes(data, _arg, count, _fields):
    lengths = column(data, count, ())
    return [data.take(length) for length in lengths]


def dictionary(data, width, count, _fields):
    entries = [data.number("Q") for _ in range(data.varint())]
    check(len(entries) <= 1 << width, "dictionary")
    indices = bits(data, width, count)
    return Dictionary(indices, entries)


class Dictionary(list):
    """Values, and the indices they came from, for maps."""

    def __init__(self, indices, entries):
        super().__init__(entries[i] for i in indices)
        self.indices, self.size = indices, len(entries)


def mapped(data, arg, _count, fields):
    of = fields[arg]
    entries = [data.number("Q") for _ in range(of.size)]
    return [entries[i] for i in of.indices]


def delta(data, width, count, _fields):
    first = data.varint()
    return sums(first, packed(data, width, count - 1))


def delta_of_deltas(data, width, count, _fields):
    first, second = data.varint(), data.varint()
    return sums(first, sums(second, packed(data, width, count - 2)))


ENCODINGS = (
    lambda data, arg, count, fields: [data.varint()] * count,
    lambda data, arg, count, fields: packed(data, arg, count),
    delta, delta_of_deltas, dictionary, mapped, of_bytes,
)


def column(data, count, fields):
    encoding, arg, reserved, size = data.numbers("BBHI")
    check(encoding < len(ENCODINGS) and not reserved, "column")
    mine = Bytes(data.take(size))
    values = ENCODINGS[encoding](mine, arg, count, fields)
    check(mine.at == size and len(values) == count, "column's size")
    return values


class Block:
    """At an offset of the file; raises Damage where there is no complete one."""

    def __init__(self, data, at, tag):
        check(at + 64 <= len(data), "the file ends")
        head = data[at:at + 64]
        (marker, mine, self.type, zstd, reserved, size, self.size, self.events, self.first,
         self.last, self.link, self.before, payload_sum, head_sum) = \
            struct.unpack("<4sIHBBIIIQQQQII", head)
        check(marker == b"\xb7KTb" and mine == tag and not reserved, "marker")
        check(zlib.crc32(head[:60]) == head_sum, "header's checksum")
        self.end = at + 64 + size
        check(self.end <= len(data), "the file ends")
        self.stored, self.zstd = data[at + 64:self.end], zstd
        check(zlib.crc32(self.stored) == payload_sum, "payload's checksum")

    @property
    def payload(self):
        return Bytes(decompress(self.stored, self.size) if self.zstd else self.stored)


class Capture:
    """facts, clocks, and events(), of a file; complete: it was closed; rest: bytes after the last
    complete block, but for the trailer."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.data = file.read()
        magic, major, _minor, begin, tag, features, reserved, own_sum = \
            struct.unpack_from("<8sHHIIIII", self.data)
        check(magic == MAGIC and major == 1 and not features | reserved, "file header")
        check(zlib.crc32(self.data[:28]) == own_sum, "file header's checksum")
        self.facts, self.clocks, self.blocks, self.kinds, self.found = {}, [], [], {}, {}
        self.complete, at = False, begin
        while not self.complete:
            try:
                block = Block(self.data, at, tag)
            except Damage:
                break
            at = block.end
            self.add(block)
        trailer = self.data[at:]
        if self.complete:
            _, mine, marker = struct.unpack("<QI4s", trailer)
            check(mine == tag and marker == b"\xb7KTe", "trailer")
        self.rest = 0 if self.complete else len(trailer)
        self.count = sum(block.events for block in self.blocks)

    def add(self, block):
        if block.type == SCHEMA:
            self.read_schema(block.payload)
        elif block.type == FACT:
            fact = block.payload
            name = fact.text()
            self.facts[name] = fact.data[fact.at:].decode()
        elif block.type == CLOCK:
            self.clocks += struct.iter_unpack("<QQ", block.payload.data)
        elif block.type == EVENTS:
            check(block.before == sum(b.events for b in self.blocks), "events before a block")
            self.blocks.append(block)
        elif block.type == END:
            self.lost, entries = block.payload.numbers("QI")
            check(entries <= 4096, "index")
            self.complete = True

    def read_schema(self, data):
        for _ in range(data.number("H")):
            kind = data.record()
            number, fields, name = *kind.numbers("HH"), kind.text()
            self.kinds[number] = name, []
            for _ in range(fields):
                field = data.record()
                form, _hex, _most, name = *field.numbers("BBB"), field.text()
                self.kinds[number][1].append((name, form))

    def columns(self, data, kind, count):
        values = []
        for _name, _form in self.kinds[kind][1]:
            values.append(column(data, count, values))
        return {name: [v - (1 << 64) if v >> 63 else v for v in mine] if form == SIGNED else mine
                for (name, form), mine in zip(self.kinds[kind][1], values)}

    def skip(self, data, kind):
        for _ in self.kinds[kind][1]:
            data.take(data.numbers("BBHI")[-1])

    def decoded(self, block, kinds=None):
        """The block's events in order, each a dictionary; its kind is "kind". kinds: only these."""
        data = block.payload
        count, groups, reserved = data.numbers("IHH")
        check(count == block.events and not reserved, "block")
        parts = [data.numbers("HHI") for _ in range(groups)]
        which = column(data, count, ())
        wanted = [not kinds or self.kinds[kind][0] in kinds for kind, _, _ in parts]
        if not any(wanted):
            return
        common = self.columns(data, 0, count)
        own = [(self.kinds[kind][0], self.columns(data, kind, some) if want else self.skip(data, kind))
               for (kind, _, some), want in zip(parts, wanted)]
        check(data.at == len(data.data), "block's size")
        at = [0] * groups
        for i, group in enumerate(which):
            if not wanted[group]:
                continue
            kind, fields = own[group]
            event = {"kind": kind, **{name: values[i] for name, values in common.items()}}
            event.update((name, values[at[group]]) for name, values in fields.items())
            at[group] += 1
            yield event

    def events(self, kinds=None):
        """Of all blocks, in the order of time; kinds: only of these."""
        key = frozenset(kinds or ())
        if key not in self.found:
            self.found[key] = [e for block in self.blocks for e in self.decoded(block, kinds)]
            self.found[key].sort(key=lambda event: event["ts"])
        return self.found[key]
