"""Instruction selection: walks a kernel program's body and writes its linear form."""

from __future__ import annotations

from ...bpf import insn as I
from ...ir.nodes import I64, STR, Const, If, Leave, Local, Loop, Op, Scope, Text, Try
from ...ir.ops import OPS
from ...ir.walk import statements
from ...program import (
    CTL_ERROR,
    CTL_ERROR_ARG,
    CTL_ERRORS,
    CTL_EXIT,
    CTL_GEN,
    CTL_STATE,
    STATE_ERROR,
    STATE_RUNNING,
    STATE_STARTING,
    STATE_STOPPING,
)
from ...staging.plan import AheadScope
from . import (
    arith,
    builtins,
    context,
    globals,
    loads,
    locks,
    outline,
    pieces,
    records,
    strings,
    syscalls,
    texts,
)
from .lower import HELD, MAYBE, SH_LOCALS, SH_TURNS, Lower, Mem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ...ir.nodes import Stmt

_BOOLEANS = frozenset(arith.COMPARE) | {"lnot", "str_eq", "str_ne"}


class Select(Lower):
    """Lower, with the walk."""

    # -- the whole

    def program(self) -> None:
        """Write the main program."""
        self.outlines = outline.Outlines(self.kp.body)
        self.prologue()
        body = self.kp.body
        at = 0
        ends = False
        while at < len(body):
            scope = isinstance(body[at], Scope)
            run = body[at : at + 1] if scope else body[at:]
            if ends:
                self.still_running()
            if at and self.census.loops:  # each handler has MAXACTION turns
                self.store_shared(SH_TURNS, self.fn.imm(0))
            self.one_run(run)
            ends = ends or any(isinstance(stmt, Op) and stmt.name == "exit" for stmt in statements(run))
            at = at + 1 if scope else len(body)
        self.fn.exit(self.verdict)
        self.error_exit()

    def still_running(self) -> None:
        """A handler before this one may have called exit(): then this one doesn't run (R14)."""
        fn = self.fn
        base = fn.vreg()
        fn.ld_value(base, "ctl", CTL_STATE)
        on = fn.new_label()
        fn.jump32i(I.JEQ, fn.load(4, base, 0), STATE_RUNNING, on)
        fn.exit(self.verdict)
        fn.label(on)

    def one_run(self, body: list[Stmt]) -> None:
        """One handler. Its record goes out at its end; without room for one the run is skipped."""
        fn = self.fn
        self.run_end, self.run_skipped = fn.new_label(), fn.new_label()
        self.left_with = {}
        outline.prepare(self, body)
        self.block(body)
        self.arrive(self.run_end)
        records.submit(self)
        if self.options.maxerrors:  # an error ends this handler alone
            fn.goto(self.run_skipped)
            fn.write_tail()  # jumps go forward only
            self.error_exit()
            self.state.forget_errors()
        fn.label(self.run_skipped)

    def go(self, label: int) -> None:
        """Jump to a label where paths meet."""
        self.left_with.setdefault(label, set()).add(self.rec_state)
        self.fn.goto(label)

    def arrive(self, label: int, falls: bool = True) -> None:
        """Place a label where paths meet. falls: whether control also comes from above."""
        states = self.left_with.pop(label, set())
        if falls or not states:
            states.add(self.rec_state)
        self.rec_state = states.pop() if len(states) == 1 else MAYBE
        self.fn.label(label)

    def prologue(self) -> None:
        """Nothing happens unless the tracer is running (R6); one load gives state and generation (R8)."""
        fn, state = self.fn, self.state
        if self.kp.body:
            fn.span = _first_span(self.kp.body)
        state.ctx = fn.vreg()
        fn.mov(state.ctx, I.R1)
        base = fn.vreg()
        fn.ld_value(base, "ctl", CTL_STATE)
        both = fn.load(8, base, 0)
        stopped = fn.new_label()
        args = self.kp.event.args
        when = args.get("when") if isinstance(args, dict) else None  # see staging/early.py
        if when == "early":
            fn.jump32i(I.JGT, both, STATE_RUNNING, stopped)
        else:
            fn.jump32i(I.JNE, both, STATE_RUNNING if when is None else STATE_STARTING, stopped)
        fn.mov(self.gen, both)
        fn.alui(I.RSH, self.gen, 8 * (CTL_GEN - CTL_STATE))
        out = fn.out
        fn.cold()
        fn.label(stopped)
        fn.exit(self.verdict)
        fn.out = out
        if "reserve" in self.census.names:
            fn.const(self.rec, 0)
            fn.const(self.held, 0)
        syscalls.filter_numbers(self)
        if self.census.loops:
            self._share()
        for local in self.census.exposed:
            if local.type != I64 and local not in self.shared and local in self.kp.sizes:
                place = strings.room(self, local, fn.span)
                strings.zero(self, Mem(place.base, place.off, (place.cap + 7) & ~7, True))

    def _share(self) -> None:
        """What loops' bodies share with the rest begins as zeros, which the verifier takes for any numbers."""
        from ...program import CTL_ZERO
        from .lower import SH_CTX, SH_GEN

        fn = self.fn
        size = SH_LOCALS
        for local, at in self.shared.items():
            size = max(size, at + (8 if local.type == I64 else (self.kp.sizes.get(local, 8) + 7) & ~7))
        zeros = fn.vreg()
        fn.ld_value(zeros, "ctl", CTL_ZERO)
        zero = fn.load(8, zeros, 0)
        for at in range(0, size, 8):
            fn.stx(8, I.FP, self.shared_at + at, zero)
        fn.stx(8, *self.slot(SH_CTX), self.state.ctx)
        fn.stx(8, *self.slot(SH_GEN), self.gen)

    def skip(self) -> None:
        """End this run as one that doesn't happen."""
        if self.locked:
            locks.release(self)
        self.fn.goto(self.run_skipped)

    def error_exit(self) -> None:
        """The first error wins, unless it is forgiven; what the run has put down so far still comes out."""
        state, fn = self.state, self.fn
        recs = state.error_recs
        if not recs:
            return
        self.rec_state = recs.pop() if len(recs) == 1 else MAYBE
        if not self.options.maxerrors:
            fn.cold()
        fn.label(state.error)
        flags = fn.imm(1)
        if self.options.maxerrors:
            flags = self.forgiven_error()
        else:
            self.tell_error(ends=True)
        if "lock" in self.census.names:
            free = fn.new_label()
            fn.jumpi(I.JEQ, state.lock, 0, free)
            locks.release(self)
            fn.label(free)
        records.submit(self, flags)
        if not self.options.maxerrors:
            fn.exit(self.verdict)
            fn.warm()

    def tell_error(self, *, ends: bool) -> None:
        """Put an error in the control block, if none is there; ends: it ends the tracing."""
        state, fn = self.state, self.fn
        base = fn.vreg()
        fn.ld_value(base, "ctl", 0)
        fn.const(I.R0, 0)
        fn.atomic(I.A_CMPXCHG, 8, base, CTL_ERROR, state.site)
        late = fn.new_label()
        fn.jumpi(I.JNE, I.R0, 0, late)
        fn.stx(8, base, CTL_ERROR_ARG, state.what)
        if ends:
            fn.sti(4, base, CTL_STATE, STATE_ERROR)
        fn.label(late)
        if not ends:
            fn.atomic(I.A_ADD, 8, base, CTL_ERRORS, fn.imm(1))

    def forgiven_error(self) -> int:
        """Tell an error that ends its run alone: the run's record does, if there is one. Return its flags."""
        fn = self.fn
        told = fn.new_label()
        if self.rec_state == MAYBE:
            fn.jumpi(I.JNE, self.held, 0, told)
        if self.rec_state != HELD:
            self.tell_error(ends=False)
        fn.label(told)
        flags = fn.vreg()
        fn.mov(flags, self.state.site)
        fn.alui(I.LSH, flags, 1)
        fn.alui(I.OR, flags, 1)
        return flags

    # -- statements

    def block(self, body: list[Stmt]) -> None:
        """A list of statements."""
        if len(body) > pieces.LONG:
            pieces.long_block(self, body)
            return
        for at, stmt in enumerate(body):
            self.statement(stmt, body, at)

    def statement(self, stmt: Stmt, body: list[Stmt], at: int) -> None:
        """The statement at a place of a list."""
        self.fn.span = stmt.span  # type: ignore[attr-defined]
        if self.fn.settle():
            self.state.faults.clear()
        if isinstance(stmt, Op):
            self.op(stmt, body, at)
        elif isinstance(stmt, If):
            self.if_(stmt)
        elif isinstance(stmt, AheadScope):
            from .loops import part

            part(self, stmt)
        elif isinstance(stmt, Scope):
            self.scope(stmt)
        elif isinstance(stmt, Leave):
            self.leave(stmt)
        elif isinstance(stmt, Try):
            self.try_(stmt)
        elif isinstance(stmt, Loop):
            from .loops import loop

            loop(self, stmt)
        else:
            raise self.unfit(f"{type(stmt).__name__} has no code in the kernel stage", self.fn.span)

    def op(self, op: Op, body: list[Stmt], at: int) -> None:
        """One operation."""
        name = op.name
        if name == "reserve":
            records.reserve(self, op, body[at + 1 :])
            return
        if name in _BOOLEANS:
            if self._defers(op, body, at):
                assert op.dst is not None
                self.deferred[op.dst] = op
            else:
                self.boolean(op)
            return
        code = _CODE.get(name)
        if code is not None:
            code(self, op)
        elif name in OPS and OPS[name].on_global:
            outline.operate(self, op)
        else:
            raise self.unfit(f"'{name}' has no code in the kernel stage", op.span)

    def _defers(self, op: Op, body: list[Stmt], at: int) -> bool:
        """Whether a comparison becomes the jump of the If that reads it."""
        census = self.census
        if not census.fuses(op.dst):
            return False
        if all(census.steady(arg) for arg in op.args):
            return True
        after = body[at + 1] if at + 1 < len(body) else None
        return isinstance(after, If) and after.cond is op.dst

    def boolean(self, op: Op) -> None:
        """A comparison's value."""
        fn = self.fn
        if op.name in ("eq", "ne") and op.args[0] not in self.deferred:
            arith.equality(self, op)
            return
        dst = fn.vreg()
        done = fn.new_label()
        fn.const(dst, 1)
        self.jump_op(op, done, True)
        fn.const(dst, 0)
        fn.label(done)
        if self.looping:
            self.hide(dst)
        self.done(op.dst, dst)

    def jump_op(self, op: Op, label: int, sense: bool) -> None:
        """Jump when a comparison's truth is `sense`."""
        name = op.name
        if name == "lnot":
            self.jump_if(op.args[0], label, not sense)
        elif name in ("str_eq", "str_ne"):
            strings.compare_jump(self, op, label, sense)
        elif name in ("eq", "ne") and op.args[0] in self.deferred and _is_zero(op.args[1]):
            self.jump_if(op.args[0], label, sense == (name == "ne"))
        else:
            arith.compare_jump(self, op, label, sense)

    def jump_if(self, cond: Any, label: int, sense: bool) -> None:
        """Jump when a condition's truth is `sense`."""
        fn = self.fn
        if isinstance(cond, Const):
            if (cond.value != 0) == sense:
                fn.goto(label)
        elif isinstance(cond, Text):
            if bool(cond.value) == sense:
                fn.goto(label)
        elif cond in self.deferred:
            self.jump_op(self.deferred[cond], label, sense)
        elif cond.type == STR:
            strings.compare_jump(self, Op(None, "str_ne", (cond, Text(""))), label, sense)
        else:
            fn.jumpi(I.JNE if sense else I.JEQ, self.compared(self.value(cond)), 0, label)

    def if_(self, stmt: If) -> None:
        """If: the likely way (then) falls through."""
        fn = self.fn
        els = fn.new_label()
        self.jump_if(stmt.cond, els, False)
        mark, before = self.mark(), self.rec_state
        self.block(stmt.then)
        self.back(mark)
        after = self.rec_state
        if stmt.els:
            end = fn.new_label()
            fn.goto(end)
            fn.label(els)
            self.rec_state = before
            self.block(stmt.els)
            self.back(mark)
            fn.label(end)
            then_ends, els_ends = _falls(stmt.then), _falls(stmt.els)
            if then_ends and els_ends:
                self.rec_state = records.meet(after, self.rec_state)
            elif then_ends:
                self.rec_state = after
        else:
            fn.label(els)
            self.rec_state = records.meet(after, before) if _falls(stmt.then) else before

    def scope(self, stmt: Scope) -> None:
        """Scope: a Leave jumps to its end."""
        label = self.fn.new_label()
        self.state.labels[stmt.label] = label
        mark = self.mark()
        self.block(stmt.body)
        self.back(mark)
        del self.state.labels[stmt.label]
        self.arrive(label, _falls(stmt.body))

    def leave(self, stmt: Leave) -> None:
        """Leave: to a label of this function, or out of the loop's body with a code."""
        label = self.state.labels.get(stmt.label)
        if label is not None:
            self.go(label)
        elif self.state.parent is not None:
            from .loops import leave_out

            leave_out(self, stmt.label)
        else:
            self.go(self.run_end)

    def try_(self, stmt: Try) -> None:
        """Try: faults in the body jump to the handler."""
        if stmt.message is not None and self.census.uses.get(stmt.message):
            raise self.unfit("the message of a caught error is made in the user stage", stmt.span)
        fn, state = self.fn, self.state
        handler, end = fn.new_label(), fn.new_label()
        mark = self.mark()
        before = self.rec_state
        state.tries.append(handler)
        self.block(stmt.body)
        state.tries.pop()
        self.back(mark)
        fn.goto(end)
        fn.label(handler)
        if self.rec_state != before:
            self.rec_state = MAYBE
        self.block(stmt.handler)
        self.back(mark)
        fn.label(end)


