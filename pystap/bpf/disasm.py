"""One readable line for an instruction, in the kernel's own notation.

Never fails: what is no instruction is printed as its bytes' values.
"""

from __future__ import annotations

from . import insn as I
from .helpers import helper_name
from .object import R_KFUNC, R_MAP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .insn import Insn
    from .object import Code

_ALU_SIGN = {
    I.ADD: "+=", I.SUB: "-=", I.MUL: "*=", I.DIV: "/=", I.OR: "|=", I.AND: "&=", I.LSH: "<<=", I.RSH: ">>=",
    I.MOD: "%=", I.XOR: "^=", I.MOV: "=", I.ARSH: "s>>=",
}  # fmt: skip
_JUMP_SIGN = {
    I.JEQ: "==", I.JGT: ">", I.JGE: ">=", I.JSET: "&", I.JNE: "!=", I.JSGT: "s>", I.JSGE: "s>=",
    I.JLT: "<", I.JLE: "<=", I.JSLT: "s<", I.JSLE: "s<=",
}  # fmt: skip
_ATOMIC_SIGN = {I.A_ADD: "+=", I.A_OR: "|=", I.A_AND: "&=", I.A_XOR: "^="}
_ATOMIC_NAME = {I.A_ADD: "add", I.A_OR: "or", I.A_AND: "and", I.A_XOR: "xor"}
_UNSIGNED = {1: "u8", 2: "u16", 4: "u32", 8: "u64"}
_SIGNED = {1: "s8", 2: "s16", 4: "s32", 8: "s64"}


def disasm(insn: Insn, following: Insn | None = None, slot: int | None = None) -> str:
    """Return the text of one instruction; `following` is the second slot of a 64-bit load.

    With `slot` (the instruction's own), jumps show where they go instead of how far.
    """
    cls = insn[0] & 7
    text = _BY_CLASS[cls](insn, following, slot)
    if text is None:
        op, dst, src, off, imm = insn
        return f"(unknown {op:02x} dst={dst} src={src} off={off} imm={imm})"
    return text


def disasm_code(code: Code) -> list[str]:
    """Return the numbered lines of a whole program, names for its maps and functions."""
    names = {slot: (kind, name, addend) for slot, kind, name, addend in code.relocs}
    funcs = {slot: name for name, slot in code.funcs}
    insns = code.insns
    lines: list[str] = []
    slot = 0
    while slot < len(insns):
        if slot in funcs:
            lines.append(f"{funcs[slot]}:")
        insn = insns[slot]
        wide = I.is_wide(insn)
        if slot in names:
            text = _named(insn, *names[slot])
        else:
            text = disasm(insn, insns[slot + 1] if wide and slot + 1 < len(insns) else None, slot)
            target = callee(insn, slot)
            if target in funcs:
                text = text.rsplit(" ", 1)[0] + f" {funcs[target]}"
        lines.append(f"{slot:4}: {text}")
        slot += 2 if wide else 1
    return lines


def callee(insn: Insn, slot: int) -> int | None:
    """Return the slot of the function that an instruction at `slot` calls or takes the address of."""
    op, _, src, _, imm = insn
    is_call = op == I.CALL_OP and src == I.PSEUDO_CALL
    return slot + imm + 1 if is_call or (I.is_wide(insn) and src == I.PSEUDO_FUNC) else None


def _named(insn: Insn, kind: int, name: str, addend: int) -> str:
    dst = insn[1]
    if kind == R_KFUNC:
        return f"call {name}"
    return f"r{dst} = map[{name}]" if kind == R_MAP else f"r{dst} = map[{name}][0]+{addend}"


def _at(size: str, reg: int, off: int) -> str:
    return f"({size} *)(r{reg} {off:+d})"


def _ld(insn: Insn, following: Insn | None, _slot: int | None) -> str | None:
    op, dst, src, _, imm = insn
    if op != I.LD_IMM64_OP:
        size = _UNSIGNED[I.SIZE_BYTES[op & 0x18]]
        if op & 0xE0 == I.ABS:
            return f"r0 = *({size} *)skb[{imm}]"
        return f"r0 = *({size} *)skb[r{src} {imm:+d}]" if op & 0xE0 == I.IND else None
    high = following[4] if following is not None else 0
    if src == 0:
        return f"r{dst} = 0x{(imm & I.M32) | (high & I.M32) << 32:x} ll"
    if src == I.PSEUDO_MAP_FD:
        return f"r{dst} = map[fd:{imm}]"
    if src == I.PSEUDO_MAP_VALUE:
        return f"r{dst} = map[fd:{imm}][0]+{high}"
    if src == I.PSEUDO_BTF_ID:
        return f"r{dst} = btf[{imm}]"
    if src == I.PSEUDO_FUNC:
        return f"r{dst} = func {imm:+d}"
    return f"r{dst} = map[idx:{imm}]" + (f"[0]+{high}" if src == I.PSEUDO_MAP_IDX_VALUE else "")


