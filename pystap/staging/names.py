"""One name for each value: what the rest of staging knows of a local, it knows of all its assignments together.

    p = a; use p; if (c) p = b; use p    ->    p1 = a; p = p1; use p1; if (c) { p2 = b; p = p2 }; use p

A read that one assignment alone reaches reads that assignment's own local. Assignments that no read has in common
get locals of their own, too.
"""

from __future__ import annotations

from ..ir.nodes import Call, ForEach, If, Label, Leave, Local, Loop, Op, Scope, Stmt, Try
from ..ir.walk import blocks, count_defs, defs, statements, substitute, uses

TYPE_CHECKING = False
if TYPE_CHECKING:
    Made = tuple[int, Local]  # an assignment: id of its statement
    Read = tuple[Stmt, Local, frozenset[int]]
    Reaching = dict[
        Local, frozenset[int]
    ]  # the assignments (ids of statements) that may have made a local's value

_UNASSIGNED = 0


def name_values(body: list[Stmt]) -> bool:
    """Rename the locals of a body in place; return whether any was."""
    several = {local for local, n in count_defs(body).items() if n > 1}
    if not several:
        return False
    found = _Reads(several)
    found.block(body, {})
    reads = list(found.found.values())
    shared = _shared(reads)
    by_op = {
        (id(stmt), stmt.dst) for stmt in statements(body) if isinstance(stmt, Op) and stmt.dst in several
    }
    alone = {(next(iter(made)), local) for _, local, made in reads if len(made) == 1}
    own = {made: Local(made[1].name, made[1].type) for made in by_op if made in alone or made not in shared}
    apart = _apart(shared, by_op)
    for stmt, local, made in reads:
        one = (next(iter(made)), local)
        new = (own if len(made) == 1 else apart).get(one)
        if new is not None:
            substitute([stmt], {local: new}, deep=False)
    _assign(body, own, apart, shared)
    return bool(own or apart)


def _shared(reads: list[Read]) -> dict[Made, set[Made]]:
    """Return the assignments that others reach reads together with, each with all that it is connected with so."""
    together: dict[Made, set[Made]] = {}
    for _, local, made in reads:
        if len(made) > 1:
            group: set[Made] = set()
            for one in made:
                group |= together.get((one, local), {(one, local)})
            together.update(dict.fromkeys(group, group))
    return together


def _apart(shared: dict[Made, set[Made]], by_op: set[Made]) -> dict[Made, Local]:
    """Return new locals for the groups of assignments, but for one of each local."""
    apart: dict[Made, Local] = {}
    kept: set[Local] = set()
    for group in {id(group): group for group in shared.values()}.values():
        local = next(iter(group))[1]
        if local not in kept or not group <= by_op:
            kept.add(local)
        else:
            apart.update(dict.fromkeys(group, Local(local.name, local.type)))
    return apart


def _assign(
    body: list[Stmt], own: dict[Made, Local], apart: dict[Made, Local], shared: dict[Made, set[Made]]
) -> None:
    out: list[Stmt] = []
    for stmt in body:
        for block in blocks(stmt):
            _assign(block, own, apart, shared)
        out.append(stmt)
        if not isinstance(stmt, Op) or stmt.dst is None:
            continue
        made = (id(stmt), stmt.dst)
        joint = apart.get(made, stmt.dst)
        stmt.dst = own.get(made, joint)
        if made in own and made in shared:
            out.append(Op(joint, "mov", (stmt.dst,), None, stmt.span))
    body[:] = out


class _Reads:
    """found: (statement, local) -> (them, the assignments that reach the read). several: the locals that count."""

    def __init__(self, several: set[Local]) -> None:
        self.several = several
        self.found: dict[Made, Read] = {}
        self._left: dict[Label, list[Reaching]] = {}

    def block(self, body: list[Stmt], have: Reaching | None) -> Reaching | None:
        """Go through a body; have: what reaches its beginning, None where nothing gets. Return what reaches its end."""
        for stmt in body:
            if have is None:
                return None
            self._reads(stmt, have)
            if isinstance(stmt, (Op, Call)):
                have = self._assigned(stmt, have)
            elif isinstance(stmt, Leave):
                self._left.setdefault(stmt.label, []).append(have)
                have = None
            elif isinstance(stmt, If):
                have = _meet([self.block(stmt.then, have), self.block(stmt.els, have)])
            elif isinstance(stmt, Scope):
                have = self._leaving(stmt.label, self.block(stmt.body, have))
            else:
                have = self._other(stmt, have)
        return have

    def _reads(self, stmt: Stmt, have: Reaching) -> None:
        for operand in uses(stmt):
            if isinstance(operand, Local) and operand in self.several:
                made = have.get(operand, frozenset((_UNASSIGNED,)))
                self.found[id(stmt), operand] = (stmt, operand, made)

    def _assigned(self, stmt: Stmt, have: Reaching) -> Reaching:
        made = [local for local in defs(stmt) if local in self.several]
        return {**have, **dict.fromkeys(made, frozenset((id(stmt),)))} if made else have

    def _leaving(self, label: Label, end: Reaching | None) -> Reaching | None:
        return _meet([*self._left.pop(label, []), end])

    def _other(self, stmt: Stmt, have: Reaching) -> Reaching | None:
        """A loop: what a turn assigns reaches the next one. A try block: what it assigns may reach its handler."""
        inside = [s for block in blocks(stmt) for s in statements(block)]
        changed: dict[Local, frozenset[int]] = {}
        for inner in (stmt, *inside):
            for local in defs(inner):
                if local in self.several:
                    changed[local] = changed.get(local, frozenset()) | {id(inner)}
        missing = frozenset((_UNASSIGNED,))
        any_of = {**have, **{local: have.get(local, missing) | ids for local, ids in changed.items()}}
        if isinstance(stmt, Try):
            ends = [self.block(stmt.body, have), self.block(stmt.handler, self._assigned(stmt, any_of))]
            return _meet(ends)
        assert isinstance(stmt, (Loop, ForEach)), stmt
        self.block(stmt.body, any_of)
        self._left.pop(stmt.label, None)
        return any_of


def _meet(ways: list[Reaching | None]) -> Reaching | None:
    """What reaches a place that several ways lead to."""
    come = [way for way in ways if way is not None]
    if len(come) < 2:
        return come[0] if come else None
    missing = frozenset((_UNASSIGNED,))
    locals = dict.fromkeys(local for way in come for local in way)
    return {local: frozenset().union(*(way.get(local, missing) for way in come)) for local in locals}
