"""Entries of debug information, read one by one when they are asked for.

`Unit` is a compile unit; `unit.entry(at)` the entry at a place, `unit.children(entry, tags)` those below one. Places count
from the beginning of .debug_info. Nothing is read that isn't asked for; what is passed over takes a microsecond.
"""

from __future__ import annotations

from . import forms as f
from .errors import DebugInfoError
from .forms import abbreviations
from .operations import leb128

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from .elf import Elf
    from .forms import Shape, Value

# Tags (DW_TAG_...).
ARRAY, ENUM, PARAMETER, LABEL, LEXICAL_BLOCK, POINTER = 0x01, 0x04, 0x05, 0x0A, 0x0B, 0x0F
STRUCT, SUBROUTINE_TYPE, TYPEDEF, UNION, INLINED, SUBRANGE = 0x13, 0x15, 0x16, 0x17, 0x1D, 0x21
BASE, SUBPROGRAM, VARIABLE = 0x24, 0x2E, 0x34
QUALIFIERS = frozenset((0x26, 0x35, 0x37, 0x47))  # const, volatile, restrict, atomic
# Attributes (DW_AT_...).
LOCATION, NAME, BYTE_SIZE, STMT_LIST, LOW_PC, HIGH_PC, COMP_DIR = 0x02, 0x03, 0x0B, 0x10, 0x11, 0x12, 0x1B
CONST_VALUE, UPPER_BOUND, ORIGIN, COUNT, DECL_FILE, DECL_LINE = 0x1C, 0x2F, 0x31, 0x37, 0x3A, 0x3B
DECLARATION, ENCODING, FRAME_BASE, SPECIFICATION, TYPE, ENTRY_PC = 0x3C, 0x3E, 0x40, 0x47, 0x49, 0x52
RANGES, CALL_LINE, STR_OFFSETS_BASE, ADDR_BASE, RNGLISTS_BASE = 0x55, 0x59, 0x72, 0x73, 0x74
LOCLISTS_BASE, GNU_ADDR_BASE = 0x8C, 0x2133
# Encodings of base types: boolean, signed, signed_char, unsigned, unsigned_char, UTF.
INTEGERS, SIGNED = frozenset((2, 5, 6, 7, 8, 0x10)), frozenset((5, 6, 0x0D))
COPIES = 4  # entries that are copies of copies
COMPILE, PARTIAL = 1, 3  # kinds of units, of version 5
_STRINGS = {f.STRP: ".debug_str", f.LINE_STRP: ".debug_line_str"}


class Entry:
    """One entry: `at` is its place in .debug_info; `attributes` by number: (form, number or bytes, place)."""

    __slots__ = ("at", "attributes", "behind", "shape", "unit")

    def __init__(self, unit: Unit, at: int, shape: Shape, values: dict[int, Value], behind: int) -> None:
        self.unit = unit
        self.at = at
        self.shape = shape
        self.attributes = values
        self.behind = behind  # in the unit, where the entries below it begin

    @property
    def tag(self) -> int:
        """Return what it is."""
        return self.shape.tag

    def get(self, attribute: int, default: Any = None) -> Any:
        """Return an attribute's value: a number or bytes, or an address."""
        found = self.attributes.get(attribute)
        if found is None:
            return default
        form, value, _ = found
        return self.unit.address(value) if form in f.ADDRX_FORMS else value

    def target(self, attribute: int) -> Entry | None:
        """Return the entry that an attribute refers to."""
        found = self.attributes.get(attribute)
        if found is None or found[0] in f.ELSEWHERE:  # those are in a file of common parts
            return None
        form, value, _ = found
        assert isinstance(value, int)
        if form in f.IN_UNIT:
            return self.unit.entry(self.unit.start + value)
        unit = self.unit.among.unit_at(value)
        return unit.entry(value) if unit is not None else None

    def text(self, attribute: int) -> str:
        """Return a string attribute, "" where there is none."""
        found = self.attributes.get(attribute)
        return self.unit.string(found).decode("utf-8", "replace") if found is not None else ""

    def is_address(self, attribute: int) -> bool:
        """Whether an attribute is an address, not a number of bytes from one."""
        form = self.attributes[attribute][0]
        return form == f.ADDR or form in f.ADDRX_FORMS

    @property
    def origin(self) -> int:
        """The place of the entry that this is a copy of, -1 where it is none."""
        found = self.attributes.get(ORIGIN)
        if found is None:
            return -1
        form, value, _ = found
        assert isinstance(value, int)
        return self.unit.start + value if form in f.IN_UNIT else value

    @property
    def name(self) -> str:
        """The name, perhaps of the entry that it is a copy of."""
        holder = self.inherited(NAME)
        return holder.text(NAME) if holder is not None else ""

    def inherited(self, attribute: int) -> Entry | None:
        """Return the entry that has an attribute: this one, or what it is a copy of."""
        entry: Entry | None = self
        for _ in range(COPIES):
            if entry is None or attribute in entry.attributes:
                return entry
            entry = entry.target(ORIGIN) or entry.target(SPECIFICATION)
        return None


