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
