"""`Code`: one program's instructions with the names they still refer to.

Maps and kernel functions get their numbers only when a program
is loaded, so an instruction that uses one carries a relocation. `link` puts the
numbers in; the interpreter does it with numbers of its own.
"""

from __future__ import annotations

from .insn import PSEUDO_KFUNC_CALL, PSEUDO_MAP_FD, PSEUDO_MAP_VALUE, decode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..program import Prog
    from .insn import Insn

    # (slot, kind, name, addend): the addend is the offset into a map's value.
    Reloc = tuple[int, int, str, int]

R_MAP, R_MAP_VALUE, R_KFUNC = range(3)
_PSEUDO = {R_MAP: PSEUDO_MAP_FD, R_MAP_VALUE: PSEUDO_MAP_VALUE}


class Code:
    """Instructions, relocations, functions [(name, slot)] in order of slots, and one tag a slot.

    A tag says where an instruction comes from (a Span, as a rule) or is None;
    `tags` may be empty.
    """

    __slots__ = ("funcs", "insns", "relocs", "tags")

    def __init__(
        self,
        insns: list[Insn],
        relocs: Sequence[Reloc] = (),
        funcs: Sequence[tuple[str, int]] = (),
        tags: Sequence[object] = (),
    ) -> None:
        self.insns = insns
        self.relocs = list(relocs)
        self.funcs = list(funcs) or [("main", 0)]
        self.tags = list(tags)

    def tag(self, slot: int) -> object:
        """Return the tag of a slot, or None."""
        return self.tags[slot] if slot < len(self.tags) else None

    def maps(self) -> list[str]:
        """Return the names of the maps used, in order of first use."""
        return list(dict.fromkeys(r[2] for r in self.relocs if r[1] in (R_MAP, R_MAP_VALUE)))


def link(
    code: Code,
    maps: Mapping[str, int],
    kfuncs: Mapping[str, tuple[int, int]] | None = None,
) -> list[Insn]:
    """Return the instructions with numbers for names; a name without one is a bug: KeyError.

    `maps` gives file descriptors, `kfuncs` pairs of BTF id and index into fd_array (0 for vmlinux).
    """
    insns = list(code.insns)
    for slot, kind, name, addend in code.relocs:
        op, dst, _, _, _ = insns[slot]
        if kind == R_KFUNC:
            btf_id, module = (kfuncs or {})[name]
            insns[slot] = (op, dst, PSEUDO_KFUNC_CALL, module, btf_id)
            continue
        insns[slot] = (op, dst, _PSEUDO[kind], 0, maps[name])
        insns[slot + 1] = (0, 0, 0, 0, addend)
    return insns


def from_prog(prog: Prog) -> Code:
    """Return the Code of a `program.Prog`: the interpreter and the disassembler take that."""
    insns = decode(prog.insns)
    relocs: list[Reloc] = [
        (r.index, R_MAP if r.kind == "map" else R_MAP_VALUE, r.map, r.offset) for r in prog.relocs
    ]
    relocs += [(index, R_KFUNC, name, 0) for index, name in prog.kfuncs]
    tags: list[object] = [None] * len(insns)
    for line, following in zip(prog.lines, (*prog.lines[1:], None), strict=True):
        end = following.index if following is not None else len(insns)
        tags[line.index : end] = [f"{line.file}:{line.line}:{line.column}"] * (end - line.index)
    return Code(insns, relocs, [(name, slot) for slot, name, _ in prog.funcs], tags)
