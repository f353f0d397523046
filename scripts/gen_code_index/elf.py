"""Sections of an ELF file, and the relocations that its sections of debug information still need."""

from __future__ import annotations

import zlib
from bisect import bisect_left
from collections.abc import Sequence
from struct import unpack_from

_ET_REL = 1
_SHF_COMPRESSED = 0x800


class Elf:
    """One 64-bit file of the machine's byte order; `data` is its content."""

    def __init__(self, data: memoryview) -> None:
        self.data = data
        if bytes(data[:6]) != b"\x7fELF\x02\x01":
            raise ValueError("not a 64-bit little-endian ELF file")
        (kind,) = unpack_from("<H", data, 16)
        self.relocatable = kind == _ET_REL
        (table,) = unpack_from("<Q", data, 40)
        size, count, names = unpack_from("<HHH", data, 58)
        rows = [unpack_from("<IIQQQQ", data, table + n * size) for n in range(count)]
        base = rows[names][4]
        self._rows: dict[str, tuple[int, ...]] = {}
        for row in rows:
            self._rows.setdefault(_text(data, base + row[0]), row)

    def section(self, name: str) -> memoryview:
        """Return a section's bytes, unpacked; nothing where there is no such section."""
        row = self._rows.get(name)
        if row is None or row[1] == 8:  # SHT_NOBITS
            return memoryview(b"")
        part = self.data[row[4] : row[4] + row[5]]
        return memoryview(zlib.decompress(part[24:])) if row[2] & _SHF_COMPRESSED else part

    def fixes(self, name: str) -> Fixes:
        """Return what relocations make of the words of a section."""
        rows = self.section(".rela" + name) if self.relocatable else memoryview(b"")
        return Fixes(rows.cast("Q") if len(rows) else [])


class Fixes:
    """Relocations against sections: the addend is the word's value. They are in the order of their places."""

    def __init__(self, words: Sequence[int]) -> None:
        self._words = words
        self._places = words[0::3]

    def at(self, place: int, given: int) -> int:
        """Return the value of the word at a place that holds `given`."""
        found = bisect_left(self._places, place)
        if found < len(self._places) and self._places[found] == place:
            return self._words[found * 3 + 2]
        return given


def _text(data: memoryview, at: int) -> str:
    end = at
    while data[end]:
        end += 1
    return str(bytes(data[at:end]), "ascii", "replace")
