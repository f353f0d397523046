"""Storing what isn't there yet, in one step (R5): BPF_NOEXIST for an element, compare-and-exchange for a value of 0."""

from __future__ import annotations

from ...bpf import insn as I
from .globals import _key, _scalar
from .tables import BPF_NOEXIST, EEXIST, lookup, refused, store_new

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...ir.nodes import Op
    from ...program import GlobalSpec
    from .lower import Lower


def _exchange(lo: Lower, op: Op, base: int, result: int) -> None:
    """`result` gets 1 if the value at an address was 0; then it is the new one."""
    fn = lo.fn
    fn.const(I.R0, 0)
    fn.atomic(I.A_CMPXCHG, 8, base, 0, lo.value(op.args[-1]))
    lost = fn.new_label()
    fn.jumpi(I.JNE, I.R0, 0, lost)
    fn.const(result, 1)
    fn.label(lost)


def scalar_insert(lo: Lower, op: Op, spec: GlobalSpec) -> None:
    """A scalar that is 0 is as good as none."""
    result = lo.fn.imm(0)
    _exchange(lo, op, _scalar(lo, spec), result)
    lo.done(op.dst, result)


def array_insert(lo: Lower, op: Op, spec: GlobalSpec) -> None:
    """The element comes with its value; one that another run has put there meanwhile stays, unless 0 is none."""
    fn = lo.fn
    key = _key(lo, op, spec)
    result = fn.imm(0)
    done = fn.new_label()
    zero = op.attr[1] == "zero"
    base = fn.vreg()
    if zero:
        new = fn.new_label()
        lookup(lo, spec.map, key, base)
        fn.jumpi(I.JEQ, base, 0, new)
        _exchange(lo, op, base, result)
        fn.goto(done)
        fn.label(new)
    status = store_new(lo, op, spec, key, BPF_NOEXIST)
    other = fn.new_label()
    fn.jumpi(I.JNE, status, 0, other)
    fn.const(result, 1)
    fn.goto(done)
    fn.label(other)
    if zero:
        there = fn.new_label()
        fn.jumpi(I.JNE, status, EEXIST, there)
        lookup(lo, spec.map, key, base)
        fn.jumpi(I.JEQ, base, 0, done)  # and is gone again
        _exchange(lo, op, base, result)
        fn.goto(done)
        fn.label(there)
    else:
        fn.jumpi(I.JEQ, status, EEXIST, done)
    fn.const(result, 1)  # bpftrace's script goes on as if it were stored
    refused(lo, op, spec, status)
    fn.label(done)
    key.give()
    lo.done(op.dst, result)
