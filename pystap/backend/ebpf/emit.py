"""Machine instructions of all functions to one program: labels to distances, names to relocations, line information."""

from __future__ import annotations

from struct import Struct

from ...bpf import insn as I
from ...program import Line, Reloc
from ...source import NOWHERE
from .islands import bridge
from .lir import LABEL, TooBig
from .liveness import reachable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...source import Span
    from .lir import Lir

_pack = Struct("<BBhi").pack
_FAR = 0x7FFF
_MOST = 1_000_000


class Emitted:
    """What goes into a Prog."""

    __slots__ = ("funcs", "insns", "kfuncs", "lines", "relocs")

    def __init__(self) -> None:
        self.insns = b""
        self.relocs: list[Reloc] = []
        self.funcs: list[tuple[int, str, int]] = []
        self.kfuncs: list[tuple[int, str]] = []
        self.lines: list[Line] = []


def _places(funcs: list[tuple[str, int, list[Lir]]]) -> tuple[list[dict[int, int]], dict[str, int], int]:
    """Where labels and functions lie, and how long all is."""
    labels: list[dict[int, int]] = []
    starts: dict[str, int] = {}
    at = 0
    for name, _, code in funcs:
        starts[name] = at
        mine: dict[int, int] = {}
        for insn in code:
            op = insn[0]
            if op == LABEL:
                mine[insn[4]] = at
            else:
                at += 2 if op == 0x18 else 1
        labels.append(mine)
    return labels, starts, at


def _refers(insn: Lir) -> str | None:
    """The function that an instruction calls or takes the address of."""
    op, _, src, off, imm, _ = insn
    if op == 0x18 and src == I.PSEUDO_FUNC:
        return str(off)
    return str(imm) if op == 0x85 and src == I.PSEUDO_CALL else None


def _called(funcs: list[tuple[str, int, list[Lir]]]) -> list[tuple[str, int, list[Lir]]]:
    """The main program and the functions that some code refers to."""
    by_name = {name: code for name, _, code in funcs}
    wanted = [funcs[0][0]]
    for name in wanted:
        for insn in by_name[name]:
            other = _refers(insn)
            if other is not None and other not in wanted:
                wanted.append(other)
    return [func for func in funcs if func[0] in wanted]


def emit(funcs: list[tuple[str, int, list[Lir]]], fallback: Span) -> Emitted:
    """Lay the functions (name, number of arguments, instructions) one after the other, the main program first."""
    funcs = _called([(name, nargs, bridge(reachable(_thread(code)))) for name, nargs, code in funcs])
    labels, starts, total = _places(funcs)
    if total > _MOST:
        raise TooBig(f"{total} instructions", fallback)
    result = Emitted()
    parts: list[bytes] = []
    at = 0
    for number, (name, nargs, code) in enumerate(funcs):
        result.funcs.append((at, name, nargs))
        mine = labels[number]
        last: Span | None = None
        for op, dst, src, off, imm, span in code:
            if op == LABEL:
                continue
            if span is not last and (span is not NOWHERE or last is None):
                last = span
                _line(result.lines, at, fallback if span is NOWHERE else span)
            if op == 0x18:
                low, high = _wide(result, starts, at, src, off, imm)
                parts.append(_pack(op, dst | src << 4, 0, low) + _pack(0, 0, 0, high))
                at += 2
                continue
            cls = op & 7
            if op == 0x85:
                dst = 0
                if src == I.PSEUDO_KFUNC_CALL:
                    result.kfuncs.append((at, imm))
                    imm = 0
                elif src == I.PSEUDO_CALL:
                    imm = starts[imm] - at - 1
            elif (cls == 5 or cls == 6) and op != 0x95:
                off = mine[off] - at - 1
                if not 0 <= off <= _FAR:
                    raise TooBig("a jump is too far", span)
            parts.append(_pack(op, dst | src << 4, off, imm))
            at += 1
    result.insns = b"".join(parts)
    return result


def _wide(
    result: Emitted, starts: dict[str, int], at: int, src: int, name: str | None, value: int
) -> tuple[int, int]:
    """The two imm fields of a 64-bit load."""
    if src == I.PSEUDO_FUNC:
        assert name is not None
        return starts[name] - at - 1, 0
    if name is not None:
        kind = "value" if src == I.PSEUDO_MAP_VALUE else "map"
        result.relocs.append(Reloc(at, kind, name, value))
        return 0, I.s32(value) if kind == "value" else 0
    return I.s32(value), I.s32(value >> 32)


def _line(lines: list[Line], at: int, span: Span) -> None:
    source = span.source
    line, column = source.position(span.start)
    lines.append(Line(at, source.name, line, column, source.line(line)))


def _thread(code: list[Lir]) -> list[Lir]:
    """Without jumps to what follows, and without jumps to jumps."""
    follow: dict[int, int] = {}
    pending: list[int] = []
    for insn in code:
        op = insn[0]
        if op == LABEL:
            pending.append(insn[4])
            continue
        if op == 0x05 and pending:
            for label in pending:
                follow[label] = insn[3]
        pending = []
    out: list[Lir] = []
    for i, insn in enumerate(code):
        op = insn[0]
        if op & 7 in (5, 6) and op not in (0x85, 0x95):
            target = insn[3]
            while target in follow:
                target = follow[target]
            j = i + 1
            while j < len(code) and code[j][0] == LABEL and code[j][4] != target:
                j += 1
            if j < len(code) and code[j][0] == LABEL:
                continue
            if target != insn[3]:
                insn = (*insn[:3], target, *insn[4:])
        out.append(insn)
    return out
