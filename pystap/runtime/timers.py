"""User handlers that run every so often, on a grid of their own that never drifts."""

from __future__ import annotations

from time import CLOCK_MONOTONIC, clock_gettime_ns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..program import Timer

_MOST_BEHIND = 100  # ticks that are made up for; what is further behind is left out


def now() -> int:
    """CLOCK_MONOTONIC in nanoseconds."""
    return clock_gettime_ns(CLOCK_MONOTONIC)


class Timers:
    """The timers of one run; the first tick of each is one period after `start`."""

    __slots__ = ("_due", "_timers")

    def __init__(self, timers: Iterable[Timer]) -> None:
        self._timers = list(timers)
        self._due: list[tuple[int, int]] = []  # (when, number)

    def start(self, at: int) -> None:
        """Begin to count."""
        self._due = [(at + self._period(timer), i) for i, timer in enumerate(self._timers)]
        self._due.sort()

    def _period(self, timer: Timer) -> int:
        if timer.randomize:
            from random import randint

            return max(1, timer.ns + randint(-timer.randomize, timer.randomize))
        return timer.ns

    def next(self) -> int | None:
        """When the next tick is due, or None."""
        return self._due[0][0] if self._due else None

    def due(self, at: int) -> str | None:
        """The function of a tick that is due, and its timer set to the next one; or None."""
        if not self._due or self._due[0][0] > at:
            return None
        when, number = self._due[0]
        timer = self._timers[number]
        then = when + self._period(timer)
        if then + _MOST_BEHIND * timer.ns < at:
            then += (at - then) // timer.ns * timer.ns
        self._due[0] = (then, number)
        self._due.sort()
        return timer.function