class Unit:
    """A compile unit. among: what finds the unit of a place."""

    __slots__ = (
        *("_entries", "_raw", "_shapes", "among", "elf", "end", "first", "kind", "start"),
        "table",
        "version",
    )

    def __init__(self, elf: Elf, start: int, among: Units) -> None:
        info = elf.data(".debug_info")
        head = info.read(start, start + _HEAD)
        self.elf = elf
        self.among = among
        self.start = start
        self.end = start + 4 + int.from_bytes(head[:4], "little")
        self.version = int.from_bytes(head[4:6], "little")
        if not 2 <= self.version <= 5:
            raise DebugInfoError(f"{elf.path} has DWARF {self.version}, which can't be read")
        self.kind = head[6] if self.version == 5 else COMPILE
        self.table = int.from_bytes(head[8:12] if self.version == 5 else head[6:10], "little")
        self.first = start + (12 if self.version == 5 else 11)
        self._raw: bytes | None = None
        self._shapes: dict[int, Shape] | None = None
        self._entries: dict[int, Entry] = {}

    @property
    def raw(self) -> bytes:
        """The unit's bytes."""
        if self._raw is None:
            self._raw = self.elf.data(".debug_info").read(self.start, self.end)
            self.among.loaded(self)
        return self._raw

    def unload(self) -> None:
        """Forget what was read; it is read again when it is asked for."""
        self._raw = self._shapes = None
        self._entries = {}

    @property
    def shapes(self) -> dict[int, Shape]:
        """The shapes of its entries, by code."""
        if self._shapes is None:
            self._shapes = abbreviations(self.elf.data(".debug_abbrev"), self.table)
        return self._shapes

    @property
    def top(self) -> Entry:
        """The unit's own entry."""
        return self.entry(self.first)

    def entry(self, at: int) -> Entry:
        """Read the entry at a place."""
        known = self._entries.get(at)
        if known is None:
            shape, behind = self._shape(at - self.start)
            if shape is None:
                raise DebugInfoError(f"no entry begins at {at:#x} of {self.elf.path}")
            values, behind = shape.read(self.raw, behind)
            known = self._entries[at] = Entry(self, at, shape, values, behind)
        return known

    def _shape(self, at: int) -> tuple[Shape | None, int]:
        """Return the shape of the entry at a place, None behind the last one of its parent; and where its values are."""
        raw = self.raw
        code = raw[at]
        at += 1
        if code >= 0x80:
            code, at = leb128(raw, at - 1, False)
        if not code:
            return None, at
        shape = self.shapes.get(code)
        if shape is None:
            raise DebugInfoError(f"an entry of {self.elf.path} has no abbreviation {code}")
        return shape, at

    def children(self, parent: Entry, wanted: frozenset[int]) -> Iterator[Entry]:
        """Give the entries right below one, of the wanted tags."""
        if not parent.shape.children:
            return
        at, raw, shapes = parent.behind, self.raw, self.shapes
        while True:
            code, place = raw[at], at
            at += 1
            if code >= 0x80:
                code, at = leb128(raw, place, False)
            if not code:
                return
            shape = shapes.get(code)
            if shape is None:
                raise DebugInfoError(f"an entry of {self.elf.path} has no abbreviation {code}")
            if shape.tag in wanted:
                yield self.entry(self.start + place)
            behind = shape.next(raw, at) or self._below(shape.skip(raw, at))
            if behind <= place:
                raise DebugInfoError(f"entries of {self.elf.path} go round in a circle")
            at = behind

    def _below(self, at: int) -> int:
        """Return the place behind the entries that begin at one, with all below them."""
        depth = 1
        while depth:
            shape, at = self._shape(at)
            if shape is None:
                depth -= 1
                continue
            behind = shape.next(self.raw, at)
            if behind:
                at = behind
            else:
                at = shape.skip(self.raw, at)
                depth += 1
        return at

    @property
    def low(self) -> int:
        """The address that lists start from."""
        return int(self.top.get(LOW_PC, 0))

    def base(self, attribute: int, default: int) -> int:
        """Return where this unit's part of a table begins."""
        return int(self.top.get(attribute, default))

    def address(self, number: int | bytes) -> int:
        """Return an address by its number in the unit's table."""
        assert isinstance(number, int)
        base = self.base(ADDR_BASE, self.base(GNU_ADDR_BASE, 8))
        at = base + 8 * number
        return int.from_bytes(self.elf.data(".debug_addr").read(at, at + 8), "little")

    def string(self, value: Value) -> bytes:
        """Return a string."""
        form, what, _ = value
        if isinstance(what, bytes):
            return what
        if form in f.STRX_FORMS:
            at = self.base(STR_OFFSETS_BASE, 8) + 4 * what
            what, form = (
                int.from_bytes(self.elf.data(".debug_str_offsets").read(at, at + 4), "little"),
                f.STRP,
            )
        if form not in _STRINGS:
            return b""
        return self.elf.data(_STRINGS[form]).text(what)


_HEAD = 12


class Units:
    """Finds units, and keeps as many as there is room for; `Index` is one."""

    __slots__ = ()

    def unit_at(self, place: int) -> Unit | None:
        """Return the unit that a place of .debug_info is in."""
        raise NotImplementedError

    def loaded(self, unit: Unit) -> None:
        """Hear that a unit was read."""
        raise NotImplementedError
