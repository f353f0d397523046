"""Variables of a place in the code, read from where debug information says they are.

attr: (location, bytes, signed, whether it is the address that is wanted); locations are expressions over registers, as
`debuginfo.expressions` says, with names of registers. held(name): what a register held when the function was entered.
"""

from __future__ import annotations

from ..ir.nodes import Const, Text
from ..ir.ops import Load
from .build import latin, wrap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .build import Builder, Operand

    Held = Callable[[str], Operand]

_SIZES = (1, 2, 4, 8)


def emit(b: Builder, attr: tuple[Any, int, bool, bool], name: str, held: Held) -> Operand:
    """Write the reading of a variable; its upper bits are whatever was there."""
    location, size, signed, address = attr
    writer = _Writer(b, name, held)
    return writer.expression(location[1]) if address else writer.value(location, size, signed)


def place(b: Builder, expression: Any) -> Operand:
    """Write an expression over registers alone."""
    return _Writer(b, "", lambda name: Const(0)).expression(expression)


class _Writer:
    __slots__ = ("b", "held", "name")

    def __init__(self, b: Builder, name: str, held: Held) -> None:
        self.b = b
        self.name = name
        self.held = held

    def value(self, location: Any, size: int, signed: bool) -> Operand:
        """Write a value's reading."""
        b = self.b
        kind, what = location
        if kind == "value":
            return self.expression(what)
        if kind == "memory":
            return b.op("load", (self.expression(what),), self._load(size, signed))
        out: Operand = Const(0)
        shift = 0
        for bytes_, part in what:
            piece = b.op("zext", (self.value(part, bytes_, False),), 8 * bytes_)
            moved = b.op("shl", (piece, Const(shift))) if shift else piece
            out = b.op("or", (out, moved))
            shift += 8 * bytes_
        return out

    def _load(self, size: int, signed: bool) -> Load:
        return Load(0, size if size in _SIZES else 8, signed, "error", "", "kernel", self.name)

    def expression(self, e: Any) -> Operand:
        """Write an expression."""
        b, kind = self.b, e[0]
        if kind == "const":
            return Const(wrap(e[1]))
        if kind == "reg":
            return b.op("call", (Text(latin(e[1])),), "register")
        if kind == "entry":
            return self.held(e[1])
        if kind == "load":
            return b.op("load", (self.expression(e[1]),), self._load(e[2], False))
        if kind in ("zext", "sext"):
            return b.op(kind, (self.expression(e[1]),), e[2])
        if kind == "either":
            return self._either(*(self.expression(part) for part in e[1:]))
        return b.op(kind, tuple(self.expression(part) for part in e[1:]))

    def _either(self, condition: Operand, yes: Operand, no: Operand) -> Operand:
        b = self.b
        mask = b.op("neg", (b.op("ne", (condition, Const(0))),))
        return b.op("xor", (no, b.op("and", (b.op("xor", (yes, no)), mask))))
