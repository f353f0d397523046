"""Random structured bodies: generated code in the interpreter gives what plain evaluation gives."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.kit.ebpf_bodies import VALUES, check, make
from tests.kit.ebpf_rig import (
    Op,
    Rig,
    Text,
    handler,
)

COMMON = {"deadline": None, "suppress_health_check": list(HealthCheck)}


@settings(max_examples=250, **COMMON)
@given(st.data(), st.lists(VALUES, min_size=4, max_size=4))
def test_bodies(data, args):
    maker, body = make(data.draw, 0, 6)
    check(maker, body, args)


@settings(max_examples=120, **COMMON)
@given(st.data(), st.lists(VALUES, min_size=4, max_size=4))
def test_many_locals(data, args):
    """More values alive than there are registers."""
    maker, body = make(data.draw, 0, 16)
    check(maker, body, args)


@settings(max_examples=200, **COMMON)
@given(st.data(), st.lists(VALUES, min_size=4, max_size=4))
def test_loops(data, args):
    maker, body = make(data.draw, 2, 6)
    check(maker, body, args)


def test_raise_text():
    rig = Rig([handler(Op(None, "raise", (Text("oops"),)))])
    rig.run()
    assert rig.error == ("oops", 0)
    assert rig.state == 3
