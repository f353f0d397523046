"""ELF as far as debug information needs it: sections, uncompressed and relocated, and symbols.

A module's file isn't linked: each of its sections starts at 0. Here section number n starts at n << 32, so that an
address says which section it is in; `Elf.symbol_at` turns addresses into symbols and offsets, which are the kernel's too.
"""

from __future__ import annotations

from struct import Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from mmap import mmap

    from .frames import Frames

_HEADER = Struct("<16sHHIQQQIHHHHHH")
_SECTION = Struct("<IIQQQQIIQQ")
_SYMBOL = Struct("<IBBHQQ")
_RELA = Struct("<QQq")
_COMPRESSED = Struct("<IIQQ")
ET_REL = 1
SHT_RELA, SHT_NOBITS = 4, 8
SHF_ALLOC, SHF_COMPRESSED = 2, 0x800
STT_NOTYPE, STT_OBJECT, STT_FUNC, STT_SECTION = 0, 1, 2, 3
ZLIB, ZSTD = 1, 2
GNU_BUILD_ID = 3
# Relocations that put an address, or a place in a debug section, into debug information: bytes of each.
_ABSOLUTE = {62: {1: 8, 10: 4, 11: 4}, 183: {257: 8, 258: 4}}
MACHINES = {62: "x86_64", 183: "aarch64"}
SECTION_SHIFT = 32


class DebugInfoError(Exception):
    """The file can't be read as debug information; the text says why."""


class Data:
    """The contents of a section: `view` to read numbers from, and searching."""

    __slots__ = ("_base", "_buffer", "size", "view")

    def __init__(self, buffer: mmap | bytes | bytearray, base: int, size: int) -> None:
        self._buffer = buffer
        self._base = base
        self.size = size
        self.view = memoryview(buffer)[base : base + size]

    def find(self, needle: bytes, start: int = 0, end: int = -1) -> int:
        """Return where the bytes are first, -1 if nowhere."""
        stop = self._base + (self.size if end < 0 else end)
        found = self._buffer.find(needle, self._base + start, stop)
        return found - self._base if found >= 0 else -1

    def find_all(self, needle: bytes, start: int = 0, end: int = -1) -> list[int]:
        """Return all places of the bytes."""
        out = []
        at = start - 1
        while (at := self.find(needle, at + 1, end)) >= 0:
            out.append(at)
        return out

    def find_each(self, needle: bytes) -> Iterator[int]:
        """Give the places of the bytes, one by one."""
        at = self.find(needle)
        while at >= 0:
            yield at
            at = self.find(needle, at + 1)

    def find_any(self, needles: list[bytes]) -> Iterator[int]:
        """Give the places of any of them, in one pass."""
        import re

        pattern = re.compile(b"|".join(map(re.escape, needles)), re.S)
        for found in pattern.finditer(self._buffer, self._base, self._base + self.size):
            yield found.start() - self._base

    def text(self, at: int) -> str:
        """Return the string that ends with a NUL."""
        end = self.find(b"\0", at)
        return bytes(self.view[at : end if end >= 0 else self.size]).decode("utf-8", "replace")


class Section:
    """One row of the table of sections."""

    __slots__ = ("flags", "info", "link", "name", "number", "offset", "size", "start", "type")

    def __init__(self, number: int, row: tuple[int, ...]) -> None:
        self.number = number
        self.name = ""
        _, self.type, self.flags, self.start, self.offset, self.size, self.link, self.info, _, _ = row


class Symbol:
    """A symbol: `start` as addresses are here."""

    __slots__ = ("is_code", "name", "size", "start")

    def __init__(self, name: str, start: int, size: int, is_code: bool) -> None:
        self.name = name
        self.start = start
        self.size = size
        self.is_code = is_code


_EMPTY = Data(b"", 0, 0)


