"""Tracepoints as perf events, for BPF_PROG_TYPE_TRACEPOINT: the fields of the event's format.

An event's number is in tracefs only. Where that isn't mounted (or is empty), a mount of our own is
used that belongs to no namespace, so the machine stays as it was.
"""

from __future__ import annotations

import os

from ...bpf import consts_gen as abi
from ..sys import KernelError, mount_detached
from .base import Attachment
from .perf import DISABLED, bind, open_event

_MOUNTS = ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")
_tracefs = -1


def tracefs_fd() -> int:
    """A descriptor of tracefs's root, for `dir_fd`; kept open for the process."""
    global _tracefs
    if _tracefs < 0:
        for path in _MOUNTS:
            if os.path.exists(path + "/events"):
                _tracefs = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                return _tracefs
        _tracefs = mount_detached("tracefs")
    return _tracefs


def read_tracefs(path: str) -> str:
    """The text of a file of tracefs, as `events/sched/sched_switch/format`."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=tracefs_fd())
    except KernelError:
        raise
    except OSError as error:
        raise KernelError(error.errno or 0, f"opening {path} in tracefs") from None
    with open(fd, encoding="utf-8", errors="replace") as file:
        return file.read()


def list_tracefs(path: str) -> list[str]:
    """The names in a folder of tracefs, sorted: `events` has the subsystems."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=tracefs_fd())
    except KernelError:
        raise
    except OSError as error:
        raise KernelError(error.errno or 0, f"listing {path} in tracefs") from None
    try:
        return sorted(os.listdir(fd))
    finally:
        os.close(fd)


def tracepoint_id(subsystem: str, name: str) -> int:
    """The number of a tracepoint's perf event."""
    return int(read_tracefs(f"events/{subsystem}/{name}/id"))


def attach_tracepoint_perf(prog_fd: int, subsystem: str, name: str) -> Attachment:
    """Attach to `subsystem:name`; one event serves all CPUs and tasks: the program runs wherever it fires."""
    what = f"tracepoint {subsystem}:{name}"
    event = open_event(
        *(abi.PERF_TYPE_TRACEPOINT, tracepoint_id(subsystem, name)),
        what=what,
        period=1,
        cpu=0,
        bits=DISABLED,
    )
    return Attachment("tracepoint_perf", what, bind(event, prog_fd, what))
