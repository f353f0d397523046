"""What the kernel stage can't hold is said with a reason, never generated wrong; how extremes are stored."""

from __future__ import annotations

import pytest

from pystap.backend.ebpf import TooBig
from pystap.ir.nodes import Leave, Loop, Try
from pystap.ir.ops import Load
from pystap.types.stat import load_max, load_min, store_max, store_min
from tests.kit.ebpf_rig import (
    Const,
    Event,
    Field,
    If,
    Label,
    Op,
    Options,
    RecordPlan,
    Rig,
    Text,
    handler,
    i64,
    string,
    target,
)


def test_too_much_stack():
    a = i64("a")
    strings = [string(f"s{n}") for n in range(6)]
    body = [Op(a, "ctx_arg", (), (0, False))]
    body += [Op(s, "load_str", (a,), Load(size=128)) for s in strings]
    body += [Op(None, "reserve", (), RecordPlan(1, 16 + 6 * 128))]
    body += [Op(None, "put", (s,), Field(16 + 128 * n, "str", 128)) for n, s in enumerate(strings)]
    with pytest.raises(TooBig, match="stack"):
        Rig([handler(*body)], sizes=dict.fromkeys(strings, 128), event=Event("raw_tp", "x"))


def test_loop_without_the_helper():
    label = Label("l")
    with pytest.raises(TooBig, match="bpf_loop"):
        Rig([handler(Loop(label, [Leave(label)]))], target_=target(features=("direct",)))


def test_loops_nested_too_deep():
    body = []
    for _ in range(8):
        label = Label("l")
        body = [Loop(label, [*body, Leave(label)])]
    with pytest.raises(TooBig, match="deep"):
        Rig([handler(*body)])


def test_text_of_a_caught_error():
    """Only the user stage can make it; without a reader of the text there is no need to."""
    text = string("msg")
    fault = Op(None, "raise", (Text("no"),))
    Rig([handler(Try([fault], text, []))], sizes={text: 64})
    use = [Op(None, "reserve", (), RecordPlan(1, 80)), Op(None, "put", (text,), Field(16, "str", 64))]
    with pytest.raises(TooBig, match="caught"):
        Rig([handler(Try([fault], text, use))], sizes={text: 64})


def test_operations_of_the_user_stage():
    out = string("o")
    with pytest.raises(TooBig, match="concat"):
        Rig([handler(Op(out, "concat", (Text("a"), Text("b"))))], sizes={out: 8})
    with pytest.raises(TooBig, match="strlen"):
        Rig([handler(Op(i64("n"), "call", (Text("a"),), "strlen"))])


def test_system_call_operations_elsewhere():
    with pytest.raises(TooBig, match="sys_nr"):
        Rig([handler(Op(i64("n"), "sys_nr", ()))], event=Event("tp_btf", "sched_switch"))


def test_loop_that_never_ends_is_an_error():
    label = Label("l")
    a = i64("a")
    rig = Rig([handler(Loop(label, [Op(a, "add", (a, Const(1))), If(Const(0), [Leave(label)], [])]))])
    rig.run()
    assert rig.error is not None
    assert rig.error[0].startswith("MAXACTION exceeded")


@pytest.mark.parametrize("most", [0, 1])
def test_no_turn_allowed_is_no_turn(most):
    label = Label("l")
    rig = Rig([handler(Loop(label, [Leave(label)]))], options=Options(max_action=most))
    rig.run()
    assert (rig.error is None) == (most == 1)


@pytest.mark.parametrize("signed", [True, False])
def test_stored_extremes(signed):
    values = [-(1 << 63), -5, -1, 0, 1, 7, (1 << 63) - 1] if signed else [0, 1, 1 << 63, (1 << 64) - 1]
    for value in values:
        assert load_max(store_max(value, signed), signed) == value
        assert load_min(store_min(value, signed), signed) == value
    assert sorted(values, key=lambda v: store_max(v, signed)) == values
    assert sorted(values, key=lambda v: store_min(v, signed)) == values[::-1]
    assert store_max(values[0], signed) == 0  # zeros stand for what every value replaces
    assert store_min(values[-1], signed) == 0
