"""Structs that a function takes or returns by value: they lie in registers, one word or two, and have no address.

holder(btf, variable) -> the struct that a variable is, or None
part(btf, variable, accessors, pretty) -> (Variable, n)   the variable that the first n accessors lead to
emit(lo, variable) -> operand                   its value: op "part", attr (first word, bit in it)
text(lo, btf, variable, levels) -> operand     `$x$` of the struct
"""

from __future__ import annotations

from ...btf import FieldError
from ...btf import types as t
from ...btf.layout import field_path, members, sizeof
from ...diag import did_you_mean, fail
from ...ir.format import Directive
from ...ir.nodes import Const, Text
from ...lang.stp import ast
from ...probes.base import Variable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...btf import Btf
    from ..build import Operand
    from .lower import Lower

_WORD = 64


def holder(btf: Btf, variable: Variable) -> t.Composite | None:
    """Return the struct or union that a variable of the event is, None where it is something else."""
    if variable.type is None or variable.op not in ("ctx_arg", "part"):
        return None
    here = btf.resolve(variable.type)
    return here if isinstance(here, t.Composite) else None


def part(btf: Btf, variable: Variable, accessors: tuple[Any, ...], pretty: bool) -> tuple[Variable, int]:
    """Follow the accessors within the struct; raise CompileError where they lead nowhere, or to what has no value."""
    here: t.Type = btf.resolve(variable.type)
    found = variable
    taken = 0
    for accessor in accessors:
        if isinstance(here, t.Composite) and isinstance(accessor, ast.Field):
            found = _member(btf, found, here, accessor)
        elif isinstance(here, t.Array) and isinstance(accessor, ast.Element):
            found = _element(btf, found, here, accessor)
        else:
            break
        here = btf.resolve(found.type)
        taken += 1
    if isinstance(here, (t.Composite, t.Array)) and taken and not pretty:
        words = f"'${found.name}' is in registers and has no address: its members can be read"
        raise fail("E233", words, accessors[taken - 1].span)
    return found, taken


def _member(btf: Btf, variable: Variable, here: t.Composite, accessor: Any) -> Variable:
    try:
        found = field_path(btf, here, (accessor.name,))
    except FieldError as error:
        near = did_you_mean(accessor.name, error.candidates)
        hints = (f"did you mean '{near}'?",) if near else ()
        raise fail(
            "E231", f"'${variable.name}' has no member '{accessor.name}'", accessor.span, *hints
        ) from None
    at = 8 * found.offsets[0] + (found.bit_shift if found.bit_size else 0)
    return _at(btf, variable, f"{variable.name}->{accessor.name}", at, found.type, found.bit_size)


def _element(btf: Btf, variable: Variable, here: t.Array, accessor: Any) -> Variable:
    index = accessor.index.value if isinstance(accessor.index, ast.Number) else -1
    if not 0 <= index < here.count:
        words = f"an array in registers has constant indexes, here 0 to {here.count - 1}"
        raise fail("E232", words, accessor.span)
    at = 8 * index * sizeof(btf.resolve(here.type))
    return _at(btf, variable, f"{variable.name}[{index}]", at, here.type)


def _at(btf: Btf, variable: Variable, name: str, bit: int, type: t.Type, bits: int = 0) -> Variable:
    """Return the variable that lies so many bits behind another's beginning."""
    word, start = variable.attr if variable.op == "part" else (variable.attr[0], 0)
    here = btf.resolve(type)
    signed = not isinstance(here, (t.Int, t.Enum)) or here.signed
    size = getattr(here, "size", 8)
    return Variable(name, "part", (word, start + bit), type, bits or min(8 * size, _WORD), signed)


def emit(lo: Lower, variable: Variable) -> Operand:
    """Write the reading of a part; its upper bits are whatever is there."""
    word, bit = variable.attr
    value = _word(lo, word, bit // _WORD)
    return lo.b.op("shr", (value, Const(bit % _WORD))) if bit % _WORD else value


def _word(lo: Lower, first: int, more: int) -> Operand:
    probe = lo.body.probe
    if more and probe is not None and probe.resolved.event.kind == "kretprobe":
        return lo.b.op("call", (Text("rdx"),), "register")
    return lo.b.op("ctx_arg", (), (first + more, False))


def text(lo: Lower, btf: Btf, variable: Variable, levels: int) -> Operand:
    """Write the text of a struct, or of a part of one."""
    from .lower_print import write
    from .pretty import depth

    parts: list[str | Directive] = []
    operands: list[Operand] = []
    _add(lo, btf, variable, depth(levels), parts, operands)
    return write(lo, parts, operands, True)


def _add(
    lo: Lower,
    btf: Btf,
    variable: Variable,
    levels: int,
    parts: list[str | Directive],
    operands: list[Operand],
) -> None:
    from .lower_access import variable as read
    from .pretty import conversion

    here = btf.resolve(variable.type)
    if isinstance(here, (t.Composite, t.Array)) and not levels:
        parts.append("{...}" if isinstance(here, t.Composite) else "[...]")
    elif isinstance(here, t.Composite):
        for number, member in enumerate(members(here)):
            parts.append(f"{', ' if number else '{'}.{member.name}=")
            span = lo.b.span
            inner = _member(btf, variable, here, ast.Field(span, member.name))
            _add(lo, btf, inner, levels - 1, parts, operands)
        parts.append("}")
    elif isinstance(here, t.Array):
        for index in range(here.count):
            parts.append(", " if index else "[")
            inner = _at(btf, variable, variable.name, 8 * index * sizeof(btf.resolve(here.type)), here.type)
            _add(lo, btf, inner, levels - 1, parts, operands)
        parts.append("]")
    else:
        conv = conversion(btf, here)
        parts.append(Directive(conv, "#" if conv == "x" else ""))
        operands.append(read(lo, variable))
