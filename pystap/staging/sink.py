"""Before staging: what only one branch of a later guard reads is made in that branch.

    s = user_string(p); if (pid() == target()) println(s)   ->   if (pid() == target()) { s = ...; println(s) }

Aliases assign their variables before the script's own guards. Where the guard stays in the kernel and the
variable is captured, the record is this way made behind the guard. Only what neither has an effect nor can raise an
error moves; how often a read of the event is made is nobody's business.
"""

from __future__ import annotations

from ..ir.nodes import Call, Function, If, Leave, Local, Op, Scope, Stmt, Try
from ..ir.walk import blocks, count_uses, defs, statements
from ..opt.simplify import effects

_DEEPEST = 24  # each level reads all that is inside it once more
_FREE = frozenset(("", "ctx"))
_CAUGHT = frozenset(("", "ctx", "fault"))


def sink(body: list[Stmt]) -> None:
    """Move statements into the branches that need them, in place."""
    _sink(body, count_uses(body), 0)


def _sink(body: list[Stmt], total: dict[Local, int], depth: int) -> None:
    if depth > _DEEPEST:
        return
    if any(isinstance(stmt, If) for stmt in body):
        _block(body, total)
    for stmt in body:
        if isinstance(stmt, (If, Scope)):
            for block in blocks(stmt):
                _sink(block, total, depth + 1)


def _block(body: list[Stmt], total: dict[Local, int]) -> None:
    reader: dict[Local, int] = {}  # the nearest statement behind that reads a local
    writer: dict[Local, int] = {}
    inside: dict[tuple[int, int], dict[Local, int]] = {}  # reads in the branches of the statement there
    moved = False
    for at in range(len(body) - 1, -1, -1):
        stmt = body[at]
        read = count_uses([stmt])
        made = {local for inner in statements([stmt]) for local in defs(inner)}
        to = _target(stmt, body, made, read, reader, writer, total, inside) if made else None
        if to is None:
            reader.update(dict.fromkeys(read, at))
            writer.update(dict.fromkeys(made, at))
            continue
        where, side = to
        blocks(body[where])[side].insert(0, stmt)
        body[at] = _GONE
        moved = True
        counts = inside[to]
        for local, times in read.items():
            counts[local] = counts.get(local, 0) + times
            reader[local] = min(reader.get(local, where), where)
    if moved:
        body[:] = [stmt for stmt in body if stmt is not _GONE]


def _target(
    stmt: Stmt,
    body: list[Stmt],
    made: set[Local],
    read: dict[Local, int],
    reader: dict[Local, int],
    writer: dict[Local, int],
    total: dict[Local, int],
    inside: dict[tuple[int, int], dict[Local, int]],
) -> tuple[int, int] | None:
    """Return the (statement, branch) that alone reads what a statement makes, if it can go there."""
    readers = {reader[local] for local in made if local in reader}
    if len(readers) != 1:
        return None
    where = readers.pop()
    guard = body[where]
    if not isinstance(guard, If) or guard.cond in made or not _movable(stmt, _FREE):
        return None
    if any(writer.get(local, where) < where for local in (*made, *read)):
        return None
    for side in (0, 1):
        counts = inside.get((where, side))
        if counts is None:
            counts = inside[where, side] = count_uses(blocks(guard)[side])
        if all(total.get(v, 0) == read.get(v, 0) + counts.get(v, 0) for v in made):
            return where, side
    return None


def _movable(stmt: Stmt, allowed: frozenset[str]) -> bool:
    if isinstance(stmt, Op):
        return allowed.issuperset(effects(stmt).split())
    if isinstance(stmt, If):
        return all(_movable(inner, allowed) for block in blocks(stmt) for inner in block)
    if isinstance(stmt, Try):
        return all(_movable(inner, _CAUGHT) for inner in stmt.body) and all(
            _movable(inner, allowed) for inner in stmt.handler
        )
    return isinstance(stmt, Call) and _harmless(stmt.func.body, allowed, {stmt.func})


def _harmless(body: list[Stmt], allowed: frozenset[str], under_way: set[Function]) -> bool:
    """Whether a function comes to its end, and has no effect but its result."""
    for stmt in body:
        if isinstance(stmt, (If, Scope)):
            if not all(_harmless(block, allowed, under_way) for block in blocks(stmt)):
                return False
        elif isinstance(stmt, Call):
            inner = stmt.func
            if inner in under_way or not _harmless(inner.body, allowed, under_way | {inner}):
                return False
        elif not isinstance(stmt, Leave) and not _movable(stmt, allowed):
            return False
    return True


_GONE = Stmt()
