"""printf and its kin, print, and values as text."""

from __future__ import annotations

from ...btf import types as bt
from ...ir import format as irf
from ...ir.nodes import STR, TUPLE, Const, Text
from ...lang.bt import ast
from ...lang.bt.formats import STAR, Directive, Literal, parse_format
from ..build import latin
from . import assign, types
from .body import error
from .display import enum_text, hint
from .types import T, is_number, name
from .values import Val

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...source import Span
    from ..build import Operand
    from .body import Body
    from .maps import MapInfo

_BITS = {"hh": 8, "h": 16}
_NUMBERS = frozenset("diuxXocp")


def formatted(body: Body, call: ast.Call) -> tuple[irf.Format, list[Operand]]:
    """Return the format and operands of `f(format, args...)`."""
    if not call.args:
        raise error("E271", f"{call.name}() needs a format", call.span, f'{call.name}("text %d\\n", value)')
    first = call.args[0]
    text = body.literal(first, f"the format of {call.name}()")
    place = first.span if isinstance(first, ast.String) else call.span
    source = first.value if isinstance(first, ast.String) else text
    pieces = parse_format(source, place, body.unit.bag)
    wanted = sum(p.arguments for p in pieces if isinstance(p, Directive))
    args = call.args[1:]
    if wanted != len(args):
        words = f"the format takes {_count(wanted)}, {len(args)} given"
        raise error("E271", words, call.span)
    values = body.values(args)  # type: ignore[arg-type]
    parts: list[str | irf.Directive] = []
    ops: list[Operand] = []
    at = 0
    for piece in pieces:
        if isinstance(piece, Literal):
            parts.append(latin(piece.text))
            continue
        for star in (piece.width, piece.precision):
            if star == STAR:
                ops.append(body.as_number(values[at], args[at].span, "a width or precision")[0])
                at += 1
        _directive(body, piece, values[at], args[at].span, parts, ops)
        at += 1
    return irf.Format(tuple(parts)), ops


def _count(n: int) -> str:
    return "no argument" if not n else "1 argument" if n == 1 else f"{n} arguments"


def _directive(
    body: Body, d: Directive, value: Val, span: Span, parts: list[str | irf.Directive], ops: list[Operand]
) -> None:
    """Append the IR's directive for one of the script's, and its operand."""
    value = body.coerced(value)
    type = value.type
    conv = "d" if d.conv == "i" else d.conv
    bits = _BITS.get(d.length, 64)
    if type.kind == "none":
        operand: Operand = Const(0) if conv in _NUMBERS else Text("")
    elif conv in _NUMBERS:
        operand = _number(body, value, conv, bits, d, span)
    elif conv == "s":
        operand = as_text(body, value, span)
    elif conv in ("r", "rx", "rh"):
        operand = _raw(body, value, conv, span)
    else:
        if not is_number(type):
            raise error("E272", f"%{d.conv} needs a number, not {name(type)}", span)
        operand, conv = body.text_call("gfp_flags", body.ops(value)[0]), "s"
    width = "*" if d.width == STAR else d.width
    precision = "*" if d.precision == STAR else d.precision
    parts.append(irf.Directive(conv, d.flags, width, precision, bits))
    ops.append(operand)


def _number(body: Body, value: Val, conv: str, bits: int, d: Directive, span: Span) -> Operand:
    type = value.type
    if not is_number(type):
        hint_ = "print it with %s" if type.kind not in ("void", "buffer") else "print it with %r"
        raise error("E272", f"%{d.conv} needs a number, not {name(type)}", span, hint_)
    operand = body.ops(value)[0]
    if bits < 64 and conv == "d":
        operand = body.b.op("sext", (operand,), bits)
    return operand


def _raw(body: Body, value: Val, conv: str, span: Span) -> Operand:
    kind = value.type.kind
    if kind not in ("buffer", "array", "mac", "record"):
        raise error(
            "E272", f"%{conv} needs a buffer, not {name(value.type)}", span, "buf(pointer, length) makes one"
        )
    return body.ops(value)[0]


def _bytes_as_text(body: Body, value: Val) -> Val:
    """Return a string for an array of bytes of any sign that lies in memory, another value as it is."""
    type = value.type
    if type.kind != "array" or value.mem is None or not type.ctype.count:
        return value
    inner = body.unit.btf.resolve(type.ctype.type)
    if not isinstance(inner, bt.Int) or inner.size != 1 or inner.is_bool:
        return value
    return Val(T("str", type.ctype.count), None, value.mem)


