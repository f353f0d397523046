"""Signals during a run: they set a flag and wake the loop; the second request to end ends at once.

`_signal` is used instead of `signal`, which imports `enum`.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import os

from .errors import Quit
from .timers import now

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

# One wish may come as two signals: `timeout` has its child end, and then its group; where a terminal is closed the shell
# and the kernel both say so, with any time between.
AT_ONCE = 50_000_000
_ENDING = (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP)


class Signals:
    """The handlers of one run. functions: names of signals to handlers of the script, "" to print the maps."""

    def __init__(self, functions: dict[str, str]) -> None:
        self.fd = -1
        self._write = -1
        self._old: dict[int, Any] = {}
        self._old_wakeup = -1
        self._pending: list[str | None] = []
        self._asked = 0  # when the end was asked for first
        self._functions: dict[int, str] = {}
        for name, function in functions.items():
            number = getattr(_signal, name if name.startswith("SIG") else "SIG" + name, None)
            if number is not None:
                self._functions[int(number)] = function

    def install(self) -> None:
        """Take the signals over."""
        self.fd, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._old_wakeup = _signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for number in (*_ENDING, *self._functions):
            if number == _signal.SIGHUP and _signal.getsignal(number) == _signal.SIG_IGN:
                continue  # nohup
            self._old[number] = _signal.signal(number, self._handle)

    def _handle(self, number: int, frame: object) -> None:
        function = self._functions.get(number)
        if function is not None:
            self._pending.append(function)
            return
        if not self._asked:
            self._asked = now()
            self._pending.append(None)
        elif number != _signal.SIGHUP and now() - self._asked > AT_ONCE:
            raise Quit

    @property
    def ending(self) -> bool:
        """Whether the end has been asked for."""
        return self._asked != 0

    def take(self) -> Iterator[str | None]:
        """The functions of the signals that have come since; None for a request to end."""
        if not self._pending:
            return
        try:
            os.read(self.fd, 4096)
        except BlockingIOError:
            pass
        pending, self._pending = self._pending, []
        yield from pending

    def restore(self) -> None:
        """Give the signals back."""
        for number, old in self._old.items():
            _signal.signal(number, old if old is not None else _signal.SIG_DFL)
        self._old.clear()
        if self.fd >= 0:
            _signal.set_wakeup_fd(self._old_wakeup)
            os.close(self.fd)
            os.close(self._write)
            self.fd = self._write = -1
