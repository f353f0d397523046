"""Folding, copy propagation, common subexpressions and dead code, on structured IR.

All of it works on locals that are assigned once: sema's temporaries and most script variables.
"""

from __future__ import annotations

from ..builtins import TABLE
from ..ir.nodes import Call, Const, ForEach, Global, If, Leave, Local, Loop, Op, Scope, Stmt, Text, Try
from ..ir.ops import OPS
from ..ir.walk import blocks, count_defs, count_uses, labels_left, unassigned
from .arith import fold
from .known import Known, global_key, written

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def simplify(body: list[Stmt], constants: dict[Global, Any], result: Local | None = None) -> list[Stmt]:
    """Return the simplified body.

    constants: scalars that nobody writes, and their values; result: a local that is read when the body has ended.
    """
    for _ in range(4):
        pass_ = _Pass(body, constants, result)
        body = sweep(pass_.block(body, Known()), result)
        if not pass_.changed:
            break
    return body


def effects(stmt: Op) -> str:
    """Return the effects of an operation, the builtin's own for a call."""
    if stmt.name == "call":
        return TABLE[stmt.attr].effects
    return OPS[stmt.name].effects


def is_pure(stmt: Op) -> bool:
    """Whether the operation may be dropped when nobody uses its result.

    A read that would fault is dropped too: SystemTap elides unused assignments of an alias the same way.
    """
    return not set(effects(stmt).split()) - {"ctx", "read", "clock", "fault"}


class _Pass:
    def __init__(self, body: list[Stmt], constants: dict[Global, Any], result: Local | None) -> None:
        self.constants = constants
        counts = count_defs(body)
        early = unassigned(body)
        self.once = {v for v, n in counts.items() if n == 1 and v not in early and v is not result}
        self.value: dict[Local, Any] = {}
        self.changed = False

    def operand(self, v: Any) -> Any:
        new = self.value.get(v, v) if isinstance(v, Local) else v
        if new is not v:
            self.changed = True
        return new

    def block(self, body: list[Stmt], known: Known) -> list[Stmt]:
        """Simplify a body; known: expression -> local that holds it, valid from here on."""
        out: list[Stmt] = []
        for stmt in body:
            if isinstance(stmt, Op):
                self._op(stmt, known, out)
            elif isinstance(stmt, If):
                self._if(stmt, known, out)
            elif isinstance(stmt, Call):
                stmt.args = tuple(map(self.operand, stmt.args))
                known.forget_globals()
                out.append(stmt)
            else:
                self._other(stmt, known, out)
            if isinstance(stmt, Leave):
                break
        return out

    def _op(self, op: Op, known: Known, out: list[Stmt]) -> None:
        args = op.args = tuple(map(self.operand, op.args))
        dst = op.dst
        if OPS[op.name].on_global:
            self.memory(op, known)
        if dst is not None and dst in self.once:
            new = self._known_value(op, known)
            if new is not None:
                self.value[dst] = new
                self.changed = True
                return
            key = _expression_key(op)
            if key is not None and all(not isinstance(a, Local) or a in self.once for a in args):
                known.learn(key, dst)
        out.append(op)

    def _known_value(self, op: Op, known: Known) -> Any:
        if op.name == "mov":
            source = op.args[0]
            if not isinstance(source, Local) or source in self.once:
                return source
            return None
        if op.name == "get":
            return self.constants.get(op.attr) or self._remembered(op, known)
        numbers = [a.value for a in op.args if isinstance(a, Const)]
        if numbers and len(numbers) == len(op.args):
            number = fold(op.name, numbers, op.attr)
            if number is not None:
                return Const(number)
        texts = [a.value for a in op.args if isinstance(a, Text)]
        if op.name in ("str_eq", "str_ne") and len(texts) == 2:
            return Const(int((texts[0] == texts[1]) == (op.name == "str_eq")))
        key = _expression_key(op)
        return None if key is None else known.get(key)

    def _if(self, stmt: If, known: Known, out: list[Stmt]) -> None:
        cond = stmt.cond = self.operand(stmt.cond)
        if isinstance(cond, Const):
            self.changed = True
            out += self.block(stmt.then if cond.value else stmt.els, known)
            return
        mark = known.mark()
        stmt.then = self.block(stmt.then, known)
        changed = known.back(mark)
        stmt.els = self.block(stmt.els, known)
        changed |= known.back(mark)
        known.leave(changed)
        out.append(stmt)

    def _other(self, stmt: Stmt, known: Known, out: list[Stmt]) -> None:
        if isinstance(stmt, ForEach):
            if stmt.limit is not None:
                stmt.limit = self.operand(stmt.limit)
            if stmt.slice is not None:
                stmt.slice = tuple(None if v is None else self.operand(v) for v in stmt.slice)
        elif isinstance(stmt, Scope) and stmt.label not in labels_left(stmt.body):
            self.changed = True
            out += self.block(stmt.body, known)
            return
        if isinstance(stmt, (Loop, ForEach)):
            # its body sees what was known before it: locals assigned once don't change in it
            known.forget_changed_in(stmt.body)
        changed: dict[int, None] = {}
        mark = known.mark()
        for block in blocks(stmt):
            block[:] = self.block(block, known)
            changed |= known.back(mark)
        known.leave(changed)
        out.append(stmt)

    # what globals are known to hold: a handler runs alone, so only its own statements change them

    def memory(self, op: Op, known: Known) -> None:
        """Take note of what an operation does to a global."""
        number = written(op)
        if not number:
            return
        known.forget((number,))
        glob = op.attr[0] if isinstance(op.attr, tuple) else op.attr
        keys = op.args[: len(glob.keys)]
        if glob.value != "i64" or not all(self._steady(k) for k in keys):
            return
        if op.name == "set" and self._steady(op.args[-1]):
            known.learn(global_key(glob, keys), op.args[-1])
        elif op.name == "add_to" and op.dst is None:
            known.learn(global_key(glob, keys), op)

    def _steady(self, operand: Any) -> bool:
        return not isinstance(operand, Local) or operand in self.once

    def _remembered(self, op: Op, known: Known) -> Any:
        """Return the operand that holds what a read of a global would give, or None.

        What an addition left behind is that addition's own result: it becomes a fetch-and-add.
        """
        if op.attr.value != "i64" or not all(self._steady(k) for k in op.args):
            return None
        key = global_key(op.attr, op.args)
        held = known.get(key)
        if isinstance(held, Op):
            if held.dst is None:  # else a read in a branch before this one asked for it already
                held.name, held.attr = "add_fetch", (op.attr, "new")
                held.dst = Local(op.attr.name, "i64")
                self.once.add(held.dst)
                self.changed = True
            known.learn(key, held.dst)
            return held.dst
        if held is None:
            assert op.dst is not None
            known.learn(key, op.dst)
        return held


