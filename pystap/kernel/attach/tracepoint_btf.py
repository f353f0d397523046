"""Typed raw tracepoints (`tp_btf`): BPF_PROG_TYPE_TRACING loaded with BPF_TRACE_RAW_TP.

The tracepoint was named at load, by the BTF id of its typedef `btf_trace_NAME`.
"""

from __future__ import annotations

from .base import Attachment
from .raw_tracepoint import raw_tracepoint_open


def attach_tracepoint_btf(prog_fd: int, name: str = "") -> Attachment:
    """Attach a loaded tp_btf program; `name` is for messages only."""
    what = f"tracepoint {name}" if name else "its tracepoint"
    return Attachment("tracepoint_btf", what, (raw_tracepoint_open(prog_fd, "", what),))
