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
from .places import Places

_DIVISIONS = {"sdiv_or_error": "/", "smod_or_error": "%"}


class Mark(Stmt):
    """In a kernel body: here the values are captured that `target` (and, if deep, all inside it) reads."""

    target: Stmt
    deep: bool


class Splitter:
    """Splits one body by its Places.

    label: leaving it ends the run. first_error_ends: no error is forgiven, so that the kernel stage stops at one.
    """

    def __init__(self, places: Places, label: Label, first_error_ends: bool) -> None:
        self.first_error_ends = first_error_ends
        self.places = places
        self.label = label
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
            elif isinstance(stmt, Scope):
                inner_kernel, inner_user = self.block(stmt.body)
                kernel.append(Scope(stmt.label, inner_kernel, stmt.span))
                user.append(Scope(stmt.label, inner_user, stmt.span))
            else:
                kernel.append(stmt)
        return kernel, user

    def _op(self, op: Op | Call, kernel: list[Stmt], user: list[Stmt]) -> None:
        places = self.places
        if isinstance(op, Op) and id(op) in places.hoisted:
            self._hoist(op, kernel, user, marked=True)
        elif isinstance(op, Op) and id(op) in places.split:
            self._own_copy(op, kernel, user, marked=True)
        elif id(op) in places.user:
            kernel.append(Mark(op, False))
            user.append(op)
            if isinstance(op, Call) or {"output", "write", "state", "control"} & set(effects(op).split()):
                self._seen_effect = True
        elif (
            (self._seen_effect or not self.first_error_ends) and isinstance(op, Op) and "fault" in effects(op)
        ):
            self._fault_in_order(op, kernel, user)
        else:
            kernel.append(op)

    def _fault_in_order(self, op: Op, kernel: list[Stmt], user: list[Stmt]) -> None:
        """The kernel ends the run at a fault; the user stage raises it behind what it did before.

        So it is with all errors where some are forgiven: what the kernel stage itself reports ends the tracing.
        """
        end: list[Stmt] = [Op(None, "exit", (Const(1),), None, op.span)] if self.first_error_ends else []
        end.append(Leave(self.label, op.span))
        if op.name == "raise":
            kernel.append(Mark(op, False))
            kernel += end
            user.append(op)
        elif _may_fault(op):
            assert op.dst is not None
            error = Local("fault", I64)
            kernel.append(op.replace(attr=op.attr.replace(fault="capture")))
            kernel.append(Op(error, "fault_of", (), op.dst, op.span))
            raising = Op(None, "raise_site", (error, op.args[0]), op.attr.off or None, op.span)
            kernel.append(Mark(raising, False))
            kernel.append(If(error, end, [], op.span))
            user.append(raising)
        elif op.name in _DIVISIONS:
            self._division_in_order(op, end, kernel, user)
        else:
            kernel.append(op)

    def _division_in_order(self, op: Op, end: list[Stmt], kernel: list[Stmt], user: list[Stmt]) -> None:
        divisor = op.args[1]
        if isinstance(divisor, Const) and divisor.value:
            kernel.append(op)
            return
        by_zero = Local("by zero", I64)
        kernel.append(Op(by_zero, "eq", (divisor, Const(0)), None, op.span))
        raising = Op(None, "raise", (Text("division by 0"),), _DIVISIONS[op.name], op.span)
        residual = If(by_zero, [raising], [], op.span)
        kernel.append(Mark(residual, False))
        kernel.append(If(by_zero, end, [], op.span))
        kernel.append(op)
        user.append(residual)

    def _own_copy(self, op: Op, kernel: list[Stmt], user: list[Stmt], marked: bool) -> None:
        """The kernel makes the value, a local of the user stage keeps it."""
        assert op.dst is not None
        temporary = Local(op.dst.name, op.dst.type)
        kernel.append(op.replace(dst=temporary))
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
        then_kernel, then_user = self.block(stmt.then)
        els_kernel, els_user = self.block(stmt.els)
        residual = If(stmt.cond, then_user, els_user, stmt.span)
        kernel.append(Mark(residual, False))
        kernel.append(If(stmt.cond, then_kernel, els_kernel, stmt.span))
        user.append(residual)

    def _region(self, stmt: Stmt, kernel: list[Stmt]) -> Stmt:
        """Return a region's statement for the user stage; the captures inside it go to the kernel half."""
        if isinstance(stmt, If):
            return If(stmt.cond, self._inner(stmt.then, kernel), self._inner(stmt.els, kernel), stmt.span)
        if isinstance(stmt, (Loop, Scope)):
            return type(stmt)(stmt.label, self._inner(stmt.body, kernel), stmt.span)
        if isinstance(stmt, Try):
            body = self._inner(stmt.body, kernel)
            return Try(body, stmt.message, self._inner(stmt.handler, kernel), stmt.span)
        assert isinstance(stmt, ForEach), stmt
        return stmt.replace(body=self._inner(stmt.body, kernel))  # type: ignore[no-any-return]

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


def prune(body: list[Stmt], ends: frozenset[Label]) -> list[Stmt]:
    """Return a user half without control that decides nothing. ends: labels whose end is this body's end."""
    out: list[Stmt] = []
    for stmt in reversed(body):
        here = ends if not out else frozenset()
        if isinstance(stmt, Leave):
            if stmt.label not in here:
                out = [stmt]
            continue
        if isinstance(stmt, If):
            stmt.then, stmt.els = prune(stmt.then, here), prune(stmt.els, here)
            if not stmt.then and not stmt.els:
                continue
        elif isinstance(stmt, Scope):
            stmt.body = prune(stmt.body, here | {stmt.label})
            if not stmt.body:
                continue
        out.insert(0, stmt)
    return out


def deep_uses(stmt: Stmt) -> list[Local]:
    """Return the locals read by a statement and by all inside it, once each."""
    found: dict[Local, None] = {}
    for operand in uses(stmt):
        if isinstance(operand, Local):
            found.setdefault(operand)
    for block in blocks(stmt):
        for inner in block:
            for local in deep_uses(inner):
                found.setdefault(local)
    return list(found)
