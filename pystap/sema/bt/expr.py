"""Literals, names, operators."""

from __future__ import annotations

from ...diag import did_you_mean
from ...ir.nodes import I64, Const
from ...lang.bt import ast
from ..build import latin, wrap
from . import fold, types
from .access import address_of, dereference, struct_of
from .body import error, later
from .builtins import BUILTINS
from .scope import Scope
from .types import BOOL, INT64, UINT64, T, arithmetic, comparison_signed, is_number, merge, name
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

        return call_macro(body, e, word, (), e.span)
    known = body.unit.enumerators.get(word)
    if known is None:
        from .constants import find

        known = find(body.unit, word)
    if known is None:
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


def variable(body: Body, e: ast.Variable) -> Val:
    """`$x` that is read."""
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
        return UNKNOWN
    if var.type.kind in ("record", "array"):
        struct = struct_of(body, var.type.ctype) if var.type.kind == "record" else ""
        mem = Mem(var.locals[0], 0, struct, var.type.space, f"${e.name}")
        return Val(var.type, None, mem)
    return Val(var.type, list(var.locals), None, None, var.element)


def positional(body: Body, e: ast.Positional) -> Val:
    """`$1`: a number; as argument of `str` it is text (see calls)."""
    params = body.unit.options.args
    if e.index > len(params):
        return number(0)
    given = params[e.index - 1]
    try:
        value = int(given.replace("_", ""), 0)
    except ValueError:
        hint = f"for its text write str(${e.index})"
        raise error("E260", f"argument ${e.index} is not a number: '{given}'", e.span, hint) from None
    return number(wrap(value) if value >= 1 << 64 or value < -(1 << 63) else value)


def positional_count(body: Body, e: ast.PositionalCount) -> Val:
    """`$#`."""
    return number(len(body.unit.options.args))


# ---- operators ----------------------------------------------------------------------------

