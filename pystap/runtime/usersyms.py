"""Symbols of user addresses: the process's mappings, and the symbol tables of the files mapped there.

A process that has ended has no mappings any more; what was read of it before is kept. Files are read as ELF, 64
bits, little endian, `.symtab` where there is one, else `.dynsym`; anything else has no symbols.
"""

from __future__ import annotations

from bisect import bisect_right
from struct import Struct, error

from .symbols import latin

_HEADER = Struct("<16sHHIQQQIHHHHHH")
_SECTION = Struct("<IIQQQQIIQQ")
_PROGRAM = Struct("<IIQQQQQQ")
_SYMBOL = Struct("<IBBHQQ")
_SYMTAB, _DYNSYM = 2, 11
_LOAD, _NOTE, _FUNC, _GNU_IFUNC = 1, 4, 2, 10
_GNU_BUILD_ID = 3
_LONGEST = 1 << 28
_MOST_PROCESSES = 1024

Mapping = tuple[int, int, int, str]  # start, end, offset in the file, path


class Elf:
    """The functions of one file, by their address in it."""

    __slots__ = ("_names", "_sizes", "_starts", "build_id", "loads")

    def __init__(self, data: bytes) -> None:
        self.loads: list[tuple[int, int, int]] = []  # offset, address, size
        self.build_id = ""
        found: dict[int, tuple[int, str]] = {}
        try:
            self._read(data, found)
        except (error, IndexError, ValueError, OverflowError):
            found.clear()
        self._starts = sorted(found)
        self._sizes = [found[start][0] for start in self._starts]
        self._names = [found[start][1] for start in self._starts]

    def _read(self, data: bytes, found: dict[int, tuple[int, str]]) -> None:
        head = _HEADER.unpack_from(data)
        if head[0][:6] != b"\x7fELF\x02\x01":
            return
        program_at, section_at, program_count, section_count = head[5], head[6], head[10], head[12]
        for i in range(program_count):
            kind, _, offset, address, _, size, _, _ = _PROGRAM.unpack_from(
                data, program_at + i * _PROGRAM.size
            )
            if kind == _LOAD:
                self.loads.append((offset, address, size))
            elif kind == _NOTE:
                self.build_id = self.build_id or _id_of(data[offset : offset + size])
        sections = [_SECTION.unpack_from(data, section_at + i * _SECTION.size) for i in range(section_count)]
        tables = [s for s in sections if s[1] == _SYMTAB] or [s for s in sections if s[1] == _DYNSYM]
        for table in tables:
            text_at = sections[table[6]][4]
            raw = data[table[4] : table[4] + table[5] // _SYMBOL.size * _SYMBOL.size]
            for name, info, _, index, address, size in _SYMBOL.iter_unpack(raw):
                if info & 15 in (_FUNC, _GNU_IFUNC) and index and name and address not in found:
                    end = data.index(b"\0", text_at + name)
                    found[address] = (
                        size,
                        latin(data[text_at + name : end].decode("utf-8", "surrogateescape")),
                    )

    def lookup(self, address: int) -> tuple[str, int] | None:
        """(name, offset in it) of an address in the file's own numbering."""
        at = bisect_right(self._starts, address) - 1
        if at < 0:
            return None
        offset = address - self._starts[at]
        size = self._sizes[at]
        if size and offset >= size:
            return None
        return self._names[at], offset

    def size(self, name_at: int) -> int:
        """The size of the function that an address is in, as `lookup` finds it."""
        return self._sizes[bisect_right(self._starts, name_at) - 1]


class UserSymbols:
    """The processes and files that were asked for."""

    __slots__ = ("_files", "_maps")

    def __init__(self) -> None:
        self._maps: dict[int, list[Mapping]] = {}
        self._files: dict[str, Elf | None] = {}

    def text(self, address: int, pid: int) -> str:
        """`name+offset`, or the address in hexadecimal."""
        found = self.lookup(address, pid)
        return f"{found[0]}+{found[1]}" if found is not None else f"{address:#x}"

    def name(self, address: int, pid: int) -> str:
        """The function's name, or the address in hexadecimal."""
        found = self.lookup(address, pid)
        return found[0] if found is not None else f"{address:#x}"

    def data(self, address: int, pid: int) -> str:
        """`name+0xoffset/0xsize [file]`; without what isn't known."""
        path = self.file(address, pid)
        found = self._place(address, pid)
        at = found[0].lookup(found[1]) if found is not None else None
        if found is None or at is None:
            return f"{address:#x} [{path}]" if path else f"{address:#x}"
        return f"{at[0]}+{at[1]:#x}/{found[0].size(found[1]):#x} [{path}]"

    def file(self, address: int, pid: int) -> str:
        """The path of the file that is mapped there, "" where there is none."""
        mapping = self._mapping(address, pid)
        return latin(mapping[3]) if mapping is not None else ""

    def lookup(self, address: int, pid: int) -> tuple[str, int] | None:
        """(name, offset in it) of an address in a process, or None."""
        found = self._place(address, pid)
        return found[0].lookup(found[1]) if found is not None else None

    def _place(self, address: int, pid: int) -> tuple[Elf, int] | None:
        """The file that is mapped at an address, and where in its own numbering that is."""
        mapping = self._mapping(address, pid)
        if mapping is None:
            return None
        start, _, offset, path = mapping
        elf = self._elf(path, pid)
        if elf is None:
            return None
        in_file = address - start + offset
        for load_offset, load_address, size in elf.loads:
            if load_offset <= in_file < load_offset + size:
                return elf, in_file - load_offset + load_address
        return None

    def mapped(self, address: int, pid: int) -> tuple[str, int, str] | None:
        """(path, address in the file's own numbering, build id or "") of what is mapped at an address, or None."""
        mapping = self._mapping(address, pid)
        if mapping is None:
            return None
        start, _, offset, path = mapping
        place = address - start + offset
        elf = self._elf(path, pid)
        for load_offset, load_address, size in elf.loads if elf is not None else ():
            if load_offset <= place < load_offset + size:
                return path, place - load_offset + load_address, elf.build_id if elf is not None else ""
        return path, place, elf.build_id if elf is not None else ""

    def _mapping(self, address: int, pid: int) -> Mapping | None:
        for again in (False, True):
            maps = self._maps.get(pid)
            if maps is None or again:
                fresh = _read_maps(pid)
                if fresh or maps is None:
                    if len(self._maps) >= _MOST_PROCESSES:
                        self._maps.clear()
                    maps = self._maps[pid] = fresh
            for mapping in maps:
                if mapping[0] <= address < mapping[1]:
                    return mapping
        return None

    def _elf(self, path: str, pid: int) -> Elf | None:
        if path not in self._files:
            self._files[path] = None
            for one in (f"/proc/{pid}/root{path}", path):
                try:
                    with open(one, "rb") as file:
                        self._files[path] = Elf(file.read(_LONGEST))
                    break
                except OSError:
                    continue
        return self._files[path]


def _id_of(notes: bytes) -> str:
    """The build id among notes, or an empty string."""
    at = 0
    while at + 12 <= len(notes):
        name, size, kind = (int.from_bytes(notes[at + i : at + i + 4], "little") for i in (0, 4, 8))
        behind = at + 12 + (name + 3 & ~3)
        if kind == _GNU_BUILD_ID and notes[at + 12 : at + 12 + name] == b"GNU\0":
            return notes[behind : behind + size].hex()
        at = behind + (size + 3 & ~3)
    return ""


def _read_maps(pid: int) -> list[Mapping]:
    """The executable mappings of files."""
    found: list[Mapping] = []
    try:
        with open(f"/proc/{pid}/maps", encoding="utf-8", errors="surrogateescape") as file:
            for line in file:
                words = line.rstrip("\n").split(None, 5)
                if len(words) == 6 and "x" in words[1] and words[5].startswith("/"):
                    start, _, end = words[0].partition("-")
                    found.append((int(start, 16), int(end, 16), int(words[2], 16), words[5]))
    except OSError:
        pass
    return found
