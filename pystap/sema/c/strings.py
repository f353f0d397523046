"""Strings in C: copying to STAP_RETVALUE and char arrays, formats, comparison."""

from __future__ import annotations

from ...btf import types as t
from ...ir.format import Directive, Format
from ...ir.nodes import BUF, STR, Const, Text
from ...ir.ops import Load
from ..paths import emit_place
from .fold import constant, unescape
from .types import INT, LONG, UINT, ULONG, USHORT
from .values import Value, Variable, many

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..build import Operand
    from .lower import Lower

    Node = Any

_DONE = Value(INT, Const(0))


def text_of(c: Lower, value: Value, node: Node, most: int = 0) -> Operand:
    """Return a string: the value's own, or what is read at the char pointer or array that it is."""
    if value.is_text:
        if value.variable is not None:
            return value.variable.local
        assert value.operand is not None
        return value.operand
    size = min(most, c.max_string) if most else c.max_string
    here = c.types.resolve(value.type)
    if isinstance(here, t.Array) and value.walk is not None and value.base is not None:
        _need_chars(c, here.type, node)
        place = emit_place(c.b, value.walk, value.base, list(value.indexes))
        size = min(size, here.count) if here.count else size
        load = Load(place.off, size, False, "error", place.struct, "kernel", place.what)
        return c.b.op("load_str", (place.base,), load, STR)
    if isinstance(here, t.Ptr):
        _need_chars(c, here.type, node)
        from .access import words

        at = c.number(value, node)
        return c.b.op("load_str", (at,), Load(0, size, False, "error", "", "kernel", words(node)), STR)
    if isinstance(value.operand, Const) and value.operand.value == 0:
        return Text("")
    raise c.refuse("a number where a string is needed", node, 'snprintf(..., "%d", value)')


def _need_chars(c: Lower, type: t.Type, node: Node) -> None:
    here = c.types.resolve(type)
    if not isinstance(here, t.Void) and not (isinstance(here, t.Int) and here.size == 1):
        raise c.refuse("a pointer that isn't to char where a string is needed", node)


def _target(c: Lower, node: Node) -> Variable:
    """Return the variable that a string is copied to."""
    from .access import assigned

    variable = assigned(c, node)
    if variable is None or not variable.text:
        raise c.refuse("copying a string to this", node, "STAP_RETVALUE and char arrays can hold one")
    return variable


def _limit(c: Lower, node: Node) -> int | None:
    """Return the size that a copy is given, None for one that is not known now."""
    operand, _ = c.scalar(c.expr(node), node)
    return operand.value if isinstance(operand, Const) else None


def _store(c: Lower, variable: Variable, text: Operand, size: int | None, node: Node) -> None:
    """Put a string in a variable, cut to `size` bytes with the NUL where that is less than a string can have."""
    room = variable.size or c.max_string
    size = room if size is None else min(size, room)
    if size < 1:
        return
    if size < c.max_string:
        if isinstance(text, Text):
            text = Text(text.value[: size - 1])
        else:
            text = c.b.op("call", (text, Const(0), Const(size - 1)), "substr", STR)
    c.b.mov(variable.local, text)


def clear_or_none(c: Lower, node: Node) -> bool:
    """Write `STAP_RETVALUE[0] = 0` (or of a char array); say whether it was that."""
    left = node.lvalue
    if left.__class__.__name__ == "UnaryOp" and left.op == "*":
        inner = left.expr
    elif left.__class__.__name__ == "ArrayRef":
        inner = left.name
        if _constant(c, left.subscript) != 0:
            return False
    else:
        return False
    if inner.__class__.__name__ not in ("ID", "StructRef"):
        return False
    name = inner.name if inner.__class__.__name__ == "ID" else None
    if name is not None and c.find(name) is None and name != "STAP_RETVALUE":
        return False
    if name is None and not (inner.name.__class__.__name__ == "ID" and inner.name.name == "THIS"):
        return False
    value = c.expr(inner)
    if value.variable is None or not value.is_text:
        return False
    if _constant(c, node.rvalue) != 0:
        raise c.refuse("writing a character of a string", node, "snprintf makes a string")
    c.b.mov(value.variable.local, Text(""))
    return True


def _constant(c: Lower, node: Node) -> int | None:
    from ...diag import CompileError

    try:
        return constant(c.library, node, c.tree)
    except CompileError:
        return None


# ---------------------------------------------------------------------- functions


