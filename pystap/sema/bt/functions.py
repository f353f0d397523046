"""`fn name($a: type): type { ... }`: written in place of the call, with variables of its own."""

from __future__ import annotations

from ...ir.nodes import Label, Local
from ...ir.nodes import Scope as IrScope
from ...lang.bt import ast
from ...node import Node
from . import ctypes_, types
from .assign import make, store
from .body import error
from .scope import Scope
from .types import T, merge, name, parts
from .values import Val

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...ir.nodes import Stmt
    from .body import Body


class Frame(Node):
    """The function that is being written: where `return` goes, and the locals of its value."""

    name: str
    label: Label
    type: T
    result: tuple[Local, ...]


def find(body: Body, word: str) -> ast.Function | None:
    """Return the script's function of that name, or None."""
    for function in body.unit.tree.functions:
        if function.name == word:
            return function
    return None


def call_function(body: Body, e: ast.Call, function: ast.Function) -> Val:
    """Write a call; give the function's value."""
    if ("fn", function.name) in body.scope.place:
        raise error("E267", f"the function '{function.name}' uses itself", e.span)
    wanted = len(function.parameters)
    if len(e.args) != wanted:
        noun = "argument" if wanted == 1 else "arguments"
        raise error("E202", f"{function.name}() takes {wanted} {noun}, not {len(e.args)}", e.span)
    values = [body.held(body.coerced(v)) for v in body.values(e.args)]  # type: ignore[arg-type]
    outer, loops, frame = body.scope, body.loops, body.frame
    body.scope = Scope(outer, {}, (*outer.place, ("fn", function.name), e.span.start))
    body.loops = []
    try:
        for parameter, value, arg in zip(function.parameters, values, e.args, strict=True):
            var = make(body, parameter.name, parameter.span)
            var.declared = ctypes_.resolve(body, parameter.type)
            var.settle(var.declared)
            store(body, var, value, arg.span)
        result = types.VOID if function.returns is None else ctypes_.resolve(body, function.returns)
        return _written(body, function, result)
    finally:
        body.scope, body.loops, body.frame = outer, loops, frame


def _written(body: Body, function: ast.Function, type: T) -> Val:
    locals_ = tuple(body.local(part, "r") for part in parts(type))
    label = Label(function.name)
    body.frame = Frame(function.name, label, type, locals_)
    inner: list[Stmt] = []
    before = body.b.into(inner)
    body.block(function.body)
    body.b.into(before)
    body.b.out.append(IrScope(label, inner, function.span))
    return Val(type, list(locals_))


def return_from(body: Body, node: ast.Return, frame: Frame) -> None:
    """`return [value]` in a function."""
    if frame.type.kind == "void":
        if node.value is not None:
            raise error("E251", f"{frame.name}() has no value to return", node.span)
    else:
        if node.value is None:
            raise error("E251", f"{frame.name}() has to return {name(frame.type)}", node.span)
        value = body.coerced(body.value(node.value))
        if value.type.kind != "none":
            _check(frame, value, node)
            for local, op in zip(frame.result, body.ops(value), strict=True):
                body.b.mov(local, op)
    body.b.leave(frame.label)


def _check(frame: Frame, value: Val, node: ast.Return) -> None:
    if merge(frame.type, value.type) is None or (frame.type.kind == "ptr") != (value.type.kind == "ptr"):
        raise error("E251", f"{frame.name}() returns {name(frame.type)}, not {name(value.type)}", node.span)
