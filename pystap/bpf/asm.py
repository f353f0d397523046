"""A small assembler: labels, names of maps and functions, a source tag for each instruction.

For tests, feature probes and glue programs. Methods append one instruction (a
64-bit load: two slots) and return nothing; `build` puts distances for labels. A
jump that doesn't fit 16 bits, an unknown label or one that was placed twice is
an AsmError: a bug of whoever assembles. Functions are labels too: `func(name)`
begins one, `call_sub` and `ld_func` refer to it.
"""

from __future__ import annotations

from . import insn as I
from .helpers import HELPER_ID
from .object import R_KFUNC, R_MAP, R_MAP_VALUE, Code

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from .insn import Insn
    from .object import Reloc

_SHORT, _LONG, _CALL, _FUNC = range(4)


class AsmError(Exception):
    """The program can't be assembled."""


class Asm:
    """Collects instructions. Set `tag` (a Span, as a rule) and it marks what follows."""

    __slots__ = ("_fixups", "_funcs", "_insns", "_labels", "_relocs", "_serial", "_tags", "tag")

    def __init__(self) -> None:
        self._insns: list[Insn] = []
        self._tags: list[object] = []
        self._labels: dict[str, int] = {}
        self._fixups: list[tuple[int, int, str]] = []  # (slot, kind, label)
        self._relocs: list[Reloc] = []
        self._funcs: list[tuple[str, int]] = [("main", 0)]
        self._serial = 0
        self.tag: object = None

    def __len__(self) -> int:
        return len(self._insns)

    def emit(self, insn: Insn) -> None:
        """Append one instruction as it is."""
        self._insns.append(insn)
        self._tags.append(self.tag)

    def extend(self, insns: Iterable[Insn]) -> None:
        """Append instructions as they are."""
        for insn in insns:
            self.emit(insn)

    # -- labels and functions

    def new_label(self) -> str:
        """Return a label name that is not in use."""
        self._serial += 1
        return f"L.{self._serial}"

    def label(self, name: str) -> None:
        """Place a label here."""
        if name in self._labels:
            raise AsmError(f"label {name} is placed twice")
        self._labels[name] = len(self._insns)

    def func(self, name: str) -> None:
        """Begin a function here; the code before it must not run into it."""
        self.label(name)
        if self._insns:
            self._funcs.append((name, len(self._insns)))
        else:
            self._funcs[0] = (name, 0)

    # -- arithmetic

    def mov(self, dst: int, src: int) -> None:
        """dst = src."""
        self.emit(I.mov(dst, src))

    def mov_imm(self, dst: int, imm: int) -> None:
        """dst = imm, sign-extended."""
        self.emit(I.mov_imm(dst, imm))

    def mov32(self, dst: int, src: int) -> None:
        """dst = (u32)src."""
        self.emit(I.mov32(dst, src))

    def load(self, dst: int, value: int) -> None:
        """dst = any 64-bit constant, in one or two slots."""
        self.extend(I.load_const(dst, value))

    def alu(self, op: int, dst: int, src: int) -> None:
        """dst op= src (ADD ... ARSH, SDIV, SMOD)."""
        self.emit(I.alu(op, dst, src))

    def alu_imm(self, op: int, dst: int, imm: int) -> None:
        """dst op= imm."""
        self.emit(I.alu_imm(op, dst, imm))

    def alu32(self, op: int, dst: int, src: int) -> None:
        """dst op= src on 32 bits."""
        self.emit(I.alu32(op, dst, src))

    def alu32_imm(self, op: int, dst: int, imm: int) -> None:
        """dst op= imm on 32 bits."""
        self.emit(I.alu32_imm(op, dst, imm))

    def add(self, dst: int, src: int) -> None:
        """dst += src."""
        self.emit(I.alu(I.ADD, dst, src))

    def add_imm(self, dst: int, imm: int) -> None:
        """dst += imm."""
        self.emit(I.alu_imm(I.ADD, dst, imm))

    def neg(self, dst: int) -> None:
        """dst = -dst."""
        self.emit(I.neg(dst))

    def movsx(self, dst: int, src: int, bits: int) -> None:
        """dst = low bits of src, sign-extended. v4."""
        self.emit(I.movsx(dst, src, bits))

    def to_be(self, dst: int, bits: int) -> None:
        """dst = its low bits in big-endian order."""
        self.emit(I.to_be(dst, bits))

    def to_le(self, dst: int, bits: int) -> None:
        """dst = its low bits in little-endian order."""
        self.emit(I.to_le(dst, bits))

    def bswap(self, dst: int, bits: int) -> None:
        """dst = its low bits with the bytes reversed. v4."""
        self.emit(I.bswap(dst, bits))

    # -- memory

    def ldx(self, size: int, dst: int, src: int, off: int = 0) -> None:
        """dst = *(size)(src + off)."""
        self.emit(I.ldx(size, dst, src, off))

    def ldxsx(self, size: int, dst: int, src: int, off: int = 0) -> None:
        """dst = *(signed size)(src + off). v4."""
        self.emit(I.ldxsx(size, dst, src, off))

    def stx(self, size: int, dst: int, off: int, src: int) -> None:
        """*(size)(dst + off) = src."""
        self.emit(I.stx(size, dst, off, src))

    def st_imm(self, size: int, dst: int, off: int, imm: int) -> None:
        """*(size)(dst + off) = imm."""
        self.emit(I.st_imm(size, dst, off, imm))

    def atomic(self, op: int, size: int, dst: int, off: int, src: int, fetch: bool = False) -> None:
        """*(size)(dst + off) op= src, atomically."""
        self.emit(I.atomic(op, size, dst, off, src, fetch))

    def ld_map(self, dst: int, name: str) -> None:
        """dst = the map `name`."""
        self._wide(dst, R_MAP, name, 0)

    def ld_map_value(self, dst: int, name: str, offset: int = 0) -> None:
        """dst = address of byte `offset` of the only value of the array map `name`."""
        self._wide(dst, R_MAP_VALUE, name, offset)

    def _wide(self, dst: int, kind: int, name: str, addend: int) -> None:
        self._relocs.append((len(self._insns), kind, name, addend))
        self.extend(I.ld_imm64(dst, 0))

    def ld_func(self, dst: int, label: str) -> None:
        """dst = the function at `label`, for a helper that calls it back."""
        self._fixups.append((len(self._insns), _FUNC, label))
        self.extend(I.ld_func(dst, 0))

    # -- jumps and calls

    def goto(self, label: str) -> None:
        """Goto label."""
        self._fix(_SHORT, label, I.goto(0))

    def gotol(self, label: str) -> None:
        """Goto label, however far. v4."""
        self._fix(_LONG, label, I.gotol(0))

    def may_goto(self, label: str) -> None:
        """Goto label when the hidden loop budget is used up. From Linux 6.10."""
        self._fix(_SHORT, label, I.may_goto(0))

    def jump(self, op: int, dst: int, src: int, label: str) -> None:
        """If dst op src: goto label (JEQ ... JSLE)."""
        self._fix(_SHORT, label, I.jump(op, dst, src, 0))

    def jump_imm(self, op: int, dst: int, imm: int, label: str) -> None:
        """If dst op imm: goto label."""
        self._fix(_SHORT, label, I.jump_imm(op, dst, imm, 0))

    def jump32(self, op: int, dst: int, src: int, label: str) -> None:
        """If (u32)dst op (u32)src: goto label."""
        self._fix(_SHORT, label, I.jump32(op, dst, src, 0))

    def jump32_imm(self, op: int, dst: int, imm: int, label: str) -> None:
        """If (u32)dst op imm: goto label."""
        self._fix(_SHORT, label, I.jump32_imm(op, dst, imm, 0))

    def call(self, helper: str | int) -> None:
        """r0 = helper(r1..r5), by name (without bpf_) or number."""
        self.emit(I.call(HELPER_ID[helper] if isinstance(helper, str) else helper))

    def call_kfunc(self, name: str) -> None:
        """r0 = kernel function(r1..r5)."""
        self._relocs.append((len(self._insns), R_KFUNC, name, 0))
        self.emit(I.call_kfunc(0))

    def call_sub(self, label: str) -> None:
        """r0 = the function at `label`(r1..r5)."""
        self._fix(_CALL, label, I.call_sub(0))

    def exit(self) -> None:
        """Return r0."""
        self.emit(I.exit_())

    def ret(self, value: int) -> None:
        """Return a constant."""
        self.mov_imm(I.R0, value)
        self.exit()

    def _fix(self, kind: int, label: str, insn: Insn) -> None:
        self._fixups.append((len(self._insns), kind, label))
        self.emit(insn)

    # -- the whole

    def build(self) -> Code:
        """Return the program with every label resolved."""
        insns = list(self._insns)
        for slot, kind, label in self._fixups:
            target = self._labels.get(label)
            if target is None:
                raise AsmError(f"label {label} is used and not placed")
            distance = target - slot - 1
            op, dst, src, off, imm = insns[slot]
            if kind != _SHORT:
                insns[slot] = (op, dst, src, off, distance)
            elif -0x8000 <= distance <= 0x7FFF:
                insns[slot] = (op, dst, src, distance, imm)
            else:
                raise AsmError(f"label {label} is {distance} slots away from slot {slot}: too far for a jump")
        return Code(insns, self._relocs, self._funcs, self._tags)
