"""Finding the units that matter: by a name, by an address, by a source file; nothing else of the file is read."""

from __future__ import annotations

from bisect import bisect_right

from . import dies as d
from .dies import Unit, units
from .lines import LineTable, same_file, source_path, table
from .scopes import Scope, aranges, functions, ranges

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .dies import Entry
    from .elf import Elf

FEW = 6  # searches of the whole file
INLINE_STRING = 4  # a string that takes no more bytes may stand in the entry itself


class Index:
    """The units of one file."""

    __slots__ = ("_aranges", "_code", "_functions", "_heads", "_lines", "_scopes", "_starts", "_units", "elf")

    def __init__(self, elf: Elf) -> None:
        self.elf = elf
        self._heads = list(units(elf))
        self._starts = [head[0] for head in self._heads]
        self._units: dict[int, Unit] = {}
        self._lines: dict[int, LineTable] = {}
        self._functions: dict[int, list[Entry]] = {}
        self._scopes: dict[int, Scope] = {}
        self._code: dict[int, list[tuple[int, int, int]]] = {}
        self._aranges: list[tuple[int, int, int]] | None = None

    def unit_at(self, place: int) -> Unit | None:
        """Return the unit that a place of .debug_info is in."""
        row = bisect_right(self._starts, place) - 1
        if row < 0 or place >= self._heads[row][1]:
            return None
        known = self._units.get(row)
        if known is None:
            known = self._units[row] = Unit(self.elf, *self._heads[row])
            known.neighbour = self.unit_at
        return known

    def every(self) -> Iterator[Unit]:
        """Give all units."""
        for start in self._starts:
            unit = self.unit_at(start)
            assert unit is not None
            yield unit

    def naming(self, name: str) -> list[Unit]:
        """Return the units in which a function has this name."""
        info, strings = self.elf.data(".debug_info"), self.elf.data(".debug_str")
        text = name.encode() + b"\0"
        whole = [at + 1 for at in strings.find_all(b"\0" + text)]
        if strings.find(text) == 0:
            whole.append(0)
        places = whole or self._merged(name, strings.find_all(text))
        needles = [at.to_bytes(4, "little") for at in places]
        if len(text) <= INLINE_STRING:
            needles.append(text)
        found: dict[int, Unit] = {}
        hits = (
            info.find_any(needles)
            if len(needles) > FEW
            else (at for n in needles for at in info.find_each(n))
        )
        for at in hits:
            unit = self.unit_at(at)
            if unit is not None and unit.start not in found and unit.names_function(at):
                found[unit.start] = unit
        return [found[start] for start in sorted(found)]

    def _merged(self, name: str, places: list[int]) -> list[int]:
        """Of the places where a name is the end of another string, return the one that entries use, if that is known."""
        if len(places) > FEW:
            for unit in self.with_code(name):
                for entry in self.functions(unit):
                    form, value = entry.attributes.get(d.NAME, (0, 0))
                    if form == d.F_STRP and value in places and entry.text(d.NAME) == name:
                        return [value]
        return places

    def with_code(self, name: str) -> list[Unit]:
        """Return the units that have code under this name."""
        found = (self.at_address(symbol.start) for symbol in self.elf.symbols(name))
        return list({unit.start: unit for unit in found if unit is not None}.values())

    def of_file(self, file: str) -> list[Unit]:
        """Return the units that a source file was compiled as."""
        return [unit for unit in self.every() if same_file(self.name(unit), file)]

    @staticmethod
    def name(unit: Unit) -> str:
        """Return the path of a unit's source file."""
        return source_path(unit.top.text(d.NAME), unit.top.text(d.COMP_DIR))

    def at_address(self, address: int) -> Unit | None:
        """Return the unit whose code an address is in."""
        if self._aranges is None:
            self._aranges = aranges(self.elf.data(".debug_aranges").view)
            if not self._aranges:
                self._aranges = sorted(
                    (low, high, unit.start) for unit in self.every() for low, high in ranges(unit.top)
                )
        row = bisect_right(self._aranges, (address, 1 << 64, 0)) - 1
        if row < 0:
            return None
        low, high, start = self._aranges[row]
        return self.unit_at(start) if low <= address < high else None

    def lines(self, unit: Unit) -> LineTable:
        """Return a unit's line table."""
        known = self._lines.get(unit.start)
        if known is None:
            at = unit.top.get(d.STMT_LIST)
            known = table(self.elf, at, unit) if at is not None else LineTable({}, [])
            self._lines[unit.start] = known
        return known

    def functions(self, unit: Unit) -> list[Entry]:
        """Return the functions of a unit."""
        known = self._functions.get(unit.start)
        if known is None:
            known = self._functions[unit.start] = list(functions(unit))
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
                if scope.entry.tag == d.INLINED:
                    origin = scope.entry.attributes.get(d.ORIGIN)
                    if origin is not None and unit.start + origin[1] in wanted and scope.ranges:
                        # the compiler splits functions: a part within a part is the same run of it
                        holder = scope.parent.instance.entry if scope.parent is not None else scope.entry
                        around = holder.attributes.get(d.ORIGIN)
                        if around is None or around[1] != origin[1]:
                            out.append(scope)
        return out
