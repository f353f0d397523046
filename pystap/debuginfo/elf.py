"""The file: its sections, mapped and never copied, as pyelftools reads them, and its symbols.

A module's file isn't linked: each of its sections starts at 0. Here section number n starts at n << 32, so that an
address says which section it is in; `Elf.symbol_at` turns addresses into symbols and offsets, which are the kernel's too.
"""

from __future__ import annotations

import zlib
from io import BytesIO
from mmap import ACCESS_READ, ALLOCATIONGRANULARITY, mmap
from struct import Struct

from elftools.common.exceptions import ELFError
from elftools.dwarf.dwarfinfo import DebugSectionDescriptor, DwarfConfig, DWARFInfo
from elftools.elf.elffile import ELFFile

from .errors import DebugInfoError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Literal

_SYMBOL = Struct("<IBBHQQ")
_RELA = Struct("<QQq")
SHF_ALLOC, SHF_EXECINSTR, SHF_COMPRESSED = 2, 4, 0x800
# Relocations that put an address, or a place in a debug section, into debug information: bytes of each.
_ABSOLUTE = {"x64": {1: 8, 10: 4, 11: 4}, "AArch64": {257: 8, 258: 4}}
SECTION_SHIFT = 32
DATA = (".data", ".bss", ".rodata")
BUILD_ID = b"\3\0\0\0GNU\0"  # the note's type and owner


class _Mapped(mmap):
    """A part of the file as a stream of its own: reading is the map's, places count from the part's beginning."""

    base: int

    def __new__(cls, file: int, offset: int, size: int) -> _Mapped:
        start = offset // ALLOCATIONGRANULARITY * ALLOCATIONGRANULARITY
        self = super().__new__(cls, file, offset - start + size, access=ACCESS_READ, offset=start)
        self.base = offset - start
        return self

    def seek(self, at: int, whence: Literal[0, 1, 2, 3, 4] = 0) -> None:
        if (
            whence == 1
        ):  # behind the end, too, as in a file: pyelftools does so, and goes back before it reads
            super().seek(min(super().tell() + at, len(self)))
        else:
            super().seek(at + self.base if whence == 0 else at, whence)

    def tell(self) -> int:
        return super().tell() - self.base


class Data:
    """The contents of a section: `stream` for pyelftools, and searching."""

    __slots__ = ("_base", "_buffer", "size", "stream")

    def __init__(self, contents: _Mapped | bytes | bytearray) -> None:
        self._buffer = contents
        self._base = contents.base if isinstance(contents, _Mapped) else 0
        self.size = len(contents) - self._base
        self.stream: Any = contents if isinstance(contents, _Mapped) else BytesIO(contents)

    def read(self, start: int, end: int) -> bytes:
        """Return bytes."""
        return bytes(self._buffer[self._base + start : self._base + end])

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


