"""Integer operations. Exact for every operand: counts modulo 64, divisions by 0 and -1 as `ir/ops.py` says."""

from __future__ import annotations

from ...bpf import insn as I
from ...ir.nodes import Const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...ir.nodes import Op
    from .lower import Lower

_BINARY = {
    "add": I.ADD,
    "sub": I.SUB,
    "mul": I.MUL,
    "and": I.AND,
    "or": I.OR,
    "xor": I.XOR,
    "shl": I.LSH,
    "shr": I.RSH,
    "sar": I.ARSH,
}
_SHIFTS = frozenset({"shl", "shr", "sar"})
_COMMUTES = frozenset({"add", "mul", "and", "or", "xor"})
COMPARE = {
    "eq": I.JEQ,
    "ne": I.JNE,
    "lt": I.JSLT,
    "le": I.JSLE,
    "gt": I.JSGT,
    "ge": I.JSGE,
    "ult": I.JLT,
    "ule": I.JLE,
    "ugt": I.JGT,
    "uge": I.JGE,
}
_M64 = (1 << 64) - 1


def binary(lo: Lower, op: Op) -> None:
    """add sub mul and or xor shl shr sar."""
    left, right = op.args
    if isinstance(left, Const) and op.name in _COMMUTES:
        left, right = right, left
    fn = lo.fn
    if isinstance(right, Const):
        dst = lo.target_of(op.dst)
        lo.into(dst, left)
        fn.alui(_BINARY[op.name], dst, right.value & 63 if op.name in _SHIFTS else right.value)
    else:
        other = lo.value(right)
        dst = lo.target_of(op.dst)
        lo.into(dst, left)
        fn.alu(_BINARY[op.name], dst, other)
    lo.done(op.dst, dst)


def unary(lo: Lower, op: Op) -> None:
    """neg not."""
    dst = lo.target_of(op.dst)
    lo.into(dst, op.args[0])
    if op.name == "neg":
        lo.fn.neg(dst)
    else:
        lo.fn.alui(I.XOR, dst, -1)
    lo.done(op.dst, dst)


def equality(lo: Lower, op: Op) -> None:
    """The value of eq or ne, without a branch: verifiers follow both ways from one, some to the end."""
    fn = lo.fn
    left, right = op.args
    if isinstance(left, Const):
        left, right = right, left
    differs = fn.vreg()
    lo.into(differs, left)
    if isinstance(right, Const):
        if right.value:
            fn.alui(I.XOR, differs, right.value)
    else:
        fn.alu(I.XOR, differs, lo.value(right))
    negative = fn.copy(differs)
    fn.neg(negative)
    fn.alu(I.OR, differs, negative)
    fn.alui(I.RSH, differs, 63)
    if op.name == "eq":
        fn.alui(I.XOR, differs, 1)
    lo.done(op.dst, differs)


def extend(lo: Lower, op: Op) -> None:
    """sext zext."""
    dst = lo.target_of(op.dst)
    lo.into(dst, op.args[0])
    widen(lo, dst, int(op.attr), op.name == "sext")
    lo.done(op.dst, dst)


def widen(lo: Lower, reg: int, bits: int, signed: bool) -> None:
    """Keep the low bits of a register and extend them."""
    fn = lo.fn
    if bits >= 64:
        return
    if signed:
        if bits in (8, 16, 32) and "cpu_v4" in lo.target.features:
            fn.emit(0xBF, reg, reg, bits, 0)
        else:
            fn.alui(I.LSH, reg, 64 - bits)
            fn.alui(I.ARSH, reg, 64 - bits)
    elif bits == 32:
        fn.zext32(reg)
    elif bits < 32:
        fn.alui(I.AND, reg, (1 << bits) - 1)
    else:
        fn.alui(I.LSH, reg, 64 - bits)
        fn.alui(I.RSH, reg, 64 - bits)


