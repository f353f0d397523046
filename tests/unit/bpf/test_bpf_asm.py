"""Labels, functions, relocations, and the disassembler that shows them."""

import pytest

from pystap.bpf import insn as I
from pystap.bpf.asm import Asm, AsmError
from pystap.bpf.disasm import disasm, disasm_code
from pystap.bpf.object import Code, link


def test_labels_in_both_directions():
    a = Asm()
    a.mov_imm(0, 0)
    a.label("again")
    a.jump_imm(I.JGE, 0, 10, "out")
    a.add_imm(0, 1)
    a.goto("again")
    a.label("out")
    a.exit()
    assert a.build().insns == [
        I.mov_imm(0, 0),
        I.jump_imm(I.JGE, 0, 10, 2),
        I.alu_imm(I.ADD, 0, 1),
        I.goto(-3),
        I.exit_(),
    ]


def test_wide_loads_count_two_slots():
    a = Asm()
    a.goto("end")
    a.load(1, 1 << 40)
    a.ld_map(2, "m")
    a.label("end")
    a.ret(0)
    assert a.build().insns[0] == I.goto(4)


def far(slots):
    a = Asm()
    a.goto("end")
    for _ in range(slots):
        a.mov_imm(0, 0)
    a.label("end")
    a.exit()
    return a


def test_a_jump_that_is_too_far():
    assert far(0x7FFF).build().insns[0] == I.goto(0x7FFF)
    with pytest.raises(AsmError, match="end is 32768 slots away"):
        far(0x8000).build()


def test_a_long_jump_reaches_further():
    a = Asm()
    a.label("start")
    for _ in range(40000):
        a.mov_imm(0, 0)
    a.gotol("start")
    assert a.build().insns[-1] == I.gotol(-40001)


def test_labels_that_are_wrong():
    a = Asm()
    a.goto("nowhere")
    with pytest.raises(AsmError, match="nowhere is used and not placed"):
        a.build()
    a.label("x")
    with pytest.raises(AsmError, match="x is placed twice"):
        a.label("x")
    assert a.new_label() != a.new_label()


def functions():
    a = Asm()
    a.func("entry")
    a.tag = "first"
    a.mov_imm(1, 3)
    a.ld_func(2, "callback")
    a.tag = None
    a.call_sub("callback")
    a.exit()
    a.func("callback")
    a.ret(0)
    return a.build()


def test_functions():
    code = functions()
    assert code.funcs == [("entry", 0), ("callback", 5)]
    # From the slot after the load's first one, and from the slot after the call.
    assert code.insns[1] == (I.LD_IMM64_OP, 2, I.PSEUDO_FUNC, 0, 3)
    assert code.insns[3] == I.call_sub(1)
    assert [code.tag(i) for i in range(4)] == ["first", "first", "first", None]


def relocated():
    a = Asm()
    a.ld_map(1, "counts")
    a.ld_map_value(2, "ctl", 16)
    a.call_kfunc("bpf_rdonly_cast")
    a.ld_map(4, "counts")
    return a.build()


def test_link():
    code = relocated()
    assert code.maps() == ["counts", "ctl"]
    linked = link(code, {"counts": 5, "ctl": 6}, {"bpf_rdonly_cast": (88, 0)})
    assert linked == [
        *I.ld_map_fd(1, 5),
        *I.ld_map_value(2, 6, 16),
        I.call_kfunc(88),
        *I.ld_map_fd(4, 5),
    ]
    assert code.insns != linked
    with pytest.raises(KeyError):
        link(code, {"counts": 5})


