"""Virtual registers to r0..r9: the most used per length of life choose first; what finds no room is spilled.

A constant or an address that is cheap to make again isn't stored but made again at each use. After spilling
the new short-lived registers are allocated again, until all fit.
"""

from __future__ import annotations

from bisect import bisect_right

from .lir import LABEL, VIRT, TooBig
from .liveness import prune, ranges, reads_writes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .lir import Func, Lir

    Span_ = tuple[int, int]

_CALLER = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
_ROUNDS = 12
_ALWAYS = 1e9


class _Row:
    """When one machine register is taken: starts and ends in rising order, disjoint."""

    __slots__ = ("ends", "starts")

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.ends: list[int] = []

    def free(self, mine: list[Span_]) -> bool:
        """Whether none of the ranges overlaps."""
        starts, ends = self.starts, self.ends
        if not starts:
            return True
        for start, end in mine:
            at = bisect_right(starts, start)
            if at and ends[at - 1] > start:
                return False
            if at < len(starts) and starts[at] < end:
                return False
        return True

    def add(self, mine: list[Span_]) -> None:
        """Take the ranges."""
        starts, ends = self.starts, self.ends
        for start, end in mine:
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
        code[at:at] = [(0xB7, reg, 0, 0, 0, span) for reg in sorted(entry)]
    slots: dict[int, int] = {}
    short: set[int] = set()
    for _ in range(_ROUNDS):
        where, homeless = _assign(code, short)
        if not homeless:
            return _rewrite(code, where)
        code = _spill(func, code, homeless, slots, short)
    raise TooBig("the register allocation found no end", code[0][5])


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


def _spill(
    func: Func, code: list[Lir], homeless: list[int], slots: dict[int, int], short: set[int]
) -> list[Lir]:
    """Give the registers stack slots, or make their constants again, through new short-lived registers."""
    lost = set(homeless)
    again = _constants(code, lost)
    for reg in homeless:
        if reg in short:
            raise TooBig("too many values at once for ten registers", code[0][5])
        if reg not in again:
            slots[reg] = func.frame.spill(code[0][5])
    out: list[Lir] = []
    for insn in code:
        op, dst, src, off, imm, span = insn
        reads, write = ((), -1) if op == LABEL else reads_writes(insn)
        if write not in lost and not any(reg in lost for reg in reads):
            out.append(insn)
            continue
        if op == 0xBF and off == 0:  # a move is the load or the store
            if dst in lost and src not in lost:
                out.append((0x7B, 10, src, slots[dst], 0, span))
                continue
            if src in lost and dst not in lost:
                out.append(again[src](dst, span) if src in again else (0x79, dst, 10, slots[src], 0, span))
                continue
        if write in again:
            continue
        if op == 0xB7 and dst in lost:
            out.append((0x7A, 10, 0, slots[dst], imm, span))
            continue
        fresh: dict[int, int] = {}
        for reg in reads:
            if reg in lost and reg not in fresh:
                new = fresh[reg] = func.vreg()
                short.add(new)
                out.append(again[reg](new, span) if reg in again else (0x79, new, 10, slots[reg], 0, span))
        if write in lost and write not in fresh:
            fresh[write] = func.vreg()
            short.add(fresh[write])
        if op != 0x85:
            dst, src = fresh.get(dst, dst), fresh.get(src, src)
        out.append((op, dst, src, off, imm, span))
        if write in lost:
            out.append((0x7B, 10, fresh[write], slots[write], 0, span))
    return out


class _Again:
    """Makes a constant once more."""

    __slots__ = ("insn",)

    def __init__(self, insn: Lir) -> None:
        self.insn = insn

    def __call__(self, dst: int, span: object) -> Lir:
        op, _, src, off, imm, own = self.insn
        return (op, dst, src, off, imm, own)


def _constants(code: list[Lir], lost: set[int]) -> dict[int, _Again]:
    """Those of the registers that are written once, with a constant."""
    found: dict[int, _Again] = {}
    bad: set[int] = set()
    for insn in code:
        op = insn[0]
        if op == LABEL:
            continue
        write = reads_writes(insn)[1]
        if write in lost:
            if op in (0xB7, 0xB4, 0x18) and write not in found:
                found[write] = _Again(insn)
            else:
                bad.add(write)
    for reg in bad:
        found.pop(reg, None)
    return found


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
