"""Whether an expression has no effect but its value (it may still fail), so that it can be left out."""

from __future__ import annotations

from ...builtins.table import TABLE
from ...lang.stp import ast
from .embedded import marked
from .library import function_scope

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .symbols import FileScope
    from .unit import Unit

_EFFECTS = ("state", "output")
# Intrinsics that are not in the builtins' table and do something.
IMPURE = frozenset(
    {
        "__builtin_exit",
        "__builtin_abort",
        "__builtin_error",
        "__builtin_log",
        "__builtin_warn",
        "__builtin_guru",
    }
)


class Purity:
    """Answers for one compilation; what a function does is worked out once."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.known: dict[tuple[str, int], bool] = {}

    def pure(self, node: ast.Ast, scope: FileScope) -> bool:
        """Say whether nothing under a node has an effect."""
        return all(self._harmless(n, scope, False) for n in ast.walk(node))

    def assigns_only(self, node: ast.Ast, scope: FileScope) -> bool:
        """Say whether all that a statement does is to assign local variables."""
        return all(self._harmless(n, scope, True) for n in ast.walk(node))

    def _harmless(self, node: ast.Ast, scope: FileScope, locals_too: bool) -> bool:
        if isinstance(node, ast.Print):
            return node.kind.startswith("s")
        if isinstance(node, ast.Assign):
            return (
                locals_too
                and node.op == "="
                and isinstance(node.target, ast.Name)
                and node.target.name not in scope.globals
            )
        if isinstance(node, ast.Call):
            return self._function(node, scope)
        if isinstance(node, (ast.EmbeddedExpr, ast.EmbeddedStmt)):
            return marked(node.code, "pure")
        impure = (ast.IncDec, ast.Delete, ast.Next, ast.Return)
        return not isinstance(node, impure)

    def _function(self, call: ast.Call, scope: FileScope) -> bool:
        name = call.name
        if name.startswith("__builtin_"):
            entry = TABLE.get(name[10:])
            if entry is not None:
                return not any(effect in entry.effects for effect in _EFFECTS)
            return name not in IMPURE
        key = (name, len(call.args))
        known = self.known.get(key)
        if known is None:
            self.known[key] = True  # while it is being looked at: recursion changes nothing
            known = self.known[key] = self._bodies(name, len(call.args), scope)
        return known

    def _bodies(self, name: str, arity: int, scope: FileScope) -> bool:
        place: FileScope | None = scope if name in scope.functions else function_scope(self.unit, name)
        if place is None:
            return False
        bodies = [f.body for f in place.functions.get(name, ()) if len(f.params) == arity]
        return all(self._stays_inside(node, place) for body in bodies for node in ast.walk(body))

    def _stays_inside(self, node: ast.Ast, place: FileScope) -> bool:
        """Say whether a part of a function has no effect but on the function's own variables."""
        if isinstance(node, (ast.Return, ast.Next)):
            return True
        if isinstance(node, (ast.Assign, ast.IncDec)):
            target: ast.Ast = node.target
            return isinstance(target, ast.Name) and target.name not in place.globals
        return self._harmless(node, place, True)