@pytest.mark.parametrize(
    ("insn", "text"),
    [
        (I.mov_imm(0, -5), "r0 = -5"),
        (I.mov32(1, 2), "w1 = w2"),
        (I.movsx(1, 2, 16), "r1 = (s16)r2"),
        (I.alu(I.ADD, 1, 2), "r1 += r2"),
        (I.alu32_imm(I.AND, 1, 255), "w1 &= 255"),
        (I.alu_imm(I.ARSH, 1, 4), "r1 s>>= 4"),
        (I.alu(I.SDIV, 1, 2), "r1 s/= r2"),
        (I.neg(4), "r4 = -r4"),
        (I.to_be(1, 16), "r1 = be16 r1"),
        (I.to_le(1, 64), "r1 = le64 r1"),
        (I.bswap(1, 32), "r1 = bswap32 r1"),
        (I.ldx(8, 0, 1, 8), "r0 = *(u64 *)(r1 +8)"),
        (I.ldxsx(2, 0, 1, -2), "r0 = *(s16 *)(r1 -2)"),
        (I.stx(4, 10, -4, 1), "*(u32 *)(r10 -4) = r1"),
        (I.st_imm(1, 10, -1, 7), "*(u8 *)(r10 -1) = 7"),
        (I.atomic(I.A_ADD, 8, 1, 0, 2), "lock *(u64 *)(r1 +0) += r2"),
        (I.atomic(I.A_OR, 4, 1, 8, 2, fetch=True), "r2 = atomic_fetch_or((u32 *)(r1 +8), r2)"),
        (I.atomic(I.A_XCHG, 8, 1, 0, 2), "r2 = atomic64_xchg((u64 *)(r1 +0), r2)"),
        (I.atomic(I.A_CMPXCHG, 8, 1, 0, 2), "r0 = atomic64_cmpxchg((u64 *)(r1 +0), r0, r2)"),
        (I.load_acquire(8, 1, 2, 8), "r1 = load_acquire((u64 *)(r2 +8))"),
        (I.store_release(4, 1, 8, 2), "store_release((u32 *)(r1 +8), r2)"),
        (I.jump_imm(I.JNE, 1, 16, 3), "if r1 != 0x10 goto pc+3"),
        (I.jump32(I.JSLT, 1, 2, -3), "if w1 s< w2 goto pc-3"),
        (I.goto(3), "goto pc+3"),
        (I.gotol(-70000), "gotol pc-70000"),
        (I.may_goto(2), "may_goto pc+2"),
        (I.call(1), "call bpf_map_lookup_elem#1"),
        (I.call(9999), "call bpf_unknown#9999"),
        (I.call_sub(4), "call pc+4"),
        (I.call_kfunc(12), "call kfunc[12]"),
        (I.exit_(), "exit"),
        ((0xFF, 1, 2, 3, 4), "(unknown ff dst=1 src=2 off=3 imm=4)"),
        ((0xDB, 1, 2, 3, 0x77), "(unknown db dst=1 src=2 off=3 imm=119)"),
    ],
)
def test_disasm(insn, text):
    assert disasm(insn) == text


def test_disasm_never_fails():
    for op in range(256):
        assert disasm((op, 1, 2, 3, 4))


def test_disasm_of_a_program():
    lines = disasm_code(functions())
    assert lines[0] == "entry:"
    assert lines[2] == "   1: r2 = func callback"
    assert lines[3] == "   3: call callback"
    assert lines[5:7] == ["callback:", "   5: r0 = 0"]
    named = disasm_code(relocated())
    assert [line[6:] for line in named[1:]] == [
        "r1 = map[counts]",
        "r2 = map[ctl][0]+16",
        "call bpf_rdonly_cast",
        "r4 = map[counts]",
    ]
    plain = [*I.ld_imm64(1, 0x8877665544332211), *I.ld_map_fd(1, 3), I.goto(-5), I.exit_()]
    assert [line[6:] for line in disasm_code(Code(plain))[1:]] == [
        "r1 = 0x8877665544332211 ll",
        "r1 = map[fd:3]",
        "goto 0",
        "exit",
    ]


def test_code_has_a_main_function():
    assert Code([I.exit_()]).funcs == [("main", 0)]
