"""Kernel and user memory (R11): plain loads where the verifier knows the pointer's type, else probe_read.

A plain load that faults reads 0 in silence, so the pointer is tested first: what isn't a kernel address
(NULL, small offsets, user space) and error pointers take the fault's way. One signed comparison finds them all.
"""

from __future__ import annotations

from ...bpf import insn as I
from ...ir.nodes import STR, Local
from .arith import widen
from .lower import Mem
from .strings import Words, may_be_words, pieces, room, zero

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...ir.nodes import Op
    from ...ir.ops import Load
    from .lower import Lower

MAX_ERRNO = 4095
_PLAIN_LOADS = 32  # bytes of an array that plain loads fetch
_MOST_PIECES = 6


def ctx_arg(lo: Lower, op: Op) -> None:
    """Argument n of the event. A typed pointer is kept as such, besides its value."""
    assert op.dst is not None
    n = int(op.attr[0] if isinstance(op.attr, tuple) else op.attr)
    pointer = lo.fn.load(8, context(lo), _argument_place(lo, op, n))
    define_pointer(lo, op.dst, pointer, _argument_type(lo, n))


# Where pt_regs has the arguments of a function.
_REGISTERS = {"x86_64": (112, 104, 96, 88, 72, 64), "aarch64": (0, 8, 16, 24, 32, 40, 48, 56)}
_BY_REGISTER = frozenset({"kprobe", "uprobe"})


def _argument_place(lo: Lower, op: Op, n: int) -> int:
    """Offset of argument n in the context."""
    if lo.kind not in _BY_REGISTER:
        return 8 * n
    places = _REGISTERS.get(lo.target.arch, ())
    if n >= len(places):
        raise lo.unfit(f"argument {n + 1} isn't in a register", op.span)
    return places[n]


def _argument_type(lo: Lower, n: int) -> str:
    if lo.kind == "tp_btf":
        return lo.target.argument(lo.kp.event.name, n)
    if lo.kind == "iter":
        return lo.target.access(f"bpf_iter__{lo.kp.event.name}", 8 * n, 8) or ""
    return ""


def context(lo: Lower) -> int:
    """A register with the program's context."""
    if lo.state.parent is None:
        return lo.state.ctx
    from .lower import SH_CTX

    return lo.fn.load(8, *lo.slot(SH_CTX))


def define_pointer(lo: Lower, dst: Local, pointer: int, struct: str) -> None:
    """Give a local the value of a register that may be a typed pointer: arithmetic gets a plain number."""
    number = lo.target_of(dst)
    lo.fn.mov(number, pointer)
    lo.fn.forget(number)
    lo.done(dst, number)
    if struct and "direct" in lo.target.features and lo.census.steady(dst):
        lo.learn(dst, (pointer, struct))


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
    address = op.args[0]
    pointer = typed(lo, address, attr, attr.size)
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
    address = op.args[0]
    if attr.fault == "error":
        check_pointer(lo, address, pointer, lo.fault(message(attr), op.span, lo.value(address)), attr)
        lo.learn(("ok", address))
        value = fn.load(attr.size, pointer, attr.off)
        _loaded(lo, op, value, lo.target.access(attr.struct, attr.off, attr.size) or "")
        return
    _begin_capture(lo, op)
    value = fn.vreg()
    fn.const(value, 0)
    after, bad = fn.new_label(), fn.new_label()
    check_pointer(lo, address, pointer, bad, attr)
    fn.ldx(attr.size, value, pointer, attr.off)
    if attr.signed:
        widen(lo, value, 8 * attr.size, True)
    if attr.size == 8:
        fn.forget(value)
    fn.goto(after)
    fn.label(bad)
    _capture(lo, op, attr)
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


def message(attr: Load) -> str:
    """The words of a read fault; %x is the address."""
    return (
        f"read fault [man error::fault] at 0x%x near {attr.what}"
        if attr.what
        else "read fault [man error::fault] at 0x%x"
    )


