"""Statements: control, loops, expressions for their effect."""

from __future__ import annotations

from ...diag import Bag
from ...ir.nodes import I64, Const, ForEach, Label, Local, Loop
from ...ir.nodes import Scope as IrScope
from ...lang.bt import ast
from . import assign, types
from .body import error, later
from .scope import Scope, Var
from .types import T, parts
from .values import Val

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...ir.nodes import Stmt
    from .body import Body
    from .maps import MapInfo


def expression(body: Body, node: ast.ExprStatement) -> None:
    """An expression for its effect."""
    expr = node.expr
    if isinstance(expr, ast.IncDec):
        assign.inc_dec(body, expr, wanted=False)
    elif isinstance(expr, (ast.Call, ast.Identifier)):
        body.value(expr)
    else:
        body.value(expr)
        if isinstance(expr, (ast.Binary, ast.Integer, ast.String, ast.Variable, ast.Map, ast.MapAccess)):
            word = (
                "did you mean an assignment, with one '='?"
                if isinstance(expr, ast.Binary) and expr.op == "=="
                else ""
            )
            body.unit.bag.warn(
                "W202", "the value of this expression isn't used", expr.span, *filter(None, (word,))
            )


def discard(body: Body, node: ast.Discard) -> None:
    """`_ = value`."""
    body.value(node.value)


def if_(body: Body, node: ast.If) -> None:
    """`if c { } else if d { } else { }`; a chain is a loop here."""
    outer = body.b.out
    if node.orelse is None and isinstance(node.cond, ast.Binary) and node.cond.op == "&&":
        body.guard(node.cond)
        body.block(node.then)
        body.b.into(outer)
        return
    current: ast.If | ast.Block | None = node
    while isinstance(current, ast.If):
        body.b.span = current.span
        cond, value = body.truth(current.cond)
        if isinstance(value.const, int):
            if body.unit.guessing:
                _never(body, current.orelse if value.const else current.then)
            if value.const:
                body.block(current.then)
                current = None
                break
            current = current.orelse
            continue
        then, els = body.b.branch(cond)
        body.within(then, current.then)
        body.b.into(els)
        current = current.orelse
    if isinstance(current, ast.Block):
        body.block(current)
    body.b.into(outer)


def _never(body: Body, node: ast.If | ast.Block | None) -> None:
    """Go through what never runs for its types: a map that is assigned there alone is empty, not unknown."""
    unit = body.unit
    bag, unit.bag = unit.bag, Bag()
    unknown, untyped = list(unit.unknown), list(unit.untyped)
    before = body.b.into([])
    if isinstance(node, ast.Block):
        body.block(node)
    elif node is not None:
        body.stmt(node)
    body.b.into(before)
    unit.bag, unit.unknown, unit.untyped = bag, unknown, untyped


def while_(body: Body, node: ast.While) -> None:
    """`while (c) { }`."""
    label = Label("while")
    inner: list[Stmt] = []
    outer = body.b.into(inner)
    cond, _ = body.truth(node.cond)
    body.b.leave_unless(cond, label)
    _turn(body, label, node.body)
    body.b.into(outer)
    body.b.out.append(Loop(label, inner, node.span))


def _turn(body: Body, label: Label, block: ast.Block, vars: dict[str, Var] | None = None) -> None:
    """Write the body of one turn: `continue` goes to its end."""
    again = Label("continue")
    inner: list[Stmt] = []
    outer = body.b.into(inner)
    body.loops.append((label, again))
    body.scope = Scope(body.scope)
    if vars:
        body.scope.vars.update(vars)
    body.block(block)
    assert body.scope.parent is not None
    body.scope = body.scope.parent
    body.loops.pop()
    body.b.into(outer)
    body.b.out.append(IrScope(again, inner, block.span))


def for_range(body: Body, node: ast.ForRange) -> None:
    """`for ($i : a..b) { }`: both ends are computed once."""
    _hides(body, node)
    first, one = body.number_of(node.start, "a range")
    last, two = body.number_of(node.end, "a range")
    last = body.b.copy(last)
    type = types.INT64 if one.type.signed or two.type.signed else types.UINT64
    counter = body.local(I64, "i")
    body.b.mov(counter, first)
    _counted(body, node.body, counter, last, type, node)