def _falls(body: list[Stmt]) -> bool:
    """Whether control may reach the end of a list."""
    last = body[-1] if body else None
    if isinstance(last, Leave):
        return False
    if isinstance(last, If):
        return _falls(last.then) or _falls(last.els)
    return not (isinstance(last, Op) and last.name == "raise")


def _is_zero(operand: Any) -> bool:
    return isinstance(operand, Const) and operand.value == 0


def _first_span(body: list[Stmt]) -> Any:
    return body[0].span  # type: ignore[attr-defined]


def _mov(lo: Select, op: Op) -> None:
    dst, source = op.dst, op.args[0]
    if dst is None:
        return
    if dst.type != I64:
        strings.assign(lo, op)
        return
    if isinstance(source, Local) and source not in lo.shared and dst not in lo.shared:
        known = lo.facts.get(source)
        lo.fn.mov(lo.value(dst), lo.value(source))
        if known is not None and lo.census.steady(dst):
            lo.learn(dst, known)
        return
    lo.done(dst, lo.value(source))


def _exit(lo: Select, op: Op) -> None:
    """Ask for the end: records of other runs behind this are dropped by their state test."""
    fn = lo.fn
    base = fn.vreg()
    fn.ld_value(base, "ctl", 0)
    code = lo.fresh(op.args[0]) if op.args else fn.imm(0)
    fn.alui(I.ADD, code, 1)
    fn.const(I.R0, 0)
    fn.atomic(I.A_CMPXCHG, 8, base, CTL_EXIT, code)
    fn.const(I.R0, STATE_RUNNING)
    fn.atomic(I.A_CMPXCHG, 4, base, CTL_STATE, fn.imm(STATE_STOPPING))


