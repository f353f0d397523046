"""Turns the marks of a split handler into one record: where it is reserved, what it holds (R4, R7).

The record is reserved after the guards and before the first effect, so that a run that finds no room does
not happen at all. A guard that encloses everything needs no field: without it there is no record.

What statements of the user stage in a loop need is appended to the record's log, turn by turn, where the kernel half has
their marks; the user half takes it in the same order, as it goes the same way.
"""

from __future__ import annotations

from ..ir.nodes import BUF, I64, STR, Const, If, Label, Local, Loop, Op, Scope, Stmt
from ..ir.walk import blocks, count_defs, statements, substitute, uses
from ..opt.simplify import effects
from ..program import REC_HEADER, Field
from .facts import has_effect
from .log import Log
from .overlay import overlay
from .plan import AheadScope, LogLoop, RecordLocal, RecordPlan
from .sizes import sizes_of
from .split import Mark, deep_uses
from .turns import most_logged
from .ways import number_ways

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from .log import Parts


LOG_ROOM = 4096


class Capture:
    """One handler's record. After construction:

    kernel, user: the two bodies; params: the user function's parameters; fields: their places, in order;
    record: the plan, or None when the user stage has nothing to do; inside: as RecordSpec's. early: locals that may be read
    before they are assigned; room: bytes that the log of loops may have.
    """

    def __init__(
        self,
        kernel: list[Stmt],
        user: list[Stmt],
        number: int,
        early: Iterable[Local] = (),
        room: int = LOG_ROOM,
    ) -> None:
        self.kernel = kernel
        self.user = user
        self.params: list[Local] = []
        self.fields: list[Field] = []
        self.record: RecordPlan | None = None
        self.inside = -1
        self.log = Log(room)
        self._flat: dict[int, str] = {}
        self._live = {id(s) for s in statements(user)}
        self.kernel = _without_dead_marks(kernel, self._live)
        if not user or not any(isinstance(s, Mark) for s in statements(self.kernel)):
            self.kernel = _without_dead_marks(self.kernel, set())
            self.user = []
            return
        self.record = RecordPlan(number, REC_HEADER)
        self._defs = count_defs(self.kernel)
        for local in early:
            if local in self._defs:
                self._defs[local] += 1  # before its assignment it is empty
        self._sizes = sizes_of(self.kernel)
        self._place(self.kernel, [])
        self.user = self._flatten(user)
        self._fill()

    def _fill(self) -> None:
        """Give the record its fields."""
        assert self.record is not None
        self._size = REC_HEADER
        self._slots: dict[Local, tuple[Local, Field]] = {}
        self._whole: dict[Local, Local] = {}
        self._parts: Parts = {}
        self._ahead = {id(s.target) for s in statements(self.kernel) if isinstance(s, AheadScope)}
        self._loops = self._walked_apart(self.user)
        self.user = number_ways(self.kernel, self.user, self._new)
        self.kernel = self._puts(self.kernel, set(), None)
        self._in_place()
        substitute(self.user, self._whole)
        self.fields, self.params, moved, self._size = overlay(self.kernel, self.fields, self.params)
        substitute(self.user, moved)
        if self.log.entries:
            self._add_log()
        self.record.size = self._size

    # where the record is reserved

    def _place(self, block: list[Stmt], path: list[list[Stmt]]) -> None:
        """Insert the reservation into a block that needs it, as deep as its guards allow."""
        needs = [i for i, s in enumerate(block) if _needs_record(s)]
        path = [*path, block]
        first = needs[0]
        stmt = block[first]
        guard = block[first + 1] if isinstance(stmt, Mark) and first + 1 < len(block) else stmt
        marked = isinstance(stmt, Mark) and isinstance(stmt.target, If) and not stmt.deep
        last = needs[-1] == first or (marked and needs[-1] == first + 1)
        if last and isinstance(guard, If) and (marked or guard is stmt):
            then, els = _any_marks(guard.then), _any_marks(guard.els)
            if then != els:  # the other runs have no record
                if isinstance(stmt, Mark):
                    self._flat[id(stmt.target)] = "then" if then else "els"
                    del block[first]
                self._place(guard.then if then else guard.els, path)
                return
        if last and isinstance(stmt, Scope) and not isinstance(stmt, AheadScope):
            self._place(stmt.body, path)
            return
        block.insert(first, Op(None, "reserve", (), self.record))
        self._sink(path, block, first)

    def _sink(self, path: list[list[Stmt]], block: list[Stmt], at: int) -> None:
        """Move what only the record needs from before the reservation to after it."""
        read: dict[Local, int] = {}
        for stmt in statements(self.kernel):
            for operand in uses(stmt):
                if isinstance(operand, Local):
                    read[operand] = read.get(operand, 0) + 1
        asked: dict[Local, int] = {}  # questions for a captured fault that stay in front
        for stmt in statements(self.kernel):
            if isinstance(stmt, Op) and stmt.name == "fault_of":
                asked[stmt.attr] = asked.get(stmt.attr, 0) + 1
        sunk: list[Stmt] = []
        for holder in reversed(path):
            stop = at if holder is block else len(holder)
            for i in range(stop - 1, -1, -1):
                op = holder[i]
                if not isinstance(op, Op) or op.dst is None or not self._can_sink(op, read, asked):
                    continue
                if op.name == "fault_of":
                    asked[op.attr] -= 1
                for operand in op.args:
                    if isinstance(operand, Local):
                        read[operand] -= 1
                sunk.insert(0, op)
                del holder[i]
                if holder is block:
                    at -= 1
        block[at + 1 : at + 1] = sunk

    def _can_sink(self, op: Op, read: dict[Local, int], asked: dict[Local, int]) -> bool:
        assert op.dst is not None
        if read.get(op.dst) or asked.get(op.dst) or self._defs[op.dst] != 1:
            return False
        if set(effects(op).split()) - {"ctx", "clock", "fault"}:
            return False
        return all(not isinstance(a, Local) or self._defs.get(a, 0) == 1 for a in op.args)

    def _flatten(self, body: list[Stmt]) -> list[Stmt]:
        """Replace the guards that the reservation went through by the branch that it went into."""
        out: list[Stmt] = []
        for stmt in body:
            branch = self._flat.get(id(stmt))
            if branch is not None and isinstance(stmt, If):
                out += self._flatten(stmt.then if branch == "then" else stmt.els)
                continue
            for block in blocks(stmt):
                block[:] = self._flatten(block)
            out.append(stmt)
        return out

    # what it holds

    def _puts(self, body: list[Stmt], have: set[Local], turning: set[Local] | None) -> list[Stmt]:
        """Replace marks by the puts of what is not in the record yet; in a loop, by what a turn appends.

        turning: in a loop, the locals that its turns assign.
        """
        out: list[Stmt] = []
        for stmt in body:
            if isinstance(stmt, Mark):
                needed = [v for v in _needed(stmt, self._ahead) if v in self._defs]
                if turning is None:
                    self._put(stmt, needed, have, out)
                else:
                    self._append(stmt, needed, have, out)
            elif isinstance(stmt, Loop) and (needs := _marked(stmt.body, self._ahead)) is not None:
                inner = set(count_defs(stmt.body)) | (turning or set())
                steady = [v for v in needs if self._defs.get(v) == 1 and v not in inner]
                self._put_steady(steady, have, out)
                logged = self._puts(stmt.body, set(have), inner)
                loop = LogLoop(stmt.label, logged, stmt.span, self.log.plan)
                apart = self._loops.get(stmt.label) if turning is None else None
                out.append(
                    loop if apart is None else self._part(AheadScope(Label("part"), [loop], stmt.span, apart))
                )
            elif isinstance(stmt, AheadScope):
                loops, self._loops = self._loops, {}
                stmt.body = self._puts(stmt.body, set(have), turning)
                self._loops = loops
                looping = any(isinstance(s, Loop) for s in statements(stmt.body))
                out.append(
                    self._part(stmt, ahead=True) if looping else Scope(stmt.label, stmt.body, stmt.span)
                )
            else:
                for block in blocks(stmt):
                    block[:] = self._puts(block, set(have), turning)
                out.append(stmt)
        return out

    def _walked_apart(self, user: list[Stmt]) -> dict[Label, Stmt]:
        """Return the user half's loops by their labels, if there are others that are run ahead."""
        if not self._ahead:
            return {}
        return {s.label: s for s in statements(user) if isinstance(s, Loop)}

    def _part(self, scope: AheadScope, ahead: bool = False) -> AheadScope:
        """Give a scope the fields that say which part of the log is its own."""
        scope.log = self.log.plan
        start, scope.start = self._new(Local("start", I64))
        end, scope.end = self._new(Local("end", I64))
        failed: Local | Const = Const(0)
        if ahead:
            failed, scope.failed = self._new(Local("failed", I64))
            body = Scope(scope.target.label, scope.target.body, scope.span)
            scope.target.label = Label("ahead")
            scope.target.body = [body, Op(None, "raise_site", (failed, Const(0)), None, scope.span)]
        self._parts[id(scope.target)] = (end, start, failed)
        return scope

    def _put(self, mark: Mark, needed: list[Local], have: set[Local], out: list[Stmt]) -> None:
        """Store what a statement outside of loops needs in fields."""
        self._put_steady([v for v in needed if self._defs[v] == 1], have, out)
        moved: dict[Local, Local] = {}
        for local in needed:
            if self._defs[local] != 1:
                param, field = self._new(local)
                moved[local] = param
                out.append(Op(None, "put", (local,), field))
        if moved:
            substitute([mark.target], moved, deep=mark.deep)

    def _put_steady(self, locals: list[Local], have: set[Local], out: list[Stmt]) -> None:
        for local in locals:
            if local not in have:
                have.add(local)
                out.append(Op(None, "put", (local,), self._slot(local)[1]))

    def _append(self, mark: Mark, needed: list[Local], have: set[Local], out: list[Stmt]) -> None:
        """Append what a statement in a loop needs of this turn."""
        new = [v for v in needed if v not in have]
        have.update([v for v in new if self._defs[v] == 1])
        out += self.log.append(new, self._sizes, mark.target)

    def _add_log(self) -> None:
        """Give the log its place behind the fields, and the user half what takes from it."""
        assert self.record is not None
        for local in self.log.scratch:
            field = Field(self._size, local.type, self._sizes.get(local, 8))
            self._size += (field.size + 7) & ~7
            self.log.scratch[local] = RecordLocal(local.name, local.type, field)
        used, inside = Local("used", I64), Local("inside", I64)
        for local in (used, inside):
            self.params.append(local)
            self.fields.append(Field(self._size, I64, 8))
            self._size += 8
        self.inside = len(self.fields) - 1
        data = Local("log", BUF)
        self.log.shrink(most_logged(self.kernel, self.kernel))
        plan = self.log.place(self._size)
        self.params.append(data)
        self.fields.append(Field(plan.offset, BUF, plan.size))
        self._size += plan.size
        self.record.log = plan
        self.log.make_in_scratch(self.kernel)
        self.user = self.log.taking(self.user, data, used, self._parts)

    def _slot(self, local: Local) -> tuple[Local, Field]:
        slot = self._slots.get(local)
        if slot is None:
            slot = self._slots[local] = self._new(local)
            self._whole[local] = slot[0]
        return slot

    def _new(self, local: Local) -> tuple[Local, Field]:
        size = 8 if local.type == I64 else self._sizes.get(local, 8)
        field = Field(self._size, local.type, size)
        self._size += (size + 7) & ~7
        param = Local(local.name, local.type)
        self.params.append(param)
        self.fields.append(field)
        return param, field

    def _in_place(self) -> None:
        """Let strings and buffers that only the record holds be made in it."""
        readers: dict[Local, int] = {}
        makers: dict[Local, Op] = {}
        for stmt in statements(self.kernel):
            for operand in uses(stmt):
                if isinstance(operand, Local) and not (isinstance(stmt, Op) and stmt.name == "put"):
                    readers[operand] = readers.get(operand, 0) + 1
        after: list[Op] = []
        _after_reserve(self.kernel, after, [False])
        for op in after:
            if op.dst is not None and op.dst.type in (STR, BUF) and op.dst not in readers:
                makers[op.dst] = op
        made: dict[Any, RecordLocal] = {}
        for local, op in makers.items():
            slot = self._slots.get(local)
            simple = op.name in ("load_str", "load_buf", "call")
            if slot is None or self._defs[local] != 1 or not simple:
                continue
            made[local] = op.dst = RecordLocal(local.name, local.type, slot[1])
        if not made:
            return
        self.kernel = _without_puts(self.kernel, made)
        for stmt in statements(self.kernel):
            if isinstance(stmt, Op) and stmt.name == "fault_of":
                stmt.attr = made.get(stmt.attr, stmt.attr)


