"""Spilling: registers that found no machine register move to stack slots, through new short-lived ones.

What is written once with a constant isn't stored but made again at each use. A run of operations on one
spilled register works on the same short-lived register, with one load before and one store behind.
"""

from __future__ import annotations

from .lir import LABEL, TooBig
from .liveness import reads_writes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .lir import Func, Lir


def spill(
    func: Func, code: list[Lir], homeless: list[int], slots: dict[int, int], short: set[int]
) -> list[Lir]:
    """The code without the homeless registers. slots: their places; short: the registers made here, now and before."""
    lost = set(homeless)
    again = _constants(code, lost)
    for reg in homeless:
        if reg in short:
            raise TooBig("too many values at once for ten registers", code[0][5])
        if reg not in again:
            slots[reg] = func.frame.spill(code[0][5])
    work = _Spiller(func, lost, again, slots, short)
    for at, insn in enumerate(code):
        op = insn[0]
        reads, write = ((), -1) if op == LABEL else reads_writes(insn)
        if write in lost or any(reg in lost for reg in reads):
            if write not in again:
                work.insn(insn, reads, write, at + 1 < len(code) and _modifies(code[at + 1], write))
        else:
            work.settle()
            work.out.append(insn)
    work.settle()
    return work.out


def _modifies(insn: Lir, reg: int) -> bool:
    """Whether an instruction computes with a register and leaves the result in it."""
    op = insn[0]
    return op & 7 in (4, 7) and insn[1] == reg and op & 0xF0 != 0xB0


class _Spiller:
    """The code so far; `held` is the spilled register whose value the last instruction left in `into`."""

    __slots__ = ("again", "dirty", "func", "held", "into", "lost", "out", "short", "slots")

    def __init__(
        self, func: Func, lost: set[int], again: dict[int, Lir], slots: dict[int, int], short: set[int]
    ) -> None:
        self.func = func
        self.lost = lost
        self.again = again
        self.slots = slots
        self.short = short
        self.out: list[Lir] = []
        self.held = self.into = -1
        self.dirty = False

    def settle(self) -> None:
        """Store what is held."""
        if self.dirty:
            self.out.append((0x7B, 10, self.into, self.slots[self.held], 0, self.out[-1][5]))
        self.held = -1
        self.dirty = False

    def fresh(self) -> int:
        """A new short-lived register."""
        reg = self.func.vreg()
        self.short.add(reg)
        return reg

    def fetch(self, reg: int, to: int, insn: Lir) -> None:
        """Bring a spilled register's value."""
        made = self.again.get(reg)
        if made is not None:
            self.out.append((made[0], to, *made[2:]))
        elif reg == self.held:
            self.out.append((0xBF, to, self.into, 0, 0, insn[5]))
        else:
            self.out.append((0x79, to, 10, self.slots[reg], 0, insn[5]))

    def insn(self, insn: Lir, reads: tuple[int, ...], write: int, more: bool) -> None:
        """An instruction that touches spilled registers. more: the next one goes on with what it writes."""
        op, dst, src, off, imm, span = insn
        lost = self.lost
        now: dict[int, int] = {}
        if self.held != write or write not in reads:
            held, into = self.held, self.into
            self.settle()
            if held in reads:
                now[held] = into
        else:
            now[write] = self.into
        if op == 0xBF and off == 0 and src in lost and dst not in lost and src not in now:
            self.fetch(src, dst, insn)
            return
        if write in lost and not more:
            if op == 0xBF and off == 0 and src not in lost:
                self.out.append((0x7B, 10, src, self.slots[dst], 0, span))
                return
            if op == 0xB7:
                self.out.append((0x7A, 10, 0, self.slots[dst], imm, span))
                return
        for reg in reads:
            if reg in lost and reg not in now:
                now[reg] = self.fresh()
                self.fetch(reg, now[reg], insn)
        if write in lost:
            if write not in reads or write not in now:
                now[write] = self.fresh()
            self.held, self.into, self.dirty = write, now[write], True
        if op != 0x85:
            dst, src = now.get(dst, dst), now.get(src, src)
        self.out.append((op, dst, src, off, imm, span))


def _constants(code: list[Lir], lost: set[int]) -> dict[int, Lir]:
    """Those of the registers that are written once, with a constant, and by what."""
    found: dict[int, Lir] = {}
    bad: set[int] = set()
    for insn in code:
        op = insn[0]
        if op == LABEL:
            continue
        write = reads_writes(insn)[1]
        if write in lost:
            if op in (0xB7, 0xB4, 0x18) and write not in found:
                found[write] = insn
            else:
                bad.add(write)
    for reg in bad:
        found.pop(reg, None)
    return found