def _capture(lo: Lower, op: Op, attr: Load) -> None:
    """On the way of a fault: keep the error for fault_of."""
    if attr.fault == "capture" and op.dst is not None and op.dst in lo.census.faults:
        lo.fn.const(fault_flag(lo, op.dst), lo.site(message(attr), op.span))


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


def _address(lo: Lower, op: Op) -> int:
    """R3 gets the address to read; gives a register with the operand."""
    fn = lo.fn
    attr: Load = op.attr
    value = lo.value(op.args[0])
    fn.mov(I.R3, value)
    if attr.off:
        fn.alui(I.ADD, I.R3, attr.off)
    return value


def _begin_capture(lo: Lower, op: Op) -> None:
    if op.attr.fault == "capture" and op.dst is not None and op.dst in lo.census.faults:
        lo.fn.const(fault_flag(lo, op.dst), 0)


def _probed(lo: Lower, op: Op) -> None:
    fn = lo.fn
    attr: Load = op.attr
    at = fn.frame.take(8, op.span)
    _begin_capture(lo, op)
    value = _address(lo, op)
    fn.addr(I.R1, I.FP, at)
    fn.const(I.R2, attr.size)
    fn.call("probe_read_user" if attr.space == "user" else "probe_read_kernel", 3)
    dst = fn.vreg()
    if attr.fault == "error":
        lo.failed(lo.fault(message(attr), op.span, value))
        fn.ldx(attr.size, dst, I.FP, at)
    else:
        # The helper clears its buffer when it fails.
        if attr.fault == "capture":
            fine = fn.new_label()
            fn.jumpi(I.JSGE, I.R0, 0, fine)
            _capture(lo, op, attr)
            fn.label(fine)
        fn.ldx(attr.size, dst, I.FP, at)
    if attr.signed:
        widen(lo, dst, 8 * attr.size, True)
    lo.done(op.dst, dst)
    fn.frame.give(at, 8)


# -- strings and buffers


def load_str(lo: Lower, op: Op) -> None:
    """A string from memory."""
    attr: Load = op.attr
    assert op.dst is not None
    size = attr.size
    if size <= _PLAIN_LOADS and size % 8 == 0:
        pointer = typed(lo, op.args[0], attr, 8)
        if pointer is not None:
            _direct_str(lo, op, pointer)
            return
    to = room(lo, op.dst, op.span)
    if to.padded:
        zero(lo, to)
    _begin_capture(lo, op)
    value = _address(lo, op)
    fn = lo.fn
    fn.addr(I.R1, to.base, to.off)
    fn.const(I.R2, min(size, to.cap))
    fn.call("probe_read_user_str" if attr.space == "user" else "probe_read_kernel_str", 3)
    _after(lo, op, value, to)


def _after(lo: Lower, op: Op, value: int, to: Mem) -> None:
    """What follows a helper that filled memory."""
    fn = lo.fn
    attr: Load = op.attr
    if attr.fault == "error":
        lo.failed(lo.fault(message(attr), op.span, value))
        return
    fine = fn.new_label()
    fn.jumpi(I.JSGE, I.R0, 0, fine)
    if op.dst is not None and op.dst.type == STR:
        fn.sti(1, to.base, to.off, 0)
    _capture(lo, op, attr)
    fn.label(fine)


def _direct_str(lo: Lower, op: Op, pointer: int) -> None:
    """A char array by plain loads of 8 bytes."""
    attr: Load = op.attr
    fn = lo.fn
    address = op.args[0]
    assert op.dst is not None
    stays = may_be_words(lo, op.dst)
    count = attr.size // 8
    words = [fn.vreg() for _ in range(count)]
    after = fn.new_label()
    if attr.fault == "error":
        check_pointer(lo, address, pointer, lo.fault(message(attr), op.span, lo.value(address)), attr)
        lo.learn(("ok", address))
        _fetch(lo, words, pointer, attr)
    else:
        _begin_capture(lo, op)
        bad = fn.new_label()
        for word in words:
            fn.const(word, 0)
        check_pointer(lo, address, pointer, bad, attr)
        _fetch(lo, words, pointer, attr)
        fn.goto(after)
        fn.label(bad)
        _capture(lo, op, attr)
        fn.label(after)
    got = Words(words, False)
    if stays:
        lo.words[op.dst] = got  # type: ignore[assignment]
        return
    _keep(lo, got, room(lo, op.dst, op.span))