def _raise(lo: Select, op: Op) -> None:
    text = op.args[0]
    if not isinstance(text, Text):
        raise lo.unfit("an error's text is made in the user stage", op.span)
    lo.fn.goto(lo.fault(text.value, op.span))


_CODE: dict[str, Callable[[Any, Op], None]] = {
    "mov": _mov,
    **dict.fromkeys(["add", "sub", "mul", "and", "or", "xor", "shl", "shr", "sar"], arith.binary),
    **dict.fromkeys(("neg", "not"), arith.unary),
    **dict.fromkeys(("sext", "zext"), arith.extend),
    **dict.fromkeys(
        ["sdiv_or_error", "smod_or_error", "sdiv_or_zero", "smod_or_zero", "udiv_or_zero", "umod_or_zero"],
        arith.divide,
    ),
    "call": builtins.call,
    "ctx_arg": context.ctx_arg,
    "sys_nr": syscalls.number,
    "sys_arg": syscalls.argument,
    "sys_ret": syscalls.result,
    "sys_abi": syscalls.abi,
    "load": loads.load,
    "load_str": texts.load_str,
    "load_buf": texts.load_buf,
    "fault_of": loads.fault_of,
    "put": records.put,
    "full_of": globals.full_of,
    "lock": locks.lock,
    "unlock": locks.unlock,
    "append": records.append,
    "exit": _exit,
    "raise": _raise,
}
