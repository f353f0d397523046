"""Before staging: nest what follows a conditional `Leave`, so that guards enclose what they guard.

    Scope L: if (c) { A; leave L }; rest        ->      Scope L: if (c) { A } else { rest }

`next` and `return` early in a handler become plain guards this way, which staging can run in the kernel.
"""

from __future__ import annotations

from ..ir.nodes import If, Label, Leave, Scope, Stmt, Try
from ..ir.walk import blocks


def nest(body: list[Stmt], ends: frozenset[Label]) -> list[Stmt]:
    """Return the body with early leaves nested. ends: labels whose end is this body's end."""
    out: list[Stmt] = []
    for at, stmt in enumerate(body):
        rest = body[at + 1 :]
        if isinstance(stmt, Leave) and stmt.label in ends:
            return out
        if isinstance(stmt, If) and rest:
            then_leaves, els_leaves = _leaves(stmt.then, ends), _leaves(stmt.els, ends)
            if then_leaves or els_leaves:
                then = stmt.then if then_leaves else stmt.then + rest
                els = stmt.els if els_leaves else stmt.els + rest
                if then_leaves or els_leaves:
                    out.append(If(stmt.cond, nest(then, ends), nest(els, ends), stmt.span))
                    return out
        out.append(_inside(stmt, ends if not rest else frozenset()))
    return out


def _leaves(body: list[Stmt], ends: frozenset[Label]) -> bool:
    last = body[-1] if body else None
    return isinstance(last, Leave) and last.label in ends


def _inside(stmt: Stmt, ends: frozenset[Label]) -> Stmt:
    if isinstance(stmt, If):
        stmt.then, stmt.els = nest(stmt.then, ends), nest(stmt.els, ends)
    elif isinstance(stmt, Scope):
        stmt.body = nest(stmt.body, ends | {stmt.label})
    elif isinstance(stmt, Try):
        stmt.body, stmt.handler = nest(stmt.body, ends), nest(stmt.handler, ends)
    else:
        for block in blocks(stmt):
            block[:] = nest(block, frozenset())
    return stmt


def flatten(body: list[Stmt], used: set[Label]) -> list[Stmt]:
    """Return the body without the scopes that nobody leaves. used: labels that some Leave goes to."""
    out: list[Stmt] = []
    for stmt in body:
        for block in blocks(stmt):
            block[:] = flatten(block, used)
        if isinstance(stmt, Scope) and stmt.label not in used:
            out += stmt.body
        else:
            out.append(stmt)
    return out
