"""Arithmetic and jumps: by hand, and against an evaluator that works on ctypes' own integers."""

import ctypes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pystap.bpf import insn as I
from pystap.bpf.vm.alu import JUMP_FN, sign_extend
from pystap.bpf.vm.machine import Vm, VmFault

MIN64, MAX64 = -(1 << 63), (1 << 64) - 1
MIN32 = -(1 << 31)


def run(*insns):
    return Vm({"p": [*insns, I.exit_()]}).run("p")


def compute(op, a, b, wide=True):
    """a op b with the second operand in a register."""
    make = I.alu if wide else I.alu32
    return run(*I.ld_imm64(0, a), *I.ld_imm64(1, b), make(op, 0, 1))


@pytest.mark.parametrize(
    ("op", "a", "b", "expected"),
    [
        (I.ADD, MAX64, 1, 0),
        (I.SUB, 0, 1, MAX64),
        (I.MUL, 1 << 33, 1 << 33, 0),
        (I.DIV, 7, 2, 3),
        (I.DIV, -7, 2, 0x7FFFFFFFFFFFFFFC),
        (I.DIV, 7, 0, 0),
        (I.MOD, 7, 4, 3),
        (I.MOD, MAX64, 0, MAX64),
        (I.SDIV, -7, 2, -3 & MAX64),
        (I.SDIV, 7, -2, -3 & MAX64),
        (I.SDIV, -7, 0, 0),
        (I.SDIV, MIN64, -1, 1 << 63),
        (I.SMOD, -7, 2, -1 & MAX64),
        (I.SMOD, 7, -2, 1),
        (I.SMOD, -7, 0, -7 & MAX64),
        (I.SMOD, MIN64, -1, 0),
        (I.OR, 0xF0, 0x0F, 0xFF),
        (I.AND, 0xFF, 0x3C, 0x3C),
        (I.XOR, 0xFF, 0x0F, 0xF0),
        (I.LSH, 1, 63, 1 << 63),
        (I.LSH, 1, 64, 1),
        (I.LSH, 3, 63, 1 << 63),
        (I.RSH, MAX64, 63, 1),
        (I.RSH, MAX64, 65, MAX64 >> 1),
        (I.ARSH, -8, 1, -4 & MAX64),
        (I.ARSH, MIN64, 63, MAX64),
        (I.ARSH, -8, 65, -4 & MAX64),
    ],
)
def test_64_bit(op, a, b, expected):
    assert compute(op, a, b) == expected


@pytest.mark.parametrize(
    ("op", "a", "b", "expected"),
    [
        (I.ADD, 0xFFFFFFFF, 1, 0),
        (I.ADD, 5 << 32, 7, 7),
        (I.SUB, 0, 1, 0xFFFFFFFF),
        (I.MUL, 0x10000, 0x10000, 0),
        (I.DIV, -7, 2, 0x7FFFFFFC),
        (I.DIV, 7, 1 << 32, 0),
        (I.MOD, (9 << 32) | 7, 1 << 32, 7),
        (I.MOD, (9 << 32) | 7, 4, 3),
        (I.SDIV, -7, 2, 0xFFFFFFFD),
        (I.SDIV, MIN32, -1, 0x80000000),
        (I.SMOD, MIN32, -1, 0),
        (I.SMOD, -7, 1 << 32, 0xFFFFFFF9),
        (I.LSH, 1, 32, 1),
        (I.LSH, 1, 31, 0x80000000),
        (I.RSH, MAX64, 31, 1),
        (I.ARSH, 0x80000000, 31, 0xFFFFFFFF),
        (I.ARSH, MAX64 ^ 0x80000000, 4, 0x07FFFFFF),
    ],
)
def test_32_bit_clears_the_upper_half(op, a, b, expected):
    assert compute(op, a, b, wide=False) == expected


