"""64-bit arithmetic that the generated code calls: wrapping, and C's division."""

from __future__ import annotations

from .errors import ScriptError

MASK = (1 << 64) - 1
SIGN = 1 << 63


def wrap(value: int) -> int:
    """The value as a signed 64-bit integer."""
    value &= MASK
    return value - (1 << 64) if value & SIGN else value


def _sdiv(a: int, b: int) -> int:
    """C's quotient of b != 0, towards zero; -2^63 / -1 wraps."""
    q = abs(a) // abs(b)
    return wrap(q if (a < 0) == (b < 0) else -q)


def _smod(a: int, b: int) -> int:
    """C's remainder of b != 0: with the sign of the dividend."""
    r = abs(a) % abs(b)
    return -r if a < 0 else r


def sdiv_or_error(a: int, b: int, place: str) -> int:
    """SystemTap's `/`."""
    if b == 0:
        raise ScriptError("division by 0", place)
    return _sdiv(a, b)


def smod_or_error(a: int, b: int, place: str) -> int:
    """SystemTap's `%`."""
    if b == 0:
        raise ScriptError("division by 0", place)
    return _smod(a, b)


def sdiv_or_zero(a: int, b: int) -> int:
    """bpftrace's signed `/`."""
    return _sdiv(a, b) if b else 0


def smod_or_zero(a: int, b: int) -> int:
    """bpftrace's signed `%`."""
    return _smod(a, b) if b else a


def udiv_or_zero(a: int, b: int) -> int:
    """bpftrace's unsigned `/`."""
    return wrap((a & MASK) // (b & MASK)) if b else 0


def umod_or_zero(a: int, b: int) -> int:
    """bpftrace's unsigned `%`."""
    return wrap((a & MASK) % (b & MASK)) if b else a