_ARITHMETIC = {"+": "add", "-": "sub", "*": "mul", "&": "and", "|": "or", "^": "xor", "<<": "shl"}
_COMPARE = {"==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}


def unary(body: Body, e: ast.Unary) -> Val:
    """`! ~ - +`; `*` and `&` stand in access."""
    if e.op in ("*", "&"):
        return dereference(body, e) if e.op == "*" else address_of(body, e)
    operand, value = body.number_of(e.operand, f"'{e.op}'")
    type = value.type
    if type.kind == "none":
        return UNKNOWN
    if isinstance(value.const, int):
        return _folded_unary(e.op, value.const, type)
    if e.op == "!":
        return Val(BOOL, [body.b.op("lnot", (operand,))])
    if e.op == "+":
        return value
    if e.op == "~":
        return Val(T("int", 8, type.signed), [body.b.op("not", (operand,))])
    return Val(INT64, [body.b.op("neg", (operand,))])


def _folded_unary(op: str, value: int, type: T) -> Val:
    if op == "!":
        return Val(BOOL, [Const(int(not value))], None, int(not value))
    if op == "+":
        return number(value, type)
    if op == "-":
        return number(wrap(-value), None if type.note else INT64)
    return (
        number(wrap(~value), None if type.note else INT64) if type.signed else number(~value & _MASK, UINT64)
    )


def binary(body: Body, e: ast.Binary) -> Val:
    """A chain of binary operators: deep on the left, so that one is walked down first."""
    chain: list[ast.Binary] = []
    node: ast.Expr = e
    while isinstance(node, ast.Binary) and node.op not in ("&&", "||"):
        chain.append(node)
        node = node.left
    left = logical(body, node) if isinstance(node, ast.Binary) else body.value(node)
    for link in reversed(chain):
        if (
            left.ops is not None
            and isinstance(link.left, ast.Variable)
            and not isinstance(link.right, _LEAVES)
        ):
            left = body.held(left)
        right = body.value(link.right)
        if not body.pinned:
            body.b.span = link.span
        left = operate(body, link.op, left, right, link)
    return left


_LEAVES = (ast.Integer, ast.String, ast.Variable, ast.Identifier, ast.Member, ast.Cast, ast.MapAccess)


def operate(body: Body, op: str, left: Val, right: Val, e: ast.Binary) -> Val:
    """The result of an operator on two values."""
    left, right = body.coerced(left), body.coerced(right)
    one, two = left.type, right.type
    if "none" in (one.kind, two.kind):
        return UNKNOWN
    if op in _COMPARE and not (is_number(one) and is_number(two)):
        return compare(body, op, left, right, e)
    for value, node in ((left, e.left), (right, e.right)):
        if not is_number(value.type):
            raise error("E251", f"'{op}' needs numbers, not {name(value.type)}", node.span)
    if isinstance(left.const, int) and isinstance(right.const, int) and "ptr" not in (one.kind, two.kind):
        known = folded(op, (left.const, one), (right.const, two))
        if known is not None:
            return known
    a, b = body.ops(left)[0], body.ops(right)[0]
    if op in _COMPARE:
        prefix = "" if op in ("==", "!=") or comparison_signed(one, two) else "u"
        return Val(BOOL, [body.b.op(prefix + _COMPARE[op], (a, b))])
    return arithmetic_op(body, op, (a, one), (b, two))


def arithmetic_op(body: Body, op: str, left: tuple[Operand, T], right: tuple[Operand, T]) -> Val:
    """The result of an arithmetic operator on two numbers."""
    (a, one), (b, two) = left, right
    if op in ("+", "-") and "ptr" in (one.kind, two.kind):
        return _pointer_arithmetic(body, op, left, right)
    type = result_type(op, one, two)
    if op == ">>":
        return Val(type, [body.b.op("sar" if one.signed else "shr", (a, b))])
    if op in ("/", "%"):
        word = ("sdiv" if op == "/" else "smod") if type.signed else ("udiv" if op == "/" else "umod")
        return Val(type, [body.b.op(word + "_or_zero", (a, b))])
    return Val(type, [body.b.op(_ARITHMETIC[op], (a, b))])


def _pointer_arithmetic(body: Body, op: str, left: tuple[Operand, T], right: tuple[Operand, T]) -> Val:
    """`pointer + n` goes on by n elements; the difference of two pointers is in bytes."""
    (a, one), (b, two) = left, right
    if one.kind == "ptr" and two.kind == "ptr":
        return Val(UINT64, [body.b.op(_ARITHMETIC[op], (a, b))])
    pointer, count = (one, b) if one.kind == "ptr" else (two, a)
    base = a if one.kind == "ptr" else b
    size = pointee_size(body, pointer)
    if size != 1:
        count = (
            Const(wrap(count.value * size))
            if isinstance(count, Const)
            else body.b.op("mul", (count, Const(size)))
        )
    return Val(pointer, [body.b.op(_ARITHMETIC[op], (base, count))])


def pointee_size(body: Body, pointer: T) -> int:
    """Return the bytes of what a pointer points to, 1 where that isn't known."""
    if pointer.ctype is None:
        return 1
    from ...btf import BtfError
    from ...btf.layout import sizeof

    try:
        return sizeof(body.unit.btf.resolve(pointer.ctype)) or 1
    except BtfError:
        return 1


_MASK = (1 << 64) - 1


def folded(op: str, left: tuple[int, T], right: tuple[int, T]) -> Val | None:
    """The result of an operator on two known numbers, None where it has none (a shift out of range)."""
    (a, one), (b, two) = left, right
    if op in _COMPARE:
        if not comparison_signed(one, two):
            a, b = a & _MASK, b & _MASK
        known = fold.binary(op, a, b)
        assert known is not None
        return Val(BOOL, [Const(known)], None, known)
    type = result_type(op, one, two)
    if not type.signed:
        a, b = a & _MASK, b & _MASK
    got = fold.binary(op, a, b)
    if got is None:
        return None
    got = wrap(got)
    if one.note and (two.note or op in ("<<", ">>")):
        return number(got)
    return number(got if type.signed else got & _MASK, type)


def result_type(op: str, one: T, two: T) -> T:
    """The type of an arithmetic operator's result."""
    if op in ("<<", ">>"):
        return INT64 if one.signed else UINT64
    return arithmetic(one, two)


def compare(body: Body, op: str, left: Val, right: Val, e: ast.Binary) -> Val:
    """Comparison of strings, tuples and other values of several parts."""
    one, two = left.type, right.type
    if op not in ("==", "!="):
        raise error("E251", f"'{op}' can't compare {name(one)} and {name(two)}", e.span)
    if merge(one, two) is None or one.kind in ("record", "void", "stat"):
        raise error("E251", f"{name(one)} can't be compared with {name(two)}", e.span)
    if isinstance(left.const, str) and isinstance(right.const, str):
        equal = int((left.const == right.const) == (op == "=="))
        return Val(BOOL, [Const(equal)], None, equal)
    parts = types.parts(one)
    if "buf" in parts:
        raise later(f"comparing values of type {name(one)}", e.span)
    result: Operand | None = None
    for kind, a, b in zip(parts, body.ops(left), body.ops(right), strict=True):
        word = "str_eq" if kind == "str" else "eq"
        if len(parts) == 1 and op == "!=":
            word = word.replace("eq", "ne")
        got = body.b.op(word, (a, b))
        result = got if result is None else body.b.op("and", (result, got))
    if len(parts) > 1 and op == "!=":
        assert result is not None
        result = body.b.op("lnot", (result,))
    return Val(BOOL, [Const(int(op == "==")) if result is None else result])


def logical(body: Body, e: ast.Binary) -> Val:
    """`&&`, `||`: the right side only when it counts. A chain of one operator is a loop here."""
    links: list[ast.Binary] = []
    node: ast.Expr = e
    while isinstance(node, ast.Binary) and node.op == e.op:
        links.append(node)
        node = node.left
    left, value = body.truth(node)
    if isinstance(value.const, int) and bool(value.const) == (e.op == "||"):
        known = int(bool(value.const))
        return Val(BOOL, [Const(known)], None, known)
    b = body.b
    result = body.local(I64, "l")
    b.mov(result, _bool(body, left, value))
    outer = b.out
    for link in reversed(links):
        then, els = b.branch(result)
        b.into(then if e.op == "&&" else els)
        right, got = body.truth(link.right)
        b.mov(result, _bool(body, right, got))
    b.into(outer)
    return Val(BOOL, [result])


def _bool(body: Body, operand: Operand, value: Val) -> Operand:
    if value.type.kind == "bool":
        return operand
    if isinstance(operand, Const):
        return Const(int(operand.value != 0))
    return body.b.op("ne", (operand, Const(0)))


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
    ast.Unary: unary,
    ast.Ternary: ternary,
    ast.IfExpr: if_expr,
    ast.BlockExpr: block_expr,
    ast.Tuple: tuple_,
    ast.Record: record,
    ast.Comptime: comptime,
}


def any_binary(body: Body, e: ast.Binary) -> Val:
    """Any binary operator."""
    return logical(body, e) if e.op in ("&&", "||") else binary(body, e)


TABLE[ast.Binary] = any_binary
