"""Strings and buffers: where they lie, copying, padding, comparing by words.

A string of at most 16 bytes that is made once by plain loads (a command name, an interface name) lives in
registers, as words; others lie in memory. Strings end with a NUL within their capacity, always.
"""

from __future__ import annotations

from ...bpf import insn as I
from ...ir.nodes import STR, Local, Text
from ...staging.plan import RecordLocal
from .lower import Mem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...ir.nodes import Op
    from ...source import Span
    from .lower import Lower

ONES = 0x0101010101010101
HIGHS = 0x8080808080808080


class Words:
    """A string in registers, 8 bytes in each; padded as Mem's."""

    __slots__ = ("padded", "regs")

    def __init__(self, regs: list[int], padded: bool) -> None:
        self.regs = regs
        self.padded = padded


def text_bytes(text: Text) -> bytes:
    """A constant's bytes with the NUL."""
    return text.value.encode("latin-1", "replace") + b"\0"


def may_be_words(lo: Lower, local: Local | None) -> bool:
    """Whether a local that is made by plain loads can stay in registers."""
    return (
        local is not None
        and not isinstance(local, RecordLocal)
        and lo.kp.sizes.get(local, 99) <= 16
        and lo.census.defs[local] == 1
        and local not in lo.shared
        and local not in lo.census.exposed
    )


def room(lo: Lower, local: Local, span: Span) -> Mem:
    """The memory of a str or buf local. On the stack strings are filled up, as no byte may be read unwritten."""
    if isinstance(local, RecordLocal):
        field = local.field
        base, off = record_base(lo)
        return Mem(base, off + field.offset, field.size, local in lo.census.padded)
    cap = lo.kp.sizes.get(local, 8)
    offset = lo.shared.get(local)
    if offset is not None:
        base, at = lo.slot(offset)
        return Mem(base, at, cap, True)
    place = lo.places.get(local)
    if place is None:
        place = lo.places[local] = Mem(I.FP, lo.state.fn.frame.take(cap, span), cap, True)
    return place


def record_base(lo: Lower) -> tuple[int, int]:
    """(register with the record's address, 0)."""
    if lo.state.parent is None:
        return lo.rec, 0
    from .lower import SH_REC

    return lo.fn.load(8, *lo.slot(SH_REC)), 0


def where(lo: Lower, operand: Any, span: Span) -> Words | Mem:
    """Where a str or buf local is."""
    words = lo.words.get(operand)
    return words if words is not None else room(lo, operand, span)  # type: ignore[return-value]


def pieces(size: int, start: int = 0) -> list[tuple[int, int]]:
    """(offset, bytes) of the pieces of 8, 4, 2 and 1 bytes that cover `size` bytes from an aligned place."""
    out = []
    for step in (8, 4, 2, 1):
        while size - start >= step:
            out.append((start, step))
            start += step
    return out


def zero(lo: Lower, mem: Mem, start: int = 0) -> None:
    """Clear memory from an 8-aligned start."""
    for off, step in pieces(mem.cap, start):
        lo.fn.sti(step, mem.base, mem.off + off, 0)


def store_bytes(lo: Lower, data: bytes, base: int, off: int) -> None:
    """Store constant bytes."""
    for at, step in pieces(len(data)):
        lo.fn.sti(step, base, off + at, int.from_bytes(data[at : at + step], "little", signed=True))


