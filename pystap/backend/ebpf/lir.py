"""The linear form: machine instructions on virtual registers, with labels.

An instruction is `(op, dst, src, off, imm, span)`: op, off and imm as in `bpf.insn`, registers 0..10 physical,
from `VIRT` on virtual. Exceptions: `off` of a jump is its label; `off` and `imm` of a 64-bit load are the
map's or function's name and the offset or value; `dst` of a call is the number of its arguments and `imm` a kfunc's name.
`LABEL` places the label `imm`.

Jumps only go forward (loops are subprograms), so that one pass from the end finds what is live.
Code that is rarely run is written between `cold()` and `warm()`; it lies behind the rest and never comes back.
"""

from __future__ import annotations

from ...bpf import insn as I
from ...bpf.helpers import HELPER_ID
from ...source import NOWHERE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...source import Span
    from .frame import Frame

    Lir = tuple[int, int, int, Any, Any, Span]

VIRT = 16
LABEL = 0x100
FP = 10
_FAR = 0x7FFF  # the greatest offset of an instruction
_LONG_TAIL = 4000  # instructions
_IMM_MIN, _IMM_MAX = -0x80000000, 0x7FFFFFFF


class TooBig(Exception):
    """The kernel stage can't hold this handler: `reason` says why. The handler can still be mirrored."""

    def __init__(self, reason: str, span: Span = NOWHERE) -> None:
        super().__init__(reason)
        self.reason = reason
        self.span = span


