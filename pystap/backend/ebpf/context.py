"""The event's context: its arguments as numbers, and as typed pointers where the verifier knows them."""

from __future__ import annotations

from ...bpf import insn as I
from .lower import SH_CTX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...ir.nodes import Local, Op
    from .lower import Lower


def ctx_arg(lo: Lower, op: Op) -> None:
    """Argument n of the event. A typed pointer is kept as such, besides its value."""
    assert op.dst is not None
    n = int(op.attr[0] if isinstance(op.attr, tuple) else op.attr)
    kind = _argument_type(lo, n)
    if kind[:1] == "*":
        _by_helper(lo, op, n, kind != "*")
        return
    pointer = lo.fn.load(8, context(lo), _argument_place(lo, op, n))
    define_pointer(lo, op.dst, pointer, kind)


def _by_helper(lo: Lower, op: Op, n: int, returned: bool) -> None:
    """The same as a plain number: the argument, or behind a function's last one what it returns."""
    fn = lo.fn
    at = fn.frame.take(8, op.span)
    fn.sti(8, I.FP, at, 0)
    fn.mov(I.R1, context(lo))
    if lo.kind == "tp_btf":  # whose arguments no helper gives: they are read as any memory
        fn.mov(I.R3, I.R1)
        fn.alui(I.ADD, I.R3, 8 * n)
        fn.addr(I.R1, I.FP, at)
        fn.const(I.R2, 8)
        fn.call("probe_read_kernel", 3)
    elif returned:
        fn.addr(I.R2, I.FP, at)
        fn.call("get_func_ret", 2)
    else:
        fn.const(I.R2, n)
        fn.addr(I.R3, I.FP, at)
        fn.call("get_func_arg", 3)
    value = lo.target_of(op.dst)
    fn.ldx(8, value, I.FP, at)
    fn.frame.give(at, 8)
    lo.done(op.dst, value)


# Where pt_regs has the arguments of a function.
_REGISTERS = {"x86_64": (112, 104, 96, 88, 72, 64), "aarch64": (0, 8, 16, 24, 32, 40, 48, 56)}
_RETURNED = {"x86_64": 80, "aarch64": 0}


def _argument_place(lo: Lower, op: Op, n: int) -> int:
    """Offset of argument n in the context; a kretprobe has the returned value and nothing else."""
    if lo.kind == "kretprobe":
        return _RETURNED[lo.target.arch]
    if lo.kind != "kprobe":
        return 8 * n
    places = _REGISTERS.get(lo.target.arch, ())
    if n >= len(places):
        raise lo.unfit(f"argument {n + 1} isn't in a register", op.span)
    return places[n]


def _argument_type(lo: Lower, n: int) -> str:
    if lo.kind == "tp_btf":
        return lo.target.argument(lo.kp.event.name, n)
    if lo.kind in ("fentry", "fexit", "function"):
        return lo.target.argument(function_of(lo), n)
    if lo.kind == "netfilter":
        return lo.target.access("bpf_nf_ctx", 8 * n, 8) or ""
    if lo.kind == "iter":
        return lo.target.access(f"bpf_iter__{lo.kp.event.name}", 8 * n, 8) or ""
    return ""


def function_of(lo: Lower) -> str:
    """The function that a trampoline is of, as `target.Target` wants it."""
    args = lo.kp.event.args
    module = args.get("module", "") if isinstance(args, dict) else ""
    return f"{module}:{lo.kp.event.name}()" if module else f"{lo.kp.event.name}()"


def context(lo: Lower) -> int:
    """A register with the program's context."""
    if lo.state.parent is None:
        return lo.state.ctx
    return lo.fn.load(8, *lo.slot(SH_CTX))


def define_pointer(lo: Lower, dst: Local, pointer: int, struct: str) -> None:
    """Give a local the value of a register that may be a typed pointer: arithmetic gets a plain number."""
    number = lo.target_of(dst)
    lo.fn.mov(number, pointer)
    lo.fn.forget(number)
    lo.done(dst, number)
    if struct and "direct" in lo.target.features and lo.census.steady(dst):
        lo.learn(dst, (pointer, struct))
