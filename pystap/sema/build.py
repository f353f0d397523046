"""Writing IR: a builder holds the list that statements go to, and the place of the script they come from."""

from __future__ import annotations

from ..ir.nodes import I64, STR, Call, Const, If, Label, Leave, Local, Op, Text
from ..source import NOWHERE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..ir.nodes import Stmt
    from ..source import Span

    Operand = Local | Const | Text

_MASK = (1 << 64) - 1
_SIGN = 1 << 63


def wrap(value: int) -> int:
    """Return the integer cut to 64 bits, signed."""
    return ((value + _SIGN) & _MASK) - _SIGN


def latin(text: str) -> str:
    """Return source text in the convention of the IR: one character for each byte."""
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("latin-1")


class Temp(Local):
    """A local that holds the result of one operation and that no variable of the script shares."""


class Builder:
    """Appends statements to `out`; `span` is what new statements are marked with."""

    __slots__ = ("count", "out", "span")

    def __init__(self) -> None:
        self.out: list[Stmt] = []
        self.span: Span = NOWHERE
        self.count = 0

    def temp(self, type: str = I64) -> Local:
        """Return a fresh temporary."""
        self.count += 1
        return Temp(f"t{self.count}", type)

    def op(self, name: str, args: tuple[Operand, ...], attr: Any = None, type: str = I64) -> Local:
        """Append an operation with a result; return the temporary that holds it."""
        self.count += 1
        dst = Temp(f"t{self.count}", type)
        self.out.append(Op(dst, name, args, attr, self.span))
        return dst

    def do(self, name: str, args: tuple[Operand, ...], attr: Any = None) -> None:
        """Append an operation without a result."""
        self.out.append(Op(None, name, args, attr, self.span))

    def mov(self, dst: Local, value: Operand) -> None:
        """Make `dst` hold the value: by the operation that made it where that was the last one, else by a mov."""
        if isinstance(value, Temp) and self.out:
            last = self.out[-1]
            if isinstance(last, (Op, Call)) and last.dst is value:
                last.dst = dst
                return
        self.out.append(Op(dst, "mov", (value,), None, self.span))

    def copy(self, value: Operand) -> Operand:
        """Return an operand that keeps the value when its local is assigned again."""
        if not isinstance(value, Local) or isinstance(value, Temp):
            return value
        dst = self.temp(value.type)
        self.mov(dst, value)
        return dst

    def leave(self, label: Label) -> None:
        """Append `Leave(label)`."""
        self.out.append(Leave(label, self.span))

    def leave_unless(self, cond: Operand, label: Label, span: Span | None = None) -> None:
        """Append what leaves a construct where a condition doesn't hold; span: the condition's."""
        self.out.append(If(cond, [], [Leave(label, self.span)], span or self.span))

    def branch(self, cond: Operand) -> tuple[list[Stmt], list[Stmt]]:
        """Append an If; return its two bodies, which the caller fills (see `into`)."""
        then: list[Stmt] = []
        els: list[Stmt] = []
        self.out.append(If(cond, then, els, self.span))
        return then, els

    def into(self, body: list[Stmt]) -> list[Stmt]:
        """Append to `body` from now on; return the list that was appended to before."""
        before, self.out = self.out, body
        return before

    def offset(self, base: Operand, off: int) -> Operand:
        """Return base + off."""
        if not off:
            return base
        if isinstance(base, Const):
            return Const(wrap(base.value + off))
        return self.op("add", (base, Const(wrap(off))))


def zero(type: str) -> Operand:
    """Return the value of an unassigned variable."""
    return Text("") if type == STR else Const(0)
