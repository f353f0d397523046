"""Kernel and user memory (R11): plain loads where the verifier knows the pointer's type, else probe_read.

A plain load that faults reads 0 in silence, so the pointer is tested first: what isn't a kernel address
(NULL, small offsets, user space) and error pointers take the fault's way. One signed comparison finds them all.
"""

from __future__ import annotations

from ...bpf import insn as I
from ...ir.nodes import Local
from .arith import widen
from .context import define_pointer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...ir.nodes import Op
    from ...ir.ops import Load
    from .lower import Lower

MAX_ERRNO = 4095

READ_FAULT = "read fault [man error::fault] at 0x%016x"  # the address


def typed(lo: Lower, operand: object, load: Load, step: int) -> int | None:
    """A typed pointer through which plain loads of `step` bytes may read all that the Load wants, or None."""
    if load.space != "kernel" or not load.struct or not isinstance(operand, Local):
        return None
    target = lo.target
    if "direct" not in target.features:
        return None
    for off in range(load.off, load.off + load.size, step):
        if target.access(load.struct, off, step) is None:
            return None
    known = lo.facts.get(operand)
    if known is not None and known[1] == load.struct:
        return int(known[0])
    if "rdonly_cast" not in target.features or not lo.census.steady(operand):
        return None
    cast = lo.facts.get((operand, load.struct))
    if cast is not None:
        return int(cast)
    number = target.struct_id(load.struct)
    if not number:
        return None
    fn = lo.fn
    value = lo.value(operand)
    fn.mov(I.R1, value)
    fn.const(I.R2, number)
    fn.kfunc("bpf_rdonly_cast", 2)
    pointer = fn.result()
    lo.learn((operand, load.struct), pointer)
    return pointer


def load(lo: Lower, op: Op) -> None:
    """A number from memory."""
    attr: Load = op.attr
    operand = op.args[0]
    pointer = typed(lo, operand, attr, attr.size)
    if pointer is not None:
        _direct(lo, op, pointer)
    else:
        _probed(lo, op)


def check_pointer(lo: Lower, operand: object, pointer: int, bad: int, attr: Load) -> None:
    """Jump when a pointer can't be read, once on every path.

    Where a fault gives 0, the load itself does that, but for the NULL that the verifier insists on.
    """
    if ("ok", operand) in lo.facts:
        return
    fn = lo.fn
    if attr.fault != "zero":
        fn.jumpi(I.JSGE, lo.value(operand), -MAX_ERRNO, bad)
    fn.jumpi(I.JEQ, pointer, 0, bad)


def _direct(lo: Lower, op: Op, pointer: int) -> None:
    attr: Load = op.attr
    fn = lo.fn
    operand = op.args[0]
    if attr.fault == "error":
        check_pointer(
            lo, operand, pointer, lo.fault(READ_FAULT, op.span, lo.value(operand), plus=attr.off), attr
        )
        lo.learn(("ok", operand))
        value = fn.load(attr.size, pointer, attr.off)
        _loaded(lo, op, value, lo.target.access(attr.struct, attr.off, attr.size) or "")
        return
    begin_capture(lo, op)
    value = fn.vreg()
    fn.const(value, 0)
    after, bad = fn.new_label(), fn.new_label()
    check_pointer(lo, operand, pointer, bad, attr)
    fn.ldx(attr.size, value, pointer, attr.off)
    if attr.signed:
        widen(lo, value, 8 * attr.size, True)
    if attr.size == 8:
        fn.forget(value)
    fn.goto(after)
    fn.label(bad)
    capture(lo, op, attr)
    fn.label(after)
    lo.done(op.dst, value)


def _loaded(lo: Lower, op: Op, value: int, struct: str) -> None:
    attr: Load = op.attr
    if op.dst is None:
        return
    if attr.size == 8:
        define_pointer(lo, op.dst, value, struct)
        return
    dst = lo.target_of(op.dst)
    lo.fn.mov(dst, value)
    if attr.signed:
        widen(lo, dst, 8 * attr.size, True)
    lo.done(op.dst, dst)


def capture(lo: Lower, op: Op, attr: Load) -> None:
    """On the way of a fault: keep the error for fault_of."""
    if attr.fault == "capture" and op.dst is not None and op.dst in lo.census.faults:
        lo.fn.const(fault_flag(lo, op.dst), lo.site(READ_FAULT, op.span))


def captured(lo: Lower, op: Op, attr: Load) -> None:
    """Keep the error of the helper called last for fault_of. No branch: 6.1's verifier would follow both ways to
    the end, as it tells a kept 0 from any other number."""
    if attr.fault == "capture" and op.dst is not None and op.dst in lo.census.faults:
        fn, flag = lo.fn, fault_flag(lo, op.dst)
        fn.mov(flag, I.R0)
        fn.alui(I.ARSH, flag, 63)
        fn.alui(I.AND, flag, lo.site(READ_FAULT, op.span))


def fault_flag(lo: Lower, local: Local) -> int:
    """The register that holds a captured error of the operation that assigned this local."""
    reg = lo.faults.get(local)
    if reg is None:
        reg = lo.faults[local] = lo.fn.vreg()
    return reg


def fault_of(lo: Lower, op: Op) -> None:
    """The captured error, 0 when there was none."""
    dst = lo.target_of(op.dst)
    lo.fn.mov(dst, fault_flag(lo, op.attr))
    lo.done(op.dst, dst)


def address(lo: Lower, op: Op) -> int:
    """R3 gets the address to read; gives a register with the operand."""
    fn = lo.fn
    attr: Load = op.attr
    value = lo.value(op.args[0])
    fn.mov(I.R3, value)
    if attr.off:
        fn.alui(I.ADD, I.R3, attr.off)
    return value


def begin_capture(lo: Lower, op: Op) -> None:
    if op.attr.fault == "capture" and op.dst is not None and op.dst in lo.census.faults:
        lo.fn.const(fault_flag(lo, op.dst), 0)


def _probed(lo: Lower, op: Op) -> None:
    fn = lo.fn
    attr: Load = op.attr
    at = fn.frame.take(8, op.span)
    begin_capture(lo, op)
    value = address(lo, op)
    fn.addr(I.R1, I.FP, at)
    fn.const(I.R2, attr.size)
    fn.call("probe_read_user" if attr.space == "user" else "probe_read_kernel", 3)
    dst = fn.vreg()
    if attr.fault == "error":
        lo.failed(lo.fault(READ_FAULT, op.span, value, plus=attr.off))
        fn.ldx(attr.size, dst, I.FP, at)
    else:
        # The helper clears its buffer when it fails.
        captured(lo, op, attr)
        fn.ldx(attr.size, dst, I.FP, at)
    if attr.signed:
        widen(lo, dst, 8 * attr.size, True)
    lo.done(op.dst, dst)
    fn.frame.give(at, 8)
