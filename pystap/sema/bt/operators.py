"""Operators: on numbers, on strings and tuples, `&&` and `||`."""

from __future__ import annotations

from ...ir.nodes import I64, Const
from ...lang.bt import ast
from ...lang.bt.constants import OPERATORS
from ..build import wrap
from . import types
from .access import address_of, dereference
from .body import error, later
from .types import BOOL, INT64, UINT64, T, arithmetic, comparison_signed, is_number, merge, name
from .values import UNKNOWN, Val, number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..build import Operand
    from .body import Body


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
        if not body.unit.guessing:
            return UNKNOWN
        if op in _COMPARE:
            return Val(BOOL, [Const(0)])
        left, right = body.unit.guess(left), body.unit.guess(right)
        one, two = left.type, right.type
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


def _exact(op: str, a: int, b: int) -> int | None:
    """Return an operator's result, None for a shift by a count that isn't 0 to 63; by 0 is divided as at run time."""
    if op in ("<<", ">>") and not 0 <= b < 64:
        return None
    if op in ("/", "%") and not b:
        return 0 if op == "/" else a
    return OPERATORS[op](a, b)


def folded(op: str, left: tuple[int, T], right: tuple[int, T]) -> Val | None:
    """The result of an operator on two known numbers, None where it has none (a shift out of range)."""
    (a, one), (b, two) = left, right
    if op in _COMPARE:
        if not comparison_signed(one, two):
            a, b = a & _MASK, b & _MASK
        known = _exact(op, a, b)
        assert known is not None
        return Val(BOOL, [Const(known)], None, known)
    type = result_type(op, one, two)
    if not type.signed:
        a, b = a & _MASK, b & _MASK
    got = _exact(op, a, b)
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
    if one.kind == two.kind == "array" and op in ("==", "!="):
        from .arrays import equal as equal_arrays

        return equal_arrays(body, op, left, right, e)
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


def any_binary(body: Body, e: ast.Binary) -> Val:
    """Any binary operator."""
    return logical(body, e) if e.op in ("&&", "||") else binary(body, e)
