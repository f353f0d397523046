"""Raw tracepoints by name, for BPF_PROG_TYPE_RAW_TRACEPOINT: arguments as untyped words."""

from __future__ import annotations

from struct import Struct

from ...bpf import consts_gen as abi
from ..sys import address, bpf
from .base import Attachment

_OPEN = Struct("<QII")
_COOKIE = Struct("<Q")


def raw_tracepoint_open(prog_fd: int, name: str, what: str, cookie: int = 0) -> int:
    """BPF_RAW_TRACEPOINT_OPEN; without a name, to what the program was loaded for. Cookies: from 6.10."""
    text = name.encode() + b"\0"
    attr = bytearray(_OPEN.pack(address(text) if name else 0, prog_fd, 0))
    if cookie:
        attr += _COOKIE.pack(cookie)
    return bpf(abi.BPF_RAW_TRACEPOINT_OPEN, attr, f"attaching to {what}")


def attach_raw_tracepoint(prog_fd: int, name: str, *, cookie: int = 0) -> Attachment:
    """Attach to the tracepoint `name` (without its subsystem: `sched_switch`)."""
    what = f"raw tracepoint {name}"
    return Attachment("raw_tracepoint", what, (raw_tracepoint_open(prog_fd, name, what, cookie),))