def _counted(
    body: Body, block: ast.Block, counter: Local, last: object, type: T, node: ast.ForRange | ast.Unroll
) -> None:
    label = Label("for")
    inner: list[Stmt] = []
    outer = body.b.into(inner)
    more = body.b.op("lt" if type.signed else "ult", (counter, last))  # type: ignore[arg-type]
    body.b.leave_unless(more, label)
    vars: dict[str, Var] = {}
    if isinstance(node, ast.ForRange):
        vars[node.name] = var = Var(node.name, node.span, None)
        var.settle(type)
        body.b.mov(var.locals[0], counter)
        var.assigned = var.readonly = True
    _turn(body, label, block, vars)
    body.b.mov(counter, body.b.op("add", (counter, Const(1))))
    body.b.into(outer)
    body.b.out.append(Loop(label, inner, node.span))


def _hides(body: Body, node: ast.ForRange | ast.ForMap) -> None:
    if body.scope.find(node.name) is not None:
        words = f"the loop's ${node.name} would hide the variable of the same name"
        raise error("E211", words, node.span, "give it another name")


def unroll(body: Body, node: ast.Unroll) -> None:
    """`unroll (n) { }`: n times."""
    count = body.constant(node.count, "the count of unroll")
    if not 1 <= count <= 100:
        raise error("E261", "unroll takes a count of 1 to 100", node.count.span)
    counter = body.local(I64, "u")
    body.b.mov(counter, Const(0))
    _counted(body, node.body, counter, Const(count), types.INT64, node)


def for_map(body: Body, node: ast.ForMap) -> None:
    """`for ($kv : @map) { }`: `$kv` is (key, value)."""
    _hides(body, node)
    bound = body.scope.bound("@" + node.map.name)
    word = bound.node.name if bound is not None else node.map.name
    info = body.unit.map(word, node.map.span)
    if info.keys is None or info.value.kind == "none":
        body.unit.missing(info, node.map.span)
        var = Var(node.name, node.span, None)
        _turn(body, Label("for"), node.body, {node.name: var})
        return
    if not info.keys:
        raise error("E252", f"'{info.text}' has no keys to go through", node.map.span)
    _walk(body, node, info)


def _walk(body: Body, node: ast.ForMap, info: MapInfo) -> None:
    assert info.keys is not None
    key_type = info.keys[0] if len(info.keys) == 1 else T("tuple", elems=tuple(info.keys))
    flat: list[str] = []
    for key in info.keys:
        flat += parts(key)
    keys = tuple(Local(f"{node.name}.0.{n}", kind) for n, kind in enumerate(flat))
    var = Var(node.name, node.span, None)
    var.type = T("tuple", elems=(key_type, info.value))
    var.locals = list(keys)
    var.assigned = var.readonly = True
    inner: list[Stmt] = []
    value: Local | None = None
    outer = body.b.into(inner)
    if info.value.kind == "stat":
        var.element = Val(info.value, [], None, None, (info, keys, node.span))
    else:
        kinds = parts(info.value)
        value = Local(f"{node.name}.1", kinds[0] if len(kinds) == 1 else "tuple")
        if len(kinds) == 1:
            var.locals.append(value)
        else:
            var.locals += [body.b.op("item", (value,), n, kind) for n, kind in enumerate(kinds)]
    label = Label("for")
    _turn(body, label, node.body, {node.name: var})
    body.b.into(outer)
    body.b.out.append(ForEach(info.glob, keys, value, None, None, None, label, inner, node.span))


def block(body: Body, node: ast.BlockStatement) -> None:
    """`{ ... }`."""
    body.block(node.block)


def break_(body: Body, node: ast.Break) -> None:
    """`break`."""
    if not body.loops:
        raise error("E262", "'break' stands outside of a loop", node.span)
    body.b.leave(body.loops[-1][0])


def continue_(body: Body, node: ast.Continue) -> None:
    """`continue`."""
    if not body.loops:
        raise error("E262", "'continue' stands outside of a loop", node.span)
    body.b.leave(body.loops[-1][1])


def return_(body: Body, node: ast.Return) -> None:
    """`return`: ends the handler."""
    if body.frame is not None:
        from .functions import return_from

        return_from(body, node, body.frame)
        return
    if node.value is not None:
        body.value(node.value)
    body.b.leave(body.label)


def import_(body: Body, node: ast.Import) -> None:
    """`import` inside of a macro."""
    raise later("imports inside of a macro", node.span, "import stands before the probes")


TABLE: dict[Any, Any] = {
    **assign.STATEMENTS,
    ast.ExprStatement: expression,
    ast.Discard: discard,
    ast.If: if_,
    ast.While: while_,
    ast.ForRange: for_range,
    ast.Unroll: unroll,
    ast.ForMap: for_map,
    ast.BlockStatement: block,
    ast.Break: break_,
    ast.Continue: continue_,
    ast.Return: return_,
    ast.Import: import_,
}
