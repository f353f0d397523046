"""Entries of DWARF 4 and 5 (.debug_info, .debug_abbrev), one compile unit at a time.

`units(elf)` finds the units by their headers alone. A `Unit` reads entries: `entry(at)` one, `children(entry)` those
below one; entries that nobody needs are jumped over.
"""

from __future__ import annotations

from struct import Struct, unpack_from

from .elf import Data, DebugInfoError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from .elf import Elf

# Tags.
ARRAY, ENUM, PARAMETER, LABEL, LEXICAL_BLOCK, POINTER, COMPILE_UNIT = 0x01, 0x04, 0x05, 0x0A, 0x0B, 0x0F, 0x11
STRUCT, SUBROUTINE_TYPE, TYPEDEF, UNION, INLINED, SUBRANGE = 0x13, 0x15, 0x16, 0x17, 0x1D, 0x21
BASE, CONST, SUBPROGRAM, VARIABLE, VOLATILE, RESTRICT = 0x24, 0x26, 0x2E, 0x34, 0x35, 0x37
CALL_SITE = 0x48
# Attributes.
SIBLING, LOCATION, NAME, BYTE_SIZE, STMT_LIST, LOW_PC, HIGH_PC = 0x01, 0x02, 0x03, 0x0B, 0x10, 0x11, 0x12
COMP_DIR, CONST_VALUE, UPPER_BOUND, ORIGIN, COUNT, DECL_FILE, DECL_LINE = (
    0x1B,
    0x1C,
    0x2F,
    0x31,
    0x37,
    0x3A,
    0x3B,
)
DECLARATION, ENCODING, FRAME_BASE, SPECIFICATION, TYPE, ENTRY_PC, RANGES = (
    0x3C,
    0x3E,
    0x40,
    0x47,
    0x49,
    0x52,
    0x55,
)
CALL_FILE, CALL_LINE, STR_OFFSETS_BASE, ADDR_BASE, RNGLISTS_BASE, LOCLISTS_BASE = (
    0x58,
    0x59,
    0x72,
    0x73,
    0x74,
    0x8C,
)
# Forms that others ask for.
F_ADDR, F_DATA4, F_DATA8, F_STRP = 0x01, 0x06, 0x07, 0x0E
F_SEC_OFFSET, F_EXPRLOC, F_LOCLISTX, F_RNGLISTX = 0x17, 0x18, 0x22, 0x23
F_IMPLICIT = 0x21
_ADDRX = frozenset((0x1B, 0x29, 0x2A, 0x2B, 0x2C))
_REFERENCES = frozenset((0x11, 0x12, 0x13, 0x14, 0x15))
_LONG = 0xFFFFFFFF
_FIXED = {
    0x01: 8,
    0x05: 2,
    0x06: 4,
    0x07: 8,
    0x0B: 1,
    0x0C: 1,
    0x0E: 4,
    0x10: 4,
    0x11: 1,
    0x12: 2,
    0x13: 4,
    0x14: 8,
    0x17: 4,
    0x19: 0,
    0x1C: 4,
    0x1D: 4,
    0x1E: 16,
    0x1F: 4,
    0x20: 8,
    0x21: 0,
    0x24: 8,
    0x25: 1,
    0x26: 2,
    0x27: 3,
    0x28: 4,
    0x29: 1,
    0x2A: 2,
    0x2B: 3,
    0x2C: 4,
    0x1F20: 4,
    0x1F21: 4,
}


