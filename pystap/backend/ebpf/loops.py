"""Loops: the body is a subprogram that the helper bpf_loop calls, at most MAXACTION times in a run.

The callback gets the address of the block that its caller's frame shares with it. It returns 1 to end the
loop, after writing why: a code for the label to leave to, or LEAVE_ERROR with site and argument.
"""

from __future__ import annotations

from ...bpf import insn as I
from ...staging.plan import LogLoop
from .frame import Frame
from .lir import Func
from .lower import NONE, SH_ARG, SH_LEAVE, SH_SITE, SH_TURNS, State
from .regalloc import allocate
from .strings import record_base

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...ir.nodes import Label, Loop
    from ...staging.plan import AheadScope
    from .select import Select

MAX_ACTION = 1000
EXCEEDED = "MAXACTION exceeded"
_DEEPEST = 6  # of 8 functions that the kernel allows
_MOST = (1 << 23) - 1  # bpf_loop allows one more, which tells that it was too many
LEAVE_NONE, LEAVE_OWN, LEAVE_ERROR, LEAVE_FINAL, LEAVE_FIRST = range(5)  # LEAVE_FINAL: no Try catches it


def max_action(options: Any) -> int:
    """How many turns the loops of a run may make."""
    own: int = MAX_ACTION if options.max_action is None else options.max_action
    return min(own, _MOST)


def code_of(lo: Select, label: Label) -> int:
    """The number that stands for a label, the same in all functions."""
    codes = lo.leave_codes
    return codes.setdefault(label, LEAVE_FIRST + len(codes))


def leave_out(lo: Select, label: Label) -> None:
    """From a loop's body to a label outside of it."""
    fn = lo.fn
    code = LEAVE_OWN if lo.own_labels[-1] is label else code_of(lo, label)
    lo.store_shared(SH_LEAVE, fn.imm(code))
    fn.exit(1)


def loop(lo: Select, stmt: Loop) -> None:
    """Write the body as a function of its own, then the call and what follows its end."""
    if "bpf_loop" not in lo.target.features:
        raise lo.unfit("this kernel has no bpf_loop", stmt.span)
    if len(lo.own_labels) >= _DEEPEST:
        raise lo.unfit("loops are nested too deep", stmt.span)
    lo.loop_number += 1
    name = f"{lo.main.name}_loop{lo.loop_number}"
    lo.own_labels.append(stmt.label)
    _body(lo, stmt, name)
    lo.own_labels.pop()
    fn = lo.fn
    turns = max_action(lo.options)
    lo.store_shared(SH_LEAVE, fn.imm(LEAVE_NONE))
    fn.const(I.R1, turns + 1)
    fn.ld_func(I.R2, name)
    block, at = lo.slot(0)
    fn.addr(I.R3, block, at)
    fn.const(I.R4, 0)
    fn.call("loop", 4)
    code = lo.load_shared(SH_LEAVE)
    done = fn.new_label()
    fn.jumpi(I.JEQ, code, LEAVE_OWN, done)
    logged = stmt.log if isinstance(stmt, LogLoop) and lo.state.parent is None else None
    if logged is not None:  # what an error says of the record's log
        fn.sti(8, lo.rec, logged.inside, 1)
    fn.jumpi(I.JEQ, code, LEAVE_FINAL, _error(lo, 1))
    fn.jumpi(I.JEQ, code, LEAVE_ERROR, lo.state.tries[-1] if lo.state.tries else _error(lo, 0))
    if logged is not None:
        fn.sti(8, lo.rec, logged.inside, 0)
    _dispatch(lo, code)
    fn.goto(lo.fault(EXCEEDED, stmt.span, final=True))
    fn.label(done)


def part(lo: Select, scope: AheadScope) -> None:
    """Loops with a part of the log for themselves. Run ahead, their turns aren't the run's."""
    fn = lo.fn
    base, _ = record_base(lo)
    used = scope.log.used or None  # nothing is logged
    turns = None
    if scope.failed is not None:
        fn.sti(8, base, scope.failed.offset, 0)
        turns = lo.load_shared(SH_TURNS)
        lo.ahead = scope
    if used is not None:
        fn.stx(8, base, scope.start.offset, fn.load(8, base, used))
    lo.scope(scope)
    _given_up(lo, scope)
    lo.ahead = None
    if turns is not None:
        lo.store_shared(SH_TURNS, turns)
    if used is not None:
        base, _ = record_base(lo)
        fn.stx(8, base, scope.end.offset, fn.load(8, base, used))


