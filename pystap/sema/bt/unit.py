"""What the passes over one script share."""

from __future__ import annotations

from ...diag import CompileError, did_you_mean
from ...ir.nodes import Const
from .config import Config
from .maps import KINDS, MapInfo
from .types import INT64
from .values import Val

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...diag import Bag
    from ...ir.nodes import Function, Global
    from ...lang.bt import ast
    from ...options import Options
    from ...source import Span
    from ..target import Target
    from .types import T


class Unit:
    """A script being analysed. `dirty`: something was used with a type that turned out to be another.

    Analysis is the same walk over the script again and again, until a walk ends with `dirty` False; its
    IR and its diagnostics count. Nearly all scripts need one.

    unknown, untyped: what was read in this walk without a type: maps, and variables. Where that is left when the
    types have settled, one walk is guessing: what an unknown value is counted with is an integer.
    """

    def __init__(self, tree: ast.Program, target: Target, options: Options, bag: Bag) -> None:
        self.tree = tree
        self.target = target
        self.options = options
        self.bag = bag
        self.btf: Any = target.btf
        self.config = Config()
        self.maps: dict[str, MapInfo] = {}
        self.macros: dict[str, list[ast.Macro]] = {}
        self.defines: dict[str, ast.Define] = {d.name: d for d in tree.c.defines}
        self.enumerators: dict[str, tuple[int, Any]] = {}
        self.var_types: dict[Any, T] = {}
        self.dirty = False
        self.elapsed: Global | None = None
        self.noted: set[str] = set()
        self.probe: ast.Probe | None = None  # whose points are being found
        self.unknown: list[tuple[MapInfo, Span]] = []
        self.untyped: list[tuple[str, Span]] = []
        self.guessing = False
        self.worked: Any = None  # worked.Worked, where a stand-in needs it
        self.library: dict[str, Function] = {}  # functions of SystemTap's library that are used, with theirs
        self.library_globals: list[Global] = []
        for macro in tree.macros:
            self.macros.setdefault(macro.name, []).append(macro)

    def types_of(self, module: str, function: str) -> tuple[Any, Any]:
        """Return the types of the kernel, or of a module, and the prototype that they have of a function, or None."""
        made = self.target.module(module) if module and self.target.module is not None else None
        btf = made if made is not None else self.btf
        func = btf.find_func(function)
        return btf, func.type if func is not None else None

    def map(self, name: str, span: Span) -> MapInfo:
        """Return what is known of a map; the first use makes it."""
        found = self.maps.get(name)
        if found is None:
            found = self.maps[name] = MapInfo(name, span, self.config.max_map_keys)
        found.used = True
        return found

    def declare_maps(self) -> None:
        """Take in `let @name = kind(size);`."""
        from ...lang.bt.constants import evaluate

        for decl in self.tree.maps:
            info = self.map(decl.name, decl.span)
            if decl.kind not in KINDS:
                near = did_you_mean(decl.kind, KINDS)
                hint = f"did you mean '{near}'?" if near else "known are " + ", ".join(KINDS)
                self.bag.error("E254", f"unknown kind of map '{decl.kind}'", decl.span, hint)
                continue
            if info.declared is not None:
                self.bag.error("E254", f"'{info.text}' is declared twice", decl.span)
            info.declared = decl.span
            size = evaluate(decl.size, self.constants())
            if size is None or size < 1:
                self.bag.error("E254", "a map's size is a constant above 0", decl.size.span)
                continue
            info.capacity = size
            info.wrap = "lru" in decl.kind

    def missing(self, info: MapInfo, span: Span) -> None:
        """Remember that a map was read before its type was known."""
        info.unknown = True
        self.unknown.append((info, span))

    def settled(self) -> bool:
        """Whether everything that was read in this walk has a type."""
        return not self.untyped and not any(info.value.kind == "none" for info, _ in self.unknown)

    def sure(self) -> bool:
        """Whether this walk has met nothing so far for which a statement may have been passed over."""
        return not (self.dirty or self.untyped or self.unknown or self.bag.errors)

    def guess(self, value: Val) -> Val:
        """Return what stands for a value that is counted with: an integer where nothing else is known."""
        if self.guessing and value.type.kind == "none":
            return Val(INT64, [Const(0)])
        return value

    def constants(self) -> dict[str, int]:
        """Return the numbers among the `#define`s and the script's enums."""
        names = {name: d.value for name, d in self.defines.items() if isinstance(d.value, int)}
        for name, (value, _) in self.enumerators.items():
            names[name] = value
        return names

    def report(self, error: CompileError) -> None:
        """Record the diagnostic of an error."""
        self.bag.add(error.diagnostic)

    def note_once(self, key: str, code: str, message: str, span: Span, *hints: str) -> None:
        """Warn, once a run."""
        if key not in self.noted:
            self.noted.add(key)
            self.bag.warn(code, message, span, *hints)
