"""What every attach method hands back."""

from __future__ import annotations

from struct import Struct

from ...bpf import consts_gen as abi
from ..sys import bpf, close_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import LockType
    from collections.abc import Iterable

_LINK = Struct("<IIII")
_MANY = 16  # descriptors that are worth threads
_THREADS = 16


class Attachment:
    """The descriptors that keep one program attached; closing them detaches it."""

    __slots__ = ("fds", "kind", "what")

    def __init__(self, kind: str, what: str, fds: Iterable[int]) -> None:
        self.kind = kind  # the attach method
        self.what = what  # the event, in words
        self.fds: tuple[int, ...] = tuple(fds)  # in the order of closing

    def __repr__(self) -> str:
        return f"<{self.kind} {self.what}>"

    def close(self) -> None:
        """Detach; the program runs no more for this event when this returns, apart from runs under way."""
        close_attachments((self,))


def close_attachments(attachments: Iterable[Attachment]) -> None:
    """Detach them all.

    Many at a time: a kprobe's closing is mostly waiting for the kernel, and a part of the waits can overlap.
    """
    fds: list[int] = []
    for one in attachments:
        if type(one).close is not Attachment.close:
            one.close()
            continue
        fds += one.fds
        one.fds = ()
    if len(fds) < _MANY:
        close_all(fds)
        return
    from _thread import allocate_lock, start_new_thread

    def work(part: list[int], done: LockType) -> None:
        close_all(part)
        done.release()

    started: list[LockType] = []
    for n in range(_THREADS):
        part, done = fds[n::_THREADS], allocate_lock()
        done.acquire()
        try:
            start_new_thread(work, (part, done))
        except RuntimeError:  # no more threads
            close_all(part)
        else:
            started.append(done)
    for done in started:
        done.acquire()


def link_create(prog_fd: int, target_fd: int, attach_type: int, what: str, rest: bytes = b"") -> int:
    """BPF_LINK_CREATE; `rest` is the part of the attributes that belongs to the attach type."""
    attr = bytearray(_LINK.pack(prog_fd, target_fd, attach_type, 0) + rest)
    return bpf(abi.BPF_LINK_CREATE, attr, f"attaching to {what}")
