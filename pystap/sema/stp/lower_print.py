"""print and its like -> IR formats."""

from __future__ import annotations

from ...ir.format import Directive, Format
from ...ir.nodes import STR, Const, Text
from ...ir.ops import Load
from ...lang.stp import ast
from ...lang.stp import formats as f
from ..build import latin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..build import Operand
    from .lower import Lower

_CONV = {"i": "d", "l": "d"}


def print_(lo: Lower, e: ast.Print) -> Operand:
    """Write the operation; a twin with `s` gives the text."""
    if e.format is not None:
        parts, operands = _formatted(lo, e)
    else:
        parts, operands = _joined(lo, e)
    return write(lo, parts, operands, e.kind.startswith("s"))


def write(lo: Lower, parts: list[str | Directive], operands: list[Operand], text: bool) -> Operand:
    """Append printf or sprintf of the parts."""
    form = Format(_merge(parts))
    if text:
        if all(isinstance(p, str) for p in form.parts):
            return Text("".join(form.parts))  # type: ignore[arg-type]
        return lo.b.op("sprintf", tuple(operands), form, STR)
    if form.parts:
        lo.b.do("printf", tuple(operands), form)
    return Const(0)


def _merge(parts: list[str | Directive]) -> tuple[str | Directive, ...]:
    out: list[str | Directive] = []
    for part in parts:
        if isinstance(part, str):
            if not part:
                continue
            if out and isinstance(out[-1], str):
                out[-1] += part
                continue
        out.append(part)
    return tuple(out)


def _formatted(lo: Lower, e: ast.Print) -> tuple[list[str | Directive], list[Operand]]:
    assert e.format is not None
    parts: list[str | Directive] = []
    operands = lo.exprs(list(e.args))
    at = 0
    for part in e.format.parts:
        if isinstance(part, bytes):
            parts.append(part.decode("latin-1"))
            continue
        width = "*" if part.width == f.STAR else part.width
        precision = "*" if part.precision == f.STAR else part.precision
        if part.conv in "mM" and "*" in (width, precision):
            given = (width == "*") + (precision == "*")
            count = operands[at + given - 1]
            operands[at : at + given + 1] = [_some_memory(lo, part, operands[at + given], count)]
            width = precision = None
        elif part.conv in "mM":
            operands[at] = _memory(lo, part, operands[at])
            precision = None
        at += (width == "*") + (precision == "*")
        at += 1
        parts.append(Directive(_CONV.get(part.conv, part.conv), part.flag, width, precision))
    return parts, operands


def _memory(lo: Lower, part: f.Directive, address: Operand) -> Operand:
    """`%m`, `%M`: the bytes are read where the handler runs; as many as the precision says."""
    size = part.precision if part.precision is not None else part.width or 1
    space = "user" if "#" in part.flag else "kernel"
    load = Load(0, int(size), False, "error", "", space, "%m")
    return lo.b.op("load_buf", (address,), load, "buf")


def _some_memory(lo: Lower, part: f.Directive, address: Operand, count: Operand) -> Operand:
    """`%.*m`, `%*M`: as many bytes as an argument says, and as many as a string has room for."""
    size = (lo.unit.options.maxstringlen - 1) // (2 if part.conv == "M" else 1)
    load = Load(0, size, False, "error", "", "user" if "#" in part.flag else "kernel", "%m")
    data = lo.b.op("load_buf", (address, count), load, "buf")
    return lo.b.op("call", (data, count), "buf_cut", "buf")


def _joined(lo: Lower, e: ast.Print) -> tuple[list[str | Directive], list[Operand]]:
    delimiter = latin(e.delimiter.value) if e.delimiter is not None else ""
    parts: list[str | Directive] = []
    operands: list[Operand] = []
    plain = [a for a in e.args if not isinstance(a, ast.HistOp)]
    values = iter(lo.exprs(plain))
    for number, arg in enumerate(e.args):
        if isinstance(arg, ast.HistOp):
            histogram(lo, arg)
            continue
        if number and delimiter:
            parts.append(delimiter)
        value = next(values)
        if isinstance(arg, ast.String):
            parts.append(latin(arg.value).partition("\0")[0])  # nothing keeps it: it may be long
        elif isinstance(value, Text):
            parts.append(value.value)
        else:
            parts.append(Directive("s" if value.type == STR else "d"))
            operands.append(value)
    if e.kind.endswith("ln"):
        parts.append("\n")
    return parts, operands


def histogram(lo: Lower, e: ast.HistOp) -> None:
    """print(@hist_log(x))."""
    from .lower_expr import stat_keys

    var, keys = stat_keys(lo, e.stat)
    lo.b.do("print_hist", keys, (var.ir, e.op[6:], e.params))


TABLE: dict[type, Any] = {ast.Print: print_}
