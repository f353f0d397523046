"""BPF iterators: a program that runs once for each object (task, socket, map element) when it is read.

The kind was named at load, by the BTF id of `bpf_iter_KIND`, with BPF_TRACE_ITER. Each reading is one
pass; what the program writes with `bpf_seq_write` is its text.
"""

from __future__ import annotations

import os
from struct import Struct

from ...bpf import consts_gen as abi
from ..sys import KernelError, address, bpf
from .base import Attachment, link_create

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_CREATE = Struct("<II")
_INFO = Struct("<QI4x")
_TASK = Struct("<III")
_CHUNK = 1 << 16


class Iterator(Attachment):
    """An attached iterator program."""

    __slots__ = ()

    def read(self) -> bytes:
        """Make one pass over all objects and return what the program wrote."""
        what = f"reading {self.what}"
        fd = bpf(abi.BPF_ITER_CREATE, bytearray(_CREATE.pack(self.fds[0], 0)), what)
        parts: list[bytes] = []
        try:
            while True:
                try:
                    part = os.read(fd, _CHUNK)
                except BlockingIOError:  # a million objects without a word
                    continue
                if not part:
                    break
                parts.append(part)
        except OSError as error:
            raise KernelError(error.errno or 0, what) from None
        finally:
            os.close(fd)
        return b"".join(parts)


class Passes:
    """One pass of each iterator, in a thread of its own, so that the records of its program can be taken meanwhile."""

    def __init__(self, iterators: Iterable[Iterator]) -> None:
        from _thread import start_new_thread

        self.done = False
        self.error: KernelError | None = None
        start_new_thread(self._read, (tuple(iterators),))

    def _read(self, iterators: tuple[Iterator, ...]) -> None:
        try:
            for one in iterators:
                one.read()
        except KernelError as error:
            self.error = error
        finally:
            self.done = True


def attach_iter(
    prog_fd: int, kind: str = "", *, map_fd: int = -1, tid: int = 0, pid: int = 0, pid_fd: int = 0
) -> Iterator:
    """Attach an iterator program: over a map's elements, or (from 6.1) over one thread or process only."""
    what = f"iterator {kind}" if kind else "its iterator"
    info = b""
    if map_fd >= 0:
        info = map_fd.to_bytes(4, "little").ljust(16, b"\0")
    elif tid or pid or pid_fd:
        info = _TASK.pack(tid, pid, pid_fd).ljust(16, b"\0")
    elif kind == "cgroup":  # which needs an order: every group before those in it, from the root on
        info = abi.BPF_CGROUP_ITER_DESCENDANTS_PRE.to_bytes(4, "little").ljust(16, b"\0")
    rest = _INFO.pack(address(info), len(info)) if info else b""
    return Iterator("iter", what, (link_create(prog_fd, 0, abi.BPF_TRACE_ITER, what, rest),))
