"""Registers and memory of the machine: random numbers, the same ones for the same seed wherever they are asked for."""

from __future__ import annotations

from hashlib import blake2b

NAMES = (
    "rax",
    "rbx",
    "rcx",
    "rdx",
    "rsi",
    "rdi",
    "rbp",
    "rsp",
    *(f"r{n}" for n in range(8, 16)),
)  # gdb's order
DWARF = ("rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", *(f"r{n}" for n in range(8, 16)))
STACK = 0xFFFFC90000100000
WORD = 0xFFFFFFFFFFFFFFFF


def _number(seed: int, kind: bytes, at: int) -> int:
    data = kind + seed.to_bytes(8, "little") + at.to_bytes(8, "little")
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "little")


def registers(seed: int) -> dict[str, int]:
    """Return the general registers; the stack's is a place on the stack."""
    out = {name: _number(seed, b"r", n) for n, name in enumerate(NAMES)}
    out["rsp"] = STACK + (out["rsp"] & 0xFFF8)
    return out


def memory(seed: int, at: int, size: int) -> bytes:
    """Return bytes of memory."""
    first = at & ~7
    words = (_number(seed, b"m", place & WORD) for place in range(first, at + size, 8))
    return b"".join(word.to_bytes(8, "little") for word in words)[at - first :][:size]
