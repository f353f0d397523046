"""The try-lock (R5): a word of the control block that a run takes by compare-and-exchange, and waits for only so long.

It never blocks: a run that interrupted the holder on its own CPU, or has tried often enough, is left out and counted.
The order of memory is kept by the exchanges at both ends.
"""

from __future__ import annotations

from ...bpf import insn as I
from ...program import CTL_LOCK, CTL_STATE, STATE_RUNNING
from .frame import Frame
from .lir import Func
from .regalloc import allocate
from .tables import count_skipped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...ir.nodes import Op
    from .select import Select

# 10 to 30 ms: so long may a host let the holder's CPU wait; an interrupt there is nothing beside it.
SPINS = 1 << 20


def lock(lo: Select, op: Op) -> None:
    """Take the lock; the runs that don't get it don't happen, nor those that got it after the end."""
    fn = lo.fn
    if "bpf_loop" not in lo.target.features:
        raise lo.unfit("this kernel has no bpf_loop", op.span)
    base = fn.vreg()
    got, missed = fn.new_label(), fn.new_label()
    fn.call("get_smp_processor_id", 0)
    me = fn.result()
    fn.alui(I.ADD, me, 1)
    fn.ld_value(base, "ctl", 0)
    fn.const(I.R0, 0)
    fn.atomic(I.A_CMPXCHG, 8, base, CTL_LOCK, me)
    fn.jumpi(I.JEQ, I.R0, 0, got)
    fn.jump(I.JEQ, I.R0, me, missed)
    at = fn.frame.take(8, op.span)
    fn.stx(8, I.FP, at, me)
    fn.const(I.R1, SPINS)
    fn.ld_func(I.R2, _spinner(lo))
    fn.addr(I.R3, I.FP, at)
    fn.const(I.R4, 0)
    fn.call("loop", 4)
    left = fn.load(8, I.FP, at)
    fn.frame.give(at, 8)
    fn.jumpi(I.JEQ, left, 0, got)
    fn.label(missed)
    count_skipped(lo, op)
    fn.goto(lo.run_skipped)
    fn.label(got)
    running = fn.new_label()
    fn.jump32i(I.JEQ, fn.load(4, base, CTL_STATE), STATE_RUNNING, running)
    release(lo)
    fn.goto(lo.run_skipped)
    fn.label(running)
    lo.locked = True


def unlock(lo: Select, op: Op) -> None:
    """Give it back."""
    release(lo)
    lo.locked = False


def release(lo: Select) -> None:
    """Let the next run have it."""
    fn = lo.fn
    base = fn.vreg()
    fn.ld_value(base, "ctl", CTL_LOCK)
    fn.atomic(I.A_XCHG, 8, base, 0, fn.imm(0))


def _spinner(lo: Select) -> str:
    """The callback that tries again: (number of the turn, address of the CPU's word) -> 1 when it has got the lock.

    Then the word is 0.
    """
    name = f"{lo.main.name}_spin"
    if any(known == name for known, _, _ in lo.finished):
        return name
    fn = Func(name, 2, Frame())
    fn.span = lo.fn.span
    word, base = fn.copy(I.R2), fn.vreg()
    busy = fn.new_label()
    fn.ld_value(base, "ctl", CTL_LOCK)
    fn.jumpi(I.JNE, fn.load(8, base, 0), 0, busy)
    fn.const(I.R0, 0)
    fn.atomic(I.A_CMPXCHG, 8, base, 0, fn.load(8, word, 0))
    fn.jumpi(I.JNE, I.R0, 0, busy)
    fn.sti(8, word, 0, 0)
    fn.exit(1)
    fn.label(busy)
    fn.exit(0)
    lo.finished.append((name, 2, allocate(fn)))
    return name
