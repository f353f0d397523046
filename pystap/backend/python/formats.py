"""printf formats as Python expressions.

A directive that Python's `%` gives exactly as C (or SystemTap) does becomes part of one `%` expression; the others
are calls of runtime helpers whose text is put in by `%s`. CPython makes an f-string of an expression that only
has `%s`, which is faster as long as no field has a width: so plain integers are `%s`, wide ones stay `%d`.

Where Python differs: `%#o`; precision 0; a `0` flag beside a precision; `+` and space on
unsigned conversions; negative precisions; and in C (bpftrace), not in SystemTap, `%#x` of 0.
"""

from __future__ import annotations

from ...ir.format import Directive, Format
from ...ir.nodes import Const, Op
from .arith import range_of
from .names import text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .body import Body
    from .names import Operand

CUTS = "cbmMr"  # what these give may hold a NUL


def expression(body: Body, fmt: Format, args: tuple[Operand, ...]) -> str:
    """The expression of the formatted text, a latin-1 str."""
    pieces: list[str] = []
    values: list[str] = []
    at = 0
    for part in fmt.parts:
        if isinstance(part, str):
            pieces.append(part.replace("%", "%%"))
            continue
        count = 1 + (part.width == "*") + (part.precision == "*")
        piece, more = _directive(body, part, args[at : at + count])
        at += count
        pieces.append(piece)
        values += more
    template = "".join(pieces)
    if not values:
        return text(template.replace("%%", "%"))
    if template == "%s" and _is_text(fmt, args):
        return values[0]
    return f"{text(template)} % ({', '.join(values)},)"


def may_hold_nul(fmt: Format) -> bool:
    """Whether the text can have a NUL in it, which ends a string."""
    return any(isinstance(p, Directive) and p.conv[0] in CUTS for p in fmt.parts)


def _is_text(fmt: Format, args: tuple[Operand, ...]) -> bool:
    return len(args) == 1 and args[0].type == "str" and all(isinstance(p, Directive) for p in fmt.parts)


def _directive(body: Body, d: Directive, args: tuple[Operand, ...]) -> tuple[str, list[str]]:
    """(template piece, values) of one directive."""
    conv = "d" if d.conv == "i" else d.conv
    value = args[-1]
    if (
        d.precision == "*"
        or conv in ("b", "m", "M", "r", "rx", "rh")
        or (conv == "s" and value.type != "str")
    ):
        return "%s", [_general(body, d, conv, args)]
    left = "-" if "-" in d.flags else ""
    width, values = _width(body, d, args)
    if conv == "s":
        precision = f".{d.precision}" if d.precision is not None else ""
        if "#" in d.flags:
            return f"%{left}{width}{precision}s", [*values, f"_visible({body.read(value)})"]
        return f"%{left}{width}{precision}s", [*values, body.read(value)]
    if conv == "c":
        helper = "_visible_char" if "#" in d.flags else "_char"
        return f"%{left}{width}s", [*values, f"{helper}({body.read(value)})"]
    return _integer(body, d, conv, args, left, width, values)


def _integer(
    body: Body, d: Directive, conv: str, args: tuple[Operand, ...], left: str, width: str, values: list[str]
) -> tuple[str, list[str]]:
    value = args[-1]
    if value.type != "i64" or d.precision == 0 or _differs(body, d, conv):
        return "%s", [_general(body, d, conv, args)]
    number = body.read(value)
    if conv == "p":
        return f"%#{left}{_zero(d, left)}{width}x", [*values, _unsigned(body, d, value)]
    precision = f".{d.precision}" if d.precision is not None else ""
    if conv == "d":
        sign = "+" if "+" in d.flags else " " if " " in d.flags else ""
        zero = _zero(d, left)
        letter = "s" if not (sign or precision or zero or width) else "d"
        return f"%{left}{sign}{zero}{width}{precision}{letter}", [*values, number]
    number = _unsigned(body, d, value)
    if conv == "u":
        zero = _zero(d, left)
        return f"%{left}{zero}{width}{precision}{'d' if zero or precision or width else 's'}", [
            *values,
            number,
        ]
    alt = "#" if "#" in d.flags else ""
    return f"%{alt}{left}{_zero(d, left)}{width}{precision}{conv}", [*values, number]


def _zero(d: Directive, left: str) -> str:
    return "0" if "0" in d.flags and not left and d.precision is None else ""


def _differs(body: Body, d: Directive, conv: str) -> bool:
    """Whether `#` means something else in Python than in the script's language."""
    if "#" not in d.flags or conv not in "xXo":
        return False
    return conv == "o" or body.unit.lang != "stp"


def _unsigned(body: Body, d: Directive, value: Operand) -> str:
    low, high = range_of(body, value)
    mask = (1 << d.bits) - 1
    if low >= 0 and high <= mask:
        return body.read(value)
    return f"{body.read(value)} & {mask:#x}"


def _width(body: Body, d: Directive, args: tuple[Operand, ...]) -> tuple[str, list[str]]:
    if d.width is None:
        return "", []
    if d.width != "*":
        return str(d.width), []
    first = args[0]
    if type(first) is Const:
        return str(first.value) if 0 <= first.value < 100000 else "", []
    return "*", [f"_width({body.read(first)})"]


def _general(body: Body, d: Directive, conv: str, args: tuple[Operand, ...]) -> str:
    """A call of the runtime's formatter for one directive."""
    read = [body.read(a) for a in args]
    value = read[-1]
    width = read[0] if d.width == "*" else repr(d.width)
    precision = read[-2] if d.precision == "*" else repr(d.precision)
    if conv in ("b", "m", "M", "r", "rx", "rh") or (conv == "s" and args[-1].type != "str"):
        return f"_blob({conv!r}, {d.flags!r}, {width}, {precision}, {value})"
    if conv == "s" and "#" in d.flags:
        value = f"_visible({value})"
    c_zero = body.unit.lang != "stp"
    return f"_directive({conv!r}, {d.flags!r}, {width}, {precision}, {d.bits}, {value}, {c_zero})"


def emit_printf(body: Body, op: Op) -> None:
    """`printf`."""
    if not op.attr.parts:
        return
    body.line(f"_emit({expression(body, op.attr, op.args)})")


def emit_sprintf(body: Body, op: Op) -> None:
    """`sprintf`: the text ends where a string's room ends, or at a NUL."""
    if op.dst is None:
        return
    whole = expression(body, op.attr, op.args)
    if may_hold_nul(op.attr):
        whole = f"_until_nul({whole})"
    body.set(op.dst, f"({whole})[:{body.unit.longest}]")