def test_constants_are_sign_extended():
    assert run(I.mov_imm(0, -1)) == MAX64
    assert run(I.mov32_imm(0, -1)) == 0xFFFFFFFF
    assert run(I.mov_imm(0, 0), I.alu_imm(I.OR, 0, -2)) == MAX64 - 1
    assert run(I.mov_imm(0, 1), I.alu_imm(I.DIV, 0, -1)) == 0
    assert run(I.mov_imm(0, -1), I.alu_imm(I.DIV, 0, -1)) == 1
    assert run(*I.ld_imm64(0, 1 << 40), I.alu_imm(I.SDIV, 0, -2)) == -(1 << 39) & MAX64
    assert run(*I.load_const(0, 0x123456789ABCDEF0)) == 0x123456789ABCDEF0
    assert run(*I.load_const(0, 0xFFFFFFFF)) == 0xFFFFFFFF


def test_moves_and_byte_order():
    def of(insn):
        return run(*I.ld_imm64(1, 0x8899AABBCCDDEEFF), I.mov(0, 1), insn)

    assert of(I.mov32(0, 1)) == 0xCCDDEEFF
    assert of(I.movsx(0, 1, 8)) == MAX64
    assert of(I.movsx(0, 1, 16)) == 0xFFFFFFFFFFFFEEFF
    assert of(I.movsx(0, 1, 32)) == 0xFFFFFFFFCCDDEEFF
    assert of(I.movsx32(0, 1, 16)) == 0xFFFFEEFF
    assert of(I.neg(0)) == 0x7766554433221101
    assert of(I.neg32(0)) == 0x33221101
    assert [of(I.to_be(0, n)) for n in (16, 32, 64)] == [0xFFEE, 0xFFEEDDCC, 0xFFEEDDCCBBAA9988]
    assert [of(I.to_le(0, n)) for n in (16, 32, 64)] == [0xEEFF, 0xCCDDEEFF, 0x8899AABBCCDDEEFF]
    assert [of(I.bswap(0, n)) for n in (16, 32, 64)] == [0xFFEE, 0xFFEEDDCC, 0xFFEEDDCCBBAA9988]


@pytest.mark.parametrize(
    "insn",
    [
        (0x07 | 0xE0, 0, 0, 0, 0),
        I.to_be(0, 8),
        (I.ALU | I.X | I.MOV, 0, 0, 32, 0),
        I.alu_imm(I.ADD | 0x100, 0, 1),
    ],
)
def test_unknown_arithmetic(insn):
    with pytest.raises(VmFault, match="unknown instruction"):
        run(I.mov_imm(0, 0), insn)


def taken(make, op, a, b):
    code = [*I.ld_imm64(1, a), *I.ld_imm64(2, b), I.mov_imm(0, 1), make(op, 1, 2, 1), I.mov_imm(0, 0)]
    return run(*code) == 1


JUMPS = {
    # op: (truth for -1, 1; for 1, -1; for 5, 5) 64-bit
    I.JEQ: (0, 0, 1), I.JNE: (1, 1, 0), I.JGT: (1, 0, 0), I.JGE: (1, 0, 1), I.JLT: (0, 1, 0), I.JLE: (0, 1, 1),
    I.JSGT: (0, 1, 0), I.JSGE: (0, 1, 1), I.JSLT: (1, 0, 0), I.JSLE: (1, 0, 1), I.JSET: (1, 1, 1),
}  # fmt: skip


@pytest.mark.parametrize("op", JUMPS)
def test_jumps(op):
    expected = tuple(bool(t) for t in JUMPS[op])
    assert (taken(I.jump, op, -1, 1), taken(I.jump, op, 1, -1), taken(I.jump, op, 5, 5)) == expected
    # The upper halves are not looked at by the 32-bit forms.
    junk = 0x1234 << 32
    a = (taken(I.jump32, op, 0xFFFFFFFF, junk | 1), taken(I.jump32, op, junk | 1, 0xFFFFFFFF))
    assert (*a, taken(I.jump32, op, junk | 5, 5)) == expected


def test_jump_constants_are_sign_extended():
    assert run(I.mov_imm(0, -5), I.jump_imm(I.JEQ, 0, -5, 1), I.mov_imm(0, 0)) == -5 & MAX64
    assert run(I.mov32_imm(0, -5), I.jump_imm(I.JEQ, 0, -5, 1), I.mov_imm(0, 0)) == 0
    assert run(I.mov32_imm(0, -5), I.jump32_imm(I.JEQ, 0, -5, 1), I.mov_imm(0, 0)) == 0xFFFFFFFB


