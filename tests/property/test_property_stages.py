"""Random scripts mean the same staged, mirrored and evaluated plainly."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .run import GETPPID, LSEEK, Event, check
from .scripts import NUMBERS, script

COMMON: dict[str, Any] = {"deadline": None, "suppress_health_check": list(HealthCheck)}


@st.composite
def events(draw: Any) -> list[Event]:
    """Calls of several threads with their returns, and ticks."""
    out: list[Event] = []
    for _ in range(draw(st.integers(1, 6))):
        if draw(st.integers(0, 5)) == 5:
            out.append(Event("tick"))
        thread = draw(st.sampled_from([0, 0, 1, 2]))
        nr = draw(st.sampled_from([LSEEK, LSEEK, LSEEK, GETPPID]))
        args = tuple(draw(NUMBERS) for _ in range(3))
        out += [Event("enter", thread, nr, args), Event("leave", thread, nr, args, draw(NUMBERS))]
    return out


@st.composite
def scripts(draw: Any) -> str:
    """A script."""
    return script(draw)


@settings(**COMMON)
@given(scripts(), events())
def test_all_stages_agree(text: str, happening: list[Event]) -> None:
    check(text, happening)
