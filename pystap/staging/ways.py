"""Which branch of a long chain a run took is one number in the record, rather than a condition for each link.

    if (a) A; else if (b) B; else if (c) C     ->     a way: 1, 2 or 3 in the record, and `way == 1`, `way == 2`...

Nothing is stored where none of them is taken: fields are cleared.
"""

from __future__ import annotations

from ..ir.nodes import I64, Const, If, Local, Loop, Op, Stmt
from ..ir.walk import blocks
from ..program import Field
from .split import Mark

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_LONG = 3  # links from which on it is worth it


def number_ways(
    kernel: list[Stmt], user: list[Stmt], new: Callable[[Local], tuple[Local, Field]]
) -> list[Stmt]:
    """Rewrite the long chains of both halves, in place; return the user half. new: makes a field."""
    tests: dict[int, Op] = {}
    _find(kernel, new, tests)
    return _test(user, tests) if tests else user


def _find(body: list[Stmt], new: Callable[[Local], tuple[Local, Field]], tests: dict[int, Op]) -> None:
    for at, stmt in enumerate(body):
        links = _chain(body, at) if isinstance(stmt, Mark) and id(stmt.target) not in tests else []
        if len(links) >= _LONG:
            _number(links, new, tests)
    body[:] = [s for s in body if not (isinstance(s, Mark) and id(s.target) in tests)]
    for stmt in body:
        if not isinstance(stmt, Loop):  # what is in one is logged
            for block in blocks(stmt):
                _find(block, new, tests)


def _number(
    links: list[tuple[If, If]], new: Callable[[Local], tuple[Local, Field]], tests: dict[int, Op]
) -> None:
    param, field = new(Local("way", I64))
    for number, (target, guard) in enumerate(links, 1):
        guard.then.insert(0, Op(None, "put", (Const(number),), field, guard.span))
        taken = Local("taken", I64)
        tests[id(target)] = Op(taken, "eq", (param, Const(number)), None, guard.span)
        target.cond = taken


def _chain(body: list[Stmt], at: int) -> list[tuple[If, If]]:
    """Return the links of the chain that begins with a mark: (the user half's If, the kernel half's)."""
    links: list[tuple[If, If]] = []
    while True:
        mark = body[at]
        guard = body[at + 1] if at + 1 < len(body) else None
        if (
            not isinstance(mark, Mark)
            or mark.deep
            or not isinstance(mark.target, If)
            or not isinstance(guard, If)
        ):
            return links
        links.append((mark.target, guard))
        body = guard.els
        at = len(body) - 2  # what stands behind the next link is not part of the chain's end
        if at < 0:
            return links


def _test(body: list[Stmt], tests: dict[int, Op]) -> list[Stmt]:
    out: list[Stmt] = []
    for stmt in body:
        for block in blocks(stmt):
            block[:] = _test(block, tests)
        if id(stmt) in tests:
            out.append(tests[id(stmt)])
        out.append(stmt)
    return out
