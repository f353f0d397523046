"""Long handlers load, quickly, and count right: verifiers give up on too many branches, or on too many ways."""

from __future__ import annotations

import struct

import pytest
from ebpf_live import Live
from test_live_random import Drawing, run_live

from pystap.kernel.prog import test_run as run_program
from tests.kit.ebpf_bodies import VALUES, make
from tests.kit.ebpf_rig import Const, Event, Global, If, Op, handler, i64, shape
from tests.kit.ir_model import Model, s64
from tests.kit.long_bodies import act_long


@pytest.mark.parametrize("seed", range(40))
def test_random_body_in_pieces(seed, monkeypatch):
    act_long(monkeypatch)
    draw = Drawing(seed + 1000)
    maker, body = make(draw, 2 if seed % 2 else 0, 6 if seed % 3 else 16)
    args = [draw(VALUES) for _ in range(4)]
    model = Model([s64(a) for a in args], 20)
    fine = model.run(body)
    records, error, found = run_live(body, maker.globs, args)
    assert (error is None) == fine
    if fine:
        count = len(maker.pool)
        want = [model.local.get(v, 0) for v in maker.pool]
        assert list(struct.unpack_from(f"<{count}q", records[0], 16)) == want
    assert found == [model.globals.get(g, 0) for g in maker.globs]


@pytest.mark.parametrize("kind", ["update", "other", "values"])
def test_ten_thousand_statements(kind):
    """More branches than a verifier keeps, tests of one value for many constants, values that differ by the way."""
    count = 10_000
    by, total = Global("by", ("i64",), "i64"), Global("total", (), "i64")
    a, sum_ = i64("a"), i64("sum")
    body = [Op(a, "ctx_arg", (), (0, False)), Op(sum_, "mov", (Const(0),))]
    for n in range(count):
        equal = i64("e")
        update = Op(None, "add_to", (Const(n), Const(1)), by)
        other = [Op(None, "add_to", (Const(1),), total)] if kind == "other" else []
        if kind == "values":
            update = Op(sum_, "add", (sum_, Const(n)))
        body += [Op(equal, "eq" if kind != "values" else "ge", (a, Const(n))), If(equal, [update], other)]
    body.append(Op(None, "add_to", (sum_,), total))
    globs = [(by, "delta", [shape("i64", 8)], True), (total, "delta", [], False)]
    with Live([(Event("raw_tp", "sys_enter"), [handler(*body)], {})], globs=globs, attach=False) as live:
        for number in (0, 17, 9_999, 123_456):
            run_program(live.loaded[0].fd, struct.pack("<Q", number))
        spec = live.homes[total].spec
        if kind == "values":
            assert live.delta(spec.offset) == sum(
                sum(range(min(n + 1, count))) for n in (0, 17, 9999, 123456)
            )
            return
        assert live.delta(spec.offset) == (4 * count - 3 if kind == "other" else 0)
        table = live.table("by", 8)
        assert {struct.unpack("<q", key)[0] for key in table} == {0, 17, 9_999}
