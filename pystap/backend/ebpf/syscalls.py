"""System calls, by the pair of tracepoints that every one passes: number, arguments, result.

As raw tracepoints sys_enter gets (registers, number), sys_exit (registers, result); at the exit the number is read from
the registers. The registers are a typed pointer, read by plain loads. As perf events ("perf_calls") they get the
tracepoint's record: struct trace_event_raw_sys_enter (number, arguments), trace_event_raw_sys_exit (number, result).
"""

from __future__ import annotations

from ...bpf import insn as I
from .arith import widen
from .builtins import X86_REGS, task
from .context import context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...ir.nodes import Op
    from .lower import Lower

_X86_ARGS = ("rdi", "rsi", "rdx", "r10", "r8", "r9")
_ARM_ORIG_X0, _ARM_NUMBER = 272, 280  # arm64 pt_regs: orig_x0 and syscallno behind the 34 user registers
TS_COMPAT = 2
_SIGRETURN = {"x86_64": 15, "aarch64": 139}
KINDS = ("sys_enter", "sys_exit")
_RECORD_NUMBER, _RECORD_VALUES = 8, 16  # in either record


def by_record(lo: Lower) -> bool:
    """Whether the context is the tracepoint's record."""
    return "perf_calls" in lo.target.features


def _registers(lo: Lower) -> int:
    """The typed pointer to the registers; read once a path."""
    known = lo.facts.get("regs")
    if known is None:
        if by_record(lo):
            lo.fn.mov(I.R1, task(lo))
            lo.fn.call("task_pt_regs", 1)
            known = lo.fn.result()
        else:
            known = lo.fn.load(8, context(lo), 0)
        lo.learn("regs", known)
    return int(known)


def _register(lo: Lower, dst: int, off: int) -> None:
    """Read one of the registers; without types they are memory that the verifier knows nothing of."""
    fn = lo.fn
    if lo.target.argument("sys_enter", 0):
        fn.ldx(8, dst, _registers(lo), off)
        return
    registers = _registers(lo)
    at = fn.frame.take(8, fn.span)
    fn.addr(I.R1, I.FP, at)
    fn.const(I.R2, 8)
    fn.mov(I.R3, registers)
    fn.alui(I.ADD, I.R3, off)
    fn.call("probe_read_kernel", 3)
    fn.ldx(8, dst, I.FP, at)
    fn.frame.give(at, 8)


def _require(lo: Lower, op: Op) -> None:
    if lo.kind not in KINDS:
        raise lo.unfit(f"'{op.name}' outside of a system call's probe", op.span)


def _number(lo: Lower, dst: int) -> None:
    """The number, sign-extended from 32 bits: -1 is a call that was cancelled, or the return of rt_sigreturn.

    That has put everything back as it was before the signal, and no call. It is taken for it where it is asked for.
    """
    fn = lo.fn
    if lo.kind == "sys_enter" or by_record(lo):
        fn.ldx(8, dst, context(lo), _RECORD_NUMBER)  # the raw tracepoint's second argument is there, too
    elif lo.target.arch == "x86_64":
        _register(lo, dst, X86_REGS["orig_rax"])
    else:
        fn.ldx(4, dst, _registers(lo), _place(lo, "syscallno", _ARM_NUMBER))
    widen(lo, dst, 32, True)
    own = _SIGRETURN.get(lo.target.arch)
    if lo.kind == "sys_exit" and own is not None and own in (_wanted(lo) or ()):
        other = fn.new_label()
        fn.jumpi(I.JNE, dst, -1, other)
        fn.const(dst, own)
        fn.label(other)


def _wanted(lo: Lower) -> list[int] | None:
    args = lo.kp.event.args
    return args.get("numbers") if isinstance(args, dict) else None


def _place(lo: Lower, field: str, default: int) -> int:
    found = lo.target.offset("pt_regs", field)
    return default if found is None else found[0]


def number(lo: Lower, op: Op) -> None:
    """sys_nr."""
    _require(lo, op)
    dst = lo.target_of(op.dst)
    _number(lo, dst)
    lo.done(op.dst, dst)


