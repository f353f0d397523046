"""`Watch`: what a run sleeps on. Rings, and descriptors that are watched for a reason each."""

from __future__ import annotations

import os
from _stat import S_ISFIFO, S_ISSOCK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

_IN = 1  # EPOLLIN
RING = "ring"


class Watch:
    """One epoll over the rings' descriptors and those that are added."""

    __slots__ = ("_epoll", "_owned", "_reasons")

    def __init__(self, rings: Iterable[int]) -> None:
        from select import epoll

        self._epoll: Any = epoll()
        self._reasons: dict[int, str] = {}
        self._owned: list[int] = []
        for fd in rings:
            self.add(fd, RING)

    def add(self, fd: int, reason: str) -> None:
        """Report this reason when the descriptor can be read."""
        self._reasons[fd] = reason
        self._epoll.register(fd, _IN)

    def add_reader(self, fd: int, reason: str) -> None:
        """Report this reason when nobody reads any more what is written to a pipe or a socket; others are not watched."""
        mode = os.fstat(fd).st_mode
        if S_ISFIFO(mode) or S_ISSOCK(mode):
            self._reasons[fd] = reason
            self._epoll.register(fd, 0)  # errors and hang-ups are always told

    def add_process(self, pid: int, reason: str) -> None:
        """Report this reason when a process has ended; OSError if it has already."""
        fd = os.pidfd_open(pid)
        self._owned.append(fd)
        self.add(fd, reason)

    def wait(self, seconds: float) -> set[str]:
        """Sleep until there is a reason not to, or for so long (-1: for ever); return the reasons."""
        return {self._reasons[fd] for fd, _ in self._epoll.poll(seconds)}

    def close(self) -> None:
        """Close the epoll, and what was opened here."""
        self._epoll.close()
        for fd in self._owned:
            os.close(fd)
        self._owned.clear()
