"""The 512 bytes of stack: named objects from the top down, scratch areas that an operation takes and gives back.

Offsets are negative, from the frame pointer, and multiples of 8. Spill slots come below everything else.
"""

from __future__ import annotations

from .lir import TooBig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...source import Span

SIZE = 512


class Frame:
    """Where the next object goes."""

    __slots__ = ("limit", "lowest", "top")

    def __init__(self, limit: int = SIZE) -> None:
        self.top = 0
        self.lowest = 0
        self.limit = limit

    def take(self, size: int, span: Span) -> int:
        """Room for `size` bytes. What was taken last must be given back first."""
        self.top -= (size + 7) & ~7
        if self.top < self.lowest:
            self.lowest = self.top
            if -self.top > self.limit:
                raise TooBig(f"needs more than {self.limit} bytes of stack", span)
        return self.top

    def spill(self, span: Span) -> int:
        """A slot below all that was ever taken."""
        self.top = self.lowest
        return self.take(8, span)

    def give(self, offset: int, size: int) -> None:
        """Give back the newest room."""
        assert offset == self.top
        self.top += (size + 7) & ~7
