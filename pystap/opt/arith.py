"""The integer operations of the IR on Python numbers: the reference meaning of `ops.OPS`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

MASK = (1 << 64) - 1
TOP = 1 << 63


def wrap(value: int) -> int:
    """Return the value modulo 2^64, as a signed number."""
    return ((value + TOP) & MASK) - TOP


def _sdiv(a: int, b: int) -> int:
    return wrap(abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1))


def _smod(a: int, b: int) -> int:
    return abs(a) % abs(b) * (-1 if a < 0 else 1)


def _extend(value: int, bits: int, signed: bool) -> int:
    value &= (1 << bits) - 1
    return wrap(value - (1 << bits) if signed and value >> (bits - 1) else value)


OPERATIONS: dict[str, Callable[..., int]] = {
    "add": lambda a, b: wrap(a + b),
    "sub": lambda a, b: wrap(a - b),
    "mul": lambda a, b: wrap(a * b),
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "shl": lambda a, b: wrap(a << (b & 63)),
    "shr": lambda a, b: wrap((a & MASK) >> (b & 63)),
    "sar": lambda a, b: a >> (b & 63),
    "eq": lambda a, b: int(a == b),
    "ne": lambda a, b: int(a != b),
    "lt": lambda a, b: int(a < b),
    "le": lambda a, b: int(a <= b),
    "gt": lambda a, b: int(a > b),
    "ge": lambda a, b: int(a >= b),
    "ult": lambda a, b: int(a & MASK < b & MASK),
    "ule": lambda a, b: int(a & MASK <= b & MASK),
    "ugt": lambda a, b: int(a & MASK > b & MASK),
    "uge": lambda a, b: int(a & MASK >= b & MASK),
    "neg": lambda a: wrap(-a),
    "not": lambda a: ~a,
    "lnot": lambda a: int(a == 0),
    "sdiv_or_zero": lambda a, b: _sdiv(a, b) if b else 0,
    "smod_or_zero": lambda a, b: _smod(a, b) if b else a,
    "udiv_or_zero": lambda a, b: wrap((a & MASK) // (b & MASK)) if b else 0,
    "umod_or_zero": lambda a, b: wrap((a & MASK) % (b & MASK)) if b else a,
}


def fold(name: str, args: list[int], attr: object = None) -> int | None:
    """Return the operation's value, or None where there is none (an error, or no integer operation)."""
    if name in ("sext", "zext"):
        assert isinstance(attr, int)
        return _extend(args[0], attr, name == "sext")
    if name in ("sdiv_or_error", "smod_or_error"):
        return None if args[1] == 0 else (_sdiv if name[1] == "d" else _smod)(*args)
    operation = OPERATIONS.get(name)
    return None if operation is None else operation(*args)
