"""What every attach method hands back."""

from __future__ import annotations

from struct import Struct

from ...bpf import consts_gen as abi
from ..sys import bpf, close_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_LINK = Struct("<IIII")


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
        fds, self.fds = self.fds, ()
        close_all(fds)


def link_create(prog_fd: int, target_fd: int, attach_type: int, what: str, rest: bytes = b"") -> int:
    """BPF_LINK_CREATE; `rest` is the part of the attributes that belongs to the attach type."""
    attr = bytearray(_LINK.pack(prog_fd, target_fd, attach_type, 0) + rest)
    return bpf(abi.BPF_LINK_CREATE, attr, f"attaching to {what}")