def _fetch(lo: Lower, words: list[int], pointer: int, attr: Load) -> None:
    for number, word in enumerate(words):
        lo.fn.ldx(8, word, pointer, attr.off + 8 * number)
    # The array may be full to its end: the last byte is the NUL's.
    lo.fn.alui(I.LSH, words[-1], 8)
    lo.fn.alui(I.RSH, words[-1], 8)


def _keep(lo: Lower, got: Words, to: Mem) -> None:
    """Words to memory."""
    from .strings import padded_words

    words = padded_words(lo, got) if to.padded else got.regs
    for at, step in pieces(min(8 * len(words), to.cap)):
        reg = words[at // 8]
        if at % 8:
            reg = lo.fn.copy(reg)
            lo.fn.alui(I.RSH, reg, 8 * (at % 8))
        lo.fn.stx(step, to.base, to.off + at, reg)
    if to.cap < 8 * len(words):
        lo.fn.sti(1, to.base, to.off + to.cap - 1, 0)
    elif to.padded and to.cap > 8 * len(words):
        zero(lo, to, 8 * len(words))


def _direct_buf(lo: Lower, op: Op, to: Mem) -> bool:
    """Small buffers by plain loads: an IPv6 address, a MAC."""
    attr: Load = op.attr
    if attr.size > _PLAIN_LOADS or attr.size > to.cap:
        return False
    step = next((s for s in (8, 4, 2, 1) if attr.size % s == 0 and attr.size // s <= _MOST_PIECES), 0)
    while step and any(
        lo.target.access(attr.struct, attr.off + n, step) is None for n in range(0, attr.size, step)
    ):
        step = 0 if attr.size // step * 2 > _MOST_PIECES else step // 2
    pointer = typed(lo, op.args[0], attr, step) if step else None
    if pointer is None:
        return False
    fn = lo.fn
    address = op.args[0]
    count = attr.size // step
    after = fn.new_label()
    if attr.fault == "error":
        check_pointer(lo, address, pointer, lo.fault(message(attr), op.span, lo.value(address)), attr)
        lo.learn(("ok", address))
        for n in range(count):
            fn.stx(step, to.base, to.off + step * n, fn.load(step, pointer, attr.off + step * n))
    else:
        _begin_capture(lo, op)
        bad = fn.new_label()
        check_pointer(lo, address, pointer, bad, attr)
        for n in range(count):
            fn.stx(step, to.base, to.off + step * n, fn.load(step, pointer, attr.off + step * n))
        fn.goto(after)
        fn.label(bad)
        _capture(lo, op, attr)
        for n in range(count):
            fn.sti(step, to.base, to.off + step * n, 0)
    fn.label(after)
    if attr.size < to.cap:
        _zero_behind(lo, to, attr.size)
    return True


def _zero_behind(lo: Lower, to: Mem, start: int) -> None:
    while start % 8 and start < to.cap:
        lo.fn.sti(1, to.base, to.off + start, 0)
        start += 1
    zero(lo, to, start)


def load_buf(lo: Lower, op: Op) -> None:
    """Raw bytes from memory: plain loads for the words of a small one, else probe_read."""
    attr: Load = op.attr
    assert op.dst is not None
    to = room(lo, op.dst, op.span)
    fn = lo.fn
    if _direct_buf(lo, op, to):
        return
    _begin_capture(lo, op)
    value = _address(lo, op)
    fn.addr(I.R1, to.base, to.off)
    fn.const(I.R2, min(attr.size, to.cap))
    fn.call("probe_read_user" if attr.space == "user" else "probe_read_kernel", 3)
    _after(lo, op, value, to)
    size = min(attr.size, to.cap)
    if size < to.cap:
        _zero_behind(lo, to, size)
