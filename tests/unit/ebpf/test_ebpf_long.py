"""Long handlers: pieces with jumps to each, updates as functions of their own, cold code on the way, far fields."""

from __future__ import annotations

import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pystap.bpf import insn as I
from pystap.bpf.object import from_prog
from tests.kit.ebpf_bodies import VALUES, check, make
from tests.kit.ebpf_rig import (
    CTL_GEN,
    Const,
    Event,
    Field,
    Global,
    If,
    Op,
    RecordPlan,
    Rig,
    Stat,
    Text,
    counted,
    handler,
    i64,
    shape,
    string,
    table,
)
from tests.kit.long_bodies import act_long

COMMON = {"deadline": None, "suppress_health_check": list(HealthCheck)}


@pytest.mark.parametrize("loops", [0, 2])
@settings(max_examples=120, **COMMON)
@given(data=st.data(), args=st.lists(VALUES, min_size=4, max_size=4))
def test_random_bodies(loops, data, args):
    with pytest.MonkeyPatch.context() as patch:
        act_long(patch)
        maker, body = make(data.draw, loops, 6 if loops else 16)
        check(maker, body, args)


def calls(rig):
    return [insn for insn in from_prog(rig.prog).insns if insn[0] == I.CALL_OP and insn[2] == I.PSEUDO_CALL]


@pytest.mark.parametrize("resets", [False, True])
def test_many_updates_of_an_array_are_calls_of_one_function(resets):
    glob = Global("m", ("str", "i64"), "i64")
    a, s = i64("a"), string("s")
    body = [Op(a, "ctx_arg", (), (0, False)), Op(s, "call", (), "execname")]
    body += [Op(None, "add_to", (s if n % 2 else Text("x"), Const(n % 10), a), glob) for n in range(60)]
    shapes = [shape("str", 16), shape("i64", 8)]
    rig = Rig([handler(*body)], sizes={s: 16}, globs=[(glob, "delta", shapes, resets)])
    assert len(calls(rig)) == 60
    assert len(rig.prog.funcs) == 2 and rig.prog.apart == (rig.prog.funcs[1][1],)
    rig.run(5)
    rig.poke(CTL_GEN, "<I", 1)
    rig.run(7)
    comm = rig.world.comm.ljust(16, b"\0")
    for generation, value in ((0, 5), (1, 7)) if resets else ((0, 12),):
        want = {
            (comm if n % 2 else b"x".ljust(16, b"\0")) + struct.pack("<q", n): 6 * value for n in range(10)
        }
        assert counted(rig, "m", generation) == want


def test_pushes_and_reads_as_calls():
    stat, held = Global("t", ("i64",), "stat"), Global("h", ("i64",), "i64")
    stat.stat = Stat({"count", "sum", "max"})
    a, got, there = i64("a"), [i64(f"g{n}") for n in range(12)], [i64(f"t{n}") for n in range(12)]
    body = [Op(a, "ctx_arg", (), (0, False))]
    for n in range(12):
        body += [
            Op(None, "push", (Const(n % 3), a), stat),
            Op(None, "set", (Const(n), a), held),
            Op(got[n], "get", (Const(n),), held),
            Op(there[n], "has", (Const(n + 6),), held),
        ]
    body += [Op(None, "reserve", (), RecordPlan(1, 16 + 8 * 24))]
    body += [Op(None, "put", (v,), Field(16 + 8 * n, "i64", 8)) for n, v in enumerate(got + there)]
    rig = Rig(
        [handler(*body)],
        globs=[(stat, "delta", [shape("i64", 8)], False), (held, "shared", [shape("i64", 8)], False)],
    )
    assert len(calls(rig)) == 48
    rig.run(9)
    (record,) = rig.records()
    # has(n + 6) is asked before 6.. are set
    assert list(struct.unpack_from("<24q", record, 16)) == [9] * 12 + [0] * 6 + [0] * 6
    rig.run(4)
    (record,) = rig.records()
    assert list(struct.unpack_from("<24q", record, 16)) == [4] * 12 + [1] * 6 + [0] * 6
    assert len(table(rig, "t")) == 3


def test_full_array_in_a_call_is_an_error_at_its_place():
    glob = Global("m", ("i64",), "i64", capacity=4)
    body = [Op(None, "add_to", (Const(n), Const(1)), glob) for n in range(12)]
    rig = Rig([handler(*body)], globs=[(glob, "shared", [shape("i64", 8)], False)])
    rig.run()
    assert rig.error is not None
    assert rig.error[0].startswith("Array overflow")


def test_an_update_in_a_call_can_be_asked_whether_there_was_room():
    glob = Global("m", ("i64",), "i64", capacity=4)
    body, asked = [], []
    for n in range(12):
        update = Op(None, "add_to", (Const(n), Const(1)), glob)
        asked.append(i64(f"f{n}"))
        body += [update, Op(asked[-1], "full_of", (), update)]
    body += [Op(None, "reserve", (), RecordPlan(1, 16 + 8 * 12))]
    body += [Op(None, "put", (v,), Field(16 + 8 * n, "i64", 8)) for n, v in enumerate(asked)]
    rig = Rig([handler(*body)], globs=[(glob, "shared", [shape("i64", 8)], False)])
    assert len(calls(rig)) == 12
    rig.run()
    (record,) = rig.records()
    assert rig.error is None
    assert list(struct.unpack_from("<12q", record, 16)) == [0] * 4 + [1] * 8


def test_fields_behind_32_kilobytes():
    a = i64("a")
    at = [16, 32760, 32768, 40000, 65536]
    body = [Op(a, "ctx_arg", (), (0, False)), Op(None, "reserve", (), RecordPlan(1, 65552))]
    body += [Op(None, "put", (a if n % 2 else Const(n),), Field(off, "i64", 8)) for n, off in enumerate(at)]
    rig = Rig([handler(*body)], ring=1 << 18, event=Event("raw_tp", "x"))
    rig.run(77)
    (record,) = rig.records()
    assert [struct.unpack_from("<q", record, off)[0] for off in at] == [0, 77, 2, 77, 4]


def test_cost_of_one_more_statement_does_not_grow():
    """Instructions, which is what all later passes and the verifier take time for."""

    def size(count):
        glob, a = Global("m", ("i64",), "i64"), i64("a")
        body = [Op(a, "ctx_arg", (), (0, False))]
        for n in range(count):
            equal = i64("e")
            body += [
                Op(equal, "eq", (a, Const(n))),
                If(equal, [Op(None, "add_to", (Const(n), Const(1)), glob)], []),
            ]
        return len(Rig([handler(*body)], globs=[(glob, "delta", [shape("i64", 8)], True)]).prog.insns) // 8

    few, some, many = size(100), size(200), size(2000)
    assert (many - some) / 1800 < 1.15 * (some - few) / 100 < 25
