"""Types in statements."""

from __future__ import annotations

from ...lang.stp import ast
from .check_expr import arity, array, array_keys, assign, decided, histogram, inc_dec, scalar
from .symbols import GlobalVar, Var
from .types import LONG, STAT, STRING, flow, unify, want

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .check import Checker


def block(c: Checker, s: ast.Block) -> None:
    """`{ ... }`."""
    for inner in s.body:
        c.stmt(inner)


def nothing(c: Checker, s: ast.Stmt) -> None:
    """`;`, break, continue, next."""


def expression(c: Checker, s: ast.ExprStmt) -> None:
    """An expression whose value nobody wants."""
    e = s.expr
    if isinstance(e, ast.Assign):
        assign(c, e, False)
    elif isinstance(e, ast.IncDec):
        inc_dec(c, e, False)
    else:
        c.expr(e)


def if_(c: Checker, s: ast.If) -> None:
    """A branch that `@defined` rules out isn't looked at."""
    known = decided(c, s.cond)
    if known is not None:
        c.body.notes[s] = known
        if known:
            c.stmt(s.then)
        elif s.other is not None:
            c.stmt(s.other)
        return
    c.long(s.cond)
    c.stmt(s.then)
    if s.other is not None:
        c.stmt(s.other)


def while_(c: Checker, s: ast.While) -> None:
    """`while`."""
    c.long(s.cond)
    c.stmt(s.body)


def for_(c: Checker, s: ast.For) -> None:
    """`for`."""
    for part in (s.init, s.update):
        if part is not None:
            expression(c, ast.ExprStmt(part.span, part))
    if s.cond is not None:
        c.long(s.cond)
    c.stmt(s.body)


def foreach(c: Checker, s: ast.Foreach) -> None:
    """`foreach`: keys and value take the array's types."""
    if s.limit is not None:
        c.long(s.limit)
    if isinstance(s.array, ast.HistOp):
        _foreach_bucket(c, s)
        return
    var = array(c, s.array)
    if var is None:
        return
    types = arity(c, var, len(s.keys), s.array.span)
    var.read = True
    if s.slice is not None:
        array_keys(c, var, s.slice, s.array.span)
    for key, type in zip(s.keys, types, strict=False):
        flow(c.bag, _bound(c, key), type, key.span)
    if s.value is not None:
        unify(c.bag, _bound(c, s.value), var.type, s.value.span)
    sort = s.sort
    if sort is not None:
        if sort.by.startswith("@"):
            want(c.bag, var.type, STAT, sort.span)
            var.stat_ops.add(sort.by[1:])
        elif sort.by == "value":
            var.stat_ops.add("count")
    c.stmt(s.body)


def _foreach_bucket(c: Checker, s: ast.Foreach) -> None:
    assert isinstance(s.array, ast.HistOp)
    histogram(c, s.array)
    if len(s.keys) != 1:
        c.error("E202", "a histogram has one key, the bucket", s.array.span)
        return
    want(c.bag, _bound(c, s.keys[0]), LONG, s.keys[0].span)
    if s.value is not None:
        want(c.bag, _bound(c, s.value), LONG, s.value.span)
    c.stmt(s.body)


def _bound(c: Checker, name: ast.Name):  # type: ignore[no-untyped-def]
    """Return the type of a variable that a foreach assigns."""
    var = c.variable(name)
    if isinstance(var, Var):
        var.assigned = True
    else:
        scalar(c, var, name.span)
        var.written = True
    return var.type


def return_(c: Checker, s: ast.Return) -> None:
    """`return`: the values of a function are alike."""
    function = c.function
    if function is None:
        c.error("E214", "'return' stands outside a function", s.span, "'next' ends a handler")
        return
    if s.value is not None:
        function.returns = True
        flow(c.bag, function.result, c.expr(s.value), s.value.span)


def try_(c: Checker, s: ast.Try) -> None:
    """`try`: the variable receives a string."""
    c.stmt(s.body)
    if s.var is not None:
        want(c.bag, _bound(c, s.var), STRING, s.var.span)
    c.stmt(s.handler)


def delete(c: Checker, s: ast.Delete) -> None:
    """`delete`: of an element, a slice, or everything."""
    node = s.target
    if isinstance(node, ast.Name):
        var = c.variable(node)
        if not isinstance(var, GlobalVar):
            c.error("E204", f"'{node.name}' is not a global", node.span)
    elif isinstance(node, ast.Index) and isinstance(node.base, ast.Name):
        found = array(c, node.base)
        if found is not None:
            array_keys(c, found, node.keys, node.span)
    else:
        c.error("E205", "only a global, or an element of one, can be deleted", node.span)


def embedded(c: Checker, s: ast.EmbeddedStmt) -> None:
    """C code."""
    from .embedded import check_body

    check_body(c, s)


TABLE: dict[type, Any] = {
    ast.Block: block,
    ast.Empty: nothing,
    ast.ExprStmt: expression,
    ast.If: if_,
    ast.While: while_,
    ast.For: for_,
    ast.Foreach: foreach,
    ast.Break: nothing,
    ast.Continue: nothing,
    ast.Next: nothing,
    ast.Return: return_,
    ast.Try: try_,
    ast.Delete: delete,
    ast.EmbeddedStmt: embedded,
}
