"""Constant integer expressions: what `#if`, array sizes, bit fields and enums are made of."""

from __future__ import annotations

from . import ast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_MASK = 2**64 - 1


def _divide(a: int, b: int) -> int:
    """a / b towards zero."""
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


# Exact: the caller cuts results to their type, and sees to division by 0 and to shifts.
OPERATORS: dict[str, Callable[[int, int], int]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "&": lambda a, b: a & b,
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
    "==": lambda a, b: int(a == b),
    "!=": lambda a, b: int(a != b),
    "<": lambda a, b: int(a < b),
    ">": lambda a, b: int(a > b),
    "<=": lambda a, b: int(a <= b),
    ">=": lambda a, b: int(a >= b),
    "&&": lambda a, b: int(bool(a and b)),
    "||": lambda a, b: int(bool(a or b)),
    "/": _divide,
    "%": lambda a, b: a - b * _divide(a, b),
    "<<": lambda a, b: a << b,
    ">>": lambda a, b: a >> b,
}


def evaluate(expr: ast.Expr, names: Mapping[str, int]) -> int | None:
    """Return the value of a constant expression, or None where it isn't one.

    names: the constants known by name. Values wrap at 64 bits.
    """
    while isinstance(expr, ast.Ternary):
        cond = evaluate(expr.cond, names)
        if cond is None or (cond and expr.then is None):
            return cond
        expr = expr.then if cond and expr.then is not None else expr.orelse
    if isinstance(expr, ast.Integer):
        return expr.value
    if isinstance(expr, ast.Identifier):
        return names.get(expr.name)
    if isinstance(expr, ast.Boolean):
        return int(expr.value)
    if isinstance(expr, ast.Unary):
        return _unary(expr.op, evaluate(expr.operand, names))
    if isinstance(expr, ast.Binary):
        return _binary(expr, names)
    return None


def _unary(op: str, value: int | None) -> int | None:
    if value is None:
        return None
    if op == "-":
        return wrap(-value)
    if op == "~":
        return wrap(~value)
    if op == "!":
        return int(not value)
    return value if op == "+" else None


def _binary(expr: ast.Binary, names: Mapping[str, int]) -> int | None:
    chain = []
    node: ast.Expr = expr
    while isinstance(node, ast.Binary):  # left-associative: a long chain is deep on the left
        chain.append(node)
        node = node.left
    value = evaluate(node, names)
    for link in reversed(chain):
        right = evaluate(link.right, names)
        op = link.op
        if value is None or right is None:
            return None
        if (op in ("/", "%") and right == 0) or (op in ("<<", ">>") and not 0 <= right < 64):
            return None
        value = wrap(OPERATORS[op](value, right))
    return value


def wrap(value: int) -> int:
    """Return the value as 64 bits hold it: signed, or unsigned above the signed maximum."""
    return value if -(2**63) <= value <= _MASK else value & _MASK
