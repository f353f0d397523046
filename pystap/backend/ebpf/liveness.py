"""Which registers are live where, and which instructions nobody needs.

One pass from the end, as jumps only go forward. Position 2i is where instruction i reads, 2i + 1 where it
writes; a register's range [start, end) says where its value must be kept.
"""

from __future__ import annotations

from ...bpf.insn import A_CMPXCHG, FETCH
from .lir import LABEL, VIRT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .lir import Lir

    Ranges = dict[int, list[tuple[int, int]]]

_ARGS = [tuple(range(1, n + 1)) for n in range(6)]


def reads_writes(insn: Lir) -> tuple[tuple[int, ...], int]:
    """(registers read, register written or -1). Calls write r0 and spoil r1 to r5 besides."""
    op, dst, src, _, imm, _ = insn
    cls = op & 7
    if cls == 7 or cls == 4:  # arithmetic
        code = op & 0xF0
        if code == 0xB0:
            return ((src,), dst) if op & 8 else ((), dst)
        if op & 8 and code not in (0x80, 0xD0):
            return (dst, src), dst
        return (dst,), dst
    if cls == 1:
        return (src,), dst
    if cls == 0:
        return ((), dst) if op == 0x18 else ((), -1)  # a label has class 0 too
    if cls == 2:
        return (dst,), -1
    if cls == 3:
        if op & 0xE0 != 0xC0:
            return (dst, src), -1
        if imm == A_CMPXCHG:
            return (dst, src, 0), 0
        return (dst, src), (src if imm & FETCH else -1)
    if op == 0x85:
        return _ARGS[dst], 0
    if op == 0x95:
        return (0,), -1
    if op == 0x05:
        return (), -1
    return ((dst, src), -1) if op & 8 else ((dst,), -1)


def _pure(op: int) -> bool:
    cls = op & 7
    return cls in (7, 4, 1) or op == 0x18


def reachable(code: list[Lir]) -> list[Lir]:
    """Without what no path leads to, and without labels that nobody jumps to."""
    out: list[Lir] = []
    targets: set[int] = set()
    running = True
    for insn in code:
        op = insn[0]
        if op == LABEL:
            if insn[4] not in targets:
                continue
            running = True
        elif not running:
            continue
        elif op == 0x95 or op == 0x05:
            running = False
            if op == 0x05:
                targets.add(insn[3])
        elif op & 7 in (5, 6) and op != 0x85:
            targets.add(insn[3])
        out.append(insn)
    return out


def prune(code: list[Lir]) -> tuple[list[Lir], set[int]]:
    """Drop what computes values that nobody reads; also gives the virtual registers live at the entry."""
    kept: list[Lir] = []
    live: set[int] = set()
    at: dict[int, frozenset[int]] = {}
    for insn in reversed(reachable(code)):
        op = insn[0]
        if op == LABEL:
            at[insn[4]] = frozenset(live)
            kept.append(insn)
            continue
        reads, write = reads_writes(insn)
        cls = op & 7
        if cls in (5, 6) and op not in (0x85, 0x95):
            target = at[insn[3]]
            if op == 0x05:
                live = set(target)
            else:
                live |= target
        elif op == 0x95:
            live = set()
        if write >= 0:
            if write not in live and _pure(op):
                continue
            if op == 0x85:
                live -= {0, 1, 2, 3, 4, 5}
            else:
                live.discard(write)
        live.update(reads)
        kept.append(insn)
    kept.reverse()
    return kept, {reg for reg in live if reg >= VIRT}


def ranges(code: list[Lir]) -> Ranges:
    """The live ranges of every register but the frame pointer, each list in rising order."""
    out: Ranges = {}
    ends: dict[int, int] = {}  # live registers -> end of the range that is open
    at: dict[int, frozenset[int]] = {}
    calls: list[int] = []
    for i in range(len(code) - 1, -1, -1):
        insn = code[i]
        op = insn[0]
        if op == LABEL:
            at[insn[4]] = frozenset(ends)
            continue
        reads, write = reads_writes(insn)
        here = 2 * i
        cls = op & 7
        if cls in (5, 6) and op != 0x85:
            if op == 0x05 or op == 0x95:
                target = at[insn[3]] if op == 0x05 else frozenset()
                for reg in [r for r in ends if r not in target]:
                    out.setdefault(reg, []).append((here + 2, ends.pop(reg)))
            else:
                target = at[insn[3]]
            for reg in target:
                if reg not in ends:
                    ends[reg] = here + 2
        if write >= 0:
            end = ends.pop(write, here + 2)
            out.setdefault(write, []).append((here + 1, end))
            if op == 0x85:
                calls.append(here + 1)
        for reg in reads:
            if reg not in ends and reg != 10:
                ends[reg] = here + 1
    for reg, end in ends.items():
        out.setdefault(reg, []).append((0, end))
    for reg in range(1, 6):
        mine = out.setdefault(reg, [])
        mine.extend([(p, p + 1) for p in calls])
        mine.sort(reverse=True)
    for mine in out.values():
        mine.reverse()
    return out
