"""bpftrace's `-f json`: one JSON object a line, with a type and its data."""

from __future__ import annotations

import os

from .base import Sink, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class JsonSink(Sink):
    """Lines of {"type": ..., "data": ...}. Bytes that are not UTF-8 become replacement characters."""

    structured = True

    def __init__(self, path: str | None = None, fd: int = 1, errors: int = 2) -> None:
        if path is not None:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        super().__init__(fd, errors)
        from json import JSONEncoder

        self._encode = JSONEncoder(ensure_ascii=False).encode
        self.lines: list[str] = []
        self.emit = self._text
        self._kind = ""
        self._pieces: list[str] = []

    def _text(self, text: str) -> None:
        if self._kind:
            self._pieces.append(text)
        else:
            self.event("printf", text)

    def begin(self, kind: str) -> None:
        """Gather the texts that come."""
        self._kind = kind

    def end(self) -> None:
        """Write them as one event."""
        text = "".join(self._pieces)
        self._pieces.clear()
        kind, self._kind = self._kind, ""
        self.event(kind, text.removesuffix("\n") if kind == "join" else text)

    def event(self, kind: str, data: Any, **more: Any) -> None:
        """One line."""
        self.lines.append(self._encode({"type": kind, **more, "data": clean(data)}) + "\n")

    def first(self, kind: str, data: Any) -> None:
        """One line, before all that wasn't written yet."""
        held = self.lines[:]
        self.lines.clear()
        self.event(kind, data)
        self.lines += held

    def flush(self) -> None:
        """Write the lines."""
        if self.lines:
            data = "".join(self.lines).encode("utf-8", "replace")
            self.lines.clear()
            write_all(self.fd, data)


def clean(value: Any) -> Any:
    """The value with its latin-1 texts as the Unicode that their bytes are."""
    if isinstance(value, str):
        return value.encode("latin-1", "replace").decode("utf-8", "replace")
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {clean(k): clean(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [clean(v) for v in value]
    return value
