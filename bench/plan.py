"""What a run of the benchmarks is to do, and what went wrong in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .peers import Peer


class Plan:
    """ours: pystap in each language; theirs: what it is compared with; failures: what could not be run, and why."""

    def __init__(self, ours: list[Peer], theirs: Peer, quick: bool) -> None:
        self.ours = ours
        self.theirs = theirs
        self.quick = quick
        self.failures: list[str] = []

    @property
    def peers(self) -> list[Peer]:
        """Everybody, the one to compare with last."""
        return [*self.ours, self.theirs]

    def rounds(self, count: int) -> int:
        """Return how many rounds to run where `count` are good."""
        return max(3, count // 4) if self.quick else count