def _ldx(insn: Insn, _following: Insn | None, _slot: int | None) -> str | None:
    op, dst, src, off, _ = insn
    mode = op & 0xE0
    size = I.SIZE_BYTES[op & 0x18]
    if mode == I.MEM:
        return f"r{dst} = *{_at(_UNSIGNED[size], src, off)}"
    return f"r{dst} = *{_at(_SIGNED[size], src, off)}" if mode == I.MEMSX else None


def _st(insn: Insn, _following: Insn | None, _slot: int | None) -> str | None:
    op, dst, _, off, imm = insn
    return f"*{_at(_UNSIGNED[I.SIZE_BYTES[op & 0x18]], dst, off)} = {imm}" if op & 0xE0 == I.MEM else None


def _stx(insn: Insn, _following: Insn | None, _slot: int | None) -> str | None:
    op, dst, src, off, imm = insn
    size = I.SIZE_BYTES[op & 0x18]
    at = _at(_UNSIGNED[size], dst, off)
    if op & 0xE0 == I.MEM:
        return f"*{at} = r{src}"
    if op & 0xE0 != I.ATOMIC:
        return None
    wide = "64" if size == 8 else ""
    if imm in _ATOMIC_SIGN:
        return f"lock *{at} {_ATOMIC_SIGN[imm]} r{src}"
    if imm & ~I.FETCH in _ATOMIC_NAME:
        return f"r{src} = atomic{wide}_fetch_{_ATOMIC_NAME[imm & ~I.FETCH]}({at}, r{src})"
    if imm == I.A_XCHG:
        return f"r{src} = atomic{wide}_xchg({at}, r{src})"
    if imm == I.A_CMPXCHG:
        return f"r0 = atomic{wide}_cmpxchg({at}, r0, r{src})"
    if imm == I.A_LOAD_ACQ:
        return f"r{dst} = load_acquire({_at(_UNSIGNED[size], src, off)})"
    return f"store_release({at}, r{src})" if imm == I.A_STORE_REL else None


def _alu(insn: Insn, _following: Insn | None, _slot: int | None) -> str | None:
    op, dst, src, off, imm = insn
    wide = op & 7 == I.ALU64
    code = op & 0xF0
    reg = "r" if wide else "w"
    if code == I.NEG:
        return f"{reg}{dst} = -{reg}{dst}"
    if code == I.END:
        name = "bswap" if wide else "be" if op & I.X else "le"
        return f"r{dst} = {name}{imm} r{dst}"
    sign = _ALU_SIGN.get(code)
    if sign is None:
        return None
    if not op & I.X:
        operand = str(imm)
    elif code == I.MOV and off:
        operand = f"(s{off}){reg}{src}"
    else:
        operand = f"{reg}{src}"
    if off == 1 and code in (I.DIV, I.MOD):
        sign = "s" + sign
    return f"{reg}{dst} {sign} {operand}"


def _where(off: int, slot: int | None) -> str:
    return f"pc{off:+d}" if slot is None else str(slot + 1 + off)


def _jmp(insn: Insn, _following: Insn | None, slot: int | None) -> str | None:
    op, dst, src, off, imm = insn
    wide = op & 7 == I.JMP
    code = op & 0xF0
    if code in _JUMP_SIGN:
        reg = "r" if wide else "w"
        operand = f"{reg}{src}" if op & I.X else hex(imm)
        return f"if {reg}{dst} {_JUMP_SIGN[code]} {operand} goto {_where(off, slot)}"
    if code == I.JA:
        return f"goto {_where(off, slot)}" if wide else f"gotol {_where(imm, slot)}"
    if not wide:
        return None
    if code == I.EXIT:
        return "exit"
    if code == I.JCOND:
        return f"may_goto {_where(off, slot)}"
    if src == I.PSEUDO_CALL:
        return f"call {_where(imm, slot)}"
    if src == I.PSEUDO_KFUNC_CALL:
        return f"call kfunc[{imm}]" + (f" of module {off}" if off else "")
    return f"call bpf_{helper_name(imm) or 'unknown'}#{imm}"


_BY_CLASS = (_ld, _ldx, _st, _stx, _alu, _jmp, _jmp, _alu)
