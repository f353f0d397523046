"""Alternating rounds: every peer once in each, in changing order; a peer that fails drops out and says why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .peers import PeerError
from .table import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .peers import Peer

Numbers = dict[str, float]  # quantity -> what one run measured


class Results:
    """What the rounds measured: for each peer one `Numbers` a round. The last peer is the one to compare with."""

    def __init__(self, peers: Sequence[Peer]) -> None:
        self.peers = list(peers)
        self.numbers: list[dict[str, Numbers]] = []
        self.failures: list[str] = []

    def row(
        self,
        name: str,
        peer: Peer,
        quantity: str,
        show: Callable[[float], str],
        target: float | None = None,
    ) -> Row | None:
        """Return the row of a quantity for a peer, or None if it never measured that."""
        other = self.peers[-1].name
        pairs: list[tuple[float, float | None]] = []
        for numbers in self.numbers:
            ours = numbers.get(peer.name, {}).get(quantity)
            if ours is not None:
                theirs = numbers.get(other, {}).get(quantity)
                pairs.append((ours, theirs))
        return Row(name, pairs, show, target) if pairs else None


def run_rounds(peers: Sequence[Peer], count: int, measure: Callable[[Peer], Numbers], what: str) -> Results:
    """Run `count` rounds of `measure` over the peers, the last of which is the one to compare with."""
    results = Results(peers)
    working = list(peers)
    for number in range(count):
        found: dict[str, Numbers] = {}
        for peer in list(working) if number % 2 == 0 else working[::-1]:
            try:
                found[peer.name] = measure(peer)
            except PeerError as error:
                results.failures.append(f"{what}: {peer.name}: {error}")
                working.remove(peer)
        results.numbers.append(found)
    return results