def divide(lo: Lower, op: Op) -> None:
    """All divisions. The machine's unsigned ones give 0 for x/0 and x for x%0, which is what "_or_zero" wants."""
    name = op.name
    fn = lo.fn
    left, right = op.args
    modulus = "mod" in name
    word = "%" if modulus else "/"
    if name.endswith("_or_error"):
        if isinstance(right, Const):
            if right.value == 0:
                fn.goto(lo.fault("division by 0", op.span, word=word))
                lo.done(op.dst, fn.imm(0))
                return
        else:
            fn.jumpi(I.JEQ, lo.value(right), 0, lo.fault("division by 0", op.span, word=word))
    code = I.MOD if modulus else I.DIV
    if name[0] == "u":
        dst = lo.fresh(left)
        if isinstance(right, Const):
            _unsigned_const(lo, code, dst, right.value & _M64)
        else:
            fn.alu(code, dst, lo.value(right))
    elif isinstance(right, Const):
        dst = _signed_const(lo, code, lo.value(left), right.value)
    else:
        dst = _signed(lo, code, lo.value(left), lo.value(right))
    lo.done(op.dst, dst)


def _unsigned_const(lo: Lower, code: int, dst: int, by: int) -> None:
    fn = lo.fn
    if by == 0:
        if code == I.DIV:
            fn.const(dst, 0)
    elif by & (by - 1) == 0:
        if code == I.DIV:
            fn.alui(I.RSH, dst, by.bit_length() - 1)
        else:
            fn.alui(I.AND, dst, by - 1)
    elif by <= 0x7FFFFFFF:
        fn.alui(code, dst, by)
    else:
        fn.alu(code, dst, fn.imm(by))


def _sign(lo: Lower, reg: int) -> int:
    """-1 for negative values, else 0."""
    sign = lo.fn.copy(reg)
    lo.fn.alui(I.ARSH, sign, 63)
    return sign


def _flip(lo: Lower, reg: int, sign: int) -> None:
    """Negate a register where sign is -1."""
    lo.fn.alu(I.XOR, reg, sign)
    lo.fn.alu(I.SUB, reg, sign)


def _signed_const(lo: Lower, code: int, left: int, by: int) -> int:
    fn = lo.fn
    dst = fn.copy(left)
    size = abs(by)
    if size <= 1:
        if code == I.MOD and by != 0:
            fn.const(dst, 0)
        elif code == I.DIV and by <= 0:
            if by:
                fn.neg(dst)
            else:
                fn.const(dst, 0)
        return dst
    sign = _sign(lo, left)
    _flip(lo, dst, sign)
    _unsigned_const(lo, code, dst, size)
    _flip(lo, dst, sign)
    if by < 0 and code == I.DIV:
        fn.neg(dst)
    return dst


def _signed(lo: Lower, code: int, left: int, right: int) -> int:
    fn = lo.fn
    dst = fn.copy(left)
    sign = _sign(lo, left)
    _flip(lo, dst, sign)
    size = fn.copy(right)
    other = _sign(lo, right)
    _flip(lo, size, other)
    fn.alu(code, dst, size)
    if code == I.DIV:
        fn.alu(I.XOR, sign, other)
    _flip(lo, dst, sign)
    return dst


def compare_jump(lo: Lower, op: Op, label: int, sense: bool) -> None:
    """Jump to the label when the comparison's truth is `sense`."""
    left, right = op.args
    code = COMPARE[op.name]
    if isinstance(left, Const) and not isinstance(right, Const):
        left, right = right, left
        code = I.SWAPPED[code]
    if not sense:
        code = I.NEGATED[code]
    reg = lo.value(left)
    if isinstance(right, Const):
        lo.fn.jumpi(code, lo.compared(reg), right.value, label)
    else:
        lo.fn.jump(code, reg, lo.value(right), label)


def byteswap(lo: Lower, op: Op, bits: int) -> None:
    """The low bytes in reverse order, zero-extended."""
    dst = lo.target_of(op.dst)
    lo.into(dst, op.args[0])
    lo.fn.emit(0xDC, dst, 0, 0, bits)
    lo.done(op.dst, dst)
