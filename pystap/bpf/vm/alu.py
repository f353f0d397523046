"""What the arithmetic and comparing instructions compute, as functions of numbers.

Operands and results are unsigned 64-bit numbers; the 32-bit forms look at the
low halves and return results below 2**32. Division by 0 gives 0, modulo by 0 the
dividend; shift counts are masked (RFC 9669). The interpreter runs on these, and
constant folding of eBPF arithmetic may.
"""

from __future__ import annotations

from .. import insn as I

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Binary = Callable[[int, int], int]
    Test = Callable[[int, int], bool]

M32 = I.M32
M64 = I.M64
_S31 = 0x80000000
_S63 = 0x8000000000000000
_T32 = 0x100000000
_T64 = 0x10000000000000000


def _signed(value: int, sign: int, span: int) -> int:
    return value - span if value & sign else value


def _trunc_div(a: int, b: int) -> int:
    quotient = abs(a) // abs(b)
    return -quotient if (a < 0) != (b < 0) else quotient


def _sdiv(mask: int, sign: int, span: int) -> Binary:
    def div(a: int, b: int) -> int:
        b = _signed(b & mask, sign, span)
        return _trunc_div(_signed(a & mask, sign, span), b) & mask if b else 0

    return div


def _smod(mask: int, sign: int, span: int) -> Binary:
    def mod(a: int, b: int) -> int:
        a = _signed(a & mask, sign, span)
        b = _signed(b & mask, sign, span)
        return (a - _trunc_div(a, b) * b if b else a) & mask

    return mod


def _arsh64(a: int, b: int) -> int:
    return (_signed(a, _S63, _T64) >> (b & 63)) & M64


def _arsh32(a: int, b: int) -> int:
    return (_signed(a & M32, _S31, _T32) >> (b & 31)) & M32


ALU64_FN: dict[int, Binary] = {
    I.ADD: lambda a, b: (a + b) & M64,
    I.SUB: lambda a, b: (a - b) & M64,
    I.MUL: lambda a, b: (a * b) & M64,
    I.DIV: lambda a, b: a // b if b else 0,
    I.MOD: lambda a, b: a % b if b else a,
    I.SDIV: _sdiv(M64, _S63, _T64),
    I.SMOD: _smod(M64, _S63, _T64),
    I.OR: lambda a, b: a | b,
    I.AND: lambda a, b: a & b,
    I.XOR: lambda a, b: a ^ b,
    I.LSH: lambda a, b: (a << (b & 63)) & M64,
    I.RSH: lambda a, b: a >> (b & 63),
    I.ARSH: _arsh64,
}

ALU32_FN: dict[int, Binary] = {
    I.ADD: lambda a, b: (a + b) & M32,
    I.SUB: lambda a, b: (a - b) & M32,
    I.MUL: lambda a, b: (a * b) & M32,
    I.DIV: lambda a, b: (a & M32) // (b & M32) if b & M32 else 0,
    I.MOD: lambda a, b: (a & M32) % (b & M32) if b & M32 else a & M32,
    I.SDIV: _sdiv(M32, _S31, _T32),
    I.SMOD: _smod(M32, _S31, _T32),
    I.OR: lambda a, b: (a | b) & M32,
    I.AND: lambda a, b: a & b & M32,
    I.XOR: lambda a, b: (a ^ b) & M32,
    I.LSH: lambda a, b: (a << (b & 31)) & M32,
    I.RSH: lambda a, b: (a & M32) >> (b & 31),
    I.ARSH: _arsh32,
}

# Equality by XOR, so that a register that was never set (None) raises there too.
JUMP_FN: dict[int, Test] = {
    I.JEQ: lambda a, b: a ^ b == 0,
    I.JNE: lambda a, b: a ^ b != 0,
    I.JGT: lambda a, b: a > b,
    I.JGE: lambda a, b: a >= b,
    I.JLT: lambda a, b: a < b,
    I.JLE: lambda a, b: a <= b,
    I.JSET: lambda a, b: a & b != 0,
    I.JSGT: lambda a, b: a ^ _S63 > b ^ _S63,
    I.JSGE: lambda a, b: a ^ _S63 >= b ^ _S63,
    I.JSLT: lambda a, b: a ^ _S63 < b ^ _S63,
    I.JSLE: lambda a, b: a ^ _S63 <= b ^ _S63,
}


def sign_extend(value: int, bits: int, to: int = 64) -> int:
    """Return the low `bits` of a number sign-extended to `to` bits."""
    value &= (1 << bits) - 1
    if value >> (bits - 1):
        value -= 1 << bits
    return value & (M64 if to == 64 else M32)


def byte_swap(value: int, bits: int) -> int:
    """Return the low `bits` of a number with their bytes reversed."""
    size = bits // 8
    return int.from_bytes((value & ((1 << bits) - 1)).to_bytes(size, "little"), "big")


def jump32(test: Test) -> Test:
    """Return the 32-bit form of a comparison: signed ones compare sign-extended halves."""
    if test in _SIGNED_TESTS:
        return lambda a, b: test(sign_extend(a, 32), sign_extend(b, 32))
    return lambda a, b: test(a & M32, b & M32)


_SIGNED_TESTS = frozenset(JUMP_FN[op] for op in (I.JSGT, I.JSGE, I.JSLT, I.JSLE))
