"""Records as they come: taken off all rings, and run in the order of their numbers (R7).

    records = Records(door, program.records, run, over)
    records.take()             # what has come, as far as no number is missing
    records.take_before(n)     # every record with a smaller number

`run` gets them in batches. A missing number is a record that is still being written: it is waited for, but not for
ever, as who writes it may have died on the way.
"""

from __future__ import annotations

from time import sleep

from .decode import Decoder, Merger
from .timers import now

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..program import RecordSpec
    from .decode import Record
    from .door import Door

NAP = 0.0015  # how long others get to write
GAP_PATIENCE = 1_000_000_000  # ns that a missing record is waited for
_TRIES = 50  # the same where a handler waits for its turn


class Records:
    """The records of one run. over: whether it has ended, so that none is waited for any more."""

    __slots__ = ("_decoder", "_door", "_gap_since", "_merger", "_over", "_run")

    def __init__(
        self,
        door: Door,
        specs: Sequence[RecordSpec],
        run: Callable[[list[Record]], None],
        over: Callable[[], bool],
    ) -> None:
        self._door = door
        self._decoder = Decoder(specs)
        self._merger = Merger()
        self._run = run
        self._over = over
        self._gap_since = 0

    @property
    def missing(self) -> bool:
        """Whether a record is being waited for."""
        return self._gap_since != 0

    def take(self, before: int | None = None, *, gaps: bool = False) -> None:
        """Run the records that have come, with numbers below `before`; gaps: as if none were missing."""
        new: list[Record] = []
        for ring in self._door.rings:
            ring.snapshot()
        for ring in self._door.rings:
            self._decoder.collect(ring, new)
        ready = self._merger.take(new, before, gaps)
        if ready:
            self._gap_since = 0
            self._run(ready)
        elif self._merger.held and before is None:
            self._bridge_gap()

    def _bridge_gap(self) -> None:
        """A record is missing: wait for it for a while, then go on without."""
        at = now()
        if not self._gap_since:
            self._gap_since = at
        elif at - self._gap_since > GAP_PATIENCE:
            self._gap_since = 0
            self._merger.next = self._merger.held[0][0]

    def take_before(self, number: int) -> None:
        """Run every record with a smaller number; those still being written are waited for."""
        if not self._door.rings:
            return
        merger = self._merger
        tries = 0
        while merger.next < number and not self._over():
            self.take(number, gaps=tries > _TRIES)
            if merger.next < number:
                tries += 1
                if tries > _TRIES:
                    merger.next = number
                elif tries == _TRIES // 2:
                    self._door.quiesce()
                elif tries > 2:
                    sleep(NAP)
