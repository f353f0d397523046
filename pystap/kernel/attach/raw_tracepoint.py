"""Raw tracepoints by name, for BPF_PROG_TYPE_RAW_TRACEPOINT: arguments as untyped words."""

from __future__ import annotations

from struct import Struct

from ...bpf import consts_gen as abi
from ..sys import address, bpf
from .base import Attachment

_OPEN = Struct("<QII")


def raw_tracepoint_open(prog_fd: int, name: str, what: str) -> int:
    """BPF_RAW_TRACEPOINT_OPEN; without a name, to what the program was loaded for."""
    text = name.encode() + b"\0"
    attr = bytearray(_OPEN.pack(address(text) if name else 0, prog_fd, 0))
    return bpf(abi.BPF_RAW_TRACEPOINT_OPEN, attr, f"attaching to {what}")


def attach_raw_tracepoint(prog_fd: int, name: str) -> Attachment:
    """Attach to the tracepoint `name` (without its subsystem: `sched_switch`)."""
    what = f"raw tracepoint {name}"
    return Attachment("raw_tracepoint", what, (raw_tracepoint_open(prog_fd, name, what),))