def _args(c: Lower, node: Node, low: int, high: int) -> list[Node]:
    from .access import words

    args = list(node.args.exprs) if node.args is not None else []
    if not low <= len(args) <= high:
        raise c.error("E210", f"{words(node)} takes {low} arguments, {len(args)} given", node)
    return args


def _copy(c: Lower, node: Node) -> Value:
    """`strlcpy(to, from, size)`, `strcpy(to, from)`."""
    args = _args(c, node, 2, 3)
    variable = _target(c, args[0])
    size = _limit(c, args[2]) if len(args) > 2 else None
    text = c.text_of(c.expr(args[1]), args[1], size or 0)
    _store(c, variable, text, size, node)
    return _DONE


def _append(c: Lower, node: Node) -> Value:
    """`strlcat(to, from, size)`, `strcat(to, from)`."""
    args = _args(c, node, 2, 3)
    variable = _target(c, args[0])
    size = _limit(c, args[2]) if len(args) > 2 and node.name.name != "strncat" else None
    more = c.text_of(c.expr(args[1]), args[1])
    _store(c, variable, c.b.op("concat", (variable.local, more), None, STR), size, node)
    return _DONE


def _snprintf(c: Lower, node: Node) -> Value:
    """`snprintf(to, size, format, ...)`."""
    args = _args(c, node, 3, 40)
    variable = _target(c, args[0])
    size = _limit(c, args[1])
    _store(c, variable, formatted(c, node, 2), size, node)
    return _DONE


def _sprintf(c: Lower, node: Node) -> Value:
    """`sprintf(to, format, ...)`."""
    args = _args(c, node, 2, 40)
    variable = _target(c, args[0])
    _store(c, variable, formatted(c, node, 1), None, node)
    return _DONE


def _two(c: Lower, node: Node) -> tuple[Operand, Operand]:
    left, right = _args(c, node, 2, 2)
    return c.text_of(c.expr(left), left), c.text_of(c.expr(right), right)


def equal(c: Lower, node: Node, same: bool) -> Operand:
    """Write `strcmp(a, b) == 0` (or `!= 0`)."""
    return c.b.op("str_eq" if same else "str_ne", _two(c, node))


def _compare(c: Lower, node: Node) -> Value:
    """`strcmp(a, b)`."""
    return Value(INT, c.b.op("str_cmp", _two(c, node)))


def _compare_some(c: Lower, node: Node) -> Value:
    """`strncmp(a, b, n)`."""
    left, right, count = _args(c, node, 3, 3)
    a, b = c.text_of(c.expr(left), left), c.text_of(c.expr(right), right)
    n, _ = c.scalar(c.expr(count), count)
    a = c.b.op("call", (a, Const(0), n), "substr", STR)
    b = c.b.op("call", (b, Const(0), n), "substr", STR)
    return Value(INT, c.b.op("str_cmp", (a, b)))


def _length(c: Lower, node: Node) -> Value:
    """`strlen(a)`."""
    (arg,) = _args(c, node, 1, 1)
    return Value(ULONG, c.b.op("call", (c.text_of(c.expr(arg), arg),), "strlen"))


STRINGS: dict[str, Callable[[Lower, Node], Value]] = {
    **many("strlcpy strscpy strcpy strncpy strscpy_pad", _copy),
    **many("strlcat strcat strncat", _append),
    **many("snprintf scnprintf _stp_snprintf", _snprintf),
    "sprintf": _sprintf,
    "strcmp": _compare,
    "strncmp": _compare_some,
    "strlen": _length,
}

# ---------------------------------------------------------------------- formats

_SIZES = {"hh": 1, "h": 2, "": 4, "l": 8, "ll": 8, "z": 8, "t": 8, "j": 8, "L": 8, "q": 8}


def formatted(c: Lower, node: Node, at: int, op: str = "sprintf") -> Operand:
    """Write a format, which is argument number `at` of a call, with what follows it."""
    args = list(node.args.exprs) if node.args is not None else []
    if len(args) <= at:
        raise c.error("E210", "a format is missing", node)
    form = args[at]
    if form.__class__.__name__ != "Constant" or form.type != "string":
        raise c.refuse("a format that isn't a literal", form)
    rest = iter(args[at + 1 :])
    parts: list[str | Directive] = []
    operands: list[Operand] = []
    for piece in _pieces(unescape(form.value[form.value.index('"') + 1 : -1])):
        if isinstance(piece, str):
            parts.append(piece)
            continue
        parts.append(_directive(c, piece, rest, operands, form))
    if next(rest, None) is not None:
        raise c.error("E216", "there are more values than the format takes", form)
    if op == "printf":
        c.b.do("printf", tuple(operands), Format(tuple(parts)))
        return Text("")
    if len(parts) == 1 and isinstance(parts[0], str):
        return Text(parts[0])
    return c.b.op("sprintf", tuple(operands), Format(tuple(parts)), STR) if parts else Text("")


