"""Literals, names, and values of several parts or ways: tuples, blocks, `?:`."""

from __future__ import annotations

from ...diag import did_you_mean
from ...ir.nodes import Const
from ...lang.bt import ast
from ..build import latin, wrap
from . import operators, types
from .access import struct_of
from .body import error
from .builtins import BUILTINS
from .scope import Scope
from .types import BOOL, INT64, UINT64, T, merge, name
from .values import UNKNOWN, Mem, Val, number, string

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..build import Operand
    from .body import Body


def integer(body: Body, e: ast.Integer) -> Val:
    """A literal; a suffix says its type."""
    if e.suffix or e.unit:
        type = UINT64 if "u" in e.suffix or e.unit else INT64
        return Val(type, [Const(wrap(e.value))], None, e.value)
    return number(e.value)


def boolean(body: Body, e: ast.Boolean) -> Val:
    """`true`, `false`."""
    return Val(BOOL, [Const(int(e.value))], None, int(e.value))


def text(body: Body, e: ast.String) -> Val:
    """A string literal."""
    return string(latin(e.value))


def identifier(body: Body, e: ast.Identifier) -> Val:
    """A macro's parameter, a builtin, a `#define`, an enum's constant, a constant of the public headers."""
    word = e.name
    bound = body.scope.bound(word)
    if bound is not None:
        return expand(body, bound)
    if word in body.point.names:
        return body.point.names[word](body)
    builtin = BUILTINS.get(word)
    if builtin is not None:
        return builtin(body, e)
    define = body.unit.defines.get(word)
    if define is not None and define.expr is not None:
        return defined(body, define, e)
    if word in body.unit.macros:
        from .macros import call_macro

        return call_macro(body, word, (), e.span)
    known = body.unit.enumerators.get(word)
    if known is None:
        from .constants import find

        known = find(body.unit, word)
    if known is None:
        from .calls import FUNCTIONS

        if word in FUNCTIONS and not FUNCTIONS[word][0]:
            return body.value(ast.Call(e.span, word, ()))
        raise error("E259", f"unknown name '{word}'", e.span, _hint(body, word))
    value, enum = known
    type = T("int", enum.size, enum.signed, enum) if enum is not None else types.of_literal(value)
    return number(value, type)


def _hint(body: Body, word: str) -> str:
    from .calls import FUNCTIONS

    near = did_you_mean(word, (*BUILTINS, *body.unit.defines, *body.unit.enumerators, *body.unit.macros))
    if near:
        return f"did you mean '{near}'?"
    if body.scope.find(word) is not None:
        return f"a variable is written ${word}"
    if word in body.unit.maps:
        return f"a map is written @{word}"
    return f"'{word}' is a function: {word}(...)" if word in FUNCTIONS else ""


def defined(body: Body, define: ast.Define, e: ast.Identifier) -> Val:
    """What a `#define` stands for."""
    key = "#" + define.name
    if key in body.unit.noted:
        raise error("E259", f"the macro '{define.name}' stands for itself", e.span)
    body.unit.noted.add(key)
    try:
        assert define.expr is not None
        return body.value(define.expr)
    finally:
        body.unit.noted.discard(key)


def expand(body: Body, bound: Any) -> Val:
    """The value of a macro's parameter, in the scope of who called the macro."""
    if bound.value is not None:
        return bound.value(body)  # type: ignore[no-any-return]
    before = body.scope
    body.scope = bound.scope
    value = body.value(bound.node)
    body.scope = before
    return value


def variable_as_is(body: Body, e: ast.Variable) -> Val:
    """`$x` that is read; an aggregate in it stays one."""
    bound = body.scope.bound("$" + e.name)
    if bound is not None:
        return expand(body, bound)
    var = body.scope.find(e.name)
    if var is None:
        near = did_you_mean(e.name, body.scope.names())
        hint = (
            f"did you mean '${near}'?" if near else f"assign it first; outside of its block: let ${e.name};"
        )
        raise error("E250", f"undefined variable '${e.name}'", e.span, hint)
    var.read = True
    if var.type.kind in ("none", "void"):
        body.unit.untyped.append((f"${e.name}", e.span))
        return UNKNOWN
    if var.type.kind in ("record", "array"):
        struct = struct_of(body, var.type.ctype) if var.type.kind == "record" else ""
        mem = Mem(var.locals[0], 0, struct, var.type.space, f"${e.name}")
        return Val(var.type, None, mem)
    return Val(var.type, list(var.locals), None, None, var.element)


def variable(body: Body, e: ast.Variable) -> Val:
    """`$x` as a value; an aggregate in a loop's (key, value) is the number that it stands for."""
    value = variable_as_is(body, e)
    if value.element is None or value.type.kind != "tuple":
        return value
    kept = value.type.elems[0]
    number_ = body.coerced(value.element)
    ops = [*(value.ops or ()), *body.ops(number_)]
    return Val(T("tuple", elems=(kept, number_.type)), ops)


