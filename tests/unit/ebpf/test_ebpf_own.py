"""Globals that one program alone updates are collected by plain additions; others atomically."""

from __future__ import annotations

import struct

import pytest

from pystap.bpf.object import from_prog
from pystap.staging.merge import Users
from pystap.staging.plan import KernelProgram
from pystap.types.stat import load_max, load_min
from tests.kit import ebpf_rig
from tests.kit.ebpf_rig import Const, Event, Global, Op, Rig, Stat, handler, i64, shape, table, target

STX_ATOMIC = 0xDB


def rig_of(monkeypatch, body, globs, own, kind="tp_btf", features=("direct", "bpf_loop", "one_run")):
    real = ebpf_rig.generate
    with monkeypatch.context() as patch:
        patch.setattr(ebpf_rig, "generate", lambda *args: real(*args, frozenset(own)))
        return Rig([handler(*body)], globs=globs, event=Event(kind, "x"), target_=target(features=features))


def atomics(rig):
    return [insn for insn in from_prog(rig.prog).insns if insn[0] == STX_ATOMIC]


@pytest.mark.parametrize(
    ("own", "kind", "feature", "plain"),
    [
        (True, "tp_btf", True, True),
        (True, "sys_enter", True, True),
        (False, "tp_btf", True, False),
        (True, "kprobe", True, False),
        (True, "netfilter", True, False),
        (True, "tp_btf", False, False),
    ],
)
def test_when_an_addition_is_plain(monkeypatch, own, kind, feature, plain):
    glob = Global("n", (), "i64")
    features = ("direct", "bpf_loop", *(["one_run"] if feature else []))
    body = [Op(None, "add_to", (Const(3),), glob), Op(None, "add_to", (Const(-1),), glob)]
    rig = rig_of(monkeypatch, body, [(glob, "delta", [], False)], [glob] if own else [], kind, features)
    assert bool(atomics(rig)) != plain
    rig.run(0, 0)
    rig.run(0, 0)
    assert struct.unpack_from("<q", rig.maps["delta"].get(0))[0] == 4


def test_only_its_own_globals(monkeypatch):
    mine, other = Global("mine", (), "i64"), Global("other", (), "i64")
    body = [Op(None, "add_to", (Const(1),), mine), Op(None, "add_to", (Const(1),), other)]
    rig = rig_of(monkeypatch, body, [(mine, "delta", [], False), (other, "delta", [], False)], [mine])
    assert len(atomics(rig)) == 1


@pytest.mark.parametrize("count", [1, 12])
def test_aggregates_of_arrays(monkeypatch, count):
    """Also in a function of their own, which many updates are (count)."""
    glob = Global("t", ("i64",), "stat", stat=Stat(frozenset({"count", "sum", "min", "max"}), hist_log=0))
    a = i64("a")
    body = [Op(a, "ctx_arg", (), (0, False))] + [Op(None, "push", (Const(5), a), glob)] * count
    rig = rig_of(monkeypatch, body, [(glob, "delta", [shape("i64", 8)], False)], [glob])
    values = [3, -9, 1 << 40, 0, 3, -2]
    for value in values:
        rig.run(value)
    fields = dict(rig.homes[glob].spec.stat_fields)
    rows = table(rig, "t")[struct.pack("<q", 5)]

    def word(row, name):
        return struct.unpack_from("<Q", row, fields[name])[0]

    assert sum(word(row, "count") for row in rows) == count * len(values)
    assert sum(struct.unpack_from("<q", row, fields["sum"])[0] for row in rows) == count * sum(values)
    used = [row for row in rows if word(row, "count")]
    assert min(load_min(word(row, "min"), True) for row in used) == min(values)
    assert max(load_max(word(row, "max"), True) for row in used) == max(values)
    assert sum(struct.unpack_from("<128Q", row, fields["log"])[n] for row in rows for n in range(128)) == (
        count * len(values)
    )


def test_which_globals_are_a_programs_own():
    one, two, three = (Global(name, (), "i64") for name in ("one", "two", "three"))

    def program(*globs):
        body = [Op(None, "add_to", (Const(1),), glob) for glob in globs]
        return KernelProgram("p", Event("tp_btf", "x"), [handler(*body)], {}, (0,))

    first, second, third = program(one, two), program(two), program(three)
    users = Users([first, second, third])
    assert users.own([first]) == {one}
    assert users.own([second]) == frozenset()
    assert users.own([first, second]) == {one, two}
    assert users.own([third]) == {three}
