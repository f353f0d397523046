"""Kernel functions by kprobe: single perf events, or one link for many functions.

A single one takes a name and an offset into the function, or an address; BPF_PROG_TYPE_KPROBE.
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

_MULTI = Struct("<IIQQQ")


def attach_kprobe(
    prog_fd: int,
    function: str = "",
    *,
    offset: int = 0,
    addr: int = 0,
    ret: bool = False,
    cookie: int = 0,
) -> Attachment:
    """Attach to `function`+`offset` (a module's as `module:function`), or to `addr`; `ret`: to its return."""
    place = f"{function}+{offset:#x}" if offset else function or f"{addr:#x}"
    what = f"{'kretprobe' if ret else 'kprobe'} {place}"
    text = function.encode() + b"\0"
    event = open_event(
        *(pmu_type("kprobe"), 1 << pmu_bit("kprobe", "retprobe") if ret else 0),
        what=what,
        cpu=0,
        config1=address(text) if function else 0,
        config2=offset if function else addr,
        bits=DISABLED,
    )
    return Attachment("kretprobe" if ret else "kprobe", what, bind(event, prog_fd, what, cookie))


def attach_kprobe_multi(
    prog_fd: int,
    functions: Sequence[str] = (),
    *,
    addrs: Sequence[int] = (),
    ret: bool = False,
    cookies: Sequence[int] = (),
) -> Attachment:
    """Attach to many functions, by names or by addresses, with one link; loaded with BPF_TRACE_KPROBE_MULTI.

    Names that stand for several functions are refused; addresses are faster. Cookies go with the
    functions, in order.
    """
    count = len(functions) or len(addrs)
    what = f"{count} {'kretprobes' if ret else 'kprobes'}"
    texts = [name.encode() + b"\0" for name in functions]
    names = _words([address(text) for text in texts])
    places, marks = _words(addrs), _words(cookies)
    rest = _MULTI.pack(
        *(abi.BPF_F_KPROBE_MULTI_RETURN if ret else 0, count),
        *(address(names), 0 if functions else address(places), address(marks)),
    )
    fd = link_create(prog_fd, 0, abi.BPF_TRACE_KPROBE_MULTI, what, rest)
    return Attachment("kprobe_multi", what, (fd,))


def _words(values: Sequence[int]) -> bytearray:
    return bytearray(array("Q", values).tobytes())
