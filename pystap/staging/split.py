"""Splits a placed handler into what the kernel runs and what the user stage runs of it.

Both halves keep the handler's structure. Where a user-stage statement stands, the kernel half has a `Mark`:
the place at which the values that the statement needs are captured. The marks become `put`s in
`capture.py`, after the user half has been pruned.
"""

from __future__ import annotations

from ..ir.nodes import I64, Call, Const, ForEach, If, Label, Leave, Local, Loop, Op, Scope, Stmt, Text, Try
from ..ir.ops import Load
from ..ir.walk import blocks, uses
from ..opt.simplify import effects
from .facts import DIVISIONS, OVERFLOW, global_of, has_effect
from .places import Places
from .plan import AheadScope


class Mark(Stmt):
    """In a kernel body: here the values are captured that `target` (and, if deep, all inside it) reads."""

    target: Stmt
    deep: bool


class Splitter:
    """Splits one body by its Places.

    label: leaving it ends the run. first_error_ends: no error is forgiven, so that the kernel stage stops at one.
    walked: ids of the user stage's loops and try blocks that the kernel runs, too.
    """

    def __init__(self, places: Places, label: Label, first_error_ends: bool) -> None:
        self.first_error_ends = first_error_ends
        self.places = places
        self.label = label
        self.walked: set[int] = set()
        self._turning = 0  # loops around, of both stages
        self._caught: Label | None = None  # leaving it is what an error does in the kernel, in a try block
        self._seen_effect = places.behind  # of the user stage: what came before a fault must still happen

    def block(self, body: list[Stmt]) -> tuple[list[Stmt], list[Stmt]]:
        """Return (kernel half, user half) of a body that the kernel runs."""
        kernel: list[Stmt] = []
        user: list[Stmt] = []
        for stmt in body:
            if isinstance(stmt, (Op, Call)):
                self._op(stmt, kernel, user)
            elif isinstance(stmt, Leave):
                kernel.append(stmt)
                user.append(Leave(stmt.label, stmt.span))
            elif id(stmt) in self.places.regions:
                region = self._region(stmt, kernel)
                kernel.append(Mark(region, True))
                user.append(region)
                self._seen_effect = True
            elif isinstance(stmt, If):
                self._if(stmt, kernel, user)
            elif id(stmt) in self.places.running_ahead:
                user.append(self._ahead(stmt, kernel))
            elif isinstance(stmt, Scope):
                inner_kernel, inner_user = self.block(stmt.body)
                kernel.append(Scope(stmt.label, inner_kernel, stmt.span))
                user.append(Scope(stmt.label, inner_user, stmt.span))
            elif id(stmt) in self.places.walked:
                self._walked(stmt, kernel, user)
            else:
                kernel.append(stmt)
        return kernel, user

    def _walked(self, stmt: Stmt, kernel: list[Stmt], user: list[Stmt]) -> None:
        """A loop or try block that both stages run, turn by turn."""
        residual: Stmt
        if isinstance(stmt, Loop):
            self._seen_effect = True  # of an earlier turn
            self._turning += 1
            inner_kernel, inner_user = self.block(stmt.body)
            self._turning -= 1
            kernel.append(Loop(stmt.label, inner_kernel, stmt.span))
            residual = Loop(stmt.label, inner_user, stmt.span)
        else:
            assert isinstance(stmt, Try), stmt
            done, caught = Label("done"), Label("caught")
            outer, self._caught = self._caught, caught
            inner_kernel, inner_user = self.block(stmt.body)
            self._caught = outer
            handler_kernel, handler_user = self.block(stmt.handler)
            body: list[Stmt] = [Scope(caught, [*inner_kernel, Leave(done, stmt.span)], stmt.span)]
            kernel.append(Scope(done, body + handler_kernel, stmt.span))
            residual = Try(inner_user, stmt.message, handler_user, stmt.span)
        user.append(residual)
        self.walked.add(id(residual))

    def _op(self, op: Op | Call, kernel: list[Stmt], user: list[Stmt]) -> None:
        places = self.places
        if isinstance(op, Op) and id(op) in places.hoisted:
            self._hoist(op, kernel, user, marked=True)
            self._seen_effect = self._seen_effect or _may_fault(op)
        elif isinstance(op, Op) and id(op) in places.split:
            self._own_copy(op, kernel, user, marked=True)
        elif id(op) in places.user:
            kernel.append(Mark(op, False))
            user.append(op)
            if isinstance(op, Call) or has_effect(op, "output", "write", "state", "control", "fault"):
                self._seen_effect = True
        elif self._in_order and isinstance(op, Op) and "fault" in effects(op):
            self._fault_in_order(op, kernel, user)
        elif self._in_order and isinstance(op, Op) and places.may_fill(op):
            self._overflow_in_order(op, kernel, user)
        else:
            kernel.append(op)

    @property
    def _in_order(self) -> bool:
        """Whether the user stage has to raise the errors that the kernel meets."""
        return self._seen_effect or not self.first_error_ends or self._caught is not None

    def _end(self, op: Op) -> list[Stmt]:
        """What the kernel does at an error that the user stage raises."""
        if self._caught is not None:
            return [Leave(self._caught, op.span)]
        end: list[Stmt] = [Op(None, "exit", (Const(1),), None, op.span)] if self.first_error_ends else []
        return [*end, Leave(self.label, op.span)]

    def _fault_in_order(self, op: Op, kernel: list[Stmt], user: list[Stmt]) -> None:
        """The kernel ends the run at a fault; the user stage raises it behind what it did before.

        So it is with all errors where some are forgiven.
        """
        end = self._end(op)
        if op.name == "raise":
            kernel.append(Mark(op, False))
            kernel += end
            user.append(op)
        elif _may_fault(op):
            assert op.dst is not None
            self._read_in_order(op, end, kernel, user)
        elif op.name in DIVISIONS:
            self._division_in_order(op, end, kernel, user)
        else:
            kernel.append(op)

    def _read_in_order(self, op: Op, end: list[Stmt], kernel: list[Stmt], user: list[Stmt]) -> None:
        assert op.dst is not None
        address = op.args[0]
        if address is op.dst:  # p = p->next
            address = Local("address", I64)
            kernel.append(Op(address, "mov", (op.dst,), None, op.span))
        error = Local("fault", I64)
        kernel.append(op.replace(attr=op.attr.replace(fault="capture")))
        kernel.append(Op(error, "fault_of", (), op.dst, op.span))
        raising = Op(None, "raise_site", (error, address), op.attr.off or None, op.span)
        if not self._turning:
            kernel += [Mark(raising, False), If(error, end, [], op.span)]
            user.append(raising)
            return
        residual = If(error, [raising], [], op.span)  # a turn without an error logs no address
        kernel += [Mark(residual, False), If(error, [Mark(raising, False), *end], [], op.span)]
        user.append(residual)

    def _overflow_in_order(self, op: Op, kernel: list[Stmt], user: list[Stmt]) -> None:
        glob = global_of(op)
        assert glob is not None
        full = Local("full", I64)
        raising = Op(None, "raise", (Text(OVERFLOW),), glob.name, op.span)
        residual = If(full, [raising], [], op.span)
        kernel += [op, Op(full, "full_of", (), op, op.span), Mark(residual, False)]
        kernel.append(If(full, self._end(op), [], op.span))
        user.append(residual)

    def _division_in_order(self, op: Op, end: list[Stmt], kernel: list[Stmt], user: list[Stmt]) -> None:
        divisor = op.args[1]
        if isinstance(divisor, Const) and divisor.value:
            kernel.append(op)
            return
        by_zero = Local("by zero", I64)
        kernel.append(Op(by_zero, "eq", (divisor, Const(0)), None, op.span))
        raising = Op(None, "raise", (Text("division by 0"),), DIVISIONS[op.name], op.span)
        residual = If(by_zero, [raising], [], op.span)
        kernel.append(Mark(residual, False))
        kernel.append(If(by_zero, end, [], op.span))
        kernel.append(op)
        user.append(residual)

    def _own_copy(self, op: Op, kernel: list[Stmt], user: list[Stmt], marked: bool) -> None:
        """The kernel makes the value, a local of the user stage keeps it."""
        assert op.dst is not None
        temporary = Local(op.dst.name, op.dst.type)
        made = op.replace(dst=temporary)
        if marked and self._in_order and "fault" in effects(op):
            self._fault_in_order(made, kernel, user)
        else:
            kernel.append(made)
        move = Op(op.dst, "mov", (temporary,), None, op.span)
        if marked:
            kernel.append(Mark(move, False))
        user.append(move)

    def _hoist(self, op: Op, kernel: list[Stmt], user: list[Stmt], marked: bool) -> None:
        """The kernel captures the value; where it may fault, the fault is raised where the script would meet it."""
        if _may_fault(op):
            dst = op.dst
            assert dst is not None
            value = dst if id(op) not in self.places.split else Local(dst.name, dst.type)
            op = op.replace(dst=value, attr=op.attr.replace(fault="capture"))
            error = Local("fault", I64)
            kernel.append(op)
            kernel.append(Op(error, "fault_of", (), value, op.span))
            raising = Op(None, "raise_site", (error, op.args[0]), op.attr.off or None, op.span)
            if marked:
                kernel.append(Mark(raising, False))
            user.append(raising)
            if value is dst:
                return
            move = Op(dst, "mov", (value,), None, op.span)
            if marked:
                kernel.append(Mark(move, False))
            user.append(move)
        elif id(op) in self.places.split:
            self._own_copy(op, kernel, user, marked)
        else:
            kernel.append(op)

    def _if(self, stmt: If, kernel: list[Stmt], user: list[Stmt]) -> None:
        before = self._seen_effect
        then_kernel, then_user = self.block(stmt.then)
        after, self._seen_effect = self._seen_effect, before
        els_kernel, els_user = self.block(stmt.els)
        self._seen_effect |= after
        residual = If(stmt.cond, then_user, els_user, stmt.span)
        kernel.append(Mark(residual, False))
        kernel.append(If(stmt.cond, then_kernel, els_kernel, stmt.span))
        user.append(residual)

    def _region(self, stmt: Stmt, kernel: list[Stmt]) -> Stmt:
        """Return a region's statement for the user stage; the captures inside it go to the kernel half."""
        if id(stmt) in self.places.running_ahead:
            return self._ahead(stmt, kernel)
        if isinstance(stmt, If):
            return If(stmt.cond, self._inner(stmt.then, kernel), self._inner(stmt.els, kernel), stmt.span)
        if isinstance(stmt, (Loop, Scope)):
            return type(stmt)(stmt.label, self._inner(stmt.body, kernel), stmt.span)
        if isinstance(stmt, Try):
            body = self._inner(stmt.body, kernel)
            return Try(body, stmt.message, self._inner(stmt.handler, kernel), stmt.span)
        assert isinstance(stmt, ForEach), stmt
        return stmt.replace(body=self._inner(stmt.body, kernel))  # type: ignore[no-any-return]

    def _ahead(self, stmt: Stmt, kernel: list[Stmt]) -> Stmt:
        """What the kernel runs ahead: an error ends that alone there, and is raised if the user stage comes to it."""
        assert isinstance(stmt, Scope), stmt
        caught = Label("caught")
        outer, self._caught = self._caught, caught
        inner_kernel, inner_user = self.block(stmt.body)
        self._caught = outer
        residual = Scope(stmt.label, inner_user, stmt.span)
        kernel.append(AheadScope(caught, inner_kernel, stmt.span, residual))
        return residual

    def _inner(self, body: list[Stmt], kernel: list[Stmt]) -> list[Stmt]:
        out: list[Stmt] = []
        for stmt in body:
            if isinstance(stmt, Op):
                if id(stmt) in self.places.hoisted:
                    self._hoist(stmt, kernel, out, marked=False)
                else:
                    out.append(stmt)
            elif isinstance(stmt, (Leave, Call)):
                out.append(stmt)
            else:
                out.append(self._region(stmt, kernel))
        return out


