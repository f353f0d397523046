"""tracepoint:syscalls:sys_enter_NAME, sys_exit_NAME and tracepoint:raw_syscalls: by the pair of raw tracepoints.

A pattern is one event with a list of numbers, whatever number of calls it names.
"""

from __future__ import annotations

from ...diag import did_you_mean
from ...ir.nodes import Const, Event, Text
from ...probes.base import glob_filter, has_glob
from ...probes.syscall_tracepoints import NUMBERS, arguments, names
from . import types
from .body import error
from .points import Point
from .types import INT64, T
from .values import Val

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ...lang.bt import ast
    from ..build import Operand
    from .body import Body
    from .points import Make
    from .unit import Unit


def resolve(unit: Unit, attach: ast.AttachPoint) -> list[Point]:
    """Return the points of `tracepoint:syscalls:...`."""
    func = attach.func
    out: list[Point] = []
    for prefix, kind in (("sys_enter_", "sys_enter"), ("sys_exit_", "sys_exit")):
        if has_glob(func):
            found = glob_filter(func, [prefix + n for n in names()])
            if found:
                out.append(_many(unit, attach, kind, [w.removeprefix(prefix) for w in found], prefix))
        elif func.startswith(prefix):
            word = func.removeprefix(prefix)
            if word in NUMBERS:
                out.append(_one(unit, attach, kind, word, prefix))
    if out:
        return out
    known = [p + n for n in names() for p in ("sys_enter_", "sys_exit_")]
    near = None if has_glob(func) else did_you_mean(func, known)
    hint = f"did you mean '{near}'?" if near else "they are called sys_enter_NAME and sys_exit_NAME"
    raise error("E305", f"there is no tracepoint 'syscalls:{func}'", attach.span, hint)


def _point(attach: ast.AttachPoint, kind: str, name: str, numbers: list[int] | None, text: str) -> Point:
    event = Event(kind, name, {"numbers": numbers})
    point = Point("tracepoint", text, event, attach.span, f"tracepoint {text}")
    point.space = "user"
    point.fields["__syscall_nr"] = _nr
    if kind == "sys_exit":
        point.fields["ret"] = _ret
    return point


def _nr(body: Body) -> Val:
    return Val(types.INT32, [body.b.op("sys_nr", ())])


def _id(body: Body) -> Val:
    return Val(INT64, [body.b.op("sys_nr", ())])


def _ret(body: Body) -> Val:
    return Val(INT64, [body.b.op("sys_ret", ())])


def _one(unit: Unit, attach: ast.AttachPoint, kind: str, word: str, prefix: str) -> Point:
    point = _point(attach, kind, word, [NUMBERS[word]], f"tracepoint:syscalls:{prefix}{word}")
    if kind == "sys_enter":
        for n, (name, ctype) in enumerate(arguments(word)):
            point.fields[name] = _argument(unit, n, ctype)
    return point


def _argument(unit: Unit, n: int, ctype: str) -> Make:
    def make(body: Body) -> Val:
        type = c_words(body, ctype)
        operand: Operand = body.b.op("sys_arg", (), n)
        if type.kind in ("int", "bool") and type.size < 8:
            operand = body.b.op("sext" if type.signed else "zext", (operand,), 8 * type.size)
        return Val(type, [operand])

    return make


def c_words(body: Body, text: str) -> T:
    """Return the type of C words ("const char*", "struct sockaddr*", "umode_t")."""
    from .ctypes_ import Made, find

    btf = body.unit.btf
    stars = text.count("*")
    words = [w for w in text.replace("*", " ").split() if w != "const"]
    if words and words[0] in ("struct", "union", "enum"):
        ctype = btf.find_tagged(words[0], words[-1])
    else:
        word = {"unsigned": "unsigned int"}.get(" ".join(words), " ".join(words))
        known = types.SCALARS.get(word)
        if known is not None and not stars:
            return known
        ctype = None if word == "void" else find(btf, word)
        if ctype is None and known is not None and known.kind == "int":
            ctype = Made.integer(known)
    for _ in range(stars - 1):
        ctype = Made.pointer(ctype)
    if stars:
        return T("ptr", 8, False, ctype, space="user")
    if ctype is None:
        return types.UINT64
    type = types.of_ctype(btf, ctype, "user")
    return type if type.kind in ("int", "bool", "ptr") else types.UINT64


