"""The BTF of a program: function types, line info, and types for maps that need them.

A loader gives `to_bytes()` to BPF_BTF_LOAD, and the descriptor with the records
of `func_info` and `line_info` to BPF_PROG_LOAD. Then the verifier's messages
show the script's lines, and helpers may call the program's functions back (such
a function must be static: linkage 0, the default). `func_info` needs one entry
for each function, the main one at slot 0 included; `line_info` one at the first
slot of each function, slots rising.
"""

from __future__ import annotations

from struct import Struct

from .consts_gen import (
    BTF_FUNC_STATIC,
    BTF_KIND_ARRAY,
    BTF_KIND_FUNC,
    BTF_KIND_FUNC_PROTO,
    BTF_KIND_INT,
    BTF_KIND_PTR,
    BTF_KIND_STRUCT,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    # (slot, file, text of the line, line, column), line and column from 1
    LineEntry = tuple[int, str, str, int, int]

FUNC_INFO_SIZE = 8  # bytes of a bpf_func_info
LINE_INFO_SIZE = 16  # bytes of a bpf_line_info

_HEADER = Struct("<HBBIIIII")
_TYPE = Struct("<III")
_TRIPLE = Struct("<III")
_PAIR = Struct("<II")
_LINE = Struct("<IIII")
_SIGNED = 1 << 24
_MAX_LINE = (1 << 22) - 1
_MAX_COLUMN = (1 << 10) - 1


class ProgramBtf:
    """Builds one BTF blob. Types are made once for each name; ids start at 1."""

    __slots__ = ("_offsets", "_protos", "_strings", "_strings_len", "_types", "_unique")

    def __init__(self) -> None:
        self._types: list[bytes] = []
        self._strings: list[bytes] = [b"\0"]
        self._strings_len = 1
        self._offsets: dict[str, int] = {"": 0}
        self._unique: dict[tuple[object, ...], int] = {}
        self._protos: dict[tuple[int, str], int] = {}

    # -- strings and types

    def add_string(self, text: str) -> int:
        """Return the offset of a text in the string section. A NUL ends it early."""
        offset = self._offsets.get(text)
        if offset is None:
            raw = text.encode("utf-8", "replace").split(b"\0", 1)[0] + b"\0"
            offset = self._offsets[text] = self._strings_len
            self._strings.append(raw)
            self._strings_len += len(raw)
        return offset

    def _add(self, kind: int, name: str, vlen: int, size_or_type: int, tail: bytes = b"") -> int:
        self._types.append(_TYPE.pack(self.add_string(name), kind << 24 | vlen, size_or_type) + tail)
        return len(self._types)

    def _once(self, key: tuple[object, ...], kind: int, name: str, size_or_type: int, tail: bytes) -> int:
        found = self._unique.get(key)
        if found is None:
            found = self._unique[key] = self._add(kind, name, 0, size_or_type, tail)
        return found

    def add_int(self, name: str = "int", size: int = 4, signed: bool = True) -> int:
        """Return the type of a number of 1, 2, 4 or 8 bytes."""
        tail = (size * 8 | (_SIGNED if signed else 0)).to_bytes(4, "little")
        return self._once(("int", name, size, signed), BTF_KIND_INT, name, size, tail)

    def add_ptr(self, target: int = 0) -> int:
        """Return the type of a pointer; target 0 is void."""
        return self._once(("ptr", target), BTF_KIND_PTR, "", target, b"")

    def add_array(self, element: int, count: int) -> int:
        """Return the type of an array."""
        index = self.add_int()
        return self._once(
            ("array", element, count), BTF_KIND_ARRAY, "", 0, _TRIPLE.pack(element, index, count)
        )

    def add_struct(self, name: str, size: int, members: Sequence[tuple[str, int, int]]) -> int:
        """Return a new struct; members are (name, type, offset in bytes)."""
        tail = b"".join([_TRIPLE.pack(self.add_string(n), t, offset * 8) for n, t, offset in members])
        return self._add(BTF_KIND_STRUCT, name, len(members), size, tail)

    def add_bytes(self, name: str, size: int) -> int:
        """Return a new struct of `size` plain bytes: the value type of task storage."""
        byte = self.add_int("unsigned char", 1, False)
        return self.add_struct(name, size, [("bytes", self.add_array(byte, size), 0)])

    def add_func(self, name: str, nargs: int, ret: str = "long", linkage: int = BTF_FUNC_STATIC) -> int:
        """Return the type of a function with `nargs` 64-bit arguments; ret is "long" or "int"."""
        proto = self._protos.get((nargs, ret))
        if proto is None:
            result = self.add_int("int") if ret == "int" else self.add_int("long", 8)
            word = self.add_int("long", 8)
            params = b"".join([_PAIR.pack(self.add_string(f"a{i + 1}"), word) for i in range(nargs)])
            proto = self._protos[nargs, ret] = self._add(BTF_KIND_FUNC_PROTO, "", nargs, result, params)
        return self._add(BTF_KIND_FUNC, name, linkage, proto)

    def add_main(self, name: str) -> int:
        """Return the type of a program's main function: int name(void *ctx)."""
        params = _PAIR.pack(self.add_string("ctx"), self.add_ptr())
        proto = self._add(BTF_KIND_FUNC_PROTO, "", 1, self.add_int("int"), params)
        return self._add(BTF_KIND_FUNC, name, BTF_FUNC_STATIC, proto)

    # -- what goes to the kernel

    def func_info(self, funcs: Iterable[tuple[int, int]]) -> bytes:
        """Return the records for [(slot, type id)], in order of slots."""
        return b"".join([_PAIR.pack(slot, type_id) for slot, type_id in funcs])

    def line_info(self, lines: Iterable[LineEntry]) -> bytes:
        """Return the records; the texts go into the string section, so call it before `to_bytes`.

        Of several entries with one slot the last wins. Numbers too big for the
        kernel's fields are cut to the biggest.
        """
        pack = _LINE.pack
        string = self.add_string
        records: list[bytes] = []
        last = -1
        for slot, file, text, line, column in lines:
            packed = min(line, _MAX_LINE) << 10 | min(column, _MAX_COLUMN)
            record = pack(slot, string(file), string(text), packed)
            if slot == last:
                records[-1] = record
            else:
                records.append(record)
            last = slot
        return b"".join(records)

    def to_bytes(self) -> bytes:
        """Return the blob for BPF_BTF_LOAD."""
        types = b"".join(self._types)
        strings = b"".join(self._strings)
        header = _HEADER.pack(0xEB9F, 1, 0, _HEADER.size, 0, len(types), len(types), len(strings))
        return header + types + strings
