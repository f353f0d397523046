"""Variables at all places of the toys, as gdb has them on a machine of random registers and memory (see `machine`)."""

from __future__ import annotations

import json

import pytest

from pystap.debuginfo import DebugInfo

from .machine.ask import State, compare, difference, places
from .machine.toys import ANSWERS, FILES, TOYS
from .machine.world import memory

KNOWN = dict(json.loads(ANSWERS.read_text()))


@pytest.mark.parametrize("name", TOYS)
def test_variables(name: str) -> None:
    info = DebugInfo(str(FILES / name))
    spots = places(info, TOYS[name])
    assert [spot.address for spot in spots] == [at for at, _ in KNOWN[name]], "ask gdb again: make.sh"
    count, wrong = compare(info, spots, [answer for _, answer in KNOWN[name]])
    assert not wrong, "\n".join(wrong)
    assert count > 100


def test_kinds_of_places() -> None:
    """What the answers have: without these kinds the comparison would say little."""
    variables = [v for known in KNOWN.values() for _, rows in known for row in rows for v in row[2].values()]
    for kind, least in (("value", 200), ("address", 60), ("leaves", 5), ("out", 60)):
        assert sum(kind in v for v in variables) >= least, kind


def test_the_comparison_sees_differences() -> None:
    state = State(3)
    where, number = ("memory", ("reg", 7)), ("base", "int", 4, True)
    place = {"type": ["base", 4, True], "argument": False, "address": state.registers["rsp"]}
    assert difference(where, number, False, place, state) == ""
    assert difference(("memory", ("add", ("reg", 7), ("const", 4))), number, False, place, state)
    assert difference(where, number, True, place, state) and difference(None, number, False, place, state)
    assert difference(where, ("base", "int", 8, True), False, place, state)
    value = int.from_bytes(memory(3, state.registers["rsp"], 4), "little")
    del place["address"]
    assert difference(where, number, False, {**place, "value": value}, state) == ""
    assert difference(where, number, False, {**place, "value": value ^ 1}, state)
