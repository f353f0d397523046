"""Keys of maps: the parts as 8-byte words, in registers when few, on the stack for helpers, and their hash."""

from __future__ import annotations

from ...bpf import insn as I
from ...ir.nodes import BUF, I64, STR, Const, Local, Text
from .lower import Mem
from .strings import Words, padded_words, room, store, text_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...program import GlobalSpec, Part
    from ...source import Span
    from .lower import Lower

# Odd numbers without pattern, one for each word: their products don't wait for each other.
_MULTIPLIERS = (
    *(0x9E3779B97F4A7C15, 0xD1B54A32D192ED03, 0xAEF17502108EF2D9, 0xDB4F0B9175AE2165),
    *(0xBBE0563303A4615F, 0xA0F2EC75A1FE1575, 0x89E182857D9ED689, 0xC6D1D6C8ED0C9631),
)
_IN_REGISTERS = 4  # words; more of them are compared from the stack


class Key:
    """A key that is ready for use. `give` when done.

    words: registers with its words, or None when they are on the stack only; at: place on the stack.
    """

    __slots__ = ("_lo", "_stored", "at", "size", "words")

    def __init__(self, lo: Lower, spec: GlobalSpec, args: tuple[Any, ...], span: Span) -> None:
        self._lo = lo
        self.size = (spec.key_size + 7) & ~7
        self.at = lo.state.fn.frame.take(self.size, span)
        self.words = _in_registers(lo, spec, args)
        self._stored = False
        if self.words is None:
            for part, arg in zip(spec.key, args, strict=True):
                self._part(part, arg, span)
            self._stored = True

    def _part(self, part: Part, arg: Any, span: Span) -> None:
        lo, fn = self._lo, self._lo.fn
        off = self.at + part.offset
        if part.type == I64:
            if isinstance(arg, Const):
                fn.sti(8, I.FP, off, arg.value)
            else:
                fn.stx(8, I.FP, off, lo.value(arg))
            return
        cap = (part.size + 7) & ~7
        store(lo, arg, Mem(I.FP, off, cap, True), span, raw=part.type == BUF)
        if part.type == STR and part.size < cap and not isinstance(arg, Text):
            _cut(lo, arg, off, part.size, span)

    def word(self, number: int) -> int:
        """A register with one word."""
        if self.words is not None:
            return self.words[number]
        return self._lo.fn.load(8, I.FP, self.at + 8 * number)

    def pointer(self, reg: int) -> None:
        """A machine register gets the address of the key on the stack."""
        self.on_stack()
        self._lo.fn.addr(reg, I.FP, self.at)

    def on_stack(self) -> None:
        """Write the key to the stack, unless it is there already. Call it where it dominates all later uses."""
        if not self._stored:
            assert self.words is not None
            for number, reg in enumerate(self.words):
                self._lo.fn.stx(8, I.FP, self.at + 8 * number, reg)
            self._stored = True

    def give(self) -> None:
        """The stack may be used for something else."""
        self._lo.state.fn.frame.give(self.at, self.size)


def _cut(lo: Lower, arg: Any, off: int, size: int, span: Span) -> None:
    """A string that may be longer than its part: the part ends with a NUL, and NULs fill it up."""
    if isinstance(arg, Local) and arg not in lo.words and room(lo, arg, span).cap <= size:
        return
    for at in range(size - 1, (size + 7) & ~7):
        lo.fn.sti(1, I.FP, off + at, 0)


def _in_registers(lo: Lower, spec: GlobalSpec, args: tuple[Any, ...]) -> list[int] | None:
    """The key's words, when all are cheap to have in registers."""
    if spec.key_size > 8 * _IN_REGISTERS:
        return None
    fn = lo.fn
    for part, arg in zip(spec.key, args, strict=True):
        if part.type == I64 or isinstance(arg, Text):
            continue
        words = lo.words.get(arg)
        if not isinstance(words, Words) or part.size % 8 or part.size < 8 * len(words.regs):
            return None
    out: list[int] = []
    for part, arg in zip(spec.key, args, strict=True):
        count = (part.size + 7) // 8
        if part.type == I64:
            out.append(fn.copy(lo.value(arg)))
        elif isinstance(arg, Text):
            data = text_bytes(arg)[: part.size].ljust(8 * count, b"\0")
            if len(text_bytes(arg)) > part.size:
                data = (data[: part.size - 1] + b"\0").ljust(8 * count, b"\0")
            out += [fn.imm(int.from_bytes(data[8 * n : 8 * n + 8], "little")) for n in range(count)]
        else:
            words = lo.words[arg]
            assert isinstance(words, Words)
            regs = padded_words(lo, words)
            out += [fn.copy(reg) for reg in regs]
            out += [fn.imm(0) for _ in range(count - len(regs))]
    return out


def slot_number(lo: Lower, key: Key) -> int:
    """A register with the key's place in a front table of 256 slots: the top bits of a sum of products."""
    fn = lo.fn
    total = 0
    for number in range(key.size // 8):
        part = fn.copy(key.word(number))
        fn.alu(I.MUL, part, fn.imm(_MULTIPLIERS[number % len(_MULTIPLIERS)]))
        if number:
            fn.alu(I.ADD, total, part)
        else:
            total = part
    fn.alui(I.RSH, total, 56)
    return total