def _may_fault(op: Op) -> bool:
    return isinstance(op.attr, Load) and op.attr.fault == "error" and op.dst is not None


def prune(body: list[Stmt], ends: frozenset[Label], walked: set[int]) -> list[Stmt]:
    """Return a user half without control that decides nothing.

    ends: labels whose end is this body's end; walked: as the Splitter's.
    """
    out: list[Stmt] = []
    for stmt in reversed(body):
        here = ends if not out else frozenset()
        if isinstance(stmt, Leave):
            if stmt.label not in here:
                out = [stmt]
            continue
        if isinstance(stmt, If):
            stmt.then, stmt.els = prune(stmt.then, here, walked), prune(stmt.els, here, walked)
            if not stmt.then and not stmt.els:
                continue
        elif isinstance(stmt, Scope):
            stmt.body = prune(stmt.body, here | {stmt.label}, walked)
            if not stmt.body:
                continue
        elif id(stmt) in walked and _pruned(stmt, here, walked):
            continue
        out.insert(0, stmt)
    return out


def _pruned(stmt: Stmt, here: frozenset[Label], walked: set[int]) -> bool:
    """Prune a loop or try block that the kernel runs, too; return whether nothing is left that the user stage must do."""
    if isinstance(stmt, Try):
        stmt.handler = prune(stmt.handler, here, walked)
        stmt.body = prune(stmt.body, here, walked)
        return not stmt.handler and stmt.message is None and _only_control(stmt.body, here, _RAISING)
    assert isinstance(stmt, Loop), stmt
    stmt.body = prune(stmt.body, frozenset(), walked)
    return _only_control(stmt.body, here | {stmt.label}, frozenset())


_RAISING = frozenset(("raise", "raise_site"))


def _only_control(body: list[Stmt], near: frozenset[Label], allowed: frozenset[str]) -> bool:
    """Whether a body does nothing but find its way to some labels, or raise."""
    for stmt in body:
        if isinstance(stmt, Op):
            if stmt.name not in allowed:
                return False
        elif isinstance(stmt, Leave):
            if stmt.label not in near:
                return False
        elif isinstance(stmt, (Call, ForEach)):
            return False
        else:
            inner = near | {stmt.label} if isinstance(stmt, (Loop, Scope)) else near
            if not all(_only_control(block, inner, allowed) for block in blocks(stmt)):
                return False
    return True


def deep_uses(stmt: Stmt, marked: set[int]) -> list[Local]:
    """Return the locals read by a statement and by all inside it, once each. marked: what has marks of its own."""
    found: dict[Local, None] = {}
    for operand in uses(stmt):
        if isinstance(operand, Local):
            found.setdefault(operand)
    for block in blocks(stmt):
        for inner in block:
            if id(inner) not in marked:
                for local in deep_uses(inner, marked):
                    found.setdefault(local)
    return list(found)
