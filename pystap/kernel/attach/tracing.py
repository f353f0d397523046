"""Entry and return of kernel functions by trampoline: `fentry`, `fexit`, `fmod_ret`.

The function was named at load, by its BTF id. Loading says nothing about whether the kernel lets
the program attach.
"""

from __future__ import annotations

from struct import Struct

from ...bpf import consts_gen as abi
from .base import Attachment, link_create
from .raw_tracepoint import raw_tracepoint_open

_COOKIE = Struct("<QQ")  # target_btf_id with its padding, cookie
_NAMES = {abi.BPF_TRACE_FENTRY: "fentry", abi.BPF_TRACE_FEXIT: "fexit", abi.BPF_MODIFY_RETURN: "fmod_ret"}


def attach_tracing(
    prog_fd: int, function: str = "", *, attach_type: int = abi.BPF_TRACE_FENTRY, cookie: int = 0
) -> Attachment:
    """Attach a loaded program to its function; `function` is for messages only. Cookies: from 5.19."""
    kind = _NAMES[attach_type]
    what = f"{kind} of {function or 'its function'}"
    if cookie:
        fd = link_create(prog_fd, 0, attach_type, what, _COOKIE.pack(0, cookie))
    else:
        fd = raw_tracepoint_open(prog_fd, "", what)
    return Attachment(kind, what, (fd,))
