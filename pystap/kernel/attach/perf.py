"""Perf events: software, hardware and sampling ones, on each CPU or for one process.

A program of BPF_PROG_TYPE_PERF_EVENT runs at every overflow: after `period` counts, or `frequency`
times a second. The other attach methods that are perf events underneath open theirs here too.
"""

from __future__ import annotations

import errno as _errno
import os
from struct import Struct

from ...bpf import consts_gen as abi
from ..cpus import online_cpus
from ..sys import KernelError, close_all, perf_event_open
from .base import Attachment, link_create

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

# perf_event_attr up to config2 (72 bytes) and on to its size of version 5 (112).
_ATTR = Struct("<IIQQQQQIIQQ40x")
_COOKIE = Struct("<Q")

# Bits of the flag word and ioctls: UAPI macros, which BTF doesn't carry.
DISABLED = 1 << 0
FREQ = 1 << 10
_IOC_ENABLE = 0x2400
_IOC_SET_BPF = 0x40042408


def open_event(
    event_type: int,
    config: int,
    *,
    what: str,
    period: int = 0,
    frequency: int = 0,
    pid: int = -1,
    cpu: int = -1,
    config1: int = 0,
    config2: int = 0,
    bits: int = 0,
) -> int:
    """Open one perf event; `bits` are further ones of the flag word."""
    sampling = frequency or period
    attr = bytearray(
        _ATTR.pack(
            *(event_type, _ATTR.size, config, sampling, 0, 0, bits | (FREQ if frequency else 0), 0, 0),
            *(config1, config2),
        )
    )
    return perf_event_open(attr, pid, cpu, f"opening {what}")


def bind(event_fd: int, prog_fd: int, what: str, cookie: int = 0) -> tuple[int, ...]:
    """Have an open event run a program: the descriptors to close.

    By a link (from 5.15), which holds the event, else by ioctl, which knows no cookies. The caller's event is closed
    on failure.
    """
    try:
        try:
            link = link_create(prog_fd, event_fd, abi.BPF_PERF_EVENT, what, _COOKIE.pack(cookie))
        except KernelError as error:
            if cookie or error.errno not in (_errno.EINVAL, _errno.EOPNOTSUPP):
                raise
            return _bind_by_ioctl(event_fd, prog_fd, what)
        try:
            _ioctl(event_fd, _IOC_ENABLE, 0, what)
        except BaseException:
            os.close(link)
            raise
        os.close(event_fd)
        return (link,)
    except BaseException:
        os.close(event_fd)
        raise


def _bind_by_ioctl(event_fd: int, prog_fd: int, what: str) -> tuple[int, ...]:
    _ioctl(event_fd, _IOC_SET_BPF, prog_fd, what)
    _ioctl(event_fd, _IOC_ENABLE, 0, what)
    return (event_fd,)


def _ioctl(fd: int, request: int, value: int, what: str) -> None:
    from fcntl import ioctl

    try:
        ioctl(fd, request, value)
    except OSError as error:
        raise KernelError(error.errno or 0, f"attaching to {what}") from None


def attach_perf(
    prog_fd: int,
    event_type: int,
    config: int,
    *,
    period: int = 0,
    frequency: int = 0,
    pid: int = -1,
    cpus: Sequence[int] | None = None,
    cookie: int = 0,
    bits: int = 0,
    name: str = "",
) -> Attachment:
    """Attach to an event on all CPUs that run (or on `cpus`), or with `pid` for one task wherever it runs."""
    what = name or f"perf event {event_type}:{config}"
    if cpus is None:
        cpus = (-1,) if pid >= 0 else online_cpus()
    fds: list[int] = []
    try:
        for cpu in cpus:
            where = f"{what} on CPU {cpu}" if cpu >= 0 else what
            rate = {"period": period, "frequency": frequency}
            try:
                event = open_event(
                    event_type, config, what=where, pid=pid, cpu=cpu, bits=bits | DISABLED, **rate
                )
            except KernelError as error:
                if error.errno == _errno.ENODEV and len(cpus) > 1:
                    continue  # the CPU went away since it was listed
                raise
            fds.extend(bind(event, prog_fd, what, cookie))
    except BaseException:
        close_all(fds)
        raise
    if not fds:
        raise KernelError(_errno.ENODEV, f"attaching to {what}")
    return Attachment("perf", what, fds)


def pmu_type(name: str) -> int:
    """The number of an event source (`kprobe`, `uprobe`); `KernelError` ENOENT where this kernel has none."""
    return int(_pmu_file(name, "type"))


def pmu_bit(name: str, field: str) -> int:
    """The first bit of `config` that a field of an event source takes: `config:0`, `config:32-63`."""
    place = _pmu_file(name, "format/" + field).partition(":")[2]
    return int(place.partition("-")[0])


_pmu: dict[tuple[str, str], str] = {}


def _pmu_file(name: str, leaf: str) -> str:
    if (name, leaf) not in _pmu:
        try:
            with open(f"/sys/bus/event_source/devices/{name}/{leaf}", encoding="ascii") as file:
                _pmu[name, leaf] = file.read().strip()
        except OSError as error:
            raise KernelError(
                error.errno or 0, f"looking for {name}s ({leaf} of that event source)"
            ) from None
    return _pmu[name, leaf]