def _needed(mark: Mark, ahead: set[int]) -> list[Local]:
    """Return what the statement of a mark reads, once each. ahead: ids of what has marks of its own in it."""
    if mark.deep:
        return deep_uses(mark.target, ahead)
    return list(dict.fromkeys(v for v in uses(mark.target) if isinstance(v, Local)))


def _marked(body: list[Stmt], ahead: set[int]) -> list[Local] | None:
    """Return what all marks of a body need; None when there are none."""
    marks = [s for s in statements(body) if isinstance(s, Mark)]
    return list(dict.fromkeys(v for m in marks for v in _needed(m, ahead))) if marks else None


def _after_reserve(body: list[Stmt], out: list[Op], seen: list[bool]) -> None:
    for stmt in body:
        if isinstance(stmt, Op):
            if stmt.name == "reserve":
                seen[0] = True
            elif seen[0]:
                out.append(stmt)
        for block in blocks(stmt):
            _after_reserve(block, out, seen)


def _without_puts(body: list[Stmt], made: dict[Any, RecordLocal]) -> list[Stmt]:
    """Drop the stores of what is made in the record itself."""
    out: list[Stmt] = []
    for stmt in body:
        if isinstance(stmt, Op) and stmt.name == "put" and stmt.args[0] in made:
            continue
        for block in blocks(stmt):
            block[:] = _without_puts(block, made)
        out.append(stmt)
    return out


def _needs_record(stmt: Stmt) -> bool:
    if isinstance(stmt, (Mark, AheadScope)):
        return True
    if isinstance(stmt, Op):
        return has_effect(stmt, "write", "control")
    return any(_any_needs(block) for block in blocks(stmt))


def _any_needs(body: list[Stmt]) -> bool:
    return any(_needs_record(s) for s in body)


def _any_marks(body: list[Stmt]) -> bool:
    return any(isinstance(s, Mark) for s in statements(body))


def _without_dead_marks(body: list[Stmt], live: set[int]) -> list[Stmt]:
    out: list[Stmt] = []
    for stmt in body:
        if isinstance(stmt, Mark) and id(stmt.target) not in live:
            continue
        for block in blocks(stmt):
            block[:] = _without_dead_marks(block, live)
        out.append(stmt)
    return out
