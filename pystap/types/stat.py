"""How an aggregate's least and greatest value are stored, so that memory full of zeros is right.

Both are unsigned words that only grow: the greatest value with its sign bit flipped (signed ones), the least
value the same way and then inverted. 0 stands for the value that every other replaces.
"""

from __future__ import annotations

_SIGN = 1 << 63
_M64 = (1 << 64) - 1


def store_max(value: int, signed: bool = True) -> int:
    """Return the word for a greatest value (given signed, or unsigned)."""
    return (value & _M64) ^ (_SIGN if signed else 0)


def store_min(value: int, signed: bool = True) -> int:
    """Return the word for a least value."""
    return store_max(value, signed) ^ _M64


def load_max(word: int, signed: bool = True) -> int:
    """Return the greatest value of a word: signed, or 0 <= value < 2^64."""
    word = (word & _M64) ^ (_SIGN if signed else 0)
    return word - (1 << 64) if signed and word & _SIGN else word


def load_min(word: int, signed: bool = True) -> int:
    """Return the least value of a word."""
    return load_max(word ^ _M64, signed)
