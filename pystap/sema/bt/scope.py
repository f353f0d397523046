"""Variables of one body: blocks, and the frames of macros."""

from __future__ import annotations

from ...ir.nodes import Local
from .types import NONE, T, parts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...source import Span


class Var:
    """A `$name`. locals: its parts, made when its type is known; declared: the type that `let` gave it, or None."""

    __slots__ = (
        "assigned",
        "declared",
        "element",
        "key",
        "locals",
        "name",
        "read",
        "readonly",
        "span",
        "type",
    )

    def __init__(self, name: str, span: Span, key: Any) -> None:
        self.name = name
        self.span = span
        self.key = key  # what the variable is known by from one pass to the next
        self.type: T = NONE
        self.declared: T | None = None
        self.locals: list[Local] = []
        self.assigned = False
        self.read = False
        self.readonly = False
        self.element: Any = None  # of a loop over a map of aggregates: the aggregate

    def settle(self, type: T) -> None:
        """Give the variable its type, and its locals when it has none yet."""
        self.type = type
        if not self.locals and type.kind not in ("none", "void"):
            # a struct or array in memory is kept as its address
            kinds = ("i64",) if type.kind in ("record", "array") and type.space != "bytes" else parts(type)
            name = self.name
            many = len(kinds) > 1
            self.locals = [Local(f"{name}.{n}" if many else name, kind) for n, kind in enumerate(kinds)]


class Bound:
    """What a macro's parameter stands for: an expression, and the scope that it belongs to."""

    __slots__ = ("node", "scope", "value")

    def __init__(self, node: Any, scope: Any, value: Any = None) -> None:
        self.node: Any = node  # ast.Expr
        self.scope: Any = scope  # Scope
        self.value = value  # what writes the value, for words that aren't expressions


class Scope:
    """One block. binds: of a macro's frame, "$x", "@m" and "word" -> Bound; a frame hides what is outside."""

    __slots__ = ("binds", "depth", "frame", "parent", "place", "vars")

    def __init__(
        self, parent: Scope | None, binds: dict[str, Bound] | None = None, place: tuple[Any, ...] = ()
    ) -> None:
        self.parent = parent
        self.vars: dict[str, Var] = {}
        self.binds = binds
        self.place: tuple[Any, ...] = place if binds is not None or parent is None else parent.place
        self.frame: Scope = self if binds is not None or parent is None else parent.frame
        self.depth: int = 0 if parent is None else parent.depth + (binds is not None)

    def find(self, name: str) -> Var | None:
        """Return the variable of this name that is visible here, or None."""
        scope: Scope | None = self
        while scope is not None:
            found = scope.vars.get(name)
            if found is not None:
                return found
            if scope.binds is not None:
                return None
            scope = scope.parent
        return None

    def bound(self, key: str) -> Bound | None:
        """Return what a macro's parameter stands for here, or None."""
        binds = self.frame.binds
        return binds.get(key) if binds else None

    def names(self) -> list[str]:
        """Return the names of the visible variables."""
        out: list[str] = []
        scope: Scope | None = self
        while scope is not None:
            out += scope.vars
            if scope.binds is not None:
                break
            scope = scope.parent
        return out