def test_jset_has_no_false_positive():
    assert not taken(I.jump, I.JSET, 0xF0, 0x0F)


# -- against another evaluator


def c_int(wide, signed):
    return {
        (True, True): ctypes.c_int64, (True, False): ctypes.c_uint64,
        (False, True): ctypes.c_int32, (False, False): ctypes.c_uint32,
    }[wide, signed]  # fmt: skip


def reference(op, wide, a, b):
    """What C would compute on the machine's own types."""
    signed = op in (I.SDIV, I.SMOD, I.ARSH)
    make = c_int(wide, signed)
    x, y = make(a).value, make(b).value
    shift = b % (64 if wide else 32)
    if op in (I.DIV, I.SDIV):
        result = 0 if y == 0 else int(abs(x) // abs(y)) * (1 if (x >= 0) == (y >= 0) else -1)
    elif op in (I.MOD, I.SMOD):
        result = x if y == 0 else abs(x) % abs(y) * (1 if x >= 0 else -1)
    else:
        result = {
            I.ADD: x + y, I.SUB: x - y, I.MUL: x * y, I.OR: x | y, I.AND: x & y, I.XOR: x ^ y, I.MOV: y,
            I.LSH: x << shift, I.RSH: x >> shift, I.ARSH: x >> shift,
        }[op]  # fmt: skip
    return c_int(wide, False)(result).value


OPS = [I.ADD, I.SUB, I.MUL, I.DIV, I.SDIV, I.MOD, I.SMOD, I.OR, I.AND, I.XOR, I.LSH, I.RSH, I.ARSH, I.MOV]
word = st.one_of(
    st.integers(0, MAX64),
    st.sampled_from([0, 1, 2, 31, 32, 63, 64, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 32, 1 << 63, MAX64]),
)
imm32 = st.integers(MIN32, (1 << 31) - 1)
step = st.tuples(st.sampled_from(OPS), st.booleans(), st.integers(0, 3), st.one_of(st.integers(0, 3), imm32))


@settings(max_examples=300, deadline=None)
@given(st.lists(word, min_size=4, max_size=4), st.lists(st.tuples(step, st.booleans()), max_size=30))
def test_random_sequences(start, steps):
    insns = []
    regs = list(start)
    for number, value in enumerate(start):
        insns += I.ld_imm64(number + 6, value)
    for (op, wide, dst, operand), by_register in steps:
        if by_register:
            src = operand % 4
            insns.append((I.alu if wide else I.alu32)(op, dst + 6, src + 6))
            regs[dst] = reference(op, wide, regs[dst], regs[src])
        else:
            insns.append((I.alu_imm if wide else I.alu32_imm)(op, dst + 6, operand))
            regs[dst] = reference(op, wide, regs[dst], operand & MAX64)
    for number, expected in enumerate(regs):
        assert run(*insns, I.mov(0, number + 6)) == expected


SIGNED_JUMPS = {I.JSGT: I.JGT, I.JSGE: I.JGE, I.JSLT: I.JLT, I.JSLE: I.JLE}


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(list(JUMP_FN)), st.booleans(), word, word)
def test_random_comparisons(op, wide, a, b):
    make = c_int(wide, op in SIGNED_JUMPS)
    x, y = make(a).value, make(b).value
    expected = {
        I.JEQ: x == y, I.JNE: x != y, I.JGT: x > y, I.JGE: x >= y, I.JLT: x < y, I.JLE: x <= y, I.JSET: x & y != 0,
    }[SIGNED_JUMPS.get(op, op)]  # fmt: skip
    assert taken(I.jump if wide else I.jump32, op, a, b) == expected
    if op in I.NEGATED:
        assert taken(I.jump if wide else I.jump32, I.NEGATED[op], a, b) != expected
    if op in I.SWAPPED:
        assert taken(I.jump if wide else I.jump32, I.SWAPPED[op], b, a) == expected


@given(word, st.sampled_from([8, 16, 32]), st.sampled_from([32, 64]))
def test_sign_extension(value, bits, to):
    signed = {8: ctypes.c_int8, 16: ctypes.c_int16, 32: ctypes.c_int32}[bits](value).value
    assert sign_extend(value, bits, to) == signed & ((1 << to) - 1)