def _common(unit: Unit, words: list[str]) -> dict[str, Make]:
    """Return what reads the arguments that all of some calls have, wherever each has it."""
    places: dict[str, list[tuple[int, int, str]]] = {}
    for word in words:
        for n, (name, ctype) in enumerate(arguments(word)):
            places.setdefault(name, []).append((NUMBERS[word], n, ctype))
    return {name: _placed(unit, found) for name, found in places.items() if len(found) == len(words)}


def _placed(unit: Unit, found: list[tuple[int, int, str]]) -> Make:
    """Return what reads an argument that has, by the call's number, one place or another."""
    first, ctype = found[0][1], found[0][2]
    if all(n == first for _, n, _ in found):
        return _argument(unit, first, ctype)

    def make(body: Body) -> Val:
        value = _argument(unit, first, ctype)(body)
        local = body.local("i64", "a")
        body.b.mov(local, value.ops[0])  # type: ignore[index]
        nr = body.b.op("sys_nr", ())
        for number, n, other in found:
            if n != first:
                then, _ = body.b.branch(body.b.op("eq", (nr, Const(number))))
                before = body.b.into(then)
                body.b.mov(local, _argument(unit, n, other)(body).ops[0])  # type: ignore[index]
                body.b.into(before)
        return Val(value.type, [local])

    return make


def _many(unit: Unit, attach: ast.AttachPoint, kind: str, words: list[str], prefix: str) -> Point:
    every = len(words) == len(names())
    numbers = None if every else [NUMBERS[w] for w in words]
    text = f"tracepoint:syscalls:{prefix}{words[0]}" if len(words) == 1 else attach.name
    point = _point(attach, kind, words[0] if len(words) == 1 else "", numbers, text)
    if len(words) > 1:
        point.probe_text = _probe_text(kind)
    if kind == "sys_enter":
        point.fields.update(_common(unit, words))
    return point


def _probe_text(kind: str) -> Callable[[Body], Operand]:
    """The point's own name, from the number of the call."""

    def make(body: Body) -> Operand:
        return body.text_call("syscall_tracepoint", Text(kind), body.b.op("sys_nr", ()))

    return make


def raw(unit: Unit, attach: ast.AttachPoint) -> list[Point]:
    """`tracepoint:raw_syscalls:sys_enter`, `sys_exit`."""
    out = []
    for kind in ("sys_enter", "sys_exit"):
        if attach.func == kind or (has_glob(attach.func) and glob_filter(attach.func, [kind])):
            text = f"tracepoint:raw_syscalls:{kind}"
            point = Point("tracepoint", text, Event(kind, "", {"numbers": None}), attach.span)
            point.space = "user"
            point.fields["id"] = _id
            point.fields["args" if kind == "sys_enter" else "ret"] = _all if kind == "sys_enter" else _ret
            out.append(point)
    if not out:
        near = did_you_mean(attach.func, ("sys_enter", "sys_exit"))
        words = f"this kernel has no tracepoint 'raw_syscalls:{attach.func}'"
        raise error("E303", words, attach.span, f"did you mean '{near}'?" if near else "")
    return out


def _all(body: Body) -> Val:
    """`args.args`: the six words; an element is read when its index is known."""
    from .ctypes_ import Made

    word = Made.integer(types.UINT64)
    return Val(T("array", 0, False, Made.array(word, 6), space="user"), None, None, None, _word)


def _word(body: Body, n: int) -> Val:
    return Val(types.UINT64, [body.b.op("sys_arg", (), n)])
