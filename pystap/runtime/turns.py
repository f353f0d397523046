"""What a loop in the kernel logged, value by value (staging/log.py makes the log, backend/ebpf/records.py writes it)."""

from __future__ import annotations

from struct import Struct

from .decode import Strings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_WORD = Struct("<q").unpack_from


class Exhausted(Exception):
    """The log has no more: the kernel got no further. The error that ended its run is in the control block."""


class Turns:
    """Reads one record's log."""

    __slots__ = ("_at", "_bytes", "_end", "_ended", "_strings")

    def __init__(
        self, log: bytes, end: int, strings: Strings, start: int, ended: Callable[[], None] | None
    ) -> None:
        self._bytes = log
        self._end = end
        self._at = start
        self._strings = strings
        self._ended = ended

    def _next(self, size: int) -> int:
        """Where the next value is; it takes so many bytes, up to the next 8."""
        at = self._at
        if at >= self._end:
            if self._ended is not None:
                self._ended()
            raise Exhausted
        self._at = at + (size + 7 & ~7)
        return at

    def word(self) -> int:
        """An integer."""
        number: int = _WORD(self._bytes, self._next(8))[0]
        return number

    def data(self, size: int) -> bytes:
        """Bytes."""
        at = self._next(size)
        return self._bytes[at : at + size]

    def text(self, size: int) -> str:
        """A string in a fixed room."""
        at = self._next(size)
        return self._strings[self._bytes[at : at + size]]

    def long_text(self) -> str:
        """A string that has as much room as it needs."""
        at = self._next(0)
        end = self._bytes.index(0, at)
        self._at = end + 8 & ~7
        return self._strings[self._bytes[at:end]]


def reader(terminal: bool, raise_site: Callable[[int, int], None] | None = None) -> Callable[..., Turns]:
    """What makes a reader of a log, or of a part of it: (its bytes, where the part ends, where it starts, its error)."""
    strings = Strings(terminal)

    def make(log: bytes, end: int, start: int = 0, failed: int = 0) -> Turns:
        ended = (lambda: raise_site(failed, 0)) if failed and raise_site is not None else None
        return Turns(log, end, strings, start, ended)

    return make
