"""The questions that `DebugInfo` answers; every answer is a plain value (tuples, dicts, numbers, texts)."""

from __future__ import annotations

from . import dies as d
from .ctypes_ import type_of
from .errors import NO_VIEW
from .index import Index
from .lines import same_file
from .scopes import Scope, locate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from .dies import Entry, Unit
    from .elf import Elf
    from .expressions import Expr
    from .lines import Row

    Spot = tuple[int, str, str, int]  # address, function, within, view

WORD = 8
_SOURCES = (".c", ".S", ".s")
_INLINED = (1, 3)  # by the compiler's own choice, or declared so


class Search:
    """Looks for things in one file."""

    __slots__ = ("_lasts", "elf", "index")

    def __init__(self, elf: Elf) -> None:
        self.elf = elf
        self.index = Index(elf)
        self._lasts: dict[tuple[str, str, int], int] = {}

    # -- functions

    def find(self, name: str, file: str) -> list[tuple[Any, ...]]:
        """Rows of `Function`, those with code of their own first."""
        glob = any(c in name for c in "*?[")
        if glob:
            units = self.index.of_file(file)
        else:
            units = []
            if file.endswith(_SOURCES):  # nothing else has a source's own functions
                units = [u for u in self.index.with_code(name) if same_file(self.index.name(u), file)]
                units = units or self.index.of_file(file)
            if not units:
                units = self.index.naming(name)
        rows = [row for unit in units for row in self._functions_of(unit, name, file, glob)]
        return sorted(rows, key=lambda row: (not row[5], row[0]))

    def _functions_of(self, unit: Unit, name: str, file: str, glob: bool) -> list[tuple[Any, ...]]:
        from fnmatch import fnmatchcase

        patterns: dict[int, list[Entry]] = {}
        for entry in self.index.functions(unit):
            text = entry.name
            if (text == name or (glob and fnmatchcase(text, name))) and d.DECLARATION not in entry.attributes:
                origin = entry.target(d.ORIGIN)
                patterns.setdefault(origin.at if origin is not None else entry.at, []).append(entry)
        files = None
        out = []
        for at, entries in patterns.items():
            if files is None:
                files = self.index.lines(unit).files
            row = self._function(unit, at, entries, files, file)
            if row is not None:
                out.append(row)
        return out

    def _function(
        self, unit: Unit, at: int, entries: list[Entry], files: dict[int, str], file: str
    ) -> tuple[Any, ...] | None:
        pattern = unit.entry(at)
        path = files.get(pattern.get(d.DECL_FILE, -1), "")
        if file and not same_file(path, file):
            return None
        code = tuple(r for entry in entries for r in self.index.scope(entry).ranges)
        copies = self.index.instances(unit, [pattern])
        if not code and not copies:
            return None
        line = pattern.get(d.DECL_LINE, 0)
        place = (pattern.name, path, line)
        last = self._lasts.get(place)
        if (
            last is None or code
        ):  # what a header has is alike everywhere, and running each unit's line program takes long
            parts = [r for scope in [*map(self.index.scope, entries), *copies] for r in scope.ranges]
            rows = self._rows(unit, pattern)
            inside = (r.line for r in rows if any(low <= r.start < high for low, high in parts))
            last = self._lasts[place] = max(inside, default=line)
        return at, pattern.name, path, line, last, code, len(copies)

    def _rows(self, unit: Unit, pattern: Entry) -> list[Row]:
        """Rows of the line table that are a function's own lines: up to where the next function is written."""
        table = self.index.lines(unit)
        file, first = pattern.get(d.DECL_FILE, -1), pattern.get(d.DECL_LINE, 0)
        name = table.files.get(file)
        numbers = {n for n, path in table.files.items() if path == name}
        others = (
            entry.get(d.DECL_LINE, 0)
            for entry in self.index.functions(unit)
            if entry.get(d.DECL_FILE) in numbers and d.DECLARATION not in entry.attributes
        )
        behind = min((line for line in others if line > first), default=1 << 32)
        return [row for row in table.rows if row.file in numbers and first <= row.line < behind]

    def function_line(self, name: str) -> tuple[str, int] | None:
        """Where a function with code is written."""
        plain = name.partition(".")[0]
        for symbol in self.elf.symbols(name):
            scope = self.index.code_at(symbol.start)
            if scope is not None and scope.entry.name == plain:
                return self._written(scope.entry)
        return None

    def _written(self, entry: Entry) -> tuple[str, int] | None:
        holder = entry.inherited(d.DECL_LINE)
        if holder is None:
            return None
        path = self.index.lines(holder.unit).files.get(holder.get(d.DECL_FILE, -1), "")
        return path, holder.get(d.DECL_LINE)

    # -- places

    def _instances(self, at: int) -> tuple[Unit, Entry, list[Scope]]:
        """The unit, the pattern and all instances of the function whose entry is at a place."""
        unit = self.index.unit_at(at)
        assert unit is not None
        pattern = unit.entry(at)
        own = [
            self.index.scope(entry)
            for entry in self.index.functions(unit)
            if entry.at == at or (entry.origin == at)
        ]
        scopes = [scope for scope in own if scope.ranges]
        return unit, pattern, scopes + self.index.instances(unit, [pattern])

    def lines(self, at: int) -> dict[int, list[Spot]]:
        """Line -> spots: the first good place in each instance, in its hot part if there is one.

        One of each: a line that is a macro has many blocks, and would otherwise be hit as many times.
        """
        unit, pattern, scopes = self._instances(at)
        rows = self._rows(unit, pattern)
        found: dict[int, list[Spot]] = {}
        for scope in scopes:
            first: dict[int, tuple[bool, int, int]] = {}
            for row in rows:
                if row.stmt and scope.covers(row.start):
                    rank = (self._is_cold(scope, row.start), row.start, row.view)
                    first[row.line] = min(first.get(row.line, rank), rank)
            for line, (_, address, view) in sorted(first.items(), key=lambda one: one[1]):
                spots = found.setdefault(line, [])
                if all(spot[0] != address for spot in spots):
                    spots.append((address, pattern.name, scope.root.entry.name, view))
        return found

    @staticmethod
    def _is_cold(scope: Scope, address: int) -> bool:
        """Whether an address is in a part of the function that the compiler put elsewhere."""
        root = scope.root
        low, high = root.ranges[0] if root.ranges else (0, 0)
        return not low <= address < high

    def inlined(self, at: int) -> list[tuple[int, str, str, int, int]]:
        """Where copies are entered."""
        unit, pattern, _ = self._instances(at)
        out: list[tuple[int, str, str, int, int]] = []
        for scope in self.index.instances(unit, [pattern]):
            start = scope.start
            if start is not None and all(start != one[0] for one in out):
                line, view = pattern.get(d.DECL_LINE, 0), scope.entry.get(d.ENTRY_VIEW, NO_VIEW)
                out.append((start, pattern.name, scope.root.entry.name, line, view))
        return out

    def copies(self, name: str, symbols: tuple[str, ...], most: int) -> tuple[int, list[tuple[Any, ...]]]:
        """Where functions of one name that have code of their own, under these symbols, are inlined.

        A source's function is inlined in its own unit alone; a header's anywhere: where more than `most` units have it, none
        is read. Gives (units, [(file, line, places as `inlined` has them)]).
        """
        units = {unit.start: unit for symbol in symbols for unit in self.index.with_code(symbol)}
        if any(
            not self._path(entry).endswith(_SOURCES)
            for u in units.values()
            for entry in self.index.named(u, name)
        ):
            units.update((unit.start, unit) for unit in self.index.naming(name))
        out: list[tuple[Any, ...]] = []
        if len(units) > most:
            return len(units), out
        for unit in units.values():
            for entry in self.index.named(unit, name):
                spots = self.inlined(entry.at) if entry.get(d.INLINE) in _INLINED else []
                if spots:
                    out.append((self._path(entry), entry.get(d.DECL_LINE, 0), spots))
        return len(units), out

    def _path(self, entry: Entry) -> str:
        """Return the file that a function is written in."""
        return self.index.lines(entry.unit).files.get(entry.get(d.DECL_FILE, -1), "")

    def callees(self, at: int, name: str, depth: int) -> list[tuple[str, tuple[int, str, str, int, int]]]:
        """Functions that are inlined in a function, by a pattern, so many levels deep, and where each is entered."""
        from fnmatch import fnmatchcase

        _, _, scopes = self._instances(at)
        out = []
        for scope in scopes:
            for part in scope.walk():
                start = part.start if part.entry.tag == d.INLINED and part is not scope else None
                if start is None or not fnmatchcase(part.entry.name, name) or _level(part, scope) > depth:
                    continue
                line, view = part.entry.get(d.CALL_LINE, 0), part.entry.get(d.ENTRY_VIEW, NO_VIEW)
                out.append((part.entry.name, (start, part.entry.name, scope.root.entry.name, line, view)))
        return out

    def labels(self, at: int) -> dict[str, list[tuple[int, str, str, int]]]:
        """Labels of a function's own code. Of some the compiler tells the address where the function is written."""
        _, pattern, scopes = self._instances(at)
        own = [scope for scope in scopes if scope.entry.tag == d.SUBPROGRAM]
        out: dict[str, list[tuple[int, str, str, int]]] = {}
        known: set[int] = set()
        for scope in (*own, Scope(pattern, None)):
            for item in _labels(scope):
                low = item.get(d.LOW_PC)
                if low is None or low in known or not any(code.covers(low) for code in own):
                    continue
                known.add(low)
                holder = item.inherited(d.DECL_LINE)
                line = holder.get(d.DECL_LINE) if holder is not None else 0
                out.setdefault(item.name, []).append((low, pattern.name, pattern.name, line))
        return out

    def spot(self, address: int) -> tuple[int, str, str, int] | None:
        """What an address is."""
        code = self.index.code_at(address)
        if code is None:
            return None
        unit = code.entry.unit
        line = next((r.line for r in self.index.lines(unit).rows if r.start <= address < r.end), 0)
        return address, code.innermost(address).instance.entry.name, code.entry.name, line

    def symbol(self, address: int) -> tuple[str, int, bool] | None:
        """The symbol and offset of an address."""
        code = self.index.code_at(address)
        if code is None:
            return None
        for low, high in code.ranges:
            if low <= address < high:
                symbol = self.elf.symbol_at(low)
                if symbol is not None:
                    return symbol.name, address - low, len(self.elf.symbols(symbol.name)) == 1
        return None

    def entered(self, address: int) -> tuple[int, Expr | None] | None:
        """Where the code at an address is entered, and the place of its return address there."""
        code = self.index.code_at(address)
        start = code.start if code is not None else None
        if code is None or start is None:
            return None
        frame = code.frame_address(address)
        return start, ("sub", frame, ("const", WORD)) if frame is not None else None

    # -- variables

    def variables_at(self, address: int, function: str, view: int) -> dict[str, tuple[Any, ...]]:
        """Variables of a function at an address, inner ones before outer ones of the same name.

        The code may be that of another one, inlined there; without a name the innermost function is meant.
        """
        code = self.index.code_at(address)
        if code is None:
            return {}
        out: dict[str, tuple[Any, ...]] = {}
        for item in self._seen(code, address, function):
            name = item.name
            if name and name not in out:
                out[name] = (locate(item, address, code, view), type_of(item), item.tag == d.PARAMETER)
        return out

    @staticmethod
    def _seen(code: Scope, address: int, function: str) -> Iterator[Entry]:
        """Give the variables that the source can name at an address, inner ones first."""
        here: Scope | None = _within(code, address, function)
        while here is not None:
            for item in here.items:
                if item.tag in (d.PARAMETER, d.VARIABLE):
                    yield item
            here = here.parent if here.is_block else None

    def lives(self, address: int, function: str, name: str) -> tuple[list[int], list[int], bool]:
        """Lines at whose places in this copy of a function a variable can be read, all its lines, whether there is one."""
        code = self.index.code_at(address)
        if code is None:
            return [], [], False
        instance = _within(code, address, function).instance
        entry = instance.entry.target(d.ORIGIN) or instance.entry
        has, out = [], []
        for line, spots in sorted(self.lines(entry.at).items()):
            at, view = next(((s[0], s[3]) for s in spots if instance.covers(s[0])), (None, NO_VIEW))
            if at is not None:
                has.append(line)
                item = next((i for i in self._seen(code, at, function) if i.name == name), None)
                found = locate(item, at, code, view) if item is not None else None
                if found is not None and found[0] != "lost":
                    out.append(line)
        return out, has, any(_declares(scope, name) for scope in (Scope(entry, None), instance))


