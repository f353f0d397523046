"""Values while IR is written: operands that exist, or a place in memory that nobody has read yet."""

from __future__ import annotations

from ...ir.nodes import BUF, I64, STR, Const, Text
from ...ir.ops import Load
from ..build import wrap
from ..paths import text_bytes
from .types import NONE, T, of_literal, parts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..build import Builder, Operand


BYTES = "bytes"


class Mem:
    """Memory at base + off; of space BYTES a place in captured bytes, which base is.

    struct: BTF name of what base points to, "" if not known; bits: (shift, width, bytes) of a bit field; what: the way
    there in words.
    """

    __slots__ = ("base", "bits", "off", "space", "struct", "what")

    def __init__(
        self,
        base: Operand,
        off: int,
        struct: str = "",
        space: str = "kernel",
        what: str = "",
        bits: tuple[int, int, int] | None = None,
    ) -> None:
        self.base = base
        self.off = off
        self.struct = struct
        self.space = space
        self.what = what
        self.bits = bits


class Val:
    """A value. ops: its parts (see types), None while it is only a place; const: what it is known to be: an int, a
    str, or bytes (an array).

    element: (map, key operands) where it is an aggregate's element; fixed: whether a literal made it.
    """

    __slots__ = ("const", "element", "mem", "ops", "type")

    def __init__(
        self,
        type: T,
        ops: list[Operand] | None = None,
        mem: Mem | None = None,
        const: int | str | bytes | None = None,
        element: Any = None,
    ) -> None:
        self.type = type
        self.ops = ops
        self.mem = mem
        self.const = const
        self.element = element


UNKNOWN = Val(NONE, [Const(0)])


def number(value: int, type: T | None = None) -> Val:
    """Return a constant integer."""
    return Val(type or of_literal(value), [Const(wrap(value))], None, value)


def string(value: str) -> Val:
    """Return a constant string (latin-1 convention)."""
    return Val(T("str", len(value) + 1), [Text(value)], None, value)


def zeros(type: T) -> list[Operand]:
    """Return the parts of a variable that nobody has assigned; a buffer has no constant: see `Body.clear`."""
    return [Text("") if part == STR else Const(0) for part in parts(type)]


def read(b: Builder, value: Val) -> list[Operand]:
    """Return the parts of a value, loading them if it is a place in memory."""
    if value.ops is not None:
        return value.ops
    type = value.type
    if isinstance(value.const, bytes):
        value.ops = [b.op("call", (Text(value.const.decode("latin-1")),), "text_bytes", BUF)]
        return value.ops
    mem = value.mem
    assert mem is not None
    if mem.space == BYTES:
        value.ops = [_part(b, type, mem)]
        return value.ops
    kind = type.kind
    if kind == "str":
        load = Load(mem.off, max(text_bytes(type.size), 1), False, "zero", mem.struct, mem.space, mem.what)
        value.ops = [b.op("load_str", (mem.base,), load, STR)]
    elif kind in ("record", "array", "buffer", "mac"):
        load = Load(mem.off, size_of(type), False, "zero", mem.struct, mem.space, mem.what)
        value.ops = [b.op("load_buf", (mem.base,), load, BUF)]
    else:
        value.ops = [_scalar(b, type, mem)]
    return value.ops


def _part(b: Builder, type: T, mem: Mem) -> Operand:
    """Read a part of bytes."""
    if type.kind in ("str", "record", "array", "buffer", "mac"):
        place = (Const(mem.off), Const(max(1, size_of(type))))
        part = b.op("call", (mem.base, *place), "buf_part", BUF)
        return b.op("call", (part,), "buf_str", STR) if type.kind == "str" else part
    return _scalar(b, type, mem)


def _number(b: Builder, mem: Mem, size: int, signed: bool) -> Operand:
    if mem.space != BYTES:
        return b.op("load", (mem.base,), Load(mem.off, size, signed, "zero", mem.struct, mem.space, mem.what))
    word = b.op("call", (mem.base, Const(mem.off), Const(size)), "buf_word", I64)
    return b.op("sext", (word,), 8 * size) if signed and size < 8 else word


def _scalar(b: Builder, type: T, mem: Mem) -> Operand:
    if mem.bits is None:
        return _number(b, mem, type.size, type.signed)
    shift, width, size = mem.bits
    value = _number(b, mem, size, False)
    if shift:
        value = b.op("shr", (value, Const(shift)))
    if type.signed:
        return b.op("sext", (value,), width)
    return b.op("and", (value, Const(wrap((1 << width) - 1))))


def size_of(type: T) -> int:
    """Return the bytes of a value in memory."""
    if type.kind == "array":
        from ...btf.layout import sizeof

        return sizeof(type.ctype)
    if type.kind == "tuple":
        return sum(size_of(e) for e in type.elems)
    return type.size
