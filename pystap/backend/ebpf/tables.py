"""What every operation on a kernel table needs: finding an element, making one, and what happens when there is no room."""

from __future__ import annotations

from ...bpf import insn as I
from ...program import CPU_SKIPPED_OTHER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...ir.nodes import Op
    from ...program import GlobalSpec
    from .keys import Key
    from .lower import Lower

BPF_ANY, BPF_NOEXIST = 0, 1
OVERFLOW = "Array overflow, check MAXMAPENTRIES"
ZERO_ON_STACK = 64  # bytes; larger values are first copied from the map "zero"
ENOENT, E2BIG, EEXIST = -2, -7, -17


def lookup(lo: Lower, name: str, key: Key, base: int) -> None:
    fn = lo.fn
    fn.ld_map(I.R1, name)
    key.pointer(I.R2)
    fn.call("map_lookup_elem", 2)
    fn.mov(base, I.R0)


def insert_zero(lo: Lower, op: Op, spec: GlobalSpec, name: str, key: Key) -> None:
    """Add the key with a value of zeros, unless it is there."""
    fn = lo.fn
    size = (spec.value_size + 7) & ~7
    if size <= ZERO_ON_STACK:
        at = fn.frame.take(size, op.span)
        for n in range(0, size, 8):
            fn.sti(8, I.FP, at + n, 0)
        fn.addr(I.R3, I.FP, at)
        fn.frame.give(at, size)
    else:
        fn.ld_value(I.R3, "zero", 0)
    fn.ld_map(I.R1, name)
    key.pointer(I.R2)
    fn.const(I.R4, BPF_NOEXIST)
    fn.call("map_update_elem", 4)


def answer(lo: Lower) -> int:
    """A register with what the map's helper called last returned: an int, of which kernels before 6.4 leave it at that."""
    status = lo.fn.result()
    lo.fn.alui(I.LSH, status, 32)
    lo.fn.alui(I.ARSH, status, 32)
    return status


def refused(lo: Lower, op: Op, spec: GlobalSpec, status: int) -> None:
    """A new key was not taken: there is no room, or this run interrupted another one in the same map.

    status: a register with the helper's answer. Where that isn't the map's being full, what is lost is counted.
    """
    fn = lo.fn
    full, done = fn.new_label(), fn.new_label()
    fn.jumpi(I.JEQ, status, E2BIG, full)
    fn.jumpi(I.JEQ, status, 0, done)  # it was there, and another run has deleted it since
    fn.jumpi(I.JEQ, status, EEXIST, done)
    count_skipped(lo, op)
    fn.goto(done)
    fn.label(full)
    _full(lo, op, spec)
    fn.label(done)


def store_new(lo: Lower, op: Op, spec: GlobalSpec, key: Key, flags: int) -> int:
    """Put the operation's last argument, a number, at the key; a register with the helper's answer."""
    fn = lo.fn
    at = fn.frame.take(8, op.span)
    fn.stx(8, I.FP, at, lo.value(op.args[-1]))
    fn.addr(I.R3, I.FP, at)
    fn.ld_map(I.R1, spec.map)
    key.pointer(I.R2)
    fn.const(I.R4, flags)
    fn.call("map_update_elem", 4)
    fn.frame.give(at, 8)
    return answer(lo)


def count_skipped(lo: Lower, op: Op, counter: int = CPU_SKIPPED_OTHER) -> None:
    """One more run that did not happen, or not whole. counter: which of this CPU's (program.CPU_*)."""
    fn = lo.fn
    at = fn.frame.take(8, op.span)
    fn.sti(4, I.FP, at, 0)
    fn.ld_map(I.R1, "cpu")
    fn.addr(I.R2, I.FP, at)
    fn.call("map_lookup_elem", 2)
    fn.frame.give(at, 8)
    none = fn.new_label()
    fn.jumpi(I.JEQ, I.R0, 0, none)
    fn.atomic(I.A_ADD, 8, I.R0, counter, fn.imm(1))
    fn.label(none)


def _full(lo: Lower, op: Op, spec: GlobalSpec) -> None:
    """No room for a new key."""
    fn = lo.fn
    if spec.wrap or spec.full != "error":
        at = fn.vreg()
        fn.ld_value(at, "ctl", spec.offset)
        fn.sti(8, at, 0, 1)
    elif id(op) in lo.fulls:
        fn.const(lo.fulls[id(op)], 1)
    else:
        fn.goto(lo.fault(OVERFLOW, op.span, word=spec.name))


def full_of(lo: Lower, op: Op) -> None:
    """Whether an update found no room."""
    lo.done(op.dst, lo.fulls[id(op.attr)])
