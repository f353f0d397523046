"""A plain reader of the kernel's BTF for these tests: ids by name, and the offsets of struct members.

It shares nothing with `pystap.btf`, so that what it says is a second opinion.
"""

from __future__ import annotations

import struct

BTF = "/sys/kernel/btf/vmlinux"
ENUM, STRUCT, UNION, ENUM64 = 6, 4, 5, 19
EXTRA = {1: 4, 3: 12, 14: 4, 17: 4}
PER_MEMBER = {4: 12, 5: 12, 6: 8, 13: 8, 15: 12, 19: 12}


class Types:
    """The types of one BTF blob, as (kind, name offset, vlen, kind flag, size or type, body offset)."""

    def __init__(self, path: str = BTF) -> None:
        with open(path, "rb") as file:
            self.data = file.read()
        header, types, types_size, strings = struct.unpack_from("<4xIIII", self.data)[:4]
        self.strings = header + strings
        self.types: list[tuple[int, int, int, int, int, int]] = [(0, 0, 0, 0, 0, 0)]
        at, end = header + types, header + types + types_size
        while at < end:
            name, info, size = struct.unpack_from("<III", self.data, at)
            kind, vlen = info >> 24 & 31, info & 0xFFFF
            at += 12
            self.types.append((kind, name, vlen, info >> 31, size, at))
            at += EXTRA.get(kind, 0) + PER_MEMBER.get(kind, 0) * vlen

    def name(self, offset: int) -> str:
        start = self.strings + offset
        return self.data[start : self.data.index(b"\0", start)].decode()

    def string_offset(self, name: str) -> set[int]:
        found, raw, at = set(), b"\0" + name.encode() + b"\0", self.strings
        while (at := self.data.find(raw, at)) >= 0:
            found.add(at + 1 - self.strings)
            at += 1
        return found

    def members(self, body: tuple[int, int, int, int, int, int]) -> list[tuple[str, int, int]]:
        found = []
        for i in range(body[2]):
            name, kind, offset = struct.unpack_from("<III", self.data, body[5] + 12 * i)
            found.append((self.name(name), kind, (offset & 0xFFFFFF if body[3] else offset) // 8))
        return found


def type_id(types: Types, kind: int, name: str) -> int:
    """The id of the first type of a kind (4 struct, 8 typedef, 12 function) with this name; KeyError."""
    wanted = types.string_offset(name)
    for i, one in enumerate(types.types):
        if one[0] == kind and one[1] in wanted:
            return i
    raise KeyError(name)


def read_offsets(types: Types, struct_name: str) -> dict[str, int]:
    """The offsets of the members of a struct, `a.b` for those of named inner structs."""
    found: dict[str, int] = {}

    def walk(body: tuple[int, int, int, int, int, int], base: int, prefix: str) -> None:
        for name, kind, offset in types.members(body):
            inner = types.types[kind]
            if name:
                found.setdefault(prefix + name, base + offset)
            if inner[0] in (STRUCT, UNION):
                walk(inner, base + offset, prefix + name + "." if name else prefix)

    for one in types.types:
        if one[0] in (STRUCT, UNION) and types.name(one[1]) == struct_name:
            walk(one, 0, "")
            return found
    raise KeyError(struct_name)
