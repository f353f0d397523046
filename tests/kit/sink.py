"""A sink that keeps what it is given."""

from __future__ import annotations

from pystap.sinks.base import Sink


class ListSink(Sink):
    """Keeps what was printed (`text`), and what was said on standard error (`said`)."""

    def __init__(self, terminal: bool = False) -> None:
        super().__init__(-1)
        self.terminal = terminal
        self.written: list[str] = []
        self.said: list[str] = []
        self.flushes = 0

    @property
    def text(self) -> str:
        """All that was printed."""
        return "".join([*self.written, *self.parts])

    def flush(self) -> None:
        self.flushes += 1
        self.written += self.parts
        self.parts.clear()

    def message(self, text: str) -> None:
        self.flush()
        self.said.append(text)
