"""How attributes of entries are written: abbreviations, and the forms of values.

    table = abbreviations(data, at)          code -> Shape, the shapes of a unit's entries
    values, behind = shape.read(raw, at)     attribute -> Value; at: behind the entry's code
    behind = shape.skip(raw, at)             without reading them

`raw` is a unit from its beginning; places count from there.
"""

from __future__ import annotations

from .errors import DebugInfoError
from .operations import leb128

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .elf import Data

    # form, number or bytes, its place
    Value = tuple[int, int | bytes, int]

(ADDR, BLOCK2, BLOCK4, STRING, BLOCK, BLOCK1, SDATA, STRP, UDATA) = (1, 3, 4, 8, 9, 0x0A, 0x0D, 0x0E, 0x0F)
(REF_ADDR, REF_UDATA, INDIRECT, SEC_OFFSET, EXPRLOC, FLAG_PRESENT) = (0x10, 0x15, 0x16, 0x17, 0x18, 0x19)
(STRX, ADDRX, DATA16, LINE_STRP, IMPLICIT, LOCLISTX, RNGLISTX) = (0x1A, 0x1B, 0x1E, 0x1F, 0x21, 0x22, 0x23)
(GNU_ADDRX, GNU_STRX, GNU_REF_ALT, GNU_STRP_ALT) = (0x1F01, 0x1F02, 0x1F20, 0x1F21)
REF_SUP4, STRP_SUP, REF_SIG8, REF_SUP8 = 0x1C, 0x1D, 0x20, 0x24
DATA = frozenset((0x05, 0x06, 0x07, 0x0B))
STRX_FORMS = frozenset((STRX, GNU_STRX, 0x25, 0x26, 0x27, 0x28))
ADDRX_FORMS = frozenset((ADDRX, GNU_ADDRX, 0x29, 0x2A, 0x2B, 0x2C))
IN_UNIT = frozenset((0x11, 0x12, 0x13, 0x14, REF_UDATA))  # references that count from the unit's beginning
ELSEWHERE = frozenset((REF_SUP4, REF_SUP8, REF_SIG8, GNU_REF_ALT))
BLOCKS = frozenset((BLOCK, BLOCK1, BLOCK2, BLOCK4, EXPRLOC))
# Bytes of the forms that always have the same; what has one of these first is a length in the others.
_FIXED = {
    0x01: 8,
    0x05: 2,
    0x06: 4,
    0x07: 8,
    0x0B: 1,
    0x0C: 1,
    STRP: 4,
    REF_ADDR: 4,
    0x11: 1,
    0x12: 2,
    0x13: 4,
}
_FIXED |= {
    0x14: 8,
    SEC_OFFSET: 4,
    FLAG_PRESENT: 0,
    REF_SUP4: 4,
    STRP_SUP: 4,
    DATA16: 16,
    LINE_STRP: 4,
    REF_SIG8: 8,
}
_FIXED |= {IMPLICIT: 0, REF_SUP8: 8, GNU_REF_ALT: 4, GNU_STRP_ALT: 4}
_FIXED |= {first + n: size for first in (0x25, 0x29) for n, size in enumerate((1, 2, 3, 4))}
_LEB = frozenset((SDATA, UDATA, REF_UDATA, STRX, ADDRX, LOCLISTX, RNGLISTX, GNU_ADDRX, GNU_STRX))
_LENGTHS = {BLOCK1: 1, BLOCK2: 2, BLOCK4: 4}
SIBLING = 0x01
MOST = 1 << 18  # bytes of a table of abbreviations


