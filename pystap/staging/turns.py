"""How many turns a loop can make, where its own counter says so: its log needs no more room than for these.

    for (i = 0; i < 5; i++) ...    i begins with a constant; at the loop's top level a test leaves it, and a step raises i

Found in the kernel half; None where nothing is known.
"""

from __future__ import annotations

from ..ir.nodes import Const, If, Leave, Local, Loop, Op, Stmt
from ..ir.walk import blocks, count_defs, defs, statements
from .plan import LogEntry, LogLoop

_LIMITS = {"lt": 0, "le": 1}


def most_logged(body: list[Stmt], whole: list[Stmt]) -> int | None:
    """Return the bytes that the log of a kernel half gets at most, None if that is not known. whole: all of the handler."""
    total = 0
    for stmt in body:
        if isinstance(stmt, Op) and isinstance(stmt.attr, LogEntry):
            total += stmt.attr.size
            continue
        turns = most_turns(stmt, whole) if isinstance(stmt, LogLoop) else 1
        for block in blocks(stmt):
            inner = most_logged(block, whole)
            if inner is None or (turns is None and inner):
                return None
            total += inner * (turns or 0)
    return total


def most_turns(loop: Loop, whole: list[Stmt]) -> int | None:
    """Return how often a loop's body begins at most."""
    tests = {stmt.dst: stmt for stmt in loop.body if isinstance(stmt, Op) and stmt.name in _LIMITS}
    known: list[int] = []
    for stmt in loop.body:
        test = tests.get(stmt.cond) if isinstance(stmt, If) and isinstance(stmt.cond, Local) else None
        if test is None or not isinstance(stmt, If) or not _leaves(stmt.els, loop):
            continue
        counter, limit = test.args
        if isinstance(counter, Local) and isinstance(limit, Const) and _once(stmt.cond, whole):
            first = _begins(counter, loop, whole)
            if first is not None:
                known.append(max(0, limit.value + _LIMITS[test.name] - first) + 1)
    return min(known, default=None)


def _leaves(body: list[Stmt], loop: Loop) -> bool:
    last = body[-1] if body else None
    return isinstance(last, Leave) and last.label is loop.label


def _once(local: object, whole: list[Stmt]) -> bool:
    return isinstance(local, Local) and count_defs(whole).get(local) == 1


def _begins(counter: Local, loop: Loop, whole: list[Stmt]) -> int | None:
    """Return the least number that a counter begins with (0 as all locals); None if it isn't one that each turn raises."""
    inside = {id(s) for s in statements(loop.body)}
    raised = False
    least = 0
    for stmt in statements(whole):
        if counter not in defs(stmt):
            continue
        if not isinstance(stmt, Op):
            return None
        if id(stmt) in inside:
            step = stmt.args[1] if stmt.name == "add" and stmt.args[0] is counter else None
            if not isinstance(step, Const) or step.value < 1 or not any(stmt is s for s in loop.body):
                return None
            raised = True
        elif stmt.name == "mov" and isinstance(stmt.args[0], Const):
            least = min(least, stmt.args[0].value)
        else:
            return None
    return least if raised else None