class Elf:
    """One file."""

    __slots__ = ("_data", "_dwarf", "_file", "_numbers", "_sections", "_symtab", "linked", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self._data: dict[str, Data] = {}
        self._dwarf: DWARFInfo | None = None
        try:
            with open(path, "rb") as file:
                size = file.seek(0, 2)
                self._file = ELFFile(_Mapped(file.fileno(), 0, size))
                self._check()
                self._sections: list[Any] = [
                    self._file.get_section(n) for n in range(self._file.num_sections())
                ]
                self._map(file.fileno(), size)
        except (OSError, ValueError, OverflowError) as error:
            raise DebugInfoError(f"{path} can't be read: {error}") from None
        except DebugInfoError:
            raise
        except Exception as error:  # whatever a library meets in a damaged file
            raise DebugInfoError(f"{path} is cut off or damaged: {error!r}") from error
        self._symtab: Any = next((s for s in self._sections if s["sh_type"] == "SHT_SYMTAB"), None)

    def _check(self) -> None:
        if self._file.elfclass != 64 or not self._file.little_endian:
            raise DebugInfoError(f"{self.path} is no ELF file of 64 bits and little endian")
        self.linked = self._file["e_type"] != "ET_REL"

    def _map(self, file: int, size: int) -> None:
        """Map the sections that are read where they lie: those of debug information, symbols and their names."""
        self._numbers = {section.name: number for number, section in enumerate(self._sections)}
        for section in self._sections:
            offset, length = section["sh_offset"], section["sh_size"]
            if section["sh_type"] == "SHT_NOBITS" or not length:
                continue
            if section.name.startswith((".debug_", ".eh_frame", ".symtab", ".strtab", ".rela.debug_")):
                if offset + length > size:
                    raise DebugInfoError(f"{self.path} is cut off: {section.name} isn't whole")
                if not section["sh_flags"] & SHF_COMPRESSED:
                    self._data["raw " + section.name] = Data(_Mapped(file, offset, length))

    def has(self, name: str) -> bool:
        """Say whether there is a section of that name; nothing is read."""
        return name in self._numbers and self._sections[self._numbers[name]]["sh_type"] != "SHT_NOBITS"

    def data(self, name: str) -> Data:
        """Return a section's contents, uncompressed, with addresses filled in; nothing where there is none."""
        known = self._data.get(name)
        if known is None:
            known = self._data[name] = self._load(name)
        return known

    def _load(self, name: str) -> Data:
        number = self._numbers.get(name)
        raw = self._data.get("raw " + name)
        if raw is None:
            if number is None or not self._sections[number]["sh_flags"] & SHF_COMPRESSED:
                return Data(b"")
            try:
                raw = Data(self._sections[number].data())
            except (ELFError, zlib.error, ValueError, AssertionError, NotImplementedError) as error:
                raise DebugInfoError(f"{name} of {self.path} can't be uncompressed: {error}") from None
        rela = self._data.get("raw .rela" + name)
        return raw if self.linked or rela is None else self._relocated(raw, rela)

    def _relocated(self, raw: Data, rela: Data) -> Data:
        """Fill in the addresses of a file that isn't linked.

        pyelftools can do it, but takes 40 s for a module of 200,000 such places where this takes 0.3 s, and doesn't
        tell sections apart.
        """
        out = bytearray(raw.read(0, raw.size))
        words = _ABSOLUTE.get(self._file.get_machine_arch(), {})
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
        return number << SECTION_SHIFT if self._sections[number]["sh_flags"] & SHF_ALLOC else 0

    def _start(self, value: int, section: int) -> int:
        return value + self._base(section)

    def is_data(self, address: int) -> bool:
        """Whether an address of the file is one of plain data, that all CPUs have in common."""
        if not self.linked:
            return False
        found = (s for s in self._sections if s["sh_addr"] <= address < s["sh_addr"] + s["sh_size"])
        return any(s.name in DATA and s["sh_flags"] & SHF_ALLOC for s in found)

    @property
    def dwarf(self) -> DWARFInfo:
        """What pyelftools reads of it."""
        if self._dwarf is None:
            parameters = DWARFInfo.__init__.__code__
            sections = {
                name: self._described("." + name.removesuffix("_sec"))
                for name in parameters.co_varnames[
                    2 : parameters.co_argcount
                ]  # each is a section: versions differ
            }
            self._dwarf = DWARFInfo(DwarfConfig(True, self._file.get_machine_arch(), 8), **sections)
        return self._dwarf

    def forget(self) -> None:
        """Let pyelftools forget the units that it has read."""
        self._dwarf = None

    def _described(self, name: str) -> DebugSectionDescriptor | None:
        data = self.data(name)
        if not data.size:
            return None
        number = self._numbers[name]
        address = self._sections[number]["sh_addr"] + self._base(number)
        return DebugSectionDescriptor(data.stream, name, 0, data.size, address)

    # -- symbols: found by searching the tables, as pyelftools would read all 200,000 of them first (15 s)

    def _symbol(self, number: int) -> Symbol:
        symbol = self._symtab.get_symbol(number)
        section = symbol["st_shndx"]
        code = isinstance(section, int) and symbol["st_info"]["type"] in ("STT_FUNC", "STT_NOTYPE")
        code = (
            code
            and section < len(self._sections)
            and self._sections[section]["sh_flags"] & SHF_EXECINSTR != 0
        )
        start = self._start(symbol["st_value"], section) if isinstance(section, int) else symbol["st_value"]
        return Symbol(symbol.name, start, symbol["st_size"], code)

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
            if section["sh_type"] == "SHT_NOTE" and section["sh_size"]:
                notes = (
                    section.data()
                )  # old pyelftools takes those of Xen for GNU's, which have the same numbers
                at = notes.find(BUILD_ID)
                if at >= 4:
                    size = int.from_bytes(notes[at - 4 : at], "little")
                    return str(notes[at + len(BUILD_ID) :][:size].hex())
        return ""
