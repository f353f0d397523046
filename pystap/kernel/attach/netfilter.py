"""Netfilter hooks by link (from 6.4): of the current network namespace, or of every one that there is.

A link belongs to one namespace. A namespace is found by the processes that are in it and by the mounts that hold it;
one that comes later is found when it is looked for again.
"""

from __future__ import annotations

import errno as _errno
import os
from struct import Struct
from time import monotonic

from ...bpf import consts_gen as abi
from ..sys import MACHINE, KernelError, close_all, syscall
from .base import Attachment, link_create

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_REST = Struct("<IIiI")
_SETNS = {"x86_64": 308}.get(MACHINE, 268)
_NEWNET = 0x40000000
_NAMED = "/run/netns"
_TRIES = 64
EVERY = 0.2  # seconds between two looks for namespaces, at least
FIRST, LAST = -(1 << 31) + 1, (1 << 31) - 2  # the priorities that are to be had


def link_here(prog_fd: int, family: int, hook: int, priority: int) -> int:
    """Attach a BPF_PROG_TYPE_NETFILTER program in this network namespace; return the link, which holds the namespace."""
    rest = _REST.pack(family, hook, priority, 0)
    return link_create(prog_fd, 0, abi.BPF_NETFILTER, f"netfilter hook {family}:{hook}", rest)


def attach_everywhere(prog_fd: int, hooks: Sequence[tuple[int, int]], priority: int = 0) -> Everywhere:
    """Attach a program to (family, hook) pairs in every network namespace, at that priority or the next one free."""
    words = ", ".join(f"{family}:{hook}" for family, hook in hooks)
    made = Everywhere(f"netfilter hooks {words}", prog_fd, hooks, priority)
    try:
        made.look()
    except BaseException:
        made.close()
        raise
    return made


class Everywhere(Attachment):
    """Links in every network namespace; `refresh` follows those that come and go.

    A link holds its namespace, so those of one that nobody else holds any more have to be closed.
    """

    __slots__ = ("_due", "_hooks", "_links", "_priority", "_prog")

    def __init__(self, what: str, prog_fd: int, hooks: Sequence[tuple[int, int]], priority: int) -> None:
        super().__init__("netfilter", what, ())
        self._prog = prog_fd
        self._hooks = hooks
        self._priority = priority
        self._links: dict[int, list[int]] = {}  # inode of a namespace: links
        self._due = 0.0

    def refresh(self) -> None:
        """Look for namespaces, if it is time: looking may take a fiftieth of the time at most."""
        if monotonic() >= self._due:
            self.look()

    def look(self) -> None:
        """Attach where it isn't yet; detach in namespaces that nobody holds any more."""
        begun = monotonic()
        own = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        seen: set[int] = set()
        try:
            for number, space in _namespaces(seen):
                if number not in self._links:
                    self._attach(number, space, own)
        finally:
            os.close(own)
        for number in [number for number in self._links if number not in seen]:
            close_all(self._links.pop(number))
        ended = monotonic()
        self._due = ended + max(EVERY, 50 * (ended - begun))

    def _attach(self, number: int, space: int, own: int) -> None:
        fds = self._links[number] = []
        try:
            _enter(space)
            _attach_here(self._prog, self._hooks, self._priority, fds)
        except KernelError as error:
            close_all(fds)
            fds.clear()
            if error.errno not in (_errno.ENOENT, _errno.EINVAL, _errno.EPERM):  # gone, or not ours
                raise
        finally:
            _enter(own)

    def close(self) -> None:
        """Detach everywhere."""
        links, self._links = self._links, {}
        for fds in links.values():
            close_all(fds)


def _attach_here(prog_fd: int, hooks: Sequence[tuple[int, int]], priority: int, fds: list[int]) -> None:
    """Programs of one hook have different priorities: take the next one that is free."""
    step = -1 if priority > 0 else 1
    for family, hook in hooks:
        for turn in range(_TRIES):
            try:
                fds.append(link_here(prog_fd, family, hook, priority + turn * step))
                break
            except KernelError as error:
                if error.errno != _errno.EBUSY or turn == _TRIES - 1:
                    raise


def _enter(space: int) -> None:
    syscall("entering a network namespace", _SETNS, space, _NEWNET)


def _namespaces(seen: set[int]) -> Iterator[tuple[int, int]]:
    """Yield (inode, a descriptor of it, open until the next one is asked for) of each namespace; note it in `seen`."""
    for path in _places():
        try:
            number = os.stat(path).st_ino
            if number in seen:
                continue
            space = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            continue  # the process has ended
        try:
            number = os.fstat(space).st_ino
            if number not in seen:
                seen.add(number)
                yield number, space
        finally:
            os.close(space)


def _places() -> Iterator[str]:
    """Yield where namespaces are found: those of processes, and mounted ones (ip netns, containers)."""
    yield "/proc/self/ns/net"
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            rows = [line.split() for line in file if " nsfs " in line]
        yield from [row[4] for row in rows if row[3].startswith("net:")]
    except OSError:
        pass
    try:
        yield from [f"{_NAMED}/{name}" for name in os.listdir(_NAMED)]
    except OSError:
        pass
    for name in os.listdir("/proc"):
        if name.isdecimal():
            yield f"/proc/{name}/ns/net"
