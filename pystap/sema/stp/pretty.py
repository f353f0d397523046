"""`$x$` and `$x$$`: a struct as text, `{.a=1, .b=0xffff..., .c={...}}`."""

from __future__ import annotations

from ...btf import types as t
from ...btf.layout import field_path, members
from ...diag import fail
from ...ir.format import Directive
from ...ir.nodes import STR
from ...ir.ops import Load
from ..paths import Place, Walk, char_array, emit_load, emit_value, pointee_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...lang.stp import ast
    from ..build import Operand
    from .lower import Lower

MOST = 60


class _Text:
    def __init__(self) -> None:
        self.parts: list[str | Directive] = []
        self.operands: list[Operand] = []


def pretty(lo: Lower, e: ast.Access, walk: Walk, base: Operand, indexes: list[Operand]) -> Operand:
    """Write the reading of every member, and the sprintf of them."""
    from .lower_print import write

    out = _Text()
    value = emit_value(lo.b, walk, base, indexes)
    if not isinstance(value, Place):
        target = walk.result
        here = None if target is None else walk.btf.resolve(target)
        if isinstance(here, t.Composite):
            value = Place(value, 0, here.name if isinstance(here, t.Struct) else "", here, walk.what)
        elif isinstance(here, t.Int) and here.is_char:
            load = Load(0, lo.unit.options.maxstringlen, False, "error", "", "kernel", walk.what)
            out.parts += ['"', Directive("s"), '"']
            out.operands.append(lo.b.op("load_str", (value,), load, STR))
            return write(lo, out.parts, out.operands, True)
        else:
            out.parts.append(Directive("x", "#") if target is not None else Directive("d"))
            out.operands.append(value)
            return write(lo, out.parts, out.operands, True)
    _value(lo, walk, value, value.type, e.pretty, out)
    if len(out.operands) > MOST:
        raise fail(
            "E404", f"not supported yet: more than {MOST} members in one text", e.span, "use '$' for '$$'"
        )
    return write(lo, out.parts, out.operands, True)


def _value(lo: Lower, walk: Walk, place: Place, type: t.Type | None, levels: int, out: _Text) -> None:
    btf = walk.btf
    here = btf.resolve(type) if type is not None else None
    if isinstance(here, t.Composite):
        if not levels:
            out.parts.append("{...}")
            return
        _members(lo, walk, place, here, levels - 1, out)
    elif char_array(btf, here):
        load = Load(place.off, char_array(btf, here), False, "error", place.struct, "kernel", place.what)
        out.parts += ['"', Directive("s"), '"']
        out.operands.append(lo.b.op("load_str", (place.base,), load, STR))
    elif isinstance(here, t.Array):
        out.parts.append("[...]")
    else:
        step = Walk(btf, None, place.what)
        step.type, step.place = here, True
        out.parts.append(Directive("x", "#") if pointee_of(btf, here) is not None else Directive("d"))
        out.operands.append(emit_load(lo.b, step, place, "error"))


def _members(lo: Lower, walk: Walk, place: Place, here: t.Composite, levels: int, out: _Text) -> None:
    btf = walk.btf
    for number, member in enumerate(members(here)):
        out.parts.append(f"{', ' if number else '{'}.{member.name}=")
        found = field_path(btf, here, (member.name,))
        inner = Place(
            place.base, place.off + found.offsets[0], place.struct, found.type, f"{place.what}->{member.name}"
        )
        if found.bit_size:
            step = Walk(btf, None, inner.what)
            step.type, step.place = found.type, True
            step.bit_size, step.bit_shift, step.load_size = found.bit_size, found.bit_shift, found.size
            out.parts.append(Directive("d"))
            out.operands.append(emit_load(lo.b, step, inner, "error"))
        else:
            _value(lo, walk, inner, found.type, levels, out)
    out.parts.append("}")
