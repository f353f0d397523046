"""Encodings against bytes worked out by hand from RFC 9669."""

import struct

import pytest

from pystap.bpf import insn as I


@pytest.mark.parametrize(
    ("insn", "expected"),
    [
        (I.mov_imm(I.R0, 1), "b7 00 0000 01000000"),
        (I.mov(I.R6, I.R1), "bf 16 0000 00000000"),
        (I.mov32(I.R2, I.R3), "bc 32 0000 00000000"),
        (I.mov32_imm(I.R2, -1), "b4 02 0000 ffffffff"),
        (I.alu(I.ADD, I.R1, I.R2), "0f 21 0000 00000000"),
        (I.alu_imm(I.SUB, I.R1, 8), "17 01 0000 08000000"),
        (I.alu32(I.XOR, I.R9, I.R9), "ac 99 0000 00000000"),
        (I.alu_imm(I.ARSH, I.R4, 3), "c7 04 0000 03000000"),
        (I.alu(I.SDIV, I.R1, I.R2), "3f 21 0100 00000000"),
        (I.alu_imm(I.SMOD, I.R1, 7), "97 01 0100 07000000"),
        (I.movsx(I.R1, I.R2, 8), "bf 21 0800 00000000"),
        (I.movsx32(I.R1, I.R2, 16), "bc 21 1000 00000000"),
        (I.neg(I.R3), "87 03 0000 00000000"),
        (I.to_be(I.R1, 16), "dc 01 0000 10000000"),
        (I.to_le(I.R1, 32), "d4 01 0000 20000000"),
        (I.bswap(I.R1, 64), "d7 01 0000 40000000"),
        (I.ldx(8, I.R1, I.R2, 8), "79 21 0800 00000000"),
        (I.ldx(1, I.R1, I.R10, -1), "71 a1 ffff 00000000"),
        (I.ldxsx(4, I.R1, I.R2, 4), "81 21 0400 00000000"),
        (I.stx(4, I.R10, -4, I.R1), "63 1a fcff 00000000"),
        (I.st_imm(2, I.R10, -8, -1), "6a 0a f8ff ffffffff"),
        (I.atomic(I.A_ADD, 8, I.R1, 0, I.R2), "db 21 0000 00000000"),
        (I.atomic(I.A_ADD, 4, I.R1, 16, I.R2, fetch=True), "c3 21 1000 01000000"),
        (I.atomic(I.A_XCHG, 8, I.R1, 0, I.R2), "db 21 0000 e1000000"),
        (I.atomic(I.A_CMPXCHG, 8, I.R1, 0, I.R2), "db 21 0000 f1000000"),
        (I.goto(-2), "05 00 feff 00000000"),
        (I.gotol(70000), "06 00 0000 70110100"),
        (I.may_goto(1), "e5 00 0100 00000000"),
        (I.jump_imm(I.JEQ, I.R0, 0, 3), "15 00 0300 00000000"),
        (I.jump(I.JSGT, I.R1, I.R2, 1), "6d 21 0100 00000000"),
        (I.jump32_imm(I.JLT, I.R1, 9, 1), "a6 01 0100 09000000"),
        (I.call(1), "85 00 0000 01000000"),
        (I.call_sub(5), "85 10 0000 05000000"),
        (I.call_kfunc(1234), "85 20 0000 d2040000"),
        (I.exit_(), "95 00 0000 00000000"),
    ],
)
def test_encoding(insn, expected):
    assert I.encode([insn]) == bytes.fromhex(expected)
    assert I.decode(I.encode([insn])) == [insn]


def test_wide_loads():
    pair = I.ld_imm64(I.R1, 0x1122334455667788)
    assert I.encode(pair) == bytes.fromhex("1801000088776655 0000000044332211")
    assert I.encode(I.ld_map_fd(I.R1, 7)) == bytes.fromhex("1811000007000000 0000000000000000")
    assert I.encode(I.ld_map_value(I.R2, 7, 24)) == bytes.fromhex("1822000007000000 0000000018000000")
    assert I.encode(I.ld_func(I.R2, 10)) == bytes.fromhex("184200000a000000 0000000000000000")


@pytest.mark.parametrize(
    ("value", "slots"),
    [
        *((v, 1) for v in (0, -1, 0x7FFFFFFF, -0x80000000, 0x80000000, 0xFFFFFFFF, 1 << 64, (1 << 64) - 1)),
        *((v, 2) for v in (0x100000000, -0x80000001, 0xFFFFFFFF00000000)),
    ],
)
def test_load_const_is_short(value, slots):
    assert len(I.load_const(I.R1, value)) == slots


def test_values_out_of_range_are_refused():
    with pytest.raises(struct.error):
        I.encode([I.mov_imm(I.R0, 1 << 31)])
    with pytest.raises(struct.error):
        I.encode([I.goto(1 << 15)])


def test_which_instructions_are_v4():
    v4 = [I.alu(I.SDIV, 1, 2), I.alu32_imm(I.SMOD, 1, 2), I.movsx(1, 2, 32), I.movsx32(1, 2, 8)]
    v4 += [I.bswap(1, 32), I.ldxsx(1, 1, 2), I.gotol(1)]
    old = [
        I.alu(I.DIV, 1, 2),
        I.alu_imm(I.MOD, 1, 2),
        I.mov(1, 2),
        I.mov32(1, 2),
        I.to_be(1, 64),
        I.to_le(1, 16),
    ]
    old += [I.ldx(1, 1, 2, 8), I.goto(1), I.jump32_imm(I.JEQ, 1, 2, 1), *I.ld_imm64(1, 5), I.stx(8, 1, 8, 2)]
    old += [I.call(1), I.exit_(), I.atomic(I.A_ADD, 8, 1, 8, 2), I.neg(1)]
    assert [I.needs_v4(i) for i in v4] == [True] * len(v4)
    assert [I.needs_v4(i) for i in old] == [False] * len(old)


def test_negated_and_swapped_jumps_are_involutions():
    for table in (I.NEGATED, I.SWAPPED):
        assert all(table[table[op]] == op for op in table)


def test_fits_imm():
    assert [I.fits_imm(v) for v in (0x7FFFFFFF, -0x80000000, 0xFFFFFFFFFFFFFFFF)] == [True] * 3
    assert [I.fits_imm(v) for v in (0x80000000, -0x80000001, 0xFFFFFFFF)] == [False] * 3
