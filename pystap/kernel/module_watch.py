"""Being told when modules come and go: a small program at the kernel's own tracepoints, which wakes whoever waits.

    watch = ModuleWatch()       # KernelError where this kernel has no such tracepoints
    poller.register(watch.fd)   # readable when something has happened
    watch.clear()               # before looking at what is loaded

The tracepoint of loading comes when a module's functions can be attached to, before its own start runs.
"""

from __future__ import annotations

import os
from mmap import PAGESIZE

from ..bpf import consts_gen as abi
from ..bpf import insn as I
from ..bpf.helpers_gen import HELPERS
from .attach.raw_tracepoint import attach_raw_tracepoint
from .prog import load_program
from .ring import RingMap
from .sys import KernelError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .attach.base import Attachment

_EVENTS = ("module_load", "module_free")


class ModuleWatch:
    """The program, its attachments, and the ring that it writes to."""

    __slots__ = ("_attached", "_ring")

    def __init__(self) -> None:
        self._ring = RingMap(PAGESIZE, "modules")
        self._attached: list[Attachment] = []
        try:
            program = load_program(abi.BPF_PROG_TYPE_RAW_TRACEPOINT, _code(self._ring.map.fd), name="modules")
            try:
                for event in _EVENTS:
                    self._attached.append(attach_raw_tracepoint(program, event))
            finally:
                os.close(program)
        except KernelError:
            self.close()
            raise

    @property
    def fd(self) -> int:
        """Readable when a module has come or gone."""
        return self._ring.map.fd

    def clear(self) -> None:
        """Forget what has happened until now."""
        ring = self._ring.ring
        ring.advance(ring.snapshot())

    def close(self) -> None:
        """Detach, and free everything."""
        for one in self._attached:
            one.close()
        self._attached.clear()
        self._ring.close()


def _code(ring: int) -> bytes:
    """Write 8 bytes to the ring, and wake its reader."""
    return I.encode(
        (
            I.st_imm(8, I.FP, -8, 0),
            *I.ld_map_fd(I.R1, ring),
            I.mov(I.R2, I.FP),
            I.alu_imm(I.ADD, I.R2, -8),
            I.mov_imm(I.R3, 8),
            I.mov_imm(I.R4, abi.BPF_RB_FORCE_WAKEUP),
            I.call(HELPERS["ringbuf_output"][0]),
            I.mov_imm(I.R0, 0),
            I.exit_(),
        )
    )