class Func:
    """One function (the main program or a callback) while it is being written."""

    __slots__ = ("_main", "_tail", "cut", "frame", "labels", "name", "nargs", "out", "span", "vregs")

    def __init__(self, name: str, nargs: int, frame: Frame) -> None:
        self.name = name
        self.nargs = nargs
        self.frame = frame
        self.vregs = VIRT
        self.labels = 0
        self.span: Span = NOWHERE
        self._main: list[Lir] = []
        self._tail: list[Lir] = []
        self.out = self._main
        self.cut = False  # are there jumps into the middle (pieces.py)?

    def vreg(self) -> int:
        """A new virtual register."""
        self.vregs += 1
        return self.vregs - 1

    def new_label(self) -> int:
        """A new label."""
        self.labels += 1
        return self.labels

    def cold(self) -> None:
        """What follows goes behind the rest."""
        self.out = self._tail

    def warm(self) -> None:
        """What follows goes on in the main line."""
        self.out = self._main

    def settle(self) -> bool:
        """Write what lies behind the rest here, with a jump over it, if it is long: jumps there have a reach.

        True when that was done: labels in it can't be jumped to any more.
        """
        if len(self._tail) < _LONG_TAIL or self.out is not self._main:
            return False
        over = self.new_label()
        self.goto(over)
        self.write_tail()
        self.label(over)
        return True

    def write_tail(self) -> None:
        """Write what lies behind the rest here; labels in it can't be jumped to any more."""
        self._main += self._tail
        self._tail.clear()

    def code(self) -> list[Lir]:
        """All instructions."""
        return self._main + self._tail

    def emit(self, op: int, dst: int, src: int, off: Any, imm: Any) -> None:
        """Append one instruction."""
        self.out.append((op, dst, src, off, imm, self.span))

    # -- moves and arithmetic

    def mov(self, dst: int, src: int) -> None:
        """dst = src."""
        self.out.append((0xBF, dst, src, 0, 0, self.span))

    def const(self, dst: int, value: int) -> None:
        """dst = any 64-bit constant."""
        value = I.s64(value)
        if _IMM_MIN <= value <= _IMM_MAX:
            self.out.append((0xB7, dst, 0, 0, value, self.span))
        elif 0 <= value <= 0xFFFFFFFF:
            self.out.append((0xB4, dst, 0, 0, I.s32(value), self.span))
        else:
            self.out.append((0x18, dst, 0, None, value, self.span))

    def imm(self, value: int) -> int:
        """A new register that holds a constant."""
        reg = self.vreg()
        self.const(reg, value)
        return reg

    def copy(self, src: int) -> int:
        """A new register that holds what `src` holds."""
        reg = self.vreg()
        self.mov(reg, src)
        return reg

    def alu(self, op: int, dst: int, src: int) -> None:
        """dst op= src."""
        self.out.append((0x0F | op, dst, src, 0, 0, self.span))

    def alui(self, op: int, dst: int, imm: int) -> None:
        """dst op= constant of any size."""
        imm = I.s64(imm)
        if _IMM_MIN <= imm <= _IMM_MAX:
            self.out.append((0x07 | op, dst, 0, 0, imm, self.span))
        else:
            self.alu(op, dst, self.imm(imm))

    def neg(self, dst: int) -> None:
        """dst = -dst."""
        self.out.append((0x87, dst, 0, 0, 0, self.span))

    def zext32(self, dst: int) -> None:
        """dst = its low 32 bits."""
        self.out.append((0xBC, dst, dst, 0, 0, self.span))

    def forget(self, dst: int) -> None:
        """Make the verifier forget that dst is a pointer: a swap to the machine's own order, which does nothing."""
        self.out.append((0xD4, dst, 0, 0, 64, self.span))

    # -- memory

    def ldx(self, size: int, dst: int, base: int, off: int = 0) -> None:
        """dst = zero-extended memory."""
        if off > _FAR:
            base, off = self._near(base, off)
        self.out.append((0x61 | I.SIZE_CODE[size], dst, base, off, 0, self.span))

    def _near(self, base: int, off: int) -> tuple[int, int]:
        """A base for which an offset that is too big for an instruction isn't."""
        reg = self.copy(base)
        self.alui(I.ADD, reg, off)
        return reg, 0

    def load(self, size: int, base: int, off: int = 0) -> int:
        """A new register with zero-extended memory."""
        reg = self.vreg()
        self.ldx(size, reg, base, off)
        return reg

    def stx(self, size: int, base: int, off: int, src: int) -> None:
        """Store a register."""
        if off > _FAR:
            base, off = self._near(base, off)
        self.out.append((0x63 | I.SIZE_CODE[size], base, src, off, 0, self.span))

    def sti(self, size: int, base: int, off: int, imm: int) -> None:
        """Store a constant."""
        if off > _FAR:
            base, off = self._near(base, off)
        imm = I.s64(imm)
        if size < 8:
            imm = I.s32(imm)
        if _IMM_MIN <= imm <= _IMM_MAX:
            self.out.append((0x62 | I.SIZE_CODE[size], base, 0, off, imm, self.span))
        else:
            self.stx(size, base, off, self.imm(imm))

    def atomic(self, op: int, size: int, base: int, off: int, src: int) -> None:
        """An atomic operation; `op` with I.FETCH puts the old value in src (cmpxchg: in R0)."""
        self.out.append((0xC3 | I.SIZE_CODE[size], base, src, off, op, self.span))

    def ld_map(self, dst: int, name: str) -> None:
        """dst = a map."""
        self.out.append((0x18, dst, I.PSEUDO_MAP_FD, name, 0, self.span))

    def ld_value(self, dst: int, name: str, offset: int) -> None:
        """dst = address in element 0 of an array map."""
        self.out.append((0x18, dst, I.PSEUDO_MAP_VALUE, name, offset, self.span))

    def ld_func(self, dst: int, name: str) -> None:
        """dst = a callback."""
        self.out.append((0x18, dst, I.PSEUDO_FUNC, name, 0, self.span))

    def addr(self, dst: int, base: int, off: int) -> None:
        """dst = base + off."""
        self.mov(dst, base)
        if off:
            self.alui(I.ADD, dst, off)

    # -- control

    def label(self, label: int) -> None:
        """Place a label here."""
        self.out.append((LABEL, 0, 0, 0, label, self.span))

    def goto(self, label: int) -> None:
        """Jump."""
        self.out.append((0x05, 0, 0, label, 0, self.span))

    def jump(self, op: int, left: int, right: int, label: int) -> None:
        """If left op right: goto."""
        self.out.append((0x0D | op, left, right, label, 0, self.span))

    def jumpi(self, op: int, left: int, imm: int, label: int) -> None:
        """If left op constant: goto."""
        imm = I.s64(imm)
        if _IMM_MIN <= imm <= _IMM_MAX:
            self.out.append((0x05 | op, left, 0, label, imm, self.span))
        else:
            self.jump(op, left, self.imm(imm), label)

    def jump32i(self, op: int, left: int, imm: int, label: int) -> None:
        """If the low half of left op constant: goto."""
        self.out.append((0x06 | op, left, 0, label, I.s32(imm), self.span))

    def call(self, helper: str, nargs: int) -> None:
        """r0 = helper(r1..)."""
        self.out.append((0x85, nargs, 0, 0, HELPER_ID[helper], self.span))

    def kfunc(self, name: str, nargs: int) -> None:
        """r0 = kernel function(r1..)."""
        self.out.append((0x85, nargs, I.PSEUDO_KFUNC_CALL, 0, name, self.span))

    def invoke(self, name: str, nargs: int) -> None:
        """r0 = function of this program(r1..)."""
        self.out.append((0x85, nargs, I.PSEUDO_CALL, 0, name, self.span))

    def leave(self) -> None:
        """Return r0."""
        self.out.append((0x95, 0, 0, 0, 0, self.span))

    def result(self) -> int:
        """A new register with what the last call returned."""
        return self.copy(0)

    def exit(self, value: int) -> None:
        """Return a constant."""
        self.const(0, value)
        self.out.append((0x95, 0, 0, 0, 0, self.span))
