"""Inlining (R1): event handlers hold no calls of script functions, user handlers keep theirs.

A recursive function can't be inlined: its call stays, and staging runs it in the user stage.
"""

from __future__ import annotations

from ..ir.nodes import I64, Call, Const, Function, Module, Op, Scope, Stmt, Text
from ..ir.walk import Cloner, blocks, statements, unassigned

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def inline(module: Module) -> None:
    """Inline the calls in every event handler of the module."""
    missing: dict[Function, list[Any]] = {}
    for handler in module.handlers:
        if not handler.event.user:
            handler.body = _inline(handler.body, missing)


def called(module: Module) -> list[Function]:
    """Return the functions that are called still."""
    seen: set[Function] = set()
    waiting = [h.body for h in module.handlers]
    while waiting:
        for stmt in statements(waiting.pop()):
            if isinstance(stmt, Call) and stmt.func not in seen:
                seen.add(stmt.func)
                waiting.append(stmt.func.body)
    return [f for f in module.functions if f in seen]


def zero(kind: str) -> Any:
    """Return the operand for the value of an unassigned local."""
    return Const(0) if kind == I64 else Text("")


def _inline(body: list[Stmt], missing: dict[Function, list[Any]]) -> list[Stmt]:
    out: list[Stmt] = []
    for stmt in body:
        if isinstance(stmt, Call) and not stmt.func.recursive:
            out += _expand(stmt, missing)
            continue
        for block in blocks(stmt):
            block[:] = _inline(block, missing)
        out.append(stmt)
    return out


def _expand(call: Call, missing: dict[Function, list[Any]]) -> list[Stmt]:
    func = call.func
    unset = missing.get(func)
    if unset is None:
        unset = missing[func] = list(unassigned(func.body, frozenset(func.params)))
        if func.result is not None and func.result not in unset:
            unset.append(func.result)
    cloner = Cloner()
    label = cloner.own(func.label)
    inner: list[Stmt] = [
        Op(cloner.operand(param), "mov", (arg,), None, call.span)
        for param, arg in zip(func.params, call.args, strict=True)
    ]
    inner += [Op(cloner.operand(v), "mov", (zero(v.type),), None, call.span) for v in unset]
    inner += _inline(cloner.body(func.body), missing)
    out: list[Stmt] = [Scope(label, inner, call.span)]
    if call.dst is not None and func.result is not None:
        out.append(Op(call.dst, "mov", (cloner.operand(func.result),), None, call.span))
    return out
