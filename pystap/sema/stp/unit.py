"""The state of one compilation that the passes hand on."""

from __future__ import annotations

from .added import Added
from .symbols import Derived, FileScope, FunctionInstance, GlobalVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...diag import Bag
    from ...ir.nodes import Module
    from ...lang.stp import ast
    from ...options import Options
    from ...probes.base import Resolved
    from ...source import Span
    from ..target import Target
    from .types import T


class Unit:
    """Filled by the passes in order; each says in its module what it reads and what it adds."""

    __slots__ = (
        *(
            "added",
            "bag",
            "depends",
            "entries",
            "entry_points",
            "file",
            "followed",
            "functions",
            "globals",
            "instances",
            "library",
            "missing",
            "module",
            "options",
        ),
        *("printed", "probes", "scope", "target"),
    )

    def __init__(self, file: ast.File, target: Target, options: Options, bag: Bag) -> None:
        self.file = file
        self.target = target
        self.options = options
        self.bag = bag
        self.scope = FileScope(file, False)
        self.added = Added()
        self.library: dict[str, FileScope] = {}  # files of the tapset that were needed
        self.probes: list[Derived] = []
        self.instances: dict[tuple[ast.Function, Derived | None], FunctionInstance] = {}
        self.functions: list[FunctionInstance] = []  # in order of first use
        self.globals: list[GlobalVar] = []  # used ones, in order of declaration and first use
        self.followed: list[tuple[ast.Deref, T]] = []  # accesses through variables, with the variables' types
        self.depends: dict[ast.Function, bool] = {}  # whether a function depends on the probe's context
        self.entries: list[
            tuple[Derived, Derived]
        ] = []  # returns whose entries' values are wanted, and those
        self.entry_points: dict[tuple[str, str], list[Resolved]] = {}  # see entry.py
        self.missing: list[tuple[str, Span]] = []  # handlers without an event, in words
        self.printed: list[tuple[T, ast.Expr]] = []  # what is printed by its type, not known yet
        self.module: Module | None = None
