"""Netfilter hooks by link (from 6.4): of the current network namespace, or of every one that there is.

A link belongs to one namespace. A namespace is found by the processes and the mounts under /run/netns that hold it;
one that comes later isn't attached to, one that goes takes its links along.
"""

from __future__ import annotations

import errno as _errno
import os
from struct import Struct

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

# UAPI macros and enums of <linux/netfilter.h>.
PF_IPV4, PF_IPV6 = 2, 10
PRE_ROUTING, LOCAL_IN, FORWARD, LOCAL_OUT, POST_ROUTING = range(5)
IP_DEFRAG = 1
FIRST, LAST = -(1 << 31) + 1, (1 << 31) - 2


def attach_netfilter(
    prog_fd: int, family: int, hook: int, *, priority: int = 0, defrag: bool = False
) -> Attachment:
    """Attach a BPF_PROG_TYPE_NETFILTER program; priority -2147483648 and 2147483647 aren't to be had.

    Defragmenting needs a priority above that of the defragmentation (-400).
    """
    what = f"netfilter hook {family}:{hook}"
    rest = _REST.pack(family, hook, priority, IP_DEFRAG if defrag else 0)
    return Attachment("netfilter", what, (link_create(prog_fd, 0, abi.BPF_NETFILTER, what, rest),))


def attach_everywhere(prog_fd: int, hooks: Sequence[tuple[int, int]], priority: int = 0) -> Attachment:
    """Attach a program to (family, hook) pairs in every network namespace, at that priority or the next one free."""
    fds: list[int] = []
    own = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _attach_here(prog_fd, hooks, priority, fds)
        for space in _others(own):
            try:
                _enter(space)
                _attach_here(prog_fd, hooks, priority, fds)
            except KernelError as error:
                if error.errno not in (_errno.ENOENT, _errno.EINVAL, _errno.EPERM):  # gone, or not ours
                    raise
            finally:
                _enter(own)
    except BaseException:
        close_all(fds)
        raise
    finally:
        os.close(own)
    words = ", ".join(f"{family}:{hook}" for family, hook in hooks)
    return Attachment("netfilter", f"netfilter hooks {words}", fds)


def _attach_here(prog_fd: int, hooks: Sequence[tuple[int, int]], priority: int, fds: list[int]) -> None:
    """Programs of one hook have different priorities: take the next one that is free."""
    step = -1 if priority > 0 else 1
    for family, hook in hooks:
        what = f"netfilter hook {family}:{hook}"
        for turn in range(_TRIES):
            rest = _REST.pack(family, hook, priority + turn * step, 0)
            try:
                fds.append(link_create(prog_fd, 0, abi.BPF_NETFILTER, what, rest))
                break
            except KernelError as error:
                if error.errno != _errno.EBUSY or turn == _TRIES - 1:
                    raise


def _enter(space: int) -> None:
    syscall("entering a network namespace", _SETNS, space, _NEWNET)


def _others(own: int) -> Iterator[int]:
    """Yield a descriptor of each other namespace, open until the next one is asked for."""
    seen = {os.fstat(own).st_ino}
    for path in _places():
        try:
            space = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            continue  # the process has ended
        try:
            number = os.fstat(space).st_ino
            if number not in seen:
                seen.add(number)
                yield space
        finally:
            os.close(space)


def _places() -> Iterator[str]:
    try:
        yield from [f"{_NAMED}/{name}" for name in os.listdir(_NAMED)]
    except OSError:
        pass
    for name in os.listdir("/proc"):
        if name.isdecimal():
            yield f"/proc/{name}/ns/net"
