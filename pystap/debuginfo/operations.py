"""The bytes of a DWARF expression as a list of operations: `decode(block) -> [(name without DW_OP_, operands), ...]`.

GNU's older names are those of DWARF 5; what registers and literals have in their number is an operand. Of jumps the operand
is the number of the operation that they lead to.
"""

from __future__ import annotations

from .errors import DebugInfoError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Operation = tuple[str, tuple[Any, ...]]

# Operands: digits are bytes of a number (behind an s: a signed one), u and s are LEB128, b is a block with its length
# in LEB128, B one with its length in one byte.
_TABLE: dict[int, tuple[str, tuple[str, ...]]] = {
    0x03: ("addr", ("8",)),
    0x06: ("deref", ()),
    **{0x08 + 2 * n: ("const", (str(1 << n),)) for n in range(4)},
    **{0x09 + 2 * n: ("const", (f"s{1 << n}",)) for n in range(4)},
    0x10: ("const", ("u",)),
    0x11: ("const", ("s",)),
    **{0x12 + n: (name, ()) for n, name in enumerate(("dup", "drop", "over"))},
    0x15: ("pick", ("1",)),
    **{
        0x16 + n: (name, ()) for n, name in enumerate(("swap", "rot", "xderef", "abs", "and", "div", "minus"))
    },
    **{0x1D + n: (name, ()) for n, name in enumerate(("mod", "mul", "neg", "not", "or", "plus"))},
    0x23: ("plus_uconst", ("u",)),
    **{0x24 + n: (name, ()) for n, name in enumerate(("shl", "shr", "shra", "xor"))},
    0x28: ("bra", ("s2",)),
    **{0x29 + n: (name, ()) for n, name in enumerate(("eq", "ge", "gt", "le", "lt", "ne"))},
    0x2F: ("skip", ("s2",)),
    0x90: ("reg", ("u",)),
    0x91: ("fbreg", ("s",)),
    0x92: ("breg", ("u", "s")),
    0x93: ("piece", ("u",)),
    0x94: ("deref_size", ("1",)),
    0x95: ("xderef_size", ("1",)),
    0x96: ("nop", ()),
    0x97: ("push_object_address", ()),
    0x98: ("call", ("2",)),
    0x99: ("call", ("4",)),
    0x9A: ("call", ("4",)),
    0x9B: ("form_tls_address", ()),
    0x9C: ("call_frame_cfa", ()),
    0x9D: ("bit_piece", ("u", "u")),
    0x9E: ("implicit_value", ("b",)),
    0x9F: ("stack_value", ()),
    0xA0: ("implicit_pointer", ("4", "s")),
    0xA1: ("addrx", ("u",)),
    0xA2: ("constx", ("u",)),
    0xA3: ("entry_value", ("b",)),
    0xA4: ("const_type", ("u", "B")),
    0xA5: ("regval_type", ("u", "u")),
    0xA6: ("deref_type", ("1", "u")),
    0xA7: ("xderef_type", ("1", "u")),
    0xA8: ("convert", ("u",)),
    0xA9: ("reinterpret", ("u",)),
    0xE0: ("form_tls_address", ()),
    0xF0: ("uninit", ()),
    0xFA: ("parameter_ref", ("4",)),
    0xFD: ("variable_value", ("4",)),
}
_TABLE |= {0xF2 + n: _TABLE[0xA0 + at] for n, at in enumerate((0, 3, 4, 5, 6, 8))}
_TABLE[0xF9] = _TABLE[0xA9]
_LIT0, _REG0, _BREG0, _NUMBERED = 0x30, 0x50, 0x70, 32


def decode(block: bytes) -> list[Operation]:
    """Return the operations; DebugInfoError where there is one that nobody knows, so that its length isn't known."""
    out: list[Operation] = []
    starts: dict[int, int] = {}
    jumps: list[int] = []
    at = 0
    while at < len(block):
        starts[at] = len(out)
        name, operands, at = _one(block, at)
        if name in ("bra", "skip"):
            jumps.append(len(out))
            operands = (operands[0] + at,)
        out.append((name, operands))
    starts[at] = len(out)
    for place in jumps:
        name, (to,) = out[place]
        if to not in starts:
            raise DebugInfoError("a jump leads nowhere")
        out[place] = name, (starts[to],)
    return out


def _one(block: bytes, at: int) -> tuple[str, tuple[Any, ...], int]:
    """Return an operation, its operands and the place behind it."""
    code = block[at]
    at += 1
    if _LIT0 <= code < _REG0:
        return "const", (code - _LIT0,), at
    if _REG0 <= code < _BREG0:
        return "reg", (code - _REG0,), at
    if _BREG0 <= code < _BREG0 + _NUMBERED:
        offset, at = leb128(block, at, True)
        return "breg", (code - _BREG0, offset), at
    if code not in _TABLE:
        raise DebugInfoError(f"operation {code:#x} isn't known")
    name, kinds = _TABLE[code]
    operands: list[int | bytes] = []
    for kind in kinds:
        operand, at = _operand(block, at, kind)
        operands.append(operand)
    return name, tuple(operands), at


def _operand(block: bytes, at: int, kind: str) -> tuple[int | bytes, int]:
    if kind in "us":
        return leb128(block, at, kind == "s")
    if kind in "bB":
        size, at = leb128(block, at, False) if kind == "b" else (block[at], at + 1)
        return block[at : at + size], at + size
    size = int(kind[-1])
    return int.from_bytes(block[at : at + size], "little", signed=kind[0] == "s"), at + size


def leb128(block: bytes, at: int, signed: bool) -> tuple[int, int]:
    """Return (the number at a place, the place behind it)."""
    out = shift = 0
    while True:
        byte = block[at]
        at += 1
        out |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return (out - (1 << shift) if signed and byte & 0x40 else out), at
