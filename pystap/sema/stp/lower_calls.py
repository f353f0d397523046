"""Calls -> IR: of functions, of one-expression functions of the tapset (written in place), of intrinsics."""

from __future__ import annotations

from ...builtins.table import TABLE as BUILTINS
from ...ir.nodes import BUF, I64, STR, Call, Const, Text
from ...ir.ops import Load
from ...lang.stp import ast
from ..build import latin, zero
from ..paths import Place, char_array, text_bytes
from . import intrinsics, registers
from .types import IR_TYPE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...btf import types as t
    from ..build import Operand
    from .lower import Lower, Value
    from .symbols import FunctionInstance

_RESULT = {"i": I64, "s": STR, "b": BUF}


def call(lo: Lower, e: ast.Call) -> Value:
    """A call."""
    function: FunctionInstance | None = lo.body.notes.get(e)
    if function is None:
        return _intrinsic(lo, e)
    if _in_place(function):
        return _wrapper(lo, function, e)
    args = tuple(lo.exprs(list(e.args)))
    made = lo.function_of(function)
    b = lo.b
    if made.result is None:
        b.out.append(Call(None, made, args, e.span))
        return zero(I64)
    dst = b.temp(made.result.type)
    b.out.append(Call(dst, made, args, e.span))
    return dst


def _in_place(function: FunctionInstance) -> bool:
    """Say whether a function is a library's with one expression as its body."""
    if not function.scope.library or len(function.overloads) != 1 or function.recursive:
        return False
    body = function.overloads[0].body
    if not isinstance(body, ast.Block) or len(body.body) != 1:
        return False
    only = body.body[0]
    return (isinstance(only, ast.Return) and only.value is not None) or isinstance(only, ast.ExprStmt)


def _wrapper(lo: Lower, function: FunctionInstance, e: ast.Call) -> Value:
    """Write a function's one expression in place, its parameters standing for the values of the arguments."""
    values: list[Value] = []
    last = len(e.args) - 1
    from .lower import changes_any

    for number, arg in enumerate(e.args):
        value = lo.value(arg)
        if (
            number < last
            and not isinstance(value, (Const, Text, Place))
            and changes_any(list(e.args[number + 1 :]))
        ):
            value = lo.b.copy(value)
        if not isinstance(value, Place) and value.type == I64:
            value = Place(value, 0, "", pointee(lo, arg), arg.span.text)  # an address, should it be read
        values.append(value)
    saved = lo.body, lo.scope, lo.bound, lo.b.span, lo.pinned
    lo.pinned = True
    lo.bound = dict(zip(function.params, values, strict=True))
    lo.body, lo.scope = function, function.scope
    body = function.overloads[0].body
    assert isinstance(body, ast.Block)
    only = body.body[0]
    result: Value
    if isinstance(only, ast.Return) and only.value is not None:
        result = lo.value(only.value)
    else:
        assert isinstance(only, ast.ExprStmt)
        lo.value(only.expr)
        result = zero(IR_TYPE[function.result.find().kind])
    lo.body, lo.scope, lo.bound, lo.b.span, lo.pinned = saved
    return result


def _intrinsic(lo: Lower, e: ast.Call) -> Value:
    word = e.name[len(intrinsics.PREFIX) :]
    special = _SPECIAL.get(word)
    if special is not None:
        return special(lo, e)
    entry = BUILTINS[word]
    args = tuple(lo.exprs(list(e.args)))
    if not entry.result:
        lo.b.do("call", args, word)
        return zero(I64)
    return lo.b.op("call", args, word, _RESULT[entry.result])


def _literal(e: ast.Expr) -> int:
    assert isinstance(e, ast.Number)
    return e.value


def _place(lo: Lower, e: ast.Expr) -> Place:
    """Return the place whose address an expression is."""
    value = lo.value(e)
    if isinstance(value, Place):
        return value
    return Place(value, 0, "", pointee(lo, e), e.span.text)


def pointee(lo: Lower, e: ast.Expr) -> t.Type | None:
    """Return what a variable is known to point to."""
    if isinstance(e, ast.Name):
        return lo.symbol(e).type.find().pointee
    return None


def _load(lo: Lower, e: ast.Call) -> Operand:
    place = _place(lo, e.args[0])
    space = "user" if e.name.endswith("_user") else "kernel"
    load = Load(
        place.off,
        _literal(e.args[1]),
        bool(_literal(e.args[2])),
        "error",
        _struct(place, space),
        space,
        place.what,
    )
    return lo.b.op("load", (place.base,), load)


def _struct(place: Place, space: str) -> str:
    return place.struct if space == "kernel" else ""


def _load_str(lo: Lower, e: ast.Call) -> Operand:
    place = _place(lo, e.args[0])
    space = "user" if e.name.endswith("_user") else "kernel"
    most = lo.unit.options.maxstringlen
    size = most
    limit = lo.expr(e.args[1]) if len(e.args) > 1 else None
    if isinstance(limit, Const):
        size = max(1, min(most, limit.value + 1))
    known = char_array(lo.unit.target.btf, place.type)
    if known:
        size = min(size, text_bytes(known) if limit is None else known + 1)
    load = Load(place.off, size, False, "error", _struct(place, space), space, place.what)
    text = lo.b.op("load_str", (place.base,), load, STR)
    if limit is None or isinstance(limit, Const):
        return text
    return lo.b.op("call", (text, Const(0), limit), "substr", STR)


def _load_buf(lo: Lower, e: ast.Call) -> Operand:
    place = _place(lo, e.args[0])
    load = Load(place.off, _literal(e.args[1]), False, "error", place.struct, "kernel", place.what)
    return lo.b.op("load_buf", (place.base,), load, BUF)