class Elf:
    """One file."""

    __slots__ = ("_data", "_file", "_linked", "_symbols", "arch", "frames", "machine", "path", "sections")

    def __init__(self, path: str) -> None:
        from mmap import ACCESS_READ, mmap

        self.path = path
        try:
            with open(path, "rb") as file:
                self._file = mmap(file.fileno(), 0, access=ACCESS_READ)
        except (OSError, ValueError) as error:
            raise DebugInfoError(f"{path} can't be read: {error}") from None
        self._data: dict[str, Data] = {}
        self.frames: list[Frames] | None = None  # made by frames.frame_address
        self._symbols: tuple[Data, Data] | None = None
        if self._file[:6] != b"\x7fELF\x02\x01" or len(self._file) < _HEADER.size:
            raise DebugInfoError(f"{path} is no ELF file of 64 bits and little endian")
        header = _HEADER.unpack_from(self._file, 0)
        self.machine = header[2]
        self.arch = MACHINES.get(self.machine, "")
        self._linked = header[1] != ET_REL
        self.sections = self._read_sections(header[6], header[11], header[12], header[13])

    def _read_sections(self, at: int, size: int, count: int, names: int) -> list[Section]:
        file = self._file
        if size != _SECTION.size or at + count * size > len(file) or names >= count:
            raise DebugInfoError(f"{self.path} is cut off or damaged")
        rows = [_SECTION.unpack_from(file, at + n * size) for n in range(count)]
        sections = [Section(n, row) for n, row in enumerate(rows)]
        strings = sections[names]
        for section, row in zip(sections, rows, strict=True):
            start = strings.offset + row[0]
            section.name = file[start : file.find(b"\0", start)].decode("latin-1")
            if not self._linked and section.flags & SHF_ALLOC:
                section.start = section.number << SECTION_SHIFT
            elif not self._linked:
                section.start = 0
        return sections

    def find(self, name: str) -> Section | None:
        """Return the section of that name."""
        return next((s for s in self.sections if s.name == name), None)

    def data(self, name: str) -> Data:
        """Return a section's contents, uncompressed, with addresses filled in; nothing where there is none."""
        known = self._data.get(name)
        if known is None:
            section = self.find(name)
            known = _EMPTY if section is None else self._load(section)
            self._data[name] = known
        return known

    def _load(self, section: Section) -> Data:
        if section.type == SHT_NOBITS or not section.size:
            return _EMPTY
        if section.offset + section.size > len(self._file):
            raise DebugInfoError(f"{self.path} is cut off: {section.name} isn't whole")
        raw = Data(self._file, section.offset, section.size)
        if section.flags & SHF_COMPRESSED:
            raw = self._inflated(section, raw)
        if self._linked:
            return raw
        rela = next((s for s in self.sections if s.type == SHT_RELA and s.info == section.number), None)
        return raw if rela is None else self._relocated(raw, rela)

    def _inflated(self, section: Section, raw: Data) -> Data:
        kind, _, size, _ = _COMPRESSED.unpack_from(raw.view, 0)
        if kind != ZLIB:
            raise DebugInfoError(
                f"{section.name} of {self.path} is compressed in a way that can't be read (zstd)"
            )
        import zlib

        try:
            plain = zlib.decompress(raw.view[_COMPRESSED.size :])
        except zlib.error as error:
            raise DebugInfoError(f"{section.name} of {self.path} is damaged: {error}") from None
        return Data(plain, 0, size)

    def _relocated(self, raw: Data, rela: Section) -> Data:
        out = bytearray(raw.view)
        words = _ABSOLUTE.get(self.machine, {})
        values = self._values()
        four, eight = Struct("<I"), Struct("<Q")
        for at, info, addend in _RELA.iter_unpack(Data(self._file, rela.offset, rela.size).view):
            size = words.get(info & 0xFFFFFFFF)
            if size == 4:
                four.pack_into(out, at, values[info >> 32] + addend & 0xFFFFFFFF)
            elif size == 8:
                eight.pack_into(out, at, values[info >> 32] + addend & 0xFFFFFFFFFFFFFFFF)
        return Data(out, 0, len(out))

    # -- symbols

    def _tables(self) -> tuple[Data, Data]:
        if self._symbols is None:
            section = self.find(".symtab")
            if section is None:
                self._symbols = (_EMPTY, _EMPTY)
            else:
                names = self.sections[section.link]
                table = Data(self._file, section.offset, section.size)
                self._symbols = (table, Data(self._file, names.offset, names.size))
        return self._symbols

    def _values(self) -> list[int]:
        """Return the value of every symbol."""
        return [self._start(row) for row in _SYMBOL.iter_unpack(self._tables()[0].view)]

    def _start(self, row: tuple[int, ...]) -> int:
        value, section = row[4], row[3]
        if self._linked or not 0 < section < len(self.sections):
            return value
        return value + self.sections[section].start

    def _symbol(self, row: tuple[int, ...]) -> Symbol:
        kind, section = row[1] & 15, row[3]
        code = kind in (STT_FUNC, STT_NOTYPE) and 0 < section < len(self.sections)
        code = code and self.sections[section].flags & 4 != 0
        return Symbol(self._tables()[1].text(row[0]), self._start(row), row[5], code)

    def symbols(self, name: str) -> list[Symbol]:
        """Return the symbols of code of that name: static functions may share one."""
        table, names = self._tables()
        out = []
        for at in names.find_all(name.encode() + b"\0"):
            for place in table.find_all(at.to_bytes(4, "little")):
                if place % _SYMBOL.size == 0:
                    symbol = self._symbol(_SYMBOL.unpack_from(table.view, place))
                    if symbol.is_code and symbol.name == name:
                        out.append(symbol)
        return out

    def symbol_at(self, start: int) -> Symbol | None:
        """Return the function that begins at an address: the one with a size before a mere label."""
        table, _ = self._tables()
        linked = start if self._linked else start & ((1 << SECTION_SHIFT) - 1)
        best = None
        for place in table.find_all(linked.to_bytes(8, "little")):
            if place % _SYMBOL.size == 8:
                symbol = self._symbol(_SYMBOL.unpack_from(table.view, place - 8))
                good = symbol.is_code and symbol.start == start and bool(symbol.name)
                if good and (best is None or (symbol.size and not best.size)):
                    best = symbol
        return best

    def build_id(self) -> str:
        """Return the file's build id in hexadecimal, "" if it has none."""
        for section in self.sections:
            if section.name in (".notes", ".note.gnu.build-id") and section.size:
                found = build_id_of(self._file[section.offset : section.offset + section.size])
                if found:
                    return found
        return ""


def build_id_of(notes: bytes) -> str:
    """Return the build id among ELF notes, "" if there is none."""
    at = 0
    while at + 12 <= len(notes):
        name_size, size, kind = (int.from_bytes(notes[at + n : at + n + 4], "little") for n in (0, 4, 8))
        body = at + 12 + (name_size + 3 & ~3)
        if kind == GNU_BUILD_ID and notes[at + 12 : at + 16] == b"GNU\0":
            return notes[body : body + size].hex()
        at = body + (size + 3 & ~3)
    return ""
