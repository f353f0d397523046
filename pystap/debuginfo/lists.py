"""Lists of ranges of addresses, and of locations by ranges, of versions 4 and 5.

ranges_at(unit, value)               [(first, behind the last), ...]
location_at(unit, value, address)    the expression that holds at an address, None where none does
"""

from __future__ import annotations

from . import dies as d
from . import forms as f
from .errors import DebugInfoError
from .operations import leb128

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .dies import Unit
    from .elf import Data
    from .forms import Value

END, BASE_X, START_X_END, START_X_LENGTH, OFFSETS, DEFAULT, BASE, START_END, START_LENGTH = range(9)
_RANGE_KINDS = (END, BASE_X, START_X_END, START_X_LENGTH, OFFSETS, BASE, START_END, START_LENGTH)
VIEW_PAIR = 9  # GNU's: two numbers that say nothing of addresses
_ALL = (1 << 64) - 1


def ranges_at(unit: Unit, value: Value) -> Iterator[tuple[int, int]]:
    """Give the ranges of a list."""
    at = _place(unit, value, f.RNGLISTX, d.RNGLISTS_BASE, ".debug_rnglists")
    if unit.version < 5:
        for low, high, _ in _old(unit.elf.data(".debug_ranges"), at, unit.low, False):
            yield low, high
        return
    cursor = _Cursor(unit.elf.data(".debug_rnglists"), at)
    base = unit.low
    while True:
        number = cursor.byte()
        kind = _RANGE_KINDS[number] if number < len(_RANGE_KINDS) else -1
        if kind == END:
            return
        base, found = _row(unit, cursor, kind, base)
        if found is not None:
            yield found


def location_at(unit: Unit, value: Value, address: int) -> bytes | None:
    """Return the expression of a list that holds at an address."""
    default: bytes | None = None
    at = _place(unit, value, f.LOCLISTX, d.LOCLISTS_BASE, ".debug_loclists")
    if unit.version < 5:
        rows: Iterator[tuple[int, int, bytes]] = _old(unit.elf.data(".debug_loc"), at, unit.low, True)
    else:
        rows = _locations(unit, _Cursor(unit.elf.data(".debug_loclists"), at))
    for low, high, block in rows:
        if high == _ALL and low == _ALL:
            default = block
        elif low <= address < high:
            return block
    return default


def _locations(unit: Unit, cursor: _Cursor) -> Iterator[tuple[int, int, bytes]]:
    base = unit.low
    while True:
        kind = cursor.byte()
        if kind == END:
            return
        if kind == VIEW_PAIR:
            cursor.leb()
            cursor.leb()
            continue
        if kind == DEFAULT:
            yield _ALL, _ALL, cursor.take(cursor.leb())
            continue
        base, found = _row(unit, cursor, kind, base)
        if found is not None:
            yield (*found, cursor.take(cursor.leb()))


def _place(unit: Unit, value: Value, by_number: int, base: int, section: str) -> int:
    """Return where a list begins."""
    form, at, _ = value
    assert isinstance(at, int)
    if form != by_number:
        return at
    first = unit.base(base, 12)
    return first + int.from_bytes(unit.elf.data(section).read(first + 4 * at, first + 4 * at + 4), "little")


def _row(unit: Unit, cursor: _Cursor, kind: int, base: int) -> tuple[int, tuple[int, int] | None]:
    """Read one row of version 5: what is the base from here, and the range, None where there is none."""
    if kind == BASE_X:
        return unit.address(cursor.leb()), None
    if kind == BASE:
        return cursor.word(), None
    if kind == OFFSETS:
        low, high = cursor.leb(), cursor.leb()
        return base, (base + low, base + high)
    if kind == START_END:
        low = cursor.word()
        return base, (low, cursor.word())
    if kind == START_LENGTH:
        low = cursor.word()
        return base, (low, low + cursor.leb())
    if kind == START_X_END:
        low = unit.address(cursor.leb())
        return base, (low, unit.address(cursor.leb()))
    if kind == START_X_LENGTH:
        low = unit.address(cursor.leb())
        return base, (low, low + cursor.leb())
    raise DebugInfoError(f"{unit.elf.path} has a list with rows of a kind that isn't known")


def _old(data: Data, at: int, base: int, with_blocks: bool) -> Iterator[tuple[int, int, bytes]]:
    """Give the rows of a list of version 4 or older."""
    cursor = _Cursor(data, at)
    while True:
        low, high = cursor.word(), cursor.word()
        if low == _ALL:
            base = high
        elif not low and not high:
            return
        else:
            block = cursor.take(cursor.number(2)) if with_blocks else b""
            yield base + low & _ALL, base + high & _ALL, block


class _Cursor:
    """Reads a section from a place on."""

    __slots__ = ("_at", "_data", "_raw", "_start")

    def __init__(self, data: Data, at: int) -> None:
        self._data = data
        self._start = at
        self._raw = b""
        self._at = 0
        if not 0 <= at < data.size:
            raise DebugInfoError("a list lies outside of its section")

    def _want(self, more: int) -> None:
        """Have that many bytes at hand."""
        if self._at + more > len(self._raw):
            first = self._start + self._at
            self._raw = self._data.read(first, min(first + more + 256, self._data.size))
            self._start, self._at = first, 0
            if len(self._raw) < more:
                self._raw += bytes(more - len(self._raw))
                if first >= self._data.size:
                    raise DebugInfoError("a list has no end")

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def byte(self) -> int:
        return self.number(1)

    def word(self) -> int:
        return self.number(8)

    def leb(self) -> int:
        self._want(10)
        number, self._at = leb128(self._raw, self._at, False)
        return number

    def take(self, size: int) -> bytes:
        """Return bytes."""
        self._want(size)
        self._at += size
        return self._raw[self._at - size : self._at]
