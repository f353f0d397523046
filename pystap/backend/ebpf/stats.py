"""Pushing a value into an aggregate: counts and sums by atomic adds, min and max by compare-and-swap.

Everything is right from memory full of zeros (types/stat.py), and when programs nest. Where they can't, it is all done
by plain loads and stores (Lower.collect).
"""

from __future__ import annotations

from ...bpf import insn as I
from ...ir.nodes import Const
from ...types.hist import LOG_ZERO, linear_buckets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...program import GlobalSpec
    from .lower import Lower

_SIGN = -(1 << 63)
_TRIES = 2


def push(lo: Lower, spec: GlobalSpec, value: int, base: int, off: int) -> None:
    """Update the aggregate at base + off. `value` isn't changed."""
    fn = lo.fn
    for name, at in spec.stat_fields:
        at += off
        if name == "count":
            lo.collect(base, at, Const(1))
        elif name == "sum":
            lo.collect(base, at, value)
        elif name == "sumsq":
            square = fn.copy(value)
            fn.alu(I.MUL, square, square)
            lo.collect(base, at, square)
        elif name in ("min", "max"):
            _extreme(lo, value, base, at, name == "min", spec.signed)
        elif name == "log":
            bucket = _log(lo, value) if spec.stat_kind == "stat" else _hist(lo, value, spec.hist_log or 0)
            _bump(lo, base, at, bucket)
        elif name == "linear":
            _bump(lo, base, at, _linear(lo, value, spec))
        else:
            raise AssertionError(name)


def _bump(lo: Lower, base: int, off: int, bucket: int) -> None:
    """Add 1 to a bucket."""
    fn = lo.fn
    fn.alui(I.LSH, bucket, 3)
    fn.alu(I.ADD, bucket, base)
    lo.collect(bucket, off, Const(1))


def _extreme(lo: Lower, value: int, base: int, off: int, least: bool, signed: bool) -> None:
    """Store the word of a new least or greatest value, if it is one."""
    fn = lo.fn
    word = fn.copy(value)
    if signed:
        fn.alu(I.XOR, word, fn.imm(_SIGN))
    if least:
        fn.alui(I.XOR, word, -1)
    done = fn.new_label()
    old = fn.load(8, base, off)
    if lo.alone:
        fn.jump(I.JGE, old, word, done)
        fn.stx(8, base, off, word)
    for _ in range(0 if lo.alone else _TRIES):
        fn.jump(I.JGE, old, word, done)
        fn.mov(I.R0, old)
        fn.atomic(I.A_CMPXCHG, 8, base, off, word)
        now = fn.result()
        fn.jump(I.JEQ, now, old, done)
        old = now
    fn.label(done)


def log2(lo: Lower, value: int) -> int:
    """A register with the place of the highest bit of a value that isn't 0."""
    fn = lo.fn
    rest = fn.copy(value)
    power = fn.imm(0)
    for step in (32, 16, 8, 4, 2, 1):
        small = fn.new_label()
        high = fn.copy(rest)
        fn.alui(I.RSH, high, step)
        fn.jumpi(I.JEQ, high, 0, small)
        fn.mov(rest, high)
        fn.alui(I.ADD, power, step)
        fn.label(small)
    lo.hide(power)  # or the verifier follows each of the 64 ways that lead here by itself
    return power


def _log(lo: Lower, value: int) -> int:
    """SystemTap's log bucket (types.hist.log_bucket)."""
    fn = lo.fn
    bucket = fn.imm(LOG_ZERO)
    done, positive = fn.new_label(), fn.new_label()
    fn.jumpi(I.JEQ, value, 0, done)
    sign = fn.copy(value)
    fn.alui(I.ARSH, sign, 63)
    size = fn.copy(value)
    fn.alu(I.XOR, size, sign)
    fn.alu(I.SUB, size, sign)
    power = log2(lo, size)
    fn.alui(I.ADD, power, 1)
    fn.jumpi(I.JEQ, sign, 0, positive)
    fn.neg(power)
    fn.label(positive)
    fn.alu(I.ADD, bucket, power)
    fn.label(done)
    return _bounded(lo, bucket, 127)


def _bounded(lo: Lower, bucket: int, last: int) -> int:
    """A bucket number that the verifier knows to be in range."""
    fn = lo.fn
    fine = fn.new_label()
    fn.jumpi(I.JLE, bucket, last, fine)
    fn.const(bucket, last)
    fn.label(fine)
    return bucket


def _hist(lo: Lower, value: int, bits: int) -> int:
    """bpftrace's bucket (types.hist.hist_bucket)."""
    fn = lo.fn
    bucket = fn.imm(0)
    done = fn.new_label()
    fn.jumpi(I.JSLT, value, 0, done)
    small = (1 << bits) - 1
    large = fn.new_label()
    fn.jumpi(I.JSGT, value, small, large)
    fn.mov(bucket, value)
    fn.alui(I.ADD, bucket, 1)
    fn.goto(done)
    fn.label(large)
    power = log2(lo, value)
    part = fn.copy(value)
    fn.mov(bucket, power)
    if bits:
        fn.alui(I.SUB, power, bits)
        fn.alu(I.RSH, part, power)
        fn.alui(I.AND, part, small)
        fn.alui(I.ADD, power, 1)
        fn.mov(bucket, power)
        fn.alui(I.LSH, bucket, bits)
        fn.alu(I.ADD, bucket, part)
        fn.alui(I.ADD, bucket, 1)
    else:
        fn.alui(I.ADD, bucket, 2)
    fn.label(done)
    return _bounded(lo, bucket, (65 - bits) << bits)


def _linear(lo: Lower, value: int, spec: GlobalSpec) -> int:
    """The linear bucket (types.hist.linear_bucket)."""
    assert spec.linear is not None
    low, high, step = spec.linear
    fn = lo.fn
    last = linear_buckets(low, high, step, spec.stat_kind) - 1
    bucket = fn.imm(0)
    done = fn.new_label()
    fn.jumpi(I.JSLT, value, low, done)
    fn.const(bucket, last)
    if spec.stat_kind != "stat":
        fn.jumpi(I.JSGE, value, high, done)
    else:
        fn.jumpi(I.JSGE, value, low + (last - 1) * step, done)
    fn.mov(bucket, value)
    fn.alui(I.SUB, bucket, low)
    if step > 1:
        fn.alui(I.DIV, bucket, step)
    fn.alui(I.ADD, bucket, 1)
    fn.label(done)
    return _bounded(lo, bucket, last)