def uleb(view: memoryview, at: int) -> tuple[int, int]:
    """Return (number, place behind it)."""
    byte = view[at]
    at += 1
    if byte < 0x80:
        return byte, at
    value, shift = byte & 0x7F, 7
    while True:
        byte = view[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def sleb(view: memoryview, at: int) -> tuple[int, int]:
    """The same for a signed number."""
    start = at
    value, at = uleb(view, at)
    bits = 7 * (at - start)
    return (value - (1 << bits) if value >> bits - 1 else value), at


class Abbreviation:
    """The shape of entries. size: bytes of the attributes where each has a fixed size, else -1."""

    __slots__ = ("attributes", "children", "size", "tag")

    def __init__(self, tag: int, children: bool, attributes: tuple[tuple[int, int, int], ...]) -> None:
        self.tag = tag
        self.children = children
        self.attributes = attributes
        sizes = [_FIXED.get(form, -1) for _, form, _ in attributes]
        self.size = -1 if -1 in sizes else sum(sizes)


def abbreviations(view: memoryview, at: int) -> dict[int, Abbreviation]:
    """Read a table of .debug_abbrev."""
    out: dict[int, Abbreviation] = {}
    while True:
        code, at = uleb(view, at)
        if not code:
            return out
        tag, at = uleb(view, at)
        children = view[at] != 0
        at += 1
        attributes = []
        while True:
            attribute, at = uleb(view, at)
            form, at = uleb(view, at)
            constant = 0
            if form == F_IMPLICIT:
                constant, at = sleb(view, at)
            if not attribute and not form:
                break
            attributes.append((attribute, form, constant))
        out[code] = Abbreviation(tag, children, tuple(attributes))


def _name_places(shapes: dict[int, Abbreviation]) -> list[tuple[bytes, int]]:
    """Return (code, bytes from its beginning to the name) of the shapes of functions with names."""
    out = []
    for number, shape in shapes.items():
        before = 0
        for attribute, form, _ in shape.attributes:
            if attribute == NAME and shape.tag == SUBPROGRAM:
                code = _uleb_bytes(number)
                out.append((code, before + len(code)))
            before += _FIXED.get(form, 0)
    return out


def _uleb_bytes(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


class Entry:
    """One entry: `at` is its place in .debug_info; `attributes`: number -> (form, value)."""

    __slots__ = ("at", "attributes", "has_children", "next", "tag", "unit")

    def __init__(self, unit: Unit, at: int, tag: int, has_children: bool) -> None:
        self.unit = unit
        self.at = at
        self.tag = tag
        self.has_children = has_children
        self.attributes: dict[int, tuple[int, Any]] = {}
        self.next = 0  # behind its attributes

    def get(self, attribute: int, default: Any = None) -> Any:
        """Return an attribute's value; places and strings as they are written."""
        found = self.attributes.get(attribute)
        return default if found is None else found[1]

    def target(self, attribute: int) -> Entry | None:
        """Return the entry that an attribute refers to."""
        found = self.attributes.get(attribute)
        if found is None:
            return None
        form, value = found
        if form in _REFERENCES:
            return self.unit.entry(self.unit.start + value)
        if form == 0x10:  # ref_addr: perhaps in another unit
            unit = self.unit if self.unit.start <= value < self.unit.end else self.unit.neighbour(value)
            return unit.entry(value) if unit is not None else None
        return None

    def text(self, attribute: int) -> str:
        """Return a string attribute, "" where there is none."""
        found = self.attributes.get(attribute)
        return "" if found is None else self.unit.string(*found)

    def address(self, attribute: int) -> int | None:
        """Return an address attribute."""
        found = self.attributes.get(attribute)
        if found is None:
            return None
        form, value = found
        return self.unit.indexed_address(value) if form in _ADDRX else int(value)

    @property
    def name(self) -> str:
        """The name, perhaps of the entry that it is a copy of."""
        entry: Entry | None = self
        for _ in range(4):
            if entry is None:
                return ""
            if NAME in entry.attributes:
                return entry.text(NAME)
            entry = entry.target(ORIGIN) or entry.target(SPECIFICATION)
        return ""

    def inherited(self, attribute: int) -> Entry | None:
        """Return the entry that has an attribute: this one, or what it is a copy of."""
        entry: Entry | None = self
        for _ in range(4):
            if entry is None or attribute in entry.attributes:
                return entry
            entry = entry.target(ORIGIN) or entry.target(SPECIFICATION)
        return None


class Unit:
    """A compile unit."""

    __slots__ = (
        "_abbrev_at",
        "_abbrevs",
        "_elf",
        "_name_places",
        "_top",
        "end",
        "first",
        "neighbour",
        "start",
        "version",
        "view",
    )

    def __init__(self, elf: Elf, start: int, end: int, first: int, version: int, abbrev_at: int) -> None:
        self._elf = elf
        self.view = elf.data(".debug_info").view
        self.start = start
        self.end = end
        self.first = first  # place of its top entry
        self.version = version
        self._abbrev_at = abbrev_at
        self._abbrevs: dict[int, Abbreviation] | None = None
        self._name_places: list[tuple[bytes, int]] | None = None
        self._top: Entry | None = None
        self.neighbour: Callable[[int], Unit | None] = lambda at: None

    @property
    def top(self) -> Entry:
        """The unit's own entry."""
        if self._top is None:
            self._top = self.entry(self.first)
        return self._top

    @property
    def elf(self) -> Elf:
        """The file."""
        return self._elf

    def _shape(self, at: int) -> tuple[Abbreviation | None, int]:
        if self._abbrevs is None:
            self._abbrevs = abbreviations(self._elf.data(".debug_abbrev").view, self._abbrev_at)
        code, at = uleb(self.view, at)
        return (self._abbrevs[code] if code else None), at

    def names_function(self, at: int) -> bool:
        """Whether the name of a function may stand at a place: its shape would be that of one."""
        if self._name_places is None:
            if self._abbrevs is None:
                self._abbrevs = abbreviations(self._elf.data(".debug_abbrev").view, self._abbrev_at)
            self._name_places = _name_places(self._abbrevs)
        view = self.view
        return any(view[at - behind : at - behind + len(code)] == code for code, behind in self._name_places)

    def entry(self, at: int) -> Entry:
        """Read the entry at a place."""
        shape, behind = self._shape(at)
        if shape is None:
            raise DebugInfoError(f"{self._elf.path}: no entry at {at:#x} of .debug_info")
        return self._entry(at, shape, behind)

    def _entry(self, place: int, shape: Abbreviation, at: int) -> Entry:
        out = Entry(self, place, shape.tag, shape.children)
        attributes = out.attributes
        for attribute, form, constant in shape.attributes:
            if form == F_IMPLICIT:
                attributes[attribute] = (form, constant)
            else:
                value, at = self._value(form, at)
                attributes[attribute] = (form, value)
        out.next = at
        return out

    def _value(self, form: int, at: int) -> tuple[Any, int]:
        if form == 0x08:
            end = self._elf.data(".debug_info").find(b"\0", at)
            return bytes(self.view[at:end]), end + 1
        return self.value_of(form, self.view, at)

    def value_of(self, form: int, view: memoryview, at: int) -> tuple[Any, int]:
        size = _FIXED.get(form)
        if size is not None:
            if size == 0:
                return 1, at
            return int.from_bytes(view[at : at + size], "little"), at + size
        if form in (0x0F, 0x15, 0x1A, 0x1B, 0x22, 0x23):  # udata, ref_udata, strx, addrx, loclistx, rnglistx
            return uleb(view, at)
        if form == 0x0D:
            return sleb(view, at)
        if form in (F_EXPRLOC, 0x09):
            size, at = uleb(view, at)
        elif form == 0x0A:
            size, at = view[at], at + 1
        elif form == 0x03:
            size, at = unpack_from("<H", view, at)[0], at + 2
        elif form == 0x04:
            size, at = unpack_from("<I", view, at)[0], at + 4
        elif form == 0x16:
            real, at = uleb(view, at)
            return self.value_of(real, view, at)
        else:
            raise DebugInfoError(f"{self._elf.path}: the form {form:#x} of DWARF can't be read")
        return bytes(view[at : at + size]), at + size

    def _behind(self, shape: Abbreviation, at: int) -> int:
        if shape.size >= 0:
            return at + shape.size
        for _, form, _ in shape.attributes:
            size = _FIXED.get(form)
            at = at + size if size is not None else self._value(form, at)[1]
        return at

    def children(self, parent: Entry, wanted: frozenset[int]) -> Iterator[Entry]:
        """Give the entries right below one, of the wanted tags."""
        if not parent.has_children:
            return
        at = parent.next
        while True:
            shape, behind = self._shape(at)
            if shape is None:
                return
            if shape.tag in wanted:
                entry = self._entry(at, shape, behind)
                yield entry
                at = self._skip(entry)
            elif not shape.children:
                at = self._behind(shape, behind)
            else:
                at = self._skip(self._entry(at, shape, behind))

    def _skip(self, entry: Entry) -> int:
        """Return the place behind an entry and all below it."""
        if not entry.has_children:
            return entry.next
        sibling = entry.attributes.get(SIBLING)
        if sibling is not None:
            return self.start + int(sibling[1])
        at, depth = entry.next, 1
        while depth:
            shape, at = self._shape(at)
            if shape is None:
                depth -= 1
                continue
            at = self._behind(shape, at)
            depth += shape.children
        return at

    # -- strings, addresses and lists, which may be numbers of rows of other sections

    def string(self, form: int, value: Any) -> str:
        """Return the text of a string attribute."""
        if form == 0x08:
            return bytes(value).decode("utf-8", "replace")
        if form == 0x0E:
            return self._elf.data(".debug_str").text(value)
        if form == 0x1F:
            return self._elf.data(".debug_line_str").text(value)
        if form in (0x1A, 0x25, 0x26, 0x27, 0x28):
            at = self.top.get(STR_OFFSETS_BASE, 8) + 4 * value
            found = int.from_bytes(self._elf.data(".debug_str_offsets").view[at : at + 4], "little")
            return self._elf.data(".debug_str").text(found)
        return ""  # in a supplementary file

    def indexed_address(self, index: int) -> int:
        """Return row `index` of the unit's table of addresses."""
        at = self.top.get(ADDR_BASE, 8) + 8 * index
        return int.from_bytes(self._elf.data(".debug_addr").view[at : at + 8], "little")

    def list_place(self, form: int, value: int, section: str, base: int) -> int:
        """Return where a list is: the value itself, or the row of the unit's table of lists."""
        if form not in (F_LOCLISTX, F_RNGLISTX):
            return value
        start = self.top.get(base, 12)
        at = start + 4 * value
        return int(start + int.from_bytes(self._elf.data(section).view[at : at + 4], "little"))

    @property
    def low(self) -> int:
        """The address that lists start from."""
        return self.top.address(LOW_PC) or 0


_HEAD = Struct("<IH")


def units(elf: Elf) -> Iterator[tuple[int, int, int, int, int]]:
    """Give (start, end, first, version, place of its abbreviations) of each compile unit."""
    info: Data = elf.data(".debug_info")
    view, at = info.view, 0
    while at + 11 <= info.size:
        length, version = _HEAD.unpack_from(view, at)
        if length >= _LONG - 15:
            raise DebugInfoError(f"{elf.path} has DWARF of 64 bits, which can't be read")
        end = at + 4 + length
        if version == 5:
            if view[at + 6] in (1, 3):  # compile, partial
                yield at, end, at + 12, version, unpack_from("<I", view, at + 8)[0]
        elif 2 <= version <= 4:
            yield at, end, at + 11, version, unpack_from("<I", view, at + 6)[0]
        at = end