def as_text(body: Body, value: Val, span: Span) -> Operand:
    """Return a value as the string that %s shows."""
    value = _bytes_as_text(body, value)
    type = value.type
    kind = type.kind
    ops = body.ops(value)
    if kind == "str":
        return _cut_text(body, type, ops[0])
    if kind == "inet":
        return ops[0]
    if kind == "int" and type.ctype is not None:
        return _enum(body, value, ops[0])
    render = _RENDER.get(kind)
    if render is not None:
        return body.text_call(render, *ops)
    if kind == "kstack":
        return body.text_call("kstack_text", ops[0], Text(type.note))
    if kind == "ustack":
        return body.text_call("ustack_text", ops[1], ops[0], Text(type.note))
    if kind == "timestamp":
        return body.text_call("strftime_boot", Text(type.note), ops[0])
    if kind == "bool":
        return _bool_text(body, ops[0])
    hint_ = ""
    if kind in ("int", "ptr"):
        hint_ = "use %d" if kind == "int" else "str(pointer) reads the string there"
    raise error("E272", f"%s needs a string, not {name(type)}", span, hint_)


def _cut_text(body: Body, type: T, text: Operand) -> Operand:
    """A string for printing: one that fills the room of max_strlen was cut, and gets the trailer."""
    config = body.unit.config
    if type.size != config.max_strlen or not config.str_trunc_trailer or isinstance(text, Text):
        return text
    return body.text_call("str_trailer", text, Const(type.size), Text(latin(config.str_trunc_trailer)))


_RENDER = {"mac": "macaddr_text", "ksym": "ksym", "usym": "usym_text", "cgroup_path": "cgroup_path"}


def _enum(body: Body, value: Val, operand: Operand) -> Operand:
    """An enumerator's name."""
    enum = value.type.ctype
    if isinstance(value.const, int):
        known = {number: word for word, number in reversed(enum.values)}
        return Text(known.get(value.const, str(value.const)))
    return body.text_call("enum_text", operand, Text(enum_text(enum)))


def _bool_text(body: Body, operand: Operand) -> Operand:
    result = body.local(STR, "b")
    then, els = body.b.branch(operand)
    for arm, word in ((then, "true"), (els, "false")):
        before = body.b.into(arm)
        body.b.mov(result, Text(word))
        body.b.into(before)
    return result


def known_text(body: Body, call: ast.Call) -> str:
    """Return the text of `f(format, args...)` whose arguments are known when the script is compiled."""
    text = body.literal(call.args[0], f"the format of {call.name}()")
    values: list[object] = []
    for arg in call.args[1:]:
        known = body.value(arg).const
        if not isinstance(known, (int, str)):
            raise error("E258", f"{call.name}() needs what is known when the script is compiled", arg.span)
        values.append(known)
    try:
        return text % tuple(values)
    except (TypeError, ValueError):
        raise error("E272", f"the format of {call.name}() doesn't fit its arguments", call.span) from None


# ---- the functions ------------------------------------------------------------------------


def printf(body: Body, call: ast.Call) -> Val:
    """`printf(format, ...)`."""
    format_, ops = formatted(body, call)
    body.b.do("printf", tuple(ops), format_)
    return Val(types.VOID, [])


def place_of_message(span: Span, op: str) -> str:
    """Return a message's beginning: the file ("stdin" for -e), the line and its columns, or the lines."""
    source = span.source
    line, column = source.position(span.start)
    last, end = source.position(span.end)
    name = "stdin" if source.name.startswith("<") else source.name
    columns = f"{line}:{column}-{end}" if line == last else f"{line}-{last}"
    return f"{name}:{columns}: {'ERROR' if op == 'log' else 'WARNING'}: "


def _line(body: Body, call: ast.Call, op: str) -> Val:
    format_, ops = formatted(body, call)
    last = format_.parts[-1] if format_.parts else ""
    if isinstance(last, str) and last.endswith("\n"):
        format_ = irf.Format((*format_.parts[:-1], last[:-1]))
    format_ = irf.Format((latin(place_of_message(call.span, op)), *format_.parts))
    body.b.do(op, (body.b.op("sprintf", tuple(ops), format_, STR),))
    return Val(types.VOID, [])


def errorf(body: Body, call: ast.Call) -> Val:
    """`errorf(format, ...)`: to stderr, with the place."""
    return _line(body, call, "log")


