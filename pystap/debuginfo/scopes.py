"""Functions, and what is in them: their ranges, inlined copies of others, blocks, variables.

A `Scope` is an instance: code of a function (`SUBPROGRAM`), a copy of it within another (`INLINED`), or a block.
"""

from __future__ import annotations

from struct import iter_unpack, unpack_from

from . import dies as d
from .dies import Entry, Unit, uleb
from .expressions import evaluate
from .frames import frame_address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .expressions import Location

    Ranges = list[tuple[int, int]]

_INSIDE = frozenset((d.INLINED, d.LEXICAL_BLOCK, d.PARAMETER, d.VARIABLE, d.LABEL))
_FUNCTIONS = frozenset((d.SUBPROGRAM,))
_SCOPES = (d.INLINED, d.LEXICAL_BLOCK)


class Scope:
    """An instance of a function, or a block within one. parent: None for the function's own code."""

    __slots__ = ("_inner", "_items", "entry", "parent", "ranges")

    def __init__(self, entry: Entry, parent: Scope | None) -> None:
        self.entry = entry
        self.parent = parent
        self.ranges = ranges(entry)
        self._items: list[Entry] = []
        self._inner: list[Scope] | None = None

    @property
    def inner(self) -> list[Scope]:
        """The scopes right within this one."""
        if self._inner is None:
            self._inner = []
            for entry in self.entry.unit.children(self.entry, _INSIDE):
                if entry.tag in _SCOPES:
                    self._inner.append(Scope(entry, self))
                else:
                    self._items.append(entry)
        return self._inner

    @property
    def items(self) -> list[Entry]:
        """Parameters, variables and labels right within this scope."""
        _ = self.inner
        return self._items

    @property
    def is_block(self) -> bool:
        """Whether this is no function."""
        return self.entry.tag == d.LEXICAL_BLOCK

    @property
    def instance(self) -> Scope:
        """The function's instance that this is, or is a block of."""
        here = self
        while here.is_block and here.parent is not None:
            here = here.parent
        return here

    @property
    def root(self) -> Scope:
        """The code that this is a part of."""
        here = self
        while here.parent is not None:
            here = here.parent
        return here

    @property
    def start(self) -> int | None:
        """Where it is entered."""
        pc = self.entry.attributes.get(d.ENTRY_PC)
        low = self.entry.address(d.LOW_PC)
        if pc is not None:
            form, value = pc
            if form in (0x0B, 0x05, d.F_DATA4, d.F_DATA8, 0x0F):  # an offset from the lowest address
                base = (
                    low if low is not None else self.entry.unit.low if not self.ranges else self.ranges[0][0]
                )
                return int(base + value)
            return self.entry.address(d.ENTRY_PC)
        return low if low is not None else self.ranges[0][0] if self.ranges else None

    def covers(self, address: int) -> bool:
        """Whether an address is in it."""
        return any(low <= address < high for low, high in self.ranges)

    def walk(self) -> Iterator[Scope]:
        """Give this scope and all within."""
        yield self
        for scope in self.inner:
            yield from scope.walk()

    def innermost(self, address: int) -> Scope:
        """Return the innermost scope that an address is in."""
        for scope in self.inner:
            if scope.covers(address) or (not scope.ranges and scope.is_block and self.covers(address)):
                found = scope.innermost(address)
                if found.ranges:
                    return found
        return self


def ranges(entry: Entry) -> Ranges:
    """Return the addresses of an entry: (first, behind the last) each, none where it has no code."""
    found = entry.attributes.get(d.RANGES)
    if found is not None:
        unit = entry.unit
        if unit.version >= 5:
            at = unit.list_place(found[0], found[1], ".debug_rnglists", d.RNGLISTS_BASE)
            return [r for r in _range_list(unit, at) if r[0] < r[1]]
        return [r for r in _old_range_list(unit, found[1]) if r[0] < r[1]]
    low = entry.address(d.LOW_PC)
    high = entry.attributes.get(d.HIGH_PC)
    if low is None or high is None:
        return []
    form, value = high
    behind = entry.address(d.HIGH_PC) if form == d.F_ADDR or form in d._ADDRX else low + value
    return [(low, behind)] if behind is not None and behind > low else []


def _old_range_list(unit: Unit, at: int) -> Iterator[tuple[int, int]]:
    view, base = unit.elf.data(".debug_ranges").view, unit.low
    while True:
        low, high = unpack_from("<QQ", view, at)
        at += 16
        if low == high == 0:
            return
        if low == 0xFFFFFFFFFFFFFFFF:
            base = high
        else:
            yield base + low, base + high


