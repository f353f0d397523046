"""Timers: a grid that doesn't drift, catching up, and not for ever."""

from __future__ import annotations

from runtime_kit import timer

from pystap.runtime.timers import Timers

S = 1_000_000_000


def ticks(timers: Timers, at: int) -> list[str]:
    """All functions due at a time."""
    out = []
    while (function := timers.due(at)) is not None:
        out.append(function)
    return out


def test_the_first_tick_is_one_period_after_the_start() -> None:
    timers = Timers([timer(2, "a"), timer(3, "b")])
    assert timers.next() is None
    timers.start(100 * S)
    assert timers.next() == 102 * S
    assert ticks(timers, 102 * S - 1) == []
    assert ticks(timers, 102 * S) == ["a"]
    assert timers.next() == 103 * S
    assert ticks(timers, 104 * S) == ["b", "a"]


def test_late_ticks_are_made_up_for_on_the_grid() -> None:
    timers = Timers([timer(1, "a")])
    timers.start(0)
    assert ticks(timers, int(1.9 * S)) == ["a"]
    assert timers.next() == 2 * S
    assert ticks(timers, 5 * S + 1) == ["a"] * 4
    assert timers.next() == 6 * S


def test_what_is_very_late_is_left_out() -> None:
    timers = Timers([timer(1, "a")])
    timers.start(0)
    assert len(ticks(timers, 100000 * S)) < 5
    assert timers.next() == 100001 * S


def test_timers_of_one_moment_keep_their_order() -> None:
    timers = Timers([timer(2, "a"), timer(1, "b"), timer(2, "c")])
    timers.start(0)
    assert ticks(timers, 2 * S) == ["b", "a", "b", "c"]


def test_randomized_periods_stay_within_their_bounds() -> None:
    timers = Timers([timer(1, "a", S // 2)])
    timers.start(0)
    at, gaps = 0, []
    for _ in range(200):
        due = timers.next()
        assert due is not None
        gaps.append(due - at)
        at = due
        assert timers.due(at) == "a"
    assert all(S // 2 <= gap <= S * 3 // 2 for gap in gaps)
    assert len(set(gaps)) > 10
