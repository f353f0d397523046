"""Strings and buffers from memory: arrays inside known structs by plain loads of words, others by probe_read."""

from __future__ import annotations

from ...bpf import insn as I
from ...ir.nodes import STR
from .loads import READ_FAULT, address, begin_capture, capture, captured, check_pointer, typed
from .strings import Words, may_be_words, padded_words, pieces, room, zero

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...ir.nodes import Op
    from ...ir.ops import Load
    from .lower import Lower, Mem

_PLAIN_LOADS = 32  # bytes of an array that plain loads fetch
_MOST_PIECES = 6


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
    begin_capture(lo, op)
    value = address(lo, op)
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
        lo.failed(lo.fault(READ_FAULT, op.span, value, plus=attr.off))
        return
    captured(lo, op, attr)
    if op.dst is not None and op.dst.type == STR:
        fine = fn.new_label()
        fn.jumpi(I.JSGE, I.R0, 0, fine)
        fn.sti(1, to.base, to.off, 0)
        fn.label(fine)


def _direct_str(lo: Lower, op: Op, pointer: int) -> None:
    """A char array by plain loads of 8 bytes."""
    attr: Load = op.attr
    fn = lo.fn
    operand = op.args[0]
    assert op.dst is not None
    stays = may_be_words(lo, op.dst)
    count = attr.size // 8
    words = [fn.vreg() for _ in range(count)]
    after = fn.new_label()
    if attr.fault == "error":
        check_pointer(
            lo, operand, pointer, lo.fault(READ_FAULT, op.span, lo.value(operand), plus=attr.off), attr
        )
        lo.learn(("ok", operand))
        _fetch(lo, words, pointer, attr)
    else:
        begin_capture(lo, op)
        bad = fn.new_label()
        for word in words:
            fn.const(word, 0)
        check_pointer(lo, operand, pointer, bad, attr)
        _fetch(lo, words, pointer, attr)
        fn.goto(after)
        fn.label(bad)
        capture(lo, op, attr)
        fn.label(after)
    got = Words(words, False)
    if stays:
        lo.words[op.dst] = got  # type: ignore[assignment]
        return
    keep(lo, got, room(lo, op.dst, op.span))


def _fetch(lo: Lower, words: list[int], pointer: int, attr: Load) -> None:
    for number, word in enumerate(words):
        lo.fn.ldx(8, word, pointer, attr.off + 8 * number)
    # The array may be full to its end: the last byte is the NUL's.
    lo.fn.alui(I.LSH, words[-1], 8)
    lo.fn.alui(I.RSH, words[-1], 8)


def keep(lo: Lower, got: Words, to: Mem) -> None:
    """Words to memory."""
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
    operand = op.args[0]
    count = attr.size // step
    after = fn.new_label()
    if attr.fault == "error":
        check_pointer(
            lo, operand, pointer, lo.fault(READ_FAULT, op.span, lo.value(operand), plus=attr.off), attr
        )
        lo.learn(("ok", operand))
        for n in range(count):
            fn.stx(step, to.base, to.off + step * n, _word(lo, step, pointer, attr.off + step * n))
    else:
        begin_capture(lo, op)
        bad = fn.new_label()
        check_pointer(lo, operand, pointer, bad, attr)
        for n in range(count):
            fn.stx(step, to.base, to.off + step * n, _word(lo, step, pointer, attr.off + step * n))
        fn.goto(after)
        fn.label(bad)
        capture(lo, op, attr)
        for n in range(count):
            fn.sti(step, to.base, to.off + step * n, 0)
    fn.label(after)
    if attr.size < to.cap:
        _zero_behind(lo, to, attr.size)
    return True


def _word(lo: Lower, step: int, pointer: int, off: int) -> int:
    """A part of a buffer as a plain number, also where a pointer lies there: it may become a key, which is hashed."""
    value = lo.fn.load(step, pointer, off)
    if step == 8:
        lo.fn.forget(value)
    return value


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
    if len(op.args) == 1 and _direct_buf(lo, op, to):
        return
    begin_capture(lo, op)
    size = min(attr.size, to.cap)
    if len(op.args) > 1:
        zero(lo, to)
        count = fn.copy(lo.value(op.args[1]))
        fits = fn.new_label()
        fn.jumpi(I.JLE, count, size, fits)  # a negative one is a large one
        fn.const(count, size)
        fn.label(fits)
        value = address(lo, op)
        fn.mov(I.R2, count)
    else:
        value = address(lo, op)
        fn.const(I.R2, size)
    fn.addr(I.R1, to.base, to.off)
    fn.call("probe_read_user" if attr.space == "user" else "probe_read_kernel", 3)
    _after(lo, op, value, to)
    if size < to.cap:
        _zero_behind(lo, to, size)
