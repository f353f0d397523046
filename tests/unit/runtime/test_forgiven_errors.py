"""Which records are run behind a run-time error: all that have happened, in part, whether it ends the run or is forgiven."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from runtime_kit import FakeDoor, ListSink, program, record_spec, timer

from pystap.options import Options
from pystap.program import CTL_ERROR, CTL_ERROR_ARG, CTL_ERRORS, REC_FLAGS, RecordSpec
from pystap.runtime.session import Session

SOURCE = """
def record(n):
    _emit("%d;" % n)
    if n % 2: raise _ScriptError("odd")
def fail(): raise _ScriptError("late")
def end(): _emit("end")
def error(): _emit("error")
"""
SAID = "WARNING: Number of errors: %d, skipped probes: 0\n"


def spec(changes: bool) -> RecordSpec:
    """A handler's records; its run changes globals in the kernel, or not."""
    return record_spec(0, "record", "i64").replace(changes=changes)


def run(
    one: RecordSpec, go: Callable[[FakeDoor], None], allowed: int = 0, timer_at: float = 0
) -> tuple[str, list[str]]:
    """What is printed, and said."""
    door, sink = FakeDoor(), ListSink()
    door.on_go = lambda: go(door)
    timers = (timer(timer_at, "fail"),) if timer_at else ()
    prog = program(SOURCE, (one,), end=("end",), error=("error",), timers=timers)
    Session(prog, door, sink, Options(maxerrors=allowed)).run()
    return sink.text, sink.said


def five(door: FakeDoor, changes: bool) -> None:
    """Five records, and the end."""
    for i in range(5):
        door.record(0, spec(changes), i)
    door.stop()


@pytest.mark.parametrize("changes", [False, True])
@pytest.mark.parametrize("allowed", [2, 10])
def test_forgiven_errors_drop_nothing(changes: bool, allowed: int) -> None:
    text, said = run(spec(changes), lambda door: five(door, changes), allowed)
    assert text == "0;1;2;3;4;end"
    assert said == ["ERROR: odd\n"] * 2 + [SAID % 2]


@pytest.mark.parametrize("allowed, told, dropped", [(0, 1, "0;1;error"), (1, 2, "0;1;2;3;error")])
def test_behind_the_last_error_runs_what_has_happened_in_part(allowed: int, told: int, dropped: str) -> None:
    assert run(spec(False), lambda door: five(door, False), allowed) == (
        dropped,
        ["ERROR: odd\n"] * told + [SAID % told],
    )
    text, said = run(spec(True), lambda door: five(door, True), allowed)
    assert (text, said) == ("0;1;2;3;4;error", ["ERROR: odd\n"] * told + [SAID % 2])


@pytest.mark.parametrize("changes", [False, True])
def test_an_error_in_a_timer(changes: bool) -> None:
    """Records that are numbered behind its tick, and were counted before the programs stopped."""
    one = spec(changes)

    def go(door: FakeDoor) -> None:
        stop = door.stop

        def stopping() -> None:
            door.record(0, one, 2)
            door.stop = stop  # type: ignore[method-assign]
            stop()

        door.stop = stopping  # type: ignore[method-assign]

    text, said = run(one, go, timer_at=0.01)
    assert text == ("2;error" if changes else "error")
    assert said == ["ERROR: late\n", SAID % 1]


def test_errors_of_the_kernel_stage_that_come_together() -> None:
    """It keeps one of them; a run that failed is never run here."""
    one = spec(True)

    def go(door: FakeDoor) -> None:
        door.record(0, one, 2)
        door.flag_error(0, 0)
        door.record(0, one, 4)
        door.flag_error(0, 0)
        door.record(0, one, 6)

    text, said = run(one, go)
    assert text == "6;error"
    assert said == ["ERROR: it broke at 0x0 near here\n", SAID % 2]


def test_forgiven_errors_of_the_kernel_stage() -> None:
    """Records tell of theirs; of the others one is told, and all are counted."""
    one = spec(True)

    def go(door: FakeDoor) -> None:
        for value in (0, 2, 4):
            door.record(0, one, value)
            if value == 2:
                raw = bytearray(door.rings[0].queue[-1])
                raw[REC_FLAGS] = 3
                door.rings[0].queue[-1] = bytes(raw)
        door.words[CTL_ERROR >> 3] = 1
        door.words[CTL_ERROR_ARG >> 3] = 16
        door.words[CTL_ERRORS >> 3] = 3
        door.stop()

    assert run(one, go, 10) == (
        "0;4;end",
        ["ERROR: it broke at 0x0 near here\n", "ERROR: it broke at 0x10 near here\n", SAID % 4],
    )
    text, said = run(one, go, 3)
    assert (text, said[-1]) == ("0;4;error", SAID % 4)