def argument(lo: Lower, op: Op) -> None:
    """sys_arg: argument n as the 64 bits of its register."""
    _require(lo, op)
    n = int(op.attr)
    if not 0 <= n < 6:
        raise lo.unfit("a system call has six arguments", op.span)
    dst = lo.target_of(op.dst)
    if lo.kind == "sys_enter" and by_record(lo):
        lo.fn.ldx(8, dst, context(lo), _RECORD_VALUES + 8 * n)
        lo.done(op.dst, dst)
        return
    if lo.target.arch == "x86_64":
        off = X86_REGS[_X86_ARGS[n]]
    else:
        off = _place(lo, "orig_x0", _ARM_ORIG_X0) if n == 0 else 8 * n
    _register(lo, dst, off)
    lo.done(op.dst, dst)


def result(lo: Lower, op: Op) -> None:
    """sys_ret."""
    if lo.kind != "sys_exit":
        raise lo.unfit("'sys_ret' outside of a system call's return", op.span)
    dst = lo.target_of(op.dst)
    lo.fn.ldx(8, dst, context(lo), _RECORD_VALUES if by_record(lo) else 8)
    lo.done(op.dst, dst)


def _compat_place(lo: Lower) -> int | None:
    """Where in task_struct the mark of a 32-bit call is, or None when there are none."""
    if lo.target.arch != "x86_64" or "compat" not in lo.target.features:
        return None
    found = lo.target.offset("task_struct", "thread_info.status")
    return None if found is None else found[0]


def abi(lo: Lower, op: Op) -> None:
    """sys_abi: 1 for a 32-bit call, else 0."""
    at = _compat_place(lo)
    if at is None:
        lo.done(op.dst, lo.fn.imm(0))
        return
    dst = lo.fn.load(4, task(lo), at)
    lo.fn.alui(I.RSH, dst, TS_COMPAT.bit_length() - 1)
    lo.fn.alui(I.AND, dst, 1)
    lo.done(op.dst, dst)


def filter_numbers(lo: Lower) -> None:
    """End the run unless the event names this call's number (R14): a search in the sorted numbers.

    The numbers are those of 64-bit calls; a 32-bit call with such a number is another call.
    """
    wanted = _wanted(lo)
    if lo.kind not in KINDS or wanted is None:
        return
    fn = lo.fn
    current = fn.vreg()
    _number(lo, current)
    other, mine = fn.new_label(), fn.new_label()
    _search(lo, current, sorted(set(wanted)), mine, other)
    fn.label(mine)
    at = _compat_place(lo)
    if at is not None:
        status = fn.load(4, task(lo), at)
        fn.alui(I.AND, status, TS_COMPAT)
        fn.jumpi(I.JNE, status, 0, other)
    out = fn.out
    fn.cold()
    fn.label(other)
    fn.exit(0)
    fn.out = out


_FEW = 4


def _search(lo: Lower, reg: int, numbers: list[int], mine: int, other: int) -> None:
    """Go to `mine` if the register holds one of the sorted numbers, else to `other`."""
    fn = lo.fn
    if not numbers:
        fn.goto(other)
    elif numbers[-1] - numbers[0] == len(numbers) - 1:
        if len(numbers) == 1:
            fn.jumpi(I.JEQ, reg, numbers[0], mine)
        else:
            fn.jumpi(I.JSLT, reg, numbers[0], other)
            fn.jumpi(I.JSLE, reg, numbers[-1], mine)
        fn.goto(other)
    elif len(numbers) <= _FEW:
        for n in numbers:
            fn.jumpi(I.JEQ, reg, n, mine)
        fn.goto(other)
    else:
        half = len(numbers) // 2
        upper = fn.new_label()
        fn.jumpi(I.JSGE, reg, numbers[half], upper)
        _search(lo, reg, numbers[:half], mine, other)
        fn.label(upper)
        _search(lo, reg, numbers[half:], mine, other)