def _load_buf_n(lo: Lower, e: ast.Call) -> Operand:
    place = _place(lo, e.args[0])
    space = "user" if e.name.endswith("_user") else "kernel"
    load = Load(place.off, _literal(e.args[2]), False, "error", _struct(place, space), space, place.what)
    return lo.b.op("load_buf", (place.base, lo.expr(e.args[1])), load, BUF)


def _extend(lo: Lower, e: ast.Call) -> Operand:
    return lo.b.op(e.name[len(intrinsics.PREFIX) :], (lo.expr(e.args[0]),), _literal(e.args[1]))


def _sys(lo: Lower, e: ast.Call) -> Operand:
    attr = _literal(e.args[0]) if e.args else None
    return lo.b.op(e.name[len(intrinsics.PREFIX) :], (), attr)


def _around(lo: Lower, name: Operand, around: tuple[str, str]) -> Operand:
    for place, text in enumerate(around):
        if text:
            pair = (name, Text(latin(text))) if place else (Text(latin(text)), name)
            name = lo.b.op("concat", pair, None, STR)
    return name


def of_function(lo: Lower, word: str, around: tuple[str, str]) -> Operand:
    """Write a word that the name of the function is part of, at an event that is many functions."""
    number = lo.b.op("call", (), "probe_number")
    if word == "probemod":
        number = lo.b.op("shr", (number, Const(32)))
    else:
        number = lo.b.op("and", (number, Const(0xFFFFFFFF)))
    return _around(lo, lo.b.op("call", (number,), "function_name", STR), around)


def _words(lo: Lower, e: ast.Call) -> Operand:
    """Words of the probe that the handler runs at."""
    probe = lo.body.probe
    word = e.name[len(intrinsics.PREFIX) :]
    assert probe is not None
    context = probe.resolved.context
    if word == "is_return":
        return Const(int(context.returns))
    if word == "traced":
        if probe.resolved.event.kind != "kretprobe":
            return Text("")
        word = "ppfunc"
    around = context.of_call.get(word)
    if word == "pn" and probe.components != probe.point.components:
        around = None  # an alias has a name of its own
    if around is not None:
        name = lo.b.op("call", (lo.b.op("sys_nr", ()),), "syscall_name", STR)
        return _around(lo, name, around)
    if word == "pp" and context.places is not None:
        probe.resolved.event.args["places"] = context.places()
        return lo.b.op("call", (lo.b.op("call", (), "probe_number"),), "function_place", STR)
    if word == "pp" and context.place is not None:
        return Text(latin(context.place()))
    if word in context.of_function:
        return of_function(lo, word, context.of_function[word])
    text = {
        "pp": probe.resolved.text,
        "pn": probe.called,
        "ppfunc": context.function,
        "probemod": context.module,
        "probe_type": probe.resolved.type,
    }[word]
    return Text(latin(text))


def _constant(lo: Lower, e: ast.Call) -> Operand:
    word = e.name[len(intrinsics.PREFIX) :]
    unit = lo.unit
    return Const({"target": unit.options.target_pid, "hz": unit.target.hz, "page_size": 4096}[word])


def _guru(lo: Lower, e: ast.Call) -> Operand:
    """Refuse what changes the kernel, unless it is asked for."""
    name = e.args[0]
    assert isinstance(name, ast.String)
    probe = lo.body.probe
    if not lo.unit.options.guru:
        span = lo.b.span if probe is None or lo.function is None else probe.span
        words = f"{name.value}() needs guru mode"
        if all(d.message != words for d in lo.unit.bag.errors):
            lo.unit.bag.error("E235", words, span, "run with -g")
    elif name.value == "raise" and probe is not None and all(d.code != "W312" for d in lo.unit.bag.items):
        words = "raise() sends the signal a moment after the event"
        lo.unit.bag.warn("W312", words, probe.span, "the process runs on until then")
    return zero(I64)


def _exit(lo: Lower, e: ast.Call) -> Operand:
    lo.b.do("exit", (Const(0),))
    return zero(I64)


def _abort(lo: Lower, e: ast.Call) -> Operand:
    """End the run, and leave the handler: no function can do that for its caller."""
    if lo.function is not None:
        words = "abort() leaves a handler: in a function it can't"
        lo.unit.bag.error("E407", words, lo.b.span, "use exit() and return, or error(...)")
    lo.b.do("exit", (Const(0),))
    lo.b.leave(lo.next_label)
    return zero(I64)


def _message(lo: Lower, e: ast.Call) -> Operand:
    word = e.name[len(intrinsics.PREFIX) :]
    lo.b.do("raise" if word == "error" else word, (lo.expr(e.args[0]),))
    return zero(I64)


_SPECIAL = {
    **dict.fromkeys(("load", "load_user"), _load),
    **dict.fromkeys(("load_str", "load_str_n", "load_str_user", "load_str_n_user"), _load_str),
    "load_buf": _load_buf,
    "load_buf_n": _load_buf_n,
    "load_buf_n_user": _load_buf_n,
    "sext": _extend,
    "zext": _extend,
    **dict.fromkeys(("sys_nr", "sys_arg", "sys_ret"), _sys),
    **dict.fromkeys(("pp", "pn", "ppfunc", "probemod", "probe_type", "is_return", "traced"), _words),
    **dict.fromkeys(("target", "hz", "page_size"), _constant),
    "register": registers.register,
    "u_register": registers.register,
    "registers_valid": registers.valid,
    "arg": registers.arg,
    "returned": registers.returned,
    "guru": _guru,
    "exit": _exit,
    "abort": _abort,
    **dict.fromkeys(("error", "line", "warn"), _message),
}

TABLE: dict[type, Any] = {ast.Call: call}
