"""What the DWARF of the kernel and of its modules says: lines, inlined functions, where variables are.

    info = DebugInfo(path, cache_folder)
    info.function_line("ip_rcv")                      ("net/ipv4/ip_input.c", 559), or None
    info.find("ip_rcv", "net/ipv4/ip_input.c")        the functions that this means: `Function`s
    info.addresses(function, lines)                   line -> places in its code: `Spot`s
    info.inlined(function), info.labels(function)     places
    info.variables_at(address)                        name -> (location, type, is it a parameter)
    info.save()                                       keeps what was found

Pure: it reads the file that it is given. Nothing is read before something is asked, and then only the compile units
that matter; all answers are plain values that the cache keeps. Addresses are those of the file: `symbol(address)` makes
a symbol and an offset of one, which are the kernel's too. Locations are as `expressions` says, types as `ctypes_`.
"""

from __future__ import annotations

from ..node import Node
from .cache import Memory
from .errors import HOW, NO_VIEW, DebugInfoError, LibraryMissing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .ctypes_ import CType
    from .elf import Elf
    from .expressions import Expr, Location
    from .search import Search

__all__ = ["HOW", "DebugInfo", "DebugInfoError", "Function", "LibraryMissing", "Spot"]


class Function(Node):
    """A function of the source. at: its entry's place; line, last: its lines; code: (first, behind the last) addresses
    of code of its own; copies: how often it is inlined."""

    at: int
    name: str
    file: str
    line: int
    last: int
    code: tuple[tuple[int, int], ...]
    copies: int


class Spot(Node):
    """A place in the code. function: whose line it is; within: whose code it is in (another one if it is inlined); view:
    which one of the lines that begin at the address, -1 where none is meant."""

    address: int
    function: str
    within: str
    line: int
    view: int = NO_VIEW


class DebugInfo:
    """The debug information of one object: the kernel, or a module.

    build_id: that of the object, where it is known. Then the file is opened for what the cache doesn't have alone.
    """

    __slots__ = ("_build_id", "_elf", "_memory", "_search", "path")

    def __init__(self, path: str, cache: str = "", build_id: str = "") -> None:
        self.path = path
        self._build_id = build_id
        self._elf: Elf | None = None
        self._search: Search | None = None
        self._memory = Memory(cache, build_id or (self.elf.build_id() if cache else ""))

    @property
    def known(self) -> bool:
        """Whether something of this object was read before."""
        return self._memory.known

    @property
    def elf(self) -> Elf:
        """The file; DebugInfoError if it can't be read, or is another object's."""
        if self._elf is None:
            try:
                import elftools  # noqa: F401
            except ImportError:
                raise LibraryMissing(f"pyelftools reads it, and isn't installed: {HOW}") from None
            from .elf import Elf

            elf = Elf(self.path)
            if self._build_id and elf.build_id() != self._build_id:
                raise DebugInfoError(f"{self.path} belongs to another build")
            self._elf = elf
        return self._elf

    @property
    def search(self) -> Search:
        """What reads the DWARF."""
        if self._search is None:
            from .search import Search

            self._search = Search(self.elf)
        return self._search

    def _ask(self, find: str, *question: Any) -> Any:
        def answer() -> Any:
            try:
                return getattr(self.search, find)(*question)
            except DebugInfoError:
                raise
            except Exception as error:  # whatever the library, and we behind it, meet in a damaged file
                raise DebugInfoError(
                    f"{self.path} has debug information that can't be read: {error!r}"
                ) from error

        return self._memory.ask((find, *question), answer)

    def find(self, name: str, file: str = "") -> list[Function]:
        """Return the functions of a name, or of a pattern in a source file, that have code or are inlined."""
        return [Function(*row) for row in self._ask("find", name, file)]

    def function_line(self, name: str) -> tuple[str, int] | None:
        """Return where a function is written: (file, line)."""
        found = self._ask("function_line", name)
        return (found[0], found[1]) if found else None

    def lines(self, function: Function) -> dict[int, list[Spot]]:
        """Return the places of all lines of a function that have code: one for each copy of each block."""
        rows = self._ask("lines", function.at)
        return {line: [Spot(s[0], s[1], s[2], line, s[3]) for s in spots] for line, spots in rows.items()}

    def addresses(self, function: Function, line: int) -> list[Spot]:
        """Return the places of one line of a function."""
        return self.lines(function).get(line, [])

    def inlined(self, function: Function) -> list[Spot]:
        """Return where the copies of a function are entered."""
        return [Spot(*row) for row in self._ask("inlined", function.at)]

    def copies(
        self, name: str, symbols: tuple[str, ...], most: int
    ) -> tuple[int, list[tuple[str, int, list[Spot]]]]:
        """Return where functions of one name are inlined that have code of their own, under these symbols.

        That is (units, [(file, line, places)]); nothing where more than `most` units have such a function.
        """
        units, rows = self._ask("copies", name, symbols, most)
        return units, [(file, line, [Spot(*row) for row in spots]) for file, line, spots in rows]

    def callees(self, function: Function, name: str, depth: int = 1) -> list[tuple[str, Spot]]:
        """Return the functions that are inlined in one, by a pattern: (name, where it is entered)."""
        return [(callee, Spot(*row)) for callee, row in self._ask("callees", function.at, name, depth)]

    def labels(self, function: Function) -> dict[str, list[Spot]]:
        """Return the places of a function's labels."""
        rows = self._ask("labels", function.at)
        return {name: [Spot(*spot) for spot in spots] for name, spots in rows.items()}

    def variables_at(
        self, address: int, function: str = "", view: int = NO_VIEW
    ) -> dict[str, tuple[Location | None, CType, bool]]:
        """Return the variables that the function at an address can name: (location, type, whether it is a parameter).

        Without a name: the innermost one there, which may be inlined in others. view: that of a `Spot`.
        """
        return self._ask("variables_at", address, function, view)  # type: ignore[no-any-return]

    def lives(self, address: int, function: str, name: str) -> tuple[list[int], list[int], bool]:
        """Return the lines at whose places a variable of the function at an address can be read, all its lines, and whether
        it has such a variable at all."""
        return self._ask("lives", address, function, name)  # type: ignore[no-any-return]

    def entered(self, address: int) -> tuple[int, Expr | None] | None:
        """Return, of the code at an address: where it is entered, and where on the stack it keeps its return address."""
        return self._ask("entered", address)  # type: ignore[no-any-return]

    def spot(self, address: int) -> Spot | None:
        """Return what an address is: whose code, which line."""
        row = self._ask("spot", address)
        return Spot(*row) if row else None

    def symbol(self, address: int) -> tuple[str, int, bool] | None:
        """Return (symbol, offset, whether no other function has this name) of an address of code."""
        return self._ask("symbol", address)  # type: ignore[no-any-return]

    def address_of(self, name: str) -> int | None:
        """Return the address of a symbol."""
        found = self.elf.symbols(name)
        return found[0].start if found else None

    def save(self) -> None:
        """Keep what was found for the next time."""
        self._memory.save()
