"""What every sink can do. Sinks see texts and events, and nothing of the program."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def write_all(fd: int, data: bytes) -> None:
    """Write all of the data, however the kernel takes it; also where others made the file one that doesn't wait."""
    while data:
        try:
            written = os.write(fd, data)
        except BlockingIOError:
            from select import poll

            waiting = poll()
            waiting.register(fd, 4)  # POLLOUT
            waiting.poll()
            continue
        if written == len(data):
            return
        data = data[written:]


class Sink:
    """Base of the sinks. Texts are latin-1: one character for each byte.

    emit: takes a piece of the script's output. structured: whether `event` wants values instead of texts.
    """

    structured = False

    def __init__(self, fd: int = 1, errors: int = 2) -> None:
        self.fd = fd
        self.errors = errors
        self.parts: list[str] = []
        self.emit: Callable[[str], None] = self.parts.append
        self.terminal = os.isatty(fd)

    def flush(self) -> None:
        """Write out what has come in; BrokenPipeError when nobody reads it any more."""
        parts = self.parts
        if parts:
            data = "".join(parts).encode("latin-1", "replace")
            parts.clear()
            write_all(self.fd, data)

    def event(self, kind: str, data: Any, **more: Any) -> None:
        """A structured event, for sinks that are structured."""

    def first(self, kind: str, data: Any) -> None:
        """An event that belongs before what is still held, for sinks that are structured."""

    def begin(self, kind: str) -> None:
        """What is emitted until `end` is one event of this kind, for sinks that are structured."""

    def end(self) -> None:
        """The event is whole."""

    def switch(self) -> bool:
        """Begin the next output file, for sinks that have several; say whether this is one."""
        return False

    def message(self, text: str) -> None:
        """Words for standard error, after what was printed before them."""
        self.flush()
        try:
            write_all(self.errors, text.encode("latin-1", "replace"))
        except OSError:
            pass

    def abandon(self) -> None:
        """Nobody reads the output any more: drop it, and what is still to come."""
        self.parts.clear()
        if self.fd >= 0:
            null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
            os.dup2(null, self.fd)
            os.close(null)

    def close(self) -> None:
        """Write out the rest; close a file of our own."""
        try:
            self.flush()
        finally:
            if self.fd > 2:
                os.close(self.fd)
                self.fd = -1
