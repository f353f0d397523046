"""What was found in debug information, kept in a file of the user's cache: finding it again costs nothing.

The file is named after the build id. One that can't be read, or that another version wrote, counts as empty.
"""

from __future__ import annotations

import marshal
import os

from .. import cachefile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

VERSION = 5
MOST = 4096  # answers of one file
_LARGEST = 1 << 26


class Memory:
    """Answers by question; all are plain values."""

    __slots__ = ("_answers", "_changed", "_path")

    def __init__(self, folder: str, build_id: str) -> None:
        self._path = os.path.join(folder, f"dwarf-{build_id}") if folder and build_id else ""
        self._changed = False
        self._answers: dict[Any, Any] = self._load()

    def _load(self) -> dict[Any, Any]:
        if not self._path:
            return {}
        data = cachefile.read(self._path, _LARGEST)
        try:
            version, answers = marshal.loads(data or b"")
        except (EOFError, ValueError, TypeError):
            return {}
        return answers if version == VERSION and isinstance(answers, dict) else {}

    @property
    def known(self) -> bool:
        """Whether there is any answer."""
        return bool(self._answers)

    def ask(self, question: tuple[Any, ...], find: Callable[[], Any]) -> Any:
        """Return the answer; find it if it isn't known."""
        if question not in self._answers:
            self._answers[question] = find()
            self._changed = True
        return self._answers[question]

    def save(self) -> None:
        """Write what is new; a cache that can't be written is none."""
        if not self._changed or not self._path:
            return
        self._changed = False
        if len(self._answers) > MOST:
            self._answers.clear()
        cachefile.write(self._path, marshal.dumps((VERSION, self._answers)))