def _labels(scope: Scope) -> Iterator[Entry]:
    """Give the labels of a function, not those of what is inlined in it."""
    yield from (item for item in scope.items if item.tag == d.LABEL)
    for inner in scope.inner:
        if inner.is_block:
            yield from _labels(inner)


def _declares(scope: Scope, name: str) -> bool:
    """Whether a function has a variable of that name anywhere."""
    if any(item.name == name for item in scope.items if item.tag != d.LABEL):
        return True
    return any(_declares(inner, name) for inner in scope.inner if inner.is_block)


def _within(code: Scope, address: int, function: str) -> Scope:
    """Return the innermost scope of a function at an address of code; of the innermost function without a name."""
    here = code.innermost(address)
    around: Scope | None = here
    while function and around is not None and around.instance.entry.name != function:
        around = around.instance.parent
    if around is None:  # of scopes that overlap, the other one; or it is entered just before what it covers
        copies = [s for s in code.walk() if s.entry.tag == d.INLINED and s.entry.name == function]
        around = next((s.innermost(address) for s in copies if s.covers(address)), None)
        around = around or next((s for s in copies if s.start == address), None)
    return around or here


def _level(part: Scope, scope: Scope) -> int:
    """Return how many functions deep an inlined one is in a scope: 1 where it is called by the scope itself."""
    level = 0
    here: Scope | None = part
    while here is not None and here is not scope:
        level += not here.is_block
        here = here.parent
    return level
