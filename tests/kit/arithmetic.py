"""What the IR's operators mean, in plain Python: shares no code with the optimiser, the back ends or the runtime."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

M64 = (1 << 64) - 1


class Fault(Exception):
    """A run-time error of the script."""


def s64(value: int) -> int:
    """As a signed 64-bit number."""
    value &= M64
    return value - (1 << 64) if value >> 63 else value


def quotient(a: int, b: int) -> int:
    """C's a / b."""
    return (abs(a) // abs(b)) * (1 if (a < 0) == (b < 0) else -1)


def remainder(a: int, b: int) -> int:
    """C's a % b."""
    return a - b * quotient(a, b)


def _checked(work: Callable[[int, int], int]) -> Callable[[int, int], int]:
    def checked(a: int, b: int) -> int:
        if b == 0:
            raise Fault("division by 0")
        return work(a, b)

    return checked


BINARY: dict[str, Callable[[Any, Any], int]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "shl": lambda a, b: a << (b & 63),
    "shr": lambda a, b: (a & M64) >> (b & 63),
    "sar": lambda a, b: a >> (b & 63),
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "ult": lambda a, b: (a & M64) < (b & M64),
    "ule": lambda a, b: (a & M64) <= (b & M64),
    "ugt": lambda a, b: (a & M64) > (b & M64),
    "uge": lambda a, b: (a & M64) >= (b & M64),
    "sdiv_or_error": _checked(quotient),
    "smod_or_error": _checked(remainder),
    "sdiv_or_zero": lambda a, b: quotient(a, b) if b else 0,
    "smod_or_zero": lambda a, b: remainder(a, b) if b else a,
    "udiv_or_zero": lambda a, b: (a & M64) // (b & M64) if b else 0,
    "umod_or_zero": lambda a, b: (a & M64) % (b & M64) if b else a,
}
UNARY: dict[str, Callable[[int], int]] = {"neg": lambda a: -a, "not": lambda a: ~a, "lnot": lambda a: a == 0}
