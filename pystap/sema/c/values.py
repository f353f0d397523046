"""What an expression of C is while IR is written: an operand, a variable, or a place in the kernel's memory."""

from __future__ import annotations

from ...ir.nodes import STR, Const, Local
from ...node import Node
from ..build import wrap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    from ...btf import types as t
    from ..build import Operand
    from ..paths import Walk

    T = TypeVar("T")


class Variable(Node):
    """A variable of C code. text: it is a string of the IR; size: of a char array, 0 for others."""

    local: Local
    type: t.Type
    size: int = 0

    @property
    def text(self) -> bool:
        """Whether it holds a string."""
        return self.local.type == STR


class Value(Node):
    """operand: of a value; or variable: of what can be assigned; or walk, from base: of a place in memory.

    type: its C type. A value whose operand is a string of the IR has the type `char *`.
    """

    type: t.Type
    operand: Operand | None = None
    variable: Variable | None = None
    walk: Walk | None = None
    base: Operand | None = None
    indexes: tuple[Operand, ...] = ()

    @property
    def is_text(self) -> bool:
        """Whether the value is a string of the IR."""
        if self.variable is not None:
            return self.variable.text
        return self.operand is not None and self.operand.type == STR


def many(words: str, entry: T) -> dict[str, T]:
    """Return a table in which each of the words has this entry."""
    return dict.fromkeys(words.split(), entry)


def cut(value: int, size: int, signed: bool) -> Const:
    """Return the constant that an integer is in a C type."""
    bits = 8 * size
    value &= (1 << bits) - 1
    if signed and value >> (bits - 1):
        value -= 1 << bits
    return Const(wrap(value))