def store(lo: Lower, operand: Any, to: Mem, span: Span, raw: bool = False) -> None:
    """Store a str (or, with raw, buf) operand. Filled up with NULs when `to.padded`."""
    fn = lo.fn
    if isinstance(operand, Text):
        data = text_bytes(operand)
        if len(data) > to.cap:
            data = data[: to.cap - 1] + b"\0"
        if to.padded:
            data = data.ljust(to.cap, b"\0")
        store_bytes(lo, data, to.base, to.off)
        return
    source = where(lo, operand, span)
    if isinstance(source, Words):
        words = padded_words(lo, source) if to.padded else source.regs
        size = min(8 * len(words), to.cap)
        for at, step in pieces(size):
            reg = words[at // 8]
            if at % 8:
                reg = fn.copy(reg)
                fn.alui(I.RSH, reg, 8 * (at % 8))
            fn.stx(step, to.base, to.off + at, reg)
        source_cap = 8 * len(words)
    else:
        size = min(source.cap, to.cap)
        for at, step in pieces(size):
            fn.stx(step, to.base, to.off + at, fn.load(step, source.base, source.off + at))
        source_cap = source.cap
    if source_cap > to.cap and not raw:
        fn.sti(1, to.base, to.off + to.cap - 1, 0)
    if source_cap < to.cap and (to.padded or raw):
        _zero_rest(lo, to, source_cap)


def _zero_rest(lo: Lower, to: Mem, start: int) -> None:
    while start % 8 and start < to.cap:
        lo.fn.sti(1, to.base, to.off + start, 0)
        start += 1
    zero(lo, to, start)


def padded_words(lo: Lower, source: Words) -> list[int]:
    """The words with what lies behind the first NUL cleared."""
    if source.padded:
        return source.regs
    fn = lo.fn
    out: list[int] = []
    done = fn.new_label()
    for number, reg in enumerate(source.regs):
        word = fn.copy(reg)
        out.append(word)
        if number + 1 < len(source.regs):
            continue
    # Each word's first NUL: the lowest bit of (w - ONES) & ~w & HIGHS.
    ones, highs = fn.imm(ONES), fn.imm(HIGHS)
    for number, word in enumerate(out):
        nul = fn.copy(word)
        fn.alui(I.XOR, nul, -1)
        less = fn.copy(word)
        fn.alu(I.SUB, less, ones)
        fn.alu(I.AND, nul, less)
        fn.alu(I.AND, nul, highs)
        low = fn.copy(nul)
        fn.neg(low)
        fn.alu(I.AND, low, nul)
        fn.alui(I.RSH, low, 7)
        fn.alui(I.SUB, low, 1)
        fn.alu(I.AND, word, low)
        if number + 1 < len(out):
            more = fn.new_label()
            fn.jumpi(I.JEQ, nul, 0, more)
            for other in out[number + 1 :]:
                fn.const(other, 0)
            fn.goto(done)
            fn.label(more)
    fn.label(done)
    return out


def assign(lo: Lower, op: Op) -> None:
    """mov of a str or buf."""
    assert op.dst is not None
    source = op.args[0]
    if isinstance(source, Local) and source in lo.words and may_be_words(lo, op.dst):
        lo.words[op.dst] = lo.words[source]
        return
    store(lo, source, room(lo, op.dst, op.span), op.span, raw=op.dst.type != STR)


def _piece(lo: Lower, source: Words | Mem, at: int, step: int) -> int:
    """A register with some bytes."""
    if isinstance(source, Mem):
        return lo.fn.load(step, source.base, source.off + at)
    reg = lo.fn.copy(source.regs[at // 8])
    if at % 8:
        lo.fn.alui(I.RSH, reg, 8 * (at % 8))
    if step < 8:
        if step == 4:
            lo.fn.zext32(reg)
        else:
            lo.fn.alui(I.AND, reg, (1 << 8 * step) - 1)
    return reg


def compare_jump(lo: Lower, op: Op, label: int, sense: bool) -> None:
    """str_eq, str_ne: jump to the label when the truth is `sense`."""
    if op.name == "str_ne":
        sense = not sense
    fn = lo.fn
    differ = fn.new_label() if sense else label
    left, right = op.args
    if isinstance(left, Text):
        left, right = right, left
    if isinstance(left, Text):
        assert isinstance(right, Text)
        if left.value != right.value:
            fn.goto(differ)
    elif isinstance(right, Text):
        _differ_text(lo, where(lo, left, op.span), text_bytes(right), differ)
    else:
        _differ(lo, where(lo, left, op.span), where(lo, right, op.span), differ)
    if sense:
        fn.goto(label)
        fn.label(differ)


def _capacity(source: Words | Mem) -> int:
    return source.cap if isinstance(source, Mem) else 8 * len(source.regs)


def _differ_text(lo: Lower, source: Words | Mem, data: bytes, differ: int) -> None:
    """Jump when a string isn't this constant. With padding whole words are compared."""
    fn = lo.fn
    cap = _capacity(source)
    if len(data) > cap:
        fn.goto(differ)
        return
    if source.padded:
        data = data.ljust(min((len(data) + 7) & ~7, cap), b"\0")
    for at, step in pieces(len(data)):
        want = int.from_bytes(data[at : at + step], "little")
        reg = _piece(lo, source, at, step)
        if step == 4:
            fn.jump32i(I.JNE, reg, want, differ)
        else:
            fn.jumpi(I.JNE, reg, want, differ)


def _differ(lo: Lower, left: Words | Mem, right: Words | Mem, differ: int) -> None:
    fn = lo.fn
    if isinstance(left, Words):
        left = Words(padded_words(lo, left), True)
    if isinstance(right, Words):
        right = Words(padded_words(lo, right), True)
    for at, step in pieces(min(_capacity(left), _capacity(right))):
        fn.jump(I.JNE, _piece(lo, left, at, step), _piece(lo, right, at, step), differ)