def _expression_key(op: Op) -> Any:
    """Return what identifies the value of an operation that always gives the same in one run, or None."""
    if op.name in ("load", "load_str", "load_buf", "mov", "tuple", "sprintf"):
        return None
    if set(effects(op).split()) - {"ctx"}:
        return None
    attr = op.attr
    if attr is not None and not isinstance(attr, (int, str, tuple)):
        return None
    names = tuple(("c", a.value) if isinstance(a, (Const, Text)) else ("l", id(a)) for a in op.args)
    return (op.name, attr, names)


def sweep(body: list[Stmt], result: Local | None = None) -> list[Stmt]:
    """Drop operations whose result nobody uses, and control that holds nothing."""
    while True:
        used = count_uses(body)
        if result is not None:
            used[result] = 1
        size = _size(body)
        body = _sweep(body, used)
        if _size(body) == size:
            return body


def _size(body: list[Stmt]) -> int:
    return sum(1 + sum(_size(b) for b in blocks(s)) for s in body)


def _without_dead_stores(body: list[Stmt]) -> list[Stmt]:
    """Drop assignments that a later one of the same straight line replaces unread."""
    replaced: set[Local] = set()
    out: list[Stmt] = []
    for stmt in reversed(body):
        if not isinstance(stmt, Op):
            replaced.clear()
        else:
            if type(stmt.dst) is Local and stmt.dst in replaced and is_pure(stmt):
                continue
            if stmt.dst is not None:
                replaced.add(stmt.dst)
            if "fault" in effects(stmt):
                replaced.clear()  # a handler of the fault may read what was there before
            replaced.difference_update(a for a in stmt.args if isinstance(a, Local))
        out.append(stmt)
    out.reverse()
    return out


def _sweep(body: list[Stmt], used: dict[Local, int]) -> list[Stmt]:
    body = _without_dead_stores(body)
    out: list[Stmt] = []
    for stmt in body:
        if isinstance(stmt, Op):
            dst = stmt.dst
            if dst is not None and dst not in used and is_pure(stmt) and not hasattr(dst, "field"):
                continue  # (a place in the record has a field, and the record is read elsewhere)
        elif isinstance(stmt, If):
            stmt.then = _sweep(stmt.then, used)
            stmt.els = _sweep(stmt.els, used)
            if not stmt.then and not stmt.els:
                continue
        elif isinstance(stmt, Scope):
            stmt.body = _sweep(stmt.body, used)
            while stmt.body and isinstance(stmt.body[-1], Leave) and stmt.body[-1].label is stmt.label:
                stmt.body.pop()
            if not stmt.body:
                continue
        elif isinstance(stmt, Try):
            stmt.body = _sweep(stmt.body, used)
            stmt.handler = _sweep(stmt.handler, used)
            if not stmt.body:
                continue
        elif isinstance(stmt, (Loop, ForEach)):
            stmt.body = _sweep(stmt.body, used)
        out.append(stmt)
    return out
