"""An effect in front of a guard goes into both its branches, so that the record is one of the runs that print.

    delete a[t]; if (c) { max = d; printf() }    ->    if (c) { delete a[t]; max = d; printf() } else { delete a[t] }

A record is reserved before the first effect: without this, in every run. Nothing moves over what may fail, or over a read
of what it changes; the guard must be one that the kernel decides.
"""

from __future__ import annotations

from ..ir.nodes import If, Op, Scope, Stmt
from ..ir.walk import blocks, defs, statements
from ..opt.simplify import effects
from .facts import global_of, has_effect
from .places import Places

_PLAIN = frozenset(("ctx", "read", "clock"))
_MOST = 4  # guards that an effect goes into: each has a copy of it


def spread(body: list[Stmt], places: Places, depth: int = 0) -> bool:
    """Move effects of a body in place; return whether any was moved."""
    needing = [at for at, stmt in enumerate(body) if _has(stmt, "write", "control", "output")]
    if not needing or depth == _MOST:
        return False
    guard = body[needing[-1]]
    if isinstance(guard, Scope):
        return len(needing) == 1 and spread(guard.body, places, depth)
    if not isinstance(guard, If) or id(guard) in places.regions or guard.cond in places.locals:
        return False
    printing = [block for block in blocks(guard) if any(_has(stmt, "output") for stmt in block)]
    if len(printing) != 1:
        return False
    moving = needing[:-1]
    if not all(_can_move(body, at, needing[-1]) for at in moving):
        return False
    for at in reversed(moving):
        op = body.pop(at)
        assert isinstance(op, Op)
        guard.then.insert(0, op)
        guard.els.insert(0, op.replace())
    inner = spread(printing[0], places, depth + 1)
    return bool(moving) or inner


def _can_move(body: list[Stmt], at: int, to: int) -> bool:
    """Whether an operation can as well be done behind those between it and a guard."""
    op = body[at]
    glob = global_of(op) if isinstance(op, Op) else None
    if glob is None or not isinstance(op, Op) or op.dst is not None:
        return False
    for stmt in body[at + 1 : to]:
        if not isinstance(stmt, Op) or any(local in op.args for local in defs(stmt)):
            return False
        if "write" not in effects(stmt) and (
            global_of(stmt) is glob or not _PLAIN.issuperset(effects(stmt).split())
        ):
            return False
    return True


def _has(stmt: Stmt, *kinds: str) -> bool:
    """Whether a statement, or one inside it, has an effect of these kinds."""
    return any(has_effect(s, *kinds) for s in statements([stmt]) if isinstance(s, Op))
