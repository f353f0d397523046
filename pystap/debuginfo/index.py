"""Finding the units that matter: by a name, by an address, by a source file; nothing else of the file is read."""

from __future__ import annotations

import gc
from bisect import bisect_right

from elftools.common.exceptions import DWARFError, ELFError
from elftools.dwarf.die import DIE

from . import dies as d
from .dies import Entry, Unit, Units
from .errors import DebugInfoError
from .lines import LineTable, same_file, source_path
from .scopes import Scope, functions, ranges

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .elf import Data, Elf

MOST_UNITS = 24  # that are kept in memory
FEW = 6  # searches of the whole file
INLINE_STRING = 4  # a string that takes no more bytes may stand in the entry itself
CODES = (1, 2)  # bytes of the number that a function's entry begins with; the name is what comes next
HEAD_LEAST = 11  # bytes of a unit before its first entry
LONG = 0xFFFFFFF0  # lengths from here on have another meaning
HEAD = 64  # bytes of a unit in which its name is


class Index(Units):
    """The units of one file."""

    __slots__ = (
        "_aranges",
        "_code",
        "_functions",
        "_lines",
        "_places",
        "_read",
        "_scopes",
        "_starts",
        "_units",
        "elf",
    )

    def __init__(self, elf: Elf) -> None:
        self.elf = elf
        self._starts: list[int] | None = None
        self._units: dict[int, Unit] = {}
        self._lines: dict[int, LineTable] = {}
        self._functions: dict[int, list[Entry]] = {}
        self._places: dict[int, list[int]] = {}
        self._scopes: dict[int, Scope] = {}
        self._read: list[Unit] = []
        self._code: dict[int, list[tuple[int, int, int]]] = {}
        self._aranges: list[tuple[int, int, int]] | None = None

    @property
    def starts(self) -> list[int]:
        """Where the units are, by their lengths alone: old versions of pyelftools take 10 ms for each head."""
        if self._starts is None:
            info, at = self.elf.data(".debug_info"), 0
            self._starts = []
            while at + HEAD_LEAST <= info.size:
                self._starts.append(at)
                length = int.from_bytes(info.read(at, at + 4), "little")
                if length >= LONG:
                    raise DebugInfoError(f"{self.elf.path} has DWARF of 64 bits, which can't be read")
                at += 4 + length
        return self._starts

    def unit_at(self, place: int) -> Unit | None:
        """Return the unit that a place of .debug_info is in."""
        row = bisect_right(self.starts, place) - 1
        if row < 0:
            return None
        known = self._units.get(row)
        if known is None:
            start, end = self.starts[row], self.elf.data(".debug_info").size
            if row + 1 < len(self.starts):
                end = self.starts[row + 1]
            known = self._units[row] = Unit(self.elf, start, end, self)
        return known if place < known.end else None

    def loading(self, unit: Unit) -> None:
        """Forget the units that were read where there are many: each takes some megabytes."""
        if len(self._read) >= MOST_UNITS:
            for known in self._read:
                known.unload()
            for kept in (self._read, self._lines, self._functions, self._scopes):
                kept.clear()
            self.elf.forget()
            gc.collect()  # entries and units refer to each other
        self._read.append(unit)

    def every(self) -> Iterator[Unit]:
        """Give all units."""
        for start in self.starts:
            unit = self.unit_at(start)
            assert unit is not None
            yield unit

    def naming(self, name: str) -> list[Unit]:
        """Return the units in which a function has this name, that isn't declared only.

        The file is searched for the place of the name, as pyelftools would have to read all of it.
        """
        info, needles = self.elf.data(".debug_info"), self._needles(name)
        found = {unit.start: unit for unit in self.with_code(name)}
        for at in (
            info.find_any(needles) if len(needles) > FEW else (at for n in needles for at in info.find_all(n))
        ):
            unit = self.unit_at(at)
            if unit is not None and unit.start not in found and self._function_named(unit, at) is not None:
                found[unit.start] = unit
        return [found[start] for start in sorted(found)]

    def named(self, unit: Unit, name: str) -> list[Entry]:
        """Return the functions of a unit that have this name themselves, and aren't declared only.

        Copies have the name of what they are a copy of. No more of the unit is read than these.
        """
        info = self.elf.data(".debug_info")
        places = sorted(at for n in self._needles(name) for at in info.find_all(n, unit.start, unit.end))
        return [entry for at in places if (entry := self._function_named(unit, at)) is not None]

    def _needles(self, name: str) -> list[bytes]:
        """Return the bytes that the entries have which have a name."""
        strings, text = self.elf.data(".debug_str"), name.encode() + b"\0"
        whole = [at + 1 for at in strings.find_all(b"\0" + text)]
        if strings.find(text) == 0:
            whole.append(0)
        places = whole or self._merged(name, list(strings.find_all(text)))
        needles = [at.to_bytes(4, "little") for at in places]
        if len(text) <= INLINE_STRING:
            needles.append(text)
        return needles

    @staticmethod
    def _function_named(unit: Unit, place: int) -> Entry | None:
        """Return the function whose name is at a place."""
        for behind in CODES:
            try:
                die = DIE(unit.cu, unit.cu.get_top_DIE().stream, place - behind)
            except (ELFError, DWARFError, KeyError, ValueError, OverflowError):
                continue  # no entry begins there
            name = die.attributes.get(d.NAME)
            if die.tag == d.SUBPROGRAM and name is not None and name.offset == place:
                return None if d.DECLARATION in die.attributes else Entry(die, unit)
        return None

    def _merged(self, name: str, places: list[int]) -> list[int]:
        """Of the places where a name is the end of another string, return the one that entries use, if that is known."""
        if len(places) > FEW:
            for unit in self.with_code(name):
                for entry in self.functions(unit):
                    found = entry.attributes.get(d.NAME)
                    if found is not None and found.raw_value in places and entry.text(d.NAME) == name:
                        return [int(found.raw_value)]
        return places

    def with_code(self, name: str) -> list[Unit]:
        """Return the units that have code under this name."""
        found = (self.at_address(symbol.start) for symbol in self.elf.symbols(name))
        return list({unit.start: unit for unit in found if unit is not None}.values())

    def of_file(self, file: str) -> list[Unit]:
        """Return the units that a source file was compiled as.

        Reading each unit's own entry takes seconds: of most it is enough that no such name's place is in it.
        """
        first = self.unit_at(0) if self.starts else None
        if first is None:
            return []
        info, places = self.elf.data(".debug_info"), None
        named = first.top.attributes.get(d.NAME)
        if named is not None and named.form in _PLACES:
            places = _places_of(self.elf.data(_PLACES[named.form]), file)
        out = []
        for start in self.starts:
            if places is None or _mentions(info.read(start, start + HEAD), places):
                unit = self.unit_at(start)
                if unit is not None and same_file(self.name(unit), file):
                    out.append(unit)
        return out

    @staticmethod
    def name(unit: Unit) -> str:
        """Return the path of a unit's source file."""
        return source_path(unit.top.text(d.NAME), unit.top.text(d.COMP_DIR))

    def at_address(self, address: int) -> Unit | None:
        """Return the unit whose code an address is in."""
        if self._aranges is None:
            self._aranges = self._all_ranges()
        row = bisect_right(self._aranges, (address, 1 << 64, 0)) - 1
        if row < 0:
            return None
        low, high, start = self._aranges[row]
        return self.unit_at(start) if low <= address < high else None

    def _all_ranges(self) -> list[tuple[int, int, int]]:
        table = self.elf.dwarf.get_aranges()
        rows = table.entries if table is not None else []
        out = [(row.begin_addr, row.begin_addr + row.length, row.info_offset) for row in rows if row.length]
        return sorted(
            out or ((low, high, unit.start) for unit in self.every() for low, high in ranges(unit.top))
        )

    def lines(self, unit: Unit) -> LineTable:
        """Return a unit's line table."""
        known = self._lines.get(unit.start)
        if known is None:
            known = self._lines[unit.start] = LineTable(unit)
        return known

    def functions(self, unit: Unit) -> list[Entry]:
        """Return the functions of a unit."""
        known = self._functions.get(unit.start)
        if known is None:
            places = self._places.get(unit.start)  # kept, as looking for them is what takes the time
            known = list(functions(unit)) if places is None else [unit.entry(at) for at in places]
            self._functions[unit.start] = known
            self._places[unit.start] = [entry.at for entry in known]
        return known

    def scope(self, entry: Entry) -> Scope:
        """Return a function's code as a scope."""
        known = self._scopes.get(entry.at)
        if known is None:
            known = self._scopes[entry.at] = Scope(entry, None)
        return known

    def code_at(self, address: int) -> Scope | None:
        """Return the function whose code an address is in."""
        unit = self.at_address(address)
        if unit is None:
            return None
        known = self._code.get(unit.start)
        if known is None:
            known = self._code[unit.start] = sorted(
                (low, high, entry.at)
                for entry in self.functions(unit)
                if d.LOW_PC in entry.attributes or d.RANGES in entry.attributes
                for low, high in ranges(entry)
            )
        row = bisect_right(known, (address, 1 << 64, 0)) - 1
        if row < 0 or address >= known[row][1]:
            return None
        at = known[row][2]
        return self._scopes.get(at) or self.scope(unit.entry(at))

    def instances(self, unit: Unit, patterns: Iterable[Entry]) -> list[Scope]:
        """Return the copies of functions that are inlined in a unit's code."""
        wanted = {entry.at for entry in patterns}
        info = self.elf.data(".debug_info")
        hits = sorted(
            hit
            for at in wanted
            for hit in info.find_all((at - unit.start).to_bytes(4, "little"), unit.first, unit.end)
        )
        if not hits:
            return []
        entries = self.functions(unit)
        starts = [entry.at for entry in entries]
        holders = {row for row in (bisect_right(starts, hit) - 1 for hit in hits) if row >= 0}
        out = []
        for row in sorted(holders):
            for scope in self.scope(entries[row]).walk():
                if scope.entry.tag == d.INLINED and scope.entry.origin in wanted and scope.ranges:
                    # the compiler splits functions: a part within a part is the same run of it
                    holder = scope.parent.instance.entry if scope.parent is not None else None
                    if holder is None or holder.origin != scope.entry.origin:
                        out.append(scope)
        return out


_PLACES = {"DW_FORM_line_strp": ".debug_line_str", "DW_FORM_strp": ".debug_str"}


def _places_of(strings: Data, file: str) -> set[int]:
    """Return where a name of a source file may begin: somewhere in a string that it is the end of."""
    out: set[int] = set()
    leaf = file.rpartition("/")[2]
    glob = any(c in leaf for c in "*?[")
    ends = b"" if glob else leaf.encode()
    at = 0
    for text in strings.read(0, strings.size).split(b"\0"):
        if text.endswith(ends) and (not glob or same_file(text.decode("utf-8", "replace"), leaf)):
            out.update(range(at, at + len(text) - text[::-1].find(b"/") if b"/" in text else at + 1))
        at += len(text) + 1
    return out


def _mentions(head: bytes, places: set[int]) -> bool:
    """Whether the beginning of a unit has the place of one of these strings."""
    return any(
        int.from_bytes(head[at : at + 4], "little") in places for at in range(HEAD_LEAST, len(head) - 3)
    )
