"""Jumps over more than 32,767 instructions: they go by islands, unconditional jumps on the way.

All jumps lead forward (loops are bpf_loop), so that one sweep is enough. Islands lie STEP apart; control that runs
into one jumps over it.
"""

from __future__ import annotations

from ...source import NOWHERE
from .lir import LABEL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .lir import Lir

REACH = 0x7FFF
STEP = 20_000
_JA = 0x05
_CALL, _DIVISION = 16, 8


def bridge(code: list[Lir]) -> list[Lir]:
    """Return the code with islands where its length needs them."""
    size = sum([width(insn) for insn in code])
    return code if size <= REACH else _Bridge(code).out


def width(insn: Lir) -> int:
    """The most instructions that this may become: the kernel writes calls and divisions out, and jumps get longer."""
    op = insn[0]
    if op == LABEL:
        return 0
    if op == 0x85:
        return _CALL
    return _DIVISION if op & 7 in (4, 7) and op & 0xF0 in (0x30, 0x90) else 2 if op == 0x18 else 1


def is_jump(op: int) -> bool:
    """Whether an instruction jumps to a label."""
    return op & 7 in (5, 6) and op not in (0x85, 0x95)


class _Bridge:
    def __init__(self, code: list[Lir]) -> None:
        self.out: list[Lir] = []
        self.next_label = 1 + max([insn[4] for insn in code if insn[0] == LABEL], default=0)
        self.at = 0
        # jumps whose label has not come yet: label -> places in `out`
        self.open: dict[int, list[int]] = {}
        since = 0
        for insn in code:
            op = insn[0]
            if op == LABEL:
                self.open.pop(insn[4], None)
                self.out.append(insn)
                continue
            wide = width(insn)
            if since + wide > STEP:
                self._island()
                since = 0
            if is_jump(op):
                self.open.setdefault(insn[3], []).append(len(self.out))
            self.out.append(insn)
            since += wide

    def _island(self) -> None:
        """Let every open jump lead here, and from here on."""
        if not self.open:
            return
        over = self._label()
        self.out.append((_JA, 0, 0, over, 0, NOWHERE))
        still_open: dict[int, list[int]] = {}
        for target, places in self.open.items():
            here = self._label()
            for place in places:
                op, dst, src, _, imm, span = self.out[place]
                self.out[place] = (op, dst, src, here, imm, span)
            self.out.append((LABEL, 0, 0, 0, here, NOWHERE))
            still_open[target] = [len(self.out)]
            self.out.append((_JA, 0, 0, target, 0, NOWHERE))
        self.out.append((LABEL, 0, 0, 0, over, NOWHERE))
        self.open = still_open

    def _label(self) -> int:
        self.next_label += 1
        return self.next_label