def positional(body: Body, e: ast.Positional) -> Val:
    """`$1`: a number, or the text that is none; as argument of `str` it is text (see calls)."""
    params = body.unit.options.args
    if e.index > len(params):
        return number(0)
    given = params[e.index - 1]
    try:
        value = int(given.replace("_", ""), 0)
    except ValueError:
        return string(latin(given))
    return number(wrap(value) if value >= 1 << 64 or value < -(1 << 63) else value)


def positional_count(body: Body, e: ast.PositionalCount) -> Val:
    """`$#`."""
    return number(len(body.unit.options.args))


# ---- values of several parts or ways ---------------------------------------------------------


def ternary(body: Body, e: ast.Ternary) -> Val:
    """`c ? a : b`, `c ?: b`."""
    cond, known = body.truth(e.cond)
    if isinstance(known.const, int):
        if known.const and e.then is None:
            return known
        return body.value(e.then if known.const and e.then is not None else e.orelse)
    then = e.then
    first = (lambda: known) if then is None else (lambda: body.value(then))
    return choose(body, cond, first, lambda: body.value(e.orelse), e)


def choose(
    body: Body, cond: Operand, first: Callable[[], Val], second: Callable[[], Val], e: ast.Expr
) -> Val:
    """The value of one of two expressions; both have one type."""
    b = body.b
    then, els = b.branch(cond)
    before = b.into(then)
    one = body.coerced(first())
    one_ops = body.ops(one)
    b.into(els)
    two = body.coerced(second())
    two_ops = body.ops(two)
    b.into(before)
    type = merge(one.type, two.type)
    if type is None or (one.type.kind == "void") != (two.type.kind == "void"):
        raise error(
            "E251", f"the branches have different types: {name(one.type)} and {name(two.type)}", e.span
        )
    if type.kind in ("none", "void"):
        return Val(type, [])
    locals_ = [body.local(part, "c") for part in types.parts(type)]
    for body_, ops in ((then, one_ops), (els, two_ops)):
        before = b.into(body_)
        for local, op in zip(locals_, ops, strict=False):
            b.mov(local, op)
        b.into(before)
    return Val(type, list(locals_))


def if_expr(body: Body, e: ast.IfExpr) -> Val:
    """`if c { ...; a } else { ...; b }`."""
    cond, known = body.truth(e.cond)

    def arm(node: ast.Block | ast.IfExpr) -> Val:
        return if_expr(body, node) if isinstance(node, ast.IfExpr) else block_value(body, node)

    if isinstance(known.const, int):
        return arm(e.then if known.const else e.orelse)
    return choose(body, cond, lambda: arm(e.then), lambda: arm(e.orelse), e)


def block_value(body: Body, block: ast.Block) -> Val:
    """The value of a block: its last expression, in the block's scope."""
    outer = body.scope
    body.scope = Scope(outer)
    for statement in block.statements:
        body.stmt(statement)
    value = Val(types.VOID, [])
    if block.value is not None:
        value = body.value(block.value)
        if value.ops is not None:
            value = body.held(value)
    body.scope = outer
    return value


def block_expr(body: Body, e: ast.BlockExpr) -> Val:
    """`{ ...; value }`."""
    return block_value(body, e.block)


def tuple_(body: Body, e: ast.Tuple) -> Val:
    """`(a, b)`."""
    values = body.values(e.elements)
    return _joined(body, values, ())


def record(body: Body, e: ast.Record) -> Val:
    """`(name=value, ...)`."""
    values = body.values([value for _, value in e.fields])
    return _joined(body, values, tuple(word for word, _ in e.fields))


def _joined(body: Body, values: list[Val], names: tuple[str, ...]) -> Val:
    ops: list[Operand] = []
    elems: list[T] = []
    for value in values:
        value = body.coerced(value)
        if value.type.kind == "none":
            return UNKNOWN
        ops += body.ops(value)
        elems.append(value.type)
    return Val(T("tuple", elems=tuple(elems), names=names), ops)


def comptime(body: Body, e: ast.Comptime) -> Val:
    """`comptime e`: has to be known now."""
    value = body.value(e.operand)
    if value.const is None and value.type.kind != "none":
        raise error("E258", "this isn't known when the script is compiled", e.operand.span)
    return value


TABLE: dict[Any, Any] = {
    ast.Integer: integer,
    ast.Boolean: boolean,
    ast.String: text,
    ast.Identifier: identifier,
    ast.Variable: variable,
    ast.Positional: positional,
    ast.PositionalCount: positional_count,
    ast.Unary: operators.unary,
    ast.Binary: operators.any_binary,
    ast.Ternary: ternary,
    ast.IfExpr: if_expr,
    ast.BlockExpr: block_expr,
    ast.Tuple: tuple_,
    ast.Record: record,
    ast.Comptime: comptime,
}