def _range_list(unit: Unit, at: int) -> Iterator[tuple[int, int]]:
    view, base = unit.elf.data(".debug_rnglists").view, unit.low
    while kind := view[at]:
        at += 1
        if kind in (1, 2, 3):
            a, at = uleb(view, at)
            first = unit.indexed_address(a)
            if kind == 1:
                base = first
                continue
            b, at = uleb(view, at)
            yield first, unit.indexed_address(b) if kind == 2 else first + b
        elif kind == 4:
            a, at = uleb(view, at)
            b, at = uleb(view, at)
            yield base + a, base + b
        else:
            (first,) = unpack_from("<Q", view, at)
            at += 8
            if kind == 5:
                base = first
            elif kind == 6:
                (b,) = unpack_from("<Q", view, at)
                at += 8
                yield first, b
            else:
                b, at = uleb(view, at)
                yield first, first + b


def functions(unit: Unit) -> Iterator[Entry]:
    """Give the functions of a unit: code, declarations and patterns of inlined ones."""
    return unit.children(unit.top, _FUNCTIONS)


def locate(item: Entry, address: int, root: Scope) -> Location | None:
    """Return where a variable is at an address, None where that can't be told."""
    constant = item.attributes.get(d.CONST_VALUE)
    if constant is not None:
        value = constant[1]
        if isinstance(value, bytes):
            value = int.from_bytes(value, "little")
        return ("value", ("const", value))
    found = item.attributes.get(d.LOCATION)
    if found is None:
        return None
    form, value = found
    block = value if isinstance(value, bytes) else _listed(item.unit, form, value, address)
    if block is None:
        return None
    cfa = frame = None
    if b"\x91" in block or b"\x9c" in block:
        cfa = frame_address(item.unit.elf, address)
        base = root.entry.get(d.FRAME_BASE)
        at_base = evaluate(base, None, cfa) if isinstance(base, bytes) else None
        frame = at_base[1] if at_base is not None else None
    return evaluate(block, frame, cfa)


def _listed(unit: Unit, form: int, value: int, address: int) -> bytes | None:
    """Return the expression of a location list that holds at an address."""
    if unit.version < 5:
        return _old_location(unit, value, address)
    at = unit.list_place(form, value, ".debug_loclists", d.LOCLISTS_BASE)
    view, base = unit.elf.data(".debug_loclists").view, unit.low
    default: bytes | None = None
    while kind := view[at]:
        at += 1
        low = high = 0
        if kind == 9:  # a view pair, of GNU
            _, at = uleb(view, at)
            _, at = uleb(view, at)
            continue
        if kind in (1, 2, 3):
            a, at = uleb(view, at)
            low = unit.indexed_address(a)
            if kind == 1:
                base = low
                continue
            b, at = uleb(view, at)
            high = unit.indexed_address(b) if kind == 2 else low + b
        elif kind == 4:
            a, at = uleb(view, at)
            b, at = uleb(view, at)
            low, high = base + a, base + b
        elif kind in (6, 7, 8):
            (low,) = unpack_from("<Q", view, at)
            at += 8
            if kind == 6:
                base = low
                continue
            if kind == 7:
                (high,) = unpack_from("<Q", view, at)
                at += 8
            else:
                b, at = uleb(view, at)
                high = low + b
        size, at = uleb(view, at)
        block = bytes(view[at : at + size])
        at += size
        if kind == 5:
            default = block
        elif low <= address < high:
            return block
    return default


def _old_location(unit: Unit, at: int, address: int) -> bytes | None:
    view, base = unit.elf.data(".debug_loc").view, unit.low
    while True:
        low, high = unpack_from("<QQ", view, at)
        at += 16
        if low == high == 0:
            return None
        if low == 0xFFFFFFFFFFFFFFFF:
            base = high
            continue
        (size,) = unpack_from("<H", view, at)
        at += 2
        if base + low <= address < base + high:
            return bytes(view[at : at + size])
        at += size


def aranges(data_view: memoryview) -> list[tuple[int, int, int]]:
    """Return (first address, behind the last, place of the unit) of .debug_aranges, sorted."""
    out = []
    at, size = 0, len(data_view)
    while at + 12 <= size:
        length, _, unit, width, _ = unpack_from("<IHIBB", data_view, at)
        end = at + 4 + length
        first = at + 16  # the pairs are aligned to their size
        if width == 8:
            for low, count in iter_unpack("<QQ", data_view[first : first + (end - first) // 16 * 16]):
                if count:
                    out.append((low, low + count, unit))
        at = end
    return sorted(out)
