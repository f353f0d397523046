"""The file: its sections, mapped and never copied, and its symbols.

A module's file isn't linked: each of its sections starts at 0. Here section number n starts at n << 32, so that an
address says which section it is in; `Elf.symbol_at` turns addresses into symbols and offsets, which are the kernel's too.
"""

from __future__ import annotations

import zlib
from mmap import ACCESS_READ, ALLOCATIONGRANULARITY, mmap
from struct import Struct, unpack_from
from struct import error as struct_error

from .errors import DebugInfoError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_HEADER = Struct("<16sHHIQQQIHHHHHH")
_SECTION = Struct("<IIQQQQIIQQ")
_SYMBOL = Struct("<IBBHQQ")
_RELA = Struct("<QQq")
_COMPRESSED = Struct("<IIQQ")
ZLIB, ZSTD = 1, 2
SYMTAB, NOTE, NOBITS = 2, 7, 8
RELOCATABLE, X86_64, AARCH64 = 1, 62, 183
SHF_ALLOC, SHF_EXECINSTR, SHF_COMPRESSED = 2, 4, 0x800
NOTYPE, FUNC = 0, 2
SPECIAL = 0xFF00  # numbers of sections that are none
# Relocations that put an address, or a place in a debug section, into debug information: bytes of each.
_ABSOLUTE = {X86_64: {1: 8, 10: 4, 11: 4}, AARCH64: {257: 8, 258: 4}}
SECTION_SHIFT = 32
DATA = (".data", ".bss", ".rodata")
BUILD_ID = b"\3\0\0\0GNU\0"  # the note's type and owner
MOST = 1 << 31  # bytes of a section that is uncompressed
_READ = (".debug_", ".eh_frame", ".symtab", ".strtab", ".rela.debug_", ".rela.eh_frame")


class _Mapped(mmap):
    """A part of the file: what is at `base` is its first byte."""

    base: int

    def __new__(cls, file: int, offset: int, size: int) -> _Mapped:
        start = offset // ALLOCATIONGRANULARITY * ALLOCATIONGRANULARITY
        self = super().__new__(cls, file, offset - start + size, access=ACCESS_READ, offset=start)
        self.base = offset - start
        return self


class Data:
    """The contents of a section: reading and searching."""

    __slots__ = ("_base", "_buffer", "size")

    def __init__(self, contents: _Mapped | bytes | bytearray) -> None:
        self._buffer = contents
        self._base = contents.base if isinstance(contents, _Mapped) else 0
        self.size = len(contents) - self._base

    def read(self, start: int, end: int) -> bytes:
        """Return bytes."""
        return bytes(self._buffer[self._base + start : self._base + end])

    def text(self, at: int) -> bytes:
        """Return the string at a place."""
        end = self.find(b"\0", at)
        return self.read(at, end) if end >= 0 else b""

    def find(self, needle: bytes, start: int = 0, end: int = -1) -> int:
        """Return where the bytes are first, -1 if nowhere."""
        stop = self._base + (self.size if end < 0 else end)
        found = self._buffer.find(needle, self._base + start, stop)
        return found - self._base if found >= 0 else -1

    def find_all(self, needle: bytes, start: int = 0, end: int = -1) -> Iterator[int]:
        """Give all places of the bytes, one by one."""
        at = start - 1
        while (at := self.find(needle, at + 1, end)) >= 0:
            yield at

    def find_any(self, needles: list[bytes]) -> Iterator[int]:
        """Give the places of any of them, in one pass."""
        import re

        pattern = re.compile(b"|".join(map(re.escape, needles)), re.S)
        for found in pattern.finditer(self._buffer, self._base):
            yield found.start() - self._base


class Symbol:
    """A symbol: `start` as addresses are here."""

    __slots__ = ("is_code", "name", "size", "start")

    def __init__(self, name: str, start: int, size: int, is_code: bool) -> None:
        self.name = name
        self.start = start
        self.size = size
        self.is_code = is_code


