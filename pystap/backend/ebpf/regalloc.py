"""Virtual registers to r0..r9: the most used per length of life choose first; what finds no room is spilled.

A constant or an address that is cheap to make again isn't stored but made again at each use. After spilling
the new short-lived registers are allocated again, until all fit.
"""

from __future__ import annotations

from bisect import bisect_right

from ...bpf.insn import PSEUDO_MAP_VALUE
from ...program import CTL_ZERO
from .lir import LABEL, VIRT, TooBig
from .liveness import prune, ranges, reads_writes
from .spill import spill

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...source import Span
    from .lir import Func, Lir

    Span_ = tuple[int, int]

_CALLER = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
_ROUNDS = 12
_ALWAYS = 1e9
_PAGE = 10  # bits


class _Row:
    """When one machine register is taken: disjoint ranges, by the pages of the code that they touch.

    A page's list stays short, however long the program is, so that taking a range costs the same everywhere.
    """

    __slots__ = ("_pages",)

    def __init__(self) -> None:
        self._pages: dict[int, tuple[list[int], list[int]]] = {}  # page -> starts and ends in rising order

    def free(self, mine: list[Span_]) -> bool:
        """Whether none of the ranges overlaps."""
        pages = self._pages
        if not pages:
            return True
        for start, end in mine:
            for page in range(start >> _PAGE, ((end - 1) >> _PAGE) + 1):
                lists = pages.get(page)
                if lists is None:
                    continue
                starts, ends = lists
                at = bisect_right(starts, start)
                if at and ends[at - 1] > start:
                    return False
                if at < len(starts) and starts[at] < end:
                    return False
        return True

    def add(self, mine: list[Span_]) -> None:
        """Take the ranges."""
        pages = self._pages
        for start, end in mine:
            for page in range(start >> _PAGE, ((end - 1) >> _PAGE) + 1):
                lists = pages.get(page)
                if lists is None:
                    lists = pages[page] = ([], [])
                starts, ends = lists
                at = bisect_right(starts, start)
                starts.insert(at, start)
                ends.insert(at, end)


def allocate(func: Func) -> list[Lir]:
    """The function's instructions on machine registers, without moves to itself; spill slots are in its frame."""
    code, entry = prune(func.code())
    if entry:
        span = code[0][5]
        at = 0
        while at < len(code) and code[at][0] == 0xBF and code[at][2] < 10:  # arguments are fetched first
            at += 1
        code[at:at] = _zeros(func, sorted(entry), span)
    slots: dict[int, int] = {}
    short: set[int] = set()
    for _ in range(_ROUNDS):
        where, homeless = _assign(code, short)
        if not homeless:
            return _rewrite(code, where)
        code = spill(func, code, homeless, slots, short)
    raise TooBig("the register allocation found no end", code[0][5])


def _zeros(func: Func, regs: list[int], span: Span) -> list[Lir]:
    """Give registers that may be read unwritten their 0. Where there are cuts, one that no verifier can see."""
    if not func.cut:
        return [(0xB7, reg, 0, 0, 0, span) for reg in regs]
    base = func.vreg()
    loads: list[Lir] = [(0x79, reg, base, 0, 0, span) for reg in regs]
    return [(0x18, base, PSEUDO_MAP_VALUE, "ctl", CTL_ZERO, span), *loads]


def _assign(code: list[Lir], short: set[int]) -> tuple[dict[int, int], list[int]]:
    """(virtual -> machine register, those that found none)."""
    live = ranges(code)
    uses: dict[int, int] = {}
    hints: dict[int, list[int]] = {}
    for insn in code:
        op = insn[0]
        if op == LABEL:
            continue
        reads, write = reads_writes(insn)
        for reg in reads:
            uses[reg] = uses.get(reg, 0) + 1
        if write >= 0:
            uses[write] = uses.get(write, 0) + 1
        if op == 0xBF:
            dst, src = insn[1], insn[2]
            if dst >= VIRT:
                hints.setdefault(dst, []).append(src)
            if src >= VIRT:
                hints.setdefault(src, []).append(dst)
    rows = [_Row() for _ in range(10)]
    todo: list[tuple[float, int]] = []
    for reg, mine in live.items():
        if reg < 10:
            rows[reg].add(mine)
        elif reg >= VIRT:
            length = sum([end - start for start, end in mine])
            weight = _ALWAYS if reg in short else uses.get(reg, 0) / (length + 4)
            todo.append((-weight, reg))
    todo.sort()
    where: dict[int, int] = {}
    homeless: list[int] = []
    for _, reg in todo:
        mine = live[reg]
        for hint in hints.get(reg, ()):
            machine = where.get(hint, -1) if hint >= VIRT else hint
            if 0 <= machine < 10 and rows[machine].free(mine):
                break
        else:
            for machine in _CALLER:
                if rows[machine].free(mine):
                    break
            else:
                homeless.append(reg)
                continue
        where[reg] = machine
        rows[machine].add(mine)
    return where, homeless


def _rewrite(code: list[Lir], where: dict[int, int]) -> list[Lir]:
    """Put the machine registers in."""
    out: list[Lir] = []
    for op, dst, src, off, imm, span in code:
        if op != 0x85 and op != LABEL:
            if dst >= VIRT:
                dst = where[dst]
            if src >= VIRT:
                src = where[src]
            if op == 0xBF and dst == src and off == 0:
                continue
        out.append((op, dst, src, off, imm, span))
    return out
