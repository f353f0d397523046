"""A compiled Program in the interpreter: its maps, relocations, kfuncs and lines."""

import struct

import pytest

from pystap.bpf import insn as I
from pystap.bpf.object import from_prog
from pystap.bpf.vm.machine import VmFault, World, from_program
from pystap.program import VERSION, Line, MapSpec, Prog, Program, Reloc

INSNS = [
    I.ldx(8, 6, 1, 0),
    *I.ld_imm64(7, 0),  # slot 1: the value of ctl at 16
    I.st_imm(4, 10, -4, 1),
    *I.ld_imm64(1, 0),  # slot 4: counts
    I.mov(2, 10),
    I.alu_imm(I.ADD, 2, -4),
    I.call(1),
    I.jump_imm(I.JEQ, 0, 0, 1),
    I.atomic(I.A_ADD, 8, 0, 0, 6),
    I.atomic(I.A_ADD, 8, 7, 0, 6),
    I.mov(1, 6),
    I.mov_imm(2, 0),
    I.call_kfunc(0),  # slot 14
    I.exit_(),
]


def program(insns=INSNS):
    prog = Prog(
        name="p0",
        kind="raw_tp",
        target="sys_enter",
        args=(),
        insns=I.encode(insns),
        relocs=(Reloc(1, "value", "ctl", 16), Reloc(4, "map", "counts")),
        funcs=((0, "p0", 1),),
        lines=(Line(0, "a.stp", 1, 1, "probe x"), Line(6, "a.stp", 2, 5, "n++")),
        kfuncs=((14, "bpf_rdonly_cast"),),
    )
    inner = MapSpec("inner", "percpu_hash", 4, 8, 10)
    maps = (
        MapSpec("ctl", "array", 4, 64, 1, 1024),
        MapSpec("counts", "percpu_array", 4, 8, 2),
        MapSpec("generations", "array_of_maps", 4, 4, 2, 0, inner),
    )
    nothing = dict.fromkeys(Program._fields, ())
    return Program(
        **{**nothing, "version": VERSION, "lang": "stp", "maps": maps, "progs": (prog,), "source": ""}
    )


def test_a_program_runs():
    vm = from_program(program(), World(cpu=1))
    assert vm.run("p0", struct.pack("<Q", 5)) == 5
    assert vm.run("p0", struct.pack("<Q", 6)) == 6
    assert vm.maps["counts"].get_all(1) == [bytes(8), struct.pack("<Q", 11)]
    assert vm.maps["ctl"].get(0)[16:24] == struct.pack("<Q", 11)
    inner = vm.maps["generations"].inner
    assert sorted(inner) == [b"\0\0\0\0", b"\x01\0\0\0"]
    assert inner[b"\0\0\0\0"] is not inner[b"\x01\0\0\0"]


def test_a_fault_names_the_line():
    broken = [*INSNS]
    broken[6] = I.mov(2, 9)
    with pytest.raises(VmFault, match=r"p0, instruction 6 \(r2 = r9\), from 'a.stp:2:5': r9 was never set"):
        from_program(program(broken)).run("p0", bytes(8))


def test_tags_and_functions():
    code = from_prog(program().progs[0])
    assert code.funcs == [("p0", 0)]
    assert [code.tag(i) for i in (0, 5, 6, 15)] == ["a.stp:1:1"] * 2 + ["a.stp:2:5"] * 2
    assert code.maps() == ["ctl", "counts"]
