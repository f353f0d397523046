"""Plain text: to standard output or a file."""

from __future__ import annotations

import os

from .base import Sink


class TextSink(Sink):
    """Bytes as they come, written at each flush."""

    def __init__(self, path: str | None = None, fd: int = 1, errors: int = 2) -> None:
        if path is not None:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        super().__init__(fd, errors)


class SwitchingSink(TextSink):
    """Files PATH.0, PATH.1, ...: the next one is begun when one is full, or asked for.

    size: bytes of a file, which may grow larger by what is written at once; most: files that are kept, 0 for all.
    """

    def __init__(self, path: str, size: int, most: int) -> None:
        super().__init__(f"{path}.0")
        self._path, self._size, self._most = path, size, most
        self._number = 0

    def flush(self) -> None:
        super().flush()
        if os.fstat(self.fd).st_size >= self._size:
            self._next()

    def switch(self) -> bool:
        super().flush()
        self._next()
        return True

    def _next(self) -> None:
        self._number += 1
        fd = os.open(
            f"{self._path}.{self._number}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666
        )
        os.dup2(fd, self.fd, inheritable=False)
        os.close(fd)
        if self._most and self._number >= self._most:
            try:
                os.unlink(f"{self._path}.{self._number - self._most}")
            except OSError:
                pass  # somebody else has moved it
