"""The value of an `#if` line: integers and C's operators. Names that are left are 0, as in C."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_BINARY: tuple[dict[str, Callable[[int, int], int]], ...] = (
    {"||": lambda a, b: int(bool(a) or bool(b))},
    {"&&": lambda a, b: int(bool(a) and bool(b))},
    {"|": lambda a, b: a | b},
    {"^": lambda a, b: a ^ b},
    {"&": lambda a, b: a & b},
    {"==": lambda a, b: int(a == b), "!=": lambda a, b: int(a != b)},
    {
        "<": lambda a, b: int(a < b),
        ">": lambda a, b: int(a > b),
        "<=": lambda a, b: int(a <= b),
        ">=": lambda a, b: int(a >= b),
    },
    {"<<": lambda a, b: a << (b & 63), ">>": lambda a, b: a >> (b & 63)},
    {"+": lambda a, b: a + b, "-": lambda a, b: a - b},
    {
        "*": lambda a, b: a * b,
        "/": lambda a, b: int(a / b) if b else 0,
        "%": lambda a, b: a - b * int(a / b) if b else 0,
    },
)


def number(text: str) -> int | None:
    """Return the value of a C integer literal, or None."""
    digits = text.rstrip("uUlL")
    try:
        if len(digits) > 1 and digits[0] == "0" and digits.isdecimal():
            return int(digits, 8)
        return int(digits, 0)
    except ValueError:
        return None


def evaluate(tokens: list[str]) -> int:
    """Return the value of an expression; ValueError (with words) when it has none."""
    if not tokens:
        raise ValueError("there is nothing after #if")
    value, at = _ternary(tokens, 0)
    if at != len(tokens):
        raise ValueError(f"'{tokens[at]}' is out of place")
    return value


def _ternary(tokens: list[str], at: int) -> tuple[int, int]:
    value, at = _level(tokens, at, 0)
    if at < len(tokens) and tokens[at] == "?":
        then, at = _ternary(tokens, at + 1)
        if at >= len(tokens) or tokens[at] != ":":
            raise ValueError("'?' without ':'")
        other, at = _ternary(tokens, at + 1)
        return (then if value else other), at
    return value, at


def _level(tokens: list[str], at: int, level: int) -> tuple[int, int]:
    if level == len(_BINARY):
        return _unary(tokens, at)
    value, at = _level(tokens, at, level + 1)
    operators = _BINARY[level]
    while at < len(tokens) and tokens[at] in operators:
        operator = operators[tokens[at]]
        right, at = _level(tokens, at + 1, level + 1)
        value = operator(value, right)
    return value, at


def _unary(tokens: list[str], at: int) -> tuple[int, int]:
    if at >= len(tokens):
        raise ValueError("it ends too early")
    token = tokens[at]
    if token in ("!", "-", "+", "~"):
        value, at = _unary(tokens, at + 1)
        return {"!": int(not value), "-": -value, "+": value, "~": ~value}[token], at
    if token == "(":
        value, at = _ternary(tokens, at + 1)
        if at >= len(tokens) or tokens[at] != ")":
            raise ValueError("'(' without ')'")
        return value, at + 1
    if token.isidentifier():
        return 0, at + 1
    found = number(token)
    if found is None:
        raise ValueError(f"'{token}' is no number")
    return found, at + 1