class Shape:
    """What entries of one abbreviation have. tag; children: whether there are entries below; attributes: (attribute,
    form, its value where the form says so)."""

    __slots__ = ("_runs", "_sibling", "attributes", "children", "tag")

    def __init__(self, tag: int, children: bool, attributes: list[tuple[int, int, int]]) -> None:
        self.tag = tag
        self.children = children
        self.attributes = attributes
        self._runs: list[int] | None = None  # bytes to skip; or a form, negative
        self._sibling: tuple[int, int] | None = None

    def _plan(self) -> list[int]:
        """Work out how to skip: most shapes of a unit are never asked."""
        runs: list[int] = []
        for attribute, form, _ in self.attributes:
            if attribute == SIBLING and form in IN_UNIT and all(run >= 0 for run in runs):
                self._sibling = sum(runs), form
            size = _FIXED.get(form)
            if size is None:
                runs.append(-form)
            elif runs and runs[-1] >= 0:
                runs[-1] += size
            else:
                runs.append(size)
        self._runs = runs
        return runs

    def skip(self, raw: bytes, at: int) -> int:
        """Return the place behind an entry's attributes."""
        for run in self._runs if self._runs is not None else self._plan():
            at = at + run if run >= 0 else _behind(raw, at, -run)
        return at

    def next(self, raw: bytes, at: int) -> int:
        """Return the place of the entry behind this one and what is below it, 0 where that isn't told."""
        if not self.children:
            return self.skip(raw, at)
        if self._runs is None:
            self._plan()
        if self._sibling is not None:
            offset, form = self._sibling
            size = _FIXED.get(form, 0)
            if size:
                return int.from_bytes(raw[at + offset : at + offset + size], "little")
        return 0

    def read(self, raw: bytes, at: int) -> tuple[dict[int, Value], int]:
        """Return the values, and the place behind them."""
        values: dict[int, Value] = {}
        for attribute, form, implicit in self.attributes:
            place = at
            while form == INDIRECT:
                form, at = leb128(raw, at, False)
            value: int | bytes
            size = _FIXED.get(form)
            if form == IMPLICIT:
                value = implicit
            elif form == FLAG_PRESENT:
                value = 1
            elif size is not None:
                value = int.from_bytes(raw[at : at + size], "little")
                at += size
            elif form in _LEB:
                value, at = leb128(raw, at, form == SDATA)
            else:
                value, at = _bytes(raw, at, form)
            values[attribute] = (form, value, place)
        return values, at


def _bytes(raw: bytes, at: int, form: int) -> tuple[bytes, int]:
    if form == STRING:
        end = raw.index(b"\0", at)
        return raw[at:end], end + 1
    size, at = _length(raw, at, form)
    return raw[at : at + size], at + size


def _length(raw: bytes, at: int, form: int) -> tuple[int, int]:
    if form in (BLOCK, EXPRLOC):
        return leb128(raw, at, False)
    if form not in _LENGTHS:
        raise DebugInfoError(f"an attribute has the form {form:#x}, which isn't known")
    size = _LENGTHS[form]
    return int.from_bytes(raw[at : at + size], "little"), at + size


def _behind(raw: bytes, at: int, form: int) -> int:
    """Return the place behind a value of a form without a fixed size."""
    while form == INDIRECT:
        form, at = leb128(raw, at, False)
    if form in _FIXED:
        return at + _FIXED[form]
    if form in _LEB:
        while raw[at] >= 0x80:
            at += 1
        return at + 1
    if form == STRING:
        return raw.index(b"\0", at) + 1
    size, at = _length(raw, at, form)
    return at + size


def abbreviations(data: Data, at: int) -> dict[int, Shape]:
    """Return the table at a place of .debug_abbrev. Its numbers are nearly all of one byte."""
    raw = data.read(at, min(at + MOST, data.size))
    table: dict[int, Shape] = {}
    at = 0
    while at < len(raw):
        code, at = leb128(raw, at, False)
        if not code:
            return table
        tag, at = leb128(raw, at, False)
        children = raw[at] != 0
        at += 1
        rows = []
        while True:
            attribute, form = raw[at], raw[at + 1]
            if attribute | form < 0x80:
                at += 2
            else:
                attribute, at = leb128(raw, at, False)
                form, at = leb128(raw, at, False)
            if not attribute and not form:
                break
            implicit = 0
            if form == IMPLICIT:
                implicit, at = leb128(raw, at, True)
            rows.append((attribute, form, implicit))
        table[code] = Shape(tag, children, rows)
    raise DebugInfoError("a table of abbreviations has no end")
