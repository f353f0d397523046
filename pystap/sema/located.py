"""Variables of a place in the code, read from where debug information says they are.

attr: (location, bytes, signed, whether it is the address that is wanted); locations are expressions over registers, as
`debuginfo.expressions` says, with names of registers.
"""

from __future__ import annotations

from ..ir.nodes import Const, Text
from ..ir.ops import Load
from .build import latin, wrap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .build import Builder, Operand

_SIZES = (1, 2, 4, 8)


def emit(b: Builder, attr: tuple[Any, int, bool, bool], name: str) -> Operand:
    """Write the reading of a variable; its upper bits are whatever was there."""
    location, size, signed, address = attr
    if address:
        return _expression(b, location[1], name)
    return _value(b, location, size, signed, name)


def _value(b: Builder, location: Any, size: int, signed: bool, name: str) -> Operand:
    kind, what = location
    if kind == "value":
        return _expression(b, what, name)
    if kind == "memory":
        return b.op("load", (_expression(b, what, name),), _load(size, signed, name))
    out: Operand = Const(0)
    shift = 0
    for bytes_, part in what:
        piece = b.op("zext", (_value(b, part, bytes_, False, name),), 8 * bytes_)
        moved = b.op("shl", (piece, Const(shift))) if shift else piece
        out = b.op("or", (out, moved))
        shift += 8 * bytes_
    return out


def _load(size: int, signed: bool, name: str) -> Load:
    return Load(0, size if size in _SIZES else 8, signed, "error", "", "kernel", name)


def _expression(b: Builder, e: Any, name: str) -> Operand:
    if e[0] == "const":
        return Const(wrap(e[1]))
    if e[0] == "reg":
        return b.op("call", (Text(latin(e[1])),), "register")
    if e[0] == "load":
        return b.op("load", (_expression(b, e[1], name),), _load(e[2], False, name))
    return b.op(e[0], tuple(_expression(b, part, name) for part in e[1:]))