class _Piece:
    """A directive as it stands: flags, width, precision, length, conversion, and what the kernel adds to %p."""

    __slots__ = ("conv", "flags", "length", "more", "precision", "width")

    def __init__(self, match: Any) -> None:
        self.flags = match["flags"]
        self.width = match["width"]
        self.precision = match["precision"]
        self.length = match["length"] or ""
        self.conv = match["conv"]
        self.more = match["more"] or ""


def _pieces(text: str) -> list[str | _Piece]:
    import re

    pattern = (
        r"%(?:%|(?P<flags>[-+ #0]*)(?P<width>\d+|\*)?(?:\.(?P<precision>\d+|\*)?)?(?P<length>hh|h|ll|l|z|t|j|L|q)?"
        r"(?P<conv>[a-zA-Z])(?P<more>(?<=p)(?:I4|I6c?|i4|i6|M|m|s|S|x|K)\b)?)"
    )
    out: list[str | _Piece] = []
    last = 0

    def literal(piece: str) -> None:
        if out and isinstance(out[-1], str):
            out[-1] += piece
        elif piece:
            out.append(piece)

    for match in re.finditer(pattern, text):
        literal(text[last : match.start()])
        last = match.end()
        if match.group() == "%%":
            literal("%")
        else:
            out.append(_Piece(match))
    literal(text[last:])
    return out


def _directive(c: Lower, piece: _Piece, rest: Any, operands: list[Operand], form: Node) -> Directive:
    def value() -> Node:
        found = next(rest, None)
        if found is None:
            raise c.error("E216", "the format takes more values than there are", form)
        return found

    width: int | str | None = None
    precision: int | str | None = None
    for word in ("width", "precision"):
        given = getattr(piece, word)
        if given == "*":
            node = value()
            operands.append(c.scalar(c.expr(node), node)[0])
        number = given if given in (None, "*") else int(given)
        width, precision = (number, precision) if word == "width" else (width, number)
    node = value()
    if piece.conv == "s":
        operands.append(c.text_of(c.expr(node), node))
        return Directive("s", piece.flags, width, precision)
    if piece.conv == "p" and piece.more not in ("", "x", "K"):
        operands.append(_pointer(c, piece.more, node))
        return Directive("s", piece.flags, width, precision)
    if piece.conv not in "diuxXocp":
        raise c.refuse(f"%{piece.conv} in a format", form)
    operand, source = c.scalar(c.expr(node), node)
    if piece.conv == "p":
        operands.append(operand)
        return Directive("x", "#", width, precision)
    if piece.conv == "c":
        operands.append(operand)
        return Directive("c", piece.flags, width, precision)
    size = _SIZES[piece.length]
    signed = piece.conv in "di"
    type = {1: INT, 2: USHORT, 4: INT if signed else UINT, 8: LONG if signed else ULONG}[size]
    if size < 4:
        operand = c.b.op("sext" if signed else "zext", (operand,), 8 * size)
    else:
        operand = c.convert(operand, source, type)
    operands.append(operand)
    return Directive("d" if signed else piece.conv, piece.flags, width, precision)


def _pointer(c: Lower, more: str, node: Node) -> Operand:
    """The kernel's %pI4, %pI6, %pM, %ps, %pS: text of what lies at an address."""
    at, _ = c.scalar(c.expr(node), node)
    if more in ("s", "S"):
        return c.b.op("call", (at,), "symname" if more == "s" else "symdata", STR)
    if more in ("I4", "i4"):
        load = Load(0, 4, False, "error", "", "kernel", "%pI4")
        return c.b.op("call", (c.b.op("load", (at,), load),), "ip4_text", STR)
    size, word = (6, "mac_text") if more in ("M", "m") else (16, "ip6_text")
    raw = c.b.op("load_buf", (at,), Load(0, size, False, "error", "", "kernel", f"%p{more}"), BUF)
    return c.b.op("call", (raw,), word, STR)