class Section:
    """A section, as the file's table of them has it."""

    __slots__ = ("address", "flags", "kind", "name", "number", "offset", "size")

    def __init__(self, name: str, number: int, row: tuple[int, ...]) -> None:
        self.name = name
        self.number = number
        _, self.kind, self.flags, self.address, self.offset, self.size = row[:6]


class Elf:
    """One file."""

    __slots__ = ("_data", "_machine", "_numbers", "_sections", "linked", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self._data: dict[str, Data] = {}
        try:
            with open(path, "rb") as file:
                size = file.seek(0, 2)
                if size < _HEADER.size:
                    raise DebugInfoError(f"{path} is no ELF file")
                whole = _Mapped(file.fileno(), 0, size)
                self._sections = self._read(whole)
                self._map(file.fileno(), size)
        except (OSError, ValueError, OverflowError) as error:
            raise DebugInfoError(f"{path} can't be read: {error}") from None
        except (struct_error, IndexError) as error:
            raise DebugInfoError(f"{path} is cut off or damaged: {error}") from None

    def _read(self, whole: mmap) -> list[Section]:
        """Read the table of sections."""
        row = _HEADER.unpack_from(whole)
        if row[0][:6] != b"\x7fELF\x02\x01":
            raise DebugInfoError(f"{self.path} is no ELF file of 64 bits and little endian")
        self.linked, self._machine = row[1] != RELOCATABLE, row[2]
        table, size, count, names = row[6], row[11], row[12], row[13]
        if size != _SECTION.size:
            raise DebugInfoError(f"{self.path} is damaged: its sections' rows have {size} bytes")
        rows = [_SECTION.unpack_from(whole, table + size * n) for n in range(count)]
        strings = rows[names][4] if names < len(rows) else 0
        out = []
        for number, found in enumerate(rows):
            at = strings + found[0]
            end = whole.find(b"\0", at)
            out.append(Section(whole[at : max(at, end)].decode("utf-8", "replace"), number, found))
        return out

    def _map(self, file: int, size: int) -> None:
        """Map the sections that are read where they lie: those of debug information, symbols and their names; and notes."""
        self._numbers = {section.name: section.number for section in self._sections}
        for section in self._sections:
            offset, length = section.offset, section.size
            if section.kind == NOBITS or not length:
                continue
            if section.kind == NOTE or section.name.startswith(_READ):
                if offset + length > size:
                    raise DebugInfoError(f"{self.path} is cut off: {section.name} isn't whole")
                self._data["raw " + section.name] = Data(_Mapped(file, offset, length))

    def has(self, name: str) -> bool:
        """Say whether there is a section of that name; nothing is read."""
        return name in self._numbers and self._sections[self._numbers[name]].kind != NOBITS

    def address(self, name: str) -> int:
        """Return where a section lies."""
        section = self._sections[self._numbers[name]]
        return section.address + self._base(section.number)

    def data(self, name: str) -> Data:
        """Return a section's contents, uncompressed, with addresses filled in; nothing where there is none."""
        known = self._data.get(name)
        if known is None:
            known = self._data[name] = self._load(name)
        return known

    def _load(self, name: str) -> Data:
        raw = self._raw(name)
        rela = self._raw(".rela" + name)
        return raw if self.linked or not rela.size else self._relocated(raw, rela)

    def _raw(self, name: str) -> Data:
        """Return a section's contents, uncompressed."""
        raw = self._data.get("raw " + name)
        if raw is None:
            return Data(b"")
        if not self._sections[self._numbers[name]].flags & SHF_COMPRESSED:
            return raw
        kind, _, size, _ = unpack_from(_COMPRESSED.format, raw.read(0, min(raw.size, _COMPRESSED.size)))
        try:
            return Data(_uncompressed(kind, raw.read(_COMPRESSED.size, raw.size), min(size, MOST)))
        except (zlib.error, ValueError, ImportError, EOFError) as error:
            raise DebugInfoError(f"{name} of {self.path} can't be uncompressed: {error}") from None

    def _relocated(self, raw: Data, rela: Data) -> Data:
        """Fill in the addresses of a file that isn't linked, which may be 200,000."""
        out = bytearray(raw.read(0, raw.size))
        words = _ABSOLUTE.get(self._machine, {})
        table = self.data(".symtab")
        values = [self._start(row[4], row[3]) for row in _SYMBOL.iter_unpack(table.read(0, table.size))]
        four, eight = Struct("<I"), Struct("<Q")
        for at, info, addend in _RELA.iter_unpack(rela.read(0, rela.size)):
            size = words.get(info & 0xFFFFFFFF)
            if size == 4:
                four.pack_into(out, at, values[info >> 32] + addend & 0xFFFFFFFF)
            elif size == 8:
                eight.pack_into(out, at, values[info >> 32] + addend & 0xFFFFFFFFFFFFFFFF)
        return Data(out)

    def _base(self, number: int) -> int:
        """Return where a section starts here, beyond what its symbols say."""
        if self.linked or not 0 < number < len(self._sections):
            return 0
        return number << SECTION_SHIFT if self._sections[number].flags & SHF_ALLOC else 0

    def _start(self, value: int, section: int) -> int:
        return value + self._base(section)

    def is_data(self, address: int) -> bool:
        """Whether an address of the file is one of plain data, that all CPUs have in common."""
        if not self.linked:
            return False
        found = (s for s in self._sections if s.address <= address < s.address + s.size)
        return any(s.name in DATA and s.flags & SHF_ALLOC for s in found)

    # -- symbols: found by searching the tables, as reading all 200,000 of them takes long

    def _symbol(self, number: int) -> Symbol:
        row = self.data(".symtab").read(number * _SYMBOL.size, (number + 1) * _SYMBOL.size)
        name, info, _, section, value, size = _SYMBOL.unpack(row)
        code = section < min(len(self._sections), SPECIAL) and info & 15 in (FUNC, NOTYPE)
        code = code and self._sections[section].flags & SHF_EXECINSTR != 0
        text = self.data(".strtab").text(name).decode("utf-8", "replace")
        return Symbol(text, self._start(value, section), size, code)

    def symbols(self, name: str) -> list[Symbol]:
        """Return the symbols of code of that name: static functions may share one."""
        out = []
        for at in self.data(".strtab").find_all(name.encode() + b"\0"):
            for place in self.data(".symtab").find_all(at.to_bytes(4, "little")):
                if place % _SYMBOL.size == 0:
                    symbol = self._symbol(place // _SYMBOL.size)
                    if symbol.is_code and symbol.name == name:
                        out.append(symbol)
        return out

    def symbol_at(self, start: int) -> Symbol | None:
        """Return the function that begins at an address: the one with a size before a mere label."""
        linked = start if self.linked else start & ((1 << SECTION_SHIFT) - 1)
        best = None
        for place in self.data(".symtab").find_all(linked.to_bytes(8, "little")):
            if place % _SYMBOL.size == 8:
                symbol = self._symbol(place // _SYMBOL.size)
                good = symbol.is_code and symbol.start == start and bool(symbol.name)
                if good and (best is None or (symbol.size and not best.size)):
                    best = symbol
        return best

    def build_id(self) -> str:
        """Return the file's build id in hexadecimal, "" if it has none."""
        for section in self._sections:
            if section.kind == NOTE and section.size:
                notes = self._data["raw " + section.name]
                at = notes.find(BUILD_ID)  # others' notes, as Xen's, have the same numbers
                if at >= 4:
                    size = int.from_bytes(notes.read(at - 4, at), "little")
                    return notes.read(at + len(BUILD_ID), at + len(BUILD_ID) + size).hex()
        return ""


def _uncompressed(kind: int, data: bytes, size: int) -> bytes:
    if kind == ZLIB:
        stream = zlib.decompressobj()
        return stream.decompress(data, size)
    if kind == ZSTD:
        try:
            module = __import__("compression.zstd", None, None, ("decompress",))  # Python 3.14
        except ImportError:
            raise ValueError("it is compressed by zstd, which takes Python 3.14") from None
        out: bytes = module.decompress(data)
        return out
    raise ValueError(f"its compression {kind} isn't known")
