"""IR -> better IR, before staging (R1): inline, then fold and clean each body."""

from __future__ import annotations

from ..ir.nodes import Const, Global, Module, Op, Text
from ..ir.walk import statements
from .inline import called, inline
from .simplify import simplify

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def optimise(module: Module) -> None:
    """Inline and simplify the whole module in place."""
    inline(module)
    module.functions[:] = called(module)
    constants = _constants(module)
    for handler in module.handlers:
        handler.body = simplify(handler.body, constants)
    for function in module.functions:
        function.body = simplify(function.body, constants, function.result)


def _constants(module: Module) -> dict[Global, Any]:
    """Return the scalar globals that no statement writes, with their values."""
    written: set[Any] = set()
    bodies = [h.body for h in module.handlers] + [f.body for f in module.functions]
    for body in bodies:
        for stmt in statements(body):
            if isinstance(stmt, Op) and stmt.name not in ("get", "has") and stmt.attr is not None:
                attr = stmt.attr
                written.add(attr[0] if isinstance(attr, tuple) and attr else attr)
    out: dict[Global, Any] = {}
    for glob in module.globals:
        if not glob.keys and glob.value in ("i64", "str") and glob not in written:
            initial = glob.initial
            if glob.value == "i64":
                out[glob] = Const(initial if isinstance(initial, int) else 0)
            else:
                out[glob] = Text(initial if isinstance(initial, str) else "")
    return out