def warnf(body: Body, call: ast.Call) -> Val:
    """`warnf(format, ...)`: to stderr as a warning."""
    return _line(body, call, "warn")


def system(body: Body, call: ast.Call) -> Val:
    """`system(format, ...)`: a command of the shell."""
    if not (body.unit.options.unsafe or body.unit.options.guru):
        raise error("E273", "system() is unsafe", call.span, "allow it with --unsafe")
    return _with_text(body, call, "system")


def cat(body: Body, call: ast.Call) -> Val:
    """`cat(format, ...)`: a file's content."""
    return _with_text(body, call, "cat_file", Const(body.unit.config.max_cat_bytes))


def _with_text(body: Body, call: ast.Call, builtin: str, *more: Operand) -> Val:
    format_, ops = formatted(body, call)
    parts = format_.parts
    if not parts or (len(parts) == 1 and isinstance(parts[0], str)):
        text: Operand = Text(str(parts[0]) if parts else "")
    else:
        text = body.b.op("sprintf", tuple(ops), format_, STR)
    body.b.do("call", (text, *more), builtin)
    return Val(types.VOID, [])


def time(body: Body, call: ast.Call) -> Val:
    """`time([format])`: the time of day."""
    text = latin(body.literal(call.args[0], "the format of time()")) if call.args else "%H:%M:%S\n"
    shown = body.text_call("strftime", Text(text), body.call("realtime_ns"))
    body.b.do("call", (Text("time"),), "begin_event")
    body.b.do("printf", (shown,), irf.Format((irf.Directive("s"),)))
    body.b.do("call", (), "end_event")
    return Val(types.VOID, [])


def join(body: Body, call: ast.Call) -> Val:
    """`join(char *array[] [, delimiter])`: up to 16 strings, then a newline."""
    array, value = body.number_of(call.args[0], "join()")  # type: ignore[arg-type]
    delimiter = " "
    if len(call.args) == 2:
        delimiter = latin(body.literal(call.args[1], "the delimiter of join()"))
    from ...ir.ops import Load

    space = value.type.space if value.type.kind == "ptr" else body.point.space
    size = min(body.unit.config.max_strlen, 1024)
    body.b.do("call", (Text("join"),), "begin_event")
    outer = body.b.out
    for n in range(16):
        pointer = body.b.op("load", (array,), Load(8 * n, 8, False, "zero", "", space, "join()"))
        then, _ = body.b.branch(pointer)
        body.b.into(then)
        text = body.b.op("load_str", (pointer,), Load(0, size, False, "zero", "", space, "join()"), STR)
        lead = (delimiter,) if n and delimiter else ()
        body.b.do("printf", (text,), irf.Format((*lead, irf.Directive("s"))))
    body.b.into(outer)
    body.b.do("printf", (), irf.Format(("\n",)))
    body.b.do("call", (), "end_event")
    return Val(types.VOID, [])


def print_(body: Body, call: ast.Call) -> Val:
    """`print(value)`, `print(@m [, top [, div]])`."""
    first = call.args[0]
    if isinstance(first, (ast.Map, ast.MapAccess)):
        bound = body.scope.bound("@" + first.name)
        if (
            bound is not None
            and isinstance(first, ast.Map)
            and isinstance(bound.node, (ast.Map, ast.MapAccess))
        ):
            first = bound.node
    if isinstance(first, ast.Map):
        return _print_map(body, call, first)
    if len(call.args) > 1:
        raise error("E202", "print() takes top and div only with a whole map", call.span)
    if isinstance(first, ast.MapAccess):
        return _print_element(body, first)
    value = body.coerced(body.value(first))
    type = value.type
    if type.kind in ("void", "none"):
        if type.kind == "void":
            raise error("E251", "this has no value to print", first.span)
        return Val(types.VOID, [])
    _show(body, value, first.span)
    return Val(types.VOID, [])


_SHOWN_AS_TEXT = frozenset(("ksym", "usym", "mac", "kstack", "ustack", "timestamp", "cgroup_path"))


def _show(body: Body, value: Val, span: Span) -> None:
    """Write `print_value`; what has to be rendered is, so that the hint says how numbers and bytes are shown."""
    type = value.type
    if type.kind in _SHOWN_AS_TEXT or (type.kind == "int" and type.ctype is not None):
        body.b.do("print_value", (as_text(body, value, span),), "str")
        return
    if type.kind != "tuple":
        shown = as_text(body, value, span) if type.kind == "str" else body.ops(value)[0]
        body.b.do("print_value", (shown,), hint(type))
        return
    ops, hints = _shown_tuple(body, value, span)
    body.b.do("print_value", (body.b.op("tuple", tuple(ops), None, TUPLE),), hints)


