"""Functions on maps and on the run: clear, zero, delete, len, has_key, exit."""

from __future__ import annotations

from ...ir.nodes import I64, Const
from ...lang.bt import ast
from . import assign, types
from .body import error
from .types import BOOL, UINT64, name
from .values import Val

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..build import Operand
    from .body import Body
    from .maps import MapInfo


def whole(body: Body, call: ast.Call) -> MapInfo:
    """Return the map that an argument is."""
    node = call.args[0]
    if isinstance(node, ast.Map):
        bound = body.scope.bound("@" + node.name)
        target = bound.node if bound is not None else node
        assert isinstance(target, ast.Map)
        info = body.unit.map(target.name, node.span)
        if info.value.kind == "none":
            body.unit.missing(info, node.span)
        return info
    raise error("E251", f"{call.name}() needs a map", node.span, f"{call.name}(@name)")


def _nothing() -> Val:
    return Val(types.VOID, [])


def clear(body: Body, call: ast.Call) -> Val:
    """`clear(@m)`: no elements."""
    info = whole(body, call)
    body.b.do("clear", (), info.glob)
    _unset(body, info)
    return _nothing()


def zero(body: Body, call: ast.Call) -> Val:
    """`zero(@m)`: all values 0."""
    info = whole(body, call)
    body.b.do("zero", (), info.glob)
    if not info.doubtful:  # it may be 0 now, and is there
        info.doubtful = True
        body.unit.dirty = body.unit.dirty or info.plain
    return _nothing()


def delete(body: Body, call: ast.Call) -> Val:
    """`delete(@m, key)`, `delete(@m[key])`, `delete(@scalar)`; its value says whether it was there."""
    node = call.args[0]
    try:
        if len(call.args) == 2:
            info, keys = _with_key(body, call)
        elif isinstance(node, (ast.Map, ast.MapAccess)):
            if isinstance(node, ast.Map) and body.unit.map(node.name, node.span).keys:
                raise error(
                    "E252", f"'@{node.name}' has keys", node.span, "delete(@map, key); clear(@map) for all"
                )
            info, keys = assign.place_of(body, node)
        else:
            raise error("E251", "delete() needs a map and a key", node.span, "delete(@name, key)")
    except assign.Given:
        return _nothing()
    was = body.b.op("has", tuple(keys), info.glob, I64)  # dropped later when nobody uses it
    body.b.do("delete", tuple(keys), info.glob)
    _unset(body, info)
    return Val(BOOL, [was])


def _unset(body: Body, info: MapInfo) -> None:
    """A map without keys isn't there any more."""
    flag = info.flag(body.unit, True)
    if flag is not None:
        body.b.do("clear", (), flag)


def _with_key(body: Body, call: ast.Call) -> assign.Place:
    info = whole(body, call)
    key = call.args[1]
    assert isinstance(key, ast.Expr)
    key_types, ops = assign.keys_of(body, [body.value(key)], key)
    if key_types is None or not info.meet_keys(body.unit, key_types, key.span):
        raise assign.Given
    return info, ops


def _lookup(body: Body, call: ast.Call) -> tuple[MapInfo, list[Operand], Val]:
    info, keys = _with_key(body, call)
    if not info.keys:
        raise error("E252", f"'{info.text}' has no keys", call.span)
    return info, keys, Val(BOOL, [body.b.op("has", tuple(keys), info.glob, I64)])


def has_key(body: Body, call: ast.Call) -> Val:
    """`has_key(@m, key)`."""
    try:
        return _lookup(body, call)[2]
    except assign.Given:
        return Val(BOOL, [Const(0)])


def find(body: Body, call: ast.Call) -> Val:
    """`find(@m, key, $x)`: whether the element is there; $x gets its value then, and else keeps its own."""
    node = call.args[2]
    if not isinstance(node, ast.Variable):
        raise error("E251", "the third argument of find() is a variable", node.span, "find(@name, key, $x)")
    if body.scope.bound("$" + node.name) is None and body.scope.find(node.name) is None:
        raise error("E250", f"undefined variable '${node.name}'", node.span, f"let ${node.name};")
    try:
        info, keys, there = _lookup(body, call)
    except assign.Given:
        return Val(BOOL, [Const(0)])
    there = body.held(there)
    then, _ = body.b.branch(body.ops(there)[0])
    before = body.b.into(then)
    assign.assign_variable(body, node.name, assign.element(body, info, keys, call.span), node.span)
    body.b.into(before)
    return there


def len_(body: Body, call: ast.Call) -> Val:
    """`len(@m)`: how many elements; of an array, its count."""
    node = call.args[0]
    if isinstance(node, ast.Map):
        return Val(UINT64, [body.b.op("size", (), whole(body, call).glob, I64)])
    value = body.value(node)
    type = value.type
    if type.kind in ("kstack", "ustack"):
        return Val(UINT64, [body.call("stack_len", body.ops(value)[-1])])
    if type.kind == "array":
        from .values import number

        return number(type.ctype.count, UINT64)
    if type.kind == "str":
        return Val(UINT64, [body.call("strlen", body.ops(value)[0])])
    if type.kind == "none":
        return Val(UINT64, [Const(0)])
    raise error("E251", f"len() needs a map, a stack or an array, not {name(type)}", node.span)


def exit_(body: Body, call: ast.Call) -> Val:
    """`exit([code])`: ends the handler and the run."""
    code = body.number_of(call.args[0], "exit()")[0] if call.args else Const(0)  # type: ignore[arg-type]
    body.b.do("exit", (code,))
    body.b.leave(body.label)
    return _nothing()


TABLE: dict[str, tuple[int, int, Callable[[Body, ast.Call], Val]]] = {
    "clear": (1, 1, clear),
    "zero": (1, 1, zero),
    "delete": (1, 2, delete),
    "has_key": (2, 2, has_key),
    "find": (3, 3, find),
    "len": (1, 1, len_),
    "exit": (0, 1, exit_),
}
