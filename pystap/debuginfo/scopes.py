"""Functions, and what is in them: their ranges, inlined copies of others, blocks, variables.

A `Scope` is an instance: code of a function (`SUBPROGRAM`), a copy of it within another (`INLINED`), or a block.
"""

from __future__ import annotations

from elftools.common.utils import struct_parse
from elftools.dwarf.locationlists import BaseAddressEntry as LocationBase
from elftools.dwarf.locationlists import LocationEntry, LocationExpr, LocationParser
from elftools.dwarf.ranges import BaseAddressEntry

from . import dies as d
from .dies import Entry, Unit
from .errors import NO_VIEW
from .expressions import evaluate, parts
from .frames import frame_address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .expressions import Expr, Location

    Ranges = list[tuple[int, int]]

_INSIDE = frozenset((d.INLINED, d.LEXICAL_BLOCK, d.PARAMETER, d.VARIABLE, d.LABEL))
_FUNCTIONS = frozenset((d.SUBPROGRAM,))
_SCOPES = (d.INLINED, d.LEXICAL_BLOCK)
FBREG, CALL_FRAME_CFA = 0x91, 0x9C
STATIC = "it is static, in a module or with a copy for each CPU, and its address isn't known"


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
        low: int | None = self.entry.get(d.LOW_PC)
        pc: int | None = self.entry.get(d.ENTRY_PC)
        if pc is None:
            return low if low is not None else self.ranges[0][0] if self.ranges else None
        if self.entry.is_address(d.ENTRY_PC):
            return pc
        if low is None:  # it counts from the lowest address
            low = self.ranges[0][0] if self.ranges else self.entry.unit.low
        return low + pc

    def frame_address(self, address: int) -> Expr | None:
        """Return the canonical frame address at an address of this function's own code."""
        start = next((low for low, high in self.ranges if low <= address < high), address)
        return frame_address(self.entry.unit.elf, start, address)

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
    at = entry.get(d.RANGES)
    if at is not None:
        return [r for r in _listed_ranges(entry.unit, at) if r[0] < r[1]]
    low, high = entry.get(d.LOW_PC), entry.get(d.HIGH_PC)
    if low is None or high is None:
        return []
    behind = high if entry.is_address(d.HIGH_PC) else low + high
    return [(low, behind)] if behind > low else []


def _listed_ranges(unit: Unit, at: int) -> Iterator[tuple[int, int]]:
    lists, base = unit.elf.dwarf.range_lists(), unit.low
    if lists is None:
        return
    for row in lists.get_range_list_at_offset(at, unit.cu):
        if isinstance(row, BaseAddressEntry):
            base = row.base_address
        else:
            start = 0 if row.is_absolute else base
            yield start + row.begin_offset, start + row.end_offset


def functions(unit: Unit) -> Iterator[Entry]:
    """Give the functions of a unit: code, declarations and patterns of inlined ones."""
    return unit.children(unit.top, _FUNCTIONS)


def locate(item: Entry, address: int, root: Scope, view: int = NO_VIEW, depth: int = 0) -> Location | None:
    """Return where a variable is at an address, as `expressions` says."""
    constant = item.get(d.CONST_VALUE)
    if constant is not None:
        if not isinstance(constant, int):
            constant = int.from_bytes(bytes(constant), "little")
        return ("value", ("const", constant))
    block = _block(item, address, view)
    if block is None:
        return None
    cfa = frame = None
    if FBREG in block or CALL_FRAME_CFA in block:
        cfa = root.frame_address(address)
        base = root.entry.get(d.FRAME_BASE)
        at_base = evaluate(base, None, cfa) if isinstance(base, (list, bytes)) else None
        frame = at_base[1] if at_base is not None and at_base[0] != "lost" else None

    def variable(at: int) -> Location | None:
        return locate(item.unit.entry(at), address, root, view, depth + 1) if depth < d.COPIES else None

    found = evaluate(block, frame, cfa, lambda at: _number(item.unit, at), variable)
    # of a static variable the address is known where it is one in the kernel itself, and not an offset in each CPU's part
    return found if all(map(item.unit.elf.is_data, parts(found, "addr"))) else ("lost", STATIC)


def _number(unit: Unit, at: int) -> tuple[int, bool] | None:
    """Return (bits, signed) of the type of integers at a place of a unit."""
    entry = unit.entry(unit.start + at)
    kind, size = entry.get(d.ENCODING), entry.get(d.BYTE_SIZE)
    if entry.tag != d.BASE or kind not in d.INTEGERS or not isinstance(size, int) or not 0 < size <= 8:
        return None
    return 8 * size, kind in d.SIGNED


def _block(item: Entry, address: int, view: int) -> list[int] | None:
    """Return the expression of a variable's location that holds at an address.

    Where several lines begin at one address, a view tells them apart; without one: what holds behind all of them, when the
    instruction is run.
    """
    found = item.attributes.get(d.LOCATION)
    if found is None:
        return None
    unit = item.unit
    lists = unit.elf.dwarf.location_lists()
    rows = LocationParser(lists).parse_from_attribute(found, unit.version, item.die)
    if isinstance(rows, LocationExpr):
        return list(rows.loc_expr)
    base = unit.low
    default: list[int] | None = None
    places = [row for row in rows if isinstance(row, LocationEntry)]
    views = _views(item, len(places)) if view != NO_VIEW else None
    n = 0
    for row in rows:
        if isinstance(row, LocationBase):
            base = row.base_address
        elif isinstance(row, LocationEntry):
            start = 0 if row.is_absolute else base
            low, high = start + row.begin_offset, start + row.end_offset
            first, last = views[n] if views is not None else (0, 0)
            n += 1
            if row.begin_offset < 0:
                default = row.loc_expr
            elif (
                (low, first) <= (address, view) < (high, last) if views is not None else low <= address < high
            ):
                return list(row.loc_expr)
    return default


def _views(item: Entry, count: int) -> list[tuple[int, int]] | None:
    """Return the views at which the rows of a variable's list begin and end; None where the compiler doesn't tell."""
    at, unit = item.get(d.LOCVIEWS), item.unit
    if not isinstance(at, int):
        return None
    stream = unit.elf.data(".debug_loc" if unit.version < 5 else ".debug_loclists").stream
    stream.seek(at)
    pairs = (struct_parse(unit.cu.structs.Dwarf_locview_pair, stream) for _ in range(count))
    return [(pair.begin, pair.end) for pair in pairs]
