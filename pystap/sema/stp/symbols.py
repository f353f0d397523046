"""What names mean: variables, globals, functions, files, and the handlers that are made of them."""

from __future__ import annotations

from ...source import NOWHERE
from .types import T

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...ir import nodes as ir
    from ...lang.stp import ast
    from ...probes.base import Context, Resolved
    from ...source import Span
    from ..c import Library


class Var:
    """A local variable or parameter of one body."""

    __slots__ = ("assigned", "first", "local", "name", "param", "read", "type")

    def __init__(self, name: str, span: Span, param: bool = False) -> None:
        self.name = name
        self.first = span
        self.type = T()
        self.param = param
        self.assigned = param
        self.read = False
        self.local: ir.Local | None = None


class GlobalVar:
    """A global variable. keys is None until an index or a scalar use tells."""

    __slots__ = (
        *(
            "arity_span",
            "decl",
            "hist_linear",
            "hist_log",
            "ir",
            "keys",
            "library",
            "name",
            "read",
            "stat_ops",
        ),
        *("type", "written"),
    )

    def __init__(self, decl: ast.Global, library: bool) -> None:
        self.decl = decl
        self.name = decl.name
        self.library = library
        self.type = T()
        self.keys: list[T] | None = None
        self.arity_span: Span = decl.span
        self.read = False
        self.written = False
        self.stat_ops: set[str] = set()
        self.hist_log = False
        self.hist_linear: tuple[int, int, int] | None = None
        self.ir: ir.Global | None = None


class FileScope:
    """The top level of one file."""

    __slots__ = ("aliases", "c", "file", "functions", "globals", "library", "user")

    def __init__(self, file: ast.File, library: bool) -> None:
        self.file = file
        self.library = library
        self.user = False  # of a user's own tapset
        self.globals: dict[str, GlobalVar] = {}
        self.functions: dict[str, list[ast.Function]] = {}
        self.aliases: list[tuple[ast.ProbePoint, ast.Alias]] = []
        self.c: Library | None = None  # what the file's C code shares


class Body:
    """A handler or a function instance: its variables and what checking found out about its nodes."""

    __slots__ = ("callees", "context", "notes", "probe", "vars")

    def __init__(self, context: Context | None, probe: Derived | None) -> None:
        self.vars: dict[str, Var] = {}
        self.notes: dict[ast.Ast, Any] = {}  # node -> what later passes must know of it
        self.context = context  # of the event, None in a function that doesn't depend on it
        self.probe = probe
        self.callees: dict[FunctionInstance, None] = {}


class FunctionInstance(Body):
    """A function, once for the program, or once for each probe if it depends on the probe's context.

    overloads: the bodies that `next` goes through, in order of priority.
    """

    __slots__ = (
        "checked",
        "ir",
        "name",
        "overloads",
        "params",
        "recursive",
        "result",
        "returns",
        "scope",
        "span",
    )

    def __init__(
        self, overloads: list[ast.Function], scope: FileScope, context: Context | None, probe: Derived | None
    ) -> None:
        super().__init__(context, probe)
        first = overloads[0]
        self.name = first.name
        self.span = first.name_span
        self.overloads = overloads
        self.scope = scope
        self.params: list[Var] = []
        self.result = T()
        self.returns = False  # whether some return has a value
        self.checked = False
        self.recursive = False
        self.ir: ir.Function | None = None


class Derived:
    """A handler to be: one event, and the blocks of aliases and script that run at it, in order."""

    __slots__ = (
        *("body", "called", "components", "conditions", "entry", "epilogues", "offered", "parts", "point"),
        "resolved",
    )

    def __init__(self, point: ast.ProbePoint, resolved: Resolved) -> None:
        self.point = point
        self.resolved = resolved
        self.parts: list[tuple[FileScope, ast.Block]] = []
        self.epilogues: list[tuple[FileScope, ast.Block]] = []
        self.conditions: list[tuple[FileScope, ast.Expr]] = []
        self.body = Body(resolved.context, self)
        self.components: tuple[ast.Component, ...] = point.components  # what it is when aliases are expanded
        self.called = (
            point.text
        )  # what pn() says: the script's words, with the alias's name where these are a pattern
        self.offered: set[str] = set(
            resolved.provides
        )  # variables that its kind and aliases have, wanted or not
        self.entry: Any = None  # of a return: entry.Entry, where values of it are wanted

    @property
    def span(self) -> Span:
        """The probe point in the script."""
        return self.point.span or NOWHERE