def _shown_tuple(body: Body, value: Val, span: Span) -> tuple[list[Operand], object]:
    """Return the flat parts of a tuple and the hint for them."""
    from .access import element_of

    ops: list[Operand] = []
    hints: list[object] = []
    for n, type in enumerate(value.type.elems):
        item = element_of(body, value, n)
        if type.kind == "tuple":
            inner, shown = _shown_tuple(body, item, span)
            ops += inner
        elif type.kind in _SHOWN_AS_TEXT or (type.kind == "int" and type.ctype is not None):
            ops.append(as_text(body, item, span))
            shown = "str"
        else:
            ops += body.ops(item)
            shown = hint(type)
        hints.append(shown)
    names = value.type.names
    if names:
        return ops, ("named", tuple(zip(names, hints, strict=True)))
    return ops, ("tuple", tuple(hints))


def _print_map(body: Body, call: ast.Call, e: ast.Map) -> Val:
    info = body.unit.map(e.name, e.span)
    if info.value.kind == "none":
        body.unit.missing(info, e.span)
    numbers: list[Operand] = []
    for arg, what in zip(call.args[1:], ("top", "div"), strict=False):
        value = body.constant(arg, f"{what} of print()")  # type: ignore[arg-type]
        if value < 0:
            raise error("E207", f"{what} of print() can't be negative", arg.span)
        numbers.append(Const(value))
    body.b.do("print_map", tuple(numbers), (info.glob,))
    return Val(types.VOID, [])


def _print_element(body: Body, e: ast.MapAccess) -> Val:
    """`print(@m[k])`: as the map's own line of that key."""
    try:
        info, keys = assign.place_of(body, e)
    except assign.Given:
        return Val(types.VOID, [])
    if info.value.kind == "none":
        body.unit.missing(info, e.span)
        return Val(types.VOID, [])
    label = _label(body, info, keys, e)
    kind = info.value.note if info.value.kind == "stat" else ""
    if kind in ("hist", "lhist"):
        body.b.do("printf", (label,), irf.Format((irf.Directive("s"), ": \n")))
        attr = (info.glob, "log" if kind == "hist" else "linear", info.linear or ())
        body.b.do("print_hist", tuple(keys), attr)
        body.b.do("printf", (), irf.Format(("\n",)))
        return Val(types.VOID, [])
    if kind == "stats":
        ops = [body.b.op("stat", tuple(keys), (info.glob, op, ())) for op in ("count", "avg", "sum")]
        parts = (": count ", ", average ", ", total ")
        format_: list[str | irf.Directive] = [irf.Directive("s")]
        for part in parts:
            format_ += [part, irf.Directive("d" if info.value.signed else "u")]
        body.b.do("printf", (label, *ops), irf.Format((*format_, "\n")))
        return Val(types.VOID, [])
    value = body.coerced(assign.element(body, info, keys, e.span))
    body.b.do("printf", (label,), irf.Format((irf.Directive("s"), ": ")))
    _show(body, value, e.span)
    return Val(types.VOID, [])


def _label(body: Body, info: MapInfo, keys: list[Operand], e: ast.MapAccess) -> Operand:
    """Return `@name[key, ...]` as text."""
    parts: list[str | irf.Directive] = [info.text]
    ops: list[Operand] = []
    if info.keys:
        whole = Val(T("tuple", elems=tuple(info.keys)), list(keys))
        _spelled(body, whole, "[]", e.span, parts, ops)
    return body.b.op("sprintf", tuple(ops), irf.Format(tuple(parts)), STR)


def _spelled(
    body: Body, value: Val, around: str, span: Span, parts: list[str | irf.Directive], ops: list[Operand]
) -> None:
    from .access import element_of

    for n, type in enumerate(value.type.elems):
        parts.append(", " if n else around[0])
        item = element_of(body, value, n)
        if type.kind == "tuple":
            _spelled(body, item, "()", span, parts, ops)
        elif type.kind in ("int", "ptr") and type.ctype is None:
            parts.append(irf.Directive("d" if type.signed else "u"))
            ops.append(body.ops(item)[0])
        else:
            parts.append(irf.Directive("s"))
            ops.append(as_text(body, item, span))
    parts.append(around[1])