def give_up(lo: Select, number: int) -> int:
    """The label to jump to where something that is run ahead may not go on; the record says why."""
    fn, scope = lo.fn, lo.ahead
    assert scope is not None
    key = (number, None, 64 + lo.rec_state + 4 * lo.locked, 0)
    label = lo.state.faults.get(key)
    if label is not None:
        return label
    label = lo.state.faults[key] = fn.new_label()
    if lo.state.parent is None:
        lo.given_up.append((label, number))
        return label
    out = fn.out
    fn.cold()
    fn.label(label)
    fn.sti(8, record_base(lo)[0], scope.failed.offset, number)
    leave_out(lo, scope.label)
    fn.out = out
    return label


def _given_up(lo: Select, scope: AheadScope) -> None:
    """What is jumped to from the scope where that isn't in a loop: behind it, as no jump goes back."""
    if not lo.given_up:
        return
    fn = lo.fn
    over = fn.new_label()
    for label, number in lo.given_up:
        fn.goto(over)
        fn.label(label)
        fn.sti(8, lo.rec, scope.failed.offset, number)
    lo.given_up.clear()
    lo.state.faults.clear()  # of these nobody may jump to any more
    fn.label(over)


def _error(lo: Select, final: int) -> int:
    """The label to jump to when the body met an error that isn't caught here."""
    state, fn = lo.state, lo.fn
    key = (-1 - final, None, lo.rec_state + 4 * lo.locked, 0)
    known = state.faults.get(key)
    if known is not None:
        return known
    label = state.faults[key] = fn.new_label()
    out = fn.out
    fn.cold()
    fn.label(label)
    fn.mov(state.site, lo.load_shared(SH_SITE))
    fn.mov(state.what, lo.load_shared(SH_ARG))
    fn.const(state.final, final)
    fn.const(state.lock, int(lo.locked))
    state.error_recs.add(lo.rec_state)
    fn.goto(state.error)
    fn.out = out
    return label


def _dispatch(lo: Select, code: int) -> None:
    """Go where the body left to."""
    fn, state = lo.fn, lo.state
    for label, number in lo.leave_codes.items():
        here = state.labels.get(label)
        if here is not None:
            lo.left_with.setdefault(here, set()).add(lo.rec_state)
            fn.jumpi(I.JEQ, code, number, here)
    if state.parent is None:
        lo.left_with.setdefault(lo.run_end, set()).add(lo.rec_state)
        fn.jumpi(I.JSGE, code, LEAVE_FIRST, lo.run_end)
        return
    stay = fn.new_label()
    fn.jumpi(I.JSLT, code, LEAVE_FIRST, stay)
    own = lo.leave_codes.get(lo.own_labels[-1])
    if own is not None:
        outer = fn.new_label()
        fn.jumpi(I.JNE, code, own, outer)
        lo.store_shared(SH_LEAVE, fn.imm(LEAVE_OWN))
        fn.exit(1)
        fn.label(outer)
    fn.exit(1)  # the code stays where the next function finds it
    fn.label(stay)


def _body(lo: Select, stmt: Loop, name: str) -> None:
    """The callback: (number of the turn, shared block) -> 0 to go on, 1 to end."""
    outer_fn, outer_state, facts, trail = lo.fn, lo.state, lo.facts, lo.trail
    deferred, rec_state, left_with = lo.deferred, lo.rec_state, lo.left_with
    fn = lo.fn = Func(name, 2, Frame())
    state = lo.state = State(fn, outer_state)
    fn.span = stmt.span
    lo.facts, lo.trail, lo.deferred, lo.rec_state, lo.left_with = {}, [], {}, NONE, {}
    state.base = fn.vreg()
    fn.mov(state.base, I.R2)
    turns = lo.load_shared(SH_TURNS)
    fn.alui(I.ADD, turns, 1)
    lo.store_shared(SH_TURNS, turns)
    fn.jumpi(I.JGT, turns, max_action(lo.options), lo.fault(EXCEEDED, stmt.span, final=True))
    lo.block(stmt.body)
    fn.span = stmt.span
    fn.exit(0)
    if state.error_recs:
        fn.cold()
        fn.label(state.error)
        lo.store_shared(SH_SITE, state.site)
        lo.store_shared(SH_ARG, state.what)
        fn.alui(I.ADD, state.final, LEAVE_ERROR)
        lo.store_shared(SH_LEAVE, state.final)
        fn.exit(1)
        fn.warm()
    code = allocate(fn)
    lo.finished.append((name, 2, code))
    lo.stack_depth = max(lo.stack_depth, -fn.frame.lowest)
    lo.fn, lo.state, lo.facts, lo.trail = outer_fn, outer_state, facts, trail
    lo.deferred, lo.rec_state, lo.left_with = deferred, rec_state, left_with
