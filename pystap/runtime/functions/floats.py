"""Floating point numbers, as the 64 bits that they are made of."""

from __future__ import annotations

from math import ceil, floor, fmod, inf, isinf, isnan, nan, sqrt, trunc
from struct import pack, unpack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_MASK = (1 << 64) - 1
_LEAST, _MOST = -(1 << 63), (1 << 63) - 1
_ROUND: tuple[Callable[[float], int], ...] = (round, trunc, floor, ceil)


def _number(bits: int) -> float:
    value: float = unpack("<d", (bits & _MASK).to_bytes(8, "little"))[0]
    return value


def _bits(value: float) -> int:
    return int.from_bytes(pack("<d", value), "little", signed=True)


def fp(what: str, first: int, second: int) -> int:
    """An operation; those on longs have them as they are."""
    if what == "long":
        return _bits(float(first))
    if what == "widen":
        return _bits(unpack("<f", (first & 0xFFFFFFFF).to_bytes(4, "little"))[0])
    a = _number(first)
    if what == "round":
        return _rounded(a, second)
    if what == "sqrt":
        return _bits(sqrt(a) if a >= 0 else nan)
    b = _number(second)
    if what in ("==", "<", "<="):
        return int(a == b if what == "==" else a < b if what == "<" else a <= b)
    return _bits(_operation(what, a, b))


def _operation(what: str, a: float, b: float) -> float:
    if what == "+":
        return a + b
    if what == "-":
        return a - b
    if what == "*":
        return a * b
    if what == "/":
        if b:
            return a / b
        return nan if isnan(a) or not a else inf if (a > 0) == (str(b)[0] != "-") else -inf
    return fmod(a, b) if b and not isinf(a) else nan


def _rounded(value: float, mode: int) -> int:
    """A number as a long; what is none, or too big, is the nearest one."""
    if isnan(value):
        return _MOST
    if isinf(value):
        return _MOST if value > 0 else _LEAST
    how = _ROUND[mode] if 0 <= mode < len(_ROUND) else round
    return max(_LEAST, min(_MOST, how(value)))


def fp_text(bits: int, precision: int) -> str:
    """A number in decimal, with so many digits behind the point."""
    return f"{_number(bits):.{max(0, min(precision, 64))}f}"


def fp_value(text: str) -> int:
    """The number that a text is, 0 for what is none."""
    try:
        return _bits(float(text))
    except ValueError:
        return 0


PURE: dict[str, Callable[..., Any]] = {"fp": fp, "fp_text": fp_text, "fp_value": fp_value}
