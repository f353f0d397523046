"""What one walk over a kernel program's body finds out before code is written.

defs, uses: how often each local is assigned and read. conditions: locals read once, by an If (or by a negation
that is itself such a condition): their comparison becomes the jump. shared: locals that a loop's body
shares with the code around it, or keeps from turn to turn: they live in memory. exposed: locals that may be read
before they are assigned. fulls: ids of updates of arrays that are asked whether
there was room. padded: strings that must be filled up with NULs, as they are compared or hashed by words.
"""

from __future__ import annotations

from ...ir.nodes import STR, Const, If, Leave, Local, Loop, Op, Scope, Stmt, Try
from ...ir.ops import OPS
from ...ir.walk import Assigned, blocks
from ...staging.plan import RecordLocal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...program import Field

_NEGATIONS = frozenset({"lnot", "eq", "ne"})


class Census:
    """See the module."""

    def __init__(self, body: list[Stmt]) -> None:
        self.defs: dict[Local, int] = {}
        self.uses: dict[Local, int] = {}
        self.conditions: set[Local] = set()
        self.shared: dict[Local, None] = {}
        self.exposed: set[Local] = set()
        self.padded: set[Local] = set()
        self.names: set[str] = set()
        self.faults: set[Local] = set()
        self.fulls: set[int] = set()
        self.fields: list[Field] = []
        self.loops = self.branches = 0
        self._owner: dict[Local, int] = {}
        self._moves: list[tuple[Local, Local]] = []
        self._walk(body, 0)
        self._settle_padding()
        _assigned(body, Assigned(), self.exposed)

    def _see(self, local: Local, depth: int) -> None:
        owner = self._owner.setdefault(local, depth)
        if owner != depth and not isinstance(local, RecordLocal):
            self.shared[local] = None

    def _walk(self, body: list[Stmt], owner: int) -> None:
        """One list, from its end, so that a condition is known before what makes it."""
        for stmt in reversed(body):
            if isinstance(stmt, Op):
                self._op(stmt, owner)
            elif isinstance(stmt, If):
                self.branches += 1
                if isinstance(stmt.cond, Local):
                    self._use(stmt.cond, owner)
                    self.conditions.add(stmt.cond)
                self._walk(stmt.els, owner)
                self._walk(stmt.then, owner)
            elif isinstance(stmt, Scope):
                self._walk(stmt.body, owner)
            elif isinstance(stmt, Try):
                if stmt.message is not None:
                    self._define(stmt.message, owner)
                self._walk(stmt.handler, owner)
                self._walk(stmt.body, owner)
            elif isinstance(stmt, Loop):
                self.loops += 1
                self._walk(stmt.body, self.loops)
                kept: set[Local] = set()
                _assigned(stmt.body, Assigned(), kept)
                self.shared.update(dict.fromkeys(kept))

    def _use(self, local: Local, owner: int) -> None:
        self.uses[local] = self.uses.get(local, 0) + 1
        self._see(local, owner)

    def _define(self, local: Local, owner: int) -> None:
        self.defs[local] = self.defs.get(local, 0) + 1
        self._see(local, owner)

    def _op(self, op: Op, owner: int) -> None:
        name, dst, args = op.name, op.dst, op.args
        self.names.add(name)
        if name == "put":
            self.fields.append(op.attr)
        elif isinstance(dst, RecordLocal):
            self.fields.append(dst.field)
        if dst is not None:
            self._define(dst, owner)
        for arg in args:
            if isinstance(arg, Local):
                self._use(arg, owner)
        if name in _NEGATIONS and dst in self.conditions and isinstance(args[0], Local) and _against_zero(op):
            self.conditions.add(args[0])
        elif name == "full_of":
            self.fulls.add(id(op.attr))
        elif name == "fault_of":
            self.faults.add(op.attr)
        elif name == "mov" and dst is not None and dst.type == STR and isinstance(args[0], Local):
            self._moves.append((dst, args[0]))
        elif name in ("str_eq", "str_ne"):
            strings = [a for a in args if isinstance(a, Local)]
            if len(strings) == 2:
                self.padded.update(strings)
        elif (info := OPS.get(name)) is not None and info.on_global:
            self.padded.update([a for a in args if isinstance(a, Local) and a.type == STR])

    def _settle_padding(self) -> None:
        again = True
        while again:
            again = False
            for dst, src in self._moves:
                if dst in self.padded and src not in self.padded:
                    self.padded.add(src)
                    again = True

    def fuses(self, local: Local | None) -> bool:
        """Whether the comparison that makes this local can become a jump."""
        return (
            local is not None
            and local in self.conditions
            and self.uses[local] == 1
            and self.defs[local] == 1
            and local not in self.shared
        )

    def steady(self, operand: Any) -> bool:
        """Whether an operand has the same value wherever it is read after its assignment."""
        if not isinstance(operand, Local):
            return True
        defs = self.defs.get(operand, 0)
        return operand not in self.shared and (defs == 0 or (defs == 1 and operand not in self.exposed))


def _against_zero(op: Op) -> bool:
    if op.name == "lnot":
        return True
    right = op.args[1]
    return isinstance(right, Const) and right.value == 0


def _assigned(body: list[Stmt], have: Assigned, exposed: set[Local]) -> bool:
    """Add what may be read unassigned to `exposed`, what is certainly assigned to `have`; False if the end isn't reached."""
    for stmt in body:
        if isinstance(stmt, Op):
            for arg in stmt.args:
                if isinstance(arg, Local) and arg not in have:
                    exposed.add(arg)
            if stmt.dst is not None:
                have.add(stmt.dst)
        elif isinstance(stmt, Leave):
            return False
        elif isinstance(stmt, If):
            if isinstance(stmt.cond, Local) and stmt.cond not in have:
                exposed.add(stmt.cond)
            mark = have.mark()
            then_ends = _assigned(stmt.then, have, exposed)
            then = have.back(mark)
            els_ends = _assigned(stmt.els, have, exposed)
            if then_ends or els_ends:
                _meet(have, mark, then if then_ends else None, els_ends)
            else:
                have.back(mark)
                return False
        else:
            for block in blocks(stmt):
                mark = have.mark()
                _assigned(block, have, exposed)
                have.back(mark)
    return True


def _meet(have: Assigned, mark: int, then: list[Local] | None, els_ends: bool) -> None:
    """Keep what both branches assigned, or the one that ends. then: what that one did; the other's is in `have`."""
    els = have.back(mark)
    if then is None:
        both = els
    elif els_ends:
        one = set(then)
        both = [local for local in els if local in one]
    else:
        both = then
    for local in both:
        have.add(local)
