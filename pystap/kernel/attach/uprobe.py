"""Functions of programs in user space, by file and offset: single perf events, or one link for many.

Offsets are into the file, not addresses. `pid` limits to one process, -1 means all.
"""

from __future__ import annotations

from array import array
from struct import Struct

from ...bpf import consts_gen as abi
from ..sys import address
from .base import Attachment, link_create
from .perf import DISABLED, bind, open_event, pmu_bit, pmu_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_MULTI = Struct("<QQQQIII4x")


def attach_uprobe(
    prog_fd: int,
    path: str,
    offset: int,
    *,
    ret: bool = False,
    pid: int = -1,
    ref_ctr_offset: int = 0,
    cookie: int = 0,
) -> Attachment:
    """Attach a BPF_PROG_TYPE_KPROBE program to an instruction, or with `ret` to the return of a function.

    ref_ctr_offset: where in the file the counter of a USDT probe lies, which the kernel then counts up.
    """
    what = f"{'uretprobe' if ret else 'uprobe'} {path}+{offset:#x}"
    config = 1 << pmu_bit("uprobe", "retprobe") if ret else 0
    if ref_ctr_offset:
        config |= ref_ctr_offset << pmu_bit("uprobe", "ref_ctr_offset")
    text = path.encode("utf-8", "surrogateescape") + b"\0"
    event = open_event(
        *(pmu_type("uprobe"), config),
        what=what,
        pid=pid,
        cpu=-1 if pid >= 0 else 0,
        config1=address(text),
        config2=offset,
        bits=DISABLED,
    )
    return Attachment("uretprobe" if ret else "uprobe", what, bind(event, prog_fd, what, cookie))


def attach_uprobe_multi(
    prog_fd: int,
    path: str,
    offsets: Sequence[int],
    *,
    ret: bool = False,
    pid: int = 0,
    ref_ctr_offsets: Sequence[int] = (),
    cookies: Sequence[int] = (),
) -> Attachment:
    """Attach to many places of one file by one link (from 6.6); loaded with BPF_TRACE_UPROBE_MULTI.

    `pid` 0 means all processes here.
    """
    what = f"{len(offsets)} {'uretprobes' if ret else 'uprobes'} of {path}"
    text = path.encode("utf-8", "surrogateescape") + b"\0"
    places, counters, marks = _words(offsets), _words(ref_ctr_offsets), _words(cookies)
    rest = _MULTI.pack(
        *(address(text), address(places), address(counters), address(marks), len(offsets)),
        *(abi.BPF_F_UPROBE_MULTI_RETURN if ret else 0, pid),
    )
    fd = link_create(prog_fd, 0, abi.BPF_TRACE_UPROBE_MULTI, what, rest)
    return Attachment("uprobe_multi", what, (fd,))


def _words(values: Sequence[int]) -> bytearray:
    return bytearray(array("Q", values).tobytes())
