"""Functions that ask for types and constants, decided when the script is compiled."""

from __future__ import annotations

from ...btf import types as bt
from ...ir.nodes import Const, Text
from ...lang.bt import ast
from ..build import latin
from . import ctypes_, types
from .body import error
from .output import place_of_message
from .types import BOOL
from .values import Val, number, string

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .body import Body


def _is(test: Callable[[types.T], bool]) -> Callable[[Body, ast.Call], Val]:
    """A question about the type of an expression, which isn't run."""

    def write(body: Body, call: ast.Call) -> Val:
        known = int(test(ctypes_.type_of(body, call.args[0])))
        return Val(BOOL, [Const(known)], None, known)

    return write


def is_literal(body: Body, call: ast.Call) -> Val:
    """`is_literal(e)`: whether its value is known now."""
    before = body.b.into([])
    known = int(body.value(call.args[0]).const is not None)
    body.b.into(before)
    return Val(BOOL, [Const(known)], None, known)


def static_assert(body: Body, call: ast.Call) -> Val:
    """`static_assert(condition [, text])`."""
    value = body.value(call.args[0])
    if value.const is None:
        raise error("E258", "this isn't known when the script is compiled", call.args[0].span)
    if not value.const:
        words = body.literal(call.args[1], "the message") if len(call.args) == 2 else call.args[0].span.text
        raise error("E266", f"static assertion failed: {words}", call.span)
    return Val(types.VOID, [])


def assert_str(body: Body, call: ast.Call) -> Val:
    """`assert_str(e)`: a mistake unless it is a string, or characters in memory."""
    type = ctypes_.type_of(body, call.args[0])
    inner = None
    if type.kind in ("ptr", "array") and type.ctype is not None:
        inner = body.unit.btf.resolve(type.ctype.type if type.kind == "array" else type.ctype)
    characters = isinstance(inner, bt.Int) and inner.size == 1
    if type.kind not in ("str", "none") and not characters:
        raise error("E251", f"assert_str() needs a string, not {types.name(type)}", call.args[0].span)
    return Val(types.VOID, [])


def fail(body: Body, call: ast.Call) -> Val:
    """`fail("format", ...)`: a mistake wherever it is compiled; its values are known then."""
    from .output import known_text

    raise error("E266", known_text(body, call), call.span)


def assert_(body: Body, call: ast.Call) -> Val:
    """`assert(condition, "text")`: ends the run with status 1 unless it holds."""
    words = latin(body.literal(call.args[1], "the message"))
    operand, _ = body.truth(call.args[0])  # type: ignore[arg-type]
    _, els = body.b.branch(operand)
    before = body.b.into(els)
    text = latin(place_of_message(call.span, "log")) + "assert failed: " + words
    body.b.do("log", (Text(text),))
    body.b.do("exit", (Const(1),))
    body.b.leave(body.label)
    body.b.into(before)
    return Val(types.VOID, [])


def cgroupid(body: Body, call: ast.Call) -> Val:
    """`cgroupid("/sys/fs/cgroup/...")`: the id of a cgroup."""
    path = body.literal(call.args[0], "the path of cgroupid()")
    from os import stat

    try:
        return number(stat(path).st_ino, types.UINT64)
    except OSError as failed:
        raise error("E267", f"there is no cgroup '{path}': {failed.strerror}", call.args[0].span) from None


def default_str_length(body: Body, call: ast.Call) -> Val:
    """`default_str_length()`: the setting max_strlen."""
    return number(body.unit.config.max_strlen, types.UINT64)


def kfunc_exist(body: Body, call: ast.Call) -> Val:
    """`kfunc_exist("name")`: whether this kernel has a function of that name in its BTF."""
    word = body.literal(call.args[0], "the name of a function")
    known = int(body.unit.btf.find_func(word) is not None)
    return Val(BOOL, [Const(known)], None, known)


def getopt(body: Body, call: ast.Call) -> Val:
    """`getopt("name" [, default [, help]])`: an option among the script's arguments."""
    word = body.literal(call.args[0], "the name of getopt()")
    default = body.value(call.args[1]) if len(call.args) > 1 else number(0, BOOL)
    text = default.type.kind == "str"
    for arg in body.unit.options.args:
        if arg == f"--{word}":
            return string("") if text else number(1, default.type)
        if arg.startswith(f"--{word}="):
            given = arg.partition("=")[2]
            if text:
                return string(latin(given))
            if given in ("true", "false"):
                return number(int(given == "true"), default.type)
            try:
                return number(int(given, 0), default.type)
            except ValueError:
                raise error("E260", f"--{word} needs a number, not '{given}'", call.span) from None
    return default


def container_of(body: Body, call: ast.Call) -> Val:
    """`container_of(pointer, type, member)`."""
    from .access import offsetof

    target = call.args[1]
    path: list[str] = []
    node = call.args[2]
    while isinstance(node, ast.Member):
        path.insert(0, node.name)
        node = node.base
    if not isinstance(node, ast.Identifier):
        raise error("E231", "the third argument of container_of() is a member's name", call.args[2].span)
    path.insert(0, node.name)
    off = offsetof(body, ast.Offsetof(call.span, target, tuple(path)))
    operand, _ = body.number_of(call.args[0], "container_of()")  # type: ignore[arg-type]
    type = ctypes_.type_of(body, target)
    assert isinstance(off.const, int)
    return Val(types.T("ptr", 8, False, type.ctype), [body.b.offset(operand, -off.const)])


TABLE: dict[str, tuple[int, int, Callable[[Body, ast.Call], Val]]] = {
    "is_str": (1, 1, _is(lambda t: t.kind == "str")),
    "is_ptr": (1, 1, _is(lambda t: t.kind == "ptr")),
    "is_array": (1, 1, _is(lambda t: t.kind == "array")),
    "is_integer": (1, 1, _is(lambda t: t.kind == "int")),
    "is_unsigned_integer": (1, 1, _is(lambda t: t.kind == "int" and not t.signed)),
    "is_literal": (1, 1, is_literal),
    "static_assert": (1, 2, static_assert),
    "assert": (2, 2, assert_),
    "assert_str": (1, 1, assert_str),
    "fail": (1, 99, fail),
    "cgroupid": (1, 1, cgroupid),
    "default_str_length": (0, 0, default_str_length),
    "kfunc_exist": (1, 1, kfunc_exist),
    "getopt": (1, 3, getopt),
    "container_of": (3, 3, container_of),
}
